#!/usr/bin/env python3
"""Runs cora and its peers side by side, and prints, saves and draws what each took.

A row is a workload. Its programs take turns, A B C, A B C ..., so that a slow moment of the machine
falls on all of them; what is printed is the median of all turns with their range, how many times each
peer's median cora's is, and how many times it may be at most.
"""

import argparse
import json
import platform
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import charts
import machine
import tables
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
    """What a figure of cora's, or of one of its ways, may be at most: so many times another's, or so much."""

    key: str
    at_most: float
    times: str = ""
    of: str = "cora"


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

    def measure(self, programs, turns, runner):
        """{line: {figure: summary}}, and what went wrong."""
        takes = {line: lambda take=take: take(runner) for line, take in self.lines(programs).items()}
        taken, failed = take_turns(takes, turns)
        return {line: {figure.key: summary([each[figure.key] for each in runs])
                       for figure in self.figures if figure.key in runs[0]}
                for line, runs in taken.items()}, failed

    def lines(self, programs):
        """Who takes part, {peer: its figures of a runner}."""
        return {peer: lambda runner, command=command: self.take(runner, command)
                for peer, command in programs.items() if not self.peers or peer in self.peers}

    def verdicts(self, results):
        """Each limit that can be judged, with what the figure is beside it."""
        for limit in self.limits:
            if limit.of in results and (not limit.times or limit.times in results):
                got = results[limit.of][limit.key]["median"]
                if limit.times:
                    got /= results[limit.times][limit.key]["median"]
                yield {**limit._asdict(), "got": got, "held": got <= limit.at_most}

    def print(self, results, verdicts):
        tables.print_row(self, results, verdicts)

    def draw(self, results, directory):
        charts.bars(self.name, self.title, self.figures, results, tables.number, directory)


class Ways(Row):
    """Several ways to do the same, {name: take}: each of each peer's has a line, as "cora 2 threads"."""

    def lines(self, programs):
        return {f"{peer} {way}": lambda runner, take=take, command=command: take(runner, command)
                for peer, command in programs.items() if peer in self.peers for way, take in self.take.items()}


class Growth(NamedTuple):
    """A figure over the number of tasks."""

    name: str
    title: str
    workload: str
    figure: Figure
    most: dict  # tasks of each peer that takes part
    touched: int = 0  # bytes of the caches that cora touches a task: where each ends is shown
    limits: list = []
    quick: int = 1
    gigabytes: int = 0
    needs: str = ""

    def measure(self, programs, turns, runner):
        """{peer: {tasks: summary}}, and what went wrong."""
        results, failed = {}, {}
        for count in (10 ** exponent for exponent in range(7) if 10 ** exponent <= runner.most_tasks):
            takes = {peer: lambda command=command: runner.run([*command, self.workload, count])
                     for peer, command in programs.items()
                     if count <= self.most.get(peer, 0) and peer not in failed}
            taken, wrong = take_turns(takes, turns)
            failed.update(wrong)
            for peer, runs in taken.items():
                results.setdefault(peer, {})[count] = summary([each[self.figure.key] for each in runs])
        return results, failed

    def verdicts(self, results):
        return []

    def marks(self):
        """[(tasks, "L1d")]: so many are at home in each cache."""
        return [(size // self.touched, name) for name, size in machine.caches().items()] if self.touched else []

    def print(self, results, _):
        tables.print_growth(results, self.marks())

    def draw(self, results, directory):
        charts.lines(self.name, self.title, self.figure.title, results, self.marks(), directory)


def take_turns(takes, turns):
    """What each peer's taking gives, a list with one entry a turn; and what went wrong."""
    taken, failed, left = {}, {}, dict(takes)
    for _ in range(turns):
        for peer, take in list(left.items()):
            try:
                taken.setdefault(peer, []).append(take())
            except NotHad:
                del left[peer]
            except (Failed, OSError, KeyError) as error:
                failed[peer] = str(error) if isinstance(error, Failed) else repr(error)
                del left[peer]
    return {peer: taken[peer] for peer in left}, failed


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": values}


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


def echo(connections, size, server="echo_server"):
    return lambda runner, command: runner.echo(command, connections, size, server)


def echo_calls(runner, command):
    return runner.echo(command, 64, 64, traced=True)


def echo_idle(runner, command):
    return runner.idle(command, 9000)


def echo_memory(runner, command):
    return runner.connections(command, "echo_streams", 9000)


def messages(runner, command):
    return runner.messages([*command, "fair_socket"])


NS = [Figure("ns", "ns")]
TWICE = [Figure("first_ns", "first, ns/task"), Figure("again_ns", "again, ns/task")]
MEMORY = [Figure("resident_bytes", "resident, B/task"), Figure("all_bytes", "with page tables, B/task"),
          Figure("create_s", "create, s"), Figure("join_s", "wake and join, s")]
ECHO = [Figure("cpu_us", "server CPU, us/request"), Figure("k_requests_per_s", "k requests/s", False)]
JOB = [Figure("us", "us/job"), Figure("cpu_us", "CPU, us/job")]
ITEM = [Figure("us", "us/item"), Figure("cpu_us", "CPU, us/item")]

HASHING = {"loop": program("sha256_loop"), "1 thread": program("sha256_threads", 1),
           "2 threads": program("sha256_threads", 2), "2 processes": program("sha256_processes", 2)}

GROUPS = {"threads": ["to-thread", "to-thread-64", "sha256"]}

EVERYBODY = {"cora": 10 ** 6, "floor": 10 ** 6, "boost": 10 ** 5, "go": 10 ** 5, "asyncio": 10 ** 5}

ROWS = [
    Row("switch", "from one stack to another and no more", program("switch"),
        [*NS, Figure("bare_ns", "inline, no control words, ns"), Figure("full_ns", "inline, with them, ns")],
        [Limit("ns", 1.2, "floor")]),
    Row("coroutine", "a coroutine resumed, and back by its yield", program("coroutine"), NS),
    Row("yield-2", "one yield, 2 tasks in turn", program("yield", 2), NS,
        [Limit("ns", 1.9, "floor"), Limit("ns", 0.12, "boost")]),
    Row("yield-apart", "the same, at two places of the program", program("yield_apart", 2), NS),
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
    Row("echo-streams", "64 connections, 64 bytes, through streams", echo(64, 64, "echo_streams"), ECHO,
        [Limit("cpu_us", 1.1, "floor")]),
    Row("echo-streams-1", "one connection, 64 bytes, through streams", echo(1, 64, "echo_streams"), ECHO,
        [Limit("cpu_us", 1.1, "floor")]),
    Row("echo-streams-16k", "64 connections, 16 KiB, through streams", echo(64, 16384, "echo_streams"), ECHO,
        [Limit("cpu_us", 1.1, "floor")]),
    Row("echo-streams-memory", "memory of a connection, a task with two streams, 9,000 of which wait", echo_memory,
        [Figure("resident_bytes", "resident, B/connection"), Figure("all_bytes", "with page tables, B/connection")],
        peers=("cora", "go", "asyncio"), quick=1),
    Row("echo-protocol", "64 connections, 64 bytes, through protocols", echo(64, 64, "echo_protocol"), ECHO,
        [Limit("cpu_us", 1.03, "floor")]),
    Row("echo-protocol-1", "one connection, 64 bytes, through protocols", echo(1, 64, "echo_protocol"), ECHO,
        [Limit("cpu_us", 1.03, "floor")]),
    Row("to-thread", "a job in the thread pool, one at a time", program("to_thread", 1), JOB,
        [Limit("us", 0.5, "libuv")]),
    Row("to-thread-64", "the same, 64 in flight", program("to_thread", 64), JOB, [Limit("us", 1, "libuv")]),
    Row("handover", "an item to a thread and back, through queues, one at a time", program("handover", 1), ITEM),
    Row("handover-64", "the same, 64 in flight", program("handover", 64), ITEM, [Limit("us", 0.2, "asyncio")]),
    Ways("sha256", "SHA-256 of 256 MiB in pieces of 16, and how late a task is that sleeps for 1 ms meanwhile", HASHING,
         [Figure("ms", "ms"), Figure("late_ms", "late, 99 %, ms"), Figure("worst_ms", "worst, ms")],
         [Limit("late_ms", 0.5, "cora loop", f"cora {way}") for way in HASHING if way != "loop"],
         ("cora", "asyncio"), quick=1, gigabytes=1),
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


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [row.name for row in ROWS]
    groups = ", ".join(f"{name}: {', '.join(rows)}" for name, rows in GROUPS.items())
    parser.add_argument("rows", nargs="*", metavar="NAME",
                        help=f"of {', '.join(names)}; {groups}")
    parser.add_argument("--quick", action="store_true",
                        help="under two minutes: shorter runs, three turns or one, nothing with a million tasks")
    parser.add_argument("--runs", type=int, metavar="N", help="turns of each program (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all figures (bench.json beside the charts)")
    parser.add_argument("--charts", type=Path, metavar="DIR", default=HERE.parent / "build" / "bench" / "out",
                        help="for the charts (build/bench/out)")
    parser.add_argument("--build-dir", type=Path, metavar="DIR", default=HERE.parent / "build" / "bench" / "bench",
                        help="where the programs are (build/bench/bench)")
    arguments = parser.parse_args()
    arguments.rows = [row for name in arguments.rows for row in GROUPS.get(name, [name])]
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
        if row.gigabytes > machine.free_gigabytes():
            missing[row.name] = f"{row.name} (needs {row.gigabytes} GB of free memory)"
        elif row.needs and not shutil.which(row.needs):
            missing[row.name] = f"{row.name} (needs {row.needs})"
        else:
            rows.append((row, arguments.runs or (max(row.quick, 1) if arguments.quick else 5)))
    return rows, missing


def introduce(about, arguments, missing):
    print(f"{about['processor'] or platform.machine()}, {about['cpus']} CPUs, "
          f"{', '.join(f'{name} {size // 1024} KiB' for name, size in about['caches'].items())}; "
          f"{about['system']}, Python {about['python']}")
    print(f"medians (ranges) of {'up to three turns, short ones' if arguments.quick else 'all turns'}; "
          "\"at most\" beside a peer: cora/peer, beside cora: the figure")
    if about["load"] > 0.3:
        print(f"other programs are running (load {about['load']:.1f}): what is not processor time is noisy")
    if missing:
        print(f"missing: {', '.join(missing.values())}")


def run_row(row, turns, programs, runner, directory):
    """Measures, prints and draws (directory None: does not) a row; its part of the report."""
    start = time.monotonic()
    results, failed = row.measure(programs, turns, runner)
    verdicts = list(row.verdicts(results))
    print(f"\n{row.name}: {row.title}; turns: {turns}, in {time.monotonic() - start:.0f} s")
    for peer, why in failed.items():
        print(f"  {peer} FAILED: {why}")
    if results:
        row.print(results, verdicts)
        if directory:
            row.draw(results, directory)
    sys.stdout.flush()
    return {"turns": turns, "results": results, "limits": verdicts, "failed": failed}


def main():
    arguments = parse_arguments()
    programs, missing = find_programs(arguments.build_dir)
    rows, left_out = choose_rows(arguments)
    missing.update(left_out)
    if not shutil.which("gnuplot"):
        missing["charts"] = "gnuplot (needs gnuplot-nox)"
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # for 9,000 connections
    runner = Runner(arguments.build_dir / "echo_client", *((0.1, 10 ** 4) if arguments.quick else (0.3, 10 ** 6)))

    about = machine.about()
    introduce(about, arguments, missing)
    arguments.charts.mkdir(parents=True, exist_ok=True)
    done = {row.name: run_row(row, turns, programs, runner, None if "charts" in missing else arguments.charts)
            for row, turns in rows}
    verdicts = [(name, verdict) for name, part in done.items() for verdict in part["limits"]]
    tables.print_verdicts(verdicts, sum(len(row.limits) for row, _ in rows) - len(verdicts))
    path = arguments.json or arguments.charts / "bench.json"
    path.write_text(json.dumps({**about, "quick": arguments.quick, "missing": missing, "rows": done}, indent=1) + "\n")
    return 1 if any(part["failed"] for part in done.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
