/*
 * calls.c: callbacks, and the handles of those that the loop calls.
 */
#include "statements.h"

#include <math.h>
#include <string.h>

/* ---- callbacks ------------------------------------------------------------------------------- */

struct callback {
    const char *word;
    int serial;              /* of the one who added it */
    const char *label;       /* of the task or the future, or NULL */
    const struct thing *var; /* whose value it tells, or NULL */
    struct callback *next;   /* of those that can be taken back */
};

static struct callback *new_callback(const struct actor *a, const char *word, const char *label,
                                     const struct thing *var)
{
    struct callback *callback = arena_alloc(sizeof *callback);

    *callback = (struct callback){word, a->serial, label, var, NULL};
    return callback;
}

/* The same one when it is asked for again, so that it can be taken back. */
static struct callback *same_callback(const struct actor *a, const char *word, const char *label)
{
    struct callback *callback = scenario.callbacks;

    while (callback != NULL && (callback->serial != a->serial ||
                                strcmp(callback->word, word) != 0 || callback->label != label))
        callback = callback->next;
    if (callback == NULL) {
        callback = new_callback(a, word, label, NULL);
        callback->next = scenario.callbacks;
        scenario.callbacks = callback;
    }
    return callback;
}

static void trace_value(const struct callback *callback)
{
    trace(callback->serial, "callback %s%s%s %s=%d", callback->word,
          callback->label != NULL ? " " : "", callback->label != NULL ? callback->label : "",
          callback->var->name, (int)(intptr_t)cora_context_var_get(&callback->var->var));
}

static void on_done(cora_future *future, void *arg)
{
    struct callback *callback = arg;
    char text[64];

    if (callback->var != NULL)
        trace_value(callback);
    else
        trace(callback->serial, "callback %s %s %s", callback->word, callback->label,
              state_of(future, text, sizeof text));
}

static void on_call(void *arg)
{
    struct callback *callback = arg;

    if (callback->var != NULL)
        trace_value(callback);
    else
        trace(callback->serial, "callback %s", callback->word);
}

int op_on_done(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    if (actor == NULL)
        return 0;
    return cora_task_add_done_callback(actor->task, on_done,
                                       same_callback(a, s->words[2], actor->label));
}

int op_off_done(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    if (actor == NULL)
        return 0;
    return say(answer, "%d",
               cora_task_remove_done_callback(actor->task, on_done,
                                              same_callback(a, s->words[2], actor->label)));
}

int op_on_done_var(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    if (actor == NULL)
        return 0;
    return cora_task_add_done_callback(
        actor->task, on_done, new_callback(a, s->words[3], actor->label, find_thing(s->words[2])));
}

int op_on_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)answer;
    return cora_future_add_done_callback(thing->future, on_done,
                                         same_callback(a, s->words[2], thing->name));
}

int op_off_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    return say(answer, "%d",
               cora_future_remove_done_callback(thing->future, on_done,
                                                same_callback(a, s->words[2], thing->name)));
}

int op_soon(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)answer;
    return cora_loop_call_soon(scenario.loop, on_call, new_callback(a, s->words[1], NULL, NULL),
                               NULL);
}

int op_soon_var(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)answer;
    return cora_loop_call_soon(scenario.loop, on_call,
                               new_callback(a, s->words[2], NULL, find_thing(s->words[1])), NULL);
}

int op_later(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)answer;
    return cora_loop_call_later(scenario.loop, seconds(s->words[1]), on_call,
                                new_callback(a, s->words[2], NULL, NULL), NULL);
}

/* ---- handles --------------------------------------------------------------------------------- */

static int bind_handle(const struct statement *s, int rc, cora_handle *handle)
{
    struct thing *thing = find_or_make(&scenario.handles, s->words[1]);

    if (rc < 0)
        return rc;
    thing->timer = arena_alloc(sizeof *thing->timer);
    *thing->timer = (struct timer){handle, scenario.timers};
    scenario.timers = thing->timer;
    return 0;
}

int op_call(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_handle *handle = NULL;
    int rc = cora_loop_call_soon(scenario.loop, on_call, new_callback(a, s->words[2], NULL, NULL),
                                 &handle);

    (void)answer;
    return bind_handle(s, rc, handle);
}

int op_timer(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_timer_handle *handle = NULL;
    int rc = cora_loop_call_later(scenario.loop, seconds(s->words[2]), on_call,
                                  new_callback(a, s->words[3], NULL, NULL), &handle);

    (void)answer;
    return bind_handle(s, rc, handle);
}

int op_timer_at(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_timer_handle *handle = NULL;
    int rc = cora_loop_call_at(scenario.loop, seconds(s->words[2]), on_call,
                               new_callback(a, s->words[3], NULL, NULL), &handle);

    (void)answer;
    return bind_handle(s, rc, handle);
}

static cora_handle *handle_in(const char *name, struct answer *answer)
{
    struct timer *timer = find_or_make(&scenario.handles, name)->timer;

    if (timer == NULL)
        skip(answer, "unbound");
    return timer != NULL ? timer->handle : NULL;
}

int op_drop(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    cora_handle_cancel(handle_in(s->words[1], answer));
    return 0;
}

int op_dropped(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_handle *handle = handle_in(s->words[1], answer);

    (void)a;
    return handle != NULL ? say(answer, "%d", cora_handle_cancelled(handle)) : 0;
}

int op_due(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_handle *handle = handle_in(s->words[1], answer);
    double when;

    (void)a;
    if (handle == NULL)
        return 0;
    when = cora_timer_handle_when(handle);
    return isnan(when) ? say(answer, "none") : say(answer, "%.3f", when * 1000);
}
