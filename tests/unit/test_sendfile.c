/* cora_sendfile through a transport that the kernel sends no file to: a pipe's. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <unistd.h>

struct scene {
    struct recorder recorder;
    cora_transport *transport;
    int file, end; /* the pipe's other one */
};

static void open_scene(struct scene *scene)
{
    unsigned char *data = make_big();
    FILE *file = tmpfile();
    int ends[2];

    *scene = (struct scene){.recorder.silent = false};
    assert_int_equal(fwrite(data, 1, BIG, file), BIG);
    free(data);
    scene->file = dup(fileno(file));
    fclose(file);
    assert_int_equal(pipe(ends), 0);
    scene->end = ends[0];
    assert_int_equal(cora_connect_write_pipe(record, &scene->recorder, ends[1], &scene->transport),
                     0);
}

static void close_scene(struct scene *scene)
{
    cora_transport_abort(scene->transport);
    assert_int_equal(wait_lost(&scene->recorder), 0);
    cora_transport_unref(scene->transport);
    close_fd(scene->file);
    if (scene->end >= 0)
        close_fd(scene->end);
}

struct sender_args {
    struct scene *scene;
    off_t offset;
    size_t count, *sent;
};

static int sender(void *arg)
{
    struct sender_args *a = arg;

    return cora_sendfile(a->scene->transport, a->scene->file, a->offset, a->count, true, a->sent);
}

/* So many bytes come, all of them right. */
static void take(const struct scene *scene, size_t from, size_t size)
{
    static unsigned char buffer[65536];

    while (size > 0) {
        ssize_t got;

        assert_int_equal(cora_wait_readable(scene->end), 0);
        got = read(scene->end, buffer, size < sizeof buffer ? size : sizeof buffer);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(buffer[i], byte_at(from++));
        size -= (size_t)got;
    }
}

static int send_by_writing(void *arg)
{
    struct scene scene;
    size_t sent = 7;
    cora_task *task;

    (void)arg;
    open_scene(&scene);
    task =
        cora_create_task(sender, .scene = &scene, .offset = 1000, .count = BIG / 2, .sent = &sent);
    take(&scene, 1000, BIG / 2);
    assert_int_equal(cora_await_unref(task), 0);
    assert_int_equal(sent, BIG / 2);
    assert_int_equal(lseek(scene.file, 0, SEEK_CUR), 1000 + BIG / 2);
    assert_ptr_equal(cora_transport_get_protocol(scene.transport), &scene.recorder.protocol);
    task = cora_create_task(sender, .scene = &scene, .offset = BIG - 5, .count = SIZE_MAX,
                            .sent = &sent);
    take(&scene, BIG - 5, 5);
    assert_int_equal(cora_await_unref(task), 0);
    assert_int_equal(sent, 5);
    close_scene(&scene);
    return 0;
}

TEST(it_is_read_and_written_piece_by_piece)
{
    assert_int_equal(run_virtual(send_by_writing, NULL), 0);
    assert_string_equal(trace_text, "made lost ");
}

static int cancel_in_the_middle(void *arg)
{
    struct scene scene;
    size_t sent = 0;
    cora_task *task;

    (void)arg;
    open_scene(&scene);
    task = cora_create_task(sender, .scene = &scene, .count = SIZE_MAX, .sent = &sent);
    take(&scene, 0, 100000);
    assert_true(cora_task_cancel(task));
    assert_int_equal(cora_await_unref(task), -ECANCELED);
    assert_in_range(sent, 100000, BIG - 1);
    assert_int_equal(lseek(scene.file, 0, SEEK_CUR), sent);
    assert_ptr_equal(cora_transport_get_protocol(scene.transport), &scene.recorder.protocol);
    take(&scene, 100000, sent - 100000);
    close_scene(&scene);
    return 0;
}

/* The real protocol hears of no pause that began and ended while it was away. */
TEST(a_cancelled_one_tells_how_far_it_has_come)
{
    assert_int_equal(run_virtual(cancel_in_the_middle, NULL), 0);
}

static int lose_in_the_middle(void *arg)
{
    struct scene scene;
    size_t sent = 0;
    cora_task *task;

    (void)arg;
    open_scene(&scene);
    task = cora_create_task(sender, .scene = &scene, .count = SIZE_MAX, .sent = &sent);
    take(&scene, 0, 100000);
    close_fd(scene.end);
    scene.end = -1;
    assert_int_equal(cora_await_unref(task), -ENOTCONN);
    assert_in_range(sent, 100000, BIG - 1);
    assert_int_equal(scene.recorder.lost, 1);
    close_scene(&scene);
    return 0;
}

TEST(the_real_protocol_is_told_of_the_end)
{
    assert_int_equal(run_virtual(lose_in_the_middle, NULL), 0);
}

static int refuse(void *arg)
{
    struct scene scene;

    (void)arg;
    open_scene(&scene);
    assert_int_equal(cora_sendfile(scene.transport, scene.file, -1, 5, true, NULL), -EINVAL);
    assert_int_equal(cora_sendfile(scene.transport, scene.file, 0, 5, false, NULL), -EOPNOTSUPP);
    assert_int_equal(cora_sendfile(scene.transport, -1, 0, 5, true, NULL), -EBADF);
    cora_transport_close(scene.transport);
    assert_int_equal(cora_sendfile(scene.transport, scene.file, 0, 5, true, NULL), -ENOTCONN);
    close_scene(&scene);
    return 0;
}

TEST(what_cannot_be_sent_is_refused)
{
    assert_int_equal(run_virtual(refuse, NULL), 0);
}
