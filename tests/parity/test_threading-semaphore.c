/*
 * CPython's test_threading.py, SemaphoreTests and BoundedSemaphoreTests: those of lock_tests.py
 * with threading.Semaphore and threading.BoundedSemaphore.
 */
#include "support/test.h"

#include <cora.h>

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* ---- both kinds ----------------------------------------------------------------------------- */

enum kind { PLAIN, BOUNDED };

struct semaphore {
    enum kind kind;
    cora_threading_semaphore plain;
    cora_threading_bounded_semaphore bounded;
};

static int init(struct semaphore *semaphore, enum kind kind, int value)
{
    semaphore->kind = kind;
    return kind == PLAIN ? cora_threading_semaphore_init(&semaphore->plain, value)
                         : cora_threading_bounded_semaphore_init(&semaphore->bounded, value);
}

static struct semaphore make(enum kind kind, int value)
{
    struct semaphore semaphore;
    int rc = init(&semaphore, kind, value);

    assert_int_equal(rc, 0);
    return semaphore;
}

static int acquire(struct semaphore *semaphore, double timeout)
{
    return semaphore->kind == PLAIN
               ? cora_threading_semaphore_acquire(&semaphore->plain, timeout)
               : cora_threading_bounded_semaphore_acquire(&semaphore->bounded, timeout);
}

static int release(struct semaphore *semaphore, int n)
{
    return semaphore->kind == PLAIN
               ? cora_threading_semaphore_release(&semaphore->plain, n)
               : cora_threading_bounded_semaphore_release(&semaphore->bounded, n);
}

static void assert_acquires(struct semaphore *semaphore, double timeout, int expected)
{
    int rc = acquire(semaphore, timeout);

    assert_int_equal(rc, expected);
}

static void assert_releases(struct semaphore *semaphore, int n)
{
    int rc = release(semaphore, n);

    assert_int_equal(rc, 0);
}

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fn, arg);

    assert_int_equal(rc, 0);
    return thread;
}

static int join(pthread_t thread)
{
    void *result;

    pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

/* ---- one thread ----------------------------------------------------------------------------- */

static void construct(enum kind kind)
{
    static const int negative[] = {-1, -INT_MAX};
    struct semaphore semaphore;

    for (int i = 0; i < 2; i++) {
        int rc = init(&semaphore, kind, negative[i]);

        assert_int_equal(rc, -EINVAL);
    }
}

static void acquire_and_release(enum kind kind)
{
    for (int value = 1; value <= 2; value++) {
        struct semaphore semaphore = make(kind, value);

        for (int i = 0; i < value; i++)
            assert_acquires(&semaphore, INFINITY, 0);
        for (int i = 0; i < value; i++)
            assert_releases(&semaphore, 1);
    }
}

static void destroy_while_acquired(enum kind kind)
{
    struct semaphore semaphore = make(kind, 1);

    assert_acquires(&semaphore, INFINITY, 0);
    if (kind == PLAIN)
        cora_threading_semaphore_destroy(&semaphore.plain);
    else
        cora_threading_bounded_semaphore_destroy(&semaphore.bounded);
}

static void try(enum kind kind)
{
    struct semaphore semaphore = make(kind, 2);

    assert_acquires(&semaphore, 0, 0);
    assert_acquires(&semaphore, 0, 0);
    assert_acquires(&semaphore, 0, -ETIMEDOUT);
    assert_releases(&semaphore, 1);
    assert_acquires(&semaphore, 0, 0);
}

static void time_out(enum kind kind)
{
    struct semaphore semaphore = make(kind, 2);

    assert_acquires(&semaphore, 0.005, 0);
    assert_acquires(&semaphore, 0.005, 0);
    assert_acquires(&semaphore, 0.005, -ETIMEDOUT);
    assert_releases(&semaphore, 1);
    assert_acquires(&semaphore, 0.005, 0);
    assert_acquires(&semaphore, 0.05, -ETIMEDOUT);
}

/* What `with` does, twice, one in the other; also where an error ends it. */
static int hold_two(struct semaphore *semaphore, int error)
{
    assert_acquires(semaphore, INFINITY, 0);
    assert_acquires(semaphore, 0, 0);
    assert_releases(semaphore, 1);
    assert_acquires(semaphore, INFINITY, 0);
    assert_acquires(semaphore, 0, -ETIMEDOUT);
    assert_releases(semaphore, 2);
    return error;
}

static void hold(enum kind kind)
{
    struct semaphore semaphore = make(kind, 2);

    for (int error = 0; error >= -EIO; error -= EIO) {
        assert_int_equal(hold_two(&semaphore, error), error);
        assert_acquires(&semaphore, 0, 0);
        assert_releases(&semaphore, 1);
    }
}

/* ---- many threads --------------------------------------------------------------------------- */

enum { VALUE = 7, THREADS = 10 };

/* Each acquires twice, and notes in which phase. */
struct contest {
    struct semaphore semaphore;
    atomic_int phase, acquired[3], failures;
};

static void *acquire_twice(void *arg)
{
    struct contest *contest = arg;

    for (int i = 0; i < 2; i++) {
        if (acquire(&contest->semaphore, INFINITY) < 0)
            atomic_fetch_add(&contest->failures, 1);
        atomic_fetch_add(&contest->acquired[atomic_load(&contest->phase)], 1);
    }
    return NULL;
}

static void await_acquired(struct contest *contest, int phase, int count)
{
    while (atomic_load(&contest->acquired[phase]) < count)
        sched_yield();
    assert_int_equal(contest->acquired[phase], count);
}

/* Of twenty acquisitions first six find a permit, then seven, then six, and at last one. */
static void contend(enum kind kind, bool at_once)
{
    static const int counts[] = {VALUE - 1, VALUE, VALUE - 1};
    struct contest contest = {.semaphore = make(kind, VALUE)};
    pthread_t threads[THREADS];

    assert_acquires(&contest.semaphore, INFINITY, 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(acquire_twice, &contest);
    await_acquired(&contest, 0, counts[0]);
    for (int phase = 1; phase < 3; phase++) {
        contest.phase = phase;
        if (at_once)
            assert_releases(&contest.semaphore, counts[phase]);
        for (int i = 0; i < counts[phase] && !at_once; i++)
            assert_releases(&contest.semaphore, 1);
        await_acquired(&contest, phase, counts[phase]);
    }
    assert_acquires(&contest.semaphore, 0, -ETIMEDOUT);
    assert_releases(&contest.semaphore, 1);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
    assert_int_equal(contest.failures, 0);
    assert_int_equal(contest.acquired[0] + contest.acquired[1] + contest.acquired[2], 20);
}

static void *try_twice(void *arg)
{
    intptr_t permits = 0;

    for (int i = 0; i < 2; i++)
        permits += acquire(arg, 0) == 0;
    return (void *)permits;
}

static void try_together(enum kind kind)
{
    struct semaphore semaphore = make(kind, 4);
    pthread_t threads[5];
    int permits = 0;

    assert_acquires(&semaphore, INFINITY, 0);
    for (int i = 0; i < 5; i++)
        threads[i] = start(try_twice, &semaphore);
    for (int i = 0; i < 5; i++)
        permits += join(threads[i]);
    assert_int_equal(permits, 3);
}

struct holder {
    struct semaphore *semaphore;
    atomic_bool finished;
};

static void *acquire_and_release_once(void *arg)
{
    struct holder *holder = arg;
    int rc = acquire(holder->semaphore, INFINITY);

    if (rc == 0)
        rc = release(holder->semaphore, 1);
    atomic_store(&holder->finished, true);
    return (void *)(intptr_t)rc;
}

/* C has no default: it is a mutex that the test is about. */
static void exclude(enum kind kind)
{
    struct semaphore semaphore = make(kind, 1);
    struct holder holder = {&semaphore, false};
    pthread_t thread;

    assert_acquires(&semaphore, INFINITY, 0);
    thread = start(acquire_and_release_once, &holder);
    assert_acquires(&semaphore, 0.01, -ETIMEDOUT);
    assert_false(atomic_load(&holder.finished));
    assert_releases(&semaphore, 1);
    assert_int_equal(join(thread), 0);
    assert_true(atomic_load(&holder.finished));
}

/* ---- threading.Semaphore -------------------------------------------------------------------- */

TEST(SemaphoreTests_test_constructor)
{
    construct(PLAIN);
}

TEST(SemaphoreTests_test_acquire)
{
    acquire_and_release(PLAIN);
}

TEST(SemaphoreTests_test_acquire_destroy)
{
    destroy_while_acquired(PLAIN);
}

TEST(SemaphoreTests_test_acquire_contended)
{
    contend(PLAIN, false);
}

TEST(SemaphoreTests_test_multirelease)
{
    contend(PLAIN, true);
}

TEST(SemaphoreTests_test_try_acquire)
{
    try(PLAIN);
}

TEST(SemaphoreTests_test_try_acquire_contended)
{
    try_together(PLAIN);
}

TEST(SemaphoreTests_test_acquire_timeout)
{
    time_out(PLAIN);
}

TEST(SemaphoreTests_test_default_value)
{
    exclude(PLAIN);
}

TEST(SemaphoreTests_test_with)
{
    hold(PLAIN);
}

TEST(SemaphoreTests_test_release_unacquired)
{
    struct semaphore semaphore = make(PLAIN, 1);

    assert_releases(&semaphore, 1);
    assert_acquires(&semaphore, INFINITY, 0);
    assert_acquires(&semaphore, INFINITY, 0);
    assert_releases(&semaphore, 1);
}

/* ---- threading.BoundedSemaphore ------------------------------------------------------------- */

TEST(BoundedSemaphoreTests_test_constructor)
{
    construct(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_acquire)
{
    acquire_and_release(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_acquire_destroy)
{
    destroy_while_acquired(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_acquire_contended)
{
    contend(BOUNDED, false);
}

TEST(BoundedSemaphoreTests_test_multirelease)
{
    contend(BOUNDED, true);
}

TEST(BoundedSemaphoreTests_test_try_acquire)
{
    try(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_try_acquire_contended)
{
    try_together(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_acquire_timeout)
{
    time_out(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_default_value)
{
    exclude(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_with)
{
    hold(BOUNDED);
}

TEST(BoundedSemaphoreTests_test_release_unacquired)
{
    struct semaphore semaphore = make(BOUNDED, 1);
    int rc = release(&semaphore, 1);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_acquires(&semaphore, INFINITY, 0);
    assert_releases(&semaphore, 1);
    rc = release(&semaphore, 1);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
}
