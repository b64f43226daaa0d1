/* A process that keeps tables and lists for others. */
#include "support/children.h"
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"

#include <cora/error.h>
#include <cora/multiprocessing/manager.h>
#include <cora/thread.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static cora_multiprocessing_manager *manager;
static cora_multiprocessing_dict dict;
static cora_multiprocessing_list list;

static void begin(void)
{
    int rc = cora_multiprocessing_manager_start(&manager);

    assert_int_equal(rc, 0);
    dict = (cora_multiprocessing_dict){manager, "a dict"};
    list = (cora_multiprocessing_list){manager, "a list"};
}

static void end(void)
{
    int exitcode = 1000;
    int rc = cora_multiprocessing_manager_shutdown(manager);

    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_process_exitcode(cora_multiprocessing_manager_process(manager),
                                               &exitcode);
    assert_int_equal(rc, 0);
    assert_int_equal(exitcode, 0);
    cora_multiprocessing_manager_free(manager);
    assert_false(has_children());
}

static void set(const char *key, const char *value)
{
    int rc = cora_multiprocessing_dict_set(&dict, key, value, strlen(value));

    assert_int_equal(rc, 0);
}

/* What is lent by a call: these bytes. */
static void assert_bytes(ssize_t size, void *data, const char *expected)
{
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(data, expected, strlen(expected));
    free(data);
}

static void assert_value(const char *key, const char *expected)
{
    void *data = NULL;
    ssize_t size = cora_multiprocessing_dict_get(&dict, key, &data);

    assert_bytes(size, data, expected);
}

/* ---- dict ---------------------------------------------------------------------------------- */

TEST(a_dict_has_what_was_set)
{
    void *data = &data;
    ssize_t size;
    int rc;

    begin();
    size = cora_multiprocessing_dict_len(&dict);
    assert_int_equal(size, 0);
    set("one", "1");
    set("two", "2");
    set("one", "eins");
    set("empty", "");
    assert_value("one", "eins");
    assert_value("two", "2");
    assert_value("empty", "");
    size = cora_multiprocessing_dict_len(&dict);
    assert_int_equal(size, 3);
    rc = cora_multiprocessing_dict_delete(&dict, "two");
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_dict_delete(&dict, "two");
    assert_int_equal(rc, -ENOENT);
    size = cora_multiprocessing_dict_get(&dict, "two", &data);
    assert_int_equal(size, -ENOENT);
    assert_ptr_equal(data, &data);
    size = cora_multiprocessing_dict_pop(&dict, "one", &data);
    assert_bytes(size, data, "eins");
    size = cora_multiprocessing_dict_pop(&dict, "one", &data);
    assert_int_equal(size, -ENOENT);
    size = cora_multiprocessing_dict_len(&dict);
    assert_int_equal(size, 1);
    end();
}

TEST(dicts_and_lists_are_told_apart_by_their_names)
{
    cora_multiprocessing_dict other;
    ssize_t size;

    begin();
    other = (cora_multiprocessing_dict){manager, "another"};
    list.name = dict.name;
    set("key", "value");
    size = cora_multiprocessing_dict_len(&other);
    assert_int_equal(size, 0);
    size = cora_multiprocessing_list_len(&list);
    assert_int_equal(size, 0);
    end();
}

enum { MANY = 1000 };

/* In their order, also after some have gone and the table has grown. */
TEST(keys_come_in_the_order_in_which_they_were_set)
{
    char **keys = NULL, name[16];
    ssize_t count;
    int rc;

    begin();
    count = cora_multiprocessing_dict_keys(&dict, &keys);
    assert_int_equal(count, 0);
    free(keys);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "key %d", i);
        set(name, name);
    }
    for (int i = 0; i < MANY; i += 3) {
        snprintf(name, sizeof name, "key %d", i);
        rc = cora_multiprocessing_dict_delete(&dict, name);
        assert_int_equal(rc, 0);
    }
    set("key 0", "again");
    count = cora_multiprocessing_dict_keys(&dict, &keys);
    assert_int_equal(count, MANY - MANY / 3);
    for (int i = 1, at = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "key %d", i);
        if (i % 3 != 0)
            assert_string_equal(keys[at++], name);
    }
    assert_string_equal(keys[count - 1], "key 0");
    free(keys);
    assert_value("key 998", "key 998");
    end();
}

TEST(values_of_any_size_are_kept)
{
    unsigned char *big = make_big();
    void *data = NULL;
    ssize_t size;
    int rc;

    begin();
    rc = cora_multiprocessing_dict_set(&dict, "big", big, BIG);
    assert_int_equal(rc, 0);
    size = cora_multiprocessing_dict_get(&dict, "big", &data);
    assert_int_equal(size, BIG);
    assert_memory_equal(data, big, BIG);
    free(data);
    rc = cora_multiprocessing_dict_set(&dict, "big", big, (size_t)1 << 30);
    assert_int_equal(rc, -EMSGSIZE);
    rc = cora_multiprocessing_dict_set(&dict, "big", big, SIZE_MAX);
    assert_int_equal(rc, -EMSGSIZE);
    free(big);
    end();
}

TEST(add_counts_and_refuses_what_is_no_number)
{
    int64_t sum = 77;
    int rc;

    begin();
    rc = cora_multiprocessing_dict_add(&dict, "count", 5, &sum);
    assert_int_equal(rc, 0);
    assert_int_equal(sum, 5);
    rc = cora_multiprocessing_dict_add(&dict, "count", -7, &sum);
    assert_int_equal(rc, 0);
    assert_int_equal(sum, -2);
    rc = cora_multiprocessing_dict_add(&dict, "count", INT64_MIN, NULL);
    assert_int_equal(rc, -EOVERFLOW);
    rc = cora_multiprocessing_dict_add(&dict, "count", 1, NULL);
    assert_int_equal(rc, 0);
    set("text", "abc");
    rc = cora_multiprocessing_dict_add(&dict, "text", 1, &sum);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(sum, -2);
    assert_value("text", "abc");
    end();
}

static int swap(const char *expected, const char *value)
{
    return cora_multiprocessing_dict_compare_and_swap(
        &dict, "key", expected, expected != NULL ? strlen(expected) : 0, value, strlen(value));
}

TEST(compare_and_swap_sets_only_what_is_as_expected)
{
    int rc;

    begin();
    rc = swap("old", "new");
    assert_int_equal(rc, 0);
    rc = swap("", "new");
    assert_int_equal(rc, 0);
    rc = swap(NULL, "first");
    assert_int_equal(rc, 1);
    rc = swap(NULL, "second");
    assert_int_equal(rc, 0);
    assert_value("key", "first");
    rc = swap("firsT", "second");
    assert_int_equal(rc, 0);
    rc = swap("firs", "second");
    assert_int_equal(rc, 0);
    rc = swap("first", "");
    assert_int_equal(rc, 1);
    rc = swap(NULL, "third");
    assert_int_equal(rc, 0);
    rc = swap("", "third");
    assert_int_equal(rc, 1);
    assert_value("key", "third");
    end();
}

/* ---- list ---------------------------------------------------------------------------------- */

static void append(const char *value)
{
    int rc = cora_multiprocessing_list_append(&list, value, strlen(value));

    assert_int_equal(rc, 0);
}

static void assert_item(ssize_t index, const char *expected)
{
    void *data = NULL;
    ssize_t size = cora_multiprocessing_list_get(&list, index, &data);

    assert_bytes(size, data, expected);
}

TEST(a_list_has_what_was_appended)
{
    void *data = &data;
    ssize_t size;
    char name[16];
    int rc;

    begin();
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%d", i);
        append(name);
    }
    size = cora_multiprocessing_list_len(&list);
    assert_int_equal(size, 20);
    assert_item(0, "0");
    assert_item(19, "19");
    assert_item(-1, "19");
    assert_item(-20, "0");
    size = cora_multiprocessing_list_get(&list, 20, &data);
    assert_int_equal(size, -ERANGE);
    size = cora_multiprocessing_list_pop(&list, -21, &data);
    assert_int_equal(size, -ERANGE);
    assert_ptr_equal(data, &data);
    size = cora_multiprocessing_list_pop(&list, 1, &data);
    assert_bytes(size, data, "1");
    assert_item(1, "2");
    assert_item(-1, "19");
    size = cora_multiprocessing_list_pop(&list, -1, &data);
    assert_bytes(size, data, "19");
    rc = cora_multiprocessing_list_set(&list, 0, "zero", 4);
    assert_int_equal(rc, 0);
    assert_item(0, "zero");
    rc = cora_multiprocessing_list_set(&list, 18, "none", 4);
    assert_int_equal(rc, -ERANGE);
    size = cora_multiprocessing_list_len(&list);
    assert_int_equal(size, 18);
    end();
}

/* ---- many users ---------------------------------------------------------------------------- */

enum { USERS = 4, EACH = 100 };

/* The parent has an idle connection that is not theirs. */
static int count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        int rc = cora_multiprocessing_dict_add(&dict, "count", 1, NULL);

        if (rc == 0)
            rc = cora_multiprocessing_list_append(&list, &i, sizeof i);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void assert_count(int64_t expected)
{
    int64_t count = 0;
    ssize_t size;
    int rc = cora_multiprocessing_dict_add(&dict, "count", 0, &count);

    assert_int_equal(rc, 0);
    assert_int_equal(count, expected);
    size = cora_multiprocessing_list_len(&list);
    assert_int_equal(size, expected);
}

TEST(processes_share_what_a_manager_keeps)
{
    cora_multiprocessing_process *users[USERS];
    int before = count_descriptors();

    begin();
    assert_count(0);
    for (int i = 0; i < USERS; i++)
        users[i] = start_child(count_up, NULL);
    for (int i = 0; i < USERS; i++) {
        int exitcode = finish_child(users[i]);

        assert_int_equal(exitcode, 0);
    }
    assert_count(USERS * EACH);
    end();
    assert_int_equal(count_descriptors(), before);
}

static void *count_in_thread(void *arg)
{
    return count_up(arg) == 0 ? manager : NULL;
}

TEST(threads_share_what_a_manager_keeps)
{
    pthread_t threads[USERS];

    begin();
    for (int i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, NULL), 0);
    for (int i = 0; i < USERS; i++) {
        void *right = NULL;

        pthread_join(threads[i], &right);
        assert_non_null(right);
    }
    assert_count(USERS * EACH);
    end();
}

static int leave_it(void *arg)
{
    (void)arg;
    if (cora_multiprocessing_manager_shutdown(manager) != -ECHILD)
        return 1;
    if (cora_multiprocessing_dict_set(&dict, "child", "x", 1) < 0)
        return 2;
    cora_multiprocessing_manager_free(manager);
    return 0;
}

TEST(a_child_frees_its_copy_and_the_manager_goes_on)
{
    int exitcode;

    begin();
    set("key", "value");
    exitcode = run_child(leave_it, NULL);
    assert_int_equal(exitcode, 0);
    assert_value("key", "value");
    end();
}

static struct stat idle; /* the parent's connection, and its number: */
static int idle_number;

static int has_another_connection(void *arg)
{
    struct stat mine;

    (void)arg;
    set("child", "x");
    return fstat(idle_number, &mine) == 0 && mine.st_ino == idle.st_ino ? 1 : 0;
}

TEST(a_child_does_not_use_its_parents_connection)
{
    int exitcode;

    begin();
    idle_number = dup(0); /* the next one that is free */
    close_fd(idle_number);
    set("parent", "x");
    assert_int_equal(fstat(idle_number, &idle), 0);
    assert_true(S_ISSOCK(idle.st_mode));
    exitcode = run_child(has_another_connection, NULL);
    assert_int_equal(exitcode, 0);
    assert_value("child", "x");
    end();
}

/* One who is killed in the midst of a request, of which the manager waits for the rest. */
static int send_half(void *arg)
{
    (void)arg;
    raise(SIGKILL);
    return 0;
}

static int set_and_die(void *arg)
{
    int rc = cora_multiprocessing_dict_set(&dict, "key", "child", 5);

    return rc < 0 ? rc : send_half(arg);
}

TEST(a_user_who_is_killed_takes_nothing_with_him)
{
    int exitcode;

    begin();
    exitcode = run_child(set_and_die, NULL);
    assert_int_equal(exitcode, -SIGKILL);
    assert_value("key", "child");
    end();
}

/* ---- beside a loop ------------------------------------------------------------------------- */

static int count_beside_the_loop(void *arg)
{
    return count_up(arg);
}

/* The manager's loop is another one than the task's, from which it was forked. */
static int use_a_manager(void *arg)
{
    int nothing = 0, rc;

    (void)arg;
    begin();
    set("key", "value");
    rc = cora_to_thread(count_beside_the_loop, &nothing);
    assert_int_equal(rc, 0);
    assert_count(EACH);
    assert_value("key", "value");
    end();
    return 0;
}

TEST(a_task_starts_a_manager_and_uses_it_in_threads)
{
    run_processes(use_a_manager);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void assert_gone(void)
{
    void *data = &data;
    ssize_t size = cora_multiprocessing_dict_get(&dict, "key", &data);

    assert_int_equal(size, -CORA_EMANAGERGONE);
    assert_ptr_equal(data, &data);
    size = cora_multiprocessing_list_len(&list);
    assert_int_equal(size, -CORA_EMANAGERGONE);
}

TEST(a_manager_that_was_killed_is_gone_for_its_users)
{
    cora_multiprocessing_process *process;
    int before = count_descriptors(), rc;

    begin();
    set("key", "value");
    process = cora_multiprocessing_manager_process(manager);
    assert_true(cora_multiprocessing_process_daemon(process));
    assert_int_equal(cora_multiprocessing_process_kill(process), 0);
    rc = cora_multiprocessing_process_join(process, INFINITY);
    assert_int_equal(rc, 0);
    assert_gone();
    assert_gone();
    assert_int_equal(cora_multiprocessing_manager_shutdown(manager), 0);
    cora_multiprocessing_manager_free(manager);
    assert_false(has_children());
    assert_int_equal(count_descriptors(), before);
}

TEST(a_manager_that_was_shut_down_is_gone_for_its_users)
{
    begin();
    set("key", "value");
    assert_int_equal(cora_multiprocessing_manager_shutdown(manager), 0);
    assert_gone();
    end();
    cora_multiprocessing_manager_free(NULL);
}

TEST(a_manager_that_hangs_is_killed)
{
    int exitcode = 0, rc;

    begin();
    set("key", "value");
    kill(cora_multiprocessing_process_pid(cora_multiprocessing_manager_process(manager)), SIGSTOP);
    rc = cora_multiprocessing_manager_shutdown(manager);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_process_exitcode(cora_multiprocessing_manager_process(manager),
                                               &exitcode);
    assert_int_equal(rc, 0);
    assert_int_equal(exitcode, -SIGKILL);
    cora_multiprocessing_manager_free(manager);
}

TEST(ctrl_c_does_not_end_a_manager)
{
    begin();
    set("key", "value");
    assert_int_equal(
        cora_multiprocessing_process_interrupt(cora_multiprocessing_manager_process(manager)), 0);
    assert_value("key", "value");
    end();
}

/* A program that is killed: the manager, which has no other users, ends too, and closes the pipe
 * that only it has left. */
TEST(a_manager_ends_when_nobody_is_left)
{
    int lifeline[2];
    ssize_t got;
    pid_t pid;
    char byte;

    make_pipe(lifeline);
    pid = fork();
    if (pid == 0) {
        dup2(lifeline[1], STDOUT_FILENO);
        if (cora_multiprocessing_manager_start(&manager) == 0)
            raise(SIGKILL);
        _exit(1);
    }
    close_fd(lifeline[1]);
    await_end(pid);
    got = read(lifeline[0], &byte, 1);
    assert_int_equal(got, 0);
    close_fd(lifeline[0]);
}

TEST(a_manager_holds_none_of_the_programs_descriptors_open)
{
    int pair[2];
    ssize_t got;
    char byte;

    if (getenv("CORA_EMULATED") != NULL)
        return;
    make_pair(pair);
    begin();
    close_fd(pair[0]);
    got = read(pair[1], &byte, 1);
    assert_int_equal(got, 0);
    end();
    close_fd(pair[1]);
}

/* ---- faults -------------------------------------------------------------------------------- */

/* The next descriptor is refused, then the one after the next, ... until it starts. */
TEST(a_manager_without_descriptors_does_not_start_and_leaves_nothing)
{
    int before = count_descriptors(), rc = -EMFILE, refused = 0, highest;
    struct rlimit limit, less;

    getrlimit(RLIMIT_NOFILE, &limit);
    less = limit;
    for (highest = dup(0); rc == -EMFILE; highest++) {
        if (refused == 0)
            close_fd(highest);
        less.rlim_cur = (rlim_t)highest;
        setrlimit(RLIMIT_NOFILE, &less);
        rc = cora_multiprocessing_manager_start(&manager);
        setrlimit(RLIMIT_NOFILE, &limit);
        if (rc == 0)
            break;
        refused++;
        assert_false(has_children());
        assert_int_equal(count_descriptors(), before);
    }
    assert_int_equal(rc, 0);
    assert_true(refused > 1);
    cora_multiprocessing_manager_free(manager); /* which has as few numbers as there were here */
    begin();
    highest = dup(0);
    close_fd(highest);
    less.rlim_cur = (rlim_t)highest;
    setrlimit(RLIMIT_NOFILE, &less);
    rc = cora_multiprocessing_dict_set(&dict, "key", "value", 5);
    setrlimit(RLIMIT_NOFILE, &limit);
    /* (valgrind lets it be made, and not be sent.) */
    assert_true(rc == -EMFILE || rc == -CORA_EMANAGERGONE);
    set("key", "value");
    end();
}
