/* Call graphs and stacks of tasks: what CPython's tests of them leave open. */
#include "support/call_graph.h"
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>

/* ---- what the tests wait for and look at --------------------------------------------------- */

static int call_main(void *arg)
{
    void (*body)(void) = (void (*)(void))(uintptr_t)arg;

    body();
    return 0;
}

/* Runs the body in the main task; nothing is to be reported. */
static void run(void (*body)(void))
{
    int rc = run_as_task(call_main, (void *)(uintptr_t)body);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static void let_others_run(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

static cora_future *new_future(void)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());

    assert_non_null(future);
    return future;
}

static cora_call_graph *capture(cora_future *future, int limit)
{
    cora_call_graph *graph = NULL;
    int rc = cora_capture_call_graph(&graph, future, limit);

    assert_int_equal(rc, 0);
    return graph;
}

static void assert_graph(cora_future *future, int limit, const char *expected)
{
    cora_call_graph *graph = capture(future, limit);

    assert_call_graph(graph, expected);
    cora_call_graph_free(graph);
}

/* The library's own frames count, where it can look at stacks. */
static void assert_frames(cora_task *task, size_t expected)
{
    cora_call_graph *graph = capture(task, CORA_ALL_FRAMES);

#ifdef CORA_LIBDW
    assert_int_equal(graph->call_stack.count, expected);
#else
    (void)expected;
    assert_int_equal(graph->call_stack.count, 1);
#endif
    cora_call_graph_free(graph);
}

static void assert_stack(cora_task *task, int limit, const char *expected)
{
    cora_call_stack *stack = NULL;
    int rc = cora_task_get_stack(&stack, task, limit);

    assert_int_equal(rc, 0);
    assert_call_stack(stack, expected);
    cora_call_stack_free(stack);
}

/* Functions of the same code would be made one. */
static int calls;

/* A task of this name that waits for the future, three calls deep. */
static int await_it(void *future)
{
    calls += 1;
    return cora_await(future);
}

static int middle(void *future)
{
    calls += 2;
    return await_it(future);
}

static int outermost(void *future)
{
    calls += 3;
    return middle(future);
}

static cora_task *waiting_task(const char *name, cora_future *future)
{
    cora_task *task = cora_loop_create_task_arg(NULL, &(cora_task_options){.name = name}, outermost,
                                                "outermost", future);

    assert_non_null(task);
    return task;
}

/* Lets the tasks end, of which each may wait for the one before, and gives them back. */
static void finish(cora_future *future, cora_task *tasks[], size_t count)
{
    int rc = cora_future_set_result(future, 0, NULL);

    assert_int_equal(rc, 0);
    while (count > 0) {
        rc = cora_await_unref(tasks[--count]);
        assert_int_equal(rc, 0);
    }
    cora_future_unref(future);
}

/* ---- limits -------------------------------------------------------------------------------- */

static void limits(void)
{
    cora_future *future = new_future();
    cora_task *task = waiting_task("t", future);

    let_others_run();
    assert_frames(task, 3);
    assert_graph(task, CORA_ALL_FRAMES, "T<t>[await_it middle outermost]()");
    assert_graph(task, INT_MIN, "T<t>[await_it middle outermost]()");
    assert_graph(task, -3, "T<t>[await_it middle outermost]()");
    assert_graph(task, -2, "T<t>[middle outermost]()");
    assert_graph(task, -1, "T<t>[outermost]()");
#ifdef CORA_LIBDW
    assert_graph(task, 2, "T<t>[await_it middle]()");
    assert_graph(task, 1, "T<t>[await_it]()");
    assert_stack(task, CORA_ALL_FRAMES, "outermost middle await_it");
    assert_stack(task, -2, "outermost middle");
    assert_stack(task, 1, "await_it");
#else
    assert_graph(task, 1, "T<t>[outermost]()");
    assert_stack(task, 1, "outermost");
#endif
    assert_graph(future, 0, "F[](T<t>[](), )");
    assert_stack(task, 0, "");
    finish(future, &task, 1);
}

TEST(a_limit_takes_the_newest_frames_or_the_oldest_or_none)
{
    run(limits);
}

/* ---- states of a task ---------------------------------------------------------------------- */

static void not_started(void)
{
    cora_task *task = cora_create_task_arg(await_it, NULL);
    cora_call_graph *graph = capture(task, CORA_ALL_FRAMES);
    int rc;

    assert_call_graph(graph, "T<anon>[await_it]()");
#ifdef CORA_LIBDW
    assert_int_equal(graph->call_stack.count, 1);
    assert_non_null(strstr(graph->call_stack.frames[0].file, "test_graph.c"));
    assert_true(graph->call_stack.frames[0].line > 0);
#else
    assert_null(graph->call_stack.frames[0].file);
#endif
    cora_call_graph_free(graph);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ENOMEM);
}

TEST(a_task_that_has_not_started_is_where_its_function_begins)
{
    run(not_started);
}

static void yielded(void)
{
    cora_task *tasks[2];
    int rc;

    tasks[0] = cora_create_task_arg(call_main, (void *)(uintptr_t)let_others_run);
    tasks[1] = cora_create_task_arg(call_main, (void *)(uintptr_t)let_others_run);
    let_others_run();
    assert_graph(tasks[0], CORA_ALL_FRAMES, "T<anon>[let_others_run call_main]()");
    for (size_t i = 0; i < 2; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, 0);
    }
}

TEST(a_task_that_is_queued_stands_where_it_let_others_run)
{
    run(yielded);
}

static void current(void)
{
    cora_call_graph *graph = capture(NULL, CORA_ALL_FRAMES);

    assert_ptr_equal(graph->future, cora_current_task());
    assert_call_graph(graph, "T<anon>[capture current call_main]()");
    cora_call_graph_free(graph);
#ifdef CORA_LIBDW
    assert_stack(cora_current_task(), CORA_ALL_FRAMES, "call_main current assert_stack");
#endif
}

TEST(the_running_task_is_where_it_asks)
{
    run(current);
}

static void frames_of_current(void)
{
    cora_call_graph *graph = capture(NULL, CORA_ALL_FRAMES);

#ifdef CORA_LIBDW
    assert_int_equal(graph->call_stack.frames[1].line, __LINE__ - 3);
#endif
    cora_call_graph_free(graph);
    assert_frames(cora_current_task(), 4); /* from capture to call_main */
}

TEST(the_machinery_of_the_runtime_is_left_out)
{
    run(frames_of_current);
}

static void done(void)
{
    cora_future *future = new_future();
    cora_task *task = waiting_task("t", future);
    int rc;

    let_others_run();
    rc = cora_future_set_result(future, 7, NULL);
    assert_int_equal(rc, 0);
    assert_graph(future, CORA_ALL_FRAMES, "F[]()");
    assert_graph(task, CORA_ALL_FRAMES, "T<t>[await_it middle outermost]()");
    rc = cora_await(task);
    assert_int_equal(rc, 7);
    assert_graph(task, CORA_ALL_FRAMES, "T<t>[]()");
    assert_stack(task, CORA_ALL_FRAMES, "");
    cora_task_unref(task);
    cora_future_unref(future);
}

TEST(what_is_done_is_awaited_by_nobody_and_stands_nowhere)
{
    run(done);
}

/* ---- generators ---------------------------------------------------------------------------- */

struct numbers_args {
    cora_future *future;
};

static int numbers(void *arg)
{
    struct numbers_args *a = arg;
    int rc = cora_await(a->future);

    return rc < 0 ? rc : cora_generator_yield(a, NULL);
}

static int consume(void *future)
{
    cora_generator *generator = cora_generator_create(numbers, .future = future);
    void *value;
    int rc = cora_generator_next(generator, &value);

    assert_int_equal(rc, 0);
    return cora_generator_destroy(generator);
}

static void in_generator(void)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(consume, future);

    let_others_run();
    assert_graph(future, CORA_ALL_FRAMES, "F[](T<anon>[numbers consume](), )");
    assert_frames(task, 2);
    finish(future, &task, 1);
}

TEST(a_task_that_waits_in_a_generator_has_the_frames_of_both)
{
    run(in_generator);
}

struct looking_args {
    int unused;
};

static int looking(void *arg)
{
    (void)arg;
    assert_graph(NULL, CORA_ALL_FRAMES,
                 "T<anon>[capture assert_graph looking runs_generator call_main]()");
    return 0;
}

static void runs_generator(void)
{
    cora_generator *generator = cora_generator_create(looking, .unused = 0);
    void *value;
    int rc = cora_generator_next(generator, &value);

    assert_int_equal(rc, -CORA_ESTOPITERATION);
    rc = cora_generator_destroy(generator);
    assert_int_equal(rc, 0);
}

TEST(a_generator_that_asks_has_its_task_below_it)
{
    run(runs_generator);
}

/* ---- eager tasks --------------------------------------------------------------------------- */

static int look_at_creator(void *creator)
{
    assert_graph(creator, -1, "T<anon>[creator](T<anon>[call_main](), )");
    assert_graph(NULL, -1, "T<anon>[look_at_creator]()");
    return 0;
}

/* So deep that what it leaves on the stack is still there when the task goes on. */
static int suspend_deeply(void)
{
    volatile char space[16384];
    int rc;

    space[0] = 0;
    rc = cora_sleep(1);
    return rc + space[0];
}

static int creator(void *arg)
{
    cora_task *task;
    int rc = suspend_deeply();

    (void)arg;
    assert_int_equal(rc, 0);
    task = cora_loop_create_task_arg(NULL, &(cora_task_options){.eager_start = true},
                                     look_at_creator, "look_at_creator", cora_current_task());
    return cora_await_unref(task);
}

static void eager(void)
{
    cora_task *task = cora_create_task_arg(creator, NULL);
    int rc = cora_await(task);

    assert_int_equal(rc, 0);
    cora_task_unref(task);
}

TEST(a_task_that_is_creating_an_eager_one_stands_in_that_call)
{
    run(eager);
}

/* ---- who waits ----------------------------------------------------------------------------- */

static int wait_for_both(void *arg)
{
    return cora_gather(arg, 2, NULL, 0);
}

static void awaited_once(void)
{
    cora_future *future = new_future();
    cora_future *twice[] = {future, future};
    cora_task *tasks[] = {cora_create_task_arg(wait_for_both, twice)};

    let_others_run();
    assert_graph(future, CORA_ALL_FRAMES, "F[](T<anon>[wait_for_both](), )");
    finish(future, tasks, 1);
}

TEST(a_task_that_waits_twice_for_the_same_future_is_told_once)
{
    run(awaited_once);
}

static cora_call_graph *of_child;

static int look_around(void *arg)
{
    (void)arg;
    let_others_run();
    of_child = capture(NULL, 0);
    return 0;
}

static void group_and_await(void)
{
    cora_task_group group;
    cora_task *task;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg_with(&group, NULL, &task, look_around, NULL);
    assert_int_equal(rc, 0);
    rc = cora_await(task);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, 0);
    assert_call_graph(of_child, "T<anon>[](T<anon>[](), )");
    cora_call_graph_free(of_child);
}

TEST(a_parent_that_waits_for_its_child_is_told_once)
{
    run(group_and_await);
}

static int next_of(void *future)
{
    cora_as_completed each;
    cora_future *next;
    cora_future *futures[] = {future};
    int rc = cora_as_completed_start(&each, futures, 1, INFINITY);

    if (rc == 0)
        rc = cora_as_completed_next(&each, &next);
    cora_as_completed_stop(&each);
    return rc;
}

static void as_completed(void)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(next_of, future);

    let_others_run();
    assert_graph(future, CORA_ALL_FRAMES, "F[](T<anon>[next_of](), )");
    finish(future, &task, 1);
}

TEST(as_completed_waits_for_the_futures_that_it_was_given)
{
    run(as_completed);
}

static void as_completed_idle(void)
{
    cora_future *future = new_future();
    cora_as_completed each;
    int rc = cora_as_completed_start(&each, &future, 1, INFINITY);

    assert_int_equal(rc, 0);
    assert_graph(future, 0, "F[]()");
    cora_as_completed_stop(&each);
    cora_future_unref(future);
}

TEST(as_completed_waits_for_nothing_while_nobody_asks_for_the_next)
{
    run(as_completed_idle);
}

/* Takes its time to end, and looks who waits for that. */
static int slow_to_end(void *arg)
{
    int rc = cora_sleep(1);

    (void)arg;
    assert_int_equal(rc, -ECANCELED);
    let_others_run();
    assert_graph(NULL, -1, "T<anon>[slow_to_end](T<anon>[call_main](), )");
    return rc;
}

static void wait_for(void)
{
    cora_task *task = cora_create_task_arg(slow_to_end, NULL);
    int rc;

    let_others_run();
    rc = cora_wait_for(task, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_task_unref(task);
}

TEST(wait_for_waits_for_the_end_of_what_it_has_cancelled)
{
    run(wait_for);
}

static int racing(void *future)
{
    calls += 4;
    return cora_await(future);
}

static int race(void *future)
{
    cora_racer racers[] = {{.fn = racing, .arg = future}};

    return cora_staggered_race(racers, 1, INFINITY);
}

static void staggered(void)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(race, future);

    let_others_run();
    let_others_run();
    assert_graph(future, 0, "F[](T<anon>[](T<anon>[](), ), )");
    finish(future, &task, 1);
}

TEST(a_race_waits_for_its_racers)
{
    run(staggered);
}

static void nested_gathers(void)
{
    cora_future *future = new_future();
    cora_future *inner = cora_gather_future(&future, 1, 0);
    cora_future *shield = cora_shield(inner);
    cora_future *outer = cora_gather_future(&shield, 1, 0);
    cora_task *tasks[] = {waiting_task("a", outer), waiting_task("b", outer)};

    assert_graph(future, 0, "F[]()");
    let_others_run();
    assert_graph(future, 0, "F[](T<a>[](), T<b>[](), )");
    finish(future, tasks, 2);
    cora_future_unref(outer);
    cora_future_unref(shield);
    cora_future_unref(inner);
}

TEST(what_combines_futures_leads_on_to_the_tasks)
{
    run(nested_gathers);
}

/* Twice as many ways at each level, and all lead through the same few futures. */
static void many_ways(void)
{
    enum { LEVELS = 64 };
    cora_future *future = new_future();
    cora_future *pairs[LEVELS][2];
    cora_future *top = future;
    cora_task *task;

    for (size_t i = 0; i < LEVELS; i++) {
        pairs[i][0] = top;
        pairs[i][1] = cora_shield(top);
        top = cora_gather_future(pairs[i], 2, 0);
    }
    task = waiting_task("t", top);
    let_others_run();
    assert_graph(future, 0, "F[](T<t>[](), )");
    finish(future, &task, 1);
    cora_future_unref(top);
    for (size_t i = LEVELS; i > 0; i--) {
        cora_future_unref(pairs[i - 1][1]);
        if (i > 1)
            cora_future_unref(pairs[i - 1][0]);
    }
}

TEST(a_future_that_is_reached_by_many_ways_is_looked_at_once)
{
    run(many_ways);
}

/* ---- rings and chains ---------------------------------------------------------------------- */

struct partner_args {
    cora_task **other;
};

static int partner(void *arg)
{
    struct partner_args *a = arg;

    return cora_await(*a->other);
}

static char *ring_text;

static void ring(void)
{
    cora_task *tasks[2];
    cora_call_graph *graph;
    int rc;

    tasks[0] =
        cora_create_task_with(&(cora_task_options){.name = "a"}, partner, .other = &tasks[1]);
    tasks[1] =
        cora_create_task_with(&(cora_task_options){.name = "b"}, partner, .other = &tasks[0]);
    let_others_run();
    graph = capture(tasks[0], 0);
    assert_int_equal(graph->awaited_by_count, 1);
    assert_ptr_equal(graph->awaited_by[0]->future, tasks[1]);
    assert_ptr_equal(graph->awaited_by[0]->awaited_by[0], graph);
    cora_call_graph_free(graph);
    rc = cora_format_call_graph(&ring_text, tasks[0], 0);
    assert_int_equal(rc, 0);
    cora_task_cancel(tasks[0]);
    for (size_t i = 0; i < 2; i++) {
        rc = cora_await(tasks[i]);
        assert_int_equal(rc, -ECANCELED);
    }
    for (size_t i = 0; i < 2; i++)
        cora_task_unref(tasks[i]);
}

/* Takes the ids out of a text, which are different each time. */
static void without_ids(char *text)
{
    char *to = text;

    for (const char *c = text; *c != '\0'; c++) {
        *to++ = *c;
        if (strncmp(c, "id=0x", 5) == 0) {
            c += 5 + strspn(c + 5, "0123456789abcdef");
            to += sprintf(to, "d%c", *c);
        }
    }
    *to = '\0';
}

TEST(tasks_that_wait_for_one_another_are_a_ring_and_each_is_shown_once)
{
    run(ring);
    without_ids(ring_text);
    assert_string_equal(ring_text, "* Task(name='a', id)\n"
                                   "  + Awaited by:\n"
                                   "    * Task(name='b', id)\n"
                                   "      + Awaited by:\n"
                                   "        * Task(name='a', id), see above\n");
    free(ring_text);
}

enum { LENGTH = 1000 };

/* Each waits for the one before; the small stack of the one who asks is enough for all. */
static void chain(void)
{
    static cora_task *tasks[LENGTH];
    cora_future *future = new_future();
    cora_call_graph *graph;
    size_t length = 0;
    char *text;
    int rc;

    for (size_t i = 0; i < LENGTH; i++)
        tasks[i] = waiting_task("link", i == 0 ? future : tasks[i - 1]);
    let_others_run();
    graph = capture(future, 0);
    for (const cora_call_graph *node = graph; node->awaited_by_count > 0;
         node = node->awaited_by[0]) {
        assert_int_equal(node->awaited_by_count, 1);
        length++;
    }
    assert_int_equal(length, LENGTH);
    cora_call_graph_free(graph);
    rc = cora_format_call_graph(&text, future, 0);
    assert_int_equal(rc, 0);
    free(text);
    finish(future, tasks, LENGTH);
}

TEST(a_long_chain_of_tasks_is_followed_to_its_end)
{
    run(chain);
}

static void crowd(void)
{
    static cora_task *tasks[LENGTH];
    cora_future *future = new_future();
    cora_call_graph *graph;

    for (size_t i = 0; i < LENGTH; i++)
        tasks[i] = waiting_task("one", future);
    let_others_run();
    graph = capture(future, 0);
    assert_int_equal(graph->awaited_by_count, LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        assert_ptr_equal(graph->awaited_by[i]->future, tasks[i]);
    cora_call_graph_free(graph);
    finish(future, tasks, LENGTH);
}

TEST(all_who_wait_are_told_in_the_order_in_which_they_began)
{
    run(crowd);
}

/* ---- text ---------------------------------------------------------------------------------- */

static char *text_of_both;

static void text(void)
{
    cora_future *future = new_future();
    cora_task *tasks[] = {waiting_task("a", future), NULL};
    int rc;

    tasks[1] = waiting_task("b", tasks[0]);
    let_others_run();
    rc = cora_format_call_graph(&text_of_both, future, -1);
    assert_int_equal(rc, 0);
    finish(future, tasks, 2);
}

/* Takes directories and line numbers out. */
static void without_places(char *text)
{
    char *to = text;

    for (const char *c = text; *c != '\0'; c++) {
        if (strncmp(c, "File '", 6) == 0) {
            const char *name = strstr(c, "test_graph.c");

            assert_non_null(name);
            c = strstr(name, " in ") + 1;
        }
        *to++ = *c;
    }
    *to = '\0';
}

TEST(a_graph_is_written_as_asyncio_writes_it)
{
    run(text);
#ifdef CORA_LIBDW
    assert_non_null(strstr(text_of_both, "tests/unit/test_graph.c', line "));
#endif
    without_ids(text_of_both);
    without_places(text_of_both);
    assert_string_equal(text_of_both, "* Future(id)\n"
                                      "  + Awaited by:\n"
                                      "    * Task(name='a', id)\n"
                                      "      + Call stack:\n"
                                      "      |   in outermost()\n"
                                      "      + Awaited by:\n"
                                      "        * Task(name='b', id)\n"
                                      "          + Call stack:\n"
                                      "          |   in outermost()\n");
    free(text_of_both);
}

/* What print_stack writes of the task. */
static char *stack_text(cora_task *task)
{
    char *written = NULL;
    size_t size;
    FILE *file = open_memstream(&written, &size);
    int rc = cora_task_print_stack(task, -1, file);

    assert_int_equal(rc, 0);
    assert_int_equal(fclose(file), 0);
    without_places(written);
    return written;
}

static void stacks(void)
{
    cora_future *future = new_future();
    cora_task *task = waiting_task("t", future);
    char *written;
    int rc;

    let_others_run();
    written = stack_text(task);
    assert_string_equal(written,
                        "Stack for task 't' (function outermost) (most recent call last):\n"
                        "  in outermost()\n");
    free(written);
    rc = cora_future_set_result(future, 0, NULL);
    assert_int_equal(rc, 0);
    rc = cora_await(task);
    assert_int_equal(rc, 0);
    written = stack_text(task);
    assert_string_equal(written, "No stack for task 't' (function outermost)\n");
    free(written);
    cora_task_unref(task);
    cora_future_unref(future);
}

TEST(a_stack_is_written_with_the_task_that_it_is_of)
{
    run(stacks);
}

static void full_file(void)
{
    FILE *file = fopen("/dev/full", "w");
    int rc;

    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    rc = cora_print_call_graph(NULL, 0, file);
    assert_int_equal(rc, -EIO);
    rc = cora_task_print_stack(cora_current_task(), 0, file);
    assert_int_equal(rc, -EIO);
    fclose(file);
}

TEST(a_file_that_cannot_be_written_is_an_error)
{
    run(full_file);
}

/* ---- misuse -------------------------------------------------------------------------------- */

TEST(outside_a_task_there_is_no_current_one)
{
    cora_call_graph *graph = NULL;
    char *written = NULL;
    int rc = cora_capture_call_graph(&graph, NULL, CORA_ALL_FRAMES);

    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_format_call_graph(&written, NULL, CORA_ALL_FRAMES);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_print_call_graph(NULL, CORA_ALL_FRAMES, stdout);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_null(graph);
    assert_null(written);
    cora_call_graph_free(NULL);
    cora_call_stack_free(NULL);
}

TEST(a_graph_can_be_captured_outside_the_loop)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, await_it, "await_it", NULL);
    int rc;

    assert_graph(task, CORA_ALL_FRAMES, "T<anon>[await_it]()");
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, -ENOMEM);
    cora_task_unref(task);
    cora_loop_free(loop);
}

static void no_tasks(void)
{
    cora_future *future = new_future();
    cora_call_stack *stack = NULL;
    int rc = cora_task_get_stack(&stack, future, CORA_ALL_FRAMES);

    assert_int_equal(rc, -EINVAL);
    rc = cora_task_get_stack(&stack, NULL, CORA_ALL_FRAMES);
    assert_int_equal(rc, -ENOMEM);
    rc = cora_task_print_stack(future, CORA_ALL_FRAMES, stdout);
    assert_int_equal(rc, -EINVAL);
    assert_null(stack);
    cora_future_unref(future);
}

TEST(only_a_task_has_a_stack)
{
    run(no_tasks);
}

static cora_call_graph *kept;

static void keep(void)
{
    cora_future *future = new_future();
    cora_task *task = waiting_task("t", future);

    let_others_run();
    kept = capture(future, CORA_ALL_FRAMES);
    finish(future, &task, 1);
}

TEST(a_graph_outlives_what_it_shows)
{
    run(keep);
    assert_call_graph(kept, "F[](T<t>[await_it middle outermost](), )");
    cora_call_graph_free(kept);
}

/* ---- deadlocks ----------------------------------------------------------------------------- */

static void show_where(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    reports.count++;
    assert_int_equal(context->error, -EDEADLK);
    assert_graph(context->future, CORA_ALL_FRAMES, "T<stuck>[await_it middle outermost]()");
}

TEST(the_report_of_a_deadlock_can_show_where_its_tasks_stand)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    cora_task *task = cora_loop_create_task_arg(loop, &(cora_task_options){.name = "stuck"},
                                                outermost, "outermost", future);
    int rc;

    cora_loop_set_exception_handler(loop, show_where, NULL);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(reports.count, 1);
    cora_future_cancel(future);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, -ECANCELED);
    cora_task_unref(task);
    cora_future_unref(future);
    cora_loop_free(loop);
}

/* ---- without memory ------------------------------------------------------------------------ */

/* The calls of the library, by the linker: the one with this number fails. */
static int until_failure = -1;

void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *real_realloc(void *block, size_t size) __asm__("__real_realloc");
void *failing_malloc(size_t size) __asm__("__wrap_malloc");
void *failing_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *failing_realloc(void *block, size_t size) __asm__("__wrap_realloc");

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *failing_malloc(size_t size)
{
    return fails() ? NULL : real_malloc(size);
}

void *failing_calloc(size_t count, size_t size)
{
    return fails() ? NULL : real_calloc(count, size);
}

void *failing_realloc(void *block, size_t size)
{
    return fails() ? NULL : real_realloc(block, size);
}

/* With each allocation failing in turn, until there are no more: how many made the call fail. */
static int fail_in_turn(int (*call)(cora_task *task), cora_task *task)
{
    int failures = 0;

    for (int nth = 0;; nth++) {
        int rc;

        until_failure = nth;
        rc = call(task);
        if (until_failure >= 0) {
            until_failure = -1;
            assert_int_equal(rc, 0);
            return failures;
        }
        assert_true(rc == 0 || rc == -ENOMEM);
        failures += rc < 0;
    }
}

static int try_graph(cora_task *task)
{
    cora_call_graph *graph = NULL;
    int rc = cora_capture_call_graph(&graph, task, CORA_ALL_FRAMES);

    assert_true((rc == 0) == (graph != NULL));
    cora_call_graph_free(graph);
    return rc;
}

static int try_text(cora_task *task)
{
    char *written = NULL;
    int rc = cora_format_call_graph(&written, task, CORA_ALL_FRAMES);

    assert_true((rc == 0) == (written != NULL));
    free(written);
    return rc;
}

static int try_stack(cora_task *task)
{
    cora_call_stack *stack = NULL;
    int rc = cora_task_get_stack(&stack, task, CORA_ALL_FRAMES);

    assert_true((rc == 0) == (stack != NULL));
    cora_call_stack_free(stack);
    return rc;
}

static void no_memory(void)
{
    cora_future *future = new_future();
    cora_task *tasks[] = {waiting_task("a", future), NULL};

    tasks[1] = waiting_task("b", tasks[0]);
    let_others_run();
    /* Nodes, their frames, who waits for them, and futures on the way. */
    assert_true(fail_in_turn(try_graph, tasks[0]) >= 4);
    assert_true(fail_in_turn(try_text, tasks[0]) >= 4);
    assert_true(fail_in_turn(try_stack, tasks[0]) >= 2);
    finish(future, tasks, 2);
}

TEST(without_memory_nothing_is_captured_and_nothing_is_lost)
{
    run(no_memory);
}
