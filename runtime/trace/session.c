/*
 * session.c: how a trace begins and ends: by a call, by the environment, at exit, and in the child
 * of a fork.
 */
#include "trace/record.h"
#include "trace/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static struct cora__trace_writer *writer;                /* NULL: no trace is being written */
static char *path;                                       /* of it, or of the last */
static bool is_the_environments;                         /* nobody looks at what stop returns */
static atomic_bool is_childs; /* the process was forked by one that was traced */

static unsigned last_session;
static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

/* ---- the file ------------------------------------------------------------------------------- */

/* "trace.json" is "trace.PID.json". NULL without memory. */
static char *path_of_process(const char *of)
{
    const char *end = strrchr(of, '.');
    size_t size = strlen(of) + 32;
    char *own = malloc(size);

    if (end == NULL || strchr(end, '/') != NULL)
        end = of + strlen(of);
    if (own != NULL)
        snprintf(own, size, "%.*s.%ld%s", (int)(end - of), of, (long)getpid(),
                 *end != '\0' ? end : ".json");
    return own;
}

static int open_file(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    return fd >= 0 ? fd : -errno;
}

/* A pipe or a device may be anybody's. */
static bool is_file(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Another process writes it. */
static bool is_taken(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &whole) < 0 && (errno == EAGAIN || errno == EACCES);
}

/* Opens the file, or one of this process's where another has it; *name is then that one's. The
 * descriptor, or a negative error. */
static int open_own(char **name)
{
    int fd = open_file(*name);

    if (fd < 0 || !is_file(fd))
        return fd;
    if (is_taken(fd)) {
        char *own = path_of_process(*name);

        close(fd);
        if (own == NULL)
            return -ENOMEM;
        free(*name);
        *name = own;
        fd = open_file(own);
    }
    if (fd >= 0 && ftruncate(fd, 0) < 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void watch_process(void);

/* The lock is held, here and below. */
static int begin(const char *name)
{
    char *own;
    int fd, rc;

    if (writer != NULL)
        return -EBUSY;
    own = strdup(name);
    if (own == NULL)
        return -ENOMEM;
    fd = open_own(&own);
    if (fd < 0) {
        free(own);
        return fd;
    }
    cora__trace_empty_rings();
    rc = cora__trace_writer_create(&writer, fd);
    if (rc < 0) {
        close(fd);
        free(own);
        return rc;
    }
    pthread_once(&hooks_once, watch_process);
    free(path);
    path = own;
    atomic_store(&is_childs, false);
    if (++last_session == 0)
        last_session = 1;
    atomic_store(&cora__trace_session, last_session);
    return 0;
}

static int end(void)
{
    int rc;

    if (writer == NULL)
        return 0;
    atomic_store(&cora__trace_session, 0);
    rc = cora__trace_writer_finish(writer);
    writer = NULL;
    return rc;
}

int cora_trace_start(const char *name)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = begin(name);
    if (rc == 0)
        is_the_environments = false;
    pthread_mutex_unlock(&lock);
    return rc;
}

int cora_trace_stop(void)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = end();
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- exit and forks -------------------------------------------------------------------------- */

static void on_exit_of_process(void)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = end();
    if (rc < 0 && is_the_environments)
        fprintf(stderr,
                "cora: the trace '%s' is not whole: %s. Make room there, or have CORA_TRACE name a "
                "file elsewhere.\n",
                path, cora_strerror(rc));
    pthread_mutex_unlock(&lock);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    cora__trace_writer_before_fork();
}

static void after_fork(void)
{
    cora__trace_writer_after_fork();
    pthread_mutex_unlock(&lock);
}

/* What was recorded is the parent's, and its thread is not there. */
static void after_fork_in_child(void)
{
    if (writer != NULL) {
        cora__trace_writer_forget(writer);
        writer = NULL;
        atomic_store(&cora__trace_session, 0);
        atomic_store(&is_childs, true);
    }
    cora__trace_forget_threads();
    after_fork();
}

static void watch_process(void)
{
    atexit(on_exit_of_process);
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static void begin_childs(void)
{
    char *own;

    pthread_mutex_lock(&lock);
    own = atomic_exchange(&is_childs, false) ? path_of_process(path) : NULL;
    if (own != NULL && begin(own) < 0 && is_the_environments)
        fprintf(stderr, "cora: no trace of process %ld is written\n", (long)getpid());
    free(own);
    pthread_mutex_unlock(&lock);
}

/* ---- the environment ------------------------------------------------------------------------- */

/* A program that has somebody else's rights does not write where its user wants. */
static bool has_own_rights(void)
{
    return getuid() == geteuid() && getgid() == getegid();
}

static void look_at_environment(void)
{
    const char *name = getenv("CORA_TRACE");
    int rc;

    if (name == NULL || name[0] == '\0' || !has_own_rights())
        return;
    pthread_mutex_lock(&lock);
    rc = begin(name);
    if (rc == 0)
        is_the_environments = true;
    else if (rc != -EBUSY)
        fprintf(stderr,
                "cora: CORA_TRACE: '%s' cannot be written: %s; there will be no trace. Name a file "
                "in a folder that is there and that you may write to.\n",
                name, cora_strerror(rc));
    pthread_mutex_unlock(&lock);
}

void cora__trace_enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, look_at_environment);
    if (atomic_load_explicit(&is_childs, memory_order_relaxed))
        begin_childs();
}
