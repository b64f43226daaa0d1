/*
 * options.h: what the command line says.
 */
#ifndef DEMO_OPTIONS_H
#define DEMO_OPTIONS_H

struct options {
    const char *folder;
    const char *timeline;
    double delay;   /* seconds */
    double timeout; /* seconds */
    int files;
    int limit;
    char **urls; /* what is to be downloaded instead of the own server's files */
    int url_count;
};

/* 0: go on; 1: help was asked for and printed; -EINVAL: the reason is on stderr. */
int options_parse(struct options *options, int argc, char *argv[]);

#endif
