#include "download.h"

#include "transfer.h"

#include <cora/error.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* FNV-1a. */
static uint64_t hash_of(const char *data, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3;
    return hash;
}

/* ---- comparing with the source ------------------------------------------------------------- */

/* How many bytes of `data` are the same as the body's from `at` on. */
static size_t same_bytes(const struct reply *reply, size_t at, const char *data, size_t size)
{
    size_t same = 0;

    while (same < size && at + same < reply->length && reply->body[at + same] == data[same])
        same++;
    return same;
}

/* Compares the body with the whole of `source`; in `reason`, how they differ if they do. */
static void compare_stream(const struct reply *reply, FILE *source, char *reason, size_t size)
{
    char buffer[4096];
    size_t at = 0, got;

    while ((got = fread(buffer, 1, sizeof buffer, source)) > 0) {
        size_t same = same_bytes(reply, at, buffer, got);

        at += same;
        if (same < got) {
            snprintf(reason, size, "its bytes differ from its source from byte %zu on", at);
            return;
        }
    }
    if (ferror(source))
        snprintf(reason, size, "its source cannot be read to the end");
    else if (at < reply->length)
        snprintf(reason, size, "it has %zu bytes, its source only %zu", reply->length, at);
}

static void compare_with_source(const struct reply *reply, const char *path, char *reason,
                                size_t size)
{
    FILE *source = fopen(path, "rb");

    if (source == NULL) {
        snprintf(reason, size, "its source cannot be opened");
        return;
    }
    compare_stream(reply, source, reason, size);
    fclose(source);
}

/* ---- a file -------------------------------------------------------------------------------- */

void download_begin(struct download *download, struct work *work, size_t index)
{
    download->work = work;
    download->index = index;
    reply_init(&download->reply);
    trace_enter(&work->outcomes[index].trace, TRACE_RUNNING);
}

int download_run(struct download *download, const struct io *io, double deadline)
{
    struct work *work = download->work;
    struct transfer transfer = {
        .io = io,
        .url = &work->files[download->index].url,
        .deadline = deadline,
        .trace = &work->outcomes[download->index].trace,
        .reply = &download->reply,
    };

    return transfer_run(&transfer);
}

static void explain(const struct download *download, int rc, char *reason, size_t size)
{
    if (rc == -EPROTO)
        snprintf(reason, size, "%s", download->reply.problem);
    else if (rc == -ETIMEDOUT)
        snprintf(reason, size, "no complete reply within %g s", download->work->timeout);
    else
        snprintf(reason, size, "%s", cora_strerror(rc));
}

void download_end(struct download *download, int rc)
{
    struct work *work = download->work;
    struct outcome *outcome = &work->outcomes[download->index];
    const struct reply *reply = &download->reply;
    const char *source = work->files[download->index].source;

    if (rc < 0)
        explain(download, rc, outcome->reason, sizeof outcome->reason);
    else if (source != NULL)
        compare_with_source(reply, source, outcome->reason, sizeof outcome->reason);
    outcome->length = reply->length;
    outcome->hash = hash_of(reply->body, reply->length);
    reply_free(&download->reply);
    trace_end(&outcome->trace);
    outcome->ended = true;
    /* Nobody is left to be told where this fails. */
    (void)!send(work->progress_fd, "", 1, MSG_NOSIGNAL);
}

void download_file(struct work *work, size_t index, const struct io *io)
{
    struct download download;

    download_begin(&download, work, index);
    download_end(&download, download_run(&download, io, now() + work->timeout));
}
