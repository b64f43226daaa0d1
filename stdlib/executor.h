/* executor.h: what run_in_executor knows of executors. */
#ifndef CORA_STDLIB_EXECUTOR_H
#define CORA_STDLIB_EXECUTOR_H

#include <cora/executor.h>

#include "thread_pool.h"

/* Its threads, for other jobs too. */
struct cora__thread_pool *cora__executor_threads(cora_executor *executor);

/* A place for a list that the executor is in; NULL at first. */
cora_executor **cora__executor_next(cora_executor *executor);

#endif
