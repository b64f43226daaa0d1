"""05_task_groups.py: tasks that belong together.

What to notice: `async with` waits at its end for all tasks of the group, so none outlives the
function that started it. The first that fails cancels the others, each of which gets a
CancelledError from the `await` it is in, cleans up and lets it pass. What failed comes out as an
ExceptionGroup: there may have been several. In C that is the first one's code, and
cora_task_group_errors tells the rest.
"""
import asyncio


class Statistics:
    bytes = 0


async def download(name, delay, size, seen):
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError:
        print(f"  {name}: cancelled")
        raise
    if size == 0:
        print(f"  {name}: not found")
        raise FileNotFoundError(name)
    print(f"  {name}: {size} bytes")
    seen.bytes += size


async def download_all(size_of_second, delay_of_third, seen):
    async with asyncio.TaskGroup() as group:
        group.create_task(download("first", delay=0.01, size=100, seen=seen))
        group.create_task(download("second", delay=0.01, size=size_of_second, seen=seen))
        group.create_task(download("third", delay=delay_of_third, size=300, seen=seen))


async def download_twice():
    seen = Statistics()
    print("all are there:")
    await download_all(200, 0.02, seen)
    print("one is missing:")
    try:
        await download_all(0, 10, seen)
    except* FileNotFoundError:
        print("the group has failed: a file was not found")
    print(f"{seen.bytes} bytes in all")


asyncio.run(download_twice())
