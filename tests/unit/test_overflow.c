/* Stack overflows are told of, once, and end the process; other faults go where they went before.
 * What ends a process is done in a child. */
#include "support/test.h"

#include "coroutine/fiber.h"

#include <cora.h>

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* How a child ended, and what it wrote to stderr. */
struct end {
    int status;
    size_t length;
    char text[8192];
};

static struct end in_child(void (*fn)(void))
{
    struct end end = {.status = -1};
    int ends[2], rc = pipe(ends);
    ssize_t got;
    pid_t child;

    assert_int_equal(rc, 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        signal(SIGSEGV, SIG_DFL); /* not the handlers of the test's own process */
        signal(SIGBUS, SIG_DFL);
        fn();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], end.text + end.length, sizeof end.text - 1 - end.length)) > 0)
        end.length += (size_t)got;
    close(ends[0]);
    waitpid(child, &end.status, 0);
    return end;
}

static bool died_of(const struct end *end, int number)
{
    return WIFSIGNALED(end->status) && WTERMSIG(end->status) == number;
}

/* How often `part` stands in the text. */
static int count(const struct end *end, const char *part)
{
    int found = 0;

    for (const char *p = end->text; (p = strstr(p, part)) != NULL; p++)
        found++;
    return found;
}

/* The process died of an overflow, and said so once, in these words. */
static void check_overflow(const struct end *end, const char *whose, size_t stack_size)
{
    char expected[256];

    snprintf(expected, sizeof expected, "cora: stack overflow in %s: its stack of %zu KiB is used",
             whose, stack_size >> 10);
    if (count(end, expected) != 1)
        print_error("expected: %s\nin: %s\n", expected, end->text);
    assert_int_equal(count(end, expected), 1);
    assert_int_equal(count(end, "cora:"), 1);
    assert_true(died_of(end, SIGSEGV));
}

/* What the handlers here do. The status of an exit serves a memory checker, which has seen the
 * fault before them. */
static _Noreturn void tell(bool good)
{
    const char *text = good ? "handled" : "wrong";

    (void)!write(STDERR_FILENO, text, strlen(text));
    _exit(0);
}

static bool was_handled(const struct end *end)
{
    return WIFEXITED(end->status) && strcmp(end->text, "handled") == 0;
}

/* ---- overflows ----------------------------------------------------------------------------- */

static volatile int bottom = -1;

/* Without end, which the compiler must not see. */
static __attribute__((noinline)) int dive(int depth)
{
    volatile char room[200];

    room[0] = (char)depth;
    if (depth == bottom)
        return 0;
    return dive(depth + 1) + room[0];
}

static int dive_in_body(void *arg)
{
    (void)arg;
    return dive(0);
}

static void run_coroutine(cora_coroutine_fn *fn, size_t stack_size)
{
    cora_coroutine *coroutine;

    if (cora_coroutine_create(&coroutine, fn, NULL, stack_size) < 0 ||
        cora_coroutine_resume(coroutine, NULL, NULL) != -CORA_ESTOPITERATION)
        _exit(1);
    cora_coroutine_destroy(coroutine);
}

static void dive_in_coroutine(void)
{
    run_coroutine(dive_in_body, 0);
}

TEST(a_recursion_without_end_is_told_of_once_and_ends_the_process)
{
    struct end end = in_child(dive_in_coroutine);

    check_overflow(&end, "a coroutine", cora_default_stack_size());
}

static void dive_in_large_coroutine(void)
{
    run_coroutine(dive_in_body, 512 << 10);
}

TEST(the_report_names_the_size_that_was_asked_for)
{
    struct end end = in_child(dive_in_large_coroutine);

    check_overflow(&end, "a coroutine", 512 << 10);
}

static int use_large_array(void *arg)
{
    volatile char large[2 << 20];

    (void)arg;
    __asm__ volatile("" : : "r"(large) : "memory"); /* or it would be optimised away */
    large[0] = 1;
    return large[0];
}

static void overflow_by_large_array(void)
{
    run_coroutine(use_large_array, 0);
}

TEST(an_array_larger_than_the_stack_is_told_of)
{
    struct end end = in_child(overflow_by_large_array);

    check_overflow(&end, "a coroutine", cora_default_stack_size());
}

static int dive_in_inner(void *arg)
{
    (void)arg;
    dive_in_large_coroutine();
    return 0;
}

static void dive_two_deep(void)
{
    run_coroutine(dive_in_inner, 0);
}

TEST(the_report_is_of_the_innermost_coroutine)
{
    struct end end = in_child(dive_two_deep);

    check_overflow(&end, "a coroutine", 512 << 10);
}

static void *dive_in_thread(void *arg)
{
    (void)arg;
    dive_in_coroutine();
    return NULL;
}

static void dive_in_another_thread(void)
{
    pthread_t thread;

    run_coroutine(use_large_array, 4 << 20); /* this thread is watched, and so must be the other */
    if (pthread_create(&thread, NULL, dive_in_thread, NULL) != 0)
        _exit(1);
    pthread_join(thread, NULL);
}

TEST(every_thread_is_watched)
{
    struct end end = in_child(dive_in_another_thread);

    check_overflow(&end, "a coroutine", cora_default_stack_size());
}

static void handle_never(int number)
{
    (void)number;
    _exit(1);
}

static void dive_under_a_handler(void)
{
    signal(SIGSEGV, handle_never);
    dive_in_coroutine();
}

TEST(an_overflow_is_told_of_even_where_there_is_another_handler)
{
    struct end end = in_child(dive_under_a_handler);

    check_overflow(&end, "a coroutine", cora_default_stack_size());
}

TEST(a_recursion_that_ends_in_time_is_no_overflow)
{
    bottom = 50;
    dive_in_coroutine();
}

/* ---- overflows in tasks -------------------------------------------------------------------- */

struct plunge_args {
    int depth;
};

static int plunge(void *arg)
{
    return dive(((struct plunge_args *)arg)->depth);
}

static int await_plunge(cora_task_options *options)
{
    return cora_await_unref(cora_create_task_with(options, plunge, .depth = 0));
}

static int start_named(void *arg)
{
    (void)arg;
    return await_plunge(&(cora_task_options){.name = "diver", .stack_size = 128 << 10});
}

static int start_unnamed(void *arg)
{
    (void)arg;
    return await_plunge(NULL);
}

static int dive_in_generator(void *arg)
{
    (void)arg;
    dive_in_large_coroutine();
    return 0;
}

static void run_main(cora_task_fn *fn)
{
    int rc = cora_run(fn, NULL);

    _exit(rc == 0 ? 0 : 1);
}

static void overflow_in_named_task(void)
{
    run_main(start_named);
}

static void overflow_in_unnamed_task(void)
{
    run_main(start_unnamed);
}

static void overflow_in_main_task(void)
{
    run_main(dive_in_body);
}

static void overflow_in_coroutine_of_task(void)
{
    run_main(dive_in_generator);
}

TEST(the_report_names_the_task_and_its_function)
{
    struct end end = in_child(overflow_in_named_task);

    check_overflow(&end, "task 'diver' (function plunge)", 128 << 10);
}

TEST(the_report_names_a_task_by_its_number_where_it_has_no_name)
{
    struct end end = in_child(overflow_in_unnamed_task);

    check_overflow(&end, "task 'Task-2' (function plunge)", cora_default_stack_size());
}

TEST(the_report_names_the_main_task)
{
    struct end end = in_child(overflow_in_main_task);

    assert_int_equal(count(&end, "cora: stack overflow in task 'Task-1'"), 1);
    assert_int_equal(count(&end, "cora:"), 1);
    assert_true(died_of(&end, SIGSEGV));
}

TEST(a_coroutine_in_a_task_is_told_of_with_the_task)
{
    struct end end = in_child(overflow_in_coroutine_of_task);

    check_overflow(&end, "a coroutine of task 'Task-1' (function main)", 512 << 10);
}

/* ---- other faults -------------------------------------------------------------------------- */

static char *volatile nowhere;

/* The fault is to come from the processor and not from a check before it. */
__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"))) static int
fault(void *arg)
{
    (void)arg;
    return *(volatile char *)nowhere;
}

static void fault_in_coroutine(void)
{
    run_coroutine(fault, 0);
}

TEST(another_fault_ends_the_process_without_a_report)
{
    struct end end = in_child(fault_in_coroutine);

    assert_true(died_of(&end, SIGSEGV));
    assert_int_equal(count(&end, "cora"), 0);
}

static void fault_on_own_stack(void)
{
    run_coroutine(use_large_array, 4 << 20);
    fault(NULL);
}

TEST(a_fault_outside_a_coroutine_ends_the_process_without_a_report)
{
    struct end end = in_child(fault_on_own_stack);

    assert_true(died_of(&end, SIGSEGV));
    assert_int_equal(count(&end, "cora"), 0);
}

static void handle(int number)
{
    tell(number == SIGSEGV || number == SIGBUS);
}

static void fault_under_a_handler(void)
{
    signal(SIGSEGV, handle);
    fault_in_coroutine();
}

TEST(another_fault_goes_to_the_handler_that_was_there_before)
{
    struct end end = in_child(fault_under_a_handler);

    assert_true(was_handled(&end));
}

static void handle_with_info(int number, siginfo_t *info, void *context)
{
    bool good = number == SIGSEGV && context != NULL && info->si_addr == nowhere &&
                info->si_code == SEGV_ACCERR;

    tell(good);
}

static void install_with_info(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = handler;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static void fault_under_a_handler_with_info(void)
{
    char *page =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    nowhere = page + 123;
    install_with_info(handle_with_info);
    fault_in_coroutine();
}

TEST(a_handler_that_wants_to_know_gets_the_address)
{
    struct end end = in_child(fault_under_a_handler_with_info);

    assert_true(was_handled(&end));
}

static void handle_by_mending(int number)
{
    (void)number;
    mprotect(nowhere, (size_t)sysconf(_SC_PAGESIZE), PROT_READ);
}

static void fault_under_a_mending_handler(void)
{
    nowhere =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGSEGV, handle_by_mending);
    fault_in_coroutine();
    bottom = -1;
    dive_in_coroutine(); /* and overflows are watched for as before */
}

TEST(a_handler_that_mends_the_fault_lets_the_coroutine_go_on)
{
#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        skip(); /* by default it does not have the registers right to go on with */
#endif
    struct end end = in_child(fault_under_a_mending_handler);

    check_overflow(&end, "a coroutine", cora_default_stack_size());
}

/* ---- signals that were sent ---------------------------------------------------------------- */

static int number_sent = SIGSEGV;

static int send_signal(void *arg)
{
    (void)arg;
    kill(getpid(), number_sent);
    return 0;
}

static void be_sent(void)
{
    run_coroutine(send_signal, 0);
    _exit(3); /* got over it */
}

TEST(a_sent_signal_ends_the_process_without_a_report)
{
    struct end end = in_child(be_sent);

    assert_true(died_of(&end, SIGSEGV));
    assert_int_equal(count(&end, "cora"), 0);
    number_sent = SIGBUS;
    end = in_child(be_sent);
    assert_true(died_of(&end, SIGBUS));
    assert_int_equal(count(&end, "cora"), 0);
}

static void be_sent_under_a_handler(void)
{
    signal(number_sent, handle);
    be_sent();
}

TEST(a_sent_signal_goes_to_the_handler_that_was_there_before)
{
    struct end end = in_child(be_sent_under_a_handler);

    assert_true(was_handled(&end));
    number_sent = SIGBUS;
    end = in_child(be_sent_under_a_handler);
    assert_true(was_handled(&end));
}

static void handle_sent_with_info(int number, siginfo_t *info, void *context)
{
    bool good = number == SIGSEGV && context != NULL && info->si_code == SI_USER &&
                info->si_pid == getpid();

    tell(good);
}

static void be_sent_under_a_handler_with_info(void)
{
    install_with_info(handle_sent_with_info);
    be_sent();
}

TEST(a_handler_that_wants_to_know_gets_the_sender)
{
    struct end end = in_child(be_sent_under_a_handler_with_info);

    assert_true(was_handled(&end));
}

static void be_sent_and_ignore_it(void)
{
    signal(SIGSEGV, SIG_IGN);
    run_coroutine(send_signal, 0);
    run_coroutine(send_signal, 0);
    dive_in_coroutine(); /* is watched for as before */
}

TEST(a_sent_signal_that_was_ignored_before_is_ignored)
{
    struct end end = in_child(be_sent_and_ignore_it);

    check_overflow(&end, "a coroutine", cora_default_stack_size());
}
