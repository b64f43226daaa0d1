"""05_thread_pool.py: jobs for a few threads, and three ways to get at their results.

What to notice: submit hands a job over and gives a future; map does the same job with each item and
keeps the results in the items' order; as_completed gives each future as soon as it is done, in
whatever order that is. The end of `with` waits for all jobs. These compute, so Python's threads
take turns with them: a pool of processes (06_process_pool.py) would be faster.
"""
from concurrent.futures import ThreadPoolExecutor, as_completed


def collatz(number):
    """Steps until the number is 1: it is halved when even, else times 3 plus 1."""
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


def submit_one(pool):
    future = pool.submit(collatz, 27)
    print(f"submit: from 27 it takes {future.result()} steps")


def map_all(pool):
    numbers = [6, 7, 9, 97]
    for number, steps in zip(numbers, pool.map(collatz, numbers)):
        print(f"map: from {number} it takes {steps} steps")


def print_progress(futures):
    total = 0
    for done, future in enumerate(as_completed(futures), start=1):
        total += future.result()
        print(f"as_completed: {done} of {len(futures)} done")
    print(f"as_completed: {total} steps in all")


def take_as_completed(pool):
    print_progress([pool.submit(collatz, number) for number in (871, 6171, 77031)])


with ThreadPoolExecutor(max_workers=3) as pool:
    submit_one(pool)
    map_all(pool)
    take_as_completed(pool)
