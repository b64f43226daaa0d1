/*
 * stream_reader.c: bytes that come when they like, for a task that takes them as it likes.
 *
 * A task that waits for bytes to put into its own buffer gets them there, past the reader's; if it
 * has room for many, straight from the system (asyncio.BufferedProtocol). What it got by then goes
 * back in front of the reader's where it is cancelled, or does not get as much as it wants. So a
 * connection whose task reads as fast as its peer writes has no buffer.
 */
#include "stream.h"
#include "transport.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEPT_ROOM = 4096,   /* of an empty buffer, for the next line or message */
    DIRECT_ROOM = 4096, /* of a task's own; with less, the system is asked too often */
};

/* The task that waits, on its stack. */
struct reading {
    cora_waiter waiter;
    char *buffer;    /* where the bytes go; NULL: into the reader's */
    size_t size;     /* of that */
    size_t least;    /* with so many the task goes on */
    size_t received; /* since it began */
};

static struct reading *reading_of(const cora_stream_reader *reader)
{
    return cora_wait_queue_empty(&reader->waiters)
               ? NULL
               : (struct reading *)cora_wait_queue_first(&reader->waiters);
}

static size_t unread(const cora_stream_reader *reader)
{
    return cora__buffer_size(&reader->buffer) - reader->handed_out;
}

/* ---- the transport ------------------------------------------------------------------------- */

static void pause_transport(cora_stream_reader *reader)
{
    if (reader->transport == NULL || reader->paused || unread(reader) <= 2 * reader->limit)
        return;
    reader->paused = true;
    cora_transport_pause_reading(reader->transport);
}

static void resume_transport(cora_stream_reader *reader)
{
    if (!reader->paused)
        return;
    reader->paused = false;
    if (reader->transport != NULL)
        cora_transport_resume_reading(reader->transport);
}

static void maybe_resume_transport(cora_stream_reader *reader)
{
    if (unread(reader) <= reader->limit)
        resume_transport(reader);
}

/* ---- what arrives -------------------------------------------------------------------------- */

static void choose_way(cora_stream_reader *reader, const struct reading *reading)
{
    bool direct = reading != NULL && reading->buffer != NULL &&
                  reading->size - reading->received >= DIRECT_ROOM;

    cora__stream_of_reader(reader)->protocol.methods =
        direct ? &cora__stream_direct_methods : &cora__stream_methods;
}

static void receive(cora_stream_reader *reader, struct reading *reading, size_t size)
{
    reading->received += size;
    if (reading->buffer != NULL)
        choose_way(reader, reading);
    if (reading->received >= reading->least)
        cora_waiter_wake(&reading->waiter);
}

size_t cora__stream_reader_room(cora_stream_reader *reader, void **ret_buffer)
{
    struct reading *reading = reading_of(reader);

    *ret_buffer = reading->buffer + reading->received;
    return reading->size - reading->received;
}

void cora__stream_reader_fed(cora_stream_reader *reader, size_t size)
{
    receive(reader, reading_of(reader), size);
}

/* What was handed out stays where it is, and the rest moves away from it. */
static int leave_behind(cora_stream_reader *reader)
{
    struct cora__buffer rest = {0};
    int rc = cora__buffer_append(&rest, cora__buffer_data(&reader->buffer) + reader->handed_out,
                                 unread(reader));

    if (rc < 0)
        return rc;
    reader->left_behind = reader->buffer.memory;
    reader->buffer = rest;
    reader->handed_out = 0;
    return 0;
}

static int append(cora_stream_reader *reader, const void *data, size_t size)
{
    int rc = 0;

    if (reader->handed_out > 0 && size > reader->buffer.room - reader->buffer.end)
        rc = leave_behind(reader);
    return rc == 0 ? cora__buffer_append(&reader->buffer, data, size) : rc;
}

int cora_stream_reader_feed_data(cora_stream_reader *reader, const void *data, size_t size)
{
    struct reading *reading = reading_of(reader);
    size_t taken = 0;
    int rc;

    if (reader->eof)
        return -EPIPE;
    if (size == 0)
        return 0;
    if (reading != NULL && reading->buffer != NULL) {
        size_t room = reading->size - reading->received;

        taken = size < room ? size : room;
        memcpy(reading->buffer + reading->received, data, taken);
    }
    rc = append(reader, (const char *)data + taken, size - taken);
    if (rc < 0)
        return rc;
    if (reading != NULL)
        receive(reader, reading, reading->buffer != NULL ? taken : size);
    if (reading == NULL || !cora_waiter_pending(&reading->waiter))
        pause_transport(reader);
    return 0;
}

static void wake(cora_stream_reader *reader)
{
    struct reading *reading = reading_of(reader);

    if (reading != NULL)
        cora_waiter_wake(&reading->waiter);
}

void cora_stream_reader_feed_eof(cora_stream_reader *reader)
{
    reader->eof = true;
    wake(reader);
}

void cora_stream_reader_set_exception(cora_stream_reader *reader, int error)
{
    reader->exception = error;
    wake(reader);
}

/* ---- what is taken ------------------------------------------------------------------------- */

static void drop_first(cora_stream_reader *reader, size_t size)
{
    cora__buffer_consume_keeping(&reader->buffer, size, KEPT_ROOM);
}

/* Each call begins so: what was handed out is the reader's again. */
static int begin(cora_stream_reader *reader)
{
    int rc = cora__transport_check_thread(cora__stream_of_reader(reader)->writer.transport);

    if (rc < 0)
        return rc;
    if (reading_of(reader) != NULL)
        return -EBUSY;
    if (reader->handed_out > 0)
        drop_first(reader, reader->handed_out);
    reader->handed_out = 0;
    free(reader->left_behind);
    reader->left_behind = NULL;
    return reader->exception;
}

static ssize_t hand_out(cora_stream_reader *reader, size_t size, char **ret_data)
{
    *ret_data = cora__buffer_data(&reader->buffer);
    reader->handed_out = size;
    maybe_resume_transport(reader);
    return (ssize_t)size;
}

static size_t take(cora_stream_reader *reader, char *buffer, size_t size)
{
    size_t there = unread(reader);
    size_t taken = size < there ? size : there;

    if (taken == 0)
        return 0;
    memcpy(buffer, cora__buffer_data(&reader->buffer), taken);
    drop_first(reader, taken);
    maybe_resume_transport(reader);
    return taken;
}

/* What the task has got goes back in front. Without memory the stream is broken. */
static void give_back(cora_stream_reader *reader, const struct reading *reading)
{
    struct cora__buffer whole = {0};
    int rc = cora__buffer_append(&whole, reading->buffer, reading->received);

    if (rc == 0)
        rc = cora__buffer_append(&whole, cora__buffer_data(&reader->buffer), unread(reader));
    if (rc == 0) {
        cora__buffer_clear(&reader->buffer);
        reader->buffer = whole;
        return;
    }
    cora__buffer_clear(&whole);
    cora_stream_reader_set_exception(reader, rc);
    if (reader->transport != NULL)
        cora_transport_abort(reader->transport);
}

/*
 * Suspends until the reading has received its least, or nothing more will come. Waiting while the
 * transport is paused would be waiting for ever.
 */
static int wait_for_data(cora_stream_reader *reader, struct reading *reading)
{
    int rc;

    if (reader->exception < 0)
        return reader->exception;
    resume_transport(reader);
    choose_way(reader, reading);
    rc = cora_wait_queue_wait(&reader->waiters, &reading->waiter, "data of stream reader", reader);
    choose_way(reader, NULL);
    return rc;
}

/* Fills the buffer with as much as there is, and waits where that is not the least. */
static int fill(cora_stream_reader *reader, struct reading *reading)
{
    int rc = 0;

    reading->received = take(reader, reading->buffer, reading->size);
    if (reading->received < reading->least && !reader->eof)
        rc = wait_for_data(reader, reading);
    if (rc == 0 && reading->received < reading->least)
        rc = reader->exception < 0 ? reader->exception : -CORA_EINCOMPLETEREAD;
    if (rc < 0 && reading->received > 0)
        give_back(reader, reading);
    return rc;
}

ssize_t cora_stream_reader_read(cora_stream_reader *reader, void *buffer, size_t size)
{
    struct reading reading = {.buffer = buffer, .size = size, .least = 1};
    int rc = begin(reader);

    if (rc < 0 || size == 0)
        return rc;
    if (size > SSIZE_MAX)
        reading.size = SSIZE_MAX;
    rc = fill(reader, &reading);
    if (rc == -CORA_EINCOMPLETEREAD)
        return 0;
    return rc < 0 ? rc : (ssize_t)reading.received;
}

int cora_stream_reader_readexactly(cora_stream_reader *reader, void *buffer, size_t size)
{
    struct reading reading = {.buffer = buffer, .size = size, .least = size};
    int rc = begin(reader);

    return rc < 0 ? rc : fill(reader, &reading);
}

ssize_t cora_stream_reader_read_until_eof(cora_stream_reader *reader, char **ret_data)
{
    struct reading reading = {.least = SIZE_MAX};
    int rc = begin(reader);

    if (rc == 0 && !reader->eof)
        rc = wait_for_data(reader, &reading);
    if (rc == 0 && !reader->eof)
        rc = reader->exception;
    return rc < 0 ? rc : hand_out(reader, unread(reader), ret_data);
}

/* ---- separators ---------------------------------------------------------------------------- */

struct search {
    const cora_separator *separators;
    size_t count;
    size_t longest;
    size_t offset;     /* before it there is none */
    size_t start, end; /* of what was found */
};

static int begin_search(struct search *search, const cora_separator *separators, size_t count)
{
    *search = (struct search){.separators = separators, .count = count};
    for (size_t i = 0; i < count; i++) {
        if (separators[i].length == 0)
            return -EINVAL;
        if (separators[i].length > search->longest)
            search->longest = separators[i].length;
    }
    return count > 0 ? 0 : -EINVAL;
}

/* Whether this match is the first to end, and of those that end there the shortest. */
static bool is_better(const struct search *search, size_t start, size_t end)
{
    return search->end == 0 || end < search->end || (end == search->end && start > search->start);
}

/* Whether there is one. The next search goes on where a separator may have begun. */
static bool find(struct search *search, const char *data, size_t size)
{
    search->end = 0;
    for (size_t i = 0; i < search->count; i++) {
        const cora_separator *separator = &search->separators[i];
        const char *found = memmem(data + search->offset, size - search->offset, separator->data,
                                   separator->length);
        size_t start = (size_t)(found - data);

        if (found != NULL && is_better(search, start, start + separator->length)) {
            search->start = start;
            search->end = start + separator->length;
        }
    }
    if (search->end == 0 && size + 1 > search->longest + search->offset)
        search->offset = size + 1 - search->longest;
    return search->end > 0;
}

/* Waits until it is found: 0. -CORA_ELIMITOVERRUN, -CORA_EINCOMPLETEREAD, or as wait_for_data. */
static int wait_for_separator(cora_stream_reader *reader, struct search *search)
{
    int rc = 0;

    while (rc == 0) {
        struct reading reading = {.least = 1};

        if (unread(reader) > 0 && find(search, cora__buffer_data(&reader->buffer), unread(reader)))
            return search->start > reader->limit ? -CORA_ELIMITOVERRUN : 0;
        if (search->offset > reader->limit)
            return -CORA_ELIMITOVERRUN;
        if (reader->eof)
            return -CORA_EINCOMPLETEREAD;
        rc = wait_for_data(reader, &reading);
    }
    return rc;
}

ssize_t cora_stream_reader_readuntil_any(cora_stream_reader *reader,
                                         const cora_separator *separators, size_t count,
                                         char **ret_data)
{
    struct search search;
    int rc = begin_search(&search, separators, count);

    if (rc == 0)
        rc = begin(reader);
    if (rc == 0)
        rc = wait_for_separator(reader, &search);
    return rc < 0 ? rc : hand_out(reader, search.end, ret_data);
}

ssize_t cora_stream_reader_readuntil(cora_stream_reader *reader, const void *separator,
                                     size_t length, char **ret_data)
{
    return cora_stream_reader_readuntil_any(reader, &(cora_separator){separator, length}, 1,
                                            ret_data);
}

ssize_t cora_stream_reader_readline(cora_stream_reader *reader, char **ret_line)
{
    struct search search;
    int rc = begin_search(&search, &(cora_separator){"\n", 1}, 1);

    if (rc == 0)
        rc = begin(reader);
    if (rc == 0)
        rc = wait_for_separator(reader, &search);
    if (rc == -CORA_ELIMITOVERRUN) {
        drop_first(reader, search.end > 0 ? search.end : unread(reader));
        maybe_resume_transport(reader);
    }
    if (rc == -CORA_EINCOMPLETEREAD)
        return hand_out(reader, unread(reader), ret_line);
    return rc < 0 ? rc : hand_out(reader, search.end, ret_line);
}

/* ---- another transport --------------------------------------------------------------------- */

size_t cora__stream_reader_peek(const cora_stream_reader *reader, const char **ret_data)
{
    *ret_data = unread(reader) > 0 ? cora__buffer_data(&reader->buffer) + reader->handed_out : NULL;
    return unread(reader);
}

/* What was handed out lies before it, and stays. */
void cora__stream_reader_drop(cora_stream_reader *reader)
{
    reader->buffer.end -= unread(reader);
}

void cora__stream_reader_set_transport(cora_stream_reader *reader, cora_transport *transport)
{
    reader->transport = transport;
    reader->paused = false;
}

/* ---- questions, and the end ---------------------------------------------------------------- */

bool cora_stream_reader_at_eof(const cora_stream_reader *reader)
{
    return reader->eof && unread(reader) == 0;
}

int cora_stream_reader_exception(const cora_stream_reader *reader)
{
    return reader->exception;
}

void cora__stream_reader_set_limit(cora_stream_reader *reader, size_t limit)
{
    reader->limit = limit;
    maybe_resume_transport(reader);
}

void cora__stream_reader_take_back(cora_stream_reader *reader)
{
    reader->handed_out = 0;
}

void cora__stream_reader_clear(cora_stream_reader *reader)
{
    cora__buffer_clear(&reader->buffer);
    free(reader->left_behind);
}
