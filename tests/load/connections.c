/*
 * Many connections on one loop: connections [COUNT [SECONDS]]
 *
 * So many clients (9,000) are connected to one echo server at once, each sends a line once a second
 * for so long (60) and must get it back. Server and clients are two processes, each with one loop.
 * Prints what an open connection takes of the server's memory, and how late an answer came at most.
 */
#include <cora.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int count = 9000, seconds = 60;

/* Bytes of this process that are in memory. */
static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (file != NULL && fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int allow_descriptors(void)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)count + 100;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    if (limit.rlim_cur >= needed)
        return 0;
    limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    return limit.rlim_cur >= needed ? 0 : -EMFILE;
}

/* ---- the server ---------------------------------------------------------------------------- */

struct server {
    int listener, end; /* the end of a pipe: closed when the clients have finished */
    int open, most;
    long before;
    double memory; /* bytes a connection, when all were there */
};

static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    struct server *server = arg;
    char *line;
    ssize_t size;
    int rc = 0;

    server->open++;
    while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
        if (server->open > server->most)
            server->most = server->open;
        if (server->open == count && server->memory == 0)
            server->memory = (double)(resident() - server->before) / count;
        rc = cora_stream_writer_write(writer, line, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    server->open--;
    return rc;
}

static int serve(void *arg)
{
    struct server *self = arg;
    cora_server_options options = {.backlog = 1000};
    cora_server *server;
    int rc = cora_start_server_sock(echo, self, self->listener, &options, &server);

    if (rc < 0)
        return rc;
    self->before = resident();
    rc = cora_wait_readable(self->end);
    cora_server_close(server);
    if (rc == 0)
        rc = cora_server_wait_closed(server);
    cora_server_unref(server);
    return rc;
}

static int run_server(int listener, int end)
{
    struct server server = {.listener = listener, .end = end};
    int rc = cora_run(serve, &server);

    printf("%d connections at once, %.0f bytes of the server's memory each\n", server.most,
           server.memory);
    if (rc == 0 && server.most < count)
        rc = -ECONNRESET;
    return rc;
}

/* ---- the clients --------------------------------------------------------------------------- */

struct clients {
    char port[8];
    int connected;
    cora_event all;
    double latest; /* seconds between a line and its answer */
};

struct client_args {
    struct clients *clients;
    int number;
};

static int ask(cora_stream_reader *reader, cora_stream_writer *writer, const char *question)
{
    char *answer;
    int rc = cora_stream_writer_write(writer, question, strlen(question));
    ssize_t size;

    if (rc < 0)
        return rc;
    size = cora_stream_reader_readline(reader, &answer);
    if (size < 0)
        return (int)size;
    return (size_t)size == strlen(question) && memcmp(answer, question, (size_t)size) == 0
               ? 0
               : -EPROTO;
}

static int ask_each_second(struct clients *clients, int number, cora_stream_reader *reader,
                           cora_stream_writer *writer)
{
    cora_loop *loop = cora_get_running_loop();
    int rc = cora_sleep((double)number / count); /* not all in the same moment */

    for (int i = 0; i < seconds && rc == 0; i++) {
        double asked = cora_loop_time(loop), took;
        char question[64];

        snprintf(question, sizeof question, "client %d asks for the %dth time\n", number, i);
        rc = ask(reader, writer, question);
        took = cora_loop_time(loop) - asked;
        if (took > clients->latest)
            clients->latest = took;
        if (rc == 0 && took < 1)
            rc = cora_sleep(1 - took);
    }
    return rc;
}

static int client(void *arg)
{
    struct client_args *a = arg;
    struct clients *clients = a->clients;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int rc = cora_open_connection("127.0.0.1", clients->port, NULL, &reader, &writer);

    if (rc < 0)
        return rc;
    if (++clients->connected == count)
        cora_event_set(&clients->all);
    rc = cora_event_wait(&clients->all);
    if (rc == 0)
        rc = ask_each_second(clients, a->number, reader, writer);
    cora_stream_writer_unref(writer);
    return rc;
}

static int run_all(void *arg)
{
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < count && rc == 0; i++)
        rc = cora_task_group_create_task(&group, client, .clients = arg, .number = i);
    return cora_task_group_exit(&group, rc);
}

static int run_clients(int port)
{
    struct clients clients = {.all = CORA_EVENT_INIT};
    int rc;

    snprintf(clients.port, sizeof clients.port, "%d", port);
    rc = cora_run(run_all, &clients);
    printf("%d connected; the latest answer came after %.1f ms\n", clients.connected,
           clients.latest * 1000);
    if (rc < 0)
        fprintf(stderr, "clients: %s\n", cora_strerror(rc));
    return rc;
}

/* ---- the program --------------------------------------------------------------------------- */

static int listen_on_loopback(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1000) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) < 0)
        return -errno;
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int main(int words, char *word[])
{
    int ends[2], port = 0, listener, status = 1, rc;
    pid_t child;

    if (words > 1)
        count = atoi(word[1]);
    if (words > 2)
        seconds = atoi(word[2]);
    rc = allow_descriptors();
    listener = rc < 0 ? rc : listen_on_loopback(&port);
    if (listener < 0 || pipe(ends) < 0) {
        fprintf(stderr, "connections: %s\n", cora_strerror(listener < 0 ? listener : errno));
        return 1;
    }
    child = fork();
    if (child == 0) {
        close(listener);
        close(ends[0]);
        rc = run_clients(port);
        fflush(stdout);
        _exit(rc < 0);
    }
    close(ends[1]);
    rc = run_server(listener, ends[0]);
    waitpid(child, &status, 0);
    if (rc < 0)
        fprintf(stderr, "server: %s\n", cora_strerror(rc));
    return rc < 0 || status != 0;
}
