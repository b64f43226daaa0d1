/* Jobs in threads: what comes back, what a cancellation leaves, and who waits for whom. */
#include "support/test.h"
#include "support/virtual.h"
#include "support/workers.h"

#include "coroutine/fiber.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a gate, at which jobs stop until the loop's side lets them go ------------------------- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int arrived, passed;
    bool open;
};

#define GATE_INIT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->arrived++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    gate->passed++;
    pthread_mutex_unlock(&gate->lock);
}

static void gate_await_arrivals(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->arrived < count)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static int gate_arrived(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    int arrived = gate->arrived;
    pthread_mutex_unlock(&gate->lock);
    return arrived;
}

static int gate_passed(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    int passed = gate->passed;
    pthread_mutex_unlock(&gate->lock);
    return passed;
}

/* ---- jobs, and tasks that wait for one ----------------------------------------------------- */

struct job {
    struct gate *gate; /* NULL: none */
    int in, out;
};

static int twice(void *arg)
{
    struct job *job = arg;

    if (job->gate != NULL)
        gate_pass(job->gate);
    job->out = 2 * job->in;
    return job->in;
}

static int give_up(void *arg)
{
    struct job *job = arg;

    job->out = -1;
    return -EIO;
}

/* The jobs' arguments that nobody got: as they were left, and as they were given. */
static atomic_int cleaned, cleaned_unused;

static void clean_up(void *arg)
{
    const struct job *job = arg;

    if (job->out == 2 * job->in)
        cleaned++;
    else
        cleaned_unused++;
}

/* Waits for a job; what it got is in *job. */
struct waits_args {
    struct job *job;
};

static int waits(void *arg)
{
    struct waits_args *a = arg;

    return cora_to_thread_cleanup(twice, a->job, clean_up);
}

/* ---- results ------------------------------------------------------------------------------- */

static int get_result(void *arg)
{
    struct job job = {.in = 21};
    int rc = cora_to_thread(twice, &job);

    (void)arg;
    assert_int_equal(rc, 21);
    assert_int_equal(job.out, 42);
    return 0;
}

TEST(a_job_returns_its_result_and_its_arguments_come_back)
{
    int rc = run_virtual(get_result, NULL);

    assert_int_equal(rc, 0);
}

static int get_error(void *arg)
{
    struct job job = {.in = 21};
    int rc = cora_to_thread(give_up, &job);

    (void)arg;
    assert_int_equal(rc, -EIO);
    assert_int_equal(job.out, -1);
    return 0;
}

TEST(a_job_that_fails_returns_its_error_and_its_arguments_come_back)
{
    int rc = run_virtual(get_error, NULL);

    assert_int_equal(rc, 0);
}

TEST(a_job_outside_a_task_is_refused)
{
    struct job job = {.in = 1};
    int rc = cora_to_thread(twice, &job);

    assert_int_equal(rc, -CORA_ENOTASK);
    assert_int_equal(job.out, 0);
}

struct identity {
    pthread_t thread;
    cora_loop *loop;
    cora_task *task;
};

static int identify(void *arg)
{
    struct identity *identity = arg;

    identity->thread = pthread_self();
    identity->loop = cora_get_running_loop();
    identity->task = cora_current_task();
    return 0;
}

static int get_identity(void *arg)
{
    struct identity here, there;
    int rc = cora_to_thread(identify, &there);

    (void)arg;
    identify(&here);
    assert_int_equal(rc, 0);
    assert_false(pthread_equal(here.thread, there.thread));
    assert_null(there.loop);
    assert_null(there.task);
    return 0;
}

TEST(a_job_runs_in_another_thread_which_has_no_loop_and_no_task)
{
    int rc = run_virtual(get_identity, NULL);

    assert_int_equal(rc, 0);
}

static int add_up(void *arg)
{
    unsigned char *bytes = arg;

    for (int i = 0; i < 1 << 20; i++)
        bytes[i]++;
    return 0;
}

static int pass_a_megabyte(void *arg)
{
    unsigned char *bytes = calloc(1, 1 << 20);
    int rc = cora_to_thread_copy(add_up, bytes, 1 << 20), sum = 0;

    (void)arg;
    assert_int_equal(rc, 0);
    for (int i = 0; i < 1 << 20; i++)
        sum += bytes[i];
    assert_int_equal(sum, 1 << 20);
    free(bytes);
    return 0;
}

TEST(arguments_of_a_megabyte_go_and_come_back)
{
    int rc = run_virtual(pass_a_megabyte, NULL);

    assert_int_equal(rc, 0);
}

/* ---- context ------------------------------------------------------------------------------- */

static cora_context_var color = CORA_CONTEXT_VAR_INIT("color", "none");

struct colors {
    const char *before, *after;
    int rc;
};

static int paint(void *arg)
{
    struct colors *colors = arg;

    colors->before = cora_context_var_get(&color);
    colors->rc = cora_context_var_set(&color, "blue", NULL);
    colors->after = cora_context_var_get(&color);
    return 0;
}

static int see_context(void *arg)
{
    struct colors colors;
    int rc = cora_context_var_set(&color, "red", NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_to_thread(paint, &colors);
    assert_int_equal(rc, 0);
    assert_int_equal(colors.rc, 0);
    assert_string_equal(colors.before, "red");
    assert_string_equal(colors.after, "blue");
    assert_string_equal(cora_context_var_get(&color), "red");
    return 0;
}

TEST(a_job_sees_the_tasks_context_and_what_it_sets_stays_its_own)
{
    int rc = run_virtual(see_context, NULL);

    assert_int_equal(rc, 0);
}

static int see_a_fresh_context(void *arg)
{
    struct colors colors;
    int rc = see_context(arg);

    assert_int_equal(rc, 0);
    rc = cora_context_var_set(&color, "green", NULL);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 20; i++) {
        rc = cora_to_thread(paint, &colors);
        assert_int_equal(rc, 0);
        assert_string_equal(colors.before, "green");
    }
    return 0;
}

TEST(a_worker_keeps_nothing_of_the_context_of_the_job_before)
{
    int rc = run_virtual(see_a_fresh_context, NULL);

    assert_int_equal(rc, 0);
}

/* ---- many ---------------------------------------------------------------------------------- */

enum { JOBS = 64 };

static int many(void *arg)
{
    struct job jobs[JOBS];
    cora_task *tasks[JOBS];
    int results[JOBS], rc;

    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.in = i};
        tasks[i] = cora_create_task(waits, .job = &jobs[i]);
    }
    rc = cora_gather(tasks, JOBS, results, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(results[i], i);
        assert_int_equal(jobs[i].out, 2 * i);
        cora_task_unref(tasks[i]);
    }
    return 0;
}

TEST(sixty_four_jobs_at_once_all_come_back)
{
    int rc = run_virtual(many, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 0);
    assert_int_equal(cleaned_unused, 0);
}

static int more_than_threads(void *arg)
{
    struct gate gate = GATE_INIT;
    struct job jobs[JOBS];
    cora_task *tasks[JOBS];
    int most = default_workers(), rc;

    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.gate = &gate, .in = i};
        tasks[i] = cora_create_task(waits, .job = &jobs[i]);
    }
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    gate_await_arrivals(&gate, most);
    assert_int_equal(gate_arrived(&gate), most); /* nobody is left to take another */
    gate_open(&gate);
    rc = cora_gather(tasks, JOBS, NULL, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(gate_passed(&gate), JOBS);
    for (int i = 0; i < JOBS; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(as_many_jobs_run_at_a_time_as_there_are_threads_and_the_others_wait_their_turn)
{
    int rc = run_virtual(more_than_threads, NULL);

    assert_int_equal(rc, 0);
}

static int meet(void *arg)
{
    pthread_barrier_t **barrier = arg;
    int rc = pthread_barrier_wait(*barrier);

    return rc == PTHREAD_BARRIER_SERIAL_THREAD ? 1 : 0;
}

struct meeter_args {
    pthread_barrier_t *barrier;
};

static int meeter(void *arg)
{
    struct meeter_args *a = arg;

    return cora_to_thread(meet, &a->barrier);
}

static int get_thread_id(void *arg)
{
    *(int *)arg = (int)syscall(SYS_gettid);
    return 0;
}

/* Until the thread has gone to sleep, in its wait for the next job. */
static void await_idle(int thread)
{
    char path[64], state = '?';

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    while (state != 'S') {
        FILE *file = fopen(path, "r");
        int read = file != NULL ? fscanf(file, "%*d (%*[^)]) %c", &state) : 0;

        assert_int_equal(read, 1);
        fclose(file);
    }
}

/* Jobs that wait for one another, where one thread is idle and the others do not exist yet. */
static int meetings(void *arg)
{
    pthread_barrier_t barrier;
    cora_task *tasks[3];
    int results[3], thread, rc = cora_to_thread(get_thread_id, &thread);

    (void)arg;
    assert_int_equal(rc, 0);
    await_idle(thread);
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(meeter, .barrier = &barrier);
    rc = cora_gather(tasks, 3, results, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0] + results[1] + results[2], 1);
    for (int i = 0; i < 3; i++)
        cora_task_unref(tasks[i]);
    pthread_barrier_destroy(&barrier);
    return 0;
}

/* Again and again, for the order of a thread's waking and the next submission is not ours. */
TEST(jobs_submitted_together_run_together)
{
    for (int i = 0; i < 50; i++) {
        int rc = run_virtual(meetings, NULL);

        assert_int_equal(rc, 0);
    }
}

/* ---- cancellation -------------------------------------------------------------------------- */

/* Jobs that hold all threads of the pool but `spare`, at the gate. */
static int occupy(struct gate *gate, struct job jobs[], cora_task *tasks[], int spare)
{
    int count = default_workers() - spare, rc;

    for (int i = 0; i < count; i++) {
        jobs[i] = (struct job){.gate = gate};
        tasks[i] = cora_create_task(waits, .job = &jobs[i]);
    }
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    gate_await_arrivals(gate, count);
    return count;
}

static void let_go(struct gate *gate, cora_task *tasks[], int count)
{
    gate_open(gate);
    for (int i = 0; i < count; i++) {
        int rc = cora_await_unref(tasks[i]);

        assert_int_equal(rc, 0);
    }
}

enum { OCCUPATIONS = 300 };

/* All threads are there and idle, or about to be, when so many jobs come as would occupy them. */
static int occupy_again_and_again(void *arg)
{
    (void)arg;
    for (int i = 0; i < OCCUPATIONS; i++) {
        struct gate gate = GATE_INIT;
        struct job jobs[32];
        cora_task *tasks[32];
        int count = occupy(&gate, jobs, tasks, 0);

        assert_int_equal(gate_arrived(&gate), count);
        let_go(&gate, tasks, count);
    }
    return 0;
}

TEST(no_job_waits_while_a_thread_is_idle)
{
    int rc = run_virtual(occupy_again_and_again, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_queued(void *arg)
{
    struct gate held = GATE_INIT, gate = GATE_INIT;
    struct job jobs[32], job[4];
    cora_task *tasks[32], *task[4];
    int count = occupy(&held, jobs, tasks, 0), rc;

    (void)arg;
    gate.open = true;
    for (int i = 0; i < 3; i++) {
        job[i] = (struct job){.gate = &gate, .in = i + 1};
        task[i] = cora_create_task(waits, .job = &job[i]);
    }
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    cora_task_cancel(task[1]);
    cora_task_cancel(task[2]);
    rc = cora_await_unref(task[1]);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_await_unref(task[2]);
    assert_int_equal(rc, -ECANCELED);
    job[3] = (struct job){.gate = &gate, .in = 4};
    task[3] = cora_create_task(waits, .job = &job[3]);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    let_go(&held, tasks, count);
    rc = cora_await_unref(task[0]);
    assert_int_equal(rc, 1);
    rc = cora_await_unref(task[3]);
    assert_int_equal(rc, 4);
    assert_int_equal(gate_arrived(&gate), 2);
    assert_int_equal(job[1].out, 0);
    assert_int_equal(job[2].out, 0);
    return 0;
}

TEST(a_job_cancelled_while_it_is_queued_never_runs)
{
    int rc = run_virtual(cancel_queued, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 0);
    assert_int_equal(cleaned_unused, 2);
}

static int cancel_running(void *arg)
{
    struct gate *gate = arg;
    struct job job = {.gate = gate, .in = 5};
    cora_task *task = cora_create_task(waits, .job = &job);
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    gate_await_arrivals(gate, 1);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(gate_passed(gate), 0);
    assert_int_equal(job.out, 0);
    gate_open(gate);
    rc = get_result(NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(job.out, 0);
    return 0;
}

TEST(a_job_cancelled_while_it_runs_goes_on_in_memory_of_its_own)
{
    struct gate gate = GATE_INIT;
    int rc = run_virtual(cancel_running, &gate);

    assert_int_equal(rc, 0);
    assert_int_equal(gate_passed(&gate), 1);
    assert_int_equal(cleaned, 1);
    assert_int_equal(cleaned_unused, 0);
}

/*
 * Holds the loop until a job's result is on its way to it: of two jobs on the only free thread, the
 * second starts after the first has been handed back.
 */
struct handed_back {
    struct gate held, second;
    struct job jobs[32], job[2];
    cora_task *tasks[32], *task[2];
    int count;
};

static void hand_back(struct handed_back *h)
{
    int rc;

    h->held = h->second = (struct gate)GATE_INIT;
    h->count = occupy(&h->held, h->jobs, h->tasks, 1);
    h->job[0] = (struct job){.in = 3};
    h->job[1] = (struct job){.in = 4, .gate = &h->second};
    for (int i = 0; i < 2; i++)
        h->task[i] = cora_create_task(waits, .job = &h->job[i]);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    gate_await_arrivals(&h->second, 1);
}

static void finish(struct handed_back *h)
{
    int rc;

    gate_open(&h->second);
    let_go(&h->held, h->tasks, h->count);
    rc = cora_await_unref(h->task[1]);
    assert_int_equal(rc, 4);
}

static void cancel_callback(void *arg)
{
    cora_task_cancel(arg);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The cancellation is queued first; the timer makes the loop look for results in the same turn. */
static int cancel_as_it_ends(void *arg)
{
    struct handed_back *h = calloc(1, sizeof *h);
    cora_loop *loop = cora_get_running_loop();
    int rc;

    (void)arg;
    hand_back(h);
    rc = cora_loop_call_soon(loop, cancel_callback, h->task[0], NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_call_later(loop, 0, nothing, NULL, NULL);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(h->task[0]);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(h->job[0].out, 0);
    finish(h);
    free(h);
    return 0;
}

TEST(a_job_cancelled_in_the_iteration_in_which_it_ends_leaves_nothing_behind)
{
    int rc = run_virtual(cancel_as_it_ends, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 1);
    assert_int_equal(cleaned_unused, 0);
}

static int cancel_before_it_is_known(void *arg)
{
    struct handed_back *h = calloc(1, sizeof *h);
    int rc;

    (void)arg;
    hand_back(h);
    cora_task_cancel(h->task[0]);
    rc = cora_await_unref(h->task[0]);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(h->job[0].out, 0);
    finish(h);
    free(h);
    return 0;
}

TEST(a_job_cancelled_before_its_end_is_known_leaves_nothing_behind)
{
    int rc = run_virtual(cancel_before_it_is_known, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 1);
    assert_int_equal(cleaned_unused, 0);
}

/* Woken by the result, then cancelled in the same iteration. */
static int cancel_after_it_ended(void *arg)
{
    struct handed_back *h = calloc(1, sizeof *h);
    cora_loop *loop = cora_get_running_loop();
    int rc;

    (void)arg;
    hand_back(h);
    rc = cora_loop_call_later(loop, 0, cancel_callback, h->task[0], NULL);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(h->task[0]);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(h->job[0].out, 0);
    finish(h);
    free(h);
    return 0;
}

TEST(a_job_cancelled_after_its_end_but_before_its_task_runs_leaves_its_arguments_alone)
{
    int rc = run_virtual(cancel_after_it_ended, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 1);
    assert_int_equal(cleaned_unused, 0);
}

/* ---- the loop's end ------------------------------------------------------------------------ */

struct opener_args {
    struct gate *gate;
};

static int opener(void *arg)
{
    struct opener_args *a = arg;
    struct job job = {.gate = a->gate};
    int rc = cora_to_thread(twice, &job);

    gate_open(a->gate);
    return rc;
}

static int leave_a_job(void *arg)
{
    struct gate *gate = arg;
    cora_task *task = cora_create_task(opener, .gate = gate);
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    gate_await_arrivals(gate, 1);
    cora_task_unref(task);
    return 0;
}

TEST(the_end_of_the_loop_waits_for_jobs_that_run)
{
    struct gate gate = GATE_INIT;
    int rc = run_virtual(leave_a_job, &gate);

    assert_int_equal(rc, 0);
    assert_int_equal(gate_passed(&gate), 1);
}

static void stop(void *loop)
{
    cora_loop_stop(loop);
}

TEST(a_loop_closed_under_a_task_that_waits_for_a_job_lets_the_job_end)
{
    struct gate gate = GATE_INIT;
    struct job job = {.gate = &gate};
    struct waits_args args = {.job = &job};
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, waits, "waits", &args);
    int rc = cora_loop_call_soon(loop, stop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    gate_await_arrivals(&gate, 1);
    gate_open(&gate);
    cora_task_unref(task);
    cora_loop_free(loop);
    assert_int_equal(gate_passed(&gate), 1);
    assert_int_equal(reports.count, 1); /* of the task that was dropped */
    assert_int_equal(cleaned, 1);
    assert_int_equal(cleaned_unused, 0);
}

/* ---- the loop meanwhile -------------------------------------------------------------------- */

enum { ROUNDS = 3 };

struct round_trips {
    cora_loop *loop;
    struct gate gates[ROUNDS];
};

static void open_in_the_loop(void *arg)
{
    gate_open(arg);
}

/* Goes back and forth, so that the loop has nothing ready again and again while the job runs. */
static int go_back_and_forth(void *arg)
{
    struct round_trips *trips = *(struct round_trips **)arg;
    int rc = 0;

    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = cora_loop_call_soon_threadsafe(trips->loop, open_in_the_loop, &trips->gates[i], NULL);
        if (rc == 0)
            gate_pass(&trips->gates[i]);
    }
    return rc;
}

static int await_round_trips(void *arg)
{
    struct round_trips trips = {.loop = cora_get_running_loop()}, *pointer = &trips;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        trips.gates[i] = (struct gate)GATE_INIT;
    return cora_to_thread(go_back_and_forth, &pointer);
}

TEST(waiting_for_a_job_is_no_deadlock)
{
    int rc = run_virtual(await_round_trips, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int sleeps(void *arg)
{
    (void)arg;
    return cora_sleep(5);
}

static int await_while_others_sleep(void *arg)
{
    cora_task *task = cora_create_task_arg(sleeps, NULL);
    cora_loop *loop = cora_get_running_loop();
    int rc = await_round_trips(arg);

    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(loop) == 0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(loop) == 5);
    return 0;
}

TEST(virtual_time_stands_still_while_a_job_is_awaited)
{
    int rc = run_virtual(await_while_others_sleep, NULL);

    assert_int_equal(rc, 0);
}

static int forever(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    int rc = get_result(arg);

    assert_int_equal(rc, 0);
    rc = cora_await(future);
    cora_future_unref(future);
    return rc;
}

TEST(after_the_last_job_a_deadlock_is_found_again)
{
    int rc = run_virtual(forever, NULL);

    assert_int_equal(rc, -EDEADLK);
}

/* ---- several loops ------------------------------------------------------------------------- */

enum { LOOPS = 3, TASKS = 16, ROUNDS_OF_JOBS = 250 };

/* Jobs one after the other; in between, now and then, the others have their turn. */
struct customer_args {
    int number;
};

static int customer(void *arg)
{
    struct customer_args *a = arg;
    int rc = 0;

    for (int i = 0; i < ROUNDS_OF_JOBS && rc == 0; i++) {
        struct job job = {.in = i};

        if (cora_to_thread(twice, &job) != i || job.out != 2 * i)
            return -EIO;
        if (i % 16 == a->number)
            rc = cora_sleep(0);
    }
    return rc;
}

static int customers(void *arg)
{
    cora_task *tasks[TASKS];
    int rc;

    (void)arg;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = cora_create_task(customer, .number = i);
    rc = cora_gather(tasks, TASKS, NULL, 0);
    for (int i = 0; i < TASKS; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

static void *run_customers(void *arg)
{
    return (void *)(intptr_t)cora_run(customers, arg);
}

TEST(twelve_thousand_jobs_of_three_loops_all_come_back)
{
    pthread_t threads[LOOPS];
    void *result;
    int rc;

    for (int i = 0; i < LOOPS; i++) {
        rc = pthread_create(&threads[i], NULL, run_customers, NULL);
        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < LOOPS; i++) {
        rc = pthread_join(threads[i], &result);
        assert_int_equal(rc, 0);
        assert_int_equal((intptr_t)result, 0);
    }
}

/* ---- arguments, signals, forks ------------------------------------------------------------- */

static int nine(void *arg)
{
    (void)arg;
    return 9;
}

static int pass_nothing(void *arg)
{
    (void)arg;
    return cora_to_thread_copy(nine, NULL, 0);
}

TEST(a_job_needs_no_arguments)
{
    int rc = run_virtual(pass_nothing, NULL);

    assert_int_equal(rc, 9);
}

static int get_mask(void *arg)
{
    return -pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static int ask_for_the_mask(void *arg)
{
    sigset_t mask;
    int rc = cora_to_thread(get_mask, &mask);

    (void)arg;
    assert_int_equal(rc, 0);
    for (int signum = 1; signum < NSIG; signum++) {
        rc = sigismember(&mask, signum);
        assert_int_not_equal(rc, 1);
    }
    return 0;
}

TEST(a_job_has_no_signal_blocked)
{
    int rc = run_virtual(ask_for_the_mask, NULL);

    assert_int_equal(rc, 0);
}

static const cora_attachment_kind foreign_kind;

static int attach_and_get_result(void *arg)
{
    int rc = cora_loop_attach(cora_get_running_loop(), &foreign_kind, arg);

    return rc < 0 ? rc : get_result(NULL);
}

static void leave_alone(void *object)
{
    *(int *)object += 1;
}

static const cora_attachment_kind foreign_kind = {.close = leave_alone};

TEST(what_others_attach_to_the_loop_is_not_taken_for_the_pool)
{
    int object = 0;
    int rc = run_virtual(attach_and_get_result, &object);

    assert_int_equal(rc, 0);
    assert_int_equal(object, 1);
}

/* What a child makes of its parent's runner: its exit status. */
static int use_in_child(cora_runner *runner)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        int rc[2];

        rc[0] = cora_runner_run(runner, get_result, NULL);
        rc[1] = cora_runner_close(runner);
        _exit(rc[0] == 0 && rc[1] == 0 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(a_forked_child_starts_threads_of_its_own)
{
    cora_runner *runner = NULL;
    int rc, status;

#ifdef CORA_TSAN
    skip(); /* it ends a process that starts threads after its fork */
#endif
    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    rc = cora_runner_create(&runner, NULL);
    assert_int_equal(rc, 0);
    rc = cora_runner_run(runner, get_result, NULL);
    assert_int_equal(rc, 0);
    status = use_in_child(runner);
    assert_int_equal(status, 0);
    rc = cora_runner_run(runner, get_result, NULL);
    assert_int_equal(rc, 0);
    rc = cora_runner_close(runner);
    assert_int_equal(rc, 0);
}

static int begin_a_job(void *arg)
{
    struct waits_args *a = arg;
    int rc;

    cora_task_unref(cora_create_task(waits, .job = a->job));
    rc = cora_sleep(0);
    gate_await_arrivals(a->job->gate, 1);
    return rc;
}

TEST(a_forked_child_does_not_wait_for_the_jobs_of_its_parent)
{
    struct gate gate = GATE_INIT;
    struct job job = {.in = 3, .gate = &gate};
    struct waits_args args = {.job = &job};
    cora_runner *runner = NULL;
    int rc, status = -1;
    pid_t pid;

#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        skip(); /* the job is lost in the child, together with its thread */
#endif
    rc = cora_runner_create(&runner, NULL);
    assert_int_equal(rc, 0);
    rc = cora_runner_run(runner, begin_a_job, &args);
    assert_int_equal(rc, 0);
    pid = fork();
    if (pid == 0)
        _exit(cora_runner_close(runner) == 0 ? 0 : 1);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    gate_open(&gate);
    rc = cora_runner_close(runner);
    assert_int_equal(rc, 0);
    assert_int_equal(gate_passed(&gate), 1);
}
