# 05_io.py: the loop also waits for descriptors, all at once, by poll(2).
import math
import os
import select
import time
from collections import deque

ready = deque()
waits = []  # the first to be due first
now = 0


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
        ready.append(self)


def await_(future):
    if not future.done:
        yield future
    return future.outcome


def set_outcome(future, outcome):
    future.done = True
    future.outcome = outcome
    while future.waiting:
        ready.append(future.waiting.popleft())


def step(task):
    try:
        future = next(task.coroutine)
    except StopIteration as end:
        set_outcome(task, end.value)
        return
    future.waiting.append(task)


# ---- time and descriptors ------------------------------------------------------------------------


def wait_for(seconds, fd):
    wait = Wait(now + seconds, fd)
    waits.append(wait)
    waits.sort(key=lambda wait: wait.deadline)
    yield from await_(wait)
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

fds = os.pipe()


def write_words():
    for word in ("do", "one", "thing"):
        yield from wait_for(0.01, -1)
        os.write(fds[1], word.encode())
    os.close(fds[1])


def read_words():
    while True:
        yield from wait_for(math.inf, fds[0])
        word = os.read(fds[0], 16)
        if not word:
            break
        print(f"reader: {word.decode()}")
    print("reader: that was all")
    os.close(fds[0])


Task(read_words())
Task(write_words())
run()
