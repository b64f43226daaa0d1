/* Semaphores: no more permits out than there are, handed on in order, none lost. */
#include "model/checker.h"

enum { ACQUIRE, RELEASE };

static cora_bounded_semaphore semaphore; /* the plain one is inside */
static bool bounded;
static int value, bound;

static void begin_either(bool with_a_bound)
{
    bounded = with_a_bound;
    value = bound = choose(3);
    cora_bounded_semaphore_init(&semaphore, value);
}

static void begin(void)
{
    begin_either(false);
}

static void begin_bounded(void)
{
    begin_either(true);
}

static int acquire(struct operation *operation)
{
    int rc = bounded ? cora_bounded_semaphore_acquire(&semaphore)
                     : cora_semaphore_acquire(&semaphore.semaphore_);

    if (rc == 0) {
        expect(value > 0, "a permit is taken by one");
        expect(is_first(operation), "first come, first served");
        value--;
    }
    return rc;
}

static int release(void)
{
    int rc = 0;

    if (bounded)
        rc = cora_bounded_semaphore_release(&semaphore);
    else
        cora_semaphore_release(&semaphore.semaphore_);
    if (bounded && value == bound)
        expect(rc == -CORA_EINVALIDSTATE, "no permit comes back that was not out");
    else
        expect(rc == 0, "a permit that is out can come back");
    if (rc == 0)
        value++;
    return rc;
}

/* A permit on its way to somebody is out: to release that too would be his business. */
static bool allowed(int kind)
{
    return kind != RELEASE || !bounded || value < bound || count_asleep(ACQUIRE) == 0;
}

static int call(struct operation *operation)
{
    return operation->kind == ACQUIRE ? acquire(operation) : release();
}

static bool locked(void)
{
    return bounded ? cora_bounded_semaphore_locked(&semaphore)
                   : cora_semaphore_locked(&semaphore.semaphore_);
}

static void check(void)
{
    expect(value > 0 || locked(), "without a free permit it is locked");
    expect(!bounded || value <= bound, "there are never more permits than at first");
}

static void idle(void)
{
    expect(value == 0 || count_asleep(ACQUIRE) == 0, "nobody sleeps for a free permit");
    expect(locked() == (value == 0), "it is locked while no permit is free, and only then");
}

static void check_semaphore(const char *name, void (*begin_it)(void))
{
    static const char *const kinds[] = {"acquire", "release"};
    const struct model model = {
        .name = name,
        .kinds = kinds,
        .count = 2,
        .begin = begin_it,
        .allowed = allowed,
        .call = call,
        .check = check,
        .idle = idle,
    };

    check_model(&model, (struct bounds){.tasks = 4, .operations = 6, .cancellations = 2});
}

TEST(every_schedule_of_a_semaphore)
{
    check_semaphore("semaphore", begin);
}

TEST(every_schedule_of_a_bounded_semaphore)
{
    check_semaphore("bounded semaphore", begin_bounded);
}
