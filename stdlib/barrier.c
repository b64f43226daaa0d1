#include <cora/barrier.h>

#include <errno.h>

/*
 *     FILLING --the last party--> DRAINING  --the last has left--> FILLING
 *             --reset, some wait-> RESETTING --the last has left--> FILLING
 *             --abort-----------> BROKEN    --reset, nobody waits-> FILLING
 */
enum state { FILLING, DRAINING, RESETTING, BROKEN };

int cora_barrier_init(cora_barrier *barrier, int parties)
{
    if (parties < 1)
        return -EINVAL;
    cora_condition_init(&barrier->condition_, NULL);
    barrier->parties_ = parties;
    barrier->count_ = 0;
    barrier->state_ = FILLING;
    return 0;
}

static bool is_open(void *arg)
{
    const cora_barrier *barrier = arg;

    return barrier->state_ != DRAINING && barrier->state_ != RESETTING;
}

static bool is_not_filling(void *arg)
{
    return ((const cora_barrier *)arg)->state_ != FILLING;
}

/* Those who come while others leave wait until all have. */
static int block(cora_barrier *barrier)
{
    int rc = cora_condition_wait_for(&barrier->condition_, is_open, barrier);

    return rc == 0 && barrier->state_ == BROKEN ? -CORA_EBROKENBARRIER : rc;
}

static int wait_for_others(cora_barrier *barrier)
{
    int rc = cora_condition_wait_for(&barrier->condition_, is_not_filling, barrier);

    if (rc == 0 && (barrier->state_ == BROKEN || barrier->state_ == RESETTING))
        return -CORA_EBROKENBARRIER;
    return rc;
}

static void leave(cora_barrier *barrier)
{
    if (--barrier->count_ > 0)
        return;
    if (barrier->state_ == RESETTING || barrier->state_ == DRAINING)
        barrier->state_ = FILLING;
    cora_condition_notify_all(&barrier->condition_);
}

static int pass(cora_barrier *barrier)
{
    int index = barrier->count_++;
    int rc = 0;

    if (index + 1 == barrier->parties_) {
        barrier->state_ = DRAINING;
        cora_condition_notify_all(&barrier->condition_);
    } else {
        rc = wait_for_others(barrier);
    }
    leave(barrier);
    return rc < 0 ? rc : index;
}

int cora_barrier_wait(cora_barrier *barrier)
{
    int rc = cora_condition_acquire(&barrier->condition_);

    if (rc < 0)
        return rc;
    rc = block(barrier);
    if (rc == 0)
        rc = pass(barrier);
    cora_condition_release(&barrier->condition_);
    return rc;
}

int cora_barrier_reset(cora_barrier *barrier)
{
    int rc = cora_condition_acquire(&barrier->condition_);

    if (rc < 0)
        return rc;
    barrier->state_ = barrier->count_ > 0 ? RESETTING : FILLING;
    cora_condition_notify_all(&barrier->condition_);
    cora_condition_release(&barrier->condition_);
    return 0;
}

int cora_barrier_abort(cora_barrier *barrier)
{
    int rc = cora_condition_acquire(&barrier->condition_);

    if (rc < 0)
        return rc;
    barrier->state_ = BROKEN;
    cora_condition_notify_all(&barrier->condition_);
    cora_condition_release(&barrier->condition_);
    return 0;
}

int cora_barrier_parties(const cora_barrier *barrier)
{
    return barrier->parties_;
}

int cora_barrier_n_waiting(const cora_barrier *barrier)
{
    return barrier->state_ == FILLING ? barrier->count_ : 0;
}

bool cora_barrier_broken(const cora_barrier *barrier)
{
    return barrier->state_ == BROKEN;
}
