"""files.py: opening files, in a thread. What to notice: nothing leads out of the folder. The path is
walked name by name, each opened in the directory before it, ".." and symbolic links not at all; who
looks first and opens then can be cheated in between.
"""
import asyncio
import errno
import os
import stat


def step(folder, name):
    if name == "..":
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)


def open_file(folder, path):
    if path.endswith("/"):
        path += "index.html"
    fd = os.dup(folder)
    try:
        for name in filter(None, path.split("/")):
            directory = fd
            fd = step(directory, name)
            os.close(directory)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    except OSError:
        os.close(fd)
        raise
    return os.fdopen(fd, "rb")


async def open(folder, path):
    """Opens the regular file that the path leads to from the folder, an open one; of a path that
    ends in a slash, "index.html" there.
    """
    return await asyncio.to_thread(open_file, folder, path)


types = [
    ("/", "text/html; charset=utf-8"),
    (".html", "text/html; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".txt", "text/plain; charset=utf-8"),
    (".json", "application/json"),
    (".svg", "image/svg+xml"),
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
]


def type(path):
    """Its Content-Type, by how the name ends."""
    for ending, text in types:
        if path.endswith(ending):
            return text
    return "application/octet-stream"
