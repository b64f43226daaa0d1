#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "Usage: demo [OPTION]...         download files from a server of its own\n"
    "       demo [OPTION]... URL...  download these: http://host[:port]/path\n"
    "\n"
    "Downloads every file in four ways (one after the other; a thread each; a coroutine each on\n"
    "a toy loop; cora tasks) and compares the ways: their time, threads and memory, and the "
    "bytes.\n"
    "\n"
    "  --limit N        at most N cora tasks download at a time (20)\n"
    "  --timeout S      give up a file after S seconds (10)\n"
    "  --timeline FILE  write the picture of who waited when to FILE (demo-timeline.svg)\n"
    "  --help           print this\n"
    "\n"
    "For the server of its own:\n"
    "  --folder DIR     serve the files below DIR (the sources of this project)\n"
    "  --files N        download the first N of them (60)\n"
    "  --delay MS       wait so many milliseconds before each answer (100)\n"
    "\n"
    "The exit status is 0 when every file has arrived, 1 when one has not, 2 for a wrong option.\n";

enum choice { FOLDER = 1, FILES, DELAY, LIMIT, TIMEOUT, TIMELINE, HELP };

static const struct option table[] = {
    {"folder", required_argument, NULL, FOLDER},
    {"files", required_argument, NULL, FILES},
    {"delay", required_argument, NULL, DELAY},
    {"limit", required_argument, NULL, LIMIT},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"timeline", required_argument, NULL, TIMELINE},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* A number from `least` to `most`; else says what to do instead. */
static int parse_number(const char *option, const char *text, double least, double most,
                        double *ret)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "demo: --%s takes a number from %g to %g, not '%s'\n", option, least, most,
                text);
        return -EINVAL;
    }
    *ret = value;
    return 0;
}

static int parse_count(const char *option, const char *text, int most, int *ret)
{
    double value;
    int rc = parse_number(option, text, 1, most, &value);

    if (rc < 0)
        return rc;
    if (value != floor(value)) {
        fprintf(stderr, "demo: --%s takes a whole number, not '%s'\n", option, text);
        return -EINVAL;
    }
    *ret = (int)value;
    return 0;
}

/* One option that getopt has found; it has its argument in optarg. */
static int parse_option(struct options *options, int option)
{
    double milliseconds;
    int rc = 0;

    switch (option) {
    case FOLDER:
        options->folder = optarg;
        break;
    case TIMELINE:
        options->timeline = optarg;
        break;
    case FILES:
        return parse_count("files", optarg, 10000, &options->files);
    case LIMIT:
        return parse_count("limit", optarg, 10000, &options->limit);
    case TIMEOUT:
        return parse_number("timeout", optarg, 0.001, 3600, &options->timeout);
    case DELAY:
        rc = parse_number("delay", optarg, 0, 60000, &milliseconds);
        if (rc == 0)
            options->delay = milliseconds / 1000;
        break;
    }
    return rc;
}

static int refuse(char *argv[], int option)
{
    const char *word = argv[optind - 1];

    if (option == ':')
        fprintf(stderr, "demo: %s needs a value; see 'demo --help'\n", word);
    else
        fprintf(stderr, "demo: there is no option %s; see 'demo --help'\n", word);
    return -EINVAL;
}

int options_parse(struct options *options, int argc, char *argv[])
{
    bool for_server = false;
    int option, rc = 0;

    *options = (struct options){
        .folder = DEMO_FOLDER,
        .timeline = "demo-timeline.svg",
        .delay = 0.1,
        .timeout = 10,
        .files = 60,
        .limit = 20,
    };
    while (rc == 0 && (option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (option == '?' || option == ':')
            return refuse(argv, option);
        if (option == HELP) {
            fputs(help, stdout);
            return 1;
        }
        for_server = for_server || option == FOLDER || option == FILES || option == DELAY;
        rc = parse_option(options, option);
    }
    options->urls = argv + optind;
    options->url_count = argc - optind;
    if (rc == 0 && for_server && options->url_count > 0) {
        fprintf(stderr, "demo: --folder, --files and --delay are for the server of its own; "
                        "leave them out where URLs are given\n");
        rc = -EINVAL;
    }
    return rc;
}
