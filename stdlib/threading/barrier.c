#include <cora/error.h>
#include <cora/threading/barrier.h>

#include "deadline.h"

/*
 *     FILLING --the last party--> DRAINING  --the last has left--> FILLING
 *             --reset, some wait-> RESETTING --the last has left--> FILLING
 *             --abort, timeout--> BROKEN    --reset--------------> FILLING or RESETTING
 */
enum state { FILLING, DRAINING, RESETTING, BROKEN };

int cora_threading_barrier_init(cora_threading_barrier *barrier, int parties,
                                const cora_threading_barrier_options *options)
{
    static const cora_threading_barrier_options none;

    if (options == NULL)
        options = &none;
    if (parties < 1 || !(options->timeout >= 0))
        return -EINVAL;
    cora_threading_condition_init(&barrier->condition_);
    barrier->parties_ = parties;
    barrier->count_ = 0;
    barrier->state_ = FILLING;
    barrier->action_ = options->action;
    barrier->arg_ = options->arg;
    barrier->timeout_ = options->timeout > 0 ? options->timeout : INFINITY;
    return 0;
}

void cora_threading_barrier_destroy(cora_threading_barrier *barrier)
{
    cora_threading_condition_destroy(&barrier->condition_);
}

static void enter(cora_threading_barrier *barrier)
{
    (void)!cora_threading_condition_acquire(&barrier->condition_, INFINITY);
}

static void set_state(cora_threading_barrier *barrier, enum state state)
{
    barrier->state_ = state;
    cora_threading_condition_notify_all(&barrier->condition_);
}

static bool is_open(void *arg)
{
    const cora_threading_barrier *barrier = arg;

    return barrier->state_ != DRAINING && barrier->state_ != RESETTING;
}

static bool is_not_filling(void *arg)
{
    return ((const cora_threading_barrier *)arg)->state_ != FILLING;
}

static int wait_for_others(cora_threading_barrier *barrier, double timeout)
{
    int rc =
        cora_threading_condition_wait_for(&barrier->condition_, is_not_filling, barrier, timeout);

    if (rc < 0)
        set_state(barrier, BROKEN);
    return barrier->state_ == DRAINING ? 0 : -CORA_EBROKENBARRIER;
}

/* All have come. */
static int let_go(cora_threading_barrier *barrier)
{
    int rc = barrier->action_ != NULL ? barrier->action_(barrier->arg_) : 0;

    set_state(barrier, rc < 0 ? BROKEN : DRAINING);
    return rc < 0 ? rc : 0;
}

static void leave(cora_threading_barrier *barrier)
{
    if (--barrier->count_ == 0 && !is_open(barrier))
        set_state(barrier, FILLING);
}

static int pass(cora_threading_barrier *barrier, double timeout)
{
    int index = barrier->count_++;
    int rc = index + 1 == barrier->parties_ ? let_go(barrier) : wait_for_others(barrier, timeout);

    leave(barrier);
    return rc < 0 ? rc : index;
}

int cora_threading_barrier_wait(cora_threading_barrier *barrier, double timeout)
{
    int rc;

    if (isnan(timeout))
        return -EINVAL;
    enter(barrier);
    /* Those who come while others leave wait until all have. */
    rc = cora_threading_condition_wait_for(&barrier->condition_, is_open, barrier, INFINITY);
    if (rc == 0 && barrier->state_ == BROKEN)
        rc = -CORA_EBROKENBARRIER;
    if (rc == 0)
        rc = pass(barrier, timeout < INFINITY ? timeout : barrier->timeout_);
    cora_threading_condition_release(&barrier->condition_);
    return rc;
}

void cora_threading_barrier_reset(cora_threading_barrier *barrier)
{
    enter(barrier);
    if (barrier->count_ == 0)
        set_state(barrier, FILLING);
    else if (barrier->state_ != DRAINING)
        set_state(barrier, RESETTING);
    cora_threading_condition_release(&barrier->condition_);
}

void cora_threading_barrier_abort(cora_threading_barrier *barrier)
{
    enter(barrier);
    set_state(barrier, BROKEN);
    cora_threading_condition_release(&barrier->condition_);
}

int cora_threading_barrier_parties(const cora_threading_barrier *barrier)
{
    return barrier->parties_;
}

int cora_threading_barrier_n_waiting(cora_threading_barrier *barrier)
{
    int count;

    enter(barrier);
    count = barrier->state_ == FILLING ? barrier->count_ : 0;
    cora_threading_condition_release(&barrier->condition_);
    return count;
}

bool cora_threading_barrier_broken(cora_threading_barrier *barrier)
{
    bool broken;

    enter(barrier);
    broken = barrier->state_ == BROKEN;
    cora_threading_condition_release(&barrier->condition_);
    return broken;
}
