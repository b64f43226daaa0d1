"""12_barrier.py: waiting for one another.

What to notice: nobody passes the barrier before all three have come; then it is as new, for the
next stage. Each gets another number, so that one of them can be picked for what is to be done once.
The last to come does not wait, and runs first.
"""
import asyncio


async def hike(hiker, hut):
    for stage in (1, 2):
        await asyncio.sleep(0.01)
        print(f"{hiker}: at hut {stage}")
        number = await hut.wait()
        if number == 0:
            print(f"{hiker}: was here first and locks the door")
        print(f"{hiker}: goes on")


async def tour():
    hut = asyncio.Barrier(3)
    async with asyncio.TaskGroup() as group:
        for hiker in ("Anna", "Ben", "Cleo"):
            group.create_task(hike(hiker, hut))


asyncio.run(tour())
