#include "support/server.h"

#include "support/socket.h"
#include "support/test.h"

#include <unistd.h>

cora_protocol *record_next(void *arg)
{
    struct lobby *lobby = arg;

    assert_true(lobby->count < MOST_GUESTS);
    return record(&lobby->guests[lobby->count++]);
}

static int made(const struct lobby *lobby)
{
    int count = 0;

    for (int i = 0; i < lobby->count; i++)
        count += lobby->guests[i].made;
    return count;
}

static int lost(const struct lobby *lobby)
{
    int count = 0;

    for (int i = 0; i < lobby->count; i++)
        count += lobby->guests[i].lost;
    return count;
}

void wait_arrivals(const struct lobby *lobby, int count)
{
    while (lobby->count < count)
        assert_int_equal(rest(1), 0);
}

void wait_guests(const struct lobby *lobby, int count)
{
    while (made(lobby) < count)
        assert_int_equal(rest(1), 0);
}

void wait_guests_lost(const struct lobby *lobby, int count)
{
    while (lost(lobby) < count)
        assert_int_equal(rest(1), 0);
}

cora_server *serve_lobby(struct lobby *lobby, const cora_server_options *options)
{
    cora_server *server = NULL;
    int rc = cora_create_server(record_next, lobby, "127.0.0.1", "0", options, &server);

    assert_int_equal(rc, 0);
    return server;
}

cora_address server_address(const cora_server *server)
{
    cora_address address = {.length = sizeof address.storage};
    int fd, rc;

    assert_true(cora_server_sockets(server, &fd, 1) > 0);
    rc = getsockname(fd, (struct sockaddr *)&address.storage, &address.length);
    assert_int_equal(rc, 0);
    return address;
}

int connect_server(const cora_server *server)
{
    cora_address address = server_address(server);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc;

    assert_true(fd >= 0);
    rc = connect(fd, (struct sockaddr *)&address.storage, address.length);
    assert_int_equal(rc, 0);
    return fd;
}

static char folder[] = "/tmp/cora-server-XXXXXX";
static char path[sizeof folder + 8];

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

const char *socket_path(void)
{
    if (path[0] == '\0') {
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/socket", folder);
        atexit(remove_folder);
    }
    return path;
}
