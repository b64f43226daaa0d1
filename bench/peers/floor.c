/*
 * The floor: the plainest program that does each workload and nothing else. It has no guard pages,
 * no errors, no cancellation and no loop, so a runtime that comes near it wastes little.
 */
#include "../measure.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>

#ifndef __x86_64__
#error "the switch below is written for x86-64"
#endif

/*
 * Saves what the ABI asks a callee to keep, changes stacks, and jumps to where the other side left
 * off. With `ret` in place of the jump it would take three times as long: the processor predicts a
 * return from the calls that it saw, and those were made on the other stack.
 */
void switch_context(void **save, void *load);

__asm__(".text\n"
        ".globl switch_context\n"
        ".type switch_context, @function\n"
        "switch_context:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n"
        "    jmpq *%rcx\n"
        ".size switch_context, . - switch_context\n");

/* ---- tasks and their scheduler: a ring, walked round and round ---- */

/* Lies at the top of its own stack, so that a parked task costs one page. */
struct task {
    void *sp;
    struct task *prev, *next; /* in the ring of ready tasks */
    struct task *joiner;
    void (*body)(long);
    long argument;
    bool done;
} __attribute__((aligned(64)));

static struct task main_task = {.prev = &main_task, .next = &main_task};
static struct task *current = &main_task;
static struct task *unused; /* ended and joined, linked by next: last freed, first used again */

/* Last in the round, that is, just before the one that runs. */
static void make_ready(struct task *task)
{
    task->prev = current->prev;
    task->next = current;
    task->prev->next = task->next->prev = task;
}

static void yield(void)
{
    struct task *self = current;

    current = self->next;
    if (current != self)
        switch_context(&self->sp, current->sp);
}

/* Leaves the ring; there is always another in it. */
static void park(void)
{
    current->prev->next = current->next;
    current->next->prev = current->prev;
    yield();
}

static void task_main(void)
{
    current->body(current->argument);
    current->done = true;
    if (current->joiner)
        make_ready(current->joiner);
    park();
}

/*
 * One reservation for all: a page of it becomes memory when it is first touched. Stacks are 68 KB
 * apart, close, for the sake of the page tables. Their tops lie on sixteen different lines of the
 * page: on the same line all would fight for the same few places of the cache, and a switch among
 * 1,000 tasks would take twice as long.
 */
static struct task *new_stack(void)
{
    enum { STRIDE = 68 * 1024, LINE = 64, MOST_TASKS = 1000000 };
    static char *stacks;
    static long used;

    if (!stacks) {
        size_t size = (size_t)STRIDE * MOST_TASKS;
        stacks = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stacks == MAP_FAILED)
            fail("mmap");
        madvise(stacks, size, MADV_NOHUGEPAGE);
    }
    check(used < MOST_TASKS, "there is a stack for each task");
    used++;
    return (struct task *)(stacks + used * STRIDE - used % 16 * LINE) - 1;
}

static struct task *spawn(void (*body)(long), long argument)
{
    struct task *task = unused;

    if (task)
        unused = task->next;
    else
        task = new_stack();

    /* What switch_context pops: six registers, the address to jump to; then what task_main would
     * return to. */
    void **sp = (void **)task - 8;
    sp[6] = (void *)(uintptr_t)task_main;
    sp[7] = NULL;
    *task = (struct task){.sp = sp, .body = body, .argument = argument};
    make_ready(task);
    return task;
}

static void join(struct task *task)
{
    if (!task->done) {
        task->joiner = current;
        park();
    }
    task->next = unused;
    unused = task;
}

static struct task **spawn_all(void (*body)(long), long count)
{
    struct task **tasks = allocate(count, sizeof *tasks);

    for (long i = 0; i < count; i++)
        tasks[i] = spawn(body, i);
    return tasks;
}

static void join_all(struct task **tasks, long count)
{
    for (long i = 0; i < count; i++)
        join(tasks[i]);
    free(tasks);
}

/* ---- workloads ---- */

static void *here, *there;

static void switch_back(long nothing)
{
    (void)nothing;
    for (;;)
        switch_context(&there, here);
}

static void run_switch(long nothing)
{
    enum { BATCH = 100000 };

    (void)nothing;
    current = spawn(switch_back, 0); /* where task_main looks for its body */
    there = current->sp;
    long switches = 0;
    int64_t start = now_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            switch_context(&here, there);
        switches += 2 * BATCH;
    } while (!enough(start));
    report("ns", (double)(now_ns() - start) / (double)switches, NULL);
}

static bool running = true;
static long laps, unfair;

static void yielder(long nothing)
{
    long mine = 0;

    (void)nothing;
    for (; running; mine++)
        yield();
    unfair += labs(mine - laps) > 1;
}

/* The main task is one of the count and keeps the time: every lap of its own is one of all. */
static void run_yield(long count)
{
    long batch = 1 + 10000 / count;
    struct task **tasks = spawn_all(yielder, count - 1);

    yield(); /* now every stack has been touched */
    int64_t start = now_ns();
    do {
        for (long i = 0; i < batch; i++)
            yield();
        laps += batch;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    running = false;
    join_all(tasks, count - 1);
    check(unfair == 0, "every task has its turn in every lap");
    report("ns", (double)elapsed / (double)laps / (double)count, NULL);
}

static long bodies_run;

static void count_body(long nothing)
{
    (void)nothing;
    bodies_run++;
}

static void run_spawn(long nothing)
{
    enum { BATCH = 10000 };

    (void)nothing;
    long spawned = 0;
    int64_t start = now_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            join(spawn(count_body, 0));
        spawned += BATCH;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    check(bodies_run == spawned, "every task runs once");
    report("ns", (double)elapsed / (double)spawned, NULL);
}

static double spawn_many_ns(long count)
{
    int64_t start = now_ns();
    join_all(spawn_all(count_body, count), count);
    return (double)(now_ns() - start) / (double)count;
}

static void run_spawn_many(long count)
{
    double first = spawn_many_ns(count);
    double again = spawn_many_ns(count);

    check(bodies_run == 2 * count, "every task runs once");
    report("first_ns", first, "again_ns", again, NULL);
}

static struct sleeper {
    int64_t due;
    struct task *task;
} * sleepers;
static long sleeping, sleepers_in_all, early;

static void sleep_body(long k)
{
    int64_t due = now_ns() + nap_ns(k, sleepers_in_all);

    sleepers[sleeping++] = (struct sleeper){due, current};
    park();
    early += now_ns() < due;
    bodies_run++;
}

static int earlier_due(const void *a, const void *b)
{
    int64_t due_a = ((const struct sleeper *)a)->due, due_b = ((const struct sleeper *)b)->due;

    return (due_a > due_b) - (due_a < due_b);
}

/* The main task plays the timer queue: all sleeps are known before the first ends, so one sort is
 * enough. */
static void run_sleep(long count)
{
    sleepers_in_all = count;
    sleepers = allocate(count, sizeof *sleepers);
    int64_t start = now_ns(), cpu = cpu_ns();
    struct task **tasks = spawn_all(sleep_body, count);

    yield();
    qsort(sleepers, (size_t)count, sizeof *sleepers, earlier_due);
    for (long next = 0; next < count;) {
        int64_t due =
            (sleepers[next].due / 1000000 + 1) * 1000000; /* in whole milliseconds, as epoll_wait */
        struct timespec until = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        for (int64_t now = now_ns(); next < count && sleepers[next].due <= now; next++)
            make_ready(sleepers[next].task);
        yield();
    }
    join_all(tasks, count);
    check(bodies_run == count, "every task runs once");
    report_sleep(start, cpu, count, early);
}

static struct task *waiters; /* for the event, linked by joiner */

static void wait_for_event(long nothing)
{
    (void)nothing;
    current->joiner = waiters;
    waiters = current;
    park();
    bodies_run++;
}

static void run_memory(long count)
{
    struct footprint before = footprint();
    struct task **tasks = spawn_all(wait_for_event, count);

    yield();
    struct footprint parked = footprint();
    for (struct task *next; waiters; waiters = next) {
        next = waiters->joiner;
        waiters->joiner = NULL;
        make_ready(waiters);
    }
    join_all(tasks, count);
    check(bodies_run == count, "every task runs once");
    report_memory(before, parked, count);
}

/* ---- echo: epoll, and no tasks ---- */

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

/* A short read has emptied the socket: no need to ask again. False when the connection is over. */
static bool echo(int fd)
{
    static char buffer[65536];
    ssize_t size;

    do {
        size = read(fd, buffer, sizeof buffer);
        if (size <= 0)
            return size < 0 && errno == EAGAIN;
        if (write(fd, buffer, (size_t)size) != size)
            return false; /* the client never sends before it has its answer: the write cannot be
                             short */
    } while (size == sizeof buffer);
    return true;
}

static void run_echo_server(long nothing)
{
    sigset_t term;
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_on_loopback();

    (void)nothing;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    int stop = signalfd(-1, &term, SFD_CLOEXEC);
    watch(epoll, stop);
    watch(epoll, STDIN_FILENO);
    watch(epoll, listener);
    report_port(listener);

    int64_t cpu = cpu_ns();
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == stop ||
                fd == STDIN_FILENO) { /* nobody writes there: it is readable when it is closed */
                report("cpu_us", (double)(cpu_ns() - cpu) / 1e3, NULL);
                return;
            }
            if (fd == listener)
                watch(epoll, accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
            else if (!echo(fd))
                close(fd);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"switch", run_switch, 1},
        {"yield", run_yield, 2},
        {"spawn", run_spawn, 1},
        {"spawn_many", run_spawn_many, 100000},
        {"sleep", run_sleep, 100000},
        {"memory", run_memory, 100000},
        {"echo_server", run_echo_server, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
