/*
 * staggered.c: staggered_race. Each racer's task waits until it is its turn, creates the next one's
 * task, which waits for its own turn, and runs.
 */
#include <cora/staggered.h>
#include <cora/wait.h>

#include "task/task.h"

#include <errno.h>
#include <limits.h>

struct race {
    cora_racer *racers;
    size_t count;
    double delay;
    size_t begun;                /* racers whose task was created */
    size_t running;              /* of those, not done yet */
    struct cora_future all_done; /* the race waits for it */
    int winner;                  /* -1: nobody so far */
    int error;                   /* why one could not be started */
};

/* The inside of a racer. */
struct runner {
    struct race *race;
    struct cora__handle handle;   /* in the task's callbacks */
    struct cora_future *task;     /* NULL before its creation, and when it is done */
    struct cora_future *its_turn; /* its task waits for it, on its stack; else NULL */
    bool failed;
};

_Static_assert(sizeof(struct runner) <= sizeof((cora_racer){0}.private_),
               "cora_racer is too small");

static struct runner *inside(cora_racer *racer)
{
    return (struct runner *)racer->private_;
}

/* ---- a racer's task ------------------------------------------------------------------------ */

static void begin_next(struct race *race);

/* 0: the one before has failed; -ETIMEDOUT: the delay is over. */
static int wait_for_turn(struct race *race, cora_racer *racer)
{
    struct runner *runner = inside(racer);
    struct cora_future its_turn;
    int rc;

    if (racer == race->racers || inside(racer - 1)->failed)
        return 0;
    cora__future_init(&its_turn, cora__loop_running, NULL, "its turn in a staggered race");
    runner->its_turn = &its_turn;
    rc = cora_wait_for(&its_turn, race->delay);
    runner->its_turn = NULL;
    return rc;
}

static void fail(struct race *race, cora_racer *racer)
{
    inside(racer)->failed = true;
    if (racer < race->racers + race->begun - 1 && inside(racer + 1)->its_turn != NULL)
        cora__future_wake(inside(racer + 1)->its_turn);
}

/* Cancels the racers that run or wait for their turn, in the order of their start. */
static void cancel_all_but(struct race *race, const cora_racer *winner, const char *message)
{
    for (cora_racer *racer = race->racers; racer < race->racers + race->begun; racer++)
        if (racer != winner)
            cora_future_cancel_message(inside(racer)->task, message);
}

static int run_racer(void *arg)
{
    cora_racer *racer = arg;
    struct race *race = inside(racer)->race;
    int rc = wait_for_turn(race, racer);

    if (rc < 0 && rc != -ETIMEDOUT)
        return rc;
    begin_next(race);
    racer->started = true;
    racer->outcome = racer->fn(racer->arg);
    if (racer->outcome < 0) {
        fail(race, racer);
    } else if (race->winner < 0) {
        race->winner = (int)(racer - race->racers);
        cancel_all_but(race, racer, NULL);
    }
    return 0;
}

static void release_task(struct cora__handle *handle)
{
    struct runner *runner = cora__container_of(handle, struct runner, handle);

    cora_future_unref(runner->task);
    runner->task = NULL;
}

static struct cora_future *waiter(const struct cora__handle *handle)
{
    const struct runner *runner = handle->arg;

    return &runner->race->all_done;
}

static const struct cora__handle_kind runner_kind = {.drop = release_task, .waiter = waiter};

static void on_task_done(void *arg)
{
    struct runner *runner = arg;
    struct race *race = runner->race;
    int rc = cora__future_retrieve(runner->task);

    if (rc < 0 && rc != -ECANCELED) /* it could not run, or not wait for its turn */
        race->error = rc;
    release_task(&runner->handle);
    if (--race->running == 0)
        cora__future_wake(&race->all_done);
}

/* Not eagerly, whatever the loop's factory: who cancels all must know them all. */
static void begin_next(struct race *race)
{
    static const cora_task_options options = {.eager_start = CORA_NOT_EAGER};
    cora_racer *racer;
    struct runner *runner;

    if (race->begun == race->count)
        return;
    racer = &race->racers[race->begun++];
    runner = inside(racer);
    *runner = (struct runner){.race = race};
    cora__handle_init(&runner->handle, on_task_done, runner);
    runner->handle.kind = &runner_kind;
    runner->task = cora_loop_create_task_arg(NULL, &options, run_racer, "staggered_race", racer);
    if (runner->task == NULL) {
        race->error = -ENOMEM;
        return;
    }
    race->running++;
    cora__future_watch(runner->task, &runner->handle);
}

/* ---- the race ------------------------------------------------------------------------------ */

/* Until the last has ended. Whether the race was cancelled meanwhile. */
static bool watch_all(struct race *race)
{
    struct cora_future *self = &cora__current_task()->future;
    bool cancelled = false;

    while (race->running > 0) {
        cora__future_init(&race->all_done, self->loop, NULL, "a staggered race");
        if (cora_await(&race->all_done) < 0) {
            cancelled = true;
            cancel_all_but(race, NULL, self->cancel_message);
        }
    }
    return cancelled;
}

int cora_staggered_race(cora_racer racers[], size_t count, double delay)
{
    struct race race = {.racers = racers, .count = count, .delay = delay, .winner = -1};

    if (cora__current_task() == NULL)
        return -CORA_ENOTASK;
    if (isnan(delay) || count > INT_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        racers[i].started = false;
        racers[i].outcome = -CORA_EINVALIDSTATE;
    }
    begin_next(&race);
    if (watch_all(&race))
        return -ECANCELED;
    if (race.winner >= 0)
        return race.winner;
    return race.error < 0 ? race.error : -CORA_ENOWINNER;
}
