/*
 * url.h: http://host[:port]/path, taken apart.
 */
#ifndef DEMO_URL_H
#define DEMO_URL_H

#include <stddef.h>

enum { URL_SIZE = 2048 };

struct url {
    char text[URL_SIZE];   /* the whole, as it was given */
    char host[256];        /* a name or an address, without the brackets of IPv6 */
    char port[6];          /* "80" where none is given */
    char target[URL_SIZE]; /* path and query, as they stand in the request; at least "/" */
};

/* 0, or -EINVAL for what is not an http URL or is too long. */
int url_parse(struct url *url, const char *text);

/* The URL of a file on the demo's own server; `path` is relative to the served folder. As above. */
int url_of_file(struct url *url, unsigned port, const char *path);

/* Turns each %XX of `text` into its byte, in place. 0, or -EINVAL for a bad or a zero %XX. */
int url_decode(char *text);

#endif
