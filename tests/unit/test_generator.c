/* Generators: Python's protocol, with errors for exceptions. */
#include "support/test.h"

#include <cora/error.h>
#include <cora/generator.h>

struct count_args {
    int from, to;
    int error; /* what it ends with */
    int *cleaned;
};

static int count(void *arg)
{
    struct count_args *a = arg;
    int rc = 0;

    for (int i = a->from; i < a->to && rc == 0; i++)
        rc = cora_generator_yield(&i, NULL);
    if (a->cleaned != NULL)
        (*a->cleaned)++;
    return rc < 0 ? rc : a->error;
}

/* next: the number, or the error. */
static int next_int(cora_generator *generator)
{
    void *value = NULL;
    int rc = cora_generator_next(generator, &value);

    return rc == 0 ? *(int *)value : rc;
}

TEST(next_gives_one_value_after_the_other_and_then_the_end)
{
    cora_generator *numbers = cora_generator_create(count, .from = 1, .to = 4);
    int got[6];
    int freed;

    for (int i = 0; i < 6; i++)
        got[i] = next_int(numbers);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 2);
    assert_int_equal(got[2], 3);
    for (int i = 3; i < 6; i++)
        assert_int_equal(got[i], -CORA_ESTOPITERATION);
    freed = cora_generator_destroy(numbers);
    assert_int_equal(freed, 0);
}

TEST(a_generator_that_yields_nothing_ends_at_once)
{
    cora_generator *nothing = cora_generator_create(count, .from = 4, .to = 4);
    void *value = &nothing;
    int rc = cora_generator_next(nothing, &value);

    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_ptr_equal(value, &nothing);
    cora_generator_destroy(nothing);
}

TEST(next_without_a_place_for_the_value_drops_it)
{
    cora_generator *numbers = cora_generator_create(count, .from = 1, .to = 4);
    int rc = cora_generator_next(numbers, NULL);
    int second = next_int(numbers);

    assert_int_equal(rc, 0);
    assert_int_equal(second, 2);
    cora_generator_destroy(numbers);
}

TEST(the_loop_visits_each_value_in_order)
{
    cora_generator *numbers = cora_generator_create(count, .from = 0, .to = 10);
    int sum = 0, visited = 0;

    CORA_FOR_EACH (int *, number, numbers) {
        assert_int_equal(*number, visited);
        visited++;
        sum += *number;
    }
    assert_int_equal(visited, 10);
    assert_int_equal(sum, 45);
    assert_int_equal(cora_coroutine_outcome(numbers), 0);
    cora_generator_destroy(numbers);
}

TEST(a_loop_that_is_left_early_can_be_gone_on_with)
{
    cora_generator *numbers = cora_generator_create(count, .from = 0, .to = 5);
    int seen = 0;

    CORA_FOR_EACH (int *, number, numbers)
        if (*number == 1)
            break;
    assert_int_equal(cora_coroutine_state(numbers), CORA_COROUTINE_SUSPENDED);
    CORA_FOR_EACH (int *, number, numbers)
        seen = seen * 10 + *number;
    assert_int_equal(seen, 234);
    cora_generator_destroy(numbers);
}

TEST(destroy_after_an_early_break_runs_the_cleanup_of_the_body)
{
    int cleaned = 0, rc;
    cora_generator *numbers = cora_generator_create(count, .from = 0, .to = 5, .cleaned = &cleaned);

    CORA_FOR_EACH (int *, number, numbers)
        if (*number == 2)
            break;
    assert_int_equal(cleaned, 0);
    rc = cora_generator_destroy(numbers);
    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 1);
}

TEST(an_unstarted_generator_is_destroyed_without_running)
{
    int cleaned = 0;
    cora_generator *numbers = cora_generator_create(count, .to = 5, .cleaned = &cleaned);
    int rc = cora_generator_destroy(numbers);

    assert_int_equal(rc, 0);
    assert_int_equal(cleaned, 0);
}

/* ---- send ---------------------------------------------------------------------------------- */

/* Yields the running sum of what is sent; sending NULL ends it. */
static int running_sum(void *arg)
{
    int *sum = arg;

    for (;;) {
        void *sent = NULL;
        int rc = cora_generator_yield(sum, &sent);

        if (rc < 0)
            return rc;
        if (sent == NULL)
            return 0;
        *sum += *(int *)sent;
    }
}

TEST(send_gives_the_yield_its_value_and_returns_the_next_one)
{
    int sum = 100, first, rc[3];
    void *value = NULL;
    cora_generator *adder = cora_generator_create_arg(running_sum, &sum);

    first = next_int(adder);
    rc[0] = cora_generator_send(adder, &(int){5}, &value);
    rc[1] = cora_generator_send(adder, &(int){7}, NULL);
    rc[2] = cora_generator_next(adder, NULL); /* sends NULL */
    assert_int_equal(first, 100);
    assert_int_equal(rc[0], 0);
    assert_ptr_equal(value, &sum);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], -CORA_ESTOPITERATION);
    assert_int_equal(sum, 112);
    cora_generator_destroy(adder);
}

TEST(only_null_may_be_sent_to_a_generator_that_has_not_started)
{
    int sum = 1;
    cora_generator *adder = cora_generator_create_arg(running_sum, &sum);
    void *value = NULL;
    int refused = cora_generator_send(adder, &sum, &value);
    enum cora_coroutine_state before = cora_coroutine_state(adder);
    int started = cora_generator_send(adder, NULL, &value);

    assert_int_equal(refused, -EINVAL);
    assert_int_equal(before, CORA_COROUTINE_CREATED);
    assert_int_equal(started, 0);
    assert_ptr_equal(value, &sum);
    cora_generator_destroy(adder);
}

TEST(send_to_an_ended_generator_says_so)
{
    cora_generator *nothing = cora_generator_create(count, .to = 0);
    int first = cora_generator_next(nothing, NULL);
    int second = cora_generator_send(nothing, &first, NULL);

    assert_int_equal(first, -CORA_ESTOPITERATION);
    assert_int_equal(second, -CORA_ESTOPITERATION);
    cora_generator_destroy(nothing);
}

/* ---- throw --------------------------------------------------------------------------------- */

/* Yields the error that was thrown at its last yield, until there is none. */
static int echo_errors(void *arg)
{
    int *last = arg;

    do
        *last = cora_generator_yield(last, NULL);
    while (*last < 0 && *last != -CORA_EGENERATOREXIT);
    return *last;
}

TEST(throw_makes_the_yield_return_an_error_and_gives_the_next_value)
{
    int last = 0, rc[5];
    void *value[2] = {NULL, NULL};
    cora_generator *echo = cora_generator_create_arg(echo_errors, &last);

    rc[0] = cora_generator_next(echo, NULL);
    rc[1] = cora_generator_throw(echo, -EIO, &value[0]);
    assert_int_equal(last, -EIO);
    rc[2] = cora_generator_throw(echo, 1, &value[1]);
    rc[3] = cora_generator_throw(echo, -CORA_EGENERATOREXIT, &value[1]);
    rc[4] = cora_generator_throw(echo, -EIO, &value[1]);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    assert_ptr_equal(value[0], &last);
    assert_int_equal(rc[2], -EINVAL);
    assert_int_equal(rc[3], -CORA_EGENERATOREXIT);
    assert_int_equal(rc[4], -CORA_ESTOPITERATION);
    assert_null(value[1]);
    cora_generator_destroy(echo);
}

TEST(an_error_thrown_before_the_start_ends_a_generator_without_running_it)
{
    int last = 0, thrown, next;
    cora_generator *echo = cora_generator_create_arg(echo_errors, &last);

    thrown = cora_generator_throw(echo, -EIO, NULL);
    next = cora_generator_next(echo, NULL);
    assert_int_equal(thrown, -EIO);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    assert_int_equal(last, 0);
    cora_generator_destroy(echo);
}

static int await_in_cleanup(void *arg)
{
    int rc = cora_generator_yield(arg, NULL);

    return rc == -CORA_EGENERATOREXIT ? -ECANCELED : rc;
}

TEST(a_cancellation_in_the_cleanup_comes_out_of_close)
{
    int value, next, closed;
    cora_generator *generator = cora_generator_create_arg(await_in_cleanup, &value);

    next = cora_generator_next(generator, NULL);
    closed = cora_generator_close(generator);
    assert_int_equal(next, 0);
    assert_int_equal(closed, -ECANCELED);
    cora_generator_destroy(generator);
}

/* ---- errors -------------------------------------------------------------------------------- */

TEST(the_error_of_the_body_comes_out_once)
{
    cora_generator *broken = cora_generator_create(count, .from = 1, .to = 2, .error = -EIO);
    int got[4];
    int freed;

    for (int i = 0; i < 4; i++)
        got[i] = next_int(broken);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], -EIO);
    assert_int_equal(got[2], -CORA_ESTOPITERATION);
    assert_int_equal(got[3], -CORA_ESTOPITERATION);
    assert_int_equal(cora_coroutine_outcome(broken), -EIO);
    freed = cora_generator_destroy(broken);
    assert_int_equal(freed, 0);
}

TEST(the_loop_ends_at_an_error_and_the_outcome_tells_it)
{
    cora_generator *broken = cora_generator_create(count, .from = 1, .to = 3, .error = -EIO);
    int visited = 0;

    CORA_FOR_EACH (int *, number, broken)
        visited += *number > 0;
    assert_int_equal(visited, 2);
    assert_int_equal(cora_coroutine_outcome(broken), -EIO);
    cora_generator_destroy(broken);
}

TEST(a_generator_that_could_not_be_made_answers_no_memory)
{
    int visited = 0;
    int next = cora_generator_next(NULL, NULL);
    int sent = cora_generator_send(NULL, NULL, NULL);
    int closed = cora_generator_close(NULL);
    int freed = cora_generator_destroy(NULL);

    CORA_FOR_EACH (int *, number, NULL)
        visited++;
    assert_int_equal(next, -ENOMEM);
    assert_int_equal(sent, -ENOMEM);
    assert_int_equal(closed, -ENOMEM);
    assert_int_equal(freed, 0);
    assert_int_equal(visited, 0);
}

static int resume_itself(void *arg)
{
    cora_generator **self = arg;
    int rc[3];

    rc[0] = cora_generator_next(*self, NULL);
    rc[1] = cora_generator_close(*self);
    rc[2] = cora_generator_destroy(*self);
    return rc[0] == -EBUSY && rc[1] == -EBUSY && rc[2] == -EBUSY ? 1 : 0;
}

TEST(a_running_generator_is_busy)
{
    cora_generator *self = NULL;
    int rc;

    self = cora_generator_create_arg(resume_itself, &self);
    rc = cora_generator_next(self, NULL);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_int_equal(cora_coroutine_outcome(self), 1);
    cora_generator_destroy(self);
}

TEST(yield_outside_a_generator_is_refused)
{
    int rc = cora_generator_yield(NULL, NULL);

    assert_int_equal(rc, -EPERM);
}

/* ---- close --------------------------------------------------------------------------------- */

TEST(close_runs_the_cleanup_and_ends_the_generator)
{
    int cleaned = 0, first, closed, again, next;
    cora_generator *numbers = cora_generator_create(count, .from = 3, .to = 5, .cleaned = &cleaned);

    first = next_int(numbers);
    closed = cora_generator_close(numbers);
    again = cora_generator_close(numbers);
    next = cora_generator_next(numbers, NULL);
    assert_int_equal(first, 3);
    assert_int_equal(closed, 0);
    assert_int_equal(cleaned, 1);
    assert_int_equal(again, 0);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    assert_int_equal(cora_coroutine_state(numbers), CORA_COROUTINE_CLOSED);
    cora_generator_destroy(numbers);
}

TEST(a_generator_closed_before_it_started_has_ended)
{
    cora_generator *numbers = cora_generator_create(count, .from = 3, .to = 5);
    int closed = cora_generator_close(numbers);
    int next = cora_generator_next(numbers, NULL);

    assert_int_equal(closed, 0);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    cora_generator_destroy(numbers);
}

static int fail_in_cleanup(void *arg)
{
    int rc = cora_generator_yield(arg, NULL);

    return rc == -CORA_EGENERATOREXIT ? -EIO : 0;
}

TEST(an_error_of_the_cleanup_comes_out_of_close)
{
    int value, next, closed, again;
    cora_generator *generator = cora_generator_create_arg(fail_in_cleanup, &value);

    next = cora_generator_next(generator, NULL);
    closed = cora_generator_close(generator);
    again = cora_generator_destroy(generator);
    assert_int_equal(next, 0);
    assert_int_equal(closed, -EIO);
    assert_int_equal(again, 0);
}

TEST(an_error_of_the_cleanup_comes_out_of_destroy)
{
    int value, next, freed;
    cora_generator *generator = cora_generator_create_arg(fail_in_cleanup, &value);

    next = cora_generator_next(generator, NULL);
    freed = cora_generator_destroy(generator);
    assert_int_equal(next, 0);
    assert_int_equal(freed, -EIO);
}

static int ignore_close(void *arg)
{
    int *ignored = arg;

    while (*ignored < 100)
        if (cora_generator_yield(arg, NULL) < 0)
            ++*ignored;
    return 0;
}

TEST(a_generator_that_ignores_its_close_is_told_of_and_freed)
{
    int ignored = 0, next, closed, freed;
    cora_generator *stubborn = cora_generator_create_arg(ignore_close, &ignored);

    next = cora_generator_next(stubborn, NULL);
    closed = cora_generator_close(stubborn);
    assert_int_equal(next, 0);
    assert_int_equal(closed, -CORA_EIGNOREDEXIT);
    assert_int_equal(ignored, 1);
    assert_int_equal(cora_coroutine_state(stubborn), CORA_COROUTINE_SUSPENDED);
    next = cora_generator_next(stubborn, NULL);
    assert_int_equal(next, 0);
    freed = cora_generator_destroy(stubborn);
    assert_int_equal(freed, -CORA_EIGNOREDEXIT);
    assert_true(ignored > 1);
}

/* ---- yields from any depth ----------------------------------------------------------------- */

struct node {
    int value;
    struct node *left, *right;
};

struct walk_args {
    struct node *root;
};

/* One generator that recurses by plain calls. */
static int visit(struct node *node)
{
    int rc = 0;

    if (node == NULL)
        return 0;
    rc = visit(node->left);
    if (rc == 0)
        rc = cora_generator_yield(&node->value, NULL);
    return rc == 0 ? visit(node->right) : rc;
}

static int walk(void *arg)
{
    return visit(((struct walk_args *)arg)->root);
}

/* As in Python without yield from: each level is a generator of its own. */
static int walk_by_generators(void *arg)
{
    struct node *node = ((struct walk_args *)arg)->root;
    int rc = 0;

    for (int side = 0; node != NULL && side < 2 && rc == 0; side++) {
        struct walk_args args = {side == 0 ? node->left : node->right};
        cora_generator *inner = cora_generator_create_copy(walk_by_generators, &args, sizeof args);

        CORA_FOR_EACH (int *, value, inner) {
            rc = cora_generator_yield(value, NULL);
            if (rc < 0)
                break;
        }
        cora_generator_destroy(inner);
        if (rc == 0 && side == 0)
            rc = cora_generator_yield(&node->value, NULL);
    }
    return rc;
}

enum { NODES = 15 };

static struct node tree[NODES];

/* A complete binary tree of the numbers `low` to `high`, in order. */
static struct node *plant(int low, int high)
{
    int middle = (low + high) / 2;

    if (low > high)
        return NULL;
    tree[middle] = (struct node){middle, plant(low, middle - 1), plant(middle + 1, high)};
    return &tree[middle];
}

TEST(a_recursive_walk_yields_from_any_depth)
{
    cora_generator *walker = cora_generator_create(walk, .root = plant(0, NODES - 1));
    int expected = 0;

    CORA_FOR_EACH (int *, value, walker) {
        assert_int_equal(*value, expected);
        expected++;
    }
    assert_int_equal(expected, NODES);
    cora_generator_destroy(walker);
}

static int walk_by_generators_from(struct node *root, int most)
{
    struct walk_args args = {root};
    cora_generator *walker = cora_generator_create_copy(walk_by_generators, &args, sizeof args);
    int expected = 0;

    CORA_FOR_EACH (int *, value, walker) {
        assert_int_equal(*value, expected);
        expected++;
        if (expected == most)
            break;
    }
    cora_generator_destroy(walker);
    return expected;
}

TEST(generators_drive_generators)
{
    int visited = walk_by_generators_from(plant(0, NODES - 1), NODES + 1);

    assert_int_equal(visited, NODES);
}

TEST(destroy_of_the_outer_generator_closes_those_that_it_drives)
{
    int visited = walk_by_generators_from(plant(0, NODES - 1), 3);

    assert_int_equal(visited, 3); /* a leak checker sees whether the inner ones are gone */
}

TEST(a_yielded_pointer_into_the_frame_is_valid_until_the_next_resume)
{
    cora_generator *numbers = cora_generator_create(count, .from = 7, .to = 9);
    void *first = NULL, *second = NULL;
    int rc = cora_generator_next(numbers, &first);

    assert_int_equal(rc, 0);
    assert_int_equal(*(int *)first, 7);
    rc = cora_generator_next(numbers, &second);
    assert_int_equal(rc, 0);
    assert_int_equal(*(int *)second, 8);
    cora_generator_destroy(numbers);
}

TEST(two_generators_of_one_function_do_not_disturb_each_other)
{
    cora_generator *low = cora_generator_create(count, .from = 0, .to = 3);
    cora_generator *high = cora_generator_create(count, .from = 10, .to = 13);
    int got[6];

    for (int i = 0; i < 6; i++)
        got[i] = next_int(i % 2 == 0 ? low : high);
    for (int i = 0; i < 6; i++)
        assert_int_equal(got[i], i % 2 == 0 ? i / 2 : 10 + i / 2);
    cora_generator_destroy(low);
    cora_generator_destroy(high);
}

TEST(every_call_accepts_a_generator_that_could_not_be_made)
{
    void *value = &value;
    int visited = 0, rc[7];

    CORA_FOR_EACH (int *, number, NULL)
        visited += *number;
    rc[0] = cora_generator_next(NULL, &value);
    rc[1] = cora_generator_send(NULL, NULL, &value);
    rc[2] = cora_generator_close(NULL);
    rc[3] = cora_coroutine_resume(NULL, NULL, &value);
    rc[4] = cora_coroutine_close(NULL);
    rc[5] = cora_coroutine_outcome(NULL);
    rc[6] = cora_generator_throw(NULL, -EIO, &value);
    for (int i = 0; i < 7; i++)
        assert_int_equal(rc[i], -ENOMEM);
    assert_int_equal(visited, 0);
    assert_ptr_equal(value, &value);
    assert_int_equal(cora_coroutine_state(NULL), CORA_COROUTINE_CLOSED);
    rc[0] = cora_generator_destroy(NULL);
    assert_int_equal(rc[0], 0);
}
