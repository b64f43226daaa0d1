/*
 * workers.h: as many threads as a pool has where it is not said: the processors that this process
 * may use and 4 more, and no more than 32.
 */
#ifndef CORA_TEST_WORKERS_H
#define CORA_TEST_WORKERS_H

#include <sched.h>
#include <unistd.h>

static inline int default_workers(void)
{
#ifdef __linux__
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
#else
    int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif

    return cpus + 4 < 32 ? cpus + 4 : 32;
}

#endif
