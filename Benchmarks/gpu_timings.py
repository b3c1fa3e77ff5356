#!/usr/bin/env python3
"""Training throughput of Resin beside PyTorch's on the same GPU, alternating in one run.

    python3 gpu_timings.py --resin PROGRAM --device SPEC [--seconds N] [--work NAME,…] [--out FILE.jsonl]
    python3 gpu_timings.py --table FILE.jsonl

A step is forward, backward and SGD with momentum 0.9 on images that lie in the device's memory. PyTorch runs eagerly in
float32 (without TF32), TF32 and bf16 AMP, each with NCHW and channels_last tensors, and AMP channels_last replayed as a
CUDA graph; compiled AMP comes last, as far as time allows. Resin runs with --math fast, which takes TF32 where the
driver can, with --math exact, which is float32, and with --precision mixed. Each round times Resin and every form one
after the other; figures are medians over the rounds. Both are timed over many steps with one wait at the end.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]

# Network, side, batch, and more options of `resin bench`.
WORK = {
    "nin-224": ("nin", 224, 128, []),
    "resnet18-224": ("resnet18", 224, 128, []),
    "resnet50-224": ("resnet50", 224, 64, ["--variant", "torchvision"]),
    "nin-96": ("nin", 96, 128, []),
    "residual-mnist-28": ("residual-mnist", 28, 64, []),
    "lenet-28": ("lenet", 28, 64, []),
    "inception-mnist-28": ("inception-mnist", 28, 64, []),
}
FLOAT32 = ["float32", "float32 ch. last"]
PLAIN = [*FLOAT32, "TF32", "TF32 ch. last"]
MIXED = ["AMP", "AMP ch. last", "AMP graph"]
COMPILED = "AMP compiled"
RESIN = {"exact": ["--math", "exact"], "fast": ["--math", "fast"], "mixed": ["--precision", "mixed"]}


def make_network(name, side):
    if name == "resnet50":
        import torch
        import torchvision
        network = torchvision.models.resnet50(num_classes=10)
        network.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        return network
    import peer
    return peer.make_network(name, side)


class TorchStep:
    """A training step of one form, ready to be repeated."""

    def __init__(self, work, form, device):
        import torch
        network, side, self.batch, _ = WORK[work]
        self.torch, self.form, self.device = torch, form, torch.device(device)
        self.is_gpu = self.device.type == "cuda"
        layout = torch.channels_last if "ch. last" in form or form in (COMPILED, "AMP graph") else torch.contiguous_format
        torch.manual_seed(0)
        self.model = make_network(network, side).to(self.device, memory_format=layout)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.001, momentum=0.9, fused=True)
        self.images = torch.randn(self.batch, 1, side, side, device=self.device).contiguous(memory_format=layout)
        self.labels = torch.randint(0, 10, (self.batch,), device=self.device)
        self.forward = torch.compile(self.model) if form == COMPILED else self.model
        self.step = self.take_step
        self.set_precision()
        for _ in range(3):
            self.take_step()
        self.wait()
        if form == "AMP graph":
            self.capture()

    def set_precision(self):
        """TF32 is a matter of the process, so it is set anew before each use."""
        allows = self.form.startswith("TF32") or self.form.startswith("AMP")
        self.torch.backends.cuda.matmul.allow_tf32 = self.torch.backends.cudnn.allow_tf32 = allows
        self.torch.backends.cudnn.benchmark = True

    def take_step(self):
        torch = self.torch
        self.optimizer.zero_grad(set_to_none=self.form != "AMP graph")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.form.startswith("AMP")):
            loss = torch.nn.functional.cross_entropy(self.forward(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def capture(self):
        """As PyTorch's notes on CUDA graphs have it: a warm-up on another stream, then one captured step."""
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.take_step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.take_step()
        self.step = graph.replay

    def wait(self):
        if self.is_gpu:
            self.torch.cuda.synchronize()

    def images_per_second(self, seconds):
        self.set_precision()
        self.step()
        self.wait()
        start = time.perf_counter()
        steps = 0
        while steps < 3 or time.perf_counter() - start < seconds:
            # A wait now and then, so that the queue does not run away from the clock.
            for _ in range(10 if self.is_gpu else 1):
                self.step()
                steps += 1
            self.wait()
        return self.batch * steps / (time.perf_counter() - start)


def resin_images_per_second(resin, device, work, steps, form):
    network, side, batch, options = WORK[work]
    command = [resin, "bench", network, "--input", f"1x{side}x{side}", "--batch", str(batch), "--steps", str(steps),
               "--device", device, "--pipelined", *RESIN[form], "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return json.loads(done.stdout)["images_per_second"]


def attempt(measure):
    """A number, or what went wrong: one form that fails ends no run."""
    try:
        return measure()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"


def time_work(work, arguments, torch_device, forms, deadline, write):
    peers = {}
    for form in forms:
        if time.monotonic() < deadline:
            peers[form] = attempt(lambda: TorchStep(work, form, torch_device))
    for number in range(arguments.rounds):
        if time.monotonic() > deadline:
            return
        row = {"work": work, "round": number, "torch": {}}
        for form in RESIN:
            row[form] = attempt(
                lambda: resin_images_per_second(arguments.resin, arguments.device, work, arguments.steps, form))
        for form, peer in peers.items():
            row["torch"][form] = peer if isinstance(peer, str) else attempt(lambda: peer.images_per_second(arguments.span))
        write(row)


def median(values):
    numbers = [value for value in values if isinstance(value, (int, float))]
    return statistics.median(numbers) if numbers else None


def print_table(rows):
    forms = [*PLAIN, *MIXED, COMPILED]
    print("images a second, medians; ratios: of Resin, exact for float32, fast for TF32, its best for all, to PyTorch's best")
    print(f"{'work':20}" + "".join(f"{form:>9}" for form in RESIN) + "".join(f"{form:>17}" for form in forms)
          + f"{'/ float32':>11}{'/ TF32':>8}{'/ all':>7}")
    for work in dict.fromkeys(row["work"] for row in rows):
        rounds = [row for row in rows if row["work"] == work]
        medians = {form: median(row["torch"].get(form) for row in rounds) for form in forms}
        resin = {form: median(row[form] for row in rounds) for form in RESIN}

        def best(figures, kinds):
            return max([figures[form] for form in kinds if figures[form]], default=None)

        def ratio(own, kinds):
            ours, theirs = best(resin, own), best(medians, kinds)
            return ours / theirs if ours and theirs else None

        def cell(value, width, decimals=0):
            return f"{value:{width}.{decimals}f}" if value is not None else f"{'–':>{width}}"

        print(f"{work:20}" + "".join(cell(resin[form], 9) for form in RESIN)
              + "".join(cell(medians[form], 17) for form in forms) + cell(ratio(["exact"], FLOAT32), 11, 2)
              + cell(ratio(["fast"], PLAIN), 8, 2) + cell(ratio(RESIN, forms), 7, 2))
    for row in rows:
        for name, value in [*((f"resin, {form}", row[form]) for form in RESIN), *row["torch"].items()]:
            if isinstance(value, str) and row["round"] == 0:
                print(f"{row['work']}, {name}: {value}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--torch-device", help="cuda where there is one, else cpu")
    parser.add_argument("--work", help="names with commas between: " + ", ".join(WORK))
    parser.add_argument("--seconds", type=float, default=240, help="for all of it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20, help="of Resin, a round")
    parser.add_argument("--span", type=float, default=0.5, help="seconds of each of PyTorch's forms, a round")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.table:
        return print_table([json.loads(line) for line in arguments.table.read_text().splitlines()])
    deadline = time.monotonic() + arguments.seconds
    works = arguments.work.split(",") if arguments.work else list(WORK)
    if unknown := set(works) - set(WORK):
        sys.exit(f"gpu_timings: no work {', '.join(sorted(unknown))}; there is {', '.join(WORK)}")
    try:
        import torch
        torch_device = arguments.torch_device or ("cuda" if torch.cuda.is_available() else "cpu")
        name = torch.cuda.get_device_name() if torch_device == "cuda" else "the CPU"
        print(f"PyTorch {torch.__version__} on {name}; Resin on {arguments.device}", flush=True)
        forms = [*PLAIN, *MIXED] if torch_device == "cuda" else ["float32", "float32 ch. last", "AMP", "AMP ch. last"]
    except ImportError as error:
        print(f"no PyTorch here ({error}): Resin alone is timed")
        torch_device, forms = None, []
    rows = []
    if arguments.out:
        arguments.out.write_text("")

    def write(row):
        rows.append(row)
        if arguments.out:
            with arguments.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    for work in works:
        time_work(work, arguments, torch_device, forms, deadline, write)
        if torch_device == "cuda":
            torch.cuda.empty_cache()
    # Compiling takes up to a minute each: what fits, the largest networks first.
    for work in works[:3] if torch_device == "cuda" else []:
        if deadline - time.monotonic() > 60:
            time_work(work, arguments, torch_device, [COMPILED], deadline, write)
    print_table(rows)
    missing = [row for row in rows if any(isinstance(row[form], str) for form in RESIN)]
    sys.exit(bool(missing) or not rows)


if __name__ == "__main__":
    main()
