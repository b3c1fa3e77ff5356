"""What Pillow and torchvision make of photographs, for make_goldens.py. Needs pillow and torchvision, too."""

import struct
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as V1
import torchvision.transforms.v2.functional as TF
from PIL import Image

KINDS = ["none", "brightness", "contrast", "saturation", "hue", "sharpness", "posterize", "solarize", "autocontrast",
         "equalize", "affine"]


@dataclass
class Sample:
    """The struct ImageSample of Kernels/include/KernelStructs.h."""

    offset: int
    piece: list[int]
    box: list[int]
    resized: list[int]
    window: list[int]
    mirrored: bool
    flipped: bool
    label: int
    adjustments: list[tuple[str, list[float]]] = field(default_factory=list)
    erased: list[int] | None = None
    partner: int = -1
    share: float = 1.0
    mixed: list[int] | None = None

    @staticmethod
    def of(words):
        words = [int(word) for word in words]
        number = lambda word: struct.unpack("f", struct.pack("i", word))[0]
        box = lambda first: words[first:first + 4] if words[first + 2] else None
        kinds = [words[18 + 7 * k:25 + 7 * k] for k in range(words[17])]
        return Sample(
            words[0] + (words[1] << 32), words[2:6], words[6:10], words[10:12], words[12:14], bool(words[14]),
            bool(words[15]), words[16], [(KINDS[kind], [number(w) for w in amounts]) for kind, *amounts in kinds],
            box(74), words[78], number(words[79]), box(80))


def samples_of(settings, samples, batch):
    """Those of a step's rows; rows after the last image repeat it."""
    (start,), (count,) = ([int(v) for v in settings[name]] for name in ("firstImage", "imageCount"))
    rows = samples.reshape(-1, samples.shape[-1])
    return [Sample.of(rows[start + min(n, count - 1)]) for n in range(batch)], count


def pillow(image):
    """[height, width, channels] of bytes."""
    image = np.asarray(image, np.uint8)
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image))


def numpy(image):
    image = np.asarray(image)
    return image[..., None] if image.ndim == 2 else image


def resize(image, height, width):
    """Pillow's, each channel by itself: along the rows, then along the columns. (Pillow 13 has the other order for some
    sizes.)"""
    planes = [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(image.shape[-1])]
    planes = [p.resize((width, p.height), Image.BILINEAR).resize((width, height), Image.BILINEAR) for p in planes]
    return np.stack([np.asarray(p) for p in planes], -1)


def box_of(sample, pixels, channels):
    """The pixels of a sample's box, as far as they are stored; zeros in place of others."""
    top, left, height, width = sample.piece
    piece = pixels[sample.offset:sample.offset + height * width * channels].reshape(height, width, channels)
    box = np.zeros((*sample.box[2:], channels), np.uint8)
    part = piece[max(-top, 0):box.shape[0] - top, max(-left, 0):box.shape[1] - left]
    top, left = max(top, 0), max(left, 0)
    box[top:top + part.shape[0], left:left + part.shape[1]] = part
    return box


def image_crop(settings, pixels, samples):
    height, width = (int(v) for v in settings["size"])
    channels, pixels = int(settings["channels"][0]), pixels.numpy().astype(np.uint8)
    rows, _ = samples_of(settings, samples, int(settings["batch"][0]))
    images = []
    for sample in rows:
        resized = resize(box_of(sample, pixels, channels), *sample.resized)
        y, x = sample.window
        image = np.zeros((height, width, channels), np.uint8)
        bottom, right = min(y + height, resized.shape[0]), min(x + width, resized.shape[1])
        if bottom > max(y, 0) and right > max(x, 0):
            image[max(y, 0) - y:bottom - y, max(x, 0) - x:right - x] = resized[max(y, 0):bottom, max(x, 0):right]
        image = image[:, ::-1] if sample.mirrored else image
        images.append(image[::-1] if sample.flipped else image)
    return [torch.from_numpy(np.stack(images).astype(np.float64))]


def adjust(image, kind, amounts):
    """[height, width, channels] of bytes, as torchvision does it with Pillow's images."""
    value, picture = amounts[0], pillow(image)
    if kind == "affine":
        height, width = image.shape[:2]
        fixed = [round(amount * 65536) for amount in amounts]
        right, down = width // 2, height // 2
        # Pillow's own steps, from a matrix of whole numbers: x and y of a pixel's centre are ½ more.
        matrix = []
        for (x, y, origin), middle in ((fixed[:3], right), (fixed[3:], down)):
            origin += (middle << 16) - right * x - down * y
            matrix += [x / 65536, y / 65536, (origin - x / 2 - y / 2) / 65536]
        return numpy(picture.transform(picture.size, Image.AFFINE, matrix, Image.NEAREST))
    if kind in ("autocontrast", "equalize", "posterize", "solarize"):
        tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)
        more = {"posterize": [int(value)], "solarize": [value]}.get(kind, [])
        # Of autocontrast there are two formulas, of which v1's has no division by what only the image tells.
        result = getattr(V1, kind)(tensor, *more).permute(1, 2, 0).numpy()
        # Pillow 13 refuses no bits at all.
        if kind != "autocontrast" and not (kind == "posterize" and value == 0):
            assert (result == numpy(getattr(TF, kind)(picture, *more))).all(), kind
        return result
    name = {"hue": "adjust_hue", "saturation": "adjust_saturation"}.get(kind, f"adjust_{kind}")
    return numpy(getattr(TF, name)(picture, value))


def image_adjustments(settings, pixels, samples):
    images = pixels.numpy().astype(np.uint8)
    results = []
    for image, sample in zip(images, samples_of(settings, samples, len(images))[0]):
        for kind, amounts in sample.adjustments:
            image = adjust(image, kind, amounts)
        results.append(image)
    return [torch.from_numpy(np.stack(results).astype(np.float64))]


def image_normalisation(settings, pixels, samples):
    mean, deviation = (torch.tensor(settings[name], dtype=torch.float64) for name in ("mean", "deviation"))
    x = (pixels / 255 - mean) / deviation
    rows, _ = samples_of(settings, samples, len(x))
    for image, sample in zip(x, rows):
        if sample.erased:
            top, left, height, width = sample.erased
            image[top:top + height, left:left + width] = 0
    result = x.clone()
    for n, sample in enumerate(rows):
        if sample.partner < 0:
            continue
        if sample.mixed:
            top, left, height, width = sample.mixed
            area = (n, slice(top, top + height), slice(left, left + width))
            result[area] = x[(sample.partner, *area[1:])]
        else:
            result[n] = sample.share * x[n] + (1 - sample.share) * x[sample.partner]
    return [result]


def targets_of(settings, logits, samples):
    """Soft targets as torchvision's MixUp and CutMix make them, and the class with the largest share."""
    rows, count = samples_of(settings, samples, len(logits))
    classes = logits.shape[1]
    own = F.one_hot(torch.tensor([sample.label for sample in rows]), classes).double()
    targets, best = own.clone(), []
    for n, sample in enumerate(rows):
        if sample.partner >= 0:
            targets[n] = sample.share * own[n] + (1 - sample.share) * own[sample.partner]
        best.append(sample.label if sample.partner < 0 or sample.share >= 0.5 else rows[sample.partner].label)
    return targets, torch.tensor(best), count


def smoothing_of(settings):
    return settings.get("smoothing", [0.0])[0]


def sample_loss(settings, logits, samples):
    targets, best, count = targets_of(settings, logits, samples)
    loss = F.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing_of(settings))
    own, before = logits.gather(1, best[:, None]), torch.arange(logits.shape[1]) < best[:, None]
    ahead = ((logits > own) | ((logits == own) & before)).sum(1)
    rows = torch.stack([loss, (ahead < 1).double(), (ahead < 5).double(), torch.zeros_like(loss)], 1)
    rows[count:] = 0
    return [rows]


def sample_loss_gradient(settings, logits, samples):
    targets, _, count = targets_of(settings, logits, samples)
    logits.requires_grad_()
    loss = F.cross_entropy(logits[:count], targets[:count], label_smoothing=smoothing_of(settings))
    return torch.autograd.grad(loss, logits)


def sample_loss_step(settings, logits, samples):
    (gradient,) = sample_loss_gradient(settings, logits, samples)
    metrics = torch.zeros(4, 4, dtype=torch.float64)
    metrics[int(settings["slot"][0])] = sample_loss(settings, logits.detach(), samples)[0].sum(0)
    return [gradient, metrics]


OPERATIONS = {function.__name__: function for function in (
    image_crop, image_adjustments, image_normalisation, sample_loss, sample_loss_gradient, sample_loss_step)}
