/*
 * 08_processes.c: processes with a queue between them, and a number that they share.
 *
 * What to notice: a process is a copy of the program as it was when it was started, so it has
 * `office` without being told more than where; what it changes there nobody else sees. What all
 * share is in the queues, which carry copies of bytes, and in the array, with a lock of its own.
 * The lock and the queues survive a process that is killed: the next one to acquire the lock is
 * told so, by -EOWNERDEAD. An item of no bytes is how this program says that there are no more.
 */
#include <cora.h>

#include <stdio.h>

enum { LETTERS = 6, CLERKS = 2 };

struct office {
    cora_multiprocessing_queue *letters, *stamped;
    cora_multiprocessing_array *total; /* of grams: one int */
};

struct letter {
    int number, grams, cents;
};

static int add(cora_multiprocessing_array *total, int grams)
{
    int *value = cora_multiprocessing_array_get_obj(total);
    int rc =
        cora_multiprocessing_lock_acquire(cora_multiprocessing_array_get_lock(total), INFINITY);

    if (rc < 0)
        return rc;
    *value += grams;
    return cora_multiprocessing_lock_release(cora_multiprocessing_array_get_lock(total));
}

static int stamp(void *arg)
{
    const struct office *office = arg;
    struct letter letter;
    ssize_t size;

    while ((size = cora_multiprocessing_queue_get_into(office->letters, &letter, sizeof letter,
                                                       INFINITY)) > 0) {
        letter.cents = letter.grams <= 20 ? 95 : 180;

        int rc = add(office->total, letter.grams);

        if (rc == 0)
            rc = cora_multiprocessing_queue_put(office->stamped, &letter, sizeof letter, INFINITY);
        if (rc < 0)
            return rc;
    }
    return (int)size;
}

static int bring_letters(const struct office *office)
{
    int rc = 0;

    for (int i = 0; i < LETTERS && rc == 0; i++) {
        struct letter letter = {.number = i, .grams = 10 + 4 * i};

        rc = cora_multiprocessing_queue_put(office->letters, &letter, sizeof letter, INFINITY);
    }
    for (int i = 0; i < CLERKS && rc == 0; i++)
        rc = cora_multiprocessing_queue_put(office->letters, "", 0, INFINITY);
    return rc;
}

static int fetch_letters(const struct office *office)
{
    int cents[LETTERS] = {0};

    for (int i = 0; i < LETTERS; i++) {
        struct letter letter;
        ssize_t size =
            cora_multiprocessing_queue_get_into(office->stamped, &letter, sizeof letter, INFINITY);

        if (size < 0)
            return (int)size;
        cents[letter.number] = letter.cents;
    }
    for (int i = 0; i < LETTERS; i++)
        printf("letter %d: %d cents\n", i, cents[i]);
    return 0;
}

/* Waits until the clerk has ended, at once where `rc` says that something has failed. */
static int dismiss(cora_multiprocessing_process *clerk, int rc)
{
    int exitcode, joined;

    if (rc < 0)
        cora_multiprocessing_process_terminate(clerk);
    joined = cora_multiprocessing_process_join(clerk, INFINITY);
    if (joined == 0)
        joined = cora_multiprocessing_process_exitcode(clerk, &exitcode);
    if (joined == 0)
        printf("%s: exit code %d\n", cora_multiprocessing_process_name(clerk), exitcode);
    cora_multiprocessing_process_close(clerk);
    return rc < 0 ? rc : joined;
}

static int employ(struct office *office)
{
    cora_multiprocessing_process *clerks[CLERKS];
    int employed = 0, rc = 0;

    while (employed < CLERKS && rc == 0) {
        rc = cora_multiprocessing_process_create(stamp, office, NULL, &clerks[employed]);
        if (rc == 0)
            rc = cora_multiprocessing_process_start(clerks[employed++]);
    }
    if (rc == 0)
        rc = bring_letters(office);
    if (rc == 0)
        rc = fetch_letters(office);
    for (int i = 0; i < employed; i++)
        rc = dismiss(clerks[i], rc);
    return rc;
}

int main(void)
{
    struct office office = {.letters = NULL};
    int rc = cora_multiprocessing_queue_create(0, 0, &office.letters);

    if (rc == 0)
        rc = cora_multiprocessing_queue_create(0, 0, &office.stamped);
    if (rc == 0)
        rc = cora_multiprocessing_array_create(1, sizeof(int), &office.total);
    if (rc == 0)
        rc = employ(&office);
    if (rc == 0)
        printf("%d g in all\n", *(int *)cora_multiprocessing_array_get_obj(office.total));
    cora_multiprocessing_array_free(office.total);
    cora_multiprocessing_queue_free(office.stamped);
    cora_multiprocessing_queue_free(office.letters);
    if (rc < 0)
        fprintf(stderr, "08_processes: %s\n", cora_strerror(rc));
    return rc < 0;
}
