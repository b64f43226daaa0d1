/*
 * stream_echo.c: a server that sends back every line, and three clients, in one program.
 *
 * What to notice: each connection has a task of its own, which reads as if it were the only one;
 * its streams are lent to `echo`, and when that returns the connection is closed. What a client
 * opens it gives back: cora_stream_writer_unref closes. drain is where a writer waits for a reader
 * that is slower. A client that has said all ends its half of the connection, and reads on until
 * the other one ends. The server is closed in two steps: it accepts no more, then it waits until
 * its connections are gone. Port 0 is whichever is free.
 */
#include <cora.h>

#include <stdio.h>

static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    ssize_t size;
    char *line;

    (void)arg;
    while ((size = cora_stream_reader_readline(reader, &line)) > 0) {
        int rc = cora_stream_writer_write(writer, line, (size_t)size);

        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
        if (rc < 0)
            return rc;
    }
    return (int)size;
}

struct talk_args {
    const char *name;
    int port;
    char (*heard)[100];
};

static CORA_SUSPENDS int exchange(cora_stream_reader *reader, cora_stream_writer *writer,
                                  const struct talk_args *a)
{
    int rc = 0;

    for (int number = 1; number <= 3 && rc == 0; number++) {
        rc = cora_stream_writer_printf(writer, "%s says %d\n", a->name, number);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    if (rc == 0)
        rc = cora_stream_writer_write_eof(writer);
    if (rc < 0)
        return rc;

    char *text;
    ssize_t size = cora_stream_reader_read_until_eof(reader, &text);

    if (size < 0)
        return (int)size;
    snprintf(*a->heard, sizeof *a->heard, "%.*s", (int)size, text);
    return 0;
}

static int talk(void *arg)
{
    struct talk_args *a = arg;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    char port[12];
    int rc;

    snprintf(port, sizeof port, "%d", a->port);
    rc = cora_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (rc < 0)
        return rc;
    rc = exchange(reader, writer, a);
    cora_stream_writer_unref(writer);
    return rc;
}

static CORA_SUSPENDS int talk_all(int port)
{
    static const char *const names[] = {"Ada", "Bob", "Cleo"};
    char heard[3][100];
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, talk, .name = names[i], .port = port,
                                         .heard = &heard[i]);
    rc = cora_task_group_exit(&group, rc);
    for (int i = 0; i < 3 && rc == 0; i++)
        printf("%s", heard[i]);
    return rc;
}

static int serve_and_talk(void *arg)
{
    cora_server *server;
    int rc = cora_start_server(echo, arg, "127.0.0.1", "0", NULL, &server);
    int port;

    if (rc < 0)
        return rc;
    port = cora_server_port(server);
    rc = port < 0 ? port : talk_all(port);
    cora_server_close(server);
    if (rc == 0)
        rc = cora_server_wait_closed(server);
    cora_server_unref(server);
    printf("the server is closed\n");
    return rc;
}

int main(void)
{
    int rc = cora_run(serve_and_talk, NULL);

    if (rc < 0)
        fprintf(stderr, "stream_echo: %s\n", cora_strerror(rc));
    return rc < 0;
}
