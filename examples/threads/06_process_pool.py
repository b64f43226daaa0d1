"""06_process_pool.py: jobs for a few processes.

What to notice: arguments and results are pickled and sent, the function by its name: a worker must
find it in a module, which is why the program itself is behind `if __name__ == "__main__"`. Anything
that a job changes stays in its process (`jobs_done`). For Python processes are the way to compute
on all processors; and what crashes breaks the pool, not the program.
"""
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

jobs_done = 0


def reverse(word):
    global jobs_done
    jobs_done += 1
    return word[::-1]


def crash():
    os._exit(3)


def reverse_all(pool):
    print("submit:", pool.submit(reverse, "stressed").result())
    for word in pool.map(reverse, ["drawer", "live", "parts"]):
        print("map:", word)
    print("jobs done in this process:", jobs_done)


def survive(pool):
    try:
        pool.submit(crash).result()
    except BrokenProcessPool:
        print("a process has crashed, and with it the pool")


if __name__ == "__main__":
    with ProcessPoolExecutor(max_workers=2) as pool:
        reverse_all(pool)
        survive(pool)
