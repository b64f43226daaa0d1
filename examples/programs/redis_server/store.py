"""store.py: a dict. What to notice: a key that expires has a timer on the loop; who removes the key
cancels it, or it would remove what comes after.
"""
import asyncio
import collections
import math


class Record:
    def __init__(self, key, value):
        self.key = key
        self.value = value  # bytes, or a deque of them, with one at least
        self.expiry = None  # it stays


def find(store, key):
    return store.get(key)


def stay(record):
    if record.expiry is not None:
        record.expiry.cancel()
        record.expiry = None


def push(store, record, key, value, left):
    """Adds to the list of the record; where that is None, to a new one for the key."""
    if record is None:
        record = store[key] = Record(key, collections.deque())
    if left:
        record.value.appendleft(value)
    else:
        record.value.append(value)
    return record


def set(store, key, value):
    """A new string for the key, whatever it had; its expiry stays."""
    record = store.setdefault(key, Record(key, value))
    record.value = value
    return record


def pop(store, record, left):
    """Removes an item of a list, and with the last one the record."""
    item = record.value.popleft() if left else record.value.pop()
    if not record.value:
        discard(store, record)
    return item


def expire(store, record, seconds):
    """The record goes after so many seconds; infinity: it stays."""
    stay(record)
    if not math.isinf(seconds):
        loop = asyncio.get_running_loop()
        record.expiry = loop.call_later(seconds, discard, store, record)


def discard(store, record):
    stay(record)
    del store[record.key]


def discard_all(store):
    for record in list(store.values()):
        discard(store, record)
