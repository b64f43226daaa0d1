/*
 * tls_talks.h: what CPython's test_ssl.py and test_sslproto.py both do, under the same names. The
 * peers speak through OpenSSL, as Python's blocking sockets do there.
 *
 * Each is the body of a test, to be run as a task's; where it takes an argument that is a bool *:
 * whether the peer ends TLS (SSLSocket.unwrap), or just the connection. In that case the client's
 * context does not mind, which is what Python's contexts do from the start.
 */
#ifndef CORA_TEST_TLS_TALKS_H
#define CORA_TEST_TLS_TALKS_H

#include "support/tls.h"

enum { PAYLOAD = 100 << 10 };

int start_tls_client_regular(void *unwrap);
int start_tls_client_buffered(void *unwrap);
int start_tls_slow_client_cancel(void *nothing);
int start_tls_server(void *unwrap);
int start_tls_client_corrupted(void *nothing);
int open_with_slow_handshake(void *nothing);
int open_with_failed_certificate(void *nothing);
int connect_with_handshake_timeout(void *nothing);

/* A client that checks nothing; see above. */
cora_ssl_context *talking_client(bool unwrap);

/* A peer that never says anything, until the other has gone. */
void keep_silent(struct tls_peer *peer, void *arg);

/* Streams to these peers, at their port or their path; `context` is the client's. What the call
 * returns. */
int open_tls(const struct peer_server *server, cora_ssl_context *context,
             cora_stream_reader **ret_reader, cora_stream_writer **ret_writer);

/* Waits for the end, which the peer may have made without TLS's. */
void leave_tls(cora_stream_writer *writer);

#endif
