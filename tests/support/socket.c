#include "support/socket.h"

#include "support/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

int rest(int hops)
{
    int rc = 0;

    while (rc == 0 && hops-- > 0)
        rc = cora_sleep(0);
    return rc;
}

void make_pair(int fds[2])
{
    int rc = socketpair(AF_UNIX, SOCK_STREAM, 0, fds);

    assert_int_equal(rc, 0);
}

int make_udp(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

    assert_true(fd >= 0);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    rc = bind(fd, (struct sockaddr *)address, length);
    assert_int_equal(rc, 0);
    rc = getsockname(fd, (struct sockaddr *)address, &length);
    assert_int_equal(rc, 0);
    return fd;
}

void make_datagram_pair(int fds[2])
{
    int rc = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds);

    assert_int_equal(rc, 0);
}

void make_pipe(int fds[2])
{
    int rc = pipe2(fds, O_CLOEXEC);

    assert_int_equal(rc, 0);
}

void make_pty(int fds[2])
{
    struct termios raw;
    int rc;

    fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fds[0] >= 0);
    rc = grantpt(fds[0]);
    assert_int_equal(rc, 0);
    rc = unlockpt(fds[0]);
    assert_int_equal(rc, 0);
    fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fds[1] >= 0);
    rc = tcgetattr(fds[1], &raw);
    assert_int_equal(rc, 0);
    cfmakeraw(&raw);
    rc = tcsetattr(fds[1], TCSANOW, &raw);
    assert_int_equal(rc, 0);
}

void close_pair(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        int rc = cora_close_fd(fds[i]);

        assert_int_equal(rc, 0);
    }
}

void put(int fd, const char *text)
{
    ssize_t sent = write(fd, text, strlen(text));

    assert_int_equal(sent, strlen(text));
}

int make_tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

int make_listener(struct sockaddr_in *address, int backlog)
{
    socklen_t length = sizeof *address;
    int fd = make_tcp(), rc;

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    rc = bind(fd, (struct sockaddr *)address, length);
    assert_int_equal(rc, 0);
    rc = getsockname(fd, (struct sockaddr *)address, &length);
    assert_int_equal(rc, 0);
    rc = listen(fd, backlog);
    assert_int_equal(rc, 0);
    return fd;
}

int make_unix_listener(char *name, size_t size, int backlog)
{
    cora_address address = {.length = sizeof address.storage};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    rc = bind(fd, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t));
    assert_int_equal(rc, 0);
    rc = listen(fd, backlog);
    assert_int_equal(rc, 0);
    rc = getsockname(fd, (struct sockaddr *)&address.storage, &address.length);
    assert_int_equal(rc, 0);
    cora_address_format(&address, name, size);
    return fd;
}

int connect_tcp(const struct sockaddr_in *address)
{
    int fd = make_tcp();
    int rc = cora_sock_connect(fd, (const struct sockaddr *)address, sizeof *address);

    assert_int_equal(rc, 0);
    return fd;
}

int count_descriptors(void)
{
    DIR *directory = opendir("/dev/fd");
    int count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 3; /* ".", ".." and the directory's own */
}

void close_fd(int fd)
{
    int rc = cora_close_fd(fd);

    assert_int_equal(rc, 0);
}

unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 131 + (i >> 12));
}

unsigned char *make_big(void)
{
    unsigned char *data = malloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        data[i] = byte_at(i);
    return data;
}

size_t read_all(int fd)
{
    static unsigned char buffer[100000];
    size_t total = 0;

    for (;;) {
        ssize_t got = cora_sock_recv(fd, buffer, sizeof buffer);
        int rc;

        assert_true(got >= 0);
        if (got == 0)
            return total;
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != byte_at(total + (size_t)i))
                fail_msg("byte %zu is wrong", total + (size_t)i);
        total += (size_t)got;
        rc = rest(2);
        assert_int_equal(rc, 0);
    }
}
