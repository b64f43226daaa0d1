/* Addresses of sockets: their text, and those of Unix sockets. */
#include "support/test.h"

#include <cora/address.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

enum { PATH_ROOM = sizeof((struct sockaddr_un *)NULL)->sun_path };

static cora_address of(const void *address, socklen_t length)
{
    cora_address result = {.length = length};

    memcpy(&result.storage, address, length);
    return result;
}

static void assert_text(const cora_address *address, const char *expected)
{
    char text[CORA_ADDRESS_TEXT_SIZE];

    assert_ptr_equal(cora_address_format(address, text, sizeof text), text);
    assert_string_equal(text, expected);
}

TEST(an_internet_address_is_host_and_port)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    cora_address address;

    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address = of(&four, sizeof four);
    assert_text(&address, "127.0.0.1:80");
    six.sin6_addr = in6addr_loopback;
    address = of(&six, sizeof six);
    assert_text(&address, "[::1]:65535");
    assert_int_equal(inet_pton(AF_INET6, "fe80::1", &six.sin6_addr), 1);
    six.sin6_scope_id = 2;
    address = of(&six, sizeof six);
    assert_text(&address, "[fe80::1%2]:65535");
}

TEST(the_longest_address_fits)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    cora_address address;
    char path[PATH_ROOM + 1], text[CORA_ADDRESS_TEXT_SIZE];

    memset(&six.sin6_addr, 0xff, sizeof six.sin6_addr);
    six.sin6_scope_id = UINT32_MAX;
    address = of(&six, sizeof six);
    assert_text(&address, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
    memset(path, 'a', sizeof path);
    path[PATH_ROOM] = '\0';
    path[0] = '@';
    assert_int_equal(cora_address_from_path(path, &address), 0);
    assert_string_equal(cora_address_format(&address, text, sizeof text), path);
}

TEST(a_text_that_does_not_fit_is_cut)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(80)};
    cora_address address = of(&four, sizeof four);
    char text[8];

    assert_string_equal(cora_address_format(&address, text, sizeof text), "0.0.0.0");
    assert_int_equal(cora_address_from_path("/run/socket", &address), 0);
    assert_string_equal(cora_address_format(&address, text, sizeof text), "/run/so");
    assert_string_equal(cora_address_format(&address, text, 1), "");
}

TEST(a_unix_socket_has_a_path_or_a_name_or_nothing)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "/run/socket"};
    cora_address address = of(&sun, sizeof sun);

    assert_text(&address, "/run/socket");
    address = of(&sun, offsetof(struct sockaddr_un, sun_path) + 4);
    assert_text(&address, "/run");
    address = of(&sun, sizeof(sa_family_t));
    assert_text(&address, "");
    memcpy(sun.sun_path, "\0na\0me", 6);
    address = of(&sun, offsetof(struct sockaddr_un, sun_path) + 6);
    assert_text(&address, "@na@me");
}

TEST(what_has_no_text_of_its_own_is_told_by_its_family)
{
    cora_address address = of(&(struct sockaddr){.sa_family = AF_NETLINK}, sizeof(struct sockaddr));

    assert_text(&address, "family 16");
}

TEST(a_path_and_an_abstract_name_become_addresses)
{
    cora_address address;
    struct sockaddr_un *sun = (struct sockaddr_un *)&address.storage;

    assert_int_equal(cora_address_from_path("./@a", &address), 0);
    assert_int_equal(sun->sun_family, AF_UNIX);
    assert_string_equal(sun->sun_path, "./@a");
    assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + sizeof "./@a");
    assert_int_equal(cora_address_from_path("@a", &address), 0);
    assert_memory_equal(sun->sun_path, "\0a", 3);
    assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + 2);
}

TEST(a_path_that_cannot_be_an_address_leaves_it_as_it_was)
{
    cora_address address = {.length = 77};
    char path[PATH_ROOM + 2];

    memset(path, '@', sizeof path);
    path[PATH_ROOM + 1] = '\0';
    assert_int_equal(cora_address_from_path(path, &address), -ENAMETOOLONG);
    path[0] = '/';
    path[PATH_ROOM] = '\0';
    assert_int_equal(cora_address_from_path(path, &address), -ENAMETOOLONG);
    assert_int_equal(cora_address_from_path("", &address), -EINVAL);
    assert_int_equal(cora_address_from_path(NULL, &address), -EINVAL);
    assert_int_equal(address.length, 77);
    path[PATH_ROOM - 1] = '\0';
    assert_int_equal(cora_address_from_path(path, &address), 0);
}
