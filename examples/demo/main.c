/*
 * demo: downloads the same files in four ways and compares them.
 *
 * A way to read it: transfer.c is what happens for one file, written once; way_sequential.c,
 * way_threads.c, way_toy.c (with toy_loop.c) and way_cora.c are the four ways to have many of them;
 * server.c is a server on the library. The rest measures and draws.
 */
#include "folder.h"
#include "options.h"
#include "run.h"
#include "server.h"
#include "table.h"
#include "timeline.h"
#include "verdict.h"

#include <cora/error.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4 };

struct demo {
    struct options options;
    struct server server;
    bool has_server; /* its port is open */
    struct file *files;
    size_t count;
    FILE *timeline;
    char limited_name[64];
    struct run runs[WAYS];
};

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- what to download ---------------------------------------------------------------------- */

static int fail(const char *what, int error)
{
    fprintf(stderr, "demo: %s: %s\n", what, cora_strerror(error));
    return EXIT_FAILED;
}

static int use_urls(struct demo *demo)
{
    const struct options *options = &demo->options;

    demo->files = calloc((size_t)options->url_count, sizeof demo->files[0]);
    if (demo->files == NULL)
        return fail("the list of files", -ENOMEM);
    for (int i = 0; i < options->url_count; i++) {
        if (url_parse(&demo->files[i].url, options->urls[i]) < 0) {
            fprintf(stderr, "demo: '%s' is not a URL of the form http://host[:port]/path\n",
                    options->urls[i]);
            return EXIT_USAGE;
        }
        demo->count++;
    }
    return 0;
}

static int add_file(struct demo *demo, const char *path)
{
    struct file *file = &demo->files[demo->count];
    int rc = url_of_file(&file->url, demo->server.port, path);

    if (rc < 0)
        return rc;
    if (asprintf(&file->source, "%s/%s", demo->options.folder, path) < 0)
        return -ENOMEM;
    demo->count++;
    return 0;
}

static int use_paths(struct demo *demo, const struct folder *folder)
{
    size_t wanted = (size_t)demo->options.files;
    int rc = 0;

    if (folder->count == 0) {
        fprintf(stderr, "demo: there are no files in %s; name another folder with --folder\n",
                demo->options.folder);
        return EXIT_USAGE;
    }
    demo->files = calloc(wanted, sizeof demo->files[0]);
    if (demo->files == NULL)
        return fail("the list of files", -ENOMEM);
    rc = server_listen(&demo->server);
    if (rc < 0)
        return fail("the server's port", rc);
    demo->has_server = true;
    for (size_t i = 0; i < folder->count && demo->count < wanted; i++) {
        rc = add_file(demo, folder->paths[i]);
        if (rc < 0)
            return fail(folder->paths[i], rc);
    }
    return 0;
}

static int use_folder(struct demo *demo)
{
    struct folder folder;
    int rc = folder_list(&folder, demo->options.folder, REPLY_BODY_MAX);
    int status = EXIT_USAGE;

    if (rc < 0)
        fprintf(stderr, "demo: cannot list %s: %s; name another folder with --folder\n",
                demo->options.folder, cora_strerror(rc));
    else
        status = use_paths(demo, &folder);
    folder_free(&folder);
    return status;
}

/* ---- downloading --------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
    (void)signum;
    interrupted = 1;
}

static void mask_interrupt(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(how, &set, NULL);
}

/* Ctrl-C is to be noticed in run_go, where this program spends its time. */
static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    mask_interrupt(SIG_BLOCK);
}

static void uncatch_interrupt(void)
{
    signal(SIGINT, SIG_DFL);
    mask_interrupt(SIG_UNBLOCK);
}

/* What is the parent's alone. */
static void in_child(void *arg)
{
    struct demo *demo = arg;

    uncatch_interrupt();
    if (demo->has_server)
        server_close(&demo->server);
}

static int prepare_runs(struct demo *demo)
{
    static const struct run ways[WAYS] = {
        {.name = "one after the other", .way = way_sequential},
        {.name = "a thread each", .way = way_threads},
        {.name = "toy loop, a coroutine each", .way = way_toy},
        {.name = "cora tasks", .way = way_cora},
    };
    struct work work = {
        .files = demo->files,
        .count = demo->count,
        .timeout = demo->options.timeout,
        .limit = demo->options.limit,
    };

    memcpy(demo->runs, ways, sizeof ways);
    snprintf(demo->limited_name, sizeof demo->limited_name, "cora tasks, %d at a time",
             demo->options.limit);
    demo->runs[WAYS - 1].name = demo->limited_name;
    for (int i = 0; i < WAYS; i++) {
        int rc = run_prepare(&demo->runs[i], &work, in_child, demo);

        if (rc < 0)
            return fail(demo->runs[i].name, rc);
    }
    return 0;
}

static int download_all(struct demo *demo)
{
    struct progress progress;

    progress_init(&progress);
    for (int i = 0; i < WAYS && !interrupted; i++) {
        int rc = run_go(&demo->runs[i], &progress);

        if (rc < 0 && !interrupted)
            return fail(demo->runs[i].name, rc);
    }
    return interrupted ? EXIT_FAILED : 0;
}

static int download_from_server(struct demo *demo)
{
    int rc, status;

    demo->server.folder = demo->options.folder;
    demo->server.delay = demo->options.delay;
    rc = server_start(&demo->server);
    if (rc < 0)
        return fail("the server", rc);
    status = download_all(demo);
    rc = server_stop(&demo->server);
    demo->has_server = false;
    return rc < 0 ? fail("the server", rc) : status;
}

/* ---- telling ------------------------------------------------------------------------------- */

static int write_timeline(struct demo *demo)
{
    FILE *file = demo->timeline;
    int rc = timeline_write(file, demo->runs, WAYS, demo->files);

    demo->timeline = NULL;
    if (fclose(file) != 0 && rc == 0)
        rc = -errno;
    if (rc < 0)
        return fail(demo->options.timeline, rc);
    printf("Timeline: %s\n", demo->options.timeline);
    return 0;
}

static int tell(struct demo *demo)
{
    const char *plural = demo->count == 1 ? "" : "s";
    int status;

    if (demo->options.url_count > 0)
        printf("%zu file%s, in four ways; what arrived is compared between the ways\n\n",
               demo->count, plural);
    else
        printf("%zu file%s of %s, answered after %g ms each, in four ways;\n"
               "every byte that arrived is compared with its source\n\n",
               demo->count, plural, demo->options.folder, demo->options.delay * 1e3);
    print_table(demo->runs, WAYS);
    status = write_timeline(demo);
    fflush(stdout);
    if (tell_failures(demo->runs, WAYS, demo->files) > 0)
        status = EXIT_FAILED;
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int run_demo(struct demo *demo)
{
    bool from_server = demo->options.url_count == 0;
    int status = from_server ? use_folder(demo) : use_urls(demo);

    if (status != 0)
        return status;
    demo->timeline = fopen(demo->options.timeline, "we");
    if (demo->timeline == NULL) {
        fprintf(stderr, "demo: cannot write %s: %s; name another file with --timeline\n",
                demo->options.timeline, cora_strerror(errno));
        return EXIT_USAGE;
    }
    catch_interrupt();
    status = prepare_runs(demo);
    if (status == 0)
        status = from_server ? download_from_server(demo) : download_all(demo);
    return status == 0 ? tell(demo) : status;
}

static void clean_up(struct demo *demo)
{
    for (int i = 0; i < WAYS; i++)
        run_free(&demo->runs[i]);
    if (demo->timeline != NULL)
        fclose(demo->timeline);
    if (demo->has_server)
        server_close(&demo->server);
    for (size_t i = 0; i < demo->count; i++)
        free(demo->files[i].source);
    free(demo->files);
}

int main(int argc, char *argv[])
{
    static struct demo demo;
    int rc = options_parse(&demo.options, argc, argv);
    int status;

    if (rc != 0)
        return rc > 0 ? 0 : EXIT_USAGE;
    status = run_demo(&demo);
    clean_up(&demo);
    if (interrupted) { /* end as one who did not catch it, so that a shell knows */
        uncatch_interrupt();
        raise(SIGINT);
    }
    return status;
}
