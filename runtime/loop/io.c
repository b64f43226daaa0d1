/*
 * io.c: who waits for which descriptor.
 *
 * Each descriptor has one entry with one libev watcher and one waiter for each direction. libev
 * changes the kernel's interest only right before it polls, so a waiter that leaves and comes back
 * in between, as a server's does with every request, costs no system call. Nor does libev hear of
 * it: a watcher whose waiter has been served runs on until the loop is about to poll.
 */
#include "loop/io.h"

#include "loop/poll.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct watcher {
    ev_io io;
    struct cora__list served; /* in loop->served: it is to stop unless somebody waits anew */
};

struct fd_entry {
    struct watcher watcher[2];
    struct cora__io_waiter *waiter[2];
    struct cora__io_waiter callback[2]; /* of add_reader and add_writer */
    struct cora_context context[2];
    const void *owner; /* only its waiters may wait; NULL: all may */
    bool fresh[2];     /* the number may stand for another descriptor than the poller knows */
    bool drained;      /* the last read took all there was */
};

/* By number; entries are made when first needed. */
struct cora__fds {
    int room;
    struct fd_entry *entry[];
};

static const int EVENT[2] = {EV_READ, EV_WRITE};

static struct fd_entry *find(const struct cora_loop *loop, int fd)
{
    return loop->fds != NULL && fd >= 0 && fd < loop->fds->room ? loop->fds->entry[fd] : NULL;
}

static void stop_watching(struct cora_loop *loop, struct watcher *watcher)
{
    cora__list_remove(&watcher->served);
    ev_io_stop(cora__poller_ev(loop), &watcher->io);
}

void cora__io_before_poll(struct cora_loop *loop)
{
    while (!cora__list_empty(&loop->served))
        stop_watching(loop, cora__container_of(loop->served.next, struct watcher, served));
}

static void on_event(EV_P_ ev_io *io, int events)
{
    struct cora_loop *cora = ev_userdata(loop);
    struct fd_entry *entry = find(cora, io->fd);
    enum cora__direction direction =
        io == &entry->watcher[CORA__READ].io ? CORA__READ : CORA__WRITE;
    struct cora__io_waiter *waiter = entry->waiter[direction];

    if (direction == CORA__READ)
        entry->drained = false;
    if (waiter == NULL)
        return;
    /* EV_ERROR: libev has dropped the watcher, for the descriptor was closed under it. */
    waiter->result = events & EV_ERROR ? -EBADF : 0;
    /* It stays known until its task runs: the descriptor may be closed before that. */
    if (waiter->once)
        cora__list_append(&cora->served, &entry->watcher[direction].served);
    else if (waiter->result < 0)
        cora__io_stop(cora, io->fd, direction, waiter);
    if (cora__list_empty(&waiter->handle.link))
        cora__loop_push(cora, &waiter->handle);
}

static struct fd_entry *find_or_create(struct cora_loop *loop, int fd)
{
    struct cora__fds *fds = loop->fds;
    int room = fds != NULL ? fds->room : 0;

    if (fd >= room) {
        int more = fd < 64 ? 64 : fd * 2;

        fds = realloc(fds, sizeof *fds + (size_t)more * sizeof fds->entry[0]);
        if (fds == NULL)
            return NULL;
        memset(&fds->entry[room], 0, (size_t)(more - room) * sizeof fds->entry[0]);
        fds->room = more;
        loop->fds = fds;
    }
    if (fds->entry[fd] == NULL) { /* NOLINT(clang-analyzer-core.NullDereference): fd >= 0 */
        struct fd_entry *entry = calloc(1, sizeof *entry);

        if (entry == NULL)
            return NULL;
        for (int i = 0; i < 2; i++) {
            ev_io_init(&entry->watcher[i].io, on_event, fd, EVENT[i]);
            cora__list_init(&entry->watcher[i].served);
            entry->fresh[i] = true;
        }
        fds->entry[fd] = entry;
    }
    return fds->entry[fd];
}

/* What libev or epoll would trip over is refused here. */
static int check_pollable(int fd)
{
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -EBADF;
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

static int start(struct cora_loop *loop, struct fd_entry *entry, int fd,
                 enum cora__direction direction, struct cora__io_waiter *waiter)
{
    struct watcher *watcher = &entry->watcher[direction];

    if (entry->waiter[direction] != NULL || entry->owner != waiter->owner)
        return -EBUSY;
    entry->waiter[direction] = waiter;
    waiter->result = 0;
    loop->watched++;
    if (entry->fresh[direction]) {
        stop_watching(loop, watcher);
        ev_io_set(&watcher->io, fd, EVENT[direction]);
        entry->fresh[direction] = false;
    }
    cora__list_remove(&watcher->served);
    if (!ev_is_active(&watcher->io))
        ev_io_start(cora__poller_ev(loop), &watcher->io);
    return 0;
}

/* What is known to the poller has been looked at before. */
int cora__io_start(struct cora_loop *loop, int fd, enum cora__direction direction,
                   struct cora__io_waiter *waiter)
{
    struct fd_entry *entry = find(loop, fd);
    int rc = entry == NULL || entry->fresh[direction] ? check_pollable(fd) : 0;

    if (rc < 0)
        return rc;
    if (entry == NULL)
        entry = find_or_create(loop, fd);
    return entry != NULL ? start(loop, entry, fd, direction, waiter) : -ENOMEM;
}

void cora__io_stop(struct cora_loop *loop, int fd, enum cora__direction direction,
                   struct cora__io_waiter *waiter)
{
    struct fd_entry *entry = find(loop, fd);

    cora__list_remove(&waiter->handle.link);
    if (entry == NULL || entry->waiter[direction] != waiter)
        return;
    entry->waiter[direction] = NULL;
    loop->watched--;
    if (cora__list_empty(&entry->watcher[direction].served))
        ev_io_stop(cora__poller_ev(loop), &entry->watcher[direction].io);
}

void cora__io_forget(struct cora_loop *loop, int fd)
{
    struct fd_entry *entry = find(loop, fd);

    if (entry == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        struct cora__io_waiter *waiter = entry->waiter[i];

        if (waiter != NULL)
            cora__io_stop(loop, fd, (enum cora__direction)i, waiter);
        stop_watching(loop, &entry->watcher[i]);
        if (waiter == NULL)
            continue;
        if (waiter != &entry->callback[i]) { /* a callback has no way to hear of it */
            waiter->result = -EBADF;
            cora__loop_push(loop, &waiter->handle);
        }
    }
    entry->owner = NULL;
    cora__io_opened(loop, fd); /* whoever has the number next */
}

int cora__io_claim(struct cora_loop *loop, int fd, const void *owner)
{
    int rc = check_pollable(fd);
    struct fd_entry *entry;

    if (rc < 0)
        return rc;
    entry = find_or_create(loop, fd);
    if (entry == NULL)
        return -ENOMEM;
    if (entry->owner != NULL || entry->waiter[CORA__READ] != NULL ||
        entry->waiter[CORA__WRITE] != NULL)
        return -EBUSY;
    entry->owner = owner;
    cora__io_opened(loop, fd);
    return 0;
}

void cora__io_disclaim(struct cora_loop *loop, int fd, const void *owner)
{
    struct fd_entry *entry = find(loop, fd);

    if (entry != NULL && entry->owner == owner)
        entry->owner = NULL;
}

void cora__io_opened(struct cora_loop *loop, int fd)
{
    struct fd_entry *entry = find(loop, fd);

    if (entry == NULL)
        return; /* never used: libev knows nothing of it */
    entry->fresh[CORA__READ] = entry->fresh[CORA__WRITE] = true;
    entry->drained = false;
}

bool cora__io_is_drained(struct cora_loop *loop, int fd)
{
    struct fd_entry *entry = find(loop, fd);

    return entry != NULL && entry->drained;
}

void cora__io_set_drained(struct cora_loop *loop, int fd)
{
    struct fd_entry *entry = find(loop, fd);

    if (entry != NULL)
        entry->drained = true;
}

void cora__io_close(struct cora_loop *loop)
{
    for (int fd = 0; loop->fds != NULL && fd < loop->fds->room; fd++) {
        struct fd_entry *entry = loop->fds->entry[fd];

        if (entry == NULL)
            continue;
        for (int i = 0; i < 2; i++) {
            stop_watching(loop, &entry->watcher[i]);
            cora__context_clear(&entry->context[i]);
        }
        free(entry);
    }
    free(loop->fds);
    loop->fds = NULL;
    loop->watched = 0;
}

/* ---- add_reader and its like --------------------------------------------------------------- */

static int add(struct cora_loop *loop, int fd, enum cora__direction direction, cora_callback *fn,
               void *arg)
{
    struct cora_context context;
    int rc = fn != NULL ? cora__loop_check(loop) : -EINVAL;

    if (rc == 0)
        rc = check_pollable(fd);
    if (rc < 0)
        return rc;

    struct fd_entry *entry = find_or_create(loop, fd);

    if (entry == NULL)
        return -ENOMEM;

    struct cora__io_waiter *waiter = &entry->callback[direction];

    if (entry->owner != NULL)
        return -EBUSY;
    if (entry->waiter[direction] == waiter)
        cora__io_stop(loop, fd, direction, waiter);
    cora__io_opened(loop, fd);
    rc = start(loop, entry, fd, direction, waiter);
    if (rc < 0)
        return rc;
    cora__context_copy_current(&context); /* it may be this callback's own */
    cora__context_clear(&entry->context[direction]);
    entry->context[direction] = context;
    cora__handle_init(&waiter->handle, fn, arg);
    waiter->handle.context = &entry->context[direction];
    waiter->once = false;
    return 0;
}

static bool discard(struct cora_loop *loop, int fd, enum cora__direction direction)
{
    struct fd_entry *entry = find(loop, fd);

    if (entry == NULL || entry->waiter[direction] != &entry->callback[direction])
        return false;
    cora__io_stop(loop, fd, direction, entry->waiter[direction]);
    return true;
}

int cora_loop_add_reader(cora_loop *loop, int fd, cora_callback *fn, void *arg)
{
    return add(loop, fd, CORA__READ, fn, arg);
}

int cora_loop_add_writer(cora_loop *loop, int fd, cora_callback *fn, void *arg)
{
    return add(loop, fd, CORA__WRITE, fn, arg);
}

bool cora_loop_remove_reader(cora_loop *loop, int fd)
{
    return discard(loop, fd, CORA__READ);
}

bool cora_loop_remove_writer(cora_loop *loop, int fd)
{
    return discard(loop, fd, CORA__WRITE);
}
