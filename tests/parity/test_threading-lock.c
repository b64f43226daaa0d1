/*
 * CPython's lock_tests.py, as test_threading.py runs it: locks, recursive locks, and conditions as
 * recursive locks.
 */
#include "support/bunch.h"
#include "support/test.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- three kinds of locks ------------------------------------------------------------------ */

struct kind {
    int (*acquire)(void *lock, double timeout);
    int (*release)(void *lock);
    bool (*locked)(void *lock);
    int unlocked; /* what release says of a lock that is not held */
};

static int acquire_lock(void *lock, double timeout)
{
    return cora_threading_lock_acquire((cora_threading_lock *)lock, timeout);
}

static int release_lock(void *lock)
{
    return cora_threading_lock_release(lock);
}

static bool lock_locked(void *lock)
{
    return cora_threading_lock_locked(lock);
}

static int acquire_rlock(void *lock, double timeout)
{
    return cora_threading_rlock_acquire((cora_threading_rlock *)lock, timeout);
}

static int release_rlock(void *lock)
{
    return cora_threading_rlock_release(lock);
}

static bool rlock_locked(void *lock)
{
    return cora_threading_rlock_locked(lock);
}

static int acquire_condition(void *condition, double timeout)
{
    return cora_threading_condition_acquire((cora_threading_condition *)condition, timeout);
}

static int release_condition(void *condition)
{
    return cora_threading_condition_release(condition);
}

static bool condition_locked(void *condition)
{
    return cora_threading_condition_locked(condition);
}

static const struct kind lock_kind = {acquire_lock, release_lock, lock_locked, -CORA_EINVALIDSTATE};
static const struct kind rlock_kind = {acquire_rlock, release_rlock, rlock_locked, -EPERM};
static const struct kind condition_kind = {acquire_condition, release_condition, condition_locked,
                                           -EPERM};

/* What the threads of a test work on. */
struct subject {
    const struct kind *kind;
    void *lock;
    struct counter phase, finished;
    int results[MOST_THREADS];
};

/* Runs fn on a new lock of the kind; who has taken it has released it in the end. */
static void with_lock(void (*fn)(struct subject *subject))
{
    cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
    struct subject subject = {
        .kind = &lock_kind, .lock = &lock, .phase = COUNTER_INIT, .finished = COUNTER_INIT};

    fn(&subject);
    assert_false(cora_threading_lock_locked(&lock));
    cora_threading_lock_destroy(&lock);
}

static void with_rlock(void (*fn)(struct subject *subject))
{
    cora_threading_rlock lock = CORA_THREADING_RLOCK_INIT;
    struct subject subject = {
        .kind = &rlock_kind, .lock = &lock, .phase = COUNTER_INIT, .finished = COUNTER_INIT};

    fn(&subject);
    assert_false(cora_threading_rlock_locked(&lock));
    cora_threading_rlock_destroy(&lock);
}

static void with_condition(void (*fn)(struct subject *subject))
{
    cora_threading_condition lock = CORA_THREADING_CONDITION_INIT;
    struct subject subject = {
        .kind = &condition_kind, .lock = &lock, .phase = COUNTER_INIT, .finished = COUNTER_INIT};

    fn(&subject);
    assert_false(cora_threading_condition_locked(&lock));
    cora_threading_condition_destroy(&lock);
}

static void must_acquire(struct subject *subject)
{
    int rc = subject->kind->acquire(subject->lock, INFINITY);

    assert_int_equal(rc, 0);
}

static void must_release(struct subject *subject)
{
    int rc = subject->kind->release(subject->lock);

    assert_int_equal(rc, 0);
}

/* Takes it and releases it: nobody else holds it, or not for long. */
static int use(void *arg)
{
    struct subject *subject = arg;
    int rc = subject->kind->acquire(subject->lock, INFINITY);

    check(rc == 0);
    rc = subject->kind->release(subject->lock);
    check(rc == 0);
    counter_add(&subject->finished, 1);
    return 0;
}

/* ---- all of them --------------------------------------------------------------------------- */

static void constructor(struct subject *subject)
{
    assert_false(subject->kind->locked(subject->lock));
}

TEST(LockTests_test_constructor)
{
    with_lock(constructor);
}

TEST(CRLockTests_test_constructor)
{
    with_rlock(constructor);
}

TEST(ConditionAsRLockTests_test_constructor)
{
    with_condition(constructor);
}

static void acquire_destroy(struct subject *subject)
{
    cora_threading_condition other = CORA_THREADING_CONDITION_INIT;
    int rc;

    if (subject->kind == &lock_kind)
        cora_threading_lock_init((cora_threading_lock *)(void *)&other);
    rc = subject->kind->acquire(&other, INFINITY);
    assert_int_equal(rc, 0);
    if (subject->kind == &lock_kind)
        cora_threading_lock_destroy((cora_threading_lock *)(void *)&other);
    else if (subject->kind == &rlock_kind)
        cora_threading_rlock_destroy((cora_threading_rlock *)(void *)&other);
    else
        cora_threading_condition_destroy(&other);
}

TEST(LockTests_test_acquire_destroy)
{
    with_lock(acquire_destroy);
}

TEST(CRLockTests_test_acquire_destroy)
{
    with_rlock(acquire_destroy);
}

TEST(ConditionAsRLockTests_test_acquire_destroy)
{
    with_condition(acquire_destroy);
}

static void acquire_release(struct subject *subject)
{
    must_acquire(subject);
    assert_true(subject->kind->locked(subject->lock));
    must_release(subject);
}

TEST(LockTests_test_acquire_release)
{
    with_lock(acquire_release);
}

TEST(CRLockTests_test_acquire_release)
{
    with_rlock(acquire_release);
}

TEST(ConditionAsRLockTests_test_acquire_release)
{
    with_condition(acquire_release);
}

static void try_acquire(struct subject *subject)
{
    int rc = subject->kind->acquire(subject->lock, 0);

    assert_int_equal(rc, 0);
    must_release(subject);
}

TEST(LockTests_test_try_acquire)
{
    with_lock(try_acquire);
}

TEST(CRLockTests_test_try_acquire)
{
    with_rlock(try_acquire);
}

TEST(ConditionAsRLockTests_test_try_acquire)
{
    with_condition(try_acquire);
}

/* It is held by another thread: not waited for, or not for long, it is not to be had. */
static int try(void *arg)
{
    struct subject *subject = arg;
    int rc = subject->kind->acquire(subject->lock, 0);

    check(rc == -ETIMEDOUT);
    rc = subject->kind->acquire(subject->lock, -1);
    check(rc == -ETIMEDOUT);
    return 0;
}

static void try_acquire_contended(struct subject *subject)
{
    must_acquire(subject);
    run_bunch(1, try, subject);
    must_release(subject);
}

TEST(LockTests_test_try_acquire_contended)
{
    with_lock(try_acquire_contended);
}

TEST(CRLockTests_test_try_acquire_contended)
{
    with_rlock(try_acquire_contended);
}

TEST(ConditionAsRLockTests_test_try_acquire_contended)
{
    with_condition(try_acquire_contended);
}

static void acquire_contended(struct subject *subject)
{
    struct bunch bunch;
    int finished;

    must_acquire(subject);
    start_bunch(&bunch, 5, use, subject);
    finished = counter_get(&subject->finished);
    must_release(subject);
    join_bunch(&bunch);
    assert_int_equal(finished, 0);
    assert_int_equal(counter_get(&subject->finished), 5);
}

TEST(LockTests_test_acquire_contended)
{
    with_lock(acquire_contended);
}

TEST(CRLockTests_test_acquire_contended)
{
    with_rlock(acquire_contended);
}

TEST(ConditionAsRLockTests_test_acquire_contended)
{
    with_condition(acquire_contended);
}

static void *use_in_pthread(void *arg)
{
    return (void *)(intptr_t)use(arg);
}

/* A thread that threading does not know stays unknown to it. */
static void thread_leak(struct subject *subject)
{
    size_t before = cora_threading_active_count(), after;
    pthread_t threads[15];
    void *result;

    must_acquire(subject);
    for (int i = 0; i < 15; i++)
        pthread_create(&threads[i], NULL, use_in_pthread, subject);
    after = cora_threading_active_count();
    must_release(subject);
    for (int i = 0; i < 15; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(before, 1);
    assert_int_equal(after, 1);
}

TEST(LockTests_test_thread_leak)
{
    with_lock(thread_leak);
}

TEST(CRLockTests_test_thread_leak)
{
    with_rlock(thread_leak);
}

TEST(ConditionAsRLockTests_test_thread_leak)
{
    with_condition(thread_leak);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int wait_in_vain(void *arg)
{
    struct subject *subject = arg;
    double begin = now();
    int rc = subject->kind->acquire(subject->lock, 0.05);

    check(rc == -ETIMEDOUT);
    check(now() - begin > 0.0499);
    return 0;
}

static void timeout(struct subject *subject)
{
    static const double longest[] = {1e9, 1e100, 5};
    int rc = subject->kind->acquire(subject->lock, NAN);

    assert_int_equal(rc, -EINVAL);
    for (int i = 0; i < 3; i++) {
        rc = subject->kind->acquire(subject->lock, longest[i]);
        assert_int_equal(rc, 0);
        must_release(subject);
    }
    must_acquire(subject);
    run_bunch(1, wait_in_vain, subject);
    must_release(subject);
}

TEST(LockTests_test_timeout)
{
    with_lock(timeout);
}

TEST(CRLockTests_test_timeout)
{
    with_rlock(timeout);
}

TEST(ConditionAsRLockTests_test_timeout)
{
    with_condition(timeout);
}

/* ---- locks --------------------------------------------------------------------------------- */

static int acquire_twice(void *arg)
{
    struct subject *subject = arg;

    for (int i = 1; i <= 2; i++) {
        int rc = subject->kind->acquire(subject->lock, INFINITY);

        check(rc == 0);
        counter_add(&subject->phase, 1);
    }
    return 0;
}

/* Nobody may take it twice: another thread releases it in between. */
static void reacquire(struct subject *subject)
{
    struct bunch bunch;

    start_bunch(&bunch, 1, acquire_twice, subject);
    counter_await(&subject->phase, 1);
    must_release(subject);
    counter_await(&subject->phase, 2);
    must_release(subject);
    join_bunch(&bunch);
}

TEST(LockTests_test_reacquire)
{
    with_lock(reacquire);
}

static int release(void *arg)
{
    struct subject *subject = arg;

    return subject->kind->release(subject->lock);
}

static void different_thread(struct subject *subject)
{
    must_acquire(subject);
    run_bunch(1, release, subject);
    must_acquire(subject);
    must_release(subject);
}

TEST(LockTests_test_different_thread)
{
    with_lock(different_thread);
}

static int fail_to_acquire(void *arg)
{
    struct subject *subject = arg;
    int rc = subject->kind->acquire(subject->lock, 0.01);

    check(rc == -ETIMEDOUT);
    return 0;
}

static void state_after_timeout(struct subject *subject)
{
    int rc;

    must_acquire(subject);
    run_bunch(1, fail_to_acquire, subject);
    must_release(subject);
    assert_false(subject->kind->locked(subject->lock));
    rc = subject->kind->acquire(subject->lock, 0);
    assert_int_equal(rc, 0);
    must_release(subject);
}

TEST(LockTests_test_state_after_timeout)
{
    with_lock(state_after_timeout);
}

/* What a child makes of a lock that its parent's thread holds: its exit status. */
static int use_in_child(struct subject *subject)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        bool held = subject->kind->locked(subject->lock);

        cora_threading_lock_init(subject->lock);
        _exit(held && use(subject) == 0 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void at_fork_reinit(struct subject *subject)
{
    int status;

    must_acquire(subject);
    status = use_in_child(subject);
    assert_int_equal(status, 0);
    must_release(subject);
}

TEST(LockTests_test_at_fork_reinit)
{
    with_lock(at_fork_reinit);
}

/* ---- recursive locks ----------------------------------------------------------------------- */

static void take_again(struct subject *subject)
{
    must_acquire(subject);
    must_acquire(subject);
    must_release(subject);
    must_acquire(subject);
    must_release(subject);
    assert_true(subject->kind->locked(subject->lock));
    must_release(subject);
}

TEST(CRLockTests_test_reacquire)
{
    with_rlock(take_again);
}

TEST(ConditionAsRLockTests_test_reacquire)
{
    with_condition(take_again);
}

static void release_unacquired(struct subject *subject)
{
    int rc = subject->kind->release(subject->lock);

    assert_int_equal(rc, subject->kind->unlocked);
    take_again(subject);
    rc = subject->kind->release(subject->lock);
    assert_int_equal(rc, subject->kind->unlocked);
}

TEST(CRLockTests_test_release_unacquired)
{
    with_rlock(release_unacquired);
}

TEST(ConditionAsRLockTests_test_release_unacquired)
{
    with_condition(release_unacquired);
}

static void locked(struct subject *subject)
{
    assert_false(subject->kind->locked(subject->lock));
    must_acquire(subject);
    assert_true(subject->kind->locked(subject->lock));
    must_acquire(subject);
    must_release(subject);
    assert_true(subject->kind->locked(subject->lock));
    must_release(subject);
    assert_false(subject->kind->locked(subject->lock));
}

TEST(CRLockTests_test_locked)
{
    with_rlock(locked);
}

TEST(ConditionAsRLockTests_test_locked)
{
    with_condition(locked);
}

/* Holds it from phase 1 to phase 2. */
static int hold(void *arg)
{
    struct subject *subject = arg;
    int rc = subject->kind->acquire(subject->lock, INFINITY);

    check(rc == 0);
    check(subject->kind->locked(subject->lock));
    counter_add(&subject->phase, 1);
    counter_await(&subject->phase, 2);
    rc = subject->kind->release(subject->lock);
    check(rc == 0);
    return 0;
}

static void start_to_hold(struct subject *subject, struct bunch *bunch)
{
    start_bunch(bunch, 1, hold, subject);
    counter_await(&subject->phase, 1);
}

static void end_to_hold(struct subject *subject, struct bunch *bunch)
{
    counter_add(&subject->phase, 1);
    join_bunch(bunch);
}

static void locked_with_2threads(struct subject *subject)
{
    struct bunch bunch;
    bool held;

    assert_false(subject->kind->locked(subject->lock));
    start_to_hold(subject, &bunch);
    held = subject->kind->locked(subject->lock);
    end_to_hold(subject, &bunch);
    assert_true(held);
}

TEST(CRLockTests_test_locked_with_2threads)
{
    with_rlock(locked_with_2threads);
}

TEST(ConditionAsRLockTests_test_locked_with_2threads)
{
    with_condition(locked_with_2threads);
}

/* Another thread's lock is not released. */
static void different_threads(struct subject *subject)
{
    struct bunch bunch;
    int rc;

    start_to_hold(subject, &bunch);
    rc = subject->kind->release(subject->lock);
    end_to_hold(subject, &bunch);
    assert_int_equal(rc, -EPERM);
}

TEST(CRLockTests_test_different_thread)
{
    with_rlock(different_threads);
}

TEST(ConditionAsRLockTests_test_different_thread)
{
    with_condition(different_threads);
}

/* A condition that waits gives back all at once what was taken several times. */
static void release_save_unacquired(struct subject *subject)
{
    cora_threading_condition condition;
    cora_threading_condition *waited = subject->lock;
    int rc;

    if (subject->kind == &rlock_kind) {
        cora_threading_condition_init_rlock(&condition, subject->lock);
        waited = &condition;
    }
    rc = cora_threading_condition_wait(waited, 0);
    assert_int_equal(rc, -EPERM);
    must_acquire(subject);
    must_acquire(subject);
    rc = cora_threading_condition_wait(waited, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    must_release(subject);
    assert_true(subject->kind->locked(subject->lock));
    must_release(subject);
    rc = cora_threading_condition_wait(waited, 0);
    assert_int_equal(rc, -EPERM);
    if (waited == &condition)
        cora_threading_condition_destroy(&condition);
}

TEST(CRLockTests_test_release_save_unacquired)
{
    with_rlock(release_save_unacquired);
}

TEST(ConditionAsRLockTests_test_release_save_unacquired)
{
    with_condition(release_save_unacquired);
}

TEST(CRLockTests_test_recursion_count)
{
    cora_threading_rlock lock = CORA_THREADING_RLOCK_INIT;
    struct subject subject = {.kind = &rlock_kind, .lock = &lock, .phase = COUNTER_INIT};
    struct bunch bunch;
    size_t counts[2];

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cora_threading_rlock_recursion_count(&lock), i);
        must_acquire(&subject);
    }
    for (size_t i = 3; i > 0; i--) {
        assert_int_equal(cora_threading_rlock_recursion_count(&lock), i);
        must_release(&subject);
    }
    start_to_hold(&subject, &bunch);
    counts[0] = cora_threading_rlock_recursion_count(&lock);
    end_to_hold(&subject, &bunch);
    counts[1] = cora_threading_rlock_recursion_count(&lock);
    assert_int_equal(counts[0], 0);
    assert_int_equal(counts[1], 0);
    cora_threading_rlock_destroy(&lock);
}

/* A condition's lock is owned where it can be waited for. */
static bool is_owned(struct subject *subject)
{
    if (subject->kind == &rlock_kind)
        return cora_threading_rlock_is_owned(subject->lock);
    return cora_threading_condition_notify(subject->lock, 1) == 0;
}

static int is_not_owned(void *arg)
{
    check(!is_owned(arg));
    return 0;
}

static void owned(struct subject *subject)
{
    assert_false(is_owned(subject));
    must_acquire(subject);
    assert_true(is_owned(subject));
    must_acquire(subject);
    run_bunch(1, is_not_owned, subject);
    must_release(subject);
    assert_true(is_owned(subject));
    must_release(subject);
    assert_false(is_owned(subject));
}

TEST(CRLockTests_test__is_owned)
{
    with_rlock(owned);
}

TEST(ConditionAsRLockTests_test__is_owned)
{
    with_condition(owned);
}
