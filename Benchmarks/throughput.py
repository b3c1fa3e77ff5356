#!/usr/bin/env python3
"""Training throughput of Resin beside PyTorch's on the same processor, alternating in one run.

    python3 Benchmarks/throughput.py [--resin .build/release/resin] [--rounds 3] [--work NAME ...]

A step is forward, backward and SGD with momentum 0.9, float32, on 2 threads. PyTorch runs with contiguous (NCHW)
and channels_last tensors and the better one counts. Every figure is the median over the rounds; each round times
Resin and both layouts one after the other, so that noise on a shared machine meets all of them.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

sys.dont_write_bytecode = True


def nin(channels, classes):
    def block(inputs, outputs, kernel, stride, padding):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 1), nn.ReLU(), nn.Conv2d(outputs, outputs, 1), nn.ReLU())
    return nn.Sequential(
        block(channels, 96, 11, 4, 0), nn.MaxPool2d(3, 2), block(96, 256, 5, 1, 2), nn.MaxPool2d(3, 2),
        block(256, 384, 3, 1, 1), nn.MaxPool2d(3, 2), nn.Dropout(0.5), block(384, classes, 3, 1, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Residual(nn.Module):
    def __init__(self, inputs, channels, stride=1, projects=False):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv3 = nn.Conv2d(inputs, channels, 1, stride) if projects else None
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.conv3(x) if self.conv3 else x))


def resnet18(channels, classes):
    layers = [nn.Sequential(nn.Conv2d(channels, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))]
    for inputs, outputs in ((64, 64), (64, 128), (128, 256), (256, 512)):
        first = inputs == outputs
        layers.append(nn.Sequential(
            Residual(inputs, outputs, 1 if first else 2, not first), Residual(outputs, outputs)))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


NETWORKS = {"nin": nin, "resnet18": resnet18}
WORK = {
    "nin-96": ("nin", 96, 128), "nin-224": ("nin", 224, 32),
    "resnet18-96": ("resnet18", 96, 64), "resnet18-224": ("resnet18", 224, 16),
}


class TorchStep:
    """One training step in PyTorch, timed."""

    def __init__(self, network, side, batch, memory_format):
        torch.manual_seed(0)
        self.model = NETWORKS[network](1, 10).to(memory_format=memory_format)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.001, momentum=0.9)
        self.x = torch.randn(batch, 1, side, side).contiguous(memory_format=memory_format)
        self.labels = torch.randint(0, 10, (batch,))
        self.batch = batch
        self.run(2)

    def run(self, steps):
        """Images a second, the median of some steps."""
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.x), self.labels).backward()
            self.optimizer.step()
            times.append(time.perf_counter() - start)
        return self.batch / statistics.median(times)


def resin_step(program, network, side, batch, steps):
    command = [program, "bench", network, "--input", f"1x{side}x{side}", "--batch", str(batch),
               "--steps", str(steps), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin", default=".build/release/resin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--work", nargs="*", default=list(WORK), choices=list(WORK))
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; PyTorch {torch.__version__}")
    print(f"{'work':14}{'batch':>6}{'resin':>10}{'NCHW':>10}{'ch. last':>10}{'ratio':>8}   images/s, medians")
    for name in arguments.work:
        network, side, batch = WORK[name]
        peers = [TorchStep(network, side, batch, f) for f in (torch.contiguous_format, torch.channels_last)]
        rounds = []
        for _ in range(arguments.rounds):
            resin = resin_step(arguments.resin, network, side, batch, arguments.steps)["images_per_second"]
            rounds.append((resin, *(peer.run(arguments.steps) for peer in peers)))
        resin, contiguous, channels_last = (statistics.median(column) for column in zip(*rounds))
        ratio = statistics.median(r[0] / max(r[1:]) for r in rounds)
        print(f"{name:14}{batch:6}{resin:10.1f}{contiguous:10.1f}{channels_last:10.1f}{ratio:8.2f}", flush=True)


if __name__ == "__main__":
    main()
