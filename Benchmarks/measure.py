"""Resin and its peers as child processes to be timed in turns, and what their machine is."""

import contextlib
import json
import os
import pathlib
import platform
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEER = ROOT / "Benchmarks/peer.py"


class Failure(Exception):
    """A program that did not do what it was asked for; the text says which and why."""


def limit_threads(count):
    """Keeps this process and its children on `count` processors, with as many threads each."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        sys.exit(f"--threads is {count}, but there are {len(allowed)} processors")
    os.sched_setaffinity(0, allowed[:count])
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT"]:
        os.environ[name] = str(count)


class Resin:
    """The program, a process for each measurement."""

    def __init__(self, program, device=None):
        self.program = str(program)
        self.device = ["--device", device] if device else []

    def run(self, *arguments, environment=None, timeout=600):
        command = [self.program, *map(str, arguments)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(command)} took longer than {timeout} s") from None
        except OSError as error:
            raise Failure(f"{command[0]} does not run ({error.strerror}); `make build` builds it") from None
        if done.returncode:
            raise Failure(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def bench(self, work, steps, *options, **settings):
        """`resin bench` of a piece of work, as its JSON says it."""
        return json.loads(self.run(
            "bench", *work.options, "--batch", work.batch, "--mode", work.mode,
            "--steps", steps, "--json", *options, *self.device, **settings))  # fmt: skip

    def calibrate(self):
        return json.loads(self.run("bench", "--calibrate", "--json", *self.device))

    def summary(self, work, batch):
        return json.loads(self.run(
            "summary", *work.options, "--batch", batch, "--json", *self.device))  # fmt: skip


class Peer:
    """A library in a process of its own (peer.py), that waits between its turns."""

    def __init__(self, name, work, threads, timeout=600):
        self.name = name
        self.log = tempfile.TemporaryFile("w+")
        command = [sys.executable, PEER, name, work.mode, work.network, work.channels, work.side, work.batch,
                   threads]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, "RESIN_PEER_STARTED": repr(time.monotonic())})  # fmt: skip
        self.deadline = time.monotonic() + timeout
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def answer(self):
        try:
            line = self.answers.get(timeout=max(self.deadline - time.monotonic(), 0.1))
        except queue.Empty:
            self.close()
            raise Failure(f"{self.name} took too long") from None
        if line is None:
            self.process.wait()
            self.log.seek(0)
            lines = self.log.read().strip().splitlines() or ["no message"]
            self.close()
            raise Failure(f"{self.name} ended with {self.process.returncode}: {lines[-1][:200]}")
        return json.loads(line)

    def run(self, seconds, timeout=600):
        """Takes its turn."""
        self.deadline = time.monotonic() + timeout
        # One that has ended says so when it is asked for its answer.
        with contextlib.suppress(BrokenPipeError):
            print(seconds, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


def median(values):
    return statistics.median(list(values))


class ProcessorTime:
    """How the machine's processors spend their time from here on, in shares of it."""

    def __init__(self):
        self.start = self._ticks()

    @staticmethod
    def _ticks():
        # user, nice, system, idle, iowait, irq, softirq, steal
        return list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))

    def _share(self, *fields):
        spent = [now - then for now, then in zip(self._ticks(), self.start)]
        return sum(spent[field] for field in fields) / max(sum(spent), 1)

    def busy(self):
        return 1 - self._share(3, 4)

    def stolen(self):
        """By the host, for others."""
        return self._share(7)


def machine(resin, versions):
    """What the figures were measured on, a line each."""
    cpu = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":")[1].strip()
            break
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    vectors = "AVX-512" if " avx512f" in flags else "AVX2" if " avx2" in flags else "no AVX2"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    # The last is the reference executor.
    devices = json.loads(resin.run("devices", "--json"))
    commit = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True)
    idle = ProcessorTime()
    time.sleep(2)
    busy = idle.busy()
    lines = [
        f"date       {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, commit {commit.stdout.strip() or 'unknown'}",
        f"processor  {cpu}, {vectors}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} processors used",
        f"memory     {memory:.1f} GiB",
        f"system     {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"others     kept the processors {100 * busy:.0f} % busy before the start"
        + (": do not trust these figures" if busy > 0.1 else ""),
    ]
    lines += [f"device     {d['index']}: {d['name']}, {d['platform']}, {d['version']}" for d in devices[:-1]]
    return lines + [f"peers      {', '.join(versions)}"]


def versions(names):
    from importlib import metadata

    result = []
    for name in names:
        try:
            result.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            result.append(f"{name} is not installed")
    return result
