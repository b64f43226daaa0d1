#include "reply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the parser calls: a result other than 0 stops it --------------------------------- */

/* 100 Continue and its like come before the reply proper. */
static bool is_interim(const http_parser *parser)
{
    return parser->status_code / 100 == 1 && parser->status_code != 101;
}

static int refuse_large(struct reply *reply)
{
    snprintf(reply->problem, sizeof reply->problem, "the reply is larger than %d MiB",
             REPLY_BODY_MAX >> 20);
    return -1;
}

static int on_headers_complete(http_parser *parser)
{
    struct reply *reply = parser->data;

    if (is_interim(parser))
        return 0;
    if (parser->status_code != 200) {
        snprintf(reply->problem, sizeof reply->problem, "the server answered %u %s",
                 parser->status_code, http_status_str((enum http_status)parser->status_code));
        return -1;
    }
    reply->has_length = (parser->flags & F_CONTENTLENGTH) != 0 && (parser->flags & F_CHUNKED) == 0;
    reply->expected = reply->has_length ? parser->content_length : 0;
    return reply->expected > REPLY_BODY_MAX ? refuse_large(reply) : 0;
}

static int grow(struct reply *reply, size_t needed)
{
    size_t room = reply->room != 0 ? reply->room : (size_t)reply->expected;
    char *body;

    if (room < 4096)
        room = 4096;
    while (room < needed)
        room *= 2;
    if (room == reply->room)
        return 0;
    body = realloc(reply->body, room);
    if (body == NULL)
        return -ENOMEM;
    reply->body = body;
    reply->room = room;
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t size)
{
    struct reply *reply = parser->data;

    if (size > REPLY_BODY_MAX - reply->length)
        return refuse_large(reply);
    if (grow(reply, reply->length + size) < 0)
        return -1;
    memcpy(reply->body + reply->length, data, size);
    reply->length += size;
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct reply *reply = parser->data;

    if (is_interim(parser))
        return 0;
    reply->complete = true;
    http_parser_pause(parser, 1); /* one reply is all we asked for */
    return 0;
}

/* ---- feeding it ---------------------------------------------------------------------------- */

static const http_parser_settings settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void reply_init(struct reply *reply)
{
    memset(reply, 0, sizeof *reply);
    http_parser_init(&reply->parser, HTTP_RESPONSE);
    reply->parser.data = reply;
}

void reply_free(struct reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

int reply_feed(struct reply *reply, const char *data, size_t size)
{
    http_parser_execute(&reply->parser, &settings, data, size);
    if (reply->complete)
        return 1;
    if (reply->problem[0] != '\0')
        return -EPROTO;

    enum http_errno error = HTTP_PARSER_ERRNO(&reply->parser);

    if (error == HPE_OK)
        return 0;
    if (error == HPE_CB_body)
        return -ENOMEM; /* the only thing that on_body leaves unexplained */
    snprintf(reply->problem, sizeof reply->problem, "the reply is malformed: %s",
             http_errno_description(error));
    return -EPROTO;
}

/* Some replies end with the connection; the parser knows whether this is one. */
int reply_end(struct reply *reply)
{
    if (reply->complete)
        return 1;

    bool begun = reply->parser.nread > 0 || reply->parser.status_code != 0;

    http_parser_execute(&reply->parser, &settings, NULL, 0);
    if (reply->complete)
        return 1;
    if (!begun)
        strcpy(reply->problem, "the server closed the connection without a reply");
    else if (reply->has_length)
        snprintf(reply->problem, sizeof reply->problem,
                 "the reply was cut short after %zu of %" PRIu64 " bytes", reply->length,
                 reply->expected);
    else
        snprintf(reply->problem, sizeof reply->problem, "the reply was cut short after %zu bytes",
                 reply->length);
    return -EPROTO;
}
