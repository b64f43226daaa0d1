/*
 * parking.c: the lines in which threads and tasks wait.
 *
 * One bit decides every race: whether somebody has been called, which is written and read under the
 * object's lock, in which he also leaves the line. A task hears of it by its loop, later, and may
 * have been cancelled by then; it looks at the bit, takes back the trigger that is still on its way
 * to a struct that is about to go, and passes on what it was called for. So does the close of its
 * loop in its stead, for which each loop lists its tasks that are parked.
 */
#include "parking.h"

#include <cora/loop.h>
#include <cora/task.h>
#include <cora/waiter.h>

#include "attached.h"
#include "deadline.h"
#include "link.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

struct cora__parked {
    struct cora__parked *next, *previous; /* in the line, until called */
    bool called;
    bool is_task;
    pthread_cond_t condition; /* a thread's */

    /* A task's. */
    cora_waiter waiter;
    cora_trigger trigger; /* wakes the waiter, in the loop */
    cora_loop *loop;
    struct cora__link link; /* in the loop's list */
    struct cora__line *line;
    pthread_mutex_t *lock;
    const struct cora__wanted *wanted;
    void *object;
};

/* ---- the line ------------------------------------------------------------------------------ */

static void append(struct cora__line *line, struct cora__parked *parked)
{
    parked->called = false;
    parked->next = NULL;
    parked->previous = line->last;
    *(line->last != NULL ? &line->last->next : &line->first) = parked;
    line->last = parked;
}

static void take_out(struct cora__line *line, struct cora__parked *parked)
{
    *(parked->previous != NULL ? &parked->previous->next : &line->first) = parked->next;
    *(parked->next != NULL ? &parked->next->previous : &line->last) = parked->previous;
}

bool cora__call_first(struct cora__line *line)
{
    struct cora__parked *first = line->first;

    if (first == NULL)
        return false;
    take_out(line, first);
    first->called = true;
    if (first->is_task)
        (void)!cora_trigger_fire(&first->trigger); /* nobody is parked in a closed loop */
    else
        pthread_cond_signal(&first->condition);
    return true;
}

void cora__call_all(struct cora__line *line)
{
    while (cora__call_first(line))
        continue;
}

size_t cora__line_length(const struct cora__line *line)
{
    size_t length = 0;

    for (const struct cora__parked *parked = line->first; parked != NULL; parked = parked->next)
        length++;
    return length;
}

/* ---- threads ------------------------------------------------------------------------------- */

static int park_thread(struct cora__line *line, pthread_mutex_t *lock, double deadline)
{
    struct cora__parked parked;
    int rc = 0;

    if (deadline == -INFINITY)
        return -ETIMEDOUT;
    parked.is_task = false;
    cora__cond_init(&parked.condition);
    append(line, &parked);
    while (!parked.called && rc == 0)
        rc = cora__cond_wait(&parked.condition, lock, deadline);
    pthread_cond_destroy(&parked.condition);
    if (parked.called)
        return 0;
    take_out(line, &parked);
    return rc;
}

/* ---- tasks --------------------------------------------------------------------------------- */

/* Those of a loop, which its thread alone looks at. */
struct parked_tasks {
    struct cora__link *first;
    pid_t process;
};

/* It will not go on because it was called. */
static void leave(struct cora__parked *parked)
{
    if (!parked->called) {
        take_out(parked->line, parked);
        return;
    }
    cora_trigger_cancel(&parked->trigger);
    if (parked->wanted->pass_on != NULL)
        parked->wanted->pass_on(parked->object);
}

/* A forked child leaves the objects alone: their locks are as the parent's threads had them. */
static void close_parked_tasks(void *arg)
{
    struct parked_tasks *tasks = arg;
    bool forked = tasks->process != getpid();

    while (tasks->first != NULL) {
        struct cora__parked *parked = tasks->first->object;

        cora__link_remove(&parked->link);
        if (!forked) {
            pthread_mutex_lock(parked->lock);
            leave(parked);
            pthread_mutex_unlock(parked->lock);
        }
        cora_loop_release(parked->loop);
    }
    free(tasks);
}

static const cora_attachment_kind parked_tasks_kind = {NULL, close_parked_tasks};

static struct parked_tasks *tasks_of(cora_loop *loop)
{
    struct parked_tasks *tasks = cora__attached(loop, &parked_tasks_kind, sizeof *tasks);

    if (tasks != NULL && tasks->process == 0)
        tasks->process = getpid();
    return tasks;
}

static void wake(void *waiter)
{
    cora_waiter_wake(waiter);
}

/* The loop is held: whoever is to call may be another thread. */
static int wait_called(struct cora__parked *parked, struct parked_tasks *tasks)
{
    int rc;

    cora_waiter_init(&parked->waiter, parked->wanted->what, parked->object);
    cora_trigger_init(&parked->trigger, parked->loop, wake, NULL, &parked->waiter);
    cora__link_add(&tasks->first, &parked->link, parked);
    cora_loop_hold(parked->loop);
    pthread_mutex_unlock(parked->lock);
    rc = cora_waiter_wait(&parked->waiter);
    cora__link_remove(&parked->link);
    cora_loop_release(parked->loop);
    pthread_mutex_lock(parked->lock);
    return rc;
}

static int park_task(struct cora__line *line, pthread_mutex_t *lock,
                     const struct cora__wanted *wanted, void *object)
{
    struct cora__parked parked = {.is_task = true,
                                  .loop = cora_get_running_loop(),
                                  .line = line,
                                  .lock = lock,
                                  .wanted = wanted,
                                  .object = object};
    struct parked_tasks *tasks;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    tasks = tasks_of(parked.loop);
    if (tasks == NULL)
        return -ENOMEM;
    append(line, &parked);
    rc = wait_called(&parked, tasks);
    if (rc < 0)
        leave(&parked);
    return rc;
}

int cora__park(struct cora__line *line, pthread_mutex_t *lock, struct cora__how how,
               const struct cora__wanted *wanted, void *object)
{
    if (how.suspends)
        return park_task(line, lock, wanted, object);
    return park_thread(line, lock, how.deadline);
}
