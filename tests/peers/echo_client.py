"""A hundred asyncio clients of one echo server: lines first, then more than sockets hold."""

import asyncio
import sys

CLIENTS, LINES, BULK = 100, 20, 300_000


async def talk(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for i in range(LINES):
        line = f"client {number}, line {i}\n".encode()
        writer.write(line)
        await writer.drain()
        assert await reader.readline() == line
    data = bytes([number]) * BULK
    writer.write(data)
    writer.write_eof()
    assert await reader.read() == data
    writer.close()
    await writer.wait_closed()


async def main(port):
    await asyncio.wait_for(asyncio.gather(*(talk(port, i) for i in range(CLIENTS))), 30)


asyncio.run(main(int(sys.argv[1])))
