/*
 * process_pool_executor.c: ProcessPoolExecutor.
 *
 * A thread of the program's, the manager, has all there is to do with the workers: it asks the fork
 * server for them, hands out jobs, moves their bytes to and fro, and hears of each end, which the
 * fork server tells. So the workers are its own, and what it shares with other threads, under the
 * lock, is the queue and what they ask of it. Futures are completed without the lock.
 */
#include "executor.h"

#include "at_exit.h"
#include "fork_server.h"
#include "thread_name.h"
#include "worker.h"
#include "worker_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum phase {
    NO_WORKER,
    FORKING,  /* the fork server has been asked */
    STARTING, /* and has forked it */
    IDLE,
    BUSY,
    LEAVING, /* no more jobs come: its end is expected */
};

struct worker {
    enum phase phase;
    pid_t pid;
    int tasks;                           /* done */
    struct cora__submission *submission; /* BUSY: what it works on */
    struct cora__worker_link link;
};

struct process_pool_executor {
    struct cora_executor base;
    cora_process_pool_options options;
    cora_process_pool_job *jobs;
    unsigned forks; /* when it was made */
    struct cora__fork_server server;
    pthread_t manager;
    pthread_mutex_t joining; /* held by who waits for its end */
    bool joined;
    struct cora__at_exit at_exit;

    pthread_mutex_t lock;
    struct cora__pool_job *first, **last; /* waiting for a worker */
    int queued;
    bool closing; /* takes no more jobs */
    bool broken;
    bool woken; /* a byte is on its way to the manager */
    int signum; /* which the workers are to be sent; 0: none */
    cora_process_pool_casualty casualty;
    int wake[2]; /* a pipe */

    /* The manager's: */
    bool lost;      /* the fork server has ended */
    bool killing;   /* the workers were sent a signal: nobody wonders that they end */
    bool reluctant; /* no worker could be forked, and nothing has happened since */
    struct pollfd *polled;
    struct worker worker[]; /* as many as may be */
};

static struct process_pool_executor *own(cora_executor *executor)
{
    return (struct process_pool_executor *)executor;
}

/* A forked child has no manager. */
static bool is_ours(const struct process_pool_executor *self)
{
    return self->forks == cora__forks();
}

/* ---- the queue ----------------------------------------------------------------------------- */

/*
 * The lock is held. One byte wakes the manager, however many ask for it: there is room for that
 * one, and the pipe is ours, so that no error of the call lasts.
 */
static void wake_manager(struct process_pool_executor *self)
{
    if (self->woken)
        return;
    self->woken = true;
    while (write(self->wake[1], "", 1) != 1) {
    }
}

static void hear_wake(struct process_pool_executor *self)
{
    char bytes[8];

    (void)!read(self->wake[0], bytes, sizeof bytes);
    pthread_mutex_lock(&self->lock);
    self->woken = false;
    pthread_mutex_unlock(&self->lock);
    self->reluctant = false;
}

static struct cora__submission *next_submission(struct process_pool_executor *self)
{
    struct cora__pool_job *job;

    pthread_mutex_lock(&self->lock);
    job = self->first;
    if (job != NULL) {
        self->queued--;
        self->first = job->next;
        if (self->first == NULL)
            self->last = &self->first;
    }
    pthread_mutex_unlock(&self->lock);
    return (struct cora__submission *)job;
}

static struct cora__pool_job *take_queue(struct process_pool_executor *self)
{
    struct cora__pool_job *first;

    pthread_mutex_lock(&self->lock);
    first = self->first;
    self->first = NULL;
    self->last = &self->first;
    self->queued = 0;
    pthread_mutex_unlock(&self->lock);
    return first;
}

/* Those that wait now, and not those that come meanwhile. */
static void drop_all(struct process_pool_executor *self, int error)
{
    struct cora__pool_job *job = take_queue(self), *next;

    for (; job != NULL; job = next) {
        next = job->next;
        cora__submission_drop((struct cora__submission *)job, error);
    }
}

/* Its number among the registered ones; -EINVAL: it is none of them, or has another size. */
static int find_job(const struct process_pool_executor *self, const struct cora__work *work)
{
    for (int i = 0; self->jobs[i].fn != NULL || self->jobs[i].bytes_fn != NULL; i++)
        if (work->fn != NULL ? self->jobs[i].fn == work->fn
                             : self->jobs[i].bytes_fn == work->bytes_fn)
            return work->size == 0 || work->size == self->jobs[i].size ? i : -EINVAL;
    return -EINVAL;
}

static int enqueue(struct process_pool_executor *self, struct cora__submission *submission)
{
    if (self->broken)
        return -CORA_EBROKENEXECUTOR;
    if (self->closing)
        return -CORA_EEXECUTORSHUTDOWN;
    submission->job.next = NULL;
    *self->last = &submission->job;
    self->last = &submission->job.next;
    self->queued++;
    wake_manager(self);
    return 0;
}

static int submit(cora_executor *executor, struct cora__submission *submission)
{
    struct process_pool_executor *self = own(executor);
    int job = find_job(self, &submission->work), rc;

    if (job < 0)
        return job;
    if (!is_ours(self))
        return -CORA_EBROKENEXECUTOR;
    submission->work.size = self->jobs[job].size;
    pthread_mutex_lock(&self->lock);
    rc = enqueue(self, submission);
    pthread_mutex_unlock(&self->lock);
    return rc;
}

/* ---- the manager: jobs --------------------------------------------------------------------- */

static void fail_job(struct worker *worker)
{
    struct cora__submission *submission = worker->submission;

    worker->submission = NULL;
    if (submission != NULL)
        cora__submission_fail(submission, -CORA_EBROKENEXECUTOR);
}

/* No more jobs come. */
static void dismiss(struct worker *worker)
{
    worker->phase = LEAVING;
    cora__worker_link_close(&worker->link);
}

/* The worker is free first: who hears of the outcome may have the next job. */
static void end_job(struct process_pool_executor *self, struct worker *worker, int outcome)
{
    struct cora__submission *submission = worker->submission;

    worker->submission = NULL;
    worker->phase = IDLE;
    self->reluctant = false;
    if (++worker->tasks == self->options.max_tasks_per_child)
        dismiss(worker);
    cora__submission_end(submission, outcome);
}

static struct worker *find(struct process_pool_executor *self, enum phase phase)
{
    for (int i = 0; i < self->options.max_workers; i++)
        if (self->worker[i].phase == phase)
            return &self->worker[i];
    return NULL;
}

static void hand_out(struct process_pool_executor *self)
{
    struct cora__submission *submission;
    struct worker *worker;

    while ((worker = find(self, IDLE)) != NULL && (submission = next_submission(self)) != NULL) {
        if (!cora__submission_begin(submission))
            continue;
        worker->phase = BUSY;
        worker->submission = submission;
        cora__worker_link_begin(&worker->link, &submission->work,
                                find_job(self, &submission->work));
    }
}

/* ---- the manager: the end of workers ------------------------------------------------------- */

/* No job is left, and none will come. */
static void break_down(struct process_pool_executor *self, cora_process_pool_casualty casualty)
{
    pthread_mutex_lock(&self->lock);
    if (!self->broken)
        self->casualty = casualty;
    self->broken = true;
    self->signum = SIGKILL;
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; i < self->options.max_workers; i++)
        fail_job(&self->worker[i]);
    for (int i = 0; i < self->options.max_workers; i++)
        if (self->worker[i].phase != NO_WORKER)
            dismiss(&self->worker[i]);
    drop_all(self, -CORA_EBROKENEXECUTOR);
}

/* Without it no worker can be started, nor heard of: those that there are end with it. */
static void lose_server(struct process_pool_executor *self)
{
    pid_t pid = self->server.pid;
    int returncode = cora__fork_server_stop(&self->server);

    self->lost = true;
    break_down(self, (cora_process_pool_casualty){.pid = pid, .returncode = returncode});
    for (int i = 0; i < self->options.max_workers; i++)
        self->worker[i].phase = NO_WORKER;
}

static void begin(struct process_pool_executor *self, struct worker *worker, int outcome)
{
    if (outcome >= 0)
        worker->phase = IDLE;
    else
        break_down(self, (cora_process_pool_casualty){
                             .pid = worker->pid, .returncode = EXIT_FAILURE, .error = outcome});
}

/* Why it says nothing more the fork server will tell. */
static void listen_to(struct process_pool_executor *self, struct worker *worker)
{
    int outcome, rc = cora__worker_link_move(&worker->link, &outcome);

    if (rc > 0 && worker->phase == BUSY)
        end_job(self, worker, outcome);
    else if (rc > 0 && worker->phase == STARTING)
        begin(self, worker, outcome);
    else if (rc > 0 || rc == -EPROTO) /* it has written where it should not */
        break_down(self, (cora_process_pool_casualty){.pid = worker->pid, .returncode = -SIGKILL});
    else if (rc < 0)
        cora__worker_link_close(&worker->link);
}

/* It may have said something before. */
static void bury(struct process_pool_executor *self, struct worker *worker, int returncode)
{
    if (worker->link.fd >= 0)
        listen_to(self, worker);
    if (worker->phase != LEAVING && !self->killing)
        break_down(self,
                   (cora_process_pool_casualty){.pid = worker->pid, .returncode = returncode});
    fail_job(worker);
    cora__worker_link_close(&worker->link);
    worker->phase = NO_WORKER;
    self->reluctant = false;
}

/* ---- the manager: the beginning of workers ------------------------------------------------- */

/* With fewer than hoped for the jobs will be done, without any they will not. */
static void do_without(struct process_pool_executor *self, int error)
{
    self->reluctant = true;
    if (find(self, STARTING) == NULL && find(self, IDLE) == NULL && find(self, BUSY) == NULL)
        drop_all(self, error);
}

static void do_without_this(struct process_pool_executor *self, struct worker *worker, int error)
{
    cora__worker_link_close(&worker->link);
    worker->phase = NO_WORKER;
    do_without(self, error);
}

static void start_worker(struct process_pool_executor *self, struct worker *worker)
{
    int ends[2], rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        do_without(self, -errno);
        return;
    }
    worker->phase = FORKING;
    worker->tasks = 0;
    cora__worker_link_open(&worker->link, ends[0]);
    rc = cora__fork_server_fork(&self->server, (int)(worker - self->worker), ends[1]);
    close(ends[1]);
    if (rc == -ECONNRESET)
        lose_server(self);
    else if (rc < 0)
        do_without_this(self, worker, rc);
}

static int count_in(struct process_pool_executor *self, enum phase phase)
{
    int number = 0;

    for (int i = 0; i < self->options.max_workers; i++)
        number += self->worker[i].phase == phase;
    return number;
}

static int count_queued(struct process_pool_executor *self)
{
    int queued;

    pthread_mutex_lock(&self->lock);
    queued = self->queued;
    pthread_mutex_unlock(&self->lock);
    return queued;
}

/*
 * Where more jobs wait than workers are about to come. One is forked at a time, so that neither
 * side ever waits for the other to read.
 */
static void see_to_workers(struct process_pool_executor *self)
{
    struct worker *vacancy = find(self, NO_WORKER);

    if (vacancy != NULL && !self->reluctant && find(self, FORKING) == NULL &&
        count_queued(self) > count_in(self, STARTING))
        start_worker(self, vacancy);
}

static void hear_of(struct process_pool_executor *self, const struct cora__fork_event *event)
{
    struct worker *worker = &self->worker[event->child];

    if (event->what == CORA__CHILD_ENDED) {
        bury(self, worker, event->outcome);
    } else if (event->outcome < 0) {
        do_without_this(self, worker, event->outcome);
    } else {
        worker->pid = event->pid;
        if (worker->phase == FORKING)
            worker->phase = STARTING;
    }
}

/* ---- the manager --------------------------------------------------------------------------- */

static void hear_server(struct process_pool_executor *self)
{
    struct cora__fork_event event;
    int rc;

    while (!self->lost && (rc = cora__fork_server_next(&self->server, &event)) != 0) {
        if (rc > 0)
            hear_of(self, &event);
        else
            lose_server(self);
    }
}

static int take_signal(struct process_pool_executor *self)
{
    int signum;

    pthread_mutex_lock(&self->lock);
    signum = self->signum;
    self->signum = 0;
    pthread_mutex_unlock(&self->lock);
    return signum;
}

static void send_signal(struct process_pool_executor *self, int signum)
{
    self->killing = true;
    if (!self->lost && cora__fork_server_kill(&self->server, signum) < 0)
        lose_server(self);
}

static bool is_closing(struct process_pool_executor *self)
{
    bool closing;

    pthread_mutex_lock(&self->lock);
    closing = self->broken || (self->closing && self->queued == 0);
    pthread_mutex_unlock(&self->lock);
    return closing;
}

/* Once they have nothing more to do. False: they have all gone. */
static bool dismiss_all(struct process_pool_executor *self)
{
    bool any = false;

    for (int i = 0; i < self->options.max_workers; i++) {
        struct worker *worker = &self->worker[i];

        if (worker->phase != NO_WORKER)
            any = true;
        if (worker->phase != NO_WORKER && worker->phase != BUSY)
            dismiss(worker);
    }
    return any;
}

static void wait_for_something(struct process_pool_executor *self)
{
    struct pollfd *polled = self->polled;
    nfds_t number = 2;

    polled[0] = (struct pollfd){.fd = self->wake[0], .events = POLLIN};
    polled[1] = (struct pollfd){.fd = self->server.control, .events = POLLIN};
    for (int i = 0; i < self->options.max_workers; i++) {
        struct worker *worker = &self->worker[i];

        polled[number++] = (struct pollfd){.fd = worker->phase != FORKING ? worker->link.fd : -1,
                                           .events = cora__worker_link_events(&worker->link)};
    }
    if (poll(polled, number, -1) < 0)
        return; /* interrupted */
    if (polled[0].revents != 0)
        hear_wake(self);
    for (int i = 0; i < self->options.max_workers; i++)
        if (polled[i + 2].revents != 0 && self->worker[i].link.fd == polled[i + 2].fd)
            listen_to(self, &self->worker[i]);
    if (polled[1].revents != 0)
        hear_server(self);
}

static void *manage(void *arg)
{
    struct process_pool_executor *self = arg;
    int signum;

    cora__thread_name("cora-pool", 0);
    cora__at_exit_is_not_for_this_thread();
    for (;;) {
        hand_out(self);
        see_to_workers(self);
        signum = take_signal(self);
        if (signum != 0)
            send_signal(self, signum);
        if (is_closing(self) && !dismiss_all(self))
            break;
        wait_for_something(self);
    }
    if (!self->lost)
        (void)cora__fork_server_stop(&self->server);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void close_down(struct process_pool_executor *self)
{
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    wake_manager(self);
    pthread_mutex_unlock(&self->lock);
}

/* Not in a callback of its own. */
static void join(struct process_pool_executor *self)
{
    if (pthread_equal(self->manager, pthread_self()))
        return;
    pthread_mutex_lock(&self->joining);
    if (!self->joined)
        pthread_join(self->manager, NULL);
    self->joined = true;
    pthread_mutex_unlock(&self->joining);
}

static void shut_down(cora_executor *executor, bool wait, bool cancel_futures)
{
    struct process_pool_executor *self = own(executor);

    if (!is_ours(self))
        return;
    close_down(self);
    if (cancel_futures)
        drop_all(self, -ECANCELED);
    if (wait)
        join(self);
}

static void free_pool(struct process_pool_executor *self)
{
    pthread_mutex_destroy(&self->joining);
    pthread_mutex_destroy(&self->lock);
    for (int i = 0; i < 2; i++)
        if (self->wake[i] >= 0)
            close(self->wake[i]);
    free(self->polled);
    free(self->jobs);
    free(self);
}

/* The parent's workers, jobs and lock are left alone. */
static void forget(struct process_pool_executor *self)
{
    cora__fork_server_forget(&self->server);
    for (int i = 0; i < self->options.max_workers; i++)
        if (self->worker[i].link.fd >= 0)
            close(self->worker[i].link.fd);
}

static void free_executor(cora_executor *executor)
{
    if (is_ours(own(executor))) {
        shut_down(executor, true, false);
        cora__at_exit_remove(&own(executor)->at_exit);
    } else {
        forget(own(executor));
    }
    free_pool(own(executor));
}

static const struct cora__executor_kind kind = {submit, shut_down, free_executor};

static size_t count_jobs(const cora_process_pool_job *jobs)
{
    size_t count = 0;

    while (jobs[count].fn != NULL || jobs[count].bytes_fn != NULL)
        count++;
    return count;
}

static struct process_pool_executor *create_pool(const cora_process_pool_options *options)
{
    int workers = options->max_workers > 0 ? options->max_workers : cora__processors();
    size_t most = (size_t)workers, jobs = count_jobs(options->jobs) + 1;
    struct process_pool_executor *self = calloc(1, sizeof *self + most * sizeof self->worker[0]);

    if (self == NULL)
        return NULL;
    self->base.kind = &kind;
    self->forks = cora__forks();
    self->last = &self->first;
    self->wake[0] = self->wake[1] = -1;
    for (size_t i = 0; i < most; i++)
        self->worker[i].link.fd = -1;
    pthread_mutex_init(&self->joining, NULL);
    pthread_mutex_init(&self->lock, NULL);
    self->polled = calloc(most + 2, sizeof self->polled[0]);
    self->jobs = calloc(jobs, sizeof self->jobs[0]);
    if (self->polled == NULL || self->jobs == NULL) {
        free_pool(self);
        return NULL;
    }
    memcpy(self->jobs, options->jobs, jobs * sizeof self->jobs[0]);
    self->options = *options;
    self->options.jobs = self->jobs;
    self->options.max_workers = workers;
    return self;
}

static int run_worker(int fd, void *arg)
{
    struct process_pool_executor *self = arg;

    return cora__worker_run(fd, &self->options);
}

/* At the end of the program. */
static void finish(void *arg)
{
    shut_down(arg, true, false);
}

static int start_manager(struct process_pool_executor *self)
{
    int error = pthread_create(&self->manager, NULL, manage, self);

    if (error == 0)
        cora__at_exit_add(&self->at_exit, finish, self);
    else
        (void)cora__fork_server_stop(&self->server);
    return -error;
}

static int start_pool(struct process_pool_executor *self)
{
    int rc;

    if (pipe2(self->wake, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    rc = cora__fork_server_start(&self->server, self->options.max_workers, run_worker, self);
    return rc < 0 ? rc : start_manager(self);
}

int cora_process_pool_executor_create(const cora_process_pool_options *options, cora_executor **ret)
{
    struct process_pool_executor *self;
    int rc;

    if (options == NULL || options->jobs == NULL || count_jobs(options->jobs) == 0 ||
        options->max_workers < 0 || options->max_tasks_per_child < 0)
        return -EINVAL;
    self = create_pool(options);
    if (self == NULL)
        return -ENOMEM;
    rc = start_pool(self);
    if (rc < 0) {
        free_pool(self);
        return rc;
    }
    *ret = &self->base;
    return 0;
}

/* ---- what only processes can --------------------------------------------------------------- */

/* Last, so that no worker is started after it. */
static void ask_for_signal(struct process_pool_executor *self, int signum)
{
    pthread_mutex_lock(&self->lock);
    self->signum = signum;
    wake_manager(self);
    pthread_mutex_unlock(&self->lock);
}

static int force_shutdown(cora_executor *executor, int signum)
{
    if (executor->kind != &kind)
        return -EINVAL;
    if (is_ours(own(executor))) {
        shut_down(executor, false, true);
        ask_for_signal(own(executor), signum);
    }
    return 0;
}

int cora_process_pool_executor_terminate_workers(cora_executor *executor)
{
    return force_shutdown(executor, SIGTERM);
}

int cora_process_pool_executor_kill_workers(cora_executor *executor)
{
    return force_shutdown(executor, SIGKILL);
}

bool cora_process_pool_executor_is_broken(cora_executor *executor, cora_process_pool_casualty *ret)
{
    struct process_pool_executor *self = own(executor);
    bool broken;

    if (executor->kind != &kind || !is_ours(self))
        return false;
    pthread_mutex_lock(&self->lock);
    broken = self->broken;
    if (broken && ret != NULL)
        *ret = self->casualty;
    pthread_mutex_unlock(&self->lock);
    return broken;
}
