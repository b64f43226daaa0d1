/*
 * threads.h: threads of a test's, and the moment when they, or tasks, have come to wait.
 */
#ifndef CORA_TEST_THREADS_H
#define CORA_TEST_THREADS_H

#include <pthread.h>
#include <stddef.h>

pthread_t start_thread(void *(*fn)(void *arg), void *arg);

/* What it returned, as an int: an outcome. */
int join_thread(pthread_t thread);

/* A thread's outcome, for it to return. */
void *outcome(int rc);

/* Returns once so many threads and tasks wait in the line of an object of <cora/threading.h>. */
void await_parked(pthread_mutex_t *lock, void *const line[2], size_t count);

#endif
