"""07_lock.py: one at a time.

What to notice: the lock is held over suspensions; that is what it is for. Code without an `await`
needs none: nobody else can run in between. Whoever waits for it gets it in the order of coming.
Without the lock the lines of the three poems mix; with it each is said to its end. `async with`
releases it, whichever way its block is left.
"""
import asyncio


async def say_lines(poet):
    for line in (1, 2):
        print(f"  {poet}: line {line}")
        await asyncio.sleep(0)


async def recite(poet, stage):
    if stage is None:
        await say_lines(poet)
        return
    async with stage:
        await say_lines(poet)


async def recite_all(stage):
    async with asyncio.TaskGroup() as group:
        for poet in ("Goethe", "Keats", "Villon"):
            group.create_task(recite(poet, stage))


async def evening():
    print("without a lock:")
    await recite_all(None)
    print("with a lock:")
    await recite_all(asyncio.Lock())


asyncio.run(evening())
