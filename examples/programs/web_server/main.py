"""main.py: a web server for the files of a folder. Try it:
main.py 8888 .,  and  curl localhost:8888/README.md

What to notice: a task for each connection serves one request after the other and reads like a
description of it. Whatever a client does or leaves undone has an end: a head has a limit, and a time
to come in; an answer has a time to be taken. Timeouts are around whole steps, so that a byte now and
then does not help. Files are opened off the loop, and go from there to the socket in the kernel.
Without a port, a client plays a script.
"""
import asyncio
import errno
import functools
import http
import os
import sys
import tempfile

import files
import request as requests
import script

SLOWEST = 1000  # bytes per second that a client is to take at least


class Site:
    def __init__(self, port, folder):
        self.port = port  # None: any that is free, and play the script
        self.folder = folder  # its descriptor
        self.patience = 10  # seconds that a head may take
        self.sessions = set()  # the tasks of the connections


# ---- the answer ----------------------------------------------------------------------------------


def send_head(writer, request, type, size):
    phrase = http.HTTPStatus(request.status).phrase
    allow = "Allow: GET, HEAD\r\n" if request.status == 405 else ""
    connection = "" if request.keeps else "Connection: close\r\n"
    writer.write(
        f"HTTP/1.1 {request.status} {phrase}\r\n{allow}Content-Type: {type}\r\n"
        f"Content-Length: {size}\r\n{connection}\r\n".encode()
    )


def send_problem(writer, request):
    text = f"{request.status} {http.HTTPStatus(request.status).phrase}\n"
    send_head(writer, request, "text/plain; charset=utf-8", len(text))
    if not request.only_head:
        writer.write(text.encode())


async def send_file(writer, request, file):
    size = os.fstat(file.fileno()).st_size
    send_head(writer, request, files.type(request.path), size)
    if request.only_head or size == 0:
        return
    async with asyncio.timeout(10 + size / SLOWEST):
        sent = await asyncio.get_running_loop().sendfile(writer.transport, file, 0, size)
    if sent < size:
        raise OSError(errno.EIO, "it has become shorter")


async def answer(site, writer, request):
    if request.status == 200:
        try:
            with await files.open(site.folder, request.path) as file:
                return await send_file(writer, request, file)
        except FileNotFoundError:
            request.status = 404
        except OSError as error:
            if request.status != 200 or isinstance(error, (ConnectionError, TimeoutError)):
                raise
            request.status = 503 if error.errno in (errno.EMFILE, errno.ENFILE) else 404
    send_problem(writer, request)


# ---- a connection --------------------------------------------------------------------------------


async def linger(reader, writer):
    """Closing a socket that has unread bytes in it would destroy the answer on its way."""
    writer.write_eof()
    async with asyncio.timeout(1):
        while await reader.read(4096):
            pass


async def read_request(site, reader):
    request = requests.Request()
    try:
        async with asyncio.timeout(site.patience):
            return requests.parse(await reader.readuntil(b"\r\n\r\n"))
    except TimeoutError:
        request.status = 408
    except asyncio.LimitOverrunError:
        request.status = 431
    return request


async def attend(site, reader, writer):
    site.sessions.add(asyncio.current_task())
    try:
        keeps = True
        while keeps:
            request = await read_request(site, reader)
            await answer(site, writer, request)
            keeps = request.keeps
        await linger(reader, writer)
    except EOFError:
        pass
    except OSError:
        writer.transport.abort()  # somebody who does not read must not be waited for
    finally:
        writer.close()
        site.sessions.remove(asyncio.current_task())


# ---- the program ---------------------------------------------------------------------------------


async def play_with(site, server):
    await script.play(site, server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()  # which waits for them, too, but only from Python 3.12 on:
    await asyncio.gather(*site.sessions)


async def serve(site):
    handler = functools.partial(attend, site)
    limit = requests.HEAD_SIZE
    server = await asyncio.start_server(handler, "127.0.0.1", site.port or 0, limit=limit)
    if site.port is None:
        await play_with(site, server)
    else:
        await server.serve_forever()


def run(port, folder):
    site = Site(port, os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    try:
        asyncio.run(serve(site))
    except KeyboardInterrupt:
        pass
    finally:
        os.close(site.folder)


def main():
    if len(sys.argv) > 1:
        run(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ".")
    else:
        with tempfile.TemporaryDirectory(prefix="web_server-") as top:
            run(None, script.make_folder(top))


main()
