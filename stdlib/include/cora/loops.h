/*
 * loops.h: the same program on several loops, each in a thread of its own: a server on all
 * processors. (asyncio has nothing like it: a Python program starts processes for that.)
 *
 *     static int serve(cora_loops *loops, int index, void *arg)     // in each loop
 *     {
 *         const cora_server_options options = {.reuse_port = true};
 *         cora_server *server;
 *         int rc = cora_start_server(echo, arg, NULL, "8080", &options, &server);
 *
 *         if (rc < 0)
 *             return rc;
 *         rc = cora_server_serve_forever(server);
 *         cora_server_unref(server);
 *         return rc;
 *     }
 *
 *     rc = cora_run_loops(serve, NULL, NULL);                       // in main, until Ctrl-C
 *
 * The kernel gives each connection to one of the sockets that are bound to the port, and the loop
 * that accepts it serves it to its end: loops share no task, no transport and no lock. They talk
 * by calls that end in _threadsafe, of the loop that cora_loops_get_loop names, by
 * cora_run_coroutine_threadsafe (<cora/concurrent.h>), and by queues for tasks of any loop
 * (<cora/threading/queue.h>). What they have in common needs a lock.
 *
 * Every call here may be made from any thread. None suspends.
 */
#ifndef CORA_LOOPS_H
#define CORA_LOOPS_H

#include <cora/base.h>
#include <cora/concurrent.h>
#include <cora/loop.h>
#include <cora/run.h>

CORA_BEGIN_DECLS

typedef struct cora_loops cora_loops;

/* The main function of each loop, in a task, as cora_run's. `index` counts from 0. */
typedef int cora_loops_fn(cora_loops *loops, int index, void *arg);

/* The optional arguments; all may be 0. */
typedef struct cora_loops_options {
    int count;                         /* how many; 0: as many as there are processors for us */
    const char *thread_name_prefix;    /* copied, its first 11 bytes; NULL: "loop" */
    bool affinity;                     /* each keeps to one of those processors, in turn */
    bool keep_going;                   /* where one fails, the others do not stop */
    const cora_runner_options *runner; /* of each; must stay valid until all have ended */
} cora_loops_options;

/*
 * Runs fn(loops, index, arg) on each of the loops, waits until all have ended, and frees them.
 * Ctrl-C (in the main thread) and SIGTERM stop them, as cora_loops_stop does, where these have
 * their default effect, and have it again from then on: a second one ends the process.
 *
 * 0; the error of the first one that failed; -EINTR where a signal has stopped them;
 * -CORA_ERUNNING where a loop runs in this thread; else as cora_loops_start.
 */
CORA_API CORA_MUST_CHECK int cora_run_loops(cora_loops_fn *fn, void *arg,
                                            const cora_loops_options *options);

/*
 * Starts them: blocks until every thread has made its loop, and then fn runs in each. *ret is the
 * caller's, for cora_loops_free. Threads are named prefix_0, prefix_1, ... A loop of these is never
 * taken to be in a deadlock: another may call it.
 *
 * 0; -EINVAL for a negative count; -EAGAIN where a thread cannot be started; -ENOTSUP where the
 * system has no affinity; what kept a loop from being made (-EMFILE, say); -ENOMEM. Then fn has
 * run in none, and nothing is left of them.
 */
CORA_API CORA_MUST_CHECK int cora_loops_start(cora_loops_fn *fn, void *arg,
                                              const cora_loops_options *options, cora_loops **ret);

/*
 * Cancels fn's task in each loop that runs, once: a second call does nothing. Where one ends
 * cancelled from then on, that is no failure.
 */
CORA_API void cora_loops_stop(cora_loops *loops);

/*
 * Their end, borrowed: done when all loops are closed, with 0 or the error of the first that
 * failed. A thread waits for it by cora_concurrent_future_result, a task by cora_wrap_future. It
 * cannot be cancelled.
 */
CORA_API cora_concurrent_future *cora_loops_future(cora_loops *loops);

CORA_API int cora_loops_count(const cora_loops *loops);

/* The loop with this index, of 0 to the count less 1. It takes calls, and says -CORA_ECLOSED once
 * it has ended, until the loops are freed. */
CORA_API cora_loop *cora_loops_get_loop(cora_loops *loops, int index);

/*
 * Calls fn(arg) once in each loop that has not ended, in order with other _threadsafe calls of this
 * thread's. 0; -ENOMEM: in none.
 */
CORA_API CORA_MUST_CHECK int cora_loops_call_soon(cora_loops *loops, cora_callback *fn, void *arg);

/*
 * Stops them, waits until they have ended, and frees them; not from one of their own threads. NULL
 * is accepted. A forked child has none of the threads: there it only gives memory back.
 */
CORA_API void cora_loops_free(cora_loops *loops);

CORA_END_DECLS

#endif
