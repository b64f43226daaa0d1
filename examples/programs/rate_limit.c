/*
 * rate_limit.c: three workers who together send no more than 100 requests a second.
 *
 * What to notice: a semaphore limits how many at a time, a rate limits how many in a time. The
 * limiter knows one number, when the next request is due; each who comes moves it on and sleeps
 * until his own turn. There is no suspension between reading and writing it, so it needs no lock,
 * and whoever comes first goes first. After a pause a burst of three may go at once. Who is
 * cancelled while he sleeps leaves his turn unused: the limit is kept all the same.
 */
#include <cora.h>

#include <stdio.h>

enum { REQUESTS = 9, BURST = 3 };

struct rate_limiter {
    double interval; /* seconds between two requests */
    double next;     /* when the next one is due, on the loop's clock */
};

static void rate_limiter_init(struct rate_limiter *self, double rate)
{
    self->interval = 1 / rate;
    self->next = 0;
}

static CORA_SUSPENDS int rate_limiter_acquire(struct rate_limiter *self)
{
    double now = cora_loop_time(cora_get_running_loop());
    double earliest = now - (BURST - 1) * self->interval;
    double due = self->next > earliest ? self->next : earliest;

    self->next = due + self->interval;
    return due > now ? cora_sleep(due - now) : 0;
}

struct log {
    double sent[REQUESTS]; /* when */
    int count;
};

struct work_args {
    cora_queue *requests;
    struct rate_limiter *limiter;
    struct log *log;
};

static int work(void *arg)
{
    struct work_args *a = arg;
    void *request;
    int rc;

    while ((rc = rate_limiter_acquire(a->limiter)) == 0) {
        if (cora_queue_get_nowait(a->requests, &request) < 0)
            break;
        printf("%s\n", (const char *)request);
        a->log->sent[a->log->count++] = cora_loop_time(cora_get_running_loop());
    }
    return rc;
}

static CORA_SUSPENDS int work_all(cora_queue *requests, struct log *log)
{
    struct rate_limiter limiter;
    cora_task_group group;
    int rc = 0;

    rate_limiter_init(&limiter, 100);
    cora_task_group_enter(&group);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, work, .requests = requests, .limiter = &limiter,
                                         .log = log);
    return cora_task_group_exit(&group, rc);
}

static int count_early(const struct log *log, double start)
{
    int early = 0;

    for (int i = 0; i < log->count; i++)
        early += log->sent[i] - start < (i + 1 - BURST) * 0.01 - 1e-6;
    return early;
}

static int send_all(void *arg)
{
    static const char *const requests[REQUESTS] = {
        "GET /1", "GET /2", "GET /3", "GET /4", "GET /5", "GET /6", "GET /7", "GET /8", "GET /9",
    };
    double start = cora_loop_time(cora_get_running_loop());
    struct log log = {.count = 0};
    cora_queue queue;
    int rc = 0;

    (void)arg;
    cora_queue_init(&queue, 0);
    for (int i = 0; i < REQUESTS && rc == 0; i++)
        rc = cora_queue_put_nowait(&queue, (void *)requests[i]);
    if (rc == 0)
        rc = work_all(&queue, &log);
    cora_queue_destroy(&queue);
    printf("%d sent, %d of them too early\n", log.count, count_early(&log, start));
    return rc;
}

int main(void)
{
    int rc = cora_run(send_all, NULL);

    if (rc < 0)
        fprintf(stderr, "rate_limit: %s\n", cora_strerror(rc));
    return rc < 0;
}
