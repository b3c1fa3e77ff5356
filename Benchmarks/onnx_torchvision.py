#!/usr/bin/env python3
"""Exports torchvision's networks by both of PyTorch's exporters to ONNX, and compares what `resin predict` makes of the models with
what PyTorch makes of the networks.

    python3 Benchmarks/onnx_torchvision.py [NETWORK …] [--limit 1e-4]

Weights are random, with running statistics of the images. Prints the largest difference of a log-probability; exits with 1 where one
is above the limit, or a model is refused. Needs torch, torchvision, onnx, onnxscript and pillow (Benchmarks/requirements.txt).
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
import torch
import torchvision
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETWORKS = ["alexnet", "vgg11", "googlenet", "squeezenet1_1", "resnet18", "resnext50_32x4d", "densenet121", "mobilenet_v2",
            "mobilenet_v3_small", "shufflenet_v2_x1_0", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny"]
SIDE = 224


def make(name, images):
    torch.manual_seed(1)
    settings = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    network = getattr(torchvision.models, name)(weights=None, **settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.5
    with torch.no_grad():
        network.train()(images)
    return network.eval()


def export(network, images, path, is_dynamo):
    if is_dynamo:
        torch.onnx.export(network, (images,), path, dynamo=True, opset_version=18, external_data=False, verbose=False)
    else:
        torch.onnx.export(network, images, path, dynamo=False, opset_version=17, input_names=["x"], output_names=["y"],
                          dynamic_axes={"x": {0: "N"}, "y": {0: "N"}})  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--resin", default=ROOT / ".build/release/resin", metavar="PROGRAM")
    parser.add_argument("--limit", type=float, default=1e-4)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    noise = numpy.random.default_rng(0)
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = []
        for number in range(2):
            small = noise.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=numpy.uint8)
            files.append(folder / f"{number}.png")
            Image.fromarray(small).resize((SIDE, SIDE), Image.BILINEAR).save(files[-1])
        images = torch.stack([
            torch.from_numpy(numpy.array(Image.open(file))).permute(2, 0, 1) / 255 * 2 - 1 for file in files])  # fmt: skip
        for network_name in arguments.networks:
            network = make(network_name, images)
            with torch.no_grad():
                wanted = torch.log_softmax(network(images).double(), 1)
            for is_dynamo in [False, True]:
                exporter = "torch.export" if is_dynamo else "TorchScript"
                path = folder / "model.onnx"
                try:
                    export(network, images, str(path), is_dynamo)
                except Exception as error:  # PyTorch's own fault
                    print(f"{network_name:20}{exporter:14}PyTorch: {str(error).splitlines()[0][:80]}", flush=True)
                    continue
                done = subprocess.run(
                    [arguments.resin, "predict", path, *files, "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--eval-crop", "1",
                     "--top", "1000", "--json"], capture_output=True, text=True)  # fmt: skip
                if done.returncode:
                    worst = math.inf
                    print(f"{network_name:20}{exporter:14}{done.stderr.strip().splitlines()[-1]}", flush=True)
                    continue
                found = torch.empty(2, 1000, dtype=torch.float64)
                for row, image in enumerate(json.loads(done.stdout)):
                    for prediction in image["predictions"]:
                        found[row, prediction["index"]] = math.log(max(prediction["probability"], 1e-300))
                difference = (found - wanted).abs().max().item()
                worst = max(worst, difference)
                print(f"{network_name:20}{exporter:14}{difference:10.1e}", flush=True)
    print(f"largest {worst:.1e}, at most {arguments.limit:g}")
    sys.exit(not worst <= arguments.limit)


if __name__ == "__main__":
    main()
