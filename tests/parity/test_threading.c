/* CPython's test_threading.py: threads, while the program runs. */
#include "support/bunch.h"
#include "support/capture.h"
#include "support/test.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static cora_threading_thread *start_with(const cora_threading_thread_options *options,
                                         cora_threading_fn *fn, void *arg)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(options, fn, arg);
    int rc = cora_threading_thread_start(thread);

    assert_int_equal(rc, 0);
    return thread;
}

static cora_threading_thread *start(cora_threading_fn *fn, void *arg)
{
    return start_with(NULL, fn, arg);
}

/* Joins it, and gives it back; its result. */
static int finish(cora_threading_thread *thread)
{
    int rc = cora_threading_thread_join(thread, INFINITY);

    assert_int_equal(rc, 0);
    assert_false(cora_threading_thread_is_alive(thread));
    rc = cora_threading_thread_result(thread);
    cora_threading_thread_unref(thread);
    return rc;
}

/* ---- ThreadTests: what a thread is made of ------------------------------------------------- */

static void assert_name(const char *given, const char *expected)
{
    cora_threading_thread_options options = {.name = given};
    cora_threading_thread *thread = cora_threading_thread_create_arg(&options, nothing, NULL);

    assert_string_equal(cora_threading_thread_get_name(thread), expected);
    cora_threading_thread_unref(thread);
}

TEST(ThreadTests_test_name)
{
    assert_name("myname1", "myname1");
    assert_name("", "Thread-1 (nothing)");
    assert_name(NULL, "Thread-2 (nothing)");
}

struct add_args {
    int a, b;
    char text[8];
    int *sum;
};

static int add(void *arg)
{
    struct add_args *a = arg;

    check(strcmp(a->text, "seven") == 0);
    *a->sum = a->a + a->b;
    return *a->sum;
}

TEST(ThreadTests_test_args_argument)
{
    struct add_args args = {.a = 3, .b = 4, .text = "seven"};
    cora_threading_thread *thread;
    int sum = 0, rc;

    thread = cora_threading_thread_create(add, .a = 3, .b = 4, .text = "seven", .sum = &sum);
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, 0);
    rc = finish(thread);
    assert_int_equal(rc, 7);
    assert_int_equal(sum, 7);

    args.sum = &args.a;
    rc = finish(start(add, &args));
    assert_int_equal(rc, 7);
    assert_int_equal(args.a, 7);
}

/* ---- ThreadTests: several ------------------------------------------------------------------ */

enum { WORKERS = 10 };

struct work {
    cora_threading_bounded_semaphore limit;
    cora_threading_rlock lock;
    int running, most;
};

static int work(void *arg)
{
    struct work *work = arg;
    int rc = cora_threading_bounded_semaphore_acquire(&work->limit, INFINITY);

    check(rc == 0);
    rc = cora_threading_rlock_acquire(&work->lock, INFINITY);
    check(rc == 0);
    work->running++;
    if (work->running > work->most)
        work->most = work->running;
    cora_threading_rlock_release(&work->lock);
    sched_yield();
    rc = cora_threading_rlock_acquire(&work->lock, INFINITY);
    check(rc == 0);
    work->running--;
    cora_threading_rlock_release(&work->lock);
    rc = cora_threading_bounded_semaphore_release(&work->limit, 1);
    check(rc == 0);
    return 0;
}

static void assert_different(const long ids[], int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(ids[i] > 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
    }
}

static void various_ops(size_t stack_size)
{
    struct work shared = {.lock = CORA_THREADING_RLOCK_INIT};
    cora_threading_thread_options options = {.stack_size = stack_size};
    cora_threading_thread *threads[WORKERS];
    long ids[WORKERS + 1];
    int rc = cora_threading_bounded_semaphore_init(&shared.limit, 3);

    assert_int_equal(rc, 0);
    rc = cora_threading_bounded_semaphore_acquire(&shared.limit, INFINITY);
    assert_int_equal(rc, 0);
    for (int i = 0; i < WORKERS; i++) {
        threads[i] = cora_threading_thread_create_arg(&options, work, &shared);
        assert_int_equal(cora_threading_thread_ident(threads[i]), 0);
        assert_int_equal(cora_threading_thread_native_id(threads[i]), 0);
        rc = cora_threading_thread_start(threads[i]);
        assert_int_equal(rc, 0);
        assert_true(cora_threading_thread_ident(threads[i]) != 0);
    }
    for (int i = 0; i < WORKERS; i++)
        ids[i] = cora_threading_thread_native_id(threads[i]);
    ids[WORKERS] = cora_threading_get_native_id();
    cora_threading_bounded_semaphore_release(&shared.limit, 1);
    for (int i = 0; i < WORKERS; i++) {
        rc = finish(threads[i]);
        assert_int_equal(rc, 0);
    }
    for (int i = 0; i <= WORKERS; i++)
        assert_true(ids[i] > 0);
    assert_int_equal(shared.running, 0);
    assert_in_range(shared.most, 1, 3);
    cora_threading_bounded_semaphore_destroy(&shared.limit);
    cora_threading_rlock_destroy(&shared.lock);
}

static int wait_counter(void *arg)
{
    counter_await(arg, 1);
    return 0;
}

TEST(ThreadTests_test_various_ops)
{
    struct counter go = COUNTER_INIT;
    struct bunch bunch;
    long ids[WORKERS + 1];

    various_ops(0);
    start_bunch(&bunch, WORKERS, wait_counter, &go);
    for (int i = 0; i < WORKERS; i++)
        ids[i] = cora_threading_thread_native_id(bunch.threads[i]);
    ids[WORKERS] = cora_threading_get_native_id();
    counter_add(&go, 1);
    join_bunch(&bunch);
    assert_different(ids, WORKERS + 1);
}

TEST(ThreadTests_test_various_ops_small_stack)
{
    various_ops(256 << 10);
}

TEST(ThreadTests_test_various_ops_large_stack)
{
    various_ops(1 << 20);
}

/* ---- ThreadTests: threads that others have started ----------------------------------------- */

struct foreign {
    uintptr_t ident;
    int join_rc;
    bool alive, daemon, known;
    char name[16];
};

static void *look_around(void *arg)
{
    struct foreign *foreign = arg;
    cora_threading_thread *self = cora_threading_current_thread();
    cora_threading_thread *threads[3];
    size_t count = cora_threading_enumerate(threads, 3);

    foreign->ident = cora_threading_thread_ident(self);
    foreign->join_rc = cora_threading_thread_join(self, 0);
    foreign->alive = cora_threading_thread_is_alive(self);
    foreign->daemon = cora_threading_thread_get_daemon(self);
    foreign->known = count == 2 && threads[1] == self;
    snprintf(foreign->name, sizeof foreign->name, "%s", cora_threading_thread_get_name(self));
    for (size_t i = 0; i < count && i < 3; i++)
        cora_threading_thread_unref(threads[i]);
    return NULL;
}

TEST(ThreadTests_test_ident_of_no_threading_threads)
{
    struct foreign foreign;
    pthread_t thread;
    uintptr_t ident;

    assert_true(cora_threading_thread_ident(cora_threading_current_thread()) ==
                cora_threading_get_ident());
    pthread_create(&thread, NULL, look_around, &foreign);
    ident = (uintptr_t)thread;
    pthread_join(thread, NULL);
    assert_true(foreign.ident == ident);
}

TEST(ThreadTests_test_foreign_thread)
{
    struct foreign foreign;
    pthread_t thread;

    pthread_create(&thread, NULL, look_around, &foreign);
    pthread_join(thread, NULL);
    assert_true(foreign.alive && foreign.daemon && foreign.known);
    assert_string_equal(foreign.name, "Dummy-1");
    assert_int_equal(foreign.join_rc, -CORA_EINVALIDSTATE);
    assert_int_equal(cora_threading_active_count(), 1);
}

/* ---- ThreadTests: beginning and end -------------------------------------------------------- */

TEST(ThreadTests_test_limbo_cleanup)
{
    cora_threading_thread_options options = {.stack_size = 1};
    cora_threading_thread *thread = cora_threading_thread_create_arg(&options, nothing, NULL);
    int rc = cora_threading_thread_start(thread);

    assert_int_equal(rc, -EINVAL);
    assert_int_equal(cora_threading_active_count(), 1);
    assert_false(cora_threading_thread_is_alive(thread));
    cora_threading_thread_unref(thread);
}

static bool no_more_threads;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    return no_more_threads ? EAGAIN : __real_pthread_create(thread, attributes, fn, arg);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

TEST(ThreadTests_test_start_new_thread_failed)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(NULL, nothing, NULL);
    int rc;

    no_more_threads = true;
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, -EAGAIN);
    rc = cora_threading_thread_join(thread, INFINITY);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_int_equal(cora_threading_active_count(), 1);
    no_more_threads = false;
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, 0);
    rc = finish(thread);
    assert_int_equal(rc, 0);
}

TEST(ThreadTests_test_enumerate_after_join)
{
    for (int i = 0; i < 100; i++) {
        cora_threading_thread *thread = start(nothing, NULL), *threads[2];
        int rc = cora_threading_thread_join(thread, INFINITY);
        size_t count = cora_threading_enumerate(threads, 2);

        assert_int_equal(rc, 0);
        assert_int_equal(count, 1);
        assert_ptr_equal(threads[0], cora_threading_main_thread());
        cora_threading_thread_unref(threads[0]);
        cora_threading_thread_unref(thread);
    }
}

static int join_other(void *thread)
{
    return cora_threading_thread_join(thread, INFINITY);
}

TEST(ThreadTests_test_join_from_multiple_threads)
{
    struct counter go = COUNTER_INIT;
    cora_threading_thread *thread = start(wait_counter, &go);
    struct bunch bunch;
    int rc;

    start_bunch(&bunch, 5, join_other, thread);
    counter_add(&go, 1);
    join_bunch(&bunch);
    rc = finish(thread);
    assert_int_equal(rc, 0);
}

TEST(ThreadTests_test_join_with_timeout)
{
    static const double timeouts[] = {0, -1, 0.01};
    struct counter go = COUNTER_INIT;
    cora_threading_thread *thread = start(wait_counter, &go);
    int rc;

    for (int i = 0; i < 3; i++) {
        rc = cora_threading_thread_join(thread, timeouts[i]);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_true(cora_threading_thread_is_alive(thread));
    }
    rc = cora_threading_thread_join(thread, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_threading_thread_result(thread);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    counter_add(&go, 1);
    rc = finish(thread);
    assert_int_equal(rc, 0);
}

static int daemon_of_new_thread(void *options)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(options, nothing, NULL);
    bool daemon = cora_threading_thread_get_daemon(thread);

    cora_threading_thread_unref(thread);
    return daemon;
}

TEST(ThreadTests_test_daemon_param)
{
    cora_threading_thread_options yes = {.daemon = true}, no = {.daemon = CORA_THREADING_NO_DAEMON};
    int rc;

    assert_int_equal(daemon_of_new_thread(NULL), false);
    assert_int_equal(daemon_of_new_thread(&yes), true);
    assert_int_equal(daemon_of_new_thread(&no), false);
    rc = finish(start_with(&yes, daemon_of_new_thread, NULL));
    assert_int_equal(rc, true);
    rc = finish(start_with(&yes, daemon_of_new_thread, &no));
    assert_int_equal(rc, false);
}

static int is_not_main(void *arg)
{
    cora_threading_thread *main_thread = cora_threading_main_thread();

    check(main_thread == arg);
    check(cora_threading_current_thread() != main_thread);
    check(cora_threading_thread_is_alive(main_thread));
    return 0;
}

TEST(ThreadTests_test_main_thread)
{
    cora_threading_thread *self = cora_threading_current_thread();

    assert_ptr_equal(cora_threading_main_thread(), self);
    assert_true(cora_threading_thread_ident(self) == (uintptr_t)pthread_self());
    assert_int_equal(cora_threading_thread_native_id(self), getpid());
    assert_string_equal(cora_threading_thread_get_name(self), "MainThread");
    run_bunch(1, is_not_main, self);
}

TEST(ThreadTests_test_BoundedSemaphore_limit)
{
    cora_threading_bounded_semaphore semaphore;
    int rc = cora_threading_bounded_semaphore_init(&semaphore, 2);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        rc = cora_threading_bounded_semaphore_acquire(&semaphore, 0);
        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < 2; i++) {
        rc = cora_threading_bounded_semaphore_release(&semaphore, 1);
        assert_int_equal(rc, 0);
    }
    rc = cora_threading_bounded_semaphore_release(&semaphore, 1);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    cora_threading_bounded_semaphore_destroy(&semaphore);
}

static int count_up(void *counter)
{
    counter_add(counter, 1);
    return 0;
}

/* It gives back by itself what it takes. */
TEST(ThreadTests_test_leak_without_join)
{
    struct counter ran = COUNTER_INIT;

    cora_threading_thread_unref(start(count_up, &ran));
    counter_await(&ran, 1);
    while (cora_threading_active_count() > 1)
        sched_yield();
}

/* ---- ThreadingExceptionTests --------------------------------------------------------------- */

TEST(ThreadingExceptionTests_test_start_thread_again)
{
    cora_threading_thread *thread = start(nothing, NULL);
    int rc = cora_threading_thread_start(thread);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_threading_thread_join(thread, INFINITY);
    assert_int_equal(rc, 0);
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    cora_threading_thread_unref(thread);
}

static int join_self(void *arg)
{
    (void)arg;
    check(cora_threading_thread_join(cora_threading_current_thread(), 0) == -EDEADLK);
    return 0;
}

TEST(ThreadingExceptionTests_test_joining_current_thread)
{
    int rc = cora_threading_thread_join(cora_threading_current_thread(), INFINITY);

    assert_int_equal(rc, -EDEADLK);
    run_bunch(1, join_self, NULL);
}

TEST(ThreadingExceptionTests_test_joining_inactive_thread)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(NULL, nothing, NULL);
    int rc = cora_threading_thread_join(thread, INFINITY);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    cora_threading_thread_unref(thread);
}

TEST(ThreadingExceptionTests_test_daemonize_active_thread)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(NULL, nothing, NULL);
    int rc = cora_threading_thread_set_daemon(thread, true);

    assert_int_equal(rc, 0);
    rc = cora_threading_thread_set_daemon(thread, false);
    assert_int_equal(rc, 0);
    rc = cora_threading_thread_start(thread);
    assert_int_equal(rc, 0);
    rc = cora_threading_thread_set_daemon(thread, true);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_false(cora_threading_thread_get_daemon(thread));
    rc = finish(thread);
    assert_int_equal(rc, 0);
}

TEST(ThreadingExceptionTests_test_releasing_unacquired_lock)
{
    cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
    int rc = cora_threading_lock_release(&lock);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    cora_threading_lock_destroy(&lock);
}

/* ---- errors that nobody deals with --------------------------------------------------------- */

static int end_with(void *arg)
{
    return *(int *)arg;
}

/* A thread of this name ends with this error, and that is its result. */
static void run_failing(void *error)
{
    cora_threading_thread_options options = {.name = "excepthook thread"};
    int rc = finish(start_with(&options, end_with, error));

    assert_int_equal(rc, *(int *)error);
}

TEST(ThreadingExceptionTests_test_print_exception)
{
    int error = -EDOM;
    const char *text = capture_stderr(run_failing, &error);

    assert_non_null(strstr(text, "exception in thread"));
    assert_non_null(strstr(text, cora_strerror(EDOM)));
}

TEST(ExceptHookTests_test_excepthook)
{
    int error = -EIO;
    const char *text = capture_stderr(run_failing, &error);
    char expected[128];

    snprintf(expected, sizeof expected, "cora: exception in thread excepthook thread: %s\n",
             cora_strerror(EIO));
    assert_string_equal(text, expected);
}

static void report_nobody(void *arg)
{
    cora_threading_excepthook_args args = {.thread = NULL, .error = *(int *)arg};

    cora_threading_excepthook(&args);
}

TEST(ExceptHookTests_test_excepthook_thread_None)
{
    int error = -EIO;
    const char *text = capture_stderr(report_nobody, &error);

    assert_non_null(strstr(text, "exception in thread MainThread: "));
}

static int leave(void *arg)
{
    pthread_exit(arg);
}

static void run_leaving(void *arg)
{
    int rc = finish(start(leave, arg));

    assert_int_equal(rc, 0);
}

/* Neither a thread that was cancelled nor one that is left without a return has failed. */
TEST(ExceptHookTests_test_system_exit)
{
    int error = -ECANCELED;

    assert_string_equal(capture_stderr(run_failing, &error), "");
    assert_string_equal(capture_stderr(run_leaving, &error), "");
}

static struct {
    atomic_int calls;
    char name[32];
    int error;
} hooked;

static void hook(const cora_threading_excepthook_args *args)
{
    atomic_fetch_add(&hooked.calls, 1);
    hooked.error = args->error;
    snprintf(hooked.name, sizeof hooked.name, "%s", cora_threading_thread_get_name(args->thread));
    fputs("Running a thread failed\n", stderr);
}

TEST(ExceptHookTests_test_custom_excepthook)
{
    int error = -EIO;

    cora_threading_set_excepthook(hook);
    run_failing(&error);
    assert_int_equal(atomic_load(&hooked.calls), 1);
    assert_int_equal(hooked.error, -EIO);
    assert_string_equal(hooked.name, "excepthook thread");
}

TEST(ExceptHookTests_test_original_excepthook)
{
    int error = -EIO;
    char before[1024];

    snprintf(before, sizeof before, "%s", capture_stderr(run_failing, &error));
    cora_threading_set_excepthook(hook);
    assert_string_equal(capture_stderr(run_failing, &error), "Running a thread failed\n");
    cora_threading_set_excepthook(cora_threading_excepthook);
    assert_string_equal(capture_stderr(run_failing, &error), before);
    cora_threading_set_excepthook(NULL);
    assert_string_equal(capture_stderr(run_failing, &error), before);
}

/* ---- TimerTests ---------------------------------------------------------------------------- */

struct spy_args {
    struct counter *calls;
    char text[8];
};

/* Each timer has a copy of its arguments, which is its own. */
static int spy(void *arg)
{
    struct spy_args *a = arg;

    check(strcmp(a->text, "blah") == 0);
    a->text[0] = '\0';
    counter_add(a->calls, 1);
    return 0;
}

TEST(TimerTests_test_init_immutable_default_args)
{
    struct counter calls = COUNTER_INIT;

    for (int i = 1; i <= 2; i++) {
        cora_threading_thread *timer =
            cora_threading_timer_create(0.01, spy, .calls = &calls, .text = "blah");
        int rc = cora_threading_thread_start(timer);

        assert_int_equal(rc, 0);
        rc = finish(timer);
        assert_int_equal(rc, 0);
        assert_int_equal(counter_get(&calls), i);
    }
}

/* ---- MiscTestCase: names ------------------------------------------------------------------- */

static int get_system_name(void *name)
{
    return pthread_getname_np(pthread_self(), name, 16);
}

TEST(MiscTestCase_test_set_name)
{
    static const char *const names[][2] = {{"CustomName", "CustomName"},
                                           {"nam\xc3\xa9", "nam\xc3\xa9"},
                                           {"123456789012345", "123456789012345"},
                                           {"1234567890123456", "123456789012345"},
                                           {"12345678901234\xc3\xa9", "12345678901234\xc3"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cora_threading_thread_options options = {.name = names[i][0]};
        char name[16] = "";
        int rc = finish(start_with(&options, get_system_name, name));

        assert_int_equal(rc, 0);
        assert_string_equal(name, names[i][1]);
        cora_threading_thread_set_name(cora_threading_main_thread(), names[i][0]);
        rc = get_system_name(name);
        assert_int_equal(rc, 0);
        assert_string_equal(name, names[i][1]);
    }
}

static int change_name(void *arg)
{
    char(*names)[16] = arg;

    check(get_system_name(names[0]) == 0);
    cora_threading_thread_set_name(cora_threading_current_thread(), "new name");
    check(get_system_name(names[1]) == 0);
    return 0;
}

TEST(MiscTestCase_test_change_name)
{
    cora_threading_thread_options options = {.name = "name"};
    char names[2][16] = {"", ""};
    int rc = finish(start_with(&options, change_name, names));

    assert_int_equal(rc, 0);
    assert_string_equal(names[0], "name");
    assert_string_equal(names[1], "new name");
}

/* ---- InterruptMainTests -------------------------------------------------------------------- */

static atomic_bool go_on = true;

/* Never calls anything that would let another thread in. */
static int spin(void *started)
{
    counter_add(started, 1);
    while (atomic_load(&go_on))
        continue;
    return 0;
}

TEST(InterruptMainTests_test_can_interrupt_tight_loops)
{
    struct counter started = COUNTER_INIT;
    cora_threading_thread *thread = start(spin, &started);
    int rc;

    counter_await(&started, 1);
    atomic_store(&go_on, false);
    rc = finish(thread);
    assert_int_equal(rc, 0);
}
