"""Writes goldens.json: what PyTorch gives, in float64, for the cases of Sources/Cases.

    RESIN_WRITE_CASES=/tmp/cases.jsonl swift test --filter OperatorsTests.CaseListTests
    python3 make_goldens.py /tmp/cases.jsonl

Needs torch, numpy, pillow and torchvision. Of each output it keeps shape, largest absolute value, sum, sum of squares and some elements.
Images are [images, height, width, channels] here and in Resin, channels first only inside a call of PyTorch;
filters are [outputs, inputs, height, width] as inputs, and in the device's order as outputs.
"""

import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

import photographs
from timm_optimizers import Lamb, Lion

SAMPLES = 16


def split_mix(counter):
    word = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def make_input(description, number):
    """The same as CaseData.swift."""
    shape = description["shape"]
    word = split_mix(np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) + np.uint64((number + 1) << 40))
    high = lambda shift: (word >> np.uint64(shift)).astype(np.float64)
    kind, *argument = description["data"].split()
    values = {
        "uniform": lambda: high(40) * 2.0**-23 - 1,
        "positive": lambda: high(41) * 2.0**-23 + 0.5,
        "offset": lambda: high(44) * 2.0**-19 + 16,
        "large": lambda: high(40) * 2.0**-17 - 64,
        "integers": lambda: high(33) % 7 - 3,
        "bytes": lambda: high(56),
        "below": lambda: high(33) % int(argument[0]),
        "listed": lambda: np.array([float(number) for number in argument]),
        "words": lambda: np.array([int(word) for word in argument], np.float64),
    }[kind]()
    return torch.from_numpy(values.reshape(shape))


def philox(counter, key):
    """Philox4x32-10 over arrays of uint64 that hold 32 bits."""
    mask, x = np.uint64(0xFFFFFFFF), [np.asarray(word, np.uint64) for word in counter]
    key = [np.uint64(key[0]), np.uint64(key[1])]
    for _ in range(10):
        first, second = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        x = [(second >> np.uint64(32)) ^ x[1] ^ key[0], second & mask,
             (first >> np.uint64(32)) ^ x[3] ^ key[1], first & mask]
        key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
    return x


def key(settings, stream):
    low, high = (int(word) for word in settings["seed"])
    return low ^ stream, high


def integers(settings, name):
    return [int(value) for value in settings[name]]


def first(x):
    """Channels first, for PyTorch."""
    return x.permute(0, 3, 1, 2) if x.dim() == 4 else x[:, :, None, None]


def last(x, like=4):
    """Back to channels last; to images × features for a dense layer."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], *([-1] if like == 2 else [*x.shape[2:], x.shape[1]]))


def gradients(output, dy, *inputs):
    return torch.autograd.grad(output, inputs, dy)


def relu(x, settings):
    return F.relu(x) if settings["relu"] == [1] else x


def window(settings):
    return {"stride": integers(settings, "stride"), "padding": integers(settings, "padding")}


def padded(settings, images, value=0.0):
    """Images are channels first; padding is that of each axis, or top, left, bottom and right."""
    top, left, bottom, right = (2 * integers(settings, "padding"))[:4]
    return F.pad(images, (left, right, top, bottom), value=value)


def convolve(settings, images, w, bias=None):
    dilation = integers(settings, "dilation") if "dilation" in settings else 1
    groups = int(settings.get("groups", [1])[0])
    return F.conv2d(padded(settings, images), w, bias, integers(settings, "stride"),
                    dilation=dilation, groups=groups)


def convolution2d(settings, x, w, bias=None):
    return [last(relu(convolve(settings, first(x), w, bias), settings), x.dim())]


def convolution2d_sum(settings, x, w, *others):
    *bias, addend = others
    return [relu(last(convolve(settings, first(x), w, *bias), x.dim()) + addend, settings)]


def convolution2d_input_gradient_sum(settings, dy, w, addend, mask=None):
    sum = convolution2d_input_gradient(settings, dy, w)[0] + addend
    return [sum if mask is None else sum * (mask > 0)]


def convolution2d_input_gradient(settings, dy, w, mask=None):
    x = torch.zeros(integers(settings, "image"), dtype=torch.float64, requires_grad=True)
    (dx,) = gradients(convolve(settings, first(x), w), first(dy), x)
    return [dx if mask is None else dx * (mask > 0)]


def convolution2d_filter_gradient(settings, x, dy):
    images = first(x)
    groups = int(settings.get("groups", [1])[0])
    w = torch.zeros(dy.shape[-1], images.shape[1] // groups, *integers(settings, "kernel"), dtype=torch.float64,
                    requires_grad=True)
    bias = torch.zeros(dy.shape[-1], dtype=torch.float64, requires_grad=True)
    dw, db = gradients(convolve(settings, images, w, bias), first(dy), w, bias)
    return [dw.permute(2, 3, 1, 0).reshape(-1), db][:1 + int(settings["bias"][0])]


def convolution2d_gradients(settings, x, dy, w, mask=None):
    return convolution2d_input_gradient(settings, dy, w, mask) + convolution2d_filter_gradient(settings, x, dy)


def max_pool2d(settings, x):
    kernel = integers(settings, "kernel")
    dilation = integers(settings, "dilation") if "dilation" in settings else 1
    if "roundsUp" in settings:
        return [last(F.max_pool2d(first(x), kernel, dilation=dilation, ceil_mode=True, **window(settings)))]
    # PyTorch's own padding is the same on both sides, and at most half of the window without its dilation.
    images = padded(settings, first(x), -np.inf)
    return [last(F.max_pool2d(images, kernel, integers(settings, "stride"), dilation=dilation))]


def max_pool2d_gradient(settings, x, dy, mask=None):
    x.requires_grad_()
    (y,) = max_pool2d(settings, x)
    (dx,) = gradients(y, dy, x)
    return [y, dx if mask is None else dx * (mask > 0)]


def average_pool2d(settings, x):
    images, kernel = first(x), integers(settings, "kernel")
    counts = settings["countsPadding"] == [1]
    if len(integers(settings, "padding")) == 2:
        return [last(F.avg_pool2d(images, kernel, **window(settings), count_include_pad=counts,
                                  ceil_mode="roundsUp" in settings))]
    means, shares = (F.avg_pool2d(padded(settings, values), kernel, integers(settings, "stride"))
                     for values in (images, torch.ones_like(images)))
    return [last(means if counts else means / shares)]


def average_pool2d_gradient(settings, dy, mask=None):
    return pooling_gradient(average_pool2d, settings, dy, mask)


def pooling_gradient(operation, settings, dy, mask):
    x = torch.zeros(integers(settings, "image"), dtype=torch.float64, requires_grad=True)
    (dx,) = gradients(operation(settings, x)[0], dy, x)
    return [dx if mask is None else dx * (mask > 0)]


def adaptive_average_pool2d(settings, x):
    return [relu(last(F.adaptive_avg_pool2d(first(x), integers(settings, "output"))), settings)]


def adaptive_average_pool2d_gradient(settings, dy, mask=None):
    return pooling_gradient(adaptive_average_pool2d, settings, dy, mask)


def global_average_pool(settings, x):
    return [F.adaptive_avg_pool2d(first(x), 1).flatten(1)]


def global_average_pool_gradient(settings, dy, mask=None):
    return pooling_gradient(global_average_pool, settings, dy, mask)


def batch_norm(settings, x, scale, shift, mean, variance, addend=0):
    (epsilon,), (momentum,), (steps,) = settings["epsilon"], settings["momentum"], settings["steps"]
    for _ in range(int(steps)):
        y = F.batch_norm(first(x), mean, variance, scale, shift, True, momentum, epsilon)
    axes = tuple(range(x.dim() - 1))
    inverse_deviation = 1 / torch.sqrt(x.var(axes, unbiased=False) + epsilon)
    return [relu(last(y, x.dim()) + addend, settings), x.mean(axes), inverse_deviation, mean, variance]


def batch_norm_gradient(settings, x, scale, shift, mean, variance, dy):
    for tensor in (x, scale, shift):
        tensor.requires_grad_()
    y = F.batch_norm(first(x), mean, variance, scale, shift, True, 0.1, settings["epsilon"][0])
    return gradients(y, first(dy), x, scale, shift)


def convolution2d_norm(settings, x, w, scale, shift, mean, variance, *others):
    bias = others[0] if others and others[0].dim() == 1 else None
    y = last(convolve(settings, first(x), w, bias), x.dim())
    return batch_norm(settings, y, scale, shift, mean, variance, *others[bias is not None:])


def convolution2d_norm_gradient(settings, x, scale, shift, mean, variance, dy, w, addend=0, other_dx=0):
    for tensor in (x, scale, shift):
        tensor.requires_grad_()
    norm = last(F.batch_norm(first(x), mean, variance, scale, shift, True, 0.1, settings["epsilon"][0]), x.dim())
    dx = convolution2d_input_gradient(settings, dy, w)[0] + other_dx
    return gradients(norm, dx * (norm + addend > 0), x, scale, shift)


def batch_norm_inference(settings, x, scale, shift, mean, variance, addend=0):
    y = F.batch_norm(first(x), mean, variance, scale, shift, False, 0.1, settings["epsilon"][0])
    return [relu(last(y, x.dim()) + addend, settings)]


def add(settings, a, b, mask=None):
    return [relu(a + b, settings) if mask is None else (a + b) * (mask > 0)]


# By the identifiers of Activation.swift's table; ReLU has operations of its own. Those of a family take a parameter.
ACTIVATIONS = {
    "sigmoid": torch.sigmoid, "relu6": F.relu6, "hard_swish": F.hardswish, "silu": F.silu,
    "hyperbolic_tangent": torch.tanh, "hard_sigmoid": F.hardsigmoid, "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus, "leaky_relu": F.leaky_relu,
    "elu": F.elu,
}


def activation_gradient(function, x, dy):
    x.requires_grad_()
    y = function(x)
    return [y, *gradients(y, dy, x)]


def operations_of(name, function):
    """An activation, its gradient, and itself behind another operation."""
    of = lambda settings: lambda x: function(x, *settings.get("parameter", []))
    after = lambda operation: lambda settings, *inputs: [of(settings)(operation(settings, *inputs)[0])]
    return {
        name: lambda settings, x: [of(settings)(x)], f"add_{name}": after(add),
        f"{name}_gradient": lambda settings, x, dy: activation_gradient(of(settings), x, dy),
        f"convolution2d_{name}": after(convolution2d),
    }


def concatenation_gradient(settings, dy):
    inputs = [torch.zeros(*dy.shape[:-1], count, dtype=torch.float64, requires_grad=True)
              for count in integers(settings, "channels")]
    return gradients(torch.cat(inputs, -1), dy, *inputs)


def slice_sum(settings, x, addend, mask=None):
    start, end = integers(settings, "channels")
    return [(x[..., start:end] + addend) * (1 if mask is None else mask > 0)]


def pad_sum(settings, x, addend, mask=None):
    return [(F.pad(x, integers(settings, "channels")) + addend) * (1 if mask is None else mask > 0)]


def joined_pads(settings, *parts):
    return [F.pad(torch.cat(parts, -1), [0, *integers(settings, "channels")])]


def channel_shuffle(settings, x):
    shuffle = torch.nn.ChannelShuffle(integers(settings, "groups")[0])
    return [last(shuffle(first(x)), x.dim())]


def softmax(settings, x):
    return [x.softmax(-1)]


def softmax_gradient(settings, x, dy):
    return activation_gradient(lambda x: x.softmax(-1), x, dy)


def layer_norm(settings, x, scale, shift):
    (epsilon,) = settings["epsilon"]
    inverse_deviation = 1 / torch.sqrt(x.var(-1, unbiased=False) + epsilon)
    y = F.layer_norm(x, x.shape[-1:], scale, shift, epsilon)
    return [y, x.mean(-1).reshape(-1), inverse_deviation.reshape(-1)]


def layer_norm_gradient(settings, x, scale, shift, dy):
    for tensor in (x, scale, shift):
        tensor.requires_grad_()
    return gradients(layer_norm(settings, x, scale, shift)[0], dy, x, scale, shift)


def group_norm(settings, x, scale, shift):
    (epsilon,), (groups,) = settings["epsilon"], integers(settings, "groups")
    own = first(x).reshape(len(x), groups, -1)
    of_channels = lambda statistic: statistic[:, :, None].expand(-1, -1, x.shape[-1] // groups).reshape(-1)
    inverse_deviation = 1 / torch.sqrt(own.var(-1, unbiased=False) + epsilon)
    y = last(F.group_norm(first(x), groups, scale, shift, epsilon), x.dim())
    return [y, of_channels(own.mean(-1)), of_channels(inverse_deviation)]


def group_norm_gradient(settings, x, scale, shift, dy):
    for tensor in (x, scale, shift):
        tensor.requires_grad_()
    return gradients(group_norm(settings, x, scale, shift)[0], dy, x, scale, shift)


def local_response_norm(settings, x):
    size, rest = integers(settings, "size")[0], [settings[name][0] for name in ("alpha", "beta", "k")]
    return [last(F.local_response_norm(first(x), size, *rest), x.dim())]


def local_response_norm_gradient(settings, x, dy):
    x.requires_grad_()
    return gradients(local_response_norm(settings, x)[0], dy, x)


def upsampling(settings, x):
    method, size = integers(settings, "method")[0], integers(settings, "size")
    if method == 0:
        return [last(F.interpolate(first(x), size, mode="nearest"))]
    return [last(F.interpolate(first(x), size, mode="bilinear", align_corners=method == 2))]


def upsampling_gradient(settings, dy):
    return pooling_gradient(upsampling, settings, dy, None)


def branches(settings, x, *tensors):
    *filters, dy = tensors
    ys = [last(F.relu(F.conv2d(first(x), w, padding=w.shape[-1] // 2))) for w in filters]
    return [torch.cat(ys, -1)] + [
        part * (y > 0) for part, y in zip(dy.split(integers(settings, "channels"), -1), ys)]


def branch_gradients(settings, x, *tensors):
    *filters, last_filter, dy = tensors
    for tensor in [x, *filters]:
        tensor.requires_grad_()
    images = [x.clone() for _ in filters]
    ys = [F.conv2d(first(image), w, padding=w.shape[-1] // 2) for image, w in zip(images, filters)]
    dxs = gradients(F.conv2d(torch.cat(ys, 1), last_filter), first(dy), *images, *filters)
    return [tensor for dx, dw in zip(dxs, dxs[len(filters):]) for tensor in (dx, dw.permute(2, 3, 1, 0).reshape(-1))]


def kept(settings, count):
    """Which of so many elements dropout keeps: not PyTorch's numbers but Philox's, one word an element."""
    element = np.arange(count, dtype=np.uint64)
    (step,), (node,), (probability,) = (integers(settings, "step"), integers(settings, "node"),
                                        settings["probability"])
    zero = np.zeros_like(element)
    words = philox((element // np.uint64(4), zero + np.uint64(step), zero + np.uint64(node), zero),
                   key(settings, 0x9E370004))
    word = np.choose((element % np.uint64(4)).astype(int), words)
    return torch.from_numpy(word >= np.uint64(probability * 2**32)).double() / (1 - probability)


def dropout(settings, x, mask=None):
    return [x * kept(settings, x.numel()).reshape(x.shape) * (1 if mask is None else mask > 0)]


def stochastic_depth(settings, x, addend=0):
    return [relu(x * kept(settings, len(x)).reshape(-1, *[1] * (x.dim() - 1)) + addend, settings)]


def of_images(factors, x):
    """Factors [N, C] or [N, 1, 1, C] as they are multiplied by x; [C] stay."""
    return factors if factors.dim() == 1 else factors.reshape(len(x), *[1] * (x.dim() - 2), -1)


def channel_scaling(settings, x, factors, addend=0):
    return [relu(x * of_images(factors, x) + addend, settings)]


def channel_scaling_gradient(settings, x, factors, dy):
    for tensor in (x, factors):
        tensor.requires_grad_()
    return gradients(x * of_images(factors, x), dy, x, factors)


def gate_gradient(settings, x, z, dy):
    z.requires_grad_()
    gate = torch.sigmoid(z)
    return [gate, *gradients(x * of_images(gate, x), dy, z)]


def prelu(settings, x, slopes):
    return [last(F.prelu(first(x), slopes), x.dim())]


def prelu_gradient(settings, x, slopes, dy):
    for tensor in (x, slopes):
        tensor.requires_grad_()
    return gradients(prelu(settings, x, slopes)[0], dy, x, slopes)


def image_input(settings, images, order):
    (batch,), (start,), (count,) = (integers(settings, name) for name in ("batch", "firstImage", "imageCount"))
    rows = [int(order[start + min(n, count - 1)]) for n in range(batch)]
    x = first(images[rows])
    (crop,), (flips,), (step,) = (integers(settings, name) for name in ("cropPadding", "flips", "step"))
    n = np.arange(batch, dtype=np.uint64)
    words = philox((n, n * np.uint64(0) + np.uint64(step), n * np.uint64(0), n * np.uint64(0)),
                   key(settings, 0x9E370003))
    height, width = x.shape[2:]
    padded = F.pad(x, [crop] * 4)
    for image in range(batch):
        top, left = (int(words[axis][image]) % (2 * crop + 1) for axis in (0, 1))
        x[image] = padded[image, :, top:top + height, left:left + width]
        if flips and int(words[2][image]) & 1:
            x[image] = x[image].flip(2)
    x = F.interpolate(x, integers(settings, "size"), mode="bilinear", align_corners=False)
    mean, deviation = (torch.tensor(settings[name])[:, None, None] for name in ("mean", "deviation"))
    return [last((x / 255 - mean) / deviation)]


def labels_of(settings, logits, labels, order):
    (start,), (count,) = integers(settings, "firstImage"), integers(settings, "imageCount")
    rows = [int(order[start + min(n, count - 1)]) for n in range(len(logits))]
    return labels[rows].long(), count


def smoothing(settings):
    return settings.get("smoothing", [0.0])[0]


def softmax_cross_entropy(settings, logits, labels, order, weights=None):
    labels, count = labels_of(settings, logits, labels, order)
    loss = F.cross_entropy(logits, labels, weights, reduction="none", label_smoothing=smoothing(settings))
    if weights is not None:
        loss = loss * count / weights[labels[:count]].sum()
    own, before = logits.gather(1, labels[:, None]), torch.arange(logits.shape[1]) < labels[:, None]
    ahead = ((logits > own) | ((logits == own) & before)).sum(1)
    rows = torch.stack([loss, (ahead < 1).double(), (ahead < 5).double(), torch.zeros_like(loss)], 1)
    rows[count:] = 0
    return [rows]


def softmax_cross_entropy_gradient(settings, logits, labels, order, weights=None):
    labels, count = labels_of(settings, logits, labels, order)
    logits.requires_grad_()
    loss = F.cross_entropy(logits[:count], labels[:count], weights, label_smoothing=smoothing(settings))
    return gradients(loss, None, logits)


def binary_targets(settings, logits, *operands):
    """Soft targets of sets of classes; which classes count as right; how many images there are."""
    if settings["mixes"][0]:
        samples, sets, *_ = operands
        rows, count = photographs.samples_of(settings, samples, len(logits))
        labels = torch.tensor([sample.label for sample in rows])
        partners = torch.tensor([rows[sample.partner].label for sample in rows])
        shares = torch.tensor([float(sample.share) for sample in rows], dtype=torch.float64)
    else:
        labels, order, sets, *_ = operands
        labels, count = labels_of(settings, logits, labels, order)
        partners, shares = labels, torch.ones(len(logits), dtype=torch.float64)
    words, classes = sets.long() & 0xFFFFFFFF, torch.arange(logits.shape[1])
    bits = (words[:, classes // 32] >> (classes % 32) & 1).double()
    targets = shares[:, None] * bits[labels] + (1 - shares[:, None]) * bits[partners]
    return targets, torch.where(shares[:, None] >= 0.5, bits[labels], bits[partners]) > 0, count


def binary_losses(settings, logits, targets, weights):
    """A row's mean over the classes; the focal form is torchvision's sigmoid_focal_loss."""
    losses = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none")
    if "gamma" in settings:
        p, ((gamma,), (alpha,)) = logits.sigmoid(), (settings["gamma"], settings["alpha"])
        # 1 - (p * t + (1 - p) * (1 - t)) without its cancellation.
        losses = losses * (targets * (-logits).sigmoid() + (1 - targets) * p) ** gamma
        if alpha >= 0:
            losses = losses * (alpha * targets + (1 - alpha) * (1 - targets))
    return losses.mean(1)


def weights_of(settings, operands):
    places = 2 if settings["mixes"][0] else 3
    return operands[places] if len(operands) > places else None


def binary_cross_entropy(settings, logits, *operands):
    targets, right, count = binary_targets(settings, logits, *operands)
    loss = binary_losses(settings, logits, targets, weights_of(settings, operands))
    order = torch.sort(logits, dim=1, descending=True, stable=True).indices
    ranked = right.gather(1, order)
    rank = torch.where(ranked.any(1), ranked.double().argmax(1), 5)
    rows = torch.stack([loss, (rank < 1).double(), (rank < 5).double(), torch.zeros_like(loss)], 1)
    rows[count:] = 0
    return [rows]


def binary_cross_entropy_gradient(settings, logits, *operands):
    targets, _, count = binary_targets(settings, logits, *operands)
    logits.requires_grad_()
    loss = binary_losses(settings, logits[:count], targets[:count], weights_of(settings, operands)).mean()
    return gradients(loss, None, logits)


def record_metrics(settings, logits, *operands):
    metrics = torch.zeros(4, 4, dtype=torch.float64)
    metrics[int(settings["slot"][0])] = softmax_cross_entropy(settings, logits, *operands)[0].sum(0)
    return [metrics]


def loss_step(settings, logits, *operands):
    (gradient,) = softmax_cross_entropy_gradient(settings, logits, *operands)
    return [gradient, *record_metrics(settings, logits.detach(), *operands)]


def region_sum(settings, source, target):
    return [settings["factor"][0] * (source + target if settings["adds"][0] else source)]


def shard_metrics(settings, metrics):
    first, count, slot = (int(settings[name][0]) for name in ("first", "count", "slot"))
    metrics[slot] = metrics[first:first + count].sum(0)
    return [metrics]


def channel_activity(settings, x):
    activity = torch.zeros(int(settings["slots"][0]), dtype=torch.float64)
    offset = int(settings["offset"][0])
    activity[offset:offset + x.shape[-1]] = (x > 0).any(0).any(0).any(0).double()
    return [activity]


def optimize(make, settings, tensors, states):
    """Parameters first, their gradients after them, then metrics and the loss's scale, or running statistics and those
    that were kept, if any; the parameters, the named states and these afterwards. PyTorch's GradScaler does the same, but
    on a GPU only."""
    count = (len(tensors) - int(settings.get("regions", [0])[0])) // 2
    parameters, gradients, regions = tensors[:count], tensors[count:2 * count], tensors[2 * count:]
    for parameter in parameters:
        parameter.requires_grad_()
    groups = parameters
    if "factors" in settings:
        groups = [{"params": [parameter], "lr": settings["rate"][0] * factor, "weight_decay": decay}
                  for parameter, factor, decay in zip(parameters, settings["factors"], settings["decays"])]
    optimizer = make(groups)
    if "statistics" in settings:
        metrics, *both = regions
        finite = 0 if metrics[0, 3] == 0 else 1
        return optimize(make, {"steps": settings["steps"], "regions": [1]}, [*parameters, *gradients, metrics],
                        states) + 2 * [both[finite]]
    for _ in range(int(settings["steps"][0])):
        if regions and regions[0][0, 3] > 0:
            continue
        scale = regions[1][0].item() if len(regions) > 1 else 1
        is_finite = all(gradient.isfinite().all() for gradient in gradients)
        if is_finite:
            for parameter, gradient in zip(parameters, gradients):
                parameter.grad = gradient / scale
            if "clip" in settings:
                torch.nn.utils.clip_grad_norm_(parameters, settings["clip"][0])
            optimizer.step()
        if len(regions) > 1:
            steady = regions[1][1].item() + 1
            if not is_finite:
                regions[1][:2] = torch.tensor([scale / 2, 0.0])
                regions[1][3] += 1
            elif steady == 2000:
                regions[1][:2] = torch.tensor([scale * 2, 0.0])
            else:
                regions[1][1] = steady
    return [p.detach() for p in parameters] + [
        optimizer.state[p].get(name, torch.zeros_like(p)) for name in states for p in parameters] + [*regions[1:]]


def sgd(settings, *tensors):
    (momentum,) = settings["momentum"]
    make = lambda parameters: torch.optim.SGD(
        parameters, settings["rate"][0], momentum, weight_decay=settings["weightDecay"][0],
        nesterov=settings["nesterov"] == [1])
    return optimize(make, settings, tensors, ["momentum_buffer"] if momentum else [])


def adam(settings, *tensors):
    kind = torch.optim.AdamW if settings["decoupled"] == [1] else torch.optim.Adam
    make = lambda parameters: kind(
        parameters, settings["rate"][0], [float(beta) for beta in settings["betas"]],
        settings["epsilon"][0], settings["weightDecay"][0])
    return optimize(make, settings, tensors, ["exp_avg", "exp_avg_sq"])


def rmsprop(settings, *tensors):
    (momentum,) = settings["momentum"]
    make = lambda parameters: torch.optim.RMSprop(
        parameters, settings["rate"][0], settings["alpha"][0], settings["epsilon"][0], settings["weightDecay"][0],
        momentum)
    return optimize(make, settings, tensors, ["square_avg", "momentum_buffer"] if momentum else ["square_avg"])


def lamb(settings, *tensors):
    # Clipping is a case's own.
    make = lambda parameters: Lamb(
        parameters, settings["rate"][0], settings["betas"], settings["epsilon"][0], settings["weightDecay"][0],
        max_grad_norm=None)
    return optimize(make, settings, tensors, ["exp_avg", "exp_avg_sq"])


def lion(settings, *tensors):
    make = lambda parameters: Lion(
        parameters, settings["rate"][0], settings["betas"], settings["weightDecay"][0])
    return optimize(make, settings, tensors, ["exp_avg"])


def moving_average(settings, average, value):
    update = torch.optim.swa_utils.get_ema_multi_avg_fn(settings["decay"][0])
    for step in settings["steps"]:
        if step == 1:
            average = value.clone()
        else:
            update([average], [value], None)
    return [average, value]


OPERATIONS = {
    function.__name__: function
    for function in (
        convolution2d, convolution2d_input_gradient, convolution2d_filter_gradient,
        convolution2d_gradients, max_pool2d,
        max_pool2d_gradient, average_pool2d, average_pool2d_gradient, global_average_pool,
        convolution2d_sum, convolution2d_input_gradient_sum, slice_sum, loss_step, convolution2d_norm,
        convolution2d_norm_gradient, branch_gradients,
        adaptive_average_pool2d, adaptive_average_pool2d_gradient, global_average_pool_gradient, batch_norm, batch_norm_gradient, batch_norm_inference, add, dropout,
        concatenation_gradient, branches, image_input, softmax_cross_entropy,
        softmax_cross_entropy_gradient, binary_cross_entropy, binary_cross_entropy_gradient, record_metrics,
        channel_activity, region_sum, shard_metrics, sgd, adam, rmsprop, lamb, lion, moving_average,
        stochastic_depth, channel_scaling, channel_scaling_gradient, gate_gradient, prelu, prelu_gradient,
        pad_sum, joined_pads, channel_shuffle, softmax, softmax_gradient, layer_norm, layer_norm_gradient, group_norm,
        group_norm_gradient, local_response_norm, local_response_norm_gradient, upsampling, upsampling_gradient)
} | photographs.OPERATIONS | {
    "adamw": adam,
    "exchange": lambda settings, a, b: [b, a],
    "relu": lambda settings, x: [F.relu(x)],
    "relu_gradient": lambda settings, dy, y: [dy * (y > 0)],
    "scale": lambda settings, x: [settings["factor"][0] * x],
    "concatenation": lambda settings, *x: [torch.cat(x, -1)],
    "double": lambda settings, x: [2 * x],
    "multiply": lambda settings, a, b: [a * b],
    "multiply_add_relu": lambda settings, a, b, c: [F.relu(a * b + c)],
    "square": lambda settings, x: [x * x],
    "add_mask_add": lambda settings, a, b, mask: [a + (a + b) * (mask > 0)],
    "add_relu_add": lambda settings, a, b: [F.relu(a + b) + a + b],
    "flatten": lambda settings, x: [F.relu(x).flatten(1), x + F.relu(x)],
}
for name, function in ACTIVATIONS.items():
    OPERATIONS |= operations_of(name, function)


def fingerprint(line):
    """FNV-1a, as in CaseDescription.swift."""
    result = 0xCBF29CE484222325
    for byte in line.encode():
        result = (result ^ byte) * 0x100000001B3 % 2**64
    return f"{result:x}"


def golden(output):
    values = output.detach().reshape(-1).numpy().astype(np.float64)
    places = split_mix(np.arange(1, SAMPLES + 1, dtype=np.uint64)) % np.uint64(len(values))
    number = lambda value: float(f"{value:.9g}")
    return {
        "shape": list(output.shape), "largest": number(np.abs(values).max()), "sum": number(values.sum()),
        "squares": number((values**2).sum()), "samples": [number(values[int(place)]) for place in places],
    }


def main():
    result = {}
    for line in open(sys.argv[1]).read().splitlines():
        case = json.loads(line)
        inputs = [make_input(description, number) for number, description in enumerate(case["inputs"])]
        outputs = OPERATIONS[case["operation"]](case["settings"], *inputs)
        result[case["name"]] = {"case": fingerprint(line), "outputs": [golden(output) for output in outputs]}
    rows = [f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(entry, separators=(',', ':'))}"
            for name, entry in result.items()]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens.json")
    with open(path, "w") as file:
        file.write("{\n" + ",\n".join(rows) + "\n}\n")


main()
