/*
 * 02_sequential.c: one thing after another.
 *
 * What to notice: waiting alone brings nothing. Each call of `fetch` comes back before the next one
 * begins, so the program takes as long as all of them together, although it spends that time doing
 * nothing. It takes several tasks (03_tasks.c) to make use of it. The loop ends with the first
 * error, as a Python function does that does not catch it.
 */
#include <cora.h>

#include <stdio.h>

static CORA_SUSPENDS int fetch(const char *url)
{
    printf("%s: asked\n", url);

    int rc = cora_sleep(0.02);

    if (rc == 0)
        printf("%s: answered\n", url);
    return rc;
}

static int fetch_all(void *arg)
{
    static const char *const urls[] = {"example.com", "example.net", "example.org"};
    int rc = 0;

    (void)arg;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = fetch(urls[i]);
    return rc;
}

int main(void)
{
    int rc = cora_run(fetch_all, NULL);

    if (rc < 0)
        fprintf(stderr, "02_sequential: %s\n", cora_strerror(rc));
    return rc < 0;
}
