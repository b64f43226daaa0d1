/*
 * test.c: PROGRAM NAME runs the test of that name, PROGRAM alone all of them, one after the other.
 * A name that no test has is an error: a test that does not run must not pass.
 */
#include "support/test.h"

enum { MOST_TESTS = 512 };

static struct test *tests;
static struct test **last = &tests;

void test_register(struct test *test)
{
    *last = test;
    last = &test->next;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest chosen[MOST_TESTS];
    size_t count = 0;

    for (struct test *test = tests; test != NULL && count < MOST_TESTS; test = test->next)
        if (argc < 2 || strcmp(argv[1], test->name) == 0)
            chosen[count++] = (struct CMUnitTest){.name = test->name, .test_func = test->fn};
    if (count == 0) {
        fprintf(stderr, "%s: there is no test '%s'\n", argv[0], argc < 2 ? "" : argv[1]);
        return 2;
    }
    return _cmocka_run_group_tests(argv[0], chosen, count, NULL, NULL);
}
