/*
 * file.h: files, off the loop. asyncio has nothing of its own for them: what is
 * to_thread(os.pread, fd, size, offset) there is one call here.
 *
 *     cora_file *file;
 *     char text[4096];
 *     size_t size;
 *
 *     rc = cora_file_open(&file, "notes.txt", O_RDONLY, 0);
 *     if (rc < 0)
 *         return rc;
 *     rc = cora_file_read_all(file, text, sizeof text, &size);
 *     ...
 *     rc = cora_file_close(file);
 *
 * Disks block, and no poller tells when they will not, so each call is made in a thread
 * (<cora/thread.h>) on memory of its own. A task that is cancelled goes on at once; the thread
 * comes to its end by itself: it writes into no buffer of the task's, what it opened it closes, and
 * the descriptor stays open until then, so that its number is nobody else's. The position of a file
 * is kept here and not by the kernel: a read or write that was cancelled has not moved it, and can
 * be made once more. A cancelled write may still take place, even after a later one; who must know
 * awaits it in a task of its own, by cora_shield.
 *
 * Each call below also returns -ECANCELED; -ENOMEM; -EAGAIN where no thread can be started;
 * -CORA_ENOTASK; and the negative errno of the system call that it is named after. It is never
 * interrupted by a signal (-EINTR).
 */
#ifndef CORA_FILE_H
#define CORA_FILE_H

#include <cora/base.h>
#include <cora/task.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_file cora_file;

/* Opens as open(2), closed on exec; the position is 0. *ret is the caller's, for cora_file_close.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_file_open(cora_file **ret, const char *path,
                                                          int flags, mode_t mode);

/*
 * Closes the file, whatever it returns; no other task may be using it any more. The descriptor is
 * closed when the last cancelled call has ended in its thread. Where no thread can be had it is
 * closed at once, and the call needs no task. 0; the error of close(2), if it was closed here;
 * -ECANCELED. NULL is fine.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_file_close(cora_file *file);

/* The descriptor, the file's. */
CORA_API int cora_file_fileno(const cora_file *file);

/*
 * Reads up to `size` bytes, 1 MiB at most: at the position, which moves on, or at `offset`, which
 * leaves it alone. The number of bytes, 0 at the end; -ESPIPE for what has no positions, as a pipe.
 * One task at a time reads or writes at the position.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_file_read(cora_file *file, void *buffer,
                                                              size_t size);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_file_pread(cora_file *file, void *buffer,
                                                               size_t size, off_t offset);

/*
 * Writes up to `size` bytes, 1 MiB at most; otherwise as above. With O_APPEND the system writes at
 * the end wherever the position is.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_file_write(cora_file *file, const void *data,
                                                               size_t size);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_file_pwrite(cora_file *file, const void *data,
                                                                size_t size, off_t offset);

/*
 * Reads until `size` bytes or the end, or writes all, from the position on. 0 or a negative error;
 * how many bytes there were before it, by which the position has moved, is in *ret_done (NULL: not
 * wanted) in either case.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_file_read_all(cora_file *file, void *buffer,
                                                              size_t size, size_t *ret_done);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_file_write_all(cora_file *file, const void *data,
                                                               size_t size, size_t *ret_done);

/* Brings what was written to the disk, as fsync(2). 0 or a negative error. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_file_fsync(cora_file *file);

/* What the file is, as fstat(2), and what a path leads to, as stat(2). 0 or a negative error. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_file_stat(cora_file *file, struct stat *ret);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_stat(const char *path, struct stat *ret);

/* The names in a directory, without "." and "..", in no order. */
typedef struct cora_listing {
    char **names;
    size_t count;
} cora_listing;

/* Reads a whole directory (os.listdir). *ret is the caller's, for cora_listing_clear. 0 or a
 * negative error. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_listdir(const char *path, cora_listing *ret);

/* Frees the names and leaves an empty listing. */
CORA_API void cora_listing_clear(cora_listing *listing);

CORA_END_DECLS

#endif
