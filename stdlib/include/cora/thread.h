/*
 * thread.h: work that blocks or computes, off the loop (asyncio.to_thread).
 *
 *     struct hash_args { const char *path; unsigned char sum[32]; };
 *
 *     static int hash(void *arg)              // runs in a thread of the loop's pool
 *     {
 *         struct hash_args *a = arg;
 *         ...
 *     }
 *
 *     struct hash_args args = {.path = path};
 *     rc = cora_to_thread(hash, &args);       // suspends; then args.sum is there
 *
 * The thread works on a copy of the arguments, which comes back when it is done. So a task that is
 * cancelled meanwhile can go on: the thread finishes by itself, on memory of its own. What pointers
 * in the arguments point to must stay valid until then.
 *
 * A job may call the loop by what ends in _threadsafe, and wait for it to answer. cora_run and
 * cora_runner_close run the loop until the last job has ended; cora_loop_close alone waits for them
 * without running it. Signals are blocked in the threads no more than elsewhere: where a handler
 * must not run in them, the job blocks them. A forked child starts threads of its own; the jobs of
 * its parent never end there.
 */
#ifndef CORA_THREAD_H
#define CORA_THREAD_H

#include <cora/base.h>
#include <cora/task.h>

CORA_BEGIN_DECLS

/*
 * to_thread(fn, &args): runs fn on a copy of *args in a thread of the loop's default executor
 * (<cora/executor.h>), which has up to min(32, CPUs + 4) threads, started on demand. It sees the
 * task's context variables. Suspends until it is done, copies the arguments back and returns what
 * fn returned. -ECANCELED: *args is unchanged; a job that had not started never will, one that had
 * goes on. -ENOMEM; -EAGAIN where no thread can be started; -CORA_EEXECUTORSHUTDOWN; -CORA_ENOTASK.
 */
#define cora_to_thread(fn, args) cora_to_thread_copy((fn), (args), sizeof *(args))

CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_to_thread_copy(int (*fn)(void *arg), void *args,
                                                               size_t size);

/*
 * The same of a job that leaves something in its arguments which must be given back: memory, a
 * descriptor. Where they do not come back, because the waiting task is cancelled or its loop is
 * closed, cleanup is called with the job's copy instead, once the job has ended or when it is
 * known that it will never start: as fn left it, or as it was given. It is called in the loop's
 * thread, or in a thread of the pool, and must not block. It is not called where to_thread fails
 * otherwise: no job has begun then.
 */
#define cora_to_thread_cleanup(fn, args, cleanup)                                                  \
    cora_to_thread_copy_cleanup((fn), (args), sizeof *(args), (cleanup))

CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_to_thread_copy_cleanup(int (*fn)(void *arg),
                                                                       void *args, size_t size,
                                                                       void (*cleanup)(void *arg));

CORA_END_DECLS

#endif
