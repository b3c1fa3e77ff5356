#!/usr/bin/env python3
"""Saves torchvision's networks as they are initialised, has `resin predict` load the files, and compares the logits on two
photographs' bytes with PyTorch's in float32, and both with PyTorch's in float64.

    Benchmarks/zoo_logits.py [NAME …]       needs torch, torchvision, safetensors and pillow

Batch norms' statistics are moved by one batch first, for at 0 and 1 a network that is deep gives the same for all images.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms.functional import to_tensor

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESIN = ROOT / ".build/release/resin"
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def networks():
    listed = json.loads(subprocess.run([RESIN, "networks", "--json"], capture_output=True, text=True, check=True).stdout)
    return [network for network in listed if "torchvision" in network["variants"]]


def make(name):
    settings = {"googlenet": {"aux_logits": True, "init_weights": True}, "inception_v3": {
        "aux_logits": True, "init_weights": True}}.get(name, {})
    return getattr(torchvision.models, name)(weights=None, **settings)


def log_probabilities(logits):
    return torch.log_softmax(logits.double(), 1)


def main():
    torch.manual_seed(1)
    print(f"{'network':20} {'largest logit':>13} {'resin':>9} {'PyTorch':>9}   differences of log-probabilities from float64's")
    worst = 0.0
    for network in networks():
        name = network["name"]
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        side = network["input"][1]
        with tempfile.TemporaryDirectory() as folder:
            model = make(name)
            files = []
            for number in range(2):
                noise = torch.randint(0, 256, (side // 8, side // 8, 3), dtype=torch.uint8).numpy()
                files.append(f"{folder}/{number}.png")
                Image.fromarray(noise).resize((side, side), Image.BILINEAR).save(files[-1])
            mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
            images = torch.stack([(to_tensor(Image.open(file)) - mean) / deviation for file in files])
            with torch.no_grad():
                for module in model.modules():
                    if isinstance(module, torch.nn.BatchNorm2d):
                        module.momentum = 0.5
                model.train()(images)
                model.eval()
                save_file({key: value.contiguous() for key, value in model.state_dict().items()}, f"{folder}/w.safetensors")
                single = model(images)
                exact = model.double()(images.double())
            run = subprocess.run(
                [RESIN, "predict", f"{folder}/w.safetensors", *files, "--network", name, "--variant", "torchvision",
                 "--input", f"3x{side}x{side}", "--classes", "1000", "--mean", "imagenet", "--eval-crop", "1", "--top", "1000",
                 "--json"], capture_output=True, text=True)
            if run.returncode:
                print(f"{name:20} fails: {run.stderr.strip().splitlines()[-1]}")
                worst = math.inf
                continue
            ours = torch.empty(2, 1000, dtype=torch.float64)
            for row, image in enumerate(json.loads(run.stdout)):
                for prediction in image["predictions"]:
                    # What is less likely than a double can say counts as that.
                    ours[row, prediction["index"]] = math.log(max(prediction["probability"], 5e-324))
            wanted = log_probabilities(exact)
            errors = [
                (values.clamp(min=-700) - wanted.clamp(min=-700)).abs().max().item()
                for values in (ours, log_probabilities(single))]
            largest = exact.abs().max().item()
            worst = max(worst, errors[0] / max(largest, 1e-3))
            print(f"{name:20} {largest:13.4f} {errors[0]:9.1e} {errors[1]:9.1e}", flush=True)
    print(f"the largest difference is {worst:.1e} of the network's largest logit")


main()
