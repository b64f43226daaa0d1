/* Every system call fails in turn, in every way that it knows: all comes to an end, and is closed.
 */
#include "support/faults.h"
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/socket.h>
#include <unistd.h>

/* How many faults and allocations a scenario is known to have, at least: that none is left out. */
static void run(cora_task_fn *scenario, int least_faults, int least_allocations)
{
    int faults = run_with_each_fault(scenario, NULL);
    int allocations = run_with_each_allocation_refused(scenario, NULL);

    assert_in_range(faults, least_faults, 100000);
    assert_in_range(allocations, least_allocations, 100000);
}

/* ---- protocols ------------------------------------------------------------------------------ */

struct line {
    struct recorder near, far;
    cora_transport *transports[2];
};

static int open_line(struct line *line)
{
    int fds[2], rc;

    *line = (struct line){.near.silent = true, .far.silent = true};
    make_pair(fds);
    rc = cora_connect_accepted_socket(record, &line->near, fds[0], &line->transports[0]);
    if (rc < 0) {
        close_pair(fds);
        return rc;
    }
    rc = cora_connect_accepted_socket(record, &line->far, fds[1], &line->transports[1]);
    if (rc < 0)
        cora_close_fd(fds[1]);
    return rc;
}

static void close_line(struct line *line)
{
    struct recorder *ends[2] = {&line->near, &line->far};

    for (int i = 0; i < 2; i++) {
        if (line->transports[i] == NULL)
            continue;
        cora_transport_close(line->transports[i]);
        wait_lost(ends[i]);
        cora_transport_unref(line->transports[i]);
    }
}

/* The far end has all of it, or one of the two has been lost. */
static int wait_for_all(struct line *line, size_t size)
{
    while (line->far.received < size && line->far.lost == 0 && line->near.lost == 0) {
        int rc = cora_sleep(0.1);

        if (rc < 0)
            return rc;
    }
    return line->far.received == size ? 0 : -ECONNRESET;
}

static int talk(void *arg)
{
    struct line line;
    int rc = open_line(&line);

    (void)arg;
    if (rc == 0)
        rc = cora_transport_write(line.transports[0], "hello", 5);
    if (rc == 0)
        rc = cora_transport_writelines(line.transports[0],
                                       (struct iovec[]){{", ", 2}, {"world", 5}}, 2);
    if (rc == 0)
        rc = wait_for_all(&line, 12);
    if (rc == 0)
        assert_string_equal(line.far.text, "hello, world");
    close_line(&line);
    return rc;
}

TEST(a_talk_between_two_transports)
{
    run(talk, 30, 8);
}
