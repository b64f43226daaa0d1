/*
 * ssl.h: TLS (asyncio's ssl= and start_tls, and what is needed of Python's ssl module).
 *
 *     rc = cora_ssl_create_default_context(&context, CORA_SSL_CLIENT_AUTH, NULL);
 *     if (rc == 0)
 *         rc = cora_ssl_context_load_cert_chain(context, "server.pem", "server.key", NULL);
 *     ...
 *     cora_ssl_options ssl = {.context = context};
 *
 * A connection over TLS is a transport like any other. Its protocol is told of it once the
 * handshake is complete. Closing it sends what is still to be written and a close_notify, and waits
 * for the peer's, though not for ever; what the peer sends meanwhile is dropped. The peer's
 * close_notify is the end of its data (eof_received), and closes the transport, whatever
 * eof_received answers. An end without it may be an attacker's: connection_lost then has
 * -CORA_ESSLEOF, and eof_received is not called, unless the context has OpenSSL's
 * SSL_OP_IGNORE_UNEXPECTED_EOF. No half can be closed alone (write_eof: -EOPNOTSUPP).
 *
 * It is done by OpenSSL. Where cora was built without it, every call here is -EOPNOTSUPP.
 */
#ifndef CORA_SSL_H
#define CORA_SSL_H

#include <cora/base.h>
#include <cora/transport.h>

CORA_BEGIN_DECLS

/* ---- contexts (ssl.SSLContext) ------------------------------------------------------------- */

/*
 * What many connections have in common: certificates, keys, whom to trust. A counted reference,
 * which any thread may use. It may be changed until the first connection has it. Calls that are
 * given the name of a file read it and hold the loop up meanwhile: make contexts before the loop
 * runs, or in a thread.
 */
typedef struct cora_ssl_context cora_ssl_context;

/* Whom the context is to authenticate (ssl.Purpose). */
enum cora_ssl_purpose {
    CORA_SSL_SERVER_AUTH, /* servers: it is a client's */
    CORA_SSL_CLIENT_AUTH, /* clients: it is a server's */
};

/*
 * ssl.create_default_context(): TLS 1.2 or newer, no compression, no renegotiation. A client's
 * checks certificate and host name; it trusts those who are in the file, or, where that is NULL,
 * whom the system trusts. A server's asks for no certificate; see set_verify_mode. 0; -ENOENT and
 * other negative errnos of reading the file; -CORA_ESSL for a file without certificates; -ENOMEM;
 * -EOPNOTSUPP.
 */
CORA_API CORA_MUST_CHECK int cora_ssl_create_default_context(cora_ssl_context **ret,
                                                             enum cora_ssl_purpose purpose,
                                                             const char *cafile);

CORA_API cora_ssl_context *cora_ssl_context_ref(cora_ssl_context *context);
CORA_API void cora_ssl_context_unref(cora_ssl_context *context); /* NULL is accepted */

/*
 * The certificate to show, with those that lead from it to one that the peer trusts, and its key;
 * both PEM. `keyfile` NULL: it is in the first file. `password`, of the key; NULL: it has none. 0;
 * -CORA_ESSL for what cannot be read as that, or does not belong together, or for a wrong password;
 * -ENOENT and other negative errnos; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_ssl_context_load_cert_chain(cora_ssl_context *context,
                                                              const char *certfile,
                                                              const char *keyfile,
                                                              const char *password);

/*
 * Trusts those whose certificates are in a file, too, in a directory (as `openssl rehash` leaves
 * it), or in a text; all PEM; NULL: none. 0; -EINVAL for nothing at all; else as load_cert_chain.
 */
CORA_API CORA_MUST_CHECK int cora_ssl_context_load_verify_locations(cora_ssl_context *context,
                                                                    const char *cafile,
                                                                    const char *capath,
                                                                    const char *cadata);

/* What becomes of a peer's certificate (ssl.VerifyMode). */
enum cora_ssl_verify_mode {
    CORA_CERT_NONE,     /* it is not looked at, and a client is not asked for one */
    CORA_CERT_OPTIONAL, /* of a client: it may have none, but no wrong one */
    CORA_CERT_REQUIRED,
};

/* 0; -EINVAL for CORA_CERT_NONE while the host name is checked. */
CORA_API CORA_MUST_CHECK int cora_ssl_context_set_verify_mode(cora_ssl_context *context,
                                                              enum cora_ssl_verify_mode mode);

/* Whether a server's certificate must be for the name that was asked for. It then is required. */
CORA_API void cora_ssl_context_set_check_hostname(cora_ssl_context *context, bool check);

/* As TLS writes them (ssl.TLSVersion). */
enum cora_tls_version {
    CORA_TLS_1_2 = 0x0303,
    CORA_TLS_1_3 = 0x0304,
};

/* 0; -EINVAL for a version that OpenSSL does not have. */
CORA_API CORA_MUST_CHECK int cora_ssl_context_set_minimum_version(cora_ssl_context *context,
                                                                  enum cora_tls_version version);

/*
 * The application's protocols, such as "h2" and "http/1.1", the preferred one first: the server's
 * choice among those that both have is told by the transport's "alpn_protocol". Without a common
 * one the connection goes on without. 0; -EINVAL for one that is empty or longer than 255; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_ssl_context_set_alpn_protocols(cora_ssl_context *context,
                                                                 const char *const protocols[],
                                                                 size_t count);

/* Its SSL_CTX *, for all that OpenSSL can be told besides. Borrowed. */
CORA_API void *cora_ssl_context_get_ssl_ctx(const cora_ssl_context *context);

/* ---- connections --------------------------------------------------------------------------- */

/* Why a connection has failed, in more words than an error code. */
typedef struct cora_ssl_failure {
    long verify_result; /* with -CORA_ECERTVERIFY: OpenSSL's X509_V_ERR_... */
    char text[160];     /* "unable to get local issuer certificate" */
} cora_ssl_failure;

/*
 * How a connection, or each of a server's, is to have TLS. The text and the context must last until
 * the call returns.
 */
typedef struct cora_ssl_options {
    cora_ssl_context *context; /* NULL, for a client only: a default one, made for it alone */

    /*
     * For whom the server's certificate must be, a name or an address, and whom it is asked for.
     * NULL: the host that is connected to, where there is one; "": nobody, which must not be
     * checked then. A server makes no use of it.
     */
    const char *server_hostname;

    double ssl_handshake_timeout; /* seconds from the first byte to the last; 0: 60 */
    double ssl_shutdown_timeout;  /* seconds from close to connection_lost; 0: 30 */

    /* Written where this connection's handshake fails and the caller is told so; NULL: nowhere. */
    cora_ssl_failure *failure;

    /* ---- cora_start_tls alone ---- */

    /* Bytes that the peer sent behind the last that was not TLS, and which have been received
     * already. */
    const void *received;
    size_t received_size;
} cora_ssl_options;

/*
 * What cora_transport_get_extra_info tells beside what it tells of the connection below, once the
 * handshake is complete and until the connection is lost:
 *
 *     "ssl_object"          SSL *; OpenSSL is not to be made to read or write by it
 *     "sslcontext"          cora_ssl_context *
 *     "peercert"            X509 *, the peer's certificate
 *     "cipher"              const char *, "TLS_AES_256_GCM_SHA384"
 *     "compression"         const char *; there is none unless you have asked OpenSSL for it
 *     "alpn_protocol"       const char *
 *
 * and, inside connection_lost and later, where it was OpenSSL that has failed:
 *
 *     "ssl_failure"         const cora_ssl_failure *
 */

/*
 * loop.start_tls(): from here on the connection of `transport`, a stream's (also one that has TLS
 * already), is TLS, and belongs to a new transport, *ret, which is a reference; the old one is
 * only the way for its bytes, and must not be used any more. The protocol, usually that of the old
 * transport, is the new one's. Its connection_made is not called again; data comes only after this
 * call has returned, its connection_lost in any case.
 *
 * 0. With the transport as it was: -EINVAL for a server without a context, a client whose context
 * checks the host name and that has none, and timeouts below 0; -EOPNOTSUPP for what is no stream;
 * -ENOTCONN where it is closing; -ENOMEM; -CORA_EWRONGLOOP; -CORA_ENOTASK. With the connection
 * lost: -CORA_ECERTVERIFY; -CORA_ESSL; -ECONNRESET, also where the peer has ended it;
 * -ECONNABORTED: the handshake took longer than its timeout, or there was no memory for it;
 * -ECANCELED; other negative errnos.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_start_tls(cora_transport *transport,
                                                          cora_protocol *protocol,
                                                          const cora_ssl_options *options,
                                                          bool server_side, cora_transport **ret);

CORA_END_DECLS

#endif
