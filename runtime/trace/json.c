#include "trace/json.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

void cora__json_flush(struct cora__json *json)
{
    size_t written = 0;

    while (json->error == 0 && written < json->used) {
        ssize_t size = write(json->fd, json->text + written, json->used - written);

        if (size >= 0)
            written += (size_t)size;
        else if (errno != EINTR)
            json->error = -errno;
    }
    json->used = 0;
}

void cora__json_add_bytes(struct cora__json *json, const char *text, size_t length)
{
    if (length > sizeof json->text - json->used)
        cora__json_flush(json);
    memcpy(json->text + json->used, text, length);
    json->used += length;
}

/* ---- numbers -------------------------------------------------------------------------------- */

enum { MOST_DIGITS = 20 };

void cora__json_add_number(struct cora__json *json, uint64_t number)
{
    char text[MOST_DIGITS], *end = text + sizeof text, *begin = end;

    do
        *--begin = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    cora__json_add_bytes(json, begin, (size_t)(end - begin));
}

void cora__json_add_address(struct cora__json *json, uintptr_t address)
{
    char text[MOST_DIGITS], *end = text + sizeof text, *begin = end;

    do
        *--begin = "0123456789abcdef"[address % 16];
    while ((address /= 16) > 0);
    cora__json_add(json, "\"0x");
    cora__json_add_bytes(json, begin, (size_t)(end - begin));
    cora__json_add(json, "\"");
}

void cora__json_add_time(struct cora__json *json, int64_t ns)
{
    uint64_t positive = ns > 0 ? (uint64_t)ns : 0;
    unsigned part = (unsigned)(positive % 1000);
    char decimals[] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
                       (char)('0' + part % 10)};

    cora__json_add_number(json, positive / 1000);
    cora__json_add_bytes(json, decimals, sizeof decimals);
}

/* ---- strings -------------------------------------------------------------------------------- */

/* The bytes of the character that the text begins with; 0: it is no UTF-8. The last byte of a text
 * is 0, so that none is read behind it. */
static size_t utf8_length(const unsigned char *text)
{
    unsigned first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0; /* longer than it must be, half of a pair, or past the last character */
    return length;
}

static bool needs_escape(unsigned char character)
{
    return character == '"' || character == '\\' || character < 0x20 || character == 0x7f;
}

static void add_escape(struct cora__json *json, unsigned char character)
{
    char text[6] = {'\\',
                    'u',
                    '0',
                    '0',
                    "0123456789abcdef"[character >> 4],
                    "0123456789abcdef"[character & 15]};

    cora__json_add_bytes(json, text, sizeof text);
}

/* How many bytes from there on may stand as they are: most often all. */
static size_t plain_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length, all = 0;

    while (*at != '\0' && !needs_escape(*at) && (length = utf8_length(at)) > 0) {
        at += length;
        all += length;
    }
    return all;
}

void cora__json_add_string(struct cora__json *json, const char *text)
{
    cora__json_add(json, "\"");
    for (;;) {
        size_t length = plain_length(text);

        cora__json_add_bytes(json, text, length);
        text += length;
        if (*text == '\0')
            break;
        if (needs_escape((unsigned char)*text))
            add_escape(json, (unsigned char)*text);
        else
            cora__json_add(json, "\xef\xbf\xbd");
        text++;
    }
    cora__json_add(json, "\"");
}
