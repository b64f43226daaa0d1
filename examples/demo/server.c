/*
 * server.c: one task accepts, and one more per connection talks; all are of one task group, which
 * the main task leaves when it is told to stop.
 */
#include "server.h"

#include "url.h"

#include <cora/run.h>
#include <cora/sock.h>
#include <cora/task_group.h>
#include <cora/timeout.h>

#include <http_parser.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const double request_timeout = 10;
static const double linger_timeout = 1;

struct connection {
    const struct server *server;
    int fd;
    http_parser parser;
    bool complete;
    char target[URL_SIZE]; /* path and query, as they were requested */
    size_t target_length;
};

/* ---- the request --------------------------------------------------------------------------- */

static int on_url(http_parser *parser, const char *data, size_t size)
{
    struct connection *c = parser->data;

    if (c->target_length + size >= sizeof c->target)
        return -1;
    memcpy(c->target + c->target_length, data, size);
    c->target_length += size;
    c->target[c->target_length] = '\0';
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct connection *c = parser->data;

    c->complete = true;
    http_parser_pause(parser, 1); /* this server answers one request and closes */
    return 0;
}

/* The status of the answer so far: 200, or 400 for what is not a request; or a negative error. */
static int read_request(struct connection *c)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_message_complete = on_message_complete,
    };
    char buffer[4096];

    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
    for (;;) {
        ssize_t got = cora_sock_recv(c->fd, buffer, sizeof buffer);

        if (got < 0)
            return (int)got;
        if (got == 0)
            return -ECONNRESET;
        http_parser_execute(&c->parser, &settings, buffer, (size_t)got);
        if (c->complete)
            return 200;
        if (HTTP_PARSER_ERRNO(&c->parser) != HPE_OK)
            return 400;
    }
}

/* ---- the answer ---------------------------------------------------------------------------- */

static bool leaves_folder(const char *path)
{
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += strspn(part, "/");
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

/*
 * The regular file that is asked for, open, and its size. Else NULL, with the answer in *status.
 * A regular file cannot be waited for, and small ones come from memory: they are read in the loop.
 */
static FILE *open_target(const struct connection *c, long long *size, int *status)
{
    char path[sizeof c->target + 4096];
    char target[sizeof c->target];
    struct stat info;
    FILE *file;

    memcpy(target, c->target, sizeof target);
    target[strcspn(target, "?#")] = '\0';
    *status = 400;
    if (url_decode(target) < 0 || leaves_folder(target))
        return NULL;
    *status = 404;
    if (snprintf(path, sizeof path, "%s/%s", c->server->folder, target) >= (int)sizeof path)
        return NULL;
    file = fopen(path, "rbe");
    if (file == NULL)
        return NULL;
    if (fstat(fileno(file), &info) < 0 || !S_ISREG(info.st_mode)) {
        fclose(file);
        return NULL;
    }
    *status = 200;
    *size = (long long)info.st_size;
    return file;
}

static int send_head(const struct connection *c, int status, long long size)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d %s\r\n"
                          "Content-Length: %lld\r\n"
                          "Connection: close\r\n"
                          "\r\n",
                          status, http_status_str((enum http_status)status), size);

    return cora_sock_sendall(c->fd, head, (size_t)length, NULL);
}

static int send_file(const struct connection *c, FILE *file, long long size)
{
    char buffer[8192];
    int rc = send_head(c, 200, size);
    size_t got;

    while (rc == 0 && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
        rc = cora_sock_sendall(c->fd, buffer, got, NULL);
    return rc;
}

static int answer(const struct connection *c, int status)
{
    long long size;
    FILE *file = NULL;
    int rc;

    if (status == 200 && c->parser.method != HTTP_GET)
        status = 405;
    if (status == 200)
        file = open_target(c, &size, &status);
    if (file == NULL)
        return send_head(c, status, 0);
    rc = send_file(c, file, size);
    fclose(file);
    return rc;
}

/* Closing a socket with unread bytes in it would destroy the answer on its way: reads them first.
 */
static int linger(const struct connection *c)
{
    char buffer[1024];
    ssize_t got;

    if (shutdown(c->fd, SHUT_WR) < 0)
        return -errno;
    do {
        got = cora_sock_recv(c->fd, buffer, sizeof buffer);
    } while (got > 0);
    return (int)got;
}

/* ---- a connection -------------------------------------------------------------------------- */

struct talk_args {
    struct connection *connection;
};

/* What goes wrong with one connection is its own affair: only a cancellation is passed on. */
static int talk(void *arg)
{
    struct connection *c = ((struct talk_args *)arg)->connection;
    cora_timeout timeout;
    int rc, status;

    cora_timeout_enter(&timeout, request_timeout);
    status = cora_timeout_exit(&timeout, read_request(c));
    if (status < 0)
        return status == -ECANCELED ? status : 0;
    rc = cora_sleep(c->server->delay);
    if (rc == 0)
        rc = answer(c, status);
    if (rc == 0) {
        cora_timeout_enter(&timeout, linger_timeout);
        rc = cora_timeout_exit(&timeout, linger(c));
    }
    return rc == -ECANCELED ? rc : 0;
}

static void close_connection(struct connection *c)
{
    cora_close_fd(c->fd);
    free(c);
}

static void on_talk_done(cora_future *task, void *arg)
{
    (void)task;
    close_connection(arg);
}

/*
 * Takes over the descriptor. The connection is closed by a callback and not by its task, since a
 * task that is cancelled before its first step never runs.
 */
static int start_talk(cora_task_group *group, const struct server *server, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    cora_task *task;
    int rc;

    if (c == NULL) {
        cora_close_fd(fd);
        return -ENOMEM;
    }
    c->server = server;
    c->fd = fd;
    rc = cora_task_group_create_task_with(group, NULL, &task, talk, .connection = c);
    if (rc < 0) {
        close_connection(c);
        return rc;
    }
    rc = cora_task_add_done_callback(task, on_talk_done, c);
    if (rc < 0) { /* then it must not run, nor outlive its storage */
        cora_task_cancel(task);
        close_connection(c);
    }
    return rc;
}

/* ---- the server ---------------------------------------------------------------------------- */

struct accept_all_args {
    struct server *server;
    cora_task_group *group;
};

static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static int accept_all(void *arg)
{
    struct accept_all_args *a = arg;
    int rc = 0;

    while (rc == 0) {
        int fd = cora_sock_accept(a->server->listener, NULL, NULL);

        rc = fd < 0 ? fd : start_talk(a->group, a->server, fd);
        if (is_shortage(rc))
            rc = cora_sleep(0.1); /* others may give something back meanwhile */
    }
    return rc;
}

/* The main task: accepts until the pipe is closed, then cancels all tasks of the group. */
static int serve(void *arg)
{
    struct server *server = arg;
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, accept_all, .server = server, .group = &group);
    if (rc == 0)
        rc = cora_wait_readable(server->stop[0]);
    return cora_task_group_exit(&group, rc == 0 ? -ECANCELED : rc);
}

static void *run_server(void *arg)
{
    struct server *server = arg;
    int rc = cora_run(serve, server);

    server->result = rc == -ECANCELED ? 0 : rc;
    return NULL;
}

/* ---- from outside -------------------------------------------------------------------------- */

int server_listen(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    server->listener = fd;
    server->port = ntohs(address.sin_port);
    return 0;
}

int server_start(struct server *server)
{
    sigset_t blocked, before;
    int error;

    if (pipe2(server->stop, O_CLOEXEC) < 0)
        return -errno;
    /* Signals are for the program's first thread. */
    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    error = pthread_create(&server->thread, NULL, run_server, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        close(server->stop[0]);
        close(server->stop[1]);
    }
    return -error;
}

int server_stop(struct server *server)
{
    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    server_close(server);
    return server->result;
}

void server_close(struct server *server)
{
    close(server->listener);
}
