/*
 * What the C and C++ programs of the suite share: clocks, memory figures, the one line of JSON
 * that each prints, and the choice of the workload.
 *
 * Include it first. It is compiled as C11 and as C++17.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- ending with a reason ---- */

/* A system call failed. */
__attribute__((noreturn)) static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* A figure is worth nothing when the work behind it was not done: unlike assert, never compiled
 * out. */
static inline void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "wrong: %s\n", what);
        exit(1);
    }
}

/* ---- time ---- */

static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* User and system time of this process. */
static inline int64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/*
 * Loops run for a time and not for a count, so that fast and slow peers are measured equally long:
 *
 *     int64_t start = cpu_ns();
 *     do {
 *         a batch of the work, large beside a reading of the clock, which is a system call
 *     } while (!enough(start));
 *
 * It is processor time, of which others on the machine take nothing, and BENCH_SECONDS of the
 * environment.
 */
static inline double loop_seconds(void)
{
    const char *seconds = getenv("BENCH_SECONDS");

    return seconds ? atof(seconds) : 0.3;
}

static inline bool enough(int64_t start)
{
    static int64_t length;

    if (length == 0)
        length = (int64_t)(loop_seconds() * 1e9);
    return cpu_ns() - start > length;
}

/* So that many nanoseconds for so much work. */
static inline double per(int64_t ns, long count)
{
    return (double)ns / (double)count;
}

/* How often few tasks are created again, so that it takes as long as many. */
static inline long rounds_of(long count)
{
    return count < 100000 ? 100000 / count : 1;
}

/* What a call costs that does nothing: a workload takes it off, or names it beside its own. */
__attribute__((noinline, unused)) static void empty_call(void)
{
    __asm__ volatile("" ::: "memory");
}

static inline double empty_call_ns(void)
{
    enum { BATCH = 100000 };
    long calls = 0;
    int64_t start = cpu_ns();

    do {
        for (int i = 0; i < BATCH; i++)
            empty_call();
        calls += BATCH;
    } while (!enough(start));
    return per(cpu_ns() - start, calls);
}

/* ---- memory ---- */

static inline long resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        fail("/proc/self/statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static inline long page_table_bytes(void)
{
    char line[256];
    long kilobytes = -1;
    FILE *f = fopen("/proc/self/status", "r");

    if (!f)
        fail("/proc/self/status");
    while (kilobytes < 0 && fgets(line, sizeof line, f))
        sscanf(line, "VmPTE: %ld", &kilobytes);
    fclose(f);
    return kilobytes * 1024;
}

/* How much memory the process takes, and the processor time when that was looked at. */
struct footprint {
    long resident, page_tables;
    int64_t time;
};

static inline struct footprint footprint(void)
{
    struct footprint now = {resident_bytes(), page_table_bytes(), cpu_ns()};

    return now;
}

static inline void *allocate(long count, size_t size)
{
    void *memory = calloc((size_t)count, size);

    if (!memory)
        fail("calloc");
    return memory;
}

/* ---- output ---- */

/* The one line of JSON: report("first_ns", first, "again_ns", again, NULL), every value a double.
 */
__attribute__((sentinel)) static inline void report(const char *name, double value, ...)
{
    va_list more;

    printf("{\"%s\": %.7g", name, value);
    va_start(more, value);
    while ((name = va_arg(more, const char *)))
        printf(", \"%s\": %.7g", name, va_arg(more, double));
    va_end(more);
    printf("}\n");
    fflush(stdout);
}

/* Looked at before any waiter was there and when all were parked; now all are woken and joined. */
static inline void report_memory(struct footprint before, struct footprint parked, long count)
{
    long resident = parked.resident - before.resident;
    long page_tables = parked.page_tables - before.page_tables;

    report("resident_bytes", per(resident, count), "all_bytes", per(resident + page_tables, count),
           "create_s", (double)(parked.time - before.time) / 1e9, "join_s",
           (double)(cpu_ns() - parked.time) / 1e9, NULL);
}

/* ---- naps: 100,000 timers at a time ---- */

/*
 * How long the k-th of count sleeps: 0, 1/count, 2/count ... of a second in a shuffled but fixed
 * order. The factor is a prime, so every length comes once.
 */
static inline int64_t nap_ns(long k, long count)
{
    return (int64_t)k * 7368787 % count * 1000000000 / count;
}

static struct {
    long ended, early;
    int64_t last_late; /* of the one that ended last, beyond its own time */
} naps;

static inline void nap_ended(int64_t due)
{
    naps.last_late = now_ns() - due;
    naps.early += naps.last_late < 0;
    naps.ended++;
}

/* The whole is over by what has passed beyond the longest nap: creating them all is in it. */
static inline void report_naps(int64_t start, int64_t cpu, long count)
{
    int64_t longest = (int64_t)(count - 1) * 1000000000 / count, over = now_ns() - start - longest;

    check(naps.ended == count, "every nap ends once");
    report("cpu_ms", (double)(cpu_ns() - cpu) / 1e6, "late_ms", (double)naps.last_late / 1e6,
           "early", (double)naps.early, "over_ms", (double)over / 1e6, NULL);
}

/*
 * The deadline, in seconds from now, of the k-th of count timers that are armed while others come
 * and go in their midst, and of those others. None is reached.
 */
static inline double armed_s(long k, long count)
{
    return 100 + (double)nap_ns(k, count) / 1e7;
}

static const double passing_s = 150;

/* ---- fairness: what comes late while one task never rests ---- */

/* A 50 ms sleep, again and again. */
enum { FAIR_NAPS = 6, FAIR_NAP_MS = 50 };

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The times that something took: the one in the middle and the longest, in `unit` nanoseconds. */
static inline void report_times(int64_t *times, long count, double unit)
{
    check(count > 0, "something was measured");
    qsort(times, (size_t)count, sizeof *times, compare_times);
    report("median", (double)times[count / 2] / unit, "worst", (double)times[count - 1] / unit,
           NULL);
}

/*
 * Whoever is asked how late a readable socket is served says so, and gets on its standard input, a
 * socket, one message after the other: the time, by the wall clock, when it was sent.
 */
enum { MOST_MESSAGES = 10000 };

static inline void report_ready(void)
{
    report("ready", 1, NULL);
}

static inline int64_t since_sent(int64_t sent)
{
    return clock_ns(CLOCK_REALTIME) - sent;
}

/* ---- echo servers ---- */

enum { ECHO_BUFFER = 65536 }; /* larger than any request, so that each is one read */

/* A listening socket on a free port of the loopback interface. */
static inline int listen_on_loopback(void)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        fail("listen");
    return fd;
}

static inline void report_port(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        fail("getsockname");
    report("port", (double)ntohs(address.sin_port), NULL);
}

/* ---- the choice of the workload ---- */

struct workload {
    const char *name;
    void (*run)(long count);
    long count; /* where the command line has none */
};

/* The main function of a program: PROGRAM WORKLOAD [COUNT]. A null name ends the table. */
static inline int run_workload(int argc, char **argv, const struct workload *workloads)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (; workloads->name; workloads++) {
        if (strcmp(workloads->name, name) == 0) {
            long count = argc > 2 ? atol(argv[2]) : workloads->count;
            check(count >= 1 && count <= 1000000, "COUNT is 1 to 1,000,000");
            workloads->run(count);
            return 0;
        }
    }
    fprintf(stderr, "%s has no workload \"%s\"\n", argv[0], name);
    return 2;
}

#endif
