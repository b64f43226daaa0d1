# 04_tasks.py: a task is a coroutine that the loop drives, and a future: others wait for its
# outcome.
import time
from bisect import insort
from collections import deque

ready = deque()
timers = []  # (deadline, future), the first to be due first
now = 0


# ---- futures -------------------------------------------------------------------------------------


class Future:
    def __init__(self):
        self.done = False
        self.outcome = None
        self.waiting = deque()


def await_(future):
    if not future.done:
        yield future
    return future.outcome


def set_outcome(future, outcome):
    future.done = True
    future.outcome = outcome
    while future.waiting:
        ready.append(future.waiting.popleft())


# ---- tasks ---------------------------------------------------------------------------------------


class Task(Future):
    def __init__(self, coroutine):
        super().__init__()
        self.coroutine = coroutine
        ready.append(self)


def step(task):
    try:
        future = next(task.coroutine)
    except StopIteration as end:
        set_outcome(task, end.value)
        return
    future.waiting.append(task)


def gather(tasks):
    outcomes = []
    for task in tasks:
        outcomes.append((yield from await_(task)))
    return outcomes


# ---- time ----------------------------------------------------------------------------------------


def sleep_for(seconds):
    future = Future()
    insort(timers, (now + seconds, future), key=lambda timer: timer[0])
    return (yield from await_(future))


def wait_for_timers():
    global now
    seconds = timers[0][0] - now
    if not ready and seconds > 0:
        time.sleep(seconds)
    now = time.monotonic()
    while timers and timers[0][0] <= now:
        set_outcome(timers.pop(0)[1], 0)


# ---- the loop ------------------------------------------------------------------------------------


def run():
    global now
    now = time.monotonic()
    while ready or timers:
        while ready:
            step(ready.popleft())
        if timers:
            wait_for_timers()


# ---- a program on it -----------------------------------------------------------------------------


def count_sheep(sheep):
    for _ in range(sheep):
        yield from sleep_for(0.01)
    print(f"{sheep} sheep counted")
    return sheep


def main_task():
    tasks = [Task(count_sheep(sheep)) for sheep in (5, 1, 3)]
    outcomes = yield from gather(tasks)
    print("outcomes:", *outcomes)


Task(main_task())
run()
