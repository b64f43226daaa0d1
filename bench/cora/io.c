/* An echo server; it ends when it is killed. */
#include "bench.h"

struct echo_args {
    int fd;
};

static int echo(void *arg)
{
    struct echo_args *a = arg;
    char *buffer = malloc(ECHO_BUFFER);
    ssize_t size = buffer != NULL ? 0 : -ENOMEM;
    int rc = 0;

    while (rc == 0 && size >= 0 && (size = cora_sock_recv(a->fd, buffer, ECHO_BUFFER)) > 0)
        rc = cora_sock_sendall(a->fd, buffer, (size_t)size, NULL);
    free(buffer);
    cora_close_fd(a->fd);
    return 0; /* how a connection ends is the client's affair */
}

int echo_server_main(void *nothing)
{
    int listener = listen_on_loopback(), fd;

    (void)nothing;
    report_port(listener);
    while ((fd = cora_sock_accept(listener, NULL, NULL)) >= 0)
        cora_task_unref(cora_create_task(echo, .fd = fd));
    return fd;
}
