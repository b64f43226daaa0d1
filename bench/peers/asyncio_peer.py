"""asyncio, as CPython has it: what all of this is measured against in kind, if not in speed."""

import asyncio
import hashlib
import json
import mmap
import multiprocessing
import os
import queue as queues
import resource
import socket
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def check(holds, what):
    """A figure is worth nothing when the work behind it was not done."""
    if not holds:
        sys.exit(f"wrong: {what}")


def report(**figures):
    print(json.dumps(figures), flush=True)


LENGTH = float(os.environ.get("BENCH_SECONDS", 0.3))


def enough(start):
    """Loops run for a time and not for a count, so that fast and slow peers are measured equally long."""
    return time.process_time() - start > LENGTH


def nap(k, count):
    """How long the k-th of count sleepers sleeps, as nap_ns in measure.h."""
    return k * 7368787 % count / count


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def page_table_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmPTE:")) * 1024


def report_times(times, unit):
    """What took these seconds: the one in the middle and the longest."""
    check(times, "something was measured")
    times.sort()
    report(median=times[len(times) // 2] / unit, worst=times[-1] / unit)


# ---- generators ----

def coroutine(_):
    def yield_back():
        while True:
            yield

    generator, resumes = yield_back(), 0
    start = time.process_time()
    while not enough(start):
        for _ in range(10000):
            next(generator)
        resumes += 10000
    report(ns=(time.process_time() - start) * 1e9 / resumes)


# ---- tasks ----

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
    start = time.process_time_ns()
    while True:
        for _ in range(batch):
            await asyncio.sleep(0)
        laps += batch
        if enough(start / 1e9):
            break
    elapsed = time.process_time_ns() - start
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

    start = time.process_time()
    while not enough(start):
        for _ in range(1000):
            await asyncio.create_task(body())
        spawned += 1000
    elapsed = time.process_time() - start
    check(ran == spawned, "every task runs once")
    report(ns=elapsed * 1e9 / spawned)


async def spawn_many(count):
    ran = 0

    async def body():
        nonlocal ran
        ran += 1

    async def all_ns(rounds):
        start = time.process_time()
        for _ in range(rounds):
            for task in [asyncio.create_task(body()) for _ in range(count)]:
                await task
        return (time.process_time() - start) * 1e9 / (rounds * count)

    rounds = max(1, 100000 // count)
    first = await all_ns(1)
    again = await all_ns(rounds)
    check(ran == (1 + rounds) * count, "every task runs once")
    report(first_ns=first, again_ns=again)


class Waiters:
    """Tasks that wait for one event."""

    async def park(self, count):
        self.event, self.waiting, self.ran = asyncio.Event(), 0, 0
        self.tasks = [asyncio.create_task(self.wait()) for _ in range(count)]
        await asyncio.sleep(0)
        check(self.waiting == count and self.ran == 0, "every task waits")

    async def wait(self):
        self.waiting += 1
        await self.event.wait()
        self.ran += 1

    async def wake(self):
        self.event.set()
        for task in self.tasks:
            await task
        check(self.ran == self.waiting, "every task is woken and ends")


async def parked(count):
    async def all_ns():
        start = time.process_time()
        waiters = Waiters()
        await waiters.park(count)
        await waiters.wake()
        return (time.process_time() - start) * 1e9 / count

    first = await all_ns()
    again = await all_ns()
    report(first_ns=first, again_ns=again)


async def memory(count):
    waiters = Waiters()
    resident, page_tables = resident_bytes(), page_table_bytes()
    start = time.process_time()
    await waiters.park(count)
    create = time.process_time() - start
    resident, page_tables = resident_bytes() - resident, page_table_bytes() - page_tables

    woken = time.process_time()
    await waiters.wake()
    report(resident_bytes=resident / count, all_bytes=(resident + page_tables) / count, create_s=create,
           join_s=time.process_time() - woken)


async def gather(count):
    ran = gathered = 0

    async def yield_once():
        nonlocal ran
        ran += 1
        await asyncio.sleep(0)

    start = time.process_time()
    while not enough(start):
        await asyncio.gather(*[yield_once() for _ in range(count)])
        gathered += count
    elapsed = time.process_time() - start
    check(ran == gathered, "every task runs once")
    report(ns=elapsed * 1e9 / gathered)


# ---- queues and locks ----

async def queue(_):
    there, back = asyncio.Queue(1), asyncio.Queue(1)
    sent = received = 0

    async def send_back():
        while True:
            await back.put(await there.get())

    other_side = asyncio.create_task(send_back())
    start = time.process_time()
    while not enough(start):
        for _ in range(1000):
            await there.put(start)
            received += await back.get() is start
        sent += 1000
    elapsed = time.process_time() - start
    other_side.cancel()
    check(received == sent, "every item comes back")
    report(ns=elapsed * 1e9 / sent)


def empty():
    pass


async def lock(_):
    batch = range(1000)
    mutex, calls, locked = asyncio.Lock(), 0, 0

    start = time.process_time()
    while not enough(start):
        for _ in batch:
            empty()
        calls += len(batch)
    empty_ns = (time.process_time() - start) * 1e9 / calls

    start = time.process_time()
    while not enough(start):
        for _ in batch:
            async with mutex:
                pass
        locked += len(batch)
    ns = (time.process_time() - start) * 1e9 / locked
    report(ns=ns, over_ns=ns - empty_ns)


# ---- timers ----

async def sleep(count):
    ran = early = late = 0

    async def sleeper(length):
        nonlocal ran, early, late
        begin = time.monotonic()
        await asyncio.sleep(length)
        late = time.monotonic() - begin - length
        early += late < 0
        ran += 1

    start, cpu = time.monotonic(), time.process_time()
    for task in [asyncio.create_task(sleeper(nap(k, count))) for k in range(count)]:
        await task
    over = time.monotonic() - start - (count - 1) / count
    check(ran == count, "every task runs once")
    report(cpu_ms=(time.process_time() - cpu) * 1e3, late_ms=late * 1e3, early=early, over_ms=over * 1e3)


async def timeout(count):
    """Entered and left while others are armed; the deadlines are those of armed_s in measure.h."""
    loop, entered = asyncio.get_running_loop(), 0
    others = [loop.call_later(100 + 100 * nap(k, count), check, False, "no timer expires") for k in range(count)]
    start = time.process_time()
    while not enough(start):
        for _ in range(1000):
            async with asyncio.timeout(150):
                pass
        entered += 1000
    elapsed = time.process_time() - start
    check(not any(other.cancelled() for other in others), "the others stay armed")
    report(ns=elapsed * 1e9 / entered)


# ---- fairness: how late a sleep ends and a socket is served while one task yields and never rests ----

async def yield_for_ever():
    while True:
        await asyncio.sleep(0)


async def fair_sleep(_):
    yielder, times = asyncio.create_task(yield_for_ever()), []
    for _ in range(6):
        start = time.monotonic()
        await asyncio.sleep(0.05)
        times.append(time.monotonic() - start)
    yielder.cancel()
    report_times(times, 1e-3)


async def fair_socket(_):
    """Each message is the time when it was sent."""
    loop, times = asyncio.get_running_loop(), []
    yielder = asyncio.create_task(yield_for_ever())
    with socket.socket(fileno=sys.stdin.fileno()) as messages:
        messages.setblocking(False)
        report(ready=1)
        while message := await loop.sock_recv(messages, 8):
            times.append((time.time_ns() - int.from_bytes(message, sys.byteorder)) / 1e9)
    yielder.cancel()
    report_times(times, 1e-6)


# ---- sockets and threads ----

async def echo_server(_):
    loop, tasks = asyncio.get_running_loop(), set()

    async def echo(connection):
        with connection:
            while data := await loop.sock_recv(connection, 65536):
                await loop.sock_sendall(connection, data)

    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        listener.setblocking(False)
        report(port=listener.getsockname()[1])
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(False)
            task = asyncio.create_task(echo(connection))
            tasks.add(task)  # the loop itself would let it be collected
            task.add_done_callback(tasks.discard)


async def echo_streams(_):
    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    await serve(lambda listener: asyncio.start_server(echo, sock=listener, backlog=4096))


class EchoProtocol(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo_protocol(_):
    loop = asyncio.get_running_loop()
    await serve(lambda listener: loop.create_server(EchoProtocol, sock=listener, backlog=4096))


async def serve(start):
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        server = await start(listener)
        report(port=listener.getsockname()[1])
        await server.serve_forever()


async def to_thread(in_flight):
    going_on, done = True, [0] * in_flight

    def job(i):
        done[i] += 1

    async def one_after_another(i):
        asked = 0
        while going_on:
            await asyncio.to_thread(job, i)
            asked += 1
        return asked

    start, cpu = time.monotonic(), time.process_time()
    tasks = [asyncio.create_task(one_after_another(i)) for i in range(in_flight)]
    await asyncio.sleep(LENGTH)
    going_on = False
    asked = await asyncio.gather(*tasks)
    elapsed, cpu = time.monotonic() - start, time.process_time() - cpu
    check(asked == done, "every job is done once")
    report(us=elapsed * 1e6 / sum(done), cpu_us=cpu * 1e6 / sum(done))


async def handover(in_flight):
    """To the thread by a queue of its kind, and back into the loop by call_soon_threadsafe."""
    loop = asyncio.get_running_loop()
    there, back, counts = queues.SimpleQueue(), asyncio.Queue(), [0] * in_flight

    def send_back():
        while (item := there.get()) is not None:
            loop.call_soon_threadsafe(back.put_nowait, item)

    thread = threading.Thread(target=send_back)
    thread.start()
    start, cpu = time.monotonic(), time.process_time()
    for i in range(in_flight):
        there.put(i)
    left = in_flight
    while left > 0:
        item = await back.get()
        counts[item] += 1
        if time.monotonic() - start < LENGTH:
            there.put(item)
        else:
            left -= 1
    there.put(None)
    thread.join()
    elapsed, cpu = time.monotonic() - start, time.process_time() - cpu
    check(min(counts) > 0, "every item comes back")
    report(us=elapsed * 1e6 / sum(counts), cpu_us=cpu * 1e6 / sum(counts))


# ---- hashing, and how late a task that sleeps for a millisecond is meanwhile ----

PIECE, PIECES = 16 << 20, 16
memory = None  # shared with processes


def piece_sum(number):
    return hashlib.sha256(memory[number * PIECE:(number + 1) * PIECE]).digest()


def make_memory():
    """All pieces have the same content, so that one sum is right for all."""
    global memory
    content = bytes(i * 167 >> 3 & 255 for i in range(1 << 16)) * (PIECE >> 16)
    memory = memoryview(mmap.mmap(-1, PIECES * PIECE))
    for number in range(PIECES):
        memory[number * PIECE:(number + 1) * PIECE] = content
    return hashlib.sha256(content).digest()


async def measure_hashing(hash_all):
    """The first pass is not measured: there threads and processes start, and find the memory."""
    expected, late, passes = make_memory(), [], 0

    async def tick():
        while True:
            start = time.monotonic()
            await asyncio.sleep(1e-3)
            late.append(time.monotonic() - start - 1e-3)

    sums = await hash_all()
    ticker, start = asyncio.create_task(tick()), time.monotonic()
    while passes == 0 or time.monotonic() - start < 2 * LENGTH:
        sums = await hash_all()
        passes += 1
        check(sums == [expected] * PIECES, "every piece is hashed")
    elapsed = time.monotonic() - start
    ticker.cancel()
    late.sort()
    report(ms=elapsed * 1e3 / passes, late_ms=late[len(late) * 99 // 100] * 1e3, worst_ms=late[-1] * 1e3)


async def sha256_loop(_):
    async def hash_all():
        sums = []
        for number in range(PIECES):
            sums.append(piece_sum(number))
            await asyncio.sleep(0)
        return sums

    await measure_hashing(hash_all)


async def measure_pool(pool):
    loop = asyncio.get_running_loop()

    async def hash_all():
        return await asyncio.gather(*[loop.run_in_executor(pool, piece_sum, number) for number in range(PIECES)])

    with pool:
        await measure_hashing(hash_all)


async def sha256_threads(workers):
    await measure_pool(ThreadPoolExecutor(workers))


async def sha256_processes(workers):
    await measure_pool(ProcessPoolExecutor(workers, multiprocessing.get_context("fork")))


WORKLOADS = {
    "coroutine": (coroutine, 1),
    "yield": (yield_, 2),
    "spawn": (spawn, 1),
    "spawn_many": (spawn_many, 100000),
    "parked": (parked, 100000),
    "memory": (memory, 100000),
    "gather": (gather, 1000),
    "queue": (queue, 1),
    "lock": (lock, 1),
    "sleep": (sleep, 100000),
    "timeout": (timeout, 100000),
    "fair_sleep": (fair_sleep, 1),
    "fair_socket": (fair_socket, 1),
    "echo_server": (echo_server, 1),
    "echo_streams": (echo_streams, 1),
    "echo_protocol": (echo_protocol, 1),
    "sha256_loop": (sha256_loop, 1),
    "sha256_threads": (sha256_threads, 2),
    "sha256_processes": (sha256_processes, 2),
    "to_thread": (to_thread, 1),
    "handover": (handover, 1),
}


def main(name="", count=None):
    if name not in WORKLOADS:
        print(f'asyncio has no workload "{name}"', file=sys.stderr)
        return 2
    run, default = WORKLOADS[name]
    result = run(int(count or default))
    if result is not None:  # all but one are coroutines
        asyncio.run(result)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
