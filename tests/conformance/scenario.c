/*
 * scenario FILE...: runs scenarios and prints their traces, as reference.py does on CPython.
 */
#include "scenario.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scenario scenario;

/* ---- the trace ------------------------------------------------------------------------------- */

static bool may_print(void)
{
    if (scenario.too_long)
        return false;
    if (scenario.lines++ < MOST_LINES)
        return true;
    scenario.too_long = true;
    printf("too long\n");
    cora_loop_stop(scenario.loop);
    return false;
}

void trace(int serial, const char *format, ...)
{
    va_list args;

    if (!may_print())
        return;
    printf("%.3f T%d ", cora_loop_time(scenario.loop) * 1000, serial);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

const char *kind_of(int rc, char *text, size_t size)
{
    static const struct {
        int error;
        const char *kind;
    } kinds[] = {
        {ECANCELED, "cancelled"},          {ETIMEDOUT, "timeout"},
        {CORA_EQUEUEFULL, "full"},         {CORA_EQUEUEEMPTY, "empty"},
        {CORA_EQUEUESHUTDOWN, "shutdown"}, {CORA_EBROKENBARRIER, "broken"},
    };

    snprintf(text, size, "%s", rc >= 0 ? "ok" : "usage");
    if (-rc > FIRST_SCENARIO_ERROR)
        snprintf(text, size, "E%d", -rc - FIRST_SCENARIO_ERROR);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (rc == -kinds[i].error)
            snprintf(text, size, "%s", kinds[i].kind);
    return text;
}

const char *state_of(cora_future *future, char *text, size_t size)
{
    int rc;

    if (!cora_future_done(future)) {
        snprintf(text, size, "pending");
    } else if (cora_future_cancelled(future)) {
        snprintf(text, size, "cancelled");
    } else if ((rc = cora_future_result(future)) >= 0) {
        snprintf(text, size, "ok %d", rc);
    } else {
        kind_of(rc, text, size);
    }
    return text;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The words of a statement, as they stand in the trace. */
static const char *text_of(const struct statement *statement, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; i < statement->count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
                                   statement->words[i]);
    return text;
}

static int run_repeat(struct actor *actor, const struct statement *block)
{
    int rc = 0;

    for (int i = atoi(block->words[1]); i > 0 && rc == 0; i--)
        rc = run_block(actor, block->body);
    return rc;
}

/* try handles every error but cancellation, guard that too. */
static int run_try(struct actor *actor, const struct statement *block, bool also_cancellation)
{
    char kind[32];
    int rc = run_block(actor, block->body);

    if (rc >= 0 || (rc == -ECANCELED && !also_cancellation))
        return rc;
    trace(actor->serial, "handle %s", kind_of(rc, kind, sizeof kind));
    return run_block(actor, block->rest);
}

static int run_always(struct actor *actor, const struct statement *block)
{
    int rc = run_block(actor, block->body);
    int finally = run_block(actor, block->rest);

    return finally != 0 ? finally : rc;
}

static int run_timeout(struct actor *actor, const struct statement *block, bool at)
{
    const char *ms = block->words[1];
    double limit = strcmp(ms, "none") == 0 ? INFINITY : atof(ms) / 1000;
    char text[128], kind[32];
    struct limit own = {.outer = actor->limit};
    int returned, rc;

    text_of(block, text, sizeof text);
    trace(actor->serial, "%s enter", text);
    if (at)
        cora_timeout_at_enter(&own.timeout, limit);
    else
        cora_timeout_enter(&own.timeout, limit);
    actor->limit = &own;
    returned = rc = run_block(actor, block->body);
    actor->limit = own.outer;
    rc = cora_timeout_exit(&own.timeout, rc > 0 ? 0 : rc);
    trace(actor->serial, "%s exit -> %s expired=%d", text, kind_of(rc, kind, sizeof kind),
          cora_timeout_expired(&own.timeout));
    return rc == 0 && returned > 0 ? returned : rc;
}

/* "cancelled", "usage", or "group[E1,E2]". */
static const char *group_kind(cora_task_group *group, int rc, char *text, size_t size)
{
    int errors[64];
    size_t count = cora_task_group_errors(group, errors, 64);
    size_t length;
    char kind[32];

    if (count == 0)
        return kind_of(rc, text, size);
    length = (size_t)snprintf(text, size, "group[");
    for (size_t i = 0; i < count && i < 64 && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? "," : "",
                                   kind_of(errors[i], kind, sizeof kind));
    if (length < size)
        snprintf(text + length, size - length, "]");
    return text;
}

static int run_group(struct actor *actor, const struct statement *block)
{
    cora_task_group *outer = actor->group;
    cora_task_group group;
    char text[1024];
    int returned, rc;

    trace(actor->serial, "group enter");
    cora_task_group_enter(&group);
    actor->group = &group;
    returned = rc = run_block(actor, block->body);
    actor->group = outer;
    rc = cora_task_group_join(&group, rc > 0 ? 0 : rc);
    trace(actor->serial, "group exit -> %s", group_kind(&group, rc, text, sizeof text));
    rc = cora_task_group_exit(&group, rc);
    return rc == 0 && returned > 0 ? returned : rc;
}

static int run_compound(struct actor *actor, const struct statement *block)
{
    const char *op = block->words[0];

    if (strcmp(op, "repeat") == 0)
        return run_repeat(actor, block);
    if (strcmp(op, "try") == 0 || strcmp(op, "guard") == 0)
        return run_try(actor, block, op[0] == 'g');
    if (strcmp(op, "always") == 0)
        return run_always(actor, block);
    if (strcmp(op, "group") == 0)
        return run_group(actor, block);
    return run_timeout(actor, block, strcmp(op, "timeout_at") == 0);
}

/* ---- statements ------------------------------------------------------------------------------ */

static int run_simple(struct actor *actor, const struct statement *statement)
{
    struct answer answer = {.has_value = false};
    char text[256], kind[32];
    int rc = run_statement(actor, statement, &answer);

    text_of(statement, text, sizeof text);
    if (answer.skip != NULL)
        trace(actor->serial, "%s -> skip %s", text, answer.skip);
    else if (rc < 0)
        trace(actor->serial, "%s -> %s", text, kind_of(rc, kind, sizeof kind));
    else
        trace(actor->serial, "%s -> ok%s%s", text, answer.has_value ? " " : "", answer.text);
    return rc < 0 ? rc : 0;
}

int run_block(struct actor *actor, const struct statement *statement)
{
    int rc = 0;

    for (; statement != NULL && rc == 0; statement = statement->next) {
        const char *op = statement->words[0];

        if (scenario.too_long)
            return -ECANCELED; /* nobody would see it */
        if (strcmp(op, "return") == 0) {
            actor->value = atoi(statement->words[1]);
            rc = RETURNED;
        } else if (strcmp(op, "raise") == 0) {
            trace(actor->serial, "raise %s", statement->words[1]);
            rc = -FIRST_SCENARIO_ERROR - atoi(statement->words[1] + 1);
        } else if (statement_takes(op) == NULL) {
            rc = run_compound(actor, statement);
        } else {
            rc = run_simple(actor, statement);
        }
    }
    return rc;
}

int run_actor(void *arg)
{
    struct actor *actor = arg;
    char kind[32];
    int rc;

    actor->task = cora_current_task(); /* an eager one's creator does not know it yet */
    trace(actor->serial, "start %s", actor->coro->name);
    rc = run_block(actor, actor->coro->body);
    if (rc < 0)
        trace(actor->serial, "finish -> %s", kind_of(rc, kind, sizeof kind));
    else
        trace(actor->serial, "finish -> ok %d", actor->value);
    return rc < 0 ? rc : actor->value;
}

/* ---- a file ---------------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b)
{
    intptr_t x = (intptr_t)a, y = (intptr_t)b;

    return (x > y) - (x < y);
}

static void be_silent(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)context, (void)arg;
}

/* Of the loop's reports those that do not hang on when a thing is given back. */
static void on_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    char kind[32];

    (void)arg;
    if (strncmp(context->message, "error in a shielded future", 26) == 0 && may_print())
        printf("%.3f report %s\n", cora_loop_time(loop) * 1000,
               kind_of(context->error, kind, sizeof kind));
}

static void make_barrier(cora_barrier *barrier, int parties)
{
    if (cora_barrier_init(barrier, parties) < 0)
        exit((fprintf(stderr, "scenario: no barrier of %d\n", parties), 2));
}

static void make_thing(const struct statement *line)
{
    struct thing *thing = find_or_make(&scenario.things, line->words[1]);
    const char *kind = line->words[0];
    int number = line->count > 2 ? atoi(line->words[2]) : 0;

    thing->kind = kind;
    if (strcmp(kind, "lock") == 0)
        cora_lock_init(&thing->lock);
    else if (strcmp(kind, "event") == 0)
        cora_event_init(&thing->event);
    else if (strcmp(kind, "cond") == 0)
        cora_condition_init(&thing->condition,
                            line->count > 2 ? &find_thing(line->words[2])->lock : NULL);
    else if (strcmp(kind, "sem") == 0)
        cora_semaphore_init(&thing->semaphore, number);
    else if (strcmp(kind, "bsem") == 0)
        cora_bounded_semaphore_init(&thing->bounded, number);
    else if (strcmp(kind, "queue") == 0)
        cora_queue_init(&thing->queue, (size_t)number);
    else if (strcmp(kind, "lifo") == 0)
        cora_lifo_queue_init(&thing->queue, (size_t)number);
    else if (strcmp(kind, "prio") == 0)
        cora_priority_queue_init(&thing->queue, (size_t)number, compare_items);
    else if (strcmp(kind, "barrier") == 0)
        make_barrier(&thing->barrier, number);
    else if (strcmp(kind, "future") == 0)
        thing->future = cora_loop_create_future(scenario.loop);
    else if (strcmp(kind, "handler") == 0)
        cora_loop_set_exception_handler(scenario.loop, on_report, NULL);
    else
        thing->var = (cora_context_var){thing->name, NULL};
}

struct thing *find_thing(const char *name)
{
    struct thing *thing = scenario.things;

    while (thing != NULL && strcmp(thing->name, name) != 0)
        thing = thing->next;
    return thing;
}

struct thing *find_or_make(struct thing **list, const char *name)
{
    struct thing *thing = *list;

    while (thing != NULL && strcmp(thing->name, name) != 0)
        thing = thing->next;
    if (thing == NULL) {
        thing = arena_alloc(sizeof *thing);
        thing->name = name;
        thing->next = *list;
        *list = thing;
    }
    return thing;
}

static void stop(void *loop)
{
    cora_loop_stop(loop);
}

/* A condition's waiter comes back with the lock, however often it is cancelled; the one who has it
 * may be gone. */
static void release_locks(void)
{
    for (struct thing *thing = scenario.things; thing != NULL; thing = thing->next) {
        int rc = 0;

        if (strcmp(thing->kind, "lock") == 0)
            rc = cora_lock_release(&thing->lock);
        else if (strcmp(thing->kind, "cond") == 0)
            rc = cora_condition_release(&thing->condition);
        (void)rc; /* nobody has it */
    }
}

/* The reference drops what is left where it stands. Nobody sees the difference, save a leak
 * checker, so it is ended here: cancelled as often as it takes. */
static void end_tasks(cora_loop *loop)
{
    enum { MOST_ROUNDS = 1000, MOST_TASKS = MOST_LINES + 2 };
    static cora_task *tasks[MOST_TASKS];

    for (int round = 0; round < MOST_ROUNDS; round++) {
        size_t count = cora_all_tasks(loop, tasks, MOST_TASKS);

        if (count == 0)
            return;
        for (size_t i = 0; i < count && i < MOST_TASKS; i++) {
            cora_task_cancel(tasks[i]);
            cora_task_unref(tasks[i]);
        }
        release_locks();
        if (cora_loop_call_soon(loop, stop, loop, NULL) < 0 || cora_loop_run_forever(loop) < 0)
            return;
    }
}

static void release_things(void)
{
    for (struct thing *thing = scenario.things; thing != NULL; thing = thing->next) {
        if (strcmp(thing->kind, "future") == 0)
            cora_future_unref(thing->future);
        if (strcmp(thing->kind, "queue") == 0 || strcmp(thing->kind, "lifo") == 0 ||
            strcmp(thing->kind, "prio") == 0)
            cora_queue_destroy(&thing->queue);
    }
    for (struct thing *bundle = scenario.bundles; bundle != NULL; bundle = bundle->next)
        if (bundle->bundle != NULL)
            cora_future_unref(bundle->bundle->future);
    for (struct timer *timer = scenario.timers; timer != NULL; timer = timer->next)
        cora_handle_unref(timer->handle);
    for (int i = 0; i <= scenario.spawned; i++)
        if (scenario.actors[i] != NULL)
            cora_task_unref(scenario.actors[i]->task);
}

static int run_main(void)
{
    struct actor *actor = arena_alloc(sizeof *actor);

    actor->coro = program_find(scenario.program, "main");
    snprintf(actor->label, sizeof actor->label, "T0");
    actor->task = cora_loop_create_task_arg(scenario.loop, NULL, run_actor, "main", actor);
    scenario.actors[0] = actor;
    return cora_loop_run_until_complete(scenario.loop, actor->task);
}

static void run_program(struct program *program)
{
    char kind[32];
    int rc;

    memset(&scenario, 0, sizeof scenario);
    scenario.program = program;
    if (cora_new_event_loop(&scenario.loop) < 0 ||
        cora_loop_use_virtual_clock(scenario.loop, 0) < 0 ||
        cora_loop_set_heapq_order(scenario.loop, true) < 0)
        exit((fprintf(stderr, "scenario: no loop\n"), 2));
    cora_loop_set_exception_handler(scenario.loop, be_silent, NULL);
    for (const struct statement *line = scenario.program->resources; line; line = line->next)
        make_thing(line);
    rc = run_main();
    if (may_print()) {
        printf("%.3f run -> ", cora_loop_time(scenario.loop) * 1000);
        if (rc >= 0)
            printf("ok %d\n", rc);
        else
            printf("%s\n", rc == -EDEADLK ? "deadlock" : kind_of(rc, kind, sizeof kind));
    }
    scenario.too_long = true; /* not a word more */
    end_tasks(scenario.loop);
    cora_loop_close(scenario.loop);
    release_things();
    cora_loop_free(scenario.loop);
    arena_reset();
}

/* ---- files ----------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
    enum { MOST_TEXT = 16 << 20 };
    FILE *file = fopen(path, "r");
    size_t size = 0, length = 0;
    char *text = NULL;

    if (file == NULL)
        mistake(path, 0, "%s", strerror(errno));
    do {
        char *larger = realloc(text, size += 65536);

        if (larger == NULL || size > MOST_TEXT)
            mistake(path, 0, "too large for a scenario: more than %d bytes", MOST_TEXT);
        text = larger;
        length += fread(text + length, 1, size - length - 1, file);
    } while (length == size - 1);
    if (ferror(file))
        mistake(path, 0, "%s", strerror(errno));
    fclose(file);
    text[length] = '\0';
    if (strlen(text) < length)
        mistake(path, 0, "no text: there is a zero byte in it");
    return text;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: scenario FILE...\nRuns scenarios, in the language of SPEC.md, and "
                        "prints their traces.\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        char *text = read_file(argv[i]);
        struct program *program = program_parse(argv[i], text);

        printf("# %s\n", slash != NULL ? slash + 1 : argv[i]);
        run_program(program);
        free(text);
    }
    return fflush(stdout) == 0 ? 0 : 1; /* before a leak checker ends the process */
}
