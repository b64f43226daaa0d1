/* The floor's scheduler, and the choice of the workload. */
#include "floor.h"

#include <sys/mman.h>

/*
 * With `ret` in place of the jump it would take three times as long: the processor predicts a
 * return from the calls that it saw, and those were made on the other stack.
 */
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

static struct task main_task = {.prev = &main_task, .next = &main_task};
struct task *current = &main_task;
static struct task *unused; /* ended and joined, linked by next: last freed, first used again */

long bodies_run;

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

struct task *spawn(void (*body)(long), long argument)
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

void join(struct task *task)
{
    if (!task->done) {
        task->joiner = current;
        park();
    }
    task->next = unused;
    unused = task;
}

struct task **spawn_all(void (*body)(long), long count)
{
    struct task **tasks = allocate(count, sizeof *tasks);

    for (long i = 0; i < count; i++)
        tasks[i] = spawn(body, i);
    return tasks;
}

void join_all(struct task **tasks, long count)
{
    for (long i = 0; i < count; i++)
        join(tasks[i]);
    free(tasks);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"switch", run_switch, 1},
        {"yield", run_yield, 2},
        {"yield_apart", run_yield_apart, 2},
        {"spawn", run_spawn, 1},
        {"spawn_many", run_spawn_many, 100000},
        {"parked", run_parked, 100000},
        {"gather", run_gather, 1000},
        {"memory", run_memory, 100000},
        {"queue", run_queue, 1},
        {"sleep", run_sleep, 100000},
        {"echo_server", run_echo_server, 1},
        {"echo_streams", run_echo_server, 1},
        {"echo_protocol", run_echo_server, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
