#include "support/virtual.h"

#include "support/test.h"

struct report reports;
char trace_text[4096];

static void on_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    reports.count++;
    reports.error = context->error;
    snprintf(reports.message, sizeof reports.message, "%s", context->message);
    snprintf(reports.task, sizeof reports.task, "%s", context->task != NULL ? context->task : "");
}

int virtual_loop_factory(cora_loop **ret)
{
    int rc = cora_new_event_loop(ret);

    if (rc < 0)
        return rc;
    cora_loop_set_exception_handler(*ret, on_report, NULL);
    return cora_loop_use_virtual_clock(*ret, 0);
}

cora_loop *virtual_loop(void)
{
    cora_loop *loop = NULL;

    assert_return_code(virtual_loop_factory(&loop), 0);
    return loop;
}

int run_virtual(cora_task_fn *fn, void *arg)
{
    cora_runner_options options = {.loop_factory = virtual_loop_factory};
    cora_runner *runner = NULL;
    int rc, closed;

    assert_return_code(cora_runner_create(&runner, &options), 0);
    rc = cora_runner_run(runner, fn, arg);
    closed = cora_runner_close(runner);
    return rc < 0 || closed == 0 ? rc : closed;
}

void trace(const char *format, ...)
{
    size_t length = strlen(trace_text);
    va_list args;

    va_start(args, format);
    vsnprintf(trace_text + length, sizeof trace_text - length, format, args);
    va_end(args);
    length = strlen(trace_text);
    assert_true(length + 2 < sizeof trace_text);
    strcpy(trace_text + length, " ");
}
