/* libev: an event loop with callbacks. Of the workloads it has those of timers and echo. */
#include "../measure.h"

#include <ev.h>

/* ---- sleeps ---- */

struct sleeper {
    ev_timer timer;
    int64_t due;
};

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct sleeper *sleeper = (struct sleeper *)timer;

    (void)loop, (void)events;
    nap_ended(sleeper->due);
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
    report_naps(start, cpu, count);
}

/* ---- a timer armed and disarmed while others are armed ---- */

static void never(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
    check(false, "no timer expires");
}

static void run_timeout(long count)
{
    enum { BATCH = 10000 };
    struct ev_loop *loop = ev_default_loop(0);
    ev_timer passing, *others = allocate(count, sizeof *others);
    long armed = 0;

    for (long k = 0; k < count; k++) {
        ev_timer_init(&others[k], never, armed_s(k, count), 0);
        ev_timer_start(loop, &others[k]);
    }
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++) {
            ev_now_update(loop); /* as above */
            ev_timer_init(&passing, never, passing_s, 0);
            ev_timer_start(loop, &passing);
            ev_timer_stop(loop, &passing);
        }
        armed += BATCH;
    } while (!enough(start));
    report("ns", per(cpu_ns() - start, armed), NULL);
}

/* ---- echo ---- */

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    static char buffer[ECHO_BUFFER];
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

static void run_echo_server(long nothing)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_io listener;

    (void)nothing;
    ev_io_init(&listener, on_connection, listen_on_loopback(), EV_READ);
    ev_io_start(loop, &listener);
    report_port(listener.fd);
    ev_run(loop, 0);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"sleep", run_sleep, 100000},
        {"timeout", run_timeout, 100000},
        {"echo_server", run_echo_server, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
