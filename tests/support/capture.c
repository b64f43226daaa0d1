#include "support/capture.h"

#include "support/test.h"

#include <unistd.h>

const char *capture_stderr(void (*fn)(void *arg), void *arg)
{
    static char text[1024];
    int ends[2];
    int before = dup(STDERR_FILENO);
    int rc = pipe(ends);
    ssize_t length;

    assert_int_equal(rc, 0);
    fflush(stderr);
    dup2(ends[1], STDERR_FILENO);
    fn(arg);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[1]);
    length = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    text[length > 0 ? length : 0] = '\0';
    return text;
}
