# 06_cancellation.py: a task can be cancelled where it waits.
import math
import select
import time
from collections import deque

ready = deque()
waits = []  # the first to be due first
now = 0


class Cancelled(Exception):
    pass


class Future:
    def __init__(self):
        self.done = False
        self.outcome = None
        self.waiting = deque()


class Wait(Future):
    def __init__(self, deadline, fd):
        super().__init__()
        self.deadline = deadline
        self.fd = fd


class Task(Future):
    def __init__(self, coroutine):
        super().__init__()
        self.coroutine = coroutine
        self.waits_for = None
        self.cancelled = False  # its wait is to raise Cancelled
        ready.append(self)


def await_(future):
    if not future.done:
        yield future
    if isinstance(future.outcome, Exception):
        raise future.outcome
    return future.outcome


def set_outcome(future, outcome):
    future.done = True
    future.outcome = outcome
    while future.waiting:
        ready.append(future.waiting.popleft())


def step(task):
    try:
        future = task.coroutine.throw(Cancelled()) if task.cancelled else next(task.coroutine)
    except StopIteration as end:
        task.waits_for = None
        set_outcome(task, end.value)
    except Cancelled as error:
        task.waits_for = None
        set_outcome(task, error)
    else:
        task.cancelled = False
        task.waits_for = future
        future.waiting.append(task)


def cancel(task):
    task.cancelled = not task.done
    if task.waits_for is None or task.waits_for.done:
        return
    task.waits_for.waiting.remove(task)
    ready.append(task)


# ---- time and descriptors ------------------------------------------------------------------------


def wait_for(seconds, fd):
    wait = Wait(now + seconds, fd)
    waits.append(wait)
    waits.sort(key=lambda wait: wait.deadline)
    try:
        yield from await_(wait)
    finally:
        waits.remove(wait)


def wait_for_any():
    global now
    poll = select.poll()
    left = max(waits[0].deadline - now, 0)
    for wait in waits:
        if wait.fd >= 0:
            poll.register(wait.fd, select.POLLIN)
    readable = dict(poll.poll(None if math.isinf(left) else math.ceil(left * 1e3)))
    now = time.monotonic()
    for wait in waits:
        if wait.fd in readable or wait.deadline <= now:
            set_outcome(wait, 0)


def run():
    global now
    now = time.monotonic()
    while True:
        while ready:
            step(ready.popleft())
        if not waits:
            return
        wait_for_any()


# ---- a program on it -----------------------------------------------------------------------------


def wait_for_ever():
    try:
        yield from wait_for(math.inf, -1)
    except Cancelled:
        print("waiter: cancelled, cleans up")
        raise


def give_up(waiter):
    yield from wait_for(0.02, -1)
    cancel(waiter)
    yield from await_(waiter)


waiter = Task(wait_for_ever())
timeout = Task(give_up(waiter))
run()
print("timeout: it has ended" if isinstance(timeout.outcome, Cancelled) else "timeout: too late")
