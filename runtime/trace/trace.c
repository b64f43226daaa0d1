/*
 * trace.c: what the recording threads do.
 */
#include "trace/record.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

atomic_uint cora__trace_session;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER; /* for the writer */
static pthread_cond_t room = PTHREAD_COND_INITIALIZER; /* for those whose ring was full */
static struct cora__list threads = {&threads, &threads};
static bool gone_are_kept, work_is_waiting;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static _Thread_local struct cora__trace_thread *self;

int64_t cora__trace_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

cora__trace_row cora__trace_new_group(void)
{
    enum { SHIFT = sizeof(cora__trace_row) * 5 }; /* of 64 bits 40 are for the tasks of a loop */
    static _Atomic cora__trace_row groups;

    return (atomic_fetch_add(&groups, 1) + 1) << SHIFT;
}

/* ---- threads ------------------------------------------------------------------------------- */

static void drop(struct cora__trace_thread *thread)
{
    cora__list_unlink(&thread->link);
    free(thread);
}

static void add(struct cora__trace_thread *thread, enum cora__trace_record_kind kind, int category,
                cora__trace_row row, const char *text, const void *object);

static void leave_thread(void *arg)
{
    struct cora__trace_thread *thread = arg;

    if (cora__trace_is_on())
        add(thread, CORA__TRACE_CLOSE, 0, thread->own, NULL, NULL);
    pthread_mutex_lock(&lock);
    if (gone_are_kept)
        thread->gone = true;
    else
        drop(thread);
    pthread_mutex_unlock(&lock);
}

static void create_key(void)
{
    pthread_key_create(&thread_end, leave_thread);
}

static struct cora__trace_thread *enter_thread(void)
{
    struct cora__trace_thread *thread = malloc(sizeof *thread);

    if (thread == NULL)
        return NULL;
    pthread_once(&key_once, create_key);
    if (pthread_setspecific(thread_end, thread) != 0) {
        free(thread);
        return NULL;
    }
    thread->session = 0;
    thread->own = thread->row = cora__trace_new_group();
    thread->gone = false;
    thread->taken_seen = 0;
    atomic_init(&thread->put, 0);
    atomic_init(&thread->taken, 0);
    pthread_mutex_lock(&lock);
    cora__list_append(&threads, &thread->link);
    pthread_mutex_unlock(&lock);
    return thread;
}

struct cora__list *cora__trace_lock_threads(void)
{
    pthread_mutex_lock(&lock);
    return &threads;
}

void cora__trace_unlock_threads(void)
{
    pthread_mutex_unlock(&lock);
}

static struct cora__trace_thread *thread_of(struct cora__list *link)
{
    return cora__container_of(link, struct cora__trace_thread, link);
}

void cora__trace_drop_gone(void)
{
    struct cora__list *next;

    pthread_mutex_lock(&lock);
    for (struct cora__list *link = threads.next; link != &threads; link = next) {
        struct cora__trace_thread *thread = thread_of(link);

        next = link->next;
        if (thread->gone && atomic_load(&thread->taken) == atomic_load(&thread->put))
            drop(thread);
    }
    pthread_mutex_unlock(&lock);
}

void cora__trace_keep_gone(bool keep)
{
    pthread_mutex_lock(&lock);
    gone_are_kept = keep;
    pthread_mutex_unlock(&lock);
}

void cora__trace_empty_rings(void)
{
    pthread_mutex_lock(&lock);
    for (struct cora__list *link = threads.next; link != &threads; link = link->next)
        atomic_store(&thread_of(link)->taken, atomic_load(&thread_of(link)->put));
    pthread_mutex_unlock(&lock);
}

void cora__trace_forget_threads(void)
{
    struct cora__list *next;

    for (struct cora__list *link = threads.next; link != &threads; link = next) {
        next = link->next;
        if (thread_of(link) != self)
            drop(thread_of(link));
    }
    gone_are_kept = work_is_waiting = false;
    pthread_cond_init(&work, NULL);
    pthread_cond_init(&room, NULL);
}

/* ---- the writer's waiting ------------------------------------------------------------------- */

void cora__trace_await_work(double seconds)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += (long)(seconds * 1e9);
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    while (!work_is_waiting && pthread_cond_timedwait(&work, &lock, &end) == 0)
        continue;
    work_is_waiting = false;
    pthread_mutex_unlock(&lock);
}

void cora__trace_wake_writer(void)
{
    pthread_mutex_lock(&lock);
    work_is_waiting = true;
    pthread_cond_signal(&work);
    pthread_mutex_unlock(&lock);
}

void cora__trace_tell_room(void)
{
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&room);
    pthread_mutex_unlock(&lock);
}

/* ---- rings ---------------------------------------------------------------------------------- */

static size_t used(struct cora__trace_thread *thread)
{
    return atomic_load_explicit(&thread->put, memory_order_relaxed) - thread->taken_seen;
}

/* Until that many bytes are free. False: there is no trace any more. */
static bool await_room(struct cora__trace_thread *thread, size_t size)
{
    bool on;

    cora__trace_wake_writer();
    pthread_mutex_lock(&lock);
    while ((on = cora__trace_is_on())) {
        thread->taken_seen = atomic_load_explicit(&thread->taken, memory_order_acquire);
        if (used(thread) + size <= CORA__TRACE_RING_SIZE)
            break;
        pthread_cond_wait(&room, &lock);
    }
    pthread_mutex_unlock(&lock);
    return on;
}

static bool make_room(struct cora__trace_thread *thread, size_t size)
{
    if (used(thread) + size <= CORA__TRACE_RING_SIZE)
        return true;
    thread->taken_seen = atomic_load_explicit(&thread->taken, memory_order_acquire);
    return used(thread) + size <= CORA__TRACE_RING_SIZE || await_room(thread, size);
}

static void publish(struct cora__trace_thread *thread, size_t size)
{
    enum { HALF = CORA__TRACE_RING_SIZE / 2 };
    size_t put = atomic_load_explicit(&thread->put, memory_order_relaxed);

    atomic_store_explicit(&thread->put, put + size, memory_order_release);
    if (put % HALF + size >= HALF) /* it goes past the middle, or round the end */
        cora__trace_wake_writer();
}

/* A piece of that size, which is published by its writer; NULL: there is no trace any more. */
static struct cora__trace_record *reserve(struct cora__trace_thread *thread, size_t size)
{
    size_t at = atomic_load_explicit(&thread->put, memory_order_relaxed) % CORA__TRACE_RING_SIZE;
    size_t left = CORA__TRACE_RING_SIZE - at;

    if (!make_room(thread, size > left ? left + size : size))
        return NULL;
    if (size > left) {
        struct cora__trace_record *pad = (struct cora__trace_record *)(thread->ring + at);

        pad->size = (uint32_t)left;
        pad->kind = CORA__TRACE_PAD;
        publish(thread, left);
        at = 0;
    }
    return (struct cora__trace_record *)(thread->ring + at);
}

const struct cora__trace_record *cora__trace_peek(struct cora__trace_thread *thread)
{
    for (;;) {
        size_t taken = atomic_load_explicit(&thread->taken, memory_order_relaxed);
        const struct cora__trace_record *record =
            (const struct cora__trace_record *)(thread->ring + taken % CORA__TRACE_RING_SIZE);

        if (taken == thread->end)
            return NULL;
        if (record->kind != CORA__TRACE_PAD)
            return record;
        cora__trace_take(thread, record);
    }
}

void cora__trace_take(struct cora__trace_thread *thread, const struct cora__trace_record *record)
{
    size_t taken = atomic_load_explicit(&thread->taken, memory_order_relaxed);

    atomic_store_explicit(&thread->taken, taken + record->size, memory_order_release);
}

/* ---- recording ----------------------------------------------------------------------------- */

static void add(struct cora__trace_thread *thread, enum cora__trace_record_kind kind, int category,
                cora__trace_row row, const char *text, const void *object)
{
    size_t length = text != NULL ? strnlen(text, CORA__TRACE_LONGEST_TEXT) : 0;
    size_t size = (sizeof(struct cora__trace_record) + length + CORA__TRACE_ALIGN) &
                  ~(size_t)(CORA__TRACE_ALIGN - 1);
    struct cora__trace_record *record = reserve(thread, size);

    if (record == NULL)
        return;
    record->size = (uint32_t)size;
    record->kind = (uint8_t)kind;
    record->category = (uint8_t)category;
    record->has_text = text != NULL;
    record->row = row;
    record->time = cora__trace_now();
    record->object = (uintptr_t)object;
    if (length > 0)
        memcpy(record->text, text, length);
    record->text[length] = '\0';
    publish(thread, size);
}

/* Its row is called as the system calls the thread. */
static __attribute__((noinline)) void name_thread(struct cora__trace_thread *thread,
                                                  unsigned session)
{
    char name[64];

    thread->session = session;
    thread->row = thread->own;
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0)
        snprintf(name, sizeof name, "thread");
    add(thread, CORA__TRACE_NAME, CORA__TRACE_THREAD, thread->own, name, NULL);
}

/* This thread's, where a trace is being written; NULL: none is, or it has no memory. */
static inline struct cora__trace_thread *recorder(void)
{
    unsigned session = atomic_load_explicit(&cora__trace_session, memory_order_relaxed);

    if (session == 0)
        return NULL;
    if (__builtin_expect(self == NULL, false) && (self = enter_thread()) == NULL)
        return NULL;
    if (__builtin_expect(self->session != session, false))
        name_thread(self, session);
    return self;
}

void cora__trace_name(cora__trace_row row, enum cora__trace_row_kind kind, const char *name,
                      const char *function)
{
    struct cora__trace_thread *thread = recorder();

    if (thread == NULL)
        return;
    add(thread, CORA__TRACE_NAME, (int)kind, row, name, NULL);
    if (function != NULL)
        add(thread, CORA__TRACE_FUNCTION, 0, row, function, NULL);
}

void cora__trace_push(cora__trace_row row, enum cora__trace_category category, const char *text,
                      const void *object)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_PUSH, (int)category, row, text, object);
}

void cora__trace_pop(cora__trace_row row)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_POP, 0, row, NULL, NULL);
}

void cora__trace_next(cora__trace_row row, enum cora__trace_category category, const char *text,
                      const void *object)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_NEXT, (int)category, row, text, object);
}

void cora__trace_close(cora__trace_row row)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_CLOSE, 0, row, NULL, NULL);
}

cora__trace_row cora__trace_enter_row(cora__trace_row row)
{
    struct cora__trace_thread *thread = recorder();
    cora__trace_row before;

    if (thread == NULL)
        return 0;
    before = thread->row == thread->own ? 0 : thread->row;
    thread->row = row != 0 ? row : thread->own;
    return before;
}

/* ---- marks ---------------------------------------------------------------------------------- */

bool cora_trace_is_on(void)
{
    return cora__trace_is_on();
}

void cora_trace_event(const char *name)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_EVENT, CORA__TRACE_MARK, thread->row, name, NULL);
}

void cora_trace_begin(const char *name)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_BEGIN, CORA__TRACE_MARK, thread->row, name, NULL);
}

void cora_trace_begin_function(const void *function)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_BEGIN, CORA__TRACE_JOB, thread->row, NULL, function);
}

void cora_trace_end(void)
{
    struct cora__trace_thread *thread = recorder();

    if (thread != NULL)
        add(thread, CORA__TRACE_END, CORA__TRACE_MARK, thread->row, NULL, NULL);
}
