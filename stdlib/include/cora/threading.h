/*
 * threading.h: what threads wait for, and share with tasks (threading, queue). It includes all of
 * <cora/threading/...>.
 */
#ifndef CORA_THREADING_H
#define CORA_THREADING_H

#include <cora/threading/event.h>
#include <cora/threading/queue.h>
#include <cora/threading/semaphore.h>

#endif
