"""script.py: a folder to serve, and a client that asks for what is in it, and for what is not. The
client keeps its connection for as long as the server does.
"""
import asyncio
import os

# ---- the folder ----------------------------------------------------------------------------------

DIGITS = 300000

files = [
    ("site/index.html", "<h1>Hello</h1>\n"),
    ("site/style.css", "h1 { color: teal }\n"),
    ("site/notes/read me.txt", "quite so\n"),
    ("site/digits.bin", "0123456789" * (DIGITS // 10)),
    ("secret.txt", "not for you\n"),
]


def make_file(path, text):
    with open(path, "x") as file:
        file.write(text)


def make_folder(top):
    os.makedirs(os.path.join(top, "site/notes"))
    os.symlink("../secret.txt", os.path.join(top, "site/link.txt"))
    os.symlink("..", os.path.join(top, "site/up"))
    for name, text in files:
        make_file(os.path.join(top, name), text)
    return os.path.join(top, "site")


# ---- the client ----------------------------------------------------------------------------------

# the first line, one of the headers, and the length of another one
script = [
    ("GET / HTTP/1.1", "", 0),
    ("HEAD /style.css HTTP/1.1", "", 0),
    ("GET /notes/read%20me.txt?now HTTP/1.1", "", 0),
    ("GET /digits.bin HTTP/1.1", "", 0),
    ("GET /nothing HTTP/1.1", "", 0),
    ("GET /notes HTTP/1.1", "", 0),
    ("GET /../secret.txt HTTP/1.1", "", 0),
    ("GET /notes/%2e%2E%2f../secret.txt HTTP/1.1", "", 0),
    ("GET /link.txt HTTP/1.1", "", 0),
    ("GET /up/secret.txt HTTP/1.1", "", 0),
    ("GET /%zz HTTP/1.1", "", 0),
    ("DELETE /style.css HTTP/1.1", "", 0),
    ("POST / HTTP/1.1", "Content-Length: 5\r\n", 0),
    ("GET / HTTP/1.0", "", 0),
    ("GET / HTTP/1.1", "Connection: close\r\n", 0),
    ("GET me something", "", 0),
    ("GET / HTTP/1.1", "", 9000),
]


class Client:
    reader = writer = None


def leave(client):
    if client.writer is not None:
        client.writer.close()
        client.writer = None


async def ask(client, port, says, adds, padding):
    print(says)
    if client.writer is None:
        client.reader, client.writer = await asyncio.open_connection("127.0.0.1", port)
    client.writer.write(f"{says}\r\nHost: localhost\r\n{adds}".encode())
    if padding:
        client.writer.write(f"Padding: {0:0{padding}}\r\n".encode())
    client.writer.write(b"\r\n")


async def hear_body(client, size):
    body = (await client.reader.readexactly(size)).decode()
    if size < 100:
        print(f"    | {body}", end="")
    else:
        print(f"    | {size} bytes, the last one {body[-1]}")


async def hear(client, only_head):
    closes = False
    size = 0
    while (line := (await client.reader.readline()).decode()) > "\r\n":
        line = line.removesuffix("\r\n")
        print(f"    {line}")
        if line.lower().startswith("content-length: "):
            size = int(line[16:])
        closes = closes or line.lower() == "connection: close"
    if not line:
        raise EOFError
    if not only_head:
        await hear_body(client, size)
    if closes:
        leave(client)


async def dawdle(client, port):
    """Says half of something, and no more."""
    print("GET / HT")
    client.reader, client.writer = await asyncio.open_connection("127.0.0.1", port)
    client.writer.write(b"GET / HT")
    await hear(client, False)


async def play(site, port):
    """Asks, and prints what comes."""
    client = Client()
    try:
        for says, adds, padding in script:
            await ask(client, port, says, adds, padding)
            await hear(client, says.startswith("HEAD"))
        site.patience = 0.05
        await dawdle(client, port)
    finally:
        leave(client)
