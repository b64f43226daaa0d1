#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `root` or a path below it; false where it is too long. */
static bool join(char *to, size_t size, const char *root, const char *path)
{
    const char *slash = path[0] != '\0' ? "/" : "";

    return snprintf(to, size, "%s%s%s", root, slash, path) < (int)size;
}

static int add(struct folder *folder, const char *path)
{
    if (folder->count == folder->room) {
        size_t room = folder->room != 0 ? 2 * folder->room : 64;
        char **paths = realloc(folder->paths, room * sizeof paths[0]);

        if (paths == NULL)
            return -ENOMEM;
        folder->paths = paths;
        folder->room = room;
    }
    folder->paths[folder->count] = strdup(path);
    if (folder->paths[folder->count] == NULL)
        return -ENOMEM;
    folder->count++;
    return 0;
}

static bool is_build_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char cache[PATH_MAX];

    if (slash != NULL && strcmp(slash, "/build") == 0)
        return true;
    return join(cache, sizeof cache, path, "CMakeCache.txt") && access(cache, F_OK) == 0;
}

static int list(struct folder *folder, const char *root, const char *below, long long size_max);

/* A file is added, a folder entered. What vanishes or may not be read is passed over. */
static int visit(struct folder *folder, const char *root, const char *path, long long size_max)
{
    char full[PATH_MAX];
    struct stat info;

    if (!join(full, sizeof full, root, path) || lstat(full, &info) < 0)
        return 0;
    if (S_ISREG(info.st_mode) && info.st_size <= size_max)
        return add(folder, path);
    if (!S_ISDIR(info.st_mode) || is_build_folder(full))
        return 0;

    int rc = list(folder, root, path, size_max);

    return rc == -EACCES || rc == -ENOENT ? 0 : rc;
}

static int list(struct folder *folder, const char *root, const char *below, long long size_max)
{
    char full[PATH_MAX], path[PATH_MAX];
    struct dirent *entry;
    DIR *directory;
    int rc = 0;

    if (!join(full, sizeof full, root, below))
        return -ENAMETOOLONG;
    directory = opendir(full);
    if (directory == NULL)
        return -errno;
    while (rc == 0 && (entry = readdir(directory)) != NULL) {
        const char *slash = below[0] != '\0' ? "/" : "";
        int length = snprintf(path, sizeof path, "%s%s%s", below, slash, entry->d_name);

        if (entry->d_name[0] != '.' && length < (int)sizeof path)
            rc = visit(folder, root, path, size_max);
    }
    closedir(directory);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int folder_list(struct folder *folder, const char *root, long long size_max)
{
    int rc;

    memset(folder, 0, sizeof *folder);
    rc = list(folder, root, "", size_max);
    if (rc == 0 && folder->count > 0)
        qsort(folder->paths, folder->count, sizeof folder->paths[0], by_name);
    return rc;
}

void folder_free(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++)
        free(folder->paths[i]);
    free(folder->paths);
    memset(folder, 0, sizeof *folder);
}
