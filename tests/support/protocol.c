#include "support/protocol.h"

#include "support/test.h"
#include "support/virtual.h"

#include <ctype.h>

static void wake(struct recorder *self)
{
    if (self->waiter != NULL)
        cora_waiter_wake(self->waiter);
}

static void connection_made(cora_protocol *protocol, cora_transport *transport)
{
    struct recorder *self = (struct recorder *)protocol;

    if (!self->silent)
        trace("made");
    self->made++;
    self->transport = transport;
    wake(self);
}

static void connection_lost(cora_protocol *protocol, int error)
{
    struct recorder *self = (struct recorder *)protocol;

    if (!self->silent)
        trace("lost%s%s", error < 0 ? " " : "", error < 0 ? cora_strerrorname(error) : "");
    self->lost++;
    self->error = error;
    self->transport = NULL;
    wake(self);
}

static void pause_writing(cora_protocol *protocol)
{
    if (!((struct recorder *)protocol)->silent)
        trace("pause");
}

static void resume_writing(cora_protocol *protocol)
{
    if (!((struct recorder *)protocol)->silent)
        trace("resume");
    wake((struct recorder *)protocol);
}

static void trace_data(const char *text, size_t size)
{
    bool readable = size <= 40;

    for (size_t i = 0; i < size && readable; i++)
        readable = isprint((unsigned char)text[i]);
    if (readable)
        trace("data %.*s", (int)size, text);
    else
        trace("data %zu", size);
}

static int data_received(cora_protocol *protocol, const void *data, size_t size)
{
    struct recorder *self = (struct recorder *)protocol;

    if (!self->silent)
        trace_data(data, size);
    for (size_t i = 0; i < size && self->received + i < sizeof self->text - 1; i++)
        self->text[self->received + i] = ((const char *)data)[i];
    self->received += size;
    wake(self);
    return self->data_answer;
}

static int eof_received(cora_protocol *protocol)
{
    struct recorder *self = (struct recorder *)protocol;

    if (!self->silent)
        trace("eof");
    self->ended = true;
    wake(self);
    return self->eof_answer;
}

static void datagram_received(cora_protocol *protocol, const void *data, size_t size,
                              const cora_address *sender)
{
    struct recorder *self = (struct recorder *)protocol;

    self->datagrams++;
    self->sender = *sender;
    (void)data_received(protocol, data, size);
}

static void error_received(cora_protocol *protocol, int error)
{
    struct recorder *self = (struct recorder *)protocol;

    if (!self->silent)
        trace("error %s", cora_strerrorname(error));
    self->errors++;
    wake(self);
}

static const cora_protocol_methods methods = {
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .data_received = data_received,
    .eof_received = eof_received,
    .datagram_received = datagram_received,
    .error_received = error_received,
};

static ssize_t get_buffer(cora_protocol *protocol, ssize_t size_hint, void **ret_buffer)
{
    struct recorder *self = (struct recorder *)protocol;

    assert_int_equal(size_hint, -1);
    *ret_buffer = self->buffer;
    return self->room;
}

static int buffer_updated(cora_protocol *protocol, size_t size)
{
    return data_received(protocol, ((struct recorder *)protocol)->buffer, size);
}

static const cora_protocol_methods buffered_methods = {
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .eof_received = eof_received,
};

static cora_protocol *begin(struct recorder *self, const cora_protocol_methods *methods_of)
{
    *self = (struct recorder){.protocol = {methods_of},
                              .eof_answer = self->eof_answer,
                              .data_answer = self->data_answer,
                              .room = self->room,
                              .silent = self->silent};
    return &self->protocol;
}

cora_protocol *record(void *arg)
{
    return begin(arg, &methods);
}

cora_protocol *record_buffered(void *arg)
{
    return begin(arg, &buffered_methods);
}

static int wait_for_news(struct recorder *self)
{
    cora_waiter waiter;
    int rc;

    cora_waiter_init(&waiter, "a recorder", self);
    self->waiter = &waiter;
    rc = cora_waiter_wait(&waiter);
    self->waiter = NULL;
    return rc;
}

int wait_ended(struct recorder *recorder)
{
    while (!recorder->ended)
        assert_int_equal(wait_for_news(recorder), 0);
    return 0;
}

int wait_lost(struct recorder *recorder)
{
    while (recorder->lost == 0)
        assert_int_equal(wait_for_news(recorder), 0);
    return 0;
}

int wait_received(struct recorder *recorder, size_t size)
{
    while (recorder->received < size)
        assert_int_equal(wait_for_news(recorder), 0);
    return 0;
}

int wait_datagrams(struct recorder *recorder, int count)
{
    while (recorder->datagrams < count)
        assert_int_equal(wait_for_news(recorder), 0);
    return 0;
}

int wait_errors(struct recorder *recorder, int count)
{
    while (recorder->errors < count)
        assert_int_equal(wait_for_news(recorder), 0);
    return 0;
}
