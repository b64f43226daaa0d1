/* Several loops in threads: they run, serve, talk, fail and stop together. */
#include "support/fork.h"
#include "support/socket.h"
#include "support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOOPS = 4 };

static const cora_loops_options four = {.count = LOOPS};

/* What is asserted in another thread than the test's own would end the process, so it is noted. */
static atomic_int wrong;

static void expect(bool holds)
{
    if (!holds)
        atomic_fetch_add(&wrong, 1);
}

static int run(cora_loops_fn *fn, void *arg, const cora_loops_options *options)
{
    int rc = cora_run_loops(fn, arg, options);

    assert_int_equal(atomic_load(&wrong), 0);
    return rc;
}

static cora_loops *start(cora_loops_fn *fn, void *arg)
{
    cora_loops *loops = NULL;
    int rc = cora_loops_start(fn, arg, &four, &loops);

    assert_int_equal(rc, 0);
    return loops;
}

static void assert_ends(cora_loops *loops, int expected)
{
    int rc = cora_concurrent_future_result(cora_loops_future(loops), INFINITY);

    assert_int_equal(rc, expected);
    cora_loops_free(loops);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void await_count(atomic_int *count, int wanted)
{
    while (atomic_load(count) < wanted)
        sched_yield();
}

/* ---- threads, which the test may refuse ----------------------------------------------------- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
static atomic_int threads_left = INT_MAX;
static int threads; /* started and not joined, by the test's own thread */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);
int __real_pthread_join(pthread_t thread, void **ret);
int __wrap_pthread_join(pthread_t thread, void **ret);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg)
{
    int error = atomic_fetch_sub(&threads_left, 1) > 0
                    ? __real_pthread_create(thread, attributes, fn, arg)
                    : EAGAIN;

    threads += error == 0;
    return error;
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
    threads--;
    return __real_pthread_join(thread, ret);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- running -------------------------------------------------------------------------------- */

struct seen {
    atomic_int calls[LOOPS];
    atomic_int all;
    cora_loop *loop[LOOPS];
    pthread_t thread[LOOPS];
    char name[LOOPS][16];
};

static int look(cora_loops *loops, int index, void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->calls[index], 1);
    seen->loop[index] = cora_get_running_loop();
    seen->thread[index] = pthread_self();
    pthread_getname_np(pthread_self(), seen->name[index], sizeof seen->name[index]);
    expect(cora_loops_get_loop(loops, index) == cora_get_running_loop());
    expect(cora_loops_count(loops) == LOOPS);
    atomic_fetch_add(&seen->all, 1);
    while (atomic_load(&seen->all) < LOOPS) /* at the same time: each has a loop of its own */
        (void)!cora_sleep(0);
    return index;
}

TEST(each_loop_runs_the_function_once_in_a_thread_of_its_own)
{
    static struct seen seen;
    const cora_loops_options options = {.count = LOOPS, .thread_name_prefix = "several"};
    int rc = run(look, &seen, &options);

    assert_int_equal(rc, 0);
    for (int i = 0; i < LOOPS; i++) {
        char name[16];

        snprintf(name, sizeof name, "several_%d", i);
        assert_string_equal(seen.name[i], name);
        assert_int_equal(atomic_load(&seen.calls[i]), 1);
        for (int j = 0; j < i; j++) {
            assert_ptr_not_equal(seen.loop[i], seen.loop[j]);
            assert_false(pthread_equal(seen.thread[i], seen.thread[j]));
        }
    }
}

static int count_loops(cora_loops *loops, int index, void *arg)
{
    (void)index;
    atomic_store((atomic_int *)arg, cora_loops_count(loops));
    return 0;
}

static void assert_as_many_as(const cpu_set_t *processors)
{
    atomic_int count = 0;
    int rc = run(count_loops, &count, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(atomic_load(&count), CPU_COUNT(processors));
}

TEST(without_a_count_there_are_as_many_as_processors_for_us)
{
    cpu_set_t ours;
    int rc = sched_getaffinity(0, sizeof ours, &ours);

    assert_int_equal(rc, 0);
    assert_as_many_as(&ours);
    for (int cpu = 0; CPU_COUNT(&ours) > 1; cpu++)
        CPU_CLR(cpu, &ours);
    rc = sched_setaffinity(0, sizeof ours, &ours);
    assert_int_equal(rc, 0);
    assert_as_many_as(&ours);
}

static int note_processor(cora_loops *loops, int index, void *arg)
{
    cpu_set_t *sets = arg;

    (void)loops;
    return -pthread_getaffinity_np(pthread_self(), sizeof sets[index], &sets[index]);
}

TEST(with_affinity_each_keeps_to_one_processor_in_turn)
{
    const cora_loops_options options = {.count = LOOPS, .affinity = true};
    cpu_set_t ours, sets[LOOPS];
    int cpu = -1;
    int rc = sched_getaffinity(0, sizeof ours, &ours);

    assert_int_equal(rc, 0);
    rc = run(note_processor, sets, &options);
    assert_int_equal(rc, 0);
    for (int i = 0; i < LOOPS; i++) {
        do
            cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET(cpu, &ours));
        assert_int_equal(CPU_COUNT(&sets[i]), 1);
        assert_true(CPU_ISSET(cpu, &sets[i]));
    }
}

static int run_inside(void *arg)
{
    static struct seen seen;

    (void)arg;
    return cora_run_loops(look, &seen, &four);
}

TEST(a_thread_whose_loop_runs_cannot_wait_for_others)
{
    int rc = cora_run(run_inside, NULL);

    assert_int_equal(rc, -CORA_ERUNNING);
}

static int start_and_await(void *arg)
{
    static struct seen seen;
    cora_loops *loops = NULL;
    int rc = cora_loops_start(look, &seen, &four, &loops);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = cora_await_unref(cora_wrap_future(cora_loops_future(loops)));
    cora_loops_free(loops);
    return rc < 0 ? rc : atomic_load(&seen.all);
}

TEST(a_task_starts_them_and_awaits_their_end)
{
    int rc = cora_run(start_and_await, NULL);

    assert_int_equal(rc, LOOPS);
    assert_int_equal(atomic_load(&wrong), 0);
}

/* ---- stopping ------------------------------------------------------------------------------- */

/* Until it is cancelled. */
static int rest_until_stopped(cora_loops *loops, int index, void *arg)
{
    int rc;

    (void)loops, (void)index;
    atomic_fetch_add((atomic_int *)arg, 1);
    rc = cora_sleep(3600);
    expect(rc == -ECANCELED);
    atomic_fetch_sub((atomic_int *)arg, 1);
    return rc;
}

TEST(a_stop_cancels_each_and_is_no_failure)
{
    atomic_int resting = 0;
    cora_loops *loops = start(rest_until_stopped, &resting);

    await_count(&resting, LOOPS);
    cora_loops_stop(loops);
    assert_ends(loops, 0);
    assert_int_equal(atomic_load(&resting), 0);
}

TEST(to_free_them_stops_them_and_waits)
{
    atomic_int resting = 0;
    cora_loops *loops = start(rest_until_stopped, &resting);

    await_count(&resting, LOOPS);
    cora_loops_free(loops);
    assert_int_equal(atomic_load(&resting), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    cora_loops_free(NULL);
}

static int stop_from_inside(cora_loops *loops, int index, void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    if (index == LOOPS - 1)
        cora_loops_stop(loops);
    expect(cora_sleep(3600) == -ECANCELED);
    return -ECANCELED;
}

TEST(a_task_of_theirs_stops_them_itself_included)
{
    for (int i = 0; i < 50; i++) { /* some have not come to their first wait */
        atomic_int calls = 0;
        int rc = run(stop_from_inside, &calls, &four);

        assert_int_equal(rc, 0);
        assert_int_equal(atomic_load(&calls), LOOPS);
    }
}

struct clean_up {
    atomic_int cancelled, called, cleaned;
    atomic_bool go_on;
};

/* Cancelled once, it may take its time. */
static int clean_up(cora_loops *loops, int index, void *arg)
{
    struct clean_up *a = arg;

    (void)loops, (void)index;
    expect(cora_sleep(3600) == -ECANCELED);
    atomic_fetch_add(&a->cancelled, 1);
    while (!atomic_load(&a->go_on))
        expect(cora_sleep(0) == 0);
    atomic_fetch_add(&a->cleaned, 1);
    return 0;
}

static void note(void *count)
{
    atomic_fetch_add((atomic_int *)count, 1);
}

/* What is called after a stop runs after what that has done. */
TEST(each_is_cancelled_once_however_often_they_are_stopped)
{
    struct clean_up arg = {0};
    cora_loops *loops = start(clean_up, &arg);

    cora_loops_stop(loops);
    await_count(&arg.cancelled, LOOPS);
    for (int i = 1; i <= 2; i++) {
        cora_loops_stop(loops);
        assert_int_equal(cora_loops_call_soon(loops, note, &arg.called), 0);
        await_count(&arg.called, i * LOOPS);
    }
    atomic_store(&arg.go_on, true);
    assert_ends(loops, 0);
    assert_int_equal(atomic_load(&arg.cleaned), LOOPS);
}

static int await_cancelled(void *arg)
{
    cora_loops *loops = arg;
    cora_future *wrapped = cora_wrap_future(cora_loops_future(loops));
    int rc;

    cora_future_cancel(wrapped);
    rc = cora_await_unref(wrapped);
    cora_concurrent_future_cancel(cora_loops_future(loops));
    return rc;
}

TEST(whoever_no_longer_waits_for_them_ends_nothing)
{
    atomic_int resting = 0;
    cora_loops *loops = start(rest_until_stopped, &resting);
    int rc = cora_run(await_cancelled, loops);

    assert_int_equal(rc, -ECANCELED);
    await_count(&resting, LOOPS);
    assert_false(cora_concurrent_future_done(cora_loops_future(loops)));
    cora_loops_stop(loops);
    assert_ends(loops, 0);
}

/* ---- signals, in a process of their own ------------------------------------------------------ */

static int in_child(int (*fn)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        _exit(fn());
    }
    return reap(pid);
}

static bool is_handled(int signum)
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && action.sa_handler != SIG_DFL;
}

static int await_handler(int signum)
{
    int rc = 0;

    while (rc == 0 && !is_handled(signum))
        rc = cora_sleep(0);
    return rc;
}

/* The first loop sends it once somebody is there to receive it. */
static int send_signal(cora_loops *loops, int index, void *arg)
{
    int signum = *(int *)arg;

    (void)loops;
    if (index == 0 && await_handler(signum) == 0)
        kill(getpid(), signum);
    expect(cora_sleep(3600) == -ECANCELED);
    return -ECANCELED;
}

static int run_until_signal(int signum)
{
    int rc = cora_run_loops(send_signal, &signum, &four);

    return rc == -EINTR && atomic_load(&wrong) == 0 ? 0 : 1;
}

static int run_until_sigint(void)
{
    return run_until_signal(SIGINT);
}

static int run_until_sigterm(void)
{
    return run_until_signal(SIGTERM);
}

TEST(ctrl_c_stops_them_all)
{
    int status = in_child(run_until_sigint);

    assert_int_equal(status, 0);
}

TEST(sigterm_stops_them_all)
{
    int status = in_child(run_until_sigterm);

    assert_int_equal(status, 0);
}

/* It takes no notice of the first. */
static int ignore_stop(cora_loops *loops, int index, void *arg)
{
    int signum = *(int *)arg;

    (void)!send_signal(loops, index, arg);
    while (cora_sleep(0) == 0)
        if (!is_handled(signum))
            kill(getpid(), signum);
    return 0;
}

static int run_and_ignore(void)
{
    int signum = SIGTERM;

    (void)!cora_run_loops(ignore_stop, &signum, &four);
    return 1;
}

TEST(a_second_sigterm_ends_the_process)
{
    int status = in_child(run_and_ignore);

    assert_int_equal(status, -SIGTERM);
}

static void on_sigterm(int signum)
{
    (void)signum;
    atomic_fetch_add(&wrong, 100);
}

static int raise_and_end(cora_loops *loops, int index, void *arg)
{
    (void)arg;
    if (index == 0)
        kill(getpid(), SIGTERM);
    if (index == 1) {
        while (atomic_load(&wrong) == 0)
            (void)!cora_sleep(0);
        cora_loops_stop(loops);
    }
    return 0;
}

static int run_with_handler(void)
{
    int rc;

    signal(SIGTERM, on_sigterm);
    rc = cora_run_loops(raise_and_end, NULL, &four);
    return rc == 0 && atomic_load(&wrong) == 100 ? 0 : 1;
}

TEST(a_handler_of_the_programs_own_is_left_alone)
{
    int status = in_child(run_with_handler);

    assert_int_equal(status, 0);
}

/* ---- failures ------------------------------------------------------------------------------- */

struct failing {
    atomic_int resting, ended;
    int error_when_stopped;
};

static int fail_when_all_rest(cora_loops *loops, int index, void *arg)
{
    struct failing *a = arg;

    (void)loops;
    if (index == 2) {
        while (atomic_load(&a->resting) < LOOPS - 1)
            (void)!cora_sleep(0);
        return -EILSEQ;
    }
    atomic_fetch_add(&a->resting, 1);
    expect(cora_sleep(3600) == -ECANCELED);
    return a->error_when_stopped;
}

TEST(one_that_fails_stops_the_others)
{
    struct failing arg = {.error_when_stopped = -ECANCELED};
    int rc = run(fail_when_all_rest, &arg, &four);

    assert_int_equal(rc, -EILSEQ);
}

TEST(the_first_error_is_the_one_that_is_returned)
{
    struct failing arg = {.error_when_stopped = -EDOM};
    int rc = run(fail_when_all_rest, &arg, &four);

    assert_int_equal(rc, -EILSEQ);
}

static void ignore(void *arg)
{
    (void)arg;
}

/* The others go on until they have seen its end. */
static int fail_alone(cora_loops *loops, int index, void *arg)
{
    struct failing *a = arg;
    int rc = 0;

    if (index == 2)
        return -EILSEQ;
    while (rc == 0) {
        rc = cora_loop_call_soon_threadsafe(cora_loops_get_loop(loops, 2), ignore, NULL, NULL);
        if (rc == 0)
            rc = cora_sleep(0);
    }
    if (rc == -CORA_ECLOSED)
        atomic_fetch_add(&a->ended, 1);
    return 0;
}

TEST(those_that_are_to_keep_going_do)
{
    const cora_loops_options options = {.count = LOOPS, .keep_going = true};
    struct failing arg = {0};
    int rc = run(fail_alone, &arg, &options);

    assert_int_equal(rc, -EILSEQ);
    assert_int_equal(atomic_load(&arg.ended), LOOPS - 1);
}

static int cancel_itself(cora_loops *loops, int index, void *arg)
{
    (void)loops, (void)arg;
    if (index == 0)
        cora_task_cancel(cora_current_task());
    return cora_sleep(3600);
}

TEST(a_cancellation_that_is_no_stop_is_a_failure)
{
    int rc = run(cancel_itself, NULL, &four);

    assert_int_equal(rc, -ECANCELED);
}

/* ---- starts that fail ----------------------------------------------------------------------- */

static int note_call(cora_loops *loops, int index, void *arg)
{
    (void)loops, (void)index;
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

/* Nothing has run, and neither thread nor descriptor is left. */
static void assert_not_started(const cora_loops_options *options, int expected)
{
    int before = count_descriptors();
    atomic_int calls = 0;
    cora_loops *loops = NULL;
    int rc = cora_loops_start(note_call, &calls, options, &loops);

    assert_int_equal(rc, expected);
    assert_null(loops);
    assert_int_equal(atomic_load(&calls), 0);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(threads, 0);
}

TEST(where_a_thread_cannot_be_started_none_runs_anything)
{
    for (int started = 0; started < LOOPS; started++) {
        atomic_store(&threads_left, started);
        assert_not_started(&four, -EAGAIN);
    }
    atomic_store(&threads_left, INT_MAX);
}

static atomic_int loops_left;

static int make_some(cora_loop **ret)
{
    return atomic_fetch_sub(&loops_left, 1) > 0 ? cora_new_event_loop(ret) : -EMFILE;
}

TEST(where_a_loop_cannot_be_made_none_runs_anything)
{
    const cora_runner_options runner = {.loop_factory = make_some};
    const cora_loops_options options = {.count = LOOPS, .runner = &runner};

    for (int made = 0; made < LOOPS; made++) {
        atomic_store(&loops_left, made);
        assert_not_started(&options, -EMFILE);
    }
}

TEST(a_negative_count_is_refused)
{
    const cora_loops_options options = {.count = -1};

    assert_not_started(&options, -EINVAL);
}

/* ---- servers -------------------------------------------------------------------------------- */

enum { MOST_CONNECTIONS = 1000 };

struct service {
    int fds[LOOPS];
    atomic_int served[LOOPS]; /* connections */
    atomic_int serving;
};

static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    ssize_t size;
    char *line;
    int rc = 0;

    atomic_fetch_add((atomic_int *)arg, 1);
    while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
        rc = cora_stream_writer_write(writer, line, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    return rc;
}

static int serve(cora_loops *loops, int index, void *arg)
{
    struct service *service = arg;
    cora_server *server;
    int rc =
        cora_start_server_sock(echo, &service->served[index], service->fds[index], NULL, &server);

    (void)loops;
    if (rc < 0)
        return rc;
    atomic_fetch_add(&service->serving, 1);
    rc = cora_server_serve_forever(server);
    cora_server_unref(server);
    return rc;
}

static cora_loops *start_service(struct service *service)
{
    cora_loops *loops;
    int rc = cora_bind_reuse_port("127.0.0.1", "0", service->fds, LOOPS);

    assert_int_equal(rc, 0);
    loops = start(serve, service);
    await_count(&service->serving, LOOPS);
    return loops;
}

static struct sockaddr_in address_of(int fd)
{
    struct sockaddr_in address;
    int rc = getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address});

    assert_int_equal(rc, 0);
    return address;
}

/* A connection that has been answered. */
static int connect_and_talk(const struct service *service)
{
    struct sockaddr_in address = address_of(service->fds[0]);
    int fd = make_tcp();
    char answer[8] = "";

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    put(fd, "hello!\n");
    assert_int_equal(recv(fd, answer, 7, MSG_WAITALL), 7);
    assert_string_equal(answer, "hello!\n");
    return fd;
}

static bool each_has_served(struct service *service)
{
    for (int i = 0; i < LOOPS; i++)
        if (atomic_load(&service->served[i]) == 0)
            return false;
    return true;
}

TEST(servers_on_one_port_share_its_connections)
{
    struct service service = {0};
    cora_loops *loops = start_service(&service);
    int connections = 0, served = 0;

    for (int i = 1; i < LOOPS; i++)
        assert_int_equal(address_of(service.fds[i]).sin_port, address_of(service.fds[0]).sin_port);
    for (; connections < MOST_CONNECTIONS && !each_has_served(&service); connections++)
        close_fd(connect_and_talk(&service));
    for (int i = 0; i < LOOPS; i++) {
        assert_true(atomic_load(&service.served[i]) > 0);
        served += atomic_load(&service.served[i]);
    }
    assert_int_equal(served, connections);
    cora_loops_stop(loops);
    assert_ends(loops, 0);
}

TEST(a_stop_ends_the_connections_that_are_open)
{
    enum { OPEN = 16 };
    struct service service = {0};
    cora_loops *loops = start_service(&service);
    int fds[OPEN];
    char byte;

    for (int i = 0; i < OPEN; i++)
        fds[i] = connect_and_talk(&service);
    cora_loops_stop(loops);
    for (int i = 0; i < OPEN; i++) {
        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
        close_fd(fds[i]);
    }
    assert_ends(loops, 0);
}

TEST(an_address_that_is_taken_is_known_before_anything_is_started)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 1);
    int before = count_descriptors();
    int fds[2] = {-1, -1};
    char service[8];
    int rc;

    snprintf(service, sizeof service, "%d", ntohs(address.sin_port));
    rc = cora_bind_reuse_port("127.0.0.1", service, fds, 2);
    assert_int_equal(rc, -EADDRINUSE);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(fds[0], -1);
    close_fd(listener);
}

TEST(where_not_all_sockets_can_be_had_there_are_none)
{
    int first = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit limit, little;
    int fds[8], before, rc;

    assert_true(first >= 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    before = count_descriptors();
    little = (struct rlimit){.rlim_cur = (rlim_t)first + 4, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &little), 0);
    rc = cora_bind_reuse_port("127.0.0.1", "0", fds, 8);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rc, -EMFILE);
    assert_int_equal(count_descriptors(), before);
    close_fd(first);
}

TEST(without_a_host_they_are_bound_to_all_of_ipv4s_interfaces)
{
    int fds[2];
    int rc = cora_bind_reuse_port(NULL, "0", fds, 2);

    assert_int_equal(rc, 0);
    assert_int_equal(address_of(fds[0]).sin_addr.s_addr, htonl(INADDR_ANY));
    assert_int_not_equal(address_of(fds[0]).sin_port, 0);
    close_pair(fds);
}

TEST(a_name_needs_a_task)
{
    int fds[1];
    int rc = cora_bind_reuse_port("localhost", "0", fds, 1);

    assert_int_equal(rc, -CORA_ENOTASK);
}

/* ---- calls ---------------------------------------------------------------------------------- */

enum { CALLS = 1000 };

struct calls {
    atomic_int running, made[LOOPS];
};

static struct calls calls;

static void note_called(void *loops)
{
    for (int i = 0; i < LOOPS; i++)
        if (cora_loops_get_loop(loops, i) == cora_get_running_loop())
            atomic_fetch_add(&calls.made[i], 1);
}

TEST(a_call_to_all_is_made_once_in_each)
{
    cora_loops *loops = start(rest_until_stopped, &calls.running);

    for (int i = 0; i < CALLS; i++)
        assert_int_equal(cora_loops_call_soon(loops, note_called, loops), 0);
    for (int i = 0; i < LOOPS; i++)
        await_count(&calls.made[i], CALLS);
    cora_loops_stop(loops);
    assert_ends(loops, 0);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(atomic_load(&calls.made[i]), CALLS);
}

static int end_at_once_or_rest(cora_loops *loops, int index, void *arg)
{
    return index % 2 == 0 ? 0 : rest_until_stopped(loops, index, arg);
}

static void await_closed(cora_loop *loop)
{
    int rc = 0;

    while (rc == 0)
        rc = cora_loop_call_soon_threadsafe(loop, ignore, NULL, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
}

TEST(one_that_has_ended_refuses_calls_and_is_passed_over)
{
    cora_loops *loops = start(end_at_once_or_rest, &calls.running);

    for (int i = 0; i < LOOPS; i += 2)
        await_closed(cora_loops_get_loop(loops, i));
    assert_int_equal(cora_loops_call_soon(loops, note_called, loops), 0);
    for (int i = 1; i < LOOPS; i += 2)
        await_count(&calls.made[i], 1);
    cora_loops_stop(loops);
    assert_int_equal(cora_concurrent_future_result(cora_loops_future(loops), INFINITY), 0);
    assert_int_equal(cora_loops_call_soon(loops, note_called, loops), 0);
    cora_loops_free(loops);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(atomic_load(&calls.made[i]), i % 2);
}

/* ---- messages ------------------------------------------------------------------------------- */

#ifdef CORA_SLOW_TESTS
enum { EACH = 1000 };
#else
enum { EACH = 83334 }; /* from each loop to each other: a million in all */
#endif

enum { MAILBOX = 256 };

/* A mailbox a loop. A message is its sender and its number. */
struct post {
    cora_threading_queue mailbox[LOOPS];
    long received[LOOPS][LOOPS]; /* by the first, from the second */
};

struct send_all_args {
    struct post *post;
    intptr_t from;
};

static int send_all(void *arg)
{
    struct send_all_args *a = arg;
    int rc = 0;

    for (intptr_t number = 0; number < EACH; number++)
        for (int to = 0; to < LOOPS && rc == 0; to++)
            if (to != a->from)
                rc = cora_threading_queue_async_put(&a->post->mailbox[to],
                                                    (void *)(number * LOOPS + a->from));
    return rc;
}

static int receive_all(struct post *post, int index)
{
    long *received = post->received[index];

    for (int i = 0; i < EACH * (LOOPS - 1); i++) {
        void *message;
        int rc = cora_threading_queue_async_get(&post->mailbox[index], &message);
        intptr_t from = (intptr_t)message % LOOPS, number = (intptr_t)message / LOOPS;

        if (rc < 0)
            return rc;
        expect(number == received[from]);
        received[from]++;
    }
    return 0;
}

static int correspond(cora_loops *loops, int index, void *arg)
{
    struct post *post = arg;
    cora_task *sender = cora_create_task(send_all, .post = post, .from = index);
    int rc = receive_all(post, index), sent = cora_await_unref(sender);

    (void)loops;
    return rc < 0 ? rc : sent;
}

TEST(a_million_messages_among_loops_arrive_once_and_in_the_order_of_each_sender)
{
    static struct post post;
    int rc;

    for (int i = 0; i < LOOPS; i++)
        cora_threading_queue_init(&post.mailbox[i], MAILBOX);
    rc = run(correspond, &post, &four);
    assert_int_equal(rc, 0);
    for (int i = 0; i < LOOPS; i++) {
        for (int j = 0; j < LOOPS; j++)
            assert_int_equal(post.received[i][j], i == j ? 0 : EACH);
        assert_true(cora_threading_queue_empty(&post.mailbox[i]));
        cora_threading_queue_destroy(&post.mailbox[i]);
    }
}
