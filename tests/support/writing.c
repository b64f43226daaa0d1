#include "support/writing.h"

#include "support/faults.h"
#include "support/test.h"

static void write_pieces(struct endpoint *endpoint, const struct writing *writing)
{
    struct iovec parts[4];
    size_t count = 0;
    int rc;

    for (; count < 4 && writing->pieces[count] != NULL; count++) {
        parts[count] = (struct iovec){.iov_base = (char *)writing->pieces[count],
                                      .iov_len = strlen(writing->pieces[count])};
        if (!writing->together)
            write_text(endpoint, writing->pieces[count]);
    }
    if (writing->together) {
        rc = cora_transport_writelines(endpoint->transport, parts, count);
        assert_int_equal(rc, 0);
    }
}

void write_with_faults(struct endpoint *endpoint, const struct writing *writing)
{
    const int *faults = writing->faults;

    set_faults_of(endpoint->fd, faults[0], faults[1], faults[2]);
    write_pieces(endpoint, writing);
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint->transport), writing->kept);
    if (writing->closes)
        cora_transport_close(endpoint->transport);
    if (writing->closes || writing->error < 0)
        await_loss(endpoint);
    else
        look(1);
    assert_int_equal(endpoint->recorder.error, writing->error);
    assert_int_equal(faults_met(), (faults[0] != 0) + (faults[1] != 0) + (faults[2] != 0));
    if (writing->calls > 0)
        assert_int_equal(calls_made(), writing->calls);
    if (writing->arrives != NULL)
        expect_text(endpoint->peer, writing->arrives);
}
