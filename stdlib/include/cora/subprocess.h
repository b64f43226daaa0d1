/*
 * subprocess.h: other programs (asyncio.subprocess).
 *
 *     static const char *const argv[] = {"sort", "-n", NULL};
 *     const cora_subprocess_options options = {.in = CORA_SUBPROCESS_PIPE,
 *                                              .out = CORA_SUBPROCESS_PIPE};
 *     cora_process_output output;
 *     cora_process *process;
 *
 *     rc = cora_create_subprocess_exec(argv, &options, &process);
 *     if (rc < 0)
 *         return rc;
 *     rc = cora_process_communicate(process, "2\n1\n", 4, &output);
 *     ...
 *     cora_process_unref(process);
 *
 * Only processes that are started here are ever waited for. A forked child may start some of its
 * own; those of its parent it neither sees nor kills.
 */
#ifndef CORA_SUBPROCESS_H
#define CORA_SUBPROCESS_H

#include <cora/base.h>
#include <cora/streams.h>
#include <cora/task.h>
#include <cora/transport.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

/* What a program's stdin, stdout or stderr may be, beside a descriptor. */
enum {
    CORA_SUBPROCESS_PIPE = -1,    /* the other end is the process's stdin, stdout or stderr here */
    CORA_SUBPROCESS_STDOUT = -2,  /* of stderr: what stdout is */
    CORA_SUBPROCESS_DEVNULL = -3, /* /dev/null */
};

/*
 * The optional arguments of create_subprocess; all may be 0. A program gets no other descriptor
 * than 0, 1, 2 and pass_fds, and has the signal mask of the thread that starts it. Signals that are
 * handled have their default effect in it, and SIGPIPE in any case; those that are ignored
 * stay so.
 */
typedef struct cora_subprocess_options {
    /*
     * stdin, stdout and stderr (which are macros in C): one of the above; a descriptor other than
     * 0, which stays the caller's; 0: the parent's.
     */
    int in, out, err;
    const char *const *env;     /* "NAME=value", ..., NULL; where the program is searched for, too.
                                   NULL: the parent's */
    const char *cwd;            /* the directory in which it starts; NULL: the parent's */
    const int *pass_fds;        /* descriptors that it gets, under the same numbers; -1 ends them */
    bool start_new_session;     /* by setsid(2) */
    const pid_t *process_group; /* the one that it joins, 0: one of its own; NULL: the parent's */
    const mode_t *umask;        /* NULL: the parent's */
    size_t limit;               /* of the readers of its stdout and stderr; 0: CORA_STREAM_LIMIT */
} cora_subprocess_options;

/* ---- processes (asyncio.subprocess.Process) ------------------------------------------------ */

typedef struct cora_process cora_process;

/*
 * Starts the program argv[0] with the arguments argv, which ends with NULL. Where argv[0] has no
 * slash it is searched for in the PATH of the environment that it gets. `options` may be NULL.
 * *ret is a reference, for cora_process_unref.
 *
 * 0: it runs. The negative errno of what failed, on whichever side, and then there is no process:
 * -ENOENT, -EACCES, -ENOEXEC, ... of execve(2); of chdir(2), setsid(2), setpgid(2); -EMFILE,
 * -ENFILE; -EAGAIN; -ENOMEM; -EBADF for a descriptor that is not open; -EINVAL without a program,
 * and for options that are none; -CORA_ENOTASK. -ECANCELED: it is killed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_subprocess_exec(
    const char *const argv[], const cora_subprocess_options *options, cora_process **ret);

/* The same for a command of the shell, /bin/sh. It also runs where the command does not. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_subprocess_shell(
    const char *command, const cora_subprocess_options *options, cora_process **ret);

/*
 * With the last reference the pipes are closed, and a process that still runs is killed and reaped;
 * NULL is accepted. cora_runner_close waits for that.
 */
CORA_API cora_process *cora_process_ref(cora_process *process);
CORA_API void cora_process_unref(cora_process *process);

/* Its pipes, borrowed from the process; NULL where that is none. */
CORA_API cora_stream_writer *cora_process_stdin(cora_process *process);
CORA_API cora_stream_reader *cora_process_stdout(cora_process *process);
CORA_API cora_stream_reader *cora_process_stderr(cora_process *process);

CORA_API pid_t cora_process_pid(const cora_process *process);

/*
 * Whether it has ended, and then in *ret: its exit status, or the negative number of the signal
 * that killed it. 255 where somebody else has reaped it or SIGCHLD is ignored, which is reported.
 */
CORA_API bool cora_process_returncode(const cora_process *process, int *ret);

/*
 * Suspends until the process has ended, though others that it has started may still hold its pipes;
 * at once if it has. *ret (NULL: not wanted) as of cora_process_returncode. A process that waits
 * for its output to be read never ends. 0; -ECANCELED: the process goes on; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_process_wait(cora_process *process, int *ret);

/* What a process has written, each with a 0 behind it; NULL where it had no pipe. */
typedef struct cora_process_output {
    char *out, *err;
    size_t out_size, err_size;
} cora_process_output;

/*
 * Sends `size` bytes to its stdin and closes that, reads all that it writes, however much, until
 * nobody holds its pipes any more, and waits for its end. What it does not read is not an error.
 * *ret (NULL: not wanted) is the caller's, for cora_process_output_clear.
 * 0; an error of reading; -EINVAL for bytes without a pipe to send them by; -EBUSY while another
 * task reads; -CORA_ENOTASK. -ECANCELED, -ENOMEM: nothing was taken from stdout and stderr, but
 * stdin may be closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_process_communicate(cora_process *process,
                                                                    const void *input, size_t size,
                                                                    cora_process_output *ret);

/* Frees what is in it, and leaves it empty. */
CORA_API void cora_process_output_clear(cora_process_output *output);

/*
 * As kill(2), SIGTERM and SIGKILL; never another process that has its number now. 0, also for one
 * that has ended where the loop has not heard of it yet; -ESRCH where it has, and in a forked
 * child; -EPERM; -EINVAL.
 */
CORA_API int cora_process_send_signal(cora_process *process, int signum);
CORA_API int cora_process_terminate(cora_process *process);
CORA_API int cora_process_kill(cora_process *process);

/* ---- for protocols (loop.subprocess_exec, asyncio.SubprocessTransport) --------------------- */

/*
 * loop.subprocess_exec(), subprocess_shell(): the same for a protocol, which is what factory(arg)
 * returns. Its connection_made is called before this returns, connection_lost when the process has
 * ended and all pipes are closed. *ret (NULL: not wanted) is a reference to the transport, for
 * cora_transport_unref. Errors as above, -ENOMEM also where the factory returns NULL; the protocol
 * is told of them by connection_lost.
 *
 * To close the transport closes the pipes and kills the process if it still runs.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_subprocess_exec(
    cora_protocol_factory *factory, void *arg, const char *const argv[],
    const cora_subprocess_options *options, cora_transport **ret);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_subprocess_shell(
    cora_protocol_factory *factory, void *arg, const char *command,
    const cora_subprocess_options *options, cora_transport **ret);

/* As those of a process; of another transport 0, false, and -EOPNOTSUPP. */
CORA_API pid_t cora_transport_get_pid(const cora_transport *transport);
CORA_API bool cora_transport_get_returncode(const cora_transport *transport, int *ret);
CORA_API int cora_transport_send_signal(cora_transport *transport, int signum);
CORA_API int cora_transport_terminate(cora_transport *transport);
CORA_API int cora_transport_kill(cora_transport *transport);

/* Of the pipe to the process's descriptor 0, 1 or 2, lent until connection_lost has returned. NULL:
 * there is none. */
CORA_API cora_transport *cora_transport_get_pipe_transport(const cora_transport *transport, int fd);

CORA_END_DECLS

#endif
