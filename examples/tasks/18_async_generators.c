/*
 * 18_async_generators.c: one page after the other, each fetched when it is asked for.
 *
 * What to notice: `pages` is written like a plain function with a loop, and yields; whoever
 * iterates it does not see that it waits for a network (here a sleep) in between. It runs in the
 * task that iterates it. The loop is left at the third page, and before the next statement the
 * generator has closed its connection: its yield returns an error, and it cleans up as after any
 * other. `rc` tells afterwards how the iteration ended.
 */
#include <cora.h>

#include <stdio.h>

struct page {
    int number, lines;
};

struct pages_args {
    const char *host;
};

static int pages(void *arg)
{
    struct pages_args *a = arg;
    struct page page = {.number = 0, .lines = 40};
    int rc = cora_sleep(0.01);

    if (rc < 0)
        return rc;
    printf("connected to %s\n", a->host);
    while (rc == 0 && page.number < 100) {
        rc = cora_sleep(0.01); /* the page is on its way */
        page.number++;
        if (rc == 0)
            rc = cora_generator_yield(&page, NULL);
    }
    printf("disconnected\n");
    return rc;
}

static int read_some(void *arg)
{
    int rc;

    (void)arg;
    cora_async_for (struct page *page, cora_async_generator_create(pages, .host = "example.org"),
                    &rc) {
        printf("page %d: %d lines\n", page->number, page->lines);
        if (page->number == 3)
            break;
    }
    printf("that is enough\n");
    return rc;
}

int main(void)
{
    int rc = cora_run(read_some, NULL);

    if (rc < 0)
        fprintf(stderr, "18_async_generators: %s\n", cora_strerror(rc));
    return rc < 0;
}
