/*
 * files.h: the files of a folder.
 */
#ifndef WEB_SERVER_FILES_H
#define WEB_SERVER_FILES_H

#include <cora.h>

#include <sys/types.h>

/*
 * Opens the regular file that the path leads to from the folder, an open one, which stays so until
 * the program ends; of a path that ends in a slash, "index.html" there. Its descriptor, the
 * caller's, and its size in *ret_size; or a negative error.
 */
CORA_SUSPENDS int files_open(int folder, const char *path, off_t *ret_size);

/* Its Content-Type, by how the name ends. */
const char *files_type(const char *path);

#endif
