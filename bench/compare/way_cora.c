#include "ways.h"

#include "hash.h"

#include <cora.h>

#include <errno.h>
#include <stdio.h>

static int receive_all(cora_stream_reader *reader, cora_stream_writer *writer)
{
    char bytes[16 << 10];
    ssize_t size, all = 0;
    int rc = cora_stream_writer_write(writer, REQUEST, sizeof REQUEST - 1);

    if (rc < 0)
        return rc;
    while ((size = cora_stream_reader_read(reader, bytes, sizeof bytes)) > 0)
        all += size;
    if (size < 0)
        return (int)size;
    return all == REPLY_SIZE ? 0 : -EIO;
}

static int download(int number)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    char port[8];
    int rc;

    snprintf(port, sizeof port, "%d", number);
    rc = cora_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (rc < 0)
        return rc;
    rc = receive_all(reader, writer);
    cora_stream_writer_close(writer);
    cora_stream_writer_unref(writer);
    return rc;
}

static int job(void *arg)
{
    const struct workload *work = arg;

    if (work->kind == WAIT)
        return cora_sleep(work->amount);
    return work->kind == DOWNLOAD ? download(work->port) : hash(work->amount);
}

static int do_all(void *work)
{
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < ((struct workload *)work)->jobs && rc == 0; i++)
        rc = cora_task_group_create_task_arg(&group, job, work);
    return cora_task_group_exit(&group, rc);
}

int way_cora(const struct workload *work)
{
    return cora_run(do_all, (void *)work);
}
