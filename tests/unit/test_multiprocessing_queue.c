/* A queue between processes, of which some are killed. */
#include "support/children.h"
#include "support/socket.h"
#include "support/test.h"

#include "multiprocessing/queue.h"

#include <cora/error.h>

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static cora_multiprocessing_queue *queue;

static void make_queue(size_t maxsize, size_t memory)
{
    int rc = cora_multiprocessing_queue_create(maxsize, memory, &queue);

    assert_int_equal(rc, 0);
}

static void assert_put(const void *data, size_t size)
{
    int rc = cora_multiprocessing_queue_put(queue, data, size, INFINITY);

    assert_int_equal(rc, 0);
}

static void assert_get(const void *expected, size_t size)
{
    void *data = NULL;
    ssize_t got = cora_multiprocessing_queue_get(queue, &data, INFINITY);

    assert_int_equal(got, size);
    assert_memory_equal(data, expected, size);
    free(data);
}

/* ---- items --------------------------------------------------------------------------------- */

TEST(items_come_out_as_they_went_in)
{
    make_queue(0, 0);
    assert_true(cora_multiprocessing_queue_empty(queue));
    assert_put("one", 3);
    assert_put("", 0);
    assert_put(NULL, 0);
    assert_put("three", 6);
    assert_int_equal(cora_multiprocessing_queue_qsize(queue), 4);
    assert_false(cora_multiprocessing_queue_empty(queue));
    assert_get("one", 3);
    assert_get("", 0);
    assert_get("", 0);
    assert_get("three", 6);
    assert_true(cora_multiprocessing_queue_empty(queue));
    cora_multiprocessing_queue_free(queue);
    cora_multiprocessing_queue_free(NULL);
}

/* The ring is so small that items, and their headers, are in two pieces at every place. */
TEST(items_are_whole_wherever_the_ring_ends)
{
    char item[40], name[40];

    make_queue(0, 101);
    for (int i = 0; i < 3; i++)
        assert_put("fill", 4);
    for (int i = 0; i < 300; i++) {
        int length = snprintf(item, sizeof item, "item %d", i);

        assert_get(i < 3 ? "fill" : name, i < 3 ? 4 : strlen(name));
        assert_put(item, (size_t)length);
        if (i == 2)
            snprintf(name, sizeof name, "item 0");
        else if (i > 2)
            snprintf(name, sizeof name, "item %d", i - 2);
    }
    cora_multiprocessing_queue_free(queue);
}

TEST(an_item_that_does_not_fit_into_the_buffer_stays)
{
    char buffer[8] = "....";
    ssize_t size;

    make_queue(0, 0);
    assert_put("hello", 5);
    size = cora_multiprocessing_queue_get_into(queue, buffer, 4, INFINITY);
    assert_int_equal(size, -EMSGSIZE);
    assert_string_equal(buffer, "....");
    assert_int_equal(cora_multiprocessing_queue_qsize(queue), 1);
    size = cora_multiprocessing_queue_get_into(queue, buffer, 5, INFINITY);
    assert_int_equal(size, 5);
    assert_memory_equal(buffer, "hello", 5);
    cora_multiprocessing_queue_free(queue);
}

TEST(a_queue_without_an_item_or_without_room_is_waited_for_no_longer_than_allowed)
{
    void *data = &data;
    ssize_t size;
    int rc;

    make_queue(2, 0);
    size = cora_multiprocessing_queue_get(queue, &data, 0);
    assert_int_equal(size, -CORA_EQUEUEEMPTY);
    size = cora_multiprocessing_queue_get(queue, &data, 0.001);
    assert_int_equal(size, -CORA_EQUEUEEMPTY);
    size = cora_multiprocessing_queue_get(queue, &data, NAN);
    assert_int_equal(size, -EINVAL);
    assert_ptr_equal(data, &data);
    assert_put("1", 1);
    assert_false(cora_multiprocessing_queue_full(queue));
    assert_put("2", 1);
    assert_true(cora_multiprocessing_queue_full(queue));
    rc = cora_multiprocessing_queue_put(queue, "3", 1, 0);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    rc = cora_multiprocessing_queue_put(queue, "3", 1, 0.001);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    rc = cora_multiprocessing_queue_put(queue, "3", 1, NAN);
    assert_int_equal(rc, -EINVAL);
    assert_get("1", 1);
    assert_put("3", 1);
    assert_get("2", 1);
    assert_get("3", 1);
    cora_multiprocessing_queue_free(queue);
}

TEST(a_queue_is_full_also_of_bytes)
{
    static const char item[200];
    int rc;

    make_queue(0, 100);
    rc = cora_multiprocessing_queue_put(queue, item, 85, 0);
    assert_int_equal(rc, -EMSGSIZE);
    rc = cora_multiprocessing_queue_put(queue, item, SIZE_MAX, 0);
    assert_int_equal(rc, -EMSGSIZE);
    assert_put(item, 84);
    rc = cora_multiprocessing_queue_put(queue, item, 0, 0);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    assert_get(item, 84);
    assert_put(item, 34);
    assert_put(item, 34);
    rc = cora_multiprocessing_queue_put(queue, item, 0, 0);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    cora_multiprocessing_queue_free(queue);
    rc = cora_multiprocessing_queue_create(0, SIZE_MAX, &queue);
    assert_int_equal(rc, -ENOMEM);
}

/* Pages of it that are in memory. */
static size_t resident(void)
{
    size_t pages = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %zu %zu", &pages, &shared), 2);
    fclose(file);
    return shared;
}

TEST(what_a_queue_had_at_its_peak_goes_back)
{
    enum { MIB = 1 << 20, PAGES_OF_8_MIB = 2048 };
    char *item = calloc(1, MIB);
    size_t before, peak;

    if (getenv("CORA_EMULATED") != NULL || sysconf(_SC_PAGESIZE) != 4096) {
        free(item);
        return;
    }
    make_queue(0, 0);
    before = resident();
    for (int i = 0; i < 8; i++)
        assert_put(item, MIB);
    peak = resident();
    assert_true(peak >= before + PAGES_OF_8_MIB);
    for (int i = 0; i < 8; i++)
        assert_get(item, MIB);
    assert_put("x", 1);
    assert_true(resident() <= peak - PAGES_OF_8_MIB * 3 / 4);
    assert_get("x", 1);
    cora_multiprocessing_queue_free(queue);
    free(item);
}

/* ---- many processes ------------------------------------------------------------------------ */

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 300 };

struct job {
    int producer, number;
    char filling[50];
};

static int produce(void *arg)
{
    struct job job = {.producer = *(int *)arg};
    int rc = 0;

    for (; job.number < EACH && rc == 0; job.number++)
        rc = cora_multiprocessing_queue_put(queue, &job, sizeof job - (size_t)(job.number % 50),
                                            INFINITY);
    return rc;
}

/* How often each job has come, and to whom. */
static struct tally {
    int times[PRODUCERS][EACH];
    int taken;
} * tally;

static int consume(void *arg)
{
    int last[PRODUCERS];

    (void)arg;
    memset(last, -1, sizeof last);
    while (true) {
        struct job job;
        ssize_t size = cora_multiprocessing_queue_get_into(queue, &job, sizeof job, INFINITY);

        if (size <= 0)
            return size == 0 ? 0 : (int)size;
        if ((size_t)size != sizeof job - (size_t)(job.number % 50) ||
            job.number <= last[job.producer])
            return 1;
        last[job.producer] = job.number;
        __atomic_add_fetch(&tally->times[job.producer][job.number], 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&tally->taken, 1, __ATOMIC_SEQ_CST);
        if (cora_multiprocessing_queue_task_done(queue) < 0)
            return 2;
    }
}

static void pass_jobs(size_t maxsize, size_t memory)
{
    static int numbers[PRODUCERS] = {0, 1, 2};
    cora_multiprocessing_process *producers[PRODUCERS], *consumers[CONSUMERS];
    int rc;

    tally = share(sizeof *tally);
    make_queue(maxsize, memory);
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = start_child(consume, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = start_child(produce, &numbers[i]);
    for (int i = 0; i < PRODUCERS; i++) {
        rc = finish_child(producers[i]);
        assert_int_equal(rc, 0);
    }
    rc = cora_multiprocessing_queue_join(queue, INFINITY);
    assert_int_equal(rc, 0);
    for (int i = 0; i < CONSUMERS; i++)
        assert_put("", 0);
    for (int i = 0; i < CONSUMERS; i++) {
        rc = finish_child(consumers[i]);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(tally->taken, PRODUCERS * EACH);
    for (int i = 0; i < PRODUCERS * EACH; i++)
        assert_int_equal(tally->times[i / EACH][i % EACH], 1);
    cora_multiprocessing_queue_free(queue);
}

TEST(each_item_goes_to_one_of_many_consumers_in_order)
{
    pass_jobs(0, 0);
}

TEST(producers_wait_for_room)
{
    pass_jobs(2, 0);
    pass_jobs(0, 200);
}

/* ---- JoinableQueue ------------------------------------------------------------------------- */

TEST(join_waits_for_the_work_and_not_only_for_the_items)
{
    int rc;

    make_queue(0, 0);
    rc = cora_multiprocessing_queue_join(queue, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_queue_task_done(queue), -CORA_EINVALIDSTATE);
    assert_put("x", 1);
    assert_get("x", 1);
    rc = cora_multiprocessing_queue_join(queue, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_queue_join(queue, 0.001);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_queue_join(queue, NAN);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(cora_multiprocessing_queue_task_done(queue), 0);
    rc = cora_multiprocessing_queue_join(queue, INFINITY);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_queue_task_done(queue), -CORA_EINVALIDSTATE);
    cora_multiprocessing_queue_free(queue);
}

static int join(void *arg)
{
    (void)arg;
    return cora_multiprocessing_queue_join(queue, INFINITY);
}

TEST(who_waits_for_the_work_is_woken_when_it_is_done)
{
    cora_multiprocessing_process *waiting;
    int exitcode;

    make_queue(0, 0);
    assert_put("x", 1);
    assert_get("x", 1);
    waiting = start_child(join, NULL);
    await_sleep(cora_multiprocessing_process_pid(waiting));
    assert_int_equal(cora_multiprocessing_queue_task_done(queue), 0);
    exitcode = finish_child(waiting);
    assert_int_equal(exitcode, 0);
    cora_multiprocessing_queue_free(queue);
}

/* ---- who is killed ------------------------------------------------------------------------- */

static int wait_for_an_item(void *arg)
{
    char buffer[100];
    ssize_t size = cora_multiprocessing_queue_get_into(queue, buffer, sizeof buffer, INFINITY);

    (void)arg;
    return size < 0 ? (int)size : 0;
}

TEST(a_consumer_that_is_killed_while_it_waits_holds_up_nobody)
{
    make_queue(0, 0);
    for (int i = 0; i < 4; i++) {
        cora_multiprocessing_process *killed = start_child(wait_for_an_item, NULL);
        cora_multiprocessing_process *waiting = start_child(wait_for_an_item, NULL);
        int exitcode;

        await_sleep(cora_multiprocessing_process_pid(killed));
        await_sleep(cora_multiprocessing_process_pid(waiting));
        kill_child(killed);
        assert_put("item", 4);
        exitcode = finish_child(waiting);
        assert_int_equal(exitcode, 0);
    }
    cora_multiprocessing_queue_free(queue);
}

/* As one who is killed in add, or in take, between its two stores: with the lock. */
static int die_in_put(void *arg)
{
    (void)arg;
    if (cora_multiprocessing_lock_acquire(&queue->lock, INFINITY) == 0)
        queue->put--;
    return raise(SIGKILL);
}

static int die_in_get(void *arg)
{
    (void)arg;
    if (cora_multiprocessing_lock_acquire(&queue->lock, INFINITY) == 0)
        queue->got--;
    return raise(SIGKILL);
}

TEST(what_one_who_was_killed_has_not_counted_is_counted_again)
{
    int rc;

    if (getenv("CORA_EMULATED") != NULL)
        return; /* qemu-user has no robust mutexes */
    make_queue(2, 0);
    assert_put("1", 1);
    rc = run_child(die_in_put, NULL);
    assert_int_equal(rc, -SIGKILL);
    assert_put("2", 1);
    assert_int_equal(cora_multiprocessing_queue_qsize(queue), 2);
    rc = cora_multiprocessing_queue_put(queue, "3", 1, 0);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    assert_get("1", 1);
    rc = run_child(die_in_get, NULL);
    assert_int_equal(rc, -SIGKILL);
    assert_put("3", 1);
    assert_int_equal(cora_multiprocessing_queue_qsize(queue), 2);
    assert_get("2", 1);
    assert_get("3", 1);
    rc = run_child(die_in_get, NULL);
    assert_int_equal(rc, -SIGKILL);
    assert_put("4", 1);
    assert_put("5", 1);
    assert_int_equal(cora_multiprocessing_queue_qsize(queue), 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cora_multiprocessing_queue_task_done(queue), 0);
    assert_int_equal(cora_multiprocessing_queue_task_done(queue), -CORA_EINVALIDSTATE);
    cora_multiprocessing_queue_free(queue);
}

/* Puts and gets until it is killed, at whatever place. */
static int put_and_get(void *arg)
{
    static char item[2000];
    void *data;
    ssize_t size;

    (void)arg;
    for (size_t i = 0;; i++) {
        memset(item, (int)(i % 256), sizeof item);
        if (cora_multiprocessing_queue_put(queue, item, i * 7 % sizeof item, INFINITY) < 0)
            return 1;
        size = cora_multiprocessing_queue_get(queue, &data, INFINITY);
        if (size < 0)
            return 2;
        for (ssize_t k = 1; k < size; k++)
            if (((char *)data)[k] != ((char *)data)[0])
                return 3;
        free(data);
    }
}

/* Each takes at most one item with it that it had got, and leaves at most one more than it took. */
TEST(processes_that_are_killed_at_any_moment_leave_the_queue_whole)
{
    enum { VICTIMS = 40 };
    cora_multiprocessing_process *bystander;
    size_t size, count = 0;
    void *data;

    if (getenv("CORA_EMULATED") != NULL)
        return; /* qemu-user has no robust mutexes */
    make_queue(0, 5000);
    bystander = start_child(put_and_get, NULL);
    for (int i = 0; i < VICTIMS; i++) {
        cora_multiprocessing_process *victim = start_child(put_and_get, NULL);
        bool ready;
        int rc, sentinel = cora_multiprocessing_process_sentinel(victim);

        rc = cora_multiprocessing_wait(&sentinel, 1, 0.0005 * (i % 10), &ready);
        assert_int_equal(rc, 0);
        kill_child(victim);
        while (cora_multiprocessing_queue_get(queue, &data, 0) >= 0)
            free(data);
    }
    assert_true(cora_multiprocessing_process_is_alive(bystander));
    kill_child(bystander);
    assert_put("a", 1);
    size = cora_multiprocessing_queue_qsize(queue);
    while (cora_multiprocessing_queue_get(queue, &data, 0) >= 0) {
        count++;
        free(data);
    }
    assert_int_equal(count, size);
    assert_int_equal(cora_multiprocessing_queue_qsize(queue), 0);
    cora_multiprocessing_queue_free(queue);
}
