/*
 * Clients of other people's servers:
 *
 *     client http PORT PATH [CA]  gets a file and prints it; over TLS if a file is named that
 * trusts the server client echo PORT CA         sends more than sockets hold, over TLS, and has it
 * back client redis PORT           puts a thousand values in, without waiting in between, and reads
 * them back
 */
#include <cora.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- HTTP ---------------------------------------------------------------------------------- */

static int get(cora_stream_reader *reader, cora_stream_writer *writer, const char *path)
{
    char request[256], *line, *body;
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    int rc = cora_stream_writer_write(writer, request, (size_t)size);
    ssize_t length;

    if (rc < 0)
        return rc;
    length = cora_stream_reader_readline(reader, &line);
    if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || strncmp(line + 8, " 200", 4) != 0)
        return length < 0 ? (int)length : -EPROTO;
    while ((length = cora_stream_reader_readline(reader, &line)) > 2)
        continue;
    length = length < 0 ? length : cora_stream_reader_read_until_eof(reader, &body);
    if (length < 0)
        return (int)length;
    fwrite(body, 1, (size_t)length, stdout);
    return 0;
}

/* ---- redis --------------------------------------------------------------------------------- */

enum { VALUES = 1000 };

static int expect(cora_stream_reader *reader, const char *expected)
{
    char *line;
    ssize_t size = cora_stream_reader_readuntil(reader, "\r\n", 2, &line);

    if (size < 0)
        return (int)size;
    return (size_t)size == strlen(expected) && memcmp(line, expected, (size_t)size) == 0 ? 0
                                                                                         : -EPROTO;
}

static int set_and_get(cora_stream_reader *reader, cora_stream_writer *writer)
{
    char text[128];
    int rc = 0;

    for (int i = 0; i < VALUES && rc == 0; i++) {
        int size = snprintf(text, sizeof text, "SET key:%d value:%04d\r\nGET key:%d\r\n", i, i, i);

        rc = cora_stream_writer_write(writer, text, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    for (int i = 0; i < VALUES && rc == 0; i++) {
        snprintf(text, sizeof text, "value:%04d\r\n", i);
        rc = expect(reader, "+OK\r\n");
        if (rc == 0)
            rc = expect(reader, "$10\r\n");
        if (rc == 0)
            rc = expect(reader, text);
    }
    if (rc == 0)
        printf("%d values\n", VALUES);
    return rc;
}

/* ---- echo ---------------------------------------------------------------------------------- */

enum { BULK = 4 << 20, PIECE = 16 << 10 };

static int send_bulk(void *arg)
{
    char data[PIECE];
    int rc = 0;

    for (int i = 0; i < BULK / PIECE && rc == 0; i++) {
        memset(data, i, sizeof data);
        rc = cora_stream_writer_write(arg, data, sizeof data);
        if (rc == 0)
            rc = cora_stream_writer_drain(arg);
    }
    return rc;
}

static int receive_bulk(cora_stream_reader *reader)
{
    char data[PIECE];
    int rc = 0;

    for (int i = 0; i < BULK / PIECE && rc == 0; i++) {
        rc = cora_stream_reader_readexactly(reader, data, sizeof data);
        for (size_t j = 0; j < sizeof data && rc == 0; j++)
            rc = data[j] == (char)i ? 0 : -EILSEQ;
    }
    return rc;
}

static int exchange_bulk(cora_stream_reader *reader, cora_stream_writer *writer)
{
    cora_task *sender = cora_create_task_arg(send_bulk, writer);
    int rc = receive_bulk(reader), sent;

    if (rc < 0)
        cora_task_cancel(sender);
    sent = cora_await_unref(sender);
    return rc < 0 ? rc : sent;
}

/* ---- the program --------------------------------------------------------------------------- */

static int talk_to(char **words, cora_stream_reader *reader, cora_stream_writer *writer)
{
    if (strcmp(words[0], "http") == 0)
        return get(reader, writer, words[2]);
    if (strcmp(words[0], "echo") == 0)
        return exchange_bulk(reader, writer);
    return set_and_get(reader, writer);
}

/* The file that trusts the server, or NULL. */
static const char *authority(char **words)
{
    if (strcmp(words[0], "http") == 0)
        return words[3];
    return strcmp(words[0], "echo") == 0 ? words[2] : NULL;
}

static int open_connection(char **words, cora_stream_reader **ret_reader,
                           cora_stream_writer **ret_writer)
{
    const char *ca = authority(words);
    cora_ssl_failure failure = {.text = ""};
    cora_ssl_options ssl = {.server_hostname = "localhost", .failure = &failure};
    cora_connection_options options = {.ssl = ca != NULL ? &ssl : NULL};
    int rc = 0;

    if (ca != NULL)
        rc = cora_ssl_create_default_context(&ssl.context, CORA_SSL_SERVER_AUTH, ca);
    if (rc == 0)
        rc = cora_open_connection("127.0.0.1", words[1], &options, ret_reader, ret_writer);
    if (rc < 0 && failure.text[0] != '\0')
        fprintf(stderr, "%s\n", failure.text);
    cora_ssl_context_unref(ssl.context);
    return rc;
}

static int talk(void *arg)
{
    cora_stream_reader *reader = NULL;
    cora_stream_writer *writer = NULL;
    int rc = open_connection(arg, &reader, &writer);

    if (rc < 0)
        return rc;
    rc = talk_to(arg, reader, writer);
    cora_stream_writer_close(writer);
    if (rc == 0)
        rc = cora_stream_writer_wait_closed(writer);
    cora_stream_writer_unref(writer);
    return rc;
}

int main(int count, char *words[])
{
    int rc = count > 2 ? cora_run(talk, words + 1) : -EINVAL;

    if (rc < 0)
        fprintf(stderr, "%s\n", cora_strerror(rc));
    return rc < 0;
}
