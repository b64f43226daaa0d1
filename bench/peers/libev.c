/* libev: an event loop with callbacks. Of the workloads it has the sleeps, as timers, and echo. */
#include "../measure.h"

#include <ev.h>

/* ---- sleeps ---- */

struct sleeper {
    ev_timer timer;
    int64_t due;
};

static long ended, early;

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct sleeper *sleeper = (struct sleeper *)timer;

    (void)loop, (void)events;
    early += now_ns() < sleeper->due;
    ended++;
}

static void run_sleep(long count)
{
    struct ev_loop *loop = ev_default_loop(0);
    struct sleeper *sleepers = allocate(count, sizeof *sleepers);
    int64_t start = now_ns(), cpu = cpu_ns();

    for (long k = 0; k < count; k++) {
        int64_t nap = nap_ns(k, count);
        sleepers[k].due = now_ns() + nap;
        ev_now_update(
            loop); /* a timer counts from the loop's time: an old one would make it end early */
        ev_timer_init(&sleepers[k].timer, on_timer, (double)nap / 1e9, 0);
        ev_timer_start(loop, &sleepers[k].timer);
    }
    ev_run(loop, 0);
    check(ended == count, "every timer fires once");
    report_sleep(start, cpu, count, early);
}

/* ---- echo ---- */

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    static char buffer[65536];
    ssize_t size = read(io->fd, buffer, sizeof buffer);

    (void)events;
    if (size < 0 && errno == EAGAIN)
        return;
    /* The client never sends before it has its answer: the write cannot be short. */
    if (size <= 0 || write(io->fd, buffer, (size_t)size) != size) {
        ev_io_stop(loop, io);
        close(io->fd);
        free(io);
    }
}

static void on_connection(struct ev_loop *loop, ev_io *listener, int events)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        fail("accept");
    ev_io *io = allocate(1, sizeof *io);
    ev_io_init(io, on_readable, fd, EV_READ);
    ev_io_start(loop, io);
}

static void on_stdin(struct ev_loop *loop, ev_io *io, int events)
{
    (void)io, (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void on_sigterm(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)signal, (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void run_echo_server(long nothing)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_io listener, input;
    ev_signal term;

    (void)nothing;
    ev_io_init(&listener, on_connection, listen_on_loopback(), EV_READ);
    ev_io_start(loop, &listener);
    ev_io_init(&input, on_stdin, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &input);
    ev_signal_init(&term, on_sigterm, SIGTERM);
    ev_signal_start(loop, &term);
    report_port(listener.fd);

    int64_t cpu = cpu_ns();
    ev_run(loop, 0);
    report("cpu_us", (double)(cpu_ns() - cpu) / 1e3, NULL);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"sleep", run_sleep, 100000},
        {"echo_server", run_echo_server, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
