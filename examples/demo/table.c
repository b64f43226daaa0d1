#include "table.h"

#include "verdict.h"

#include <stdio.h>

static double wall_time(const struct run *run)
{
    return run->report->end - run->report->start;
}

static void print_row(const struct run *run, const struct run *baseline)
{
    const struct report *report = run->report;
    size_t bytes;
    size_t files = count_arrived(run, &bytes);

    printf("%-28s %5zu/%-5zu %9zu ", run->name, files, run->count, bytes);
    if (!report->ended) {
        printf("  did not end\n");
        return;
    }
    printf("%8.3f s ", wall_time(run));
    if (baseline->report->ended)
        printf("%7.1fx ", wall_time(baseline) / wall_time(run));
    else
        printf("%8s ", "-");
    printf("%8d %6.1f MiB %+6.1f MiB\n", atomic_load(&report->threads),
           (double)report->memory_peak / 1024,
           (double)(report->memory_peak - report->memory_start) / 1024);
}

void print_table(const struct run runs[], size_t run_count)
{
    printf("%-28s %11s %9s %10s %8s %8s %10s %10s\n", "way", "files", "bytes", "time", "speed-up",
           "threads", "memory", "grown by");
    for (size_t i = 0; i < run_count; i++)
        print_row(&runs[i], &runs[0]);
    printf("\n"
           "Each way ran in a process of its own. Memory is the most that was resident in it at a\n"
           "time (getrusage, ru_maxrss), program and libraries included, but not what the kernel\n"
           "keeps for its threads and sockets; grown by is how much of it came while the way ran.\n"
           "Threads are those that did any of its work.\n");
}
