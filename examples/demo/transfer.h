/*
 * transfer.h: one HTTP request and its reply.
 *
 * The four ways share this code as it stands. In two of them its calls block the thread; in the
 * others they suspend the coroutine that it runs in, and it need not know: that is what a stack of
 * one's own gives.
 */
#ifndef DEMO_TRANSFER_H
#define DEMO_TRANSFER_H

#include "io.h"
#include "reply.h"
#include "trace.h"
#include "url.h"

struct transfer {
    const struct io *io;
    const struct url *url;
    double deadline;
    struct trace *trace; /* is told of each wait */
    struct reply *reply; /* is filled; its `problem` says what a -EPROTO means */
};

/* GETs the URL. 0, or a negative error; -EPROTO for what is wrong with the reply or the name. */
int transfer_run(const struct transfer *transfer);

#endif
