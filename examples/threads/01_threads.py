"""01_threads.py: several computations at once, each in a thread.

What to notice: a thread has no result: what it has found it leaves where others look after the
join. Python's threads take turns in the interpreter (the GIL; 3.13 can be built without one): four
of them compute no faster than one. They are for waiting, or for what computes outside of the
interpreter.
"""
import threading

THREADS = 4
NUMBERS = 5000


def is_prime(number):
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return number >= 2


def count_primes(start, stop, results):
    results[threading.current_thread()] = sum(map(is_prime, range(start, stop)))


def count_in_threads():
    results = {}
    threads = []
    for i in range(THREADS):
        args = (i * NUMBERS, (i + 1) * NUMBERS, results)
        thread = threading.Thread(target=count_primes, args=args)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
        print(f"{thread.name}: {results[thread]} primes")
    return sum(results.values())


print(f"{count_in_threads()} primes below {THREADS * NUMBERS}")
