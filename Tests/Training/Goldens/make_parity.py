"""What PyTorch computes in float64 from the same weights, batches and settings as Resin: parity.json.

    python3 Tests/Training/Goldens/make_parity.py

Nothing is exchanged but that file: weights, images, labels and the order of the images come out of Philox
here as they do in Resin. Needs PyTorch, torchvision and NumPy; takes a minute.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

sys.path.append(str(pathlib.Path(__file__).parents[2] / "Networks/Goldens"))
sys.path.append(str(pathlib.Path(__file__).parents[2] / "Operators/Goldens"))
from networks import book_resnet, nin  # noqa: E402
from timm_optimizers import Lamb, Lion  # noqa: E402

INITIALISATION, SHUFFLING, BYTES = 0x9E370001, 0x9E370002, 0x9E370005
SEED = 42
MEAN, DEVIATION = 0.5, 0.25
RESNET18 = (2, 2, 2, 2)


def philox(key, counters):
    """Philox4x32-10 (Salmon et al., SC 2011) of a `[n, 4]` array of counters."""
    x, y, z, w = (counters[:, i].astype(np.uint64) for i in range(4))
    low, key = np.uint64(0xFFFFFFFF), [key[0], key[1]]
    for _ in range(10):
        first, second = x * np.uint64(0xD2511F53), z * np.uint64(0xCD9E8D57)
        x, y = (second >> np.uint64(32)) ^ y ^ np.uint64(key[0]), second & low
        z, w = (first >> np.uint64(32)) ^ w ^ np.uint64(key[1]), first & low
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack([x, y, z, w], axis=1).astype(np.uint32)


def words(count, stream, *rest, seed=SEED):
    """Words of the counters (0, rest…), (1, rest…), …"""
    blocks = -(-count // 4)
    counters = np.zeros((blocks, 4), np.uint32)
    counters[:, 0] = np.arange(blocks)
    counters[:, 1 : 1 + len(rest)] = rest
    return philox((seed & 0xFFFFFFFF ^ stream, seed >> 32), counters).reshape(-1)[:count]


def uniform(count, index, bound):
    unit = (words(count, INITIALISATION, index) >> np.uint32(8)).astype(np.float64) * 2.0**-24
    return (2 * unit - 1) * bound


def normal(count, index, deviation):
    unit = (words(count + count % 2, INITIALISATION, index).astype(np.float64) + 0.5) * 2.0**-32
    radius, angle = deviation * np.sqrt(-2 * np.log(unit[0::2])), 2 * np.pi * unit[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]


def initialise(network, image, method):
    """Resin's initialisers. Parameters are numbered in the order in which their layers are applied."""
    applied, hooks = [], []
    for module in network.modules():
        if next(module.parameters(recurse=False), None) is not None:
            hooks.append(module.register_forward_hook(lambda module, *_: applied.append(module)))
    network.eval()(image)
    for hook in hooks:
        hook.remove()
    index = 0
    for module in applied:
        for name, parameter in module.named_parameters(recurse=False):
            values = np.full(parameter.numel(), 1.0 if name == "weight" else 0.0)
            if parameter.ndim > 1:
                fan_in, fan_out = parameter[0].numel(), parameter[:, 0].numel()
                if method == "kaiming":
                    values = normal(parameter.numel(), index, (2 / fan_in) ** 0.5)
                elif method == "xavier":
                    values = uniform(parameter.numel(), index, (6 / (fan_in + fan_out)) ** 0.5)
                else:
                    values = uniform(parameter.numel(), index, (1 / fan_in) ** 0.5)
            elif method == "default" and not isinstance(module, nn.BatchNorm2d):
                values = uniform(parameter.numel(), index, (1 / module.weight[0].numel()) ** 0.5)
            # Weights are stored in single precision.
            values = values.astype(np.float32).reshape(parameter.shape)
            parameter.data = torch.from_numpy(values).to(parameter.dtype)
            index += 1


def images(count, channels, side):
    """Random bytes, normalised, and labels 0, 1, …, 9, 0, …"""
    size = count * side * side * channels
    pixels = words(-(-size // 4), BYTES, seed=1).view(np.uint8)[:size]
    pixels = pixels.reshape(count, side, side, channels).transpose(0, 3, 1, 2)
    return (torch.from_numpy(pixels.astype(np.float64)) / 255 - MEAN) / DEVIATION, torch.arange(count) % 10


def order(count, epoch):
    """Fisher and Yates's shuffle."""
    result = list(range(count))
    counters = np.zeros((count, 4), np.uint32)
    counters[:, 0], counters[:, 1] = np.arange(count), epoch
    drawn = philox((SEED ^ SHUFFLING, 0), counters)[:, 0]
    for last in range(count - 1, 0, -1):
        other = (int(drawn[last]) * (last + 1)) >> 32
        result[last], result[other] = result[other], result[last]
    return result


def small():
    """Every optimizer's: odd sizes, three channels, a flattened image before a dense layer."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 10))  # fmt: skip


def normed():
    """The same with a batch norm, whose running statistics are averaged, too."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 10))  # fmt: skip


def sets(labels):
    """Several classes of an image, or none."""
    k, c = labels[:, None], torch.arange(10)
    return ((7 * k + 3 * c + k * c) % 4 == 0).double()


CLASS_WEIGHTS = 0.5 + torch.arange(10, dtype=torch.float64) / 4


def binary(weights=None, focal=None):
    def loss(logits, labels):
        targets = sets(labels)
        if focal:
            return sigmoid_focal_loss(logits, targets, gamma=focal[0], alpha=focal[1], reduction="mean")
        return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
    return loss


def backward_by_shards(network, loss_of, x, labels, shards):
    """Each shard's batch norm sees itself alone, and begins with the last step's running statistics; their mean is kept."""
    before = [buffer.clone() for buffer in network.buffers()]
    sums, total = [torch.zeros_like(buffer, dtype=torch.float64) for buffer in before], 0
    for part, own in zip(x.chunk(shards), labels.chunk(shards)):
        for buffer, value in zip(network.buffers(), before):
            buffer.data.copy_(value)
        loss = loss_of(network(part), own) / shards
        loss.backward()
        total += loss
        for buffer, value in zip(sums, network.buffers()):
            buffer += value
    for buffer, value in zip(network.buffers(), sums):
        buffer.data.copy_(value / shards)
    return total


def train(network, method, channels, side, count, batch, steps, optimizer, schedule=None, clip=None, ema=None,
          loss_of=F.cross_entropy, test_loss=F.cross_entropy, shards=1, frozen=0):
    """One step's loss after another, with the rate that it was taken at; the loss of all images in evaluation mode, of the
    weights' moving average, too, where there is one; and the last layer's bias.

    `schedule` makes a pair of functions, called after each step and, with the evaluation's loss, after each epoch."""
    x, labels = images(count, channels, side)
    network = network.double()
    initialise(network, x[:1], method)
    fixed = list(network)[:frozen]

    def begin():
        network.train()
        for module in fixed:
            module.eval().requires_grad_(False)

    begin()
    update = optimizer(network if optimizer.__code__.co_varnames[0] == "network" else network.parameters())
    after_step, after_epoch = schedule(update) if schedule else (None, None)
    averages = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(ema), use_buffers=True) if ema else None
    losses, rates = [], []

    def evaluate(network):
        network.eval()
        with torch.no_grad():
            return test_loss(network(x), labels).item()

    for step in range(steps):
        epoch, slot = divmod(step, count // batch)
        picked = order(count, epoch + 1)[slot * batch : (slot + 1) * batch]
        update.zero_grad()
        loss = backward_by_shards(network, loss_of, x[picked], labels[picked], shards)
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        rates.append(update.param_groups[0]["lr"])
        update.step()
        losses.append(loss.item())
        if averages:
            averages.update_parameters(network)
        if after_step:
            after_step()
        if after_epoch and slot == count // batch - 1:
            after_epoch(evaluate(network))
            begin()
    result = {"losses": losses, "evaluation": evaluate(network), "bias": list(network.parameters())[-1].tolist()}
    if schedule:
        result["rates"] = rates
    if averages:
        result["averaged"] = evaluate(averages)
    return result


def sgd(rate, momentum=0.9, **settings):
    return lambda parameters: torch.optim.SGD(parameters, lr=rate, momentum=momentum, **settings)


def adam(rate, weight_decay, kind=torch.optim.Adam):
    return lambda parameters: kind(parameters, lr=rate, weight_decay=weight_decay)


def tiny(optimizer):
    return train(small(), "default", 3, 8, 10, 5, 5, optimizer)


def twenty(optimizer, network=small, **more):
    """Ten epochs of two steps."""
    return train(network(), "default", 3, 8, 10, 5, 20, optimizer, **more)


def rmsprop(rate, **settings):
    return lambda parameters: torch.optim.RMSprop(parameters, lr=rate, **settings)


def by_step(make):
    return lambda optimizer: (make(optimizer).step, None)


def by_epoch(make):
    """PyTorch's schedulers by epoch take no loss, but for that of plateaus."""
    def schedule(optimizer):
        made = make(optimizer)
        takes_loss = isinstance(made, torch.optim.lr_scheduler.ReduceLROnPlateau)
        return None, lambda loss: made.step(loss) if takes_loss else made.step()
    return schedule


def by_layer(make, rate, decay, head_rate=None, layer_decay=1.0, filters_only=False):
    """Parameter groups: the last layer with filters is the head, and here all before it is one block."""
    def optimizer(network):
        head = list(network)[-1]
        return make([
            {"params": [p], "lr": (head_rate or rate) if any(p is q for q in head.parameters()) else rate * layer_decay,
             "weight_decay": 0.0 if filters_only and p.ndim == 1 else decay} for p in network.parameters()])
    return optimizer


def long_runs():
    schedulers = torch.optim.lr_scheduler
    runs = {
        "sgd": twenty(sgd(0.1, momentum=0)),
        "momentum": twenty(sgd(0.02)),
        "nesterov, weight decay": twenty(sgd(0.02, nesterov=True, weight_decay=0.01)),
        "adam": twenty(adam(0.003, 0)),
        "adam, other settings": twenty(
            lambda parameters: torch.optim.Adam(parameters, lr=0.003, betas=(0.8, 0.95), eps=1e-4)),
        "adamw": twenty(adam(0.003, 0.1, torch.optim.AdamW)),
        "rmsprop": twenty(rmsprop(0.001)),
        "rmsprop, momentum": twenty(rmsprop(0.0005, alpha=0.9, eps=1e-6, momentum=0.5, weight_decay=0.01)),
        "lamb": twenty(lambda parameters: Lamb(parameters, lr=0.01)),
        "lamb, no decay": twenty(lambda parameters: Lamb(parameters, lr=0.003, weight_decay=0)),
        "lion": twenty(lambda parameters: Lion(parameters, lr=0.001)),
        "lion, weight decay": twenty(lambda parameters: Lion(parameters, lr=0.001, betas=(0.8, 0.95), weight_decay=0.1)),
        "clip": twenty(sgd(0.05), clip=0.5),
        "clip, adamw": twenty(adam(0.003, 0.1, torch.optim.AdamW), clip=0.1),
        "warm-up by steps": twenty(
            sgd(0.05), schedule=by_step(lambda o: schedulers.LinearLR(o, 1 / 5, total_iters=4))),
        "multistep": twenty(sgd(0.05), schedule=by_epoch(lambda o: schedulers.MultiStepLR(o, [3, 6]))),
        "cosine": twenty(
            sgd(0.05), schedule=by_step(lambda o: schedulers.CosineAnnealingLR(o, 20, eta_min=0.005))),
        "cosine, restarts": twenty(
            sgd(0.05), schedule=by_step(lambda o: schedulers.CosineAnnealingWarmRestarts(o, 6, eta_min=0.005))),
        "one-cycle": twenty(
            sgd(0.05), schedule=by_step(lambda o: schedulers.OneCycleLR(o, 0.05, 20, cycle_momentum=False))),
        "plateau": twenty(
            sgd(0.1, weight_decay=0.2), schedule=by_epoch(lambda o: schedulers.ReduceLROnPlateau(o, patience=0, min_lr=0.002))),
        "ema": twenty(sgd(0.02), ema=0.9),
        "ema, batch norm": twenty(sgd(0.02), normed, ema=0.9),
        "head rate": twenty(by_layer(lambda groups: torch.optim.SGD(groups, momentum=0.9), 0.01, 0.1, head_rate=0.05)),
        "layer decay": twenty(by_layer(torch.optim.AdamW, 0.003, 0.1, layer_decay=0.5)),
        "decay of filters": twenty(
            by_layer(lambda groups: torch.optim.SGD(groups, momentum=0.9), 0.02, 0.3, filters_only=True), normed),
        "binary": twenty(sgd(0.05), loss_of=binary(), test_loss=binary()),
        "binary, weights": twenty(sgd(0.05), loss_of=binary(CLASS_WEIGHTS), test_loss=binary()),
        "focal": twenty(sgd(0.05), loss_of=binary(focal=(2, 0.25)), test_loss=binary()),
        "class weights": twenty(sgd(0.02), loss_of=lambda logits, labels: F.cross_entropy(
            logits, labels, CLASS_WEIGHTS, label_smoothing=0.1)),
        "mean of shards": twenty(sgd(0.02), shards=5),
        "shards, batch norm": twenty(sgd(0.02), normed, shards=5),
        "frozen batch norm": twenty(sgd(0.02), normed, frozen=2),
        "lamb, decay of filters": twenty(by_layer(Lamb, 0.01, 0.1, filters_only=True), normed),
    }
    return {f"20 steps, {name}": run for name, run in runs.items()}


def shapes(network):
    return {name: list(tensor.shape) for name, tensor in network.state_dict().items()}


def main():
    # One thread's sums have one order.
    torch.set_num_threads(1)
    golden = {
        "runs": {
            "nin": train(nin(1), "default", 1, 96, 24, 8, 20, sgd(0.02)),
            "nin without final ReLU": train(nin(1, final_relu=False), "default", 1, 96, 24, 8, 20, sgd(0.02)),
            # With rates from 1e-4 on, PyTorch's own float32 leaves its float64 by more than 1e-3 within 20
            # steps: at 32×32 the last stage normalises over 16 values, and one ReLU that rounding flips grows.
            "resnet18": train(book_resnet(1, RESNET18), "kaiming", 1, 32, 48, 16, 20, sgd(2e-5)),
            "resnet18, first steps": train(book_resnet(1, RESNET18), "default", 1, 32, 48, 16, 3, sgd(0.01)),
            "resnet18, batch 4": train(book_resnet(1, RESNET18), "kaiming", 1, 32, 8, 4, 4, sgd(2e-5)),
            "xavier": train(small(), "xavier", 3, 8, 10, 5, 5, sgd(0.1)),
            "sgd": tiny(sgd(0.1, momentum=0)),
            "momentum, weight decay": tiny(sgd(0.1, weight_decay=0.1)),
            "nesterov, weight decay": tiny(sgd(0.1, nesterov=True, weight_decay=0.1)),
            "adam": tiny(adam(0.01, 0)),
            "adam, weight decay": tiny(adam(0.01, 0.1)),
            "adamw": tiny(adam(0.01, 0.1, torch.optim.AdamW)),
            **long_runs(),
        },
        "state_dicts": {"nin": shapes(nin(1)), "resnet18": shapes(book_resnet(1, RESNET18))},
    }
    path = pathlib.Path(__file__).with_name("parity.json")
    path.write_text(json.dumps(golden, indent=None, separators=(",", ":")).replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
