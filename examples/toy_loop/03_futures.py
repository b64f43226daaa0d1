# 03_futures.py: a coroutine yields a future, an outcome that is not there yet, and goes on when
# somebody sets it.
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


def step(coroutine):
    try:
        future = next(coroutine)
    except StopIteration:
        return
    future.waiting.append(coroutine)


def run():
    global now
    now = time.monotonic()
    while ready or timers:
        while ready:
            step(ready.popleft())
        if timers:
            wait_for_timers()


# ---- a program on it -----------------------------------------------------------------------------

bread = Future()


def bake():
    print("baker: in the oven")
    yield from sleep_for(0.02)
    print("baker: 3 loaves are done")
    set_outcome(bread, 3)


def eat(name):
    print(f"{name}: waits for bread")
    loaves = yield from await_(bread)
    print(f"{name}: sees {loaves} loaves")


ready.extend([eat("Ann"), bake(), eat("Ben")])
run()
