/*
 * web_crawler.c: all pages of a site, found by following its links.
 *
 * What to notice: the pages are fetched breadth first, one distance from the start after the other.
 * Each page of a distance has a task, a semaphore lets only three at a time speak to the server,
 * and each task writes to the page that is its own: so what is printed is the same however long
 * each takes. New pages are added only when the group has ended: until then the tasks have pointers
 * into the array. The site is part of the program.
 *
 * Here only as much of HTTP and HTML is understood as this site speaks. A real client uses a parser
 * for each: header names in any case, chunked bodies, redirects, entities and relative links are
 * but the beginning.
 */
#include <cora.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PAGES = 16, MOST_BYTES = 256, FETCHES = 3 };

/* ---- the site ------------------------------------------------------------------------------ */

static const struct {
    const char *path, *body;
} site[] = {
    {"/", "<a href=\"/books\">Books</a> <a href=\"/music\">Music</a> <a href=\"/about\">About</a>"},
    {"/books", "<a href=\"/books/1\">One</a> <a href=\"/books/2\">Two</a> <a href=\"/\">Home</a>"},
    {"/music", "<a href=\"/music/1\">One</a> <a href=\"/books/2\">Its book</a>"},
    {"/about", "Write to us! <a href=\"https://example.org/\">Friends</a>"},
    {"/books/1", "Once upon a time. <a href=\"/books/2\">Sequel</a>"},
    {"/books/2", "And then? <a href=\"/books/3\">Sequel</a>"},
    {"/music/1", "La, la, la. <a href=\"/\">Home</a>"},
};

static const char *find_body(const char *path)
{
    for (size_t i = 0; i < sizeof site / sizeof site[0]; i++)
        if (strcmp(site[i].path, path) == 0)
            return site[i].body;
    return NULL;
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

    const char *body = find_body(path);
    const char *status = body != NULL ? "200 OK" : "404 Not Found";

    body = body != NULL ? body : "";
    return cora_stream_writer_printf(
        writer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
        strlen(body), body);
}

/* ---- the crawler --------------------------------------------------------------------------- */

struct page {
    char path[32];
    int status;
    char body[MOST_BYTES + 1];
};

struct crawler {
    const char *port;
    struct page pages[MOST_PAGES]; /* in the order in which they were found */
    int count;
    cora_semaphore fetches;
    int fetching, most;
};

static CORA_SUSPENDS int exchange(cora_stream_reader *reader, cora_stream_writer *writer,
                                  struct page *page)
{
    static const char length_is[] = "\r\nContent-Length: ";
    char *head;
    ssize_t size;
    int rc = cora_stream_writer_printf(
        writer, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", page->path);

    if (rc == 0)
        rc = cora_stream_writer_drain(writer);
    if (rc < 0)
        return rc;
    size = cora_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);
    if (size < 0)
        return (int)size;
    head[size - 1] = '\0';

    const char *length = strstr(head, length_is);

    if (strncmp(head, "HTTP/1.1 ", 9) != 0 || length == NULL)
        return -EPROTO;
    page->status = (int)strtol(head + 9, NULL, 10);

    unsigned long bytes = strtoul(length + strlen(length_is), NULL, 10);

    return bytes > MOST_BYTES ? -EMSGSIZE
                              : cora_stream_reader_readexactly(reader, page->body, bytes);
}

static CORA_SUSPENDS int get(const char *port, struct page *page)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int rc = cora_open_connection("127.0.0.1", port, NULL, &reader, &writer);

    if (rc < 0)
        return rc;
    rc = exchange(reader, writer, page);
    cora_stream_writer_unref(writer);
    return rc;
}

struct fetch_args {
    struct crawler *crawler;
    struct page *page;
};

static int fetch(void *arg)
{
    const struct fetch_args *a = arg;
    struct crawler *crawler = a->crawler;
    int rc = cora_semaphore_acquire(&crawler->fetches);

    if (rc < 0)
        return rc;
    crawler->fetching++;
    if (crawler->fetching > crawler->most)
        crawler->most = crawler->fetching;
    rc = get(crawler->port, a->page);
    crawler->fetching--;
    cora_semaphore_release(&crawler->fetches);
    return rc;
}

/* Remembers the page, if it is new and there is room. */
static void add_page(struct crawler *crawler, const char *path, size_t length)
{
    struct page *page = &crawler->pages[crawler->count];

    if (crawler->count == MOST_PAGES || length >= sizeof page->path)
        return;
    for (int i = 0; i < crawler->count; i++)
        if (strlen(crawler->pages[i].path) == length &&
            memcmp(crawler->pages[i].path, path, length) == 0)
            return;
    memcpy(page->path, path, length);
    crawler->count++;
}

/* Adds the pages that this one leads to, as far as they are of this site. */
static void follow_links(struct crawler *crawler, const struct page *page)
{
    static const char link[] = "href=\"";
    const char *at = page->body;
    int links = 0;

    while ((at = strstr(at, link)) != NULL) {
        at += strlen(link);
        links++;
        if (*at == '/')
            add_page(crawler, at, strcspn(at, "\""));
    }
    printf("  %d %s: links: %d\n", page->status, page->path, links);
}

static CORA_SUSPENDS int fetch_pages(struct crawler *crawler, int from, int to)
{
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = from; i < to && rc == 0; i++)
        rc = cora_task_group_create_task(&group, fetch, .crawler = crawler,
                                         .page = &crawler->pages[i]);
    return cora_task_group_exit(&group, rc);
}

static CORA_SUSPENDS int crawl(const char *port)
{
    struct crawler crawler = {.port = port, .fetches = CORA_SEMAPHORE_INIT(FETCHES)};
    int rc = 0;

    add_page(&crawler, "/", 1);
    for (int from = 0, distance = 0; from < crawler.count && rc == 0; distance++) {
        int to = crawler.count;

        printf("distance %d:\n", distance);
        rc = fetch_pages(&crawler, from, to);
        for (; from < to && rc == 0; from++)
            follow_links(&crawler, &crawler.pages[from]);
    }
    if (rc == 0)
        printf("%d pages, never more than %d at a time\n", crawler.count, crawler.most);
    return rc;
}

static int serve_and_crawl(void *arg)
{
    cora_server *server;
    char port[12];
    int rc = cora_start_server(serve, arg, "127.0.0.1", "0", NULL, &server);

    if (rc < 0)
        return rc;
    rc = cora_server_port(server);
    if (rc > 0) {
        snprintf(port, sizeof port, "%d", rc);
        rc = crawl(port);
    }
    cora_server_close(server);
    if (rc == 0)
        rc = cora_server_wait_closed(server);
    cora_server_unref(server);
    return rc;
}

int main(void)
{
    int rc = cora_run(serve_and_crawl, NULL);

    if (rc < 0)
        fprintf(stderr, "web_crawler: %s\n", cora_strerror(rc));
    return rc < 0;
}
