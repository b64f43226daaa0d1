/*
 * checker.c: the search, and how a program is run.
 *
 * What tasks share sees of them only their calls: a task that makes several calls one after the
 * other is to it as good as several tasks that make one each. So an operation is a task; a program
 * is a sequence of operations; and nothing is lost if the search chooses the program while it runs.
 *
 * An operation is started eagerly, that is, at once, up to where it suspends. The search chooses at
 * each *point*: start an operation, cancel one that is under way, or let those go on who are ready.
 * There is a point wherever in a program code of its own could run between two steps of the
 * primitive: in a task, when its call has come back; and in a callback, a *probe*, behind all that
 * the same code has made ready. For its queue is first in, first out, the loop has no other orders.
 *
 * cora is deterministic, so a history is known by its choices alone. The search is a depth-first
 * one by replay: run with the choices of last time, the last of them that has an alternative
 * changed to it, those behind it forgotten and made anew, always the first; until none is left.
 */
#include "model/checker.h"

#include "loop/loop.h"

#if defined(__SANITIZE_THREAD__)
enum { FEWER_OPERATIONS = 3 }; /* to it every stack is a thread, which takes it a millisecond */
#elif defined(CORA_SLOW_TESTS)
enum { FEWER_OPERATIONS = 2 };
#else
enum { FEWER_OPERATIONS = 0 };
#endif

enum { MOST_OPERATIONS = 8, MOST_CHOICES = 256, MOST_ACTIONS = 32, MOST_EVENTS = 256 };
enum { PROBES = 64, MOST_PROGRAMS = 1 << 17 };

enum verb { GO_ON, START, START_CANCELLED, CANCEL, RETURN };

struct event {
    enum verb verb;
    int number; /* of the operation; of a kind while it is an action to choose */
};

static const struct model *model;
static struct bounds bounds;
static cora_loop *loop;

/* The path through the tree of choices: what was chosen, and out of how many. */
static struct {
    int chosen, count;
} path[MOST_CHOICES];
static int length, depth;

/* The run. */
static struct operation operations[MOST_OPERATIONS];
static int started, cancellations;
static bool closing; /* nothing is started any more */
static struct cora__handle probes[PROBES];
static int probes_used;
static struct event history[MOST_EVENTS];
static int events;

/* What was done so far. A program is its operations in order, as the digits of a number. */
static bool seen[MOST_PROGRAMS];
static unsigned long programs, schedules, steps;

/* ---- the search ----------------------------------------------------------------------------- */

int choose(int count)
{
    if (depth == length) {
        assert_true(length < MOST_CHOICES);
        path[length].chosen = 0;
        path[length++].count = count;
    }
    expect(path[depth].count == count, "the same choices lead to the same history");
    return path[depth++].chosen;
}

static bool next_path(void)
{
    while (length > 0 && ++path[length - 1].chosen == path[length - 1].count)
        length--;
    return length > 0;
}

/* ---- the history ---------------------------------------------------------------------------- */

static void record(enum verb verb, int number)
{
    assert_true(events < MOST_EVENTS);
    history[events++] = (struct event){verb, number};
    steps++;
}

static void print_history(void)
{
    static const char *const texts[] = {"", "starts", "starts, already cancelled,", "is cancelled",
                                        "returns"};

    for (int i = 0; i < events; i++) {
        const struct operation *operation = &operations[history[i].number - 1];

        if (history[i].verb == GO_ON) {
            fprintf(stderr, "    ...\n");
            continue;
        }
        fprintf(stderr, "    %d %s %s", operation->number, texts[history[i].verb],
                model->kinds[operation->kind]);
        if (history[i].verb == RETURN)
            fprintf(stderr, " %d (%s)", operation->rc, cora_strerrorname(operation->rc));
        fprintf(stderr, "\n");
    }
}

void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: not true that %s, after\n", model->name, what);
    print_history();
    fail();
}

/* ---- operations ----------------------------------------------------------------------------- */

static void point(void *arg);

static int perform(void *arg)
{
    struct operation *operation = arg;

    if (operation->cancelled)
        cora_task_cancel(cora_current_task());
    operation->rc = model->call(operation);
    operation->over = true;
    record(RETURN, operation->number);
    if (!operation->cancelled)
        expect(operation->rc != -ECANCELED, "only who was cancelled is told so");
    else if (operation->slept)
        expect(operation->rc == -ECANCELED, "who was cancelled while it slept is told so");
    if (operation->slept)
        point(NULL);
    return 0;
}

static void start(int kind, bool cancelled)
{
    static const cora_task_options eager = {.eager_start = true};
    struct operation *operation = &operations[started++];

    *operation = (struct operation){.kind = kind, .number = started, .cancelled = cancelled};
    cancellations += cancelled;
    record(cancelled ? START_CANCELLED : START, operation->number);
    operation->task = cora_loop_create_task_arg(NULL, &eager, perform, "perform", operation);
    assert_non_null(operation->task);
    operation->slept = !operation->over;
}

static void cancel(struct operation *operation)
{
    operation->cancelled = true;
    cancellations++;
    record(CANCEL, operation->number);
    cora_task_cancel(operation->task);
}

static struct operation *asleep_from(int number, int kind)
{
    for (; number <= started; number++)
        if (operations[number - 1].kind == kind && !operations[number - 1].over)
            return &operations[number - 1];
    return NULL;
}

struct operation *first_asleep(int kind)
{
    return asleep_from(1, kind);
}

struct operation *next_asleep(const struct operation *operation)
{
    return asleep_from(operation->number + 1, operation->kind);
}

int count_asleep(int kind)
{
    int count = 0;

    for (struct operation *op = first_asleep(kind); op != NULL; op = next_asleep(op))
        count++;
    return count;
}

bool is_first(const struct operation *operation)
{
    struct operation *first = first_asleep(operation->kind);

    while (first->cancelled && first != operation)
        first = next_asleep(first);
    return first == operation;
}

/* ---- points --------------------------------------------------------------------------------- */

static bool is_probe(const struct cora__list *link)
{
    return cora__container_of(link, struct cora__handle, link)->fn == point;
}

/* The ring from behind who runs now, the head left out; NULL: nobody else is in it. */
static struct cora__list *ready_before(struct cora__list *link)
{
    link = link->prev != &loop->ready.link ? link->prev : loop->ready.link.prev;
    return link != loop->cursor && link != &loop->ready.link ? link : NULL;
}

static bool anyone_is_ready(void)
{
    struct cora__list *link = ready_before(loop->cursor);

    while (link != NULL && is_probe(link))
        link = ready_before(link);
    return link != NULL;
}

/* A point behind those who are ready. */
static void probe(void)
{
    struct cora__list *last = ready_before(loop->cursor);
    struct cora__handle *handle;

    if (last != NULL && is_probe(last))
        return;
    assert_true(probes_used < PROBES);
    handle = &probes[probes_used++];
    cora__handle_init(handle, point, NULL);
    cora__loop_push(loop, handle);
}

static void check(void)
{
    model->check();
    if (!anyone_is_ready())
        model->idle();
}

static int under_way(void)
{
    int count = 0;

    for (int i = 0; i < started; i++)
        count += !operations[i].over;
    return count;
}

static int list_actions(struct event actions[])
{
    bool may_start = started < bounds.operations && under_way() < bounds.tasks;
    bool may_cancel = cancellations < bounds.cancellations;
    int count = 0;

    if (anyone_is_ready())
        actions[count++] = (struct event){GO_ON, 0};
    for (int kind = 0; may_start && kind < model->count; kind++) {
        if (model->allowed != NULL && !model->allowed(kind))
            continue;
        actions[count++] = (struct event){START, kind};
        if (may_cancel)
            actions[count++] = (struct event){START_CANCELLED, kind};
    }
    for (int i = 0; may_cancel && i < started; i++)
        if (!operations[i].over && !operations[i].cancelled)
            actions[count++] = (struct event){CANCEL, i + 1};
    return count;
}

static void act(struct event action)
{
    switch (action.verb) {
    case CANCEL:
        cancel(&operations[action.number - 1]);
        break;
    case START:
        start(action.number, false);
        break;
    case START_CANCELLED:
        start(action.number, true);
        closing = operations[started - 1].over; /* as it does without having been cancelled */
        break;
    default:
        record(GO_ON, 0);
    }
    check();
}

/* Those who are ready go on when this returns. */
static void point(void *arg)
{
    struct event action = {START, 0}, actions[MOST_ACTIONS];
    int count;

    (void)arg;
    check();
    while (action.verb != GO_ON && !closing && (count = list_actions(actions)) > 0) {
        action = actions[choose(count)];
        act(action);
        probe();
    }
}

/* ---- runs ----------------------------------------------------------------------------------- */

static void run_until_idle(void)
{
    int rc;

    do
        rc = cora_loop_run_ready(loop);
    while (rc > 0);
    assert_int_equal(rc, 0);
    check();
}

static void cancel_all(void)
{
    closing = true;
    for (int i = 0; i < started; i++)
        if (!operations[i].over)
            cancel(&operations[i]);
    run_until_idle();
    for (int i = 0; i < started && model->let_go != NULL && under_way() > 0; i++) {
        model->let_go();
        run_until_idle();
    }
    expect(under_way() == 0, "everyone who is cancelled comes back");
}

static void count_run(void)
{
    int program = 0;

    for (int i = 0; i < started; i++)
        program = program * (model->count + 1) + operations[i].kind + 1;
    assert_true(program < MOST_PROGRAMS);
    programs += !seen[program];
    seen[program] = true;
    schedules++;
}

static void run(void)
{
    depth = started = cancellations = events = probes_used = 0;
    closing = false;
    model->begin();
    probe();
    run_until_idle();
    cancel_all();
    for (int i = 0; i < started; i++)
        cora_task_unref(operations[i].task);
    if (model->end != NULL)
        model->end();
    count_run();
}

/* Short programs first, so that what goes wrong is shown by one of the shortest. */
void check_model(const struct model *the_model, struct bounds the_bounds)
{
    int most = the_bounds.operations - FEWER_OPERATIONS;

    model = the_model;
    bounds = the_bounds;
    programs = schedules = steps = 0;
    memset(seen, 0, sizeof seen);
    assert_return_code(cora_new_event_loop(&loop), 0);
    for (bounds.operations = 1; bounds.operations <= most; bounds.operations++)
        do
            run();
        while (next_path());
    cora_loop_free(loop);
    printf("%s: up to %d operations, %d tasks at a time, %d cancellations: "
           "%lu programs, %lu schedules, %lu steps\n",
           model->name, most, bounds.tasks, bounds.cancellations, programs, schedules, steps);
}
