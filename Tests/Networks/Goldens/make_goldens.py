"""What PyTorch computes in float64 for every network of the zoo: goldens.json.

    python3 Tests/Networks/Goldens/make_goldens.py [NAME…]

With names, only theirs are made anew. Nothing is exchanged but that file: images and weights are a function of their
name and place (`values`) here and in NetworkGolden.swift. Of each gradient it keeps the sum, the sum of absolute
values, the largest and 8 elements, of the loss and the logits everything. The modules are in networks.py. Needs PyTorch, torchvision
and NumPy. Prints how far PyTorch's own float32 is from its float64, which is what the tests' tolerances follow from.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from networks import (
    DenseNet121, InceptionMNIST, ResidualMNIST, TorchvisionAlexNet, TorchvisionGoogLeNet, TorchvisionResNet, alexnet,
    book_resnet, densenet, googlenet, lenet, nin, vgg)  # fmt: skip

BATCH, SAMPLES = 2, 8


def split_mix(counter):
    word = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def fingerprint(name):
    """FNV-1a."""
    result = 0xCBF29CE484222325
    for byte in name.encode():
        result = (result ^ byte) * 0x100000001B3 % 2**64
    return result


def values(name, shape, centre=0.0, radius=1.0):
    """centre + radius · u with u uniform in −1 ..< 1, rounded to float32."""
    words = split_mix(np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) + np.uint64(fingerprint(name)))
    unit = (words >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1
    return torch.from_numpy((centre + radius * unit).astype(np.float32).reshape(shape))


def fill(network):
    """Filters of variance 2 / fan-in, so that activations neither vanish nor grow."""
    scales = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm))}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("layer_scale"):
            centre, radius = 0.5, 0.125
        elif name in scales or name.endswith("running_var"):
            centre, radius = 1.0, 0.25
        elif tensor.ndim > 1:
            centre, radius = 0.0, (6 / tensor[0].numel()) ** 0.5
        else:
            centre, radius = 0.0, 0.125
        tensor.copy_(values(name, tuple(tensor.shape), centre, radius))


def torchvisions(name, **settings):
    return lambda _: getattr(torchvision.models, name)(num_classes=10, **settings)


# The cases of NetworkGolden.swift: name, channels, side, module.
CASES = [
    ("lenet", 1, 28, lenet),
    ("alexnet", 1, 65, alexnet),
    ("alexnet, torchvision", 3, 224, TorchvisionAlexNet),
    ("nin", 1, 67, nin),
    ("nin, one 1×1, third block 256 wide, global maximum, no final ReLU", 3, 67,
     lambda channels: nin(channels, 1, 256, nn.AdaptiveMaxPool2d, False)),
    ("vgg11", 1, 32, lambda channels: vgg(channels, (1, 1, 2, 2, 2))),
    ("vgg16", 3, 32, lambda channels: vgg(channels, (2, 2, 3, 3, 3))),
    ("googlenet", 1, 32, googlenet),
    ("googlenet, torchvision", 3, 96, TorchvisionGoogLeNet),
    ("inception-mnist", 1, 28, lambda _: InceptionMNIST()),
    ("residual-mnist", 1, 28, lambda _: ResidualMNIST("identity")),
    ("residual-mnist, constant-scaling", 1, 28, lambda _: ResidualMNIST("constant-scaling")),
    ("residual-mnist, conv", 1, 28, lambda _: ResidualMNIST("conv")),
    ("resnet18", 1, 64, lambda channels: book_resnet(channels, (2, 2, 2, 2))),
    ("resnet18, torchvision", 3, 64, lambda channels: TorchvisionResNet(channels, (2, 2, 2, 2), False)),
    ("resnet34", 1, 64, lambda channels: book_resnet(channels, (3, 4, 6, 3))),
    ("resnet34, torchvision", 3, 64, lambda channels: TorchvisionResNet(channels, (3, 4, 6, 3), False)),
    ("resnet50", 3, 64, lambda channels: TorchvisionResNet(channels, (3, 4, 6, 3), True)),
    ("densenet", 1, 64, densenet),
    ("densenet121", 3, 64, DenseNet121),
    ("squeezenet1_0", 3, 64, torchvisions("squeezenet1_0", dropout=0)),
    ("squeezenet1_1", 3, 64, torchvisions("squeezenet1_1", dropout=0)),
    ("inception_v3", 3, 123, torchvisions("inception_v3", dropout=0, aux_logits=False, init_weights=False)),
    ("resnext50_32x4d", 3, 64, torchvisions("resnext50_32x4d")),
    ("mobilenet_v2", 3, 64, torchvisions("mobilenet_v2", dropout=0)),
    ("shufflenet_v2_x1_0", 3, 64, torchvisions("shufflenet_v2_x1_0")),
    ("mnasnet1_0", 3, 64, torchvisions("mnasnet1_0", dropout=0)),
    ("mobilenet_v3_small", 3, 64, torchvisions("mobilenet_v3_small", dropout=0)),
    ("mobilenet_v3_large", 3, 64, torchvisions("mobilenet_v3_large", dropout=0)),
    ("efficientnet_b0", 3, 64, torchvisions("efficientnet_b0", dropout=0, stochastic_depth_prob=0)),
    ("efficientnet_v2_s", 3, 64, torchvisions("efficientnet_v2_s", dropout=0, stochastic_depth_prob=0)),
    ("regnet_y_400mf", 3, 64, torchvisions("regnet_y_400mf")),
    ("regnet_x_400mf", 3, 64, torchvisions("regnet_x_400mf")),
    ("convnext_tiny", 3, 64, torchvisions("convnext_tiny", stochastic_depth_prob=0)),
]

# With the others' images, a ReLU or a maximum of these is so close to its switch that rounding decides.
IMAGES = {"googlenet": "i2", "googlenet, torchvision": "i3", "resnet34, torchvision": "i2", "inception_v3": "i3",
          "mobilenet_v3_small": "i2"}


def run(network, images, training):
    """Logits, loss and, in training, the gradients by name."""
    network.train(training)
    network.zero_grad()
    logits = network(images)
    loss = F.cross_entropy(logits, (3 * torch.arange(BATCH) + 1) % 10)
    gradients = {}
    if training:
        loss.backward()
        gradients = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    return logits.detach(), loss.item(), gradients


def rounded(value):
    return float(f"{float(value):.7g}")


def summary(tensor):
    flat = tensor.reshape(-1).double().numpy()
    places = split_mix(np.arange(1, SAMPLES + 1, dtype=np.uint64)) % np.uint64(len(flat))
    return [rounded(flat.sum()), rounded(np.abs(flat).sum()), rounded(np.abs(flat).max()),
            *(rounded(flat[int(place)]) for place in places)]  # fmt: skip


def deviation(single, double):
    largest = max(gradient.abs().max().item() for gradient in double[2].values())
    errors = [(single[0] - double[0]).abs().max().item() / double[0].abs().max().item()]
    for name, gradient in double[2].items():
        scale = max(gradient.abs().max().item(), 1e-2 * largest)
        errors.append((single[2][name] - gradient).abs().max().item() / scale)
    return max(errors)


def main():
    path = pathlib.Path(__file__).with_name("goldens.json")
    known = json.loads(path.read_text()) if sys.argv[1:] else {}
    result = {}
    for name, channels, side, make in CASES:
        if name in known and name not in sys.argv[1:]:
            result[name] = known[name]
            continue
        network = make(channels)
        fill(network)
        images = values(IMAGES.get(name, "images"), (BATCH, channels, side, side))
        # Training moves the running statistics, so prediction comes first.
        single = run(network, images, False), run(network, images, True)
        fill(network)
        network.double()
        inference, training = run(network, images.double(), False), run(network, images.double(), True)
        print(f"{name}: float32 is off by {deviation(single[1], training):.1e}")
        mode = lambda out: {"logits": [rounded(value) for value in out[0].reshape(-1)], "loss": rounded(out[1])}
        result[name] = {
            "training": mode(training), "inference": mode(inference),
            "state": {key: list(tensor.shape) for key, tensor in network.state_dict().items()
                      if not key.endswith("num_batches_tracked")},
            "gradients": {key: summary(gradient) for key, gradient in training[2].items()},
        }  # fmt: skip
    path.write_text(lines(result, depth=3) + "\n")


def lines(value, depth):
    """JSON with a line a tensor, so that a difference shows which."""
    if depth == 0 or not isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    rows = [f"{json.dumps(key, ensure_ascii=False)}: {lines(entry, depth - 1)}" for key, entry in value.items()]
    return "{\n" + ",\n".join(rows) + "\n}"


if __name__ == "__main__":
    main()
