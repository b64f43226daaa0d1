/*
 * parking.c: the lines in which threads and tasks wait.
 *
 * One bit decides every race: whether somebody has been called, which is written under the object's
 * lock, in the section in which he leaves the line, and by it he decides what to do. A task hears
 * of it by its loop, later, and may have been cancelled by then: it looks at the bit, takes back
 * the trigger that is still on its way to a struct that is about to go, and passes on what it was
 * called for. So does the close of its loop in its stead, for which each loop lists its tasks that
 * are parked. A thread that was called may have seen it before it is woken, and left; so the word
 * that it sleeps on is the thread's, not the struct's, and at worst it is woken for nothing later.
 */
#include "parking.h"

#include <cora/task.h>
#include <cora/waiter.h>

#include "attached.h"
#include "deadline.h"
#include "link.h"
#include "word.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

struct cora__parked {
    struct cora__parked *next, *previous; /* in the line, until called */
    bool called;
    atomic_uint *word; /* a thread's, 1 when it is called; NULL: it is a task */

    /* A task's. */
    cora_loop *loop;
    cora_waiter waiter;
    cora_trigger trigger;   /* wakes the waiter, in the loop */
    struct cora__link link; /* in the loop's list */
    struct cora__line *line;
    pthread_mutex_t *lock;
    const struct cora__wanted *wanted;
    void *object;
};

/* ---- sections ------------------------------------------------------------------------------ */

static void wake_up(const struct cora__wake *wake)
{
    if (wake->loop != NULL)
        cora_loop_wake(wake->loop);
    else if (wake->word != NULL)
        cora__word_wake(wake->word);
}

static void wake_all(struct cora__section *section)
{
    for (size_t i = 0; i < section->count; i++)
        wake_up(&section->wakes[i]);
    section->count = 0;
}

static void owe_wake(struct cora__section *section, struct cora__wake wake)
{
    if (section == NULL) {
        wake_up(&wake);
        return;
    }
    if (section->count == sizeof section->wakes / sizeof section->wakes[0])
        wake_all(section);
    section->wakes[section->count++] = wake;
}

static void lock(struct cora__section *section)
{
    pthread_mutex_lock(section->lock);
}

static void unlock(struct cora__section *section)
{
    pthread_mutex_unlock(section->lock);
    wake_all(section);
}

void cora__enter(struct cora__section *section, pthread_mutex_t *mutex)
{
    section->lock = mutex;
    section->count = 0;
    lock(section);
}

void cora__leave(struct cora__section *section)
{
    unlock(section);
}

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

bool cora__call_first(struct cora__section *section, struct cora__line *line)
{
    struct cora__parked *first = line->first;
    struct cora__wake wake = {NULL, NULL};

    if (first == NULL)
        return false;
    take_out(line, first);
    first->called = true;
    wake.word = first->word;
    if (first->word != NULL)
        atomic_store(first->word, 1);
    else
        (void)!cora_trigger_queue(&first->trigger, &wake.loop); /* in a closed loop nobody parks */
    owe_wake(section, wake);
    return true;
}

void cora__call_all(struct cora__section *section, struct cora__line *line)
{
    while (cora__call_first(section, line))
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

static int park_thread(struct cora__section *section, struct cora__line *line, double deadline)
{
    static _Thread_local atomic_uint word;
    struct cora__parked parked;
    int rc = 0;

    if (deadline == -INFINITY)
        return -ETIMEDOUT;
    atomic_store(&word, 0);
    parked.word = &word;
    append(line, &parked);
    unlock(section);
    while (atomic_load(&word) == 0 && rc == 0)
        rc = cora__word_wait(&word, 0, deadline);
    lock(section);
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

/* It goes on, or ends, for another reason than being called. */
static void give_up(struct cora__section *section, struct cora__parked *parked)
{
    if (!parked->called) {
        take_out(parked->line, parked);
        return;
    }
    cora_trigger_cancel(&parked->trigger);
    if (parked->wanted->pass_on != NULL)
        parked->wanted->pass_on(section, parked->object);
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
            struct cora__section section;

            cora__enter(&section, parked->lock);
            give_up(&section, parked);
            cora__leave(&section);
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
static int suspend(struct cora__section *section, struct cora__parked *parked,
                   struct parked_tasks *tasks)
{
    int rc;

    cora_waiter_init(&parked->waiter, parked->wanted->what, parked->object);
    cora_trigger_init(&parked->trigger, parked->loop, wake, NULL, &parked->waiter);
    cora__link_add(&tasks->first, &parked->link, parked);
    cora_loop_hold(parked->loop);
    unlock(section);
    rc = cora_waiter_wait(&parked->waiter);
    cora__link_remove(&parked->link);
    cora_loop_release(parked->loop);
    lock(section);
    return rc;
}

static int park_task(struct cora__section *section, struct cora__line *line,
                     const struct cora__wanted *wanted, void *object)
{
    struct cora__parked parked = {.loop = cora_get_running_loop(),
                                  .line = line,
                                  .lock = section->lock,
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
    rc = suspend(section, &parked, tasks);
    if (rc < 0)
        give_up(section, &parked);
    return rc;
}

int cora__park(struct cora__section *section, struct cora__line *line, struct cora__how how,
               const struct cora__wanted *wanted, void *object)
{
    if (how.suspends)
        return park_task(section, line, wanted, object);
    return park_thread(section, line, how.deadline);
}
