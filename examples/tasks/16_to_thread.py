"""16_to_thread.py: what blocks or computes, off the loop.

What to notice: `measure` holds its thread, as a library would that knows nothing of the loop;
called directly it would hold the loop, and everybody in it. In threads three of them run at the
same time, and the loop goes on: `tick` counts meanwhile. Python's threads wait side by side, but
share one interpreter lock when they compute; C's do not.
"""
import asyncio
import time


# In a thread: nothing here may await.
def measure(probe):
    time.sleep(0.05)
    if probe == 3:
        raise OSError("no contact")
    return 20.5 + probe


async def read_probe(probe, readings):
    try:
        readings[probe - 1] = await asyncio.to_thread(measure, probe)
    except OSError:
        readings[probe - 1] = None


async def read_probes(count):
    readings = [None] * count
    async with asyncio.TaskGroup() as group:
        for probe in range(1, count + 1):
            group.create_task(read_probe(probe, readings))
    return readings


class Ticker:
    ticks = 0


async def tick(ticker):
    while True:
        await asyncio.sleep(0.005)
        ticker.ticks += 1


async def laboratory():
    ticker = Ticker()
    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(tick(ticker))
        readings = await read_probes(3)
        ticking.cancel()
    for i, degrees in enumerate(readings):
        if degrees is None:
            print(f"probe {i + 1}: no reading")
        else:
            print(f"probe {i + 1}: {degrees:.1f} degrees")
    print("the loop went on meanwhile:", "yes" if ticker.ticks > 0 else "no")


asyncio.run(laboratory())
