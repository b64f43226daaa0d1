#!/usr/bin/env python3
"""Runs cora and its peers side by side, and prints, saves and draws what each took.

A row is a workload. Its programs take turns, A B C, A B C ..., so that a slow moment of the machine
falls on all of them; what is printed is the median of all turns with their range, how many times each
peer's median cora's is, and how many times it may be at most.
"""

import argparse
import json
import math
import os
import platform
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import charts
from runs import Failed, NotHad, Runner

HERE = Path(__file__).resolve().parent


class Peer(NamedTuple):
    name: str
    program: str  # in the build directory, or a script beside this file
    needs: str


class Figure(NamedTuple):
    key: str
    title: str
    compared: bool = True  # a ratio of it means something


class Limit(NamedTuple):
    """What a figure of cora's may be at most: so many times a peer's, or so much."""

    key: str
    at_most: float
    times: str = ""


class Row(NamedTuple):
    name: str
    title: str
    take: Callable  # of a runner and a peer's command: its figures
    figures: list
    limits: list = []
    peers: tuple = ()  # the only ones that take part; none: all that have the workload
    quick: int = 3  # turns with --quick
    gigabytes: int = 0  # of free memory, or the row is left out
    needs: str = ""  # a program beside the peers


class Growth(NamedTuple):
    """A figure over the number of tasks."""

    name: str
    title: str
    workload: str
    figure: Figure
    most: dict  # tasks of each peer that takes part
    touched: int = 0  # bytes of the caches that cora touches a task: where each ends is shown
    quick: int = 1
    gigabytes: int = 0
    needs: str = ""


PEERS = [
    Peer("cora", "bench_cora", "a build with -DCORA_BENCH=ON"),
    Peer("floor", "bench_floor", "a build with -DCORA_BENCH=ON on x86-64"),
    Peer("libev", "bench_libev", "libev-dev"),
    Peer("libuv", "bench_libuv", "libuv1-dev"),
    Peer("boost", "bench_boost_fiber", "libboost-fiber-dev"),
    Peer("go", "bench_go", "golang-go"),
    Peer("asyncio", "peers/asyncio_peer.py", ""),
]


def program(*arguments):
    return lambda runner, command: runner.run([*command, *arguments])


def echo(connections, size):
    return lambda runner, command: runner.echo(command, connections, size)


def echo_calls(runner, command):
    return runner.echo(command, 64, 64, traced=True)


def echo_idle(runner, command):
    return runner.idle(command, 9000)


def messages(runner, command):
    return runner.messages([*command, "fair_socket"])


NS = [Figure("ns", "ns")]
TWICE = [Figure("first_ns", "first, ns/task"), Figure("again_ns", "again, ns/task")]
MEMORY = [Figure("resident_bytes", "resident, B/task"), Figure("all_bytes", "with page tables, B/task"),
          Figure("create_s", "create, s"), Figure("join_s", "wake and join, s")]
ECHO = [Figure("cpu_us", "server CPU, us/request"), Figure("k_requests_per_s", "k requests/s", False)]
JOB = [Figure("us", "us/job"), Figure("cpu_us", "CPU, us/job")]

EVERYBODY = {"cora": 10 ** 6, "floor": 10 ** 6, "boost": 10 ** 5, "go": 10 ** 5, "asyncio": 10 ** 5}

ROWS = [
    Row("switch", "from one stack to another and no more", program("switch"),
        [*NS, Figure("bare_ns", "no control words, ns"), Figure("call_ns", "and as a function, ns")],
        [Limit("ns", 1.2, "floor")]),
    Row("coroutine", "a coroutine resumed, and back by its yield", program("coroutine"), NS),
    Row("yield-2", "one yield, 2 tasks in turn", program("yield", 2), NS,
        [Limit("ns", 1.9, "floor"), Limit("ns", 0.12, "boost")]),
    Row("yield-1000", "one yield, 1,000 tasks in turn", program("yield", 1000), NS,
        [Limit("ns", 2, "floor"), Limit("ns", 0.3, "boost")]),
    Row("yield-100000", "one yield, 100,000 tasks in turn", program("yield", 100000), NS,
        [Limit("ns", 0.2, "boost")], quick=1),
    Row("spawn", "a task created and awaited, one at a time", program("spawn"), NS, [Limit("ns", 0.1, "boost")]),
    Row("spawn-many", "100,000 tasks created, then awaited; twice", program("spawn_many", 100000), TWICE,
        [Limit("again_ns", 0.08, "go")], quick=1),
    Row("parked", "the same, each waits once meanwhile", program("parked", 100000), TWICE,
        [Limit("again_ns", 0.2, "go")], quick=1),
    Row("gather", "1,000 tasks created and gathered, each yields once", program("gather", 1000),
        [Figure("ns", "ns/task")], [Limit("ns", 0.05, "asyncio")]),
    Row("queue", "an item to and fro through two queues of size 1", program("queue"), NS, [Limit("ns", 0.25, "go")]),
    Row("lock", "a lock acquired and released, nobody else wants it", program("lock"),
        [*NS, Figure("over_ns", "more than an empty call, ns", False)], [Limit("over_ns", 5)]),
    Row("sleep", "100,000 tasks that sleep up to one second", program("sleep", 100000),
        [Figure("cpu_ms", "CPU, ms"), Figure("late_ms", "last late, ms", False), Figure("early", "early", False),
         Figure("over_ms", "whole beyond 1 s, ms", False)],
        [Limit("cpu_ms", 0.65, "go"), Limit("late_ms", 20), Limit("early", 0)], quick=1),
    Row("timeout", "a timeout entered and left while 100,000 others are armed", program("timeout", 100000), NS,
        [Limit("ns", 60)]),
    Row("memory", "100,000 tasks wait, are woken and awaited", program("memory", 100000), MEMORY, quick=1),
    Row("memory-1000000", "the same with a million", program("memory", 1000000), MEMORY,
        [Limit("resident_bytes", 4400), Limit("all_bytes", 4600)], ("cora", "floor", "go"), quick=0, gigabytes=6),
    Row("echo", "64 connections, 64 bytes there and back", echo(64, 64), ECHO, [Limit("cpu_us", 1.03, "floor")]),
    Row("echo-1", "one connection, 64 bytes", echo(1, 64), ECHO, [Limit("cpu_us", 1.05, "floor")]),
    Row("echo-1000", "1,000 connections, 64 bytes", echo(1000, 64), ECHO, [Limit("cpu_us", 1.05, "floor")]),
    Row("echo-16k", "64 connections, 16 KiB", echo(64, 16384), ECHO, [Limit("cpu_us", 1.05, "floor")]),
    Row("echo-calls", "system calls of a server of 64 connections, 64 bytes", echo_calls,
        [Figure("reads", "reads/request", False), Figure("writes", "writes/request", False),
         Figure("others", "others/request", False)],
        [Limit("reads", 1.01), Limit("writes", 1.01), Limit("others", 0.05)], quick=1, needs="strace"),
    Row("echo-idle", "one connection, 64 bytes, without and with 9,000 idle ones beside it", echo_idle,
        [Figure("alone_us", "alone, us/request"), Figure("beside_us", "with them, us/request"),
         Figure("ratio", "times", False)],
        [Limit("ratio", 1.05)], quick=1),
    Row("to-thread", "a job in the thread pool, one at a time", program("to_thread", 1), JOB,
        [Limit("us", 0.5, "libuv")]),
    Row("to-thread-64", "the same, 64 in flight", program("to_thread", 64), JOB, [Limit("us", 1, "libuv")]),
    Row("fair-sleep", "a sleep of 50 ms while a task yields and never rests", program("fair_sleep"),
        [Figure("median", "median, ms", False), Figure("worst", "worst, ms", False)], [Limit("worst", 51)]),
    Row("fair-socket", "how late a message is read while a task yields and never rests", messages,
        [Figure("median", "median, us", False), Figure("worst", "worst, us", False)], [Limit("worst", 1000)]),
    Growth("growth-yield", "one yield", "yield", Figure("ns", "ns"),
           EVERYBODY, touched=5 * 64),  # lines of the task's record and of the top of its stack
    Growth("growth-spawn", "a task created and awaited, all created first", "spawn_many",
           Figure("again_ns", "ns/task"), EVERYBODY),
    Growth("growth-timers", "a timeout entered and left while so many others are armed", "timeout",
           Figure("ns", "ns"),
           {"cora": 10 ** 6, "libev": 10 ** 6, "libuv": 10 ** 6, "go": 10 ** 6, "asyncio": 10 ** 5}),
    Growth("growth-memory", "memory of a task that waits, page tables included", "memory",
           Figure("all_bytes", "B/task"), EVERYBODY),
]


# ---- measuring ----

def take_turns(takes, turns, runner):
    """What each peer's taking gives, a list with one entry a turn; and what went wrong."""
    taken, failed, left = {}, {}, dict(takes)
    for _ in range(turns):
        for peer, take in list(left.items()):
            try:
                taken.setdefault(peer, []).append(take(runner))
            except NotHad:
                del left[peer]
            except (Failed, OSError, KeyError) as error:
                failed[peer] = str(error) if isinstance(error, Failed) else repr(error)
                del left[peer]
    return {peer: taken[peer] for peer in left}, failed


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": values}


def measure_row(row, programs, turns, runner):
    """The summaries of each peer's figures, and what went wrong."""
    takes = {peer: lambda runner, command=command: row.take(runner, command)
             for peer, command in programs.items() if not row.peers or peer in row.peers}
    taken, failed = take_turns(takes, turns, runner)
    return {peer: {figure.key: summary([each[figure.key] for each in runs])
                   for figure in row.figures if figure.key in runs[0]}
            for peer, runs in taken.items()}, failed


def measure_growth(growth, programs, turns, runner, most):
    """{peer: {tasks: summary}}, and what went wrong."""
    results, failed = {}, {}
    for count in (10 ** exponent for exponent in range(7) if 10 ** exponent <= most):
        takes = {peer: lambda runner, command=command, count=count: runner.run([*command, growth.workload, count])
                 for peer, command in programs.items()
                 if count <= growth.most.get(peer, 0) and peer not in failed}
        taken, wrong = take_turns(takes, turns, runner)
        failed.update(wrong)
        for peer, runs in taken.items():
            results.setdefault(peer, {})[count] = summary([each[growth.figure.key] for each in runs])
    return results, failed


def verdicts(row, results):
    """Each limit of the row that can be judged, with what cora's figure is beside it."""
    cora = results.get("cora")
    for limit in row.limits:
        if cora and (not limit.times or limit.times in results):
            got = cora[limit.key]["median"]
            if limit.times:
                got /= results[limit.times][limit.key]["median"]
            yield {**limit._asdict(), "got": got, "held": got <= limit.at_most}


# ---- printing ----

def number(value):
    """With three significant digits at least."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, digits)}f}"


def judged(verdict):
    return f"{verdict['at_most']:g} {'pass' if verdict['held'] else 'MISS'}"


def columns(figure, results, judgements):
    """A column with the medians and ranges of one figure; one with cora's ratios, where it helps; and one with
    what these may be at most, beside the peer, or the figure itself, beside cora."""
    summaries = {peer: figures.get(figure.key) for peer, figures in results.items()}
    medians = {peer: number(each["median"]) for peer, each in summaries.items() if each}
    width = max(map(len, medians.values()))
    yield [figure.title] + [f"{medians[peer]:>{width}} ({number(each['min'])}..{number(each['max'])})" if each else ""
                            for peer, each in summaries.items()]
    cora = summaries.get("cora")
    if figure.compared and cora:
        yield ["cora/peer"] + [f"{number(cora['median'] / each['median']):>9}" if each and peer != "cora" else ""
                               for peer, each in summaries.items()]
    limits = {each["times"] or "cora": judged(each) for each in judgements if each["key"] == figure.key}
    if limits:
        yield ["at most"] + [limits.get(peer, "") for peer in summaries]


def print_columns(table):
    widths = [max(map(len, column)) for column in table]
    for line in zip(*table):
        print("  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def print_row(row, results, judgements):
    table = [["", *results]]
    for figure in row.figures:
        if any(figure.key in figures for figures in results.values()):
            table += columns(figure, results, judgements)
    print_columns(table)


def cache_marks(growth, sizes):
    """[(tasks, "L1d")]: so many are at home in each cache."""
    return [(size // growth.touched, name) for name, size in sizes.items()] if growth.touched else []


def print_growth(results, marks):
    counts = sorted({count for by_count in results.values() for count in by_count})
    print_columns([["tasks", *(f"{count:,}" for count in counts)],
                   *([peer, *(f"{number(each['median'])} ({number(each['min'])}..{number(each['max'])})"
                              if (each := by_count.get(count)) else "" for count in counts)]
                     for peer, by_count in results.items())])
    if marks:
        print(f"  cora's fit into {', '.join(f'{name} up to {tasks:,}' for tasks, name in marks)}")


def print_verdicts(judgements):
    missed = [f"{name} {each['key']}: {number(each['got'])}{' x ' + each['times'] if each['times'] else ''}, "
              f"at most {each['at_most']:g}"
              for name, of_row in judgements.items() for each in of_row if not each["held"]]
    print(f"\n{sum(map(len, judgements.values())) - len(missed)} limits held, {len(missed)} missed")
    for line in missed:
        print(f"  {line}")


# ---- the machine ----

def first_line(path, start):
    """What follows `start` in the file's first line that has it."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(start)), "")


def free_gigabytes():
    return int((first_line("/proc/meminfo", "MemAvailable") or "0 kB").split()[0]) / 1e6


def caches():
    """{"L1d": bytes, "L2": bytes, ...} of the first processor."""
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[f"L{level}{'d' if kind == 'Data' else ''}"] = int(size.removesuffix("K")) * 1024
    return sizes


def machine():
    return {"system": platform.platform(), "processor": first_line("/proc/cpuinfo", "model name"),
            "cpus": os.cpu_count(), "caches": caches(), "python": platform.python_version(), "load": os.getloadavg()[0]}


# ---- the whole ----

def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [row.name for row in ROWS]
    parser.add_argument("rows", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true",
                        help="under two minutes: shorter runs, three turns or one, nothing with a million tasks")
    parser.add_argument("--runs", type=int, metavar="N", help="turns of each program (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all figures (bench.json beside the charts)")
    parser.add_argument("--charts", type=Path, metavar="DIR", default=HERE.parent / "build" / "bench" / "out",
                        help="for the charts (build/bench/out)")
    parser.add_argument("--build-dir", type=Path, metavar="DIR", default=HERE.parent / "build" / "bench" / "bench",
                        help="where the programs are (build/bench/bench)")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(names)
    if unknown:
        parser.error(f"no row is called {', '.join(sorted(unknown))}")
    if arguments.runs is not None and arguments.runs < 1:
        parser.error("--runs is at least 1")
    return arguments


def find_programs(build_dir):
    """The command of each peer that is there, and what the others need."""
    programs, missing = {}, {}
    for peer in PEERS:
        if peer.program.endswith(".py"):
            programs[peer.name] = [sys.executable, str(HERE / peer.program)]
        elif (build_dir / peer.program).exists():
            programs[peer.name] = [str(build_dir / peer.program)]
        else:
            missing[peer.name] = f"{peer.program} (needs {peer.needs})"
    return programs, missing


def choose_rows(arguments):
    """[(row, turns)]; and what the others need of those that are asked for."""
    rows, missing = [], {}
    for row in ROWS:
        if row.name not in arguments.rows and (arguments.rows or (arguments.quick and not row.quick)):
            continue
        if row.gigabytes > free_gigabytes():
            missing[row.name] = f"{row.name} (needs {row.gigabytes} GB of free memory)"
        elif row.needs and not shutil.which(row.needs):
            missing[row.name] = f"{row.name} (needs {row.needs})"
        else:
            rows.append((row, arguments.runs or (max(row.quick, 1) if arguments.quick else 5)))
    return rows, missing


def main():
    arguments = parse_arguments()
    programs, missing = find_programs(arguments.build_dir)
    if not shutil.which("gnuplot"):
        missing["charts"] = "gnuplot (needs gnuplot-nox)"
    rows, left_out = choose_rows(arguments)
    missing.update(left_out)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # for 9,000 connections
    runner = Runner(arguments.build_dir / "echo_client", 0.1 if arguments.quick else 0.3)

    about = machine()
    print(f"{about['processor'] or platform.machine()}, {about['cpus']} CPUs, "
          f"{', '.join(f'{name} {size // 1024} KiB' for name, size in about['caches'].items())}; "
          f"{platform.system()} {platform.release()}, Python {about['python']}")
    print(f"medians (ranges) of {'up to three turns, short ones' if arguments.quick else 'all turns'}; "
          f"\"at most\" beside a peer: cora/peer, beside cora: the figure")
    if about["load"] > 0.3:
        print(f"other programs are running (load {about['load']:.1f}): what is not processor time is noisy")
    if missing:
        print(f"missing: {', '.join(missing.values())}")

    report = {**about, "quick": arguments.quick, "missing": missing, "rows": {}, "growth": {}, "limits": {},
              "failed": {}}
    arguments.charts.mkdir(parents=True, exist_ok=True)
    for row, turns in rows:
        start = time.monotonic()
        if isinstance(row, Growth):
            results, failed = measure_growth(row, programs, turns, runner, 10 ** (4 if arguments.quick else 6))
            report["growth"][row.name] = results
        else:
            results, failed = measure_row(row, programs, turns, runner)
            report["rows"][row.name] = results
            report["limits"][row.name] = list(verdicts(row, results))
        print(f"\n{row.name}: {row.title}; turns: {turns}, in {time.monotonic() - start:.0f} s")
        report["failed"].update({f"{row.name} {peer}": why for peer, why in failed.items()})
        for peer, why in failed.items():
            print(f"  {peer} FAILED: {why}")
        drawn = results and "charts" not in missing
        if isinstance(row, Growth):
            marks = cache_marks(row, about["caches"])
            print_growth(results, marks)
            if drawn:
                charts.lines(row.name, row.title, row.figure.title, results, marks, arguments.charts)
        elif results:
            print_row(row, results, report["limits"][row.name])
            if drawn:
                charts.bars(row.name, row.title, row.figures, results, number, arguments.charts)
        sys.stdout.flush()
    print_verdicts(report["limits"])
    path = arguments.json or arguments.charts / "bench.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
