/*
 * file_processor.c: counts the words of many files, a few at a time, and tells how far it is.
 *
 * What to notice: files block, so each call of cora_file_* is made in a thread, and the task
 * suspends. The semaphore bounds how many files are open at once, whatever their number. A file
 * that cannot be read is an entry in the result and not the end of the run. The results are in the
 * order of the names, whichever file was done first; the progress only counts. What was made is
 * removed on every way out.
 */
#include <cora.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct count {
    int lines, words;
    int error; /* negative: the file could not be read */
};

struct run {
    const char *folder;
    cora_listing names;
    cora_semaphore open_files;
    size_t done;
};

struct path {
    char text[256];
};

static struct path path_of(const char *folder, const char *name)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    return path;
}

/* ---- counting ------------------------------------------------------------------------------ */

static CORA_SUSPENDS int count_file(cora_file *file, struct count *count)
{
    char block[4096];
    bool in_word = false;
    ssize_t size;

    while ((size = cora_file_read(file, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            bool space = isspace((unsigned char)block[i]);

            count->lines += block[i] == '\n';
            count->words += in_word && space;
            in_word = !space;
        }
    }
    count->words += in_word;
    return (int)size;
}

static CORA_SUSPENDS int open_and_count(struct path path, struct count *count)
{
    cora_file *file;
    int rc = cora_file_open(&file, path.text, O_RDONLY, 0);
    int closed;

    if (rc < 0)
        return rc;
    rc = count_file(file, count);
    closed = cora_file_close(file);
    return rc < 0 ? rc : closed;
}

struct process_args {
    struct run *run;
    const char *name;
    struct count *count;
};

static int process(void *arg)
{
    struct process_args *a = arg;
    struct run *run = a->run;
    int rc = cora_semaphore_acquire(&run->open_files);

    if (rc < 0)
        return rc;
    rc = open_and_count(path_of(run->folder, a->name), a->count);
    cora_semaphore_release(&run->open_files);
    if (rc == -ECANCELED)
        return rc;
    a->count->error = rc;
    run->done++;
    printf("%zu of %zu files\n", run->done, run->names.count);
    return 0;
}

static void print_counts(const struct run *run, const struct count counts[])
{
    int words = 0;

    for (size_t i = 0; i < run->names.count; i++) {
        const struct count *count = &counts[i];

        if (count->error == -ENOENT)
            printf("%s: no such file\n", run->names.names[i]);
        else if (count->error < 0)
            printf("%s: %s\n", run->names.names[i], cora_strerror(count->error));
        else
            printf("%s: %d lines, %d words\n", run->names.names[i], count->lines, count->words);
        words += count->error < 0 ? 0 : count->words;
    }
    printf("%d words in all\n", words);
}

static CORA_SUSPENDS int process_all(struct run *run)
{
    struct count *counts = calloc(run->names.count, sizeof *counts);
    cora_task_group group;
    int rc = 0;

    if (counts == NULL)
        return -ENOMEM;
    cora_task_group_enter(&group);
    for (size_t i = 0; i < run->names.count && rc == 0; i++)
        rc = cora_task_group_create_task(&group, process, .run = run, .name = run->names.names[i],
                                         .count = &counts[i]);
    rc = cora_task_group_exit(&group, rc);
    if (rc == 0)
        print_counts(run, counts);
    free(counts);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static CORA_SUSPENDS int process_folder(const char *folder)
{
    struct run run = {.folder = folder, .open_files = CORA_SEMAPHORE_INIT(2)};
    int rc = cora_listdir(folder, &run.names);

    if (rc < 0)
        return rc;
    qsort(run.names.names, run.names.count, sizeof run.names.names[0], by_name);
    rc = process_all(&run);
    cora_listing_clear(&run.names);
    return rc;
}

/* ---- a folder to work on ------------------------------------------------------------------- */

static CORA_SUSPENDS int make_file(struct path path, int lines)
{
    char text[64];
    cora_file *file;
    int rc = cora_file_open(&file, path.text, O_WRONLY | O_CREAT | O_EXCL, 0600);
    int closed;

    if (rc < 0)
        return rc;
    for (int i = 1; i <= lines && rc == 0; i++) {
        int size = snprintf(text, sizeof text, "this is line %d\n", i);

        rc = cora_file_write_all(file, text, (size_t)size, NULL);
    }
    closed = cora_file_close(file);
    return rc < 0 ? rc : closed;
}

static const char *const names[] = {"a.txt", "b.txt", "c.txt", "d.txt", "e.txt"};

static CORA_SUSPENDS int make_files(const char *folder)
{
    int rc = 0;

    for (int i = 0; i < 5 && rc == 0; i++)
        if (i == 2)
            rc = symlink("nowhere", path_of(folder, names[i]).text) < 0 ? -errno : 0;
        else
            rc = make_file(path_of(folder, names[i]), 10 * (i + 1));
    return rc;
}

static void remove_files(const char *folder)
{
    for (int i = 0; i < 5; i++)
        unlink(path_of(folder, names[i]).text);
    rmdir(folder);
}

static int make_and_process(void *arg)
{
    char folder[] = "/tmp/file_processor-XXXXXX";
    int rc;

    (void)arg;
    if (mkdtemp(folder) == NULL)
        return -errno;
    rc = make_files(folder);
    if (rc == 0)
        rc = process_folder(folder);
    remove_files(folder);
    return rc;
}

int main(void)
{
    int rc = cora_run(make_and_process, NULL);

    if (rc < 0)
        fprintf(stderr, "file_processor: %s\n", cora_strerror(rc));
    return rc < 0;
}
