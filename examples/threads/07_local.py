"""07_local.py: data of which each thread has its own.

What to notice: `next_number` counts without a lock, and each thread begins at 1: the attributes of
a threading.local are a thread's own, and there are none when it first asks; in a subclass __init__
is called for each thread. Tasks of one loop share a thread, and with it this; theirs are context
variables (tasks/20_context_variables.py).
"""
import threading


class Counter(threading.local):
    number = 0


counter = Counter()


def next_number():
    counter.number += 1
    return counter.number


def count(calls, results):
    for _ in range(calls):
        results[threading.current_thread()] = next_number()


def count_in_thread(calls):
    results = {}
    thread = threading.Thread(target=count, args=(calls, results))
    thread.start()
    thread.join()
    print(f"{thread.name}: {results[thread]}")


count_in_thread(3)
count_in_thread(5)
print(f"main: {next_number()}")
