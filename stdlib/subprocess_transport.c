/*
 * subprocess_transport.c: a process and the pipes to it as one transport (asyncio's
 * BaseSubprocessTransport).
 *
 * The pipes are transports of their own, whose protocols tell the process's protocol. What may
 * outlive the connection, in a loop that is closed or where not all pipes could be made, has a
 * reference each: a pipe until it is lost, and the watch until the process has ended.
 */
#include <cora/subprocess.h>

#include "child.h"
#include "pipe_transport.h"
#include "spawn.h"
#include "transport.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum { PIPES = 3 };

struct subprocess_transport;

struct pipe_end {
    cora_protocol protocol;
    struct subprocess_transport *process;
    cora_transport *transport; /* a reference; NULL: there is none */
    bool connected;
};

struct subprocess_transport {
    cora_transport base;
    struct cora__child_watch child;
    cora_trigger exited;   /* calls process_exited, */
    cora_context *context; /* in this; a reference, as the watch may outlive the connection */
    struct pipe_end pipe[PIPES];
    int returncode;
    bool has_returncode;
    bool has_exited; /* and the protocol was told */
    bool incomplete; /* not all pipes could be made: the protocol hears of its end only */
};

static const struct cora__transport_kind subprocess_kind;

static struct subprocess_transport *of(const cora_transport *transport)
{
    return transport->kind == &subprocess_kind ? (struct subprocess_transport *)transport : NULL;
}

/* Who is told; NULL: nobody. */
static cora_protocol *protocol_of(const struct subprocess_transport *self)
{
    return self->incomplete ? NULL : self->base.protocol;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void maybe_finish(struct subprocess_transport *self)
{
    bool connected = false;

    for (int i = 0; i < PIPES; i++)
        connected |= self->pipe[i].connected;
    if (self->has_exited && !connected && !self->base.losing)
        cora__transport_lose(&self->base, 0);
}

/* With the watch's reference. */
static void drop_exited(void *arg)
{
    struct subprocess_transport *self = arg;

    cora_context_unref(self->context);
    cora_transport_unref(&self->base);
}

static void process_exited(void *arg)
{
    struct subprocess_transport *self = arg;
    cora_protocol *protocol = protocol_of(self);

    self->has_exited = true;
    if (protocol != NULL && protocol->methods->process_exited != NULL)
        protocol->methods->process_exited(protocol);
    maybe_finish(self);
    drop_exited(self);
}

static void on_end(struct cora__child_watch *child, int returncode)
{
    struct subprocess_transport *self =
        (struct subprocess_transport *)((char *)child -
                                        offsetof(struct subprocess_transport, child));

    self->returncode = returncode;
    self->has_returncode = true;
    (void)!cora_trigger_fire(&self->exited); /* the loop is not closed yet */
}

/* ---- the pipes ----------------------------------------------------------------------------- */

static struct pipe_end *end_of(cora_protocol *protocol)
{
    return (struct pipe_end *)protocol;
}

static int fd_of(const struct pipe_end *end)
{
    return (int)(end - end->process->pipe);
}

static int data_received(cora_protocol *self, const void *data, size_t size)
{
    struct pipe_end *end = end_of(self);
    cora_protocol *protocol = protocol_of(end->process);

    if (protocol != NULL && protocol->methods->pipe_data_received != NULL)
        protocol->methods->pipe_data_received(protocol, fd_of(end), data, size);
    return 0;
}

static void connection_lost(cora_protocol *self, int error)
{
    struct pipe_end *end = end_of(self);
    cora_protocol *protocol = protocol_of(end->process);

    end->connected = false;
    if (protocol != NULL && protocol->methods->pipe_connection_lost != NULL)
        protocol->methods->pipe_connection_lost(protocol, fd_of(end), error);
    maybe_finish(end->process);
    cora_transport_unref(&end->process->base);
}

static void pause_writing(cora_protocol *self)
{
    cora_protocol *protocol = protocol_of(end_of(self)->process);

    if (protocol != NULL && protocol->methods->pause_writing != NULL)
        protocol->methods->pause_writing(protocol);
}

static void resume_writing(cora_protocol *self)
{
    cora_protocol *protocol = protocol_of(end_of(self)->process);

    if (protocol != NULL && protocol->methods->resume_writing != NULL)
        protocol->methods->resume_writing(protocol);
}

static const cora_protocol_methods pipe_methods = {
    .connection_lost = connection_lost,
    .data_received = data_received,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
};

/* *fd is the transport's from then on, and -1. */
static int connect_pipe(struct subprocess_transport *self, int i, int *fd)
{
    cora__transport_create *create =
        i == 0 ? cora__write_pipe_transport_create : cora__read_pipe_transport_create;
    struct pipe_end *end = &self->pipe[i];
    int rc = create(self->base.loop, *fd, &end->protocol, NULL, &end->transport);

    if (rc < 0)
        return rc;
    *fd = -1;
    end->connected = true;
    cora_transport_ref(end->transport);
    cora_transport_ref(&self->base);
    return 0;
}

static int connect_pipes(struct subprocess_transport *self, struct cora__child *child)
{
    int rc = 0;

    for (int i = 0; i < PIPES; i++) {
        self->pipe[i].protocol.methods = &pipe_methods;
        self->pipe[i].process = self;
        if (child->pipe[i] >= 0 && rc == 0)
            rc = connect_pipe(self, i, &child->pipe[i]);
    }
    cora__child_close_pipes(child);
    return rc;
}

static void for_pipes(struct subprocess_transport *self, void (*fn)(cora_transport *transport))
{
    for (int i = 0; i < PIPES; i++)
        if (self->pipe[i].transport != NULL)
            fn(self->pipe[i].transport);
}

/* ---- the transport ------------------------------------------------------------------------- */

/* What waits to be written nobody will read. */
static void kill_and_abort(struct subprocess_transport *self)
{
    cora__child_kill(&self->child);
    for_pipes(self, cora_transport_abort);
}

static void close_subprocess(cora_transport *transport)
{
    struct subprocess_transport *self = of(transport);

    if (self->has_returncode)
        for_pipes(self, cora_transport_close);
    else
        kill_and_abort(self);
}

/* A loop that is closed does not wait for the end. */
static void force_close(cora_transport *transport, int error)
{
    transport->closing = true;
    kill_and_abort(of(transport));
    if (error < 0)
        cora__transport_lose(transport, error);
}

static void release(cora_transport *transport)
{
    struct subprocess_transport *self = of(transport);

    for (int i = 0; i < PIPES; i++) {
        cora_transport_unref(self->pipe[i].transport);
        self->pipe[i].transport = NULL;
    }
}

static const struct cora__transport_kind subprocess_kind = {
    .close = close_subprocess,
    .force_close = force_close,
    .release = release,
};

/* ---- the beginning ------------------------------------------------------------------------- */

/* With a process, whose end is watched, and pipes; or nothing of it is left. */
static int start_process(struct subprocess_transport *self, const char *const argv[],
                         const cora_subprocess_options *options, struct cora__child *child)
{
    int rc = cora__spawn(child, argv, options);

    if (rc < 0)
        return rc;
    rc = cora__child_watch(&self->child, self->base.loop, child->pid, on_end);
    if (rc < 0)
        cora__child_close_pipes(child);
    return rc;
}

static struct subprocess_transport *create(cora_protocol *protocol)
{
    struct subprocess_transport *self = calloc(1, sizeof *self);
    cora_loop *loop = cora_get_running_loop();

    if (self != NULL && cora__transport_init(&self->base, &subprocess_kind, loop, protocol) < 0) {
        free(self);
        return NULL;
    }
    if (self != NULL) {
        self->context = self->base.context;
        cora_trigger_init(&self->exited, loop, process_exited, drop_exited, self);
        cora_trigger_set_context(&self->exited, self->context);
    }
    return self;
}

/* *ret is lent, and begins its life in either case: where not all pipes could be made it is lost.
 */
static int begin(struct subprocess_transport *self, struct cora__child *child, cora_waiter *waiter)
{
    int rc;

    cora__transport_begin(&self->base, NULL);
    cora_transport_ref(&self->base); /* the watch's, */
    cora_context_ref(self->context); /* and this */
    rc = connect_pipes(self, child);
    if (rc == 0) {
        self->base.waiter = waiter;
        cora__transport_made(&self->base);
    } else {
        self->incomplete = true;
        kill_and_abort(self);
        cora__transport_lose(&self->base, rc);
    }
    return rc;
}

static int start(cora_protocol *protocol, const char *const argv[],
                 const cora_subprocess_options *options, cora_waiter *waiter, cora_transport **ret)
{
    struct subprocess_transport *self = create(protocol);
    struct cora__child child;
    int rc = self != NULL ? start_process(self, argv, options, &child) : -ENOMEM;

    if (rc < 0) {
        if (self != NULL)
            cora__transport_uninit(&self->base);
        free(self);
        cora__protocol_lost(protocol, rc);
        return rc;
    }
    *ret = &self->base;
    return begin(self, &child, waiter);
}

int cora_subprocess_exec(cora_protocol_factory *factory, void *arg, const char *const argv[],
                         const cora_subprocess_options *options, cora_transport **ret)
{
    cora_transport *transport;
    cora_protocol *protocol;
    cora_waiter waiter;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    protocol = factory(arg);
    if (protocol == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "a process", NULL);
    rc = start(protocol, argv, options, &waiter, &transport);
    return rc < 0 ? rc : cora__transport_wait_made(transport, &waiter, ret);
}

int cora_subprocess_shell(cora_protocol_factory *factory, void *arg, const char *command,
                          const cora_subprocess_options *options, cora_transport **ret)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};

    return command != NULL ? cora_subprocess_exec(factory, arg, argv, options, ret) : -EINVAL;
}

/* ---- questions and signals ----------------------------------------------------------------- */

pid_t cora_transport_get_pid(const cora_transport *transport)
{
    return of(transport) != NULL ? of(transport)->child.pid : 0;
}

bool cora_transport_get_returncode(const cora_transport *transport, int *ret)
{
    const struct subprocess_transport *self = of(transport);

    if (self == NULL || !self->has_returncode)
        return false;
    *ret = self->returncode;
    return true;
}

cora_transport *cora_transport_get_pipe_transport(const cora_transport *transport, int fd)
{
    return of(transport) != NULL && fd >= 0 && fd < PIPES ? of(transport)->pipe[fd].transport
                                                          : NULL;
}

int cora_transport_send_signal(cora_transport *transport, int signum)
{
    if (of(transport) == NULL)
        return -EOPNOTSUPP;
    return signum == SIGKILL ? cora__child_kill(&of(transport)->child)
                             : cora__child_send_signal(&of(transport)->child, signum);
}

int cora_transport_terminate(cora_transport *transport)
{
    return cora_transport_send_signal(transport, SIGTERM);
}

int cora_transport_kill(cora_transport *transport)
{
    return cora_transport_send_signal(transport, SIGKILL);
}
