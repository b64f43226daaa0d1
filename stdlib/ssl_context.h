/*
 * ssl_context.h: one connection's part of a context.
 */
#ifndef CORA_STDLIB_SSL_CONTEXT_H
#define CORA_STDLIB_SSL_CONTEXT_H

#include <cora/ssl.h>

#include <openssl/ssl.h>

bool cora__ssl_context_checks_hostname(const cora_ssl_context *context);

/*
 * Makes what OpenSSL has of a connection. `hostname`, of the server, may be NULL or "". 0; -EINVAL
 * for what cannot be a host name; -ENOMEM.
 */
int cora__ssl_context_connect(cora_ssl_context *context, bool server_side, const char *hostname,
                              SSL **ret);

#endif
