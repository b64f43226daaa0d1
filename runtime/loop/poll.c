#include "loop/poll.h"

#include "loop/handle.h"
#include "loop/io.h"
#include "loop/signal.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

/*
 * libev waits; the ready queue, the timers, the iteration, wake-ups and signals are ours. Its own
 * timers only end waits. Its pending events are kept back until dispatch, so that polling and
 * running can be separate steps (cora_loop_poll).
 *
 * libev ends the process where it gets no descriptor or no memory. It is therefore not let near
 * either: it opens nothing but its epoll, whose failure it does report, and what a new loop takes
 * of memory is asked for beforehand. That leaves the memory by which it grows when higher
 * descriptors are watched than ever before, and a new epoll in a forked child.
 */
struct cora__poller {
    struct ev_loop *ev;
    ev_timer bound; /* of one wait */
    ev_timer alarm; /* of whichever is under way then */
    ev_io wake;
    int wake_fd[2];     /* to read from and to write to: an eventfd twice, or a pipe; -1: none */
    atomic_bool asleep; /* in a wait, or about to begin one: whoever wakes it must write */
    atomic_bool woken;  /* since the last dispatch: who finds it so has nothing to do */
    unsigned fork_generation;
};

/* ---- forks --------------------------------------------------------------------------------- */

/* Counts forks: a poller made before the last one must be made anew in the child. */
static volatile unsigned fork_generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* What runs or is watched belongs to the parent. */
static void after_fork_in_child(void)
{
    fork_generation++;
    cora__loop_running = NULL;
    cora__signals_after_fork();
    cora__handles_after_fork();
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* ---- waking -------------------------------------------------------------------------------- */

static int open_wake(struct cora__poller *poller)
{
#ifdef __linux__
    poller->wake_fd[0] = poller->wake_fd[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return poller->wake_fd[0] < 0 ? -errno : 0;
#else
    if (pipe(poller->wake_fd) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(poller->wake_fd[i], F_SETFL, O_NONBLOCK);
        fcntl(poller->wake_fd[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
#endif
}

static void close_wake(struct cora__poller *poller)
{
    if (poller->wake_fd[0] >= 0)
        close(poller->wake_fd[0]);
    if (poller->wake_fd[1] != poller->wake_fd[0])
        close(poller->wake_fd[1]);
    poller->wake_fd[0] = poller->wake_fd[1] = -1;
}

/* What woke it is taken in by the dispatch that `woken` asks for; here the descriptor is emptied.
 */
static void on_wake(EV_P_ ev_io *wake, int events)
{
    char bytes[64];

    (void)loop, (void)events;
    while (read(wake->fd, bytes, sizeof bytes) == sizeof bytes)
        continue;
}

static void watch_wake(struct cora__poller *poller)
{
    ev_io_init(&poller->wake, on_wake, poller->wake_fd[0], EV_READ);
    ev_io_start(poller->ev, &poller->wake);
}

/*
 * Either the sleeper sees that it was woken or the waker that it sleeps, for each sets its flag
 * before it looks at the other's. So a loop that is busy costs its wakers no system call, and one
 * that sleeps costs the first of them one.
 */
void cora__poller_wake(struct cora_loop *loop)
{
    struct cora__poller *poller = loop->poller;
    const uint64_t one = 1;

    if (atomic_exchange(&poller->woken, true) || !atomic_load(&poller->asleep))
        return;
    /* Where it cannot be written to it is full, and so has been written to. */
    while (write(poller->wake_fd[1], &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* An exchange, where a store would do: under qemu, of AArch64 on x86-64, the load passes a store.
 */
static bool may_sleep(struct cora__poller *poller)
{
    atomic_exchange(&poller->asleep, true);
    return !atomic_load(&poller->woken);
}

static void take_in(struct cora_loop *loop)
{
    cora__foreign_collect(loop);
    cora__signals_collect(loop);
    if (loop->notified) {
        loop->notified = 0;
        loop->on_notified(loop);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static void keep_pending(EV_P)
{
    (void)loop;
}

/* That it ends the wait is enough. */
static void on_time(EV_P_ ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
}

/* Whether libev will find what a new loop takes, unless another thread is quicker. */
static bool memory_is_left(void)
{
    void *volatile block = malloc((size_t)32 << 10);
    bool is_left = block != NULL;

    free(block);
    return is_left;
}

/* Where there is epoll, libev must not fall back on its poll or select unasked. */
static int create_ev(struct cora__poller *poller)
{
#ifdef __linux__
    const unsigned backend = EVBACKEND_EPOLL;
#else
    const unsigned backend = EVFLAG_AUTO;
#endif

    if (!memory_is_left())
        return -ENOMEM;
    errno = 0;
    poller->ev = ev_loop_new(backend | EVFLAG_NOENV);
    if (poller->ev == NULL)
        return errno != 0 ? -errno : -ENOMEM;
    return 0;
}

static int open_poller(struct cora__poller *poller)
{
    int rc = open_wake(poller);

    if (rc < 0)
        return rc;
    rc = create_ev(poller);
    if (rc < 0)
        close_wake(poller);
    return rc;
}

int cora__poller_create(struct cora_loop *loop)
{
    struct cora__poller *poller = calloc(1, sizeof *poller);
    int rc;

    if (poller == NULL)
        return -ENOMEM;
    pthread_once(&fork_once, watch_forks);
    rc = open_poller(poller);
    if (rc < 0) {
        free(poller);
        return rc;
    }
    ev_set_userdata(poller->ev, loop);
    ev_set_invoke_pending_cb(poller->ev, keep_pending);
    ev_timer_init(&poller->bound, on_time, 0, 0);
    ev_timer_init(&poller->alarm, on_time, 0, 0);
    watch_wake(poller);
    poller->fork_generation = fork_generation;
    loop->poller = poller;
    return 0;
}

void cora__poller_destroy(struct cora_loop *loop)
{
    struct cora__poller *poller = loop->poller;

    ev_io_stop(poller->ev, &poller->wake);
    ev_loop_destroy(poller->ev);
    close_wake(poller);
    free(poller);
    loop->poller = NULL;
}

unsigned cora__poller_forks(void)
{
    return fork_generation;
}

bool cora__poller_is_inherited(const struct cora_loop *loop)
{
    return loop->poller->fork_generation != fork_generation;
}

/* In a forked child: the old descriptors are the parent's too. */
static int renew(struct cora_loop *loop)
{
    struct cora__poller *poller = loop->poller;
    int rc;

    atomic_store(&poller->woken, true); /* as a thread of the parent's may have been about to do */
    ev_io_stop(poller->ev, &poller->wake);
    close_wake(poller);
    rc = open_wake(poller);
    if (rc < 0)
        return rc;
    watch_wake(poller);
    ev_loop_fork(poller->ev);
    poller->fork_generation = fork_generation;
    return 0;
}

/* ---- an iteration -------------------------------------------------------------------------- */

static void arm(struct cora__poller *poller, ev_timer *timer, double delay)
{
    ev_now_update(poller->ev); /* or it would count from the last wait */
    ev_timer_stop(poller->ev, timer);
    ev_timer_set(timer, delay, 0);
    ev_timer_start(poller->ev, timer);
}

void cora__poller_alarm(struct cora_loop *loop, double delay)
{
    arm(loop->poller, &loop->poller->alarm, delay);
}

static void sleep_on(struct cora__poller *poller, double timeout)
{
    if (timeout > 0)
        arm(poller, &poller->bound, timeout);
    ev_run(poller->ev, EVRUN_ONCE);
    if (timeout > 0)
        ev_timer_stop(poller->ev, &poller->bound);
}

int cora__poller_wait(struct cora_loop *loop, double timeout)
{
    struct cora__poller *poller = loop->poller;
    int rc = cora__poller_is_inherited(loop) ? renew(loop) : 0;

    if (rc < 0)
        return rc;
    cora__io_before_poll(loop);
    if (loop->trace.on)
        cora__trace_push(loop->trace.row, CORA__TRACE_POLL, "poll", NULL);
    if (timeout != 0 && may_sleep(poller))
        sleep_on(poller, timeout);
    else
        ev_run(poller->ev, EVRUN_NOWAIT);
    atomic_store(&poller->asleep, false);
    if (loop->trace.on)
        cora__trace_pop(loop->trace.row);
    return 0;
}

bool cora__poller_has_events(const struct cora_loop *loop)
{
    return ev_pending_count(loop->poller->ev) > 0 || atomic_load(&loop->poller->woken);
}

/* `woken` goes first: what comes from then on asks for the next dispatch. */
void cora__poller_dispatch(struct cora_loop *loop)
{
    if (atomic_exchange(&loop->poller->woken, false))
        take_in(loop);
    ev_invoke_pending(loop->poller->ev);
}

struct ev_loop *cora__poller_ev(const struct cora_loop *loop)
{
    return loop->poller->ev;
}
