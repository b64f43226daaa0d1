/*
 * process.h: functions that run in a process of their own (multiprocessing.Process).
 *
 *     static int count(void *arg)                              // its outcome is the exit code
 *     {
 *         return count_primes(arg);
 *     }
 *
 *     rc = cora_multiprocessing_process_create(count, &range, NULL, &process);
 *     rc = cora_multiprocessing_process_start(process);
 *     ...
 *     rc = cora_multiprocessing_process_join(process, INFINITY);
 *     rc = cora_multiprocessing_process_exitcode(process, &exitcode);
 *     cora_multiprocessing_process_close(process);
 *
 * A process is a copy of this one, made by fork(2): it has all that this one has, as it was then,
 * and what either changes the other does not see, save in shared memory (<cora/multiprocessing/
 * shared_memory.h>). It has one thread, a copy of the one that started it; what others held locked
 * stays so in it. The loop of that thread, if it has one, does not go on in it: it may run one of
 * its own. Started by a task, it has a stack as large as a thread's all the same.
 *
 * It begins with what stdout and stderr held written, by its parent, and with /dev/null as its
 * stdin. When its function has returned, or it has failed, its own children are joined, stdout and
 * stderr are flushed, and it ends by _exit(2): nothing that the parent has left with atexit(3)
 * runs, and what other streams hold is lost. One that calls exit(3) itself runs all that.
 *
 * When the program ends, by exit(3) or by returning from main, its daemons are told to terminate,
 * and then all processes that it has started are waited for.
 *
 * All calls may be made from any thread. Those that block hold up the thread's loop: a task waits
 * by cora_to_thread, or watches the process's sentinel.
 */
#ifndef CORA_MULTIPROCESSING_PROCESS_H
#define CORA_MULTIPROCESSING_PROCESS_H

#include <cora/base.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_multiprocessing_process cora_multiprocessing_process;

/*
 * What a process runs. Its outcome, from 0 to 255, is the exit code. A negative error is 1, after a
 * line on stderr that tells it, as is one that is too large.
 */
typedef int cora_multiprocessing_target(void *arg);

/* The optional arguments of Process; all may be 0. */
typedef struct cora_multiprocessing_process_options {
    const char *name; /* copied; NULL: Process-1, Process-2, ..., and Process-1:1 in Process-1 */
    bool daemon;      /* it ends with this process, and may not have children */
} cora_multiprocessing_process_options;

/*
 * Process(): will run target(arg). `arg`, which may be NULL, must be valid when it is started.
 * *ret is the caller's, for _close. `options` may be NULL. 0; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_process_create(
    cora_multiprocessing_target *target, void *arg,
    const cora_multiprocessing_process_options *options, cora_multiprocessing_process **ret);

/*
 * start(): returns in the parent only. 0; -CORA_EINVALIDSTATE when it was started before; -ECHILD
 * in another process than the one that made it; -EPERM in a daemon; -EAGAIN, -ENOMEM of fork(2).
 * -EMFILE, -ENFILE: no descriptor was left for its sentinel, and it was killed again.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_process_start(
    cora_multiprocessing_process *process);

/*
 * join(): blocks until it has ended, for at most `timeout` seconds (INFINITY: for any time; 0 or
 * less: not at all). 0; -ETIMEDOUT; -EINVAL for NaN; -CORA_EINVALIDSTATE before its start; -ECHILD
 * in another process than its parent.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_process_join(
    cora_multiprocessing_process *process, double timeout);

/* Whether it runs. Of parent_process() anybody may ask. */
CORA_API bool cora_multiprocessing_process_is_alive(cora_multiprocessing_process *process);

/*
 * How it has ended: *ret is its exit code, or -N where signal N has killed it; 255 where somebody
 * else has reaped it, or SIGCHLD is ignored. 0; -CORA_EINVALIDSTATE while it has not ended; -ECHILD
 * as join.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_process_exitcode(
    cora_multiprocessing_process *process, int *ret);

/*
 * Sends it SIGTERM, SIGKILL or SIGINT, if it has not ended. What it shares may be left as it
 * stands, and its own children live on. 0; -CORA_EINVALIDSTATE, -ECHILD as join; -EPERM of kill(2).
 */
CORA_API int cora_multiprocessing_process_terminate(cora_multiprocessing_process *process);
CORA_API int cora_multiprocessing_process_kill(cora_multiprocessing_process *process);
CORA_API int cora_multiprocessing_process_interrupt(cora_multiprocessing_process *process);

/*
 * A descriptor that becomes readable when the process has ended, and stays so: for cora_loop_
 * add_reader, poll(2) and cora_multiprocessing_wait. It must not be read, and goes with the object.
 * -CORA_EINVALIDSTATE before the start; -ECHILD as join.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_process_sentinel(
    const cora_multiprocessing_process *process);

/* Never NULL; as long as the object. */
CORA_API const char *cora_multiprocessing_process_name(const cora_multiprocessing_process *process);

/* Its id; 0 before the start. */
CORA_API pid_t cora_multiprocessing_process_pid(const cora_multiprocessing_process *process);

CORA_API bool cora_multiprocessing_process_daemon(const cora_multiprocessing_process *process);

/*
 * close(): frees the object of a process that has ended, or was never started. NULL is accepted. 0;
 * -EBUSY while it runs: nothing is freed.
 */
CORA_API int cora_multiprocessing_process_close(cora_multiprocessing_process *process);

/* ---- the family ---------------------------------------------------------------------------- */

/* This process: "MainProcess" where nobody has started it by start(). Never NULL; borrowed. */
CORA_API cora_multiprocessing_process *cora_multiprocessing_current_process(void);

/* The one that has started it; NULL in the main process. Borrowed: its name, pid and is_alive. */
CORA_API cora_multiprocessing_process *cora_multiprocessing_parent_process(void);

/*
 * active_children(): how many processes that this one has started have not ended; the first `most`
 * of them, the oldest first, go into ret, borrowed. Those that have ended are joined.
 */
CORA_API size_t cora_multiprocessing_active_children(cora_multiprocessing_process *ret[],
                                                     size_t most);

/* The processors of this machine that are on, at least 1. */
CORA_API int cora_multiprocessing_cpu_count(void);

CORA_END_DECLS

#endif
