"""11_condition.py: waiting until something is true of what several share.

What to notice: a condition is a lock and a place to wait. Who waits lets go of the lock, and has it
again when the wait returns, also when it was cancelled. A wake-up says only "look again": wait_for
does that, with the predicate. Each delivery notifies everybody, for it does not know who can do
with it: the third customer is served before the second.
"""
import asyncio


class Bakery:
    def __init__(self):
        self.delivered = asyncio.Condition()
        self.loaves = 0


async def buy(customer, wanted, bakery):
    def enough():
        return bakery.loaves >= wanted

    async with bakery.delivered:
        print(f"customer {customer} wants {wanted}")
        await bakery.delivered.wait_for(enough)
        bakery.loaves -= wanted
        print(f"customer {customer} has {wanted}, {bakery.loaves} left")


async def deliver(bakery, loaves):
    await asyncio.sleep(0.01)
    async with bakery.delivered:
        bakery.loaves += loaves
        print(f"{loaves} loaves are delivered")
        bakery.delivered.notify_all()


async def morning():
    bakery = Bakery()
    async with asyncio.TaskGroup() as group:
        for customer, wanted in enumerate((2, 4, 1), start=1):
            group.create_task(buy(customer, wanted, bakery))
        for _ in range(3):
            await deliver(bakery, 3)


asyncio.run(morning())
