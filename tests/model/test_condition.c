/*
 * The condition: who comes back from a wait holds the lock, alone; and a notification wakes
 * somebody, whoever of those who wait is cancelled.
 */
#include "model/checker.h"

enum { WAIT, ACQUIRE, RELEASE, NOTIFY, NOTIFY_ALL };
enum { WAITS }; /* the mark of one who has got from the acquire to the wait */

static cora_condition condition;
static bool held;
static int owed;     /* wake-ups that a notification has promised, and nobody has had yet */
static int spurious; /* wake-ups that one who was cancelled may have passed on unasked */

static void begin(void)
{
    cora_condition_init(&condition, NULL);
    held = false;
    owed = spurious = 0;
}

static int count_waiting(void)
{
    int count = 0;

    for (struct operation *op = first_asleep(WAIT); op != NULL; op = next_asleep(op))
        count += op->marks[WAITS] && !op->cancelled;
    return count;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int acquire(void)
{
    int rc = cora_condition_acquire(&condition);

    if (rc == 0) {
        expect(!held, "the lock is held by one");
        held = true;
    }
    return rc;
}

static int release(void)
{
    held = false;
    return cora_condition_release(&condition);
}

/* The program of everyone who waits; it comes back with the lock, unless it never got it. */
static int acquire_and_wait(struct operation *operation)
{
    int rc = acquire();

    if (rc < 0)
        return rc;
    held = false;
    operation->marks[WAITS] = true;
    rc = cora_condition_wait(&condition);
    operation->marks[WAITS] = false;
    expect(!held, "who comes back from the wait holds the lock alone");
    held = true;
    if (rc == 0) {
        expect(owed + spurious > 0, "who is woken was notified");
        if (owed > 0)
            owed--;
        else
            spurious--;
    } else {
        spurious++;
    }
    owed = smaller(owed, count_waiting()); /* where nobody is left it is not kept */
    return rc;
}

static int notify(int count)
{
    int rc =
        count == 1 ? cora_condition_notify(&condition, 1) : cora_condition_notify_all(&condition);

    owed = smaller(owed + count, count_waiting());
    return rc;
}

static int call(struct operation *operation)
{
    int rc;

    switch (operation->kind) {
    case WAIT:
        return acquire_and_wait(operation);
    case ACQUIRE:
        return acquire();
    case RELEASE:
        rc = release();
        break;
    default:
        rc = notify(operation->kind == NOTIFY ? 1 : 100);
    }
    expect(rc == 0, "who holds the lock may release and notify");
    return rc;
}

static bool allowed(int kind)
{
    return kind == WAIT || kind == ACQUIRE || held;
}

static void check(void)
{
    expect(cora_condition_locked(&condition) == held, "a condition knows whether it is locked");
}

static void idle(void)
{
    if (held)
        return;
    expect(count_asleep(ACQUIRE) == 0, "nobody sleeps for a free lock");
    for (struct operation *op = first_asleep(WAIT); op != NULL; op = next_asleep(op))
        expect(op->marks[WAITS] && !op->cancelled, "who sleeps with the lock free waits");
    expect(owed == 0 || count_waiting() == 0, "nobody sleeps through a notification");
}

static void let_go(void)
{
    if (held)
        (void)release();
}

TEST(every_schedule_of_a_condition)
{
    static const char *const kinds[] = {"wait", "acquire", "release", "notify", "notify_all"};
    static const struct model model = {
        .name = "condition",
        .kinds = kinds,
        .count = 5,
        .begin = begin,
        .allowed = allowed,
        .call = call,
        .check = check,
        .idle = idle,
        .let_go = let_go,
    };

    check_model(&model, (struct bounds){.tasks = 4, .operations = 6, .cancellations = 1});
    check_model(&model, (struct bounds){.tasks = 4, .operations = 5, .cancellations = 2});
}
