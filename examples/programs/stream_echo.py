"""stream_echo.py: a server that sends back every line, and three clients, in one program.

What to notice: each connection has a task of its own, which reads as if it were the only one. drain
is where a writer waits for a reader that is slower. A client that has said all ends its half of the
connection, and reads on until the other one ends. Closing is each side's own business: in C the
streams are closed when the handler returns, or with the last reference. Port 0 is whichever is
free.
"""
import asyncio


async def echo(reader, writer):
    try:
        async for line in reader:
            writer.write(line)
            await writer.drain()
    finally:
        writer.close()


async def exchange(reader, writer, name):
    for number in (1, 2, 3):
        writer.write(f"{name} says {number}\n".encode())
        await writer.drain()
    writer.write_eof()
    text = await reader.read()
    return text.decode()


async def talk(name, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await exchange(reader, writer, name)
    finally:
        writer.close()


async def talk_all(port):
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(talk(name, port)) for name in ("Ada", "Bob", "Cleo")]
    for client in clients:
        print(client.result(), end="")


async def serve_and_talk():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        await talk_all(port)
    finally:
        server.close()
        await server.wait_closed()
        print("the server is closed")


asyncio.run(serve_and_talk())
