/* An echo server on epoll, and no tasks; it ends when it is killed. */
#include "floor.h"

#include <sys/epoll.h>

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

/* A short read has emptied the socket: no need to ask again. False when the connection is over. */
static bool echo(int fd)
{
    static char buffer[ECHO_BUFFER];
    ssize_t size;

    do {
        size = read(fd, buffer, sizeof buffer);
        if (size <= 0)
            return size < 0 && errno == EAGAIN;
        if (write(fd, buffer, (size_t)size) != size)
            return false; /* the client sends only after its answer: the write cannot be short */
    } while (size == sizeof buffer);
    return true;
}

void run_echo_server(long nothing)
{
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_on_loopback();

    (void)nothing;
    watch(epoll, listener);
    report_port(listener);
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                watch(epoll, accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
            else if (!echo(fd))
                close(fd);
        }
    }
}
