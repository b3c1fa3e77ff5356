#!/usr/bin/env python3
"""Predicts how long a training step takes on a GPU that is not there, from what it launches on a pretended one.

    python3 step_model.py [--work NAME,…] [--without PROBE …] [--detail]

.ci/pretend-device logs the launches of `resin bench`; each launch takes the longest of what its products, its bytes and its
start cost, by the figures below, and a step the sum of its launches. Of the figures only clocks, widths and bandwidths are
the cards' own; what share of them is reached is assumed, and is what a measurement should correct. The table is in the
form that gpu_bench.py reads; --detail adds what each kind of kernel takes.
"""
import argparse
import collections
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
from gpu_bench import FORMS, arguments_of  # noqa: E402
from gpu_timings import WORK  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESIN = os.environ.get("RESIN", ROOT / ".build/release/resin")

# Bytes a second that a kernel which streams reaches, of 3.35 and 4.8 TB/s.
CARDS = {"H100": 2.8e12, "H200": 4.0e12}
MULTIPROCESSORS, CLOCK = 132, 1.7e9
# What was written just before is still in the second-level cache where it is no more than this.
CACHE_BYTES, CACHE_SPEED = 25e6, 5.5e12
# Of a launch: until all multiprocessors work and after the first has ended; and the least that one takes behind another.
RAMP, LEAST = 2.5e-6, 3e-6
# Of a step, whose end is waited for.
STEP = 10e-6
# Operations a clock of one multiprocessor: mma.sync reaches 0.62 of the tensor cores' dense rates.
MMA = {"16 bits": 2650, "TF32": 1325}
FMA = 256
# Bytes a clock from and to local memory, and warps' instructions.
LOCAL_BYTES, ISSUE = 128, 4
# Instructions of the innermost loop for 32 mma of a warp (`make ptx`), by kernel, operands, and how these come to local memory
# (STAGING): in pieces through registers, by cp.async; and word by word, of all.
INSTRUCTIONS = {
    ("convolution2d_tiled", "16 bits"): {1: 115, 2: 130}, ("convolution2d_tiled", "TF32"): {1: 145, 2: 195},
    ("convolution2d_filter_gradient_tiled", "16 bits"): {1: 235, 2: 213},
    ("convolution2d_filter_gradient_tiled", "TF32"): {1: 259, 2: 319},
}
BY_WORDS = 400
# Those that also sum for a batch norm, and all that make a convolution or its input's gradient alone.
NORM_SUMS = {"convolution2d_statistics_tiled", "convolution2d_gradient_sums_tiled"}
ONE_PRODUCT = {"convolution2d_tiled"} | NORM_SUMS
# What of that is reached by one group a multiprocessor that waits for its words, by two with pieces; and of multiply-adds.
REACHED = {0: 0.5, 1: 0.7, 2: 0.75}
PLAIN = 0.85
# A kernel that one group runs to the end, in the order of a sum: 0.45 µs for each of its serial steps is about 6 in all.
SERIAL = 6e-6
# The same at the end of a launch, by its last group: without the start, and with what was written just before in a cache.
LAST_GROUP = 3e-6


def fields(name):
    """The members of a struct of Kernels/include/KernelStructs.h, in their order."""
    text = (ROOT / "Kernels/include/KernelStructs.h").read_text()
    layer = re.search(r"#define LAYER_FIELDS(.*?);\s*\n\n", text, re.DOTALL)[1]
    body = re.search(r"typedef struct \{([^}]*)\} " + name + ";", text)[1]
    body = re.sub(r"//.*", "", body.replace("LAYER_FIELDS", layer + ";"))
    body = re.sub(r"FIELD\((\w+), \w+\)", r"\1", body.replace("\\\n", " "))
    return [member.strip() for line in body.split(";") if line.strip()
            for member in re.sub(r"^\s*int ", "", line).split(",")]


class Launch:
    """A line of the driver's log: `launch KERNEL of PROGRAM, GLOBAL in LOCAL: NAME=VALUE …`."""

    def __init__(self, line, programs):
        head, arguments = re.match(r"launch (.*?): ?(.*)", line).groups()
        self.kernel, program, sizes, local = re.match(r"(\w+) of (\d+), (\S+) in (\S+)", head).groups()
        self.options = programs[int(program)]
        self.items = math.prod(map(int, local.split("x")))
        self.groups = math.prod(map(int, sizes.split("x"))) // self.items
        self.buffers, self.values = {}, {}
        for argument in arguments.split():
            name, value = argument.split("=")
            parts = value.split(":")
            if parts[0] in ("in", "out"):
                # Read or written once, under however many names.
                self.buffers.setdefault((parts[0], parts[1]), (name, int(parts[2])))
            elif len(parts) == 2 and parts[0] != "local":
                self.values.update(zip(fields(parts[0]), map(int, parts[1].split(","))))
            elif len(parts) == 1:
                self.values[name] = float(value)

    @property
    def byte_count(self):
        """Of a convolution's phase with a stride, which shares its buffers with the other phases, its part."""
        v, shares = self.values, {}
        if self.kernel in ONE_PRODUCT:
            steps = v["stride_height"] * v["stride_width"]
            shares["source"] = min(1, v["tap_rows"] * v["tap_columns"] / steps)
            shares["result"] = 1 / (v["result_step_height"] * v["result_step_width"])
        # What lies among another value's channels is its part of them.
        if "gradient_stride" in v:
            shares["dy"] = v["output_channels"] / v["gradient_stride"]
        elif "source_stride" in v:
            shares["source"] *= v["source_channels"] / v["source_stride"]
            shares["result"] *= v["result_channels"] / v["result_stride"]
        return sum(count * shares.get(name, 1) for name, count in self.buffers.values())

    @property
    def operands(self):
        return "16 bits" if int(self.options.get("MIXED", 0)) and int(self.options["SOURCE_WIDTH"]) >= 4 else "TF32"

    def product_seconds(self):
        """Of the longer product of one launch, where it makes two: all of its groups run at once."""
        v, products = self.values, {}
        if self.kernel != "convolution2d_filter_gradient_tiled":
            products["convolution2d_tiled"] = v["tap_rows"] * v["tap_columns"] * v["source_channels"]
        if self.kernel not in ONE_PRODUCT:
            products["convolution2d_filter_gradient_tiled"] = (
                v["images"] * v["output_height"] * v["output_width"] / max(v["splits"], 1))
        return max(self.seconds_of_product(kernel, sums) for kernel, sums in products.items())

    def seconds_of_product(self, kernel, sums):
        """`sums` is the length of those of one group."""
        tile_rows, tile_columns, words = (int(self.options[name]) for name in ["TILE_M", "TILE_N", "TILE_WORDS"])
        uses_tensor_cores, staging = self.options["TENSOR"] == "1", int(self.options["STAGING"])
        depth = words * (2 if uses_tensor_cores and self.operands == "16 bits" else 1)
        share = tile_rows * tile_columns / (128 * 128)
        at_once = max(1, round((2 if staging or not uses_tensor_cores else 1) / max(share, 0.5)))
        if uses_tensor_cores:
            warps, item_rows = self.items // 32, int(self.options["THREAD_M"])
            multiplying = 2 * tile_rows * tile_columns * depth / MMA[self.operands]
            moving = 4 * words * (warps * (8 * item_rows + 32) + tile_rows + tile_columns) / LOCAL_BYTES
            mma = item_rows / 8
            instructions = INSTRUCTIONS[kernel, self.operands][staging] if staging else BY_WORDS
            cycles = max(multiplying, moving, warps * instructions * max(mma, 0.75) / ISSUE)
            cycles /= REACHED[staging]
        else:
            cycles = 2 * tile_rows * tile_columns * depth / FMA / PLAIN
        # Multiprocessors work in waves; in the last one fewer groups share each.
        wave = MULTIPROCESSORS * at_once
        rest = self.groups % wave
        rounds = self.groups // wave * at_once + math.ceil(rest / MULTIPROCESSORS)
        # A group alone on a multiprocessor hides less.
        alone = 1.5 if self.groups <= MULTIPROCESSORS and staging and uses_tensor_cores else 1
        return rounds * math.ceil(sums / depth) * cycles * alone / CLOCK

    def seconds(self, speed):
        if self.byte_count < CACHE_BYTES:
            speed = max(speed, CACHE_SPEED)
        longest = self.byte_count / speed
        if self.kernel.endswith("_tiled"):
            longest = max(longest, self.product_seconds())
        if "combine" in self.kernel or self.kernel.startswith("record_metrics"):
            return SERIAL
        if "_whole_" in self.kernel or self.kernel in NORM_SUMS or self.kernel.startswith("softmax_cross_entropy_reduction"):
            longest += LAST_GROUP
        return max(longest + RAMP, LEAST)


def steps(works, without, folder):
    """((work, form), launches of a step) of each work in each precision, on a device where those probes failed."""
    done = subprocess.run([ROOT / ".ci/pretend-device", folder, RESIN, *without], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"step_model: .ci/pretend-device fails:\n{done.stderr}")
    for work in works:
        for form in FORMS:
            log = pathlib.Path(folder) / f"{work}-{form}"
            done = subprocess.run(
                [RESIN, "bench", *arguments_of(work, form), "--steps", "1", "--device", "0:0"], capture_output=True, text=True,
                env={**os.environ, "OCL_ICD_VENDORS": f"{folder}/vendors", "XDG_CACHE_HOME": f"{folder}/cache",
                     "PRETEND_LOG": str(log)})
            if done.returncode:
                sys.exit(f"step_model: {work}, {form}: {done.stderr}")
            programs, launches, last = {}, [], []
            for line in log.read_text().splitlines():
                if line.startswith("build "):
                    _, number, options = line.split(" ", 2)
                    programs[int(number)] = dict(re.findall(r"-D(\w+)=(\S+)", options))
                elif line.startswith("launch "):
                    launches.append(Launch(line, programs))
                elif line == "finish" and launches:
                    last, launches = launches, []
            yield (work, form), last


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", help="names with commas between: " + ", ".join(WORK))
    parser.add_argument("--without", nargs="*", default=[], help="probes that are said to have failed, such as cp.async")
    parser.add_argument("--detail", action="store_true")
    arguments = parser.parse_args()
    works = arguments.work.split(",") if arguments.work else list(WORK)
    heads = ["work", "precision", "launches", "GB", *(f"{card}, ms" for card in CARDS), *(f"{card}, images/s" for card in CARDS),
             "most of it (H100)"]
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    details = []
    with tempfile.TemporaryDirectory() as folder:
        for (work, form), launches in steps(works, arguments.without, folder):
            times = {card: STEP + sum(launch.seconds(speed) for launch in launches) for card, speed in CARDS.items()}
            kinds = collections.defaultdict(lambda: [0, 0.0, 0.0])
            for launch in launches:
                kind = kinds[launch.kernel]
                kind[0] += 1
                kind[1] += launch.seconds(CARDS["H100"])
                kind[2] += launch.byte_count
            most = sorted(kinds.items(), key=lambda kind: -kind[1][1])
            cells = [work, form, len(launches), f"{sum(launch.byte_count for launch in launches) / 1e9:.1f}",
                     *(f"{1e3 * times[card]:.2f}" for card in CARDS), *(f"{WORK[work][2] / times[card]:.0f}" for card in CARDS),
                     ", ".join(f"{name} {100 * kind[1] / times['H100']:.0f} %" for name, kind in most[:3])]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            details += [f"\n{work}, {form}", *(f"  {name:44}{count:5}{1e3 * seconds:9.3f} ms{count_bytes / 1e9:8.2f} GB"
                                               for name, (count, seconds, count_bytes) in most)]
    if arguments.detail:
        print(*details, sep="\n")


if __name__ == "__main__":
    main()
