#!/usr/bin/env python3
"""What pretrained weights are worth on a small set of photographs: EfficientNet-Lite0 on 5,000 of CIFAR-10's images at 96².

    python3 Benchmarks/small_set.py FOLDER WEIGHTS [--minutes 10] [--images 5000] [--resin PROGRAM]

FOLDER is CIFAR-10 as images (train/CLASS/*.jpg and test/CLASS/*.jpg), WEIGHTS the safetensors file of EfficientNet-Lite0 under its
own names. Three trainings, one after another, each for so many minutes on the same threads: Resin from the weights, Resin from
its own initial values, PyTorch from the weights. Each first times an epoch, then takes as many epochs as fit, with the same
recipe: SGD with Nesterov momentum 0.9, weight decay 1e-4, batches of 32, one epoch of warm-up and then a cosine; crops of a
random size and place, mirrored half the time. From initial values the rate is ten times as large. The accuracies are the last
weights' on all test images, centre crops of 0.875. Needs torch, torchvision and safetensors (Benchmarks/requirements.txt).
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import tempfile
import time

from measure import ROOT, Failure, limit_threads

CLASSES, SIDE, BATCH = 10, 96, 32
# The network's own: (x − 127) / 128.
MEAN, DEVIATION = 127 / 255, 128 / 255
RATE, SCRATCH_RATE = 0.02, 0.2
MOMENTUM, DECAY = 0.9, 1e-4


def make_subset(source, folder, count):
    """The first so many of each class, as links; all test images."""
    for part, most in [("train", count // CLASSES), ("test", None)]:
        for label in sorted(path for path in (source / part).iterdir() if path.is_dir()):
            place = folder / part / label.name
            place.mkdir(parents=True)
            for file in sorted(label.iterdir())[:most]:
                os.symlink(file.resolve(), place / file.name)


def epochs_in(seconds, trained_seconds):
    """How many epochs of `trained_seconds` fit, at least two: one of them warms up."""
    return max(2, math.floor(seconds / trained_seconds))


class Resin:
    def __init__(self, program, folder, weights, out):
        self.program, self.folder, self.out = program, folder, out
        self.name = f"Resin, from {'the weights' if weights else 'initial values'}"
        self.weights = ["--weights", weights] if weights else []
        self.rate = RATE if weights else SCRATCH_RATE

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"resin {arguments[0]} gives {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def train(self, epochs):
        """Seconds of its epochs, and of the whole."""
        run = self.out / f"{epochs}-{len(self.weights)}"
        before = time.perf_counter()
        self.run(
            "train", "efficientnet_lite0", "--data", self.folder, "--resize", SIDE, "--batch", BATCH, "--epochs", epochs,
            "--optimizer", "sgd", "--nesterov", "--momentum", MOMENTUM, "--weight-decay", DECAY, "--lr", self.rate,
            "--schedule", "cosine", "--warmup-epochs", 1, "--augment", "random-resized-crop,flip", "--eval-crop", 0.875,
            "--mean", MEAN, "--std", DEVIATION, "--limit-test", 10, "--progress", "none", "--out", run, *self.weights)
        whole = time.perf_counter() - before
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [row["seconds"] for row in rows], whole, run

    def result(self, minutes):
        # The first epoch compiles kernels.
        each = self.train(2)[0][-1]
        epochs = epochs_in(60 * minutes, each)
        _, whole, run = self.train(epochs)
        accuracy = json.loads(self.run("evaluate", run / "last.safetensors", "--data", self.folder, "--json"))["accuracy"]
        return epochs, whole, accuracy


def efficientnet_lite0():
    """Tan and Le (ICML 2019) without squeeze and excitation, with TensorFlow's padding; named as the file is."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Convolution(nn.Conv2d):
        """Padded as TensorFlow's "SAME": the smaller half before."""

        def forward(self, x):
            pads = []
            for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
                pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                pads += [pad // 2, pad - pad // 2]
            return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, 1, self.groups)

    def norm(channels):
        return nn.BatchNorm2d(channels, eps=1e-3)

    class Block(nn.Module):
        def __init__(self, inputs, outputs, kernel, stride, expansion):
            super().__init__()
            hidden = inputs * expansion
            if expansion > 1:
                self._expand_conv, self._bn0 = Convolution(inputs, hidden, 1, bias=False), norm(hidden)
            self._depthwise_conv = Convolution(hidden, hidden, kernel, stride, groups=hidden, bias=False)
            self._bn1 = norm(hidden)
            self._project_conv, self._bn2 = Convolution(hidden, outputs, 1, bias=False), norm(outputs)
            self.expands, self.is_residual = expansion > 1, stride == 1 and inputs == outputs

        def forward(self, x):
            y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
            y = F.relu6(self._bn1(self._depthwise_conv(y)))
            y = self._bn2(self._project_conv(y))
            return x + y if self.is_residual else y

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self._conv_stem, self._bn0 = Convolution(3, 32, 3, 2, bias=False), norm(32)
            self._blocks = nn.ModuleList()
            inputs = 32
            for repeats, kernel, stride, expansion, outputs in [
                (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
                (1, 3, 1, 6, 320)]:  # fmt: skip
                for number in range(repeats):
                    self._blocks.append(Block(inputs, outputs, kernel, stride if number == 0 else 1, expansion))
                    inputs = outputs
            self._conv_head, self._bn1 = Convolution(320, 1280, 1, bias=False), norm(1280)
            self._dropout = nn.Dropout(0.2)
            self._fc = nn.Linear(1280, CLASSES)

        def forward(self, x):
            x = F.relu6(self._bn0(self._conv_stem(x)))
            for block in self._blocks:
                x = block(x)
            x = F.relu6(self._bn1(self._conv_head(x)))
            return self._fc(self._dropout(x.mean((2, 3))))

    return Network()


class PyTorch:
    name = "PyTorch, from the weights"

    def __init__(self, folder, weights, threads):
        import torch
        from torchvision import datasets, transforms

        torch.set_num_threads(threads)
        self.weights = weights
        normalise = [transforms.ToTensor(), transforms.Normalize([MEAN] * 3, [DEVIATION] * 3)]
        parts = {
            "train": [transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip()],
            "test": [transforms.Resize(round(SIDE / 0.875)), transforms.CenterCrop(SIDE)]}  # fmt: skip
        self.images = {
            part: torch.utils.data.DataLoader(
                datasets.ImageFolder(folder / part, transforms.Compose([*change, *normalise])), BATCH, shuffle=part == "train",
                num_workers=threads, drop_last=part == "train", persistent_workers=True)
            for part, change in parts.items()}  # fmt: skip

    def train(self, epochs):
        import torch
        from safetensors.torch import load_file

        torch.manual_seed(0)
        network = efficientnet_lite0().to(memory_format=torch.channels_last)
        kept = {name: value for name, value in load_file(self.weights).items() if not name.startswith("_fc.")}
        missing = network.load_state_dict(kept, strict=False)
        if missing.unexpected_keys or any(not name.startswith("_fc.") and "num_batches" not in name for name in missing.missing_keys):
            raise Failure(f"the weights do not fit PyTorch's network: {missing}")
        optimizer = torch.optim.SGD(
            network.parameters(), RATE, MOMENTUM, weight_decay=DECAY, nesterov=True, fused=True)
        steps = len(self.images["train"])
        warm, whole = steps, steps * epochs

        def factor(step):
            return (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(whole - warm, 1)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        seconds = []
        for _ in range(epochs):
            before = time.perf_counter()
            for images, labels in self.images["train"]:
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(images.contiguous(memory_format=torch.channels_last)), labels)
                loss.backward()
                optimizer.step()
                schedule.step()
            seconds.append(time.perf_counter() - before)
        return seconds, network

    def result(self, minutes):
        import torch

        each = self.train(2)[0][-1]
        epochs = epochs_in(60 * minutes, each)
        before = time.perf_counter()
        _, network = self.train(epochs)
        whole = time.perf_counter() - before
        network.eval()
        with torch.inference_mode():
            hits = sum((network(images).argmax(1) == labels).sum().item() for images, labels in self.images["test"])
        return epochs, whole, hits / len(self.images["test"].dataset)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("--resin", default=ROOT / ".build/release/resin", metavar="PROGRAM")
    parser.add_argument("--minutes", type=float, default=10, metavar="N")
    parser.add_argument("--images", type=int, default=5000, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_subset(arguments.folder, folder / "images", arguments.images)
        print(f"EfficientNet-Lite0, {arguments.images:,} images at {SIDE}², {arguments.minutes:g} minutes of training on "
              f"{arguments.threads} threads", flush=True)
        print(f"{'':34}{'epochs':>8}{'seconds':>9}{'test accuracy':>16}", flush=True)
        for program in [
            Resin(arguments.resin, folder / "images", arguments.weights, folder),
            Resin(arguments.resin, folder / "images", None, folder),
            PyTorch(folder / "images", arguments.weights, arguments.threads)]:  # fmt: skip
            epochs, seconds, accuracy = program.result(arguments.minutes)
            print(f"{program.name:34}{epochs:8}{seconds:9.0f}{100 * accuracy:14.2f} %", flush=True)


if __name__ == "__main__":
    main()
