#!/usr/bin/env bash
# Times Resin beside its peers (Benchmarks/report.py, whose options it takes); makes the virtual environment that they
# need, and makes it anew where requirements.txt has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.build/benchmark-python
wanted=Benchmarks/requirements.txt
if ! cmp -s "$wanted" "$environment/requirements.txt"; then
    echo "installing $(grep -c == "$wanted") packages into $environment" >&2
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install -q -r "$wanted"
    cp "$wanted" "$environment/requirements.txt"
fi
exec "$environment/bin/python" -B Benchmarks/report.py "$@"
