/*
 * folder.h: which files there are below a folder.
 */
#ifndef DEMO_FOLDER_H
#define DEMO_FOLDER_H

#include <stddef.h>

struct folder {
    char **paths; /* relative to the folder, sorted */
    size_t count, room;
};

/*
 * Lists the regular files below `root` of at most `size_max` bytes. Names that begin with a dot,
 * symbolic links and build folders (by their name, or CMake's cache in them) are passed over. 0 or
 * a negative errno; in both cases the list is to be freed.
 */
int folder_list(struct folder *folder, const char *root, long long size_max);

void folder_free(struct folder *folder);

#endif
