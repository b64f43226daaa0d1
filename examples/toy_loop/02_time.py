# 02_time.py: a coroutine yields until when it sleeps, and while all do the loop sleeps as well.
import time
from bisect import insort
from collections import deque

ready = deque()
timers = []  # (deadline, coroutine), the first to be due first
now = 0


# ---- time ----------------------------------------------------------------------------------------


def sleep_for(seconds):
    yield now + seconds


def wait_for_timers():
    global now
    seconds = timers[0][0] - now
    if not ready and seconds > 0:
        time.sleep(seconds)
    now = time.monotonic()
    while timers and timers[0][0] <= now:
        ready.append(timers.pop(0)[1])


# ---- the loop ------------------------------------------------------------------------------------


def step(coroutine):
    try:
        deadline = next(coroutine)
    except StopIteration:
        return
    insort(timers, (deadline, coroutine), key=lambda timer: timer[0])


def run():
    global now
    now = time.monotonic()
    while ready or timers:
        while ready:
            step(ready.popleft())
        if timers:
            wait_for_timers()


# ---- a program on it -----------------------------------------------------------------------------


def prepare(name, seconds):
    print(f"{name}: begun")
    yield from sleep_for(seconds)
    print(f"{name}: done")


for name, seconds in (("tea", 0.06), ("toast", 0.04), ("egg", 0.02)):
    ready.append(prepare(name, seconds))
run()
