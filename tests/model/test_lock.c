/* The lock: held by one, handed on in order, and never free while somebody sleeps for it. */
#include "model/checker.h"

enum { ACQUIRE, RELEASE };

static cora_lock lock;
static bool held;

static void begin(void)
{
    cora_lock_init(&lock);
    held = false;
}

static int acquire(struct operation *operation)
{
    int rc = cora_lock_acquire(&lock);

    if (rc == 0) {
        expect(!held, "a lock is held by one");
        expect(is_first(operation), "first come, first served");
        held = true;
    }
    return rc;
}

static int release(void)
{
    int rc = cora_lock_release(&lock);

    expect(rc == (held ? 0 : -CORA_EINVALIDSTATE), "what is held can be released, and only that");
    held = false;
    return rc;
}

static int call(struct operation *operation)
{
    return operation->kind == ACQUIRE ? acquire(operation) : release();
}

static void check(void)
{
    expect(cora_lock_locked(&lock) == held, "a lock knows whether it is held");
}

static void idle(void)
{
    expect(held || count_asleep(ACQUIRE) == 0, "nobody sleeps for a free lock");
}

TEST(every_schedule_of_a_lock)
{
    static const char *const kinds[] = {"acquire", "release"};
    static const struct model model = {
        .name = "lock",
        .kinds = kinds,
        .count = 2,
        .begin = begin,
        .call = call,
        .check = check,
        .idle = idle,
    };

    check_model(&model, (struct bounds){.tasks = 4, .operations = 8, .cancellations = 2});
}
