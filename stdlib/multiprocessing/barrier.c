/*
 * barrier.c: a round is over when as many have come as it takes, or when it has failed and those
 * who are missing are counted as if they had. Either is one store, and nobody waits for those who
 * leave: whoever is killed holds up nobody.
 */
#include <cora/multiprocessing/barrier.h>

#include "condition.h"

#include <cora/error.h>

#include <errno.h>
#include <math.h>

int cora_multiprocessing_barrier_init(cora_multiprocessing_barrier *barrier, int parties)
{
    if (parties < 1)
        return -EINVAL;
    barrier->parties_ = parties;
    barrier->broken_ = false;
    barrier->position_ = barrier->failures_ = 0;
    return cora_multiprocessing_condition_init(&barrier->condition_);
}

static uint64_t current_round(const cora_multiprocessing_barrier *barrier)
{
    return barrier->position_ / (unsigned)barrier->parties_;
}

static uint64_t bit_of(uint64_t round)
{
    return UINT64_C(1) << round % 64;
}

static void move_to(cora_multiprocessing_barrier *barrier, uint64_t position)
{
    __atomic_store_n(&barrier->position_, position, __ATOMIC_RELAXED);
}

static void set_broken(cora_multiprocessing_barrier *barrier, bool broken)
{
    __atomic_store_n(&barrier->broken_, broken, __ATOMIC_RELAXED);
}

/* Some wait. */
static void fail_round(cora_multiprocessing_barrier *barrier)
{
    uint64_t round = current_round(barrier);

    cora_multiprocessing_condition_notify_all(&barrier->condition_);
    barrier->failures_ |= bit_of(round);
    move_to(barrier, (round + 1) * (unsigned)barrier->parties_);
}

/* ---- wait ---------------------------------------------------------------------------------- */

struct party {
    const cora_multiprocessing_barrier *barrier;
    uint64_t round;
};

static bool is_over(const void *arg)
{
    const struct party *party = arg;

    return party->barrier->broken_ || current_round(party->barrier) != party->round;
}

static bool has_failed(const struct party *party)
{
    const cora_multiprocessing_barrier *barrier = party->barrier;

    return current_round(barrier) == party->round ||
           (barrier->failures_ & bit_of(party->round)) != 0;
}

/* How many came before; the round that it is in *party. */
static int arrive(cora_multiprocessing_barrier *barrier, struct party *party)
{
    int index = (int)(barrier->position_ % (unsigned)barrier->parties_);

    *party = (struct party){barrier, current_round(barrier)};
    if (index == 0)
        barrier->failures_ &= ~bit_of(party->round);
    if (index + 1 == barrier->parties_)
        cora_multiprocessing_condition_notify_all(&barrier->condition_);
    move_to(barrier, barrier->position_ + 1);
    return index;
}

/* In vain: unless it is over after all, it is broken. */
static int give_up(cora_multiprocessing_barrier *barrier, const struct party *party)
{
    int rc = 0;

    cora__monitor_enter(&barrier->condition_);
    if (!is_over(party)) {
        set_broken(barrier, true);
        fail_round(barrier);
        rc = -ETIMEDOUT;
    } else if (has_failed(party)) {
        rc = -CORA_EBROKENBARRIER;
    }
    cora__monitor_leave(&barrier->condition_);
    return rc;
}

static int wait_for_others(cora_multiprocessing_barrier *barrier, const struct party *party,
                           double timeout)
{
    int rc = cora__monitor_enter_when(&barrier->condition_, is_over, party, timeout);

    if (rc < 0)
        return give_up(barrier, party);
    if (has_failed(party))
        rc = -CORA_EBROKENBARRIER;
    cora__monitor_leave(&barrier->condition_);
    return rc;
}

int cora_multiprocessing_barrier_wait(cora_multiprocessing_barrier *barrier, double timeout)
{
    struct party party;
    int index, rc;

    if (isnan(timeout))
        return -EINVAL;
    cora__monitor_enter(&barrier->condition_);
    index = barrier->broken_ ? -CORA_EBROKENBARRIER : arrive(barrier, &party);
    cora__monitor_leave(&barrier->condition_);
    if (index < 0 || index + 1 == barrier->parties_)
        return index;
    rc = wait_for_others(barrier, &party, timeout);
    return rc < 0 ? rc : index;
}

/* ---- the others ---------------------------------------------------------------------------- */

static void end(cora_multiprocessing_barrier *barrier, bool broken)
{
    cora__monitor_enter(&barrier->condition_);
    if (barrier->position_ % (unsigned)barrier->parties_ > 0)
        fail_round(barrier);
    set_broken(barrier, broken);
    cora__monitor_leave(&barrier->condition_);
}

void cora_multiprocessing_barrier_reset(cora_multiprocessing_barrier *barrier)
{
    end(barrier, false);
}

void cora_multiprocessing_barrier_abort(cora_multiprocessing_barrier *barrier)
{
    end(barrier, true);
}

int cora_multiprocessing_barrier_parties(const cora_multiprocessing_barrier *barrier)
{
    return barrier->parties_;
}

int cora_multiprocessing_barrier_n_waiting(const cora_multiprocessing_barrier *barrier)
{
    uint64_t position = __atomic_load_n(&barrier->position_, __ATOMIC_RELAXED);

    return (int)(position % (unsigned)barrier->parties_);
}

bool cora_multiprocessing_barrier_broken(const cora_multiprocessing_barrier *barrier)
{
    return __atomic_load_n(&barrier->broken_, __ATOMIC_RELAXED);
}
