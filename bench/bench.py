#!/usr/bin/env python3
"""Runs cora and its peers side by side, and prints, saves and draws what each took.

A row is a workload. Its programs take turns, A B C, A B C ..., so that a slow moment of the machine
falls on all of them; what is printed is the median of all turns with their range, and how many times
each peer's median cora's is.
"""

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
TIMEOUT = 120  # seconds; the longest run takes a few


class Peer(NamedTuple):
    name: str
    program: str  # in the build directory, or a script beside this file
    needs: str


class Figure(NamedTuple):
    key: str
    title: str
    compared: bool = True  # a ratio of it means something


class Row(NamedTuple):
    name: str
    title: str
    arguments: list
    figures: list
    peers: tuple = ()  # the only ones that take part; none: all
    gigabytes: int = 0  # of free memory, or the row is left out
    quick: bool = True  # part of --quick


PEERS = [
    Peer("cora", "bench_cora", "a build with -DCORA_BENCH=ON"),
    Peer("floor", "bench_floor", "a build with -DCORA_BENCH=ON on x86-64"),
    Peer("libev", "bench_libev", "libev-dev"),
    Peer("libuv", "bench_libuv", "libuv1-dev"),
    Peer("boost", "bench_boost_fiber", "libboost-fiber-dev"),
    Peer("go", "bench_go", "golang-go"),
    Peer("asyncio", "peers/asyncio_peer.py", ""),
]

NS = Figure("ns", "ns")
MEMORY = [Figure("resident_bytes", "resident, B/task"), Figure("page_table_bytes", "page tables, B/task", False),
          Figure("create_s", "create, s"), Figure("join_s", "wake and join, s")]
ROWS = [
    Row("switch", "from one stack to another and no more", ["switch"], [NS]),
    Row("yield-2", "one yield, 2 tasks in turn", ["yield", "2"], [NS]),
    Row("yield-1000", "one yield, 1,000 tasks in turn", ["yield", "1000"], [NS]),
    Row("yield-100000", "one yield, 100,000 tasks in turn", ["yield", "100000"], [NS]),
    Row("spawn", "a task created and awaited, one at a time", ["spawn"], [NS]),
    Row("spawn-many", "100,000 tasks created, then awaited; twice", ["spawn_many", "100000"],
        [Figure("first_ns", "first, ns/task"), Figure("again_ns", "again, ns/task")]),
    Row("sleep", "100,000 tasks that sleep up to one second", ["sleep", "100000"],
        [Figure("cpu_ms", "CPU, ms"), Figure("late_ms", "last late, ms", False), Figure("early", "early", False)]),
    Row("memory", "100,000 tasks wait for an event, are woken (of cora: cancelled), and awaited",
        ["memory", "100000"], MEMORY),
    Row("memory-1000000", "the same with a million", ["memory", "1000000"], MEMORY,
        peers=("cora", "floor"), gigabytes=6, quick=False),
    Row("echo", "64 connections, 64 bytes there and back", ["echo_server"],
        [Figure("cpu_us_per_request", "server CPU, us/request"), Figure("k_requests_per_s", "k requests/s")]),
]


class NotHad(Exception):
    """The peer has no such workload."""


class Failed(Exception):
    """A program ended badly, or not at all."""


# ---- running ----

def figures_of(status, output, errors):
    """The line of JSON that a program printed."""
    if status == 2:
        raise NotHad
    if status != 0:
        raise Failed(errors.strip().rpartition("\n")[2] or f"ended with {status}")
    return json.loads(output)


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {TIMEOUT} s") from None
    return figures_of(done.returncode, done.stdout, done.stderr)


def run_echo(server_command, client, seconds):
    """The server says its port, serves the client, and says what it used when its input is closed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(server_command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as server:
        watchdog = threading.Timer(TIMEOUT, server.kill)
        watchdog.start()
        try:
            line = server.stdout.readline()
            if line:
                served = run([client, str(json.loads(line)["port"]), "64", "64", str(seconds)])
            server.stdin.close()
            output, errors = server.stdout.read(), server.stderr.read()
            used = figures_of(server.wait(), output, errors)
        finally:
            watchdog.cancel()
            server.kill()  # it has ended by itself, unless something above went wrong
    return {"cpu_us_per_request": used["cpu_us"] / served["requests"],
            "k_requests_per_s": served["requests"] / served["seconds"] / 1e3}


def measure(row, programs, client, rounds, echo_seconds):
    """The figures of each peer, a list with one entry for each round; and what went wrong."""
    taken, failed = {}, {}
    has = {peer: program for peer, program in programs.items() if not row.peers or peer in row.peers}
    for _ in range(rounds):
        for peer, program in list(has.items()):
            try:
                if row.name == "echo":
                    figures = run_echo(program + row.arguments, client, echo_seconds)
                else:
                    figures = run(program + row.arguments)
                taken.setdefault(peer, []).append(figures)
            except NotHad:
                del has[peer]
            except (Failed, ValueError, KeyError) as error:  # the latter two: not the JSON that was expected
                failed[peer] = str(error) if isinstance(error, Failed) else f"unexpected output ({error})"
                del has[peer]
    return {peer: taken[peer] for peer in has}, failed


def summary(runs, figure):
    values = [run[figure.key] for run in runs]
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": values}


# ---- printing ----

def number(value):
    """With three significant digits at least."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, digits)}f}"


def columns(figure, summaries):
    """A column with the medians and ranges of one figure and, where it helps, one with cora's ratios."""
    medians = [number(each["median"]) for each in summaries.values()]
    width = max(map(len, medians))
    yield [figure.title] + [f"{median:>{width}} ({number(each['min'])}..{number(each['max'])})"
                            for median, each in zip(medians, summaries.values())]
    if figure.compared and "cora" in summaries:
        cora = summaries["cora"]["median"]
        yield ["cora/peer"] + ["" if peer == "cora" else f"{number(cora / each['median']):>9}"
                               for peer, each in summaries.items()]


def print_table(row, results):
    print(f"\n{row.name}: {row.title}")
    table = [["", *results]]
    for figure in row.figures:
        table += columns(figure, {peer: figures[figure.key] for peer, figures in results.items()})
    widths = [max(map(len, column)) for column in table]
    for line in zip(*table):
        print("  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


# ---- drawing ----

def draw(row, results, directory):
    """A bar chart of the row's compared figures: medians with their ranges."""
    figures = [figure for figure in row.figures if figure.compared]
    script = [f"set terminal svg size {120 + 440 * len(figures)},360 font 'sans,12' background 'white'",
              f"set output '{row.name}.svg'",
              f"set multiplot layout 1,{len(figures)} title '{row.name}: {row.title}'",
              "set style fill solid 0.8 noborder; set boxwidth 0.6; set grid y; unset key",
              "set border 3; set xtics nomirror; set ytics nomirror"]
    for figure in figures:
        summaries = {peer: figures[figure.key] for peer, figures in results.items()}
        low = min(each["min"] for each in summaries.values())
        high = max(each["max"] for each in summaries.values())
        if high > 20 * low > 0:
            title = f"{figure.title} (logarithmic)"
            script.append(f"set logscale y; set yrange [{low / 2}:{high * 3}]")
        else:
            title = figure.title
            script.append(f"unset logscale y; set yrange [0:{high * 1.2}]")
        script += ["$bars << END",
                   *(f"{peer} {each['median']} {each['min']} {each['max']} {number(each['median'])} "
                     f"{0x2a6fdb if peer == 'cora' else 0x9aa5b1}" for peer, each in summaries.items()),
                   "END",
                   f"set title '{title}'",
                   "plot $bars using 0:2:6:xticlabels(1) with boxes linecolor rgb variable, "
                   "'' using 0:2:3:4 with yerrorbars linecolor 'black' pointtype 0, "
                   "'' using 0:4:5 with labels offset 0,0.8"]
    subprocess.run(["gnuplot"], input="\n".join(script), text=True, check=True, cwd=directory, timeout=TIMEOUT)


# ---- the whole ----

def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="NAME", help=f"of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--quick", action="store_true", help="three turns, no memory-1000000, under two minutes in all")
    parser.add_argument("--runs", type=int, metavar="N", help="turns of each program (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for all figures (bench.json beside the charts)")
    parser.add_argument("--charts", type=Path, metavar="DIR", default=HERE / "out", help="for the charts (bench/out)")
    parser.add_argument("--build-dir", type=Path, metavar="DIR", default=HERE.parent / "build" / "bench",
                        help="where the programs are (build/bench)")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - {row.name for row in ROWS}
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
    """A row that is asked for by name is run whatever it is like."""
    if arguments.rows:
        return [row for row in ROWS if row.name in arguments.rows]
    return [row for row in ROWS if row.quick or not arguments.quick]


def free_gigabytes():
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("MemAvailable:")), 0)


def main():
    arguments = parse_arguments()
    rounds = arguments.runs or (3 if arguments.quick else 5)
    rows = choose_rows(arguments)
    programs, missing = find_programs(arguments.build_dir)
    client = arguments.build_dir / "echo_client"
    if not client.exists():
        missing["echo client"] = "echo_client, and with it the row echo (needs a build with -DCORA_BENCH=ON)"
        rows = [row for row in rows if row.name != "echo"]
    for row in [row for row in rows if row.gigabytes > free_gigabytes()]:
        missing[row.name] = f"{row.name} (needs {row.gigabytes} GB of free memory)"
        rows.remove(row)
    gnuplot = shutil.which("gnuplot")
    if not gnuplot:
        missing["charts"] = "gnuplot (needs gnuplot-nox)"

    print(f"{rounds} turns each, medians (ranges); {platform.system()} {platform.release()}, {os.cpu_count()} CPUs, "
          f"Python {platform.python_version()}")
    if missing:
        print(f"missing: {', '.join(missing.values())}")
    report = {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version(),
              "turns": rounds, "missing": missing, "rows": {}, "failed": {}}
    arguments.charts.mkdir(parents=True, exist_ok=True)
    for row in rows:
        taken, failed = measure(row, programs, str(client), rounds, 0.5 if arguments.quick else 1)
        results = {peer: {figure.key: summary(runs, figure) for figure in row.figures}
                   for peer, runs in taken.items()}
        report["rows"][row.name] = results
        if results:
            print_table(row, results)
        for peer, why in failed.items():
            report["failed"][f"{row.name} {peer}"] = why
            print(f"  {peer} FAILED: {why}")
        sys.stdout.flush()
        if results and gnuplot:
            draw(row, results, arguments.charts)
    path = arguments.json or arguments.charts / "bench.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
