/*
 * test.h: how a test is written here.
 *
 *     TEST(a_task_returns_its_outcome)
 *     {
 *         assert_int_equal(run_virtual(seven, NULL), 7);
 *     }
 *
 * The name says what is shown. A test registers itself; ctest finds it in the source and runs it in
 * a process of its own. The assertions are cmocka's; they may stand inside tasks.
 */
#ifndef CORA_TEST_H
#define CORA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct test {
    const char *name;
    void (*fn)(void **state);
    struct test *next;
};

void test_register(struct test *test);

#define TEST(name_)                                                                                \
    static void name_(void **state);                                                               \
    __attribute__((constructor)) static void register_##name_(void)                                \
    {                                                                                              \
        static struct test test = {#name_, name_, NULL};                                           \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void name_(void **state __attribute__((unused)))

#endif
