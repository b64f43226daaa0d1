/*
 * 06_process_pool.c: jobs for a few processes.
 *
 * What to notice: the pool is told beforehand which functions it may be given, and how large their
 * arguments are: a job works on a copy of these bytes, which comes back when it is done. Anything
 * else that it changes stays in its process (`jobs_done`), and a pointer among the bytes would mean
 * nothing there to anybody but the worker. C needs no processes in order to compute on all
 * processors; they are for jobs that may crash: that breaks the pool, not the program.
 */
#include <cora.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int jobs_done;

struct word {
    char text[16];
};

static int reverse(void *arg)
{
    struct word *word = arg;
    size_t length = strlen(word->text);

    jobs_done++;
    for (size_t i = 0; i < length / 2; i++) {
        char other = word->text[length - 1 - i];

        word->text[length - 1 - i] = word->text[i];
        word->text[i] = other;
    }
    return (int)length;
}

static int crash(void *arg)
{
    (void)arg;
    _exit(3);
}

static int submit(cora_executor *pool, cora_job *fn, struct word *word)
{
    cora_concurrent_future *future;
    int rc = cora_executor_submit(pool, fn, word, &future);

    if (rc < 0)
        return rc;
    rc = cora_concurrent_future_result(future, INFINITY);
    cora_concurrent_future_unref(future);
    return rc;
}

static int reverse_all(cora_executor *pool)
{
    struct word word = {"stressed"}, words[] = {{"drawer"}, {"live"}, {"parts"}};
    int rc = submit(pool, reverse, &word);

    if (rc < 0)
        return rc;
    printf("submit: %s\n", word.text);
    rc = cora_executor_map(pool, reverse, words, sizeof words[0], 3, 0, INFINITY, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        printf("map: %s\n", words[i].text);
    printf("jobs done in this process: %d\n", jobs_done);
    return 0;
}

static int survive(cora_executor *pool)
{
    struct word word = {""};
    int rc = submit(pool, crash, &word);

    if (rc != -CORA_EBROKENEXECUTOR)
        return rc;
    printf("a process has crashed, and with it the pool\n");
    return 0;
}

int main(void)
{
    static const cora_process_pool_job jobs[] = {
        {.fn = reverse, .size = sizeof(struct word)}, {.fn = crash, .size = 0}, {0}};
    cora_executor *pool = NULL;
    int rc = cora_process_pool_executor_create(
        &(cora_process_pool_options){.jobs = jobs, .max_workers = 2}, &pool);

    if (rc == 0)
        rc = reverse_all(pool);
    if (rc == 0)
        rc = survive(pool);
    cora_executor_free(pool);
    if (rc < 0)
        fprintf(stderr, "06_process_pool: %s\n", cora_strerror(rc));
    return rc < 0;
}
