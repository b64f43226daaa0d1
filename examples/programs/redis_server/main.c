/*
 * main.c: a small server that redis-cli and redis-benchmark talk to. Try it:
 * redis_server 7777,  and  redis-cli -p 7777
 *
 * What to notice: all clients share one store, and there is no lock, for commands do not suspend
 * (commands.c). A client may send many requests before it reads a reply: what has arrived is
 * answered together, by one write. What a client can make the server keep is limited: a request, by
 * the room for it; replies, since drain waits until he reads them. Without a port, clients play a
 * script, in the same program.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

/* ---- the server's end ---------------------------------------------------------------------- */

enum { MOST_UNSENT = 1 << 16 };

struct server {
    const char *port; /* to serve at; NULL: play the script */
    struct store store;
};

struct session {
    struct server *server;
    cora_stream_writer *writer;
    FILE *out; /* a stream into memory: what is to be sent is in `replies` */
    char *replies;
    size_t replies_size;
    struct request request;
    bool ends;
    size_t size; /* of what has come and was not answered yet */
    char input[MOST_BYTES];
};

static CORA_SUSPENDS int send_replies(struct session *s)
{
    int rc;

    if (fflush(s->out) != 0)
        return -ENOMEM;
    if (s->replies_size == 0)
        return 0;
    rc = cora_stream_writer_write(s->writer, s->replies, s->replies_size);
    rewind(s->out);
    return rc < 0 ? rc : cora_stream_writer_drain(s->writer);
}

static CORA_SUSPENDS int answer(struct session *s)
{
    size_t done = 0;
    int rc = 0;

    while (rc == 0 && !s->ends && done < s->size) {
        ssize_t taken = request_parse(&s->request, s->input + done, s->size - done);

        if (taken == 0 && s->size - done == sizeof s->input) {
            s->request.problem = "too big request";
            taken = -1;
        }
        if (taken == 0)
            break;
        if (taken > 0) {
            s->ends = commands_execute(&s->server->store, &s->request, s->out);
            done += (size_t)taken;
        } else {
            fprintf(s->out, "-ERR Protocol error: %s\r\n", s->request.problem);
            s->ends = true;
        }
        if (ftell(s->out) > MOST_UNSENT)
            rc = send_replies(s);
    }
    s->size -= done;
    memmove(s->input, s->input + done, s->size);
    return rc < 0 ? rc : send_replies(s);
}

static CORA_SUSPENDS int attend_to(struct session *s, cora_stream_reader *reader)
{
    ssize_t size = 0;

    s->out = open_memstream(&s->replies, &s->replies_size);
    if (s->out == NULL)
        return -ENOMEM;
    while (!s->ends && (size = cora_stream_reader_read(reader, s->input + s->size,
                                                       sizeof s->input - s->size)) > 0) {
        int rc;

        s->size += (size_t)size;
        rc = answer(s);
        if (rc < 0)
            return rc;
    }
    return (int)size;
}

static int attend(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    struct session *s = malloc(sizeof *s);
    int rc;

    if (s == NULL)
        return -ENOMEM;
    s->server = arg;
    s->writer = writer;
    s->replies = NULL;
    s->ends = false;
    s->size = 0;
    rc = attend_to(s, reader);
    if (s->out != NULL)
        fclose(s->out);
    free(s->replies);
    free(s);
    return rc == -ECANCELED || rc == -ENOMEM ? rc : 0; /* a broken connection is no fault of ours */
}

/* ---- the script ---------------------------------------------------------------------------- */

enum { WORDS = 7, CLIENTS = 5, TIMES = 20 };

static const char *const script[][WORDS] = {
    {"PING"},
    {"ECHO", "hello, world"},
    {"SET", "greeting", "hello"},
    {"GET", "greeting"},
    {"GET", "nothing"},
    {"SET", "greeting", "good evening", "NX"},
    {"INCR", "visits"},
    {"DECR", "visits"},
    {"INCR", "greeting"},
    {"SET", "most", "9223372036854775807"},
    {"INCR", "most"},
    {"RPUSH", "fruit", "apple", "pear", "plum"},
    {"LPUSH", "fruit", "quince"},
    {"LRANGE", "fruit", "0", "-1"},
    {"LRANGE", "fruit", "-2", "5"},
    {"LPOP", "fruit"},
    {"RPOP", "fruit"},
    {"GET", "fruit"},
    {"EXISTS", "fruit", "greeting", "nothing"},
    {"DEL", "fruit", "greeting", "nothing"},
    {"DBSIZE"},
    {"SET", "session", "abc", "EX", "soon"},
    {"SET", "session", "abc", "PX", "20"},
};

struct client {
    cora_stream_reader *reader;
    cora_stream_writer *writer;
};

static CORA_SUSPENDS int enter(struct client *client, int port)
{
    char text[12];

    snprintf(text, sizeof text, "%d", port);
    return cora_open_connection("127.0.0.1", text, NULL, &client->reader, &client->writer);
}

static int ask(struct client *client, const char *const words[])
{
    int count = 0, rc;

    while (count < WORDS && words[count] != NULL)
        count++;
    rc = cora_stream_writer_printf(client->writer, "*%d\r\n", count);
    for (int i = 0; i < count && rc == 0; i++)
        rc =
            cora_stream_writer_printf(client->writer, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    return rc;
}

/* The first line of a reply, without its end, on loan from the reader. */
static CORA_SUSPENDS int hear_line(struct client *client, char **ret)
{
    ssize_t size = cora_stream_reader_readline(client->reader, ret);

    if (size < 2)
        return size < 0 ? (int)size : -CORA_EINCOMPLETEREAD;
    (*ret)[size - 2] = '\0';
    return 0;
}

static CORA_SUSPENDS int hear(struct client *client)
{
    for (long left = 1; left > 0; left--) {
        char *line;
        int rc = hear_line(client, &line);

        if (rc == 0 && line[0] == '*')
            left += strtol(line + 1, NULL, 10);
        if (rc == 0 && line[0] == '$' && line[1] != '-')
            rc = hear_line(client, &line); /* ours have no lines inside */
        if (rc < 0)
            return rc;
        printf("    %s\n", line);
    }
    return 0;
}

static CORA_SUSPENDS int play(struct client *client)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof script / sizeof script[0] && rc == 0; i++) {
        for (int k = 0; k < WORDS && script[i][k] != NULL; k++)
            printf("%s%s", k == 0 ? "" : " ", script[i][k]);
        printf("\n");
        rc = ask(client, script[i]);
        if (rc == 0)
            rc = hear(client);
    }
    return rc;
}

/* Until the session has expired. */
static CORA_SUSPENDS int wait_until_gone(struct client *client)
{
    static const char *const exists[WORDS] = {"EXISTS", "session"};
    char *line;
    int rc;

    do {
        rc = cora_sleep(0.01);
        if (rc == 0)
            rc = ask(client, exists);
        if (rc == 0)
            rc = hear_line(client, &line);
    } while (rc == 0 && strcmp(line, ":1") == 0);
    if (rc == 0)
        printf("the session has expired\n");
    return rc;
}

struct count_args {
    int port;
};

/* Asks for all before it hears anything. */
static int count(void *arg)
{
    static const char *const incr[WORDS] = {"INCR", "hits"};
    struct client client = {0};
    int rc = enter(&client, ((struct count_args *)arg)->port);
    char *line;

    for (int i = 0; i < TIMES && rc == 0; i++)
        rc = ask(&client, incr);
    for (int i = 0; i < TIMES && rc == 0; i++)
        rc = hear_line(&client, &line);
    cora_stream_writer_unref(client.writer);
    return rc;
}

static CORA_SUSPENDS int count_together(struct client *client, int port)
{
    static const char *const get[WORDS] = {"GET", "hits"};
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < CLIENTS && rc == 0; i++)
        rc = cora_task_group_create_task(&group, count, .port = port);
    rc = cora_task_group_exit(&group, rc);
    if (rc == 0)
        rc = ask(client, get);
    printf("%d clients, each %d times: INCR hits\n", CLIENTS, TIMES);
    return rc < 0 ? rc : hear(client);
}

/* By hand, as with nc; and what is no request, after which the server has enough. */
static CORA_SUSPENDS int go_wrong(struct client *client)
{
    int rc = cora_stream_writer_printf(client->writer, "ping\r\n\r\nget\r\n*1\r\n!4\r\nPING\r\n");

    printf("ping, an empty line, get, and something else\n");
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = hear(client);
    return rc < 0 ? rc : hear(client);
}

static CORA_SUSPENDS int play_with(cora_server *server)
{
    struct client client = {0};
    int port = cora_server_port(server);
    int rc = port < 0 ? port : enter(&client, port);

    if (rc == 0)
        rc = play(&client);
    if (rc == 0)
        rc = wait_until_gone(&client);
    if (rc == 0)
        rc = count_together(&client, port);
    if (rc == 0)
        rc = go_wrong(&client);
    if (rc == -CORA_EINCOMPLETEREAD) {
        printf("    the server has hung up\n");
        rc = 0;
    }
    cora_stream_writer_unref(client.writer);
    cora_server_close(server);
    return rc < 0 ? rc : cora_server_wait_closed(server);
}

/* ---- the program --------------------------------------------------------------------------- */

static int serve(void *arg)
{
    struct server *s = arg;
    cora_server *server;
    int rc =
        cora_start_server(attend, s, "127.0.0.1", s->port == NULL ? "0" : s->port, NULL, &server);

    if (rc < 0)
        return rc;
    rc = s->port == NULL ? play_with(server) : cora_server_serve_forever(server);
    cora_server_unref(server);
    return rc;
}

int main(int argc, char *argv[])
{
    struct server server = {.port = argc > 1 ? argv[1] : NULL};
    int rc = cora_run(serve, &server);

    store_discard_all(&server.store); /* here, for no client is left */
    if (rc < 0 && rc != -EINTR)       /* Ctrl-C */
        fprintf(stderr, "redis_server: %s\n", cora_strerror(rc));
    return rc < 0 && rc != -EINTR;
}
