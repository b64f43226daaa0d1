/*
 * transport.h: what all transports have in common: who is told, when, and how the end comes.
 *
 * A transport begins by a trigger, which calls connection_made, and ends by another one, which
 * calls connection_lost; they lie in the transport, so that neither can fail for want of memory.
 * Each of the two has a reference to it until it has run.
 */
#ifndef CORA_STDLIB_TRANSPORT_H
#define CORA_STDLIB_TRANSPORT_H

#include "link.h"

#include <cora/server.h>
#include <cora/transport.h>
#include <cora/waiter.h>

/* What a kind of transport does. What is NULL it cannot. */
struct cora__transport_kind {
    size_t default_high;                      /* of what waits to be written; 0: 64 KiB */
    void (*start)(cora_transport *transport); /* connection_made was called */
    void (*close)(cora_transport *transport); /* called once, and not once it is losing */
    void (*force_close)(cora_transport *transport, int error); /* called once */
    void (*set_reading)(cora_transport *transport, bool reading);
    int (*write)(cora_transport *transport, const struct iovec *parts, size_t count);
    int (*write_eof)(cora_transport *transport);
    bool (*can_write_eof)(const cora_transport *transport); /* NULL: where there is write_eof */
    int (*sendto)(cora_transport *transport, const void *data, size_t size,
                  const cora_address *address);
    /* Suspends; -EOPNOTSUPP where the kernel cannot and it may not copy. */
    int (*sendfile)(cora_transport *transport, int file, off_t offset, size_t count, bool may_copy,
                    size_t *ret_sent);
    size_t (*write_buffer_size)(const cora_transport *transport);
    const void *(*get_extra_info)(const cora_transport *transport, const char *name);
    void (*release)(cora_transport *transport); /* connection_lost was called: closes all */
};

struct cora_transport {
    const struct cora__transport_kind *kind;
    cora_loop *loop;
    cora_context *context; /* in which its callbacks run */
    cora_protocol *protocol;
    cora_server *server; /* which has accepted it; or NULL */
    struct cora__link of_loop, of_server;
    unsigned refs;
    cora_trigger made, lost;
    cora_waiter *waiter; /* of who waits for connection_made, and was not woken; or NULL */
    size_t high, low;    /* of what waits to be written */
    int error;           /* for connection_lost */
    unsigned writes_in_vain;
    /* Its protocol had another transport before, and is not told of this. Who waits for it has it
     * read once he has it. */
    bool announced;
    bool ended;          /* its protocol was told that no more comes, and is not told again */
    bool closing;        /* reads no more, and will be lost once all is written */
    bool losing;         /* nothing is read or written any more; connection_lost is due, or was */
    bool reading_paused; /* by the user */
    bool sending_file;   /* neither read nor written by anybody else */
    bool writing_paused; /* the protocol was told so */
};

/*
 * Makes a transport of what is all 0. 0, -ENOMEM, -CORA_ECLOSED: it is as it was. With the context
 * that this makes a descriptor can be watched.
 */
int cora__transport_init(cora_transport *transport, const struct cora__transport_kind *kind,
                         cora_loop *loop, cora_protocol *protocol);

/* Takes that back: the transport has not been started. */
void cora__transport_uninit(cora_transport *transport);

/* Its callbacks run in the other's context from now on. */
void cora__transport_share_context(cora_transport *transport, const cora_transport *other);

/*
 * Begins its life: in the next iteration connection_made is called, then the waiter (NULL: none) is
 * woken, and then the kind's set_reading(true) called. The one reference is its own.
 */
void cora__transport_start(cora_transport *transport, cora_waiter *waiter);

/* The same in two steps: what lies between may end it, too, which also wakes the waiter. */
void cora__transport_begin(cora_transport *transport, cora_waiter *waiter);
void cora__transport_made(cora_transport *transport);

/* Tells a protocol, also one for which no transport could be made, that it is over. */
void cora__protocol_lost(cora_protocol *protocol, int error);

/*
 * Suspends until the waiter is woken. 0: *ret (NULL: not wanted) is a reference; the error with
 * which it was lost before it was made, or -ECONNABORTED; -ECANCELED: it is closed.
 */
int cora__transport_wait_made(cora_transport *transport, cora_waiter *waiter, cora_transport **ret);

/* How a kind of transport of a descriptor is made; see cora__socket_transport_create. */
typedef int cora__transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                   cora_waiter *waiter, cora_transport **ret);

/*
 * In a task: a protocol and a transport for the descriptor, and connection_made. 0; -ECANCELED: the
 * transport closes it; any other error: it is still the caller's. *ret as above.
 */
int cora__transport_establish(cora__transport_create *create, cora_protocol_factory *factory,
                              void *arg, int fd, cora_transport **ret);

/* Nothing is read or written any more, and connection_lost is called: in the next iteration, ... */
void cora__transport_lose(cora_transport *transport, int error);

/* ... or now, from the loop. The transport may be gone afterwards. */
void cora__transport_lose_now(cora_transport *transport, int error);

/* The connection is broken: what is not written is dropped. Nothing if it is losing already. */
void cora__transport_force_close(cora_transport *transport, int error);

/* The same for a method of the protocol's that has failed, with a report. */
void cora__transport_protocol_failed(cora_transport *transport, int error, const char *method);

/* So many bytes wait to be written: the protocol is told where that crosses a mark. */
void cora__transport_maybe_pause(cora_transport *transport, size_t waiting);
void cora__transport_maybe_resume(cora_transport *transport, size_t waiting);

/* In debug mode -CORA_EWRONGTHREAD while its loop runs in another thread; else 0, as for NULL. */
int cora__transport_check_thread(const cora_transport *transport);

/* A write to a lost connection: from the fifth on reported as `what`, with the error of its loss.
 */
void cora__transport_wrote_in_vain(cora_transport *transport, const char *what);

/* Memory of the loop's to receive into, for as long as nobody else is called. */
enum { CORA__SCRATCH_SIZE = 256 << 10 };
char *cora__transport_scratch(const cora_transport *transport);

#endif
