"""13_queue.py: items from those who have them to those who want them.

What to notice: the queue holds at most three orders, so a producer that is too fast has to wait:
that is what keeps memory bounded. join waits until task_done was called for every order, not only
until all were taken; then nobody needs the waiters any more, and they are cancelled, which a group
does not take for a failure. A priority queue hands out the least item first.
"""
import asyncio
from dataclasses import dataclass


@dataclass
class Order:
    number: int
    urgency: int

    def __lt__(self, other):
        return self.urgency < other.urgency


async def serve(waiter, orders):
    while True:
        order = await orders.get()
        await asyncio.sleep(0.01)
        print(f"{waiter}: order {order.number}")
        orders.task_done()


async def serve_all(orders):
    queue = asyncio.Queue(maxsize=3)
    async with asyncio.TaskGroup() as group:
        waiters = [group.create_task(serve(name, queue)) for name in ("Tom", "Uma")]
        for order in orders:
            await queue.put(order)
        await queue.join()
        for waiter in waiters:
            waiter.cancel()


async def serve_by_urgency(orders):
    queue = asyncio.PriorityQueue()
    for order in orders:
        queue.put_nowait(order)
    while not queue.empty():
        order = await queue.get()
        print(f"urgency {order.urgency}: order {order.number}")


async def restaurant():
    orders = [Order(1, 3), Order(2, 6), Order(3, 1), Order(4, 5), Order(5, 2), Order(6, 4)]
    print("first come, first served, by two waiters:")
    await serve_all(orders)
    print("the most urgent first:")
    await serve_by_urgency(orders)


asyncio.run(restaurant())
