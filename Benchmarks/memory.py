#!/usr/bin/env python3
"""The largest resident set (VmHWM) of a process that trains, Resin's beside PyTorch's, and Resin's plan.

    python3 Benchmarks/memory.py

On a CPU the device's memory is the process's own, so the resident set holds the plan, the program and its libraries;
PyTorch's is taken where it is smaller, of NCHW and channels_last. On a GPU only the plan says what the device needs.
"""

import argparse
import contextlib

from measure import Failure, Peer, Resin, limit_threads
from throughput import add_options
from work import MEMORY


def peer_peak(name, threads):
    peer = Peer(name, MEMORY, threads, timeout=1200)
    with contextlib.closing(peer):
        peer.answer()
        return peer.run(0, timeout=1200)["peak_bytes"]


def table(resin, arguments):
    yield f"{f'peak memory, training {MEMORY.name}, batch {MEMORY.batch}':40}{'MB':>9}"
    try:
        ours = resin.bench(MEMORY, 3)
        yield f"{'Resin, as planned on the device':40}{ours['plan_bytes'] / 1e6:9.0f}"
        yield f"{'Resin, resident set':40}{ours['peak_bytes'] / 1e6:9.0f}"
        peers = {name: peer_peak(name, arguments.threads) for name in ["NCHW", "channels_last"]}
        for name, peak in peers.items():
            ratio = peak / ours["peak_bytes"]
            yield f"{f'PyTorch, {name}':40}{peak / 1e6:9.0f}  {ratio:.2f} times Resin's resident set"
        ratio = min(peers.values()) / ours["peak_bytes"]
        mark = "" if ratio >= MEMORY.at_least else ": missed"
        yield f"Resin takes 1/{ratio:.2f} of PyTorch's (at least 1/{MEMORY.at_least}, aim 1/{MEMORY.aim}){mark}"
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
