/*
 * The queue: what is put in comes out, once and in order; nobody sleeps for an item or for room
 * that is there, nor for work that is done, nor after the end.
 */
#include "model/checker.h"

enum { PUT, GET, TASK_DONE, JOIN, SHUTDOWN, SHUTDOWN_NOW };
enum { WORK_WAS_DONE }; /* the mark of a join since whose start no work was left, if only once */
enum { MOST_ITEMS = 16 };

static cora_queue queue;
static const struct operation *items[MOST_ITEMS]; /* an item is the operation that has put it */
static int first, last, maxsize, unfinished;
static bool ended;

static void begin(void)
{
    maxsize = choose(3);
    cora_queue_init(&queue, (size_t)maxsize);
    first = last = unfinished = 0;
    ended = false;
}

static bool is_full(void)
{
    return maxsize > 0 && last - first >= maxsize;
}

static void finish(int count)
{
    unfinished -= count;
    for (struct operation *op = first_asleep(JOIN); op != NULL; op = next_asleep(op))
        op->marks[WORK_WAS_DONE] |= unfinished == 0;
}

static int put(struct operation *operation)
{
    int rc = cora_queue_put(&queue, operation);

    if (rc == 0) {
        expect(!ended && !is_full(), "an item is put where there is room, before the end");
        items[last++] = operation;
        unfinished++;
    } else if (rc != -ECANCELED) {
        expect(rc == -CORA_EQUEUESHUTDOWN && ended, "a put fails only after the end");
    }
    return rc;
}

static int get(void)
{
    void *item = NULL;
    int rc = cora_queue_get(&queue, &item);

    if (rc == 0)
        expect(first < last && item == items[first++], "the item that was put first comes first");
    else if (rc != -ECANCELED)
        expect(rc == -CORA_EQUEUESHUTDOWN && ended && first == last,
               "a get fails only after the end, when nothing is left");
    return rc;
}

static int task_done(void)
{
    int rc = cora_queue_task_done(&queue);

    expect(rc == (unfinished > 0 ? 0 : -CORA_EINVALIDSTATE), "only work that is left can be done");
    if (rc == 0)
        finish(1);
    return rc;
}

static int join(struct operation *operation)
{
    int rc;

    operation->marks[WORK_WAS_DONE] = unfinished == 0;
    rc = cora_queue_join(&queue);
    expect(rc < 0 || operation->marks[WORK_WAS_DONE], "a join comes back when the work is done");
    return rc;
}

static int shut_down(bool immediate)
{
    cora_queue_shutdown(&queue, immediate);
    ended = true;
    if (immediate) {
        int dropped = last - first;

        first = last;
        finish(dropped < unfinished ? dropped : unfinished);
    }
    return 0;
}

static int call(struct operation *operation)
{
    switch (operation->kind) {
    case PUT:
        return put(operation);
    case GET:
        return get();
    case TASK_DONE:
        return task_done();
    case JOIN:
        return join(operation);
    default:
        return shut_down(operation->kind == SHUTDOWN_NOW);
    }
}

static void check(void)
{
    expect(cora_queue_qsize(&queue) == (size_t)(last - first), "a queue knows its size");
    expect(cora_queue_full(&queue) == is_full(), "a queue knows whether it is full");
}

static void idle(void)
{
    expect(count_asleep(GET) == 0 || (first == last && !ended), "nobody sleeps for what is there");
    expect(count_asleep(PUT) == 0 || (is_full() && !ended), "nobody sleeps while there is room");
    for (struct operation *op = first_asleep(JOIN); op != NULL; op = next_asleep(op))
        expect(!op->marks[WORK_WAS_DONE], "nobody sleeps when the work is done");
}

static void end(void)
{
    cora_queue_destroy(&queue);
}

static void check_queue(const char *name, int count, struct bounds bounds)
{
    static const char *const kinds[] = {"put",  "get",      "task_done",
                                        "join", "shutdown", "shutdown immediately"};
    const struct model model = {
        .name = name,
        .kinds = kinds,
        .count = count,
        .begin = begin,
        .call = call,
        .check = check,
        .idle = idle,
        .end = end,
    };

    check_model(&model, bounds);
}

TEST(every_schedule_of_puts_and_gets)
{
    check_queue("queue, put and get", GET + 1,
                (struct bounds){.tasks = 4, .operations = 6, .cancellations = 2});
}

TEST(every_schedule_of_a_queue_with_work_and_joins)
{
    check_queue("queue, work", JOIN + 1,
                (struct bounds){.tasks = 4, .operations = 6, .cancellations = 1});
}

TEST(every_schedule_of_a_queue_that_is_shut_down)
{
    check_queue("queue, all", SHUTDOWN_NOW + 1,
                (struct bounds){.tasks = 4, .operations = 6, .cancellations = 1});
}
