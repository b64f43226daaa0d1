/*
 * 05_io.c: the loop also waits for descriptors, all at once, by poll(2).
 *
 * What to notice: a wait is a future with a deadline or a descriptor (or both), and the loop has
 * one place where it rests: a single poll for all descriptors, as long as the first deadline
 * allows. A reader waits for a writer that sleeps, in one thread, and neither knows of the loop.
 */
#include <cora/coroutine.h>

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* An outcome that is not there yet, and who waits for it, first come, first served. */
struct future {
    bool done;
    int outcome;
    struct task *waiting;
};

/* A future too: its outcome is what its function returns. */
struct task {
    struct future future;
    cora_coroutine *coroutine;
    struct task *next;
};

/* It lies on the stack of who waits. */
struct wait {
    struct future future;
    double deadline; /* INFINITY: none */
    int fd;          /* -1: none */
    struct wait *next;
};

static struct task *ready;
static struct wait *waits; /* the first to be due first */
static double now;

static double read_clock(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void append(struct task **queue, struct task *task)
{
    while (*queue != NULL)
        queue = &(*queue)->next;
    task->next = NULL;
    *queue = task;
}

/* Yields the future, for `step` to put the task into its queue. */
static int await(struct future *future)
{
    int rc = future->done ? 0 : cora_coroutine_yield(future, NULL);

    return rc < 0 ? rc : future->outcome;
}

static void set_outcome(struct future *future, int outcome)
{
    struct task *task;

    future->done = true;
    future->outcome = outcome;
    while ((task = future->waiting) != NULL) {
        future->waiting = task->next;
        append(&ready, task);
    }
}

/* Where there is no memory, it will end at once with -ENOMEM. */
static int create_task(struct task *task, cora_coroutine_fn *fn, void *arg)
{
    *task = (struct task){.next = NULL};
    append(&ready, task);
    return cora_coroutine_create(&task->coroutine, fn, arg, 0);
}

static void step(struct task *task)
{
    void *future;

    if (cora_coroutine_resume(task->coroutine, NULL, &future) == 0) {
        append(&((struct future *)future)->waiting, task);
        return;
    }
    set_outcome(&task->future, cora_coroutine_outcome(task->coroutine));
    cora_coroutine_destroy(task->coroutine);
}

/* ---- time and descriptors ------------------------------------------------------------------ */

/* Until so many seconds have gone by, INFINITY: never, or there is data at fd, -1: nowhere. */
static int wait_for(double seconds, int fd)
{
    struct wait wait = {.deadline = now + seconds, .fd = fd};
    struct wait **place = &waits;
    int rc;

    while (*place != NULL && (*place)->deadline <= wait.deadline)
        place = &(*place)->next;
    wait.next = *place;
    *place = &wait;
    rc = await(&wait.future);
    for (place = &waits; *place != &wait;)
        place = &(*place)->next;
    *place = wait.next;
    return rc;
}

static void wait_for_any(void)
{
    struct pollfd polls[64]; /* a toy's; poll passes over those without a descriptor */
    struct wait *wait = waits;
    double left = fmax(waits->deadline - now, 0);
    int count = 0;

    for (; wait != NULL && count < 64; wait = wait->next)
        polls[count++] = (struct pollfd){.fd = wait->fd, .events = POLLIN};
    poll(polls, (nfds_t)count, isinf(left) ? -1 : (int)ceil(left * 1e3));
    now = read_clock();
    wait = waits;
    for (int i = 0; i < count; i++, wait = wait->next)
        if (polls[i].revents != 0 || wait->deadline <= now)
            set_outcome(&wait->future, 0);
}

static void run(void)
{
    struct task *task;

    now = read_clock();
    for (;;) {
        while ((task = ready) != NULL) {
            ready = task->next;
            step(task);
        }
        if (waits == NULL)
            return;
        wait_for_any();
    }
}

/* ---- a program on it ----------------------------------------------------------------------- */

static int fds[2];

static int write_words(void *arg)
{
    static const char *const words[] = {"do", "one", "thing"};
    int rc = 0;

    (void)arg;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = wait_for(0.01, -1);
        if (write(fds[1], words[i], strlen(words[i])) < 0)
            rc = -errno;
    }
    close(fds[1]);
    return rc;
}

static int read_words(void *arg)
{
    char word[16];
    ssize_t size;

    (void)arg;
    while (wait_for(INFINITY, fds[0]) == 0 && (size = read(fds[0], word, sizeof word)) > 0)
        printf("reader: %.*s\n", (int)size, word);
    puts("reader: that was all");
    return close(fds[0]);
}

int main(void)
{
    struct task reader, writer;

    if (pipe(fds) < 0 || create_task(&reader, read_words, NULL) < 0 ||
        create_task(&writer, write_words, NULL) < 0)
        return 1;
    run();
    return reader.future.outcome != 0 || writer.future.outcome != 0;
}
