/*
 * test_demo.c: the demo from outside: what it says and how it exits, with its own server and with
 * one that misbehaves.
 */
#include "faulty_server.h"
#include "run_demo.h"
#include "support/test.h"
#include "xml.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const way_names[] = {
    "one after the other",
    "a thread each",
    "toy loop, a coroutine each",
    "cora tasks, ",
};

enum { WAYS = 4 };

/* ---- folders and files --------------------------------------------------------------------- */

struct temporary {
    char folder[64];
    char timeline[96];
};

static void make_temporary(struct temporary *temporary)
{
    strcpy(temporary->folder, "/tmp/test-demo-XXXXXX");
    assert_non_null(mkdtemp(temporary->folder));
    snprintf(temporary->timeline, sizeof temporary->timeline, "%s/timeline.svg", temporary->folder);
}

static void remove_temporary(const struct temporary *temporary)
{
    unlink(temporary->timeline);
    assert_int_equal(rmdir(temporary->folder), 0);
}

/* The text of a file, to be freed. */
static char *text_of(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text;
    long size;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    rewind(file);
    text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

static void assert_timeline(const char *path, size_t rows)
{
    char *text = text_of(path);

    assert_true(is_well_formed(text));
    assert_int_equal(count_of(text, "<g><title>"), rows * WAYS);
    for (size_t i = 0; i < WAYS; i++)
        assert_non_null(strstr(text, way_names[i]));
    free(text);
}

static void write_file(const char *folder, const char *name, const char *block, size_t times)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < times; i++)
        fputs(block, file);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *folder, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

/* ---- the server of its own ----------------------------------------------------------------- */

TEST(by_default_it_downloads_its_own_files_in_four_ways)
{
    static struct demo_result result;
    struct temporary temporary;

    make_temporary(&temporary);
    run_demo(&result, (const char *const[]){"--files", "8", "--delay", "5", "--timeline",
                                            temporary.timeline, NULL});
    assert_string_equal(result.errors, "");
    assert_int_equal(result.status, 0);
    for (size_t i = 0; i < WAYS; i++)
        assert_int_equal(count_of(result.output, way_names[i]), 1);
    assert_int_equal(count_of(result.output, " 8/8 "), WAYS);
    assert_null(strstr(result.output, "[#"));
    assert_timeline(temporary.timeline, 8);
    remove_temporary(&temporary);
}

TEST(any_name_and_any_size_of_a_file_will_do)
{
    static const char *const names[] = {"a b&<c>.txt", "100%41#?.txt", "\xc3\xa9\xff.txt", "empty"};
    static struct demo_result result;
    struct temporary temporary;
    char folder[128];

    make_temporary(&temporary);
    snprintf(folder, sizeof folder, "%s/files", temporary.folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_file(folder, names[0], "some text\n", 1);
    write_file(folder, names[1], "sixteen letters\n", 1 << 16);
    write_file(folder, names[2], "some more\n", 500);
    write_file(folder, names[3], "", 0);
    run_demo(&result, (const char *const[]){"--folder", folder, "--delay", "0", "--limit", "1",
                                            "--timeline", temporary.timeline, NULL});
    assert_string_equal(result.errors, "");
    assert_int_equal(result.status, 0);
    assert_int_equal(count_of(result.output, " 4/4 "), WAYS);
    assert_timeline(temporary.timeline, 4);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove_file(folder, names[i]);
    assert_int_equal(rmdir(folder), 0);
    remove_temporary(&temporary);
}

/* This one has other bytes, and another length than it tells, each time it is read. */
TEST(bytes_that_differ_from_their_source_are_a_failure)
{
    static struct demo_result result;
    struct temporary temporary;

    if (access("/proc/sys/kernel/random/boot_id", R_OK) != 0)
        skip();
    make_temporary(&temporary);
    run_demo(&result, (const char *const[]){"--folder", "/proc/sys/kernel/random", "--files", "1",
                                            "--timeline", temporary.timeline, NULL});
    assert_int_equal(result.status, 1);
    assert_int_equal(count_of(result.errors, "\n"), 1);
    assert_non_null(strstr(result.errors, "/boot_id: its bytes differ from its source"));
    remove_temporary(&temporary);
}

TEST(on_a_terminal_there_is_a_progress_bar)
{
    static struct demo_result result;
    struct temporary temporary;

    make_temporary(&temporary);
    run_demo_on_terminal(&result, (const char *const[]){"--files", "4", "--delay", "1",
                                                        "--timeline", temporary.timeline, NULL});
    assert_int_equal(result.status, 0);
    assert_int_equal(count_of(result.output, "[........................................] 0/4"),
                     WAYS);
    assert_true(count_of(result.output, "[########################################] 4/4") >= WAYS);
    remove_temporary(&temporary);
}

/* ---- the other server ---------------------------------------------------------------------- */

enum { URLS_MAX = 16 };

/* What a test asks of the faulty server, and what came of it. */
struct visit {
    struct faulty_server server;
    struct temporary temporary;
    struct demo_result result;
    char urls[URLS_MAX][256];
    size_t count;
};

static struct visit *begin_visit(void)
{
    static struct visit visit;

    visit.count = 0;
    make_temporary(&visit.temporary);
    faulty_server_start(&visit.server);
    return &visit;
}

/* A URL on the faulty server for a path, or else the URL itself. */
static void add_url(struct visit *visit, const char *url)
{
    char *to = visit->urls[visit->count++];

    assert_true(visit->count < URLS_MAX);
    if (url[0] == '/')
        snprintf(to, sizeof visit->urls[0], "http://127.0.0.1:%u%s", visit->server.port, url);
    else
        snprintf(to, sizeof visit->urls[0], "%s", url);
}

static void download(struct visit *visit, const char *timeout)
{
    const char *arguments[URLS_MAX + 8] = {"--timeline", visit->temporary.timeline, "--timeout",
                                           timeout};

    for (size_t i = 0; i < visit->count; i++)
        arguments[4 + i] = visit->urls[i];
    run_demo(&visit->result, arguments);
}

static void end_visit(struct visit *visit)
{
    assert_timeline(visit->temporary.timeline, visit->count);
    remove_temporary(&visit->temporary);
    faulty_server_stop(&visit->server);
}

/* The bad URL fails, in one line and for this reason, and the good ones beside it arrive. */
static void assert_failure_within(const char *url, const char *reason, const char *timeout)
{
    struct visit *visit = begin_visit();
    char *line;

    add_url(visit, "/length");
    add_url(visit, url);
    add_url(visit, "/chunked");
    download(visit, timeout);
    assert_true(asprintf(&line, "demo: %s: %s\n", visit->urls[1], reason) > 0);
    assert_string_equal(visit->result.errors, line);
    free(line);
    assert_int_equal(visit->result.status, 1);
    assert_int_equal(count_of(visit->result.output, " 2/3 "), WAYS);
    end_visit(visit);
}

static void assert_failure(const char *url, const char *reason)
{
    assert_failure_within(url, reason, "30");
}

TEST(good_replies_arrive_however_their_end_is_told)
{
    struct visit *visit = begin_visit();

    add_url(visit, "/length");
    add_url(visit, "/chunked");
    add_url(visit, "/close");
    add_url(visit, "/empty");
    add_url(visit, "/interim");
    download(visit, "30");
    assert_string_equal(visit->result.errors, "");
    assert_int_equal(visit->result.status, 0);
    assert_int_equal(count_of(visit->result.output, " 5/5 "), WAYS);
    assert_int_equal(count_of(visit->result.output, " 44 "), WAYS);
    end_visit(visit);
}

TEST(a_name_is_resolved)
{
    struct visit *visit = begin_visit();
    char url[64];

    snprintf(url, sizeof url, "http://localhost:%u/length", visit->server.port);
    add_url(visit, url);
    download(visit, "30");
    assert_string_equal(visit->result.errors, "");
    assert_int_equal(visit->result.status, 0);
    end_visit(visit);
}

TEST(a_missing_file_is_a_failure)
{
    assert_failure("/missing", "the server answered 404 Not Found");
}

TEST(a_short_body_is_a_failure)
{
    assert_failure("/short", "the reply was cut short after 11 of 1000 bytes");
}

TEST(chunks_that_are_cut_off_are_a_failure)
{
    assert_failure("/cut-chunks", "the reply was cut short after 6 bytes");
}

TEST(a_connection_reset_in_mid_reply_is_a_failure)
{
    assert_failure("/reset", "Connection reset by peer");
}

TEST(no_reply_is_a_failure)
{
    assert_failure("/nothing", "the server closed the connection without a reply");
}

TEST(silence_ends_by_the_timeout)
{
    assert_failure_within("/silent", "no complete reply within 1 s", "1");
}

TEST(a_reply_that_drips_ends_by_the_timeout)
{
    assert_failure_within("/drip", "no complete reply within 1 s", "1");
}

TEST(a_reply_without_end_is_cut_off)
{
    assert_failure("/endless", "the reply is larger than 16 MiB");
}

TEST(a_reply_too_large_is_not_even_begun)
{
    assert_failure("/huge", "the reply is larger than 16 MiB");
}

TEST(what_is_not_http_is_a_failure)
{
    assert_failure("/malformed", "the reply is malformed: invalid constant string");
}

TEST(a_bad_chunk_is_a_failure)
{
    assert_failure("/bad-chunk", "the reply is malformed: invalid character in chunk size header");
}

TEST(a_refused_connection_is_a_failure)
{
    unsigned port;
    int fd = bind_loopback(&port);
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    assert_failure(url, "Connection refused");
    close(fd);
}

/* No label of a name has more than 63 letters, so nobody needs to be asked for this one. */
TEST(a_name_that_does_not_resolve_is_a_failure)
{
    struct visit *visit = begin_visit();

    add_url(visit, "/length");
    add_url(visit,
            "http://x1234567890123456789012345678901234567890123456789012345678901234567890/");
    download(visit, "30");
    assert_int_equal(count_of(visit->result.errors, "\n"), 1);
    assert_non_null(strstr(visit->result.errors, visit->urls[1]));
    assert_non_null(strstr(visit->result.errors, "the host's name does not resolve: "));
    assert_int_equal(visit->result.status, 1);
    assert_int_equal(count_of(visit->result.output, " 1/2 "), WAYS);
    end_visit(visit);
}

TEST(a_file_that_is_different_each_time_is_a_failure)
{
    struct visit *visit = begin_visit();

    add_url(visit, "/fickle");
    download(visit, "30");
    assert_int_equal(count_of(visit->result.errors, "\n"), 1);
    assert_non_null(strstr(visit->result.errors, "its bytes differ from one way to another"));
    assert_int_equal(visit->result.status, 1);
    end_visit(visit);
}

TEST(each_of_many_failures_gets_its_line)
{
    static const char *const paths[] = {"/length",  "/missing", "/short",   "/reset",
                                        "/nothing", "/huge",    "/endless", "/malformed"};
    struct visit *visit = begin_visit();

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        add_url(visit, paths[i]);
    download(visit, "30");
    assert_int_equal(count_of(visit->result.errors, "\n"), 7);
    for (size_t i = 1; i < visit->count; i++)
        assert_int_equal(count_of(visit->result.errors, visit->urls[i]), 1);
    assert_int_equal(visit->result.status, 1);
    assert_int_equal(count_of(visit->result.output, " 1/8 "), WAYS);
    end_visit(visit);
}

TEST(an_interrupt_ends_it_at_once)
{
    struct visit *visit = begin_visit();

    add_url(visit, "/silent");
    start_demo(&visit->result, (const char *const[]){"--timeline", visit->temporary.timeline,
                                                     "--timeout", "50", visit->urls[0], NULL});
    faulty_server_await_request(&visit->server);
    assert_int_equal(kill(visit->result.pid, SIGINT), 0);
    await_demo(&visit->result);
    assert_int_equal(visit->result.status, 128 + SIGINT);
    assert_string_equal(visit->result.errors, "");
    remove_temporary(&visit->temporary);
    faulty_server_stop(&visit->server);
}

/* ---- the command line ---------------------------------------------------------------------- */

static void assert_usage_error(const char *const arguments[], const char *message)
{
    static struct demo_result result;

    run_demo(&result, arguments);
    assert_string_equal(result.output, "");
    assert_string_equal(result.errors, message);
    assert_int_equal(result.status, 2);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(a_wrong_option_is_answered_by_what_to_do)
{
    assert_usage_error(ARGUMENTS("--fast"), "demo: there is no option --fast; see 'demo --help'\n");
    assert_usage_error(ARGUMENTS("-x"), "demo: there is no option -x; see 'demo --help'\n");
    assert_usage_error(ARGUMENTS("--delay"), "demo: --delay needs a value; see 'demo --help'\n");
    assert_usage_error(ARGUMENTS("--delay", "soon"),
                       "demo: --delay takes a number from 0 to 60000, not 'soon'\n");
    assert_usage_error(ARGUMENTS("--delay", "nan"),
                       "demo: --delay takes a number from 0 to 60000, not 'nan'\n");
    assert_usage_error(ARGUMENTS("--timeout", "0"),
                       "demo: --timeout takes a number from 0.001 to 3600, not '0'\n");
    assert_usage_error(ARGUMENTS("--files", "0"),
                       "demo: --files takes a number from 1 to 10000, not '0'\n");
    assert_usage_error(ARGUMENTS("--limit", "2.5"),
                       "demo: --limit takes a whole number, not '2.5'\n");
}

TEST(a_wrong_url_is_answered_by_what_to_do)
{
    assert_usage_error(ARGUMENTS("https://localhost/"),
                       "demo: 'https://localhost/' is not a URL of the form "
                       "http://host[:port]/path\n");
    assert_usage_error(ARGUMENTS("localhost"), "demo: 'localhost' is not a URL of the form "
                                               "http://host[:port]/path\n");
    assert_usage_error(ARGUMENTS("--files", "3", "http://localhost/"),
                       "demo: --folder, --files and --delay are for the server of its own; leave "
                       "them out where URLs are given\n");
}

TEST(a_wrong_folder_or_file_is_answered_by_what_to_do)
{
    struct temporary temporary;
    char message[256];

    assert_usage_error(ARGUMENTS("--folder", "/nowhere"),
                       "demo: cannot list /nowhere: No such file or directory; name another folder "
                       "with --folder\n");
    assert_usage_error(ARGUMENTS("--timeline", "/nowhere/timeline.svg"),
                       "demo: cannot write /nowhere/timeline.svg: No such file or directory; name "
                       "another file with --timeline\n");
    make_temporary(&temporary);
    snprintf(message, sizeof message,
             "demo: there are no files in %s; name another folder with --folder\n",
             temporary.folder);
    assert_usage_error(ARGUMENTS("--folder", temporary.folder), message);
    remove_temporary(&temporary);
}

TEST(help_tells_every_option)
{
    static const char *const options[] = {"--folder",  "--files",    "--delay", "--limit",
                                          "--timeout", "--timeline", "--help"};
    static struct demo_result result;

    run_demo(&result, ARGUMENTS("--help"));
    assert_string_equal(result.errors, "");
    assert_int_equal(result.status, 0);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        assert_non_null(strstr(result.output, options[i]));
}
