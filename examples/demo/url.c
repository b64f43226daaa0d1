#include "url.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <http_parser.h>

static bool has(const struct http_parser_url *parts, enum http_parser_url_fields field)
{
    return (parts->field_set & (1u << field)) != 0;
}

/* Copies one part of the URL; false where it does not fit. */
static bool copy(char *to, size_t size, const char *text, const struct http_parser_url *parts,
                 enum http_parser_url_fields field)
{
    size_t length = parts->field_data[field].len;

    if (length >= size)
        return false;
    memcpy(to, text + parts->field_data[field].off, length);
    to[length] = '\0';
    return true;
}

/* All from the path on, without the fragment, which is the client's own business. */
static void set_target(struct url *url, const struct http_parser_url *parts)
{
    size_t start = strlen(url->text);

    if (has(parts, UF_PATH))
        start = parts->field_data[UF_PATH].off;
    else if (has(parts, UF_QUERY))
        start = parts->field_data[UF_QUERY].off - 1u;

    const char *slash = url->text[start] == '/' ? "" : "/";
    int length = (int)strcspn(url->text + start, "#");

    snprintf(url->target, sizeof url->target, "%s%.*s", slash, length, url->text + start);
}

int url_parse(struct url *url, const char *text)
{
    struct http_parser_url parts;
    char scheme[8] = "";

    if (strlen(text) + 1 >= sizeof url->text) /* one more, for a target without its slash */
        return -EINVAL;
    http_parser_url_init(&parts);
    if (http_parser_parse_url(text, strlen(text), 0, &parts) != 0 || has(&parts, UF_USERINFO) ||
        !has(&parts, UF_SCHEMA) || !has(&parts, UF_HOST))
        return -EINVAL;
    if (!copy(scheme, sizeof scheme, text, &parts, UF_SCHEMA) || strcasecmp(scheme, "http") != 0)
        return -EINVAL;
    if (!copy(url->host, sizeof url->host, text, &parts, UF_HOST))
        return -EINVAL;
    snprintf(url->port, sizeof url->port, "%u", has(&parts, UF_PORT) ? parts.port : 80u);
    snprintf(url->text, sizeof url->text, "%s", text);
    set_target(url, &parts);
    return 0;
}

int url_of_file(struct url *url, unsigned port, const char *path)
{
    char text[URL_SIZE];
    size_t length = (size_t)snprintf(text, sizeof text, "http://127.0.0.1:%u/", port);

    for (const char *c = path; *c != '\0'; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("/-._~", *c) != NULL;

        if (length + 4 > sizeof text)
            return -EINVAL;
        length += (size_t)sprintf(text + length, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    return url_parse(url, text);
}

int url_decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        unsigned byte = (unsigned char)*from;

        if (byte == '%') {
            if (!isxdigit((unsigned char)from[1]) || !isxdigit((unsigned char)from[2]))
                return -EINVAL;
            byte = (unsigned)strtoul((char[]){from[1], from[2], '\0'}, NULL, 16);
            if (byte == 0)
                return -EINVAL;
            from += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return 0;
}
