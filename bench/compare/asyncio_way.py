"""CPython's way: asyncio_way.py wait|download|compute JOBS SECONDS|PORT|MIB."""

import asyncio
import hashlib
import sys

REPLY_SIZE = 64 << 10


async def wait(seconds):
    await asyncio.sleep(float(seconds))


async def download(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(b"GET\n")
    size = 0
    while data := await reader.read(16 << 10):
        size += len(data)
    writer.close()
    assert size == REPLY_SIZE


async def compute(mib):
    piece = bytes(64 << 10)
    sum = hashlib.sha256()
    for _ in range(int(float(mib) * 16)):
        sum.update(piece)
    sum.digest()


async def main(kind, jobs, amount):
    job = {"wait": wait, "download": download, "compute": compute}[kind]
    async with asyncio.TaskGroup() as group:
        for _ in range(int(jobs)):
            group.create_task(job(amount))


asyncio.run(main(*sys.argv[1:]))
