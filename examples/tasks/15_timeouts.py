"""15_timeouts.py: no longer than that.

What to notice: a timeout is a scope, not an argument of every call: it limits all that happens
inside, however deep. When the time is up the task is cancelled, and the scope's end turns that
CancelledError, and only that, into TimeoutError. Where timeouts nest, each answers for itself.
wait_for is the same for one coroutine or task: it cancels it, and waits for its end.
"""
import asyncio


async def call(whom, delay):
    try:
        await asyncio.sleep(delay)
        print(f"  {whom}: hello")
    except asyncio.CancelledError:
        print(f"  {whom}: (hung up)")
        raise


async def call_in_turn(limit):
    async with asyncio.timeout(limit):
        await call("first", 0)
        await call("second", 10)


async def call_each(limit):
    async with asyncio.timeout(limit):
        try:
            async with asyncio.timeout(0.02):
                await call("third", 10)
        except TimeoutError:
            print("  no answer, the next one")
            await call("fourth", 0.01)


async def call_in_a_task(limit):
    task = asyncio.create_task(call("fifth", delay=10))
    await asyncio.wait_for(task, limit)


async def phone():
    try:
        await call_in_turn(0.05)
    except TimeoutError:
        print("out of time")
    await call_each(10)
    try:
        await call_in_a_task(0.01)
    except TimeoutError:
        print("out of time")


asyncio.run(phone())
