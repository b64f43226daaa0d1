"""request.py: heads of requests, parsed by hand; by libhttp-parser in C. What to notice: it does not
care where the bytes come from, so it goes with any I/O.
"""
import re
import urllib.parse

HEAD_SIZE = 8192


class Request:
    status = 400  # of the answer, so far: 200, or what is wrong with the request
    only_head = False  # HEAD: the answer has no body
    keeps = False  # another request may follow
    path = ""  # decoded, without the query


def decode(target):
    """b"%20" becomes a space. None: it is no path, or has a zero in it."""
    path = target.split(b"?")[0]
    if not path.startswith(b"/") or re.search(rb"%(?![0-9a-fA-F]{2})|%00", path):
        return None
    return urllib.parse.unquote(path, errors="surrogateescape")


def parse(head):
    """Parses a head, up to its empty line and with it."""
    request = Request()
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    match = re.fullmatch(rb"([A-Z]+) ([!-~]+) HTTP/1\.([01])", first)
    headers = [re.fullmatch(rb"([!#-'*+.0-9A-Z^_`a-z|~-]+):[ \t]*(.*?)[ \t]*", l) for l in lines]
    if not match or not all(headers):
        return request
    method, target, version = match.groups()
    fields = {header[1].lower(): header[2].lower() for header in headers}
    request.only_head = method == b"HEAD"
    request.keeps = fields.get(b"connection") == b"keep-alive" or (
        version == b"1" and fields.get(b"connection") != b"close"
    )
    if fields.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in fields:
        request.keeps = False  # nobody reads the body that follows
    if method not in (b"GET", b"HEAD"):
        request.status = 405
    elif (path := decode(target)) is not None:
        request.status = 200
        request.path = path
    return request
