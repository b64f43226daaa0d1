"""How the programs are run. Each prints its figures as a line of JSON, or ends with 2: it has no such workload."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

TIMEOUT = 120  # seconds; the longest run takes a few
READS = {"read", "readv", "recv", "recvfrom", "recvmsg"}
WRITES = {"write", "writev", "send", "sendto", "sendmsg"}

libc = ctypes.CDLL(None)


class NotHad(Exception):
    """The peer has no such workload."""


class Failed(Exception):
    """A program ended badly, or not at all, or said something else than expected."""


class Runner:
    """Runs programs; `seconds` is how long each is to measure, with at most so many tasks where the number grows."""

    def __init__(self, client, seconds, most_tasks):
        self.client = str(client)
        self.seconds = seconds
        self.most_tasks = most_tasks
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.client_cpu = (cpus[:1], cpus[1:2]) if len(cpus) > 1 else (cpus, cpus)

    @contextlib.contextmanager
    def started(self, command, cpus=None, stdin=subprocess.DEVNULL):
        """A running program. Whatever happens, it is gone afterwards."""

        def prepare():
            if cpus:
                os.sched_setaffinity(0, cpus)
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it does not outlive us

        with subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
                              env={**os.environ, "BENCH_SECONDS": str(self.seconds)}) as process:
            watchdog = threading.Timer(TIMEOUT, process.kill)
            watchdog.start()
            try:
                yield process
            finally:
                watchdog.cancel()
                process.kill()

    def run(self, command):
        """A program that says its figures and ends."""
        with self.started(command) as process:
            return line_of(process)

    def echo(self, command, connections, size, server="echo_server", idle=0, traced=False):
        """An echo server on one processor and its client on the other. When all connections are served once, the
        client measures, the server's processor time too; or the server's system calls are counted."""
        with self.started([*command, server], self.server_cpu) as process:
            port = int(line_of(process)["port"])
            with self.started([self.client, port, process.pid, connections, idle, size, int(self.seconds * 1e3)],
                              self.client_cpu, subprocess.PIPE) as client:
                line_of(client)
                if not traced:
                    return self.answer(client)
                with counted_calls(process.pid) as calls:
                    requests = self.answer(client)["requests"]
        kinds = {"reads": READS, "writes": WRITES, "others": calls.keys() - READS - WRITES}
        return {kind: sum(calls.get(name, 0) for name in names) / requests for kind, names in kinds.items()}

    @staticmethod
    def answer(client):
        client.stdin.write("\n")
        client.stdin.flush()
        return line_of(client)

    def idle(self, command, idle):
        """One connection alone, and the same with idle ones beside it."""
        alone = self.echo(command, 1, 64)["cpu_us"]
        beside = self.echo(command, 1, 64, idle=idle)["cpu_us"]
        return {"alone_us": alone, "beside_us": beside, "ratio": beside / alone}

    def connections(self, command, server, count):
        """What the server's memory grows by with each of so many connections, each served once, that are only there."""
        with self.started([*command, server]) as process:
            port = int(line_of(process)["port"])
            before = memory_of(process.pid)
            with self.started([self.client, port, 0, 1, count - 1, 64, 0], stdin=subprocess.PIPE) as client:
                line_of(client)
                after = memory_of(process.pid)
        return {key: (after[key] - before[key]) / count for key in before}

    def messages(self, command):
        """A program whose standard input is a socket, on which it gets the time, again and again."""
        ours, theirs = socket.socketpair()
        with ours, theirs, self.started(command, stdin=theirs) as process:
            line_of(process)
            theirs.close()
            end = time.monotonic() + 2 * self.seconds
            while time.monotonic() < end:
                ours.send(struct.pack("q", time.time_ns()))
                time.sleep(0.002)
            ours.shutdown(socket.SHUT_WR)
            return line_of(process)


def line_of(process):
    """The next line of JSON that the program prints."""
    line = process.stdout.readline()
    if not line:
        errors = process.stderr.read().strip().rpartition("\n")[2]
        status = process.wait()
        if status == 2 and "no workload" in errors:
            raise NotHad
        raise Failed(errors or (f"no end after {TIMEOUT} s" if status == -signal.SIGKILL else f"ended with {status}"))
    try:
        return json.loads(line)
    except ValueError:
        raise Failed(f"unexpected output: {line.strip()}") from None


def memory_of(pid):
    """What a process has of memory, without and with its page tables, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        kilobytes = {key: int(words.split()[0]) for key, _, words in (line.partition(":") for line in status)
                     if key in ("VmRSS", "VmPTE")}
    return {"resident_bytes": 1024 * kilobytes["VmRSS"], "all_bytes": 1024 * sum(kilobytes.values())}


@contextlib.contextmanager
def counted_calls(pid):
    """The system calls that a process and its threads make meanwhile, {name: count}: there when it is over."""
    calls = {}
    with tempfile.NamedTemporaryFile("r") as table:
        with subprocess.Popen(["strace", "-f", "-c", "-o", table.name, "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True) as strace:
            try:
                said = strace.stderr.readline()
                if "attached" not in said:
                    raise Failed(said.strip())
                yield calls
            finally:
                strace.send_signal(signal.SIGINT)
        for line in table:  # "% time  seconds  usecs/call  calls  [errors]  syscall", the times in any form
            words = line.split()
            if len(words) in (5, 6) and words[3].isdigit() and words[-1] != "total":
                calls[words[-1]] = int(words[3])
