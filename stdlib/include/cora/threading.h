/*
 * threading.h: threads, what they wait for, and share with tasks (threading, queue). It includes
 * all of <cora/threading/...>.
 */
#ifndef CORA_THREADING_H
#define CORA_THREADING_H

#include <cora/threading/barrier.h>
#include <cora/threading/condition.h>
#include <cora/threading/event.h>
#include <cora/threading/local.h>
#include <cora/threading/lock.h>
#include <cora/threading/lock_order.h>
#include <cora/threading/queue.h>
#include <cora/threading/rlock.h>
#include <cora/threading/semaphore.h>
#include <cora/threading/thread.h>
#include <cora/threading/timer.h>

#endif
