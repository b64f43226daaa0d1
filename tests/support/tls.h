/*
 * tls.h: TLS to test with: certificates made for the process, and a peer that is none of ours.
 */
#ifndef CORA_TEST_TLS_H
#define CORA_TEST_TLS_H

#include <cora.h>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stddef.h>

/*
 * The path of a file, all of which are made when the first is asked for, and gone with the process:
 *
 *     "ca.pem"                         who signs the others, but
 *     "server.pem", "server.key"       for localhost and 127.0.0.1
 *     "client.pem", "client.key"
 *     "both.pem"                       the server's certificate and key
 *     "locked.key"                     the server's key, password "secret"
 *     "other.pem", "other.key"         for localhost, signed by itself
 *     "none.pem"                       no such file
 *     "garbage.pem"
 */
const char *tls_file(const char *name);

/* The text in it; for free(). */
char *tls_text(const char *name);

/* Contexts: a server's with its certificate, a client's that trusts ca.pem. For unref. */
cora_ssl_context *tls_server(void);
cora_ssl_context *tls_client(void);

/* The same, but the client checks nothing. */
cora_ssl_context *tls_trusting_client(void);

/* ---- a peer by OpenSSL itself, in a task, on its own socket ---------------------------------- */

struct tls_peer {
    SSL *ssl; /* NULL: no TLS yet */
    int fd;
};

/* For a client that is to check the server's certificate, its name is "localhost". */
void peer_init(struct tls_peer *peer, int fd, const cora_ssl_context *context, bool server_side);

/* Each suspends until it is done. 0 or, of read, how many bytes; negative: OpenSSL has failed. */
int peer_handshake(struct tls_peer *peer);
int peer_write(struct tls_peer *peer, const char *text);
int peer_write_bytes(struct tls_peer *peer, const void *data, size_t size);
int peer_read(struct tls_peer *peer, char *buffer, size_t size);

/* Reads the big data to its end, which may be the connection's. How many bytes, all right. */
size_t peer_read_all(struct tls_peer *peer);

/* Reads so many bytes, or up to the end; they are a text then. How many. */
int peer_read_text(struct tls_peer *peer, char *text, size_t size);

/* Sends a close_notify; and waits for the other's. 0 or negative. */
int peer_send_close_notify(struct tls_peer *peer);
int peer_shutdown(struct tls_peer *peer);

/* Closes its socket, too. */
void peer_close(struct tls_peer *peer);

/* Both at once: begins TLS. As peer_handshake. */
int peer_start_tls(struct tls_peer *peer, const cora_ssl_context *context, bool server_side);

/* Reads so many bytes, all of them `byte`, over TLS or, before it has begun, in plain text. */
void peer_expect(struct tls_peer *peer, char byte, size_t size);

/* The same `size` bytes from this side; all of them go out. */
void peer_send(struct tls_peer *peer, char byte, size_t size);
void peer_send_text(struct tls_peer *peer, const char *text);

/* ---- TLS over TLS --------------------------------------------------------------------------- */

/* A second OpenSSL that talks through a peer's; the caller frees its ssl. */
struct nested_peer {
    struct tls_peer *peer;
    SSL *ssl;
    BIO *in, *out;
};

/* As the peer's. What fails otherwise fails the test. */
int nested_start_tls(struct nested_peer *nested, struct tls_peer *peer,
                     const cora_ssl_context *context, bool server_side);
int nested_read(struct nested_peer *nested, char *buffer, size_t size);
void nested_send(struct nested_peer *nested, char byte, size_t size);
void nested_expect(struct nested_peer *nested, const char *text);
void nested_send_close_notify(struct nested_peer *nested);

/* ---- a server of such peers ----------------------------------------------------------------- */

/* What is done with a connection, which has no TLS yet, and is closed afterwards. */
typedef void peer_program(struct tls_peer *peer, void *arg);

struct peer_server {
    peer_program *program;
    void *arg;
    int clients; /* so many are accepted, and served at the same time */
    int listener;
    struct sockaddr_in address;
    char port[8];
    const char *path; /* NULL: at the port */
    cora_task *task;
};

/* On 127.0.0.1, or at the path of a Unix socket. stop waits until all have come and gone. */
void start_peers(struct peer_server *server, peer_program *program, void *arg, int clients);
void start_peers_at(struct peer_server *server, peer_program *program, void *arg, int clients,
                    const char *path);
void stop_peers(struct peer_server *server);

/* The other way round: one that connects to a port of 127.0.0.1, in a task. For cora_await_unref.
 */
cora_task *run_peer(peer_program *program, void *arg, int port);

#endif
