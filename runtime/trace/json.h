/*
 * json.h: text for a file, gathered and written in pieces.
 *
 * The first error of writing stays, and nothing is written after it: whoever adds need not look.
 */
#ifndef CORA_TRACE_JSON_H
#define CORA_TRACE_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cora__json {
    int fd;
    int error; /* 0, or the first one, negative */
    size_t used;
    char text[64 << 10];
};

/* As it is: no longer than the room in all. */
void cora__json_add_bytes(struct cora__json *json, const char *text, size_t length);

/* Inline, for most are literals, whose lengths are known. */
static inline void cora__json_add(struct cora__json *json, const char *text)
{
    cora__json_add_bytes(json, text, strlen(text));
}

/* In quotes, with escapes; what is no UTF-8 becomes U+FFFD. */
void cora__json_add_string(struct cora__json *json, const char *text);

void cora__json_add_number(struct cora__json *json, uint64_t number);

/* Quoted, as printf's %p. */
void cora__json_add_address(struct cora__json *json, uintptr_t address);

/* Nanoseconds, as microseconds with three decimals. */
void cora__json_add_time(struct cora__json *json, int64_t ns);

/* Writes what is gathered. */
void cora__json_flush(struct cora__json *json);

#endif
