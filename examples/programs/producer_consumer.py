"""producer_consumer.py: orders come in, workers handle them, and SIGTERM ends it in good order.

What to notice: shutting down has an order. First nobody is let in any more: the producer is
cancelled, where it waits for room in the queue. Then what was accepted is done, for a limited time.
Then the workers, who would wait for ever, are cancelled. A signal only sets an event; the rest
happens in a task.
"""
import asyncio
import signal
from dataclasses import dataclass


@dataclass
class Order:
    number: int


class Shop:
    def __init__(self):
        self.orders = asyncio.Queue(maxsize=2)
        self.stopping = asyncio.Event()
        self.accepted = self.done = 0


def on_sigterm(shop):
    print("closing: no more orders")
    shop.stopping.set()


async def produce(shop):
    while True:
        await shop.orders.put(Order(shop.accepted + 1))
        shop.accepted += 1
        if shop.accepted == 8:
            on_sigterm(shop)  # as if `kill` had sent it just now


async def handle(order, name):
    await asyncio.sleep(0.05)
    print(f"{name}: order {order.number} is done")


async def work(name, shop):
    while True:
        order = await shop.orders.get()
        await handle(order, name)
        shop.orders.task_done()
        shop.done += 1


async def drain(shop):
    try:
        async with asyncio.timeout(5):
            await shop.orders.join()
    except TimeoutError:
        print("out of time, orders are lost")


async def keep_shop(shop):
    async with asyncio.TaskGroup() as group:
        producer = group.create_task(produce(shop))
        workers = [group.create_task(work(name, shop)) for name in ("Tom", "Uma")]
        await shop.stopping.wait()
        producer.cancel()
        await drain(shop)
        for worker in workers:
            worker.cancel()


async def run_shop():
    shop = Shop()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, on_sigterm, shop)
    try:
        await keep_shop(shop)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        print(f"{shop.accepted} orders accepted, {shop.done} done")


asyncio.run(run_shop())
