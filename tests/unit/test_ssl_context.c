/* What a context for TLS takes, and what it refuses. */
#include "support/test.h"
#include "support/tls.h"

#include <openssl/err.h>

static cora_ssl_context *create(enum cora_ssl_purpose purpose)
{
    cora_ssl_context *context;
    int rc = cora_ssl_create_default_context(&context, purpose, NULL);

    assert_int_equal(rc, 0);
    return context;
}

static SSL_CTX *ctx_of(const cora_ssl_context *context)
{
    return cora_ssl_context_get_ssl_ctx(context);
}

TEST(a_clients_checks_and_a_servers_does_not_ask)
{
    cora_ssl_context *client = create(CORA_SSL_SERVER_AUTH), *server = create(CORA_SSL_CLIENT_AUTH);

    assert_int_equal(SSL_CTX_get_verify_mode(ctx_of(client)), SSL_VERIFY_PEER);
    assert_int_equal(SSL_CTX_get_verify_mode(ctx_of(server)), SSL_VERIFY_NONE);
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx_of(client)), TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx_of(server)), TLS1_2_VERSION);
    assert_true((SSL_CTX_get_options(ctx_of(server)) & SSL_OP_NO_RENEGOTIATION) != 0);
    cora_ssl_context_unref(client);
    cora_ssl_context_unref(server);
}

TEST(a_reference_keeps_it)
{
    cora_ssl_context *context = create(CORA_SSL_CLIENT_AUTH);

    assert_ptr_equal(cora_ssl_context_ref(context), context);
    cora_ssl_context_unref(context);
    assert_non_null(ctx_of(context));
    cora_ssl_context_unref(context);
    cora_ssl_context_unref(NULL);
}

static void assert_loads(const char *certificate, const char *key, const char *password,
                         int expected)
{
    cora_ssl_context *context = create(CORA_SSL_CLIENT_AUTH);
    int rc = cora_ssl_context_load_cert_chain(context, tls_file(certificate),
                                              key != NULL ? tls_file(key) : NULL, password);

    assert_int_equal(rc, expected);
    assert_int_equal(ERR_peek_error(), 0);
    cora_ssl_context_unref(context);
}

TEST(a_certificate_has_its_key_in_another_file_or_in_the_same)
{
    assert_loads("server.pem", "server.key", NULL, 0);
    assert_loads("both.pem", NULL, NULL, 0);
}

TEST(a_key_may_have_a_password)
{
    assert_loads("server.pem", "locked.key", "secret", 0);
    assert_loads("server.pem", "locked.key", "wrong", -CORA_ESSL);
    assert_loads("server.pem", "locked.key", NULL, -CORA_ESSL); /* and nobody is asked */
}

TEST(what_cannot_be_loaded_is_told)
{
    assert_loads("none.pem", "server.key", NULL, -ENOENT);
    assert_loads("server.pem", "none.pem", NULL, -ENOENT);
    assert_loads("garbage.pem", "server.key", NULL, -CORA_ESSL);
    assert_loads("server.pem", NULL, NULL, -CORA_ESSL);
    assert_loads("server.pem", "other.key", NULL, -CORA_ESSL); /* another one's */
}

static void assert_trusts(const char *file, const char *directory, const char *text, int expected)
{
    cora_ssl_context *context = create(CORA_SSL_CLIENT_AUTH);
    int rc = cora_ssl_context_load_verify_locations(context, file, directory, text);

    assert_int_equal(rc, expected);
    cora_ssl_context_unref(context);
}

TEST(whom_to_trust_is_told_by_a_file_a_directory_or_a_text)
{
    char *text = tls_text("ca.pem");

    assert_trusts(tls_file("ca.pem"), NULL, NULL, 0);
    assert_trusts(NULL, "/", NULL, 0);
    assert_trusts(NULL, NULL, text, 0);
    assert_trusts(tls_file("ca.pem"), "/", text, 0);
    free(text);
}

TEST(but_not_by_nothing)
{
    assert_trusts(NULL, NULL, NULL, -EINVAL);
    assert_trusts(tls_file("none.pem"), NULL, NULL, -ENOENT);
    assert_trusts(tls_file("garbage.pem"), NULL, NULL, -CORA_ESSL);
    assert_trusts(NULL, NULL, "", -CORA_ESSL);
    assert_trusts(NULL, NULL, "-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n",
                  -CORA_ESSL);
}

TEST(a_context_that_cannot_be_made_is_none)
{
    cora_ssl_context *context = NULL;
    int rc = cora_ssl_create_default_context(&context, CORA_SSL_SERVER_AUTH, tls_file("none.pem"));

    assert_int_equal(rc, -ENOENT);
    assert_null(context);
}

TEST(a_host_name_is_checked_only_with_its_certificate)
{
    cora_ssl_context *context = create(CORA_SSL_SERVER_AUTH);
    int rc = cora_ssl_context_set_verify_mode(context, CORA_CERT_NONE);

    assert_int_equal(rc, -EINVAL);
    assert_int_equal(SSL_CTX_get_verify_mode(ctx_of(context)), SSL_VERIFY_PEER);
    cora_ssl_context_set_check_hostname(context, false);
    rc = cora_ssl_context_set_verify_mode(context, CORA_CERT_NONE);
    assert_int_equal(rc, 0);
    assert_int_equal(SSL_CTX_get_verify_mode(ctx_of(context)), SSL_VERIFY_NONE);
    cora_ssl_context_set_check_hostname(context, true);
    assert_int_equal(SSL_CTX_get_verify_mode(ctx_of(context)), SSL_VERIFY_PEER);
    cora_ssl_context_unref(context);
}

TEST(a_version_is_one_that_there_is)
{
    cora_ssl_context *context = create(CORA_SSL_SERVER_AUTH);
    int rc = cora_ssl_context_set_minimum_version(context, CORA_TLS_1_3);

    assert_int_equal(rc, 0);
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx_of(context)), TLS1_3_VERSION);
    rc = cora_ssl_context_set_minimum_version(context, (enum cora_tls_version)77);
    assert_int_equal(rc, -EINVAL);
    cora_ssl_context_unref(context);
}

TEST(the_name_of_a_protocol_has_1_to_255_bytes)
{
    cora_ssl_context *context = create(CORA_SSL_SERVER_AUTH);
    char name[257];
    int rc;

    memset(name, 'x', sizeof name);
    name[256] = '\0';
    rc = cora_ssl_context_set_alpn_protocols(context, (const char *const[]){name}, 1);
    assert_int_equal(rc, -EINVAL);
    name[255] = '\0';
    rc = cora_ssl_context_set_alpn_protocols(context, (const char *const[]){"h2", name}, 2);
    assert_int_equal(rc, 0);
    rc = cora_ssl_context_set_alpn_protocols(context, (const char *const[]){"h2", ""}, 2);
    assert_int_equal(rc, -EINVAL);
    rc = cora_ssl_context_set_alpn_protocols(context, NULL, 0);
    assert_int_equal(rc, 0);
    cora_ssl_context_unref(context);
}
