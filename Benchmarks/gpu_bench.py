#!/usr/bin/env python3
"""A few training steps of each network in each precision on a GPU, beside what was predicted.

    python3 gpu_bench.py --resin PROGRAM --device SPEC --out FILE.jsonl [--work NAME,…]
    python3 gpu_bench.py --table FILE.jsonl
    python3 gpu_bench.py --builds [--work …]       # a line a network and precision: arguments of `resin kernels`
    python3 gpu_bench.py --profiles [--work …]     # a line a network to be profiled: a name, arguments of `resin bench`

A step is timed from its start to the wait for its end, the median of ten. Launches a second of the smallest networks say
what a launch costs.
"""
import argparse
import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
from gpu_timings import RESIN, WORK  # noqa: E402

PREDICTION = pathlib.Path(__file__).resolve().parent / "results/2026-11-26-h100-prediction.md"
FORMS = {**RESIN, "float16": ["--precision", "mixed-float16"]}
PROFILES = [("resnet50-224", "mixed"), ("resnet50-224", "fast"), ("resnet18-224", "mixed"), ("nin-224", "mixed"),
            ("nin-224", "fast"), ("lenet-28", "fast")]


def arguments_of(work, form):
    network, side, batch, options = WORK[work]
    return [network, "--input", f"1x{side}x{side}", "--batch", str(batch), *FORMS[form], *options]


def predictions():
    """{(card, work, form): milliseconds}, from the prediction's table."""
    found, heads = {}, []
    for line in PREDICTION.read_text().splitlines() if PREDICTION.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:2] == ["work", "precision"]:
            heads = cells
        elif len(cells) == len(heads) and cells[0] in WORK:
            for head, cell in zip(heads, cells):
                if head.endswith(", ms"):
                    found[head.removesuffix(", ms"), cells[0], cells[1]] = float(cell)
    return found


def bench(resin, device, work, form):
    row = {"work": work, "form": form}
    run = subprocess.run([resin, "bench", *arguments_of(work, form), "--steps", "10", "--device", device, "--json"],
                         capture_output=True, text=True)
    if run.returncode:
        return row | {"error": (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]}
    plan = subprocess.run([resin, "explain", *arguments_of(work, form), "--device", device, "--json"],
                          capture_output=True, text=True)
    launches = len(json.loads(plan.stdout)["launches"]) if plan.returncode == 0 else None
    result = json.loads(run.stdout)
    return row | {"launches": launches} | {key: result[key] for key in [
        "device", "step_milliseconds", "images_per_second", "gflops", "first_step_seconds"]}


def print_table(rows):
    predicted = predictions()
    print(f"{'work':20}{'form':9}{'ms a step':>10}{'predicted':>10}{'images/s':>11}{'TFLOP/s':>9}{'launches':>9}"
          f"{'launches/s':>12}{'first, s':>9}")
    for row in rows:
        if "error" in row:
            print(f"{row['work']:20}{row['form']:9}FAILED: {row['error'][:160]}")
            continue
        card = next((card for card in ["H100", "H200"] if card in row["device"]), None)
        guess = predicted.get((card, row["work"], row["form"]))
        milliseconds, launches = row["step_milliseconds"], row["launches"]
        print(f"{row['work']:20}{row['form']:9}{milliseconds:10.2f}{f'{guess:.2f}' if guess else '–':>10}"
              f"{row['images_per_second']:11.0f}{row['gflops'] / 1000:9.1f}{launches or 0:9}"
              f"{1000 * (launches or 0) / milliseconds:12.0f}{row['first_step_seconds']:9.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--work")
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--builds", action="store_true")
    parser.add_argument("--profiles", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        return print_table([json.loads(line) for line in arguments.table.read_text().splitlines()])
    # The smallest first: where time is short, most of them are had.
    works = arguments.work.split(",") if arguments.work else list(reversed(WORK))
    if unknown := set(works) - set(WORK):
        sys.exit(f"gpu_bench: no work {', '.join(sorted(unknown))}; there is {', '.join(WORK)}")
    if arguments.builds:
        return print(*(" ".join(arguments_of(work, form)) for form in FORMS for work in works), sep="\n")
    if arguments.profiles:
        return print(*(" ".join([f"{work}-{form}", *arguments_of(work, form)]) for work, form in PROFILES if work in works),
                     sep="\n")
    rows = []
    with arguments.out.open("w") as file:
        for work in works:
            for form in FORMS:
                rows.append(bench(arguments.resin, arguments.device, work, form))
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
                print(json.dumps(rows[-1]), flush=True)
    return sys.exit(any("error" in row for row in rows))


if __name__ == "__main__":
    main()
