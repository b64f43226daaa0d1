"""20_context_variables.py: what a task knows without being told in every call.

What to notice: `query` and `note` take no request, and yet say whose work they do. Each task has a
copy of the context of the one who created it: what `handle` sets is seen by all that it calls, in a
thread too, and by the tasks that it creates, and by nobody else. A token takes a change back.
"""
import asyncio
from contextvars import ContextVar

request = ContextVar("request", default="nobody")


def note(text):
    print(f"{request.get()}: {text}")


async def write_audit():
    note("audit, in a task of its own")


def compress(file):
    print(f"{request.get()}: compress {file}, in a thread")


async def query():
    await asyncio.sleep(0.01)
    note("query")
    await asyncio.create_task(write_audit())
    await asyncio.to_thread(compress, "answer.txt")


async def handle(name):
    request.set(name)
    note("begins")
    await query()
    note("ends")


async def service():
    note("before")
    token = request.set("the service itself")
    note("inside")
    await asyncio.create_task(handle("Ada"))
    await asyncio.create_task(handle("Bob"))
    note("inside")
    request.reset(token)
    note("after")


asyncio.run(service())
