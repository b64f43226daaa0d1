"""08_processes.py: processes with a queue between them, and a number that they share.

What to notice: what a process is given is copied, and what it changes there nobody else sees. What
all share is in the queues, which carry pickled copies, and in the Value, with a lock of its own. A
process that is killed while it has that lock takes it along; in C the next one gets it, and is
told. None is how this program says that there are no more.
"""
import multiprocessing
from dataclasses import dataclass

LETTERS = 6
CLERKS = 2


@dataclass
class Letter:
    number: int
    grams: int
    cents: int = 0


def add(total, grams):
    with total.get_lock():
        total.value += grams


def stamp(letters, stamped, total):
    for letter in iter(letters.get, None):
        letter.cents = 95 if letter.grams <= 20 else 180
        add(total, letter.grams)
        stamped.put(letter)


def bring_letters(letters):
    for i in range(LETTERS):
        letters.put(Letter(number=i, grams=10 + 4 * i))
    for _ in range(CLERKS):
        letters.put(None)


def fetch_letters(stamped):
    cents = {}
    for _ in range(LETTERS):
        letter = stamped.get()
        cents[letter.number] = letter.cents
    for i in range(LETTERS):
        print(f"letter {i}: {cents[i]} cents")


def employ(letters, stamped, total):
    office = (letters, stamped, total)
    clerks = [multiprocessing.Process(target=stamp, args=office) for _ in range(CLERKS)]
    for clerk in clerks:
        clerk.start()
    bring_letters(letters)
    fetch_letters(stamped)
    for clerk in clerks:
        clerk.join()
        print(f"{clerk.name}: exit code {clerk.exitcode}")


if __name__ == "__main__":
    total = multiprocessing.Value("i", 0)
    employ(multiprocessing.Queue(), multiprocessing.Queue(), total)
    print(f"{total.value} g in all")
