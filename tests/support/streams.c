#include "support/streams.h"

#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

cora_stream_reader *make_reader(ssize_t limit)
{
    cora_stream_reader *reader = NULL;
    int rc = cora_stream_reader_create(limit, &reader);

    assert_int_equal(rc, 0);
    return reader;
}

void feed(cora_stream_reader *reader, const char *text)
{
    int rc = cora_stream_reader_feed_data(reader, text, strlen(text));

    assert_int_equal(rc, 0);
}

void get(cora_stream_reader *reader, const char *what)
{
    char buffer[64], *data = buffer;
    size_t size = 0;
    ssize_t got;

    if (sscanf(what, "read %zu", &size) == 1)
        got = cora_stream_reader_read(reader, buffer, size);
    else if (sscanf(what, "exactly %zu", &size) == 1)
        got = cora_stream_reader_readexactly(reader, buffer, size);
    else if (strncmp(what, "until ", 6) == 0)
        got = cora_stream_reader_readuntil(reader, what + 6, strlen(what) - 6, &data);
    else if (strcmp(what, "line") == 0)
        got = cora_stream_reader_readline(reader, &data);
    else
        got = cora_stream_reader_read_until_eof(reader, &data);
    assert_true(size <= sizeof buffer);
    if (got < 0)
        trace("%s", cora_strerrorname((int)got));
    else
        trace("'%.*s'", (int)(what[0] == 'e' ? (ssize_t)size : got), data);
}

struct get_args {
    cora_stream_reader *reader;
    const char *what;
};

static int get_in_task(void *arg)
{
    struct get_args *a = arg;

    get(a->reader, a->what);
    return 0;
}

cora_task *start_get(cora_stream_reader *reader, const char *what)
{
    cora_task_options options = {.name = what};
    cora_task *task =
        cora_loop_create_task_copy(NULL, &options, get_in_task, "get",
                                   &(struct get_args){reader, what}, sizeof(struct get_args));

    assert_int_equal(rest(1), 0);
    return task;
}

void finish(cora_task *task)
{
    int rc = cora_await_unref(task);

    assert_int_equal(rc, 0);
}

void cancel(cora_task *task)
{
    cora_task_cancel(task);
    finish(task);
}

void open_streams(int fd, ssize_t limit, cora_stream_reader **ret_reader,
                  cora_stream_writer **ret_writer)
{
    int rc;

    *ret_reader = make_reader(limit);
    rc = cora_connect_accepted_socket(cora_stream_reader_protocol, *ret_reader, fd, NULL);
    assert_int_equal(rc, 0);
    *ret_writer = cora_stream_reader_get_writer(*ret_reader);
    assert_non_null(*ret_writer);
}
