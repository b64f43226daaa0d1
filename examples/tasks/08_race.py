"""08_race.py: a race condition, and two ways to mend it.

What to notice: tasks take turns only where one awaits, and yet an update is lost: `deposit_racing`
reads the balance, waits, and writes back what it has computed from a value that is no longer true.
Either nobody else may come between the reading and the writing (a lock), or there is nothing to
wait for between the two, which costs nothing. Look for such places wherever a value from before an
`await` is used after it.
"""
import asyncio


class Account:
    def __init__(self):
        self.balance = 0
        self.lock = asyncio.Lock()


async def deposit_racing(account):
    balance = account.balance  # read
    await asyncio.sleep(0)  # wait: the others read the same
    account.balance = balance + 10  # write


async def deposit_locked(account):
    async with account.lock:
        await deposit_racing(account)


async def deposit_at_once(account):
    await asyncio.sleep(0)  # wait first
    account.balance += 10  # read and write


async def deposit_five_times(how, deposit):
    account = Account()
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(deposit(account))
    print(f"{how}: 5 times 10 make {account.balance}")


async def bank():
    await deposit_five_times("with a race", deposit_racing)
    await deposit_five_times("with a lock", deposit_locked)
    await deposit_five_times("at once", deposit_at_once)


asyncio.run(bank())
