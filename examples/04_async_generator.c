/*
 * 04_async_generator.c: one page after the other, each fetched when it is asked for.
 *
 * What to notice: `pages` is written like a plain function with a loop, and yields; whoever
 * iterates it does not see that it waits for a network (here a sleep) in between. It runs in the
 * task that iterates it. The loop is left at the third page, and before the next statement the
 * generator has closed its connection: its yield returns an error, and it cleans up as after any
 * other. `rc` tells afterwards how the iteration ended.
 *
 *     async for page in pages("example.org"):
 *         print(f"page {page.number}: {page.lines} lines")
 *         if page.number == 3:
 *             break
 *
 * In Python the generator would be closed some time later, by the garbage collector and a task of
 * the loop's.
 */
#include <cora/async_generator.h>
#include <cora/run.h>
#include <cora/task.h>

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
    struct page page = {.number = 0};
    int rc = cora_sleep(0.1);

    if (rc < 0)
        return rc;
    printf("connected to %s\n", a->host);
    while (rc == 0 && page.number < 100) {
        rc = cora_sleep(0.1); /* the page is on its way */
        page = (struct page){.number = page.number + 1, .lines = 40};
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
        fprintf(stderr, "04_async_generator: %s\n", cora_strerror(rc));
    return rc < 0 ? 1 : 0;
}
