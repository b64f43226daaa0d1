/* Files, off the loop: what comes back, and what a cancellation leaves. */
#include "support/test.h"
#include "support/virtual.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- the library's system calls, which a test can stop in their thread, and let fail ------- */

enum { FDS = 1024 };

static pthread_t loop_thread;
static atomic_bool is_file[FDS]; /* the descriptors that the library has opened */
static atomic_bool stops;
static sem_t arrived, go;
static atomic_int opened, closed, on_the_loop;
static atomic_int interruptions; /* so many calls more fail with EINTR */
static atomic_int most;          /* bytes of one transfer; 0: any */

static atomic_bool writes_nothing, close_fails;

/* Whether the call is interrupted. */
static bool arrive(void)
{
    if (pthread_equal(pthread_self(), loop_thread)) {
        on_the_loop++;
    } else if (stops) {
        sem_post(&arrived);
        sem_wait(&go);
    }
    if (interruptions == 0)
        return false;
    interruptions--;
    errno = EINTR;
    return true;
}

static size_t at_most(size_t size)
{
    return most > 0 && size > (size_t)most ? (size_t)most : size;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
int __real_scandir(const char *name, struct dirent ***entries,
                   int (*filter)(const struct dirent *entry),
                   int (*compare)(const struct dirent **a, const struct dirent **b));
int __wrap_scandir(const char *name, struct dirent ***entries,
                   int (*filter)(const struct dirent *entry),
                   int (*compare)(const struct dirent **a, const struct dirent **b));
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_open(const char *path, int flags, mode_t mode)
{
    int fd = arrive() ? -1 : __real_open(path, flags, mode);

    if (fd >= 0) {
        is_file[fd] = true;
        opened++;
    }
    return fd;
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < FDS && is_file[fd]) {
        is_file[fd] = false; /* before the number can be another's */
        closed++;
    }
    __real_close(fd);
    errno = EIO;
    return close_fails ? -1 : 0;
}

int __wrap_scandir(const char *name, struct dirent ***entries,
                   int (*filter)(const struct dirent *entry),
                   int (*compare)(const struct dirent **a, const struct dirent **b))
{
    (void)arrive();
    return __real_scandir(name, entries, filter, compare);
}

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return arrive() ? -1 : __real_pread(fd, buffer, at_most(size), offset);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (arrive())
        return -1;
    return writes_nothing ? 0 : __real_pwrite(fd, data, at_most(size), offset);
}

int __wrap_fsync(int fd)
{
    return arrive() ? -1 : __real_fsync(fd);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- a directory of its own for each test -------------------------------------------------- */

static char directory[64], path[96];

/* Runs fn(path) as the main task, where path is the name of no file yet. */
static void run_in_directory(cora_task_fn *fn)
{
    int rc;

    loop_thread = pthread_self();
    sem_init(&arrived, 0, 0);
    sem_init(&go, 0, 0);
    strcpy(directory, "/tmp/cora-file-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    opened = closed = on_the_loop = 0;
    rc = run_virtual(fn, path);
    (void)unlink(path);
    assert_int_equal(rc, 0);
    assert_int_equal(opened, closed); /* no descriptor is lost */
    assert_int_equal(on_the_loop, 0); /* and nothing has blocked it */
    rc = rmdir(directory);
    assert_int_equal(rc, 0);
}

static cora_file *open_file(const char *name)
{
    cora_file *file = NULL;
    int rc = cora_file_open(&file, name, O_RDWR | O_CREAT, 0600);

    assert_int_equal(rc, 0);
    assert_non_null(file);
    return file;
}

static void close_file(cora_file *file)
{
    int rc = cora_file_close(file);

    assert_int_equal(rc, 0);
}

static void assert_text(cora_file *file, const char *expected)
{
    char text[64];
    ssize_t got = cora_file_pread(file, text, sizeof text, 0);

    assert_int_equal(got, strlen(expected));
    assert_memory_equal(text, expected, strlen(expected));
}

/* ---- what comes back ----------------------------------------------------------------------- */

static int write_and_read(void *arg)
{
    cora_file *file = open_file(arg);
    char text[32] = "";
    ssize_t n = cora_file_write(file, "hello ", 6);

    assert_int_equal(n, 6);
    n = cora_file_write(file, "world", 5);
    assert_int_equal(n, 5);
    n = cora_file_pwrite(file, "W", 1, 6);
    assert_int_equal(n, 1);
    n = cora_file_pread(file, text, 5, 6);
    assert_int_equal(n, 5);
    assert_string_equal(text, "World");
    n = cora_file_read(file, text, sizeof text); /* at the end */
    assert_int_equal(n, 0);
    n = cora_file_read(file, text, 0);
    assert_int_equal(n, 0);
    assert_true((fcntl(cora_file_fileno(file), F_GETFD) & FD_CLOEXEC) != 0);
    close_file(file);
    file = open_file(arg);
    n = cora_file_read(file, text, 6);
    assert_int_equal(n, 6);
    assert_memory_equal(text, "hello ", 6);
    n = cora_file_read(file, text, sizeof text);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "World", 5);
    n = cora_file_fsync(file);
    assert_int_equal(n, 0);
    close_file(file);
    return 0;
}

TEST(what_is_written_can_be_read)
{
    run_in_directory(write_and_read);
}

enum { MANY = (1 << 20) + 4711 };

static int write_much(void *arg)
{
    cora_file *file = open_file(arg);
    char *data = malloc(MANY), *copy = calloc(1, MANY + 1);
    size_t done = 0;
    ssize_t n;
    int rc;

    for (int i = 0; i < MANY; i++)
        data[i] = (char)(i * 7 + i / 1000);
    n = cora_file_pwrite(file, data, MANY, 0);
    assert_int_equal(n, 1 << 20); /* not more at once */
    most = 300000;
    rc = cora_file_write_all(file, data, MANY, &done);
    assert_int_equal(rc, 0);
    assert_int_equal(done, MANY);
    close_file(file);
    file = open_file(arg);
    rc = cora_file_read_all(file, copy, MANY + 1, &done);
    assert_int_equal(rc, 0);
    assert_int_equal(done, MANY);
    assert_memory_equal(copy, data, MANY);
    close_file(file);
    free(data);
    free(copy);
    return 0;
}

TEST(more_than_one_call_can_move_is_moved_by_several)
{
    run_in_directory(write_much);
}

static int interrupt(void *arg)
{
    cora_file *file;
    char text[8] = "";
    ssize_t n;

    interruptions = 2;
    file = open_file(arg);
    interruptions = 2;
    n = cora_file_write(file, "abc", 3);
    assert_int_equal(n, 3);
    interruptions = 2;
    n = cora_file_pread(file, text, sizeof text, 0);
    assert_int_equal(n, 3);
    interruptions = 2;
    n = cora_file_fsync(file);
    assert_int_equal(n, 0);
    assert_int_equal(interruptions, 0);
    close_file(file);
    return 0;
}

TEST(calls_that_are_interrupted_are_made_again)
{
    run_in_directory(interrupt);
}

static int get_stats(void *arg)
{
    cora_file *file = open_file(arg);
    struct stat by_file = {0}, by_path = {0};
    int rc = cora_file_write_all(file, "12345", 5, NULL);

    assert_int_equal(rc, 0);
    rc = cora_file_stat(file, &by_file);
    assert_int_equal(rc, 0);
    rc = cora_stat(arg, &by_path);
    assert_int_equal(rc, 0);
    assert_int_equal(by_file.st_size, 5);
    assert_true(S_ISREG(by_path.st_mode));
    assert_true(by_file.st_ino == by_path.st_ino);
    close_file(file);
    return 0;
}

TEST(a_file_tells_what_it_is_and_so_does_a_path)
{
    run_in_directory(get_stats);
}

enum { FILES = 5 };

static int list(void *arg)
{
    cora_listing listing = {0};
    char name[128];
    int seen = 0;
    int rc = cora_listdir(directory, &listing);

    assert_int_equal(rc, 0);
    assert_int_equal(listing.count, 0);
    cora_listing_clear(&listing);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%s%d", (char *)arg, i);
        close_file(open_file(name));
    }
    rc = cora_listdir(directory, &listing);
    assert_int_equal(rc, 0);
    assert_int_equal(listing.count, FILES);
    for (int i = 0; i < FILES; i++) {
        assert_memory_equal(listing.names[i], "file", 4);
        seen |= 1 << (listing.names[i][4] - '0');
        snprintf(name, sizeof name, "%s/%s", directory, listing.names[i]);
        rc = unlink(name);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(seen, (1 << FILES) - 1);
    cora_listing_clear(&listing);
    assert_null(listing.names);
    return 0;
}

TEST(a_directory_is_listed_whole)
{
    run_in_directory(list);
}

/* ---- errors -------------------------------------------------------------------------------- */

static int get_errors(void *arg)
{
    cora_file *file = NULL;
    cora_listing listing = {0};
    struct stat stat;
    char text[4];
    size_t done = 7;
    ssize_t n;
    int rc = cora_file_open(&file, arg, O_RDONLY, 0);

    assert_int_equal(rc, -ENOENT);
    assert_null(file);
    rc = cora_stat(arg, &stat);
    assert_int_equal(rc, -ENOENT);
    rc = cora_listdir(arg, &listing);
    assert_int_equal(rc, -ENOENT);
    assert_null(listing.names);
    rc = cora_file_open(&file, arg, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(rc, 0);
    n = cora_file_read(file, text, sizeof text);
    assert_int_equal(n, -EBADF);
    rc = cora_file_read_all(file, text, sizeof text, &done);
    assert_int_equal(rc, -EBADF);
    assert_int_equal(done, 0);
    close_file(file);
    rc = cora_file_open(&file, arg, O_RDONLY, 0);
    assert_int_equal(rc, 0);
    rc = cora_file_write_all(file, "x", 1, &done);
    assert_int_equal(rc, -EBADF);
    close_file(file);
    close_file(NULL);
    return 0;
}

TEST(each_error_of_the_system_is_returned)
{
    run_in_directory(get_errors);
}

static int write_nothing(void *arg)
{
    cora_file *file = open_file(arg);
    size_t done = 7;
    int rc;

    writes_nothing = true;
    rc = cora_file_write_all(file, "x", 1, &done);
    assert_int_equal(rc, -EIO);
    assert_int_equal(done, 0);
    close_fails = true;
    rc = cora_file_close(file);
    assert_int_equal(rc, -EIO);
    return 0;
}

TEST(a_write_that_does_not_go_on_and_a_close_that_fails_are_told)
{
    run_in_directory(write_nothing);
}

static int open_and_leave(void *arg)
{
    *(cora_file **)arg = open_file(path);
    return 0;
}

TEST(without_a_task_there_is_only_closing)
{
    cora_file *file = NULL;
    char text[4];
    ssize_t n;
    int rc;

    snprintf(path, sizeof path, "/tmp/cora-file-%d", (int)getpid());
    rc = run_virtual(open_and_leave, &file);
    assert_int_equal(rc, 0);
    n = cora_file_pread(file, text, sizeof text, 0);
    assert_int_equal(n, -CORA_ENOTASK);
    rc = cora_file_fsync(file);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_file_close(file);
    assert_int_equal(rc, 0);
    assert_int_equal(opened, 1);
    assert_int_equal(closed, 1);
    rc = unlink(path);
    assert_int_equal(rc, 0);
}

/* ---- cancellation -------------------------------------------------------------------------- */

/* Runs fn(arg) in a task that is cancelled while its call is stopped in a thread. */
static void cancel_in_thread(cora_task_fn *fn, void *arg)
{
    cora_task *task;
    int rc;

    stops = true;
    task = cora_create_task_arg(fn, arg);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    sem_wait(&arrived);
    stops = false;
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
}

static int opens(void *arg)
{
    return cora_file_open(arg, path, O_RDWR | O_CREAT, 0600);
}

static int cancel_open(void *arg)
{
    cora_file *file = NULL;

    (void)arg;
    cancel_in_thread(opens, &file);
    assert_null(file);
    sem_post(&go);
    return 0;
}

TEST(a_cancelled_open_closes_what_its_thread_opens)
{
    run_in_directory(cancel_open);
    assert_int_equal(opened, 1);
}

struct reading {
    cora_file *file;
    char *buffer;
};

static int reads(void *arg)
{
    struct reading *r = arg;

    return (int)cora_file_read(r->file, r->buffer, 5);
}

/* The buffer is freed while the thread has yet to read. */
static int cancel_read(void *arg)
{
    struct reading r = {open_file(arg), malloc(5)};
    char text[8] = "";
    ssize_t n = cora_file_pwrite(r.file, "12345", 5, 0);

    assert_int_equal(n, 5);
    cancel_in_thread(reads, &r);
    free(r.buffer);
    sem_post(&go);
    n = cora_file_read(r.file, text, 5); /* nothing is lost */
    assert_int_equal(n, 5);
    assert_string_equal(text, "12345");
    close_file(r.file);
    return 0;
}

TEST(a_cancelled_read_writes_into_no_buffer_and_can_be_made_again)
{
    run_in_directory(cancel_read);
}

static int writes(void *arg)
{
    struct reading *r = arg;

    return (int)cora_file_write(r->file, r->buffer, 5);
}

/* The file is closed, and the data freed, while the thread has yet to write. */
static int cancel_write(void *arg)
{
    struct reading r = {open_file(arg), strdup("12345")};
    cora_file *other;

    cancel_in_thread(writes, &r);
    memset(r.buffer, 'x', 5);
    free(r.buffer);
    close_file(r.file);
    assert_int_equal(closed, 0);
    other = open_file("/dev/null"); /* would get the number */
    sem_post(&go);
    while (closed == 0) {
        int rc = cora_file_fsync(other); /* fails: it is no file on a disk */

        assert_int_equal(rc, -EINVAL);
    }
    close_file(other);
    other = open_file(arg);
    assert_text(other, "12345");
    close_file(other);
    return 0;
}

TEST(a_cancelled_write_writes_what_it_was_given_where_it_was_to)
{
    run_in_directory(cancel_write);
}

static int syncs(void *arg)
{
    return cora_file_fsync(arg);
}

static int cancel_sync(void *arg)
{
    cora_file *file = open_file(arg);

    cancel_in_thread(syncs, file);
    close_file(file);
    sem_post(&go);
    return 0;
}

TEST(a_file_closed_during_a_cancelled_call_is_closed_when_that_ends)
{
    run_in_directory(cancel_sync);
}

static int lists(void *arg)
{
    return cora_listdir(directory, arg);
}

static int cancel_list(void *arg)
{
    cora_listing listing = {NULL, 0};

    close_file(open_file(arg));
    cancel_in_thread(lists, &listing);
    assert_null(listing.names);
    sem_post(&go);
    return 0;
}

TEST(the_names_that_a_cancelled_task_was_to_get_are_freed)
{
    run_in_directory(cancel_list);
}

static int closes(void *arg)
{
    return cora_file_close(arg);
}

static int cancel_close(void *arg)
{
    cora_task *task = cora_create_task_arg(closes, open_file(arg));
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    return 0;
}

TEST(a_cancelled_close_closes)
{
    run_in_directory(cancel_close);
    assert_int_equal(opened, 1);
}
