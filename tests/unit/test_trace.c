/* What a trace holds: rows, what each ran and waited for; how it begins and ends. */
#include "support/capture.h"
#include "support/json.h"
#include "support/test.h"
#include "support/trace_file.h"
#include "support/virtual.h"

#include "loop/loop.h"
#include "trace/record.h"

#include <math.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn as run_virtual does, in a trace, and loads that. */
static const struct trace_file *trace_of(cora_task_fn *fn, void *arg)
{
    assert_return_code(cora_trace_start(trace_path()), 0);
    assert_return_code(run_virtual(fn, arg), 0);
    assert_return_code(cora_trace_stop(), 0);
    return trace_load(trace_path());
}

static cora_task *create_named(cora_task_fn *fn, const char *name, void *arg)
{
    cora_task *task = cora_loop_create_task_arg(NULL, &(cora_task_options){.name = name}, fn,
                                                "its_function", arg);

    assert_non_null(task);
    return task;
}

static int sleeper(void *arg)
{
    (void)arg;
    return cora_sleep(1);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int one_sleeper(void *arg)
{
    (void)arg;
    return cora_await_unref(create_named(sleeper, "sleeper", NULL));
}

TEST(a_task_is_a_row_of_what_it_ran_and_waited_for)
{
    const struct trace_file *file = trace_of(one_sleeper, NULL);
    const struct trace_event *slices[4] = {
        trace_find(file, 'X', "sleeper", "ready", "its first step"),
        trace_find(file, 'X', "sleeper", "run", "its_function"),
        trace_find(file, 'X', "sleeper", "wait", "sleep"),
    };

    assert_int_equal(trace_count(file, 'X', "sleeper", NULL, NULL), 4);
    assert_int_equal(trace_count(file, 'X', "sleeper", "run", NULL), 2);
    for (int i = 1; i < 3; i++) /* one ends where the next begins */
        assert_true(fabs(slices[i]->begin - slices[i - 1]->begin - slices[i - 1]->duration) <
                    0.0006);
}

TEST(a_loop_is_a_row_of_iterations_and_polls)
{
    const struct trace_file *file = trace_of(one_sleeper, NULL);
    const struct trace_event *poll = trace_find(file, 'X', "loop 1", "poll", "poll");
    const struct trace_event *iteration = trace_find(file, 'X', "loop 1", "iteration", "iteration");

    assert_true(poll->begin >= iteration->begin);
    assert_true(poll->begin + poll->duration <= iteration->begin + iteration->duration + 0.0006);
    assert_true(trace_count(file, 'X', "loop 1", "iteration", NULL) >= 3);
    trace_find(file, 'X', "loop 1", "callback", NULL);
}

static void a_callback(void *arg)
{
    (void)arg;
}

static int calls_soon(void *arg)
{
    (void)arg;
    assert_return_code(cora_loop_call_soon(cora_get_running_loop(), a_callback, NULL, NULL), 0);
    return cora_sleep(0);
}

TEST(a_callback_is_named_after_its_function)
{
#ifdef CORA_LIBDW
    trace_find(trace_of(calls_soon, NULL), 'X', "loop 1", "callback", "a_callback");
#else
    trace_of(calls_soon, NULL);
#endif
}

static int renames_itself(void *arg)
{
    (void)arg;
    assert_return_code(cora_task_set_name(cora_current_task(), "after"), 0);
    return cora_sleep(0);
}

static int one_renamed(void *arg)
{
    (void)arg;
    return cora_await_unref(create_named(renames_itself, "before", NULL));
}

TEST(a_task_that_is_renamed_renames_its_row)
{
    const struct trace_file *file = trace_of(one_renamed, NULL);

    trace_find(file, 'X', "after", "run", "its_function");
    assert_non_null(strstr(file->text, "\"before\""));
}

static int many_names(void *arg)
{
    static const char *const names[] = {"\"quoted\" \\ back",
                                        "tab\tnew\nline\x01\x7f",
                                        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                                        "\xff\xc3 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80",
                                        "</script><!--",
                                        ""};
    int rc = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rc == 0; i++)
        rc = cora_await_unref(create_named(sleeper, names[i], NULL));
    return rc;
}

TEST(names_are_escaped)
{
    const struct trace_file *file = trace_of(many_names, NULL);

    trace_find(file, 'X', "\\u0022quoted\\u0022 \\u005c back", "wait", "sleep");
    trace_find(file, 'X', "tab\\u0009new\\u000aline\\u0001\\u007f", "wait", "sleep");
    trace_find(file, 'X', "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "wait", "sleep");
    trace_find(file, 'X', NULL, "wait", "task 'gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80'");
    trace_find(file, 'X', "", "wait", "sleep");
}

static int long_name(void *arg)
{
    char name[5000];

    (void)arg;
    memset(name, 'n', sizeof name);
    memcpy(name, "prefix", 6);
    name[sizeof name - 1] = '\0';
    return cora_await_unref(create_named(sleeper, name, NULL));
}

TEST(a_name_that_is_too_long_is_cut)
{
    const struct trace_file *file = trace_of(long_name, NULL);
    const char *name = strstr(file->text, "{\"name\":\"prefix");

    assert_non_null(name);
    assert_int_equal(strcspn(name + 9, "\""), 1000);
}

/* ---- what is waited for --------------------------------------------------------------------- */

static cora_lock lock = CORA_LOCK_INIT;
static cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
static cora_event event = CORA_EVENT_INIT;
static cora_condition condition;
static cora_barrier barrier;
static cora_queue queue;
static cora_future *future;
static int ends[2];

static int on_lock(void *arg)
{
    (void)arg;
    return cora_lock_acquire(&lock);
}

static int on_semaphore(void *arg)
{
    (void)arg;
    return cora_semaphore_acquire(&semaphore);
}

static int on_event(void *arg)
{
    (void)arg;
    return cora_event_wait(&event);
}

static int on_condition(void *arg)
{
    int rc = cora_condition_acquire(&condition);

    (void)arg;
    return rc < 0 ? rc : cora_condition_wait(&condition);
}

static int on_barrier(void *arg)
{
    (void)arg;
    return cora_barrier_wait(&barrier);
}

static int on_queue(void *arg)
{
    void *item;

    (void)arg;
    return cora_queue_get(&queue, &item);
}

static int on_future(void *arg)
{
    (void)arg;
    return cora_await(future);
}

static int on_readable(void *arg)
{
    (void)arg;
    return cora_wait_readable(ends[0]);
}

static int on_task(void *arg)
{
    return cora_await(arg);
}

static int on_gather(void *arg)
{
    cora_future *children[] = {future};

    (void)arg;
    return cora_gather(children, 1, NULL, 0);
}

static int on_wait(void *arg)
{
    cora_future *all[] = {future};

    (void)arg;
    return cora_wait(all, 1, INFINITY, CORA_ALL_COMPLETED) < 0 ? -ECANCELED : 0;
}

static int on_group(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, on_event, NULL);
    return cora_task_group_exit(&group, rc);
}

static int on_yield(void *arg)
{
    (void)arg;
    return cora_sleep(0);
}

static int job(void *arg)
{
    (void)arg;
    return 0;
}

struct job_args {
    int nothing;
};

static int on_job(void *arg)
{
    struct job_args args = {0};

    (void)arg;
    return cora_to_thread(job, &args);
}

static int all_waits(void *arg)
{
    static const struct {
        const char *name;
        cora_task_fn *fn;
    } waits[] = {
        {"lock", on_lock},       {"semaphore", on_semaphore},
        {"event", on_event},     {"condition", on_condition},
        {"barrier", on_barrier}, {"queue", on_queue},
        {"future", on_future},   {"readable", on_readable},
        {"gather", on_gather},   {"wait", on_wait},
        {"group", on_group},     {"yield", on_yield},
        {"job", on_job},
    };
    enum { COUNT = sizeof waits / sizeof waits[0] };
    cora_task *tasks[COUNT + 1];

    (void)arg;
    assert_return_code(cora_lock_acquire(&lock), 0);
    future = cora_loop_create_future(cora_get_running_loop());
    for (int i = 0; i < COUNT; i++)
        tasks[i] = create_named(waits[i].fn, waits[i].name, NULL);
    tasks[COUNT] = create_named(on_task, "task", tasks[0]);
    assert_return_code(cora_sleep(1), 0);
    for (int i = 0; i <= COUNT; i++) {
        cora_task_cancel(tasks[i]);
        (void)!cora_await_unref(tasks[i]);
    }
    cora_future_unref(future);
    return 0;
}

static void assert_object(const struct trace_event *wait, const void *object)
{
    char address[32];

    snprintf(address, sizeof address, "%p", object);
    assert_string_equal(wait->object, address);
}

TEST(what_is_waited_for_is_told)
{
    static cora_lock inner = CORA_LOCK_INIT;
    const struct trace_file *file;
    char descriptor[64];

    cora_condition_init(&condition, &inner);
    assert_return_code(cora_barrier_init(&barrier, 2), 0);
    cora_queue_init(&queue, 1);
    assert_return_code(pipe(ends), 0);
    file = trace_of(all_waits, NULL);
    assert_object(trace_find(file, 'X', "lock", "wait", "lock"), &lock);
    assert_object(trace_find(file, 'X', "semaphore", "wait", "semaphore"), &semaphore);
    assert_object(trace_find(file, 'X', "event", "wait", "event"), &event);
    assert_object(trace_find(file, 'X', "condition", "wait", "condition"), &condition);
    trace_find(file, 'X', "barrier", "wait", NULL);
    trace_find(file, 'X', "queue", "wait", "an item in queue");
    trace_find(file, 'X', "future", "wait", "future");
    snprintf(descriptor, sizeof descriptor, "descriptor %d to be readable", ends[0]);
    trace_find(file, 'X', "readable", "wait", descriptor);
    trace_find(file, 'X', "gather", "wait", "gather");
    trace_find(file, 'X', "wait", "wait", "several futures");
    trace_find(file, 'X', "group", "wait", "task group");
    trace_find(file, 'X', "yield", "ready", "its turn");
    trace_find(file, 'X', "job", "wait", "a job in a thread");
    trace_find(file, 'X', "task", "wait", "task 'lock'");
    cora_queue_destroy(&queue);
    close(ends[0]);
    close(ends[1]);
}

static int writes(void *arg)
{
    (void)arg;
    return cora_wait_writable(ends[1]);
}

TEST(a_wait_for_room_in_a_descriptor_is_told)
{
    const struct trace_file *file;
    char descriptor[64];

    assert_return_code(pipe(ends), 0);
    file = trace_of(writes, NULL);
    snprintf(descriptor, sizeof descriptor, "descriptor %d to be writable", ends[1]);
    trace_find(file, 'X', "Task-1", "wait", descriptor);
    close(ends[0]);
    close(ends[1]);
}

/* ---- ends of tasks -------------------------------------------------------------------------- */

static int ends_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int starts_eagerly(void *arg)
{
    cora_task *inner;

    (void)arg;
    inner =
        cora_loop_create_task_arg(NULL, &(cora_task_options){.name = "inner", .eager_start = true},
                                  ends_at_once, "inner", NULL);
    return cora_await_unref(inner);
}

static int eager_tasks(void *arg)
{
    cora_task *suspends, *nests;

    (void)arg;
    suspends = cora_loop_create_task_arg(
        NULL, &(cora_task_options){.name = "suspends", .eager_start = true}, sleeper, "sleeper",
        NULL);
    nests =
        cora_loop_create_task_arg(NULL, &(cora_task_options){.name = "nests", .eager_start = true},
                                  starts_eagerly, "nests", NULL);
    assert_return_code(cora_await_unref(nests), 0);
    return cora_await_unref(suspends);
}

TEST(eager_tasks_run_inside_of_their_creators)
{
    const struct trace_file *file = trace_of(eager_tasks, NULL);
    const struct trace_event *outer = trace_find(file, 'X', "nests", "run", NULL);
    const struct trace_event *inner = trace_find(file, 'X', "inner", "run", NULL);

    assert_true(inner->begin >= outer->begin);
    assert_true(inner->begin + inner->duration <= outer->begin + outer->duration + 0.0006);
    assert_int_equal(trace_count(file, 'X', "inner", NULL, NULL), 2); /* its first step, and that */
    assert_int_equal(trace_count(file, 'X', "nests", NULL, NULL), 2);
    trace_find(file, 'X', "suspends", "wait", "sleep");
}

static int cancels_unstarted(void *arg)
{
    cora_task *task = create_named(sleeper, "unstarted", NULL);

    (void)arg;
    cora_task_cancel(task);
    assert_int_equal(cora_await_unref(task), -ECANCELED);
    return cora_sleep(1);
}

/* All that is in the row of "unstarted" was over when the main task went to sleep. */
static void assert_ended_early(const struct trace_file *file)
{
    unsigned tid = trace_find(file, 'X', "unstarted", "ready", "its first step")->tid;
    double end = trace_find(file, 'X', "Task-1", "wait", "sleep")->begin;

    for (size_t i = 0; i < file->count; i++)
        if (file->events[i].tid == tid)
            assert_true(file->events[i].begin + file->events[i].duration <= end);
}

TEST(the_row_of_a_task_ends_with_it)
{
    assert_ended_early(trace_of(cancels_unstarted, NULL));
}

static bool refuse_mmap;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (!refuse_mmap)
        return __real_mmap(at, size, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int gets_no_stack(void *arg)
{
    cora_task_options options = {.name = "unstarted", .stack_size = 1 << 20};
    cora_task *task = cora_loop_create_task_arg(NULL, &options, sleeper, "sleeper", NULL);

    (void)arg;
    refuse_mmap = true;
    assert_int_equal(cora_await_unref(task), -ENOMEM);
    refuse_mmap = false;
    return cora_sleep(1);
}

TEST(the_row_of_a_task_that_gets_no_stack_ends_too)
{
    assert_ended_early(trace_of(gets_no_stack, NULL));
}

static int gets_no_stack_eagerly(void *arg)
{
    cora_task_options options = {.name = "unstarted", .stack_size = 1 << 20, .eager_start = true};

    (void)arg;
    refuse_mmap = true;
    assert_int_equal(
        cora_await_unref(cora_loop_create_task_arg(NULL, &options, sleeper, "sleeper", NULL)),
        -ENOMEM);
    refuse_mmap = false;
    return cora_sleep(1);
}

TEST(the_row_of_an_eager_task_that_gets_no_stack_ends_too)
{
    assert_ended_early(trace_of(gets_no_stack_eagerly, NULL));
}

/* ---- marks ---------------------------------------------------------------------------------- */

static void marks_in_callback(void *arg)
{
    (void)arg;
    cora_trace_event("in a callback");
}

static int marks(void *arg)
{
    (void)arg;
    cora_trace_end(); /* nothing has begun */
    cora_trace_begin("outer");
    cora_trace_begin("inner \"x\"");
    assert_return_code(cora_sleep(1), 0);
    cora_trace_end();
    cora_trace_event("now");
    cora_trace_end();
    cora_trace_begin("left open");
    assert_return_code(cora_loop_call_soon(cora_get_running_loop(), marks_in_callback, NULL, NULL),
                       0);
    return cora_sleep(1);
}

TEST(marks_are_in_the_row_of_their_task)
{
    const struct trace_file *file;
    const struct trace_event *begin, *end;

    cora_trace_event("before"); /* there is no trace */
    file = trace_of(marks, NULL);
    begin = trace_find(file, 'b', "Task-1", "mark", "inner \\u0022x\\u0022");
    end = trace_find(file, 'e', "Task-1", "mark", "inner \\u0022x\\u0022");
    assert_true(end->begin > begin->begin);
    assert_true(trace_find(file, 'e', "Task-1", "mark", "outer")->begin >= end->begin);
    trace_find(file, 'i', "Task-1", "mark", "now");
    trace_find(file, 'e', "Task-1", "mark", "left open");
    trace_find(file, 'i', "loop 1", "mark", "in a callback");
    assert_int_equal(trace_count(file, 'b', NULL, NULL, NULL), 3);
    assert_null(strstr(file->text, "\"before\""));
}

static int marks_around_an_eager_task(void *arg)
{
    cora_task_options options = {.name = "inner", .eager_start = true};
    cora_task *inner;

    (void)arg;
    inner = cora_loop_create_task_arg(NULL, &options, marks, "marks", NULL);
    cora_trace_event("of the creator");
    return cora_await_unref(inner);
}

TEST(marks_go_where_they_went_when_a_task_or_a_loop_has_run)
{
    const struct trace_file *file;
    char name[32];

    pthread_getname_np(pthread_self(), name, sizeof name);
    assert_return_code(cora_trace_start(trace_path()), 0);
    assert_return_code(run_virtual(marks_around_an_eager_task, NULL), 0);
    cora_trace_event("of the thread");
    assert_return_code(cora_trace_stop(), 0);
    file = trace_load(trace_path());
    trace_find(file, 'i', "inner", "mark", "now");
    trace_find(file, 'i', "Task-1", "mark", "of the creator");
    trace_find(file, 'i', name, "mark", "of the thread");
}

/* ---- threads -------------------------------------------------------------------------------- */

TEST(a_job_is_in_the_row_of_its_thread)
{
    const struct trace_file *file = trace_of(on_job, NULL);
    const struct trace_event *slice = trace_find(file, 'X', "cora_0", "job", NULL);
    const struct trace_event *wait = trace_find(file, 'X', "Task-1", "wait", "a job in a thread");

    assert_true(slice->begin + slice->duration <= wait->begin + wait->duration);
#ifdef CORA_LIBDW
    assert_string_equal(slice->name, "job");
#endif
}

static int submits(void *arg)
{
    return cora_await_unref(cora_loop_run_in_executor(cora_get_running_loop(), arg, job, NULL));
}

TEST(jobs_of_an_executor_are_in_the_rows_of_its_threads)
{
    cora_thread_pool_options options = {.max_workers = 1, .thread_name_prefix = "pool"};
    cora_executor *executor;

    assert_return_code(cora_thread_pool_executor_create(&options, &executor), 0);
    trace_find(trace_of(submits, executor), 'X', "pool_0", "job", NULL);
    cora_executor_free(executor);
}

static void *own_loop(void *arg)
{
    assert_return_code(run_virtual(one_sleeper, arg), 0);
    return NULL;
}

static void *only_marks(void *arg)
{
    pthread_setname_np(pthread_self(), arg);
    cora_trace_begin("work");
    cora_trace_begin("part");
    cora_trace_end();
    cora_trace_end();
    return NULL;
}

TEST(each_loop_and_each_thread_has_its_rows)
{
    enum { LOOPS = 3 };
    const struct trace_file *file;
    pthread_t threads[LOOPS + 1];

    assert_return_code(cora_trace_start(trace_path()), 0);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, own_loop, NULL), 0);
    assert_int_equal(pthread_create(&threads[LOOPS], NULL, only_marks, "marker"), 0);
    for (int i = 0; i <= LOOPS; i++)
        pthread_join(threads[i], NULL);
    assert_return_code(cora_trace_stop(), 0);
    file = trace_load(trace_path());
    assert_int_equal(trace_count(file, 'M', "loop 1", NULL, "thread_name"), 1);
    assert_int_equal(trace_count(file, 'M', "loop 3", NULL, "thread_name"), 1);
    assert_int_equal(trace_count(file, 'X', "sleeper", "wait", "sleep"), LOOPS);
    trace_find(file, 'X', "marker", "mark", "work");
    trace_find(file, 'X', "marker", "mark", "part");
}

static size_t count_rings(void)
{
    struct cora__list *threads = cora__trace_lock_threads();
    size_t count = 0;

    for (struct cora__list *link = threads->next; link != threads; link = link->next)
        count++;
    cora__trace_unlock_threads();
    return count;
}

TEST(a_thread_that_has_ended_has_no_ring)
{
    enum { THREADS = 20 };
    pthread_t thread;

    assert_return_code(cora_trace_start(trace_path()), 0);
    cora_trace_event("of this thread");
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread, NULL, only_marks, "short"), 0);
        pthread_join(thread, NULL);
    }
    assert_return_code(cora_trace_stop(), 0);
    assert_int_equal(count_rings(), 1);
    assert_int_equal(trace_count(trace_load(trace_path()), 'X', "short", "mark", "work"), THREADS);
}

static void *leaves_a_mark_open(void *arg)
{
    cora_trace_begin(arg);
    return NULL;
}

TEST(what_a_thread_leaves_open_ends_with_it)
{
    const struct trace_file *file;
    const struct trace_event *mark;
    pthread_t thread;

    assert_return_code(cora_trace_start(trace_path()), 0);
    assert_int_equal(pthread_create(&thread, NULL, leaves_a_mark_open, "open"), 0);
    pthread_join(thread, NULL);
    cora_trace_event("later");
    assert_return_code(cora_trace_stop(), 0);
    file = trace_load(trace_path());
    mark = trace_find(file, 'X', NULL, "mark", "open");
    assert_true(mark->begin + mark->duration <= trace_find(file, 'i', NULL, NULL, "later")->begin);
}

static void *runs_a_step(void *arg)
{
    assert_int_equal(cora_loop_run_ready(arg), 1);
    return NULL;
}

/* The task begins in one thread and ends in the other, whose ring was there first. */
TEST(a_loop_may_be_run_by_one_thread_after_the_other)
{
    cora_loop *loop = virtual_loop();
    const struct trace_file *file;
    pthread_t thread;

    assert_return_code(cora_trace_start(trace_path()), 0);
    cora_trace_event("the ring is there");
    future = cora_loop_create_task_arg(loop, &(cora_task_options){.name = "moves"}, sleeper,
                                       "sleeper", NULL);
    assert_int_equal(pthread_create(&thread, NULL, runs_a_step, loop), 0);
    pthread_join(thread, NULL);
    assert_return_code(cora_loop_run_until_complete(loop, future), 0);
    cora_future_unref(future);
    cora_loop_free(loop);
    assert_return_code(cora_trace_stop(), 0);
    file = trace_load(trace_path());
    assert_int_equal(trace_count(file, 'X', "moves", "run", NULL), 2);
    assert_true(trace_find(file, 'X', "moves", "wait", "sleep")->duration > 0);
}

/* ---- beginning and ending in mid-run --------------------------------------------------------- */

static int starts_and_stops(void *arg)
{
    char *second = arg;
    cora_task *waits = create_named(sleeper, "waits", NULL);
    int rc = cora_sleep(0.5);

    assert_return_code(rc, 0);
    assert_false(cora_trace_is_on());
    assert_return_code(cora_trace_start(trace_path()), 0);
    assert_true(cora_trace_is_on());
    assert_return_code(cora_sleep(0.1), 0);
    cora_trace_event("seen");
    assert_return_code(cora_sleep(0), 0);
    assert_return_code(cora_trace_stop(), 0);
    cora_trace_event("unseen");
    assert_return_code(cora_sleep(0.1), 0);
    assert_false(cora_get_running_loop()->observed);
    assert_return_code(cora_trace_start(second), 0);
    rc = cora_await_unref(waits);
    assert_return_code(cora_trace_stop(), 0);
    return rc;
}

TEST(a_trace_begins_and_ends_while_the_loop_runs)
{
    char second[128];
    const struct trace_file *file;

    snprintf(second, sizeof second, "%s.2", trace_path());
    assert_return_code(run_virtual(starts_and_stops, second), 0);
    file = trace_load(trace_path());
    trace_find(file, 'i', "Task-1", "mark", "seen");
    trace_find(file, 'X', "waits", "wait", "sleep");
    assert_int_equal(trace_count(file, 'X', "waits", NULL, NULL), 1);
    assert_null(strstr(file->text, "unseen"));
    file = trace_load(second);
    trace_find(file, 'X', "waits", "wait", "sleep");
    trace_find(file, 'X', "waits", "run", "its_function");
    assert_null(strstr(file->text, "seen"));
}

static int starts_anew(void *arg)
{
    (void)arg;
    assert_return_code(cora_sleep(0), 0);
    assert_return_code(cora_trace_stop(), 0);
    assert_return_code(cora_trace_start(trace_path()), 0);
    cora_trace_event("before its task is known");
    return 0;
}

TEST(a_mark_of_a_task_that_is_not_in_the_trace_yet_is_its_threads)
{
    trace_find(trace_of(starts_anew, NULL), 'i', NULL, "mark", "before its task is known");
}

TEST(one_trace_at_a_time)
{
    assert_return_code(cora_trace_start(trace_path()), 0);
    assert_int_equal(cora_trace_start("/dev/null"), -EBUSY);
    assert_return_code(cora_trace_stop(), 0);
    assert_return_code(cora_trace_stop(), 0);
    trace_load(trace_path());
}

static int debugged(void *arg)
{
    (void)arg;
    cora_loop_set_debug(cora_get_running_loop(), true);
    return one_sleeper(NULL);
}

TEST(debug_mode_and_a_trace_go_together)
{
    trace_find(trace_of(debugged, NULL), 'X', "sleeper", "wait", "sleep");
}

static int leaves_tasks(void *arg)
{
    (void)arg;
    cora_task_unref(create_named(on_event, "left", NULL));
    return cora_sleep(0);
}

TEST(tasks_that_are_dropped_with_their_loop_end)
{
    cora_loop *loop = virtual_loop();
    const struct trace_file *file;

    assert_return_code(cora_trace_start(trace_path()), 0);
    future = cora_loop_create_task_arg(loop, NULL, leaves_tasks, "leaves_tasks", NULL);
    assert_return_code(cora_loop_run_until_complete(loop, future), 0);
    cora_future_unref(future);
    cora_loop_free(loop);
    cora_trace_event("closed");
    assert_return_code(cora_trace_stop(), 0);
    file = trace_load(trace_path());
    assert_true(trace_find(file, 'X', "left", "wait", "event")->begin +
                    trace_find(file, 'X', "left", "wait", "event")->duration <
                trace_find(file, 'i', NULL, NULL, "closed")->begin);
}

/* ---- more than fits ------------------------------------------------------------------------- */

enum { MANY = 50000 };

static int many_marks(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++)
        cora_trace_event("a mark of many");
    return 0;
}

TEST(nothing_is_lost_where_the_writer_is_behind)
{
    const struct trace_file *file = trace_of(many_marks, NULL);

    assert_int_equal(trace_count(file, 'i', NULL, "mark", "a mark of many"), MANY);
}

/* ---- errors --------------------------------------------------------------------------------- */

TEST(a_file_that_cannot_be_written_is_an_error)
{
    assert_int_equal(cora_trace_start("/nonexistent/trace.json"), -ENOENT);
    assert_int_equal(cora_trace_start("/"), -EISDIR);
    assert_false(cora_trace_is_on());
}

TEST(a_full_disk_is_an_error)
{
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_return_code(cora_trace_start("/dev/full"), 0);
    assert_return_code(run_virtual(many_marks, NULL), 0);
    assert_int_equal(cora_trace_stop(), -ENOSPC);
    assert_return_code(cora_trace_start(trace_path()), 0);
    assert_return_code(cora_trace_stop(), 0);
}

/* ---- processes ------------------------------------------------------------------------------ */

/* They end in the middle of a task, and leave what it has. */
static bool is_child;

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): LeakSanitizer asks */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) /* NOLINT(bugprone-reserved-identifier,cert-*) */
{
    return is_child;
}

/* What a child process writes to stderr; it does fn(arg), and ends as that says. */
struct child {
    void (*fn)(void *arg);
    void *arg;
    int status;
    pid_t pid;
};

static void run_child(void *arg)
{
    struct child *child = arg;

    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        is_child = true;
        child->fn(child->arg);
        exit(0);
    }
    assert_int_equal(waitpid(child->pid, &child->status, 0), child->pid);
}

static int exits(void *arg)
{
    (void)arg;
    cora_trace_begin("never ended");
    cora_task_unref(create_named(sleeper, "sleeper", NULL));
    if (cora_sleep(0) == 0)
        exit(3);
    return -1;
}

static void traced_by_environment(void *fn)
{
    setenv("CORA_TRACE", trace_path(), 1);
    exit(cora_run((cora_task_fn *)(uintptr_t)fn, NULL) < 0);
}

TEST(the_environment_traces_a_program_and_exit_loses_nothing)
{
    struct child child = {traced_by_environment, (void *)(uintptr_t)exits, 0, 0};
    const struct trace_file *file;

    trace_path();
    assert_string_equal(capture_stderr(run_child, &child), "");
    assert_int_equal(WEXITSTATUS(child.status), 3);
    file = trace_load(trace_path());
    trace_find(file, 'X', "Task-1", "run", NULL);
    trace_find(file, 'e', "Task-1", "mark", "never ended");
    trace_find(file, 'X', "sleeper", "wait", "sleep");
}

static int ends_itself(void *arg)
{
    struct stat status;
    int rc;

    (void)arg;
    do
        rc = cora_sleep(0.001);
    while (rc == 0 && (stat(trace_path(), &status) < 0 || status.st_size < 1000));
    _exit(4);
}

/* As the viewers do: half a line at the end is left out, and the list gets its end. */
TEST(a_program_that_crashes_leaves_a_file_that_can_be_opened)
{
    struct child child = {traced_by_environment, (void *)(uintptr_t)ends_itself, 0, 0};
    char *text, *end;

    trace_path();
    run_child(&child);
    assert_int_equal(WEXITSTATUS(child.status), 4);
    text = trace_read(trace_path());
    end = strrchr(text, '\n');
    assert_non_null(end);
    memcpy(end[-1] == ',' ? end - 1 : end, "]", 2);
    assert_true(is_json(text));
    free(text);
}

static int a_second(void *arg)
{
    (void)arg;
    return cora_sleep(0);
}

static void unwritable(void *arg)
{
    setenv("CORA_TRACE", arg, 1);
    exit(cora_run(a_second, NULL) < 0);
}

TEST(a_program_goes_on_where_its_trace_cannot_be_written)
{
    struct child child = {unwritable, "/nonexistent/trace.json", 0, 0};
    const char *text = capture_stderr(run_child, &child);

    assert_int_equal(child.status, 0);
    assert_non_null(strstr(text, "CORA_TRACE: '/nonexistent/trace.json' cannot be written: "));
    assert_non_null(strstr(text, "Name a file"));
}

TEST(a_program_tells_at_its_end_that_the_disk_was_full)
{
    struct child child = {unwritable, "/dev/full", 0, 0};
    const char *text;

    if (access("/dev/full", W_OK) != 0)
        skip();
    text = capture_stderr(run_child, &child);
    assert_int_equal(child.status, 0);
    assert_non_null(strstr(text, "the trace '/dev/full' is not whole: "));
}

TEST(an_empty_path_in_the_environment_is_none)
{
    struct child child = {unwritable, "", 0, 0};

    assert_string_equal(capture_stderr(run_child, &child), "");
    assert_int_equal(child.status, 0);
}

static const char *path_of(pid_t pid)
{
    static char path[128];

    snprintf(path, sizeof path, "%.*s.%ld.json", (int)strlen(trace_path()) - 5, trace_path(),
             (long)pid);
    return path;
}

static void runs_a_loop(void *arg)
{
    (void)arg;
    if (run_virtual(one_sleeper, NULL) < 0)
        exit(1);
}

static int forks(void *arg)
{
    cora_trace_event("of the parent");
    run_child(arg);
    cora_trace_event("of the parent, too");
    return cora_sleep(1);
}

TEST(a_forked_child_writes_a_file_of_its_own)
{
    struct child child = {runs_a_loop, NULL, 0, 0};
    const struct trace_file *file;

#ifdef CORA_TSAN
    skip(); /* it ends a process that starts threads after its fork */
#endif
    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    file = trace_of(forks, &child);
    assert_int_equal(child.status, 0);
    assert_int_equal(trace_count(file, 'i', "Task-1", "mark", NULL), 2);
    assert_int_equal(trace_count(file, 'X', "sleeper", NULL, NULL), 0);
    file = trace_load(path_of(child.pid));
    trace_find(file, 'X', "sleeper", "wait", "sleep");
    assert_null(strstr(file->text, "of the parent"));
}

static void does_nothing(void *arg)
{
    (void)arg;
}

TEST(a_forked_child_without_a_loop_writes_none)
{
    struct child child = {does_nothing, NULL, 0, 0};

    if (getenv("CORA_EMULATED") != NULL)
        skip();
    trace_of(forks, &child);
    assert_int_equal(child.status, 0);
    assert_int_not_equal(access(path_of(child.pid), F_OK), 0);
}

TEST(a_file_that_another_process_writes_is_left_to_it)
{
    struct child child = {traced_by_environment, (void *)(uintptr_t)one_sleeper, 0, 0};
    int locked[2], rc;
    char byte;
    pid_t holder;

    assert_return_code(pipe(locked), 0);
    trace_path();
    holder = fork();
    if (holder == 0) {
        rc = cora_trace_start(trace_path());
        (void)!write(locked[1], rc == 0 ? "y" : "n", 1);
        pause();
    }
    assert_int_equal(read(locked[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    run_child(&child);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    assert_int_equal(child.status, 0);
    trace_find(trace_load(path_of(child.pid)), 'X', "sleeper", "wait", "sleep");
}
