#!/usr/bin/env python3
"""Images a second of Resin beside its peers on the same processor, in turns in one run.

    python3 Benchmarks/throughput.py [--mode train] [--work nin-224 …] [--rounds 5] [--seconds 1] [--compile]

A training step is forward, backward and SGD with momentum; an inference step the forward pass in prediction form. All
are float32 on the same number of threads. In each round every program takes steps for so many seconds, one program
after the other, so that noise on a shared machine meets all of them; its figure for the round is that of the median
step. The table has the medians over the rounds, and the ratio to the peer that is best over all rounds: the median of
the rounds' ratios, the lowest and the highest.

Resin's step is the whole of it: it also gathers the images from the data set's bytes, normalises them and counts the
right predictions; the peers' images lie ready in memory.
"""

import argparse
import math

from measure import Failure, Peer, Resin, limit_threads, median
from work import INFERENCE, TRAINING

HEADER = (
    f"{'work':20}{'batch':>6}{'Resin':>10}{'best peer':>11}  {'which':24}{'ratio':>6} {'lowest–highest':>15}"
    f"{'at least':>10}{'aim':>5}{'of limit':>10}{'MB Resin':>10}{'MB peer':>9}")  # fmt: skip
LEGEND = """images/s, medians; of limit: time that the step would take at the device's measured multiply-add and copy
rates, as a share of what it takes (Winograd's convolutions need fewer multiply-adds than are counted, so that it may
pass 100 %); MB: the largest resident set of a process that does nothing else"""


def peer_names(work, compiles):
    names = ["NCHW", "channels_last"]
    if compiles or work.mode == "infer":
        names += ["compiled NCHW", "compiled channels_last"]
    return names + (["ONNX Runtime", "OpenVINO"] if work.mode == "infer" else [])


def ready_peers(work, names, threads, parameters):
    """The peers that run, and why the others do not."""
    peers, failures = [], []
    for peer in [Peer(name, work, threads) for name in names]:
        try:
            theirs = peer.answer()["parameters"]
            if theirs != parameters:
                raise Failure(f"{peer.name}: {theirs} parameters where Resin has {parameters}")
            peers.append(peer)
        except Failure as failure:
            peer.close()
            failures.append(str(failure))
    return peers, failures


def measure(work, resin, rounds, seconds, threads, compiles=False):
    """One row, and below it each peer's figure and why others have none."""
    # Getting ready takes long where something is compiled: side by side, since nothing is timed yet.
    peers, lines = ready_peers(
        work, peer_names(work, compiles), threads, resin.summary(work, work.batch)["parameters"])
    ours, theirs = [], {peer.name: [] for peer in peers}
    try:
        steps = max(3, min(10_000, math.ceil(1e3 * seconds / resin.bench(work, 3)["step_milliseconds"])))
        for _ in range(rounds):
            ours.append(resin.bench(work, steps, "--calibrate"))
            for peer in list(peers):
                try:
                    theirs[peer.name].append(peer.run(seconds))
                except Failure as failure:
                    # Fewer rounds than the others' are not to be compared.
                    peers.remove(peer)
                    del theirs[peer.name]
                    lines.append(str(failure))
    finally:
        for peer in peers:
            peer.close()
    speed = [result["images_per_second"] for result in ours]
    speeds = {name: [result["images_per_second"] for result in results] for name, results in theirs.items()}
    row = f"{work.name:20}{work.batch:6}{median(speed):10.1f}"
    memory = max(result["peak_bytes"] for result in ours) / 1e6
    share = 100 * median(result["share_of_bound"] for result in ours)
    if speeds:
        best = max(speeds, key=lambda name: median(speeds[name]))
        ratios = [mine / other for mine, other in zip(speed, speeds[best])]
        ratio, spread = median(ratios), f"{min(ratios):.2f}–{max(ratios):.2f}"
        mark = "" if ratio >= work.at_least else " missed"
        peak = max(result["peak_bytes"] for result in theirs[best]) / 1e6
        row += (
            f"{median(speeds[best]):11.1f}  {best:24}{ratio:6.2f} {spread:>15}{work.at_least:10}{work.aim:5}"
            f"{share:8.0f} %{memory:10.0f}{peak:9.0f}{mark}")  # fmt: skip
    else:
        row += f"  no peer runs; {share:.0f} % of the limit, {memory:.0f} MB"
    each = ", ".join(f"{name} {median(values):.1f}" for name, values in speeds.items())
    return [row, *([f"    {each}"] if each else []), *(f"    {line}" for line in lines)]


def table(works, resin, arguments, compiles=False):
    """The rows of a table, one after another as they are measured."""
    yield HEADER
    for work in works:
        try:
            yield from measure(work, resin, arguments.rounds, arguments.seconds, arguments.threads, compiles)
        except Failure as failure:
            yield f"{work.name:20}{work.batch:6}  failed: {failure}"
    yield LEGEND


def add_options(parser):
    parser.add_argument("--resin", default=".build/release/resin", metavar="PROGRAM")
    parser.add_argument("--device", metavar="SPEC", help="Resin's; its best one without it")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each program in a round", metavar="S")
    parser.add_argument("--compile", action="store_true", help="also torch.compile in training")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    names = sorted({work.name for work in TRAINING + INFERENCE})
    parser.add_argument("--work", nargs="*", default=names, choices=names, metavar="NAME", help=", ".join(names))
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    works = [work for work in (TRAINING if arguments.mode == "train" else INFERENCE) if work.name in arguments.work]
    for line in table(works, Resin(arguments.resin, arguments.device), arguments, arguments.compile):
        print(line, flush=True)


if __name__ == "__main__":
    main()
