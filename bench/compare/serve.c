/*
 * serve.c: what is downloaded. It says its port, and ends when its standard input does.
 */
#include "ways.h"

#include <cora.h>

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int reply(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    static const char bytes[REPLY_SIZE];
    char *request;
    ssize_t size = cora_stream_reader_readline(reader, &request);
    int rc = size < 0 ? (int)size : cora_sleep(*(double *)arg);

    if (rc == 0 && size > 0)
        rc = cora_stream_writer_write(writer, bytes, sizeof bytes);
    return rc == 0 ? cora_stream_writer_drain(writer) : rc;
}

static int say_port(cora_server *server)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener;

    if (cora_server_sockets(server, &listener, 1) != 1)
        return -EBADF;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        return -errno;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return 0;
}

static int serve_until_stdin_ends(void *delay)
{
    cora_server *server;
    int rc = cora_start_server(reply, delay, "127.0.0.1", "0", NULL, &server);

    if (rc < 0)
        return rc;
    rc = say_port(server);
    if (rc == 0)
        rc = cora_wait_readable(STDIN_FILENO);
    cora_server_close(server);
    cora_server_unref(server);
    return rc;
}

int serve(double delay)
{
    return cora_run(serve_until_stdin_ends, &delay);
}
