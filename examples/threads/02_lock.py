"""02_lock.py: money moved by several threads at once, none of it lost.

What to notice: the GIL is no lock of ours: `savings -= amount` is a read and a write, and another
thread may come in between. The lock protects what is true of several variables together: who takes
it finds the sum as it was.
"""
import threading

TRANSFERS = 2000


class Bank:
    def __init__(self):
        self.lock = threading.Lock()  # of all that follows
        self.savings = 10000
        self.wallet = 0


def transfer(bank, amount):
    for _ in range(TRANSFERS):
        with bank.lock:
            bank.savings -= amount
            bank.wallet += amount


def transfer_in_threads(bank):
    threads = [threading.Thread(target=transfer, args=(bank, amount)) for amount in (1, 2, -2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def look(bank):
    if not bank.lock.acquire(blocking=False):
        print("the lock is taken")
        return
    print(f"savings {bank.savings}, wallet {bank.wallet}")
    bank.lock.release()


bank = Bank()
look(bank)
transfer_in_threads(bank)
look(bank)
with bank.lock:
    look(bank)
