"""commands.py: a function for each command. What to notice: none of them awaits, so each is atomic,
as Redis's are and for the same reason: there is one thread, and it finishes what it has begun.
"""
import collections
import math
import re

import store as stores
from request import MOST_WORDS

NOT_INTEGER = "ERR value is not an integer or out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"

Call = collections.namedtuple("Call", "store words out")


class CommandError(Exception):
    pass


# ---- words and replies ---------------------------------------------------------------------------


def fits(number):
    return -(1 << 63) <= number < 1 << 63


def to_integer(word):
    if not re.fullmatch(rb"[+-]?[0-9]{1,22}", word) or not fits(int(word)):
        raise CommandError(NOT_INTEGER)
    return int(word)


def reply_integer(call, number):
    call.out.extend(b":%d\r\n" % number)


def reply_bulk(call, data):
    call.out.extend(b"$%d\r\n%b\r\n" % (len(data), data))


def reply_nothing(call):
    call.out.extend(b"$-1\r\n")


def reply_ok(call):
    call.out.extend(b"+OK\r\n")


def look_up(call, is_list):
    """What the key has, of that type, or None."""
    record = stores.find(call.store, call.words[1])
    if record is not None and isinstance(record.value, collections.deque) != is_list:
        raise CommandError(WRONG_TYPE)
    return record


# ---- commands ------------------------------------------------------------------------------------


def ping(call):
    if len(call.words) == 1:
        call.out.extend(b"+PONG\r\n")
    else:
        reply_bulk(call, call.words[1])


def set(call):
    """SET key value [NX] [EX seconds | PX milliseconds]"""
    only_new = False
    seconds = math.inf
    options = iter(call.words[3:])
    for option in options:
        name = option.upper()
        if name == b"NX":
            only_new = True
        elif name in (b"EX", b"PX") and (number := next(options, None)) is not None:
            if to_integer(number) <= 0:
                raise CommandError("ERR invalid expire time in 'set' command")
            seconds = int(number) if name == b"EX" else int(number) / 1000
        else:
            raise CommandError("ERR syntax error")
    if only_new and stores.find(call.store, call.words[1]) is not None:
        reply_nothing(call)
        return
    record = stores.set(call.store, call.words[1], call.words[2])
    stores.expire(call.store, record, seconds)
    reply_ok(call)


def get(call):
    record = look_up(call, False)
    if record is None:
        reply_nothing(call)
    else:
        reply_bulk(call, record.value)


def delete(call):
    count = 0
    for key in call.words[1:]:
        record = stores.find(call.store, key)
        if record is not None:
            stores.discard(call.store, record)
            count += 1
    reply_integer(call, count)


def exists(call):
    reply_integer(call, sum(stores.find(call.store, key) is not None for key in call.words[1:]))


def increase(call, by):
    """An expiry stays."""
    record = look_up(call, False)
    number = by + (0 if record is None else to_integer(record.value))
    if not fits(number):
        raise CommandError("ERR increment or decrement would overflow")
    stores.set(call.store, call.words[1], b"%d" % number)
    reply_integer(call, number)


def incr(call):
    increase(call, 1)


def decr(call):
    increase(call, -1)


def push(call, left):
    record = look_up(call, True)
    for word in call.words[2:]:
        record = stores.push(call.store, record, call.words[1], word, left)
    reply_integer(call, len(record.value))


def lpush(call):
    push(call, True)


def rpush(call):
    push(call, False)


def pop(call, left):
    record = look_up(call, True)
    if record is None:
        reply_nothing(call)
    else:
        reply_bulk(call, stores.pop(call.store, record, left))


def lpop(call):
    pop(call, True)


def rpop(call):
    pop(call, False)


def lrange(call):
    """LRANGE key first last: with both, and -1 is the last of all"""
    first, last = to_integer(call.words[2]), to_integer(call.words[3])
    record = look_up(call, True)
    items = [] if record is None else list(record.value)
    if first < 0:
        first = max(0, first + len(items))
    if last < 0:
        last += len(items)
    items = items[first : max(0, last + 1)]
    call.out.extend(b"*%d\r\n" % len(items))
    for item in items:
        reply_bulk(call, item)


def dbsize(call):
    reply_integer(call, len(call.store))


def flushall(call):
    stores.discard_all(call.store)
    reply_ok(call)


def config(call):
    """CONFIG GET name: redis-benchmark wants to know, and takes nothing for an answer."""
    if call.words[1].upper() != b"GET":
        raise CommandError("ERR unknown subcommand")
    call.out.extend(b"*2\r\n")
    reply_bulk(call, call.words[2])
    reply_bulk(call, b"")


def command(call):
    """redis-cli asks for what it could help with."""
    call.out.extend(b"*0\r\n")


# ---- which is it? --------------------------------------------------------------------------------

# name, least and most words, function
commands = [
    ("ping", 1, 2, ping),
    ("echo", 2, 2, ping),
    ("set", 3, MOST_WORDS, set),
    ("get", 2, 2, get),
    ("del", 2, MOST_WORDS, delete),
    ("exists", 2, MOST_WORDS, exists),
    ("incr", 2, 2, incr),
    ("decr", 2, 2, decr),
    ("lpush", 3, MOST_WORDS, lpush),
    ("rpush", 3, MOST_WORDS, rpush),
    ("lpop", 2, 2, lpop),
    ("rpop", 2, 2, rpop),
    ("lrange", 4, 4, lrange),
    ("dbsize", 1, 1, dbsize),
    ("flushall", 1, 2, flushall),
    ("config", 3, 3, config),
    ("command", 1, MOST_WORDS, command),
    ("quit", 1, 1, reply_ok),
]


def execute(store, words, out):
    """Does what is requested, at once, and writes the reply. True: the client wants to leave."""
    if not words:
        return False  # an empty line is not answered
    call = Call(store, words, out)
    for name, least, most, function in commands:
        if words[0].lower() != name.encode():
            continue
        try:
            if not least <= len(words) <= most:
                raise CommandError(f"ERR wrong number of arguments for '{name}' command")
            function(call)
        except CommandError as error:
            out.extend(f"-{error}\r\n".encode())
        return function is reply_ok
    out.extend(b"-ERR unknown command\r\n")
    return False
