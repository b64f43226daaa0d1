#include "word.h"

#include "deadline.h"

#include <errno.h>
#include <math.h>

#ifdef __linux__

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int cora__word_wait(atomic_uint *word, unsigned value, double deadline)
{
    struct timespec time;

    if (deadline == -INFINITY)
        return -ETIMEDOUT;
    if (deadline < INFINITY)
        time = cora__deadline_time(deadline);
    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
                deadline < INFINITY ? &time : NULL, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
        errno == ETIMEDOUT)
        return -ETIMEDOUT;
    return 0;
}

void cora__word_wake(const atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#else /* all look whenever one is woken */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;

static void init_changed(void)
{
    cora__cond_init(&changed);
}

int cora__word_wait(atomic_uint *word, unsigned value, double deadline)
{
    int rc = 0;

    pthread_once(&once, init_changed);
    pthread_mutex_lock(&lock);
    if (atomic_load(word) == value)
        rc = cora__cond_wait(&changed, &lock, deadline);
    pthread_mutex_unlock(&lock);
    return rc;
}

void cora__word_wake(const atomic_uint *word)
{
    (void)word;
    pthread_once(&once, init_changed);
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

#endif
