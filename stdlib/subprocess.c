/*
 * subprocess.c: a process and its streams for tasks (asyncio.subprocess.Process, and the protocol
 * that it hangs on).
 *
 * Its references: those of its users, and the connection's until connection_lost. Its pipes have a
 * stream each, of which either the reader or the writer is used.
 */
#include <cora/subprocess.h>

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIPES = 3 };

struct cora_process {
    cora_protocol protocol;
    cora_transport *transport; /* a reference; NULL: it was not started */
    struct cora__stream *stream[PIPES];
    cora_wait_queue waiters; /* for its end */
    unsigned refs;
    bool connected; /* one of them is the transport's */
    bool exited;
};

/* ---- references ---------------------------------------------------------------------------- */

static void destroy(cora_process *process)
{
    for (int i = 0; i < PIPES; i++)
        if (process->stream[i] != NULL)
            cora__stream_unref(process->stream[i]);
    cora_transport_unref(process->transport);
    free(process);
}

cora_process *cora_process_ref(cora_process *process)
{
    process->refs++;
    return process;
}

void cora_process_unref(cora_process *process)
{
    if (process == NULL)
        return;
    process->refs--;
    if (process->refs == 0)
        destroy(process);
    else if (process->refs == 1 && process->connected && process->transport != NULL)
        cora_transport_close(process->transport);
}

/* ---- the protocol -------------------------------------------------------------------------- */

static cora_process *process_of(cora_protocol *protocol)
{
    return (cora_process *)protocol;
}

static void connection_made(cora_protocol *self, cora_transport *transport)
{
    cora_process *process = process_of(self);

    process->transport = cora_transport_ref(transport);
    for (int i = 0; i < PIPES; i++) {
        if (process->stream[i] == NULL)
            continue;
        cora__stream_protocol(process->stream[i]);
        cora__stream_connection_made(process->stream[i],
                                     cora_transport_get_pipe_transport(transport, i));
    }
}

static void pipe_data_received(cora_protocol *self, int fd, const void *data, size_t size)
{
    struct cora__stream *stream = process_of(self)->stream[fd];
    int rc = cora_stream_reader_feed_data(&stream->reader, data, size);

    if (rc < 0) { /* what cannot be kept is missing */
        cora_stream_reader_set_exception(&stream->reader, rc);
        cora_transport_abort(stream->writer.transport);
    }
}

static bool has_output(const cora_process *process)
{
    bool connected = false;

    for (int i = 1; i < PIPES; i++)
        connected |= process->stream[i] != NULL && process->stream[i]->connected;
    return connected;
}

/* With nothing left to be read, there is nothing left to be written for. */
static void maybe_close(cora_process *process)
{
    if (process->exited && !has_output(process))
        cora_transport_close(process->transport);
}

static void pipe_connection_lost(cora_protocol *self, int fd, int error)
{
    cora_process *process = process_of(self);

    cora__stream_connection_lost(process->stream[fd], error);
    maybe_close(process);
}

static void process_exited(cora_protocol *self)
{
    cora_process *process = process_of(self);

    process->exited = true;
    while (cora_wait_queue_wake_first(&process->waiters))
        continue;
    maybe_close(process);
}

static void connection_lost(cora_protocol *self, int error)
{
    cora_process *process = process_of(self);

    (void)error;
    process->connected = false;
    cora_process_unref(process);
}

static void pause_writing(cora_protocol *self)
{
    cora__stream_pause_writing(process_of(self)->stream[0]);
}

static void resume_writing(cora_protocol *self)
{
    cora__stream_resume_writing(process_of(self)->stream[0]);
}

static const cora_protocol_methods process_methods = {
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .pipe_data_received = pipe_data_received,
    .pipe_connection_lost = pipe_connection_lost,
    .process_exited = process_exited,
};

static cora_protocol *process_protocol(void *arg)
{
    cora_process *process = arg;

    process->refs++;
    process->connected = true;
    return &process->protocol;
}

/* ---- the beginning ------------------------------------------------------------------------- */

static cora_process *create(const cora_subprocess_options *options)
{
    static const cora_subprocess_options none;
    const cora_subprocess_options *o = options != NULL ? options : &none;
    const int how[PIPES] = {o->in, o->out, o->err};
    cora_process *process = calloc(1, sizeof *process);
    bool complete = process != NULL;

    for (int i = 0; i < PIPES && complete; i++) {
        if (how[i] != CORA_SUBPROCESS_PIPE)
            continue;
        process->stream[i] = cora__stream_create(o->limit > 0 ? o->limit : CORA_STREAM_LIMIT);
        complete = process->stream[i] != NULL;
    }
    if (process == NULL)
        return NULL;
    process->protocol.methods = &process_methods;
    process->refs = 1;
    if (!complete)
        cora_process_unref(process);
    return complete ? process : NULL;
}

static int created(cora_process *process, int rc, cora_process **ret)
{
    if (rc < 0)
        cora_process_unref(process);
    else
        *ret = process;
    return rc;
}

int cora_create_subprocess_exec(const char *const argv[], const cora_subprocess_options *options,
                                cora_process **ret)
{
    cora_process *process = create(options);

    if (process == NULL)
        return -ENOMEM;
    return created(process, cora_subprocess_exec(process_protocol, process, argv, options, NULL),
                   ret);
}

int cora_create_subprocess_shell(const char *command, const cora_subprocess_options *options,
                                 cora_process **ret)
{
    cora_process *process = create(options);

    if (process == NULL)
        return -ENOMEM;
    return created(process,
                   cora_subprocess_shell(process_protocol, process, command, options, NULL), ret);
}

/* ---- what there is to know ----------------------------------------------------------------- */

cora_stream_writer *cora_process_stdin(cora_process *process)
{
    return process->stream[0] != NULL ? &process->stream[0]->writer : NULL;
}

cora_stream_reader *cora_process_stdout(cora_process *process)
{
    return process->stream[1] != NULL ? &process->stream[1]->reader : NULL;
}

cora_stream_reader *cora_process_stderr(cora_process *process)
{
    return process->stream[2] != NULL ? &process->stream[2]->reader : NULL;
}

pid_t cora_process_pid(const cora_process *process)
{
    return cora_transport_get_pid(process->transport);
}

bool cora_process_returncode(const cora_process *process, int *ret)
{
    return cora_transport_get_returncode(process->transport, ret);
}

/* ---- signals ------------------------------------------------------------------------------- */

int cora_process_send_signal(cora_process *process, int signum)
{
    return cora_transport_send_signal(process->transport, signum);
}

int cora_process_terminate(cora_process *process)
{
    return cora_transport_terminate(process->transport);
}

int cora_process_kill(cora_process *process)
{
    return cora_transport_kill(process->transport);
}

/* ---- waiting ------------------------------------------------------------------------------- */

int cora_process_wait(cora_process *process, int *ret)
{
    cora_waiter waiter;
    int returncode, rc = 0;

    if (!cora_process_returncode(process, &returncode))
        rc = cora_wait_queue_wait(&process->waiters, &waiter, "the end of process", process);
    if (rc < 0)
        return rc;
    if (cora_process_returncode(process, &returncode) && ret != NULL)
        *ret = returncode;
    return 0;
}

/* It is sent, as far as it is read, while we wait for other things. */
static int feed(cora_process *process, const void *input, size_t size)
{
    cora_stream_writer *writer = cora_process_stdin(process);
    int rc = 0;

    if (writer == NULL)
        return size > 0 ? -EINVAL : 0;
    if (size > 0 && !cora_stream_writer_is_closing(writer))
        rc = cora_stream_writer_write(writer, input, size);
    if (rc == 0)
        cora_stream_writer_close(writer);
    return rc;
}

/* Nothing holds up any of the streams: so they can be read one after the other. */
static void lift_limits(cora_process *process)
{
    for (int i = 1; i < PIPES; i++)
        if (process->stream[i] != NULL)
            cora__stream_reader_set_limit(&process->stream[i]->reader, SIZE_MAX / 2);
}

/* What was read, lent by its reader. */
struct piece {
    char *data;
    ssize_t size;
};

static int read_all(cora_stream_reader *reader, struct piece *ret)
{
    if (reader == NULL)
        return 0;
    ret->size = cora_stream_reader_read_until_eof(reader, &ret->data);
    return ret->size < 0 ? (int)ret->size : 0;
}

static void take_back(cora_stream_reader *reader, struct piece piece)
{
    if (piece.data != NULL)
        cora__stream_reader_take_back(reader);
}

/* A copy, for what is lent goes with its reader; none where there is no pipe. */
static int copy(const cora_stream_reader *reader, struct piece piece, char **ret, size_t *ret_size)
{
    if (reader == NULL)
        return 0;
    *ret = malloc((size_t)piece.size + 1);
    if (*ret == NULL)
        return -ENOMEM;
    if (piece.size > 0)
        memcpy(*ret, piece.data, (size_t)piece.size);
    (*ret)[piece.size] = '\0';
    *ret_size = (size_t)piece.size;
    return 0;
}

static int copy_output(cora_process *process, struct piece out, struct piece err,
                       cora_process_output *ret)
{
    cora_process_output output = {.out = NULL};
    int rc = copy(cora_process_stdout(process), out, &output.out, &output.out_size);

    if (rc == 0)
        rc = copy(cora_process_stderr(process), err, &output.err, &output.err_size);
    if (rc < 0)
        cora_process_output_clear(&output);
    else
        *ret = output;
    return rc;
}

int cora_process_communicate(cora_process *process, const void *input, size_t size,
                             cora_process_output *ret)
{
    struct piece out = {NULL, 0}, err = {NULL, 0};
    int rc = feed(process, input, size);

    if (rc < 0)
        return rc;
    lift_limits(process);
    rc = read_all(cora_process_stdout(process), &out);
    if (rc == 0)
        rc = read_all(cora_process_stderr(process), &err);
    if (rc == 0)
        rc = cora_process_wait(process, NULL);
    if (rc == 0 && ret != NULL)
        rc = copy_output(process, out, err, ret);
    if (rc < 0) {
        take_back(cora_process_stdout(process), out);
        take_back(cora_process_stderr(process), err);
    }
    return rc;
}

void cora_process_output_clear(cora_process_output *output)
{
    free(output->out);
    free(output->err);
    *output = (cora_process_output){.out = NULL};
}
