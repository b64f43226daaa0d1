#include <cora/timeout.h>

#include "base/table.h"
#include "task/task.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* A timeout that has been entered and not left. */
struct entry {
    struct cora__scope scope;
    struct cora__timer timer;
    struct cora__table_node node; /* by the caller's storage, once there is a table */
    struct cora__task *task;
    double when;
    int cancelling; /* the task's count at the entry: what is above it at the exit is ours */
    int error;      /* for the exit: it was entered twice */
    bool expired;   /* the cancellation is on its way, or has been dealt with */
};

/* The caller's storage. */
struct timeout {
    struct entry *entry; /* NULL before the entry and after the exit */
    double when;
    int error; /* why it could not be entered */
    bool expired, left;
    bool cut_off; /* no memory for a limit: nothing may suspend */
};

_Static_assert(sizeof(struct timeout) <= sizeof(cora_timeout), "cora_timeout is too small");

static struct timeout *inside(cora_timeout *timeout)
{
    return (struct timeout *)timeout;
}

static void on_timeout(void *arg)
{
    struct entry *entry = arg;

    entry->expired = true;
    cora_task_cancel(&entry->task->future);
}

static void disarm(struct entry *entry)
{
    cora__timer_stop(entry->task->future.loop, &entry->timer);
}

/* A deadline that has passed fires in the next iteration, as by call_soon. */
static int arm(struct entry *entry, double when, double now)
{
    struct cora_loop *loop = entry->task->future.loop;
    int rc = 0;

    if (isnan(when))
        return -EINVAL;
    if (when <= now)
        cora__loop_push(loop, &entry->timer.handle);
    else if (!isinf(when))
        rc = cora__timer_start(loop, &entry->timer, when);
    if (rc == 0)
        entry->when = when;
    return rc;
}

static void abandon(struct cora__scope *scope)
{
    struct entry *entry = cora__container_of(scope, struct entry, scope);

    disarm(entry);
    cora__table_remove(&entry->node);
}

static const struct cora__scope_kind timeout_kind = {"timeout", sizeof(struct entry), abandon};

/* ---- finding it ---------------------------------------------------------------------------- */

static struct entry *find_entry(const struct timeout *timeout, const struct cora__task *task)
{
    struct cora__scope *scope = cora__scope_find(task, &timeout_kind, timeout);

    return scope != NULL ? cora__container_of(scope, struct entry, scope) : NULL;
}

/*
 * Any task may move a deadline. The record is then looked for among those of living tasks, and not
 * taken from the storage, for it goes with its task. Few programs do so to another task's: the
 * table of all that are open in a loop is made when it is first needed.
 */
static void close_table(void *table)
{
    cora__table_destroy(table);
    free(table);
}

static const cora_attachment_kind table_kind = {NULL, close_table};

static void add_all(struct cora__table *table, struct cora__task *task)
{
    for (struct cora__scope *scope = task->scopes; scope != NULL; scope = scope->outer) {
        struct entry *entry = cora__container_of(scope, struct entry, scope);

        if (scope->kind == &timeout_kind && !scope->abandoned)
            cora__table_add(table, &entry->node, scope->owner);
    }
}

static struct cora__table *create_table(struct cora_loop *loop)
{
    struct cora__table *table = malloc(sizeof *table);

    if (table == NULL || cora__table_init(table) < 0) {
        free(table);
        return NULL;
    }
    if (cora_loop_attach(loop, &table_kind, table) < 0) {
        close_table(table);
        return NULL;
    }
    for (struct cora__list *link = loop->all_tasks.next; link != &loop->all_tasks;
         link = link->next)
        add_all(table, cora__container_of(link, struct cora__task, link));
    return table;
}

static struct entry *find_in_table(const struct timeout *timeout, struct cora__table *table)
{
    struct cora__table_node *node = cora__table_find(table, timeout);

    return node != NULL ? cora__container_of(node, struct entry, node) : NULL;
}

/* Without memory for a table. */
static struct entry *find_in_all(const struct timeout *timeout, struct cora_loop *loop)
{
    struct entry *entry = NULL;

    for (struct cora__list *link = loop->all_tasks.next; link != &loop->all_tasks && entry == NULL;
         link = link->next)
        entry = find_entry(timeout, cora__container_of(link, struct cora__task, link));
    return entry;
}

static struct entry *find_anywhere(const struct timeout *timeout)
{
    struct cora_loop *loop = cora__loop_running;
    struct cora__task *task = cora__current_task();
    struct entry *entry = task != NULL ? find_entry(timeout, task) : NULL;

    if (entry != NULL || loop == NULL)
        return entry;

    struct cora__table *table = cora_loop_attached(loop, &table_kind);

    if (table == NULL)
        table = create_table(loop);
    return table != NULL ? find_in_table(timeout, table) : find_in_all(timeout, loop);
}

/* ---- enter --------------------------------------------------------------------------------- */

static void add_to_table(struct entry *entry)
{
    struct cora_loop *loop = entry->task->future.loop;
    struct cora__table *table =
        loop->attachments != NULL ? cora_loop_attached(loop, &table_kind) : NULL;

    entry->node.table = NULL;
    if (table != NULL)
        cora__table_add(table, &entry->node, entry->scope.owner);
}

static int create_entry(struct timeout *timeout, struct cora__task *task, double when, double now)
{
    struct cora__pool *pool = &task->future.loop->pool;
    struct entry *entry = cora__pool_alloc(pool, sizeof *entry);
    int rc;

    if (entry == NULL)
        return -ENOMEM;
    entry->task = task;
    entry->cancelling = task->cancelling;
    entry->error = 0;
    entry->expired = false;
    cora__timer_init(&entry->timer, on_timeout, entry);
    rc = arm(entry, when, now);
    if (rc < 0) {
        cora__pool_free(pool, entry, sizeof *entry);
        return rc;
    }
    timeout->entry = entry;
    return 0;
}

static void enter(struct timeout *timeout, struct cora__task *task, double when, double now,
                  const char *file, int line)
{
    struct entry *open = task != NULL ? find_entry(timeout, task) : NULL;

    if (open != NULL && open->scope.abandoned)
        open = NULL;
    *timeout = (struct timeout){.entry = open, .when = when};
    if (open != NULL) {
        open->error = -CORA_EENTERED; /* the first entry stays in force */
        return;
    }
    timeout->error = task != NULL ? create_entry(timeout, task, when, now) : -CORA_ENOTASK;
    if (timeout->error == -ENOMEM) {
        timeout->cut_off = true;
        cora_task_cancel(&task->future);
    }
    if (timeout->error < 0)
        return;
    timeout->entry->scope =
        (struct cora__scope){.kind = &timeout_kind, .owner = timeout, .file = file, .line = line};
    cora__scope_enter(task, &timeout->entry->scope);
    add_to_table(timeout->entry);
}

void cora_timeout_enter_(cora_timeout *timeout, double delay, const char *file, int line)
{
    struct cora__task *task = cora__current_task();
    double now = task != NULL ? cora_loop_time(task->future.loop) : 0;

    enter(inside(timeout), task, now + delay, now, file, line);
}

void cora_timeout_at_enter_(cora_timeout *timeout, double when, const char *file, int line)
{
    struct cora__task *task = cora__current_task();
    double now = task != NULL ? cora_loop_time(task->future.loop) : 0;

    enter(inside(timeout), task, when, now, file, line);
}

/* ---- exit ---------------------------------------------------------------------------------- */

/* Why the current task is not in this timeout: never entered, or left, or entered by another. */
static int not_open(const struct timeout *timeout)
{
    return timeout->left || timeout->entry != NULL ? -CORA_EFINISHED : -CORA_ENOTENTERED;
}

int cora_timeout_exit(cora_timeout *self, int rc)
{
    struct timeout *timeout = inside(self);
    struct cora__task *task = cora__current_task();
    struct entry *entry = task != NULL ? find_entry(timeout, task) : NULL;

    if (entry == NULL && timeout->cut_off && task != NULL)
        cora_task_uncancel(&task->future);
    timeout->cut_off = false;
    if (entry == NULL)
        return timeout->error < 0 ? timeout->error : not_open(timeout);
    cora__scope_exit(entry->task, &entry->scope);
    cora__table_remove(&entry->node);
    disarm(entry);
    if (entry->expired && cora_task_uncancel(&entry->task->future) <= entry->cancelling &&
        rc == -ECANCELED)
        rc = -ETIMEDOUT;
    if (entry->error < 0)
        rc = entry->error;
    *timeout = (struct timeout){.when = entry->when, .expired = entry->expired, .left = true};
    cora__pool_free(&task->future.loop->pool, entry, sizeof *entry);
    return rc;
}

int cora_timeout_reschedule(cora_timeout *self, double when)
{
    struct timeout *timeout = inside(self);
    struct entry *entry = find_anywhere(timeout);

    if (entry == NULL)
        return not_open(timeout);
    if (entry->expired || entry->scope.abandoned)
        return -CORA_EFINISHED;
    if (isnan(when))
        return -EINVAL;
    disarm(entry);
    return arm(entry, when, cora_loop_time(entry->task->future.loop));
}

double cora_timeout_when(const cora_timeout *self)
{
    const struct timeout *timeout = (const struct timeout *)self;

    return timeout->entry != NULL ? timeout->entry->when : timeout->when;
}

bool cora_timeout_expired(const cora_timeout *self)
{
    const struct timeout *timeout = (const struct timeout *)self;

    return timeout->entry != NULL ? timeout->entry->expired : timeout->expired;
}
