"""How far what Resin makes of photographs is from what Pillow and torchvision make of them.

    RESIN_WRITE_PHOTOGRAPHS=/tmp/photographs.jsonl swift test -c release --filter MeasuredPhotographs
    python3 Benchmarks/image_accuracy.py /tmp/photographs.jsonl

Needs torch, torchvision and pillow. Crops are compared with Pillow's `resize` of the whole box, adjustments with
torchvision's functions on Pillow's images, and where a row says so, on tensors of bytes. Differences are of 255.
"""

import base64
import json
import os
import sys
from collections import defaultdict

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms.functional as TF
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Tests/Operators/Goldens"))
import photographs  # noqa: E402


def split_mix(counter):
    word = counter * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def noise(count):
    """CaseData.bytes of the first input."""
    words = split_mix(np.arange(1, count + 1, dtype=np.uint64) + np.uint64(1 << 40))
    return (words >> np.uint64(56)).astype(np.uint8)


def on_tensor(image, kind, amounts):
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)
    name = kind if kind in ("posterize", "solarize", "autocontrast", "equalize") else f"adjust_{kind}"
    more = [] if kind in ("autocontrast", "equalize") else [int(amounts[0]) if kind == "posterize" else amounts[0]]
    return getattr(TF, name)(tensor, *more).permute(1, 2, 0).numpy()


def on_pillow(image, kind, amounts):
    if kind in ("posterize", "solarize", "autocontrast", "equalize"):
        more = [] if kind in ("autocontrast", "equalize") else [int(amounts[0]) if kind == "posterize" else amounts[0]]
        return photographs.numpy(getattr(TF, kind)(photographs.pillow(image), *more))
    return photographs.adjust(image, kind, amounts)


def main():
    lines = open(sys.argv[1]).read().splitlines()
    largest, off, pixels = defaultdict(int), defaultdict(int), defaultdict(int)

    def compare(name, one, other):
        difference = np.abs(one.astype(int) - other.astype(int))
        largest[name] = max(largest[name], int(difference.max()))
        off[name] += int((difference > 0).sum())
        pixels[name] += difference.size

    for text, output in zip(lines[::2], lines[1::2]):
        case, result = json.loads(text), np.frombuffer(base64.b64decode(output), np.uint8)
        settings = case["settings"]
        sample = photographs.Sample.of(case["inputs"][1]["data"].split()[1:])
        if case["operation"] == "image_crop":
            channels = int(settings["channels"][0])
            image = photographs.box_of(sample, noise(case["inputs"][0]["shape"][0]), channels)
            result = result.reshape(*sample.resized, channels)
            compare("crop, Pillow's resize, rows first", result, photographs.resize(image, *sample.resized))
            whole = photographs.numpy(photographs.pillow(image).resize(sample.resized[::-1], Image.BILINEAR))
            compare("crop, Pillow's resize", result, whole)
        else:
            shape = case["inputs"][0]["shape"][1:]
            image = noise(int(np.prod(shape))).reshape(shape)
            *before, (kind, amounts) = sample.adjustments
            for earlier in before:
                image = photographs.adjust(image, *earlier)
            name = case["name"].split(", ")[1]
            result = result.reshape(shape)
            # Pillow 13 refuses no bits at all.
            if (kind, amounts[0]) != ("posterize", 0):
                compare(f"{name}, Pillow", result, on_pillow(image, kind, amounts))
            if kind != "affine":
                compare(f"{name}, tensors", result, on_tensor(image, kind, amounts))
    print(f"Pillow {PIL.__version__}, torchvision {torchvision.__version__}, {len(lines) // 2} images of random bytes")
    print("| what, beside what | largest difference | bytes that differ | of |")
    print("|---|---|---|---|")
    for name in largest:
        print(f"| {name} | {largest[name]} | {off[name]} ({100 * off[name] / pixels[name]:.3f} %) | {pixels[name]} |")


main()
