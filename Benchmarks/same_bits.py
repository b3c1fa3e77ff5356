#!/usr/bin/env python3
"""Whether two builds of resin train to the same bits: SHA-256 of the tensors of last.safetensors after 20 steps, by network,
kernels and precision, on the first OpenCL CPU.

    Benchmarks/same_bits.py OLD NEW [--networks lenet,nin] [--kernels cpu,gpu,tensor-cores]
                            [--precisions float32,mixed,mixed-float16] [--steps 20]

OLD and NEW are programs. GPU's kernels run on the CPU (RESIN_KERNELS), with and without imitated tensor cores. Exits
with 1 where a pair differs or a run fails.
"""
import argparse
import hashlib
import itertools
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

NETWORKS = {
    "lenet": ["--batch", "16"],
    "residual-mnist": ["--batch", "8"],
    "inception-mnist": ["--batch", "8"],
    "nin": ["--batch", "4", "--resize", "67"],
    "resnet18": ["--batch", "8", "--resize", "32"],
    "googlenet": ["--batch", "4", "--resize", "64"],
    "densenet": ["--batch", "4", "--resize", "48"],
}
# CPUs have no kernels for mixed precision of their own.
FORMS = [("cpu", "float32")] + list(itertools.product(["gpu", "tensor-cores"], ["float32", "mixed", "mixed-float16"]))


def tensors_hash(path):
    """Of names, types, shapes and values; what else a build says of its weights in their file's metadata is no part of it."""
    data = path.read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    digest = hashlib.sha256()
    for name, tensor in sorted(header.items()):
        begin, end = (8 + length + offset for offset in tensor["data_offsets"])
        digest.update(json.dumps([name, tensor["dtype"], tensor["shape"]]).encode())
        digest.update(data[begin:end])
    return digest.hexdigest()


def trained(program, network, kernels, precision, steps):
    """The hash of what a run leaves, or what it says where it fails."""
    options = NETWORKS[network]
    batch = int(options[1])
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [program, "train", network, *options, "--limit", str(steps * batch), "--limit-test", str(batch), "--epochs", "1",
             "--precision", precision, "--device", "cpu", "--lr", "0.001", "--out", f"{folder}/run", "--progress", "none"],
            capture_output=True, text=True,
            env={**os.environ, "RESIN_KERNELS": "" if kernels == "cpu" else kernels})
        if run.returncode != 0:
            return f"exit {run.returncode}: {run.stderr.strip().splitlines()[-1:]}"
        return tensors_hash(pathlib.Path(folder, "run", "last.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--kernels", default="cpu,gpu,tensor-cores")
    parser.add_argument("--precisions", default="float32,mixed,mixed-float16")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    different = 0
    for network in arguments.networks.split(","):
        for kernels, precision in FORMS:
            if kernels not in arguments.kernels.split(",") or precision not in arguments.precisions.split(","):
                continue
            old, new = (trained(program, network, kernels, precision, arguments.steps)
                        for program in (arguments.old, arguments.new))
            is_same = old == new and not old.startswith("exit")
            different += not is_same
            print(f"{network:16} {kernels:12} {precision:14} " + (f"same {new[:16]}" if is_same else f"{old} became {new}"),
                  flush=True)
    print(f"{different} differ")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
