/*
 * request.c: heads of requests, parsed by libhttp-parser; by hand in Python. What to notice: it is
 * fed with bytes and calls back, and does not care where they come from, so it goes with any I/O.
 */
#include "request.h"

#include <http_parser.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int on_url(http_parser *parser, const char *data, size_t size)
{
    struct request *request = parser->data;
    size_t length = strlen(request->path);

    if (length + size >= sizeof request->path)
        return -1;
    memcpy(request->path + length, data, size);
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct request *request = parser->data;

    request->status = parser->method == HTTP_GET || parser->method == HTTP_HEAD ? 200 : 405;
    request->only_head = parser->method == HTTP_HEAD;
    return 0;
}

/* Not called where a body follows: as nobody reads it here, no other request does. */
static int on_message_complete(http_parser *parser)
{
    ((struct request *)parser->data)->keeps = http_should_keep_alive(parser);
    return 0;
}

/* "%20" becomes a space. False: it is no path, or has a zero in it. */
static bool decode(char *path)
{
    char *to = path;

    if (*path != '/')
        return false;
    path[strcspn(path, "?")] = '\0';
    for (const char *from = path; *from != '\0'; from++) {
        char digits[3] = "";

        *to = *from;
        if (*from == '%') {
            if (!isxdigit((unsigned char)from[1]) || !isxdigit((unsigned char)from[2]))
                return false;
            memcpy(digits, from + 1, 2);
            *to = (char)strtol(digits, NULL, 16);
            from += 2;
        }
        if (*to++ == '\0')
            return false;
    }
    *to = '\0';
    return true;
}

void request_parse(struct request *request, const char *head, size_t size)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_headers_complete = on_headers_complete,
        .on_message_complete = on_message_complete,
    };
    http_parser parser;

    memset(request, 0, sizeof *request);
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = request;
    http_parser_execute(&parser, &settings, head, size);
    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK || request->status == 0) {
        request->status = 400;
        request->keeps = false;
    } else if (request->status == 200 && !decode(request->path)) {
        request->status = 400;
    }
}
