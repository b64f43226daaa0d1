/*
 * ssl_none.c: the calls of <cora/ssl.h> where there is no OpenSSL. No context ever comes to be.
 */
#ifndef CORA_OPENSSL

#include "ssl_protocol.h"

#include <errno.h>

int cora_ssl_create_default_context(cora_ssl_context **ret, enum cora_ssl_purpose purpose,
                                    const char *cafile)
{
    (void)ret, (void)purpose, (void)cafile;
    return -EOPNOTSUPP;
}

cora_ssl_context *cora_ssl_context_ref(cora_ssl_context *context)
{
    return context;
}

void cora_ssl_context_unref(cora_ssl_context *context)
{
    (void)context;
}

int cora_ssl_context_load_cert_chain(cora_ssl_context *context, const char *certfile,
                                     const char *keyfile, const char *password)
{
    (void)context, (void)certfile, (void)keyfile, (void)password;
    return -EOPNOTSUPP;
}

int cora_ssl_context_load_verify_locations(cora_ssl_context *context, const char *cafile,
                                           const char *capath, const char *cadata)
{
    (void)context, (void)cafile, (void)capath, (void)cadata;
    return -EOPNOTSUPP;
}

int cora_ssl_context_set_verify_mode(cora_ssl_context *context, enum cora_ssl_verify_mode mode)
{
    (void)context, (void)mode;
    return -EOPNOTSUPP;
}

void cora_ssl_context_set_check_hostname(cora_ssl_context *context, bool check)
{
    (void)context, (void)check;
}

int cora_ssl_context_set_minimum_version(cora_ssl_context *context, enum cora_tls_version version)
{
    (void)context, (void)version;
    return -EOPNOTSUPP;
}

int cora_ssl_context_set_alpn_protocols(cora_ssl_context *context, const char *const protocols[],
                                        size_t count)
{
    (void)context, (void)protocols, (void)count;
    return -EOPNOTSUPP;
}

void *cora_ssl_context_get_ssl_ctx(const cora_ssl_context *context)
{
    (void)context;
    return NULL;
}

int cora_start_tls(cora_transport *transport, cora_protocol *protocol,
                   const cora_ssl_options *options, bool server_side, cora_transport **ret)
{
    (void)transport, (void)protocol, (void)options, (void)server_side, (void)ret;
    return -EOPNOTSUPP;
}

int cora__ssl_check(const cora_ssl_options *options, bool server_side)
{
    (void)options, (void)server_side;
    return -EOPNOTSUPP;
}

int cora__ssl_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                               const cora_ssl_options *options, bool server_side,
                               cora_waiter *waiter, cora_transport **ret)
{
    (void)loop, (void)fd, (void)protocol, (void)options, (void)server_side, (void)waiter, (void)ret;
    return -EOPNOTSUPP;
}

#endif
