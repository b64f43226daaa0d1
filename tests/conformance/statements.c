/*
 * statements.c: each simple statement of the language, by its name.
 */
#include "scenario.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int operation(struct actor *actor, const struct statement *s, struct answer *answer);

static int say(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int say(struct answer *answer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(answer->text, sizeof answer->text, format, args);
    va_end(args);
    answer->has_value = true;
    return 0;
}

static int skip(struct answer *answer, const char *why)
{
    answer->skip = why;
    return 0;
}

/* The value of an await, or its error. */
static int say_result(struct answer *answer, int rc)
{
    return rc < 0 ? rc : say(answer, "%d", rc);
}

static double seconds(const char *ms)
{
    return strcmp(ms, "none") == 0 ? INFINITY : atof(ms) / 1000;
}

/* ---- slots and tasks ------------------------------------------------------------------------- */

static struct thing *slot_of(const char *name)
{
    struct thing *slot = scenario.slots;

    while (slot != NULL && strcmp(slot->name, name) != 0)
        slot = slot->next;
    if (slot == NULL) {
        slot = arena_alloc(sizeof *slot);
        slot->name = name;
        slot->next = scenario.slots;
        scenario.slots = slot;
    }
    return slot;
}

/* The task in a slot; NULL, and the statement is skipped, where there is none, or, with `younger`,
 * where it is not younger than the actor. */
static struct actor *actor_in(const char *slot, const struct actor *younger, struct answer *answer)
{
    struct actor *actor = slot_of(slot)->actor;

    if (actor == NULL)
        skip(answer, "unbound");
    else if (younger != NULL && actor->serial <= younger->serial)
        skip(answer, "older");
    return answer->skip == NULL ? actor : NULL;
}

/* The different tasks in the slots from word `from` on; how many, 0 where one was skipped. */
static size_t actors_in(const struct statement *s, int from, const struct actor *younger,
                        struct actor *actors[], cora_future *tasks[], struct answer *answer)
{
    size_t count = 0;

    for (int i = from; i < s->count; i++) {
        struct actor *actor = actor_in(s->words[i], younger, answer);
        size_t k = 0;

        if (actor == NULL)
            return 0;
        while (k < count && actors[k] != actor)
            k++;
        if (k < count)
            continue;
        actors[count] = actor;
        tasks[count++] = actor->task;
    }
    return count;
}

static struct actor *new_actor(const char *coro)
{
    struct actor *actor = arena_alloc(sizeof *actor);

    actor->serial = ++scenario.spawned;
    actor->coro = program_find(scenario.program, coro);
    scenario.actors[actor->serial] = actor;
    return actor;
}

static int spawn(const struct statement *s, struct answer *answer, bool eager)
{
    struct actor *actor = new_actor(s->words[2]);
    struct thing *slot = slot_of(s->words[1]);
    cora_task_options options = {.eager_start = eager};

    actor->task = cora_loop_create_task_arg(NULL, &options, run_actor, "actor", actor);
    slot->actor = actor;
    return say(answer, "T%d", actor->serial);
}

static int op_spawn(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return spawn(s, answer, false);
}

static int op_eager(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return spawn(s, answer, true);
}

static int op_gspawn(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor;
    cora_task *task;
    int rc;

    if (a->group == NULL)
        return skip(answer, "no group");
    actor = new_actor(s->words[2]);
    rc = cora_task_group_create_task_arg_with(a->group, NULL, &task, run_actor, actor);
    if (rc < 0) {
        scenario.actors[scenario.spawned--] = NULL;
        return rc;
    }
    actor->task = cora_task_ref(task);
    slot_of(s->words[1])->actor = actor;
    return say(answer, "T%d", actor->serial);
}

static int op_await(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], a, answer);

    return actor != NULL ? say_result(answer, cora_await(actor->task)) : 0;
}

static int op_shield(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], a, answer);

    return actor != NULL ? say_result(answer, cora_await_unref(cora_shield(actor->task))) : 0;
}

static int op_wait_for(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], a, answer);

    if (actor == NULL)
        return 0;
    return say_result(answer, cora_wait_for(actor->task, seconds(s->words[2])));
}

static int op_cancel(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? say(answer, "%d", cora_task_cancel(actor->task)) : 0;
}

static int op_uncancel(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? say(answer, "%d", cora_task_uncancel(actor->task)) : 0;
}

static int op_cancelling(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? say(answer, "%d", cora_task_cancelling(actor->task)) : 0;
}

static int op_cancel_self(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s;
    return say(answer, "%d", cora_task_cancel(cora_current_task()));
}

static int op_uncancel_self(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s;
    return say(answer, "%d", cora_task_uncancel(cora_current_task()));
}

static int op_state(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);
    char text[64];

    (void)a;
    if (actor == NULL)
        return 0;
    return say(answer, "%s", state_of(actor->task, text, sizeof text));
}

/* ---- several tasks --------------------------------------------------------------------------- */

static int gather(struct actor *a, const struct statement *s, struct answer *answer, unsigned flags)
{
    struct actor *actors[MOST_WORDS];
    cora_future *tasks[MOST_WORDS];
    int results[MOST_WORDS];
    size_t count = actors_in(s, 1, a, actors, tasks, answer);
    size_t length = 1;
    char text[32];
    int rc;

    if (count == 0)
        return 0;
    rc = cora_gather(tasks, count, results, flags);
    if (rc < 0)
        return rc;
    say(answer, "[");
    for (size_t i = 0; i < count; i++) {
        if (results[i] < 0)
            kind_of(results[i], text, sizeof text);
        else
            snprintf(text, sizeof text, "%d", results[i]);
        length += (size_t)snprintf(answer->text + length, sizeof answer->text - length, "%s%s",
                                   i > 0 ? "," : "", text);
    }
    snprintf(answer->text + length, sizeof answer->text - length, "]");
    return 0;
}

static int op_gather(struct actor *a, const struct statement *s, struct answer *answer)
{
    return gather(a, s, answer, 0);
}

static int op_settle(struct actor *a, const struct statement *s, struct answer *answer)
{
    return gather(a, s, answer, CORA_RETURN_EXCEPTIONS);
}

static void names_of(struct actor *actors[], size_t count, bool done, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        if (cora_task_done(actors[i]->task) == done)
            length += (size_t)snprintf(text + length, size - length, "%sT%d", length > 0 ? "," : "",
                                       actors[i]->serial);
}

static int wait(struct actor *a, const struct statement *s, struct answer *answer,
                cora_return_when when)
{
    struct actor *actors[MOST_WORDS];
    cora_future *tasks[MOST_WORDS];
    size_t count = actors_in(s, 2, a, actors, tasks, answer);
    char done[256], pending[256];
    int rc;

    if (answer->skip != NULL)
        return 0;
    rc = cora_wait(tasks, count, seconds(s->words[1]), when);
    if (rc < 0)
        return rc;
    names_of(actors, count, true, done, sizeof done);
    names_of(actors, count, false, pending, sizeof pending);
    return say(answer, "done=%s pending=%s", done, pending);
}

static int op_wait_first(struct actor *a, const struct statement *s, struct answer *answer)
{
    return wait(a, s, answer, CORA_FIRST_COMPLETED);
}

static int op_wait_error(struct actor *a, const struct statement *s, struct answer *answer)
{
    return wait(a, s, answer, CORA_FIRST_EXCEPTION);
}

static int op_wait_all(struct actor *a, const struct statement *s, struct answer *answer)
{
    return wait(a, s, answer, CORA_ALL_COMPLETED);
}

static int each_result(struct actor *a, cora_as_completed *each)
{
    cora_future *task;
    char text[32];
    int rc = cora_as_completed_next(each, &task);

    if (rc < 0)
        return rc;
    rc = cora_future_result(task);
    if (rc == -ECANCELED)
        return rc;
    if (rc < 0)
        trace(a->serial, "each -> %s", kind_of(rc, text, sizeof text));
    else
        trace(a->serial, "each -> ok %d", rc);
    return 0;
}

static int op_each(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actors[MOST_WORDS];
    cora_future *tasks[MOST_WORDS];
    size_t count = actors_in(s, 1, a, actors, tasks, answer);
    cora_as_completed each;
    size_t done = 0;
    int rc;

    for (size_t i = 0; i < count; i++)
        done += cora_future_done(tasks[i]);
    if (answer->skip != NULL || done > 1)
        return answer->skip != NULL ? 0 : skip(answer, "no order");
    rc = cora_as_completed_start(&each, tasks, count, INFINITY);
    while (rc == 0)
        rc = each_result(a, &each);
    cora_as_completed_stop(&each);
    return rc == -CORA_ESTOPITERATION ? 0 : rc;
}

/* ---- callbacks ------------------------------------------------------------------------------- */

struct callback {
    const char *word;
    int serial; /* of the one who added it */
    struct actor *actor;
};

static struct callback *new_callback(struct actor *a, const char *word, struct actor *actor)
{
    struct callback *callback = arena_alloc(sizeof *callback);

    *callback = (struct callback){word, a->serial, actor};
    return callback;
}

static void on_done(cora_future *future, void *arg)
{
    struct callback *callback = arg;
    char text[64];

    trace(callback->serial, "callback %s T%d %s", callback->word, callback->actor->serial,
          state_of(future, text, sizeof text));
}

static void on_call(void *arg)
{
    struct callback *callback = arg;

    trace(callback->serial, "callback %s", callback->word);
}

static int op_on_done(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    if (actor == NULL)
        return 0;
    return cora_task_add_done_callback(actor->task, on_done, new_callback(a, s->words[2], actor));
}

static int op_soon(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)answer;
    return cora_loop_call_soon(scenario.loop, on_call, new_callback(a, s->words[1], NULL), NULL);
}

static int op_later(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)answer;
    return cora_loop_call_later(scenario.loop, seconds(s->words[1]), on_call,
                                new_callback(a, s->words[2], NULL), NULL);
}

/* ---- time and variables ---------------------------------------------------------------------- */

static int op_say(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s, (void)answer;
    return 0;
}

static int op_yield(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s, (void)answer;
    return cora_sleep(0);
}

static int op_sleep(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_sleep(seconds(s->words[1]));
}

static int op_setvar(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_context_var_set(&find_thing(s->words[1])->var, (void *)(intptr_t)atoi(s->words[2]),
                                NULL);
}

static int op_getvar(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say(answer, "%d", (int)(intptr_t)cora_context_var_get(&find_thing(s->words[1])->var));
}

/* ---- futures --------------------------------------------------------------------------------- */

static int op_resolve(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_future_set_result(find_thing(s->words[1])->future, atoi(s->words[2]), NULL);
}

static int op_fail(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_future_set_exception(find_thing(s->words[1])->future,
                                     -FIRST_SCENARIO_ERROR - atoi(s->words[2] + 1));
}

static int op_cancel_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say(answer, "%d", cora_future_cancel(find_thing(s->words[1])->future));
}

static int op_await_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_await(find_thing(s->words[1])->future));
}

static int op_shield_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_await_unref(cora_shield(find_thing(s->words[1])->future)));
}

static int op_peek_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    char text[64];

    (void)a;
    return say(answer, "%s", state_of(find_thing(s->words[1])->future, text, sizeof text));
}

/* ---- locks and their like -------------------------------------------------------------------- */

static int op_acquire(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a, (void)answer;
    switch (thing->kind[0]) {
    case 'l':
        return cora_lock_acquire(&thing->lock);
    case 'c':
        return cora_condition_acquire(&thing->condition);
    case 's':
        return cora_semaphore_acquire(&thing->semaphore);
    default:
        return cora_bounded_semaphore_acquire(&thing->bounded);
    }
}

static int op_release(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a, (void)answer;
    switch (thing->kind[0]) {
    case 'l':
        return cora_lock_release(&thing->lock);
    case 'c':
        return cora_condition_release(&thing->condition);
    case 's':
        cora_semaphore_release(&thing->semaphore);
        return 0;
    default:
        return cora_bounded_semaphore_release(&thing->bounded);
    }
}

static int op_locked(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a;
    switch (thing->kind[0]) {
    case 'l':
        return say(answer, "%d", cora_lock_locked(&thing->lock));
    case 'c':
        return say(answer, "%d", cora_condition_locked(&thing->condition));
    case 's':
        return say(answer, "%d", cora_semaphore_locked(&thing->semaphore));
    default:
        return say(answer, "%d", cora_bounded_semaphore_locked(&thing->bounded));
    }
}

static int op_set(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_event_set(&find_thing(s->words[1])->event);
    return 0;
}

static int op_clear(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_event_clear(&find_thing(s->words[1])->event);
    return 0;
}

static int op_is_set(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say(answer, "%d", cora_event_is_set(&find_thing(s->words[1])->event));
}

static int op_wait(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a, (void)answer;
    return thing->kind[0] == 'e' ? cora_event_wait(&thing->event)
                                 : cora_condition_wait(&thing->condition);
}

static int op_notify(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_condition_notify(&find_thing(s->words[1])->condition, atoi(s->words[2]));
}

static int op_notify_all(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_condition_notify_all(&find_thing(s->words[1])->condition);
}

static int op_meet(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_barrier_wait(&find_thing(s->words[1])->barrier));
}

static int op_reset(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_barrier_reset(&find_thing(s->words[1])->barrier);
}

static int op_abort(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_barrier_abort(&find_thing(s->words[1])->barrier);
}

static int op_barrier(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_barrier *barrier = &find_thing(s->words[1])->barrier;

    (void)a;
    return say(answer, "parties=%d waiting=%d broken=%d", cora_barrier_parties(barrier),
               cora_barrier_n_waiting(barrier), cora_barrier_broken(barrier));
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void *item(const char *word)
{
    return (void *)(intptr_t)atoi(word);
}

static int op_put(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_put(&find_thing(s->words[1])->queue, item(s->words[2]));
}

static int op_put_nowait(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_put_nowait(&find_thing(s->words[1])->queue, item(s->words[2]));
}

static int op_get(struct actor *a, const struct statement *s, struct answer *answer)
{
    void *got = NULL;
    int rc = cora_queue_get(&find_thing(s->words[1])->queue, &got);

    (void)a;
    return rc < 0 ? rc : say(answer, "%d", (int)(intptr_t)got);
}

static int op_get_nowait(struct actor *a, const struct statement *s, struct answer *answer)
{
    void *got = NULL;
    int rc = cora_queue_get_nowait(&find_thing(s->words[1])->queue, &got);

    (void)a;
    return rc < 0 ? rc : say(answer, "%d", (int)(intptr_t)got);
}

static int op_task_done(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_task_done(&find_thing(s->words[1])->queue);
}

static int op_join(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_join(&find_thing(s->words[1])->queue);
}

static int op_queue(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_queue *queue = &find_thing(s->words[1])->queue;

    (void)a;
    return say(answer, "size=%zu full=%d empty=%d", cora_queue_qsize(queue), cora_queue_full(queue),
               cora_queue_empty(queue));
}

static int op_shutdown(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_queue_shutdown(&find_thing(s->words[1])->queue, false);
    return 0;
}

static int op_shutdown_now(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_queue_shutdown(&find_thing(s->words[1])->queue, true);
    return 0;
}

/* ---- by name --------------------------------------------------------------------------------- */

/* The formatter never settles on one layout of this. */
/* clang-format off */
#define OPERATIONS(X)                                                                              \
    X(spawn) X(eager) X(gspawn) X(await) X(shield) X(wait_for) X(cancel) X(uncancel)               \
    X(cancelling) X(cancel_self) X(uncancel_self) X(state) X(gather) X(settle) X(wait_first)       \
    X(wait_error) X(wait_all) X(each) X(on_done) X(soon) X(later) X(say) X(yield) X(sleep)         \
    X(setvar) X(getvar) X(resolve) X(fail) X(cancel_future) X(await_future) X(shield_future)       \
    X(peek_future) X(acquire) X(release) X(locked) X(set) X(clear) X(is_set) X(wait) X(notify)     \
    X(notify_all) X(meet) X(reset) X(abort) X(barrier) X(put) X(put_nowait) X(get) X(get_nowait)   \
    X(task_done) X(join) X(queue) X(shutdown) X(shutdown_now)
/* clang-format on */

int run_statement(struct actor *actor, const struct statement *statement, struct answer *answer)
{
    static const struct {
        const char *name;
        operation *fn;
    } operations[] = {
#define ENTRY(name) {#name, op_##name},
        OPERATIONS(ENTRY)
#undef ENTRY
    };

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, statement->words[0]) == 0)
            return operations[i].fn(actor, statement, answer);
    fprintf(stderr, "scenario: what is '%s'?\n", statement->words[0]);
    exit(2);
}
