/*
 * request.h: what a client asks for.
 */
#ifndef WEB_SERVER_REQUEST_H
#define WEB_SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum { HEAD_SIZE = 8192 };

struct request {
    int status;           /* of the answer, so far: 200, or what is wrong with the request */
    bool only_head;       /* HEAD: the answer has no body */
    bool keeps;           /* another request may follow */
    char path[HEAD_SIZE]; /* decoded, without the query */
};

/* Parses a head, up to its empty line and with it. */
void request_parse(struct request *request, const char *head, size_t size);

#endif
