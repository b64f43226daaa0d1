/* Memory that processes share, by name and without. */
#include "support/children.h"
#include "support/socket.h"
#include "support/test.h"

#include <cora/error.h>

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

typedef cora_multiprocessing_shared_memory memory;

/* A name that is this test's alone. */
static const char *my_name(void)
{
    static char name[64];

    snprintf(name, sizeof name, "cora-test-%d", (int)getpid());
    return name;
}

static memory create(const char *name, size_t size)
{
    memory made;
    int rc = cora_multiprocessing_shared_memory_create(&made, name, size);

    assert_int_equal(rc, 0);
    return made;
}

static bool is_in_dev_shm(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return access(path, F_OK) == 0;
}

/* ---- by name ------------------------------------------------------------------------------- */

static int write_by_name(void *name)
{
    memory attached;
    int rc = cora_multiprocessing_shared_memory_attach(&attached, name);

    if (rc < 0 || attached.size != 10000 || strcmp(attached.name, name) != 0)
        return rc < 0 ? rc : 1;
    memcpy(attached.buf, "written", 8);
    cora_multiprocessing_shared_memory_close(&attached);
    return 0;
}

TEST(memory_is_found_by_its_name)
{
    int before = count_descriptors(), exitcode;
    memory made = create(my_name(), 10000);

    assert_int_equal(made.size, 10000);
    assert_string_equal(made.name, my_name());
    assert_int_equal(((char *)made.buf)[9999], 0);
    exitcode = run_child(write_by_name, made.name);
    assert_int_equal(exitcode, 0);
    assert_string_equal(made.buf, "written");
    assert_true(is_in_dev_shm(made.name));
    assert_int_equal(cora_multiprocessing_shared_memory_unlink(&made), 0);
    assert_false(is_in_dev_shm(made.name));
    assert_string_equal(made.buf, "written");
    assert_int_equal(cora_multiprocessing_shared_memory_unlink(&made), -ENOENT);
    cora_multiprocessing_shared_memory_close(&made);
    assert_null(made.buf);
    cora_multiprocessing_shared_memory_close(&made);
    assert_int_equal(count_descriptors(), before);
}

TEST(memory_without_a_name_of_the_users_has_one_that_nobody_has)
{
    memory first = create(NULL, 1), second = create(NULL, 1), attached;
    int rc;

    assert_string_not_equal(first.name, second.name);
    *(char *)first.buf = 'x';
    rc = cora_multiprocessing_shared_memory_attach(&attached, first.name);
    assert_int_equal(rc, 0);
    assert_int_equal(*(char *)attached.buf, 'x');
    assert_int_equal(*(char *)second.buf, 0);
    assert_int_equal(cora_multiprocessing_shared_memory_unlink(&first), 0);
    assert_int_equal(cora_multiprocessing_shared_memory_unlink(&second), 0);
    cora_multiprocessing_shared_memory_close(&first);
    cora_multiprocessing_shared_memory_close(&second);
    cora_multiprocessing_shared_memory_close(&attached);
}

static void assert_refused(const char *name, size_t size, int expected)
{
    memory made = {.size = 77};
    int rc = cora_multiprocessing_shared_memory_create(&made, name, size);

    assert_int_equal(rc, expected);
    assert_int_equal(made.size, 77);
}

TEST(names_and_sizes_that_cannot_be_are_refused)
{
    char longest[CORA_MULTIPROCESSING_NAME_SIZE + 1];
    memory made = create(my_name(), 1), attached = {.size = 77};
    int rc;

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_refused(my_name(), 1, -EEXIST);
    assert_refused("", 1, -EINVAL);
    assert_refused("a/b", 1, -EINVAL);
    assert_refused(longest, 1, -EINVAL);
    assert_refused(NULL, 0, -EINVAL);
    rc = cora_multiprocessing_shared_memory_attach(&attached, "a/b");
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(cora_multiprocessing_shared_memory_unlink(&made), 0);
    rc = cora_multiprocessing_shared_memory_attach(&attached, made.name);
    assert_int_equal(rc, -ENOENT);
    assert_int_equal(attached.size, 77);
    cora_multiprocessing_shared_memory_close(&made);
}

/* More than there can be: and then there is nothing left, neither name nor descriptor. */
TEST(what_does_not_fit_is_an_error_and_not_a_fault_later)
{
    int before = count_descriptors(), rc;
    memory made = {.size = 77};

    rc = cora_multiprocessing_shared_memory_create(&made, my_name(), (size_t)1 << 50);
    assert_true(rc == -ENOSPC || rc == -ENOMEM || rc == -EFBIG);
    assert_int_equal(made.size, 77);
    assert_false(is_in_dev_shm(my_name()));
    assert_int_equal(count_descriptors(), before);
}

/* ---- without ------------------------------------------------------------------------------- */

static int write_there(void *there)
{
    strcpy(there, "child");
    return 0;
}

TEST(children_have_what_has_no_name)
{
    memory made = {.size = 77};
    int rc = cora_multiprocessing_shared_memory_anonymous(&made, 0), exitcode;

    assert_int_equal(rc, -EINVAL);
    assert_int_equal(made.size, 77);
    rc = cora_multiprocessing_shared_memory_anonymous(&made, 100);
    assert_int_equal(rc, 0);
    assert_string_equal(made.name, "");
    exitcode = run_child(write_there, made.buf);
    assert_int_equal(exitcode, 0);
    assert_string_equal(made.buf, "child");
    assert_int_equal(cora_multiprocessing_shared_memory_unlink(&made), -ENOENT);
    cora_multiprocessing_shared_memory_close(&made);
}

/* ---- Array --------------------------------------------------------------------------------- */

enum { CHILDREN = 3, EACH = 500 };

static int add_up(void *arg)
{
    cora_multiprocessing_array *array = arg;
    cora_multiprocessing_lock *lock = cora_multiprocessing_array_get_lock(array);
    volatile int *numbers = cora_multiprocessing_array_get_obj(array);
    int rc = 0;

    for (int i = 0; i < EACH && rc == 0; i++) {
        rc = cora_multiprocessing_lock_acquire(lock, INFINITY);
        numbers[i % 2]++;
        cora_multiprocessing_lock_release(lock);
    }
    return rc;
}

TEST(an_array_is_shared_and_has_a_lock)
{
    cora_multiprocessing_process *children[CHILDREN];
    cora_multiprocessing_array *array = NULL;
    int rc = cora_multiprocessing_array_create(2, sizeof(int), &array);
    const int *numbers;

    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_array_len(array), 2);
    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(add_up, array);
    for (int i = 0; i < CHILDREN; i++) {
        rc = finish_child(children[i]);
        assert_int_equal(rc, 0);
    }
    numbers = cora_multiprocessing_array_get_obj(array);
    assert_int_equal(numbers[0], CHILDREN * EACH / 2);
    assert_int_equal(numbers[1], CHILDREN * EACH / 2);
    cora_multiprocessing_array_free(array);
    cora_multiprocessing_array_free(NULL);
}

TEST(an_array_of_nothing_or_too_much_is_refused)
{
    cora_multiprocessing_array *array = NULL;
    int rc = cora_multiprocessing_array_create(0, 1, &array);

    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_array_create(1, 0, &array);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_array_create(SIZE_MAX / 2 + 2, 2, &array);
    assert_int_equal(rc, -ENOMEM);
    assert_null(array);
}
