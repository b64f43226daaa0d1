/*
 * way_threads.c: a thread for each file. The waits overlap, and the code stays as simple as the
 * sequential one; the price is a thread, with its stack in user space and its stack in the kernel,
 * for everything that waits.
 */
#include "ways.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct worker {
    pthread_t thread;
    struct work *work;
    size_t index;
    int error; /* why the thread could not be started, or 0 */
};

static void *download_in_thread(void *arg)
{
    struct worker *worker = arg;

    atomic_fetch_add(worker->work->threads, 1);
    download_file(worker->work, worker->index, &blocking_io);
    return NULL;
}

static void start(struct worker *worker)
{
    struct download download;

    worker->error = pthread_create(&worker->thread, NULL, download_in_thread, worker);
    if (worker->error == 0)
        return;
    download_begin(&download, worker->work, worker->index);
    download_end(&download, -worker->error);
}

int way_threads(struct work *work)
{
    struct worker *workers = calloc(work->count, sizeof workers[0]);

    if (workers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < work->count; i++) {
        workers[i].work = work;
        workers[i].index = i;
        start(&workers[i]);
    }
    for (size_t i = 0; i < work->count; i++)
        if (workers[i].error == 0)
            pthread_join(workers[i].thread, NULL);
    free(workers);
    return 0;
}
