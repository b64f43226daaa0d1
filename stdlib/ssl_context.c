#ifdef CORA_OPENSSL

#include "ssl_context.h"

#include "ssl_error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct cora_ssl_context {
    atomic_uint refs;
    SSL_CTX *ctx;
    bool check_hostname;
    unsigned char *protocols; /* for ALPN, each behind its length */
    unsigned protocols_size;
};

/* ---- life ---------------------------------------------------------------------------------- */

/* Nobody sits at a terminal to be asked for a password, as OpenSSL would. */
static int give_password(char *buffer, int size, int writing, void *arg)
{
    const char *password = arg;
    size_t length = password != NULL ? strlen(password) : 0;

    (void)writing;
    if (password == NULL || length >= (size_t)size)
        return -1;
    memcpy(buffer, password, length + 1);
    return (int)length;
}

/* The server's choice, in its own order. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                           const unsigned char *offered, unsigned offered_size, void *arg)
{
    const cora_ssl_context *context = arg;
    unsigned char *out;

    (void)ssl;
    if (SSL_select_next_proto(&out, chosen_size, context->protocols, context->protocols_size,
                              offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = out;
    return SSL_TLSEXT_ERR_OK;
}

static int set_defaults(cora_ssl_context *context, enum cora_ssl_purpose purpose)
{
    static const unsigned char id[] = "cora"; /* sessions of servers that ask for certificates */
    SSL_CTX *ctx = context->ctx;

    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
                                X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT);
    SSL_CTX_set_default_passwd_cb(ctx, give_password);
    if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1))
        return -CORA_ESSL;
    if (purpose == CORA_SSL_SERVER_AUTH) {
        context->check_hostname = true;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    return 0;
}

static int trust(cora_ssl_context *context, enum cora_ssl_purpose purpose, const char *cafile)
{
    if (cafile != NULL)
        return cora_ssl_context_load_verify_locations(context, cafile, NULL, NULL);
    ERR_clear_error();
    if (purpose == CORA_SSL_SERVER_AUTH && !SSL_CTX_set_default_verify_paths(context->ctx))
        return cora__ssl_take_error(X509_V_OK, NULL);
    return 0;
}

int cora_ssl_create_default_context(cora_ssl_context **ret, enum cora_ssl_purpose purpose,
                                    const char *cafile)
{
    cora_ssl_context *context = calloc(1, sizeof *context);
    int rc;

    if (context == NULL)
        return -ENOMEM;
    atomic_init(&context->refs, 1);
    context->ctx =
        SSL_CTX_new(purpose == CORA_SSL_SERVER_AUTH ? TLS_client_method() : TLS_server_method());
    ERR_clear_error();
    rc = context->ctx != NULL ? set_defaults(context, purpose) : -ENOMEM;
    if (rc == 0)
        rc = trust(context, purpose, cafile);
    if (rc == 0)
        *ret = context;
    else
        cora_ssl_context_unref(context);
    return rc;
}

cora_ssl_context *cora_ssl_context_ref(cora_ssl_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void cora_ssl_context_unref(cora_ssl_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(context->ctx);
    free(context->protocols);
    free(context);
}

void *cora_ssl_context_get_ssl_ctx(const cora_ssl_context *context)
{
    return context->ctx;
}

/* ---- certificates -------------------------------------------------------------------------- */

static bool load_chain(SSL_CTX *ctx, const char *certfile, const char *keyfile)
{
    return SSL_CTX_use_certificate_chain_file(ctx, certfile) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, keyfile, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(ctx) == 1;
}

int cora_ssl_context_load_cert_chain(cora_ssl_context *context, const char *certfile,
                                     const char *keyfile, const char *password)
{
    int rc = 0;

    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb_userdata(context->ctx, (void *)password);
    if (!load_chain(context->ctx, certfile, keyfile != NULL ? keyfile : certfile))
        rc = cora__ssl_take_error(X509_V_OK, NULL);
    SSL_CTX_set_default_passwd_cb_userdata(context->ctx, NULL);
    return rc;
}

/* Adds all certificates of the text, of which there must be one. */
static int add_certificates(X509_STORE *store, BIO *text)
{
    X509 *certificate;
    int count = 0, added = 1;

    while (added == 1 &&
           (certificate = PEM_read_bio_X509(text, NULL, give_password, NULL)) != NULL) {
        added = X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        count++;
    }
    /* The end of the text is an error to OpenSSL. */
    if (added == 1 && count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return 0;
    }
    return cora__ssl_take_error(X509_V_OK, NULL);
}

static int load_text(SSL_CTX *ctx, const char *cadata)
{
    BIO *text = BIO_new_mem_buf(cadata, -1);
    int rc = text != NULL ? add_certificates(SSL_CTX_get_cert_store(ctx), text) : -ENOMEM;

    BIO_free(text);
    return rc;
}

int cora_ssl_context_load_verify_locations(cora_ssl_context *context, const char *cafile,
                                           const char *capath, const char *cadata)
{
    if (cafile == NULL && capath == NULL && cadata == NULL)
        return -EINVAL;
    ERR_clear_error();
    if (cafile != NULL && !SSL_CTX_load_verify_file(context->ctx, cafile))
        return cora__ssl_take_error(X509_V_OK, NULL);
    if (capath != NULL && !SSL_CTX_load_verify_dir(context->ctx, capath))
        return cora__ssl_take_error(X509_V_OK, NULL);
    return cadata != NULL ? load_text(context->ctx, cadata) : 0;
}

int cora_ssl_context_set_verify_mode(cora_ssl_context *context, enum cora_ssl_verify_mode mode)
{
    static const int modes[] = {
        [CORA_CERT_NONE] = SSL_VERIFY_NONE,
        [CORA_CERT_OPTIONAL] = SSL_VERIFY_PEER,
        [CORA_CERT_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };

    if (mode == CORA_CERT_NONE && context->check_hostname)
        return -EINVAL;
    SSL_CTX_set_verify(context->ctx, modes[mode], SSL_CTX_get_verify_callback(context->ctx));
    return 0;
}

void cora_ssl_context_set_check_hostname(cora_ssl_context *context, bool check)
{
    int mode = SSL_CTX_get_verify_mode(context->ctx);

    context->check_hostname = check;
    if (check && mode == SSL_VERIFY_NONE)
        SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER,
                           SSL_CTX_get_verify_callback(context->ctx));
}

/* ---- versions and protocols ---------------------------------------------------------------- */

int cora_ssl_context_set_minimum_version(cora_ssl_context *context, enum cora_tls_version version)
{
    int rc = SSL_CTX_set_min_proto_version(context->ctx, (int)version) ? 0 : -EINVAL;

    ERR_clear_error();
    return rc;
}

static int append_protocol(unsigned char *list, size_t *size, const char *protocol)
{
    size_t length = strlen(protocol);

    if (length == 0 || length > 255)
        return -EINVAL;
    list[(*size)++] = (unsigned char)length;
    memcpy(list + *size, protocol, length + 1);
    *size += length;
    return 0;
}

int cora_ssl_context_set_alpn_protocols(cora_ssl_context *context, const char *const protocols[],
                                        size_t count)
{
    unsigned char *list = malloc(count * 256 + 1);
    size_t size = 0;
    int rc = list != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = append_protocol(list, &size, protocols[i]);
    /* Alone among its like it returns 0 where all is well. */
    if (rc == 0 && SSL_CTX_set_alpn_protos(context->ctx, list, (unsigned)size) != 0)
        rc = cora__ssl_take_error(X509_V_OK, NULL);
    if (rc < 0) {
        free(list);
        return rc;
    }
    free(context->protocols);
    context->protocols = list;
    context->protocols_size = (unsigned)size;
    SSL_CTX_set_alpn_select_cb(context->ctx, choose_protocol, context);
    return 0;
}

/* ---- connections --------------------------------------------------------------------------- */

bool cora__ssl_context_checks_hostname(const cora_ssl_context *context)
{
    return context->check_hostname;
}

static bool is_address(const char *hostname)
{
    struct in6_addr address;

    return inet_pton(AF_INET, hostname, &address) == 1 ||
           inet_pton(AF_INET6, hostname, &address) == 1;
}

/* Servers are asked for by name, not by address. */
static bool ask_for(SSL *ssl, const char *hostname, bool check)
{
    if (is_address(hostname))
        return !check || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), hostname);
    if (hostname[0] == '.' || !SSL_set_tlsext_host_name(ssl, hostname))
        return false;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !check || SSL_set1_host(ssl, hostname);
}

static int set_client(const cora_ssl_context *context, SSL *ssl, const char *hostname)
{
    SSL_set_connect_state(ssl);
    if (hostname == NULL || hostname[0] == '\0')
        return 0;
    return ask_for(ssl, hostname, context->check_hostname) ? 0 : -EINVAL;
}

int cora__ssl_context_connect(cora_ssl_context *context, bool server_side, const char *hostname,
                              SSL **ret)
{
    SSL *ssl = SSL_new(context->ctx);
    int rc = 0;

    if (ssl != NULL && server_side)
        SSL_set_accept_state(ssl);
    else if (ssl != NULL)
        rc = set_client(context, ssl, hostname);
    ERR_clear_error();
    if (ssl == NULL)
        return -ENOMEM;
    if (rc < 0) {
        SSL_free(ssl);
        return rc;
    }
    /* What could not be written is written later, from wherever it lies then. */
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS);
    *ret = ssl;
    return 0;
}

#endif
