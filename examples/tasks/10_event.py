"""10_event.py: something has happened.

What to notice: an event is a flag to wait for. Setting it wakes all who wait, in the order in which
they came, and they run only once the setter awaits or ends; who comes later does not wait at all,
until it is cleared. It carries no value and counts nothing: for that there are futures and
semaphores.
"""
import asyncio


async def run(number, go):
    print(f"runner {number}:", "late" if go.is_set() else "on the line")
    await go.wait()
    print(f"runner {number}: runs")


async def start(group, go):
    for number in (1, 2, 3):
        group.create_task(run(number, go))
    await asyncio.sleep(0.01)
    print("starter: ready, steady ...")
    go.set()
    print("... go!")
    group.create_task(run(4, go))


async def race():
    go = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        await start(group, go)


asyncio.run(race())
