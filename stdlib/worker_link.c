#include "worker_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static void expect_reply(struct cora__worker_link *link)
{
    link->expected = HEADER;
    link->receiving = (struct cora__transfer){.count = 0};
    cora__transfer_add(&link->receiving, &link->reply, sizeof link->reply);
}

void cora__worker_link_open(struct cora__worker_link *link, int fd)
{
    *link = (struct cora__worker_link){.fd = fd};
    expect_reply(link);
}

/* By shutdown: other children of the program may have the socket, too. */
void cora__worker_link_close(struct cora__worker_link *link)
{
    if (link->fd >= 0) {
        shutdown(link->fd, SHUT_RDWR);
        close(link->fd);
    }
    link->fd = -1;
    free(link->bytes);
    link->bytes = NULL;
    link->work = NULL;
    link->sending.count = link->sending.next = 0;
}

void cora__worker_link_begin(struct cora__worker_link *link, const struct cora__work *work, int job)
{
    size_t size = work->fn != NULL ? work->count * work->size : work->in_size;

    link->work = work;
    link->request = (struct cora__request){.job = (uint32_t)job,
                                           .wants_results = work->results != NULL,
                                           .count = work->count,
                                           .size = size};
    link->sending = (struct cora__transfer){.count = 0};
    cora__transfer_add(&link->sending, &link->request, sizeof link->request);
    cora__transfer_add(&link->sending, work->fn != NULL ? work->items : work->in, size);
    expect_reply(link);
}

short cora__worker_link_events(const struct cora__worker_link *link)
{
    return cora__transfer_is_done(&link->sending) ? POLLIN : POLLIN | POLLOUT;
}

/* ---- replies ------------------------------------------------------------------------------- */

static int expect_items(struct cora__worker_link *link, const struct cora__work *work)
{
    size_t results = work->results != NULL ? work->count * sizeof work->results[0] : 0;

    if (link->reply.size != results + work->count * work->size)
        return -EPROTO;
    cora__transfer_add(&link->receiving, work->results, results);
    cora__transfer_add(&link->receiving, work->items, work->count * work->size);
    return 1;
}

/* To be thrown away, piece by piece. */
static void expect_surplus(struct cora__worker_link *link)
{
    static char nowhere[4096]; /* many write there, and nobody reads */
    size_t size = link->surplus < sizeof nowhere ? link->surplus : sizeof nowhere;

    link->expected = SURPLUS;
    link->receiving = (struct cora__transfer){.count = 0};
    cora__transfer_add(&link->receiving, nowhere, size);
    link->surplus -= size;
}

static int expect_bytes(struct cora__worker_link *link)
{
    size_t size = link->reply.size;

    if (size == 0)
        return 1;
    link->bytes = malloc(size);
    if (link->bytes != NULL) {
        cora__transfer_add(&link->receiving, link->bytes, size);
    } else {
        link->reply.done = false;
        link->reply.outcome = -ENOMEM;
        link->surplus = size;
        expect_surplus(link);
    }
    return 1;
}

static int expect_body(struct cora__worker_link *link)
{
    link->expected = BODY;
    if (!cora__transfer_is_done(&link->sending))
        return -EPROTO;
    if (link->work == NULL || !link->reply.done)
        return link->reply.size == 0 ? 1 : -EPROTO;
    return link->work->fn != NULL ? expect_items(link, link->work) : expect_bytes(link);
}

/* All is there, and nothing is to follow. */
static int finish(struct cora__worker_link *link)
{
    const struct cora__work *work = link->work;

    if (work != NULL && !link->reply.done) {
        cora__work_fail(work, link->reply.outcome);
    } else if (work != NULL && work->fn == NULL && link->reply.outcome >= 0) {
        *work->out = (cora_bytes){link->bytes, link->reply.size};
        link->bytes = NULL;
    }
    link->work = NULL;
    expect_reply(link);
    return link->reply.outcome;
}

static int receive(struct cora__worker_link *link, int *ret_outcome)
{
    int rc = 1;

    while (rc > 0) {
        rc = cora__transfer_receive(&link->receiving, link->fd, MSG_DONTWAIT);
        if (rc <= 0)
            break;
        if (link->expected == HEADER) {
            rc = expect_body(link);
        } else if (link->expected == SURPLUS && link->surplus > 0) {
            expect_surplus(link);
        } else {
            *ret_outcome = finish(link);
            break;
        }
    }
    return rc;
}

int cora__worker_link_move(struct cora__worker_link *link, int *ret_outcome)
{
    int rc = cora__transfer_send(&link->sending, link->fd, MSG_DONTWAIT);

    return rc < 0 ? rc : receive(link, ret_outcome);
}
