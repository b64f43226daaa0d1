"""09_semaphore.py: at most so many at a time.

What to notice: six tasks exist from the start, but the semaphore lets only two at a time into the
kitchen; the others wait, first come, first served. Tasks are cheap: to limit how many work, start
as many as there is work and let them wait, rather than counting workers.
"""
import asyncio


class Kitchen:
    def __init__(self, stoves):
        self.stoves = asyncio.Semaphore(stoves)
        self.cooking = self.most = 0


async def cook(number, kitchen):
    async with kitchen.stoves:
        kitchen.cooking += 1
        kitchen.most = max(kitchen.most, kitchen.cooking)
        await asyncio.sleep(0.02)
        kitchen.cooking -= 1
    print(f"cook {number}: dinner is ready")


async def dinner():
    kitchen = Kitchen(stoves=2)
    async with asyncio.TaskGroup() as group:
        for number in range(1, 7):
            group.create_task(cook(number, kitchen))
    print(f"never more than {kitchen.most} at a time")


asyncio.run(dinner())
