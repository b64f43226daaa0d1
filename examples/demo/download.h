/*
 * download.h: a file from its URL to the verdict, and the work that a way has to do.
 */
#ifndef DEMO_DOWNLOAD_H
#define DEMO_DOWNLOAD_H

#include "io.h"
#include "reply.h"
#include "trace.h"
#include "url.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to be downloaded. */
struct file {
    struct url url;
    char *source; /* a local file that has the same bytes; NULL: there is none */
};

/* How it went, in one of the ways. */
struct outcome {
    bool ended;       /* the way has come to a verdict at all */
    char reason[160]; /* what went wrong; "" when the file has arrived */
    size_t length;
    uint64_t hash; /* of the bytes, to compare the ways where there is no source */
    struct trace trace;
};

/* What a way is given. */
struct work {
    const struct file *files;
    struct outcome *outcomes; /* one for each of `count` files */
    size_t count;
    double timeout;      /* seconds for each file */
    int limit;           /* how many files at a time, where the way has a limit */
    int progress_fd;     /* gets a byte for each file that has ended */
    atomic_int *threads; /* the way adds those that it starts; its first is counted already */
};

/* A file on its way: storage of the caller's. */
struct download {
    struct work *work;
    size_t index;
    struct reply reply;
};

/* Its turn has come. Nothing is to be freed if it does not run. */
void download_begin(struct download *download, struct work *work, size_t index);

/* Fetches it by `io`, in the time that `deadline` leaves to it. 0 or a negative error. */
int download_run(struct download *download, const struct io *io, double deadline);

/*
 * Comes to a verdict: `rc` is how it ended so far; the bytes are compared with their source, and
 * the download's memory is freed.
 */
void download_end(struct download *download, int rc);

/* All three, for a way whose io keeps the deadline. */
void download_file(struct work *work, size_t index, const struct io *io);

#endif
