/*
 * The client of the echo servers: echo_client PORT CONNECTIONS BYTES SECONDS
 *
 * Every connection sends BYTES, waits until all have come back, and sends again. It blocks in
 * epoll_wait, so on a machine with two processors it leaves one to the server.
 */
#include "measure.h"

#include <sys/epoll.h>

struct connection {
    int fd;
    size_t received; /* of the answer under way */
    char *bytes;     /* each connection has a letter of its own, so that a mix-up shows */
};

static size_t request_size;

static void send_request(const struct connection *connection)
{
    if (send(connection->fd, connection->bytes, request_size, MSG_NOSIGNAL) !=
        (ssize_t)request_size)
        fail("send");
}

static void open_connection(struct connection *connection, int epoll, int port, char letter)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        fail("epoll_ctl");
    connection->bytes = allocate((long)request_size, 1);
    memset(connection->bytes, letter, request_size);
}

/* Takes what has come; true when that completes the answer. */
static bool receive(struct connection *connection)
{
    static char buffer[65536];
    size_t left = request_size - connection->received;
    ssize_t size = recv(connection->fd, buffer, left < sizeof buffer ? left : sizeof buffer, 0);

    if (size < 0)
        fail("recv");
    check(size > 0, "the server keeps the connection");
    check(memcmp(buffer, connection->bytes, (size_t)size) == 0,
          "the server sends back what it got");
    connection->received += (size_t)size;
    if (connection->received < request_size)
        return false;
    connection->received = 0;
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS BYTES SECONDS\n", argv[0]);
        return 2;
    }
    int port = atoi(argv[1]), count = atoi(argv[2]);
    request_size = (size_t)atol(argv[3]);
    double seconds = atof(argv[4]);
    check(count > 0 && request_size > 0 && seconds > 0 && seconds < 3600,
          "the arguments are positive");

    struct connection *connections = allocate(count, sizeof *connections);
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    long requests = 0;

    alarm((unsigned)seconds + 10); /* whatever the server does, this ends */
    for (int i = 0; i < count; i++)
        open_connection(&connections[i], epoll, port, (char)('A' + i % 26));

    int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9), now = start;
    for (int i = 0; i < count; i++)
        send_request(&connections[i]);
    for (int under_way = count;
         under_way > 0;) { /* what was asked is waited for, so that all ends in order */
        int ready = epoll_wait(epoll, events, 64, -1);
        now = now_ns();
        for (int i = 0; i < ready; i++) {
            if (!receive(events[i].data.ptr))
                continue;
            requests++;
            if (now < end)
                send_request(events[i].data.ptr);
            else
                under_way--;
        }
    }
    report("requests", (double)requests, "seconds", (double)(now - start) / 1e9, NULL);
    return 0;
}
