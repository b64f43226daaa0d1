#include "worker.h"

#include "transfer.h"
#include "work.h"

#include <errno.h>
#include <stdlib.h>

static int receive(int fd, void *data, size_t size)
{
    struct cora__transfer transfer = {.count = 0};

    cora__transfer_add(&transfer, data, size);
    return cora__transfer_receive(&transfer, fd, 0);
}

static int reply(int fd, struct cora__reply header, const void *first, size_t first_size,
                 const void *second, size_t second_size)
{
    struct cora__transfer transfer = {.count = 0};

    header.size = first_size + second_size;
    cora__transfer_add(&transfer, &header, sizeof header);
    cora__transfer_add(&transfer, first, first_size);
    cora__transfer_add(&transfer, second, second_size);
    return cora__transfer_send(&transfer, fd, 0);
}

/* There is no memory for it. */
static int refuse(int fd, uint64_t size)
{
    char scratch[4096];
    int rc = 1;

    while (rc > 0 && size > 0) {
        size_t step = size < sizeof scratch ? (size_t)size : sizeof scratch;

        rc = receive(fd, scratch, step);
        size -= step;
    }
    return rc < 0 ? rc
                  : reply(fd, (struct cora__reply){.outcome = -ENOMEM, .done = false}, NULL, 0,
                          NULL, 0);
}

static int answer_items(int fd, const struct cora__request *request, cora_job *fn, void *items,
                        int *results)
{
    struct cora__work work = {.fn = fn,
                              .items = items,
                              .size = request->count > 0 ? request->size / request->count : 0,
                              .count = request->count,
                              .results = results};
    struct cora__reply header = {.outcome = cora__work_run(&work), .done = true};

    return reply(fd, header, results, results != NULL ? request->count * sizeof results[0] : 0,
                 items, request->size);
}

static int answer_bytes(int fd, const struct cora__request *request, cora_bytes_job *fn,
                        const void *in)
{
    cora_bytes out = {NULL, 0};
    struct cora__work work = {.bytes_fn = fn, .in = in, .in_size = request->size, .out = &out};
    struct cora__reply header = {.outcome = cora__work_run(&work), .done = true};
    int rc = reply(fd, header, out.data, out.size, NULL, 0);

    free(out.data);
    return rc;
}

static int answer(int fd, const struct cora__request *request, const cora_process_pool_job *job)
{
    void *data = malloc(request->size + 1);
    int *results = NULL;
    int rc;

    if (request->wants_results)
        results = calloc(request->count, sizeof results[0]);
    if (data == NULL || (request->wants_results && results == NULL)) {
        rc = refuse(fd, request->size);
    } else {
        rc = receive(fd, data, request->size);
        if (rc > 0)
            rc = job->fn != NULL ? answer_items(fd, request, job->fn, data, results)
                                 : answer_bytes(fd, request, job->bytes_fn, data);
    }
    free(results);
    free(data);
    return rc;
}

static int begin(int fd, const cora_process_pool_options *options)
{
    int outcome = options->initializer != NULL ? options->initializer(options->initarg) : 0;
    int rc = reply(fd, (struct cora__reply){.outcome = outcome, .done = true}, NULL, 0, NULL, 0);

    return outcome < 0 ? outcome : rc;
}

int cora__worker_run(int fd, const cora_process_pool_options *options)
{
    struct cora__request request = {.job = 0};
    int rc = begin(fd, options);

    if (rc < 0)
        return EXIT_FAILURE;
    while (rc > 0 && receive(fd, &request, sizeof request) > 0)
        rc = answer(fd, &request, &options->jobs[request.job]);
    return EXIT_SUCCESS;
}
