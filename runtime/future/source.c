/*
 * source.c: what is remembered lies behind the future's `what`, whose text is its first member: so
 * that futures have no room to spare for it.
 */
#include "future/source.h"

#include "unwind/unwind.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_CALLS = 10, /* as in asyncio */
    MOST_INLINED = 8,
};

struct source {
    char what[32];
    size_t count;
    uintptr_t calls[MOST_CALLS]; /* where they will return to, newest first */
};

void cora__source_remember(struct cora_future *future, const void *caller)
{
    struct source *source = malloc(sizeof *source);

    if (source == NULL)
        return;
    snprintf(source->what, sizeof source->what, "%s", future->what);
    source->count = cora__backtrace(source->calls, MOST_CALLS, caller);
    future->what = source->what;
    future->has_source = true;
}

static struct source *source_of(const struct cora_future *future)
{
    return (struct source *)(uintptr_t)future->what;
}

void cora__source_forget(struct cora_future *future)
{
    free(source_of(future));
}

/* ---- as text ------------------------------------------------------------------------------- */

struct text {
    const struct source *source;
    char *at;
    size_t left; /* with the 0 at the end */
};

static void add_line(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line that has no room any more is left out, and so are all that follow. */
static void add_line(struct text *text, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= text->left) {
        *text->at = '\0';
        text->left = 1;
        return;
    }
    text->at += length;
    text->left -= (size_t)length;
}

static void add_frame(struct text *text, const cora_frame *frame)
{
    if (frame->file != NULL)
        add_line(text, "File '%s', line %d, in %s()\n", frame->file, frame->line, frame->function);
    else
        add_line(text, "in %s()\n", frame->function);
}

/* What is known without debugging information. */
static void add_symbol(struct text *text, uintptr_t address)
{
    Dl_info info;

    if (dladdr((void *)address, &info) == 0)
        add_line(text, "at 0x%zx\n", (size_t)address);
    else if (info.dli_sname != NULL)
        add_line(text, "in %s()\n", info.dli_sname);
    else
        add_line(text, "at 0x%zx of '%s'\n", (size_t)(address - (uintptr_t)info.dli_fbase),
                 info.dli_fname);
}

static bool is_ours(const cora_frame *frame)
{
    return strncmp(frame->function, "cora_", 5) == 0;
}

/* Functions of the library that called one another are of no interest: the text begins above. */
static void describe(void *arg)
{
    struct text *text = arg;
    struct cora__symbols *symbols = cora__symbols_open();
    cora_frame frames[MOST_INLINED];
    bool ours = true;

    for (size_t i = 0; i < text->source->count; i++) {
        uintptr_t address = text->source->calls[i] - 1; /* in the call, not behind it */
        size_t count = cora__symbols_find(symbols, address, frames, MOST_INLINED);

        if (count == 0)
            add_symbol(text, address);
        for (size_t j = 0; j < count; j++) {
            ours = ours && is_ours(&frames[j]);
            if (!ours)
                add_frame(text, &frames[j]);
        }
    }
    cora__symbols_close(symbols);
}

const char *cora_future_source_traceback(const cora_future *future, char *text, size_t size)
{
    if (size == 0)
        return text;
    text[0] = '\0';
    if (future != NULL && future->has_source) {
        struct text lines = {source_of(future), text, size};

        if (cora__symbols_call(describe, &lines) < 0)
            text[0] = '\0';
    }
    return text;
}

void cora__future_report(struct cora_future *future, const char *task, int error,
                         const char *format, ...)
{
    cora_exception_context context = {.error = error, .task = task, .future = future};
    char message[512], source[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    context.message = message;
    if (future->has_source)
        context.source_traceback = cora_future_source_traceback(future, source, sizeof source);
    cora_loop_call_exception_handler(future->loop, &context);
}
