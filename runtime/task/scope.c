/*
 * scope.c: what a task has entered and not left yet.
 */
#include "task/task.h"

void cora__scope_enter(struct cora__task *task, struct cora__scope *scope)
{
    scope->outer = task->scopes;
    task->scopes = scope;
}

struct cora__scope *cora__scope_find(const struct cora__task *task,
                                     const struct cora__scope_kind *kind, const void *owner)
{
    struct cora__scope *scope = task->scopes;

    while (scope != NULL && (scope->owner != owner || scope->kind != kind))
        scope = scope->outer;
    return scope;
}

static void abandon(struct cora__task *task, struct cora__scope *scope, const char *when)
{
    if (scope->abandoned)
        return;
    scope->abandoned = true;
    if (!task->future.loop->closed) /* else the task was dropped, and that has been reported */
        cora__loop_report(task->future.loop, cora_task_get_name(&task->future), &task->future,
                          -CORA_EUNBALANCED, "the %s entered at %s:%d was still open %s",
                          scope->kind->name, scope->file, scope->line, when);
    scope->kind->abandon(scope);
}

void cora__scope_exit(struct cora__task *task, struct cora__scope *scope)
{
    struct cora__scope **link = &task->scopes;

    for (; *link != scope; link = &(*link)->outer)
        abandon(task, *link, "when an outer scope was left");
    *link = scope->outer;
}

void cora__scopes_close(struct cora__task *task)
{
    while (task->scopes != NULL) {
        struct cora__scope *scope = task->scopes;

        abandon(task, scope, "when its task ended");
        task->scopes = scope->outer;
        cora__pool_free(&task->future.loop->pool, scope, scope->kind->size);
    }
}
