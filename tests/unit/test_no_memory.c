/*
 * Without memory: each call is made again and again, with the first of its allocations refused,
 * then the second, and so on. It says -ENOMEM (or NULL), and nothing is lost or leaked.
 */
#include "support/allocation.h"
#include "support/process.h"
#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MOST = 20 };

/* Not from the pool, which has the memory that those before have left. */
__attribute__((constructor)) static void allocate_by_malloc(void)
{
    setenv("CORAMALLOC", "1", 1);
}

/*
 * once(arg) returns -ENOMEM however early its memory ends, at least once, and 0 when there is
 * enough. It must find everything as it was before.
 */
static void assert_fails_cleanly(int (*once)(void *arg), void *arg)
{
    int nth = 0;
    bool refused;
    int rc;

    do {
        refuse_allocation(++nth);
        rc = once(arg);
        refused = allocation_was_refused();
        assert_int_equal(rc, refused ? -ENOMEM : 0);
    } while (refused && nth < MOST);
    refuse_allocation(0);
    assert_true(nth > 1);
    assert_true(nth < MOST);
}

static void assert_runs(cora_task_fn *main)
{
    int rc = run_virtual(main, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- loops and tasks ------------------------------------------------------------------------ */

static int make_a_loop(void *arg)
{
    cora_loop *loop = NULL;
    int rc = cora_new_event_loop(&loop);

    (void)arg;
    assert_true((rc == 0) == (loop != NULL));
    cora_loop_free(loop);
    return rc;
}

TEST(a_loop)
{
    assert_fails_cleanly(make_a_loop, NULL);
}

static int make_a_trace(void *arg)
{
    int rc = cora_trace_start("/dev/null");

    (void)arg;
    assert_int_equal(cora_trace_is_on(), rc == 0);
    return rc < 0 ? rc : cora_trace_stop();
}

TEST(a_trace)
{
    assert_fails_cleanly(make_a_trace, NULL);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int make_a_task(void *arg)
{
    return cora_await_unref(cora_create_task_arg(nothing, arg));
}

static int make_a_named_task(void *arg)
{
    cora_task_options options = {.name = "one that has a name"};

    return cora_await_unref(cora_loop_create_task_arg(NULL, &options, nothing, "nothing", arg));
}

static int make_an_eager_task(void *arg)
{
    cora_task_options options = {.eager_start = true};

    return cora_await_unref(cora_loop_create_task_arg(NULL, &options, nothing, "nothing", arg));
}

static int make_tasks(void *arg)
{
    int rc = make_a_task(arg); /* a first stack, and its slab */

    assert_int_equal(rc, 0);
    assert_fails_cleanly(make_a_task, arg);
    assert_fails_cleanly(make_a_named_task, arg);
    assert_fails_cleanly(make_an_eager_task, arg);
    return 0;
}

TEST(a_task)
{
    assert_runs(make_tasks);
}

static int call_soon(void *arg)
{
    return cora_loop_call_soon(cora_get_running_loop(), free, NULL, arg);
}

static int add_done_callback(void *arg)
{
    return cora_future_add_done_callback(arg, NULL, NULL);
}

static int make_a_future(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    int rc = future != NULL ? 0 : -ENOMEM;

    (void)arg;
    cora_future_unref(future);
    return rc;
}

static int make_callbacks(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());

    assert_fails_cleanly(call_soon, arg);
    assert_fails_cleanly(make_a_future, arg);
    assert_fails_cleanly(add_done_callback, future);
    cora_future_unref(future);
    return 0;
}

TEST(a_callback_and_a_future)
{
    assert_runs(make_callbacks);
}

/* ---- several futures ------------------------------------------------------------------------ */

enum { SEVERAL = 3 };

static int gather(void *arg)
{
    return cora_gather(arg, SEVERAL, NULL, 0);
}

static int wait_for_all(void *arg)
{
    int rc = cora_wait(arg, SEVERAL, INFINITY, CORA_ALL_COMPLETED);

    return rc == SEVERAL ? 0 : rc;
}

static int take_as_completed(void *arg)
{
    cora_as_completed each;
    cora_future *future;
    int rc = cora_as_completed_start(&each, arg, SEVERAL, 5);

    while (rc == 0)
        rc = cora_as_completed_next(&each, &future);
    cora_as_completed_stop(&each); /* also of one that has not started */
    return rc == -CORA_ESTOPITERATION ? 0 : rc;
}

static int with_several(void *arg)
{
    cora_future *futures[SEVERAL];

    for (int i = 0; i < SEVERAL; i++) {
        int rc;

        futures[i] = cora_loop_create_future(cora_get_running_loop());
        rc = cora_future_set_result(futures[i], i, NULL);
        assert_int_equal(rc, 0);
    }
    assert_fails_cleanly(arg, futures);
    for (int i = 0; i < SEVERAL; i++)
        cora_future_unref(futures[i]);
    return 0;
}

static void assert_fails_cleanly_with_several(int (*once)(void *arg))
{
    int rc = run_virtual(with_several, (void *)once);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

TEST(several_futures)
{
    assert_fails_cleanly_with_several(gather);
    assert_fails_cleanly_with_several(wait_for_all);
    assert_fails_cleanly_with_several(take_as_completed);
}

/* The shield fails, and not what it is held over. */
static int shield(void *arg)
{
    cora_future *outer = cora_shield(arg);
    bool is_pending = !cora_future_done(arg);

    assert_true(is_pending);
    if (outer == NULL)
        return -ENOMEM;
    cora_future_unref(outer);
    return 0;
}

static int shields(void *arg)
{
    cora_future *inner = cora_loop_create_future(cora_get_running_loop());

    (void)arg;
    assert_fails_cleanly(shield, inner);
    cora_future_unref(inner);
    return 0;
}

TEST(a_shield)
{
    assert_runs(shields);
}

/* ---- scopes --------------------------------------------------------------------------------- */

/* What is not limited must not begin: the first call that suspends is cut off. */
static int enter_a_timeout(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 5);
    rc = cora_sleep(1);
    if (allocation_was_refused())
        assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(cora_task_cancelling(cora_current_task()), 0);
    return rc;
}

static int timeouts(void *arg)
{
    assert_fails_cleanly(enter_a_timeout, arg);
    return 0;
}

TEST(a_timeout)
{
    assert_runs(timeouts);
}

static int group_up(void *arg)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, nothing, arg);
    return cora_task_group_exit(&group, rc);
}

static int groups(void *arg)
{
    int rc = group_up(arg);

    assert_int_equal(rc, 0);
    assert_fails_cleanly(group_up, arg);
    return 0;
}

TEST(a_group)
{
    assert_runs(groups);
}

/* ---- queues --------------------------------------------------------------------------------- */

/* An item that has found no room is not in, and those that are stay in their order. */
static int put_until_it_grows(void *arg)
{
    cora_queue queue;
    intptr_t count = 0;
    int rc = 0;

    (void)arg;
    cora_queue_init(&queue, 0);
    while (rc == 0 && count < 100)
        rc = cora_queue_put_nowait(&queue, (void *)++count);
    if (rc < 0) {
        int again = cora_queue_put_nowait(&queue, (void *)count);

        assert_int_equal(again, 0);
        assert_int_equal(cora_queue_qsize(&queue), count);
    }
    for (intptr_t i = 1; i <= count; i++) {
        void *item = NULL;
        int got = cora_queue_get_nowait(&queue, &item);

        assert_int_equal(got, 0);
        assert_int_equal((intptr_t)item, i);
    }
    cora_queue_destroy(&queue);
    return rc;
}

TEST(a_queue)
{
    assert_fails_cleanly(put_until_it_grows, NULL);
}

static int put_without_memory(void *arg)
{
    cora_queue queue;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 1);
    refuse_allocation(1);
    rc = cora_queue_put(&queue, NULL);
    refuse_allocation(0);
    assert_int_equal(rc, -ENOMEM);
    assert_true(cora_queue_empty(&queue));
    return cora_queue_join(&queue); /* and no work is left */
}

TEST(a_put_that_may_wait)
{
    assert_runs(put_without_memory);
}

/* The first task of a loop that waits for what threads wait for as well needs memory. */
static int wait_first(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    int rc;

    refuse_allocation(*(int *)arg);
    rc = cora_threading_semaphore_async_acquire(&semaphore);
    refuse_allocation(0);
    assert_int_equal(rc, -ENOMEM);
    rc = cora_threading_semaphore_release(&semaphore, 1);
    assert_int_equal(rc, 0);
    return cora_threading_semaphore_acquire(&semaphore, 0); /* the permit is nobody's yet */
}

TEST(a_first_wait_beside_threads)
{
    for (int nth = 1; nth <= 2; nth++) {
        int rc = run_virtual(wait_first, &nth);

        assert_int_equal(rc, 0);
    }
}

static int put_threadsafe_without_memory(void *arg)
{
    cora_threading_queue queue;
    int rc;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    refuse_allocation(1);
    rc = cora_threading_queue_put(&queue, NULL, INFINITY);
    refuse_allocation(0);
    assert_int_equal(rc, -ENOMEM);
    assert_true(cora_threading_queue_empty(&queue));
    return cora_threading_queue_async_join(&queue); /* and no work is left */
}

TEST(a_put_by_a_thread)
{
    assert_runs(put_threadsafe_without_memory);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct job_args {
    int done;
};

static int job(void *arg)
{
    struct job_args *a = arg;

    a->done = 1;
    return 0;
}

static int run_a_job(void *arg)
{
    struct job_args args = {0};
    int rc = cora_to_thread(job, &args);

    (void)arg;
    assert_int_equal(args.done, rc == 0);
    return rc;
}

static int run_jobs(void *arg)
{
    assert_fails_cleanly(run_a_job, arg);
    return 0;
}

TEST(a_job_in_a_thread)
{
    assert_runs(run_jobs);
}

/* ---- executors ------------------------------------------------------------------------------ */

static int make_an_executor(void *arg)
{
    cora_executor *executor = NULL;
    int rc = cora_thread_pool_executor_create(arg, &executor);

    assert_true((rc == 0) == (executor != NULL));
    cora_executor_free(executor);
    return rc;
}

TEST(an_executor)
{
    assert_fails_cleanly(make_an_executor, NULL);
}

/* With a thread, so that only what is asked for needs memory. */
static cora_executor *make_ready_executor(void)
{
    const cora_thread_pool_options options = {.max_workers = 1};
    struct job_args args = {0};
    cora_concurrent_future *future;
    cora_executor *executor;
    int rc = cora_thread_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    rc = cora_executor_submit(executor, job, &args, &future);
    assert_int_equal(rc, 0);
    rc = cora_concurrent_future_result(future, INFINITY);
    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
    return executor;
}

static int submit_a_job(void *executor)
{
    struct job_args args = {0};
    cora_concurrent_future *future = NULL;
    int rc = cora_executor_submit(executor, job, &args, &future);

    assert_true((rc == 0) == (future != NULL));
    if (rc == 0)
        rc = cora_concurrent_future_result(future, INFINITY);
    cora_concurrent_future_unref(future);
    assert_int_equal(args.done, rc == 0);
    return rc;
}

static int map_some_jobs(void *executor)
{
    struct job_args args[3] = {{0}};

    return cora_executor_map(executor, job, args, sizeof args[0], 3, 1, INFINITY, NULL);
}

static bool next_of_three(void *arg, void *item)
{
    *(struct job_args *)item = (struct job_args){0};
    return ++*(int *)arg <= 3;
}

static int iterate_over_jobs(void *executor)
{
    cora_executor_map_iterator each;
    int next = 0, seen = 0;
    int rc = cora_executor_map_iterator_start(&each, executor, job, next_of_three, &next,
                                              sizeof(struct job_args), 1, INFINITY);

    while (rc == 0 && (rc = cora_executor_map_iterator_next(&each, NULL, NULL)) == 0)
        seen++;
    cora_executor_map_iterator_stop(&each);
    assert_true((rc == -CORA_ESTOPITERATION) == (seen == 3));
    return rc == -CORA_ESTOPITERATION ? 0 : rc;
}

TEST(a_job_and_several)
{
    cora_executor *executor = make_ready_executor();

    assert_fails_cleanly(submit_a_job, executor);
    assert_fails_cleanly(map_some_jobs, executor);
    assert_fails_cleanly(iterate_over_jobs, executor);
    cora_executor_free(executor);
}

static int wait_for_done(void *arg)
{
    cora_concurrent_future *futures[] = {arg, arg};
    int rc = cora_concurrent_wait(futures, 2, 0, CORA_ALL_COMPLETED);

    assert_true(rc < 0 || rc == 1);
    return rc < 0 ? rc : 0;
}

static int see_each_done(void *arg)
{
    cora_concurrent_future *futures[] = {arg, arg}, *next;
    cora_concurrent_as_completed each;
    int rc = cora_concurrent_as_completed_start(&each, futures, 2, INFINITY);

    if (rc == 0)
        rc = cora_concurrent_as_completed_next(&each, &next);
    cora_concurrent_as_completed_stop(&each);
    return rc;
}

TEST(a_thread_that_waits_for_several_futures)
{
    cora_concurrent_future *future = cora_concurrent_future_create();
    bool cancelled = cora_concurrent_future_cancel(future);

    assert_true(cancelled);
    assert_fails_cleanly(wait_for_done, future);
    assert_fails_cleanly(see_each_done, future);
    cora_concurrent_future_unref(future);
}

/* ---- names and files ------------------------------------------------------------------------ */

static int look_up(void *arg)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = cora_getaddrinfo(NULL, "7", &hints, &list);

    (void)arg;
    assert_int_equal(list != NULL, rc == 0);
    cora_freeaddrinfo(list);
    return rc;
}

static int open_root(void *arg)
{
    return cora_file_open(arg, "/", O_RDONLY | O_DIRECTORY, 0);
}

/* A directory cannot be read, which is found out after all else has been had. */
static int read_root(void *arg)
{
    char byte;
    ssize_t got = cora_file_read(arg, &byte, 1);

    return got == -EISDIR ? 0 : (int)got;
}

static int stat_root(void *arg)
{
    struct stat by_path;
    int rc = cora_file_fsync(arg);

    return rc < 0 ? rc : cora_stat("/", &by_path);
}

static int list(void *arg)
{
    cora_listing listing = {NULL, 0};
    int rc = cora_listdir(arg, &listing);

    assert_int_equal(listing.names != NULL, rc == 0);
    cora_listing_clear(&listing);
    return rc;
}

/* With one name in it: few allocations. */
static char *make_directory(char *name)
{
    char inner[64];
    int rc;

    assert_non_null(mkdtemp(name));
    snprintf(inner, sizeof inner, "%s/inner", name);
    rc = mkdir(inner, 0700);
    assert_int_equal(rc, 0);
    return name;
}

static void remove_directory(char *name)
{
    char inner[64];
    int rc;

    snprintf(inner, sizeof inner, "%s/inner", name);
    rc = rmdir(inner);
    assert_int_equal(rc, 0);
    rc = rmdir(name);
    assert_int_equal(rc, 0);
}

static int use_files(void *arg)
{
    char above[] = "/tmp/cora-no-memory-XXXXXX";
    cora_file *file = NULL;
    int rc;

    assert_fails_cleanly(look_up, arg);
    assert_fails_cleanly(open_root, &file);
    assert_fails_cleanly(read_root, file);
    assert_fails_cleanly(stat_root, file);
    assert_fails_cleanly(list, make_directory(above));
    remove_directory(above);
    refuse_allocation(1);
    rc = cora_file_close(file); /* here and now, then */
    refuse_allocation(0);
    return rc;
}

TEST(names_and_files)
{
    assert_runs(use_files);
}

/* ---- connections ---------------------------------------------------------------------------- */

struct connector {
    cora_connection_options options;
    char port[8];
    struct recorder recorder;
};

static int connect_once(void *arg)
{
    struct connector *connector = arg;
    struct recorder *recorder = &connector->recorder;
    int before = count_descriptors(), rc;

    recorder->made = 0;
    rc = cora_create_connection(record, recorder, "127.0.0.1", connector->port, &connector->options,
                                NULL);
    assert_int_equal(recorder->made, rc == 0);
    if (rc == 0) {
        int lost;

        cora_transport_close(recorder->transport);
        lost = wait_lost(recorder);
        assert_int_equal(lost, 0);
    }
    assert_int_equal(count_descriptors(), before);
    return rc;
}

static int make_connections(void *arg)
{
    struct connector connector = {.recorder = {.silent = true}};
    struct sockaddr_in address;
    int listener = make_listener(&address, 100);

    (void)arg;
    snprintf(connector.port, sizeof connector.port, "%u", ntohs(address.sin_port));
    assert_fails_cleanly(connect_once, &connector);
    connector.options.happy_eyeballs_delay = 1;
    connector.options.local_host = "127.0.0.1";
    assert_fails_cleanly(connect_once, &connector);
    close_fd(listener);
    return 0;
}

TEST(a_connection)
{
    assert_runs(make_connections);
}

/* ---- streams -------------------------------------------------------------------------------- */

static int make_a_reader(void *arg)
{
    cora_stream_reader *reader = NULL;
    int rc = cora_stream_reader_create(1, &reader);

    (void)arg;
    cora_stream_reader_unref(reader);
    return rc;
}

/* The line that was handed out is in the way, so what comes behind it needs memory of its own. */
static int feed_behind_a_line(void *arg)
{
    static const char much[5000] = "";
    cora_stream_reader *reader = NULL;
    char *line;
    ssize_t size;
    int rc = cora_stream_reader_create(CORA_STREAM_LIMIT, &reader);

    (void)arg;
    if (rc == 0)
        rc = cora_stream_reader_feed_data(reader, "line\nnext", 9);
    if (rc == 0) {
        size = cora_stream_reader_readline(reader, &line);
        assert_int_equal(size, 5);
        rc = cora_stream_reader_feed_data(reader, much, sizeof much);
        assert_memory_equal(line, "line\n", 5);
        get(reader, "exactly 4");
    }
    cora_stream_reader_unref(reader);
    return rc;
}

/* What a cancelled task had got cannot be given back: nothing can be read any more. */
static int cancel_with_data(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    cora_task *task = start_get(reader, "exactly 9");
    int rc;

    (void)arg;
    feed(reader, "some");
    refuse_allocation(1);
    cancel(task);
    refuse_allocation(0);
    get(reader, "exactly 4");
    rc = cora_stream_reader_exception(reader);
    cora_stream_reader_unref(reader);
    return rc;
}

static int use_readers(void *arg)
{
    assert_fails_cleanly(make_a_reader, arg);
    assert_fails_cleanly(feed_behind_a_line, arg);
    return cancel_with_data(arg);
}

TEST(a_reader)
{
    int rc = run_virtual(use_readers, NULL);

    assert_int_equal(rc, -ENOMEM);
    assert_non_null(strstr(trace_text, "ECANCELED ENOMEM "));
    assert_int_equal(reports.count, 0);
}

static int print_a_long_line(void *arg)
{
    return cora_stream_writer_printf(arg, "%600d", 1);
}

/* Then bytes for which there is no memory: the connection is lost. */
static int receive_without_memory(void *arg)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    open_streams(fds[0], CORA_STREAM_LIMIT, &reader, &writer);
    assert_fails_cleanly(print_a_long_line, writer);
    put(fds[1], "some");
    refuse_allocation(1);
    rc = cora_stream_writer_wait_closed(writer);
    assert_true(allocation_was_refused());
    refuse_allocation(0);
    get(reader, "read 1");
    cora_stream_writer_unref(writer);
    close_fd(fds[1]);
    return rc;
}

TEST(a_stream)
{
    int rc = run_virtual(receive_without_memory, NULL);

    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(trace_text, "ENOMEM ");
    assert_string_equal(reports.message, "Fatal error: protocol.data_received() call failed.");
}

static int echo_byte(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char byte;
    ssize_t size = cora_stream_reader_read(reader, &byte, 1);

    (void)arg;
    return size == 1 ? cora_stream_writer_write(writer, &byte, 1) : (int)size;
}

/* Its connection is served, or closed and reported. Whether an allocation was refused. */
static bool serve_without_memory(cora_server *server, int nth)
{
    int before = reports.count, fd, rc;
    bool refused;
    char byte = 0;
    ssize_t size;

    refuse_allocation(nth);
    fd = connect_server(server);
    rc = cora_sleep(1);
    refused = allocation_was_refused();
    refuse_allocation(0);
    assert_int_equal(rc, 0);
    size = cora_sock_sendall(fd, "x", 1, NULL) == 0 ? cora_sock_recv(fd, &byte, 1) : 0;
    assert_int_equal(size <= 0, refused);
    assert_int_equal(byte, refused ? 0 : 'x');
    assert_int_equal(reports.count - before, refused);
    close_fd(fd);
    return refused;
}

static int serve_all(void *arg)
{
    cora_server *server = NULL;
    int nth = 0, rc = cora_start_server(echo_byte, NULL, "127.0.0.1", "0", NULL, &server);

    (void)arg;
    assert_int_equal(rc, 0);
    serve_without_memory(server, 0);
    while (serve_without_memory(server, ++nth))
        assert_true(nth < MOST);
    assert_true(nth > 4);
    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    cora_server_unref(server);
    return rc;
}

TEST(the_connections_of_a_server)
{
    int rc = run_virtual(serve_all, NULL);

    assert_int_equal(rc, 0);
}

static int open_and_close(void *arg)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int rc = cora_open_connection("127.0.0.1", arg, NULL, &reader, &writer);

    if (rc == 0)
        cora_stream_writer_unref(writer);
    return rc;
}

static int start_and_close(void *arg)
{
    cora_server *server = NULL;
    int rc = cora_start_unix_server(echo_byte, NULL, arg, NULL, &server);

    if (rc == 0)
        cora_server_close(server);
    cora_server_unref(server);
    return rc;
}

static int start_and_open(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, MOST);
    char port[8];

    (void)arg;
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    assert_fails_cleanly(open_and_close, port);
    assert_fails_cleanly(start_and_close, (void *)socket_path());
    close_fd(listener);
    return 0;
}

TEST(a_connection_and_a_server_of_streams)
{
    assert_runs(start_and_open);
}

/* ---- deadlines ----------------------------------------------------------------------------- */

static int sleep_in_a_timeout(void *arg)
{
    cora_timeout_enter(arg, 1000);
    return cora_timeout_exit(arg, cora_sleep(100));
}

/* Three allocations make the table in which it is found; without them all are looked through. */
static int move_the_deadline_of_another(void *arg)
{
    cora_timeout limit;
    cora_task *task = cora_create_task_arg(sleep_in_a_timeout, &limit);
    int rc = cora_sleep(0);

    (void)arg;
    assert_int_equal(rc, 0);
    for (int nth = 1; nth <= 4; nth++) {
        refuse_allocation(nth);
        rc = cora_timeout_reschedule(&limit, 50);
        assert_int_equal(rc, 0);
        assert_int_equal(allocation_was_refused(), nth <= 3);
    }
    refuse_allocation(0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

TEST(the_deadline_of_another_task_is_moved_all_the_same)
{
    assert_runs(move_the_deadline_of_another);
}

/* ---- transports ----------------------------------------------------------------------------- */

typedef int connect_fn(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret);

struct connecting {
    connect_fn *connect;
    void (*make_ends)(int fds[2]);
    int end;
};

/* What could not become a transport's is still the caller's. */
static int connect_an_end(void *arg)
{
    const struct connecting *a = arg;
    struct recorder recorder = {.silent = true};
    cora_transport *transport = NULL;
    int fds[2], rc;

    a->make_ends(fds);
    rc = a->connect(record, &recorder, fds[a->end], &transport);
    assert_int_equal(transport != NULL, rc == 0);
    if (rc == 0) {
        cora_transport_close(transport);
        cora_transport_unref(transport);
        rc = wait_lost(&recorder);
    } else {
        assert_int_equal(recorder.error, -ENOMEM);
        close_fd(fds[a->end]);
    }
    assert_int_equal(recorder.lost, 1);
    close_fd(fds[!a->end]);
    return rc;
}

/* Some of it went, and what should have followed cannot be kept. */
static int write_more_than_fits(void *arg)
{
    static const char data[1 << 20];
    struct recorder recorder = {.silent = true};
    int fds[2], rc, lost;

    (void)arg;
    make_pipe(fds);
    rc = cora_connect_write_pipe(record, &recorder, fds[1], NULL);
    if (rc == 0) {
        rc = cora_transport_write(recorder.transport, data, sizeof data);
        if (rc == 0)
            cora_transport_abort(recorder.transport);
        lost = wait_lost(&recorder);
        assert_int_equal(lost, 0);
        assert_int_equal(recorder.error, rc);
    } else {
        close_fd(fds[1]);
    }
    close_fd(fds[0]);
    return rc;
}

static int connect_ends(void *arg)
{
    static struct connecting cases[] = {{cora_connect_accepted_socket, make_pair, 0},
                                        {cora_connect_read_pipe, make_pipe, 0},
                                        {cora_connect_write_pipe, make_pipe, 1}};

    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails_cleanly(connect_an_end, &cases[i]);
    assert_fails_cleanly(write_more_than_fits, NULL);
    return 0;
}

TEST(transports)
{
    assert_runs(connect_ends);
}

/* ---- processes ------------------------------------------------------------------------------ */

/* What was started is killed and reaped by the runner, where it is not before. */
static int start_cat(void *options)
{
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell("cat", options, &process);

    assert_int_equal(process != NULL, rc == 0);
    cora_process_unref(process);
    return rc;
}

/* Also where what it writes cannot be kept. */
static int start_echo(void *options)
{
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell("echo out", options, &process);

    if (rc == 0)
        rc = cora_process_communicate(process, NULL, 0, NULL);
    cora_process_unref(process);
    return rc;
}

static int talk_to(void *arg)
{
    cora_process_output output = {.out = NULL};
    int rc = cora_process_communicate(arg, NULL, 0, &output);

    assert_int_equal(output.out != NULL, rc == 0);
    if (rc == 0) {
        assert_string_equal(output.out, "out\n");
        assert_string_equal(output.err, "err\n");
    }
    cora_process_output_clear(&output);
    return rc;
}

static int use_processes(void *arg)
{
    const cora_subprocess_options all = {
        .in = CORA_SUBPROCESS_PIPE, .out = CORA_SUBPROCESS_PIPE, .err = CORA_SUBPROCESS_PIPE};
    const cora_subprocess_options none = {.in = 0}, out = {.out = CORA_SUBPROCESS_PIPE};
    cora_process *process = NULL;
    int rc;

    (void)arg;
    assert_fails_cleanly(start_cat, (void *)&none);
    assert_fails_cleanly(start_cat, (void *)&all);
    assert_fails_cleanly(start_echo, (void *)&out);
    rc = cora_create_subprocess_shell("echo out; echo err >&2", &all, &process);
    assert_int_equal(rc, 0);
    rc = cora_process_wait(process, NULL);
    assert_int_equal(rc, 0);
    while (!cora_transport_is_closing(cora_stream_writer_get_transport(
        cora_stream_reader_get_writer(cora_process_stderr(process))))) {
        rc = cora_sleep(0);
        assert_int_equal(rc, 0);
    }
    assert_fails_cleanly(talk_to, process); /* again and again, until there is memory */
    cora_process_unref(process);
    return 0;
}

TEST(processes)
{
    int before = count_descriptors();

    assert_runs(use_processes);
    assert_false(has_children());
    assert_int_equal(count_descriptors(), before);
}

/* ---- several loops -------------------------------------------------------------------------- */

static void note_called(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static int call_all(cora_loops *loops, int index, void *arg)
{
    atomic_int *called = arg;
    int before = atomic_load(called), rc = cora_loops_call_soon(loops, note_called, called);

    (void)index;
    while (rc == 0 && atomic_load(called) == before)
        rc = cora_sleep(0);
    return rc;
}

static int run_a_loop(void *arg)
{
    const cora_loops_options one = {.count = 1};
    cora_loops *loops;
    int rc = cora_loops_start(call_all, arg, &one, &loops);

    if (rc == 0) {
        rc = cora_concurrent_future_result(cora_loops_future(loops), INFINITY);
        cora_loops_free(loops);
    }
    return rc;
}

TEST(loops_in_threads)
{
    atomic_int called = 0;
    int before = count_descriptors();

    assert_fails_cleanly(run_a_loop, &called);
    assert_int_equal(count_descriptors(), before);
}
