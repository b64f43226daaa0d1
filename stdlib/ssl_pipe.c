#ifdef CORA_OPENSSL

#include "ssl_pipe.h"

#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <string.h>

/* ---- the two ends that OpenSSL sees ---------------------------------------------------------- */

static size_t take_incoming(struct cora__ssl_pipe *pipe, char *data, size_t size)
{
    size_t there = cora__buffer_size(&pipe->incoming);

    if (size > there)
        size = there;
    if (size > 0) {
        memcpy(data, cora__buffer_data(&pipe->incoming), size);
        cora__buffer_consume(&pipe->incoming, size);
    }
    return size;
}

static size_t take_lent(struct cora__ssl_pipe *pipe, char *data, size_t size)
{
    if (size > pipe->lent_size)
        size = pipe->lent_size;
    if (size > 0) {
        memcpy(data, pipe->lent, size);
        pipe->lent += size;
        pipe->lent_size -= size;
    }
    return size;
}

static int bio_read(BIO *bio, char *data, int size)
{
    struct cora__ssl_pipe *pipe = BIO_get_data(bio);
    size_t got = take_incoming(pipe, data, (size_t)size);

    got += take_lent(pipe, data + got, (size_t)size - got);
    BIO_clear_retry_flags(bio);
    if (got > 0 || pipe->ended)
        return (int)got;
    BIO_set_retry_read(bio);
    return -1;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct cora__ssl_pipe *pipe = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (cora__buffer_append(&pipe->outgoing, data, (size_t)size) == 0)
        return size;
    pipe->no_memory = true;
    return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct cora__ssl_pipe *pipe = BIO_get_data(bio);

    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_EOF:
        return pipe->ended && cora__ssl_pipe_pending(pipe) == 0;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static BIO_METHOD *method; /* NULL: there was no memory for it */

static void make_method(void)
{
    int type = BIO_get_new_index();

    method = type >= 0 ? BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "cora") : NULL;
    if (method == NULL)
        return;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

/* ---- ours ---------------------------------------------------------------------------------- */

int cora__ssl_pipe_connect(struct cora__ssl_pipe *pipe, SSL *ssl)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio;

    pthread_once(&once, make_method);
    bio = method != NULL ? BIO_new(method) : NULL;
    if (bio == NULL)
        return -ENOMEM;
    BIO_set_data(bio, pipe);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return 0;
}

void cora__ssl_pipe_lend(struct cora__ssl_pipe *pipe, const void *data, size_t size)
{
    pipe->lent = data;
    pipe->lent_size = size;
}

int cora__ssl_pipe_keep(struct cora__ssl_pipe *pipe)
{
    int rc = cora__buffer_append(&pipe->incoming, pipe->lent, pipe->lent_size);

    pipe->lent_size = 0;
    return rc;
}

void cora__ssl_pipe_clear(struct cora__ssl_pipe *pipe)
{
    cora__buffer_clear(&pipe->incoming);
    pipe->lent_size = 0;
    cora__buffer_clear(&pipe->outgoing);
}

#endif
