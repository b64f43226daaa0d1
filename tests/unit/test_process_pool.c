/* A pool of processes: jobs far away, and what becomes of them where a worker does not survive. */
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what the workers share with the test -------------------------------------------------- */

static struct shared {
    sem_t begun, open; /* of jobs that wait to be let go */
    atomic_int holder; /* the process of the last that has begun */
    atomic_int passed;
    atomic_int workers; /* that have been initialized */
} * shared;

__attribute__((constructor)) static void make_shared(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(&shared->begun, 1, 0);
    sem_init(&shared->open, 1, 0);
}

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0 && errno == EINTR) {
    }
}

/* ---- what older kernels have not, and those in need ---------------------------------------- */

static bool is_old;
static atomic_bool has_no_descriptors;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);
int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);

int __real_socketpair(int domain, int type, int protocol, int fds[2]);
int __wrap_socketpair(int domain, int type, int protocol, int fds[2]);

int __wrap_socketpair(int domain, int type, int protocol, int fds[2])
{
    errno = EMFILE;
    return has_no_descriptors ? -1 : __real_socketpair(domain, type, protocol, fds);
}

int __wrap_close_range(unsigned first, unsigned last, int flags)
{
    return is_old ? -1 : __real_close_range(first, last, flags);
}

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    return is_old ? -1 : __real_pidfd_open(pid, flags);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- jobs ---------------------------------------------------------------------------------- */

static int twice(void *arg)
{
    return *(int *)arg *= 2;
}

static int say_pid(void *arg)
{
    *(pid_t *)arg = getpid();
    return 0;
}

/* Says who has it, and waits to be let go. */
static int pass(void *arg)
{
    *(pid_t *)arg = getpid();
    shared->holder = getpid();
    sem_post(&shared->begun);
    await(&shared->open);
    return ++shared->passed;
}

/* Ends the worker with this exit status, or by this signal, negative. */
static int die(void *arg)
{
    int how = *(int *)arg;

    if (how >= 0)
        _exit(how);
    signal(-how, SIG_DFL);
    raise(-how);
    return 0;
}

enum { LARGE = 3 << 20 };

struct large {
    unsigned char bytes[LARGE];
};

static int invert(void *arg)
{
    struct large *large = arg;

    for (size_t i = 0; i < LARGE; i++)
        large->bytes[i] = (unsigned char)~large->bytes[i];
    return 1;
}

/* The bytes, each as often as there are. */
static int repeat(const void *in, size_t size, cora_bytes *out)
{
    unsigned char *data = malloc(size * size);

    if (data == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++)
        memset(data + i * size, ((const unsigned char *)in)[i], size);
    *out = (cora_bytes){data, size * size};
    return (int)size;
}

static int refuse(const void *in, size_t size, cora_bytes *out)
{
    *out = (cora_bytes){strdup("nobody gets this"), 17};
    (void)in;
    (void)size;
    return -EDOM;
}

static int unregistered(void *arg)
{
    (void)arg;
    return 0;
}

static const cora_process_pool_job jobs[] = {
    {.fn = twice, .size = sizeof(int)},
    {.fn = say_pid, .size = sizeof(pid_t)},
    {.fn = pass, .size = sizeof(pid_t)},
    {.fn = die, .size = sizeof(int)},
    {.fn = invert, .size = sizeof(struct large)},
    {.bytes_fn = repeat},
    {.bytes_fn = refuse},
    {0},
};

static cora_executor *make_with(cora_process_pool_options options)
{
    cora_executor *executor = NULL;
    int rc;

    options.jobs = jobs;
    rc = cora_process_pool_executor_create(&options, &executor);
    assert_int_equal(rc, 0);
    return executor;
}

static cora_executor *make(int workers)
{
    return make_with((cora_process_pool_options){.max_workers = workers});
}

static cora_concurrent_future *submit(cora_executor *executor, cora_job *fn, void *arg)
{
    cora_concurrent_future *future = NULL;
    int rc = cora_executor_submit(executor, fn, arg, &future);

    assert_int_equal(rc, 0);
    return future;
}

static void assert_result(cora_concurrent_future *future, int expected)
{
    int rc = cora_concurrent_future_result(future, INFINITY);

    assert_int_equal(rc, expected);
    cora_concurrent_future_unref(future);
}

/* Nothing is left of it. */
static int descriptors;

static void note_what_there_is(void)
{
    descriptors = count_descriptors();
}

static void assert_nothing_left(void)
{
    assert_int_equal(count_descriptors(), descriptors);
    assert_false(has_children());
}

/* ---- jobs and their outcomes --------------------------------------------------------------- */

TEST(a_job_is_done_in_another_process_and_its_argument_comes_back)
{
    cora_executor *executor;
    int number = 21;
    pid_t pid = 0;

    note_what_there_is();
    executor = make(2);
    assert_result(submit(executor, twice, &number), 42);
    assert_int_equal(number, 42);
    assert_result(submit(executor, say_pid, &pid), 0);
    assert_int_not_equal(pid, 0);
    assert_int_not_equal(pid, getpid());
    number = -EILSEQ / 2;
    assert_result(submit(executor, twice, &number), -EILSEQ / 2 * 2);
    cora_executor_free(executor);
    assert_nothing_left();
}

TEST(a_pool_that_was_never_used_leaves_nothing)
{
    note_what_there_is();
    cora_executor_free(make(3));
    assert_nothing_left();
}

TEST(bytes_of_any_number_go_there_and_others_come_back)
{
    cora_executor *executor = make(1);
    cora_concurrent_future *future = NULL;
    cora_bytes out = {NULL, 0};
    char in[1500];
    int rc;

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)i;
    rc = cora_executor_submit_bytes(executor, repeat, in, sizeof in, &out, &future);
    assert_int_equal(rc, 0);
    assert_result(future, sizeof in);
    assert_int_equal(out.size, sizeof in * sizeof in);
    for (size_t i = 0; i < out.size; i++)
        if (((char *)out.data)[i] != (char)(i / sizeof in))
            fail();
    free(out.data);
    rc = cora_executor_submit_bytes(executor, repeat, NULL, 0, &out, &future);
    assert_int_equal(rc, 0);
    assert_result(future, 0);
    assert_int_equal(out.size, 0);
    free(out.data);
    cora_executor_free(executor);
}

TEST(bytes_of_a_job_that_fails_are_left_alone)
{
    cora_executor *executor = make(1);
    cora_concurrent_future *future = NULL;
    cora_bytes out = {"mine", 5};
    int rc = cora_executor_submit_bytes(executor, refuse, "", 1, &out, &future);

    assert_int_equal(rc, 0);
    assert_result(future, -EDOM);
    assert_string_equal(out.data, "mine");
    assert_int_equal(out.size, 5);
    cora_executor_free(executor);
}

/* More than sockets hold, to several workers and back at the same time. */
TEST(large_arguments_go_both_ways_at_once)
{
    enum { JOBS = 6 };
    struct large *large = calloc(JOBS, sizeof large[0]);
    cora_concurrent_future *future[JOBS];
    cora_executor *executor = make(2);

    for (int i = 0; i < JOBS; i++) {
        for (size_t at = 0; at < LARGE; at++)
            large[i].bytes[at] = (unsigned char)(byte_at(at) + i);
        future[i] = submit(executor, invert, &large[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        assert_result(future[i], 1);
        for (size_t at = 0; at < LARGE; at++)
            if (large[i].bytes[at] != (unsigned char)~(byte_at(at) + i))
                fail();
    }
    cora_executor_free(executor);
    free(large);
}

TEST(a_function_that_was_not_registered_is_refused)
{
    cora_executor *executor = make(1);
    cora_concurrent_future *future = NULL;
    int item = 0;
    int rc = cora_executor_submit(executor, unregistered, NULL, &future);

    assert_int_equal(rc, -EINVAL);
    assert_null(future);
    rc = cora_executor_map(executor, twice, &item, 1, 1, 1, INFINITY, NULL);
    assert_int_equal(rc, -EINVAL);
    cora_executor_free(executor);
}

TEST(a_pool_needs_jobs_and_no_negative_numbers)
{
    static const cora_process_pool_job none[] = {{0}};
    const cora_process_pool_options options[] = {
        {.jobs = NULL},
        {.jobs = none},
        {.jobs = jobs, .max_workers = -1},
        {.jobs = jobs, .max_tasks_per_child = -1},
    };
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(NULL, &executor);

    assert_int_equal(rc, -EINVAL);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        rc = cora_process_pool_executor_create(&options[i], &executor);
        assert_int_equal(rc, -EINVAL);
    }
    assert_null(executor);
}

TEST(map_has_the_results_in_the_order_of_the_items)
{
    enum { ITEMS = 50 };
    cora_executor *executor = make(3);

    for (size_t chunk = 0; chunk <= ITEMS + 1; chunk += 17) {
        int items[ITEMS], results[ITEMS] = {0};
        int rc;

        for (int i = 0; i < ITEMS; i++)
            items[i] = i;
        rc = cora_executor_map(executor, twice, items, sizeof items[0], ITEMS, chunk, INFINITY,
                               results);
        assert_int_equal(rc, 0);
        for (int i = 0; i < ITEMS; i++) {
            assert_int_equal(results[i], i * 2);
            assert_int_equal(items[i], i * 2);
        }
    }
    cora_executor_free(executor);
}

/* ---- workers ------------------------------------------------------------------------------- */

TEST(workers_are_started_when_none_is_idle)
{
    cora_executor *executor = make(4);
    pid_t first = 0, other = 0;

    assert_result(submit(executor, say_pid, &first), 0);
    for (int i = 0; i < 5; i++) {
        assert_result(submit(executor, say_pid, &other), 0);
        assert_int_equal(other, first);
    }
    cora_executor_free(executor);
}

#ifdef CORA_SLOW_TESTS
enum { WORKERS = 5 };
#else
enum { WORKERS = 61 };
#endif

TEST(as_many_jobs_are_done_at_the_same_time_as_there_are_workers)
{
    cora_executor *executor = make(WORKERS);
    cora_concurrent_future *future[WORKERS];
    pid_t pid[WORKERS] = {0};

    for (int i = 0; i < WORKERS; i++)
        future[i] = submit(executor, pass, &pid[i]);
    for (int i = 0; i < WORKERS; i++)
        await(&shared->begun);
    for (int i = 0; i < WORKERS; i++)
        sem_post(&shared->open);
    for (int i = 0; i < WORKERS; i++) {
        int rc = cora_concurrent_future_result(future[i], INFINITY);

        assert_return_code(rc, 0);
        cora_concurrent_future_unref(future[i]);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(pid[i], pid[k]);
    }
    cora_executor_free(executor);
}

TEST(a_job_for_which_no_worker_can_be_started_says_why_and_the_pool_goes_on)
{
    cora_executor *executor = make(1);
    int number = 21;

    has_no_descriptors = true;
    assert_result(submit(executor, twice, &number), -EMFILE);
    has_no_descriptors = false;
    assert_false(cora_process_pool_executor_is_broken(executor, NULL));
    assert_result(submit(executor, twice, &number), 42);
    cora_executor_free(executor);
}

TEST(a_worker_ends_after_its_number_of_jobs_and_another_comes)
{
    cora_executor *executor;
    pid_t pid[7] = {0};

    note_what_there_is();
    executor = make_with((cora_process_pool_options){.max_workers = 1, .max_tasks_per_child = 3});
    for (int i = 0; i < 7; i++)
        assert_result(submit(executor, say_pid, &pid[i]), 0);
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < i; k++)
            assert_int_equal(pid[i] == pid[k], i / 3 == k / 3);
    cora_executor_free(executor);
    assert_nothing_left();
}

static int initialize(void *arg)
{
    shared->workers++;
    return *(int *)arg;
}

TEST(each_worker_is_initialized_once)
{
    int answer = 0, number = 4;
    cora_executor *executor = make_with((cora_process_pool_options){
        .max_workers = 1, .initializer = initialize, .initarg = &answer});

    for (int i = 0; i < 3; i++)
        assert_result(submit(executor, twice, &number), 8 << i);
    assert_int_equal(shared->workers, 1);
    cora_executor_free(executor);
}

TEST(a_failing_initializer_breaks_the_pool)
{
    int answer = -EILSEQ, number = 4, rc;
    cora_process_pool_casualty casualty;
    cora_executor *executor;

    note_what_there_is();
    executor = make_with((cora_process_pool_options){
        .max_workers = 2, .initializer = initialize, .initarg = &answer});
    assert_false(cora_process_pool_executor_is_broken(executor, NULL));
    assert_result(submit(executor, twice, &number), -CORA_EBROKENEXECUTOR);
    assert_int_equal(number, 4);
    rc = cora_executor_submit(executor, twice, &number, NULL);
    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    assert_true(cora_process_pool_executor_is_broken(executor, &casualty));
    assert_int_equal(casualty.error, -EILSEQ);
    cora_executor_free(executor);
    assert_nothing_left();
}

static int look_around(void *arg)
{
    char name[16];

    assert_int_equal(prctl(PR_GET_NAME, name), 0);
    return strcmp(name, "cora-worker-0") == 0 && fcntl(*(int *)arg, F_GETFD) < 0 &&
           fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0;
}

/* (Of valgrind's own nobody is told.) */
static int count_open(void *arg)
{
    int count = 0;

    (void)arg;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void assert_cleanly_begun(void)
{
    static const cora_process_pool_job looks[] = {
        {.fn = look_around, .size = sizeof(int)}, {.fn = count_open}, {0}};
    cora_process_pool_options options = {.jobs = looks, .max_workers = 1};
    cora_executor *executor = NULL;
    int ends[2], rc;

    make_pipe(ends);
    rc = cora_process_pool_executor_create(&options, &executor);
    assert_int_equal(rc, 0);
    assert_result(submit(executor, look_around, &ends[0]), 1);
    assert_result(submit(executor, count_open, NULL), 4); /* and its socket */
    cora_executor_free(executor);
    close_pair(ends);
}

TEST(a_worker_has_a_name_and_no_descriptor_but_stdin_stdout_and_stderr)
{
    assert_cleanly_begun();
}

TEST(a_worker_begins_like_that_on_older_kernels_too)
{
    is_old = true;
    assert_cleanly_begun();
}

/* A signal that the program handles, and one that it blocks. */
static int look_at_signals(void *arg)
{
    struct sigaction action;
    sigset_t mask;

    (void)arg;
    sigaction(SIGUSR1, NULL, &action);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return action.sa_handler == SIG_DFL && sigismember(&mask, SIGUSR2) == 1 &&
           sigismember(&mask, SIGUSR1) == 0 && sigismember(&mask, SIGCHLD) == 0;
}

static void ignore(int signum)
{
    (void)signum;
}

TEST(a_worker_has_the_mask_of_its_pools_maker_and_no_handlers)
{
    static const cora_process_pool_job looks[] = {{.fn = look_at_signals}, {0}};
    cora_process_pool_options options = {.jobs = looks, .max_workers = 1};
    cora_executor *executor = NULL;
    sigset_t mask;
    int rc;

    signal(SIGUSR1, ignore);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    rc = cora_process_pool_executor_create(&options, &executor);
    assert_int_equal(rc, 0);
    assert_result(submit(executor, look_at_signals, NULL), 1);
    cora_executor_free(executor);
}

/* ---- workers that die ---------------------------------------------------------------------- */

/* A pool of two, who have a job each, and others wait. */
static struct crowd {
    cora_executor *executor;
    cora_concurrent_future *future[6];
    pid_t pid[6];
} crowd;

static void make_crowd(void)
{
    crowd.executor = make(2);
    for (int i = 0; i < 6; i++)
        crowd.future[i] = submit(crowd.executor, pass, &crowd.pid[i]);
    await(&shared->begun);
    await(&shared->begun);
}

static void assert_broken(cora_executor *executor, int returncode)
{
    cora_process_pool_casualty casualty = {.pid = -1};
    pid_t pid;
    int rc = cora_executor_submit(executor, say_pid, &pid, NULL);

    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    assert_true(cora_process_pool_executor_is_broken(executor, &casualty));
    assert_int_equal(casualty.returncode, returncode);
    assert_int_equal(casualty.error, 0);
    assert_true(casualty.pid > 0);
}

TEST(a_worker_that_is_killed_breaks_the_pool_and_ends_all_jobs)
{
    cora_process_pool_casualty casualty;
    note_what_there_is();
    make_crowd();
    kill(shared->holder, SIGKILL);
    for (int i = 0; i < 6; i++)
        assert_result(crowd.future[i], -CORA_EBROKENEXECUTOR);
    assert_broken(crowd.executor, -SIGKILL);
    assert_true(cora_process_pool_executor_is_broken(crowd.executor, &casualty));
    assert_int_equal(casualty.pid, shared->holder);
    cora_executor_free(crowd.executor);
    assert_int_equal(shared->passed, 0);
    assert_nothing_left();
}

TEST(how_a_worker_has_ended_can_be_asked_for)
{
    const int ends[] = {0, 7, -SIGTERM, -SIGKILL};

    note_what_there_is();
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        cora_executor *executor = make(1);
        int how = ends[i];

        assert_result(submit(executor, die, &how), -CORA_EBROKENEXECUTOR);
        assert_broken(executor, ends[i]);
        cora_executor_free(executor);
    }
    assert_nothing_left();
}

TEST(a_worker_that_dies_while_it_has_no_job_breaks_the_pool)
{
    cora_executor *executor = make(2);
    cora_concurrent_future *future;
    pid_t idle = 0, pid = 0;

    assert_result(submit(executor, say_pid, &idle), 0);
    kill(idle, SIGKILL);
    while (!cora_process_pool_executor_is_broken(executor, NULL))
        sched_yield();
    future = NULL;
    assert_int_equal(cora_executor_submit(executor, say_pid, &pid, &future), -CORA_EBROKENEXECUTOR);
    assert_null(future);
    cora_executor_free(executor);
}

/* Those whose parent has died become children of the test. */
static void adopt_orphans(void)
{
    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user knows nothing of that */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

/* Waits for all children. Whether one of them died of the signal. */
static bool one_was_ended_by(int signum)
{
    bool found = false;
    int status;

    while (waitpid(-1, &status, 0) > 0)
        if (WIFSIGNALED(status) && WTERMSIG(status) == signum)
            found = true;
    return found;
}

/* Its parent is the fork server, which only a worker can name. */
static int kill_parent(void *arg)
{
    (void)arg;
    kill(getppid(), SIGKILL);
    await(&shared->open);
    return 0;
}

TEST(a_fork_server_that_dies_breaks_the_pool_and_takes_the_workers_along)
{
    static const cora_process_pool_job deadly[] = {
        {.fn = kill_parent}, {.fn = say_pid, .size = sizeof(pid_t)}, {0}};
    cora_process_pool_options options = {.jobs = deadly, .max_workers = 1};
    cora_executor *executor = NULL;
    pid_t pid = 0;
    int rc;

    adopt_orphans();
    note_what_there_is();
    rc = cora_process_pool_executor_create(&options, &executor);
    assert_int_equal(rc, 0);
    assert_result(submit(executor, say_pid, &pid), 0);
    assert_result(submit(executor, kill_parent, NULL), -CORA_EBROKENEXECUTOR);
    assert_broken(executor, -SIGKILL);
    assert_true(one_was_ended_by(SIGTERM));
    cora_executor_free(executor);
    assert_nothing_left();
}

TEST(map_of_what_a_worker_does_not_survive_fails)
{
    cora_executor *executor = make(2);
    int items[40], results[40], rc;

    for (int i = 0; i < 40; i++)
        items[i] = -SIGKILL;
    rc = cora_executor_map(executor, die, items, sizeof items[0], 40, 3, INFINITY, results);
    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    for (int i = 0; i < 40; i++)
        assert_true(results[i] == -CORA_EBROKENEXECUTOR || results[i] == -ECANCELED);
    assert_int_equal(results[0], -CORA_EBROKENEXECUTOR);
    cora_executor_free(executor);
}

/* ---- cancelling, shutdown ------------------------------------------------------------------ */

TEST(a_job_that_has_not_begun_can_be_cancelled)
{
    cora_executor *executor = make(1);
    cora_concurrent_future *first, *second, *third;
    pid_t pid[3] = {0};

    first = submit(executor, pass, &pid[0]);
    second = submit(executor, pass, &pid[1]);
    third = submit(executor, say_pid, &pid[2]);
    await(&shared->begun);
    assert_false(cora_concurrent_future_cancel(first));
    assert_true(cora_concurrent_future_cancel(second));
    sem_post(&shared->open);
    assert_result(first, 1);
    assert_result(second, -ECANCELED);
    assert_result(third, 0);
    cora_executor_free(executor);
    assert_int_equal(shared->passed, 1);
}

TEST(shutdown_does_what_waits_and_takes_nothing_more)
{
    int rc;

    note_what_there_is();
    make_crowd();
    cora_executor_shutdown(crowd.executor, false, false);
    rc = cora_executor_submit(crowd.executor, pass, &crowd.pid[0], NULL);
    assert_int_equal(rc, -CORA_EEXECUTORSHUTDOWN);
    for (int i = 0; i < 6; i++)
        sem_post(&shared->open);
    cora_executor_shutdown(crowd.executor, true, false);
    assert_int_equal(shared->passed, 6);
    for (int i = 0; i < 6; i++) {
        assert_true(cora_concurrent_future_result(crowd.future[i], 0) > 0);
        cora_concurrent_future_unref(crowd.future[i]);
    }
    cora_executor_free(crowd.executor);
    assert_nothing_left();
}

TEST(shutdown_can_cancel_what_waits)
{
    note_what_there_is();
    make_crowd();
    cora_executor_shutdown(crowd.executor, false, true);
    for (int i = 2; i < 6; i++)
        assert_result(crowd.future[i], -ECANCELED);
    sem_post(&shared->open);
    sem_post(&shared->open);
    cora_executor_free(crowd.executor);
    assert_int_equal(shared->passed, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(cora_concurrent_future_result(crowd.future[i], 0) > 0);
        cora_concurrent_future_unref(crowd.future[i]);
    }
    assert_nothing_left();
}

TEST(workers_are_replaced_for_what_waits_after_shutdown)
{
    cora_executor *executor =
        make_with((cora_process_pool_options){.max_workers = 1, .max_tasks_per_child = 1});
    cora_concurrent_future *future[3];
    pid_t pid[3] = {0};

    for (int i = 0; i < 3; i++)
        future[i] = submit(executor, pass, &pid[i]);
    await(&shared->begun);
    cora_executor_shutdown(executor, false, false);
    for (int i = 0; i < 3; i++)
        sem_post(&shared->open);
    for (int i = 0; i < 3; i++)
        assert_result(future[i], i + 1);
    cora_executor_free(executor);
}

/* Those that have a job fail, and those that wait are cancelled. */
static void assert_forced(int (*force)(cora_executor *executor))
{
    int rc;

    note_what_there_is();
    make_crowd();
    rc = force(crowd.executor);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 6; i++)
        assert_result(crowd.future[i], i < 2 ? -CORA_EBROKENEXECUTOR : -ECANCELED);
    rc = cora_executor_submit(crowd.executor, pass, &crowd.pid[0], NULL);
    assert_int_equal(rc, -CORA_EEXECUTORSHUTDOWN);
    assert_false(cora_process_pool_executor_is_broken(crowd.executor, NULL));
    cora_executor_free(crowd.executor);
    assert_int_equal(shared->passed, 0);
    assert_nothing_left();
}

TEST(workers_can_be_terminated)
{
    assert_forced(cora_process_pool_executor_terminate_workers);
}

TEST(workers_can_be_killed)
{
    assert_forced(cora_process_pool_executor_kill_workers);
}

static int defy(void *arg)
{
    (void)arg;
    signal(SIGTERM, SIG_IGN);
    return 0;
}

TEST(a_worker_that_is_not_terminated_ends_its_job_or_is_killed)
{
    for (int i = 0; i < 2; i++) {
        cora_executor *executor =
            make_with((cora_process_pool_options){.max_workers = 1, .initializer = defy});
        pid_t pid = 0;
        cora_concurrent_future *future = submit(executor, pass, &pid);
        int rc;

        await(&shared->begun);
        rc = cora_process_pool_executor_terminate_workers(executor);
        assert_int_equal(rc, 0);
        if (i == 0) {
            sem_post(&shared->open);
        } else {
            rc = cora_process_pool_executor_kill_workers(executor);
            assert_int_equal(rc, 0);
        }
        assert_result(future, i == 0 ? 1 : -CORA_EBROKENEXECUTOR);
        cora_executor_free(executor);
    }
}

TEST(threads_cannot_be_terminated_as_processes_can)
{
    cora_executor *executor = NULL;
    int rc = cora_thread_pool_executor_create(NULL, &executor);

    assert_int_equal(rc, 0);
    rc = cora_process_pool_executor_terminate_workers(executor);
    assert_int_equal(rc, -EINVAL);
    rc = cora_process_pool_executor_kill_workers(executor);
    assert_int_equal(rc, -EINVAL);
    assert_false(cora_process_pool_executor_is_broken(executor, NULL));
    cora_executor_free(executor);
}

/* ---- from a loop --------------------------------------------------------------------------- */

static int run_in(void *arg)
{
    int number = 21;

    return cora_await_unref(
        cora_loop_run_in_executor(cora_get_running_loop(), arg, twice, &number));
}

TEST(a_task_awaits_a_job)
{
    cora_executor *executor = make(1);
    int rc = run_virtual(run_in, executor);

    assert_int_equal(rc, 42);
    cora_executor_free(executor);
}

/* While one that is to be killed has a job, and others wait, the loop goes on. */
static int lose_a_worker(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *future[3];
    pid_t pid[3] = {0};
    int rc;

    for (int i = 0; i < 3; i++)
        future[i] = cora_loop_run_in_executor(loop, arg, pass, &pid[i]);
    await(&shared->begun);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    kill(shared->holder, SIGKILL);
    for (int i = 0; i < 3; i++) {
        rc = cora_await_unref(future[i]);
        assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    }
    return cora_await_unref(cora_loop_run_in_executor(loop, arg, pass, &pid[0]));
}

TEST(tasks_hear_that_a_worker_was_killed)
{
    cora_executor *executor = make(1);
    int rc = run_virtual(lose_a_worker, executor);

    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    assert_int_equal(reports.count, 0);
    cora_executor_free(executor);
}

static int cancel_in(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    pid_t pid[2] = {0};
    cora_future *first = cora_loop_run_in_executor(loop, arg, pass, &pid[0]);
    cora_future *second = cora_loop_run_in_executor(loop, arg, pass, &pid[1]);
    int rc;

    await(&shared->begun);
    assert_true(cora_future_cancel(second));
    rc = cora_await_unref(second);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_sleep(0); /* the pool's side hears of it in the next iteration */
    assert_int_equal(rc, 0);
    sem_post(&shared->open);
    rc = cora_await_unref(first);
    assert_int_equal(rc, 1);
    cora_executor_shutdown(arg, true, false);
    assert_int_equal(shared->passed, 1);
    return 0;
}

TEST(a_job_that_nobody_awaits_any_more_and_has_not_begun_never_does)
{
    cora_executor *executor = make(1);
    int rc = run_virtual(cancel_in, executor);

    assert_int_equal(rc, 0);
    cora_executor_free(executor);
}

static int make_default(void *arg)
{
    return cora_loop_set_default_executor(cora_get_running_loop(), arg);
}

TEST(a_pool_of_processes_cannot_be_a_loops_default)
{
    cora_executor *executor = make(1);
    int rc = run_virtual(make_default, executor);

    assert_int_equal(rc, -EINVAL);
    cora_executor_free(executor);
}

/* More stack than a task has. */
static int fill_stack(void *arg)
{
    volatile char space[1 << 20];

    for (size_t i = 0; i < sizeof space; i += 512)
        space[i] = 1;
    (void)arg;
    return space[512];
}

static int nap(void *arg)
{
    int rc = cora_sleep(0.001);

    (void)arg;
    return rc < 0 ? rc : 3;
}

static int run_a_loop(void *arg)
{
    (void)arg;
    return cora_run(nap, NULL);
}

static const cora_process_pool_job deep[] = {
    {.fn = fill_stack}, {.fn = run_a_loop}, {.fn = twice, .size = sizeof(int)}, {0}};

static int make_in_task(void *arg)
{
    cora_process_pool_options options = {.jobs = deep, .max_workers = 1};
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(&options, &executor);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_result(submit(executor, fill_stack, NULL), 1);
    assert_result(submit(executor, run_a_loop, NULL), 3);
    rc = run_in(executor);
    assert_int_equal(rc, 42);
    cora_executor_free(executor);
    return 0;
}

TEST(workers_of_a_pool_that_a_task_has_made_have_a_whole_stack_and_no_loop)
{
    int rc;

    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    rc = run_virtual(make_in_task, NULL);
    assert_int_equal(rc, 0);
}

/* ---- forks --------------------------------------------------------------------------------- */

TEST(a_forked_child_may_free_the_pool_and_harms_nobody)
{
    cora_executor *executor;
    int number = 21, rc, status = -1;
    pid_t pid;

    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    note_what_there_is();
    executor = make(1);
    assert_result(submit(executor, twice, &number), 42);
    pid = fork();
    if (pid == 0) {
        rc = cora_executor_submit(executor, twice, &number, NULL);
        cora_executor_free(executor);
        _exit(rc == -CORA_EBROKENEXECUTOR ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_result(submit(executor, twice, &number), 84);
    cora_executor_free(executor);
    assert_nothing_left();
}

/* Who keeps the descriptors of the pool open does not keep the workers. */
TEST(a_forked_child_that_lives_on_does_not_hold_up_shutdown)
{
    cora_executor *executor;
    int number = 21, ends[2];
    pid_t pid;

    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    executor = make(2);
    assert_result(submit(executor, twice, &number), 42);
    make_pipe(ends);
    pid = fork();
    if (pid == 0) {
        char byte;

        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    cora_executor_free(executor);
    close_pair(ends);
    waitpid(pid, NULL, 0);
}

/* The program dies, and has said nothing: its workers end, also one that has a job. */
TEST(workers_end_with_the_program)
{
    adopt_orphans();
    if (fork() == 0) {
        pid_t worker;

        cora_concurrent_future_unref(submit(make(1), pass, &worker));
        await(&shared->begun);
        _exit(0);
    }
    assert_true(one_was_ended_by(SIGTERM));
    assert_int_equal(shared->passed, 0);
}
