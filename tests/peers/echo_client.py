"""A hundred asyncio clients of one echo server: lines first, then more than sockets hold.

echo_client.py PORT [CA]: over TLS if a file is named that trusts the server.
"""

import asyncio
import ssl
import sys

CLIENTS, LINES, BULK = 100, 20, 300_000


async def talk(port, context, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    for i in range(LINES):
        line = f"client {number}, line {i}\n".encode()
        writer.write(line)
        await writer.drain()
        assert await reader.readline() == line
    data = bytes([number]) * BULK
    writer.write(data)
    if writer.can_write_eof():
        writer.write_eof()
        assert await reader.read() == data
    else:
        assert await reader.readexactly(BULK) == data
    writer.close()
    await writer.wait_closed()


async def main(port, cafile=None):
    context = ssl.create_default_context(cafile=cafile) if cafile else None
    await asyncio.wait_for(asyncio.gather(*(talk(port, context, i) for i in range(CLIENTS))), 30)


asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
