#include "support/children.h"

#include "support/test.h"

#include <math.h>
#include <sched.h>
#include <signal.h>

cora_multiprocessing_process *start_child(cora_multiprocessing_target *target, void *arg)
{
    cora_multiprocessing_process *child = NULL;
    int rc = cora_multiprocessing_process_create(target, arg, NULL, &child);

    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_process_start(child);
    assert_int_equal(rc, 0);
    return child;
}

int finish_child(cora_multiprocessing_process *child)
{
    int exitcode = 1000;
    int rc = cora_multiprocessing_process_join(child, INFINITY);

    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_process_exitcode(child, &exitcode);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_process_close(child);
    assert_int_equal(rc, 0);
    return exitcode;
}

int run_child(cora_multiprocessing_target *target, void *arg)
{
    return finish_child(start_child(target, arg));
}

void kill_child(cora_multiprocessing_process *child)
{
    int rc = cora_multiprocessing_process_kill(child);

    assert_int_equal(rc, 0);
    rc = finish_child(child);
    assert_int_equal(rc, -SIGKILL);
}

static bool is_asleep(pid_t pid)
{
    char path[64], state = '?';
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    (void)!fscanf(file, "%*d (%*[^)]) %c", &state);
    fclose(file);
    return state == 'S';
}

void await_sleep(pid_t pid)
{
    while (!is_asleep(pid))
        sched_yield();
}

void *share(size_t size)
{
    cora_multiprocessing_shared_memory memory = {.buf = NULL};
    int rc = cora_multiprocessing_shared_memory_anonymous(&memory, size);

    assert_int_equal(rc, 0);
    return memory.buf;
}
