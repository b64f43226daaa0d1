#include "trace/json.h"

#include <errno.h>
#include <string.h>
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

static void add(struct cora__json *json, const char *text, size_t length)
{
    if (length > sizeof json->text - json->used)
        cora__json_flush(json);
    memcpy(json->text + json->used, text, length); /* no piece is as long as the buffer */
    json->used += length;
}

void cora__json_add(struct cora__json *json, const char *text)
{
    add(json, text, strlen(text));
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* The digits, which end at `end`; where they begin. */
static char *put_digits(char *end, uint64_t number, unsigned base)
{
    do
        *--end = "0123456789abcdef"[number % base];
    while ((number /= base) > 0);
    return end;
}

void cora__json_add_number(struct cora__json *json, uint64_t number)
{
    char text[24], *end = text + sizeof text;
    char *begin = put_digits(end, number, 10);

    add(json, begin, (size_t)(end - begin));
}

void cora__json_add_address(struct cora__json *json, uintptr_t address)
{
    char text[24], *end = text + sizeof text;
    char *begin = put_digits(end, address, 16);

    cora__json_add(json, "\"0x");
    add(json, begin, (size_t)(end - begin));
    cora__json_add(json, "\"");
}

void cora__json_add_time(struct cora__json *json, int64_t ns)
{
    char text[4] = {'.', '0', '0', '0'};
    uint64_t positive = ns > 0 ? (uint64_t)ns : 0;

    cora__json_add_number(json, positive / 1000);
    for (unsigned part = (unsigned)(positive % 1000), i = 3; i > 0; i--, part /= 10)
        text[i] = (char)('0' + part % 10);
    add(json, text, sizeof text);
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

static void add_escape(struct cora__json *json, unsigned character)
{
    char text[6] = {'\\',
                    'u',
                    '0',
                    '0',
                    "0123456789abcdef"[character >> 4],
                    "0123456789abcdef"[character & 15]};

    add(json, text, sizeof text);
}

void cora__json_add_string(struct cora__json *json, const char *text)
{
    cora__json_add(json, "\"");
    while (*text != '\0') {
        const unsigned char *at = (const unsigned char *)text;
        size_t length = utf8_length(at);

        if (length == 0)
            cora__json_add(json, "\xef\xbf\xbd");
        else if (*at == '"' || *at == '\\' || *at < 0x20 || *at == 0x7f)
            add_escape(json, *at);
        else
            add(json, text, length);
        text += length > 0 ? length : 1;
    }
    cora__json_add(json, "\"");
}
