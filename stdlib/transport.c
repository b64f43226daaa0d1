#include "transport.h"

#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_HIGH = 64 << 10,
    WRITES_IN_VAIN = 5, /* from which on they are reported */
};

/* ---- the transports of a loop -------------------------------------------------------------- */

struct transports {
    cora_loop *loop;
    struct cora__link *first;
    char scratch[CORA__SCRATCH_SIZE];
};

/* Their connections are lost: at the latest when the loop drops the triggers that this fires. */
static void close_transports(void *object)
{
    struct transports *transports = object;

    while (transports->first != NULL) {
        cora_transport *transport = transports->first->object;

        cora__link_remove(&transport->of_loop);
        cora__transport_force_close(transport, -CORA_ECLOSED);
    }
    free(transports);
}

static const cora_attachment_kind transports_kind = {.close = close_transports};

static struct transports *transports_of(cora_loop *loop)
{
    struct transports *transports = cora_loop_attached(loop, &transports_kind);

    if (transports != NULL)
        return transports;
    transports = malloc(sizeof *transports);
    if (transports == NULL)
        return NULL;
    transports->loop = loop;
    transports->first = NULL;
    if (cora_loop_attach(loop, &transports_kind, transports) < 0) {
        free(transports);
        return NULL;
    }
    return transports;
}

char *cora__transport_scratch(const cora_transport *transport)
{
    struct transports *transports = cora_loop_attached(transport->loop, &transports_kind);

    return transports->scratch;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void drop_made(void *arg)
{
    cora_transport_unref(arg);
}

static void connection_made(void *arg)
{
    cora_transport *transport = arg;
    const cora_protocol_methods *methods = transport->protocol->methods;

    if (methods->connection_made != NULL && !transport->announced)
        methods->connection_made(transport->protocol, transport);
    if (transport->waiter != NULL)
        cora_waiter_wake(transport->waiter);
    transport->waiter = NULL;
    if (cora_transport_is_reading(transport) && !transport->announced)
        transport->kind->set_reading(transport, true);
    if (transport->kind->start != NULL && !transport->losing)
        transport->kind->start(transport);
    cora_transport_unref(transport);
}

void cora__protocol_lost(cora_protocol *protocol, int error)
{
    if (protocol->methods->connection_lost != NULL)
        protocol->methods->connection_lost(protocol, error);
}

static void connection_lost(void *arg)
{
    cora_transport *transport = arg;

    cora__link_remove(&transport->of_loop);
    cora__protocol_lost(transport->protocol, transport->error);
    transport->protocol = NULL;
    if (transport->waiter != NULL)
        cora_waiter_wake(transport->waiter);
    transport->kind->release(transport);
    cora_context_unref(transport->context);
    transport->context = NULL;
    cora__server_detach(transport);
    cora_transport_unref(transport);
}

static size_t default_high(const cora_transport *transport)
{
    return transport->kind->default_high > 0 ? transport->kind->default_high : DEFAULT_HIGH;
}

static void set_context(cora_transport *transport, cora_context *context)
{
    transport->context = context;
    cora_trigger_set_context(&transport->made, context);
    cora_trigger_set_context(&transport->lost, context);
}

int cora__transport_init(cora_transport *transport, const struct cora__transport_kind *kind,
                         cora_loop *loop, cora_protocol *protocol)
{
    cora_context *context;

    if (cora_loop_is_closed(loop))
        return -CORA_ECLOSED;
    if (transports_of(loop) == NULL)
        return -ENOMEM;
    context = cora_copy_context();
    if (context == NULL)
        return -ENOMEM;
    transport->kind = kind;
    transport->loop = loop;
    transport->protocol = protocol;
    transport->high = default_high(transport);
    transport->low = transport->high / 4;
    cora_trigger_init(&transport->made, loop, connection_made, drop_made, transport);
    cora_trigger_init(&transport->lost, loop, connection_lost, connection_lost, transport);
    set_context(transport, context);
    return 0;
}

void cora__transport_uninit(cora_transport *transport)
{
    cora_context_unref(transport->context);
}

void cora__transport_share_context(cora_transport *transport, const cora_transport *other)
{
    cora_context_unref(transport->context);
    set_context(transport, cora_context_ref(other->context));
}

void cora__transport_begin(cora_transport *transport, cora_waiter *waiter)
{
    transport->waiter = waiter;
    transport->refs = 1;
    cora__link_add(&transports_of(transport->loop)->first, &transport->of_loop, transport);
}

void cora__transport_made(cora_transport *transport)
{
    transport->refs++;
    (void)!cora_trigger_fire(&transport->made); /* the loop is not closed */
}

void cora__transport_start(cora_transport *transport, cora_waiter *waiter)
{
    cora__transport_begin(transport, waiter);
    cora__transport_made(transport);
}

int cora__transport_wait_made(cora_transport *transport, cora_waiter *waiter, cora_transport **ret)
{
    bool lost;
    int rc;

    cora_transport_ref(transport);
    rc = cora_waiter_wait(waiter);
    lost = transport->waiter != NULL;
    transport->waiter = NULL;
    if (rc < 0)
        cora_transport_close(transport);
    else if (lost)
        rc = transport->error < 0 ? transport->error : -ECONNABORTED;
    if (rc == 0 && ret != NULL)
        *ret = transport;
    else
        cora_transport_unref(transport);
    return rc;
}

int cora__transport_establish(cora__transport_create *create, cora_protocol_factory *factory,
                              void *arg, int fd, cora_transport **ret)
{
    cora_protocol *protocol = factory(arg);
    cora_transport *transport;
    cora_waiter waiter;
    int rc;

    if (protocol == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "a connection", NULL);
    rc = create(cora_get_running_loop(), fd, protocol, &waiter, &transport);
    if (rc < 0) {
        cora__protocol_lost(protocol, rc);
        return rc;
    }
    return cora__transport_wait_made(transport, &waiter, ret);
}

cora_transport *cora_transport_ref(cora_transport *transport)
{
    transport->refs++;
    return transport;
}

void cora_transport_unref(cora_transport *transport)
{
    if (transport != NULL && --transport->refs == 0)
        free(transport);
}

cora_loop *cora_transport_get_loop(const cora_transport *transport)
{
    return transport->loop;
}

int cora__transport_check_thread(const cora_transport *transport)
{
    if (transport == NULL || transport->protocol == NULL || !cora_loop_get_debug(transport->loop) ||
        cora_get_running_loop() == transport->loop)
        return 0;
    return cora_loop_is_running(transport->loop) ? -CORA_EWRONGTHREAD : 0;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void begin_to_lose(cora_transport *transport, int error)
{
    transport->closing = transport->losing = true;
    transport->error = error;
}

void cora__transport_lose(cora_transport *transport, int error)
{
    begin_to_lose(transport, error);
    (void)!cora_trigger_fire(&transport->lost); /* a closed loop has lost all its transports */
}

void cora__transport_lose_now(cora_transport *transport, int error)
{
    begin_to_lose(transport, error);
    connection_lost(transport);
}

void cora__transport_force_close(cora_transport *transport, int error)
{
    if (!transport->losing)
        transport->kind->force_close(transport, error);
}

void cora__transport_protocol_failed(cora_transport *transport, int error, const char *method)
{
    char message[96];
    cora_exception_context context = {.message = message, .error = error};

    snprintf(message, sizeof message, "Fatal error: protocol.%s() call failed.", method);
    cora_loop_call_exception_handler(transport->loop, &context);
    cora__transport_force_close(transport, error);
}

void cora_transport_close(cora_transport *transport)
{
    if (transport->closing)
        return;
    transport->closing = true;
    transport->kind->close(transport);
}

void cora_transport_abort(cora_transport *transport)
{
    cora__transport_force_close(transport, 0);
}

bool cora_transport_is_closing(const cora_transport *transport)
{
    return transport->closing;
}

/* ---- questions ----------------------------------------------------------------------------- */

const void *cora_transport_get_extra_info(const cora_transport *transport, const char *name)
{
    return transport->kind->get_extra_info != NULL
               ? transport->kind->get_extra_info(transport, name)
               : NULL;
}

/* While a file is being sent what the user wishes takes effect at the end of that. */
static void set_reading(cora_transport *transport, bool reading)
{
    if (!transport->sending_file)
        transport->kind->set_reading(transport, reading);
}

void cora_transport_set_protocol(cora_transport *transport, cora_protocol *protocol)
{
    transport->protocol = protocol;
    if (!transport->ended)
        return;
    transport->ended = false;
    if (cora_transport_is_reading(transport))
        set_reading(transport, true);
}

cora_protocol *cora_transport_get_protocol(const cora_transport *transport)
{
    return transport->protocol;
}

/* ---- reading ------------------------------------------------------------------------------- */

bool cora_transport_is_reading(const cora_transport *transport)
{
    return !transport->closing && !transport->reading_paused &&
           transport->kind->set_reading != NULL;
}

void cora_transport_pause_reading(cora_transport *transport)
{
    if (!cora_transport_is_reading(transport))
        return;
    transport->reading_paused = true;
    set_reading(transport, false);
}

void cora_transport_resume_reading(cora_transport *transport)
{
    if (transport->closing || !transport->reading_paused)
        return;
    transport->reading_paused = false;
    set_reading(transport, true);
}

/* ---- writing ------------------------------------------------------------------------------- */

int cora_transport_writelines(cora_transport *transport, const struct iovec *parts, size_t count)
{
    int rc = cora__transport_check_thread(transport);

    if (transport->kind->write == NULL)
        return -EOPNOTSUPP;
    if (transport->sending_file)
        return -EBUSY;
    return rc < 0 ? rc : transport->kind->write(transport, parts, count);
}

int cora_transport_write(cora_transport *transport, const void *data, size_t size)
{
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};

    return cora_transport_writelines(transport, &part, 1);
}

void cora__transport_wrote_in_vain(cora_transport *transport, const char *what)
{
    cora_exception_context context = {.message = what, .error = transport->error};

    if (++transport->writes_in_vain >= WRITES_IN_VAIN)
        cora_loop_call_exception_handler(transport->loop, &context);
}

bool cora_transport_can_write_eof(const cora_transport *transport)
{
    const struct cora__transport_kind *kind = transport->kind;

    return kind->can_write_eof != NULL ? kind->can_write_eof(transport) : kind->write_eof != NULL;
}

int cora_transport_write_eof(cora_transport *transport)
{
    int rc = cora__transport_check_thread(transport);

    if (!cora_transport_can_write_eof(transport))
        return -EOPNOTSUPP;
    return rc < 0 ? rc : transport->kind->write_eof(transport);
}

int cora_transport_sendto(cora_transport *transport, const void *data, size_t size,
                          const cora_address *address)
{
    int rc = cora__transport_check_thread(transport);

    if (transport->kind->sendto == NULL)
        return -EOPNOTSUPP;
    return rc < 0 ? rc : transport->kind->sendto(transport, data, size, address);
}

/* ---- flow control -------------------------------------------------------------------------- */

size_t cora_transport_get_write_buffer_size(const cora_transport *transport)
{
    return transport->kind->write_buffer_size != NULL
               ? transport->kind->write_buffer_size(transport)
               : 0;
}

int cora_transport_set_write_buffer_limits(cora_transport *transport, ssize_t high, ssize_t low)
{
    if (transport->kind->write_buffer_size == NULL)
        return -EOPNOTSUPP;
    if (high == CORA_DEFAULT_LIMIT && low == CORA_DEFAULT_LIMIT)
        high = (ssize_t)default_high(transport);
    else if (high == CORA_DEFAULT_LIMIT && __builtin_mul_overflow(low, 4, &high))
        return -EINVAL;
    if (low == CORA_DEFAULT_LIMIT)
        low = high / 4;
    if (low < 0 || high < low)
        return -EINVAL;
    transport->high = (size_t)high;
    transport->low = (size_t)low;
    cora__transport_maybe_pause(transport, cora_transport_get_write_buffer_size(transport));
    return 0;
}

void cora_transport_get_write_buffer_limits(const cora_transport *transport, size_t *ret_high,
                                            size_t *ret_low)
{
    *ret_high = transport->high;
    *ret_low = transport->low;
}

void cora__transport_maybe_pause(cora_transport *transport, size_t waiting)
{
    const cora_protocol_methods *methods;

    if (waiting <= transport->high || transport->writing_paused || transport->protocol == NULL)
        return;
    transport->writing_paused = true;
    methods = transport->protocol->methods;
    if (methods->pause_writing != NULL)
        methods->pause_writing(transport->protocol);
}

void cora__transport_maybe_resume(cora_transport *transport, size_t waiting)
{
    const cora_protocol_methods *methods;

    if (!transport->writing_paused || waiting > transport->low || transport->protocol == NULL)
        return;
    transport->writing_paused = false;
    methods = transport->protocol->methods;
    if (methods->resume_writing != NULL)
        methods->resume_writing(transport->protocol);
}
