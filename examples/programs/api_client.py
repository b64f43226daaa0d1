"""api_client.py: a client of an HTTP API that fails now and then: retries, with growing pauses.

What to notice: what may pass by itself is tried again (5xx, no answer in time, a lost connection),
what will not is an error at once (404). Each attempt has a time limit of its own, which closes its
connection by the usual way out. The pauses double, and are random within that, so that many clients
do not come back at the same moment. The server is part of the program, and fails as its table says.
"""
import asyncio
import random
from dataclasses import dataclass

# ---- the server ----------------------------------------------------------------------------------

NO_ANSWER = 0
HANG_UP = 1

# path: the answers to the first request, the second, the third and all later ones
endpoints = {
    "/good": [200, 200, 200],
    "/flaky": [503, 500, 200],
    "/slow": [NO_ANSWER, 200, 200],
    "/lost": [HANG_UP, 200, 200],
    "/missing": [404, 404, 404],
    "/down": [503, 503, 503],
}


def next_answer(path):
    answers = endpoints.get(path, [404])
    return answers.pop(0) if len(answers) > 1 else answers[0]


async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.decode().split(" ")[1]
        status = next_answer(path)
        if status == NO_ANSWER:
            await reader.read()  # until the client gives up
            return
        if status == HANG_UP:
            return
        writer.write(f"HTTP/1.1 {status} -\r\nConnection: close\r\n\r\nthis is {path}".encode())
    finally:
        writer.close()


# ---- the client ----------------------------------------------------------------------------------


@dataclass
class Response:
    status: int
    body: str


async def exchange(reader, writer, path):
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        raise ValueError("not HTTP/1.1")
    body = await reader.read()
    return Response(status=int(head.split()[1]), body=body.decode())


async def get_once(port, path):
    async with asyncio.timeout(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await exchange(reader, writer, path)
        finally:
            writer.close()


class PassingError(Exception):
    """What went wrong and may go better next time."""


async def get_or_passing_error(port, path):
    try:
        response = await get_once(port, path)
    except TimeoutError:
        raise PassingError("no answer in time") from None
    except (asyncio.IncompleteReadError, ConnectionError):
        raise PassingError("connection lost") from None
    if response.status >= 500:
        raise PassingError("server error")
    return response


async def get(port, path):
    attempts = 4
    pause = 0.01
    for attempt in range(1, attempts + 1):
        try:
            return await get_or_passing_error(port, path)
        except PassingError as error:
            print(f"{path}: attempt {attempt}: {error}")
            if attempt == attempts:
                raise
        await asyncio.sleep(pause * random.uniform(0.5, 1))
        pause *= 2


async def get_all(port):
    for path in list(endpoints):
        try:
            response = await get(port, path)
            print(f"{path}: {response.status}, {response.body}")
        except PassingError:
            print(f"{path}: given up")


async def serve_and_get():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        await get_all(port)
    finally:
        server.close()
        await server.wait_closed()


asyncio.run(serve_and_get())
