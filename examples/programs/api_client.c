/*
 * api_client.c: a client of an HTTP API that fails now and then: retries, with growing pauses.
 *
 * What to notice: what may pass by itself is tried again (5xx, no answer in time, a lost
 * connection), what will not is an error at once (404). Each attempt has a time limit of its own,
 * which closes its connection by the usual way out. The pauses double, and are random within that,
 * so that many clients do not come back at the same moment. The server is part of the program, and
 * fails as its table says.
 */
#include <cora.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the server ---------------------------------------------------------------------------- */

enum { NO_ANSWER = 0, HANG_UP = 1 };

static struct endpoint {
    const char *path;
    int answers[3]; /* to the first request, the second, the third and all later ones */
    int requests;
} endpoints[] = {
    {"/good", {200, 200, 200}, 0},       {"/flaky", {503, 500, 200}, 0},
    {"/slow", {NO_ANSWER, 200, 200}, 0}, {"/lost", {HANG_UP, 200, 200}, 0},
    {"/missing", {404, 404, 404}, 0},    {"/down", {503, 503, 503}, 0},
};

static int next_answer(const char *path)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        struct endpoint *endpoint = &endpoints[i];

        if (strcmp(endpoint->path, path) == 0)
            return endpoint->answers[endpoint->requests < 2 ? endpoint->requests++ : 2];
    }
    return 404;
}

static int serve(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char line[64], path[32] = "", *head;
    ssize_t size = cora_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);

    (void)arg;
    if (size < 0)
        return (int)size;
    snprintf(line, sizeof line, "%.*s", (int)size, head);
    sscanf(line, "GET %31s", path);

    int status = next_answer(path);

    if (status == NO_ANSWER) {
        size = cora_stream_reader_read_until_eof(reader, &head); /* until the client gives up */
        return size < 0 ? (int)size : 0;
    }
    if (status == HANG_UP)
        return 0;
    return cora_stream_writer_printf(writer, "HTTP/1.1 %d -\r\nConnection: close\r\n\r\nthis is %s",
                                     status, path);
}

/* ---- the client ---------------------------------------------------------------------------- */

struct response {
    int status;
    char body[64];
};

static CORA_SUSPENDS int exchange(cora_stream_reader *reader, cora_stream_writer *writer,
                                  const char *path, struct response *response)
{
    char *text;
    ssize_t size;
    int rc = cora_stream_writer_printf(writer, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    if (rc == 0)
        rc = cora_stream_writer_drain(writer);
    if (rc < 0)
        return rc;
    size = cora_stream_reader_readuntil(reader, "\r\n\r\n", 4, &text);
    if (size < 0)
        return (int)size;
    if (size < 13 || memcmp(text, "HTTP/1.1 ", 9) != 0)
        return -EPROTO;
    response->status = (int)strtol(text + 9, NULL, 10);
    size = cora_stream_reader_read_until_eof(reader, &text);
    if (size < 0)
        return (int)size;
    snprintf(response->body, sizeof response->body, "%.*s", (int)size, text);
    return 0;
}

static CORA_SUSPENDS int get_once(const char *port, const char *path, struct response *response)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 2);
    rc = cora_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (rc == 0) {
        rc = exchange(reader, writer, path, response);
        cora_stream_writer_unref(writer);
    }
    return cora_timeout_exit(&timeout, rc);
}

/* What went wrong and may go better next time; NULL where it will not, or nothing did. */
static const char *passing_error(int rc, const struct response *response)
{
    if (rc == -ETIMEDOUT)
        return "no answer in time";
    if (rc == -CORA_EINCOMPLETEREAD || rc == -ECONNRESET || rc == -ECONNREFUSED)
        return "connection lost";
    return rc == 0 && response->status >= 500 ? "server error" : NULL;
}

static CORA_SUSPENDS int get(const char *port, const char *path, struct response *response)
{
    enum { ATTEMPTS = 4 };
    double pause = 0.01;

    for (int attempt = 1;; attempt++) {
        int rc = get_once(port, path, response);
        const char *error = passing_error(rc, response);

        if (error == NULL)
            return rc;
        printf("%s: attempt %d: %s\n", path, attempt, error);
        if (attempt == ATTEMPTS)
            return rc < 0 ? rc : -EAGAIN;
        rc = cora_sleep(pause * (0.5 + drand48() / 2));
        if (rc < 0)
            return rc;
        pause *= 2;
    }
}

static CORA_SUSPENDS int get_all(const char *port)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        const char *path = endpoints[i].path;
        struct response response = {.status = 0};
        int rc = get(port, path, &response);

        if (rc == -ECANCELED)
            return rc;
        if (rc < 0)
            printf("%s: given up\n", path);
        else
            printf("%s: %d, %s\n", path, response.status, response.body);
    }
    return 0;
}

static int serve_and_get(void *arg)
{
    cora_server *server;
    char port[12];
    int rc = cora_start_server(serve, arg, "127.0.0.1", "0", NULL, &server);

    if (rc < 0)
        return rc;
    rc = cora_server_port(server);
    if (rc > 0) {
        snprintf(port, sizeof port, "%d", rc);
        rc = get_all(port);
    }
    cora_server_close(server);
    if (rc == 0)
        rc = cora_server_wait_closed(server);
    cora_server_unref(server);
    return rc;
}

int main(void)
{
    int rc;

    srand48((long)getpid());
    rc = cora_run(serve_and_get, NULL);

    if (rc < 0)
        fprintf(stderr, "api_client: %s\n", cora_strerror(rc));
    return rc < 0;
}
