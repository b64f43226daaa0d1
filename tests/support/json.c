#include "support/json.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <wchar.h>

/* Each returns what is behind the thing; NULL: it is none. */
static const char *value(const char *at);

static const char *space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* A character that needs no escape: its bytes must be UTF-8, neither overlong nor a surrogate. */
static const char *character(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned code = bytes[0], length = 1;

    if (code >= 0x80) {
        length = code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : 2;
        code = length == 4 ? code & 7 : length == 3 ? code & 15 : code & 31;
        for (unsigned i = 1; i < length; i++) {
            if ((bytes[i] & 0xc0) != 0x80)
                return NULL;
            code = code << 6 | (bytes[i] & 0x3f);
        }
        if (bytes[0] < 0xc0 || code < least[length] || code > 0x10ffff ||
            (code >= 0xd800 && code < 0xe000))
            return NULL;
    }
    return code < 0x20 ? NULL : at + length;
}

static const char *escape(const char *at)
{
    if (*at != 'u')
        return *at != '\0' && strchr("\"\\/bfnrt", *at) != NULL ? at + 1 : NULL;
    for (int i = 1; i <= 4; i++)
        if (!isxdigit((unsigned char)at[i]))
            return NULL;
    return at + 5;
}

static const char *string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (at != NULL && *at != '"')
        at = *at == '\\' ? escape(at + 1) : character(at);
    return at != NULL ? at + 1 : NULL;
}

static const char *digits(const char *at)
{
    size_t count = strspn(at, "0123456789");

    return count > 0 ? at + count : NULL;
}

static const char *number(const char *at)
{
    at += *at == '-';
    if (*at == '0' && isdigit((unsigned char)at[1]))
        return NULL;
    at = digits(at);
    if (at != NULL && *at == '.')
        at = digits(at + 1);
    if (at != NULL && (*at == 'e' || *at == 'E')) {
        at++;
        at = digits(at + (*at == '+' || *at == '-'));
    }
    return at;
}

static const char *member(const char *at)
{
    at = string(at);
    if (at == NULL)
        return NULL;
    at = space(at);
    return *at == ':' ? value(at + 1) : NULL;
}

/* In brackets, with commas in between. */
static const char *list(const char *at, char end, const char *(*item)(const char *at))
{
    at = space(at + 1);
    if (*at == end)
        return at + 1;
    for (;;) {
        at = item(space(at));
        if (at == NULL)
            return NULL;
        at = space(at);
        if (*at == end)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *word(const char *at, const char *expected)
{
    size_t length = strlen(expected);

    return strncmp(at, expected, length) == 0 ? at + length : NULL;
}

static const char *value(const char *at)
{
    at = space(at);
    switch (*at) {
    case '{':
        return list(at, '}', member);
    case '[':
        return list(at, ']', value);
    case '"':
        return string(at);
    case 't':
        return word(at, "true");
    case 'f':
        return word(at, "false");
    case 'n':
        return word(at, "null");
    default:
        return number(at);
    }
}

bool is_json(const char *text)
{
    text = value(text);
    return text != NULL && *space(text) == '\0';
}
