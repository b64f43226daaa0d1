/*
 * tasks.c: one task: its life, its time, its variables.
 */
#include "statements.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- slots and tasks ------------------------------------------------------------------------- */

static struct actor *new_actor(const char *coro)
{
    struct actor *actor = arena_alloc(sizeof *actor);

    actor->serial = ++scenario.spawned;
    snprintf(actor->label, sizeof actor->label, "T%d", actor->serial);
    actor->coro = program_find(scenario.program, coro);
    scenario.actors[actor->serial] = actor;
    return actor;
}

static int spawn(const struct statement *s, struct answer *answer, const cora_task_options *options)
{
    struct actor *actor = new_actor(s->words[2]);

    actor->task = cora_loop_create_task_arg(NULL, options, run_actor, "actor", actor);
    find_or_make(&scenario.slots, s->words[1])->actor = actor;
    return say(answer, "T%d", actor->serial);
}

int op_spawn(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return spawn(s, answer, NULL);
}

int op_eager(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return spawn(s, answer, &(cora_task_options){.eager_start = true});
}

/* In the context of the one who spawns it, not in a copy. */
int op_shared(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_context *context = cora_task_get_context(a->task);

    return spawn(s, answer, &(cora_task_options){.context = context});
}

static int spawn_in_group(struct actor *a, const struct statement *s, struct answer *answer,
                          const cora_task_options *options)
{
    struct actor *actor;
    cora_task *task;
    int rc;

    if (a->group == NULL)
        return skip(answer, "no group");
    actor = new_actor(s->words[2]);
    rc = cora_task_group_create_task_arg_with(a->group, options, &task, run_actor, actor);
    if (rc < 0) {
        scenario.actors[scenario.spawned--] = NULL;
        return rc;
    }
    actor->task = cora_task_ref(task);
    find_or_make(&scenario.slots, s->words[1])->actor = actor;
    return say(answer, "T%d", actor->serial);
}

int op_gspawn(struct actor *a, const struct statement *s, struct answer *answer)
{
    return spawn_in_group(a, s, answer, NULL);
}

int op_geager(struct actor *a, const struct statement *s, struct answer *answer)
{
    return spawn_in_group(a, s, answer, &(cora_task_options){.eager_start = true});
}

int op_await(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], a, answer);

    return actor != NULL ? say_result(answer, cora_await(actor->task)) : 0;
}

int op_shield(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], a, answer);

    return actor != NULL ? say_result(answer, cora_await_unref(cora_shield(actor->task))) : 0;
}

int op_wait_for(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], a, answer);

    if (actor == NULL)
        return 0;
    return say_result(answer, cora_wait_for(actor->task, seconds(s->words[2])));
}

int op_cancel(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? say(answer, "%d", cora_task_cancel(actor->task)) : 0;
}

int op_uncancel(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? say(answer, "%d", cora_task_uncancel(actor->task)) : 0;
}

int op_cancelling(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? say(answer, "%d", cora_task_cancelling(actor->task)) : 0;
}

int op_cancel_self(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s;
    return say(answer, "%d", cora_task_cancel(cora_current_task()));
}

int op_uncancel_self(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s;
    return say(answer, "%d", cora_task_uncancel(cora_current_task()));
}

int op_state(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);
    char text[64];

    (void)a;
    if (actor == NULL)
        return 0;
    return say(answer, "%s", state_of(actor->task, text, sizeof text));
}

/* all_tasks(): in the order of their serials, the first 64. */
int op_tasks(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_task *tasks[64];
    size_t count = cora_all_tasks(NULL, tasks, 64);

    (void)a, (void)s;
    say(answer, "%s", "");
    for (size_t i = 0; i < count && i < 64; i++) {
        for (int k = 0; k <= scenario.spawned; k++) {
            const struct actor *actor = scenario.actors[k];

            if (actor != NULL && actor->task == tasks[i]) {
                append(answer, i > 0 ? "," : "");
                append(answer, actor->label);
            }
        }
        cora_task_unref(tasks[i]);
    }
    return 0;
}

/* ---- timeouts -------------------------------------------------------------------------------- */

static cora_timeout *timeout_in(const struct actor *actor, int depth, struct answer *answer)
{
    struct limit *limit = actor->limit;

    while (limit != NULL && depth-- > 0)
        limit = limit->outer;
    if (limit == NULL)
        skip(answer, "no timeout");
    return limit != NULL ? &limit->timeout : NULL;
}

static int reschedule(cora_timeout *timeout, const char *ms)
{
    if (timeout == NULL)
        return 0;
    return cora_timeout_reschedule(timeout, cora_loop_time(scenario.loop) + seconds(ms));
}

int op_reschedule(struct actor *a, const struct statement *s, struct answer *answer)
{
    return reschedule(timeout_in(a, atoi(s->words[1]), answer), s->words[2]);
}

int op_reschedule_of(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct actor *actor = actor_in(s->words[1], NULL, answer);

    (void)a;
    return actor != NULL ? reschedule(timeout_in(actor, 0, answer), s->words[2]) : 0;
}

int op_deadline(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_timeout *timeout = timeout_in(a, atoi(s->words[1]), answer);
    double when;

    if (timeout == NULL)
        return 0;
    when = cora_timeout_when(timeout);
    return isinf(when) ? say(answer, "none") : say(answer, "%.3f", when * 1000);
}

/* ---- time and variables ---------------------------------------------------------------------- */

int op_say(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s, (void)answer;
    return 0;
}

int op_yield(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)s, (void)answer;
    return cora_sleep(0);
}

int op_sleep(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_sleep(seconds(s->words[1]));
}

/* What a task's last setvar of a variable gave. */
struct token {
    const struct thing *var;
    cora_context_token token;
    struct token *next;
};

static struct token *find_token(const struct actor *a, const struct thing *var)
{
    struct token *token = a->tokens;

    while (token != NULL && token->var != var)
        token = token->next;
    return token;
}

int op_setvar(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *var = find_thing(s->words[1]);
    struct token *token = find_token(a, var);

    (void)answer;
    if (token == NULL) {
        token = arena_alloc(sizeof *token);
        token->var = var;
        token->next = a->tokens;
        a->tokens = token;
    }
    return cora_context_var_set(&var->var, (void *)(intptr_t)atoi(s->words[2]), &token->token);
}

int op_resetvar(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *var = find_thing(s->words[1]);
    struct token *token = find_token(a, var);

    return token != NULL ? cora_context_var_reset(&var->var, &token->token)
                         : skip(answer, "no token");
}

int op_getvar(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say(answer, "%d", (int)(intptr_t)cora_context_var_get(&find_thing(s->words[1])->var));
}
