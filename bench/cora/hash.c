/*
 * SHA-256 of 256 MiB, piece by piece, on the loop, in threads or in processes; and how late
 * meanwhile a task of the loop is that sleeps for a millisecond, again and again.
 */
#include "bench.h"

#ifdef CORA_OPENSSL

#include <openssl/evp.h>
#include <sys/mman.h>

enum { PIECE = 16 << 20, PIECES = 16, SUM = 32, MOST_TICKS = 1 << 16 };

/* Shared with the workers, so that only the numbers of pieces and their sums travel. */
static unsigned char *memory;

struct piece {
    int number;
    unsigned char sum[SUM];
};

static int hash(void *arg)
{
    struct piece *piece = arg;

    return EVP_Digest(memory + (size_t)piece->number * PIECE, PIECE, piece->sum, NULL, EVP_sha256(),
                      NULL) == 1
               ? 0
               : -EINVAL;
}

/* All pieces have the same content, so that one sum is right for all. */
static struct piece expected;

static void make_memory(void)
{
    size_t size = (size_t)PIECE * PIECES;

    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    for (size_t i = 0; i < size; i++)
        memory[i] = (unsigned char)(i % PIECE * 167 >> 3);
    check(hash(&expected) == 0, "a sum is computed");
}

/* ---- the ticker ---- */

static int64_t late[MOST_TICKS];
static long ticks;
static bool ticking = true;

static int tick(void *nothing)
{
    const int64_t interval = 1000000;
    int rc = 0;

    (void)nothing;
    while (rc == 0 && ticking && ticks < MOST_TICKS) {
        int64_t start = now_ns();

        rc = cora_sleep((double)interval / 1e9);
        late[ticks++] = now_ns() - start - interval;
    }
    return rc;
}

/* ---- the passes ---- */

static struct piece pieces[PIECES];

static int pass_on_the_loop(cora_executor *none)
{
    int rc = 0;

    (void)none;
    for (int i = 0; i < PIECES && rc == 0; i++) {
        rc = hash(&pieces[i]);
        if (rc == 0)
            rc = cora_sleep(0);
    }
    return rc;
}

static int pass_in(cora_executor *executor)
{
    cora_future *futures[PIECES];
    int rc = 0;

    for (int i = 0; i < PIECES; i++)
        futures[i] = cora_loop_run_in_executor(cora_get_running_loop(), executor, hash, &pieces[i]);
    for (int i = 0; i < PIECES; i++) {
        int awaited = cora_await_unref(futures[i]);

        rc = rc < 0 ? rc : awaited;
    }
    return rc;
}

static void check_sums(void)
{
    for (int i = 0; i < PIECES; i++)
        check(memcmp(pieces[i].sum, expected.sum, SUM) == 0, "every piece is hashed");
    memset(pieces, 0, sizeof pieces);
    for (int i = 0; i < PIECES; i++)
        pieces[i].number = i;
}

/* The first pass is not measured: there threads and processes start, and find the memory. */
static int measure(int (*pass)(cora_executor *executor), cora_executor *executor)
{
    int64_t length = (int64_t)(2e9 * loop_seconds()), start, time;
    cora_task *ticker;
    long passes = 0;
    int rc;

    pieces[0] = expected;
    for (int i = 0; i < PIECES; i++)
        pieces[i].number = i;
    rc = pass(executor);
    ticker = cora_create_task_arg(tick, NULL);
    start = now_ns();
    do {
        check_sums();
        if (rc == 0)
            rc = pass(executor);
        passes++;
        time = now_ns() - start;
    } while (rc == 0 && time < length);
    check_sums();
    ticking = false;
    if (rc == 0)
        rc = cora_await(ticker);
    cora_task_unref(ticker);
    check(rc == 0 && ticks > 0, "all is hashed, and something was measured meanwhile");
    qsort(late, (size_t)ticks, sizeof late[0], compare_times);
    report("ms", per(time, passes) / 1e6, "late_ms", (double)late[ticks * 99 / 100] / 1e6,
           "worst_ms", (double)late[ticks - 1] / 1e6, NULL);
    return 0;
}

int sha256_loop_main(void *arg)
{
    (void)arg;
    make_memory();
    return measure(pass_on_the_loop, NULL);
}

int sha256_threads_main(void *arg)
{
    const cora_thread_pool_options options = {.max_workers = (int)*(long *)arg};
    cora_executor *executor;
    int rc = cora_thread_pool_executor_create(&options, &executor);

    if (rc < 0)
        return rc;
    make_memory();
    rc = measure(pass_in, executor);
    cora_executor_free(executor);
    return rc;
}

int sha256_processes_main(void *arg)
{
    static const cora_process_pool_job jobs[] = {{.fn = hash, .size = sizeof(struct piece)}, {0}};
    const cora_process_pool_options options = {.jobs = jobs, .max_workers = (int)*(long *)arg};
    cora_executor *executor;
    int rc;

    make_memory();
    rc = cora_process_pool_executor_create(&options, &executor);
    if (rc < 0)
        return rc;
    rc = measure(pass_in, executor);
    cora_executor_free(executor);
    return rc;
}

#endif
