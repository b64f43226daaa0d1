/*
 * error.h: one convention everywhere.
 *
 * A call that can fail returns a negative error code: a negated errno where one says the same,
 * else a negated code of the list below. Cancellation is -ECANCELED (asyncio.CancelledError), a
 * timeout -ETIMEDOUT (TimeoutError). A call that fails leaves its outputs untouched.
 */
#ifndef CORA_ERROR_H
#define CORA_ERROR_H

#include <cora/base.h>
#include <errno.h>

CORA_BEGIN_DECLS

/* Those of getaddrinfo and getnameinfo (socket.gaierror): EAI_AGAIN is CORA_EAI_AGAIN, and so on.
 */
#define CORA_NAME_ERRORS(X)                                                                        \
    X(CORA_EAI_ADDRFAMILY, 5101, "address family for hostname not supported")                      \
    X(CORA_EAI_AGAIN, 5102, "temporary failure in name resolution")                                \
    X(CORA_EAI_BADFLAGS, 5103, "bad value for ai_flags")                                           \
    X(CORA_EAI_FAIL, 5104, "non-recoverable failure in name resolution")                           \
    X(CORA_EAI_FAMILY, 5105, "ai_family not supported")                                            \
    X(CORA_EAI_NODATA, 5106, "no address associated with hostname")                                \
    X(CORA_EAI_NONAME, 5107, "name or service not known")                                          \
    X(CORA_EAI_OVERFLOW, 5108, "the name does not fit into the buffer")                            \
    X(CORA_EAI_SERVICE, 5109, "service not supported for ai_socktype")                             \
    X(CORA_EAI_SOCKTYPE, 5110, "ai_socktype not supported")

/* Our own codes stand above the range of errno. X(name, value, text) */
#define CORA_ERRORS(X)                                                                             \
    X(CORA_EINVALIDSTATE, 5001, "the outcome is already set, or not set yet")                      \
    X(CORA_ESTOPITERATION, 5002, "the generator has ended")                                        \
    X(CORA_EIGNOREDEXIT, 5003, "the coroutine went on although it was being closed")               \
    X(CORA_ENOLOOP, 5004, "no event loop is running in this thread")                               \
    X(CORA_ENOTASK, 5005, "this call is allowed only inside a task")                               \
    X(CORA_ERUNNING, 5006, "an event loop is already running in this thread")                      \
    X(CORA_ECLOSED, 5007, "the event loop is closed")                                              \
    X(CORA_ESTOPPED, 5008, "the event loop was stopped before the future completed")               \
    X(CORA_EWRONGLOOP, 5009, "it belongs to another event loop")                                   \
    X(CORA_EWRONGTHREAD, 5010, "the event loop runs in another thread; use a _threadsafe call")    \
    X(CORA_EAWAITSELF, 5011, "a task cannot wait for itself")                                      \
    X(CORA_EENTERED, 5012, "the scope has been entered before")                                    \
    X(CORA_ENOTENTERED, 5013, "the scope has not been entered")                                    \
    X(CORA_EFINISHED, 5014, "the scope is finished")                                               \
    X(CORA_ESHUTDOWN, 5015, "the task group is shutting down and takes no new tasks")              \
    X(CORA_EUNBALANCED, 5016, "a scope was left open, or scopes were left in the wrong order")     \
    X(CORA_EQUEUESHUTDOWN, 5017, "the queue has been shut down")                                   \
    X(CORA_EQUEUEFULL, 5018, "the queue is full")                                                  \
    X(CORA_EQUEUEEMPTY, 5019, "the queue is empty")                                                \
    X(CORA_EBROKENBARRIER, 5020, "the barrier is broken")                                          \
    X(CORA_ENOWINNER, 5021, "nobody has won the race")                                             \
    X(CORA_EGENERATOREXIT, 5022, "the generator is being closed")                                  \
    X(CORA_EINCOMPLETEREAD, 5023, "the stream ended before all of it was there")                   \
    X(CORA_ELIMITOVERRUN, 5024, "the separator is not within the stream's limit")                  \
    X(CORA_ESSL, 5025, "TLS has failed")                                                           \
    X(CORA_ECERTVERIFY, 5026, "the peer's certificate could not be verified")                      \
    X(CORA_ESSLEOF, 5027, "the peer has ended the connection, but not TLS")                        \
    X(CORA_EEXECUTORSHUTDOWN, 5028, "the executor has been shut down")                             \
    X(CORA_EBROKENEXECUTOR, 5029, "a worker of the executor has failed")                           \
    X(CORA_EEOF, 5040, "the other end is closed, and nothing is left to receive")                  \
    X(CORA_EMANAGERGONE, 5041, "the manager was shut down, or has died")                           \
    CORA_NAME_ERRORS(X)

enum cora_error {
#define CORA_ERROR_ENUM(name, value, text) name = (value),
    CORA_ERRORS(CORA_ERROR_ENUM)
#undef CORA_ERROR_ENUM
};

/*
 * The text of an error code, ours or errno's; the sign does not matter. Never NULL, never to be
 * freed; safe from any thread. An unknown code gives "unknown error".
 */
CORA_API const char *cora_strerror(int error);

/* The name of an error code, such as "ECANCELED" or "CORA_ENOLOOP"; "0" for success. As above. */
CORA_API const char *cora_strerrorname(int error);

CORA_END_DECLS

#endif
