#!/usr/bin/env python3
"""What photographs cost on their way to a network.

    python3 Benchmarks/photographs.py [loading] [training] [many] [--resin PROGRAM] [--rounds 5] [--images 1000]

loading   images a second from JPEG files to a batch of augmented 224×224: Resin's way to the device beside torchvision's
          DataLoader with the same transforms (RandomResizedCrop, RandomHorizontalFlip, normalisation), in turns in one run;
          and what libjpeg-turbo alone makes of the same files
training  ResNet-18 at 224² from JPEGs that are streamed, beside the same from a set that lies on the device
many      a folder of 1,281,167 files in 1,000 classes, hard links to few: seconds to the first step, and memory

All of them, without a word. The files are made for it: pictures of about 500×375 with edges and texture, as large as
photographs are. Needs torch, torchvision and Pillow for the first (Benchmarks/requirements.txt).
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy
from PIL import Image

from measure import Failure, median

CLASSES = 10


def make_images(folder, count):
    """Smooth colours, edges and grain, so that files have about the bytes of photographs (2 bits a pixel)."""
    random = numpy.random.default_rng(1)
    for index in range(count):
        height, width = (375, 500) if index % 4 else (500, 375)
        coarse = random.integers(0, 256, (height // 25 + 2, width // 25 + 2, 3), dtype=numpy.uint8)
        picture = numpy.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(numpy.float32)
        rows, columns = numpy.mgrid[0:height, 0:width]
        for _ in range(12):
            y, x, radius = random.integers(0, height), random.integers(0, width), random.integers(10, 90)
            picture[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = random.integers(0, 256, 3)
        picture += random.normal(0, 8, picture.shape)
        place = folder / "train" / f"class-{index % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.clip(0, 255).astype(numpy.uint8)).save(place / f"{index:05}.jpg", quality=90)
    for label in range(CLASSES):
        place = folder / "test" / f"class-{label}"
        place.mkdir(parents=True)
        os.link(next((folder / "train" / f"class-{label}").iterdir()), place / "0.jpg")


def loader(folder, batch, workers):
    import torch
    from torchvision import datasets, transforms

    torch.set_num_threads(1)
    transform = transforms.Compose([
        transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    return torch.utils.data.DataLoader(
        datasets.ImageFolder(folder / "train", transform), batch_size=batch, shuffle=True, num_workers=workers,
        drop_last=True, persistent_workers=True)


def peer(images, batch):
    """Images a second of one pass; the workers are there already, as Resin's threads are."""
    start = time.perf_counter()
    count = sum(batch for _ in images)
    return count / (time.perf_counter() - start)


def resin(program, folder, batch, device, threads, passes):
    run = subprocess.run(
        [program, "datasets", "time", folder, "--resize", "224", "--batch", str(batch), "--stream", "always", "--device", device,
         "--decode-threads", str(threads), "--passes", str(passes), "--json"], capture_output=True, text=True)
    if run.returncode != 0:
        raise Failure(f"{program} gives {run.returncode}: {run.stderr.strip()}")
    return json.loads(run.stdout)["images_per_second"]


def decoding(folder, workers):
    """Images a second that libjpeg-turbo decodes whole, by Pillow, on as many threads: it lets go of the interpreter's lock."""
    from concurrent.futures import ThreadPoolExecutor

    files = sorted((folder / "train").rglob("*.jpg"))

    def decode(path):
        Image.open(path).load()

    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, files))
    return len(files) / (time.perf_counter() - start)


def loading(folder, arguments):
    images = loader(folder, arguments.batch, arguments.workers)
    peer(images, arguments.batch)
    ours, theirs, bare = [], [], []
    for _ in range(arguments.rounds):
        ours.append(resin(arguments.resin, folder, arguments.batch, arguments.device, arguments.workers, 1))
        theirs.append(peer(images, arguments.batch))
        bare.append(decoding(folder, arguments.workers))
    print(f"{'':36}{'images/s':>10} {'lowest–highest':>18}")
    for name, values in [("Resin, decoded to augmented", ours), ("torchvision's DataLoader", theirs),
                         ("libjpeg-turbo, decoded only", bare)]:
        print(f"{name:36}{median(values):10.0f} {f'{min(values):.0f}–{max(values):.0f}':>18}")
    ratio = median([our / their for our, their in zip(ours, theirs)])
    share = median([our / speed for our, speed in zip(ours, bare)])
    print(f"{'ratio to torchvision':36}{ratio:10.2f}   at least 2, aim 3")
    print(f"{'share of libjpeg-turbo':36}{share:10.2f}   at least 0.6, aim 0.9", flush=True)
    return ratio >= 2 and share >= 0.6


def trained(program, folder, device, stream, threads):
    """Images a second of the second of two epochs."""
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run(
            [program, "train", "resnet18", "--data", folder, "--resize", "224", "--batch", "32", "--epochs", "2", "--limit", "320",
             "--limit-test", "10", "--stream", stream, "--decode-threads", str(threads), "--device", device,
             "--out", f"{out}/run", "--progress", "none"], capture_output=True, text=True)
        if run.returncode != 0:
            raise Failure(f"{program} gives {run.returncode}: {run.stderr.strip()}")
        lines = pathlib.Path(out, "run", "metrics.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["images_per_second"]


def training(folder, arguments):
    streamed, resident = [], []
    for number in range(arguments.rounds):
        for kind, results in [("always", streamed), ("never", resident)][:: 1 if number % 2 else -1]:
            results.append(trained(arguments.resin, folder, arguments.device, kind, arguments.workers))
    ratio = median([one / other for one, other in zip(streamed, resident)])
    print(f"{'ResNet-18 at 224², streamed':36}{median(streamed):10.1f}\n{'on the device':36}{median(resident):10.1f}")
    print(f"{'ratio':36}{ratio:10.2f}   at least 0.85, aim 0.95", flush=True)
    return ratio >= 0.85


def many(folder, arguments):
    """Seconds from the start to the end of the first step, and the most memory beside the plan's."""
    count, classes = 1_281_167, 1000
    files = sorted((folder / "train").rglob("*.jpg"))
    place = folder / "many"
    for label in range(classes):
        for part in ("train", "test"):
            (place / part / f"n{label:08}").mkdir(parents=True)
        os.link(files[label % len(files)], place / "test" / f"n{label:08}" / "0.JPEG")
    for index in range(count):
        label = index % classes
        os.link(files[index % len(files)], place / "train" / f"n{label:08}" / f"n{label:08}_{index}.JPEG")
    start = time.perf_counter()
    run = subprocess.Popen(
        ["/usr/bin/time", "-f", "%M", arguments.resin, "train", "resnet18", "--data", place, "--resize", "64", "--batch", "32",
         "--epochs", "1", "--device", arguments.device, "--out", f"{folder}/many-run", "--progress", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in run.stderr:
        if '"step"' in line:
            seconds = time.perf_counter() - start
            break
    else:
        raise Failure(f"{arguments.resin} ended before its first step with {run.wait()}")
    time.sleep(5)
    subprocess.run(["pkill", "-INT", "-P", str(run.pid)])
    # The last line is the most memory that it had, in KiB.
    peak = int(run.stderr.read().split()[-1]) * 1024 / 1e6
    log = (folder / "many-run" / "log.txt").read_text()
    plan = float(re.search(r"^plan: ([\d,.]+) MB", log, re.MULTILINE)[1].replace(",", ""))
    print(f"{count:,} files in {classes:,} classes")
    print(f"{'seconds to the first step':36}{seconds:10.1f}   at most 60, aim 15")
    print(f"{'MB beyond the plan':36}{peak - plan:10.0f}   at most 1000, aim 300", flush=True)
    return seconds <= 60 and peak - plan <= 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--resin", default=root / ".build/release/resin", metavar="PROGRAM")
    parser.add_argument("--device", default="cpu", metavar="SPEC")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--images", type=int, default=1000, metavar="N")
    parser.add_argument("--batch", type=int, default=50, metavar="N")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("kinds", nargs="*", choices=[[], "loading", "training", "many"], metavar="KIND")
    arguments = parser.parse_args()
    kinds = {"loading": loading, "training": training, "many": many}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_images(folder, arguments.images)
        are_good = [kinds[kind](folder, arguments) for kind in arguments.kinds or kinds]
    sys.exit(not all(are_good))


if __name__ == "__main__":
    main()
