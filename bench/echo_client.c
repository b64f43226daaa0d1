/*
 * The client of the echo servers: echo_client PORT SERVER CONNECTIONS IDLE BYTES MILLISECONDS
 *
 * Every connection sends BYTES, waits until all have come back, and sends again; IDLE more were
 * served once and then are only there. SERVER, a process, is asked what it uses meanwhile. The
 * client says when all is set up and begins when it gets a line; it says its figures and ends with
 * another. It looks for answers without pause where it has a processor to itself: sleeping and
 * waking would be measured, otherwise, and a server's latency hidden.
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

/* What the server has used so far; 0 without its number. */
static int64_t server_cpu_ns(pid_t server)
{
    clockid_t clock;

    if (server == 0)
        return 0;
    errno = clock_getcpuclockid(server, &clock);
    if (errno != 0)
        fail("the server's clock");
    return clock_ns(clock);
}

/* One request after the other on each connection until `end`, and how many. All those that have an
 * answer are served before the first of them comes again. */
static long ask(int epoll, struct connection *connections, int count, int64_t end)
{
    int patience = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 0 : -1, under_way = count;
    struct epoll_event *events = allocate(count, sizeof *events);
    long requests = 0;

    for (int i = 0; i < count; i++)
        send_request(&connections[i]);
    while (under_way > 0) { /* what was asked is waited for, so that all ends in order */
        int ready = epoll_wait(epoll, events, count, patience);
        bool over = now_ns() >= end;
        for (int i = 0; i < ready; i++) {
            if (!receive(events[i].data.ptr))
                continue;
            requests++;
            if (over)
                under_way--;
            else
                send_request(events[i].data.ptr);
        }
    }
    free(events);
    return requests;
}

static long number_of(const char *argument)
{
    char *end;
    long number = strtol(argument, &end, 10);

    check(end != argument && *end == '\0' && number >= 0, "the arguments are numbers");
    return number;
}

static void wait_for_line(void)
{
    while (getchar() != '\n')
        check(!feof(stdin), "who asked for it is still there");
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: %s PORT SERVER CONNECTIONS IDLE BYTES MILLISECONDS\n", argv[0]);
        return 2;
    }
    int port = (int)number_of(argv[1]), server = (int)number_of(argv[2]);
    int count = (int)number_of(argv[3]), idle = (int)number_of(argv[4]);
    request_size = (size_t)number_of(argv[5]);
    double seconds = (double)number_of(argv[6]) / 1e3;
    check(count > 0 && request_size > 0 && seconds < 3600, "there is something to do");

    struct connection *connections = allocate(count + idle, sizeof *connections);
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    alarm((unsigned)seconds + 60); /* whatever the server does, this ends */
    for (int i = 0; i < count + idle; i++)
        open_connection(&connections[i], epoll, port, (char)('A' + i % 26));
    ask(epoll, connections, count + idle, 0);
    report_ready();
    wait_for_line();

    int64_t start = now_ns(), cpu = server_cpu_ns(server);
    long requests = ask(epoll, connections, count, start + (int64_t)(seconds * 1e9));
    int64_t elapsed = now_ns() - start;
    report("cpu_us", per(server_cpu_ns(server) - cpu, requests) / 1e3, "k_requests_per_s",
           (double)requests / 1e3 / ((double)elapsed / 1e9), "requests", (double)requests, NULL);
    wait_for_line(); /* until then the connections stay open */
    return 0;
}
