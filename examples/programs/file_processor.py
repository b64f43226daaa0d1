"""file_processor.py: counts the words of many files, a few at a time, and tells how far it is.

What to notice: files block, so what reads them runs in a thread, and the task awaits it. The
semaphore bounds how many files are open at once, whatever their number. A file that cannot be read
is an entry in the result and not the end of the run. The results are in the order of the names,
whichever file was done first; the progress only counts. What was made is removed on every way out.
"""
import asyncio
import os
import tempfile
from dataclasses import dataclass


@dataclass
class Count:
    lines: int = 0
    words: int = 0
    error: OSError | None = None  # the file could not be read


class Run:
    def __init__(self, folder, names):
        self.folder = folder
        self.names = names
        self.open_files = asyncio.Semaphore(2)
        self.done = 0


# ---- counting ------------------------------------------------------------------------------------


def count_file(file, count):
    for line in file:
        count.lines += 1
        count.words += len(line.split())


def open_and_count(path, count):
    with open(path) as file:
        count_file(file, count)


async def process(run, name, count):
    async with run.open_files:
        try:
            await asyncio.to_thread(open_and_count, os.path.join(run.folder, name), count)
        except OSError as error:
            count.error = error
    run.done += 1
    print(f"{run.done} of {len(run.names)} files")


def print_counts(run, counts):
    words = 0
    for name, count in zip(run.names, counts):
        if isinstance(count.error, FileNotFoundError):
            print(f"{name}: no such file")
        elif count.error is not None:
            print(f"{name}: {count.error}")
        else:
            print(f"{name}: {count.lines} lines, {count.words} words")
            words += count.words
    print(f"{words} words in all")


async def process_all(run):
    counts = [Count() for _ in run.names]
    async with asyncio.TaskGroup() as group:
        for name, count in zip(run.names, counts):
            group.create_task(process(run, name, count))
    print_counts(run, counts)


async def process_folder(folder):
    names = await asyncio.to_thread(os.listdir, folder)
    await process_all(Run(folder, sorted(names)))


# ---- a folder to work on -------------------------------------------------------------------------


def make_file(path, lines):
    with open(path, "x") as file:
        for i in range(1, lines + 1):
            file.write(f"this is line {i}\n")


def make_files(folder):
    for i, name in enumerate(("a.txt", "b.txt", "c.txt", "d.txt", "e.txt")):
        path = os.path.join(folder, name)
        if i == 2:
            os.symlink("nowhere", path)
        else:
            make_file(path, lines=10 * (i + 1))


async def make_and_process():
    with tempfile.TemporaryDirectory(prefix="file_processor-") as folder:
        await asyncio.to_thread(make_files, folder)
        await process_folder(folder)


asyncio.run(make_and_process())
