/*
 * main.c: bench_compare WAY wait JOBS SECONDS       so many jobs that wait
 *         bench_compare WAY download JOBS PORT      or that download from that port
 *         bench_compare WAY compute JOBS MIB        or that hash so much each
 *         bench_compare serve SECONDS               the server; a reply takes so long
 */
#include "ways.h"

#include <cora/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct way {
    const char *name;
    way_fn *fn;
} ways[] = {
    {"sequential", way_sequential}, {"toy", way_toy},
    {"threads", way_threads},       {"pool", way_pool},
    {"processes", way_processes},   {"cora", way_cora},
};

static way_fn *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, name) == 0)
            return ways[i].fn;
    return NULL;
}

static int run(way_fn *way, char *arguments[])
{
    static const char *const kinds[] = {"wait", "download", "compute"};
    struct workload work = {.jobs = atoi(arguments[1]),
                            .amount = strtod(arguments[2], NULL),
                            .port = atoi(arguments[2])};

    for (int kind = WAIT; kind <= COMPUTE; kind++) {
        if (strcmp(kinds[kind], arguments[0]) == 0) {
            work.kind = kind;
            return way(&work);
        }
    }
    return -EINVAL;
}

int main(int argc, char *argv[])
{
    way_fn *way = argc == 5 ? find_way(argv[1]) : NULL;
    int rc = -EINVAL;

    if (way != NULL)
        rc = run(way, &argv[2]);
    else if (argc == 3 && strcmp(argv[1], "serve") == 0)
        rc = serve(strtod(argv[2], NULL));
    else
        fputs("usage: bench_compare WAY wait|download|compute JOBS SECONDS|PORT|MIB\n"
              "       bench_compare serve SECONDS\n",
              stderr);
    if (rc < 0)
        fprintf(stderr, "bench_compare: %s\n", cora_strerror(rc));
    return rc < 0;
}
