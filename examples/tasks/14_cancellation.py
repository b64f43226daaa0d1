"""14_cancellation.py: telling a task to end, and being told.

What to notice: cancel() asks; the task hears of it where it awaits, as CancelledError, once. It
cleans up, for which it may await again, and lets the exception pass; how it ends decides. What must
not be cut short is done in a task of its own, behind asyncio.shield: the waiting is cancelled, the
task is not. Who is cancelled before his first step never runs.
asyncio.wait, unlike `await`, raises only where the waiting itself is cancelled, which is not the
same as waiting for somebody who is.
"""
import asyncio


async def copy_file(name):
    print(f"  {name}: copying")
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        print(f"  {name}: cancelled, removing what is there")
        await asyncio.sleep(0.01)
        print(f"  {name}: removed")
        raise


class Disk:
    def __init__(self):
        self.ready = asyncio.Event()
        self.saved = asyncio.Event()


async def save_index(disk):
    await disk.ready.wait()
    print("  index: saved")
    disk.saved.set()


async def save_shielded(disk):
    save = asyncio.create_task(save_index(disk))
    try:
        await asyncio.shield(save)
    except asyncio.CancelledError:
        print("  the waiting is over, the saving goes on")
        raise


async def start_and_cancel(what, coroutine, let_it_run):
    task = asyncio.create_task(coroutine)
    if let_it_run:
        await asyncio.sleep(0)
    print(f"{what}: cancel")
    task.cancel()
    await asyncio.wait([task])
    if task.cancelled():
        print(f"{what}: is cancelled")


async def change_of_mind(disk):
    await start_and_cancel("copy", copy_file("film"), let_it_run=True)
    await start_and_cancel("copy not started", copy_file("song"), let_it_run=False)
    await start_and_cancel("save", save_shielded(disk), let_it_run=True)
    disk.ready.set()
    await disk.saved.wait()


asyncio.run(change_of_mind(Disk()))
