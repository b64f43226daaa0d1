"""19_scoped_resources.py: what is entered is left again, whatever happens: `async with`.

What to notice: __aexit__ is told how the body ended, so it may commit or roll back. It may await,
also after a cancellation: that is delivered once. asyncio.timeout and TaskGroup are made the same
way. In C the two are plain functions, and the error goes through them in a variable, where Python
has the exception wait.
"""
import asyncio


class Database:
    rows = ""


class Transaction:
    def __init__(self, database):
        self.database = database

    async def __aenter__(self):
        print("  begin")
        self.rows = self.database.rows
        await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, exc_type, exc, traceback):
        await asyncio.sleep(0.01)
        if exc_type is None:
            self.database.rows = self.rows
            print("  commit")
        else:
            print("  roll back")

    async def insert(self, row, delay):
        await asyncio.sleep(delay)
        self.rows += row
        print(f"  insert{row}")


async def book(database, traveller, delay, hotel_asked):
    print(f"{traveller}:")
    async with Transaction(database) as transaction:
        await transaction.insert(" flight", 0.01)
        hotel_asked.set()
        await transaction.insert(" hotel", delay)


async def travel_agency():
    database = Database()
    hotel_asked = asyncio.Event()
    await book(database, "Ada", 0.01, hotel_asked)
    print(f"booked:{database.rows}")

    hotel_asked.clear()
    async with asyncio.TaskGroup() as group:
        booking = group.create_task(book(database, "Bob", 10, hotel_asked))
        await hotel_asked.wait()
        booking.cancel()
        print("  Bob has changed his mind")
    print(f"booked:{database.rows}")


asyncio.run(travel_agency())
