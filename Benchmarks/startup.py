#!/usr/bin/env python3
"""Seconds from the start of a process to the end of its first training step: Resin's with all caches warm and with
none, PyTorch's with `import torch` in it.

    python3 Benchmarks/startup.py [--rounds 5]

Cold means that the folders in which the OpenCL driver and Resin keep compiled kernels and tunings are new and empty;
files that the operating system has in memory stay there. PyTorch keeps nothing between runs.
"""

import argparse
import contextlib
import tempfile

from measure import Failure, Peer, Resin, limit_threads, median
from throughput import add_options
from work import STARTUP

# PoCL's, NVIDIA's, Mesa's, and every program's that follows the XDG rules, Resin's and Intel's among them.
CACHES = ["POCL_CACHE_DIR", "CUDA_CACHE_PATH", "MESA_SHADER_CACHE_DIR", "XDG_CACHE_HOME"]


def first_step(resin, caches=None):
    environment = {name: caches for name in CACHES} if caches else None
    return resin.bench(STARTUP, 1, environment=environment, timeout=900)["first_step_seconds"]


def cold_first_step(resin):
    with tempfile.TemporaryDirectory() as folder:
        return first_step(resin, folder)


def peer_first_step(threads):
    peer = Peer("NCHW", STARTUP, threads)
    with contextlib.closing(peer):
        return peer.answer()["first_step_seconds"]


def table(resin, arguments, cold_rounds=3):
    def row(name, values, at_most=None, aim=None):
        text = f"{name:40}{median(values):9.2f} {f'{min(values):.2f}–{max(values):.2f}':>15}"
        if at_most is None:
            return text
        return text + f"{f'< {at_most:g}':>10}{f'< {aim:g}':>8}" + ("" if median(values) < at_most else " missed")

    yield f"{f'first step of {STARTUP.name}, batch {STARTUP.batch}':40}{'seconds':>9} {'lowest–highest':>15}" + (
        f"{'at most':>10}{'aim':>8}")
    try:
        first_step(resin)
        yield row("Resin, caches warm", [first_step(resin) for _ in range(arguments.rounds)], 1, 0.4)
        rounds = range(min(arguments.rounds, cold_rounds))
        yield row("Resin, everything cold", [cold_first_step(resin) for _ in rounds], 20, 8)
        yield row("PyTorch, NCHW", [peer_first_step(arguments.threads) for _ in rounds])
    except Failure as failure:
        yield f"failed: {failure}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    for line in table(Resin(arguments.resin, arguments.device), arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main()
