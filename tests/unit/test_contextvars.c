/* Context variables: whose value is seen where. */
#include "support/test.h"

#include <cora/contextvars.h>

#include <errno.h>
#include <pthread.h>

static char red[] = "red", green[] = "green", blue[] = "blue";

static cora_context_var color = CORA_CONTEXT_VAR_INIT("color", red);
static cora_context_var shape = CORA_CONTEXT_VAR_INIT("shape", NULL);

static const char *now(void)
{
    return cora_context_var_get(&color);
}

static void set(void *value)
{
    int rc = cora_context_var_set(&color, value, NULL);

    assert_int_equal(rc, 0);
}

static cora_context *copy(void)
{
    cora_context *context = cora_copy_context();

    assert_non_null(context);
    return context;
}

static int run(cora_context *context, int (*fn)(void *arg), void *arg)
{
    return cora_context_run(context, fn, arg);
}

/* ---- set and reset ------------------------------------------------------------------------- */

TEST(an_unset_variable_has_its_default)
{
    assert_string_equal(now(), "red");
    assert_null(cora_context_var_get(&shape));
}

TEST(a_variable_has_the_value_that_was_set_last)
{
    set(green);
    assert_string_equal(now(), "green");
    set(blue);
    assert_string_equal(now(), "blue");
    assert_null(cora_context_var_get(&shape));
}

TEST(null_is_a_value_like_any_other)
{
    set(NULL);
    assert_null(now());
}

TEST(reset_gives_back_what_was_before_the_set)
{
    cora_context_token first, second;
    int rc[4];

    rc[0] = cora_context_var_set(&color, green, &first);
    rc[1] = cora_context_var_set(&color, blue, &second);
    rc[2] = cora_context_var_reset(&color, &second);
    assert_string_equal(now(), "green");
    rc[3] = cora_context_var_reset(&color, &first);
    assert_string_equal(now(), "red");
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], 0);
}

TEST(reset_to_unset_shows_the_default_again)
{
    static cora_context_var changing = CORA_CONTEXT_VAR_INIT("changing", red);
    cora_context_token token;
    int rc[2];

    rc[0] = cora_context_var_set(&changing, green, &token);
    rc[1] = cora_context_var_reset(&changing, &token);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    changing.default_value = blue; /* it is read again: nothing was kept of the old one */
    assert_ptr_equal(cora_context_var_get(&changing), blue);
}

TEST(reset_of_one_variable_keeps_the_others)
{
    static cora_context_var vars[5];
    cora_context_token tokens[5];
    int rc = 0;

    for (int i = 0; i < 5; i++)
        rc |= cora_context_var_set(&vars[i], &vars[i], &tokens[i]);
    rc |= cora_context_var_reset(&vars[1], &tokens[1]);
    rc |= cora_context_var_reset(&vars[4], &tokens[4]);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(cora_context_var_get(&vars[i]), i == 1 || i == 4 ? NULL : &vars[i]);
}

/* ---- misuse of tokens ---------------------------------------------------------------------- */

TEST(a_token_serves_once)
{
    cora_context_token token;
    int rc[3];

    rc[0] = cora_context_var_set(&color, green, &token);
    rc[1] = cora_context_var_reset(&color, &token);
    set(blue);
    rc[2] = cora_context_var_reset(&color, &token);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], -EINVAL);
    assert_string_equal(now(), "blue");
}

TEST(a_token_serves_only_its_own_variable)
{
    cora_context_token token;
    int rc[3];

    rc[0] = cora_context_var_set(&color, green, &token);
    rc[1] = cora_context_var_reset(&shape, &token);
    assert_int_equal(rc[1], -EINVAL);
    assert_string_equal(now(), "green");
    rc[2] = cora_context_var_reset(&color, &token); /* it was not used up */
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[2], 0);
    assert_string_equal(now(), "red");
}

static int reset_color(void *token)
{
    return cora_context_var_reset(&color, token);
}

TEST(a_token_serves_only_in_its_own_context)
{
    cora_context_token token;
    int rc[3];
    cora_context *context;

    rc[0] = cora_context_var_set(&color, green, &token);
    context = copy();
    rc[1] = run(context, reset_color, &token);
    rc[2] = cora_context_var_reset(&color, &token);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EINVAL);
    assert_int_equal(rc[2], 0);
    assert_string_equal(now(), "red");
    cora_context_unref(context);
}

/* ---- copies -------------------------------------------------------------------------------- */

static int is_color(void *expected)
{
    return strcmp(now(), expected) == 0;
}

static int set_color(void *value)
{
    return cora_context_var_set(&color, value, NULL);
}

TEST(a_copy_has_the_values_of_the_moment)
{
    cora_context *context;
    int same;

    set(green);
    context = copy();
    same = run(context, is_color, green);
    assert_true(same);
    cora_context_unref(context);
}

TEST(what_is_set_after_the_copy_the_copy_does_not_see)
{
    cora_context *context;
    int same;

    set(green);
    context = copy();
    set(blue);
    same = run(context, is_color, green);
    assert_true(same);
    cora_context_unref(context);
}

TEST(what_is_set_in_the_copy_nobody_else_sees)
{
    cora_context *context;
    int rc, same;

    set(green);
    context = copy();
    rc = run(context, set_color, blue);
    assert_int_equal(rc, 0);
    assert_string_equal(now(), "green");
    same = run(context, is_color, blue); /* but the copy keeps it */
    assert_true(same);
    cora_context_unref(context);
}

TEST(a_copy_of_nothing_has_the_defaults)
{
    cora_context *context = copy();
    int same[2], rc;

    same[0] = run(context, is_color, red);
    rc = run(context, set_color, green);
    same[1] = run(context, is_color, green);
    assert_true(same[0]);
    assert_int_equal(rc, 0);
    assert_true(same[1]);
    assert_string_equal(now(), "red");
    cora_context_unref(context);
}

static int copy_of_current(void *ret)
{
    *(cora_context **)ret = cora_copy_context();
    return 0;
}

TEST(a_copy_of_a_copy_is_independent_too)
{
    cora_context *first, *second = NULL;
    int rc[3], same[2];

    set(green);
    first = copy();
    rc[0] = run(first, copy_of_current, &second);
    assert_non_null(second);
    rc[1] = run(first, set_color, blue);
    rc[2] = run(second, set_color, red);
    cora_context_unref(copy()); /* and one that comes and goes */
    same[0] = run(first, is_color, blue);
    same[1] = run(second, is_color, red);
    assert_int_equal(rc[0] | rc[1] | rc[2], 0);
    assert_true(same[0]);
    assert_true(same[1]);
    assert_string_equal(now(), "green");
    cora_context_unref(first);
    cora_context_unref(second);
}

TEST(a_context_lives_as_long_as_there_are_references)
{
    cora_context *context, *same;
    int seen;

    set(green);
    context = copy();
    same = cora_context_ref(context);
    assert_ptr_equal(same, context);
    cora_context_unref(context);
    seen = run(same, is_color, green);
    assert_true(seen);
    cora_context_unref(same);
    same = cora_context_ref(NULL);
    assert_null(same);
    cora_context_unref(NULL);
}

/* ---- running in one ------------------------------------------------------------------------ */

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(run_returns_what_the_function_returns)
{
    cora_context *context = copy();
    int rc = run(context, seven, NULL);

    assert_int_equal(rc, 7);
    cora_context_unref(context);
}

TEST(a_context_for_which_there_was_no_memory_is_refused)
{
    int rc = run(NULL, seven, NULL);

    assert_int_equal(rc, -ENOMEM);
}

static int run_again(void *context)
{
    return run(context, seven, NULL);
}

TEST(a_context_cannot_be_entered_twice)
{
    cora_context *context = copy();
    int nested = run(context, run_again, context);
    int afterwards = run(context, seven, NULL);

    assert_int_equal(nested, -EBUSY);
    assert_int_equal(afterwards, 7);
    cora_context_unref(context);
}

static int set_and_run_inner(void *inner)
{
    set(blue);

    int rc = run(inner, set_color, green);

    return rc == 0 && strcmp(now(), "blue") == 0;
}

TEST(another_context_may_be_entered_inside_one)
{
    cora_context *outer = copy(), *inner = copy();
    int good = run(outer, set_and_run_inner, inner);
    int kept = run(inner, is_color, green);

    assert_true(good);
    assert_true(kept);
    assert_string_equal(now(), "red");
    cora_context_unref(outer);
    cora_context_unref(inner);
}

/* ---- threads ------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 200 };

/* Assertions leave by longjmp, which must not be done in a thread: it counts what is wrong. */
static void *mind_own_value(void *arg)
{
    int *wrong = arg;

    *wrong = strcmp(now(), "red") != 0;
    for (int i = 0; i < ROUNDS; i++) {
        void *value = i % 2 == 0 ? arg : green;

        *wrong += cora_context_var_set(&color, value, NULL) != 0;
        *wrong += cora_context_var_get(&color) != value;
    }
    return NULL;
}

TEST(each_thread_has_values_of_its_own)
{
    pthread_t threads[THREADS];
    int wrong[THREADS], failed = 0;

    set(blue);
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_create(&threads[i], NULL, mind_own_value, &wrong[i]);
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_join(threads[i], NULL);
    assert_int_equal(failed, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(wrong[i], 0);
    assert_string_equal(now(), "blue");
}

struct hand_over {
    cora_context *context;
    int same, rc;
};

static void *use_context(void *arg)
{
    struct hand_over *hand_over = arg;

    hand_over->same = run(hand_over->context, is_color, green);
    hand_over->rc = run(hand_over->context, set_color, blue);
    cora_context_unref(hand_over->context);
    return NULL;
}

TEST(copies_of_one_context_are_used_by_several_threads_at_once)
{
    pthread_t threads[THREADS];
    struct hand_over hand_overs[THREADS];
    int failed = 0;

    set(green);
    for (int i = 0; i < THREADS; i++)
        hand_overs[i].context = copy(); /* all share the bindings until they are changed */
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_create(&threads[i], NULL, use_context, &hand_overs[i]);
    for (int i = 0; i < ROUNDS; i++)
        cora_context_unref(copy());
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_join(threads[i], NULL);
    assert_int_equal(failed, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_true(hand_overs[i].same);
        assert_int_equal(hand_overs[i].rc, 0);
    }
    assert_string_equal(now(), "green");
}

struct visit {
    cora_context *context;
    pthread_barrier_t inside, leave;
};

static int stay(void *arg)
{
    struct visit *visit = arg;

    pthread_barrier_wait(&visit->inside);
    pthread_barrier_wait(&visit->leave);
    return 0;
}

static void *enter_and_stay(void *arg)
{
    struct visit *visit = arg;

    return run(visit->context, stay, visit) == 0 ? NULL : arg;
}

TEST(a_context_that_another_thread_has_entered_cannot_be_entered)
{
    struct visit visit = {.context = copy()};
    pthread_t thread;
    void *failed = NULL;
    int meanwhile, afterwards, rc;

    pthread_barrier_init(&visit.inside, NULL, 2);
    pthread_barrier_init(&visit.leave, NULL, 2);
    rc = pthread_create(&thread, NULL, enter_and_stay, &visit);
    assert_int_equal(rc, 0);
    pthread_barrier_wait(&visit.inside);
    meanwhile = run(visit.context, seven, NULL);
    pthread_barrier_wait(&visit.leave);
    pthread_join(thread, &failed);
    afterwards = run(visit.context, seven, NULL);
    assert_null(failed);
    assert_int_equal(meanwhile, -EBUSY);
    assert_int_equal(afterwards, 7);
    cora_context_unref(visit.context);
}

static void *enter_again_and_again(void *context)
{
    for (int i = 0; i < ROUNDS; i++) {
        int rc = run(context, seven, NULL);

        if (rc != 7 && rc != -EBUSY)
            return context;
    }
    return NULL;
}

TEST(threads_may_compete_for_a_context)
{
    cora_context *context = copy();
    pthread_t threads[THREADS];
    void *failed[THREADS];
    int rc = 0;

    for (int i = 0; i < THREADS; i++)
        rc |= pthread_create(&threads[i], NULL, enter_again_and_again, context);
    for (int i = 0; i < THREADS; i++)
        rc |= pthread_join(threads[i], &failed[i]);
    assert_int_equal(rc, 0);
    for (int i = 0; i < THREADS; i++)
        assert_null(failed[i]);
    cora_context_unref(context);
}
