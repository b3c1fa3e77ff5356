"""Writes augmentation.json: what torchvision draws and computes, for AugmentationTests.swift.

    python3 make_augmentation.py

Needs torch, torchvision and pillow. Distributions are given by mean and standard deviation of many draws; sizes and
matrices as they are.
"""

import json
import os

import torch
import torchvision.transforms.v2 as T
import torchvision.transforms.v2.functional as TF
from PIL import Image
from torchvision.transforms import RandAugment, RandomErasing, RandomResizedCrop

torch.manual_seed(1)
DRAWS = 40_000


def moments(rows):
    rows = torch.tensor(rows, dtype=torch.float64)
    return {"mean": [round(float(v), 6) for v in rows.mean(0)], "deviation": [round(float(v), 6) for v in rows.std(0)]}


def crops(height, width, scale):
    image = Image.new("L", (width, height))
    return [RandomResizedCrop.get_params(image, scale, (3 / 4, 4 / 3)) for _ in range(DRAWS)]


def erasings(side):
    image = torch.zeros(1, side, side)
    boxes = [RandomErasing.get_params(image, (0.02, 0.33), (0.3, 3.3), [0.0]) for _ in range(DRAWS)]
    return [list(box[:4]) for box in boxes]


def cut_boxes(side, alpha):
    """Height, width and share of what CutMix takes."""
    mix, rows = T.CutMix(alpha=alpha, num_classes=2), []
    flat = {"size": (side, side)}
    for _ in range(DRAWS // 4):
        params = mix.make_params([torch.zeros(1, 1, side, side)])
        x1, y1, x2, y2 = params["box"]
        rows.append([float(y2 - y1), float(x2 - x1), params["lam_adjusted"]])
    return rows


def centre_crops():
    """Height, width, and of the image resized and cropped: its size before the crop, and where the crop begins."""
    rows = []
    for height, width in ((375, 500), (500, 375), (224, 224), (33, 1000), (300, 301), (10, 7), (1200, 1201), (255, 97)):
        for side, resized in ((224, 256), (96, 110), (64, 73)):
            image = TF.resize(Image.new("L", (width, height)), resized)
            top, left = int(round((image.height - side) / 2.0)), int(round((image.width - side) / 2.0))
            rows.append([height, width, side, image.height, image.width, top, left])
    return rows


def rand_augment(side):
    """For every operation, the magnitudes of some bins."""
    table = RandAugment()._augmentation_space(31, (side, side))
    return {name: [[bin, float(values[bin]) if values.ndim else float(values), signed] for bin in (0, 1, 7, 9, 15, 30)]
            for name, (values, signed) in table.items()}


def moved(name, side, magnitude):
    """A picture whose pixels are their own numbers, moved: which pixel each one is, −1 for black."""
    numbers = torch.arange(1, side * side + 1, dtype=torch.int32).reshape(side, side).numpy()
    planes = [Image.fromarray(((numbers >> shift) & 255).astype("uint8")) for shift in (0, 8)]
    if name == "Rotate":
        moved = [TF.rotate(plane, magnitude) for plane in planes]
    else:
        shear, translate = [0.0, 0.0], [0, 0]
        axis = 0 if name.endswith("X") else 1
        if name.startswith("Shear"):
            shear[axis] = torch.rad2deg(torch.atan(torch.tensor(magnitude, dtype=torch.float64))).item()
        else:
            translate[axis] = int(magnitude)
        moved = [TF.affine(plane, 0.0, translate, 1.0, shear, center=[0, 0] if "Shear" in name else None)
                 for plane in planes]
    low, high = (torch.tensor(list(plane.get_flattened_data()), dtype=torch.int64) for plane in moved)
    return (low + 256 * high - 1).tolist()


def main():
    side = 37
    table = rand_augment(224)
    result = {
        "crops": [{"size": [h, w], "scale": list(scale)} | moments(crops(h, w, scale)) for h, w, scale in (
            (375, 500, (0.08, 1)), (300, 100, (0.5, 1)), (64, 64, (0.9, 1)))],
        "fallbacks": [[h, w, *crops(h, w, (1, 1))[0]] for h, w in ((1000, 10), (10, 1000))],
        "erasings": {"side": 64} | moments(erasings(64)),
        "cut_boxes": [{"side": 64, "alpha": alpha} | moments(cut_boxes(64, alpha)) for alpha in (1.0, 0.4)],
        "betas": [{"alpha": alpha} | moments(
            torch.distributions.Beta(torch.tensor([alpha], dtype=torch.float64), torch.tensor([alpha], dtype=torch.float64)).sample((DRAWS,)).tolist())
                  for alpha in (0.2, 0.8, 1.0, 5.0)],
        "centre_crops": centre_crops(),
        "rand_augment": table,
        "moved": [{"name": name, "side": side, "bin": bin, "negative": negative, "pixels": moved(
            name, side, (-1 if negative else 1) * RandAugment()._augmentation_space(31, (side, side))[name][0][bin].item())}
                  for name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
                  for bin, negative in ((9, False), (30, True))],
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "augmentation.json")
    with open(path, "w") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in result.items()) + "\n}\n")


main()
