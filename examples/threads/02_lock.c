/*
 * 02_lock.c: money moved by several threads at once, none of it lost.
 *
 * What to notice: threads are interrupted anywhere, and in C run at the same time. Without the lock
 * `balance -= amount` of two of them may subtract once, and is undefined: no lock is needed between
 * tasks of one loop that do not suspend in between, every time between threads. The lock protects
 * what is true of several variables together: who takes it finds the sum as it was.
 */
#include <cora.h>

#include <stdio.h>

enum { TRANSFERS = 2000 };

struct bank {
    cora_threading_lock lock; /* of all that follows */
    int savings, wallet;
};

struct transfer_args {
    struct bank *bank;
    int amount;
};

static int transfer(void *arg)
{
    const struct transfer_args *a = arg;

    for (int i = 0; i < TRANSFERS; i++) {
        int rc = cora_threading_lock_acquire(&a->bank->lock, INFINITY);

        if (rc < 0)
            return rc;
        a->bank->savings -= a->amount;
        a->bank->wallet += a->amount;
        cora_threading_lock_release(&a->bank->lock);
    }
    return 0;
}

static int transfer_in_threads(struct bank *bank)
{
    static const int amounts[] = {1, 2, -2};
    cora_threading_thread *threads[3] = {NULL};
    int rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++) {
        threads[i] = cora_threading_thread_create(transfer, .bank = bank, .amount = amounts[i]);
        rc = cora_threading_thread_start(threads[i]);
    }
    for (int i = 0; i < 3; i++) {
        int joined = cora_threading_thread_join(threads[i], INFINITY);

        if (rc == 0)
            rc = joined;
        cora_threading_thread_unref(threads[i]);
    }
    return rc;
}

static void look(struct bank *bank)
{
    int rc = cora_threading_lock_acquire(&bank->lock, 0);

    if (rc < 0) {
        printf("the lock is taken\n");
        return;
    }
    printf("savings %d, wallet %d\n", bank->savings, bank->wallet);
    cora_threading_lock_release(&bank->lock);
}

int main(void)
{
    static struct bank bank = {.lock = CORA_THREADING_LOCK_INIT, .savings = 10000};
    int rc;

    look(&bank);
    rc = transfer_in_threads(&bank);
    look(&bank);
    if (rc == 0)
        rc = cora_threading_lock_acquire(&bank.lock, INFINITY);
    if (rc == 0) {
        look(&bank);
        cora_threading_lock_release(&bank.lock);
    }
    if (rc < 0)
        fprintf(stderr, "02_lock: %s\n", cora_strerror(rc));
    return rc < 0;
}
