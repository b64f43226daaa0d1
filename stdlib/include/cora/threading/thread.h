/*
 * thread.h: threads (threading.Thread).
 *
 *     struct hash_args { const char *path; unsigned char *sum; };
 *
 *     static int hash(void *arg)
 *     {
 *         struct hash_args *a = arg;
 *         ...
 *     }
 *
 *     cora_threading_thread *thread = cora_threading_thread_create(hash, .path = path, .sum = sum);
 *     int rc = cora_threading_thread_start(thread);
 *     ...
 *     rc = cora_threading_thread_join(thread, INFINITY);
 *     cora_threading_thread_unref(thread);
 *
 * A thread is one of pthread's, with a name, an outcome, and an end that others can wait for.
 * Threads of C run at the same time, on as many processors as there are: what they share needs a
 * lock, also where Python's interpreter lets no other thread in between.
 *
 * When the program ends, by main's return or by exit, it waits for all threads that are not
 * daemons, but not for the one that calls exit. Daemons are cut off where they are. After a fork
 * there is one thread in the child, the main thread there; the others have ended.
 *
 * Every call takes NULL, as from a creation without memory: it answers -ENOMEM, false, 0 or NULL.
 */
#ifndef CORA_THREADING_THREAD_H
#define CORA_THREADING_THREAD_H

#include <cora/base.h>
#include <cora/contextvars.h>

#include <math.h>

CORA_BEGIN_DECLS

typedef struct cora_threading_thread cora_threading_thread;

/* What a thread does. What it returns is its outcome; a negative one is an error that nobody has
 * dealt with, and goes to the hook below. */
typedef int cora_threading_fn(void *arg);

/* The optional arguments of Thread; all may be 0. */
typedef struct cora_threading_thread_options {
    const char *name;      /* copied; NULL or "": "Thread-1 (hash)", "Thread-2 (hash)", ... */
    int daemon;            /* true; CORA_THREADING_NO_DAEMON; 0: as the thread that creates it is */
    cora_context *context; /* fn is run in it; NULL: in an empty one */
    size_t stack_size;     /* bytes; 0: what the system gives */
} cora_threading_thread_options;

/* daemon=False: 0 is an argument that was not given. */
enum { CORA_THREADING_NO_DAEMON = -1 };

/* ---- creation ------------------------------------------------------------------------------ */

/*
 * cora_threading_thread_create(fn, .name = value, ...): a thread that will run fn with a struct
 * fn_args of these members, copied into it. It is not started. The reference is the caller's, for
 * cora_threading_thread_unref; while the thread runs there is another. NULL without memory.
 */
#define cora_threading_thread_create(fn, ...)                                                      \
    cora_threading_thread_create_with(NULL, fn, __VA_ARGS__)

/* The same, with options: ..._create_with(&(cora_threading_thread_options){.daemon = true}, fn,
 * ...).
 */
#define cora_threading_thread_create_with(options, fn, ...)                                        \
    cora_threading_thread_create_copy((options), (fn), #fn, &(struct fn##_args){__VA_ARGS__},      \
                                      sizeof(struct fn##_args))

/* A thread that runs fn(arg); `arg`, which may be NULL, must stay valid as long as fn uses it. */
#define cora_threading_thread_create_arg(options, fn, arg)                                         \
    cora_threading_thread_create_copy((options), (fn), #fn, (arg), 0)

/* What these macros call: `size` bytes are copied, or, where it is 0, fn is given `args` itself.
 * `function` is for the name. */
CORA_API CORA_MUST_CHECK cora_threading_thread *cora_threading_thread_create_copy(
    const cora_threading_thread_options *options, cora_threading_fn *fn, const char *function,
    const void *args, size_t size);

CORA_API cora_threading_thread *cora_threading_thread_ref(cora_threading_thread *thread);

/* Gives a reference back; a thread that runs goes on. */
CORA_API void cora_threading_thread_unref(cora_threading_thread *thread);

/* ---- life ---------------------------------------------------------------------------------- */

/*
 * Starts it; from now on it is alive. It has the calling thread's mask of signals. 0;
 * -CORA_EINVALIDSTATE where it was started before; -EAGAIN where the system gives no thread;
 * -EINVAL for a stack too small.
 */
CORA_API CORA_MUST_CHECK int cora_threading_thread_start(cora_threading_thread *thread);

/*
 * Blocks until it has ended, for at most `timeout` seconds (INFINITY: for any time; 0 or less: not
 * at all). Any number of threads may. 0; -ETIMEDOUT; -EDEADLK: it is the calling thread;
 * -CORA_EINVALIDSTATE: it was not started, or is none of those that start starts; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_thread_join(cora_threading_thread *thread,
                                                        double timeout);

/* What its function has returned; 0 where it was left by pthread_exit. -CORA_EINVALIDSTATE while it
 * has not ended. */
CORA_API CORA_MUST_CHECK int cora_threading_thread_result(cora_threading_thread *thread);

/* From its start until its function has returned. */
CORA_API bool cora_threading_thread_is_alive(cora_threading_thread *thread);

/* ---- what it is ---------------------------------------------------------------------------- */

/*
 * Up to 63 bytes of it; borrowed, and the same place until the last reference goes. Who reads it
 * while another thread sets it may find a part of each name.
 */
CORA_API const char *cora_threading_thread_get_name(cora_threading_thread *thread);

/* The name is copied. The system knows the thread by its first 15 bytes: of the name that it is
 * started with, and of each that it gives itself. */
CORA_API void cora_threading_thread_set_name(cora_threading_thread *thread, const char *name);

/* Whether the end of the program does not wait for it. 0; -CORA_EINVALIDSTATE once it has begun. */
CORA_API bool cora_threading_thread_get_daemon(cora_threading_thread *thread);
CORA_API CORA_MUST_CHECK int cora_threading_thread_set_daemon(cora_threading_thread *thread,
                                                              bool daemon);

/* pthread's number for it, and the system's, for which one may have to wait a moment; 0 before its
 * start. Both may be given anew once it has ended. */
CORA_API uintptr_t cora_threading_thread_ident(cora_threading_thread *thread);
CORA_API long cora_threading_thread_native_id(cora_threading_thread *thread);

/* ---- the threads that there are -------------------------------------------------------------- */

/*
 * The calling thread; borrowed, valid as long as it runs. One that was started otherwise is known
 * from its first call on, by the name "Dummy-1", "Dummy-2", ..., as a daemon that cannot be joined.
 * NULL where there is no memory for that.
 */
CORA_API cora_threading_thread *cora_threading_current_thread(void);

/* The thread in which the library was loaded; in a forked child the one that forked. Borrowed. */
CORA_API cora_threading_thread *cora_threading_main_thread(void);

/* enumerate(): writes up to `room` threads that are alive, the oldest first, each a reference.
 * Returns how many there are. */
CORA_API size_t cora_threading_enumerate(cora_threading_thread *threads[], size_t room);
CORA_API size_t cora_threading_active_count(void);

/* Of the calling thread. */
CORA_API uintptr_t cora_threading_get_ident(void);
CORA_API long cora_threading_get_native_id(void);

/* ---- errors that nobody deals with ------------------------------------------------------------
 */

/* threading.ExceptHookArgs. */
typedef struct cora_threading_excepthook_args {
    cora_threading_thread *thread; /* borrowed; NULL: the calling one, whatever it is */
    int error;
} cora_threading_excepthook_args;

typedef void cora_threading_hook(const cora_threading_excepthook_args *args);

/* Prints to stderr which thread has ended with which error; of -ECANCELED nothing. It is the hook
 * unless another is set. */
CORA_API void cora_threading_excepthook(const cora_threading_excepthook_args *args);

/* Called in each thread whose function returns an error, before it ends. NULL: the one above. */
CORA_API void cora_threading_set_excepthook(cora_threading_hook *hook);

CORA_END_DECLS

#endif
