/* Coroutines: resume and yield, the states between, and the end. */
#include "support/test.h"

#include "coroutine/coroutine.h"

#include <cora/error.h>

#include <pthread.h>

#ifdef CORA_VALGRIND
#define ON_VALGRIND RUNNING_ON_VALGRIND
#else
#define ON_VALGRIND 0
#endif

static cora_coroutine *create(cora_coroutine_fn *fn, void *arg)
{
    cora_coroutine *coroutine = NULL;
    int rc = cora_coroutine_create(&coroutine, fn, arg, 0);

    assert_int_equal(rc, 0);
    assert_non_null(coroutine);
    return coroutine;
}

/* Resumes a coroutine that is to yield; what it yields. */
static void *resume(cora_coroutine *coroutine, void *value)
{
    void *yielded = NULL;
    int rc = cora_coroutine_resume(coroutine, value, &yielded);

    assert_int_equal(rc, 0);
    return yielded;
}

/* Resumes a coroutine that is to end; its outcome. */
static int finish(cora_coroutine *coroutine)
{
    int rc = cora_coroutine_resume(coroutine, NULL, NULL);

    assert_int_equal(rc, -CORA_ESTOPITERATION);
    return cora_coroutine_outcome(coroutine);
}

static void destroy(cora_coroutine *coroutine)
{
    int rc = cora_coroutine_destroy(coroutine);

    assert_int_equal(rc, 0);
}

/* ---- bodies -------------------------------------------------------------------------------- */

static int add_one(void *arg)
{
    ++*(int *)arg;
    return 7;
}

static int yield_once(void *arg)
{
    return cora_coroutine_yield(arg, NULL);
}

/* Yields what it is sent, until that is NULL. */
static int echo(void *arg)
{
    void *value = arg;

    while (value != NULL) {
        int rc = cora_coroutine_yield(value, &value);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int ignore_close(void *arg)
{
    int *ignored = arg;

    while (*ignored < 100)
        if (cora_coroutine_yield(arg, NULL) < 0)
            ++*ignored;
    return 0;
}

/* ---- create, resume, yield ----------------------------------------------------------------- */

TEST(a_new_coroutine_has_not_run)
{
    int runs = 0;
    cora_coroutine *coroutine = create(add_one, &runs);

    assert_int_equal(runs, 0);
    assert_int_equal(cora_coroutine_state(coroutine), CORA_COROUTINE_CREATED);
    assert_int_equal(cora_coroutine_outcome(coroutine), -CORA_EINVALIDSTATE);
    destroy(coroutine);
    assert_int_equal(runs, 0);
}

TEST(a_body_that_does_not_yield_ends_at_the_first_resume)
{
    int runs = 0, rc;
    void *yielded = &runs;
    cora_coroutine *coroutine = create(add_one, &runs);

    rc = cora_coroutine_resume(coroutine, NULL, &yielded);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_ptr_equal(yielded, &runs); /* untouched */
    assert_int_equal(runs, 1);
    assert_int_equal(cora_coroutine_state(coroutine), CORA_COROUTINE_CLOSED);
    assert_int_equal(cora_coroutine_outcome(coroutine), 7);
    destroy(coroutine);
}

TEST(an_ended_coroutine_says_so_at_every_resume)
{
    int runs = 0, rc;
    cora_coroutine *coroutine = create(add_one, &runs);

    finish(coroutine);
    for (int i = 0; i < 3; i++) {
        rc = cora_coroutine_resume(coroutine, &runs, NULL);
        assert_int_equal(rc, -CORA_ESTOPITERATION);
    }
    assert_int_equal(runs, 1);
    assert_int_equal(cora_coroutine_outcome(coroutine), 7);
    destroy(coroutine);
}

TEST(values_go_out_by_yield_and_in_by_resume)
{
    int values[50];
    cora_coroutine *coroutine = create(echo, &values[0]);
    void *yielded = resume(coroutine, &values[9]); /* no yield to give it to: dropped */
    int outcome;

    assert_ptr_equal(yielded, &values[0]);
    for (int i = 1; i < 50; i++) {
        yielded = resume(coroutine, &values[i]);
        assert_ptr_equal(yielded, &values[i]);
    }
    outcome = finish(coroutine);
    assert_int_equal(outcome, 0);
    destroy(coroutine);
}

TEST(the_places_for_values_are_optional)
{
    int value, rc[2];
    cora_coroutine *coroutine = create(yield_once, &value);

    rc[0] = cora_coroutine_resume(coroutine, NULL, NULL);
    rc[1] = cora_coroutine_resume(coroutine, &value, NULL);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -CORA_ESTOPITERATION);
    destroy(coroutine);
}

static int broken(void *arg)
{
    (void)arg;
    return -EIO;
}

TEST(the_outcome_is_what_the_body_returned)
{
    cora_coroutine *coroutine = create(broken, NULL);
    int outcome = finish(coroutine);

    assert_int_equal(outcome, -EIO);
    destroy(coroutine);
}

struct observed {
    cora_coroutine *self;
    enum cora_coroutine_state before_yield, after_yield;
    int outcome;
    cora_coroutine *current;
};

static int observe(void *arg)
{
    struct observed *o = arg;

    o->before_yield = cora_coroutine_state(o->self);
    o->outcome = cora_coroutine_outcome(o->self);
    o->current = cora_coroutine_current();
    int rc = cora_coroutine_yield(NULL, NULL);
    o->after_yield = cora_coroutine_state(o->self);
    return rc;
}

TEST(the_state_is_right_at_every_point)
{
    struct observed o = {0};

    assert_null(cora_coroutine_current());
    o.self = create(observe, &o);
    assert_int_equal(cora_coroutine_state(o.self), CORA_COROUTINE_CREATED);
    resume(o.self, NULL);
    assert_int_equal(o.before_yield, CORA_COROUTINE_RUNNING);
    assert_int_equal(o.outcome, -CORA_EINVALIDSTATE);
    assert_ptr_equal(o.current, o.self);
    assert_int_equal(cora_coroutine_state(o.self), CORA_COROUTINE_SUSPENDED);
    assert_int_equal(cora_coroutine_outcome(o.self), -CORA_EINVALIDSTATE);
    assert_null(cora_coroutine_current());
    finish(o.self);
    assert_int_equal(o.after_yield, CORA_COROUTINE_RUNNING);
    assert_int_equal(cora_coroutine_state(o.self), CORA_COROUTINE_CLOSED);
    assert_null(cora_coroutine_current());
    destroy(o.self);
}

TEST(yield_outside_a_coroutine_is_refused)
{
    void *value = &value;
    int rc = cora_coroutine_yield(NULL, &value), again;
    cora_coroutine *coroutine = create(yield_once, NULL);

    resume(coroutine, NULL);
    again = cora_coroutine_yield(NULL, &value);
    assert_int_equal(rc, -EPERM);
    assert_int_equal(again, -EPERM);
    assert_ptr_equal(value, &value);
    destroy(coroutine);
}

/* ---- nesting ------------------------------------------------------------------------------- */

struct family {
    cora_coroutine *outer, *inner;
    int rc[6];
    enum cora_coroutine_state outer_state, inner_state;
    cora_coroutine *current;
};

static int try_all_that_run(void *arg)
{
    struct family *f = arg;

    f->rc[0] = cora_coroutine_resume(f->inner, NULL, NULL); /* itself */
    f->rc[1] = cora_coroutine_close(f->inner);
    f->rc[2] = cora_coroutine_destroy(f->inner);
    f->rc[3] = cora_coroutine_resume(f->outer, NULL, NULL); /* who resumed it */
    f->rc[4] = cora_coroutine_close(f->outer);
    f->rc[5] = cora_coroutine_destroy(f->outer);
    f->outer_state = cora_coroutine_state(f->outer);
    f->inner_state = cora_coroutine_state(f->inner);
    f->current = cora_coroutine_current();
    return cora_coroutine_yield(f, NULL);
}

static int resume_inner(void *arg)
{
    struct family *f = arg;
    void *yielded = resume(f->inner, NULL);
    int rc;

    assert_ptr_equal(yielded, f);
    assert_ptr_equal(cora_coroutine_current(), f->outer);
    rc = cora_coroutine_yield(NULL, NULL);
    if (rc == 0)
        rc = finish(f->inner);
    return rc;
}

TEST(who_is_running_cannot_be_resumed_closed_or_destroyed)
{
    struct family f = {0};
    int outcome;

    f.inner = create(try_all_that_run, &f);
    f.outer = create(resume_inner, &f);
    resume(f.outer, NULL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(f.rc[i], -EBUSY);
    assert_int_equal(f.outer_state, CORA_COROUTINE_RUNNING);
    assert_int_equal(f.inner_state, CORA_COROUTINE_RUNNING);
    assert_ptr_equal(f.current, f.inner);
    outcome = finish(f.outer);
    assert_int_equal(outcome, 0);
    assert_int_equal(cora_coroutine_state(f.inner), CORA_COROUTINE_CLOSED);
    destroy(f.outer);
    destroy(f.inner);
}

TEST(a_suspended_coroutine_may_be_gone_on_with_by_another_resumer)
{
    struct family f = {0};
    int outcome;

    f.inner = create(try_all_that_run, &f);
    f.outer = create(resume_inner, &f);
    resume(f.outer, NULL);
    outcome = finish(f.inner); /* it was the outer one that had started it */
    assert_int_equal(outcome, 0);
    assert_int_equal(cora_coroutine_state(f.outer), CORA_COROUTINE_SUSPENDED);
    outcome = cora_coroutine_destroy(f.outer);
    assert_int_equal(outcome, 0);
    destroy(f.inner);
}

enum { DEPTH = 100 };

/* Each level resumes the next and passes the value of the deepest up, one level at a time. */
static int nest(void *arg)
{
    int *depth = arg;
    int rc;

    if (--*depth == 0) {
        rc = cora_coroutine_yield(depth, NULL);
    } else {
        cora_coroutine *next = create(nest, depth);
        void *value = resume(next, NULL);

        rc = cora_coroutine_yield(value, NULL);
        if (rc == 0)
            rc = finish(next);
        destroy(next);
    }
    ++*depth;
    return rc;
}

TEST(coroutines_nest)
{
    int depth = DEPTH, outcome;
    cora_coroutine *outermost = create(nest, &depth);
    void *value = resume(outermost, NULL);

    assert_ptr_equal(value, &depth);
    assert_int_equal(depth, 0);
    outcome = finish(outermost);
    assert_int_equal(outcome, 0);
    assert_int_equal(depth, DEPTH);
    destroy(outermost);
}

TEST(destroy_of_the_outermost_closes_all_by_their_own_cleanup)
{
    int depth = DEPTH;
    cora_coroutine *outermost = create(nest, &depth);

    resume(outermost, NULL);
    destroy(outermost);
    assert_int_equal(depth, DEPTH);
}

static __attribute__((noinline)) int deep(int depth, int *value)
{
    int rc = depth > 0 ? deep(depth - 1, value) : cora_coroutine_yield(value, NULL);

    *value += rc == 0;
    return rc;
}

static int yield_deep(void *arg)
{
    return deep(50, arg);
}

TEST(a_yield_may_stand_at_any_depth_of_calls)
{
    int returned = 0;
    cora_coroutine *coroutine = create(yield_deep, &returned);

    resume(coroutine, NULL);
    assert_int_equal(returned, 0);
    finish(coroutine);
    assert_int_equal(returned, 51);
    destroy(coroutine);
}

/* ---- close and destroy --------------------------------------------------------------------- */

TEST(closed_before_it_started_a_body_never_runs)
{
    int runs = 0, rc[2];
    cora_coroutine *coroutine = create(add_one, &runs);

    rc[0] = cora_coroutine_close(coroutine);
    rc[1] = cora_coroutine_resume(coroutine, NULL, NULL);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -CORA_ESTOPITERATION);
    assert_int_equal(cora_coroutine_state(coroutine), CORA_COROUTINE_CLOSED);
    assert_int_equal(cora_coroutine_outcome(coroutine), -CORA_EGENERATOREXIT);
    destroy(coroutine);
    assert_int_equal(runs, 0);
}

struct held {
    void *memory;
    void *sent;
    int rc, outcome;
};

static int hold_memory(void *arg)
{
    struct held *held = arg;

    held->memory = malloc(100);
    held->rc = cora_coroutine_yield(NULL, &held->sent);
    free(held->memory);
    held->memory = NULL;
    return held->outcome;
}

TEST(close_lets_the_body_release_what_it_holds)
{
    struct held held = {.sent = &held, .outcome = 5};
    cora_coroutine *coroutine = create(hold_memory, &held);
    int rc;

    resume(coroutine, NULL);
    assert_non_null(held.memory);
    rc = cora_coroutine_close(coroutine);
    assert_int_equal(rc, 0);
    assert_null(held.memory);
    assert_int_equal(held.rc, -CORA_EGENERATOREXIT);
    assert_ptr_equal(held.sent, &held); /* untouched */
    assert_int_equal(cora_coroutine_state(coroutine), CORA_COROUTINE_CLOSED);
    assert_int_equal(cora_coroutine_outcome(coroutine), 5);
    rc = cora_coroutine_close(coroutine);
    assert_int_equal(rc, 0);
    destroy(coroutine);
}

TEST(destroy_lets_the_body_release_what_it_holds)
{
    struct held held = {.outcome = 5};
    cora_coroutine *coroutine = create(hold_memory, &held);

    resume(coroutine, NULL);
    destroy(coroutine);
    assert_null(held.memory);
    assert_int_equal(held.rc, -CORA_EGENERATOREXIT);
}

TEST(a_body_that_ignores_its_close_stays_suspended)
{
    int ignored = 0, rc;
    cora_coroutine *coroutine = create(ignore_close, &ignored);

    resume(coroutine, NULL);
    rc = cora_coroutine_close(coroutine);
    assert_int_equal(rc, -CORA_EIGNOREDEXIT);
    assert_int_equal(ignored, 1);
    assert_int_equal(cora_coroutine_state(coroutine), CORA_COROUTINE_SUSPENDED);
    resume(coroutine, NULL); /* an ordinary yield again */
    assert_int_equal(ignored, 1);
    rc = cora_coroutine_destroy(coroutine);
    assert_int_equal(rc, -CORA_EIGNOREDEXIT);
    assert_int_equal(ignored, 2);
}

TEST(a_body_that_ignores_its_close_is_freed_by_destroy_all_the_same)
{
    int ignored = 0, rc;
    size_t reserved;
    cora_coroutine *coroutine = create(ignore_close, &ignored);

    resume(coroutine, NULL);
    rc = cora_coroutine_destroy(coroutine);
    cora__stack_trim(true);
    reserved = cora__stack_reserved();
    assert_int_equal(rc, -CORA_EIGNOREDEXIT);
    assert_int_equal(reserved, 0);
}

TEST(destroy_of_nothing_is_nothing)
{
    destroy(NULL);
}

/* ---- arguments and stacks ------------------------------------------------------------------ */

struct numbers {
    int values[100];
    struct numbers *self; /* where the body found them */
};

static int sum_up(void *arg)
{
    struct numbers *numbers = arg;
    int sum = 0;

    for (int i = 0; i < 100; i++)
        sum += numbers->values[i];
    return sum;
}

TEST(arguments_are_copied)
{
    struct numbers numbers;
    cora_coroutine *coroutine = NULL;
    int rc, outcome;

    for (int i = 0; i < 100; i++)
        numbers.values[i] = i;
    rc = cora_coroutine_create_copy(&coroutine, sum_up, &numbers, sizeof numbers, 0);
    assert_int_equal(rc, 0);
    memset(&numbers, 0xff, sizeof numbers);
    outcome = finish(coroutine);
    assert_int_equal(outcome, 4950);
    destroy(coroutine);
}

static int is_aligned(void *arg)
{
    return (uintptr_t)arg % _Alignof(max_align_t) == 0;
}

TEST(copied_arguments_of_any_size_are_aligned)
{
    static const char bytes[1000];

    for (size_t size = 1; size <= sizeof bytes; size += 37) {
        cora_coroutine *coroutine = NULL;
        int rc = cora_coroutine_create_copy(&coroutine, is_aligned, bytes, size, 0), outcome;

        assert_int_equal(rc, 0);
        outcome = finish(coroutine);
        assert_true(outcome);
        destroy(coroutine);
    }
}

TEST(arguments_may_take_half_of_the_stack_and_no_more)
{
    size_t half = cora_default_stack_size() / 2;
    char *bytes = calloc(1, half + 1);
    cora_coroutine *coroutine = NULL;
    int fits, too_large, outcome;

    assert_non_null(bytes);
    too_large = cora_coroutine_create_copy(&coroutine, is_aligned, bytes, half + 1, 0);
    assert_int_equal(too_large, -EINVAL);
    assert_null(coroutine);
    fits = cora_coroutine_create_copy(&coroutine, is_aligned, bytes, half, 0);
    assert_int_equal(fits, 0);
    outcome = finish(coroutine);
    assert_true(outcome);
    destroy(coroutine);
    free(bytes);
}

TEST(a_stack_above_the_limit_is_refused)
{
    static const size_t sizes[] = {((size_t)1 << 30) + 1, SIZE_MAX / 2, SIZE_MAX};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        cora_coroutine *coroutine = NULL;
        int rc = cora_coroutine_create(&coroutine, broken, NULL, sizes[i]);

        assert_int_equal(rc, -EINVAL);
        assert_null(coroutine);
    }
}

enum { LARGE = 4 << 20, SLACK = 4 << 10 };

static int fill_large_array(void *arg)
{
    volatile char large[LARGE - SLACK];

    (void)arg;
    for (size_t i = 0; i < sizeof large; i += 512)
        large[i] = (char)i;
    large[sizeof large - 1] = 1;
    return cora_coroutine_yield(NULL, NULL);
}

TEST(a_stack_has_the_size_that_was_asked_for)
{
    cora_coroutine *coroutine = NULL;
    int rc = cora_coroutine_create(&coroutine, fill_large_array, NULL, LARGE);

    assert_int_equal(rc, 0);
    resume(coroutine, NULL);
    finish(coroutine);
    destroy(coroutine);
}

static int print(void *arg)
{
    return snprintf(arg, 32, "%d %s %.1f", 1, "two", 3.0);
}

TEST(the_default_stack_is_enough_for_printf)
{
    char text[32];
    cora_coroutine *coroutine = create(print, text);

    finish(coroutine);
    assert_string_equal(text, "1 two 3.0");
    destroy(coroutine);
}

static int use_stack(void *arg)
{
    volatile char used[16 << 10];

    for (size_t i = 0; i < sizeof used; i += 256)
        used[i] = 1;
    return cora_coroutine_yield(arg, NULL);
}

TEST(debug_builds_tell_how_much_stack_was_used)
{
#ifndef CORA_DEBUG
    cora_coroutine *coroutine = create(use_stack, NULL);

    resume(coroutine, NULL);
    assert_int_equal(cora_coroutine_stack_used(coroutine), 0);
    destroy(coroutine);
    skip();
#else
    cora_coroutine *coroutine = create(use_stack, NULL);

    assert_in_range(cora_coroutine_stack_used(coroutine), 1, 8 << 10);
    resume(coroutine, NULL);
    assert_in_range(cora_coroutine_stack_used(coroutine), 16 << 10, 32 << 10);
    destroy(coroutine);
    coroutine = create(yield_once, NULL); /* on the same stack, which counts from 0 */
    resume(coroutine, NULL);
    assert_in_range(cora_coroutine_stack_used(coroutine), 1, 8 << 10);
    destroy(coroutine);
#endif
}

/* ---- many, and in threads ------------------------------------------------------------------ */

static int count_to(void *arg)
{
    int most = *(int *)arg;

    for (int i = 0; i < most; i++) {
        int rc = cora_coroutine_yield(&i, NULL);

        if (rc < 0)
            return rc;
    }
    return most;
}

TEST(ten_thousand_coroutines_are_alive_at_once)
{
#ifdef CORA_TSAN
    enum { MANY = 4000 }; /* it counts them as threads, of which it allows 8,128 */
#else
    enum { MANY = 10000 };
#endif
    static cora_coroutine *coroutines[MANY];
    const int many = ON_VALGRIND ? 1000 : MANY; /* it goes through a list at each switch */
    int most = 3;

    for (int i = 0; i < many; i++)
        coroutines[i] = create(count_to, &most);
    for (int round = 0; round < most; round++)
        for (int i = 0; i < many; i++) {
            int *value = resume(coroutines[i], NULL);

            assert_int_equal(*value, round);
        }
    for (int i = 0; i < many; i++) {
        int outcome = finish(coroutines[i]);

        assert_int_equal(outcome, most);
        destroy(coroutines[i]);
    }
}

enum { THREADS = 4, IN_A_THREAD = 50 };

/* Assertions leave by longjmp, which must not be done in a thread: it counts what is wrong. */
static void *run_coroutines(void *ret_wrong)
{
    cora_coroutine *coroutines[IN_A_THREAD];
    int most = 100, wrong = cora_coroutine_current() != NULL;

    for (int i = 0; i < IN_A_THREAD; i++)
        wrong += cora_coroutine_create(&coroutines[i], count_to, &most, 0) != 0;
    for (int round = 0; wrong == 0 && round < most; round++)
        for (int i = 0; i < IN_A_THREAD; i++) {
            void *value = NULL;
            int rc = cora_coroutine_resume(coroutines[i], NULL, &value);

            wrong += rc != 0 || *(int *)value != round;
        }
    for (int i = 0; i < IN_A_THREAD; i++)
        wrong += cora_coroutine_destroy(coroutines[i]) != 0;
    *(int *)ret_wrong = wrong;
    return NULL;
}

TEST(threads_have_coroutines_of_their_own)
{
    pthread_t threads[THREADS];
    int wrong[THREADS], failed = 0;

    for (int i = 0; i < THREADS; i++)
        failed |= pthread_create(&threads[i], NULL, run_coroutines, &wrong[i]);
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_join(threads[i], NULL);
    assert_int_equal(failed, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(wrong[i], 0);
}

/* ---- the dead are left alone --------------------------------------------------------------- */

TEST(nobody_touches_a_coroutine_that_was_destroyed)
{
    enum { SMALLER = 16 << 10, BYTES = sizeof(struct cora_coroutine) };
    const size_t other_size = cora_default_stack_size() + SMALLER;
    cora_coroutine *dead = create(yield_once, NULL), *other = NULL;
    int most = 5, rc, touched = 0;

    resume(dead, NULL);
    destroy(dead);
    /* Its stack is free and still mapped; stacks of another size are taken from elsewhere. */
    memset(dead, 0xa5, BYTES);
    rc = cora_coroutine_create(&other, count_to, &most, other_size);
    assert_int_equal(rc, 0);
    for (int i = 0; i < most; i++)
        resume(other, NULL);
    finish(other);
    destroy(other);
    for (int i = 0; i < BYTES; i++)
        touched += ((unsigned char *)dead)[i] != 0xa5;
    assert_int_equal(touched, 0);
    cora__stack_trim(true);
    assert_int_equal(cora__stack_reserved(), 0);
}

TEST(the_stack_of_a_destroyed_coroutine_is_the_next_to_be_used)
{
    int runs = 0, outcome;
    cora_coroutine *first = create(add_one, &runs), *second;

    finish(first);
    destroy(first);
    second = create(add_one, &runs);
    assert_ptr_equal(second, first);
    assert_int_equal(cora_coroutine_state(second), CORA_COROUTINE_CREATED);
    assert_int_equal(cora_coroutine_outcome(second), -CORA_EINVALIDSTATE);
    outcome = finish(second);
    assert_int_equal(outcome, 7);
    assert_int_equal(runs, 2);
    destroy(second);
}

static int fill_and_ignore_close(void *arg)
{
    volatile char frame[3000];
    int rc = 0;

    (void)arg;
    memset((void *)(uintptr_t)frame, 1, sizeof frame);
    while (rc == 0 || rc == -CORA_EGENERATOREXIT)
        rc = cora_coroutine_yield((void *)(uintptr_t)frame, NULL);
    return rc;
}

struct large {
    char bytes[8000];
};

static int sum_bytes(void *arg)
{
    struct large *large = arg;
    int sum = 0;

    for (size_t i = 0; i < sizeof large->bytes; i++)
        sum += large->bytes[i];
    return sum;
}

TEST(large_arguments_fit_over_the_frames_of_a_coroutine_that_was_dropped)
{
    cora_coroutine *dropped = create(fill_and_ignore_close, NULL), *coroutine = NULL;
    struct large large;
    int rc, outcome;

    memset(&large, 1, sizeof large);
    resume(dropped, NULL);
    rc = cora_coroutine_destroy(dropped);
    assert_int_equal(rc, -CORA_EIGNOREDEXIT);
    rc = cora_coroutine_create_copy(&coroutine, sum_bytes, &large, sizeof large, 0);
    assert_int_equal(rc, 0);
    outcome = finish(coroutine);
    assert_int_equal(outcome, (int)sizeof large);
    destroy(coroutine);
}
