#include "trace/writer.h"

#include "trace/rows.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const double INTERVAL = 0.1; /* seconds, that a crash may lose at most */

struct cora__trace_writer {
    pthread_t thread;
    atomic_bool finishing;
    struct cora__trace_rows rows;
    struct cora__json json;
};

static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER; /* but while it waits; for forks */

/* ---- taking in ------------------------------------------------------------------------------ */

static struct cora__trace_thread *source_of(struct cora__list *link)
{
    return cora__container_of(link, struct cora__trace_thread, source);
}

/* The rings that there are, in a list of the writer's own, each with what is in it now. */
static void list_sources(struct cora__list *sources)
{
    struct cora__list *threads = cora__trace_lock_threads();

    cora__list_init(sources);
    for (struct cora__list *link = threads->next; link != threads; link = link->next) {
        struct cora__trace_thread *thread =
            cora__container_of(link, struct cora__trace_thread, link);

        thread->end = atomic_load_explicit(&thread->put, memory_order_acquire);
        thread->next = cora__trace_peek(thread);
        cora__list_append(sources, &thread->source);
    }
    cora__trace_unlock_threads();
}

static struct cora__trace_thread *earliest(const struct cora__list *sources)
{
    struct cora__trace_thread *first = NULL;

    for (struct cora__list *link = sources->next; link != sources; link = link->next) {
        struct cora__trace_thread *thread = source_of(link);

        if (thread->next != NULL && (first == NULL || thread->next->time < first->next->time))
            first = thread;
    }
    return first;
}

/*
 * All that is in the rings now, by its time: a loop that one thread has run before another did has
 * its records in two of them.
 */
static void take_in(struct cora__trace_writer *writer)
{
    struct cora__trace_thread *source;
    struct cora__list sources;

    list_sources(&sources);
    while ((source = earliest(&sources)) != NULL) {
        cora__trace_rows_add(&writer->rows, source->next);
        cora__trace_take(source, source->next);
        source->next = cora__trace_peek(source);
    }
    cora__json_flush(&writer->json);
    cora__trace_drop_gone();
}

static void *run(void *arg)
{
    struct cora__trace_writer *writer = arg;
    bool last;

    do {
        cora__trace_await_work(INTERVAL);
        pthread_mutex_lock(&writing);
        last = atomic_load(&writer->finishing);
        take_in(writer);
        pthread_mutex_unlock(&writing);
        cora__trace_tell_room();
    } while (!last);
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void destroy(struct cora__trace_writer *writer)
{
    close(writer->json.fd);
    cora__trace_rows_destroy(&writer->rows);
    free(writer);
}

/* The signals of the program are none of its business. */
static int start_thread(struct cora__trace_writer *writer)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int cora__trace_writer_create(struct cora__trace_writer **ret, int fd)
{
    struct cora__trace_writer *writer = malloc(sizeof *writer);
    int rc;

    if (writer == NULL)
        return -ENOMEM;
    writer->json.fd = fd;
    writer->json.error = 0;
    writer->json.used = 0;
    atomic_init(&writer->finishing, false);
    if (cora__trace_rows_init(&writer->rows, &writer->json) < 0) {
        free(writer);
        return -ENOMEM;
    }
    cora__trace_keep_gone(true);
    rc = start_thread(writer);
    if (rc < 0) {
        cora__trace_keep_gone(false);
        cora__trace_rows_destroy(&writer->rows);
        free(writer);
        return rc;
    }
    *ret = writer;
    return 0;
}

int cora__trace_writer_finish(struct cora__trace_writer *writer)
{
    int error;

    cora__trace_tell_room();
    atomic_store(&writer->finishing, true);
    cora__trace_wake_writer();
    pthread_join(writer->thread, NULL);
    cora__trace_rows_finish(&writer->rows, cora__trace_now());
    cora__trace_keep_gone(false);
    cora__trace_empty_rings(); /* of what came too late */
    cora__trace_drop_gone();
    error = writer->json.error;
    destroy(writer);
    return error;
}

/* ---- forks ---------------------------------------------------------------------------------- */

void cora__trace_writer_before_fork(void)
{
    pthread_mutex_lock(&writing);
    cora__trace_lock_threads();
}

void cora__trace_writer_after_fork(void)
{
    cora__trace_unlock_threads();
    pthread_mutex_unlock(&writing);
}

void cora__trace_writer_forget(struct cora__trace_writer *writer)
{
    destroy(writer);
}
