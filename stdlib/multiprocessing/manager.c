/*
 * manager.c: the side of those who use a manager.
 *
 * A call has a connection to itself: one that is idle, or a new one. So threads do not wait for
 * each other here, and there are as many connections as there ever were calls at the same time. A
 * forked child has none of its parent's: two processes on one connection would read each other's
 * replies.
 */
#include "manager.h"

#include "connection.h"

#include <cora/error.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct idle {
    cora_multiprocessing_connection connection;
    struct idle *next;
};

struct cora_multiprocessing_manager {
    cora_multiprocessing_process *process;
    pid_t owner;    /* who has started it */
    int control;    /* to send new connections through */
    unsigned forks; /* when these were made: */
    struct idle *idle;
};

/* ---- idle connections ---------------------------------------------------------------------- */

/* Of all managers, so that one lock is held over a fork. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned forks;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    forks++;
    pthread_mutex_unlock(&lock);
}

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static int preparation;

static void prepare(void)
{
    preparation = -pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static void close_idle(struct idle *idle)
{
    while (idle != NULL) {
        struct idle *next = idle->next;

        cora_multiprocessing_connection_close(&idle->connection);
        free(idle);
        idle = next;
    }
}

/* One that is idle; NULL: there is none. */
static struct idle *take_idle(cora_multiprocessing_manager *manager)
{
    struct idle *inherited = NULL, *taken;

    pthread_mutex_lock(&lock);
    if (manager->forks != forks) {
        inherited = manager->idle;
        manager->idle = NULL;
        manager->forks = forks;
    }
    taken = manager->idle;
    if (taken != NULL)
        manager->idle = taken->next;
    pthread_mutex_unlock(&lock);
    close_idle(inherited);
    return taken;
}

static void give_back(cora_multiprocessing_manager *manager, struct idle *connection)
{
    pthread_mutex_lock(&lock);
    connection->next = manager->idle;
    manager->idle = connection;
    pthread_mutex_unlock(&lock);
}

/* ---- new connections ----------------------------------------------------------------------- */

/* With one byte, so that each is received with its own. */
static int send_end(int control, int fd)
{
    struct iovec part = {"", 1};
    _Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof fd)] = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    while (sendmsg(control, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int connect_to(const cora_multiprocessing_manager *manager, struct idle **ret)
{
    struct idle *connection = malloc(sizeof *connection);
    int ends[2], rc;

    if (connection == NULL)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        rc = -errno;
        free(connection);
        return rc;
    }
    rc = send_end(manager->control, ends[1]);
    close(ends[1]);
    cora__connection_open(&connection->connection, ends[0]);
    connection->next = NULL;
    if (rc < 0)
        close_idle(connection);
    else
        *ret = connection;
    return rc;
}

/* ---- calls --------------------------------------------------------------------------------- */

/* What there can be to say, beside the operation. */
struct call {
    const char *name, *key;
    const void *first, *value; /* both are the request's value, one behind the other */
    size_t first_size, size;
    int64_t number;
};

static void *put(void *at, const void *data, size_t size)
{
    if (size > 0)
        memcpy(at, data, size);
    return (char *)at + size;
}

static int make_request(enum cora__manager_op op, const struct call *call,
                        struct cora__manager_request **ret, size_t *ret_size)
{
    size_t name_size = strlen(call->name) + 1, key_size = strlen(call->key) + 1;
    size_t most = CORA__MANAGER_MOST - sizeof **ret, size;
    struct cora__manager_request *request;
    char *at;

    if (name_size > most || key_size > most || call->first_size > most || call->size > most ||
        name_size + key_size + call->first_size + call->size > most)
        return -EMSGSIZE;
    size = sizeof *request + name_size + key_size + call->first_size + call->size;
    request = malloc(size);
    if (request == NULL)
        return -ENOMEM;
    *request =
        (struct cora__manager_request){.op = (uint32_t)op,
                                       .name_size = (uint32_t)name_size,
                                       .key_size = (uint32_t)key_size,
                                       .value_size = (uint32_t)(call->first_size + call->size),
                                       .number = call->number};
    at = put(request->data, call->name, name_size);
    at = put(at, call->key, key_size);
    at = put(at, call->first, call->first_size);
    put(at, call->value, call->size);
    *ret = request;
    *ret_size = size;
    return 0;
}

static bool is_gone(ssize_t rc)
{
    return rc == -EPIPE || rc == -ECONNRESET || rc == -EBADF || rc == -CORA_EEOF ||
           rc == -CORA_EINCOMPLETEREAD;
}

static ssize_t converse(cora_multiprocessing_connection *connection,
                        const struct cora__manager_request *request, size_t size,
                        struct cora__manager_reply **ret_reply)
{
    void *data = NULL;
    ssize_t rc = cora_multiprocessing_connection_send_bytes(connection, request, size);

    if (rc == 0)
        rc = cora_multiprocessing_connection_recv_bytes(connection, SIZE_MAX, &data);
    if (rc >= 0)
        *ret_reply = data;
    return rc;
}

/* The reply's size; *ret_reply is the caller's. A connection that has failed is used no more. */
static ssize_t exchange(cora_multiprocessing_manager *manager,
                        const struct cora__manager_request *request, size_t size,
                        struct cora__manager_reply **ret_reply)
{
    struct idle *connection = take_idle(manager);
    ssize_t rc = connection != NULL ? 0 : connect_to(manager, &connection);

    if (rc == 0) {
        rc = converse(&connection->connection, request, size, ret_reply);
        if (rc >= 0)
            give_back(manager, connection);
        else
            close_idle(connection);
    }
    return is_gone(rc) ? -CORA_EMANAGERGONE : rc;
}

/* The result. Where it is none of the errors, *ret_data (NULL: not wanted) has what came with it.
 */
static ssize_t ask(cora_multiprocessing_manager *manager, enum cora__manager_op op,
                   const struct call *call, void **ret_data)
{
    struct cora__manager_request *request;
    struct cora__manager_reply *reply = NULL;
    ssize_t result;
    size_t size;
    int rc = make_request(op, call, &request, &size);

    if (rc < 0)
        return rc;
    result = exchange(manager, request, size, &reply);
    free(request);
    if (result < 0 || reply == NULL)
        return result;
    size = (size_t)result - sizeof *reply;
    result = (ssize_t)reply->result;
    if (result >= 0 && ret_data != NULL) {
        memmove(reply, reply->data, size);
        *ret_data = reply;
    } else {
        free(reply);
    }
    return result;
}

/* ---- dict ---------------------------------------------------------------------------------- */

int cora_multiprocessing_dict_set(const cora_multiprocessing_dict *dict, const char *key,
                                  const void *value, size_t size)
{
    struct call call = {.name = dict->name, .key = key, .value = value, .size = size};

    return (int)ask(dict->manager, CORA__DICT_SET, &call, NULL);
}

ssize_t cora_multiprocessing_dict_get(const cora_multiprocessing_dict *dict, const char *key,
                                      void **ret_value)
{
    struct call call = {.name = dict->name, .key = key};

    return ask(dict->manager, CORA__DICT_GET, &call, ret_value);
}

ssize_t cora_multiprocessing_dict_pop(const cora_multiprocessing_dict *dict, const char *key,
                                      void **ret_value)
{
    struct call call = {.name = dict->name, .key = key};

    return ask(dict->manager, CORA__DICT_POP, &call, ret_value);
}

int cora_multiprocessing_dict_delete(const cora_multiprocessing_dict *dict, const char *key)
{
    struct call call = {.name = dict->name, .key = key};
    ssize_t rc = ask(dict->manager, CORA__DICT_POP, &call, NULL);

    return rc < 0 ? (int)rc : 0;
}

ssize_t cora_multiprocessing_dict_len(const cora_multiprocessing_dict *dict)
{
    struct call call = {.name = dict->name, .key = ""};

    return ask(dict->manager, CORA__DICT_LEN, &call, NULL);
}

ssize_t cora_multiprocessing_dict_keys(const cora_multiprocessing_dict *dict, char ***ret_keys)
{
    struct call call = {.name = dict->name, .key = ""};
    void *data = NULL;
    ssize_t count = ask(dict->manager, CORA__DICT_KEYS, &call, &data);
    size_t size = 0;
    char **keys, *next;

    if (count < 0 || data == NULL)
        return count;
    for (ssize_t i = 0; i < count; i++)
        size += strlen((char *)data + size) + 1;
    keys = malloc((size_t)count * sizeof(char *) + size + 1);
    if (keys != NULL) {
        next = put(keys + count, data, size);
        next -= size;
        for (ssize_t i = 0; i < count; i++) {
            keys[i] = next;
            next += strlen(next) + 1;
        }
        *ret_keys = keys;
    }
    free(data);
    return keys != NULL ? count : -ENOMEM;
}

int cora_multiprocessing_dict_add(const cora_multiprocessing_dict *dict, const char *key,
                                  int64_t number, int64_t *ret_sum)
{
    struct call call = {.name = dict->name, .key = key, .number = number};
    void *data = NULL;
    ssize_t rc = ask(dict->manager, CORA__DICT_ADD, &call, &data);

    if (rc < 0 || data == NULL)
        return (int)rc;
    if (ret_sum != NULL)
        memcpy(ret_sum, data, sizeof *ret_sum);
    free(data);
    return 0;
}

int cora_multiprocessing_dict_compare_and_swap(const cora_multiprocessing_dict *dict,
                                               const char *key, const void *expected,
                                               size_t expected_size, const void *value, size_t size)
{
    struct call call = {.name = dict->name,
                        .key = key,
                        .first = expected,
                        .first_size = expected != NULL ? expected_size : 0,
                        .value = value,
                        .size = size,
                        .number = expected != NULL ? (int64_t)expected_size : -1};

    return (int)ask(dict->manager, CORA__DICT_SWAP, &call, NULL);
}

/* ---- list ---------------------------------------------------------------------------------- */

int cora_multiprocessing_list_append(const cora_multiprocessing_list *list, const void *value,
                                     size_t size)
{
    struct call call = {.name = list->name, .key = "", .value = value, .size = size};

    return (int)ask(list->manager, CORA__LIST_APPEND, &call, NULL);
}

ssize_t cora_multiprocessing_list_get(const cora_multiprocessing_list *list, ssize_t index,
                                      void **ret_value)
{
    struct call call = {.name = list->name, .key = "", .number = index};

    return ask(list->manager, CORA__LIST_GET, &call, ret_value);
}

ssize_t cora_multiprocessing_list_pop(const cora_multiprocessing_list *list, ssize_t index,
                                      void **ret_value)
{
    struct call call = {.name = list->name, .key = "", .number = index};

    return ask(list->manager, CORA__LIST_POP, &call, ret_value);
}

int cora_multiprocessing_list_set(const cora_multiprocessing_list *list, ssize_t index,
                                  const void *value, size_t size)
{
    struct call call = {
        .name = list->name, .key = "", .value = value, .size = size, .number = index};

    return (int)ask(list->manager, CORA__LIST_SET, &call, NULL);
}

ssize_t cora_multiprocessing_list_len(const cora_multiprocessing_list *list)
{
    struct call call = {.name = list->name, .key = ""};

    return ask(list->manager, CORA__LIST_LEN, &call, NULL);
}

/* ---- life ---------------------------------------------------------------------------------- */

static int start_process(cora_multiprocessing_manager *manager, int *end)
{
    static const cora_multiprocessing_process_options options = {.name = "Manager", .daemon = true};
    int rc =
        cora_multiprocessing_process_create(cora__manager_serve, end, &options, &manager->process);

    if (rc < 0)
        return rc;
    rc = cora_multiprocessing_process_start(manager->process);
    if (rc < 0)
        cora_multiprocessing_process_close(manager->process);
    return rc;
}

int cora_multiprocessing_manager_start(cora_multiprocessing_manager **ret)
{
    cora_multiprocessing_manager *manager;
    int ends[2], rc;

    pthread_once(&prepared, prepare);
    if (preparation < 0)
        return preparation;
    manager = calloc(1, sizeof *manager);
    if (manager == NULL)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        rc = -errno;
        free(manager);
        return rc;
    }
    manager->control = ends[0];
    manager->owner = getpid();
    manager->forks = forks;
    rc = start_process(manager, &ends[1]);
    close(ends[1]);
    if (rc < 0) {
        close(ends[0]);
        free(manager);
        return rc;
    }
    *ret = manager;
    return 0;
}

static const double patience = 10; /* seconds */

/* In all processes that have it, it is the same socket. */
int cora_multiprocessing_manager_shutdown(cora_multiprocessing_manager *manager)
{
    int rc;

    if (manager->owner != getpid())
        return -ECHILD;
    shutdown(manager->control, SHUT_RDWR);
    rc = cora_multiprocessing_process_join(manager->process, patience);
    if (rc == -ETIMEDOUT) {
        cora_multiprocessing_process_kill(manager->process);
        rc = cora_multiprocessing_process_join(manager->process, INFINITY);
    }
    return rc;
}

void cora_multiprocessing_manager_free(cora_multiprocessing_manager *manager)
{
    if (manager == NULL)
        return;
    if (manager->owner == getpid())
        cora_multiprocessing_manager_shutdown(manager);
    cora_multiprocessing_process_close(manager->process);
    close_idle(manager->idle);
    close(manager->control);
    free(manager);
}

cora_multiprocessing_process *cora_multiprocessing_manager_process(
    const cora_multiprocessing_manager *manager)
{
    return manager->process;
}
