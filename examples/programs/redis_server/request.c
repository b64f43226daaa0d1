/*
 * request.c: a parser that knows nothing of where the data comes from. What to notice: it starts
 * over when more has come, for it keeps nothing; it copies nothing either.
 */
#include "request.h"

#include <ctype.h>
#include <string.h>

static int fail(struct request *request, const char *problem)
{
    request->problem = problem;
    return -1;
}

/* A mark and a number, as "*3\r\n": 1, and *at is behind it; 0 and -1 as request_parse. */
static int take_number(struct request *request, const char **at, const char *end, char mark,
                       long most, long *ret)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *digit = *at + 1;

    if (newline == NULL)
        return end - *at < 32 ? 0 : fail(request, "too big count string");
    if (**at != mark)
        return fail(request, "expected '$'");
    for (*ret = 0; isdigit((unsigned char)*digit) && *ret <= most; digit++)
        *ret = *ret * 10 + *digit - '0';
    if (digit == *at + 1 || *digit != '\r' || digit + 1 != newline || *ret > most)
        return fail(request, mark == '$' ? "invalid bulk length" : "invalid multibulk length");
    *at = newline + 1;
    return 1;
}

static ssize_t parse_array(struct request *request, const char *data, const char *end)
{
    const char *at = data;
    long count, size;
    int rc = take_number(request, &at, end, '*', MOST_WORDS, &count);

    if (rc <= 0)
        return rc;
    while (request->count < count) {
        rc = take_number(request, &at, end, '$', MOST_BYTES, &size);
        if (rc <= 0)
            return rc;
        if (end - at < size + 2)
            return 0;
        request->words[request->count++] = (struct word){at, (size_t)size};
        at += size + 2;
    }
    return at - data;
}

/* For those who have only nc. */
static ssize_t parse_line(struct request *request, const char *data, const char *end)
{
    const char *newline = memchr(data, '\n', (size_t)(end - data));

    if (newline == NULL)
        return 0;
    for (const char *at = data; at < newline; at++) {
        const char *start = at;

        while (!isspace((unsigned char)*at))
            at++;
        if (at == start)
            continue;
        if (request->count == MOST_WORDS)
            return fail(request, "too many words");
        request->words[request->count++] = (struct word){start, (size_t)(at - start)};
    }
    return newline + 1 - data;
}

ssize_t request_parse(struct request *request, const char *data, size_t size)
{
    request->count = 0;
    return *data == '*' ? parse_array(request, data, data + size)
                        : parse_line(request, data, data + size);
}
