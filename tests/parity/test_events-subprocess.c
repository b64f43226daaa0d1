/* CPython's test_events.py: other programs, as protocols see them. */
#include "support/process.h"
#include "support/test.h"
#include "support/virtual.h"

#include <signal.h>

enum { PIPE = CORA_SUBPROCESS_PIPE };

/* A protocol that keeps what it is told. */
struct program {
    cora_protocol protocol;
    cora_transport *transport; /* a reference */
    char data[3][64];          /* of stdout and stderr */
    bool disconnected[3];
    bool exited, lost;
    cora_waiter *waiter; /* woken by each call */
};

static void wake(struct program *self)
{
    if (self->waiter != NULL)
        cora_waiter_wake(self->waiter);
}

static void connection_made(cora_protocol *protocol, cora_transport *transport)
{
    struct program *self = (struct program *)protocol;

    assert_null(self->transport);
    self->transport = cora_transport_ref(transport);
}

static void connection_lost(cora_protocol *protocol, int error)
{
    struct program *self = (struct program *)protocol;

    assert_int_equal(error, 0);
    assert_true(self->exited);
    assert_false(self->lost);
    self->lost = true;
    wake(self);
}

static void pipe_data_received(cora_protocol *protocol, int fd, const void *data, size_t size)
{
    struct program *self = (struct program *)protocol;
    size_t length = strlen(self->data[fd]);

    assert_non_null(self->transport);
    assert_true(length + size < sizeof self->data[fd]);
    memcpy(self->data[fd] + length, data, size);
    wake(self);
}

static void pipe_connection_lost(cora_protocol *protocol, int fd, int error)
{
    struct program *self = (struct program *)protocol;

    (void)error;
    assert_false(self->disconnected[fd]);
    self->disconnected[fd] = true;
    wake(self);
}

static void process_exited(cora_protocol *protocol)
{
    struct program *self = (struct program *)protocol;

    assert_false(self->exited);
    self->exited = true;
    wake(self);
}

static const cora_protocol_methods program_methods = {
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .pipe_data_received = pipe_data_received,
    .pipe_connection_lost = pipe_connection_lost,
    .process_exited = process_exited,
};

static cora_protocol *make_program(void *arg)
{
    struct program *self = arg;

    *self = (struct program){.protocol = {&program_methods}};
    return &self->protocol;
}

static void wait_for_news(struct program *self)
{
    cora_waiter waiter;
    int rc;

    cora_waiter_init(&waiter, "a program", self);
    self->waiter = &waiter;
    rc = cora_waiter_wait(&waiter);
    self->waiter = NULL;
    assert_int_equal(rc, 0);
}

/* Until it has written this. */
static void expect(struct program *self, int fd, const char *text)
{
    while (strlen(self->data[fd]) < strlen(text))
        wait_for_news(self);
    assert_string_equal(self->data[fd], text);
}

static void start(struct program *self, const char *command, cora_subprocess_options options)
{
    cora_transport *transport = NULL;
    int rc = cora_subprocess_shell(make_program, self, command, &options, &transport);

    assert_int_equal(rc, 0);
    assert_ptr_equal(transport, self->transport);
    cora_transport_unref(transport);
}

static void start_with_pipes(struct program *self, const char *command)
{
    start(self, command, (cora_subprocess_options){.in = PIPE, .out = PIPE, .err = PIPE});
}

static void send_text(struct program *self, const char *text)
{
    cora_transport *in = cora_transport_get_pipe_transport(self->transport, 0);
    int rc = cora_transport_write(in, text, strlen(text));

    assert_int_equal(rc, 0);
}

/* It ends, all its pipes with it. */
static void finish(struct program *self, int expected)
{
    int returncode = 1000;

    while (!self->lost)
        wait_for_news(self);
    assert_true(cora_transport_get_returncode(self->transport, &returncode));
    assert_int_equal(returncode, expected);
    cora_transport_unref(self->transport);
}

static void close_and_finish(struct program *self)
{
    cora_transport_close(self->transport);
    finish(self, -SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        assert_true(self->disconnected[fd]);
}

/* ---- input and output ---------------------------------------------------------------------- */

static int exec_cat(void *arg)
{
    static const char *const argv[] = {"/bin/cat", NULL};
    const cora_subprocess_options options = {.in = PIPE, .out = PIPE, .err = PIPE};
    struct program program;
    int rc = cora_subprocess_exec(make_program, &program, argv, &options, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_true(cora_transport_get_pid(program.transport) > 0);
    send_text(&program, "Python The Winner");
    expect(&program, 1, "Python The Winner");
    close_and_finish(&program);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_exec)
{
    run_processes(exec_cat);
}

static int interact(void *arg)
{
    struct program program;

    (void)arg;
    start_with_pipes(&program, "exec cat");
    send_text(&program, "Python ");
    expect(&program, 1, "Python ");
    send_text(&program, "The Winner");
    expect(&program, 1, "Python The Winner");
    close_and_finish(&program);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_interactive)
{
    run_processes(interact);
}

static int echo(void *arg)
{
    struct program program;

    (void)arg;
    start_with_pipes(&program, "echo Python");
    cora_transport_close(cora_transport_get_pipe_transport(program.transport, 0));
    finish(&program, 0);
    for (int fd = 0; fd < 3; fd++)
        assert_true(program.disconnected[fd]);
    assert_string_equal(program.data[1], "Python\n");
    assert_string_equal(program.data[2], "");
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_shell)
{
    run_processes(echo);
}

#define ECHO_TO_BOTH "IFS= read -r a; printf OUT:%s $a; printf ERR:%s $a >&2; exec cat"

static int both(void *arg)
{
    struct program program;

    (void)arg;
    start_with_pipes(&program, ECHO_TO_BOTH);
    send_text(&program, "test\n");
    expect(&program, 1, "OUT:test");
    expect(&program, 2, "ERR:test");
    close_and_finish(&program);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_stderr)
{
    run_processes(both);
}

static int both_in_one(void *arg)
{
    struct program program;

    (void)arg;
    start(&program, ECHO_TO_BOTH,
          (cora_subprocess_options){.in = PIPE, .out = PIPE, .err = CORA_SUBPROCESS_STDOUT});
    assert_non_null(cora_transport_get_pipe_transport(program.transport, 1));
    assert_null(cora_transport_get_pipe_transport(program.transport, 2));
    send_text(&program, "test\n");
    expect(&program, 1, "OUT:testERR:test");
    cora_transport_close(program.transport);
    finish(&program, -SIGKILL);
    assert_true(program.disconnected[0]);
    assert_true(program.disconnected[1]);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_stderr_redirect_to_stdout)
{
    run_processes(both_in_one);
}

/* Nobody reads its output any more, which it hears when it writes. */
static int close_stdout(void *arg)
{
    struct program program;

    (void)arg;
    start_with_pipes(&program, "trap '' PIPE; read a; echo $a; read a;"
                               " echo $a 2>/dev/null || echo broken >&2; exec cat");
    send_text(&program, "test\n");
    expect(&program, 1, "test\n");
    cora_transport_close(cora_transport_get_pipe_transport(program.transport, 1));
    while (!program.disconnected[1])
        wait_for_news(&program);
    send_text(&program, "xxx\n");
    expect(&program, 2, "broken\n");
    close_and_finish(&program);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_close_client_stream)
{
    run_processes(close_stdout);
}

/* ---- the end ------------------------------------------------------------------------------- */

static int exit_code(void *arg)
{
    struct program program;

    (void)arg;
    start(&program, "exit 7", (cora_subprocess_options){.in = 0});
    finish(&program, 7);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_exitcode)
{
    run_processes(exit_code);
}

static int close_after_finish(void *arg)
{
    struct program program;

    (void)arg;
    start(&program, "exit 7", (cora_subprocess_options){.in = 0});
    for (int fd = 0; fd < 3; fd++)
        assert_null(cora_transport_get_pipe_transport(program.transport, fd));
    cora_transport_ref(program.transport);
    finish(&program, 7);
    cora_transport_close(program.transport);
    cora_transport_unref(program.transport);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_close_after_finish)
{
    run_processes(close_after_finish);
}

static int kills(void *arg)
{
    struct program program;
    int rc;

    (void)arg;
    start_with_pipes(&program, "exec cat");
    rc = cora_transport_kill(program.transport);
    assert_int_equal(rc, 0);
    finish(&program, -SIGKILL);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_kill)
{
    run_processes(kills);
}

static int terminates(void *arg)
{
    struct program program;
    int rc;

    (void)arg;
    start_with_pipes(&program, "exec cat");
    rc = cora_transport_terminate(program.transport);
    assert_int_equal(rc, 0);
    finish(&program, -SIGTERM);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_terminate)
{
    run_processes(terminates);
}

static int hangs_up(void *arg)
{
    struct program program;
    int rc;

    (void)arg;
    start_with_pipes(&program, "exec cat");
    rc = cora_transport_send_signal(program.transport, SIGHUP);
    assert_int_equal(rc, 0);
    finish(&program, -SIGHUP);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_send_signal)
{
    run_processes(hangs_up);
}

static int another_session(void *arg)
{
    struct program program;

    (void)arg;
    start(&program, "exit 7", (cora_subprocess_options){.start_new_session = true});
    finish(&program, 7);
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_wait_no_same_group)
{
    run_processes(another_session);
}

/* ---- arguments ----------------------------------------------------------------------------- */

/* A call that fails has no connection: its protocol is told only that. */
static void refused(cora_protocol *self, int error)
{
    (void)self;
    trace("refused %s", cora_strerrorname(error));
}

static cora_protocol *make_refused(void *arg)
{
    static const cora_protocol_methods methods = {.connection_lost = refused};
    static cora_protocol protocol = {&methods};

    (void)arg;
    return &protocol;
}

static int exec_nothing(void *arg)
{
    static const char *const nothing[] = {NULL}, *const argv[] = {"true", NULL};
    const cora_subprocess_options options = {.out = CORA_SUBPROCESS_STDOUT};
    int rc = cora_subprocess_exec(make_refused, NULL, nothing, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    rc = cora_subprocess_exec(make_refused, NULL, NULL, NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_subprocess_exec(make_refused, NULL, argv, &options, NULL);
    assert_int_equal(rc, -EINVAL);
    assert_string_equal(trace_text, "refused EINVAL refused EINVAL refused EINVAL ");
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_exec_invalid_args)
{
    run_processes(exec_nothing);
}

static int shell_nothing(void *arg)
{
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_STDOUT};
    int rc = cora_subprocess_shell(make_refused, NULL, NULL, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    assert_string_equal(trace_text, ""); /* no protocol was made */
    rc = cora_subprocess_shell(make_refused, NULL, "exit 0", &options, NULL);
    assert_int_equal(rc, -EINVAL);
    assert_string_equal(trace_text, "refused EINVAL ");
    return 0;
}

TEST(SubprocessTestsMixin_test_subprocess_shell_invalid_args)
{
    run_processes(shell_nothing);
}
