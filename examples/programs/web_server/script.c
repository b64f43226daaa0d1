/*
 * script.c: the client keeps its connection for as long as the server does.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- the folder ---------------------------------------------------------------------------- */

enum { DIGITS = 300000 };

static const struct {
    const char *name, *text; /* NULL: many digits */
} files[] = {
    {"site/index.html", "<h1>Hello</h1>\n"},  {"site/style.css", "h1 { color: teal }\n"},
    {"site/notes/read me.txt", "quite so\n"}, {"site/digits.bin", NULL},
    {"secret.txt", "not for you\n"},
};

struct path {
    char text[128];
};

static struct path path_of(const struct script_folder *folder, const char *name)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%s/%s", folder->top, name);
    return path;
}

static int make_file(struct path path, const char *text)
{
    FILE *file = fopen(path.text, "wx");

    if (file == NULL)
        return -errno;
    if (text != NULL)
        fputs(text, file);
    for (int i = 0; i < DIGITS && text == NULL; i++)
        putc('0' + i % 10, file);
    return fclose(file) < 0 ? -errno : 0;
}

static int fill_folder(const struct script_folder *folder)
{
    int rc = 0;

    if (mkdir(folder->site, 0700) < 0 || mkdir(path_of(folder, "site/notes").text, 0700) < 0 ||
        symlink("../secret.txt", path_of(folder, "site/link.txt").text) < 0 ||
        symlink("..", path_of(folder, "site/up").text) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == 0; i++)
        rc = make_file(path_of(folder, files[i].name), files[i].text);
    return rc;
}

int script_make_folder(struct script_folder *folder)
{
    int rc;

    snprintf(folder->top, sizeof folder->top, "/tmp/web_server-XXXXXX");
    if (mkdtemp(folder->top) == NULL)
        return -errno;
    snprintf(folder->site, sizeof folder->site, "%s/site", folder->top);
    rc = fill_folder(folder);
    if (rc < 0)
        script_remove_folder(folder);
    return rc;
}

void script_remove_folder(const struct script_folder *folder)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(path_of(folder, files[i].name).text);
    unlink(path_of(folder, "site/link.txt").text);
    unlink(path_of(folder, "site/up").text);
    rmdir(path_of(folder, "site/notes").text);
    rmdir(folder->site);
    rmdir(folder->top);
}

/* ---- the client ---------------------------------------------------------------------------- */

static const struct step {
    const char *says, *adds; /* the first line, and one of the headers */
    int padding;             /* so long is another one */
} script[] = {
    {"GET / HTTP/1.1", "", 0},
    {"HEAD /style.css HTTP/1.1", "", 0},
    {"GET /notes/read%20me.txt?now HTTP/1.1", "", 0},
    {"GET /digits.bin HTTP/1.1", "", 0},
    {"GET /nothing HTTP/1.1", "", 0},
    {"GET /notes HTTP/1.1", "", 0},
    {"GET /../secret.txt HTTP/1.1", "", 0},
    {"GET /notes/%2e%2E%2f../secret.txt HTTP/1.1", "", 0},
    {"GET /link.txt HTTP/1.1", "", 0},
    {"GET /up/secret.txt HTTP/1.1", "", 0},
    {"GET /%zz HTTP/1.1", "", 0},
    {"DELETE /style.css HTTP/1.1", "", 0},
    {"POST / HTTP/1.1", "Content-Length: 5\r\n", 0},
    {"GET / HTTP/1.0", "", 0},
    {"GET / HTTP/1.1", "Connection: close\r\n", 0},
    {"GET me something", "", 0},
    {"GET / HTTP/1.1", "", 9000},
};

struct client {
    cora_stream_reader *reader;
    cora_stream_writer *writer; /* NULL: it has none */
};

static void leave(struct client *client)
{
    cora_stream_writer_unref(client->writer);
    client->writer = NULL;
}

static CORA_SUSPENDS int ask(struct client *client, int port, const struct step *step)
{
    char text[12];
    int rc = 0;

    printf("%s\n", step->says);
    snprintf(text, sizeof text, "%d", port);
    if (client->writer == NULL)
        rc = cora_open_connection("127.0.0.1", text, NULL, &client->reader, &client->writer);
    if (rc == 0)
        rc = cora_stream_writer_printf(client->writer, "%s\r\nHost: localhost\r\n%s", step->says,
                                       step->adds);
    if (rc == 0 && step->padding > 0)
        rc = cora_stream_writer_printf(client->writer, "Padding: %0*d\r\n", step->padding, 0);
    return rc < 0 ? rc : cora_stream_writer_printf(client->writer, "\r\n");
}

static CORA_SUSPENDS int hear_body(struct client *client, long size)
{
    char *body = malloc((size_t)size + 1);
    int rc =
        body == NULL ? -ENOMEM : cora_stream_reader_readexactly(client->reader, body, (size_t)size);

    if (rc == 0 && size < 100)
        printf("    | %.*s", (int)size, body);
    else if (rc == 0)
        printf("    | %ld bytes, the last one %c\n", size, body[size - 1]);
    free(body);
    return rc;
}

static CORA_SUSPENDS int hear(struct client *client, bool only_head)
{
    bool closes = false;
    long size = 0;
    char *line;
    ssize_t length;
    int rc;

    while ((length = cora_stream_reader_readline(client->reader, &line)) > 2) {
        line[length - 2] = '\0';
        printf("    %s\n", line);
        if (strncasecmp(line, "Content-Length: ", 16) == 0)
            size = strtol(line + 16, NULL, 10);
        closes = closes || strcasecmp(line, "Connection: close") == 0;
    }
    if (length <= 0)
        return length < 0 ? (int)length : -CORA_EINCOMPLETEREAD;
    rc = only_head ? 0 : hear_body(client, size);
    if (closes)
        leave(client);
    return rc;
}

/* Says half of something, and no more. */
static CORA_SUSPENDS int dawdle(struct client *client, int port)
{
    char text[12];
    int rc;

    printf("GET / HT\n");
    snprintf(text, sizeof text, "%d", port);
    rc = cora_open_connection("127.0.0.1", text, NULL, &client->reader, &client->writer);
    if (rc == 0)
        rc = cora_stream_writer_printf(client->writer, "GET / HT");
    return rc < 0 ? rc : hear(client, false);
}

int script_play(struct site *site, int port)
{
    struct client client = {.writer = NULL};
    int rc = 0;

    for (size_t i = 0; i < sizeof script / sizeof script[0] && rc == 0; i++) {
        rc = ask(&client, port, &script[i]);
        if (rc == 0)
            rc = hear(&client, strncmp(script[i].says, "HEAD", 4) == 0);
    }
    site->patience = 0.05;
    if (rc == 0)
        rc = dawdle(&client, port);
    leave(&client);
    return rc;
}
