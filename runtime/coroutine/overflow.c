/*
 * overflow.c: a stack overflow runs into the guard page below its stack, which is a SIGSEGV. The
 * handler runs on a stack of its own, tells whose stack it was, and lets the process die of the
 * same fault, so that a core dump shows the place. Every other fault goes to the handler that was
 * there before.
 */
#include "coroutine/coroutine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALTERNATE_STACK = 64 << 10 };

static struct sigaction previous_segv, previous_bus;
static pthread_once_t installed = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static _Thread_local bool watched;

/* ---- the report: async-signal-safe calls only ---------------------------------------------- */

struct line {
    char text[512];
    size_t length;
};

static void add(struct line *line, const char *text)
{
    for (; *text != '\0' && line->length < sizeof line->text; text++)
        line->text[line->length++] = *text;
}

static void add_number(struct line *line, size_t number)
{
    char digits[24];
    char *p = digits + sizeof digits;

    *--p = '\0';
    do
        *--p = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    add(line, p);
}

/* "task 'a' (function f)", or nothing where the coroutine is no task's. */
static void add_task(struct line *line, const struct cora__label *label)
{
    if (label == NULL)
        return;
    add(line, "task '");
    if (label->name != NULL) {
        add(line, label->name);
    } else {
        add(line, "Task-");
        add_number(line, label->number);
    }
    add(line, "' (function ");
    add(line, label->function);
    add(line, ")");
}

static void report(const struct cora__stack *stack)
{
    struct line line = {.length = 0};
    /* The same place that lay_out in coroutine.c has chosen. */
    const struct cora_coroutine *owner =
        (const struct cora_coroutine *)(((uintptr_t)stack->top - sizeof *owner) & ~(uintptr_t)63);
    const struct cora_coroutine *base = owner;

    while (base->caller != NULL) /* a generator's is who runs it, down to the task */
        base = base->caller;
    add(&line, "cora: stack overflow in ");
    if (owner->label == NULL)
        add(&line, base->label != NULL ? "a coroutine of " : "a coroutine");
    add_task(&line, base->label);
    add(&line, ": its stack of ");
    add_number(&line, owner->stack_size >> 10);
    add(&line, " KiB is used up. Look for a deep recursion or a large local array, or give it a "
               "larger stack (.stack_size).\n");
    (void)!write(STDERR_FILENO, line.text, line.length);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    bool sent = info->si_code <= 0; /* by kill, say; otherwise it is a fault */
    const struct sigaction *previous = number == SIGBUS ? &previous_bus : &previous_segv;
    struct cora__stack stack;

    if (!sent && cora__stack_find_guard(info->si_addr, &stack)) {
        report(&stack);
        signal(number, SIG_DFL); /* the fault happens again on return, and ends the process */
    } else if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(number, info, context);
    } else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
        previous->sa_handler(number);
    } else if (previous->sa_handler == SIG_DFL || !sent) { /* a fault cannot be ignored */
        signal(number, SIG_DFL);
        if (sent) /* it does not happen again by itself */
            raise(number);
    }
    errno = saved_errno;
}

/* ---- installing it ------------------------------------------------------------------------- */

static void leave_thread(void *memory)
{
    stack_t off = {.ss_flags = SS_DISABLE};

    sigaltstack(&off, NULL);
    munmap(memory, ALTERNATE_STACK);
}

static void install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
    pthread_key_create(&thread_end, leave_thread);
}

int cora__overflow_watch_thread(void)
{
    stack_t alternate;

    if (watched)
        return 0;
    pthread_once(&installed, install);
    /* A thread that has an alternate stack already (a sanitizer's, say) keeps it. */
    if (sigaltstack(NULL, &alternate) == 0 && !(alternate.ss_flags & SS_DISABLE)) {
        watched = true;
        return 0;
    }

    void *memory =
        mmap(NULL, ALTERNATE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -ENOMEM;
    alternate = (stack_t){.ss_sp = memory, .ss_size = ALTERNATE_STACK};
    sigaltstack(&alternate, NULL);
    pthread_setspecific(thread_end, memory);
    watched = true;
    return 0;
}
