/*
 * The barrier: it opens when as many have come as it has parties, each gets a number of his own,
 * and who is sent away by a reset or an abort goes.
 */
#include "model/checker.h"

enum { WAIT, RESET, ABORT };
enum {
    SETTLED,   /* has slept while nothing was ready: it is among those who wait */
    SENT_AWAY, /* was settled at a reset or an abort since */
    MAY_BREAK, /* a reset or an abort came since its start, or the barrier was broken then */
};

static cora_barrier barrier;
static int parties;
static bool broken;
static int passed;          /* of the last opening */
static unsigned numbers;    /* that they have got, a bit each */
static bool numbers_repeat; /* somebody was cancelled: the next to come is counted as he was */

static void begin(void)
{
    int rc;

    parties = 1 + choose(3);
    rc = cora_barrier_init(&barrier, parties);
    assert_int_equal(rc, 0);
    broken = false;
    passed = parties; /* nobody more before the first opening */
    numbers_repeat = false;
}

static void pass(int number)
{
    expect(number < parties, "the numbers are less than the parties");
    if (number == parties - 1) {
        expect(count_asleep(WAIT) >= parties, "the last opens it for as many as are missing");
        passed = 0;
        numbers = 0;
    }
    expect(passed++ < parties, "no more pass than have come");
    expect(numbers_repeat || (numbers & 1u << number) == 0, "everyone's number is his own");
    numbers |= 1u << number;
}

static int wait_for_others(struct operation *operation)
{
    int rc;

    operation->marks[MAY_BREAK] = broken;
    rc = cora_barrier_wait(&barrier);
    if (rc >= 0) {
        expect(!operation->marks[SENT_AWAY], "who was sent away does not pass");
        pass(rc);
    } else if (rc == -ECANCELED) {
        numbers_repeat = true;
    } else {
        expect(rc == -CORA_EBROKENBARRIER, "there is no other error");
        expect(operation->marks[MAY_BREAK], "nobody is sent away without a reason");
    }
    return rc;
}

static int send_away(bool for_good)
{
    int rc = for_good ? cora_barrier_abort(&barrier) : cora_barrier_reset(&barrier);

    if (rc < 0)
        return rc;
    broken = for_good;
    for (struct operation *op = first_asleep(WAIT); op != NULL; op = next_asleep(op)) {
        op->marks[MAY_BREAK] = true;
        op->marks[SENT_AWAY] = op->marks[SETTLED];
    }
    return rc;
}

static int call(struct operation *operation)
{
    return operation->kind == WAIT ? wait_for_others(operation)
                                   : send_away(operation->kind == ABORT);
}

static void check(void)
{
    expect(cora_barrier_broken(&barrier) == broken, "a barrier knows whether it is broken");
    expect(cora_barrier_n_waiting(&barrier) <= count_asleep(WAIT), "only who waits is counted");
}

static void idle(void)
{
    int waiting = count_asleep(WAIT);

    expect(count_asleep(RESET) + count_asleep(ABORT) == 0, "a reset or an abort comes through");
    expect(waiting < parties, "nobody sleeps when all have come");
    expect(waiting == 0 || !broken, "nobody sleeps at a broken barrier");
    expect(cora_barrier_n_waiting(&barrier) == waiting, "everyone who waits is counted");
    numbers_repeat = numbers_repeat && waiting > 0;
    for (struct operation *op = first_asleep(WAIT); op != NULL; op = next_asleep(op)) {
        expect(!op->marks[SENT_AWAY], "who is sent away goes");
        op->marks[SETTLED] = true;
    }
}

TEST(every_schedule_of_a_barrier)
{
    static const char *const kinds[] = {"wait", "reset", "abort"};
    static const struct model model = {
        .name = "barrier",
        .kinds = kinds,
        .count = 3,
        .begin = begin,
        .call = call,
        .check = check,
        .idle = idle,
    };

    check_model(&model, (struct bounds){.tasks = 4, .operations = 6, .cancellations = 2});
}
