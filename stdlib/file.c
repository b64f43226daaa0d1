/*
 * file.c: system calls on files, each as a job in a thread.
 *
 * Whatever a call needs or finds is in its struct call, which moves from the task to the job's copy
 * and back: always one side owns it, and drop frees what is in it then.
 */
#include <cora/file.h>

#include <cora/thread.h>

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 20 }; /* of one read or write: as much is allocated for it */

struct cora_file {
    atomic_int refs; /* the caller's, and one for each call that is in a thread */
    int fd;
    off_t position;
};

struct call {
    int (*op)(struct call *call); /* NULL: only give the file back */
    cora_file *file;              /* a reference */
    char *data;                   /* what is read or written, or a path */
    size_t size;
    off_t offset;
    int flags;
    mode_t mode;
    struct stat stat;
    cora_listing listing;
    bool done;
};

static cora_file *ref(cora_file *file)
{
    atomic_fetch_add(&file->refs, 1);
    return file;
}

/* On Linux a close that was interrupted has closed. */
static int unref(cora_file *file)
{
    int rc = 0;

    if (atomic_fetch_sub(&file->refs, 1) > 1)
        return 0;
    if (close(file->fd) < 0 && errno != EINTR)
        rc = -errno;
    free(file);
    return rc;
}

/* ---- a call -------------------------------------------------------------------------------- */

static void drop(void *arg)
{
    struct call *call = arg;

    if (call->file != NULL)
        (void)unref(call->file);
    free(call->data);
    cora_listing_clear(&call->listing);
}

/* A file that it was given it gives back here, where closing may block. */
static int run(void *arg)
{
    struct call *call = arg;
    cora_file *given = call->file;
    int rc = call->op != NULL ? call->op(call) : 0;

    if (given != NULL) {
        int closed = unref(given);

        call->file = NULL;
        if (call->op == NULL)
            rc = closed;
    }
    call->done = true;
    return rc;
}

/* The caller drops the call afterwards; nothing is left in it if it was cancelled. */
static int perform(struct call *call)
{
    int rc = cora_to_thread_cleanup(run, call, drop);

    if (rc == -ECANCELED && !call->done)
        *call = (struct call){.op = NULL};
    return rc;
}

/* ---- open and close ------------------------------------------------------------------------ */

static int open_file(struct call *call)
{
    cora_file *file = calloc(1, sizeof *file);
    int rc;

    if (file == NULL)
        return -ENOMEM;
    do
        file->fd = open(call->data, call->flags | O_CLOEXEC, call->mode);
    while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0) {
        rc = -errno;
        free(file);
        return rc;
    }
    atomic_init(&file->refs, 1);
    call->file = file;
    return 0;
}

int cora_file_open(cora_file **ret, const char *path, int flags, mode_t mode)
{
    struct call call = {.op = open_file, .data = strdup(path), .flags = flags, .mode = mode};
    int rc = call.data != NULL ? perform(&call) : -ENOMEM;

    if (rc == 0) {
        *ret = call.file;
        call.file = NULL;
    }
    drop(&call);
    return rc;
}

int cora_file_close(cora_file *file)
{
    struct call call = {.file = file};
    int rc = 0;

    if (file == NULL)
        return 0;
    rc = perform(&call);
    if (call.file != NULL) /* it has not begun */
        return unref(file);
    return rc;
}

int cora_file_fileno(const cora_file *file)
{
    return file->fd;
}

/* ---- read and write ------------------------------------------------------------------------ */

static int read_file(struct call *call)
{
    ssize_t got;

    do
        got = pread(call->file->fd, call->data, call->size, call->offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : (int)got;
}

static int write_file(struct call *call)
{
    ssize_t written;

    do
        written = pwrite(call->file->fd, call->data, call->size, call->offset);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : (int)written;
}

/* With memory for so many bytes, or as many as there may be. -ENOMEM: there is nothing in it. */
static int init_transfer(struct call *call, int (*op)(struct call *call), cora_file *file,
                         size_t size, off_t offset)
{
    *call = (struct call){.op = op, .offset = offset};
    call->size = size < MOST_BYTES ? size : MOST_BYTES;
    call->data = malloc(call->size + 1); /* never none */
    if (call->data == NULL)
        return -ENOMEM;
    call->file = ref(file);
    return 0;
}

ssize_t cora_file_pread(cora_file *file, void *buffer, size_t size, off_t offset)
{
    struct call call;
    int rc = init_transfer(&call, read_file, file, size, offset);

    if (rc == 0)
        rc = perform(&call);
    if (rc > 0)
        memcpy(buffer, call.data, (size_t)rc);
    drop(&call);
    return rc;
}

ssize_t cora_file_pwrite(cora_file *file, const void *data, size_t size, off_t offset)
{
    struct call call;
    int rc = init_transfer(&call, write_file, file, size, offset);

    if (rc == 0) {
        if (call.size > 0)
            memcpy(call.data, data, call.size);
        rc = perform(&call);
    }
    drop(&call);
    return rc;
}

ssize_t cora_file_read(cora_file *file, void *buffer, size_t size)
{
    ssize_t got = cora_file_pread(file, buffer, size, file->position);

    if (got > 0)
        file->position += got;
    return got;
}

ssize_t cora_file_write(cora_file *file, const void *data, size_t size)
{
    ssize_t written = cora_file_pwrite(file, data, size, file->position);

    if (written > 0)
        file->position += written;
    return written;
}

int cora_file_read_all(cora_file *file, void *buffer, size_t size, size_t *ret_done)
{
    size_t done = 0;
    ssize_t got = 1;

    while (done < size && got > 0) {
        got = cora_file_read(file, (char *)buffer + done, size - done);
        if (got > 0)
            done += (size_t)got;
    }
    if (ret_done != NULL)
        *ret_done = done;
    return got < 0 ? (int)got : 0;
}

/* A write of nothing would go on for ever. */
int cora_file_write_all(cora_file *file, const void *data, size_t size, size_t *ret_done)
{
    size_t done = 0;
    int rc = 0;

    while (done < size && rc == 0) {
        ssize_t written = cora_file_write(file, (const char *)data + done, size - done);

        if (written > 0)
            done += (size_t)written;
        else
            rc = written < 0 ? (int)written : -EIO;
    }
    if (ret_done != NULL)
        *ret_done = done;
    return rc;
}

/* ---- fsync and stat ------------------------------------------------------------------------ */

static int sync_file(struct call *call)
{
    int rc;

    do
        rc = fsync(call->file->fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

int cora_file_fsync(cora_file *file)
{
    struct call call = {.op = sync_file, .file = ref(file)};
    int rc = perform(&call);

    drop(&call);
    return rc;
}

/* Of the file, or of the path. */
static int get_stat(struct call *call)
{
    int rc =
        call->file != NULL ? fstat(call->file->fd, &call->stat) : stat(call->data, &call->stat);

    return rc < 0 ? -errno : 0;
}

static int perform_stat(struct call *call, struct stat *ret)
{
    int rc = perform(call);

    if (rc == 0)
        *ret = call->stat;
    drop(call);
    return rc;
}

int cora_file_stat(cora_file *file, struct stat *ret)
{
    return perform_stat(&(struct call){.op = get_stat, .file = ref(file)}, ret);
}

int cora_stat(const char *path, struct stat *ret)
{
    struct call call = {.op = get_stat, .data = strdup(path)};

    return call.data != NULL ? perform_stat(&call, ret) : -ENOMEM;
}

/* ---- directories --------------------------------------------------------------------------- */

static int is_child(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Their names; the entries are freed. */
static int take_names(cora_listing *listing, struct dirent **entries, size_t count)
{
    int rc = 0;

    listing->names = malloc((count + 1) * sizeof *listing->names); /* never none */
    if (listing->names == NULL)
        rc = -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        char *name = rc == 0 ? strdup(entries[i]->d_name) : NULL;

        if (name != NULL)
            listing->names[listing->count++] = name;
        else
            rc = -ENOMEM;
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int list_directory(struct call *call)
{
    struct dirent **entries;
    int count = scandir(call->data, &entries, is_child, NULL);

    return count < 0 ? -errno : take_names(&call->listing, entries, (size_t)count);
}

int cora_listdir(const char *path, cora_listing *ret)
{
    struct call call = {.op = list_directory, .data = strdup(path)};
    int rc = call.data != NULL ? perform(&call) : -ENOMEM;

    if (rc == 0) {
        *ret = call.listing;
        call.listing = (cora_listing){NULL, 0};
    }
    drop(&call);
    return rc;
}

void cora_listing_clear(cora_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->names[i]);
    free(listing->names);
    *listing = (cora_listing){NULL, 0};
}
