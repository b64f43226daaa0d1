/*
 * ssl_pipe.h: what OpenSSL reads from and writes to in place of a socket (asyncio's two
 * MemoryBIOs).
 *
 * What comes in is lent: OpenSSL takes it from where the transport below has received it, and only
 * what it leaves, a part of a record usually, is copied. A connection on which nothing happens
 * holds no memory here.
 */
#ifndef CORA_STDLIB_SSL_PIPE_H
#define CORA_STDLIB_SSL_PIPE_H

#include "buffer.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* All 0 is an empty one. */
struct cora__ssl_pipe {
    struct cora__buffer incoming;
    const char *lent; /* comes behind that */
    size_t lent_size;
    bool ended; /* nothing more comes in */
    struct cora__buffer outgoing;
    bool no_memory; /* there was none for what was to go out: the connection is broken */
};

/* OpenSSL uses it from now on; it must last as long. 0 or -ENOMEM. */
int cora__ssl_pipe_connect(struct cora__ssl_pipe *pipe, SSL *ssl);

/* These have come in; they are valid until cora__ssl_pipe_keep. */
void cora__ssl_pipe_lend(struct cora__ssl_pipe *pipe, const void *data, size_t size);

/* Copies what is left of them. 0 or -ENOMEM: it is lost. */
int cora__ssl_pipe_keep(struct cora__ssl_pipe *pipe);

/* Drops all that is in it. */
void cora__ssl_pipe_clear(struct cora__ssl_pipe *pipe);

/* Bytes that have come in and have not been read. */
static inline size_t cora__ssl_pipe_pending(const struct cora__ssl_pipe *pipe)
{
    return cora__buffer_size(&pipe->incoming) + pipe->lent_size;
}

#endif
