/*
 * fiber.h: what the sanitizers and valgrind must be told about stacks, all in one place. Without
 * such a tool everything here compiles to nothing.
 *
 * before_switch and after_switch enclose each switch, the latter on the side where it arrives;
 * before_exit takes the place of before_switch for a coroutine that never comes back.
 */
#ifndef CORA_COROUTINE_FIBER_H
#define CORA_COROUTINE_FIBER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CORA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CORA_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define CORA_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CORA_TSAN 1
#endif
#endif

#if defined(CORA_DEBUG) && defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#define CORA_VALGRIND 1
#endif
#endif

#ifdef CORA_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CORA_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef CORA_VALGRIND
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#endif

struct cora__fiber {
#ifdef CORA_ASAN
    const void *low;
    size_t size;
    void *fake_stack;
#endif
#ifdef CORA_TSAN
    void *tsan;
#endif
#ifdef CORA_VALGRIND
    unsigned valgrind;
#endif
    char unused; /* a struct needs a member */
};

/* Before a stack is used anew: frames that were left on it for good have not cleared their red
 * zones, and valgrind holds what lay below them for out of bounds. */
static inline void cora__fiber_clean(void *low, void *top)
{
    (void)low, (void)top;
#ifdef CORA_ASAN
    __asan_unpoison_memory_region(low, (size_t)((char *)top - (char *)low));
#endif
#ifdef CORA_VALGRIND
    VALGRIND_MAKE_MEM_UNDEFINED(low, (size_t)((char *)top - (char *)low));
#endif
}

/* The fiber of a new coroutine, whose stack reaches from `low` up to `top`. */
static inline void cora__fiber_init(struct cora__fiber *fiber, void *low, void *top)
{
    (void)fiber, (void)low, (void)top;
#ifdef CORA_ASAN
    fiber->low = low;
    fiber->size = (size_t)((char *)top - (char *)low);
    fiber->fake_stack = NULL;
#endif
#ifdef CORA_TSAN
    fiber->tsan = __tsan_create_fiber(0);
#endif
#ifdef CORA_VALGRIND
    fiber->valgrind = VALGRIND_STACK_REGISTER(low, top);
#endif
}

/* The fiber of a thread's own stack; defined in fiber.c. */
void cora__fiber_init_thread(struct cora__fiber *fiber);

/* The coroutine is freed, from another stack. */
static inline void cora__fiber_destroy(struct cora__fiber *fiber)
{
    (void)fiber;
#ifdef CORA_TSAN
    __tsan_destroy_fiber(fiber->tsan);
#endif
#ifdef CORA_VALGRIND
    VALGRIND_STACK_DEREGISTER(fiber->valgrind);
#endif
}

static inline void cora__fiber_before_switch(struct cora__fiber *from, struct cora__fiber *to)
{
    (void)from, (void)to;
#ifdef CORA_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->size);
#endif
#ifdef CORA_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

static inline void cora__fiber_after_switch(struct cora__fiber *self)
{
    (void)self;
#ifdef CORA_ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
}

/* Around a look at all of a stack: below its stack pointer nothing is valid to valgrind. */
static inline void cora__fiber_before_look(void)
{
#ifdef CORA_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static inline void cora__fiber_after_look(void)
{
#ifdef CORA_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

static inline void cora__fiber_before_exit(struct cora__fiber *from, struct cora__fiber *to)
{
    (void)from, (void)to;
#ifdef CORA_ASAN
    __sanitizer_start_switch_fiber(NULL, to->low, to->size); /* NULL: the fake stack may go */
#endif
#ifdef CORA_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

#endif
