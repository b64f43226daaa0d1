"""rate_limit.py: three workers who together send no more than 100 requests a second.

What to notice: a semaphore limits how many at a time, a rate limits how many in a time. The limiter
knows one number, when the next request is due; each who comes moves it on and sleeps until his own
turn. There is no `await` between reading and writing it, so it needs no lock, and whoever comes
first goes first. After a pause a burst of three may go at once. A request is taken from the queue
only when its turn has come, so a worker that is cancelled loses none.
"""
import asyncio

REQUESTS = 9
BURST = 3


class RateLimiter:
    def __init__(self, rate):
        self.interval = 1 / rate  # seconds between two requests
        self.next = 0  # when the next one is due, on the loop's clock

    async def acquire(self):
        now = asyncio.get_running_loop().time()
        earliest = now - (BURST - 1) * self.interval
        due = max(self.next, earliest)
        self.next = due + self.interval
        if due > now:
            await asyncio.sleep(due - now)


async def work(requests, limiter, log):
    while True:
        await limiter.acquire()
        try:
            request = requests.get_nowait()
        except asyncio.QueueEmpty:
            break
        print(request)
        log.append(asyncio.get_running_loop().time())


async def work_all(requests, log):
    limiter = RateLimiter(100)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(work(requests, limiter, log))


def count_early(log, start):
    return sum(sent - start < (i + 1 - BURST) * 0.01 - 1e-6 for i, sent in enumerate(log))


async def send_all():
    start = asyncio.get_running_loop().time()
    log = []
    queue = asyncio.Queue()
    for i in range(1, REQUESTS + 1):
        queue.put_nowait(f"GET /{i}")
    await work_all(queue, log)
    print(f"{len(log)} sent, {count_early(log, start)} of them too early")


asyncio.run(send_all())
