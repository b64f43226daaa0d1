/* The event: whoever sleeps when it is set is woken, even if it is cleared before he runs. */
#include "model/checker.h"

enum { WAIT, SET, CLEAR };
enum { HAS_HEARD }; /* the mark of a wait since whose start the event has been set */

static cora_event event;
static bool is_set;

static void begin(void)
{
    cora_event_init(&event);
    is_set = false;
}

static int wait_for_it(struct operation *operation)
{
    int rc;

    operation->marks[HAS_HEARD] = is_set;
    rc = cora_event_wait(&event);
    expect(rc < 0 || operation->marks[HAS_HEARD], "who is woken was told of the event");
    return rc;
}

static int set(void)
{
    cora_event_set(&event);
    is_set = true;
    for (struct operation *op = first_asleep(WAIT); op != NULL; op = next_asleep(op))
        op->marks[HAS_HEARD] = true;
    return 0;
}

static int clear(void)
{
    cora_event_clear(&event);
    is_set = false;
    return 0;
}

static int call(struct operation *operation)
{
    if (operation->kind == WAIT)
        return wait_for_it(operation);
    return operation->kind == SET ? set() : clear();
}

static void check(void)
{
    expect(cora_event_is_set(&event) == is_set, "an event knows whether it is set");
}

static void idle(void)
{
    for (struct operation *op = first_asleep(WAIT); op != NULL; op = next_asleep(op))
        expect(!op->marks[HAS_HEARD], "nobody sleeps through the event");
}

TEST(every_schedule_of_an_event)
{
    static const char *const kinds[] = {"wait", "set", "clear"};
    static const struct model model = {
        .name = "event",
        .kinds = kinds,
        .count = 3,
        .begin = begin,
        .call = call,
        .check = check,
        .idle = idle,
    };

    check_model(&model, (struct bounds){.tasks = 4, .operations = 6, .cancellations = 2});
}
