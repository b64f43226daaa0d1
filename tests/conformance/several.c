/*
 * several.c: several tasks, and futures among them.
 */
#include "statements.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- which ----------------------------------------------------------------------------------- */

/* Different tasks and futures, and their names for the trace. */
struct futures {
    size_t count;
    int oldest; /* the least serial among the tasks */
    cora_future *list[MOST_WORDS];
    const char *labels[MOST_WORDS];
};

static void add_future(struct futures *futures, cora_future *future, const char *label)
{
    for (size_t i = 0; i < futures->count; i++)
        if (futures->list[i] == future)
            return;
    futures->labels[futures->count] = label;
    futures->list[futures->count++] = future;
}

/* Those that the words from `from` on name; whether there are some: none where one was skipped. */
static bool futures_in(const struct statement *s, int from, const struct actor *younger,
                       struct futures *ret, struct answer *answer)
{
    ret->count = 0;
    ret->oldest = INT_MAX;
    for (int i = from; i < s->count; i++) {
        struct thing *thing = find_thing(s->words[i]);
        struct actor *actor;

        if (thing != NULL) {
            add_future(ret, thing->future, thing->name);
            continue;
        }
        actor = actor_in(s->words[i], younger, answer);
        if (actor == NULL)
            return false;
        add_future(ret, actor->task, actor->label);
        if (actor->serial < ret->oldest)
            ret->oldest = actor->serial;
    }
    return true;
}

/* ---- gather ---------------------------------------------------------------------------------- */

/* "[7,E1]" */
static int say_list(struct answer *answer, const int results[], size_t count)
{
    char text[32];

    say(answer, "[");
    for (size_t i = 0; i < count; i++) {
        append(answer, i > 0 ? "," : "");
        if (results[i] < 0)
            kind_of(results[i], text, sizeof text);
        else
            snprintf(text, sizeof text, "%d", results[i]);
        append(answer, text);
    }
    append(answer, "]");
    return 0;
}

static int gather(struct actor *a, const struct statement *s, struct answer *answer, unsigned flags)
{
    struct futures futures;
    int results[MOST_WORDS];
    int rc;

    if (!futures_in(s, 1, a, &futures, answer))
        return 0;
    rc = cora_gather(futures.list, futures.count, results, flags);
    return rc < 0 ? rc : say_list(answer, results, futures.count);
}

int op_gather(struct actor *a, const struct statement *s, struct answer *answer)
{
    return gather(a, s, answer, 0);
}

int op_settle(struct actor *a, const struct statement *s, struct answer *answer)
{
    return gather(a, s, answer, CORA_RETURN_EXCEPTIONS);
}

/* ---- bundles --------------------------------------------------------------------------------- */

/* A gather() that is not awaited here. */
static int bind_bundle(struct actor *a, const struct statement *s, struct answer *answer,
                       unsigned flags)
{
    struct thing *thing = find_or_make(&scenario.bundles, s->words[1]);
    struct futures futures;

    if (!futures_in(s, 2, a, &futures, answer))
        return 0;
    if (thing->bundle == NULL)
        thing->bundle = arena_alloc(sizeof *thing->bundle);
    else
        cora_future_unref(thing->bundle->future);
    *thing->bundle =
        (struct bundle){.future = cora_gather_future(futures.list, futures.count, flags),
                        .count = (int)futures.count,
                        .oldest = futures.oldest};
    return 0;
}

int op_bundle(struct actor *a, const struct statement *s, struct answer *answer)
{
    return bind_bundle(a, s, answer, 0);
}

int op_bundle_settle(struct actor *a, const struct statement *s, struct answer *answer)
{
    return bind_bundle(a, s, answer, CORA_RETURN_EXCEPTIONS);
}

/* With `younger`, only one whose tasks are all younger than the actor. */
static struct bundle *bundle_in(const char *name, const struct actor *younger,
                                struct answer *answer)
{
    struct bundle *bundle = find_or_make(&scenario.bundles, name)->bundle;

    if (bundle == NULL)
        skip(answer, "unbound");
    else if (younger != NULL && bundle->oldest <= younger->serial)
        skip(answer, "older");
    return answer->skip == NULL ? bundle : NULL;
}

/* What it gathered, once it is done and no error. */
static int say_results(struct answer *answer, const struct bundle *bundle, cora_future *future)
{
    return say_list(answer, cora_future_value(future), (size_t)bundle->count);
}

int op_await_bundle(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct bundle *bundle = bundle_in(s->words[1], a, answer);
    struct bundle awaited;
    int rc;

    if (bundle == NULL)
        return 0;
    awaited = *bundle; /* the name may be bound to another one meanwhile */
    cora_future_ref(awaited.future);
    rc = cora_await(awaited.future);
    if (rc >= 0)
        rc = say_results(answer, &awaited, awaited.future);
    cora_future_unref(awaited.future);
    return rc;
}

int op_shield_bundle(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct bundle *bundle = bundle_in(s->words[1], a, answer);
    struct bundle awaited;
    cora_future *shield;
    int rc;

    if (bundle == NULL)
        return 0;
    awaited = *bundle;
    shield = cora_shield(awaited.future);
    rc = cora_await(shield);
    if (rc >= 0)
        rc = say_results(answer, &awaited, shield);
    cora_future_unref(shield);
    return rc;
}

int op_cancel_bundle(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct bundle *bundle = bundle_in(s->words[1], NULL, answer);

    (void)a;
    return bundle != NULL ? say(answer, "%d", cora_future_cancel(bundle->future)) : 0;
}

int op_peek_bundle(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct bundle *bundle = bundle_in(s->words[1], NULL, answer);
    char text[64], results[sizeof answer->text];

    (void)a;
    if (bundle == NULL)
        return 0;
    state_of(bundle->future, text, sizeof text);
    if (strncmp(text, "ok", 2) != 0)
        return say(answer, "%s", text);
    say_results(answer, bundle, bundle->future);
    snprintf(results, sizeof results, "%s", answer->text);
    return say(answer, "ok %s", results);
}

/* ---- wait ------------------------------------------------------------------------------------ */

static void names_of(const struct futures *futures, bool done, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < futures->count && length < size; i++)
        if (cora_future_done(futures->list[i]) == done)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? "," : "",
                                       futures->labels[i]);
}

static int wait(struct actor *a, const struct statement *s, struct answer *answer,
                cora_return_when when)
{
    struct futures futures;
    char done[256], pending[256];
    int rc;

    if (!futures_in(s, 2, a, &futures, answer))
        return 0;
    rc = cora_wait(futures.list, futures.count, seconds(s->words[1]), when);
    if (rc < 0)
        return rc;
    names_of(&futures, true, done, sizeof done);
    names_of(&futures, false, pending, sizeof pending);
    return say(answer, "done=%s pending=%s", done, pending);
}

int op_wait_first(struct actor *a, const struct statement *s, struct answer *answer)
{
    return wait(a, s, answer, CORA_FIRST_COMPLETED);
}

int op_wait_error(struct actor *a, const struct statement *s, struct answer *answer)
{
    return wait(a, s, answer, CORA_FIRST_EXCEPTION);
}

int op_wait_all(struct actor *a, const struct statement *s, struct answer *answer)
{
    return wait(a, s, answer, CORA_ALL_COMPLETED);
}

/* ---- as_completed ---------------------------------------------------------------------------- */

/* Whether there are some, and not several that are done: CPython takes these as a set has them. */
static bool ordered_futures_in(const struct statement *s, int from, const struct actor *a,
                               struct futures *ret, struct answer *answer)
{
    size_t done = 0;

    if (!futures_in(s, from, a, ret, answer))
        return false;
    for (size_t i = 0; i < ret->count; i++)
        done += cora_future_done(ret->list[i]);
    if (done > 1)
        skip(answer, "no order");
    return done <= 1;
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

int op_each(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct futures futures;
    cora_as_completed each;
    int rc;

    if (!ordered_futures_in(s, 1, a, &futures, answer))
        return 0;
    rc = cora_as_completed_start(&each, futures.list, futures.count, INFINITY);
    while (rc == 0)
        rc = each_result(a, &each);
    cora_as_completed_stop(&each);
    return rc == -CORA_ESTOPITERATION ? 0 : rc;
}

static int each_future(struct actor *a, cora_as_completed *each, const struct futures *futures)
{
    cora_future *future;
    char text[64];
    int rc = cora_as_completed_next(each, &future);

    for (size_t i = 0; rc == 0 && i < futures->count; i++)
        if (futures->list[i] == future)
            trace(a->serial, "each -> %s %s", futures->labels[i],
                  state_of(future, text, sizeof text));
    return rc;
}

int op_each_for(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct futures futures;
    cora_as_completed each;
    int rc;

    if (!ordered_futures_in(s, 2, a, &futures, answer))
        return 0;
    rc = cora_as_completed_start(&each, futures.list, futures.count, seconds(s->words[1]));
    while (rc == 0)
        rc = each_future(a, &each, &futures);
    cora_as_completed_stop(&each);
    return rc == -CORA_ESTOPITERATION ? 0 : rc;
}
