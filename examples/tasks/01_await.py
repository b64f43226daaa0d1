"""01_await.py: a function that waits, and one that waits for it.

What to notice: asyncio.run makes an event loop, runs `breakfast` in it as a task, and returns what
`breakfast` returned. `await` marks where a coroutine may be suspended, and only there can another
one run. What fails raises: an error passes through every `await` up to who handles it, where C
hands a negative result from call to call.
"""
import asyncio


async def boil(what, minutes):
    print(f"{what}: on the stove")
    await asyncio.sleep(minutes / 100)
    print(f"{what}: done")
    return minutes


async def breakfast(guest):
    minutes = await boil("egg", 5)
    print(f"{guest} has waited {minutes} minutes")


asyncio.run(breakfast("Ada"))
