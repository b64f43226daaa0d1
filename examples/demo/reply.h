/*
 * reply.h: an HTTP reply, put together from bytes as they come. It knows nothing of sockets, so all
 * four ways share it.
 */
#ifndef DEMO_REPLY_H
#define DEMO_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <http_parser.h>

/* A larger body is refused: a reply without end must not eat the memory. */
enum { REPLY_BODY_MAX = 16 * 1024 * 1024 };

struct reply {
    http_parser parser;
    bool complete;
    bool has_length; /* it has told its length, which is then `expected` */
    uint64_t expected;
    char *body;
    size_t length, room;
    char problem[128]; /* what was wrong with it, once a call below returned -EPROTO; else "" */
};

void reply_init(struct reply *reply);
void reply_free(struct reply *reply);

/*
 * Takes the next bytes. 0: more are needed; 1: the reply is complete, and what follows is ignored;
 * -EPROTO: it is malformed, too large, or not a 200; -ENOMEM.
 */
int reply_feed(struct reply *reply, const char *data, size_t size);

/* The server has closed the connection. 1: the reply is complete; -EPROTO: it was cut short. */
int reply_end(struct reply *reply);

#endif
