/* Unwinding: which functions a stopped coroutine is in, and on which lines. */
#include "support/test.h"

#include "unwind/unwind.h"

#include <cora/error.h>

#define NOINLINE __attribute__((noinline))

static struct cora__symbols *symbols;
static size_t room = 16; /* for the functions at one address */
static char text[2048];

/* One line a function, newest first: "yielding:12 outer:20 ". */
static bool add_frames(uintptr_t address, void *arg)
{
    cora_frame frames[16];
    size_t count = cora__symbols_find(symbols, address, frames, room);
    size_t *calls = arg;

    for (size_t i = 0; i < count; i++) {
        const char *file = frames[i].file != NULL ? strrchr(frames[i].file, '/') : NULL;
        size_t length = strlen(text);

        if (file != NULL && strcmp(file, "/test_unwind.c") == 0)
            snprintf(text + length, sizeof text - length, "%s:%d ", frames[i].function,
                     frames[i].line);
        else
            snprintf(text + length, sizeof text - length, "%s ", frames[i].function);
    }
    ++*calls;
    return true;
}

static bool first_only(uintptr_t address, void *arg)
{
    add_frames(address, arg);
    return false;
}

struct look {
    const struct cora_coroutine *coroutine;
    bool (*fn)(uintptr_t address, void *arg);
    size_t calls;
};

static void look(void *arg)
{
    struct look *look = arg;

    symbols = cora__symbols_open();
    cora__unwind(symbols, look->coroutine, look->coroutine->sp, look->fn, &look->calls);
}

static void close_symbols(void *arg)
{
    (void)arg;
    cora__symbols_close(symbols);
}

enum { YIELD_LINE = __LINE__ + 5, INLINED_LINE = YIELD_LINE + 7, OUTER_LINE = YIELD_LINE + 14 };

static NOINLINE int yielding(void)
{
    int rc;
    rc = cora_coroutine_yield(NULL, NULL);
    return rc == -ECANCELED ? 0 : rc;
}

static inline __attribute__((always_inline)) int inlined(int *depth)
{
    int rc;
    rc = yielding();
    return *depth += rc;
}

static NOINLINE int outer(int *depth)
{
    int rc;
    rc = inlined(depth);
    return *depth - rc;
}

static int body(void *arg)
{
    int rc = outer(arg);

    return rc + 1;
}

static size_t look_at_stopped(bool (*fn)(uintptr_t address, void *arg))
{
    struct look at = {.fn = fn};
    cora_coroutine *coroutine = NULL;
    int depth = 0, rc;

    text[0] = '\0';
    assert_return_code(cora_coroutine_create(&coroutine, body, &depth, 0), 0);
    rc = cora_coroutine_resume(coroutine, NULL, NULL);
    assert_int_equal(rc, 0);
    at.coroutine = coroutine;
    rc = cora__symbols_call(look, &at);
    assert_int_equal(rc, 0);
    rc = cora__symbols_call(close_symbols, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_coroutine_destroy(coroutine), 0);
    return at.calls;
}

TEST(the_calls_of_a_stopped_coroutine_are_told_with_their_lines)
{
    size_t calls = look_at_stopped(add_frames);

#ifdef CORA_LIBDW
    char expected[128];

    assert_true(calls >= 4);
    snprintf(expected, sizeof expected,
             "cora_coroutine_yield yielding:%d inlined:%d outer:%d body:", YIELD_LINE, INLINED_LINE,
             OUTER_LINE);
    assert_non_null(strstr(text, expected));
#else
    assert_int_equal(calls, 0);
#endif
}

TEST(unwinding_ends_with_the_first_frame)
{
    look_at_stopped(add_frames);
#if defined(CORA_LIBDW) && !defined(CORA_CONTEXT_UCONTEXT)
    assert_non_null(strstr(text, " run_body cora__context_start "));
    assert_string_equal(strrchr(text, 'c'), "context_start ");
#endif
}

TEST(unwinding_ends_where_it_is_told_to)
{
    size_t calls = look_at_stopped(first_only);

#ifdef CORA_LIBDW
    assert_int_equal(calls, 1);
#else
    assert_int_equal(calls, 0);
#endif
    assert_null(strstr(text, "outer"));
}

static void look_nowhere(void *arg)
{
    cora_frame frame;
    size_t *found = arg;

    symbols = cora__symbols_open();
    found[0] = cora__symbols_find(symbols, (uintptr_t)&frame, &frame, 1);
    found[1] = cora__symbols_find(symbols, (uintptr_t)look_nowhere, &frame, 0);
    found[2] = cora__symbols_find(NULL, (uintptr_t)look_nowhere, &frame, 1);
}

TEST(what_is_no_code_has_no_name)
{
    size_t found[3] = {1, 1, 1};
    int rc = cora__symbols_call(look_nowhere, found);

    assert_int_equal(rc, 0);
    assert_int_equal(found[0], 0);
    assert_int_equal(found[1], 0);
    assert_int_equal(found[2], 0);
    rc = cora__symbols_call(close_symbols, NULL);
    assert_int_equal(rc, 0);
}

TEST(of_more_functions_than_there_is_room_for_the_innermost_is_told)
{
    room = 1;
    look_at_stopped(add_frames);
#ifdef CORA_LIBDW
    assert_non_null(strstr(text, " inlined:"));
    assert_null(strstr(text, " outer:"));
    assert_non_null(strstr(text, " body:"));
#endif
}
