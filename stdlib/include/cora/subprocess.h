/*
 * subprocess.h: other programs (asyncio.subprocess).
 */
#ifndef CORA_SUBPROCESS_H
#define CORA_SUBPROCESS_H

#include <cora/base.h>

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
} cora_subprocess_options;

CORA_END_DECLS

#endif
