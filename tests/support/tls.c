#include "support/tls.h"

#include "support/socket.h"
#include "support/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <unistd.h>

/* ---- certificates -------------------------------------------------------------------------- */

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static char directory[] = "/tmp/cora-tls-XXXXXX";
static const char *const names[] = {"ca.pem",     "server.pem", "server.key", "client.pem",
                                    "client.key", "both.pem",   "locked.key", "other.pem",
                                    "other.key",  "garbage.pem"};
static pid_t owner; /* 0: the files are not there */

static const char *path(const char *name)
{
    static char paths[4][64];
    static int last;
    char *place = paths[last = (last + 1) % 4];

    snprintf(place, sizeof paths[0], "%s/%s", directory, name);
    return place;
}

static void remove_files(void)
{
    if (getpid() != owner)
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path(names[i]));
    rmdir(directory);
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Signed by `issuer`; NULL: by itself. It is for `hosts`; NULL: it may sign. */
static struct identity make_identity(const char *name, const char *hosts,
                                     const struct identity *issuer)
{
    static long serial;
    struct identity self = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    X509 *signer = issuer != NULL ? issuer->certificate : self.certificate;
    X509_NAME *subject = X509_get_subject_name(self.certificate);
    int rc;

    assert_non_null(self.key);
    X509_set_version(self.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(self.certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(self.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(self.certificate), 3600);
    X509_set_pubkey(self.certificate, self.key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(self.certificate, X509_get_subject_name(signer));
    extend(self.certificate, signer, NID_subject_key_identifier, "hash");
    extend(self.certificate, signer, NID_authority_key_identifier, "keyid:always");
    if (hosts == NULL) {
        extend(self.certificate, signer, NID_basic_constraints, "critical,CA:TRUE");
        extend(self.certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        extend(self.certificate, signer, NID_basic_constraints, "critical,CA:FALSE");
        extend(self.certificate, signer, NID_subject_alt_name, hosts);
    }
    rc = X509_sign(self.certificate, issuer != NULL ? issuer->key : self.key, EVP_sha256());
    assert_true(rc > 0);
    return self;
}

static void free_identity(struct identity *self)
{
    EVP_PKEY_free(self->key);
    X509_free(self->certificate);
}

static FILE *create_file(const char *name)
{
    FILE *file = fopen(path(name), "w");

    assert_non_null(file);
    return file;
}

static void write_certificate(const struct identity *self, const char *name)
{
    FILE *file = create_file(name);

    PEM_write_X509(file, self->certificate);
    fclose(file);
}

static void write_key(const struct identity *self, const char *name, const char *password)
{
    FILE *file = create_file(name);

    PEM_write_PrivateKey(file, self->key, password != NULL ? EVP_aes_128_cbc() : NULL,
                         (const unsigned char *)password,
                         password != NULL ? (int)strlen(password) : 0, NULL, NULL);
    fclose(file);
}

static void write_files(void)
{
    struct identity ca = make_identity("Test CA", NULL, NULL);
    struct identity server = make_identity("server", "DNS:localhost,IP:127.0.0.1", &ca);
    struct identity client = make_identity("client", "DNS:client", &ca);
    struct identity other = make_identity("other", "DNS:localhost", NULL);
    FILE *both = create_file("both.pem"), *garbage = create_file("garbage.pem");

    write_certificate(&ca, "ca.pem");
    write_certificate(&server, "server.pem");
    write_key(&server, "server.key", NULL);
    write_key(&server, "locked.key", "secret");
    write_certificate(&client, "client.pem");
    write_key(&client, "client.key", NULL);
    write_certificate(&other, "other.pem");
    write_key(&other, "other.key", NULL);
    PEM_write_X509(both, server.certificate);
    PEM_write_PrivateKey(both, server.key, NULL, NULL, 0, NULL, NULL);
    fclose(both);
    fputs("garbage\n", garbage);
    fclose(garbage);
    free_identity(&ca);
    free_identity(&server);
    free_identity(&client);
    free_identity(&other);
}

const char *tls_file(const char *name)
{
    if (owner == 0) {
        assert_non_null(mkdtemp(directory));
        owner = getpid();
        atexit(remove_files);
        write_files();
    }
    return path(name);
}

char *tls_text(const char *name)
{
    FILE *file = fopen(tls_file(name), "r");
    char *text = calloc(1, 10000);
    size_t size;

    assert_non_null(file);
    size = fread(text, 1, 9999, file);
    assert_true(size > 0);
    fclose(file);
    return text;
}

cora_ssl_context *tls_server(void)
{
    cora_ssl_context *context;
    int rc = cora_ssl_create_default_context(&context, CORA_SSL_CLIENT_AUTH, NULL);

    assert_int_equal(rc, 0);
    rc = cora_ssl_context_load_cert_chain(context, tls_file("server.pem"), tls_file("server.key"),
                                          NULL);
    assert_int_equal(rc, 0);
    return context;
}

cora_ssl_context *tls_client(void)
{
    cora_ssl_context *context;
    int rc = cora_ssl_create_default_context(&context, CORA_SSL_SERVER_AUTH, tls_file("ca.pem"));

    assert_int_equal(rc, 0);
    return context;
}

cora_ssl_context *tls_trusting_client(void)
{
    cora_ssl_context *context = tls_client();
    int rc;

    cora_ssl_context_set_check_hostname(context, false);
    rc = cora_ssl_context_set_verify_mode(context, CORA_CERT_NONE);
    assert_int_equal(rc, 0);
    return context;
}

/* ---- the peer ------------------------------------------------------------------------------ */

void peer_init(struct tls_peer *peer, int fd, const cora_ssl_context *context, bool server_side)
{
    int rc = fcntl(fd, F_SETFL, O_NONBLOCK);

    assert_int_equal(rc, 0);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes by write(2) */
    peer->fd = fd;
    peer->ssl = SSL_new(cora_ssl_context_get_ssl_ctx(context));
    assert_non_null(peer->ssl);
    SSL_set_fd(peer->ssl, fd);
    if (server_side) {
        SSL_set_accept_state(peer->ssl);
    } else {
        SSL_set_connect_state(peer->ssl);
        SSL_set_tlsext_host_name(peer->ssl, "localhost");
        SSL_set1_host(peer->ssl, "localhost");
    }
}

/* Waits as the failed call wants it. 1: again; 0: the peer's close_notify; negative: it failed. */
static int wait_for(struct tls_peer *peer, int result)
{
    int rc;

    switch (SSL_get_error(peer->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        rc = cora_wait_readable(peer->fd);
        break;
    case SSL_ERROR_WANT_WRITE:
        rc = cora_wait_writable(peer->fd);
        break;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        rc = -EPROTO;
    }
    return rc < 0 ? rc : 1;
}

#define REPEAT(call)                                                                               \
    do {                                                                                           \
        ERR_clear_error();                                                                         \
        result = (call);                                                                           \
    } while (result <= 0 && (rc = wait_for(peer, result)) > 0)

int peer_handshake(struct tls_peer *peer)
{
    int result, rc = 0;

    REPEAT(SSL_do_handshake(peer->ssl));
    return result > 0 ? 0 : rc < 0 ? rc : -EPROTO;
}

int peer_write_bytes(struct tls_peer *peer, const void *data, size_t size)
{
    int result, rc = 0;

    REPEAT(SSL_write(peer->ssl, data, (int)size));
    return result > 0 ? 0 : rc < 0 ? rc : -EPROTO;
}

int peer_write(struct tls_peer *peer, const char *text)
{
    return peer_write_bytes(peer, text, strlen(text));
}

int peer_read(struct tls_peer *peer, char *buffer, size_t size)
{
    int result, rc = 0;

    REPEAT(SSL_read(peer->ssl, buffer, (int)size));
    return result > 0 ? result : rc;
}

size_t peer_read_all(struct tls_peer *peer)
{
    static char buffer[50000];
    size_t total = 0;
    int got, rc;

    while ((got = peer_read(peer, buffer, sizeof buffer)) > 0) {
        for (int i = 0; i < got; i++)
            if ((unsigned char)buffer[i] != byte_at(total + (size_t)i))
                fail_msg("byte %zu is wrong", total + (size_t)i);
        total += (size_t)got;
        rc = rest(2);
        assert_int_equal(rc, 0);
    }
    return total;
}

int peer_read_text(struct tls_peer *peer, char *text, size_t size)
{
    size_t total = 0;

    while (total < size) {
        int got = peer_read(peer, text + total, size - total);

        if (got < 0)
            return got;
        if (got == 0)
            break;
        total += (size_t)got;
    }
    text[total] = '\0';
    return (int)total;
}

int peer_send_close_notify(struct tls_peer *peer)
{
    ERR_clear_error();
    return SSL_shutdown(peer->ssl) >= 0 ? 0 : -EPROTO;
}

int peer_shutdown(struct tls_peer *peer)
{
    char buffer[1000];
    int rc = peer_send_close_notify(peer);

    while (rc == 0 && (SSL_get_shutdown(peer->ssl) & SSL_RECEIVED_SHUTDOWN) == 0) {
        rc = peer_read(peer, buffer, sizeof buffer);
        rc = rc > 0 ? 0 : rc;
    }
    return rc;
}

void peer_close(struct tls_peer *peer)
{
    SSL_free(peer->ssl);
    close_fd(peer->fd);
}

int peer_start_tls(struct tls_peer *peer, const cora_ssl_context *context, bool server_side)
{
    peer_init(peer, peer->fd, context, server_side);
    return peer_handshake(peer);
}

void peer_expect(struct tls_peer *peer, char byte, size_t size)
{
    char buffer[16384];

    while (size > 0) {
        size_t room = size < sizeof buffer ? size : sizeof buffer;
        ssize_t got = peer->ssl != NULL ? peer_read(peer, buffer, room)
                                        : cora_sock_recv(peer->fd, buffer, room);

        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(buffer[i], byte);
        size -= (size_t)got;
    }
}

void peer_send(struct tls_peer *peer, char byte, size_t size)
{
    char *data = malloc(size);
    int rc;

    memset(data, byte, size);
    rc = peer->ssl != NULL ? peer_write_bytes(peer, data, size)
                           : cora_sock_sendall(peer->fd, data, size, NULL);
    assert_int_equal(rc, 0);
    free(data);
}

void peer_send_text(struct tls_peer *peer, const char *text)
{
    int rc = peer_write(peer, text);

    assert_int_equal(rc, 0);
}

/* ---- TLS over TLS --------------------------------------------------------------------------- */

static void pass_on(struct nested_peer *nested)
{
    char *data;
    long size = BIO_get_mem_data(nested->out, &data);
    int rc = size > 0 ? peer_write_bytes(nested->peer, data, (size_t)size) : 0;

    assert_int_equal(rc, 0);
    (void)BIO_reset(nested->out);
}

/* Passes on what a call has written. Whether to make it again, for more has come in. */
static bool again(struct nested_peer *nested, int result)
{
    char buffer[16384];
    int got;

    pass_on(nested);
    if (result > 0 || SSL_get_error(nested->ssl, result) != SSL_ERROR_WANT_READ)
        return false;
    got = peer_read(nested->peer, buffer, sizeof buffer);
    if (got > 0)
        BIO_write(nested->in, buffer, got);
    return got > 0;
}

int nested_start_tls(struct nested_peer *nested, struct tls_peer *peer,
                     const cora_ssl_context *context, bool server_side)
{
    int result;

    *nested = (struct nested_peer){.peer = peer,
                                   .ssl = SSL_new(cora_ssl_context_get_ssl_ctx(context)),
                                   .in = BIO_new(BIO_s_mem()),
                                   .out = BIO_new(BIO_s_mem())};
    SSL_set_bio(nested->ssl, nested->in, nested->out);
    if (server_side)
        SSL_set_accept_state(nested->ssl);
    else
        SSL_set_connect_state(nested->ssl);
    do
        result = SSL_do_handshake(nested->ssl);
    while (again(nested, result));
    return result == 1 ? 0 : -EPROTO;
}

int nested_read(struct nested_peer *nested, char *buffer, size_t size)
{
    int result;

    do
        result = SSL_read(nested->ssl, buffer, (int)size);
    while (again(nested, result));
    return result;
}

void nested_send(struct nested_peer *nested, char byte, size_t size)
{
    char *data = malloc(size);
    int result;

    memset(data, byte, size);
    do
        result = SSL_write(nested->ssl, data, (int)size);
    while (again(nested, result));
    assert_int_equal(result, size);
    free(data);
}

void nested_expect(struct nested_peer *nested, const char *text)
{
    char buffer[16] = "";

    for (size_t got = 0; got < strlen(text);) {
        int more = nested_read(nested, buffer + got, strlen(text) - got);

        assert_true(more > 0);
        got += (size_t)more;
    }
    assert_string_equal(buffer, text);
}

void nested_send_close_notify(struct nested_peer *nested)
{
    ERR_clear_error();
    SSL_shutdown(nested->ssl);
    pass_on(nested);
}

/* ---- a server of such peers ----------------------------------------------------------------- */

struct serve_args {
    peer_program *program;
    void *arg;
    int fd;
};

static int serve(void *arg)
{
    struct serve_args *a = arg;
    struct tls_peer peer = {.fd = a->fd};

    a->program(&peer, a->arg);
    SSL_free(peer.ssl);
    cora_close_fd(peer.fd);
    return 0;
}

static int accept_all(void *arg)
{
    struct peer_server *server = arg;
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < server->clients && rc == 0; i++) {
        int fd = cora_sock_accept(server->listener, NULL, NULL);

        rc = fd < 0 ? fd
                    : cora_task_group_create_task(&group, serve, .program = server->program,
                                                  .arg = server->arg, .fd = fd);
    }
    return cora_task_group_exit(&group, rc);
}

void start_peers(struct peer_server *server, peer_program *program, void *arg, int clients)
{
    *server = (struct peer_server){.program = program, .arg = arg, .clients = clients};
    server->listener = make_listener(&server->address, clients);
    snprintf(server->port, sizeof server->port, "%u", ntohs(server->address.sin_port));
    server->task = cora_create_task_arg(accept_all, server);
}

void start_peers_at(struct peer_server *server, peer_program *program, void *arg, int clients,
                    const char *path)
{
    cora_address address;
    int rc = cora_address_from_path(path, &address);

    assert_int_equal(rc, 0);
    *server =
        (struct peer_server){.program = program, .arg = arg, .clients = clients, .path = path};
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rc = bind(server->listener, (struct sockaddr *)&address.storage, address.length);
    assert_int_equal(rc, 0);
    rc = listen(server->listener, clients);
    assert_int_equal(rc, 0);
    server->task = cora_create_task_arg(accept_all, server);
}

void stop_peers(struct peer_server *server)
{
    int rc = cora_await_unref(server->task);

    assert_int_equal(rc, 0);
    close_fd(server->listener);
}

cora_task *run_peer(peer_program *program, void *arg, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};

    return cora_create_task(serve, .program = program, .arg = arg, .fd = connect_tcp(&address));
}
