/*
 * task_group.h: tasks that belong together (asyncio.TaskGroup).
 *
 *     cora_task_group group;
 *     int rc = 0;
 *
 *     cora_task_group_enter(&group);
 *     for (int i = 0; i < count && rc == 0; i++)
 *         rc = cora_task_group_create_task(&group, fetch, .url = urls[i], .page = &pages[i]);
 *     rc = cora_task_group_exit(&group, rc);
 *
 * The exit waits for all of them, so they may use the locals of the function that entered the
 * group. The first that fails cancels the others and the body; so does a body that ends with an
 * error. No task of a group outlives it.
 */
#ifndef CORA_TASK_GROUP_H
#define CORA_TASK_GROUP_H

#include <cora/base.h>
#include <cora/task.h>

CORA_BEGIN_DECLS

/* asyncio.TaskGroup: storage of the caller's, in a frame of the task that enters it. */
typedef struct cora_task_group {
    void *private_[2];
} cora_task_group;

/*
 * Enters the group in the current task. It never suspends and has no result: without a current task
 * the creation of tasks fails and the exit returns -CORA_ENOTASK. Of a group that was entered and
 * not left yet the first entry stays in force, and the exit returns -CORA_EENTERED.
 */
#define cora_task_group_enter(group) cora_task_group_enter_((group), __FILE__, __LINE__)
CORA_API void cora_task_group_enter_(cora_task_group *group, const char *file, int line);

/*
 * group.create_task(): cora_task_group_create_task(&group, fn, .name = value, ...), as
 * cora_create_task. The task belongs to the group.
 * 0; -ENOMEM; -CORA_ENOTENTERED; -CORA_EFINISHED once the group was left; -CORA_ESHUTDOWN once a
 * task of it has failed or its body has ended with an error.
 */
#define cora_task_group_create_task(group, fn, ...)                                                \
    cora_task_group_create_task_with((group), NULL, NULL, fn, __VA_ARGS__)

/*
 * The same with options (NULL: none), and with `ret` (NULL: not wanted), which receives the task,
 * borrowed until the exit of the group; take a reference to keep it longer.
 */
#define cora_task_group_create_task_with(group, options, ret, fn, ...)                             \
    cora_task_group_create_task_copy((group), (options), (ret), (fn), #fn,                         \
                                     &(struct fn##_args){__VA_ARGS__}, sizeof(struct fn##_args))

/* A task of the group that runs fn(arg). */
#define cora_task_group_create_task_arg(group, fn, arg)                                            \
    cora_task_group_create_task_arg_with((group), NULL, NULL, fn, (arg))
#define cora_task_group_create_task_arg_with(group, options, ret, fn, arg)                         \
    cora_task_group_create_task_arg_((group), (options), (ret), (fn), #fn, (arg))

/* What these macros call. */
CORA_API CORA_MUST_CHECK int cora_task_group_create_task_copy(cora_task_group *group,
                                                              const cora_task_options *options,
                                                              cora_task **ret, cora_task_fn *fn,
                                                              const char *function,
                                                              const void *args, size_t size);
CORA_API CORA_MUST_CHECK int cora_task_group_create_task_arg_(cora_task_group *group,
                                                              const cora_task_options *options,
                                                              cora_task **ret, cora_task_fn *fn,
                                                              const char *function, void *arg);

/*
 * Ends the scope: waits until all tasks of the group are done. `rc` is how its body ended;
 * negative, the tasks are cancelled first. Returns the error of the task that failed first; else
 * the body's error; else -ECANCELED where the parent was cancelled from outside; else rc. A
 * cancelled task is no failure.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_task_group_exit(cora_task_group *group, int rc);

/*
 * The first half of the exit: waits, and returns what the exit will. Afterwards, until the exit,
 * which is then to be given that result, the tasks and the errors can be looked at.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_task_group_join(cora_task_group *group, int rc);

/*
 * The errors of the group's tasks, in the order in which they failed, then the body's: writes up to
 * `room` of them and returns how many there are. asyncio's ExceptionGroup.exceptions.
 */
CORA_API size_t cora_task_group_errors(const cora_task_group *group, int errors[], size_t room);

/*
 * TaskGroup.cancel(): cancels the group's tasks and its body; the exit then returns 0 unless a task
 * fails. From the body or from a task of the group. No effect once the group is being left.
 */
CORA_API void cora_task_group_cancel(cora_task_group *group);

CORA_END_DECLS

#endif
