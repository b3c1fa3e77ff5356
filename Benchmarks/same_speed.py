#!/usr/bin/env python3
"""Images a second of two builds of resin on the same processor, in turns in one run; and the seconds to their first step.

    python3 Benchmarks/same_speed.py OLD NEW [--rounds 5] [--seconds 1] [--work nin-224 …]

OLD and NEW are programs. The ratio is the median of the rounds', NEW over OLD; the order within a round changes from
round to round. Exits with 1 where a ratio is below 0.98.
"""

import argparse
import math
import sys

from measure import Resin, limit_threads, median
from startup import cold_first_step, first_step
from work import INFERENCE, TRAINING


def rounds(programs, count, take):
    """What `take` gives for each program, [old, new], in turns."""
    results = [[], []]
    for number in range(count):
        for index in [0, 1] if number % 2 == 0 else [1, 0]:
            results[index].append(take(programs[index]))
    return results


def row(name, results, unit, higher_is_better=True):
    ratios = [new / old if higher_is_better else old / new for old, new in zip(*results)]
    ratio = median(ratios)
    print(f"{name:28}{median(results[0]):11.2f}{median(results[1]):11.2f} {unit:9}{ratio:7.3f}  "
          f"{min(ratios):.3f}–{max(ratios):.3f}{'' if ratio >= 0.98 else '  slower'}", flush=True)
    return ratio >= 0.98


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--device", default="cpu", metavar="SPEC")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each program in a round", metavar="S")
    parser.add_argument("--work", nargs="*", metavar="NAME", help="all, without it")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    programs = [Resin(program, arguments.device) for program in (arguments.old, arguments.new)]
    print(f"{'':28}{'old':>11}{'new':>11} {'':9}{'ratio':>7}  lowest–highest", flush=True)
    are_fast = True
    for work in TRAINING + INFERENCE:
        if arguments.work and work.name not in arguments.work:
            continue
        times = [program.bench(work, 3)["step_milliseconds"] for program in programs]
        steps = max(3, min(10_000, math.ceil(1e3 * arguments.seconds / max(times))))
        results = rounds(programs, arguments.rounds, lambda program: program.bench(work, steps)["images_per_second"])
        are_fast &= row(f"{work.mode} {work.name}", results, "images/s")
    if not arguments.work:
        warm = rounds(programs, arguments.rounds, first_step)
        are_fast &= row("first step, caches warm", warm, "s", higher_is_better=False)
        cold = rounds(programs, min(arguments.rounds, 3), cold_first_step)
        are_fast &= row("first step, everything cold", cold, "s", higher_is_better=False)
    sys.exit(not are_fast)


if __name__ == "__main__":
    main()
