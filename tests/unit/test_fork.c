/*
 * A process forks in a task of its running loop, while everything is alive that a loop can have.
 * The child lives on its own, or frees what it inherited, or goes on with the loop; the parent does
 * not notice.
 */
#include "support/fork.h"
#include "support/socket.h"
#include "support/test.h"

#include "coroutine/fiber.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/cora-fork-XXXXXX";
static char path[sizeof folder + 8];

struct stream {
    cora_stream_reader *reader;
    cora_stream_writer *writer;
};

/* What is alive. */
struct home {
    int (*child)(struct home *home); /* its exit status; NULL: it goes on with the loop */
    bool is_child;
    cora_server *server;
    struct stream client;
    sem_t *gate;                        /* in memory that processes share */
    cora_task *waiting;                 /* for a job in a thread, which waits for the gate */
    cora_executor *threads, *processes; /* each has such a job, too */
    cora_concurrent_future *in_thread, *in_process;
    cora_process *process; /* cat */
    cora_timer_handle *timer;
    cora_event expired, signalled;
    cora_loops *loops;
    atomic_int resting, called;
};

/* ---- the parts ------------------------------------------------------------------------------ */

static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    ssize_t size;
    char *line;
    int rc = 0;

    (void)arg;
    while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
        rc = cora_stream_writer_write(writer, line, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    return rc;
}

/* Whether a line comes back. */
static bool answers(cora_stream_writer *writer, cora_stream_reader *reader)
{
    char *line;

    return cora_stream_writer_write(writer, "hello\n", 6) == 0 &&
           cora_stream_reader_readline(reader, &line) == 6 && memcmp(line, "hello\n", 6) == 0;
}

static void close_stream(struct stream *stream)
{
    cora_stream_writer_close(stream->writer);
    (void)!cora_stream_writer_wait_closed(stream->writer);
    cora_stream_writer_unref(stream->writer);
}

struct pass_args {
    sem_t *gate;
};

static int pass(void *arg)
{
    struct pass_args *a = arg;

    sem_wait(a->gate);
    return 7;
}

static const cora_process_pool_job jobs[] = {{.fn = pass, .size = sizeof(struct pass_args)}, {0}};
static const cora_process_pool_options one_process = {.jobs = jobs, .max_workers = 1};

static int pass_in_thread(void *arg)
{
    struct pass_args args = *(struct pass_args *)arg;

    return cora_to_thread(pass, &args);
}

static void set_event(void *arg)
{
    cora_event_set(arg);
}

static int rest_until_stopped(cora_loops *loops, int index, void *arg)
{
    (void)loops, (void)index;
    atomic_fetch_add((atomic_int *)arg, 1);
    return cora_sleep(3600);
}

static void note_call(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static cora_process *start_cat(void)
{
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_PIPE,
                                             .out = CORA_SUBPROCESS_PIPE};
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell("cat", &options, &process);

    assert_int_equal(rc, 0);
    return process;
}

static bool cat_answers(cora_process *process)
{
    return answers(cora_process_stdin(process), cora_process_stdout(process));
}

/* ---- the parent ----------------------------------------------------------------------------- */

static void move_in(struct home *home)
{
    const cora_loops_options two = {.count = 2};
    static struct pass_args args;
    cora_loop *loop = cora_get_running_loop();

    home->gate =
        mmap(NULL, sizeof *home->gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(home->gate != MAP_FAILED);
    assert_int_equal(sem_init(home->gate, 1, 0), 0);
    args.gate = home->gate;
    assert_int_equal(cora_process_pool_executor_create(&one_process, &home->processes), 0);
    assert_int_equal(cora_executor_submit(home->processes, pass, &args, &home->in_process), 0);
    assert_int_equal(cora_start_unix_server(echo, NULL, path, NULL, &home->server), 0);
    assert_int_equal(
        cora_open_unix_connection(path, NULL, &home->client.reader, &home->client.writer), 0);
    assert_true(answers(home->client.writer, home->client.reader));
    home->waiting = cora_create_task_arg(pass_in_thread, &args);
    assert_int_equal(cora_thread_pool_executor_create(NULL, &home->threads), 0);
    assert_int_equal(cora_executor_submit(home->threads, pass, &args, &home->in_thread), 0);
    home->process = start_cat();
    assert_true(cat_answers(home->process));
    cora_event_init(&home->expired);
    cora_event_init(&home->signalled);
    assert_int_equal(cora_loop_call_later(loop, 0.01, set_event, &home->expired, &home->timer), 0);
    assert_int_equal(cora_loop_add_signal_handler(loop, SIGUSR1, set_event, &home->signalled), 0);
    assert_int_equal(cora_loops_start(rest_until_stopped, &home->resting, &two, &home->loops), 0);
    while (atomic_load(&home->resting) < 2)
        assert_int_equal(cora_sleep(0), 0);
}

/* All of it works as before. */
static void assert_unharmed(struct home *home)
{
    struct stream another;

    assert_true(answers(home->client.writer, home->client.reader));
    assert_int_equal(cora_open_unix_connection(path, NULL, &another.reader, &another.writer), 0);
    assert_true(answers(another.writer, another.reader));
    close_stream(&another);
    assert_true(cat_answers(home->process));
    assert_int_equal(cora_event_wait(&home->expired), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(cora_event_wait(&home->signalled), 0);
    assert_int_equal(cora_loops_call_soon(home->loops, note_call, &home->called), 0);
    while (atomic_load(&home->called) < 2)
        assert_int_equal(cora_sleep(0), 0);
    for (int i = 0; i < 3; i++)
        sem_post(home->gate);
    assert_int_equal(cora_await(home->waiting), 7);
    assert_int_equal(cora_await_unref(cora_wrap_future(home->in_thread)), 7);
    assert_int_equal(cora_await_unref(cora_wrap_future(home->in_process)), 7);
}

static void move_out(struct home *home)
{
    int returncode = -1;

    cora_loops_stop(home->loops);
    assert_int_equal(cora_await_unref(cora_wrap_future(cora_loops_future(home->loops))), 0);
    cora_loops_free(home->loops);
    cora_handle_unref(home->timer);
    cora_task_unref(home->waiting);
    cora_concurrent_future_unref(home->in_thread);
    cora_concurrent_future_unref(home->in_process);
    cora_executor_free(home->threads);
    cora_executor_free(home->processes);
    munmap(home->gate, sizeof *home->gate);
    assert_int_equal(cora_stream_writer_write_eof(cora_process_stdin(home->process)), 0);
    assert_int_equal(cora_process_wait(home->process, &returncode), 0);
    assert_int_equal(returncode, 0);
    cora_process_unref(home->process);
    close_stream(&home->client);
    cora_server_close(home->server);
    assert_int_equal(cora_server_wait_closed(home->server), 0);
    cora_server_unref(home->server);
    assert_int_equal(access(path, F_OK), -1);
}

static int fork_at_home(void *arg)
{
    struct home *home = arg;
    pid_t pid;

    move_in(home);
    pid = fork();
    home->is_child = pid == 0;
    if (home->is_child && home->child != NULL)
        _exit(home->child(home));
    if (home->is_child)
        return 0;
    assert_int_equal(reap(pid), 0);
    assert_unharmed(home);
    move_out(home);
    return 0;
}

static void run(struct home *home)
{
    int before = count_descriptors(), rc;

    if (!can_fork_with_threads())
        skip();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    fflush(stdout);
    rc = cora_run(fork_at_home, home);
    if (home->is_child)
        _exit(rc == 0 ? 0 : 1);
    assert_int_equal(rc, 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(count_descriptors(), before);
}

/* ---- the children --------------------------------------------------------------------------- */

static int use_processes(sem_t *open)
{
    struct pass_args args = {.gate = open};
    cora_executor *executor;
    int rc;

    sem_post(open); /* the worker has a copy */
    rc = cora_process_pool_executor_create(&one_process, &executor);
    if (rc < 0)
        return rc;
    rc =
        cora_await_unref(cora_loop_run_in_executor(cora_get_running_loop(), executor, pass, &args));
    cora_executor_free(executor);
    return rc;
}

/* Each step has a number, so that the exit status tells which went wrong. */
static int live(void *arg)
{
    cora_event signalled = CORA_EVENT_INIT;
    struct pass_args args;
    const cora_loops_options two = {.count = 2};
    atomic_int resting = 0;
    cora_process *process;
    cora_loops *loops;
    sem_t open;

    (void)arg;
    sem_init(&open, 0, 1);
    args.gate = &open;
    if (cora_to_thread(pass, &args) != 7)
        return 1;
    if (cora_sleep(1e-3) < 0)
        return 2;
    process = start_cat();
    if (!cat_answers(process))
        return 3;
    cora_process_unref(process);
    if (cora_loop_add_signal_handler(cora_get_running_loop(), SIGUSR1, set_event, &signalled) < 0)
        return 4;
    raise(SIGUSR1);
    if (cora_event_wait(&signalled) < 0)
        return 5;
    if (cora_loops_start(rest_until_stopped, &resting, &two, &loops) < 0)
        return 6;
    cora_loops_stop(loops);
    if (cora_await_unref(cora_wrap_future(cora_loops_future(loops))) < 0)
        return 7;
    cora_loops_free(loops);
    return use_processes(&open) == 7 ? 0 : 8;
}

static int live_in_a_loop_of_its_own(struct home *home)
{
    (void)home;
    return cora_get_running_loop() == NULL ? cora_run(live, NULL) : 100;
}

TEST(a_child_lives_in_a_loop_of_its_own)
{
    static struct home home = {.child = live_in_a_loop_of_its_own};

    run(&home);
}

/* A client of the parent's server, as any other process. */
static int talk(void *arg)
{
    struct stream client;

    (void)arg;
    if (cora_open_unix_connection(path, NULL, &client.reader, &client.writer) < 0)
        return 1;
    if (!answers(client.writer, client.reader))
        return 2;
    close_stream(&client);
    return 0;
}

static int await_child(void *arg)
{
    return reap(*(pid_t *)arg);
}

static int serve_a_child(void *arg)
{
    cora_server *server = NULL;
    pid_t pid;
    int rc = cora_start_unix_server(echo, arg, path, NULL, &server);

    assert_int_equal(rc, 0);
    pid = fork();
    if (pid == 0)
        _exit(cora_run(talk, NULL));
    rc = cora_to_thread(await_child, &pid);
    cora_server_close(server);
    cora_server_unref(server);
    return rc;
}

TEST(a_child_talks_to_the_server_of_its_parent)
{
    int rc;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    rc = cora_run(serve_a_child, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(rmdir(folder), 0);
}

static int free_all(struct home *home)
{
    cora_loops_stop(home->loops);
    cora_loops_free(home->loops);
    cora_handle_cancel(home->timer);
    cora_handle_unref(home->timer);
    cora_task_cancel(home->waiting);
    cora_task_unref(home->waiting);
    cora_concurrent_future_unref(home->in_thread);
    cora_concurrent_future_unref(home->in_process);
    cora_executor_shutdown(home->threads, true, true);
    cora_executor_free(home->threads);
    cora_executor_shutdown(home->processes, true, true);
    cora_executor_free(home->processes);
    cora_process_unref(home->process);
    cora_transport_abort(cora_stream_writer_get_transport(home->client.writer));
    cora_stream_writer_unref(home->client.writer);
    cora_server_close(home->server);
    cora_server_abort_clients(home->server);
    cora_server_unref(home->server);
    return 0;
}

TEST(a_child_frees_all_that_it_inherited)
{
    static struct home home = {.child = free_all};

    run(&home);
}

static int free_all_and_live(struct home *home)
{
    return free_all(home) + cora_run(live, NULL);
}

TEST(a_child_frees_all_that_it_inherited_and_lives)
{
    static struct home home = {.child = free_all_and_live};

    run(&home);
}

TEST(a_child_goes_on_with_the_loop_and_closes_it)
{
    static struct home home;

    run(&home);
}

static int end_as_programs_do(struct home *home)
{
    (void)home;
    exit(0);
}

TEST(a_child_ends_as_programs_do)
{
    static struct home home = {.child = end_as_programs_do};

#ifdef CORA_ASAN
    skip(); /* what the child has not freed is taken for leaked */
#endif
    run(&home);
}
