/*
 * spawn.h: starting a program in a process of its own.
 */
#ifndef CORA_STDLIB_SPAWN_H
#define CORA_STDLIB_SPAWN_H

#include <cora/subprocess.h>

struct cora__child {
    pid_t pid;
    int pipe[3]; /* our ends of its stdin, stdout and stderr, closed on exec; -1: there is none */
};

/*
 * Starts the program argv[0] with the arguments argv, which ends with NULL. Where argv[0] has no
 * slash it is searched for in the PATH of the environment that it gets. `options` may be NULL.
 *
 * 0: it runs, and the caller reaps it and closes the pipes. A negative errno, whichever side it
 * came from, and nothing is left: -ENOENT, -EACCES, -ENOEXEC, ... of execve(2); of chdir(2),
 * setsid(2), setpgid(2); -EMFILE, -ENFILE; -EAGAIN, -ENOMEM; -EBADF for a descriptor that is not
 * open; -EINVAL without a program, and for options that are none.
 */
int cora__spawn(struct cora__child *ret, const char *const argv[],
                const cora_subprocess_options *options);

/* Closes those of our ends that are open. */
void cora__child_close_pipes(struct cora__child *child);

#endif
