/*
 * 21_logging.c: log lines that name the task and the thread.
 *
 * What to notice: tasks are named when they are created, through the options of create_task_with,
 * and so are the threads of an executor; the names are also in reports and call graphs. A line is
 * written by one call of printf, so that lines of several threads do not mix: stdio locks the
 * stream for as long as one call takes. In a thread of the pool there is no current task.
 */
#include <cora.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void log_info(const char *format, ...)
{
    cora_task *task = cora_current_task();
    char thread[16] = "", text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_getname_np(pthread_self(), thread, sizeof thread);
    printf("INFO %-6s %-8s %s\n", thread, task == NULL ? "-" : cora_task_get_name(task), text);
}

struct resize_args {
    const char *picture;
    int bytes;
};

static int resize(void *arg)
{
    struct resize_args *a = arg;

    log_info("%s: resizing", a->picture);
    a->bytes = 4711;
    return 0;
}

struct publish_args {
    const char *picture;
};

static int publish(void *arg)
{
    struct publish_args *a = arg;
    struct resize_args args = {.picture = a->picture};
    int rc = cora_to_thread(resize, &args);

    if (rc < 0)
        return rc;
    log_info("%s: %d bytes", a->picture, args.bytes);
    return 0;
}

static int gallery(void *arg)
{
    const cora_thread_pool_options one = {.max_workers = 1, .thread_name_prefix = "pool"};
    cora_executor *pool;
    int rc = cora_thread_pool_executor_create(&one, &pool);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = cora_loop_set_default_executor(cora_get_running_loop(), pool);
    if (rc < 0) {
        cora_executor_free(pool);
        return rc;
    }
    rc = cora_task_set_name(cora_current_task(), "gallery");
    if (rc < 0)
        return rc;
    log_info("opening");
    rc = cora_await_unref(
        cora_create_task_with(&(cora_task_options){.name = "sunset"}, publish, "sunset.jpg"));
    if (rc == 0)
        rc = cora_await_unref(
            cora_create_task_with(&(cora_task_options){.name = "sunrise"}, publish, "sunrise.jpg"));
    log_info("closing");
    return rc;
}

int main(void)
{
    int rc;

    pthread_setname_np(pthread_self(), "main");
    rc = cora_run(gallery, NULL);
    if (rc < 0)
        fprintf(stderr, "21_logging: %s\n", cora_strerror(rc));
    return rc < 0;
}
