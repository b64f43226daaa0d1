/*
 * report.c: what nobody could be told by a result goes to the loop's exception handler.
 */
#include "loop/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cora_loop_set_exception_handler(cora_loop *loop, cora_exception_handler *handler, void *arg)
{
    loop->exception_handler = handler;
    loop->exception_arg = arg;
}

cora_exception_handler *cora_loop_get_exception_handler(const cora_loop *loop, void **ret_arg)
{
    if (ret_arg != NULL)
        *ret_arg = loop->exception_arg;
    return loop->exception_handler;
}

static void print_source(const char *line)
{
    while (*line != '\0') {
        int length = (int)strcspn(line, "\n");

        fprintf(stderr, "    %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
}

void cora_loop_default_exception_handler(cora_loop *loop, const cora_exception_context *context)
{
    (void)loop;
    fprintf(stderr, "cora: %s%s%s%s%s%s\n", context->task != NULL ? "task '" : "",
            context->task != NULL ? context->task : "", context->task != NULL ? "': " : "",
            context->message, context->error != 0 ? ": " : "",
            context->error != 0 ? cora_strerror(context->error) : "");
    if (context->source_traceback != NULL && context->source_traceback[0] != '\0') {
        fprintf(stderr, "  it was created at (newest call first):\n");
        print_source(context->source_traceback);
    }
}

void cora_loop_call_exception_handler(cora_loop *loop, const cora_exception_context *context)
{
    if (loop->exception_handler != NULL)
        loop->exception_handler(loop, context, loop->exception_arg);
    else
        cora_loop_default_exception_handler(loop, context);
}

void cora__loop_report(struct cora_loop *loop, const char *task, struct cora_future *future,
                       int error, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    cora_loop_call_exception_handler(
        loop, &(cora_exception_context){
                  .message = message, .error = error, .task = task, .future = future});
}

void cora_loop_set_debug(cora_loop *loop, bool debug)
{
    loop->debug = debug;
    cora__loop_set_observed(loop);
}

bool cora_loop_get_debug(const cora_loop *loop)
{
    return loop->debug;
}

void cora_loop_set_slow_callback_duration(cora_loop *loop, double seconds)
{
    loop->slow_callback_duration = seconds;
}
