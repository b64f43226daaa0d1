/*
 * Clients of other people's servers: client KIND PORT [PATH]
 *
 *     http PORT PATH   gets a file and prints it
 *     redis PORT       puts a thousand values in, without waiting in between, and reads them back
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
    if (length < 0 || strncmp(line, "HTTP/1.1 200", 12) != 0)
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

/* ---- the program --------------------------------------------------------------------------- */

static int talk(void *arg)
{
    char **words = arg;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int rc = cora_open_connection("127.0.0.1", words[1], NULL, &reader, &writer);

    if (rc < 0)
        return rc;
    rc =
        strcmp(words[0], "http") == 0 ? get(reader, writer, words[2]) : set_and_get(reader, writer);
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
