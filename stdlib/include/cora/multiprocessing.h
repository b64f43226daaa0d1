/*
 * multiprocessing.h: processes beside tasks and threads (multiprocessing). This header includes all
 * the others of its folder.
 */
#ifndef CORA_MULTIPROCESSING_H
#define CORA_MULTIPROCESSING_H

#include <cora/multiprocessing/barrier.h>
#include <cora/multiprocessing/condition.h>
#include <cora/multiprocessing/connection.h>
#include <cora/multiprocessing/event.h>
#include <cora/multiprocessing/lock.h>
#include <cora/multiprocessing/manager.h>
#include <cora/multiprocessing/pool.h>
#include <cora/multiprocessing/process.h>
#include <cora/multiprocessing/queue.h>
#include <cora/multiprocessing/semaphore.h>
#include <cora/multiprocessing/shared_memory.h>

#endif
