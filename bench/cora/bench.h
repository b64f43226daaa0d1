/*
 * bench.h: what cora's workloads share. They are written as a user would, against the public
 * headers; only the switch looks below them.
 */
#ifndef BENCH_CORA_H
#define BENCH_CORA_H

#include "../measure.h"

#include <cora.h>

/* The workloads: main tasks, whose argument points to their count. */
cora_task_fn switch_main, coroutine_main;                                            /* switch.c */
cora_task_fn yield_main, yield_apart_main, spawn_main, spawn_many_main, parked_main; /* tasks.c */
cora_task_fn gather_main, memory_main;                                               /* tasks.c */
cora_task_fn queue_main, lock_main;                                                  /* sync.c */
cora_task_fn sleep_main, timeout_main;                                               /* timers.c */
cora_task_fn fair_sleep_main, fair_socket_main;                            /* fairness.c */
cora_task_fn echo_server_main, echo_streams_main, echo_protocol_main;      /* io.c */
cora_task_fn to_thread_main, handover_main;                                /* threads.c */
cora_task_fn sha256_loop_main, sha256_threads_main, sha256_processes_main; /* hash.c */

cora_task **create_all(cora_task_fn *body, long count);

/* Every task is to end with 0; NULL in the place of a task would end with -ENOMEM. */
void await_all(cora_task **tasks, long count);

#endif
