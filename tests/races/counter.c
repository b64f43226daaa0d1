/*
 * counter.c: a race, and its mend.
 *
 *     counter race      two threads count to 100,000 each, in one variable, at the same time
 *     counter mended    the same, each time with a lock
 *
 * To add one is to read, to add, and to write. Where both threads read before either has written,
 * one of the two is lost; Python's interpreter, too, may change threads there. In C it is worse
 * than that: a variable that one thread writes while another uses it may be anything, and the
 * compiler relies on it that nobody does. The sum is seldom wrong where one looks, and
 * ThreadSanitizer says that it may be, and where.
 */
#include <cora.h>

#include <stdio.h>
#include <string.h>

enum { THREADS = 2, ROUNDS = 100000 };

static int sum;
static cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
static cora_threading_barrier start;

static int count(void *arg)
{
    int rc = cora_threading_barrier_wait(&start, INFINITY);

    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        sum++;
    return rc;
}

static int count_with_lock(void *arg)
{
    int rc = cora_threading_barrier_wait(&start, INFINITY);

    (void)arg;
    for (int i = 0; i < ROUNDS && rc >= 0; i++) {
        rc = cora_threading_lock_acquire(&lock, INFINITY);
        sum++;
        cora_threading_lock_release(&lock);
    }
    return rc;
}

static int run(cora_threading_fn *fn)
{
    cora_threading_thread *threads[THREADS];
    int rc = cora_threading_barrier_init(&start, THREADS, NULL);

    for (int i = 0; i < THREADS && rc == 0; i++) {
        threads[i] = cora_threading_thread_create_arg(NULL, fn, NULL);
        rc = cora_threading_thread_start(threads[i]);
    }
    for (int i = 0; i < THREADS && rc == 0; i++) {
        rc = cora_threading_thread_join(threads[i], INFINITY);
        cora_threading_thread_unref(threads[i]);
    }
    cora_threading_barrier_destroy(&start);
    return rc;
}

int main(int argc, char **argv)
{
    bool mended = argc == 2 && strcmp(argv[1], "mended") == 0;
    int rc = run(mended ? count_with_lock : count);

    if (rc < 0)
        fprintf(stderr, "%s\n", cora_strerror(rc));
    else
        printf("%d of %d\n", sum, THREADS * ROUNDS);
    return rc < 0;
}
