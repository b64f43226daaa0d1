/*
 * CPython's test_asyncgen.py: asynchronous generators on an event loop. ZeroDivisionError is -EDOM
 * here, FooEr -EPIPE; a value is a pointer to it.
 */
#include "support/test.h"
#include "support/virtual.h"

static int done; /* DONE of the original tests */

static const int number[] = {0, 1, 2, 3, 4};

static int yield_number(int value)
{
    return cora_generator_yield((void *)&number[value], NULL);
}

static int sleep_twice(void)
{
    int rc = cora_sleep(0.01);

    return rc < 0 ? rc : cora_sleep(0.01);
}

/* await anext(generator): the number, or the error. */
static int anext(cora_async_generator *generator)
{
    void *value = NULL;
    int rc = cora_async_generator_anext(generator, &value);

    return rc < 0 ? rc : value != NULL ? *(int *)value : 0;
}

static int asend(cora_async_generator *generator, int value)
{
    void *next = NULL;
    int rc = cora_async_generator_asend(generator, &value, &next);

    return rc < 0 ? rc : *(int *)next;
}

/* Runs main with a generator of this body. */
static int run_with(cora_coroutine_fn *body, cora_task_fn *main)
{
    cora_async_generator *generator = cora_async_generator_create_arg(body, NULL);
    int rc = run_virtual(main, generator);

    cora_async_generator_unref(generator);
    return rc;
}

/* ---- values -------------------------------------------------------------------------------- */

/* Yields 1 and 2, and ends with `arg`. */
static int one_two(void *arg)
{
    int rc = yield_number(1);

    if (rc == 0)
        rc = cora_sleep(0.01);
    if (rc == 0)
        rc = yield_number(2);
    if (rc == 0)
        rc = cora_sleep(0.01);
    return rc < 0 ? rc : arg != NULL ? *(int *)arg : 0;
}

/* The values as decimal digits, or the error. */
static int to_list(void *arg)
{
    int rc, list = 0;

    cora_async_for (int *value, cora_async_generator_create_arg(one_two, arg), &rc)
        list = list * 10 + *value;
    return rc < 0 ? rc : list;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_01)
{
    int rc = run_virtual(to_list, NULL);

    assert_int_equal(rc, 12);
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_02)
{
    int error = -EDOM;
    int rc = run_virtual(to_list, &error);

    assert_int_equal(rc, -EDOM);
}

static int one_to_four(void *arg)
{
    int rc = yield_number(1);

    (void)arg;
    if (rc == 0)
        rc = cora_sleep(0.01);
    for (int i = 2; i <= 3 && rc == 0; i++)
        rc = yield_number(i);
    if (rc == -EDOM)
        rc = yield_number(0);
    if (rc == 0)
        rc = cora_sleep(0.01);
    return rc < 0 ? rc : yield_number(4);
}

static int run_anext_04(void *arg)
{
    cora_async_generator *second = cora_async_generator_create_arg(one_to_four, arg);
    void *value = NULL;
    int got[10], thrown;

    for (int i = 0; i < 6; i++)
        got[i] = anext(arg);
    for (int i = 6; i < 8; i++)
        got[i] = anext(second);
    thrown = cora_async_generator_athrow(second, -EDOM, &value);
    for (int i = 8; i < 10; i++)
        got[i] = anext(second);
    for (int i = 0; i < 4; i++)
        assert_int_equal(got[i], i + 1);
    assert_int_equal(got[4], -CORA_ESTOPITERATION);
    assert_int_equal(got[5], -CORA_ESTOPITERATION);
    assert_int_equal(got[6], 1);
    assert_int_equal(got[7], 2);
    assert_int_equal(thrown, 0);
    assert_ptr_equal(value, &number[0]);
    assert_int_equal(got[8], 4);
    assert_int_equal(got[9], -CORA_ESTOPITERATION);
    cora_async_generator_unref(second);
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_anext_04)
{
    int rc = run_with(one_to_four, run_anext_04);

    assert_int_equal(rc, 0);
}

/* What was sent, and then a hundred times what was sent. */
static int times_hundred(void *arg)
{
    int times;
    void *sent = NULL;
    int rc = cora_generator_yield((void *)&number[1], &sent);

    (void)arg;
    if (rc == 0)
        rc = cora_generator_yield(sent, &sent);
    if (rc < 0)
        return rc;
    times = *(int *)sent * 100;
    return cora_generator_yield(&times, NULL);
}

static int run_anext_05(void *arg)
{
    int got[4] = {anext(arg), asend(arg, 10), asend(arg, 12), anext(arg)};

    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 10);
    assert_int_equal(got[2], 1200);
    assert_int_equal(got[3], -CORA_ESTOPITERATION);
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_anext_05)
{
    int rc = run_with(times_hundred, run_anext_05);

    assert_int_equal(rc, 0);
}

/* Yields once, and does not care what becomes of it. */
static int yield_and_pass(void *arg)
{
    int caught = cora_generator_yield(arg, NULL);

    done = 1;
    return caught < 0 ? 0 : caught;
}

static int run_anext_06(void *arg)
{
    int first = anext(arg), second = anext(arg);

    assert_int_equal(first, 0);
    assert_int_equal(second, -CORA_ESTOPITERATION);
    done += 10;
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_anext_06)
{
    int rc = run_with(yield_and_pass, run_anext_06);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 11);
}

/* ---- aclose -------------------------------------------------------------------------------- */

static int run_aclose(void *arg)
{
    int first = anext(arg);

    return first < 0 ? first : cora_async_generator_aclose(arg);
}

static int yield_in_finally(void *arg)
{
    int rc = yield_number(1);
    int slept = cora_sleep(0.01);

    (void)arg;
    return slept < 0 ? slept : rc < 0 ? yield_number(0) : -EDOM;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_aclose_06)
{
    int rc = run_with(yield_in_finally, run_aclose);

    assert_int_equal(rc, -CORA_EIGNOREDEXIT);
}

static int await_in_finally(void *arg)
{
    int rc = yield_number(1);
    int slept = sleep_twice();

    (void)arg;
    done++;
    if (rc == 0)
        done += 1000;
    return slept < 0 ? slept : rc;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_aclose_07)
{
    int rc = run_with(await_in_finally, run_aclose);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

static int await_a_future(void *arg)
{
    cora_future *never = cora_loop_create_future(cora_get_running_loop());
    int rc = yield_number(1), slept;

    (void)arg;
    if (rc == 0)
        rc = cora_await(never);
    if (rc == 0)
        done += 1000;
    cora_future_unref(never);
    slept = sleep_twice();
    done++;
    return slept < 0 ? slept : rc;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_aclose_08)
{
    int rc = run_with(await_a_future, run_aclose);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

static int yield_forever(void *arg)
{
    int rc = 0, slept;

    (void)arg;
    while (rc == 0)
        rc = yield_number(1);
    slept = cora_sleep(0);
    done = 1;
    return slept < 0 ? slept : rc;
}

static int run_gc_aclose_09(void *arg)
{
    cora_async_generator *g = cora_async_generator_create_arg(yield_forever, arg);
    int got[2] = {anext(g), anext(g)}, slept[2];

    cora_async_generator_unref(g);
    for (int i = 0; i < 2; i++)
        slept[i] = cora_sleep(0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got[i], 1);
        assert_int_equal(slept[i], 0);
    }
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_gc_aclose_09)
{
    int rc = run_virtual(run_gc_aclose_09, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_aclose_10)
{
    int rc = run_with(yield_and_pass, run_aclose);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

static int yield_once_more(void *arg)
{
    int caught = cora_generator_yield(arg, NULL);
    int rc = cora_generator_yield(arg, NULL);

    done += rc == 0;
    return rc < 0 ? rc : caught;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_aclose_11)
{
    int rc = run_with(yield_once_more, run_aclose);

    assert_int_equal(rc, -CORA_EIGNOREDEXIT);
    assert_int_equal(done, 0);
}

static int sleep_and_crash(void *arg)
{
    int rc = cora_sleep(0.01);

    (void)arg;
    return rc < 0 ? rc : -EDOM;
}

static int await_a_task_in_finally(void *arg)
{
    cora_task *task = cora_create_task_arg(sleep_and_crash, arg);
    int rc = yield_number(1);

    if (cora_await_unref(task) == -EDOM)
        done = 1;
    return rc;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_aclose_12)
{
    int rc = run_with(await_a_task_in_finally, run_aclose);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

/* ---- asend and athrow ---------------------------------------------------------------------- */

static int cancelled_sleep(void *arg)
{
    cora_task_cancel(cora_current_task());
    (void)arg;
    return cora_sleep(0.01);
}

static int sleep_n_cancel(void)
{
    return cora_await_unref(cora_create_task_arg(cancelled_sleep, NULL));
}

static int sleep_n_crash(void)
{
    return sleep_and_crash(NULL);
}

static int sleep_only(void)
{
    return cora_sleep(0.01);
}

/* Yields 1 and, after `between`, twice what was sent; 2000 after a FooEr, and `between` there. */
static int doubles(int (*between)(void), int (*after_error)(void))
{
    void *sent = NULL;
    int rc = cora_sleep(0.01), slept, twice;

    if (rc == 0)
        rc = cora_generator_yield((void *)&number[1], &sent);
    if (rc == -EPIPE) {
        rc = after_error();
        twice = 2000;
    } else {
        twice = rc == 0 && sent != NULL ? *(int *)sent * 2 : 0;
        if (rc == 0)
            rc = between();
    }
    if (rc == 0)
        rc = cora_generator_yield(&twice, NULL);
    if (rc == 0)
        rc = cora_sleep(0.01);
    slept = sleep_twice();
    done = 1;
    return slept < 0 ? slept : rc;
}

static int doubles_well(void *arg)
{
    (void)arg;
    return doubles(sleep_only, sleep_only);
}

static int run_asend(void *arg)
{
    int first = anext(arg), second = asend(arg, 100), third;

    if (second < 0)
        return second;
    third = anext(arg);
    assert_int_equal(first, 1);
    assert_int_equal(second, 200);
    assert_int_equal(third, -CORA_ESTOPITERATION);
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_asend_01)
{
    int rc = run_with(doubles_well, run_asend);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

static int doubles_with_crash(void *arg)
{
    (void)arg;
    return doubles(sleep_n_crash, sleep_n_crash);
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_asend_02)
{
    int rc = run_with(doubles_with_crash, run_asend);

    assert_int_equal(rc, -EDOM);
    assert_int_equal(done, 1);
}

static int doubles_with_cancel(void *arg)
{
    (void)arg;
    return doubles(sleep_n_cancel, sleep_n_cancel);
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_asend_03)
{
    int rc = run_with(doubles_with_cancel, run_asend);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(done, 1);
}

static int run_athrow(void *arg)
{
    void *value = NULL;
    int first = anext(arg), thrown = cora_async_generator_athrow(arg, -EPIPE, &value), third;

    assert_int_equal(first, 1);
    if (thrown < 0)
        return done == 1 ? thrown : -EINVAL;
    assert_int_equal(*(int *)value, 2000);
    third = anext(arg);
    assert_int_equal(third, -CORA_ESTOPITERATION);
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_athrow_01)
{
    int rc = run_with(doubles_well, run_athrow);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 1);
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_athrow_02)
{
    int rc = run_with(doubles_with_cancel, run_athrow);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(done, 1);
}

static int run_athrow_03(void *arg)
{
    int first = anext(arg), thrown = cora_async_generator_athrow(arg, -EINVAL, NULL);

    assert_int_equal(first, 0);
    assert_int_equal(thrown, -CORA_ESTOPITERATION);
    done += 10;
    return 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_athrow_03)
{
    int rc = run_with(yield_and_pass, run_athrow_03);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 11);
}

/* ---- shutdown ------------------------------------------------------------------------------ */

static int waiter(void *arg)
{
    int rc = cora_sleep(1), slept;

    if (rc == 0)
        rc = cora_generator_yield(arg, NULL);
    slept = cora_sleep(0);
    done++;
    return slept < 0 ? slept : rc;
}

static int wait_for_one(void *arg)
{
    int rc;

    cora_async_for (void *item, cora_async_generator_create_arg(waiter, arg), &rc)
        assert_ptr_equal(item, arg);
    return rc;
}

static int run_shutdown_01(void *arg)
{
    cora_task *tasks[2] = {cora_create_task_arg(wait_for_one, arg),
                           cora_create_task_arg(wait_for_one, arg)};
    int slept = cora_sleep(0.1), outcome[2], rc;

    for (int i = 0; i < 2; i++)
        cora_task_cancel(tasks[i]);
    for (int i = 0; i < 2; i++)
        outcome[i] = cora_await_unref(tasks[i]);
    rc = cora_loop_shutdown_asyncgens(cora_get_running_loop());
    assert_int_equal(slept, 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
    return rc;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_shutdown_01)
{
    int rc = run_virtual(run_shutdown_01, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(done, 2);
}

static int take_one(void *arg)
{
    int first = anext(arg);

    assert_int_equal(first, 1);
    return 0;
}

/* async for ... break, with a generator that others refer to: here anext. */
TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_shutdown_02)
{
    int rc = run_with(one_two, take_one);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int crash_in_finally(void *arg)
{
    int rc = yield_number(1);

    (void)arg;
    if (rc == 0)
        rc = yield_number(2);
    return rc < 0 ? -EDOM : 0;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_shutdown_exception_01)
{
    int rc = run_with(crash_in_finally, take_one);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EDOM);
    assert_non_null(
        strstr(reports.message, "an error occurred during closing of the asynchronous generator"));
}

static int take_one_and_drop(void *arg)
{
    cora_async_generator *g = cora_async_generator_create_arg(crash_in_finally, arg);
    int rc = take_one(g);

    cora_async_generator_unref(g);
    return rc;
}

TEST(AsyncGenAsyncioTest_test_async_gen_asyncio_shutdown_exception_02)
{
    int rc = run_virtual(take_one_and_drop, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EDOM);
}

static int take_one_of_two_and_drop(void *arg)
{
    cora_async_generator *g = cora_async_generator_create_arg(one_two, arg);
    int rc = take_one(g);

    cora_async_generator_unref(g);
    return rc;
}

TEST(AsyncGenAsyncioTest_test_asyncgen_nonstarted_hooks_are_cancellable)
{
    int rc = run_virtual(take_one_of_two_and_drop, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- closed again -------------------------------------------------------------------------- */

static int run_aclose_twice(void *arg)
{
    int first = cora_async_generator_aclose(arg), second = cora_async_generator_aclose(arg);

    assert_int_equal(first, 0);
    return second;
}

TEST(AsyncGenAsyncioTest_test_async_gen_aclose_twice_with_different_coros)
{
    int rc = run_with(one_two, run_aclose_twice);

    assert_int_equal(rc, 0);
}

static int run_aclose_after_exhaustion(void *arg)
{
    int rc;

    cora_async_for (int *value, cora_async_generator_ref(arg), &rc)
        assert_true(*value > 0);
    return rc < 0 ? rc : cora_async_generator_aclose(arg);
}

TEST(AsyncGenAsyncioTest_test_async_gen_aclose_after_exhaustion)
{
    int rc = run_with(one_two, run_aclose_after_exhaustion);

    assert_int_equal(rc, 0);
}
