#!/usr/bin/env python3
"""Milliseconds of one prediction of ResNet-18 at 224², through Resin's `Predictor` and through ONNX Runtime, in turns.

    python3 Benchmarks/latency.py [--rounds 7] [--seconds 2] [--threads 2]

Both hold the same weights, on as many threads, in processes that wait between their turns; both get an image of the network's
size that is decoded already, ONNX Runtime as normalised floats, Resin as bytes. The table has medians and 99th percentiles
over all calls, and the ratio of the rounds' medians: the median, the lowest and the highest. Then the same from a cold process:
`resin predict` of a PNG file, kernels compiled before.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from measure import ROOT, Failure, limit_threads, median

SIDE = 224
AT_LEAST, AIM = 1.0, 1.3
COLD_AT_MOST, COLD_AIM = 0.6, 0.3


def make_run(resin, folder):
    """A run on noise, long enough that the running statistics are those of its images; and a picture."""
    import numpy
    from PIL import Image

    noise = numpy.random.default_rng(0)
    for part in ["train", "test"]:
        for label in ["first", "second"]:
            place = folder / "images" / part / label
            place.mkdir(parents=True)
            for index in range(2):
                pixels = noise.integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)
                Image.fromarray(pixels).save(place / f"{index}.png")
    command = [resin, "train", "resnet18", "--variant", "torchvision", "--data", folder / "images", "--resize", SIDE,
               "--batch", 4, "--epochs", 30, "--lr", 1e-4, "--augment", "none", "--out", folder / "run"]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"the run failed: {done.stderr[-500:]}")
    return folder / "run", folder / "images/test/first/0.png"


class Resin:
    name = "Resin"

    def __init__(self, resin, run, image):
        # Nothing is cropped: both networks see the picture as it is.
        self.process = subprocess.Popen(
            [resin, "time-predictions", run, image, "--fit", "stretch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        if self.process.stdout.readline().strip() != "ready":
            raise Failure("resin time-predictions did not begin")

    def run(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        text = ""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Failure("resin time-predictions ended")
            text += line
            with contextlib.suppress(json.JSONDecodeError):
                answer = json.loads(text)
                return answer["milliseconds"], answer["probabilities"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class ONNXRuntime:
    name = "ONNX Runtime"

    def __init__(self, run, image, threads, folder):
        import numpy
        import onnxruntime
        import torch
        import torchvision
        from PIL import Image
        from safetensors.torch import load_file

        network = torchvision.models.resnet18(num_classes=2)
        network.load_state_dict(load_file(run / "best.safetensors"))
        configuration = json.loads((run / "config.json").read_text())
        mean, deviation = (numpy.array(configuration[key], numpy.float32) for key in ["mean", "std"])
        pixels = numpy.asarray(Image.open(image), numpy.float32) / 255
        self.images = numpy.ascontiguousarray(((pixels - mean) / deviation).transpose(2, 0, 1)[None])
        path = folder / "network.onnx"
        torch.onnx.export(
            network.eval(), (torch.from_numpy(self.images),), path, input_names=["images"], output_names=["logits"],
            dynamo=True, verbose=False)  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, seconds):
        import numpy

        times, start = [], time.perf_counter()
        while len(times) < 3 or time.perf_counter() - start < seconds:
            before = time.perf_counter()
            logits = self.session.run(None, {"images": self.images})[0][0]
            times.append(1e3 * (time.perf_counter() - before))
        powers = numpy.exp(logits - logits.max())
        return times, list(map(float, powers / powers.sum()))

    def close(self):
        pass


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def table(resin, rounds, seconds, threads):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run, image = make_run(resin, folder)
        programs = [Resin(resin, run, image), ONNXRuntime(run, image, threads, folder)]
        times = {program.name: [] for program in programs}
        for program in programs:
            program.run(0.5)
        probabilities = {}
        for _ in range(rounds):
            for program in programs:
                mine, probabilities[program.name] = program.run(seconds)
                times[program.name].append(mine)
        for program in programs:
            program.close()
        difference = max(abs(a - b) for a, b in zip(*probabilities.values()))
        if difference > 1e-3:
            raise Failure(f"the probabilities differ by {difference}")
        yield f"{'one prediction, ResNet-18 at 224²':34}{'median ms':>10}{'p99 ms':>9}{'calls':>8}"
        for name, parts in times.items():
            every = [value for part in parts for value in part]
            yield f"{name:34}{median(every):10.2f}{percentile(every, 0.99):9.2f}{len(every):8}"
        ours, theirs = times.values()
        ratios = [median(b) / median(a) for a, b in zip(ours, theirs)]
        tails = [percentile(b, 0.99) / percentile(a, 0.99) for a, b in zip(ours, theirs)]
        for what, values in [("median", ratios), ("p99", tails)]:
            yield (f"{f'ratio, {what}':34}{median(values):10.2f}  {min(values):.2f}–{max(values):.2f}   at least "
                   f"{AT_LEAST:g}, aim {AIM:g}")  # fmt: skip
        yield f"largest difference of a probability {difference:.1e}"
        cold = []
        for _ in range(rounds + 1):
            before = time.perf_counter()
            subprocess.run([resin, "predict", run, image], check=True, capture_output=True)
            cold.append(time.perf_counter() - before)
        # The first may compile.
        cold = cold[1:]
        yield (f"{'resin predict, a cold process':34}{median(cold):8.2f} s  {min(cold):.2f}–{max(cold):.2f}   at most "
               f"{COLD_AT_MOST:g}, aim {COLD_AIM:g}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin", default=ROOT / ".build/release/resin", help="the program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2, help="a turn")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    try:
        for line in table(arguments.resin, arguments.rounds, arguments.seconds, arguments.threads):
            print(line, flush=True)
    except Failure as failure:
        sys.exit(f"latency: {failure}")


if __name__ == "__main__":
    main()
