/* Calls from other threads: nothing is lost, nothing is out of order, nobody is left asleep. */
#include "support/fork.h"
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum { THREADS = 4, CALLS = 10000, CANCELS = 1000, FORKS = 100 };

static cora_loop *new_loop(void)
{
    cora_loop *loop = NULL;
    int rc = cora_new_event_loop(&loop);

    assert_int_equal(rc, 0);
    return loop;
}

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fn, arg);

    assert_int_equal(rc, 0);
    return thread;
}

static void *join(pthread_t thread)
{
    void *result;

    pthread_join(thread, &result);
    return result;
}

/* ---- many calls ----------------------------------------------------------------------------- */

/* A million by call_soon_threadsafe, and as many tasks by run_coroutine_threadsafe. */
#ifdef CORA_SLOW_TESTS
enum { MANY = 5000 };
#else
enum { MANY = 250000 };
#endif
enum { WINDOW = 500 }; /* tasks of a thread whose results it has not asked for */

static struct caller {
    cora_loop *loop;
    int expected; /* the number that the next call of this thread should have */
    bool out_of_order;
    struct call {
        struct caller *caller;
        cora_trigger trigger;
        int number;
    } calls[CALLS];
} callers[THREADS];
static int callers_left; /* that still call */

static void note_call(struct caller *caller, int number)
{
    caller->out_of_order |= number != caller->expected;
    caller->expected = number + 1;
}

/* What each calls last. */
static void note_end(void *loop)
{
    if (--callers_left == 0)
        cora_loop_stop(loop);
}

static void *end(const struct caller *caller, int rc)
{
    if (cora_loop_call_soon_threadsafe(caller->loop, note_end, caller->loop, NULL) < 0)
        abort(); /* nobody would end the loop */
    return (void *)(intptr_t)rc;
}

/* A call is a number alone: its own, and its thread's. */
static void *call_of(const struct caller *caller, int number)
{
    return (void *)((intptr_t)number * THREADS + (caller - callers));
}

static void receive_number(void *arg)
{
    note_call(&callers[(intptr_t)arg % THREADS], (int)((intptr_t)arg / THREADS));
}

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    int rc = 0;

    for (int i = 0; i < MANY && rc == 0; i++)
        rc = cora_loop_call_soon_threadsafe(caller->loop, receive_number, call_of(caller, i), NULL);
    return end(caller, rc);
}

/* Its outcome is its number. */
static int receive_in_task(void *arg)
{
    receive_number(arg);
    return (int)((intptr_t)arg / THREADS);
}

/* -EIO where a task's result is another one's. */
static int collect(cora_concurrent_future *future, int number)
{
    int result = cora_concurrent_future_result(future, INFINITY);

    cora_concurrent_future_unref(future);
    return result == number ? 0 : result < 0 ? result : -EIO;
}

static void *create_often(void *arg)
{
    cora_concurrent_future *futures[WINDOW];
    struct caller *caller = arg;
    int rc = 0;

    for (int i = 0; i < MANY + WINDOW; i++) {
        cora_concurrent_future **future = &futures[i % WINDOW];

        if (i >= WINDOW && rc == 0)
            rc = collect(*future, i - WINDOW);
        if (i < MANY)
            *future = cora_run_coroutine_threadsafe_arg(caller->loop, receive_in_task,
                                                        call_of(caller, i));
    }
    return end(caller, rc);
}

static void receive(void *arg)
{
    struct call *call = arg;

    note_call(call->caller, call->number);
}

static void *fire_often(void *arg)
{
    struct caller *caller = arg;
    int rc = 0;

    for (int i = 0; i < CALLS && rc == 0; i++) {
        struct call *call = &caller->calls[i];

        call->caller = caller;
        call->number = i;
        cora_trigger_init(&call->trigger, caller->loop, receive, NULL, call);
        rc = cora_trigger_fire(&call->trigger);
    }
    return end(caller, rc);
}

/* fn(caller) in each thread makes so many calls. */
static void run_callers(void *(*fn)(void *arg), int each)
{
    cora_loop *loop = new_loop();
    pthread_t threads[THREADS];
    void *results[THREADS];
    int rc;

    callers_left = THREADS;
    for (int i = 0; i < THREADS; i++) {
        callers[i].loop = loop;
        threads[i] = start(fn, &callers[i]);
    }
    rc = cora_loop_run_forever(loop);
    for (int i = 0; i < THREADS; i++)
        results[i] = join(threads[i]);
    cora_loop_free(loop);
    assert_int_equal(rc, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_null(results[i]);
        assert_int_equal(callers[i].expected, each);
        assert_false(callers[i].out_of_order);
    }
}

TEST(a_million_calls_from_four_threads_arrive_once_and_in_the_order_of_each_thread)
{
    run_callers(call_often, MANY);
}

TEST(a_million_tasks_from_four_threads_run_once_and_in_the_order_of_each_thread)
{
    run_callers(create_often, MANY);
}

TEST(triggers_from_four_threads_all_arrive_in_the_order_of_each_thread)
{
    run_callers(fire_often, CALLS);
}

static void ignore(void *arg)
{
    (void)arg;
}

static void stop_loop(void *loop)
{
    cora_loop_stop(loop);
}

static void *flood(void *arg)
{
    struct caller *caller = arg;
    int rc = 0;

    while (rc == 0)
        rc = cora_loop_call_soon_threadsafe(caller->loop, ignore, NULL, NULL);
    return (void *)(intptr_t)rc;
}

TEST(a_loop_may_be_closed_while_other_threads_call)
{
    cora_loop *loop = new_loop();
    pthread_t threads[THREADS];
    void *results[THREADS];
    int rc;

    for (int i = 0; i < THREADS; i++) {
        callers[i].loop = loop;
        threads[i] = start(flood, &callers[i]);
    }
    rc = cora_loop_close(loop);
    for (int i = 0; i < THREADS; i++)
        results[i] = join(threads[i]);
    cora_loop_free(loop);
    assert_int_equal(rc, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal((intptr_t)results[i], -CORA_ECLOSED);
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* What a child does with the loop before it closes it. */
enum first { NOTHING, RUN, CALL };

__attribute__((noreturn)) static void end_child(cora_loop *loop, enum first first)
{
    int rc = 0;

    if (first == CALL)
        rc = cora_loop_call_soon_threadsafe(loop, ignore, NULL, NULL);
    if (first == RUN)
        rc = cora_loop_call_soon(loop, stop_loop, loop, NULL);
    if (rc == 0 && first == RUN)
        rc = cora_loop_run_forever(loop);
    if (rc == 0)
        rc = cora_loop_close(loop);
    _exit(rc == 0 ? 0 : 1);
}

/* No thread begins or ends during a fork, for the sanitizers would have locks of theirs held. */
static atomic_int under_way;
static atomic_bool forked;

static pid_t fork_under_way(void)
{
    pid_t pid = fork();

    atomic_store(&forked, true);
    return pid;
}

static void await_fork(void)
{
    while (!atomic_load(&forked))
        sched_yield();
}

static void *fire_a_while(void *arg)
{
    struct caller *caller = arg;
    int rc = 0;

    atomic_fetch_add(&under_way, 1);
    for (int i = 0; i < CALLS && rc == 0; i++) {
        cora_trigger_init(&caller->calls[i].trigger, caller->loop, ignore, NULL, NULL);
        rc = cora_trigger_fire(&caller->calls[i].trigger);
    }
    await_fork();
    return (void *)(intptr_t)rc;
}

/* They allocate nothing: a fork waits for those who do. */
static int fork_while_others_fire(enum first first)
{
    cora_loop *loop = new_loop();
    pthread_t threads[THREADS];
    int status;
    pid_t pid;

    atomic_store(&under_way, 0);
    atomic_store(&forked, false);
    for (int i = 0; i < THREADS; i++) {
        callers[i].loop = loop;
        threads[i] = start(fire_a_while, &callers[i]);
    }
    while (atomic_load(&under_way) < THREADS)
        sched_yield();
    pid = fork_under_way();
    if (pid == 0)
        end_child(loop, first);
    status = reap(pid);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
    cora_loop_free(loop);
    return status;
}

TEST(a_forked_child_does_not_wait_for_a_lock_that_its_parents_threads_hold)
{
    if (!can_fork_with_threads())
        skip();
    for (int i = 0; i < FORKS; i++) {
        int status = fork_while_others_fire((enum first)(i % 3));

        assert_int_equal(status, 0);
    }
}

struct forking {
    cora_loop *loop;
    cora_trigger trigger;
    pid_t pid;
};

static void fork_and_stop(void *arg)
{
    struct forking *forking = arg;

    forking->pid = fork_under_way();
    cora_loop_stop(forking->loop);
}

static void *fire_once(void *trigger)
{
    int rc = cora_trigger_fire(trigger);

    await_fork();
    return (void *)(intptr_t)rc;
}

/* The loop sleeps, is woken, and forks while its waker has yet to come back from that. */
static int fork_when_woken(enum first first)
{
    struct forking forking = {.loop = new_loop()};
    int status, rc;
    pthread_t thread;

    atomic_store(&forked, false);
    cora_trigger_init(&forking.trigger, forking.loop, fork_and_stop, NULL, &forking);
    thread = start(fire_once, &forking.trigger);
    rc = cora_loop_run_forever(forking.loop);
    if (forking.pid == 0)
        end_child(forking.loop, first);
    assert_int_equal(rc, 0);
    status = reap(forking.pid);
    join(thread);
    cora_loop_free(forking.loop);
    return status;
}

TEST(a_forked_child_does_not_wait_for_the_thread_that_woke_its_parent)
{
    if (!can_fork_with_threads())
        skip();
    for (int i = 0; i < FORKS; i++) {
        int status = fork_when_woken((enum first)(i % 3));

        assert_int_equal(status, 0);
    }
}

/* ---- one call ------------------------------------------------------------------------------- */

static void stop_noted(void *arg)
{
    note("called");
    cora_loop_stop(arg);
}

static void *call_stop(void *arg)
{
    return (void *)(intptr_t)cora_loop_call_soon_threadsafe(arg, stop_noted, arg, NULL);
}

TEST(a_call_wakes_a_loop_that_has_nothing_to_do)
{
    cora_loop *loop = new_loop();
    pthread_t thread = start(call_stop, loop);
    int rc = cora_loop_run_forever(loop);
    void *result = join(thread);

    assert_int_equal(rc, 0);
    assert_null(result);
    assert_string_equal(trace_text, "called ");
    cora_loop_free(loop);
}

TEST(a_call_made_before_the_loop_runs_is_not_lost)
{
    cora_loop *loop = new_loop();
    int rc = cora_loop_call_soon_threadsafe(loop, stop_noted, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "called ");
    cora_loop_free(loop);
}

static void *call_noted(void *arg)
{
    cora_handle *handle = NULL;
    int rc = cora_loop_call_soon_threadsafe(arg, note, "cancelled", &handle);

    return rc == 0 ? handle : NULL;
}

TEST(a_call_is_cancelled_on_the_loops_thread_before_it_is_collected)
{
    cora_loop *loop = new_loop();
    cora_handle *handle = join(start(call_noted, loop));
    int rc;

    assert_non_null(handle);
    cora_handle_cancel(handle);
    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
    cora_handle_unref(handle);
    cora_loop_free(loop);
}

/* Cancels, on the loop's thread, the calls that other threads are making meanwhile. */
static _Atomic(cora_handle *) handed_over;

static void *hand_over(void *arg)
{
    for (int i = 0; i < CANCELS; i++) {
        cora_handle *handle = NULL;
        int rc = cora_loop_call_soon_threadsafe(arg, note, "", &handle);

        if (rc < 0)
            return arg;
        while (atomic_load(&handed_over) != NULL)
            sched_yield();
        atomic_store(&handed_over, handle);
    }
    return NULL;
}

TEST(calls_are_cancelled_while_other_threads_go_on_calling)
{
    cora_loop *loop = new_loop();
    pthread_t giver, other;
    void *results[2];
    int rc = 0;

    callers[0].loop = loop;
    callers_left = 1;
    giver = start(hand_over, loop);
    other = start(call_often, &callers[0]);
    for (int i = 0; i < CANCELS; i++) {
        cora_handle *handle;

        while ((handle = atomic_load(&handed_over)) == NULL)
            sched_yield();
        atomic_store(&handed_over, NULL);
        cora_handle_cancel(handle);
        cora_handle_unref(handle);
    }
    results[0] = join(giver);
    results[1] = join(other);
    while (rc == 0 && callers_left > 0)
        rc = cora_loop_run_forever(loop);
    assert_null(results[0]);
    assert_null(results[1]);
    assert_int_equal(rc, 0);
    assert_false(callers[0].out_of_order);
    assert_string_equal(trace_text, "");
    cora_loop_free(loop);
}

/* ---- triggers ------------------------------------------------------------------------------- */

TEST(a_trigger_runs_and_may_be_fired_again_afterwards)
{
    cora_loop *loop = virtual_loop();
    cora_trigger trigger;
    int rc[4];

    cora_trigger_init(&trigger, loop, note, NULL, "fired");
    for (int i = 0; i < 4; i += 2) {
        rc[i] = cora_trigger_fire(&trigger);
        cora_loop_stop(loop);
        rc[i + 1] = cora_loop_run_forever(loop);
    }
    assert_int_equal(rc[0] | rc[1] | rc[2] | rc[3], 0);
    assert_string_equal(trace_text, "fired fired ");
    cora_loop_free(loop);
}

static void *fire(void *trigger)
{
    return (void *)(intptr_t)cora_trigger_fire(trigger);
}

/* In two steps, with a lock held in the first that the loop wants before it ends. */
struct two_steps {
    cora_loop *loop;
    cora_trigger trigger;
    pthread_mutex_t lock;
    bool queued;
};

static void stop_with_lock(void *arg)
{
    struct two_steps *steps = arg;

    pthread_mutex_lock(&steps->lock);
    note(steps->queued ? "stopped" : "too early");
    pthread_mutex_unlock(&steps->lock);
    cora_loop_stop(steps->loop);
}

static void *queue_and_wake(void *arg)
{
    struct two_steps *steps = arg;
    cora_loop *asleep = NULL;
    int rc;

    pthread_mutex_lock(&steps->lock);
    rc = cora_trigger_queue(&steps->trigger, &asleep);
    steps->queued = true;
    pthread_mutex_unlock(&steps->lock);
    if (asleep != NULL)
        cora_loop_wake(asleep);
    return (void *)(intptr_t)rc;
}

TEST(a_trigger_may_be_queued_with_a_lock_held_and_its_loop_woken_without)
{
    struct two_steps steps = {.loop = new_loop(), .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    void *queued;
    int rc;

    cora_trigger_init(&steps.trigger, steps.loop, stop_with_lock, NULL, &steps);
    thread = start(queue_and_wake, &steps);
    rc = cora_loop_run_forever(steps.loop);
    queued = join(thread);
    assert_int_equal(rc, 0);
    assert_null(queued);
    assert_string_equal(trace_text, "stopped ");
    cora_loop_free(steps.loop);
}

TEST(only_the_first_to_queue_a_trigger_owes_its_loop_to_be_woken)
{
    cora_loop *loop = virtual_loop(), *asleep[3] = {NULL, loop, loop};
    cora_trigger triggers[3];
    int rc[3];

    for (int i = 0; i < 3; i++)
        cora_trigger_init(&triggers[i], loop, note, note, i < 2 ? "dropped" : "never");
    for (int i = 0; i < 2; i++)
        rc[i] = cora_trigger_queue(&triggers[i], &asleep[i]);
    assert_ptr_equal(asleep[0], loop);
    assert_null(asleep[1]);
    cora_loop_wake(loop);
    (void)cora_loop_close(loop);
    rc[2] = cora_trigger_queue(&triggers[2], &asleep[2]);
    assert_int_equal(rc[0] | rc[1], 0);
    assert_int_equal(rc[2], -CORA_ECLOSED);
    assert_ptr_equal(asleep[2], loop); /* untouched */
    assert_string_equal(trace_text, "dropped dropped ");
    cora_loop_free(loop);
}

/* It is cancelled while the loop has not heard of it, or where it is queued already. */
TEST(a_trigger_that_is_cancelled_on_its_way_does_not_run)
{
    for (int queued = 0; queued < 2; queued++) {
        cora_loop *loop = virtual_loop();
        cora_trigger trigger;
        bool cancelled[3];
        void *fired;
        int rc = 0;

        cora_trigger_init(&trigger, loop, note, NULL, "fired");
        fired = join(start(fire, &trigger));
        if (queued)
            rc = cora_loop_poll(loop, 0);
        if (queued && rc == 0)
            rc = cora_loop_process_events(loop);
        cancelled[0] = cora_trigger_cancel(&trigger);
        cancelled[1] = cora_trigger_cancel(&trigger);
        cora_loop_stop(loop);
        if (rc == 0)
            rc = cora_loop_run_forever(loop);
        assert_string_equal(trace_text, queued ? "fired " : "");
        if (rc == 0)
            rc = cora_trigger_fire(&trigger);
        cora_loop_stop(loop);
        if (rc == 0)
            rc = cora_loop_run_forever(loop);
        cancelled[2] = cora_trigger_cancel(&trigger);
        assert_null(fired);
        assert_int_equal(rc, 0);
        assert_string_equal(trace_text, queued ? "fired fired " : "fired ");
        assert_true(cancelled[0]);
        assert_false(cancelled[1]);
        assert_false(cancelled[2]);
        cora_loop_free(loop);
    }
}

TEST(a_trigger_of_a_closed_loop_is_dropped_or_refused)
{
    cora_loop *loop = virtual_loop();
    cora_trigger fired, silent, late;
    int rc[3];

    cora_trigger_init(&fired, loop, note, note, "dropped");
    cora_trigger_init(&silent, loop, note, NULL, "never");
    cora_trigger_init(&late, loop, note, note, "never");
    rc[0] = cora_trigger_fire(&fired);
    rc[1] = cora_trigger_fire(&silent);
    (void)cora_loop_close(loop);
    rc[2] = cora_trigger_fire(&late);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], -CORA_ECLOSED);
    assert_string_equal(trace_text, "dropped ");
    cora_loop_free(loop);
}

struct retry {
    cora_loop *loop;
    int rc;
};

static void call_again(void *arg)
{
    struct retry *retry = arg;

    retry->rc = cora_loop_call_soon_threadsafe(retry->loop, note, "never", NULL);
}

TEST(what_drops_a_trigger_may_call_the_loop_and_is_refused)
{
    cora_loop *loop = virtual_loop();
    struct retry retry = {loop, 0};
    cora_trigger trigger;
    int rc;

    cora_trigger_init(&trigger, loop, note, call_again, &retry);
    rc = cora_trigger_fire(&trigger);
    assert_int_equal(rc, 0);
    cora_loop_free(loop);
    assert_int_equal(retry.rc, -CORA_ECLOSED);
}

/* ---- holds ---------------------------------------------------------------------------------- */

struct completion {
    cora_loop *loop;
    cora_future *future;
};

static void complete(void *arg)
{
    struct completion *completion = arg;
    int rc = cora_future_set_result(completion->future, 7, NULL);

    assert_int_equal(rc, 0);
}

static void *complete_and_release(void *arg)
{
    struct completion *completion = arg;
    int rc = cora_loop_call_soon_threadsafe(completion->loop, complete, completion, NULL);

    cora_loop_release(completion->loop);
    return (void *)(intptr_t)rc;
}

TEST(a_held_loop_waits_for_a_thread)
{
    cora_loop *loop = virtual_loop();
    struct completion completion = {loop, cora_loop_create_future(loop)};
    pthread_t thread;
    void *result;
    int rc;

    cora_loop_hold(loop);
    thread = start(complete_and_release, &completion);
    rc = cora_loop_run_until_complete(loop, completion.future);
    result = join(thread);
    assert_int_equal(rc, 7);
    assert_null(result);
    cora_future_unref(completion.future);
    cora_loop_free(loop);
}

static void *release(void *arg)
{
    cora_loop_release(arg);
    return NULL;
}

TEST(a_loop_that_is_released_and_not_called_is_in_a_deadlock)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    pthread_t thread;
    int rc;

    cora_loop_hold(loop);
    thread = start(release, loop);
    rc = cora_loop_run_until_complete(loop, future);
    join(thread);
    assert_int_equal(rc, -EDEADLK);
    cora_future_unref(future);
    cora_loop_free(loop);
}

static void complete_in_a_thread(void *arg)
{
    void *result = join(start(complete_and_release, arg));

    assert_null(result);
}

TEST(a_call_that_is_on_its_way_counts_though_the_hold_is_gone)
{
    cora_loop *loop = virtual_loop();
    struct completion completion = {loop, cora_loop_create_future(loop)};
    int rc = cora_loop_call_soon(loop, complete_in_a_thread, &completion, NULL);

    assert_int_equal(rc, 0);
    cora_loop_hold(loop);
    rc = cora_loop_run_until_complete(loop, completion.future);
    assert_int_equal(rc, 7);
    cora_future_unref(completion.future);
    cora_loop_free(loop);
}

TEST(a_hold_may_be_released_after_the_loop_was_closed)
{
    cora_loop *loop = virtual_loop();
    int rc;

    cora_loop_hold(loop);
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    join(start(release, loop));
    cora_loop_free(loop);
}

TEST(a_hold_may_be_released_after_the_loop_was_freed)
{
    cora_loop *loop = virtual_loop();
    pthread_t threads[2];

    cora_loop_hold(loop);
    cora_loop_hold(loop);
    cora_loop_hold(loop);
    threads[0] = start(release, loop);
    cora_loop_free(loop);
    join(threads[0]);
    threads[1] = start(release, loop);
    cora_loop_release(loop); /* a leak checker sees whether the last has freed it */
    join(threads[1]);
}
