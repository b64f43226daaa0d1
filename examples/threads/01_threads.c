/*
 * 01_threads.c: several computations at once, each in a thread.
 *
 * What to notice: threads are created like tasks, with arguments by name that are copied, and there
 * is no loop. What the function returns is kept for who asks after the join; Python's threads have
 * no result. C's threads compute at the same time, on as many processors as there are: four of them
 * may be done four times as soon. They share no data here, so they need no lock.
 */
#include <cora.h>

#include <stdio.h>

enum { THREADS = 4, NUMBERS = 5000 };

struct count_primes_args {
    int from, to;
};

static bool is_prime(int number)
{
    for (int divisor = 2; divisor * divisor <= number; divisor++)
        if (number % divisor == 0)
            return false;
    return number >= 2;
}

static int count_primes(void *arg)
{
    const struct count_primes_args *a = arg;
    int count = 0;

    for (int number = a->from; number < a->to; number++)
        count += is_prime(number);
    return count;
}

static int join(cora_threading_thread *thread)
{
    int rc = cora_threading_thread_join(thread, INFINITY);

    return rc < 0 ? rc : cora_threading_thread_result(thread);
}

static int count_in_threads(void)
{
    cora_threading_thread *threads[THREADS] = {NULL};
    int rc = 0, total = 0;

    for (int i = 0; i < THREADS && rc == 0; i++) {
        threads[i] = cora_threading_thread_create(count_primes, .from = i * NUMBERS,
                                                  .to = (i + 1) * NUMBERS);
        rc = cora_threading_thread_start(threads[i]);
    }
    for (int i = 0; i < THREADS && rc >= 0; i++) {
        rc = join(threads[i]);
        if (rc >= 0) {
            printf("%s: %d primes\n", cora_threading_thread_get_name(threads[i]), rc);
            total += rc;
        }
    }
    for (int i = 0; i < THREADS; i++)
        cora_threading_thread_unref(threads[i]);
    return rc < 0 ? rc : total;
}

int main(void)
{
    int rc = count_in_threads();

    if (rc < 0)
        fprintf(stderr, "01_threads: %s\n", cora_strerror(rc));
    else
        printf("%d primes below %d\n", rc, THREADS * NUMBERS);
    return rc < 0;
}
