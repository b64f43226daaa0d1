#include "support/pools.h"

#include "support/test.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is shared ------------------------------------------------------------------------- */

struct pool_shared *shared;

__attribute__((constructor)) static void map_shared(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    for (int i = 0; i < GATES; i++) {
        sem_init(&shared->gates[i].arrivals, 1, 0);
        sem_init(&shared->gates[i].open, 1, 0);
    }
}

static void take(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        continue; /* a signal */
}

void open_gate(int gate)
{
    sem_post(&shared->gates[gate].open);
}

void await_arrivals(int gate, int count)
{
    while (count-- > 0)
        take(&shared->gates[gate].arrivals);
}

/* Whoever passes lets the next one pass. */
static void pass(int gate)
{
    sem_post(&shared->gates[gate].arrivals);
    take(&shared->gates[gate].open);
    sem_post(&shared->gates[gate].open);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

int power(void *arg)
{
    struct pool_job *job = arg;
    int result = 1;

    for (int i = 0; i < job->y; i++)
        result *= job->x;
    return result;
}

int multiply(void *arg)
{
    struct pool_job *job = arg;

    return job->x * job->y;
}

int divide(void *arg)
{
    struct pool_job *job = arg;

    if (job->y == 0)
        return -EDOM;
    job->quotient = job->x / job->y;
    job->remainder = job->x % job->y;
    return 0;
}

int fail_with(void *arg)
{
    return ((struct pool_job *)arg)->x;
}

int pass_gate(void *arg)
{
    pass(((struct pool_job *)arg)->gate);
    return 0;
}

int pass_and_fail(void *arg)
{
    pass(((struct pool_job *)arg)->gate);
    return -EIO;
}

int say_apple(void *arg)
{
    struct pool_job *job = arg;

    pass(job->gate);
    return write(STDOUT_FILENO, "apple", 5) == 5 ? 0 : -EIO;
}

int count_up(void *arg)
{
    return atomic_fetch_add(&shared->counts[((struct pool_job *)arg)->count], 1) + 1;
}

static atomic_int worker_status;

int set_status(void *arg)
{
    atomic_store(&worker_status, *(int *)arg);
    return 0;
}

int tell_status(void *arg)
{
    (void)arg;
    return atomic_load(&worker_status);
}

cora_job *const pool_jobs[] = {power,         multiply,  divide,   fail_with,  pass_gate,
                               pass_and_fail, say_apple, count_up, tell_status};
const size_t pool_jobs_count = sizeof pool_jobs / sizeof pool_jobs[0];

/* ---- pools ---------------------------------------------------------------------------------- */

static int create_threads(int workers, int (*initializer)(void *arg), void *initarg,
                          cora_executor **ret)
{
    cora_thread_pool_options options = {
        .max_workers = workers, .initializer = initializer, .initarg = initarg};

    return cora_thread_pool_executor_create(&options, ret);
}

const struct pool_kind thread_pool = {create_threads};

static int create_processes(int workers, int (*initializer)(void *arg), void *initarg,
                            cora_executor **ret)
{
    cora_process_pool_job jobs[sizeof pool_jobs / sizeof pool_jobs[0] + 1] = {{0}};
    cora_process_pool_options options = {
        .jobs = jobs, .max_workers = workers, .initializer = initializer, .initarg = initarg};

    for (size_t i = 0; i < pool_jobs_count; i++)
        jobs[i] = (cora_process_pool_job){.fn = pool_jobs[i], .size = sizeof(struct pool_job)};
    return cora_process_pool_executor_create(&options, ret);
}

const struct pool_kind process_pool = {create_processes};

cora_executor *make_pool(const struct pool_kind *kind, int workers)
{
    cora_executor *executor = NULL;
    int rc = kind->create(workers, NULL, NULL, &executor);

    assert_int_equal(rc, 0);
    return executor;
}

cora_concurrent_future *submit(cora_executor *executor, cora_job *fn, struct pool_job *job)
{
    cora_concurrent_future *future = NULL;
    int rc = cora_executor_submit(executor, fn, job, &future);

    assert_int_equal(rc, 0);
    return future;
}

void assert_result(cora_concurrent_future *future, int expected)
{
    int result = cora_concurrent_future_result(future, INFINITY);

    assert_int_equal(result, expected);
    cora_concurrent_future_unref(future);
}

cora_concurrent_future *done_future(int outcome)
{
    cora_concurrent_future *future = cora_concurrent_future_create();
    int rc;

    if (outcome == -ECANCELED)
        rc = cora_concurrent_future_cancel(future) ? 0 : -ENOMEM;
    else if (outcome < 0)
        rc = cora_concurrent_future_set_exception(future, outcome);
    else
        rc = cora_concurrent_future_set_result(future, outcome, NULL);
    assert_int_equal(rc, 0);
    return future;
}

void unref_all(cora_concurrent_future *const futures[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        cora_concurrent_future_unref(futures[i]);
}

/* ---- programs ------------------------------------------------------------------------------- */

static void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t more;

    while (length < size - 1 && (more = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)more;
    text[length] = '\0';
}

/* Registered first, called last. */
static void end_output(void)
{
    if (write(STDOUT_FILENO, ".", 1) != 1)
        abort();
}

void assert_program_says(void (*fn)(const struct pool_kind *kind), const struct pool_kind *kind,
                         const char *expected)
{
    char said[64], all[64];
    int fds[2], status = -1, rc = pipe(fds);
    pid_t child;

    assert_int_equal(rc, 0);
    fflush(NULL); /* or what there is would be written twice */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        atexit(end_output);
        fn(kind);
        exit(0);
    }
    close(fds[1]);
    read_all(fds[0], said, sizeof said);
    close(fds[0]);
    rc = waitpid(child, &status, 0);
    assert_int_equal(rc, child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    snprintf(all, sizeof all, "%s.", expected);
    assert_string_equal(said, all);
}
