/*
 * protocol.h: protocols that write down what they are told, for tests of transports.
 */
#ifndef CORA_TEST_PROTOCOL_H
#define CORA_TEST_PROTOCOL_H

#include <cora.h>

/*
 * A protocol in the test's storage. It traces (tests/support/virtual.h) "made", "data hello",
 * "eof", "pause", "resume", "error ECONNREFUSED" and "lost" or "lost ECONNRESET"; bytes that are
 * not printable text, or more than 40 of them, as their number, "data 1000".
 */
struct recorder {
    cora_protocol protocol;
    cora_transport *transport; /* NULL before connection_made and after connection_lost */
    int made, lost;            /* how often */
    int error;                 /* of connection_lost */
    bool ended;                /* eof_received was called */
    size_t received;           /* bytes */
    char text[256];            /* the first of them */
    int datagrams;             /* how many those bytes came in */
    cora_address sender;       /* of the last */
    int errors;                /* how often error_received was called */
    int eof_answer;            /* of eof_received: 0 closes */
    int data_answer;           /* of data_received: negative fails */
    bool silent;               /* traces nothing */
    ssize_t room;              /* of record_buffered's: get_buffer's answer, up to 16 */
    char buffer[16];
    cora_waiter *waiter; /* woken by each call; NULL: nobody */
};

/* The factory: arg is the recorder. It becomes new, but for its answers, and is returned. */
cora_protocol *record(void *arg);

/* The same of a protocol that brings its own buffer. */
cora_protocol *record_buffered(void *arg);

/* A task waits for the recorder's end of data, or of its connection, or until it has so many bytes.
 * 0. */
int wait_ended(struct recorder *recorder);
int wait_lost(struct recorder *recorder);
int wait_received(struct recorder *recorder, size_t size);

/* The same for so many datagrams, or errors. */
int wait_datagrams(struct recorder *recorder, int count);
int wait_errors(struct recorder *recorder, int count);

#endif
