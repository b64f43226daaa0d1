"""asyncio, as CPython has it: what all of this is measured against in kind, if not in speed."""

import asyncio
import json
import resource
import signal
import socket
import sys
import time


def check(holds, what):
    """A figure is worth nothing when the work behind it was not done."""
    if not holds:
        sys.exit(f"wrong: {what}")


def report(**figures):
    print(json.dumps(figures), flush=True)


def enough(start):
    """Loops run for a time and not for a count, so that fast and slow peers are measured equally long."""
    return time.monotonic() - start > 0.3


def nap(k, count):
    """How long the k-th of count sleepers sleeps, as nap_ns in measure.h."""
    return k * 7368787 % count / count


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def page_table_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmPTE:")) * 1024


async def yield_(count):
    """The main task is one of the count and keeps the time: every lap of its own is one of all."""
    running, laps = True, 0
    batch = 1 + 1000 // count

    async def yielder():
        mine = 0
        while running:
            await asyncio.sleep(0)
            mine += 1
        return abs(mine - laps) > 1

    tasks = [asyncio.create_task(yielder()) for _ in range(count - 1)]
    await asyncio.sleep(0)
    start = time.perf_counter_ns()
    while True:
        for _ in range(batch):
            await asyncio.sleep(0)
        laps += batch
        if enough(start / 1e9):
            break
    elapsed = time.perf_counter_ns() - start
    running = False
    unfair = 0
    for task in tasks:
        unfair += await task
    check(unfair == 0, "every task has its turn in every lap")
    report(ns=elapsed / laps / count)


async def spawn(_):
    ran = spawned = 0

    async def body():
        nonlocal ran
        ran += 1

    start = time.monotonic()
    while not enough(start):
        for _ in range(1000):
            await asyncio.create_task(body())
        spawned += 1000
    elapsed = time.monotonic() - start
    check(ran == spawned, "every task runs once")
    report(ns=elapsed * 1e9 / spawned)


async def spawn_many(count):
    ran = 0

    async def body():
        nonlocal ran
        ran += 1

    async def all_ns():
        start = time.monotonic()
        for task in [asyncio.create_task(body()) for _ in range(count)]:
            await task
        return (time.monotonic() - start) * 1e9 / count

    first = await all_ns()
    again = await all_ns()
    check(ran == 2 * count, "every task runs once")
    report(first_ns=first, again_ns=again)


async def sleep(count):
    ran = early = 0

    async def sleeper(length):
        nonlocal ran, early
        begin = time.monotonic()
        await asyncio.sleep(length)
        early += time.monotonic() - begin < length
        ran += 1

    start, cpu = time.monotonic(), time.process_time()
    for task in [asyncio.create_task(sleeper(nap(k, count))) for k in range(count)]:
        await task
    late = time.monotonic() - start - (count - 1) / count
    check(ran == count, "every task runs once")
    report(cpu_ms=(time.process_time() - cpu) * 1e3, late_ms=late * 1e3, early=early)


async def memory(count):
    event = asyncio.Event()
    ran = 0

    async def waiter():
        nonlocal ran
        await event.wait()
        ran += 1

    resident, page_tables = resident_bytes(), page_table_bytes()
    start = time.monotonic()
    tasks = [asyncio.create_task(waiter()) for _ in range(count)]
    await asyncio.sleep(0)
    parked = time.monotonic()
    resident, page_tables = resident_bytes() - resident, page_table_bytes() - page_tables

    woken = time.monotonic()
    event.set()
    for task in tasks:
        await task
    joined = time.monotonic()
    check(ran == count, "every task runs once")
    report(resident_bytes=resident / count, page_table_bytes=page_tables / count,
           create_s=parked - start, join_s=joined - woken)


async def echo_server(_):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    tasks = set()

    async def echo(connection):
        with connection:
            while data := await loop.sock_recv(connection, 65536):
                await loop.sock_sendall(connection, data)

    async def accept(listener):
        while True:
            connection, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(echo(connection))
            tasks.add(task)  # the loop itself would let it be collected
            task.add_done_callback(tasks.discard)

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_reader(sys.stdin, stop.set)  # nobody writes there: it is readable when it is closed
        report(port=listener.getsockname()[1])

        cpu = time.process_time()
        accepting = asyncio.create_task(accept(listener))
        await stop.wait()
        accepting.cancel()
        report(cpu_us=(time.process_time() - cpu) * 1e6)


WORKLOADS = {
    "yield": (yield_, 2),
    "spawn": (spawn, 1),
    "spawn_many": (spawn_many, 100000),
    "sleep": (sleep, 100000),
    "memory": (memory, 100000),
    "echo_server": (echo_server, 1),
}


def main(name="", count=None):
    if name not in WORKLOADS:
        print(f'asyncio has no workload "{name}"', file=sys.stderr)
        return 2
    run, default = WORKLOADS[name]
    asyncio.run(run(int(count or default)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
