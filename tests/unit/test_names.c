/* Names and addresses: what is answered at once, what in a thread, and what a cancellation leaves.
 */
#include "support/test.h"
#include "support/virtual.h"
#include "support/workers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

enum { MOST_THREADS = 32 };

/* ---- the system's resolver, at which a test can stop threads, and which it can let fail ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stops, fails;
    int result, error;       /* where it fails: EAI_ and errno */
    int asked, lists, freed; /* calls, lists made and given back */
    int elsewhere;           /* calls in another thread than the test's */
    pthread_t thread;
} resolver = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Whether the call is to fail. */
static bool arrive(void)
{
    bool fails;

    pthread_mutex_lock(&resolver.lock);
    resolver.asked++;
    resolver.elsewhere += !pthread_equal(pthread_self(), resolver.thread);
    pthread_cond_broadcast(&resolver.changed);
    while (resolver.stops && !pthread_equal(pthread_self(), resolver.thread))
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    fails = resolver.fails;
    pthread_mutex_unlock(&resolver.lock);
    return fails;
}

static void count(int *counter)
{
    pthread_mutex_lock(&resolver.lock);
    ++*counter;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.lock);
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
void __real_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __real_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                       socklen_t host_size, char *service, socklen_t service_size, int flags);
int __wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                       socklen_t host_size, char *service, socklen_t service_size, int flags);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    int result;

    if (arrive()) {
        errno = resolver.error;
        return resolver.result;
    }
    result = __real_getaddrinfo(host, service, hints, list);
    if (result == 0)
        count(&resolver.lists);
    return result;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    count(&resolver.freed);
    __real_freeaddrinfo(list);
}

int __wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                       socklen_t host_size, char *service, socklen_t service_size, int flags)
{
    (void)arrive();
    return __real_getnameinfo(address, length, host, host_size, service, service_size, flags);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void stop_threads(bool stops)
{
    pthread_mutex_lock(&resolver.lock);
    resolver.stops = stops;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.lock);
}

static void await_threads(int number)
{
    pthread_mutex_lock(&resolver.lock);
    while (resolver.elsewhere < number)
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    pthread_mutex_unlock(&resolver.lock);
}

static void use_resolver(void)
{
    resolver.thread = pthread_self();
}

static const struct addrinfo stream = {.ai_socktype = SOCK_STREAM};

/* ---- numbers ------------------------------------------------------------------------------- */

TEST(numeric_addresses_are_found_at_once_and_without_a_task)
{
    struct addrinfo *list = NULL;
    int rc;

    use_resolver();
    rc = cora_getaddrinfo("127.0.0.1", "8080", &stream, &list);
    assert_int_equal(rc, 0);

    struct sockaddr_in *four = (struct sockaddr_in *)list->ai_addr;

    assert_int_equal(list->ai_family, AF_INET);
    assert_int_equal(list->ai_socktype, SOCK_STREAM);
    assert_int_equal(list->ai_protocol, IPPROTO_TCP);
    assert_int_equal(ntohs(four->sin_port), 8080);
    assert_int_equal(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_null(list->ai_next);
    cora_freeaddrinfo(list);

    rc = cora_getaddrinfo("::1", NULL, &stream, &list);
    assert_int_equal(rc, 0);

    struct sockaddr_in6 *six = (struct sockaddr_in6 *)list->ai_addr;

    assert_int_equal(list->ai_family, AF_INET6);
    assert_int_equal(six->sin6_port, 0);
    assert_memory_equal(&six->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback);
    cora_freeaddrinfo(list);
    assert_int_equal(resolver.elsewhere, 0);
    assert_int_equal(resolver.lists, 2);
    assert_int_equal(resolver.freed, 2);
}

TEST(names_need_a_task)
{
    struct addrinfo *list = NULL;
    int rc;

    use_resolver();
    rc = cora_getaddrinfo("localhost", NULL, &stream, &list);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_null(list);
    cora_freeaddrinfo(list); /* NULL is fine */
}

TEST(a_name_too_long_to_be_one_is_not_asked_for)
{
    char host[2000], service[100];
    struct addrinfo *list = NULL;
    int rc;

    use_resolver();
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    memset(service, 'a', sizeof service);
    service[sizeof service - 1] = '\0';
    rc = cora_getaddrinfo(host, NULL, &stream, &list);
    assert_int_equal(rc, -CORA_EAI_NONAME);
    rc = cora_getaddrinfo("::1", service, &stream, &list);
    assert_int_equal(rc, -CORA_EAI_SERVICE);
    assert_null(list);
    assert_int_equal(resolver.asked, 0);
}

TEST(a_port_is_below_65536)
{
    struct addrinfo *list = NULL;
    int rc;

    rc = cora_getaddrinfo("::1", "65536", &stream, &list);
    assert_int_equal(rc, -CORA_EAI_SERVICE);
    rc = cora_getaddrinfo("::1", "65535", &stream, &list);
    assert_int_equal(rc, 0);
    assert_int_equal(((struct sockaddr_in6 *)list->ai_addr)->sin6_port, htons(65535));
    cora_freeaddrinfo(list);
}

/* ---- names --------------------------------------------------------------------------------- */

static bool is_loopback(const struct addrinfo *a)
{
    if (a->ai_family == AF_INET)
        return ntohl(((struct sockaddr_in *)a->ai_addr)->sin_addr.s_addr) >> 24 == 127;
    return a->ai_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr);
}

static int look_up_localhost(void *arg)
{
    struct addrinfo *list = NULL;
    int rc = cora_getaddrinfo("localhost", "7", &stream, &list);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_non_null(list);
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next)
        assert_true(is_loopback(a));
    cora_freeaddrinfo(list);
    return 0;
}

TEST(a_name_is_asked_for_in_a_thread)
{
    int rc;

    use_resolver();
    rc = run_virtual(look_up_localhost, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(resolver.elsewhere, 1);
    assert_int_equal(resolver.lists, 1);
    assert_int_equal(resolver.freed, 1);
}

/* What the resolver's failure becomes, asked in a thread and by numbers. */
static int fail_with(void *arg)
{
    int *rc = arg;
    struct addrinfo *list = NULL;

    rc[0] = cora_getaddrinfo(NULL, "7", &stream, &list);
    rc[1] = cora_getaddrinfo("127.0.0.1", "7", &stream, &list);
    assert_null(list);
    return 0;
}

static const struct failure {
    int result, error, expected;
} failures[] = {
    {EAI_ADDRFAMILY, 0, -CORA_EAI_ADDRFAMILY},
    {EAI_AGAIN, 0, -CORA_EAI_AGAIN},
    {EAI_BADFLAGS, 0, -CORA_EAI_BADFLAGS},
    {EAI_FAIL, 0, -CORA_EAI_FAIL},
    {EAI_FAMILY, 0, -CORA_EAI_FAMILY},
    {EAI_MEMORY, 0, -ENOMEM},
    {EAI_NODATA, 0, -CORA_EAI_NODATA},
    {EAI_NONAME, 0, -CORA_EAI_NONAME},
    {EAI_OVERFLOW, 0, -CORA_EAI_OVERFLOW},
    {EAI_SERVICE, 0, -CORA_EAI_SERVICE},
    {EAI_SOCKTYPE, 0, -CORA_EAI_SOCKTYPE},
    {EAI_SYSTEM, EMFILE, -EMFILE},
    {EAI_SYSTEM, 0, -EIO},
    {-4711, 0, -CORA_EAI_FAIL},
};

TEST(each_failure_of_the_resolver_has_an_error_of_its_own)
{
    int got[2], rc;

    use_resolver();
    resolver.fails = true;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        resolver.result = failures[i].result;
        resolver.error = failures[i].error;
        rc = run_virtual(fail_with, got);
        assert_int_equal(rc, 0);
        assert_int_equal(got[0], failures[i].expected);
        assert_int_equal(got[1], failures[i].expected);
    }
    assert_string_equal(cora_strerrorname(-CORA_EAI_NONAME), "CORA_EAI_NONAME");
    assert_string_equal(cora_strerror(-CORA_EAI_NONAME), "name or service not known");
}

static int look_up_a_service(void *arg)
{
    struct addrinfo *list = NULL;

    (void)arg;
    return cora_getaddrinfo("127.0.0.1", "no-such-service", &stream, &list);
}

TEST(a_service_by_name_is_asked_for_in_a_thread)
{
    int rc;

    use_resolver();
    rc = run_virtual(look_up_a_service, NULL);
    assert_int_equal(rc, -CORA_EAI_SERVICE);
    assert_int_equal(resolver.elsewhere, 1);
}

/* ---- cancellation -------------------------------------------------------------------------- */

struct looks_up_args {
    struct addrinfo **list;
};

static int looks_up(void *arg)
{
    struct looks_up_args *a = arg;

    return cora_getaddrinfo("localhost", "7", &stream, a->list);
}

static int cancel_while_asked(void *arg)
{
    struct addrinfo *list = NULL;
    cora_task *task;
    int rc;

    (void)arg;
    stop_threads(true);
    task = cora_create_task(looks_up, .list = &list);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    await_threads(1);
    cora_task_cancel(task);
    rc = cora_await_unref(task); /* while the thread is stopped */
    assert_int_equal(rc, -ECANCELED);
    stop_threads(false);
    assert_null(list);
    return 0;
}

TEST(what_a_cancelled_task_was_to_get_is_freed)
{
    int rc;

    use_resolver();
    rc = run_virtual(cancel_while_asked, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(resolver.lists, 1);
    assert_int_equal(resolver.freed, 1);
}

/* All threads of the pool are stopped, so that the last lookup is in its queue. */
static int cancel_in_the_queue(void *arg)
{
    struct addrinfo *list[MOST_THREADS + 1] = {NULL};
    cora_task *task[MOST_THREADS + 1];
    int most = default_workers();
    int rc;

    stop_threads(true);
    for (int i = 0; i <= most; i++)
        task[i] = cora_create_task(looks_up, .list = &list[i]);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    await_threads(most);
    cora_task_cancel(task[most]);
    rc = cora_await_unref(task[most]);
    assert_int_equal(rc, -ECANCELED);
    stop_threads(false);
    for (int i = 0; i < most; i++) {
        rc = cora_await_unref(task[i]);
        assert_int_equal(rc, 0);
        cora_freeaddrinfo(list[i]);
    }
    assert_null(list[most]);
    *(int *)arg = most;
    return 0;
}

TEST(a_lookup_cancelled_in_the_queue_is_never_made)
{
    int most = 0, rc;

    use_resolver();
    rc = run_virtual(cancel_in_the_queue, &most);
    assert_int_equal(rc, 0);
    assert_int_equal(resolver.elsewhere, most);
    assert_int_equal(resolver.lists, most);
    assert_int_equal(resolver.freed, most);
}

static int cancel_with_the_answer(void *arg)
{
    struct addrinfo *list = NULL;
    cora_task *task;
    int rc;

    (void)arg;
    stop_threads(true);
    task = cora_create_task(looks_up, .list = &list);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    await_threads(1);
    stop_threads(false);
    pthread_mutex_lock(&resolver.lock);
    while (resolver.lists == 0)
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    pthread_mutex_unlock(&resolver.lock);
    cora_task_cancel(task); /* the answer is there, or just about to come */
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_null(list);
    return 0;
}

TEST(an_answer_that_comes_together_with_the_cancellation_is_freed)
{
    int rc;

    use_resolver();
    rc = run_virtual(cancel_with_the_answer, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(resolver.lists, 1);
    assert_int_equal(resolver.freed, 1);
}

static void stop_loop(void *loop)
{
    cora_loop_stop(loop);
}

TEST(a_loop_closed_under_a_lookup_frees_the_answer)
{
    struct addrinfo *list = NULL;
    struct looks_up_args args = {.list = &list};
    cora_loop *loop = virtual_loop();
    cora_task *task;
    int rc;

    use_resolver();
    stop_threads(true);
    task = cora_loop_create_task_arg(loop, NULL, looks_up, "looks_up", &args);
    rc = cora_loop_call_soon(loop, stop_loop, loop, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    await_threads(1);
    stop_threads(false);
    cora_task_unref(task);
    cora_loop_free(loop);
    assert_null(list);
    assert_int_equal(resolver.lists, 1);
    assert_int_equal(resolver.freed, 1);
}

/* ---- names of addresses -------------------------------------------------------------------- */

static struct sockaddr_in loopback_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    return address;
}

TEST(numeric_names_of_an_address_are_told_at_once_and_without_a_task)
{
    struct sockaddr_in address = loopback_port(8080);
    char host[64], service[16];
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    int rc;

    use_resolver();
    rc = cora_getnameinfo((struct sockaddr *)&address, sizeof address, host, sizeof host, service,
                          sizeof service, flags);
    assert_int_equal(rc, 0);
    assert_string_equal(host, "127.0.0.1");
    assert_string_equal(service, "8080");
    rc = cora_getnameinfo((struct sockaddr *)&address, sizeof address, NULL, 0, service,
                          sizeof service, flags);
    assert_int_equal(rc, 0);
    rc = cora_getnameinfo((struct sockaddr *)&address, sizeof(struct sockaddr_storage) + 1, host,
                          sizeof host, NULL, 0, flags);
    assert_int_equal(rc, -EINVAL);
    rc = cora_getnameinfo(NULL, sizeof address, host, sizeof host, NULL, 0, flags);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(resolver.elsewhere, 0);
}

TEST(a_name_that_does_not_fit_leaves_the_buffers_alone)
{
    struct sockaddr_in address = loopback_port(8080);
    char host[9] = "host", service[4] = "srv";
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    int rc;

    use_resolver();
    rc = cora_getnameinfo((struct sockaddr *)&address, sizeof address, host, sizeof host, NULL, 0,
                          flags);
    assert_int_equal(rc, -CORA_EAI_OVERFLOW);
    rc = cora_getnameinfo((struct sockaddr *)&address, sizeof address, NULL, 0, service,
                          sizeof service, flags);
    assert_int_equal(rc, -CORA_EAI_OVERFLOW);
    assert_string_equal(host, "host");
    assert_string_equal(service, "srv");
}

struct names_args {
    char *host;
    size_t size;
};

static int names(void *arg)
{
    struct names_args *a = arg;
    struct sockaddr_in address = loopback_port(7);

    return cora_getnameinfo((struct sockaddr *)&address, sizeof address, a->host, a->size, NULL, 0,
                            0);
}

static int name_in_a_thread(void *arg)
{
    char host[1025] = "";
    cora_task *task = cora_create_task(names, .host = host, .size = sizeof host);
    int rc = cora_await_unref(task);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_true(host[0] != '\0');
    return 0;
}

TEST(the_name_of_an_address_is_asked_for_in_a_thread)
{
    int rc;

    use_resolver();
    rc = run_virtual(name_in_a_thread, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(resolver.elsewhere, 1);
}

static int cancel_naming(void *arg)
{
    char host[1025] = "untouched";
    cora_task *task;
    int rc;

    (void)arg;
    stop_threads(true);
    task = cora_create_task(names, .host = host, .size = sizeof host);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    await_threads(1);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    stop_threads(false);
    assert_string_equal(host, "untouched");
    return 0;
}

TEST(a_cancelled_task_gets_no_name)
{
    int rc;

    use_resolver();
    rc = run_virtual(cancel_naming, NULL);
    assert_int_equal(rc, 0);
}
