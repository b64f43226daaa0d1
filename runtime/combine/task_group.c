#include <cora/task_group.h>

#include "task/task.h"

#include <errno.h>
#include <stdlib.h>

/* A child's place in its group; it waits in the child's callbacks. */
struct member {
    struct cora__handle handle;
    struct cora__list link; /* in group->members */
    struct group *group;
    struct cora_future *task;
    bool lent; /* the caller has a pointer to the task, good until the exit */
};

/* A group that has been entered and not left. */
struct group {
    struct cora__scope scope;
    struct cora__task *parent;
    struct cora__list members;    /* not done yet, in the order of their creation */
    struct cora_future *all_done; /* the exit waits for it; on its stack */
    struct cora__list finished;   /* done, and lent: their tasks stay until the exit */
    int *errors;                  /* in the order in which they came; ... */
    size_t error_count, room;     /* ... where memory was short, only the first `room` */
    int first_error;
    int outcome; /* of the join */
    bool exiting, joined, aborting;
    bool parent_cancel_requested; /* we cancelled the parent, to end the body */
};

/* The caller's storage. */
struct storage {
    struct group *group; /* NULL before the entry and after the exit */
    int error;           /* why it could not be entered */
    bool left;
};

_Static_assert(sizeof(struct storage) <= sizeof(cora_task_group), "cora_task_group is too small");

static struct storage *inside(cora_task_group *group)
{
    return (struct storage *)group;
}

static struct cora__pool *pool_of(const struct group *group)
{
    return &group->parent->future.loop->pool;
}

static void free_member(struct member *member)
{
    struct cora_future *task = member->task;

    cora__list_remove(&member->handle.link);
    cora__list_remove(&member->link);
    cora__pool_free(&task->loop->pool, member, sizeof *member);
    cora_future_unref(task);
}

static void drop_member(struct cora__handle *handle)
{
    free_member(handle->arg);
}

static struct cora_future *waiter(const struct cora__handle *handle)
{
    const struct member *member = handle->arg;

    return &member->group->parent->future;
}

static const struct cora__handle_kind member_kind = {.drop = drop_member, .waiter = waiter};

/* Cancels the children, in the order of their creation. */
static void abort_group(struct group *group)
{
    group->aborting = true;
    for (struct cora__list *link = group->members.next; link != &group->members; link = link->next)
        cora_future_cancel(cora__container_of(link, struct member, link)->task);
}

static void add_error(struct group *group, int error)
{
    if (group->error_count == group->room) {
        size_t room = group->room > 0 ? group->room * 2 : 4;
        int *errors = realloc(group->errors, room * sizeof errors[0]);

        if (errors != NULL) {
            group->errors = errors;
            group->room = room;
        }
    }
    if (group->error_count < group->room)
        group->errors[group->error_count] = error;
    if (group->error_count++ == 0)
        group->first_error = error;
}

static void child_failed(struct group *group, int error)
{
    add_error(group, error);
    if (!group->aborting && !group->parent_cancel_requested) {
        abort_group(group);
        group->parent_cancel_requested = true;
        cora_task_cancel(&group->parent->future);
    }
}

static void on_child_done(void *arg)
{
    struct member *member = arg;
    struct group *group = member->group;
    struct cora_future *task = member->task;

    cora__list_remove(&member->link);
    if (group->all_done != NULL && cora__list_empty(&group->members))
        cora__future_wake(group->all_done);
    if (task->state != CORA__CANCELLED && cora__future_retrieve(task) < 0)
        child_failed(group, task->outcome);
    if (member->lent)
        cora__list_append(&group->finished, &member->link);
    else
        free_member(member); /* a group may live as long as a server */
}

static void free_members(struct cora__list *members)
{
    while (!cora__list_empty(members))
        free_member(cora__container_of(members->next, struct member, link));
}

/* Nobody will wait for the children: they are cancelled and left to themselves. */
static void abandon(struct cora__scope *scope)
{
    struct group *group = cora__container_of(scope, struct group, scope);

    abort_group(group);
    free_members(&group->members);
    free_members(&group->finished);
}

static const struct cora__scope_kind group_kind = {"task group", sizeof(struct group), abandon};

/* ---- enter --------------------------------------------------------------------------------- */

static struct group *find_group(const struct storage *storage, const struct cora__task *task)
{
    struct cora__scope *scope = cora__scope_find(task, &group_kind, storage);

    return scope != NULL ? cora__container_of(scope, struct group, scope) : NULL;
}

void cora_task_group_enter_(cora_task_group *self, const char *file, int line)
{
    struct storage *storage = inside(self);
    struct cora__task *parent = cora__current_task();
    struct group *group = parent != NULL ? find_group(storage, parent) : NULL;

    if (group != NULL && group->scope.abandoned)
        group = NULL;
    *storage = (struct storage){.group = group};
    if (group != NULL) {
        add_error(group, -CORA_EENTERED); /* told at the exit; the first entry stays in force */
        return;
    }
    if (parent != NULL)
        group = cora__pool_alloc(&parent->future.loop->pool, sizeof *group);
    if (group == NULL) {
        storage->error = parent != NULL ? -ENOMEM : -CORA_ENOTASK;
        return;
    }
    storage->group = group;
    *group = (struct group){.parent = parent};
    cora__list_init(&group->members);
    cora__list_init(&group->finished);
    group->scope =
        (struct cora__scope){.kind = &group_kind, .owner = storage, .file = file, .line = line};
    cora__scope_enter(parent, &group->scope);
}

/* ---- children ------------------------------------------------------------------------------ */

static int check_open(const struct storage *storage)
{
    const struct group *group = storage->group;

    if (group == NULL && storage->error < 0)
        return storage->error;
    if (group == NULL)
        return storage->left ? -CORA_EFINISHED : -CORA_ENOTENTERED;
    if (group->exiting && cora__list_empty(&group->members))
        return -CORA_EFINISHED;
    return group->aborting ? -CORA_ESHUTDOWN : 0;
}

/* Before the task is made: a task that could not be joined must not run. */
static int reserve_member(const struct storage *storage, struct member **ret)
{
    int rc = check_open(storage);

    if (rc < 0)
        return rc;
    *ret = cora__pool_alloc(pool_of(storage->group), sizeof **ret);
    return *ret != NULL ? 0 : -ENOMEM;
}

static int adopt(struct group *group, cora_task *task, struct member *member, cora_task **ret)
{
    if (task == NULL) {
        cora__pool_free(pool_of(group), member, sizeof *member);
        return -ENOMEM;
    }
    cora__handle_init(&member->handle, on_child_done, member);
    member->handle.kind = &member_kind;
    member->group = group;
    member->lent = ret != NULL;
    member->task = task; /* the reference that its creation returned */
    cora__list_append(&group->members, &member->link);
    cora__future_watch(task, &member->handle);
    if (ret != NULL)
        *ret = task;
    return 0;
}

int cora_task_group_create_task_copy(cora_task_group *self, const cora_task_options *options,
                                     cora_task **ret, cora_task_fn *fn, const char *function,
                                     const void *args, size_t size)
{
    struct storage *storage = inside(self);
    struct member *member;
    int rc = reserve_member(storage, &member);

    if (rc < 0)
        return rc;
    return adopt(storage->group,
                 cora_loop_create_task_copy(NULL, options, fn, function, args, size), member, ret);
}

int cora_task_group_create_task_arg_(cora_task_group *self, const cora_task_options *options,
                                     cora_task **ret, cora_task_fn *fn, const char *function,
                                     void *arg)
{
    struct storage *storage = inside(self);
    struct member *member;
    int rc = reserve_member(storage, &member);

    if (rc < 0)
        return rc;
    return adopt(storage->group, cora_loop_create_task_arg(NULL, options, fn, function, arg),
                 member, ret);
}

/* ---- exit ---------------------------------------------------------------------------------- */

/* Waits for the children. Returns whether the parent was cancelled from outside meanwhile. */
static bool join(struct group *group)
{
    bool cancelled = false;

    while (!cora__list_empty(&group->members)) {
        struct cora_future all_done;

        cora__future_init(&all_done, group->parent->future.loop, NULL, "task group");
        all_done.value = group;
        group->all_done = &all_done;
        if (cora_await(&all_done) < 0 && !group->aborting) {
            cancelled = true;
            abort_group(group);
        }
        group->all_done = NULL;
    }
    return cancelled;
}

/*
 * What the parent is told. A cancellation that is our own is taken back; one that came from outside
 * beside an error is delivered once more, at the next suspension, for the error goes first.
 */
static int outcome(struct group *group, int rc, bool cancelled)
{
    struct cora_future *parent = &group->parent->future;
    bool propagate = cancelled || rc == -ECANCELED;

    if (group->parent_cancel_requested && cora_task_uncancel(parent) == 0)
        propagate = false;
    if (group->error_count == 0 && propagate)
        return -ECANCELED;
    if (rc < 0 && rc != -ECANCELED)
        add_error(group, rc);
    if (group->error_count == 0)
        return rc < 0 ? 0 : rc;
    if (group->parent->cancelling > 0) {
        cora_task_uncancel(parent);
        cora_task_cancel(parent);
    }
    return group->first_error;
}

/* The group that the current task has entered; NULL, and why not in *error. */
static struct group *open_group(struct storage *storage, int *error)
{
    struct cora__task *task = cora__current_task();
    struct group *group = task != NULL ? find_group(storage, task) : NULL;

    if (group != NULL)
        return group;
    *error = -CORA_EFINISHED; /* left, or another task's */
    if (storage->error < 0)
        *error = storage->error;
    else if (storage->group == NULL && !storage->left)
        *error = -CORA_ENOTENTERED;
    return NULL;
}

int cora_task_group_join(cora_task_group *self, int rc)
{
    struct group *group = open_group(inside(self), &rc);
    bool cancelled;

    if (group == NULL)
        return rc;
    if (group->exiting)
        return group->joined ? group->outcome : -CORA_EFINISHED;
    group->exiting = true;
    if (rc < 0 && !group->aborting)
        abort_group(group);
    cancelled = join(group);
    group->joined = true;
    group->outcome = outcome(group, rc, cancelled);
    return group->outcome;
}

int cora_task_group_exit(cora_task_group *self, int rc)
{
    struct storage *storage = inside(self);
    struct group *group = open_group(storage, &rc);

    if (group == NULL)
        return rc;
    if (!group->joined)
        rc = cora_task_group_join(self, rc);
    if (!group->joined) /* by a child of its own: it is being left already */
        return rc;
    cora__scope_exit(group->parent, &group->scope);
    free_members(&group->finished);
    free(group->errors);
    cora__pool_free(pool_of(group), group, sizeof *group);
    *storage = (struct storage){.left = true};
    return rc;
}

size_t cora_task_group_errors(const cora_task_group *self, int errors[], size_t room)
{
    const struct group *group = inside((cora_task_group *)(uintptr_t)self)->group;
    size_t stored;

    if (group == NULL)
        return 0;
    stored = group->error_count < group->room ? group->error_count : group->room;
    for (size_t i = 0; i < stored && i < room; i++)
        errors[i] = group->errors[i];
    return group->error_count;
}

void cora_task_group_cancel(cora_task_group *self)
{
    struct group *group = inside(self)->group;

    if (group == NULL || (group->exiting && cora__list_empty(&group->members)) || group->aborting)
        return;
    abort_group(group);
    if (!group->parent_cancel_requested) {
        group->parent_cancel_requested = true;
        cora_task_cancel(&group->parent->future);
    }
}
