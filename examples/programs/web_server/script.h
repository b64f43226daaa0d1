/*
 * script.h: a folder to serve, and a client that asks for what is in it, and for what is not.
 */
#ifndef WEB_SERVER_SCRIPT_H
#define WEB_SERVER_SCRIPT_H

#include <cora.h>

/* What the server serves, and how. */
struct site {
    const char *port; /* NULL: any that is free, and play the script */
    int folder;       /* its descriptor */
    double patience;  /* seconds that a head may take */
};

struct script_folder {
    char top[32], site[64]; /* a temporary folder, and the one in it that is served */
};

/* 0 or a negative error: then nothing is left. */
int script_make_folder(struct script_folder *folder);
void script_remove_folder(const struct script_folder *folder);

/* Asks, and prints what comes. */
CORA_SUSPENDS int script_play(struct site *site, int port);

#endif
