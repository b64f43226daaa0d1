/*
 * Threads and their locks, beyond what CPython's tests show: who is next, what is left of those who
 * give up, what an error leaves, and many at once.
 */
#include "support/allocation.h"
#include "support/bunch.h"
#include "support/process.h"
#include "support/test.h"

#include "threading/parking.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static int finish(cora_threading_thread *thread)
{
    int rc = cora_threading_thread_join(thread, INFINITY);

    assert_int_equal(rc, 0);
    rc = cora_threading_thread_result(thread);
    cora_threading_thread_unref(thread);
    return rc;
}

static cora_threading_thread *start(cora_threading_thread *thread)
{
    int rc = cora_threading_thread_start(thread);

    assert_int_equal(rc, 0);
    return thread;
}

/* ---- faults of the system ------------------------------------------------------------------ */

static struct {
    bool create, atexit, setspecific, key_create;
} refused;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __real_atexit(void (*fn)(void));
int __wrap_atexit(void (*fn)(void));
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    return refused.create ? EAGAIN : __real_pthread_create(thread, attributes, fn, arg);
}

int __wrap_atexit(void (*fn)(void))
{
    return refused.atexit ? -1 : __real_atexit(fn);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    return refused.setspecific ? ENOMEM : __real_pthread_setspecific(key, value);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    return refused.key_create ? EAGAIN : __real_pthread_key_create(key, destructor);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- who is next --------------------------------------------------------------------------- */

/* So many wait for the lock. */
static void await_waiters(cora_threading_lock *lock, size_t count)
{
    size_t waiting = 0;

    while (waiting < count) {
        sched_yield();
        pthread_mutex_lock(&lock->mutex_);
        waiting = cora__line_length((struct cora__line *)lock->waiters_);
        pthread_mutex_unlock(&lock->mutex_);
    }
}

struct turn_args {
    cora_threading_lock *lock;
    struct counter *order;
    double timeout;
    int number;
};

/* Tells its number, as a digit, when it has the lock. */
static int turn(void *arg)
{
    struct turn_args *a = arg;
    int rc = cora_threading_lock_acquire(a->lock, a->timeout), order;

    if (rc < 0)
        return rc;
    order = counter_get(a->order);
    counter_add(a->order, order * 9 + a->number);
    return cora_threading_lock_release(a->lock);
}

TEST(those_who_wait_for_a_lock_get_it_in_the_order_in_which_they_came)
{
    cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
    cora_threading_thread *threads[4];
    struct counter order = COUNTER_INIT;
    int rc = cora_threading_lock_acquire(&lock, INFINITY);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        threads[i] = start(cora_threading_thread_create(turn, .lock = &lock, .order = &order,
                                                        .timeout = INFINITY, .number = i + 1));
        await_waiters(&lock, (size_t)i + 1);
    }
    rc = cora_threading_lock_release(&lock);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        rc = finish(threads[i]);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(counter_get(&order), 1234);
    cora_threading_lock_destroy(&lock);
}

static void ignore(const cora_threading_excepthook_args *args)
{
    (void)args;
}

/* Who gives up leaves the line: the next who comes is called. */
TEST(who_does_not_wait_for_a_lock_any_longer_is_not_called)
{
    cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
    cora_threading_thread *thread;
    struct counter order = COUNTER_INIT;
    int rc = cora_threading_lock_acquire(&lock, INFINITY);

    assert_int_equal(rc, 0);
    cora_threading_set_excepthook(ignore);
    rc = finish(start(cora_threading_thread_create(turn, .lock = &lock, .order = &order,
                                                   .timeout = 0.01, .number = 1)));
    assert_int_equal(rc, -ETIMEDOUT);
    thread = start(cora_threading_thread_create(turn, .lock = &lock, .order = &order,
                                                .timeout = INFINITY, .number = 2));
    await_waiters(&lock, 1);
    cora_threading_lock_release(&lock);
    rc = finish(thread);
    assert_int_equal(rc, 0);
    assert_int_equal(counter_get(&order), 2);
    cora_threading_lock_destroy(&lock);
}

struct notified {
    cora_threading_lock lock;
    cora_threading_condition condition;
    int waiting, order;
};

static int wait_notified(void *arg)
{
    struct notified *notified = arg;
    int rc = cora_threading_condition_acquire(&notified->condition, INFINITY), number;

    check(rc == 0);
    number = ++notified->waiting;
    rc = cora_threading_condition_wait(&notified->condition, INFINITY);
    check(rc == 0);
    notified->order = notified->order * 10 + number;
    return cora_threading_condition_release(&notified->condition);
}

/* How many wait, and how many have gone on. */
static void await_notified(struct notified *notified, int waiting, int order)
{
    bool there = false;

    while (!there) {
        int rc = cora_threading_condition_acquire(&notified->condition, INFINITY);

        assert_int_equal(rc, 0);
        there = notified->waiting == waiting && notified->order >= order;
        cora_threading_condition_release(&notified->condition);
        sched_yield();
    }
}

/* On a lock of the caller's, which is not recursive. */
TEST(who_has_waited_longest_for_a_condition_is_notified_first)
{
    struct notified notified = {.lock = CORA_THREADING_LOCK_INIT};
    cora_threading_thread *threads[3];
    static const int orders[] = {1, 12, 123};

    cora_threading_condition_init_lock(&notified.condition, &notified.lock);
    for (int i = 0; i < 3; i++) {
        threads[i] = start(cora_threading_thread_create_arg(NULL, wait_notified, &notified));
        await_notified(&notified, i + 1, 0);
    }
    for (int i = 0; i < 3; i++) {
        int rc = cora_threading_condition_acquire(&notified.condition, INFINITY);

        assert_int_equal(rc, 0);
        cora_threading_condition_notify(&notified.condition, 1);
        cora_threading_condition_release(&notified.condition);
        await_notified(&notified, 3, orders[i]);
    }
    for (int i = 0; i < 3; i++) {
        int rc = finish(threads[i]);

        assert_int_equal(rc, 0);
    }
    assert_int_equal(notified.order, 123);
    assert_false(cora_threading_lock_locked(&notified.lock));
    cora_threading_condition_destroy(&notified.condition);
    cora_threading_lock_destroy(&notified.lock);
}

/* ---- conditions ---------------------------------------------------------------------------- */

static bool never(void *arg)
{
    ++*(int *)arg;
    return false;
}

static bool at_the_last_look(void *arg)
{
    return ++*(int *)arg == 2;
}

TEST(a_predicate_is_looked_at_once_more_when_the_time_is_over)
{
    cora_threading_condition condition = CORA_THREADING_CONDITION_INIT;
    int rc, looks = 0;

    rc = cora_threading_condition_wait_for(&condition, never, &looks, INFINITY);
    assert_int_equal(rc, -EPERM);
    assert_int_equal(looks, 0);
    rc = cora_threading_condition_acquire(&condition, INFINITY);
    assert_int_equal(rc, 0);
    rc = cora_threading_condition_wait_for(&condition, never, &looks, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(looks, 2);
    looks = 0;
    rc = cora_threading_condition_wait_for(&condition, at_the_last_look, &looks, 0.001);
    assert_int_equal(rc, 0);
    rc = cora_threading_condition_wait_for(&condition, never, &looks, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_threading_condition_wait(&condition, NAN);
    assert_int_equal(rc, -EINVAL);
    cora_threading_condition_release(&condition);
    cora_threading_condition_destroy(&condition);
}

static int notify_once(void *condition)
{
    int rc = cora_threading_condition_acquire((cora_threading_condition *)condition, INFINITY);

    check(rc == 0);
    cora_threading_condition_notify(condition, 1);
    return cora_threading_condition_release(condition);
}

TEST(who_waits_gives_up_a_lock_that_he_has_taken_several_times)
{
    cora_threading_rlock lock = CORA_THREADING_RLOCK_INIT;
    cora_threading_condition condition;
    cora_threading_thread *thread;
    int rc;

    cora_threading_condition_init_rlock(&condition, &lock);
    for (int i = 0; i < 3; i++) {
        rc = cora_threading_condition_acquire(&condition, INFINITY);
        assert_int_equal(rc, 0);
    }
    thread = start(cora_threading_thread_create_arg(NULL, notify_once, &condition));
    rc = cora_threading_condition_wait(&condition, INFINITY);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_threading_rlock_recursion_count(&lock), 3);
    for (int i = 0; i < 3; i++)
        cora_threading_condition_release(&condition);
    assert_false(cora_threading_rlock_locked(&lock));
    rc = finish(thread);
    assert_int_equal(rc, 0);
    cora_threading_condition_destroy(&condition);
    cora_threading_rlock_destroy(&lock);
}

/* ---- barriers ------------------------------------------------------------------------------ */

static int fail_action(void *arg)
{
    ++*(int *)arg;
    return -EIO;
}

struct meeting {
    cora_threading_barrier barrier;
    struct counter failed, broken;
};

static int meet(void *arg)
{
    struct meeting *meeting = arg;
    int rc = cora_threading_barrier_wait(&meeting->barrier, INFINITY);

    check(rc == -EIO || rc == -CORA_EBROKENBARRIER);
    counter_add(rc == -EIO ? &meeting->failed : &meeting->broken, 1);
    return 0;
}

TEST(an_action_that_fails_breaks_the_barrier)
{
    struct meeting meeting = {.failed = COUNTER_INIT, .broken = COUNTER_INIT};
    int calls = 0, rc;

    rc = cora_threading_barrier_init(
        &meeting.barrier, 4,
        &(cora_threading_barrier_options){.action = fail_action, .arg = &calls});
    assert_int_equal(rc, 0);
    run_bunch(4, meet, &meeting);
    assert_int_equal(calls, 1);
    assert_int_equal(counter_get(&meeting.failed), 1);
    assert_int_equal(counter_get(&meeting.broken), 3);
    assert_true(cora_threading_barrier_broken(&meeting.barrier));
    rc = cora_threading_barrier_wait(&meeting.barrier, NAN);
    assert_int_equal(rc, -EINVAL);
    cora_threading_barrier_reset(&meeting.barrier);
    assert_false(cora_threading_barrier_broken(&meeting.barrier));
    cora_threading_barrier_destroy(&meeting.barrier);
}

/* ---- threads ------------------------------------------------------------------------------- */

static cora_context_var var = CORA_CONTEXT_VAR_INIT("var", NULL);

static int get_var(void *arg)
{
    (void)arg;
    return (int)(intptr_t)cora_context_var_get(&var);
}

static int set_var(void *value)
{
    return cora_context_var_set(&var, value, NULL);
}

TEST(a_thread_has_an_empty_context_unless_it_is_given_one)
{
    cora_threading_thread_options options = {.context = NULL};
    int rc = set_var((void *)7);

    assert_int_equal(rc, 0);
    rc = finish(start(cora_threading_thread_create_arg(NULL, get_var, NULL)));
    assert_int_equal(rc, 0);
    options.context = cora_copy_context();
    rc = finish(start(cora_threading_thread_create_arg(&options, get_var, NULL)));
    assert_int_equal(rc, 7);
    rc = finish(start(cora_threading_thread_create_arg(&options, set_var, (void *)8)));
    assert_int_equal(rc, 0);
    rc = finish(start(cora_threading_thread_create_arg(&options, get_var, NULL)));
    assert_int_equal(rc, 8);
    cora_context_unref(options.context);
    assert_int_equal(get_var(NULL), 7);
}

static int reported;

static void report(const cora_threading_excepthook_args *args)
{
    reported = args->error;
}

static int start_in_context(void *options)
{
    return finish(start(cora_threading_thread_create_arg(options, get_var, NULL)));
}

TEST(a_context_that_is_entered_elsewhere_is_the_threads_error)
{
    cora_threading_thread_options options = {.context = cora_copy_context()};
    int rc;

    cora_threading_set_excepthook(report);
    rc = cora_context_run(options.context, start_in_context, &options);
    assert_int_equal(rc, -EBUSY);
    assert_int_equal(reported, -EBUSY);
    cora_context_unref(options.context);
}

TEST(no_thread_is_no_memory)
{
    cora_threading_thread *none = NULL;
    int rc[4];

    rc[0] = cora_threading_thread_start(none);
    rc[1] = cora_threading_thread_join(none, INFINITY);
    rc[2] = cora_threading_thread_result(none);
    rc[3] = cora_threading_thread_set_daemon(none, true);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], -ENOMEM);
    assert_null(cora_threading_thread_ref(none));
    assert_null(cora_threading_thread_get_name(none));
    assert_false(cora_threading_thread_is_alive(none));
    assert_false(cora_threading_thread_get_daemon(none));
    assert_int_equal(cora_threading_thread_ident(none), 0);
    assert_int_equal(cora_threading_thread_native_id(none), 0);
    cora_threading_thread_set_name(none, "none");
    cora_threading_thread_unref(none);
    cora_threading_timer_cancel(none);
}

TEST(a_thread_that_cannot_be_made_is_none)
{
    cora_threading_thread *thread;

    refuse_allocation(1);
    thread = cora_threading_thread_create_arg(NULL, get_var, NULL);
    refuse_allocation(0);
    assert_null(thread);
}

TEST(a_thread_that_the_system_refuses_can_be_started_again)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(NULL, get_var, NULL);
    int rc;

    refused.atexit = true;
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, -ENOMEM);
    refused.atexit = false;
    refused.create = true;
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, -EAGAIN);
    refused.create = false;
    rc = finish(start(thread));
    assert_int_equal(rc, 0);
}

static void *be_unknown(void *arg)
{
    bool none[2];

    refuse_allocation(1);
    none[0] = cora_threading_current_thread() == NULL;
    refuse_allocation(0);
    refused.setspecific = true;
    none[1] = cora_threading_current_thread() == NULL;
    refused.setspecific = false;
    if (!none[0] || !none[1] || cora_threading_active_count() != 1)
        return NULL;
    return cora_threading_current_thread() != NULL ? arg : NULL;
}

TEST(a_thread_that_nobody_knows_stays_unknown_without_memory)
{
    void *result = NULL;
    pthread_t thread;
    int here;

    pthread_create(&thread, NULL, be_unknown, &here);
    pthread_join(thread, &result);
    assert_ptr_equal(result, &here);
    assert_int_equal(cora_threading_active_count(), 1);
}

/* ---- the end of a program ------------------------------------------------------------------ */

static int say(void *text)
{
    (void)!write(STDOUT_FILENO, text, strlen(text));
    return 0;
}

static void start_at_exit(void)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(NULL, say, "late ");

    if (cora_threading_thread_start(thread) < 0)
        _exit(2);
    cora_threading_thread_unref(thread);
}

static void end_program(void)
{
    atexit(start_at_exit);
    start_at_exit();
}

/* The handler runs after those who were waited for have ended. */
TEST(a_thread_that_an_exit_handler_starts_is_waited_for)
{
    assert_string_equal(output_of_child(end_program), "late late ");
}

/* ---- timers -------------------------------------------------------------------------------- */

static int count_call(void *calls)
{
    counter_add(calls, 1);
    return 7;
}

TEST(a_timer_that_is_cancelled_calls_nothing)
{
    struct counter calls = COUNTER_INIT;
    cora_threading_thread *timer;
    int rc;

    timer = cora_threading_timer_create_arg(INFINITY, count_call, &calls);
    cora_threading_timer_cancel(start(timer));
    rc = finish(timer);
    assert_int_equal(rc, 0);
    timer = cora_threading_timer_create_arg(0, count_call, &calls);
    cora_threading_timer_cancel(timer);
    rc = finish(start(timer));
    assert_int_equal(rc, 0);
    assert_int_equal(counter_get(&calls), 0);
    assert_null(cora_threading_timer_create_arg(NAN, count_call, &calls));
}

TEST(a_timer_that_is_cancelled_too_late_has_called)
{
    struct counter calls = COUNTER_INIT;
    cora_threading_thread *timer = cora_threading_timer_create_arg(-1, count_call, &calls);
    int rc;

    start(timer);
    counter_await(&calls, 1);
    cora_threading_timer_cancel(timer);
    rc = finish(timer);
    assert_int_equal(rc, 7);
    assert_int_equal(counter_get(&calls), 1);
}

/* ---- data of their own --------------------------------------------------------------------- */

static struct counter ends = COUNTER_INIT;

static void count_end(void *data)
{
    (void)data;
    counter_add(&ends, 1);
}

TEST(data_that_cannot_be_made_is_made_the_next_time)
{
    cora_threading_local local;
    int rc;

    refused.key_create = true;
    rc = cora_threading_local_init(&local, 8, NULL, count_end);
    refused.key_create = false;
    assert_int_equal(rc, -EAGAIN);
    rc = cora_threading_local_init(&local, 8, NULL, count_end);
    assert_int_equal(rc, 0);
    refuse_allocation(1);
    assert_null(cora_threading_local_get(&local));
    refuse_allocation(0);
    refused.setspecific = true;
    assert_null(cora_threading_local_get(&local));
    refused.setspecific = false;
    assert_int_equal(counter_get(&ends), 1);
    assert_non_null(cora_threading_local_get(&local));
    cora_threading_local_destroy(&local);
    assert_int_equal(counter_get(&ends), 2);
}

struct keeping {
    cora_threading_local local;
    struct counter has, go;
};

static int keep_data(void *arg)
{
    struct keeping *keeping = arg;

    check(cora_threading_local_get(&keeping->local) != NULL);
    counter_add(&keeping->has, 1);
    counter_await(&keeping->go, 1);
    return 0;
}

TEST(data_of_threads_that_go_on_ends_with_what_it_is_of)
{
    struct keeping keeping = {.has = COUNTER_INIT, .go = COUNTER_INIT};
    struct bunch bunch;
    int rc = cora_threading_local_init(&keeping.local, 8, NULL, count_end);

    assert_int_equal(rc, 0);
    start_bunch(&bunch, 3, keep_data, &keeping);
    counter_await(&keeping.has, 3);
    cora_threading_local_destroy(&keeping.local);
    assert_int_equal(counter_get(&ends), 3);
    counter_add(&keeping.go, 1);
    join_bunch(&bunch);
    assert_int_equal(counter_get(&ends), 3);
}

/* ---- many at once -------------------------------------------------------------------------- */

enum { ROUNDS = 20000 };

static struct {
    cora_threading_lock lock;
    cora_threading_rlock rlock;
    int sum, rsum;
    atomic_int timeouts;
} shared = {.lock = CORA_THREADING_LOCK_INIT, .rlock = CORA_THREADING_RLOCK_INIT};

/* Some wait for ever, some a moment, some not at all. */
static int add_often(void *arg)
{
    static const double timeouts[] = {INFINITY, 1e-5, 0};

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int rc = cora_threading_lock_acquire(&shared.lock, timeouts[i % 3]);

        if (rc == 0) {
            shared.sum++;
            rc = cora_threading_lock_release(&shared.lock);
            check(rc == 0);
        } else {
            check(rc == -ETIMEDOUT);
            atomic_fetch_add(&shared.timeouts, 1);
        }
        rc = cora_threading_rlock_acquire(&shared.rlock, INFINITY);
        check(rc == 0);
        rc = cora_threading_rlock_acquire(&shared.rlock, 0);
        check(rc == 0);
        shared.rsum++;
        cora_threading_rlock_release(&shared.rlock);
        cora_threading_rlock_release(&shared.rlock);
    }
    return 0;
}

TEST(nothing_is_lost_under_a_lock)
{
    run_bunch(4, add_often, NULL);
    assert_int_equal(shared.sum + atomic_load(&shared.timeouts), 4 * ROUNDS);
    assert_int_equal(shared.rsum, 4 * ROUNDS);
    assert_false(cora_threading_lock_locked(&shared.lock));
    assert_false(cora_threading_rlock_locked(&shared.rlock));
}

/* ---- the order of locks, in this build ----------------------------------------------------- */

static int rings;

static void count_ring(const cora_threading_lock_order_step steps[], size_t count)
{
    (void)steps;
    (void)count;
    rings++;
}

static void take_both(cora_threading_lock *first, cora_threading_lock *second)
{
    int rc = cora_threading_lock_acquire(first, INFINITY);

    assert_int_equal(rc, 0);
    rc = cora_threading_lock_acquire(second, INFINITY);
    assert_int_equal(rc, 0);
    cora_threading_lock_release(second);
    cora_threading_lock_release(first);
}

TEST(a_debug_build_alone_looks_at_the_order_of_locks)
{
    static cora_threading_lock a = CORA_THREADING_LOCK_INIT, b = CORA_THREADING_LOCK_INIT;

    cora_threading_set_lock_order_hook(count_ring);
    take_both(&a, &b);
    take_both(&b, &a);
#ifdef CORA_DEBUG
    assert_int_equal(rings, 1);
#else
    assert_int_equal(rings, 0);
#endif
}
