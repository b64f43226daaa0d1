"""web_crawler.py: all pages of a site, found by following its links.

What to notice: the pages are fetched breadth first, one distance from the start after the other.
Each page of a distance has a task, a semaphore lets only three at a time speak to the server, and
each task writes to the page that is its own: so what is printed is the same however long each
takes. The site is part of the program.

Here only as much of HTTP and HTML is understood as this site speaks. A real client uses a parser
for each: header names in any case, chunked bodies, redirects, entities and relative links are but
the beginning.
"""
import asyncio
import re
from dataclasses import dataclass

MOST_PAGES = 16
MOST_BYTES = 256
FETCHES = 3

# ---- the site ------------------------------------------------------------------------------------

site = {
    "/": '<a href="/books">Books</a> <a href="/music">Music</a> <a href="/about">About</a>',
    "/books": '<a href="/books/1">One</a> <a href="/books/2">Two</a> <a href="/">Home</a>',
    "/music": '<a href="/music/1">One</a> <a href="/books/2">Its book</a>',
    "/about": 'Write to us! <a href="https://example.org/">Friends</a>',
    "/books/1": 'Once upon a time. <a href="/books/2">Sequel</a>',
    "/books/2": 'And then? <a href="/books/3">Sequel</a>',
    "/music/1": 'La, la, la. <a href="/">Home</a>',
}


async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.decode().split(" ")[1]
        body = site.get(path, "")
        status = "200 OK" if path in site else "404 Not Found"
        fields = f"Content-Length: {len(body)}\r\nConnection: close"
        writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n{body}".encode())
    finally:
        writer.close()


# ---- the crawler ---------------------------------------------------------------------------------


@dataclass
class Page:
    path: str
    status: int = 0
    body: str = ""


class Crawler:
    def __init__(self, port):
        self.port = port
        self.pages = []  # in the order in which they were found
        self.fetches = asyncio.Semaphore(FETCHES)
        self.fetching = 0
        self.most = 0


async def exchange(reader, writer, page):
    fields = "Host: localhost\r\nConnection: close"
    writer.write(f"GET {page.path} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"\r\nContent-Length: (\d+)", head)
    if not head.startswith("HTTP/1.1 ") or length is None:
        raise ValueError("not understood")
    if int(length[1]) > MOST_BYTES:
        raise ValueError("too long")
    page.status = int(head.split()[1])
    page.body = (await reader.readexactly(int(length[1]))).decode()


async def get(port, page):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await exchange(reader, writer, page)
    finally:
        writer.close()


async def fetch(crawler, page):
    async with crawler.fetches:
        crawler.fetching += 1
        crawler.most = max(crawler.most, crawler.fetching)
        try:
            await get(crawler.port, page)
        finally:
            crawler.fetching -= 1


def add_page(crawler, path):
    """Remembers the page, if it is new and there is room."""
    if len(crawler.pages) < MOST_PAGES and path not in (page.path for page in crawler.pages):
        crawler.pages.append(Page(path))


def follow_links(crawler, page):
    """Adds the pages that this one leads to, as far as they are of this site."""
    links = re.findall('href="([^"]*)', page.body)
    for link in links:
        if link.startswith("/"):
            add_page(crawler, link)
    print(f"  {page.status} {page.path}: links: {len(links)}")


async def fetch_pages(crawler, pages):
    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(fetch(crawler, page))


async def crawl(port):
    crawler = Crawler(port)
    add_page(crawler, "/")
    seen = 0
    distance = 0
    while seen < len(crawler.pages):
        print(f"distance {distance}:")
        pages = crawler.pages[seen:]
        await fetch_pages(crawler, pages)
        for page in pages:
            follow_links(crawler, page)
        seen += len(pages)
        distance += 1
    print(f"{len(crawler.pages)} pages, never more than {crawler.most} at a time")


async def serve_and_crawl():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        await crawl(port)
    finally:
        server.close()
        await server.wait_closed()


asyncio.run(serve_and_crawl())
