/* Task factories: who makes the tasks of a loop. */
#include "support/test.h"
#include "support/virtual.h"

struct note_args {
    const char *what;
};

static int note(void *arg)
{
    struct note_args *a = arg;

    trace("%s", a->what);
    return 7;
}

static int note_itself(void *arg)
{
    trace("%s", (const char *)arg);
    return 7;
}

static void set_factory(cora_task_factory *factory)
{
    cora_loop_set_task_factory(cora_get_running_loop(), factory);
}

static cora_task *record(cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
                         const char *function, const void *args, size_t size)
{
    trace("[%s %s %zu]", function, options != NULL && options->name != NULL ? options->name : "-",
          size);
    assert_ptr_equal(loop, cora_get_running_loop());
    return cora_task_create(loop, options, fn, function, args, size);
}

static int create_in_every_way(void *arg)
{
    static char itself[] = "itself";
    cora_task *tasks[3];
    cora_task_group group;
    int rc[4];

    (void)arg;
    set_factory(record);
    tasks[0] = cora_create_task(note, .what = "copied");
    tasks[1] = cora_create_task_with(&(cora_task_options){.name = "name"}, note, .what = "named");
    tasks[2] = cora_create_task_arg(note_itself, itself);
    cora_task_group_enter(&group);
    rc[0] = cora_task_group_create_task(&group, note, .what = "grouped");
    rc[1] = cora_task_group_create_task_arg(&group, note_itself, itself);
    rc[2] = cora_task_group_exit(&group, 0);
    rc[3] = cora_gather(tasks, 3, NULL, 0);
    for (int i = 0; i < 3; i++)
        cora_task_unref(tasks[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], 0);
    return 0;
}

TEST(a_factory_is_asked_for_every_task_of_its_loop)
{
    int rc = run_virtual(create_in_every_way, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "[note - 8] [note name 8] [note_itself - 0] [note - 8] "
                                    "[note_itself - 0] copied named itself grouped itself ");
}

/* What a factory puts around a task's function; its arguments follow. */
struct wrapped {
    cora_task_fn *fn;
    char args[32];
};

static int run_wrapped(void *arg)
{
    struct wrapped *wrapped = arg;
    int rc;

    trace("before");
    rc = wrapped->fn(wrapped->args);
    trace("after");
    return rc + 1;
}

static cora_task *wrap(cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
                       const char *function, const void *args, size_t size)
{
    struct wrapped wrapped = {.fn = fn};

    assert_in_range(size, 1, sizeof wrapped.args);
    memcpy(wrapped.args, args, size);
    return cora_task_create(loop, options, run_wrapped, function, &wrapped, sizeof wrapped);
}

static int create_wrapped(void *arg)
{
    (void)arg;
    set_factory(wrap);
    return cora_await_unref(cora_create_task(note, .what = "inside"));
}

TEST(a_factory_may_put_something_around_a_tasks_function)
{
    int rc = run_virtual(create_wrapped, NULL);

    assert_int_equal(rc, 8);
    assert_string_equal(trace_text, "before inside after ");
}

static cora_task *refuse(cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
                         const char *function, const void *args, size_t size)
{
    (void)loop, (void)options, (void)fn, (void)function, (void)args, (void)size;
    return NULL;
}

static int create_refused(void *arg)
{
    cora_task_group group;
    int rc[3];

    (void)arg;
    set_factory(refuse);
    rc[0] = cora_await_unref(cora_create_task(note, .what = "never"));
    cora_task_group_enter(&group);
    rc[1] = cora_task_group_create_task(&group, note, .what = "never");
    rc[2] = cora_task_group_exit(&group, 0);
    assert_int_equal(rc[0], -ENOMEM);
    assert_int_equal(rc[1], -ENOMEM);
    assert_int_equal(rc[2], 0);
    return 0;
}

TEST(a_factory_that_makes_no_task_is_want_of_memory)
{
    int rc = run_virtual(create_refused, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
}

TEST(a_loop_knows_its_factory)
{
    cora_loop *loop = virtual_loop();

    assert_null(cora_loop_get_task_factory(loop));
    cora_loop_set_task_factory(loop, cora_eager_task_factory);
    assert_true(cora_loop_get_task_factory(loop) == cora_eager_task_factory);
    cora_loop_set_task_factory(loop, NULL);
    assert_null(cora_loop_get_task_factory(loop));
    cora_loop_free(loop);
}

TEST(an_eager_factory_leaves_a_task_of_a_loop_that_is_not_running_to_it)
{
    static char itself[] = "itself";
    cora_loop *loop = virtual_loop();
    cora_task *task;
    int rc;

    cora_loop_set_task_factory(loop, cora_eager_task_factory);
    task = cora_loop_create_task_arg(loop, NULL, note_itself, "note_itself", itself);
    assert_false(cora_task_done(task));
    assert_string_equal(trace_text, "");
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, 7);
    cora_task_unref(task);
    cora_loop_free(loop);
}

static int group_of_eager_tasks(void *arg)
{
    static char itself[] = "itself";
    cora_task_group group;
    int rc[2];

    (void)arg;
    set_factory(cora_eager_task_factory);
    cora_task_group_enter(&group);
    rc[0] = cora_task_group_create_task_arg(&group, note_itself, itself);
    trace("created");
    rc[1] = cora_task_group_exit(&group, 0);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    return 0;
}

TEST(a_groups_tasks_are_eager_by_the_loops_factory)
{
    int rc = run_virtual(group_of_eager_tasks, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "itself created ");
}
