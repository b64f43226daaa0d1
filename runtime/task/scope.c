/*
 * scope.c: what a task has entered and not left yet.
 */
#include "task/task.h"

void cora__scope_enter(struct cora__task *task, struct cora__scope *scope)
{
    scope->outer = task->scopes;
    task->scopes = scope;
}

static void report_open(struct cora__task *task, const struct cora__scope *scope, const char *when)
{
    cora__loop_report(task->future.loop, cora_task_get_name(&task->future), &task->future,
                      -CORA_EUNBALANCED, "the %s entered at %s:%d was still open %s", scope->kind,
                      scope->file, scope->line, when);
}

bool cora__scope_is_open(const struct cora__task *task, const struct cora__scope *scope)
{
    const struct cora__scope *inner = task->scopes;

    while (inner != NULL && inner != scope)
        inner = inner->outer;
    return inner != NULL;
}

/* Abandons the scopes from the innermost on, up to `end`. */
static void abandon(struct cora__task *task, const struct cora__scope *end, const char *when)
{
    while (task->scopes != end) {
        struct cora__scope *scope = task->scopes;

        task->scopes = scope->outer;
        report_open(task, scope, when);
        scope->abandon(scope);
    }
}

void cora__scope_exit(struct cora__task *task, struct cora__scope *scope)
{
    if (!cora__scope_is_open(task, scope))
        return;
    abandon(task, scope, "when an outer scope was left");
    task->scopes = scope->outer;
}

void cora__scopes_close(struct cora__task *task)
{
    abandon(task, NULL, "when its task ended");
}
