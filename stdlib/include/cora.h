/*
 * cora: asyncio, rebuilt by hand in C. This header includes all the others.
 */
#ifndef CORA_H
#define CORA_H

#include <cora/address.h>
#include <cora/async_generator.h>
#include <cora/barrier.h>
#include <cora/base.h>
#include <cora/concurrent.h>
#include <cora/condition.h>
#include <cora/connection.h>
#include <cora/contextvars.h>
#include <cora/coroutine.h>
#include <cora/datagram.h>
#include <cora/error.h>
#include <cora/event.h>
#include <cora/executor.h>
#include <cora/file.h>
#include <cora/frame.h>
#include <cora/future.h>
#include <cora/gather.h>
#include <cora/generator.h>
#include <cora/graph.h>
#include <cora/lock.h>
#include <cora/loop.h>
#include <cora/loops.h>
#include <cora/multiprocessing.h>
#include <cora/names.h>
#include <cora/pipe.h>
#include <cora/protocol.h>
#include <cora/queue.h>
#include <cora/run.h>
#include <cora/semaphore.h>
#include <cora/server.h>
#include <cora/sock.h>
#include <cora/ssl.h>
#include <cora/staggered.h>
#include <cora/streams.h>
#include <cora/subprocess.h>
#include <cora/task.h>
#include <cora/task_group.h>
#include <cora/thread.h>
#include <cora/threading.h>
#include <cora/timeout.h>
#include <cora/trace.h>
#include <cora/transport.h>
#include <cora/wait.h>
#include <cora/waiter.h>

#endif
