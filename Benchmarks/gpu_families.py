#!/usr/bin/env python3
"""Each family of operators on a device and on the reference executor, in as many processes as there are cores.

    python3 gpu_families.py --resin PROGRAM --device SPEC --out FOLDER [--kept FILE.json [--again]] [--quick]

FOLDER gets a file a family, with every case that is wrong, and summary.txt. FILE.json says which families were right;
with --again those are left out.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time


def families(resin, device):
    """The program names them where it is asked for one that it does not know."""
    run = subprocess.run([resin, "check-one", "operators", "?", "--device", device], capture_output=True, text=True)
    known = re.search(r"there are (.*)", run.stderr)
    if not known:
        sys.exit(f"gpu_families: {run.stderr.strip() or 'the program lists no families'}")
    return known[1].split(", ")


def check(resin, device, family):
    """(verdict in one line, everything there is to say)"""
    start = time.monotonic()
    run = subprocess.run([resin, "check-one", "operators", family, "--device", device], capture_output=True, text=True)
    seconds = time.monotonic() - start
    if run.returncode:
        said = run.stderr.strip() or f"exit code {run.returncode}"
        return f"FAILED: {said.splitlines()[0][:200]}", said
    result = json.loads(run.stdout)
    if failure := result.get("failure"):
        return f"FAILED: {failure.splitlines()[0][:200]}", failure
    if reason := result.get("reason"):
        return f"no case: {reason}", reason
    return f"OK, {result['cases']} cases, worst relative error {result['worst_error']:.1e}, {seconds:.0f} s", run.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resin", required=True)
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--kept", type=pathlib.Path)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two families")
    arguments = parser.parse_args()
    known = families(arguments.resin, arguments.device)
    work = ["metrics", "optimizers"] if arguments.quick else known
    were_right = json.loads(arguments.kept.read_text()) if arguments.kept and arguments.kept.exists() else []
    if arguments.again:
        work = [family for family in work if family not in were_right]
    arguments.out.mkdir(parents=True, exist_ok=True)
    verdicts = {family: "STOPPED" for family in work}

    def keep():
        lines = [f"{family:28}{verdicts[family][:90]}" for family in work]
        (arguments.out / "summary.txt").write_text("\n".join(lines) + "\n")
        if arguments.kept:
            right = [family for family in work if verdicts[family].startswith(("OK", "no case"))]
            arguments.kept.write_text(json.dumps(sorted({*were_right, *right} if arguments.again else right)))

    keep()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        started = {pool.submit(check, arguments.resin, arguments.device, family): family for family in work}
        for done in concurrent.futures.as_completed(started):
            family = started[done]
            verdicts[family], said = done.result()
            print(f"{family:28}{verdicts[family]}", flush=True)
            (arguments.out / f"{family.replace(' ', '-')}.txt").write_text(said + "\n")
            keep()
    sys.exit(any(verdict.startswith("FAILED") for verdict in verdicts.values()))


if __name__ == "__main__":
    main()
