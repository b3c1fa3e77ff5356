#!/usr/bin/env python3
"""Everything that `make bench` measures, to standard output and to a file under Benchmarks/results.

    python3 Benchmarks/report.py [--quick] [--no-file] [--compile]

Training and prediction beside the peers, the start, the memory, cost as work grows, and where the time goes in the
networks that miss their aim. --quick takes one short round of one network of each kind, to see that all works; its
figures are not to be quoted and are not kept.
"""

import argparse
import contextlib
import json
import re
import time

import growth
import memory
import startup
import throughput
from measure import ROOT, Failure, ProcessorTime, Resin, limit_threads, machine, versions
from work import INFERENCE, TRAINING

PEERS = ["torch", "onnxruntime", "openvino"]
QUICK = ["lenet-28"]


def profiles(works, resin):
    """The tables of `resin bench --profile`, which say where a step's time goes."""
    for work in works:
        yield f"{work.name}, batch {work.batch}, {work.mode}"
        try:
            yield from resin.run(
                "bench", *work.options, "--batch", work.batch, "--mode",
                work.mode, "--steps", 3, "--profile", *resin.device).splitlines()  # fmt: skip
        except Failure as failure:
            yield f"failed: {failure}"
        yield ""


def sections(resin, arguments):
    """Title and lines of each part, measured as they are asked for."""
    training, inference = TRAINING, INFERENCE
    if arguments.quick:
        training = [work for work in TRAINING if work.name in QUICK]
        inference = []
    yield "Training", throughput.table(training, resin, arguments, arguments.compile)
    if inference:
        yield "Prediction", throughput.table(inference, resin, arguments)
    if not arguments.quick:
        yield "Start", startup.table(resin, arguments)
        yield "Memory", memory.table(resin, arguments)
        yield "Cost as work grows", growth.table(resin, list(growth.SIDES), arguments.seconds_allowed)
    yield "Where the time goes", profiles(training + inference, resin)


def file_name(resin):
    """The date and the processor, and a number where there is such a file already."""
    device = json.loads(resin.run("devices", "--json"))[0]["name"]
    place = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:40].strip("-")
    stem = f"{time.strftime('%Y-%m-%d', time.gmtime())}-bench-{place}"
    folder = ROOT / "Benchmarks/results"
    path, number = folder / f"{stem}.txt", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.txt", number + 1
    return path


def lines(resin, arguments):
    start, processors = time.monotonic(), ProcessorTime()
    yield f"Benchmarks/report.py: {arguments.threads} threads each, float32, {arguments.rounds} rounds of " + (
        f"{arguments.seconds:g} s a program{', --quick' if arguments.quick else ''}")
    yield from machine(resin, versions(PEERS))
    for title, rows in sections(resin, arguments):
        yield f"\n## {title}\n"
        yield from rows
    yield f"{(time.monotonic() - start) / 60:.0f} minutes; the host gave {100 * processors.stolen():.1f} % of the " + (
        "processors' time to others")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    throughput.add_options(parser)
    parser.add_argument("--quick", action="store_true", help="a short subset, to see that all works")
    parser.add_argument("--no-file", action="store_true", help="write to standard output only")
    parser.add_argument(
        "--seconds-allowed", type=float, default=20, help="for each cell of 'Cost as work grows'", metavar="S")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, min(arguments.seconds, 0.2)
    limit_threads(arguments.threads)
    resin = Resin(arguments.resin, arguments.device)
    path = None if arguments.quick or arguments.no_file else file_name(resin)
    # Line by line, so that a run that is broken off leaves what it has measured.
    with open(path, "x") if path else contextlib.nullcontext() as file:
        for line in lines(resin, arguments):
            print(line, flush=True)
            if file:
                print(line, file=file, flush=True)
    if path:
        print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
