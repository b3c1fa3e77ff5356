#!/usr/bin/env python3
"""PyTorch on the recipes of the small MNIST networks: what accuracy a seed gives there, beside Resin's.

    .build/benchmark-python/bin/python Benchmarks/recipes_peer.py RECIPE DATA_DIR SEED…

RECIPE is a file of Examples/recipes that trains residual-mnist or inception-mnist by SGD at a constant rate from PyTorch's
initialisation; DATA_DIR holds `mnist`. Prints a line an epoch: seed, epoch, training loss, test accuracy in per cent.
"""

import gzip
import json
import pathlib
import sys

import numpy
import torch

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[1] / "Tests/Networks/Goldens"))
import networks  # noqa: E402


def load(folder, part):
    def values(name, offset):
        data = gzip.decompress((folder / f"{part}-{name}-ubyte.gz").read_bytes())
        return torch.from_numpy(numpy.frombuffer(data, numpy.uint8, offset=offset).copy())

    labels = values("labels-idx1", 8).long()
    return values("images-idx3", 16).view(len(labels), 1, 28, 28), labels


def make_network(recipe):
    if recipe["network"] == "inception-mnist":
        return networks.InceptionMNIST()
    return networks.ResidualMNIST(recipe.get("shortcut", "identity"))


def train(recipe, seed, images, labels, test_images, test_labels):
    torch.manual_seed(seed)
    network = make_network(recipe)
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe["lr"], momentum=recipe["momentum"])
    for epoch in range(1, recipe["epochs"] + 1):
        total = 0.0
        # The last batch too, though it is smaller.
        for batch in torch.randperm(len(labels)).split(recipe["batch"]):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        with torch.inference_mode():
            right = sum(
                (network(some).argmax(1) == which).sum().item()
                for some, which in zip(test_images.split(1000), test_labels.split(1000)))
        yield epoch, total / len(labels), 100 * right / len(test_labels)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    recipe = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2]) / recipe["data"]
    sets = []
    for part in ["train", "t10k"]:
        images, labels = load(folder, part)
        sets += [(images.float() / 255 - recipe["mean"][0]) / recipe["std"][0], labels]
    for seed in map(int, sys.argv[3:]):
        for epoch, loss, accuracy in train(recipe, seed, *sets):
            print(f"seed {seed}, epoch {epoch}: loss {loss:.4f}, {accuracy:.2f} %", flush=True)


if __name__ == "__main__":
    main()
