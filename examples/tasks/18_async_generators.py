"""18_async_generators.py: one page after the other, each fetched when it is asked for.

What to notice: `pages` is written like a plain function with a loop, and yields; whoever iterates
it does not see that it waits for a network (here a sleep) in between. The loop is left at the third
page. Without `aclosing` the connection would be closed some time later, by the garbage collector
and a task of the loop's; in C the loop does without such help.
"""
import asyncio
from contextlib import aclosing
from dataclasses import dataclass


@dataclass
class Page:
    number: int
    lines: int


async def pages(host):
    page = Page(number=0, lines=40)
    await asyncio.sleep(0.01)
    print(f"connected to {host}")
    try:
        while page.number < 100:
            await asyncio.sleep(0.01)  # the page is on its way
            page.number += 1
            yield page
    finally:
        print("disconnected")


async def read_some():
    async with aclosing(pages("example.org")) as generator:
        async for page in generator:
            print(f"page {page.number}: {page.lines} lines")
            if page.number == 3:
                break
    print("that is enough")


asyncio.run(read_some())
