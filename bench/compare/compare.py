"""The same jobs, done in seven ways: time, processor time and memory of each, and when to use which."""

import argparse
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import charts  # noqa: E402
import machine  # noqa: E402
import tables  # noqa: E402

WAYS = {"sequential": "one after the other",
        "toy": "toy loop, a coroutine a job",
        "threads": "a thread a job",
        "pool": "pool of threads",
        "processes": "a process a job",
        "asyncio": "CPython's asyncio, a task a job",
        "cora": "a task a job"}


class Figure:
    def __init__(self, key, title):
        self.key, self.title = key, title


FIGURES = [Figure("wall", "time, s"), Figure("cpu", "processor, ms"), Figure("memory", "memory, MiB")]


def proportional_kib(pid):
    try:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # it has ended
    return 0


def family(pid):
    """The process and all its descendants."""
    pids = [pid]
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                pids += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        except OSError:
            pass  # it has ended
    return pids


def memory_of(pid):
    """Of the whole family, in MiB; what several share counts once. Of more than a hundred children one in
    so many is looked at, for they are alike, and to look at ten thousand takes minutes."""
    first, *children = family(pid)
    step = 1 + len(children) // 100
    looked_at = children[::step]
    kib = sum(map(proportional_kib, looked_at)) * len(children) / max(1, len(looked_at))
    return (proportional_kib(first) + kib) / 1024


class Comparison:
    def __init__(self, arguments):
        self.program = arguments.build_dir / "bench_compare"
        self.turns = arguments.turns

    def command(self, way, kind, jobs, amount):
        program = [sys.executable, HERE / "asyncio_way.py"] if way == "asyncio" else [self.program, way]
        return [str(word) for word in (*program, kind, jobs, amount)]

    def measure(self, way, kind, jobs, amount):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        most = 0
        with subprocess.Popen(self.command(way, kind, jobs, amount), stderr=subprocess.PIPE, text=True) as process:
            ended = threading.Event()
            waiter = threading.Thread(target=lambda: (process.wait(), ended.set()))
            waiter.start()
            pause = 0.005
            while not ended.wait(pause):
                most = max(most, memory_of(process.pid))
                pause = min(2 * pause, 0.1)
            wall = time.monotonic() - start
            waiter.join()
            if process.returncode != 0:
                raise SystemExit(f"{way} has failed: {process.stderr.read().strip()}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"wall": wall, "cpu": cpu * 1e3, "memory": most}

    def all_ways(self, title, name, kind, jobs, amount, out):
        taken = {way: [] for way in WAYS}
        for _ in range(self.turns):
            for way in WAYS:
                taken[way].append(self.measure(way, kind, jobs, amount))
        results = {way: {key: {"median": statistics.median(values), "min": min(values), "max": max(values)}
                         for key in turns[0] for values in [[turn[key] for turn in turns]]}
                   for way, turns in taken.items()}
        print(f"\n{title}")
        tables.print_columns([["", *WAYS], ["", *WAYS.values()], *(self.column(figure, results) for figure in FIGURES)])
        charts.bars(name, title, FIGURES, results, tables.number, out)
        return results

    def column(self, figure, results):
        """With the range, where it has one."""
        cells = [f"{tables.number(each[figure.key]['median'])}" for each in results.values()]
        width = max(map(len, cells))
        return [figure.title, *(cell.rjust(width) + (f" ({tables.number(each[figure.key]['min'])}.."
                                                     f"{tables.number(each[figure.key]['max'])})" if self.turns > 1 else "")
                                for cell, each in zip(cells, results.values()))]

    def waiting(self, way, jobs):
        """Memory while so many jobs wait, in MiB, once it has come to rest; None where the system gives no more."""
        with subprocess.Popen(self.command(way, "wait", jobs, 3600), stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as process:
            try:
                last, now = -1.0, memory_of(process.pid)
                while process.poll() is None and (now < 0.5 or abs(now - last) > 0.005 * now):
                    time.sleep(0.5)
                    last, now = now, memory_of(process.pid)
                if process.poll() is not None:
                    print(f"  {way}, {jobs} jobs: {process.stderr.read().strip()}")
                    return None
                return now
            finally:
                # It leads a group of its own, with all that it has started.
                os.killpg(process.pid, signal.SIGKILL)


    def waiting_each(self, way, counts):
        """With each of so many jobs, as long as half of the memory that is free will do."""
        taken = {}
        for count in sorted(counts):
            known = [(each, value) for each, value in taken.items() if value]
            needed = count * known[-1][1] / known[-1][0] if len(known) > 1 else 0
            if needed > machine.free_gigabytes() * 1024 / 2:
                print(f"  {way}, {count:,} jobs: left out, they would take {needed / 1024:.1f} GiB")
                taken[count] = None
            else:
                taken[count] = self.waiting(way, count)
        return taken


def print_memory(memory, counts):
    print("\nMemory with so many jobs that wait, MiB; and of each of them, KiB")
    table = [["", *memory]]
    for count in counts:
        table.append([f"{count:,}", *(tables.number(each[count]) if each[count] else "-" for each in memory.values())])
    most = max(counts)
    table.append(["a job", *(tables.number((each[most] - each[1]) * 1024 / (most - 1)) if each[most] else "-"
                             for each in memory.values())])
    tables.print_columns(table)


def start_of_python():
    """What asyncio_way.py takes before its first line, in seconds."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "import asyncio, hashlib"], check=True)
    return time.monotonic() - start


def advice(waits, downloads, computing, memory, counts, python):
    """When to use which, from the figures of this run."""
    def of(results, way, key):
        return results[way][key]["median"]

    def times(first, second):
        return f"{first / second:.3g} times"

    def kib(way):
        most = max(count for count in counts if memory[way][count])
        return (memory[way][most] - memory[way][1]) * 1024 / (most - 1)

    yield (f"Waiting: one after the other takes {times(of(waits, 'sequential', 'wall'), of(waits, 'cora', 'wall'))} as "
           f"long as all at once, which is {of(waits, 'threads', 'wall'):.2f} s with threads and "
           f"{of(waits, 'cora', 'wall'):.2f} s with tasks: the clock does not care in which way one waits.")
    yield (f"Many that wait: a job is {kib('cora'):.1f} KiB as a task of cora's, {kib('asyncio'):.1f} as one of "
           f"asyncio's, {kib('threads'):.1f} as a thread, {kib('processes'):.0f} as a process. A hundred of "
           f"them are {100 * kib('threads') / 1024:.1f} MiB as threads, which are simpler where calls block anyway; "
           f"a hundred thousand are {1e5 * kib('threads') / 2**20:.1f} GiB as threads and "
           f"{1e5 * kib('cora') / 2**20:.2f} as tasks.")
    yield (f"Talking to others: {of(downloads, 'cora', 'cpu'):.0f} ms of the processor with tasks, "
           f"{of(downloads, 'threads', 'cpu'):.0f} with threads, {of(downloads, 'asyncio', 'cpu'):.0f} with asyncio and "
           f"{of(downloads, 'processes', 'cpu'):.0f} with processes. Python takes {python * 1e3:.0f} ms to start and "
           f"{memory['asyncio'][1]:.0f} MiB, which a program that runs for long does not notice.")
    yield (f"Computing: {of(computing, 'sequential', 'wall'):.2f} s one after the other, "
           f"{of(computing, 'cora', 'wall'):.2f} s as tasks, which share one processor, "
           f"{of(computing, 'pool', 'wall'):.2f} s in a pool of threads on {os.cpu_count()} processors. So hand it "
           "to a pool: cora_to_thread from a task, or cora_loop_run_in_executor.")
    yield (f"Processes share nothing by accident, and one that crashes takes no other along: a job as one costs "
           f"{of(waits, 'processes', 'cpu') / max(of(waits, 'threads', 'cpu'), 0.1):.1f} times the processor time of "
           "one as a thread here.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--scale", type=float, default=1, help="all jobs and times so many times as large")
    parser.add_argument("--turns", type=int, default=1, help="medians of so many (1)")
    parser.add_argument("--waiting", default="1000,10000", help="memory with so many jobs (1000,10000)")
    parser.add_argument("--out", type=pathlib.Path, default=None, help="folder for the charts and the figures")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without what `waiting` has started
    out = arguments.out or arguments.build_dir / "compare"
    out.mkdir(parents=True, exist_ok=True)
    counts = [1, *(int(each) for each in arguments.waiting.split(","))]
    comparison = Comparison(arguments)
    seconds, files, delay = 1.5 * arguments.scale, max(1, round(60 * arguments.scale)), 0.1
    about = machine.about()
    print(f"{about['processor']}, {about['cpus']} CPUs; {about['system']}, Python {about['python']}")

    waits = comparison.all_ways(f"10 jobs that wait {seconds:g} s", "compare-wait", "wait", 10, seconds, out)
    with subprocess.Popen([comparison.program, "serve", str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as server:
        port = int(server.stdout.readline())
        downloads = comparison.all_ways(f"{files} downloads of 64 KiB, each {delay:g} s away", "compare-download",
                                        "download", files, port, out)
        server.stdin.close()
    mib = max(1, round(64 * arguments.scale))
    computing = comparison.all_ways(f"10 jobs that hash {mib} MiB", "compare-compute", "compute", 10, mib, out)
    memory = {way: comparison.waiting_each(way, counts) for way in WAYS if way not in ("sequential", "pool")}
    print_memory(memory, counts)
    charts.lines("compare-memory", "memory with so many jobs that wait", "MiB",
                 {way: {count: {"median": value, "min": value, "max": value}
                        for count, value in each.items() if value} for way, each in memory.items()}, [], out)
    text = list(advice(waits, downloads, computing, memory, counts, start_of_python()))
    print("\nWhen to use which")
    for paragraph in text:
        print(f"- {paragraph}")
    (out / "compare.json").write_text(json.dumps(
        {"machine": about, "wait": waits, "download": downloads, "compute": computing,
         "memory": memory, "advice": text}, indent=1))
    print(f"\ncharts and figures: {out}")


if __name__ == "__main__":
    main()
