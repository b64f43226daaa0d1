"""04_gather.py: several tasks at once, and their results in order.

What to notice: gather makes a task of each coroutine. Whichever ends first, the results are in the
order of the arguments. The first that fails is what gather raises, and the others go on: nobody
cancels them (a task group would, 05_task_groups.py). With return_exceptions=True an exception is a
result like others.
"""
import asyncio


async def weigh(parcel, delay, grams):
    await asyncio.sleep(delay)
    print(f"  {parcel}:", "lost" if grams == 0 else "weighed")
    if grams == 0:
        raise FileNotFoundError(parcel)
    return grams


async def weigh_all(grams_of_second, return_exceptions=False):
    return await asyncio.gather(
        weigh("first", delay=0.05, grams=500),
        weigh("second", delay=0, grams=grams_of_second),
        weigh("third", delay=0.05, grams=200),
        return_exceptions=return_exceptions,
    )


async def post_office():
    print("gather:")
    grams = await weigh_all(900)
    print(f"  {grams[0]}, {grams[1]} and {grams[2]} g")

    print("gather, and one is lost:")
    try:
        await weigh_all(0)
    except FileNotFoundError:
        await asyncio.sleep(0.05)
        print("  gather failed, the others went on")

    print("gather, errors are results:")
    for i, grams in enumerate(await weigh_all(0, return_exceptions=True)):
        if isinstance(grams, FileNotFoundError):
            print(f"  result {i}: not found")
        else:
            print(f"  result {i}: {grams} g")


asyncio.run(post_office())
