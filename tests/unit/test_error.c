/* Error codes: their texts and their names. */
#include "support/test.h"

#include <cora/error.h>

#include <limits.h>

enum { ERRNO_RANGE = 4096 }; /* the kernel's: -4095 to -1 */

TEST(each_code_of_ours_has_its_text_and_name_with_either_sign)
{
#define CHECK(name, value, text)                                                                   \
    assert_string_equal(cora_strerror(name), text);                                                \
    assert_string_equal(cora_strerror(-(value)), text);                                            \
    assert_string_equal(cora_strerrorname(value), #name);                                          \
    assert_string_equal(cora_strerrorname(-name), #name);
    CORA_ERRORS(CHECK)
#undef CHECK
}

TEST(our_codes_are_above_the_range_of_errno_and_differ)
{
#define VALUE(name, value, text) value,
    static const int values[] = {CORA_ERRORS(VALUE)};
#undef VALUE

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_true(values[i] >= ERRNO_RANGE);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(values[i], values[k]);
    }
}

TEST(codes_of_errno_have_the_systems_text_and_name)
{
    assert_string_equal(cora_strerror(-ENOENT), "No such file or directory");
    assert_string_equal(cora_strerror(ENOENT), "No such file or directory");
    assert_string_equal(cora_strerrorname(-ENOENT), "ENOENT");
    assert_string_equal(cora_strerrorname(ENOENT), "ENOENT");
    assert_string_equal(cora_strerror(-ENOMEM), "Cannot allocate memory");
    assert_string_equal(cora_strerrorname(-EAGAIN), "EAGAIN");
}

TEST(cancellation_and_timeout_have_words_of_ours)
{
    assert_string_equal(cora_strerror(-ECANCELED), "cancelled");
    assert_string_equal(cora_strerror(ECANCELED), "cancelled");
    assert_string_equal(cora_strerrorname(-ECANCELED), "ECANCELED");
    assert_string_equal(cora_strerror(-ETIMEDOUT), "timed out");
    assert_string_equal(cora_strerrorname(-ETIMEDOUT), "ETIMEDOUT");
}

TEST(zero_is_success)
{
    assert_string_equal(cora_strerror(0), "success");
    assert_string_equal(cora_strerrorname(0), "0");
}

TEST(an_unknown_code_is_told_to_be_one)
{
    static const int unknown[] = {ERRNO_RANGE - 1, 5000, 5999, INT_MAX, INT_MIN + 1, INT_MIN};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_string_equal(cora_strerror(unknown[i]), "unknown error");
        assert_string_equal(cora_strerrorname(unknown[i]), "unknown");
    }
}

TEST(every_code_has_a_text_and_the_sign_does_not_matter)
{
    for (int code = 0; code < 6000; code++) {
        assert_non_null(cora_strerror(code));
        assert_ptr_equal(cora_strerror(code), cora_strerror(-code));
        assert_non_null(cora_strerrorname(code));
        assert_ptr_equal(cora_strerrorname(code), cora_strerrorname(-code));
    }
}
