/* The barrier's rules of use; its schedules are searched by tests/model. */
#include "support/test.h"
#include "support/virtual.h"

TEST(a_barrier_needs_a_party)
{
    cora_barrier barrier, before;
    int rc;

    memset(&barrier, 7, sizeof barrier);
    before = barrier;
    rc = cora_barrier_init(&barrier, 0);
    assert_int_equal(rc, -EINVAL);
    rc = cora_barrier_init(&barrier, -3);
    assert_int_equal(rc, -EINVAL);
    assert_memory_equal(&barrier, &before, sizeof barrier);
}

TEST(outside_a_task_only_the_last_party_passes)
{
    cora_barrier barrier;
    int rc = cora_barrier_init(&barrier, 1);

    assert_int_equal(rc, 0);
    assert_int_equal(cora_barrier_parties(&barrier), 1);
    rc = cora_barrier_wait(&barrier);
    assert_int_equal(rc, 0);
    rc = cora_barrier_init(&barrier, 2);
    assert_int_equal(rc, 0);
    rc = cora_barrier_wait(&barrier);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0); /* and does not count */
    rc = cora_barrier_abort(&barrier);
    assert_int_equal(rc, 0);
    assert_true(cora_barrier_broken(&barrier));
    rc = cora_barrier_wait(&barrier);
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    rc = cora_barrier_reset(&barrier);
    assert_int_equal(rc, 0);
    assert_false(cora_barrier_broken(&barrier));
}

static int pass(void *arg)
{
    return cora_barrier_wait(arg);
}

/* One who has come is cancelled, and the number of the next is his. */
static int replace_one(void *arg)
{
    const int expected[] = {-ECANCELED, 1, 1, 2};
    cora_barrier barrier;
    cora_task *tasks[4];
    int results[4], rc;

    (void)arg;
    rc = cora_barrier_init(&barrier, 3);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        tasks[i] = cora_create_task_arg(pass, &barrier);
        for (int hops = 0; hops < 3; hops++) {
            rc = cora_sleep(0);
            assert_int_equal(rc, 0);
            if (i == 1)
                cora_task_cancel(tasks[0]);
        }
    }
    rc = cora_gather(tasks, 4, results, CORA_RETURN_EXCEPTIONS);
    assert_int_equal(rc, 0);
    assert_memory_equal(results, expected, sizeof results);
    for (int i = 0; i < 4; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(who_replaces_a_cancelled_one_may_have_anothers_number)
{
    int rc = run_virtual(replace_one, NULL);

    assert_int_equal(rc, 0);
}
