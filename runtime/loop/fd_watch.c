/* fd_watch.c: descriptors that belong to objects of libraries. */
#include "loop/io.h"

struct watch {
    struct cora_loop *loop; /* NULL: it is closed */
    int fd;
    struct cora__io_waiter waiter[2];
};

_Static_assert(sizeof(struct watch) <= sizeof(cora_fd_watch), "cora_fd_watch is too small");

static void init_waiter(struct watch *watch, enum cora__direction direction, cora_callback *fn,
                        void *arg, cora_context *context)
{
    struct cora__io_waiter *waiter = &watch->waiter[direction];

    cora__handle_init(&waiter->handle, fn, arg);
    waiter->handle.context = context;
    waiter->once = false;
    waiter->owner = watch;
}

int cora_fd_watch_open(cora_fd_watch *self, cora_loop *loop, int fd, cora_callback *on_readable,
                       cora_callback *on_writable, void *arg, cora_context *context)
{
    struct watch *watch = (struct watch *)self;
    int rc = cora__loop_check(loop);

    watch->loop = NULL;
    if (rc == 0)
        rc = cora__io_claim(loop, fd, watch);
    if (rc < 0)
        return rc;
    watch->loop = loop;
    watch->fd = fd;
    init_waiter(watch, CORA__READ, on_readable, arg, context);
    init_waiter(watch, CORA__WRITE, on_writable, arg, context);
    return 0;
}

/* Where it is watched already, that is the waiter's own and the loop says -EBUSY. */
static void start(struct watch *watch, enum cora__direction direction)
{
    if (watch->loop != NULL)
        (void)!cora__io_start(watch->loop, watch->fd, direction, &watch->waiter[direction]);
}

static void stop(struct watch *watch, enum cora__direction direction)
{
    if (watch->loop != NULL)
        cora__io_stop(watch->loop, watch->fd, direction, &watch->waiter[direction]);
}

void cora_fd_watch_start_reading(cora_fd_watch *self)
{
    start((struct watch *)self, CORA__READ);
}

void cora_fd_watch_stop_reading(cora_fd_watch *self)
{
    stop((struct watch *)self, CORA__READ);
}

void cora_fd_watch_start_writing(cora_fd_watch *self)
{
    start((struct watch *)self, CORA__WRITE);
}

void cora_fd_watch_stop_writing(cora_fd_watch *self)
{
    stop((struct watch *)self, CORA__WRITE);
}

void cora_fd_watch_close(cora_fd_watch *self)
{
    struct watch *watch = (struct watch *)self;

    stop(watch, CORA__READ);
    stop(watch, CORA__WRITE);
    if (watch->loop != NULL)
        cora__io_disclaim(watch->loop, watch->fd, watch);
    watch->loop = NULL;
}
