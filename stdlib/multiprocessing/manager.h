/*
 * manager.h: what a manager and its users say to each other.
 *
 * Who wants to speak makes a pair of sockets and sends one end through a socket that all who may
 * have inherited. Then each request and each reply is a message of a connection
 * (<cora/multiprocessing/ connection.h>): one of these, and what it tells the sizes of.
 */
#ifndef CORA_STDLIB_MULTIPROCESSING_MANAGER_H
#define CORA_STDLIB_MULTIPROCESSING_MANAGER_H

#include <cora/multiprocessing/manager.h>

enum cora__manager_op {
    CORA__DICT_SET,
    CORA__DICT_GET,
    CORA__DICT_POP,
    CORA__DICT_LEN,
    CORA__DICT_KEYS,
    CORA__DICT_ADD,  /* `number` */
    CORA__DICT_SWAP, /* the value is the expected one, of `number` bytes (-1: none), and the new */
    CORA__LIST_APPEND,
    CORA__LIST_GET, /* `number` is the index */
    CORA__LIST_POP,
    CORA__LIST_SET,
    CORA__LIST_LEN,
};

enum { CORA__MANAGER_MOST = 1 << 30 }; /* bytes in a message */

struct cora__manager_request {
    uint32_t op;
    uint32_t name_size, key_size; /* of strings with their zeros, which follow: */
    uint32_t value_size;
    int64_t number;
    char data[];
};

struct cora__manager_reply {
    int64_t result; /* of the call, or the error */
    char data[];
};

/* The manager's process: what it runs; `arg` points to its end of the socket. */
int cora__manager_serve(void *arg);

#endif
