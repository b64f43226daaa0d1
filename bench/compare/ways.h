/*
 * ways.h: the same jobs, done in different ways. Each way does all of them and returns 0, or the
 * error of one that has failed.
 */
#ifndef COMPARE_WAYS_H
#define COMPARE_WAYS_H

struct workload {
    enum { WAIT, DOWNLOAD, COMPUTE } kind;
    int jobs;
    double amount; /* seconds to wait, or MiB to hash */
    int port;      /* of the server to download from, on loopback */
};

typedef int way_fn(const struct workload *work);

way_fn way_sequential; /* one after the other */
way_fn way_toy;        /* a coroutine each, on the toy loop of the demo */
way_fn way_threads;    /* a thread each */
way_fn way_pool;       /* a pool of threads, as large as asyncio's */
way_fn way_processes;  /* a process each */
way_fn way_cora;       /* a task each */

/* One job, which holds its thread until it is done: 0 or a negative error. */
int do_job(const struct workload *work);

/* The size of what is downloaded, and the request for it. */
enum { REPLY_SIZE = 64 << 10 };
#define REQUEST "GET\n"

/* The server of the downloads; each reply comes `delay` seconds after its request. */
int serve(double delay);

#endif
