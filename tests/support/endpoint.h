/*
 * endpoint.h: a transport whose protocol records, and the test at its other end. What is asserted
 * here fails the test.
 */
#ifndef CORA_TEST_ENDPOINT_H
#define CORA_TEST_ENDPOINT_H

#include "support/protocol.h"

struct endpoint {
    struct recorder recorder;
    cora_transport *transport; /* kept until its end is awaited */
    int fd;                    /* the transport's, */
    int peer;                  /* and its other end; -1: there is none, or the test has closed it */
};

typedef int connect_fn(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret);

/* A transport of one of two ends. The recorder's answers may be set before. */
void open_end(struct endpoint *endpoint, connect_fn *connect, void (*make_ends)(int fds[2]),
              int end);

/* One of datagrams, and no peer. */
void open_datagram(struct endpoint *endpoint, const cora_datagram_options *options);

/* Waits until it is lost, and keeps it no longer. */
void await_loss(struct endpoint *endpoint);

/* Nothing if that is closed. */
void close_peer(struct endpoint *endpoint);

/* Closes the transport, awaits its loss, and closes the peer. */
void close_endpoint(struct endpoint *endpoint);

void write_text(struct endpoint *endpoint, const char *text);
void send_text(struct endpoint *endpoint, const char *text, const cora_address *address);
void await_bytes(struct endpoint *endpoint, size_t size);
void await_datagrams(struct endpoint *endpoint, int count);

/* This, and no more, can be read. */
void expect_text(int fd, const char *text);

/* So often nothing was left to do but to look at descriptors. */
void look(int times);

/* In virtual time; it returns 0. */
void run_task(cora_task_fn *fn, void *arg);

#endif
