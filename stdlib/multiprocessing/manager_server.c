/*
 * manager_server.c: the manager's process: a loop, a task that takes connections, and one for each
 * of them, by streams. As tasks take turns only where they wait, what a request does needs no lock.
 */
#include "descriptors.h"
#include "manager.h"
#include "strings.h"

#include <cora/error.h>
#include <cora/run.h>
#include <cora/streams.h>
#include <cora/task.h>
#include <cora/waiter.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what it keeps ------------------------------------------------------------------------- */

struct bytes {
    size_t size;
    char data[];
};

struct list {
    struct bytes **items;
    size_t count, room;
};

/* By their names. It is this process's alone, and ends with it. */
static struct cora__strings dicts, lists;

/* What a request comes to. The data is borrowed, or `owned`. */
struct answer {
    int64_t result;
    const void *data;
    size_t size;
    void *owned;
};

static struct answer error_of(int error)
{
    return (struct answer){.result = error};
}

static struct bytes *copy(const char *data, size_t size)
{
    struct bytes *bytes = malloc(sizeof *bytes + size);

    if (bytes == NULL)
        return NULL;
    bytes->size = size;
    if (size > 0)
        memcpy(bytes->data, data, size);
    return bytes;
}

/* The table of this name, made where there is none. NULL without memory. */
static void *named(struct cora__strings *tables, const char *name, size_t size)
{
    struct cora__entry *entry = cora__strings_find(tables, name);

    if (entry == NULL)
        entry = cora__strings_add(tables, name);
    if (entry != NULL && entry->value == NULL)
        entry->value = calloc(1, size);
    return entry != NULL ? entry->value : NULL;
}

/* Lent: it is valid until the table changes. */
static struct answer lend(const struct bytes *bytes)
{
    return (struct answer){(int64_t)bytes->size, bytes->data, bytes->size, NULL};
}

static struct answer give(struct bytes *bytes)
{
    return (struct answer){(int64_t)bytes->size, bytes->data, bytes->size, bytes};
}

/* ---- dict ---------------------------------------------------------------------------------- */

/* A request, taken apart. */
struct parts {
    const char *key, *value;
    size_t value_size;
    int64_t number;
};

static struct answer set(struct cora__strings *dict, const char *key, const char *value,
                         size_t size, int64_t result)
{
    struct bytes *bytes = copy(value, size);
    struct cora__entry *entry = cora__strings_find(dict, key);

    if (entry == NULL && bytes != NULL)
        entry = cora__strings_add(dict, key);
    if (bytes == NULL || entry == NULL) {
        free(bytes);
        return error_of(-ENOMEM);
    }
    free(entry->value);
    entry->value = bytes;
    return (struct answer){.result = result};
}

static struct answer pop(struct cora__strings *dict, struct cora__entry *entry)
{
    struct bytes *bytes = entry->value;

    cora__strings_remove(dict, entry);
    return give(bytes);
}

static struct answer keys(const struct cora__strings *dict)
{
    size_t size = 0, length;
    char *all, *next;

    for (const struct cora__entry *entry = dict->first; entry != NULL; entry = entry->next)
        size += strlen(entry->key) + 1;
    all = next = malloc(size + 1);
    if (all == NULL)
        return error_of(-ENOMEM);
    for (const struct cora__entry *entry = dict->first; entry != NULL; entry = entry->next) {
        length = strlen(entry->key) + 1;
        memcpy(next, entry->key, length);
        next += length;
    }
    return (struct answer){(int64_t)dict->count, all, size, all};
}

static struct answer add(struct cora__strings *dict, const struct cora__entry *entry,
                         const struct parts *parts)
{
    const struct bytes *before = entry != NULL ? entry->value : NULL;
    struct answer answer;
    int64_t sum = 0;

    if (before != NULL && before->size != sizeof sum)
        return error_of(-EINVAL);
    if (before != NULL)
        memcpy(&sum, before->data, sizeof sum);
    if (__builtin_add_overflow(sum, parts->number, &sum))
        return error_of(-EOVERFLOW);
    answer = set(dict, parts->key, (char *)&sum, sizeof sum, 0);
    if (answer.result == 0)
        answer = lend(cora__strings_find(dict, parts->key)->value);
    return answer;
}

static struct answer swap(struct cora__strings *dict, const struct cora__entry *entry,
                          const struct parts *parts)
{
    const struct bytes *before = entry != NULL ? entry->value : NULL;
    size_t expected = parts->number > 0 ? (size_t)parts->number : 0;

    if (expected > parts->value_size)
        return error_of(-EINVAL);
    if ((before == NULL) != (parts->number < 0))
        return error_of(0);
    if (before != NULL &&
        (before->size != expected || memcmp(before->data, parts->value, expected) != 0))
        return error_of(0);
    return set(dict, parts->key, parts->value + expected, parts->value_size - expected, 1);
}

static struct answer do_dict(struct cora__strings *dict, enum cora__manager_op op,
                             const struct parts *parts)
{
    struct cora__entry *entry = cora__strings_find(dict, parts->key);

    switch (op) {
    case CORA__DICT_SET:
        return set(dict, parts->key, parts->value, parts->value_size, 0);
    case CORA__DICT_GET:
        return entry != NULL ? lend(entry->value) : error_of(-ENOENT);
    case CORA__DICT_POP:
        return entry != NULL ? pop(dict, entry) : error_of(-ENOENT);
    case CORA__DICT_LEN:
        return (struct answer){.result = (int64_t)dict->count};
    case CORA__DICT_KEYS:
        return keys(dict);
    case CORA__DICT_ADD:
        return add(dict, entry, parts);
    case CORA__DICT_SWAP:
        return swap(dict, entry, parts);
    default:
        return error_of(-EINVAL);
    }
}

/* ---- list ---------------------------------------------------------------------------------- */

static struct answer append(struct list *list, const struct parts *parts)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 8;
        struct bytes **items = realloc(list->items, room * sizeof(struct bytes *));

        if (items == NULL)
            return error_of(-ENOMEM);
        list->items = items;
        list->room = room;
    }
    list->items[list->count] = copy(parts->value, parts->value_size);
    if (list->items[list->count] == NULL)
        return error_of(-ENOMEM);
    list->count++;
    return error_of(0);
}

static struct answer replace(struct bytes **item, const struct parts *parts)
{
    struct bytes *bytes = copy(parts->value, parts->value_size);

    if (bytes == NULL)
        return error_of(-ENOMEM);
    free(*item);
    *item = bytes;
    return error_of(0);
}

static struct answer pop_at(struct list *list, struct bytes **item)
{
    struct bytes *bytes = *item;

    list->count--;
    memmove(item, item + 1, (size_t)(list->items + list->count - item) * sizeof(struct bytes *));
    return give(bytes);
}

static struct answer do_list(struct list *list, enum cora__manager_op op, const struct parts *parts)
{
    int64_t count = (int64_t)list->count, index = parts->number;
    struct bytes **item;

    if (op == CORA__LIST_LEN)
        return (struct answer){.result = count};
    if (op == CORA__LIST_APPEND)
        return append(list, parts);
    if (index < -count || index >= count)
        return error_of(-ERANGE);
    item = &list->items[index < 0 ? index + count : index];
    switch (op) {
    case CORA__LIST_GET:
        return lend(*item);
    case CORA__LIST_POP:
        return pop_at(list, item);
    case CORA__LIST_SET:
        return replace(item, parts);
    default:
        return error_of(-EINVAL);
    }
}

/* ---- requests ------------------------------------------------------------------------------ */

static bool is_sound(const struct cora__manager_request *request, size_t size)
{
    uint64_t data = (uint64_t)request->name_size + request->key_size + request->value_size;

    return size - sizeof *request == data && request->name_size > 0 && request->key_size > 0 &&
           request->data[request->name_size - 1] == '\0' &&
           request->data[request->name_size + request->key_size - 1] == '\0';
}

static struct answer handle(const struct cora__manager_request *request, size_t size)
{
    struct parts parts;
    void *table;

    if (size < sizeof *request || !is_sound(request, size))
        return error_of(-EINVAL);
    parts.key = request->data + request->name_size;
    parts.value = parts.key + request->key_size;
    parts.value_size = request->value_size;
    parts.number = request->number;
    if (request->op < CORA__LIST_APPEND) {
        table = named(&dicts, request->data, sizeof(struct cora__strings));
        return table != NULL ? do_dict(table, request->op, &parts) : error_of(-ENOMEM);
    }
    table = named(&lists, request->data, sizeof(struct list));
    return table != NULL ? do_list(table, request->op, &parts) : error_of(-ENOMEM);
}

static int reply(cora_stream_writer *writer, const struct answer *answer)
{
    size_t size = answer->size + sizeof answer->result;
    const unsigned char length[] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16),
                                    (unsigned char)(size >> 8), (unsigned char)size};
    const struct iovec parts[] = {{(void *)length, sizeof length},
                                  {(void *)&answer->result, sizeof answer->result},
                                  {(void *)answer->data, answer->size}};
    int rc = cora_stream_writer_writelines(writer, parts, answer->size > 0 ? 3 : 2);

    free(answer->owned);
    return rc < 0 ? rc : cora_stream_writer_drain(writer);
}

/* One after the other, each into the same buffer if it fits. */
struct buffer {
    void *data;
    size_t room;
};

static int read_request(cora_stream_reader *reader, struct buffer *buffer, size_t *ret_size)
{
    unsigned char header[4];
    size_t size;
    int rc = cora_stream_reader_readexactly(reader, header, sizeof header);

    if (rc < 0)
        return rc;
    size = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    if (size > CORA__MANAGER_MOST)
        return -EMSGSIZE;
    if (size > buffer->room) {
        free(buffer->data);
        buffer->data = malloc(size);
        buffer->room = buffer->data != NULL ? size : 0;
    }
    *ret_size = size;
    return buffer->data != NULL || size == 0
               ? cora_stream_reader_readexactly(reader, buffer->data, size)
               : -ENOMEM;
}

static int serve_requests(cora_stream_reader *reader, cora_stream_writer *writer)
{
    struct buffer buffer = {NULL, 0};
    int rc = 0;

    while (rc == 0) {
        size_t size;

        rc = read_request(reader, &buffer, &size);
        if (rc == 0) {
            struct answer answer = handle(buffer.data, size);

            rc = reply(writer, &answer);
        }
    }
    free(buffer.data);
    return rc;
}

/* ---- connections --------------------------------------------------------------------------- */

struct serve_user_args {
    int fd;
};

/* However it ends, the user sees that the connection does. */
static int serve_user(void *arg)
{
    const struct serve_user_args *a = arg;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int rc = cora_open_connection_sock(a->fd, NULL, &reader, &writer);

    if (rc < 0) {
        cora_close_fd(a->fd);
        return 0;
    }
    (void)!serve_requests(reader, writer);
    cora_stream_writer_unref(writer);
    return 0;
}

/* The end that a user has sent; -EAGAIN: none; -CORA_EEOF: nobody is left. */
static int receive_end(int control)
{
    char byte;
    struct iovec part = {&byte, 1};
    _Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    ssize_t got = recvmsg(control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header;
    int fd;

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
    if (got == 0)
        return -CORA_EEOF;
    header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return -EAGAIN; /* there was no number left for it: its user sees that it is closed */
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    cora_fd_opened(fd);
    return fd;
}

/* Until there is nobody who could send more. */
static int serve_users(void *arg)
{
    int control = *(int *)arg, fd = -EAGAIN;

    while (fd != -CORA_EEOF) {
        int rc = cora_wait_readable(control);

        if (rc < 0)
            return rc;
        fd = receive_end(control);
        if (fd >= 0) {
            cora_task *task = cora_create_task(serve_user, .fd = fd);

            if (task == NULL)
                cora_close_fd(fd);
            cora_task_unref(task);
        } else if (fd != -EAGAIN && fd != -CORA_EEOF) {
            return fd;
        }
    }
    return 0;
}

/* The parent's sockets are not to be held open by this one. */
static int keep_only(int control)
{
    enum { ITS_PLACE = 3 };
    int kept = control == ITS_PLACE ? control : dup2(control, ITS_PLACE);

    if (kept >= 0)
        cora__close_from(ITS_PLACE + 1);
    return kept < 0 ? -errno : kept;
}

int cora__manager_serve(void *arg)
{
    int control = keep_only(*(int *)arg);

    signal(SIGINT, SIG_IGN);
    return control < 0 ? control : cora_run(serve_users, &control);
}
