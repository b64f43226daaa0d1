/*
 * main.c: a web server for the files of a folder. Try it:
 * web_server 8888 .,  and  curl localhost:8888/README.md
 *
 * What to notice: a task for each connection serves one request after the other and reads like a
 * description of it. Whatever a client does or leaves undone has an end: a head has a limit, and a
 * time to come in; an answer has a time to be taken. Timeouts are around whole steps, so that a
 * byte now and then does not help. Files are opened off the loop, and go from there to the socket
 * in the kernel. Without a port, a client plays a script.
 */
#include "files.h"
#include "request.h"
#include "script.h"

#include <http_parser.h>

#include <stdio.h>
#include <unistd.h>

enum { SLOWEST = 1000 }; /* bytes per second that a client is to take at least */

/* ---- the answer ---------------------------------------------------------------------------- */

static int send_head(cora_stream_writer *writer, const struct request *request, const char *type,
                     long long size)
{
    return cora_stream_writer_printf(
        writer, "HTTP/1.1 %d %s\r\n%sContent-Type: %s\r\nContent-Length: %lld\r\n%s\r\n",
        request->status, http_status_str((enum http_status)request->status),
        request->status == 405 ? "Allow: GET, HEAD\r\n" : "", type, size,
        request->keeps ? "" : "Connection: close\r\n");
}

static int send_problem(cora_stream_writer *writer, const struct request *request)
{
    const char *text = http_status_str((enum http_status)request->status);
    int size = snprintf(NULL, 0, "%d %s\n", request->status, text);
    int rc = send_head(writer, request, "text/plain; charset=utf-8", size);

    if (rc == 0 && !request->only_head)
        rc = cora_stream_writer_printf(writer, "%d %s\n", request->status, text);
    return rc;
}

static CORA_SUSPENDS int send_file(cora_stream_writer *writer, const struct request *request,
                                   int fd, off_t size)
{
    cora_timeout timeout;
    size_t sent = 0;
    int rc = send_head(writer, request, files_type(request->path), size);

    if (rc < 0 || request->only_head || size == 0)
        return rc;
    cora_timeout_enter(&timeout, 10 + (double)size / SLOWEST);
    rc = cora_sendfile(cora_stream_writer_get_transport(writer), fd, 0, (size_t)size, true, &sent);
    rc = cora_timeout_exit(&timeout, rc);
    return rc == 0 && sent < (size_t)size ? -EIO : rc; /* it has become shorter */
}

static CORA_SUSPENDS int answer(const struct site *site, cora_stream_writer *writer,
                                struct request *request)
{
    off_t size;
    int fd = request->status == 200 ? files_open(site->folder, request->path, &size) : -ENOENT, rc;

    if (fd == -ECANCELED)
        return fd;
    if (fd < 0 && request->status == 200)
        request->status = fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? 503 : 404;
    if (fd < 0)
        return send_problem(writer, request);
    rc = send_file(writer, request, fd, size);
    close(fd);
    return rc;
}

/* ---- a connection -------------------------------------------------------------------------- */

/* Closing a socket that has unread bytes in it would destroy the answer on its way. */
static CORA_SUSPENDS int linger(cora_stream_reader *reader, cora_stream_writer *writer)
{
    cora_timeout timeout;
    char data[4096];
    ssize_t size;
    int rc = cora_stream_writer_write_eof(writer);

    if (rc < 0)
        return rc;
    cora_timeout_enter(&timeout, 1);
    do
        size = cora_stream_reader_read(reader, data, sizeof data);
    while (size > 0);
    return cora_timeout_exit(&timeout, (int)size);
}

static CORA_SUSPENDS int read_request(const struct site *site, cora_stream_reader *reader,
                                      struct request *request)
{
    cora_timeout timeout;
    ssize_t size;
    char *head;
    int rc;

    cora_timeout_enter(&timeout, site->patience);
    size = cora_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);
    rc = cora_timeout_exit(&timeout, size < 0 ? (int)size : 0);
    if (rc == 0) {
        request_parse(request, head, (size_t)size);
    } else if (rc == -ETIMEDOUT || rc == -CORA_ELIMITOVERRUN) {
        *request = (struct request){.status = rc == -ETIMEDOUT ? 408 : 431};
        rc = 0;
    }
    return rc;
}

static int attend(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    const struct site *site = arg;
    struct request request;
    int rc;

    do {
        rc = read_request(site, reader, &request);
        if (rc == 0)
            rc = answer(site, writer, &request);
    } while (rc == 0 && request.keeps);
    if (rc == 0)
        rc = linger(reader, writer);
    else if (rc != -CORA_EINCOMPLETEREAD) /* somebody who does not read must not be waited for */
        cora_transport_abort(cora_stream_writer_get_transport(writer));
    return rc == -ECANCELED ? rc : 0;
}

/* ---- the program --------------------------------------------------------------------------- */

static CORA_SUSPENDS int play_with(struct site *site, cora_server *server)
{
    int port = cora_server_port(server);
    int rc = port < 0 ? port : script_play(site, port);

    cora_server_close(server);
    return rc < 0 ? rc : cora_server_wait_closed(server);
}

static int serve(void *arg)
{
    const cora_server_options options = {.limit = HEAD_SIZE};
    struct site *site = arg;
    cora_server *server;
    int rc = cora_start_server(attend, site, "127.0.0.1", site->port == NULL ? "0" : site->port,
                               &options, &server);

    if (rc < 0)
        return rc;
    rc = site->port == NULL ? play_with(site, server) : cora_server_serve_forever(server);
    cora_server_unref(server);
    return rc;
}

static int run(const char *port, const char *folder)
{
    struct site site = {.port = port, .patience = 10};
    int rc;

    site.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site.folder < 0)
        return -errno;
    rc = cora_run(serve, &site);
    close(site.folder);
    return rc == -EINTR ? 0 : rc; /* Ctrl-C */
}

int main(int argc, char *argv[])
{
    struct script_folder made;
    int rc;

    if (argc > 1) {
        rc = run(argv[1], argc > 2 ? argv[2] : ".");
    } else {
        rc = script_make_folder(&made);
        if (rc == 0) {
            rc = run(NULL, made.site);
            script_remove_folder(&made);
        }
    }
    if (rc < 0)
        fprintf(stderr, "web_server: %s\n", cora_strerror(rc));
    return rc < 0;
}
