/* CPython's test_threading_local.py: data of which each thread has its own. */
#include "support/bunch.h"
#include "support/test.h"

static struct counter inits = COUNTER_INIT, ends = COUNTER_INIT;

struct data {
    int x;
    int number; /* in the order of their init */
};

static int init(void *arg)
{
    struct data *data = arg;

    data->x = 7;
    data->number = counter_add(&inits, 1);
    return 0;
}

static void end(void *data)
{
    (void)data;
    counter_add(&ends, 1);
}

static void must_init(cora_threading_local *local, int (*init_data)(void *data))
{
    int rc = cora_threading_local_init(local, sizeof(struct data), init_data, end);

    assert_int_equal(rc, 0);
}

static int use(void *local)
{
    struct data *data = cora_threading_local_get(local);

    check(data != NULL);
    check(data == cora_threading_local_get(local));
    return 0;
}

/* The data goes with its thread. */
TEST(ThreadLocalTest_test_local_refs)
{
    cora_threading_local local;

    must_init(&local, NULL);
    run_bunch(20, use, &local);
    assert_int_equal(counter_get(&ends), 20);
    use(&local);
    cora_threading_local_destroy(&local);
    assert_int_equal(counter_get(&ends), 21);
}

struct meeting {
    cora_threading_local local;
    struct counter arrived;
};

/* Nobody sees what another has set. */
static int set_and_see(void *arg)
{
    struct meeting *meeting = arg;
    struct data *data = cora_threading_local_get(&meeting->local);

    check(data->x == 0);
    data->x = counter_add(&meeting->arrived, 1);
    counter_await(&meeting->arrived, 10);
    data = cora_threading_local_get(&meeting->local);
    check(data->x > 0);
    counter_add(&meeting->arrived, data->x);
    return 0;
}

TEST(ThreadLocalTest_test_threading_local)
{
    struct meeting meeting = {.arrived = COUNTER_INIT};

    must_init(&meeting.local, NULL);
    run_bunch(10, set_and_see, &meeting);
    assert_int_equal(counter_get(&meeting.arrived), 10 + 55);
    cora_threading_local_destroy(&meeting.local);
}

/* Each thread's is made by init, at its first use. */
static int see_init(void *arg)
{
    struct data *data = cora_threading_local_get(arg);

    check(data->x == 7);
    check(data->number >= 2);
    data->x = 8;
    data = cora_threading_local_get(arg);
    check(data->x == 8);
    return 0;
}

TEST(ThreadLocalTest_test_derived)
{
    cora_threading_local local;
    struct data *mine;

    must_init(&local, init);
    assert_int_equal(counter_get(&inits), 0);
    mine = cora_threading_local_get(&local);
    assert_int_equal(mine->number, 1);
    run_bunch(5, see_init, &local);
    assert_int_equal(counter_get(&inits), 6);
    assert_int_equal(mine->x, 7);
    cora_threading_local_destroy(&local);
}

static int refuse(void *data)
{
    (void)data;
    counter_add(&inits, 1);
    return -EIO;
}

/* What its init refuses there is not. */
TEST(ThreadLocalTest_test_arguments)
{
    cora_threading_local local;

    must_init(&local, refuse);
    assert_null(cora_threading_local_get(&local));
    assert_null(cora_threading_local_get(&local));
    assert_int_equal(counter_get(&inits), 2);
    cora_threading_local_destroy(&local);
    assert_int_equal(counter_get(&ends), 0);
}
