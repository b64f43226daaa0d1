"""chat_server.py: a chat server with rooms. Try it:  chat_server.py --serve 8888,  nc localhost 8888

What to notice: what the members share, the list of them, needs no lock: nobody awaits while he
looks at it. A message is written to everybody without waiting for any of them, or one who does not
read would hold up his room; who has too much unread is thrown out instead. However a member leaves,
by /quit, by hanging up or by being thrown out, it is the same few lines at the end of `attend` that
tell the others. Without --serve three guests play a script, in the same program.
"""
import asyncio
import functools
import sys

# ---- members and rooms ---------------------------------------------------------------------------

NAME_SIZE = 19
LINE_SIZE = 400
MOST_UNREAD = 1 << 16


class Member:
    def __init__(self, writer, name):
        self.writer = writer
        self.name = name
        self.room = ""  # in none


class Chat:
    def __init__(self, port):
        self.port = port  # to serve at; None: play the script
        self.members = []
        self.guests = 0  # so many have come


def tell(member, text):
    transport = member.writer.transport
    if transport.get_write_buffer_size() > MOST_UNREAD:
        transport.abort()  # his own task will notice
    else:
        member.writer.write(f"{text}\n".encode())


def tell_room(chat, room, text):
    for member in chat.members:
        if member.room == room:
            tell(member, text)


def move(chat, member, room):
    if member.room:
        tell_room(chat, member.room, f"* {member.name} leaves {member.room}")
    member.room = room[:NAME_SIZE]
    if member.room:
        tell_room(chat, member.room, f"* {member.name} enters {member.room}")


def rename_member(chat, member, name):
    text = f"* {member.name} is now {name[:NAME_SIZE]}"
    member.name = name[:NAME_SIZE]
    tell_room(chat, member.room, text)


def list_room(chat, member):
    for other in chat.members:
        if other.room == member.room:
            tell(member, other.name)


# ---- a member's task -----------------------------------------------------------------------------


def obey(chat, member, line):
    """False: he wants to leave."""
    if line == "/quit":
        return False
    if line.startswith("/name ") and line[6:]:
        rename_member(chat, member, line[6:])
    elif line.startswith("/join ") and line[6:]:
        move(chat, member, line[6:])
    elif line == "/who":
        list_room(chat, member)
    elif line.startswith("/"):
        tell(member, "* there are /name NAME, /join ROOM, /who and /quit")
    elif line:
        tell_room(chat, member.room, f"{member.name}: {line}")
    return True


async def listen_to(reader, chat, member):
    async for line in reader:
        if not line.endswith(b"\n"):
            return  # he has hung up in the middle of it
        if not obey(chat, member, line.decode(errors="replace").rstrip("\r\n")):
            return
        await member.writer.drain()  # who does not read shall not talk


async def attend(chat, reader, writer):
    chat.guests += 1
    member = Member(writer, f"guest{chat.guests}")
    chat.members.append(member)
    move(chat, member, "lobby")
    try:
        await listen_to(reader, chat, member)
    except (OSError, ValueError):
        pass  # a broken connection, an endless line: no fault of ours
    finally:
        move(chat, member, "")
        chat.members.remove(member)
        writer.close()


# ---- the script ----------------------------------------------------------------------------------


class Guest:
    def __init__(self, name):
        self.name = name
        self.reader = self.writer = None


# who says what, and how many lines each of them hears then
script = [
    (0, "/name Ada", (1, 1, 1)),
    (1, "/name Bob", (1, 1, 1)),
    (2, "/name Cleo", (1, 1, 1)),
    (0, "hello, all", (1, 1, 1)),
    (0, "/join tea", (2, 1, 1)),
    (1, "/join tea", (1, 2, 1)),
    (1, "with milk?", (1, 1, 0)),
    (2, "is anybody here?", (0, 0, 1)),
    (2, "/who", (0, 0, 1)),
    (0, "/who", (2, 0, 0)),
    (2, "/dance", (0, 0, 1)),
    (1, "/quit", (1, 1, 0)),
    (2, "/join tea", (1, 0, 2)),
    (0, "/quit", (1, 0, 1)),
    (2, "/quit", (0, 0, 1)),
]


async def hear(guest, lines):
    for _ in range(lines):
        line = await guest.reader.readline()
        if not line:
            raise EOFError
        print(f"    {guest.name} hears: {line.decode()}", end="")


async def enter(guests, count, port):
    guest = guests[count]
    guest.reader, guest.writer = await asyncio.open_connection("127.0.0.1", port)
    print(f"{guest.name} comes in")
    for other in guests[: count + 1]:
        await hear(other, 1)


async def say(guests, who, says, hears):
    guest = guests[who]
    guest.writer.write(f"{says}\n".encode())
    print(f"{guest.name} says: {says}")
    for other, lines in zip(guests, hears):
        await hear(other, lines)


async def play(port):
    guests = [Guest("A"), Guest("B"), Guest("C")]
    try:
        for i in range(len(guests)):
            await enter(guests, i, port)
        for who, says, hears in script:
            await say(guests, who, says, hears)
    finally:
        for guest in guests:
            if guest.writer is not None:
                guest.writer.close()


# ---- the server ----------------------------------------------------------------------------------


async def play_with(server):
    port = server.sockets[0].getsockname()[1]
    await play(port)
    server.close()
    await server.wait_closed()


async def serve(chat):
    handler = functools.partial(attend, chat)
    port = 0 if chat.port is None else chat.port
    server = await asyncio.start_server(handler, "127.0.0.1", port, limit=LINE_SIZE)
    if chat.port is None:
        await play_with(server)
    else:
        await server.serve_forever()


def main():
    port = sys.argv[2] if sys.argv[1:2] == ["--serve"] else None
    try:
        asyncio.run(serve(Chat(port)))
    except KeyboardInterrupt:
        pass


main()
