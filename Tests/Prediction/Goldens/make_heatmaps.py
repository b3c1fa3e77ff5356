#!/usr/bin/env python3
"""Grad-CAM by PyTorch's automatic differentiation, in float64, of small networks: heatmaps.json.

    python3 Tests/Prediction/Goldens/make_heatmaps.py

The map of class c is max(Σ αₖ Aₖ, 0), αₖ the mean over the pixels of the gradient of the logit c with respect to channel k
of the layer's output A (Selvaraju et al., ICCV 2017). Weights and images are random; both are in the file.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """A residual block with batch norm, and a max pooling behind it."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


class Pooled(nn.Module):
    """Ends in a global average; `first` has everything behind it that a gradient has to go through."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.block = Block(8)
        self.last = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x, seen):
        x = seen("first", self.first(x))
        x = F.max_pool2d(F.relu(self.norm(x)), 2)
        x = seen("block", self.block(x))
        x = F.avg_pool2d(x, 2)
        x = seen("relu", F.relu(self.last(x)))
        return self.fc(x.mean((2, 3)))


class Flattened(nn.Module):
    """Ends in dense layers, whose first reads a flattened image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 5, padding=2)
        self.fc1 = nn.Linear(6 * 5 * 5, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, x, seen):
        x = seen("pool", F.max_pool2d(torch.sigmoid(self.conv(x)), 4))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def heatmap(network, image, layer, label):
    kept = {}

    def seen(name, value):
        kept[name] = value
        return value

    logits = network(image, seen)
    gradient = torch.autograd.grad(logits[0, label], kept[layer])[0]
    return F.relu((gradient.mean((2, 3), keepdim=True) * kept[layer]).sum(1))[0]


def main():
    torch.manual_seed(3)
    result = {"networks": {}, "maps": []}
    pixels = torch.randint(0, 256, (20, 20, 3))
    result["pixels"] = pixels.flatten().tolist()
    image = ((pixels.double() / 255 - 0.5) / 0.25).permute(2, 0, 1)[None]
    for name, network, layers in [
        ("pooled", Pooled(), ["relu", "block", "first"]), ("flattened", Flattened(), ["pool"])]:  # fmt: skip
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.3)
                nn.init.normal_(module.bias, 0, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
        # What single precision holds.
        state = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}
        result["networks"][name] = {
            key: {"shape": list(value.shape), "values": value.flatten().tolist()} for key, value in state.items()}
        network.double().eval()
        for layer in layers:
            for label in range(5):
                values = heatmap(network, image, layer, label)
                result["maps"].append({
                    "network": name, "layer": layer, "label": label, "height": values.shape[0],
                    "width": values.shape[1], "values": values.flatten().tolist()})  # fmt: skip
    path = pathlib.Path(__file__).parent / "heatmaps.json"
    path.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
