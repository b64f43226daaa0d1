/*
 * 20_context_variables.c: what a task knows without being told in every call.
 *
 * What to notice: `query` and `note` take no request, and yet say whose work they do. Each task has
 * a copy of the context of the one who created it: what `handle` sets is seen by all that it calls,
 * in a thread too, and by the tasks that it creates, and by nobody else. Values are borrowed
 * pointers and must stay valid as long as a context that holds them: here they are literals. A
 * token takes a change back.
 */
#include <cora.h>

#include <stdio.h>

static cora_context_var request = CORA_CONTEXT_VAR_INIT("request", "nobody");

static void note(const char *text)
{
    printf("%s: %s\n", (const char *)cora_context_var_get(&request), text);
}

static int write_audit(void *arg)
{
    (void)arg;
    note("audit, in a task of its own");
    return 0;
}

static int compress(void *arg)
{
    const char **file = arg;

    printf("%s: compress %s, in a thread\n", (const char *)cora_context_var_get(&request), *file);
    return 0;
}

static CORA_SUSPENDS int query(void)
{
    const char *file = "answer.txt";
    int rc = cora_sleep(0.01);

    if (rc < 0)
        return rc;
    note("query");
    rc = cora_await_unref(cora_create_task_arg(write_audit, NULL));
    if (rc < 0)
        return rc;
    return cora_to_thread(compress, &file);
}

static int handle(void *arg)
{
    int rc = cora_context_var_set(&request, arg, NULL);

    if (rc < 0)
        return rc;
    note("begins");
    rc = query();
    note("ends");
    return rc;
}

static int service(void *arg)
{
    cora_context_token token;
    int rc;

    (void)arg;
    note("before");
    rc = cora_context_var_set(&request, "the service itself", &token);
    if (rc < 0)
        return rc;
    note("inside");
    rc = cora_await_unref(cora_create_task_arg(handle, "Ada"));
    if (rc == 0)
        rc = cora_await_unref(cora_create_task_arg(handle, "Bob"));
    note("inside");
    if (rc == 0)
        rc = cora_context_var_reset(&request, &token);
    note("after");
    return rc;
}

int main(void)
{
    int rc = cora_run(service, NULL);

    if (rc < 0)
        fprintf(stderr, "20_context_variables: %s\n", cora_strerror(rc));
    return rc < 0;
}
