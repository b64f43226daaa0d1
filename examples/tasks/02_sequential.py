"""02_sequential.py: one thing after another.

What to notice: `await` alone brings nothing. Each call of `fetch` comes back before the next one
begins, so the program takes as long as all of them together, although it spends that time doing
nothing. It takes several tasks (03_tasks.py) to make use of it.
"""
import asyncio


async def fetch(url):
    print(f"{url}: asked")
    await asyncio.sleep(0.02)
    print(f"{url}: answered")


async def fetch_all():
    for url in ("example.com", "example.net", "example.org"):
        await fetch(url)


asyncio.run(fetch_all())
