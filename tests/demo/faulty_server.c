#include "faulty_server.h"

#include "support/test.h"

#include <cora/run.h>
#include <cora/sock.h>
#include <cora/task_group.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

static int send_text(int fd, const char *text)
{
    return cora_sock_sendall(fd, text, strlen(text), NULL);
}

/* ---- the replies: each returns what its last call did --------------------------------------- */

static int send_length(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
}

static int send_chunked(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
}

static int send_close(int fd)
{
    return send_text(fd, "HTTP/1.0 200 OK\r\n\r\nhello world");
}

static int send_empty(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static int send_interim(int fd)
{
    int rc = send_text(fd, "HTTP/1.1 100 Continue\r\n\r\n");

    return rc < 0 ? rc : send_length(fd);
}

static int send_short(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello world");
}

static int send_cut_chunks(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n");
}

/* The client has read what there is by the time that the reset comes; else the kernel drops it. */
static int send_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int rc = send_short(fd);

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0)
        return -errno;
    return rc;
}

static int send_nothing(int fd)
{
    (void)fd;
    return 0;
}

/* Until the client gives up. */
static int send_silent(int fd)
{
    char byte;
    ssize_t got = cora_sock_recv(fd, &byte, 1);

    return got < 0 ? (int)got : 0;
}

static int send_drip(int fd)
{
    int rc = send_text(fd, "HTTP/1.1 200 OK\r\n\r\n");

    while (rc == 0) {
        rc = send_text(fd, "x");
        if (rc == 0)
            rc = cora_sleep(0.02);
    }
    return rc;
}

static int send_endless(int fd)
{
    static const char block[64 * 1024];
    int rc = send_text(fd, "HTTP/1.1 200 OK\r\n\r\n");

    while (rc == 0)
        rc = cora_sock_sendall(fd, block, sizeof block, NULL);
    return rc;
}

static int send_huge(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\nhello");
}

static int send_malformed(int fd)
{
    return send_text(fd, "how do you do?\r\n\r\n");
}

static int send_bad_chunk(int fd)
{
    return send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n");
}

static int send_missing(int fd)
{
    return send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
}

static int send_fickle(int fd, int number)
{
    char reply[128];

    snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08d", number);
    return send_text(fd, reply);
}

static const struct page {
    const char *path;
    int (*send)(int fd);
} pages[] = {
    {"/length", send_length},
    {"/chunked", send_chunked},
    {"/close", send_close},
    {"/empty", send_empty},
    {"/interim", send_interim},
    {"/short", send_short},
    {"/cut-chunks", send_cut_chunks},
    {"/reset", send_reset},
    {"/nothing", send_nothing},
    {"/silent", send_silent},
    {"/drip", send_drip},
    {"/endless", send_endless},
    {"/huge", send_huge},
    {"/malformed", send_malformed},
    {"/bad-chunk", send_bad_chunk},
    {NULL, send_missing},
};

/* ---- a connection -------------------------------------------------------------------------- */

struct talk_args {
    struct faulty_server *server;
    int fd;
};

/* Reads up to the empty line that ends the request. */
static int read_request(int fd, char *request, size_t size)
{
    size_t length = 0;

    request[0] = '\0';
    while (strstr(request, "\r\n\r\n") == NULL && length + 1 < size) {
        ssize_t got = cora_sock_recv(fd, request + length, size - 1 - length);

        if (got <= 0)
            return got < 0 ? (int)got : -ECONNRESET;
        length += (size_t)got;
        request[length] = '\0';
    }
    return 0;
}

static int answer(struct faulty_server *server, int fd)
{
    char request[4096], path[64] = "";
    const struct page *page = pages;
    int rc = read_request(fd, request, sizeof request);

    if (rc < 0)
        return rc;
    server->served++;
    if (write(server->requests[1], "", 1) < 0)
        return -errno;
    sscanf(request, "GET %63s", path);
    if (strcmp(path, "/fickle") == 0)
        return send_fickle(fd, server->served);
    while (page->path != NULL && strcmp(page->path, path) != 0)
        page++;
    return page->send(fd);
}

static int talk(void *arg)
{
    struct talk_args *a = arg;
    int rc = answer(a->server, a->fd);

    cora_close_fd(a->fd);
    return rc == -ECANCELED ? rc : 0;
}

/* ---- the server ---------------------------------------------------------------------------- */

struct accept_all_args {
    struct faulty_server *server;
    cora_task_group *group;
};

static int accept_all(void *arg)
{
    struct accept_all_args *a = arg;
    int rc = 0;

    while (rc == 0) {
        int fd = cora_sock_accept(a->server->listener, NULL, NULL);

        if (fd < 0)
            return fd;
        rc = cora_task_group_create_task(a->group, talk, .server = a->server, .fd = fd);
        if (rc < 0)
            cora_close_fd(fd);
    }
    return rc;
}

static int serve(void *arg)
{
    struct faulty_server *server = arg;
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
    struct faulty_server *server = arg;

    server->result = cora_run(serve, server);
    return NULL;
}

int bind_loopback(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

void faulty_server_start(struct faulty_server *server)
{
    memset(server, 0, sizeof *server);
    server->listener = bind_loopback(&server->port);
    assert_int_equal(listen(server->listener, SOMAXCONN), 0);
    assert_int_equal(pipe2(server->stop, O_CLOEXEC), 0);
    assert_int_equal(pipe2(server->requests, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, run_server, server), 0);
}

void faulty_server_stop(struct faulty_server *server)
{
    close(server->stop[1]);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    close(server->stop[0]);
    close(server->requests[0]);
    close(server->requests[1]);
    close(server->listener);
    assert_int_equal(server->result, -ECANCELED);
}

void faulty_server_await_request(struct faulty_server *server)
{
    char byte;

    assert_int_equal(read(server->requests[0], &byte, 1), 1);
}
