/*
 * Peers that misbehave: chaos SECONDS [SEED]
 *
 * For so long, streams of ours talk to bare sockets that send, stall, half-close, truncate and
 * reset at random points, on both sides of a connection, and use every call at random themselves.
 * Each call ends, with data or with an error; at the end no descriptor and no task is left. That no
 * memory is lost is for a build with a sanitizer to say. Prints what happened, and the seed.
 */
#include "support/tls.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ENCOUNTERS = 40, /* at a time */
    STEPS = 12,      /* of each side, at most */
    MOST = 300000,   /* bytes at a time */
};

static unsigned long counts[2]; /* calls of ours that ended with data, and with an error */
static unsigned long encounters, reports;
static unsigned long handshakes[3]; /* of ours: none was needed, complete, failed */

static cora_ssl_context *clients; /* of our clients */

static int below(int limit)
{
    return (int)(random() % limit);
}

static bool one_in(int n)
{
    return below(n) == 0;
}

/* ---- ours ---------------------------------------------------------------------------------- */

static const char text[] = "a word, and another; a line\nand so on\r\n";

static ssize_t read_somehow(cora_stream_reader *reader)
{
    static const cora_separator separators[] = {{"; ", 2}, {"\r\n", 2}, {"word", 4}};
    char buffer[5000], *data;

    switch (below(6)) {
    case 0:
        return cora_stream_reader_readline(reader, &data);
    case 1:
        return cora_stream_reader_readexactly(reader, buffer, (size_t)below(sizeof buffer));
    case 2:
        return cora_stream_reader_readuntil(reader, ", ", 2, &data);
    case 3:
        return cora_stream_reader_readuntil_any(reader, separators, 3, &data);
    case 4:
        return one_in(4) ? cora_stream_reader_read_until_eof(reader, &data) : 0;
    default:
        return cora_stream_reader_read(reader, buffer, sizeof buffer);
    }
}

static ssize_t write_somehow(cora_stream_writer *writer)
{
    static char much[MOST];
    struct iovec parts[3] = {{(char *)text, sizeof text - 1}, {much, 100}, {much, 1}};

    switch (below(6)) {
    case 0:
        return cora_stream_writer_write(writer, much, (size_t)below(MOST));
    case 1:
        return cora_stream_writer_writelines(writer, parts, 3);
    case 2:
        return cora_stream_writer_write_eof(writer);
    case 3:
        return cora_stream_writer_drain(writer);
    default:
        return cora_stream_writer_write(writer, text, sizeof text - 1);
    }
}

static ssize_t act(cora_stream_reader *reader, cora_stream_writer *writer)
{
    cora_timeout timeout;
    ssize_t rc;

    cora_timeout_enter(&timeout, 0.001 * below(60));
    rc = one_in(2) ? read_somehow(reader) : write_somehow(writer);
    rc = cora_timeout_exit(&timeout, (int)rc);
    counts[rc < 0]++;
    return rc;
}

/* What it ends with is not its server's affair. */
static int behave(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    ssize_t rc = 0;

    (void)arg;
    for (int i = below(STEPS); i > 0 && (rc >= 0 || one_in(2)); i--)
        rc = act(reader, writer);
    if (one_in(4))
        cora_transport_abort(cora_stream_writer_get_transport(writer));
    else if (one_in(2))
        cora_stream_writer_close(writer);
    if (one_in(3)) {
        cora_timeout timeout;

        cora_timeout_enter(&timeout, 0.05);
        rc = cora_timeout_exit(&timeout, cora_stream_writer_wait_closed(writer));
        counts[rc < 0]++;
    }
    return 0;
}

/* ---- theirs -------------------------------------------------------------------------------- */

static void reset(int fd)
{
    struct linger none = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static int misbehave_once(int fd)
{
    static char buffer[MOST];
    cora_timeout timeout;
    ssize_t rc;

    cora_timeout_enter(&timeout, 0.001 * below(40));
    switch (below(6)) {
    case 0:
        rc = cora_sock_recv(fd, buffer, (size_t)below(MOST) + 1);
        break;
    case 1:
        rc = cora_sock_sendall(fd, buffer, (size_t)below(one_in(4) ? MOST : 100), NULL);
        break;
    case 2:
        rc = cora_sock_sendall(fd, text, (size_t)below(sizeof text), NULL);
        break;
    case 3:
        rc = shutdown(fd, one_in(2) ? SHUT_WR : SHUT_RD);
        break;
    case 4:
        rc = cora_sleep(0.001 * below(20));
        break;
    default:
        rc = cora_sock_sendall(fd, text, sizeof text - 1, NULL);
    }
    return cora_timeout_exit(&timeout, rc < 0 ? (int)rc : 0);
}

static int misbehave(int fd)
{
    int rc = 0;

    for (int i = below(STEPS); i > 0; i--)
        rc = misbehave_once(fd);
    if (one_in(2))
        reset(fd);
    cora_close_fd(fd);
    return rc == -ECANCELED ? rc : 0;
}

/* ---- encounters ---------------------------------------------------------------------------- */

struct scene {
    struct sockaddr_in ours, ours_by_tls, theirs; /* where each listens */
    int listener;                                 /* theirs */
    double end;
};

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = cora_sock_connect(fd, (const struct sockaddr *)address, sizeof *address);

    if (rc == 0)
        return fd;
    cora_close_fd(fd);
    return rc;
}

/* Bytes from one to the other: mostly all of them, mostly as they are. */
struct forwarder_args {
    int from, to;
};

static int forwarder(void *arg)
{
    struct forwarder_args *a = arg;
    char buffer[16384];
    ssize_t size;
    int rc = 0;

    while (rc == 0 && (size = cora_sock_recv(a->from, buffer, sizeof buffer)) > 0) {
        if (one_in(30))
            size = below((int)size);
        if (one_in(30))
            buffer[below(sizeof buffer)] ^= 1;
        if (one_in(10))
            rc = cora_sleep(0.001 * below(20));
        if (rc == 0)
            rc = one_in(40) ? -ECONNABORTED : cora_sock_sendall(a->to, buffer, (size_t)size, NULL);
    }
    shutdown(a->to, SHUT_WR);
    return rc;
}

/* The one in the middle. */
static int meddle(int near, int far)
{
    cora_timeout timeout;
    cora_task_group group;
    int rc;

    cora_timeout_enter(&timeout, 0.001 * below(400));
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, forwarder, .from = near, .to = far);
    if (rc == 0)
        rc = cora_task_group_create_task(&group, forwarder, .from = far, .to = near);
    rc = cora_task_group_exit(&group, rc);
    rc = cora_timeout_exit(&timeout, rc);
    if (one_in(2))
        reset(near);
    if (one_in(2))
        reset(far);
    return rc == -ECANCELED ? rc : 0;
}

struct vandal_args {
    struct scene *scene;
    const struct sockaddr_in *target; /* NULL: it misbehaves by itself */
};

static int vandal(void *arg)
{
    struct vandal_args *a = arg;
    int fd = cora_sock_accept(a->scene->listener, NULL, NULL), far, rc;

    if (fd < 0 || a->target == NULL)
        return fd < 0 ? fd : misbehave(fd);
    far = connect_to(a->target);
    rc = far < 0 ? far : meddle(fd, far);
    if (far >= 0)
        cora_close_fd(far);
    cora_close_fd(fd);
    return rc;
}

static int their_client(const struct scene *scene)
{
    int fd = connect_to(one_in(4) ? &scene->ours_by_tls : &scene->ours);

    return fd < 0 ? fd : misbehave(fd);
}

/* With a bare socket of theirs, or past them with a server of ours. */
static int our_client(struct scene *scene)
{
    cora_ssl_options ssl = {.context = one_in(4) ? clients : NULL,
                            .server_hostname = "",
                            .ssl_handshake_timeout = 0.05 + 0.001 * below(300),
                            .ssl_shutdown_timeout = 0.001 * below(100) + 0.001};
    cora_connection_options options = {.ssl = ssl.context != NULL ? &ssl : NULL};
    const struct sockaddr_in *target = one_in(3)             ? NULL
                                       : ssl.context != NULL ? &scene->ours_by_tls
                                                             : &scene->ours;
    cora_task *task = cora_create_task(vandal, .scene = scene, .target = target);
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    char port[8];
    int rc;

    snprintf(port, sizeof port, "%d", ntohs(scene->theirs.sin_port));
    rc = cora_open_connection("127.0.0.1", port, &options, &reader, &writer);
    if (rc == 0) {
        rc = behave(reader, writer, NULL);
        cora_stream_writer_unref(writer);
    } else {
        cora_task_cancel(task);
    }
    handshakes[ssl.context == NULL ? 0 : rc == 0 ? 1 : 2]++;
    (void)!cora_await_unref(task); /* whatever became of it */
    return ssl.context != NULL && rc != -ECANCELED ? 0 : rc;
}

/* Meets others until the time is over. */
static int meet(void *arg)
{
    struct scene *scene = arg;
    cora_loop *loop = cora_get_running_loop();
    int rc = 0;

    while (rc == 0 && cora_loop_time(loop) < scene->end) {
        cora_timeout timeout;

        encounters++;
        cora_timeout_enter(&timeout, 20.0); /* nothing waits that long: it hangs */
        rc = cora_timeout_exit(&timeout, one_in(2) ? our_client(scene) : their_client(scene));
        if (rc == -ECONNRESET || rc == -EPIPE) /* before connect had returned */
            rc = 0;
    }
    return rc;
}

static int listen_for(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    if (bind(fd, (struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 1000) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &(socklen_t){sizeof *address}) < 0)
        return -errno;
    return fd;
}

static int run_scene(struct scene *scene)
{
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < ENCOUNTERS && rc == 0; i++)
        rc = cora_task_group_create_task_arg(&group, meet, scene);
    return cora_task_group_exit(&group, rc);
}

/* As of those who go on writing to a connection that is lost. */
static void count_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)context, (void)arg;
    reports++;
}

static int serve(struct sockaddr_in *address, const cora_ssl_options *ssl, cora_server **ret)
{
    const cora_server_options options = {.ssl = ssl};
    int fd = listen_for(address);

    return fd < 0 ? fd : cora_start_server_sock(behave, NULL, fd, &options, ret);
}

static int end_server(cora_server *server)
{
    int rc;

    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    cora_server_unref(server);
    return rc;
}

static int chaos(void *arg)
{
    struct scene scene = {.end = cora_loop_time(cora_get_running_loop()) + *(double *)arg};
    cora_ssl_context *for_clients = tls_server();
    cora_ssl_options ssl = {
        .context = for_clients, .ssl_handshake_timeout = 0.2, .ssl_shutdown_timeout = 0.05};
    cora_server *server = NULL, *tls = NULL;
    int rc;

    clients = tls_trusting_client();
    cora_loop_set_exception_handler(cora_get_running_loop(), count_report, NULL);
    scene.listener = listen_for(&scene.theirs);
    if (scene.listener < 0)
        return scene.listener;
    rc = serve(&scene.ours, NULL, &server);
    if (rc == 0)
        rc = serve(&scene.ours_by_tls, &ssl, &tls);
    if (rc < 0)
        return rc;
    rc = run_scene(&scene);
    cora_close_fd(scene.listener);
    if (rc == 0)
        rc = end_server(server);
    if (rc == 0)
        rc = end_server(tls);
    cora_ssl_context_unref(for_clients);
    cora_ssl_context_unref(clients);
    if (rc == 0 && cora_all_tasks(NULL, NULL, 0) != 1)
        rc = -EBUSY;
    return rc;
}

/* ---- the program --------------------------------------------------------------------------- */

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (directory == NULL)
        return -1;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

int main(int count, char *words[])
{
    double seconds = count > 1 ? strtod(words[1], NULL) : 1;
    unsigned seed = count > 2 ? (unsigned)strtoul(words[2], NULL, 10) : (unsigned)time(NULL);
    int before = open_descriptors(), rc;

    srandom(seed);
    rc = cora_run(chaos, &seconds);
    printf(
        "%lu encounters, %lu calls that succeeded, %lu that failed, %lu handshakes (%lu failed), "
        "%lu reports; seed %u\n",
        encounters, counts[0], counts[1], handshakes[1], handshakes[2], reports, seed);
    if (rc < 0)
        fprintf(stderr, "chaos: %s\n", cora_strerror(rc));
    if (open_descriptors() != before)
        fprintf(stderr, "chaos: %d descriptors were left open\n", open_descriptors() - before);
    return rc < 0 || open_descriptors() != before;
}
