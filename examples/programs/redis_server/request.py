"""request.py: a parser that knows nothing of where the data comes from. What to notice: it starts
over when more has come, for it keeps nothing.
"""

import re

MOST_WORDS = 1024
MOST_BYTES = 1 << 20


class ProtocolError(Exception):
    pass


class Incomplete(Exception):
    pass


def take_number(data, at, mark, most):
    """A mark and a number, as b"*3\\r\\n": the number, and what is behind it."""
    newline = data.find(b"\n", at)
    if newline < 0:
        if len(data) - at < 32:
            raise Incomplete
        raise ProtocolError("too big count string")
    if data[at : at + 1] != mark:
        raise ProtocolError("expected '$'")
    digits = data[at + 1 : newline]
    if not re.fullmatch(rb"[0-9]{1,9}\r", digits) or int(digits) > most:
        raise ProtocolError(f"invalid {'bulk' if mark == b'$' else 'multibulk'} length")
    return int(digits), newline + 1


def parse_array(data, at):
    words = []
    count, at = take_number(data, at, b"*", MOST_WORDS)
    while len(words) < count:
        size, at = take_number(data, at, b"$", MOST_BYTES)
        if len(data) - at < size + 2:
            raise Incomplete
        words.append(bytes(data[at : at + size]))
        at += size + 2
    return words, at


def parse_line(data, at):
    """For those who have only nc."""
    newline = data.find(b"\n", at)
    if newline < 0:
        raise Incomplete
    words = bytes(data[at:newline]).split()
    if len(words) > MOST_WORDS:
        raise ProtocolError("too many words")
    return words, newline + 1


def parse(data, at):
    """The words that the data has at that place, and what is behind them. Raises Incomplete where
    they have not all come, ProtocolError where it is no request.
    """
    return parse_array(data, at) if data[at : at + 1] == b"*" else parse_line(data, at)
