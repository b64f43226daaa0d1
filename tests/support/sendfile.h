/*
 * sendfile.h: files to send, and a kernel that refuses to. A program that links sendfile_support
 * has its calls of sendfile(2), and the library's, wrapped by the linker.
 */
#ifndef CORA_TEST_SENDFILE_H
#define CORA_TEST_SENDFILE_H

#include <stddef.h>
#include <sys/types.h>

/* Of the calls of sendfile(2) from now on, so many fail with the errno, behind so many that do not.
 */
void refuse_sendfile(int error, int after, int times);
enum { ALWAYS = -1 };

/* How many have failed so since then. */
int sendfile_refused(void);

/* A file of the big data (see socket.h); its own position is somewhere else. */
int make_file(void);
enum { SOMEWHERE = 77 };

void assert_position(int file, off_t expected);

/* A task that sends it, and then says that there is no more. */
struct file_sender_args {
    int fd, file;
    off_t offset;
    size_t count, *sent;
};
int file_sender(void *arg);

/* Reads to the end: the bytes are those of the big data from `offset` on. How many. */
size_t receive_from(int fd, size_t offset);

#endif
