/*
 * json.h: whether a text is JSON.
 */
#ifndef CORA_TEST_JSON_H
#define CORA_TEST_JSON_H

#include <stdbool.h>

/* One value, by RFC 8259, in valid UTF-8, and nothing behind it. */
bool is_json(const char *text);

#endif
