"""periodic_jobs.py: jobs in the background, each with a period of its own, until the program ends.

What to notice: a job is due at start + n * period, however long its runs take, so it does not
drift; where a run has taken longer than the period, what was missed is skipped rather than made up
for. A run that fails is counted, and the next one is made all the same. When the program has seen
what it waits for it cancels the scheduler of the heartbeat, which ends in its sleep; a run that is
going on would be cancelled with it, and could clean up.
"""
import asyncio
import math
from dataclasses import dataclass
from typing import Callable


@dataclass
class Job:
    name: str
    period: float
    run: Callable
    max_runs: int = 0  # 0: as many as there is time for
    runs: int = 0
    failed: int = 0
    skipped: int = 0


# ---- the jobs ------------------------------------------------------------------------------------


async def heartbeat(job):
    pass


async def upload(job):
    await asyncio.sleep(0.005)
    if job.runs % 2 == 0:  # every other time
        raise ConnectionRefusedError


async def report(job):
    await asyncio.sleep(job.period * 1.5)  # never in time for the next one


# ---- the scheduler -------------------------------------------------------------------------------


async def schedule(job):
    loop = asyncio.get_running_loop()
    start = loop.time()
    tick = 1
    while job.max_runs == 0 or job.runs < job.max_runs:
        now = loop.time()
        missed = math.floor((now - start) / job.period) - (tick - 1)
        if missed > 0:
            job.skipped += missed
            tick += missed
        await asyncio.sleep(start + tick * job.period - now)
        try:
            await job.run(job)
        except Exception:  # not CancelledError
            job.failed += 1
        job.runs += 1
        tick += 1


async def run_all(for_ever, first, second):
    async with asyncio.TaskGroup() as group:
        endless = group.create_task(schedule(for_ever))
        tasks = [group.create_task(schedule(first)), group.create_task(schedule(second))]
        await asyncio.gather(*tasks)
        endless.cancel()


async def background():
    beats = Job("heartbeat", period=0.02, run=heartbeat)
    uploads = Job("upload", period=0.03, run=upload, max_runs=4)
    reports = Job("report", period=0.04, run=report, max_runs=2)
    await run_all(beats, uploads, reports)
    print(f"{uploads.name}: {uploads.runs} runs, {uploads.failed} failed")
    print(f"{reports.name}: {reports.runs} runs, {reports.failed} failed")
    print(f"{reports.name}:", "skipped some" if reports.skipped > 0 else "skipped none")
    print(f"{beats.name}:", "has run all the while" if beats.runs > 0 else "has never run")


asyncio.run(background())
