#include "xml.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

struct element {
    const char *name;
    size_t length;
};

/* The text after an entity such as &amp;, or NULL. */
static const char *skip_entity(const char *text)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};

    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (strncmp(text, entities[i], strlen(entities[i])) == 0)
            return text + strlen(entities[i]);
    return NULL;
}

/* The text after what may stand up to `end`, which is not skipped, or NULL. */
static const char *skip_characters(const char *text, char end)
{
    while (text != NULL && *text != '\0' && *text != end && *text != '<') {
        if ((unsigned char)*text < ' ' && !isspace((unsigned char)*text))
            return NULL;
        text = *text == '&' ? skip_entity(text) : text + 1;
    }
    return text;
}

static size_t name_length(const char *text)
{
    return isalpha((unsigned char)*text) ? strcspn(text, " \t\n/>=") : 0;
}

/* The text after name="value" pairs, or NULL. */
static const char *skip_attributes(const char *text)
{
    while (isspace((unsigned char)*text)) {
        text += strspn(text, " \t\n");

        size_t length = name_length(text);

        if (length == 0)
            return text;
        if (strncmp(text + length, "=\"", 2) != 0)
            return NULL;
        text = skip_characters(text + length + 2, '"');
        if (text == NULL || *text++ != '"')
            return NULL;
    }
    return text;
}

/* A tag, from its <: opens or closes an element. The text after it, or NULL. */
static const char *skip_tag(const char *text, struct element open[], size_t *depth)
{
    bool closing = text[1] == '/';
    struct element element = {text + 1 + closing, name_length(text + 1 + closing)};

    if (element.length == 0 || *depth == DEPTH_MAX)
        return NULL;
    text = skip_attributes(element.name + element.length);
    if (text == NULL)
        return NULL;
    if (closing) {
        if (*depth == 0 || open[--*depth].length != element.length ||
            memcmp(open[*depth].name, element.name, element.length) != 0)
            return NULL;
    } else if (*text == '/') {
        text++;
    } else {
        open[(*depth)++] = element;
    }
    return *text == '>' ? text + 1 : NULL;
}

bool is_well_formed(const char *text)
{
    static const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    struct element open[DEPTH_MAX];
    size_t depth = 0;

    if (strncmp(text, declaration, strlen(declaration)) != 0)
        return false;
    text = strchr(text, '\n');
    if (text == NULL)
        return false;
    text += strspn(text, "\n");
    do {
        text = *text == '<' ? skip_tag(text, open, &depth) : skip_characters(text, '<');
    } while (text != NULL && depth > 0 && *text != '\0');
    return text != NULL && depth == 0 && text[strspn(text, "\n")] == '\0';
}
