#!/usr/bin/env python3
"""Exports every network to ONNX and has ONNX Runtime compute the same logits from the same images.

    python3 Benchmarks/onnx_zoo.py [NETWORK …] [--opset 17] [--fold-norms] [--limit 1e-5]

Each network (both forms, where it has two) is trained for some steps on a few pictures of noise, so that its running statistics
are those of its images; `resin export` writes the model, onnx.checker checks it, and the logits are those of `resin evaluate` for
the test pictures. Prints the largest difference as a share of the largest logit; exits with 1 where one is above the limit.
Needs onnx, onnxruntime, numpy and pillow (Benchmarks/requirements.txt).
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLASSES, IMAGES = 3, 4


def resin(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"resin {arguments[0]} gives {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def make_images(folder, shape):
    """Noise, smooth enough that a network sees something, as a folder of classes; the test pictures' paths in order."""
    channels, height, width = shape
    noise = numpy.random.default_rng(0)
    for part in ["train", "test"]:
        for label in range(CLASSES):
            place = folder / part / f"class {label}"
            place.mkdir(parents=True)
            for number in range(IMAGES):
                small = noise.integers(0, 256, (max(height // 8, 4), max(width // 8, 4), channels), dtype=numpy.uint8)
                image = Image.fromarray(small.squeeze()).resize((width, height), Image.BILINEAR)
                image.save(place / f"{number}.png")


def compare(program, network, variant, shape, opset, folds, folder):
    """The largest logit, the largest difference, and nodes of the model."""
    make_images(folder / "images", shape)
    options = ["--variant", variant] if variant else []
    resin(program, "train", network, *options, "--data", folder / "images", "--resize", shape[1], "--epochs", 10, "--batch", 4,
          "--optimizer", "sgd", "--lr", 1e-4, "--augment", "none", "--fit", "stretch", "--progress", "none",
          "--out", folder / "run")  # fmt: skip
    weights = folder / "run/last.safetensors"
    resin(program, "evaluate", weights, "--predictions", folder / "logits.csv")
    with open(folder / "logits.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    ours = numpy.array([[float(row[f"logit_{index}"]) for index in range(CLASSES)] for row in rows])
    model = folder / "model.onnx"
    resin(program, "export", weights, "--onnx", model, "--opset", opset, *(["--fold-norms"] if folds else []))
    onnx.checker.check_model(str(model), full_check=True)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["model"])
    mean, deviation = (numpy.array(metadata[key], numpy.float32)[:, None, None] for key in ["mean", "std"])

    def pixels(row):
        image = numpy.asarray(Image.open(folder / "images" / row["path"]), numpy.float32) / 255
        return ((image[None] if image.ndim == 2 else image.transpose(2, 0, 1)) - mean) / deviation

    theirs = session.run(None, {"images": numpy.stack([pixels(row) for row in rows]).astype(numpy.float32)})[0]
    return numpy.abs(ours).max(), numpy.abs(ours - theirs).max(), len(onnx.load(model, load_external_data=False).graph.node)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--resin", default=ROOT / ".build/release/resin", metavar="PROGRAM")
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--fold-norms", action="store_true")
    parser.add_argument("--limit", type=float, default=1e-5)
    arguments = parser.parse_args()
    worst = 0.0
    print(f"{'network':22}{'form':13}{'nodes':>6}{'largest logit':>15}{'difference':>12}{'share':>10}", flush=True)
    for network in json.loads(resin(arguments.resin, "networks", "--json")):
        if arguments.networks and network["name"] not in arguments.networks:
            continue
        for variant in network["variants"] or [None]:
            channels, height, width = network["input"]
            shape = (3 if variant == "torchvision" else channels, height, width)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    largest, difference, nodes = compare(
                        arguments.resin, network["name"], variant, shape, arguments.opset, arguments.fold_norms,
                        pathlib.Path(folder))  # fmt: skip
                except (RuntimeError, onnx.checker.ValidationError) as error:
                    worst = math.inf
                    print(f"{network['name']:22}{variant or '':13}{error}", flush=True)
                    continue
            share = difference / largest
            worst = max(worst, share)
            print(f"{network['name']:22}{variant or '':13}{nodes:6}{largest:15.4g}{difference:12.2g}{share:10.1e}", flush=True)
    print(f"largest share {worst:.1e}, at most {arguments.limit:g}")
    sys.exit(not worst <= arguments.limit)


if __name__ == "__main__":
    main()
