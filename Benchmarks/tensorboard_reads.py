#!/usr/bin/env python3
"""Whether TensorBoard reads what `resin train --tensorboard` writes: a small run is trained, killed and resumed.

    python3 Benchmarks/tensorboard_reads.py [--resin PROGRAM]

The run saves every second epoch and is killed in the fourth: it is cut back to the second, and goes on in a second file. Read by
TensorBoard's own reader (`EventAccumulator`), every epoch must be there once, with the numbers of metrics.jsonl as single
precision has them; so must the pictures of mistakes, which Pillow must decode, and a histogram for each parameter and epoch. The
server's reader, which turns all of it into tensors first, must find the same tags. Needs tensorboard and pillow
(Benchmarks/requirements.txt).
"""
import argparse
import io
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time

from measure import ROOT, Failure

EPOCHS = 5
SCALARS = {
    "train/loss": "train_loss", "train/accuracy": "train_accuracy", "test/loss": "test_loss",
    "test/accuracy": "test_accuracy", "test/top5_accuracy": "test_top5_accuracy", "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}  # fmt: skip


def expect(holds, text):
    if not holds:
        raise Failure(text)


def metrics(run):
    path = run / "metrics.jsonl"
    # A line without its end is being written.
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")] if path.exists() else []


def train(program, run, logs):
    common = ["--tensorboard", logs, "--tensorboard-histograms", "--save-every", 2, "--progress", "none"]
    arguments = ["train", "lenet", "--limit", 2048, "--limit-test", 256, "--epochs", EPOCHS, "--out", run, *common]
    first = subprocess.Popen([program, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    while len(metrics(run)) < 3 and first.poll() is None:
        time.sleep(0.001)
    first.send_signal(signal.SIGKILL)
    errors = first.communicate()[1]
    expect(first.returncode == -signal.SIGKILL, f"resin train gives {first.returncode}: {errors[-500:]}")
    before = len(metrics(run))
    resumed = subprocess.run(
        [program, "train", "--resume", str(run), *map(str, common)], capture_output=True, text=True)
    expect(resumed.returncode == 0, f"resin train --resume gives {resumed.returncode}: {resumed.stderr[-500:]}")
    return before


def parameters(run):
    """Names and numbers of values, from the header of the last weights."""
    with open(run / "last.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    sizes = {}
    for name, tensor in header.items():
        size = 1
        for extent in tensor["shape"]:
            size *= extent
        sizes["parameters/" + name] = size
    return sizes


def check(run, logs):
    from PIL import Image
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator

    everything = {kind: 0 for kind in ["scalars", "images", "histograms", "tensors", "compressedHistograms"]}
    reader = event_accumulator.EventAccumulator(str(logs), size_guidance=everything).Reload()
    tags, rows = reader.Tags(), metrics(run)
    epochs = [row["epoch"] for row in rows]
    expect(epochs == list(range(1, EPOCHS + 1)), f"metrics.jsonl has epochs {epochs}")

    expect(set(tags["scalars"]) == set(SCALARS), f"scalars are {tags['scalars']}")
    for tag, key in SCALARS.items():
        events = reader.Scalars(tag)
        expect([event.step for event in events] == epochs, f"{tag} has steps {[event.step for event in events]}")
        for event, row in zip(events, rows):
            single = struct.unpack("<f", struct.pack("<f", row[key]))[0]
            expect(event.value == single, f"{tag} is {event.value} in epoch {row['epoch']}, and {key} {single}")
    print(f"scalars: {len(SCALARS)} tags of {len(epochs)} epochs are metrics.jsonl's")

    best, bests = -1, []
    for row in rows:
        if row["test_accuracy"] > best:
            best = row["test_accuracy"]
            bests.append(row["epoch"])
    pictures, forms = 0, set()
    expect("mistakes/01" in tags["images"], f"images are {tags['images']}")
    for tag in tags["images"]:
        for event in reader.Images(tag):
            image = Image.open(io.BytesIO(event.encoded_image_string))
            expect(image.size == (event.width, event.height), f"{tag} has {image.size}, not {event.width}×{event.height}")
            expect(event.step in bests, f"{tag} has step {event.step}, and the best epochs are {bests}")
            image.load()
            forms.add(f"{image.format} {image.width}×{image.height}")
            pictures += 1
    steps = [event.step for event in reader.Images("mistakes/01")]
    expect(steps == bests, f"mistakes/01 has steps {steps}, and the best epochs are {bests}")
    print(f"images: {len(tags['images'])} tags, {pictures} pictures ({', '.join(sorted(forms))}), of the best epochs {bests}")

    table = reader.Tensors("mistakes/table")[-1].tensor_proto.string_val[0].decode()
    print("text: " + table.splitlines()[2])

    sizes = {name: size for name, size in parameters(run).items() if name in tags["histograms"]}
    expect(sizes and set(sizes) == set(tags["histograms"]), f"histograms are {tags['histograms']}")
    for tag, size in sizes.items():
        events = reader.Histograms(tag)
        expect([event.step for event in events] == epochs, f"{tag} has steps {[event.step for event in events]}")
        for event in events:
            value = event.histogram_value
            expect(value.num == size == sum(value.bucket), f"{tag} has {value.num} values, not {size}")
            expect(value.min <= value.max == value.bucket_limit[-1], f"{tag}: the buckets end at {value.bucket_limit[-1]}")
    print(f"histograms: {len(sizes)} parameters, {sum(sizes.values())} values, {len(epochs)} epochs")

    server = plugin_event_accumulator.EventAccumulator(str(logs), size_guidance=everything).Reload()
    for plugin, expected in [
        ("scalars", set(SCALARS)), ("images", set(tags["images"])), ("histograms", set(sizes)), ("text", {"mistakes/table"})]:
        found = set(server.PluginTagToContent(plugin))
        expect(found == expected, f"the server's {plugin} are {sorted(found)}")
    steps = [event.step for event in server.Tensors("train/loss")]
    expect(steps == epochs, f"the server's train/loss has steps {steps}")
    print("the server's reader finds the same tags: scalars, images, histograms, text")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin", default=ROOT / ".build/release/resin", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, logs = pathlib.Path(folder) / "run", pathlib.Path(folder) / "logs"
        before = train(options.resin.resolve(), run, logs)
        files = sorted(path.name for path in logs.iterdir())
        expect(len(files) == 2, f"the files are {files}")
        print(f"killed with {before} epochs in metrics.jsonl, resumed: {len(files)} event files")
        check(run, logs)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"tensorboard_reads: {failure}")
