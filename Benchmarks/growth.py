#!/usr/bin/env python3
"""Cost as work grows: Resin's images a second, and GFLOP/s, in training for batches and image sizes.

    python3 Benchmarks/growth.py [--networks nin resnet18] [--seconds-allowed 20]

Images a second should rise with the batch and then stay, and GFLOP/s grow with both; a cell where they fall by more
than a fifth from the batch before is marked with '*', and `resin bench NETWORK --input 1xSxS --batch N --profile` says
where its time goes. A cell is left out ('time') where the step before it says that it would take longer than is
allowed, and ('memory') where its plan needs more than half of what is free.
"""

import argparse
import pathlib

from measure import Failure, Resin, limit_threads
from throughput import add_options
from work import Work

BATCHES = [1, 4, 16, 64, 256]
SIDES = {"nin": [67, 96, 128, 224], "resnet18": [32, 64, 96, 128, 224]}
# A cell takes a first step and as many to time.
STEPS = 3


def free_byte_count():
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024


def row(network, side, resin, seconds_allowed):
    """What each batch came to: (images a second, GFLOP/s), or why it was left out."""
    step_seconds, last_batch = 0.0, 1
    for batch in BATCHES:
        work = Work(network, side, batch, "train", 0, 0)
        try:
            if (STEPS + 2) * step_seconds * batch / last_batch > seconds_allowed:
                yield "time"
            elif resin.summary(work, batch)["memory"]["training_bytes"] > free_byte_count() / 2:
                yield "memory"
            else:
                result = resin.bench(work, STEPS)
                step_seconds, last_batch = result["step_milliseconds"] / 1e3, batch
                yield result["images_per_second"], result["gflops"]
        except Failure as failure:
            yield f"failed: {failure}"


def cells(results, column):
    before = 0.0
    for result in results:
        if isinstance(result, str):
            yield result.split(":")[0]
        else:
            fell = result[column] < 0.8 * before
            before = result[column]
            yield f"{result[column]:.1f}{'*' if fell else ''}"


def table(resin, networks, seconds_allowed):
    titles = ["images/s", "GFLOP/s"]
    header = f"{'training, batch':16}" + "".join(f"{batch:>9}" for batch in BATCHES)
    yield header + "   " + "".join(f"{batch:>9}" for batch in BATCHES)
    yield f"{'':16}" + f"{titles[0]:>{9 * len(BATCHES)}}   {titles[1]:>{9 * len(BATCHES)}}"
    for network in networks:
        for side in SIDES[network]:
            results = list(row(network, side, resin, seconds_allowed))
            parts = ["".join(f"{cell:>9}" for cell in cells(results, column)) for column in range(2)]
            yield f"{f'{network}-{side}':16}" + "   ".join(parts)
            for result in results:
                if isinstance(result, str) and result.startswith("failed"):
                    yield f"    {result}"
    yield (
        f"*: a fifth less than the batch before; time: more than {seconds_allowed:g} s for the cell; memory: the plan "
        "takes more than half of what is free")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--networks", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--seconds-allowed", type=float, default=20, help="for each cell", metavar="S")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    for line in table(Resin(arguments.resin, arguments.device), arguments.networks, arguments.seconds_allowed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
