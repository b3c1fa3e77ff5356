#!/usr/bin/env python3
"""The first steps of ten recipes on a device and on the reference executor: the losses must agree.

    python3 gpu_recipes.py --resin PROGRAM --device SPEC [--out FILE.jsonl] [--recipes FOLDER]
    python3 gpu_recipes.py --table FILE.jsonl

Each recipe trains on eight of the built-in images, in batches of four, for one epoch, and is evaluated on four: network,
size, initialisation, optimizer and rates are the recipe's. Needs no package.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Two steps through up to fifty layers; batch norm over four images amplifies rounding.
TRAIN_TOLERANCE, TEST_TOLERANCE = 1e-4, 1e-2


def first_steps(resin, recipe, device, folder):
    """(training loss, test loss), or what went wrong in words."""
    run = pathlib.Path(folder) / device
    command = [resin, "train", "--config", recipe, "--data", "glyphs", "--mean", "0.5", "--std", "0.5", "--limit", "8",
               "--limit-test", "4", "--batch", "4", "--epochs", "1", "--math", "exact", "--device", device,
               "--progress", "none", "--out", run]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    metrics = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    return metrics["train_loss"], metrics["test_loss"]


def compare(resin, recipe, device):
    with tempfile.TemporaryDirectory() as folder:
        results = [first_steps(resin, recipe, place, folder) for place in (device, "reference")]
    row = {"recipe": recipe.stem}
    for result in results:
        if isinstance(result, str):
            return row | {"verdict": f"FAILED: {result}"}
    errors = [abs(found - exact) / abs(exact) for found, exact in zip(*results)]
    passed = errors[0] <= TRAIN_TOLERANCE and errors[1] <= TEST_TOLERANCE
    return row | {"train_loss": results[0][0], "train_error": errors[0], "test_error": errors[1],
                  "verdict": "OK" if passed else "FAILED: the losses differ"}


def print_table(rows):
    print(f"{'recipe':32} {'train loss':>10} {'error':>9} {'test error':>10}  verdict")
    for row in rows:
        if "train_loss" in row:
            print(f"{row['recipe']:32} {row['train_loss']:10.5f} {row['train_error']:9.1e} {row['test_error']:10.1e}  "
                  f"{row['verdict']}")
        else:
            print(f"{row['recipe']:32} {row['verdict']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--recipes", type=pathlib.Path, default=ROOT / "Examples/recipes")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.table:
        return print_table([json.loads(line) for line in arguments.table.read_text().splitlines()])
    recipes = sorted(arguments.recipes.glob("*.json"))[:arguments.count]
    if arguments.out:
        arguments.out.write_text("")
    rows = []
    # The references of several recipes side by side; nothing is timed here.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for row in pool.map(lambda recipe: compare(arguments.resin, recipe, arguments.device), recipes):
            rows.append(row)
            if arguments.out:
                with arguments.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    print_table(rows)
    return sys.exit(any(row["verdict"] != "OK" for row in rows))


if __name__ == "__main__":
    main()
