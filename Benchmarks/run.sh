#!/usr/bin/env bash
# Times training beside PyTorch; makes the virtual environment that it needs. What it prints is kept under
# Benchmarks/results/ by hand, with the commit that changed it.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.build/benchmark-python
if [ ! -x "$environment/bin/python" ]; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install -q torch numpy
fi
"$environment/bin/python" Benchmarks/throughput.py "$@"
