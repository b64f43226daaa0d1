"""03_tasks.py: two things at a time.

What to notice: calling `square` runs nothing, it makes a coroutine; create_task has the loop run
it, from the next suspension of this task on. The two tasks sleep side by side, so the program
takes as long as one of them. The variables keep the tasks: the loop itself holds only weak
references, where in C it owns every task until that is done.
"""
import asyncio


async def square(number, delay):
    print(f"{number} is to be squared")
    await asyncio.sleep(delay)
    print(f"{number} has been squared")
    return number * number


async def add_squares():
    first = asyncio.create_task(square(number=3, delay=0.05))
    second = asyncio.create_task(square(number=4, delay=0.05))
    nine = await first
    sixteen = await second
    print(f"the sum is {nine + sixteen}")


asyncio.run(add_squares())
