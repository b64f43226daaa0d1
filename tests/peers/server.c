/*
 * The servers that other people's clients talk to:
 *
 *     server echo         what comes goes back
 *     server unix PATH    the same, on a Unix socket
 *     server http         GET /N answers with N bytes; POST with what was posted
 *
 * and echo or http over TLS where the files of a certificate and its key follow.
 *
 * It listens on the loopback, prints the port, and ends with status 0 at SIGTERM, having closed
 * all.
 */
#include <cora.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- echo ---------------------------------------------------------------------------------- */

static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char data[16384];
    ssize_t size;
    int rc = 0;

    (void)arg;
    while (rc == 0 && (size = cora_stream_reader_read(reader, data, sizeof data)) > 0) {
        rc = cora_stream_writer_write(writer, data, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    return rc;
}

/* ---- HTTP ---------------------------------------------------------------------------------- */

struct request {
    bool posts;
    long size; /* of the body: the one that is asked for, or the one that comes */
};

/* 1: there is a request; 0: the peer has no more; or a negative error. */
static int read_request(cora_stream_reader *reader, struct request *request)
{
    char *line;
    ssize_t size = cora_stream_reader_readline(reader, &line);

    if (size <= 0)
        return (int)size;
    *request = (struct request){.posts = strncmp(line, "POST ", 5) == 0};
    if (!request->posts && strncmp(line, "GET /", 5) != 0)
        return -EPROTO;
    if (!request->posts)
        request->size = strtol(line + 5, NULL, 10);
    while ((size = cora_stream_reader_readline(reader, &line)) > 2)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            request->size = strtol(line + 15, NULL, 10);
    return size > 0 ? 1 : (int)size;
}

/* A body of the digits 0 to 9, over and over. */
static int write_digits(cora_stream_writer *writer, long size)
{
    static const char digits[] = "0123456789";
    int rc = 0;

    for (long i = 0; i < size && rc == 0; i += 10) {
        rc = cora_stream_writer_write(writer, digits, size - i < 10 ? (size_t)(size - i) : 10);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    return rc;
}

static int return_body(cora_stream_reader *reader, cora_stream_writer *writer, long left)
{
    char data[16384];
    int rc = 0;

    while (left > 0 && rc == 0) {
        ssize_t size = cora_stream_reader_read(
            reader, data, left < (long)sizeof data ? (size_t)left : sizeof data);

        if (size <= 0)
            return size < 0 ? (int)size : -CORA_EINCOMPLETEREAD;
        left -= size;
        rc = cora_stream_writer_write(writer, data, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    return rc;
}

static int http(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    struct request request = {0};
    char head[128];
    int rc;

    (void)arg;
    while ((rc = read_request(reader, &request)) > 0) {
        int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n",
                            request.size);

        rc = cora_stream_writer_write(writer, head, (size_t)size);
        if (rc == 0)
            rc = request.posts ? return_body(reader, writer, request.size)
                               : write_digits(writer, request.size);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* ---- the program --------------------------------------------------------------------------- */

static void on_sigterm(void *arg)
{
    cora_task_cancel(arg);
}

static void print_port(const cora_server *server)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int fd = -1;

    if (cora_server_sockets(server, &fd, 1) == 1 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

/* Where files are given: TLS. */
static int make_context(char **words, cora_ssl_context **ret)
{
    int rc;

    if (words[1] == NULL)
        return 0;
    rc = cora_ssl_create_default_context(ret, CORA_SSL_CLIENT_AUTH, NULL);
    return rc == 0 ? cora_ssl_context_load_cert_chain(*ret, words[1], words[2], NULL) : rc;
}

static int start(char **words, cora_server **ret)
{
    cora_ssl_options ssl = {0};
    cora_server_options options = {0};
    int rc;

    if (strcmp(words[0], "unix") == 0)
        return cora_start_unix_server(echo, NULL, words[1], NULL, ret);
    rc = make_context(words, &ssl.context);
    if (ssl.context != NULL)
        options.ssl = &ssl;
    if (rc == 0)
        rc = cora_start_server(strcmp(words[0], "http") == 0 ? http : echo, NULL, "127.0.0.1", "0",
                               &options, ret);
    cora_ssl_context_unref(ssl.context);
    return rc;
}

static int serve(void *arg)
{
    cora_server *server = NULL;
    int rc;

    rc = cora_loop_add_signal_handler(cora_get_running_loop(), SIGTERM, on_sigterm,
                                      cora_current_task());
    if (rc == 0)
        rc = start(arg, &server);
    if (rc < 0)
        return rc;
    print_port(server);
    rc = cora_server_serve_forever(server);
    cora_server_unref(server);
    return rc == -ECANCELED ? 0 : rc;
}

int main(int count, char *words[])
{
    int rc = count > 1 ? cora_run(serve, words + 1) : -EINVAL;

    if (rc < 0)
        fprintf(stderr, "%s\n", cora_strerror(rc));
    return rc < 0;
}
