"""main.py: a small server that redis-cli and redis-benchmark talk to. Try it:
main.py 7777,  and  redis-cli -p 7777

What to notice: all clients share one store, and there is no lock, for commands do not await
(commands.py). A client may send many requests before it reads a reply: what has arrived is answered
together, by one write. What a client can make the server keep is limited: a request, by the room for
it; replies, since drain waits until he reads them. Without a port, clients play a script, in the
same program.
"""
import asyncio
import functools
import sys

import commands
import request

# ---- the server's end ----------------------------------------------------------------------------

MOST_UNSENT = 1 << 16


class Session:
    def __init__(self, store, writer):
        self.store = store
        self.writer = writer
        self.out = bytearray()
        self.ends = False
        self.input = bytearray()  # what has come and was not answered yet


async def send_replies(s):
    if s.out:
        s.writer.write(bytes(s.out))
        s.out.clear()
        await s.writer.drain()


async def answer(s):
    done = 0
    while not s.ends and done < len(s.input):
        try:
            words, done = request.parse(s.input, done)
            s.ends = commands.execute(s.store, words, s.out)
        except request.Incomplete:
            if len(s.input) - done < request.MOST_BYTES:
                break
            s.out.extend(b"-ERR Protocol error: too big request\r\n")
            s.ends = True
        except request.ProtocolError as problem:
            s.out.extend(f"-ERR Protocol error: {problem}\r\n".encode())
            s.ends = True
        if len(s.out) > MOST_UNSENT:
            await send_replies(s)
    del s.input[:done]
    await send_replies(s)


async def attend_to(s, reader):
    while not s.ends and (data := await reader.read(request.MOST_BYTES - len(s.input))):
        s.input.extend(data)
        await answer(s)


async def attend(store, reader, writer):
    try:
        await attend_to(Session(store, writer), reader)
    except OSError:
        pass  # a broken connection is no fault of ours
    finally:
        writer.close()


# ---- the script ----------------------------------------------------------------------------------

CLIENTS = 5
TIMES = 20

script = [
    ("PING",),
    ("ECHO", "hello, world"),
    ("SET", "greeting", "hello"),
    ("GET", "greeting"),
    ("GET", "nothing"),
    ("SET", "greeting", "good evening", "NX"),
    ("INCR", "visits"),
    ("DECR", "visits"),
    ("INCR", "greeting"),
    ("SET", "most", "9223372036854775807"),
    ("INCR", "most"),
    ("RPUSH", "fruit", "apple", "pear", "plum"),
    ("LPUSH", "fruit", "quince"),
    ("LRANGE", "fruit", "0", "-1"),
    ("LRANGE", "fruit", "-2", "5"),
    ("LPOP", "fruit"),
    ("RPOP", "fruit"),
    ("GET", "fruit"),
    ("EXISTS", "fruit", "greeting", "nothing"),
    ("DEL", "fruit", "greeting", "nothing"),
    ("DBSIZE",),
    ("SET", "session", "abc", "EX", "soon"),
    ("SET", "session", "abc", "PX", "20"),
]


class Client:
    reader = writer = None


async def enter(client, port):
    client.reader, client.writer = await asyncio.open_connection("127.0.0.1", port)


def ask(client, words):
    client.writer.write(f"*{len(words)}\r\n".encode())
    for word in words:
        client.writer.write(f"${len(word)}\r\n{word}\r\n".encode())


async def hear_line(client):
    """The first line of a reply, without its end."""
    line = await client.reader.readline()
    if not line:
        raise EOFError
    return line[:-2].decode()


async def hear(client):
    left = 1
    while left > 0:
        line = await hear_line(client)
        if line[0] == "*":
            left += int(line[1:])
        if line[0] == "$" and line[1] != "-":
            line = await hear_line(client)  # ours have no lines inside
        print(f"    {line}")
        left -= 1


async def play(client):
    for words in script:
        print(" ".join(words))
        ask(client, words)
        await hear(client)


async def wait_until_gone(client):
    """Until the session has expired."""
    line = ":1"
    while line == ":1":
        await asyncio.sleep(0.01)
        ask(client, ("EXISTS", "session"))
        line = await hear_line(client)
    print("the session has expired")


async def count(port):
    """Asks for all before it hears anything."""
    client = Client()
    await enter(client, port)
    try:
        for _ in range(TIMES):
            ask(client, ("INCR", "hits"))
        for _ in range(TIMES):
            await hear_line(client)
    finally:
        client.writer.close()


async def count_together(client, port):
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(count(port))
    ask(client, ("GET", "hits"))
    print(f"{CLIENTS} clients, each {TIMES} times: INCR hits")
    await hear(client)


async def go_wrong(client):
    """By hand, as with nc; and what is no request, after which the server has enough."""
    client.writer.write(b"ping\r\n\r\nget\r\n*1\r\n!4\r\nPING\r\n")
    print("ping, an empty line, get, and something else")
    for _ in range(4):
        await hear(client)


async def play_with(server):
    client = Client()
    port = server.sockets[0].getsockname()[1]
    await enter(client, port)
    try:
        await play(client)
        await wait_until_gone(client)
        await count_together(client, port)
        await go_wrong(client)
    except EOFError:
        print("    the server has hung up")
    finally:
        client.writer.close()
        server.close()
    await server.wait_closed()


# ---- the program ---------------------------------------------------------------------------------


async def serve(store, port):
    handler = functools.partial(attend, store)
    server = await asyncio.start_server(handler, "127.0.0.1", port or 0)
    if port is None:
        await play_with(server)
    else:
        await server.serve_forever()


def main():
    try:
        asyncio.run(serve({}, sys.argv[1] if len(sys.argv) > 1 else None))
    except KeyboardInterrupt:
        pass


main()
