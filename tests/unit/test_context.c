/* The machine context: what a switch keeps, and what it keeps apart. */
#include "support/test.h"

#include "context/context.h"
#include "coroutine/fiber.h"

#include <execinfo.h>
#include <fenv.h>
#include <float.h>

enum { STACK = 256 << 10, MANY = 1000, SMALL_STACK = 32 << 10 };

#ifdef CORA_VALGRIND
#define ON_VALGRIND RUNNING_ON_VALGRIND
#else
#define ON_VALGRIND 0
#endif

/* A place to switch to, and what the sanitizers must be told about it. */
struct place {
    void *sp;
    struct cora__fiber fiber;
    char *memory;
    void (*entry)(void);
};

static struct place home, other; /* the test, and the context that it switches to */
static struct place *arrived;    /* what the entry was given */

static inline __attribute__((always_inline)) void go(struct place *from, struct place *to)
{
    cora__fiber_before_switch(&from->fiber, &to->fiber);
    cora__context_switch(&from->sp, to->sp);
    cora__fiber_after_switch(&from->fiber);
}

static void enter(void *arg)
{
    arrived = arg;
    cora__fiber_after_switch(&arrived->fiber);
    arrived->entry();
    abort(); /* an entry never returns */
}

/* `below`: the bytes of the memory left unused above the stack. */
static void make(struct place *place, void (*entry)(void), size_t size, size_t below)
{
    place->memory = aligned_alloc(64, size);
    assert_non_null(place->memory);
    place->entry = entry;
    cora__fiber_init(&place->fiber, place->memory, place->memory + size - below);
    place->sp = cora__context_create(place->memory, place->memory + size - below, enter, place);
}

static void start(void (*entry)(void))
{
    cora__fiber_init_thread(&home.fiber);
    make(&other, entry, STACK, 0);
}

/* A context that is never gone back to has nothing to clean up. */
static void drop(struct place *place)
{
    cora__fiber_destroy(&place->fiber);
    free(place->memory);
}

/* ---- going there and back ------------------------------------------------------------------ */

static int steps;

static void count_steps(void)
{
    for (;;) {
        steps++;
        go(&other, &home);
    }
}

TEST(a_context_starts_with_its_argument_and_goes_on_where_it_stopped)
{
    start(count_steps);
    assert_int_equal(steps, 0);
    go(&home, &other);
    assert_ptr_equal(arrived, &other);
    assert_int_equal(steps, 1);
    for (int i = 2; i <= 100; i++) {
        go(&home, &other);
        assert_int_equal(steps, i);
    }
    drop(&other);
}

static __attribute__((noinline)) int down(int depth)
{
    if (depth == 0) {
        go(&other, &home);
        return 0;
    }
    return down(depth - 1) + depth;
}

static void switch_deep_down(void)
{
    for (;;) {
        steps = down(100);
        go(&other, &home);
    }
}

TEST(a_context_stops_and_goes_on_deep_in_calls)
{
    start(switch_deep_down);
    for (int i = 0; i < 3; i++) {
        steps = 0;
        go(&home, &other);
        assert_int_equal(steps, 0);
        go(&home, &other);
        assert_int_equal(steps, 5050);
    }
    drop(&other);
}

/* ---- registers ----------------------------------------------------------------------------- */

/* The compiler can neither know the value nor compute it a second time. */
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))

/* More values than there are callee-saved registers live across each switch. */
#define INTEGERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

static __attribute__((noinline)) unsigned long churn_integers(struct place *from, struct place *to,
                                                              unsigned long seed, int rounds)
{
    unsigned long sum = 0;

#define DECLARE(i) unsigned long v##i = seed * (i + 3) + (i);
    INTEGERS(DECLARE)
    for (int round = 0; round < rounds; round++) {
#define HIDE(i) OPAQUE(v##i);
        INTEGERS(HIDE)
        go(from, to);
#define ADD(i) sum = sum * 31 + v##i;
        INTEGERS(ADD)
#define STEP(i) v##i += seed ^ (i);
        INTEGERS(STEP)
    }
    return sum;
}

static unsigned long expected_integers(unsigned long seed, int rounds)
{
    unsigned long sum = 0;

#undef DECLARE
#define DECLARE(i) volatile unsigned long v##i = seed * (i + 3) + (i);
    INTEGERS(DECLARE)
    for (int round = 0; round < rounds; round++) {
        INTEGERS(ADD)
#undef STEP
#define STEP(i) v##i = v##i + (seed ^ (i));
        INTEGERS(STEP)
    }
    return sum;
}

static unsigned long integers_of_other;

static void churn_integers_there(void)
{
    integers_of_other = churn_integers(&other, &home, 0x123456789abcdefUL, MANY);
    for (;;)
        go(&other, &home);
}

TEST(integer_values_survive_a_switch)
{
    unsigned long sum;

    start(churn_integers_there);
    sum = churn_integers(&home, &other, 0xfedcba987654321UL, MANY);
    go(&home, &other);
    assert_true(sum == expected_integers(0xfedcba987654321UL, MANY));
    assert_true(integers_of_other == expected_integers(0x123456789abcdefUL, MANY));
    drop(&other);
}

#define DOUBLES(X) INTEGERS(X) X(15) X(16) X(17)

static __attribute__((noinline)) double churn_doubles(struct place *from, struct place *to,
                                                      double seed, int rounds)
{
    long double wide = seed;
    double sum = 0;

#undef DECLARE
#define DECLARE(i) double d##i = seed * (i + 3);
    DOUBLES(DECLARE)
    for (int round = 0; round < rounds; round++) {
        go(from, to);
#undef ADD
#define ADD(i) sum += d##i;
        DOUBLES(ADD)
#undef STEP
#define STEP(i) d##i += (i) + 1;
        DOUBLES(STEP)
        wide += 1;
    }
    return sum + (double)wide;
}

/* All terms and sums are whole numbers below 2^53: exact, in whatever order. */
static double expected_doubles(double seed, int rounds)
{
    double sum = seed + rounds;

    for (int i = 0; i < 18; i++)
        for (int round = 0; round < rounds; round++)
            sum += seed * (i + 3) + round * (i + 1);
    return sum;
}

static double doubles_of_other;

static void churn_doubles_there(void)
{
    doubles_of_other = churn_doubles(&other, &home, 1024, MANY);
    for (;;)
        go(&other, &home);
}

TEST(floating_point_values_survive_a_switch)
{
    double sum;

    start(churn_doubles_there);
    sum = churn_doubles(&home, &other, 77, MANY);
    go(&home, &other);
    assert_true(sum == expected_doubles(77, MANY));
    assert_true(doubles_of_other == expected_doubles(1024, MANY));
    drop(&other);
}

/* ---- the rounding mode --------------------------------------------------------------------- */

/* A third as the hardware rounds it now, in the unit for doubles and in the one for long doubles.
 * noinline and volatile keep the compiler from computing it at a time of its own. */
static __attribute__((noinline)) double third(void)
{
    volatile double one = 1, three = 3;

    return one / three;
}

static __attribute__((noinline)) long double wide_third(void)
{
    volatile long double one = 1, three = 3;

    return one / three;
}

static int mode_of_other;
static double third_of_other;
static long double wide_third_of_other;

static void observe_rounding(void)
{
    mode_of_other = fegetround();
    third_of_other = third();
    wide_third_of_other = wide_third();
}

static void round_upward(void)
{
    observe_rounding();
    go(&other, &home);
    fesetround(FE_UPWARD);
    for (;;) {
        go(&other, &home);
        observe_rounding();
    }
}

TEST(a_rounding_mode_stays_with_the_context_that_set_it)
{
    const double nearest = third();
    const long double wide_nearest = wide_third();
    double upward;
    long double wide_upward;

    fesetround(FE_UPWARD);
    upward = third();
    wide_upward = wide_third();
    fesetround(FE_TONEAREST);
    if (!ON_VALGRIND) /* which knows of modes, but rounds to nearest in all of them */
        assert_true(upward > nearest);

    start(round_upward);
    go(&home, &other);
    assert_int_equal(mode_of_other, FE_TONEAREST);
    go(&home, &other); /* it has set its own */
    assert_int_equal(fegetround(), FE_TONEAREST);
    assert_true(third() == nearest);
    assert_true(wide_third() == wide_nearest);

    go(&home, &other);
    assert_int_equal(mode_of_other, FE_UPWARD);
    assert_true(third_of_other == upward);
    assert_true(wide_third_of_other == wide_upward);

    fesetround(FE_DOWNWARD);
    go(&home, &other);
    assert_int_equal(mode_of_other, FE_UPWARD);
    assert_true(third_of_other == upward);
    assert_int_equal(fegetround(), FE_DOWNWARD);
    fesetround(FE_TONEAREST);
    drop(&other);
}

TEST(a_new_context_has_the_rounding_mode_of_its_creator)
{
    fesetround(FE_TOWARDZERO);
    start(round_upward);
    fesetround(FE_TONEAREST);
    go(&home, &other);
    assert_int_equal(mode_of_other, FE_TOWARDZERO);
    assert_int_equal(fegetround(), FE_TONEAREST);
    drop(&other);
}

/* ---- many ---------------------------------------------------------------------------------- */

static struct place places[MANY];
static int current, out_of_turn, visits[MANY];

static void pass_on(void)
{
    int self = current;
    int visited = 0;

    for (;;) {
        struct place *next = self + 1 < MANY ? &places[self + 1] : &home;

        out_of_turn += current != self || visits[self] != visited;
        visits[self] = ++visited;
        current = self + 1;
        go(&places[self], next);
    }
}

TEST(a_thousand_contexts_take_turns)
{
    enum { ROUNDS = 20 };

    cora__fiber_init_thread(&home.fiber);
    for (int i = 0; i < MANY; i++)
        make(&places[i], pass_on, SMALL_STACK, 0);
    for (int round = 0; round < ROUNDS; round++) {
        current = 0;
        go(&home, &places[0]);
        assert_int_equal(current, MANY);
    }
    assert_int_equal(out_of_turn, 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(visits[i], ROUNDS);
        drop(&places[i]);
    }
}

/* ---- the first frame ----------------------------------------------------------------------- */

static uintptr_t frame_offset, local_offset;
static char printed[32];

static void use_alignment(void)
{
    for (;;) {
        __attribute__((aligned(16))) char local[32];
        char *where = local;

        OPAQUE(where);
        frame_offset = (uintptr_t)__builtin_frame_address(0) % 16;
        local_offset = (uintptr_t)where % 16;
#ifdef __x86_64__
        /* It faults unless the address is a multiple of 16. */
        __asm__ volatile("movaps %%xmm0, %0" : "=m"(local[0]) : : "memory");
#endif
        /* A function with variable arguments saves the vector registers at aligned places. */
        snprintf(printed, sizeof printed, "%.2f %d", 2.5, 7);
        go(&other, &home);
    }
}

TEST(the_stack_is_aligned_to_16_where_a_context_starts)
{
    cora__fiber_init_thread(&home.fiber);
    for (size_t below = 0; below < 1024; below += 16) {
        frame_offset = local_offset = 1;
        make(&other, use_alignment, STACK, below);
        go(&home, &other);
        assert_int_equal(frame_offset, 0);
        assert_int_equal(local_offset, 0);
        assert_string_equal(printed, "2.50 7");
        drop(&other);
    }
}

static int frames_seen;

static void look_back(void)
{
    void *frames[64];

    frames_seen = backtrace(frames, 64);
    for (;;)
        go(&other, &home);
}

TEST(a_backtrace_ends_at_the_first_frame)
{
    start(look_back);
    go(&home, &other);
    assert_in_range(frames_seen, 2, 8);
    drop(&other);
}
