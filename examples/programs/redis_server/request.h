/*
 * request.h: requests as clients send them (RESP, version 2): an array of words, each told with its
 * length, or a line of words.
 */
#ifndef REDIS_SERVER_REQUEST_H
#define REDIS_SERVER_REQUEST_H

#include "store.h"

enum { MOST_WORDS = 1024, MOST_BYTES = 1 << 20 };

struct request {
    int count;
    struct word words[MOST_WORDS]; /* in the data it was parsed from */
    const char *problem;
};

/*
 * Parses what the data begins with. So many bytes it takes; 0: it has not all come; -1: it is no
 * request, for the reason in request->problem.
 */
ssize_t request_parse(struct request *request, const char *data, size_t size);

#endif
