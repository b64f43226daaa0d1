#include "support/sendfile.h"

#include "support/socket.h"
#include "support/test.h"

#include <sys/sendfile.h>
#include <unistd.h>

static struct {
    int error, after, times, met;
} refusal;

void refuse_sendfile(int error, int after, int times)
{
    refusal.error = error;
    refusal.after = after;
    refusal.times = times;
    refusal.met = 0;
}

int sendfile_refused(void)
{
    return refusal.met;
}

static bool refuses(void)
{
    if (refusal.times == 0 || refusal.after-- > 0)
        return false;
    if (refusal.times > 0)
        refusal.times--;
    refusal.met++;
    return true;
}

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
ssize_t __real_sendfile(int fd, int file, off_t *offset, size_t size);
ssize_t __wrap_sendfile(int fd, int file, off_t *offset, size_t size);

ssize_t __wrap_sendfile(int fd, int file, off_t *offset, size_t size)
{
    if (!refuses())
        return __real_sendfile(fd, file, offset, size);
    errno = refusal.error;
    return -1;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

int make_file(void)
{
    FILE *file = tmpfile();
    unsigned char *data = make_big();
    size_t written = fwrite(data, 1, BIG, file);
    int fd = dup(fileno(file));
    off_t at;

    assert_int_equal(written, BIG);
    free(data);
    fclose(file);
    at = lseek(fd, SOMEWHERE, SEEK_SET);
    assert_int_equal(at, SOMEWHERE);
    return fd;
}

void assert_position(int file, off_t expected)
{
    off_t at = lseek(file, 0, SEEK_CUR);

    assert_int_equal(at, expected);
}

int file_sender(void *arg)
{
    struct file_sender_args *a = arg;
    int rc = cora_sock_sendfile(a->fd, a->file, a->offset, a->count, a->sent);

    shutdown(a->fd, SHUT_WR);
    return rc;
}

size_t receive_from(int fd, size_t offset)
{
    static unsigned char buffer[50000];
    size_t total = 0;
    ssize_t got;

    while ((got = cora_sock_recv(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != byte_at(offset + total + (size_t)i))
                fail_msg("byte %zu is wrong", total + (size_t)i);
        total += (size_t)got;
    }
    assert_int_equal(got, 0);
    return total;
}
