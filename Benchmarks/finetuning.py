#!/usr/bin/env python3
"""What training costs where only the classifier is trained, beside training everything.

    python3 Benchmarks/finetuning.py [--resin PROGRAM] [--rounds 5] [--network resnet18] [--side 224] [--batch 32]

Images a second of the second of two epochs on a set that lies on the device, the two in turns in one run. Needs Pillow.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from measure import Failure, median
from photographs import make_images


def trained(arguments, folder, *more):
    with tempfile.TemporaryDirectory() as out:
        command = [
            arguments.resin, "train", arguments.network, "--variant", "torchvision", "--data", folder, "--resize",
            arguments.side, "--batch", arguments.batch, "--epochs", 2, "--limit-test", 10, "--stream", "never", "--device",
            arguments.device, "--out", f"{out}/run", "--progress", "none", *more]
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if run.returncode != 0:
            raise Failure(f"{arguments.resin} gives {run.returncode}: {run.stderr.strip()}")
        lines = pathlib.Path(out, "run", "metrics.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["images_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--resin", default=root / ".build/release/resin", metavar="PROGRAM")
    parser.add_argument("--device", default="cpu", metavar="SPEC")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--network", default="resnet18", metavar="NAME")
    parser.add_argument("--side", type=int, default=224, metavar="N")
    parser.add_argument("--batch", type=int, default=32, metavar="N")
    parser.add_argument("--images", type=int, default=320, metavar="N")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_images(pathlib.Path(folder), arguments.images)
        whole, frozen = [], []
        for number in range(arguments.rounds):
            for results, more in [(whole, []), (frozen, ["--freeze", "backbone"])][:: 1 if number % 2 else -1]:
                results.append(trained(arguments, folder, *more))
    ratio = median([fast / slow for fast, slow in zip(frozen, whole)])
    print(f"{arguments.network} at {arguments.side}², batch {arguments.batch}, images a second")
    print(f"{'everything is trained':36}{median(whole):10.1f}")
    print(f"{'the classifier alone (--freeze)':36}{median(frozen):10.1f}")
    print(f"{'ratio':36}{ratio:10.2f}   at least 2.5, aim 3.2")
    sys.exit(ratio < 2.5)


if __name__ == "__main__":
    main()
