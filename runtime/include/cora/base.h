/*
 * base.h: the few macros that every public header uses.
 */
#ifndef CORA_BASE_H
#define CORA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORA_VERSION "0.1.0"

#ifdef __cplusplus
#define CORA_BEGIN_DECLS extern "C" {
#define CORA_END_DECLS }
#else
#define CORA_BEGIN_DECLS
#define CORA_END_DECLS
#endif

/* Part of the library's interface; everything else stays hidden in the shared library. */
#define CORA_API __attribute__((visibility("default")))

/*
 * The call may suspend the current task: other tasks run before it returns. C has no `await`
 * keyword; this mark in the declaration takes its place. A call without it never suspends.
 */
#define CORA_SUSPENDS

/* Dropping this result would drop an error, perhaps a cancellation: a compile error under -Werror.
 */
#define CORA_MUST_CHECK __attribute__((warn_unused_result))

#endif
