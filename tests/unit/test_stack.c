/* Stacks: where they lie, their guards, and memory back to the system. */
#include "support/test.h"

#include "coroutine/fiber.h"
#include "stack/guard.h"
#include "stack/stack.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIB = 1 << 10, MIB = 1 << 20, SKIPPED = 77 };

static const size_t LIMIT = (size_t)1 << 30;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static struct cora__stack take(size_t size)
{
    struct cora__stack stack = {0};
    int rc = cora__stack_alloc(size, &stack);

    assert_int_equal(rc, 0);
    return stack;
}

static struct cora__stack *take_many(size_t count, size_t size)
{
    struct cora__stack *stacks = calloc(count, sizeof *stacks);

    assert_non_null(stacks);
    for (size_t i = 0; i < count; i++)
        stacks[i] = take(size);
    return stacks;
}

static void give_back(struct cora__stack *stacks, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        cora__stack_free(&stacks[i]);
}

/* Writes to the page at the top, as a parked task would have. */
static void touch(const struct cora__stack *stack)
{
    stack->top[-1] = 1;
}

static bool is_resident(const void *address)
{
    unsigned char resident = 0;
    char *page = (char *)((uintptr_t)address & ~(page_size() - 1));
    int rc = mincore(page, page_size(), &resident);

    return rc == 0 && (resident & 1);
}

static bool is_mapped(const void *address)
{
    unsigned char resident = 0;
    char *page = (char *)((uintptr_t)address & ~(page_size() - 1));
    int rc = mincore(page, page_size(), &resident);

    return rc == 0;
}

/* Whether the kernel, which is asked to read a byte there, refuses. */
static bool is_forbidden(const void *address)
{
    static int ends[2] = {-1, -1};
    char byte;

    if (ends[0] < 0) {
        int rc = pipe(ends);

        assert_int_equal(rc, 0);
    }

    /* Not by write(): a sanitizer would look at the byte itself. */
    ssize_t written = syscall(SYS_write, ends[1], address, 1);

    if (written < 0)
        return errno == EFAULT;
    written = read(ends[0], &byte, 1); /* the pipe is not to fill up */
    assert_int_equal(written, 1);
    return false;
}

/* Runs fn(arg) in a process of its own; its wait status. */
static int in_child(void (*fn)(void *arg), void *arg)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        fn(arg);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static bool died_of(int status, int number)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

/* ---- where they lie ------------------------------------------------------------------------ */

TEST(a_stack_is_aligned_and_at_least_as_large_as_asked_for)
{
    const size_t sizes[] = {1,        page_size() - 1, page_size(), page_size() + 1, 10000,
                            64 * KIB, 100001,          MIB,         8 * MIB,         LIMIT};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cora__stack stack = take(sizes[i]);

        assert_int_equal((uintptr_t)stack.top % 64, 0);
        assert_int_equal((uintptr_t)stack.low % page_size(), 0);
        assert_true((size_t)(stack.top - stack.low) >= sizes[i]);
        stack.low[0] = 1;
        stack.top[-1] = 1;
        cora__stack_free(&stack);
        assert_null(stack.slab);
        cora__stack_trim(true);
    }
}

TEST(every_one_of_many_stacks_is_as_large_as_asked_for)
{
    struct cora__stack *stacks = take_many(300, 16 * KIB);

    for (size_t i = 0; i < 300; i++)
        assert_true((size_t)(stacks[i].top - stacks[i].low) >= 16 * KIB);
    give_back(stacks, 0, 300);
    free(stacks);
}

TEST(tops_are_spread_over_16_cache_lines)
{
    enum { COUNT = 160, LINES = 16 };
    struct cora__stack *stacks = take_many(COUNT, 64 * KIB);
    int tops[LINES] = {0};

    for (size_t i = 0; i < COUNT; i++) {
        size_t lines_below_page_end = -(uintptr_t)stacks[i].top % page_size() / 64;

        assert_in_range(lines_below_page_end, 0, LINES - 1);
        tops[lines_below_page_end]++;
    }
    for (int i = 0; i < LINES; i++)
        assert_int_equal(tops[i], COUNT / LINES);
    give_back(stacks, 0, COUNT);
    free(stacks);
}

TEST(stacks_of_many_sizes_do_not_overlap)
{
    enum { COUNT = 600 };
    struct cora__stack *stacks = calloc(COUNT, sizeof *stacks);
    int wrong = 0;

    assert_non_null(stacks);
    for (size_t i = 0; i < COUNT; i++) {
        stacks[i] = take((i % 23 + 1) * page_size());
        memset(stacks[i].low, (int)(i % 251), (size_t)(stacks[i].top - stacks[i].low));
        if (i % 3 == 2) { /* and some come and go */
            cora__stack_free(&stacks[i - 1]);
            stacks[i - 1] = take((i % 7 + 1) * page_size());
            memset(stacks[i - 1].low, (int)((i - 1) % 251),
                   (size_t)(stacks[i - 1].top - stacks[i - 1].low));
        }
    }
    for (size_t i = 0; i < COUNT; i++)
        for (char *p = stacks[i].low; p < stacks[i].top; p++)
            wrong += *p != (char)(i % 251);
    assert_int_equal(wrong, 0);
    give_back(stacks, 0, COUNT);
    free(stacks);
    cora__stack_trim(true);
    assert_int_equal(cora__stack_reserved(), 0);
}

TEST(the_stack_freed_last_is_used_first)
{
    struct cora__stack *stacks = take_many(5, 64 * KIB);
    char *freed[3] = {stacks[1].low, stacks[4].low, stacks[0].low};

    cora__stack_free(&stacks[1]);
    cora__stack_free(&stacks[4]);
    cora__stack_free(&stacks[0]);
    for (int i = 2; i >= 0; i--) {
        struct cora__stack stack = take(64 * KIB);

        assert_ptr_equal(stack.low, freed[i]);
    }
    free(stacks);
}

TEST(impossible_sizes_are_refused_and_nothing_is_touched)
{
    static const size_t sizes[] = {0, ((size_t)1 << 30) + 1, SIZE_MAX / 2, SIZE_MAX};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cora__stack stack = {.index = 77};
        int rc = cora__stack_alloc(sizes[i], &stack);

        assert_int_equal(rc, -EINVAL);
        assert_int_equal(stack.index, 77);
        assert_null(stack.slab);
    }
    assert_int_equal(cora__stack_reserved(), 0);
}

/* ---- guards -------------------------------------------------------------------------------- */

static void read_byte(void *address)
{
    (void)*(volatile char *)address;
}

static void write_byte(void *address)
{
    *(volatile char *)address = 1;
}

TEST(below_a_stack_any_access_is_a_fault)
{
    struct cora__stack *stacks = take_many(3, 64 * KIB);

    for (size_t i = 0; i < 3; i++) {
        char *low = stacks[i].low;
        int written = in_child(write_byte, low - 1), read = in_child(read_byte, low - 1);
        int lowest = in_child(write_byte, low - page_size()), usable = in_child(write_byte, low);

        assert_true(died_of(written, SIGSEGV));
        assert_true(died_of(read, SIGSEGV));
        assert_true(died_of(lowest, SIGSEGV));
        assert_int_equal(usable, 0);
    }
    give_back(stacks, 0, 3);
    free(stacks);
}

TEST(a_stack_has_its_guard_after_reuse_and_after_a_trim_too)
{
    struct cora__stack *stacks = take_many(3, 64 * KIB);
    struct cora__stack again;
    int status;

    cora__stack_free(&stacks[1]);
    again = take(64 * KIB);
    assert_ptr_equal(again.low - 1, stacks[1].low - 1);
    assert_true(is_forbidden(again.low - 1));
    cora__stack_free(&again);
    cora__stack_trim(true);
    again = take(64 * KIB);
    assert_true(is_forbidden(again.low - 1));
    status = in_child(write_byte, again.low - 1);
    assert_true(died_of(status, SIGSEGV));
    assert_false(is_forbidden(again.low));
    free(stacks);
}

/* How many stacks there are to be had, at most `most`: each must have its guard. */
static size_t take_guarded(struct cora__stack *stacks, size_t most, size_t *ret_unguarded, int *ret)
{
    size_t count = 0;

    *ret = 0;
    *ret_unguarded = 0;
    while (count < most) {
        *ret = cora__stack_alloc(page_size(), &stacks[count]);
        if (*ret < 0)
            break;
        *ret_unguarded += !is_forbidden(stacks[count].low - 1);
        *ret_unguarded += is_forbidden(stacks[count].top - 1);
        count++;
    }
    return count;
}

/* By mprotect each takes two mappings: then it depends on vm.max_map_count where the end is. */
TEST(a_hundred_thousand_guarded_stacks_at_once)
{
    enum { MANY = 100000 };
    struct cora__stack *stacks = calloc(MANY, sizeof *stacks);
    size_t count, unguarded;
    int rc;

    assert_non_null(stacks);
#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND && strcmp(cora__guard_kind(), "mprotect") == 0)
        skip(); /* it has room for far fewer mappings, and ends where there are more */
#endif
    count = take_guarded(stacks, MANY, &unguarded, &rc);
    assert_int_equal(unguarded, 0);
    if (strcmp(cora__guard_kind(), "MADV_GUARD_INSTALL") == 0) {
        assert_int_equal(count, MANY);
    } else if (count < MANY) {
        assert_int_equal(rc, -ENOMEM);
        assert_true(count >= 10000);
    }
    give_back(stacks, 0, count);
    cora__stack_trim(true);
    assert_int_equal(cora__stack_reserved(), 0);
    free(stacks);
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define LOAD(member)                                                                               \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, member))
#define SKIP_UNLESS(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skipped))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define FAIL(error) RETURN(SECCOMP_RET_ERRNO | (error))

/* From here on the kernel knows no MADV_GUARD_INSTALL, as those before Linux 6.13. */
static void forget_madvise_guard(void)
{
    struct sock_filter filter[] = {
        LOAD(arch),    SKIP_UNLESS(ARCHITECTURE, 5), LOAD(nr),     SKIP_UNLESS(__NR_madvise, 3),
        LOAD(args[2]), SKIP_UNLESS(102, 1),          FAIL(EINVAL), RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(SKIPPED);
}

/* From here on no page can be made inaccessible by mprotect. */
static void forbid_mprotect_none(void)
{
    struct sock_filter filter[] = {
        LOAD(arch),    SKIP_UNLESS(ARCHITECTURE, 5), LOAD(nr),     SKIP_UNLESS(__NR_mprotect, 3),
        LOAD(args[2]), SKIP_UNLESS(PROT_NONE, 1),    FAIL(ENOMEM), RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(SKIPPED);
}

static void expect(bool what)
{
    if (!what)
        _exit(1);
}

static void fall_back(void *arg)
{
    struct cora__stack stacks[100];
    size_t count, unguarded;
    int rc;

    (void)arg;
    forget_madvise_guard();
    expect(strcmp(cora__guard_kind(), "mprotect") == 0);
    count = take_guarded(stacks, 100, &unguarded, &rc);
    expect(count == 100 && unguarded == 0);
    write_byte(stacks[42].low - 1);
}

static void check_child(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

TEST(an_old_kernel_gets_guards_by_mprotect)
{
    int status = in_child(fall_back, NULL);

    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_true(died_of(status, SIGSEGV));
}

static void fail_to_guard(void *arg)
{
    struct cora__stack first, second = {.index = 77};
    int rc;

    (void)arg;
    forget_madvise_guard();
    rc = cora__stack_alloc(64 * KIB, &first);
    expect(rc == 0);
    forbid_mprotect_none();
    for (int i = 0; i < 3; i++) {
        rc = cora__stack_alloc(64 * KIB, &second); /* of the same slab */
        expect(rc == -ENOMEM && second.index == 77 && second.slab == NULL);
        rc = cora__stack_alloc(128 * KIB, &second); /* of a new one */
        expect(rc == -ENOMEM && second.index == 77 && second.slab == NULL);
    }
    /* A stack that has its guard from before is as good as ever. */
    cora__stack_free(&first);
    rc = cora__stack_alloc(64 * KIB, &first);
    expect(rc == 0 && is_forbidden(first.low - 1));
    cora__stack_free(&first);
    cora__stack_trim(true);
    expect(cora__stack_reserved() == 0);
}

TEST(without_a_guard_there_is_no_stack)
{
    int status = in_child(fail_to_guard, NULL);

    check_child(status);
}

static long max_map_count(void)
{
    long count = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &count) != 1)
        count = 0;
    fclose(file);
    return count;
}

enum { MOST_MAPPINGS = 200000 };

static void use_up_mappings(void *arg)
{
    static struct cora__stack stacks[MOST_MAPPINGS];
    struct cora__stack untouched = {.index = 77};
    size_t count, unguarded;
    int rc;

    (void)arg;
    forget_madvise_guard();
    is_forbidden(NULL); /* opens what it needs */
    count = take_guarded(stacks, MOST_MAPPINGS, &unguarded, &rc);
    expect(rc == -ENOMEM && unguarded == 0 && count > 0);
    rc = cora__stack_alloc(page_size(), &untouched);
    expect(rc == -ENOMEM && untouched.index == 77);
    for (size_t i = 0; i < count; i++)
        expect(is_forbidden(stacks[i].low - 1));
    /* And once others are given back there are some again. */
    give_back(stacks, 0, count);
    cora__stack_trim(true);
    count = take_guarded(stacks, 1000, &unguarded, &rc);
    expect(count == 1000 && unguarded == 0);
}

TEST(when_the_mappings_are_used_up_there_are_no_more_stacks)
{
    long most = max_map_count();

    if (most <= 0 || most > MOST_MAPPINGS)
        skip();
#ifdef CORA_TSAN
    skip(); /* it needs mappings of its own and ends where there are no more */
#endif
#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        skip(); /* it has room for far fewer mappings, and ends where there are more */
#endif
    check_child(in_child(use_up_mappings, NULL));
}

/* The top of the stack whose guard that is, or NULL. */
static char *top_above(const void *address)
{
    struct cora__stack stack;

    return cora__stack_find_guard(address, &stack) ? stack.top : NULL;
}

TEST(the_stack_of_a_guard_is_found_by_any_address_in_it)
{
    struct cora__stack *stacks = take_many(40, 64 * KIB);
    struct cora__stack large = take(MIB);
    int here;

    for (size_t i = 0; i < 40; i++) {
        assert_ptr_equal(top_above(stacks[i].low - 1), stacks[i].top);
        assert_ptr_equal(top_above(stacks[i].low - page_size()), stacks[i].top);
        assert_null(top_above(stacks[i].low));
        assert_null(top_above(stacks[i].top - 1));
    }
    assert_ptr_equal(top_above(large.low - 1), large.top);
    assert_null(top_above(NULL));
    assert_null(top_above(&here));
    assert_null(top_above((void *)UINTPTR_MAX));
    give_back(stacks, 0, 40);
    cora__stack_free(&large);
    free(stacks);
}

TEST(before_the_first_stack_no_guard_is_found)
{
    int here;

    assert_null(top_above(NULL));
    assert_null(top_above(&here));
}

/* ---- memory back to the system ------------------------------------------------------------- */

enum { PEAK = 1000 };

static size_t count_resident(const struct cora__stack *stacks, size_t from, size_t to)
{
    size_t resident = 0;

    for (size_t i = from; i < to; i++)
        resident += is_resident(stacks[i].top - 1);
    return resident;
}

TEST(an_untouched_stack_takes_no_memory)
{
    struct cora__stack stack = take(MIB);

    assert_false(is_resident(stack.top - 1));
    assert_false(is_resident(stack.low));
    touch(&stack);
    assert_true(is_resident(stack.top - 1));
    assert_false(is_resident(stack.low));
    cora__stack_free(&stack);
}

TEST(a_trim_keeps_what_the_last_peak_needed_and_the_next_gives_it_back)
{
    struct cora__stack *stacks = take_many(PEAK, 64 * KIB);
    size_t at_peak = cora__stack_reserved();
    bool more;

    assert_true(at_peak >= (size_t)PEAK * 64 * KIB);
    for (size_t i = 0; i < PEAK; i++)
        touch(&stacks[i]);
    give_back(stacks, 0, PEAK);

    more = cora__stack_trim(false);
    assert_true(more);
    assert_int_equal(cora__stack_reserved(), at_peak);
    assert_int_equal(count_resident(stacks, 0, PEAK), PEAK);

    more = cora__stack_trim(false);
    assert_false(more);
    assert_int_equal(cora__stack_reserved(), 0);
    assert_int_equal(count_resident(stacks, 0, PEAK), 0);
    free(stacks);
}

TEST(a_trim_of_all_keeps_nothing_that_is_free)
{
    struct cora__stack *stacks = take_many(PEAK, 64 * KIB);
    bool more;

    for (size_t i = 0; i < PEAK; i++)
        touch(&stacks[i]);
    give_back(stacks, 0, PEAK);
    more = cora__stack_trim(true);
    assert_false(more);
    assert_int_equal(cora__stack_reserved(), 0);
    free(stacks);
}

TEST(a_trim_leaves_the_stacks_in_use_alone)
{
    struct cora__stack *stacks = take_many(PEAK, 64 * KIB);
    int lost = 0;

    for (size_t i = 0; i < PEAK; i++)
        memset(stacks[i].top - 100, (int)(i % 100 + 1), 100);
    for (size_t i = 0; i < PEAK; i++)
        if (i % 10 != 0)
            cora__stack_free(&stacks[i]);
    cora__stack_trim(true);
    for (size_t i = 0; i < PEAK; i++) {
        if (i % 10 == 0)
            lost += stacks[i].top[-1] != (char)(i % 100 + 1);
        else
            lost += is_resident(stacks[i].top - 1); /* which should be lost, and is not */
    }
    assert_int_equal(lost, 0);
    for (size_t i = 0; i < PEAK; i += 10)
        cora__stack_free(&stacks[i]);
    cora__stack_trim(true);
    assert_int_equal(cora__stack_reserved(), 0);
    free(stacks);
}

TEST(stacks_freed_after_a_trim_are_given_back_by_the_next)
{
    struct cora__stack *stacks = take_many(10, 64 * KIB);

    for (size_t i = 0; i < 10; i++)
        touch(&stacks[i]);
    give_back(stacks, 0, 5);
    cora__stack_trim(true);
    assert_int_equal(count_resident(stacks, 0, 5), 0);
    assert_int_equal(count_resident(stacks, 5, 10), 5);
    give_back(stacks, 5, 9); /* the last keeps the slab */
    cora__stack_trim(true);
    assert_int_equal(count_resident(stacks, 5, 9), 0);
    assert_int_equal(count_resident(stacks, 9, 10), 1);
    cora__stack_free(&stacks[9]);
    free(stacks);
}

TEST(a_stack_that_was_trimmed_is_as_good_as_new)
{
    struct cora__stack *stacks = take_many(2, 64 * KIB);
    struct cora__stack again;

    touch(&stacks[1]);
    cora__stack_free(&stacks[1]);
    cora__stack_trim(true);
    again = take(64 * KIB);
    assert_ptr_equal(again.top, stacks[1].top);
    assert_int_equal(again.top[-1], 0);
    memset(again.low, 1, (size_t)(again.top - again.low));
    cora__stack_free(&again);
    cora__stack_free(&stacks[0]);
    free(stacks);
}

/* ---- no memory ----------------------------------------------------------------------------- */

static void run_out_of_address_space(void *arg)
{
    struct cora__stack stack = {.index = 77};
    struct rlimit unlimited, limit;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    int rc;

    (void)arg;
    expect(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    getrlimit(RLIMIT_AS, &unlimited);
    limit = unlimited;
    limit.rlim_cur = (rlim_t)pages * page_size() + 64 * MIB;
    if (setrlimit(RLIMIT_AS, &limit) < 0)
        _exit(SKIPPED);
    rc = cora__stack_alloc(256 * MIB, &stack);
    expect(rc == -ENOMEM && stack.index == 77 && stack.slab == NULL);
    expect(cora__stack_reserved() == 0);
    setrlimit(RLIMIT_AS, &unlimited);
    rc = cora__stack_alloc(256 * MIB, &stack);
    expect(rc == 0 && is_forbidden(stack.low - 1));
    cora__stack_free(&stack);
    cora__stack_trim(true);
    expect(cora__stack_reserved() == 0);
}

TEST(without_address_space_there_is_no_stack)
{
    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* the emulator keeps that limit from the kernel */
    check_child(in_child(run_out_of_address_space, NULL));
}

/* ---- the high-water mark ------------------------------------------------------------------- */

TEST(the_high_water_mark_is_the_lowest_byte_written)
{
    struct cora__stack stack = take(64 * KIB);

#ifndef CORA_DEBUG
    stack.top[-1] = 1;
    assert_int_equal(cora__stack_high_water(&stack), 0);
    skip();
#else
    assert_int_equal(cora__stack_high_water(&stack), 0);
    stack.top[-1] = 1;
    assert_int_equal(cora__stack_high_water(&stack), 1);
    stack.top[-5000] = 1;
    assert_int_equal(cora__stack_high_water(&stack), 5000);
    stack.top[-100] = 1;
    assert_int_equal(cora__stack_high_water(&stack), 5000);
    stack.low[0] = 1;
    assert_int_equal(cora__stack_high_water(&stack), stack.top - stack.low);
    cora__stack_free(&stack);
    stack = take(64 * KIB); /* the same one, which counts from 0 again */
    assert_int_equal(cora__stack_high_water(&stack), 0);
    cora__stack_free(&stack);
#endif
}

/* ---- threads ------------------------------------------------------------------------------- */

enum { IN_A_THREAD = 300 };

struct seen {
    char *tops[IN_A_THREAD];
    char *guard_of_creator;
    int failed;
};

static void *use_stacks(void *arg)
{
    struct seen *seen = arg;
    struct cora__stack stacks[IN_A_THREAD];

    seen->failed = cora__stack_reserved() != 0;
    seen->failed += top_above(seen->guard_of_creator) != NULL;
    for (int i = 0; i < IN_A_THREAD; i++) {
        seen->failed += cora__stack_alloc(64 * KIB, &stacks[i]) != 0;
        seen->tops[i] = stacks[i].top;
        touch(&stacks[i]);
        seen->failed += !is_mapped(stacks[i].top - 1);
    }
    for (int i = 0; i < IN_A_THREAD; i++)
        cora__stack_free(&stacks[i]);
    return NULL;
}

TEST(a_thread_that_ends_gives_all_its_stacks_back)
{
    static struct seen seen;
    struct cora__stack mine = take(64 * KIB);
    size_t reserved = cora__stack_reserved();
    pthread_t thread;
    int failed, mapped = 0;

    seen.guard_of_creator = mine.low - 1;
    failed = pthread_create(&thread, NULL, use_stacks, &seen);
    assert_int_equal(failed, 0);
    failed = pthread_join(thread, NULL);
    assert_int_equal(failed, 0);
    assert_int_equal(seen.failed, 0);
    for (int i = 0; i < IN_A_THREAD; i++)
        mapped += is_mapped(seen.tops[i] - 1);
    assert_int_equal(mapped, 0);
    assert_int_equal(cora__stack_reserved(), reserved);
    assert_true(is_mapped(mine.top - 1));
    cora__stack_free(&mine);
}
