#!/usr/bin/env bash
# What there is to learn from a GPU, in one command and within ten minutes, on a machine with neither Swift nor a network:
#
#     make carry                                  # on a machine with Swift; fills carry/
#     Benchmarks/gpu.sh [--device SPEC] [--seconds N] [--work NAME,…] [PIECE …]
#
# PIECES, by default all in this order; each has a time limit of its own, and what does not fit the whole is left out:
#   system     the card, the driver, the loader
#   check      resin devices --check: what the driver can do
#   operators  each family of operators against the reference
#   recipes    the first steps of ten recipes against the reference
#   limits     the device's measured peaks
#   profile    time by layer of the large networks
#   copies     the same networks with operands copied by cp.async and through registers, alternating
#   timings    images a second beside PyTorch, alternating: float32, TF32, bf16 AMP, channels_last, CUDA graphs, compiled
#
# Everything printed is also in $OUT (runs/gpu where it is not set); the last thing printed is a table. The program is
# $RESIN, or carry/resin.gz unpacked. Exits 69 where there is no such device, 70 where a check failed.
set -uo pipefail
cd "$(dirname "$0")/.."

device=gpu
seconds=570
work=()
pieces=()
while [ $# -gt 0 ]; do
    case $1 in
    --device | --seconds | --work)
        [ $# -gt 1 ] || { echo "gpu.sh: $1 wants a value" >&2; exit 64; }
        case $1 in --device) device=$2 ;; --seconds) seconds=$2 ;; --work) work=(--work "$2") ;; esac
        shift 2
        ;;
    system | check | operators | recipes | timings | limits | profile | copies) pieces+=("$1"); shift ;;
    *) echo "gpu.sh: '$1' is no piece; see the head of $0" >&2; exit 64 ;;
    esac
done
[ ${#pieces[@]} -gt 0 ] || pieces=(system check operators recipes limits profile copies timings)
wants() { [[ " ${pieces[*]} " == *" $1 "* ]]; }

out=${OUT:-runs/gpu}
mkdir -p "$out"
scratch=$(mktemp -d)
exec > >(tee "$out/report.txt") 2>&1
tee=$!
# The report is whole before this ends.
trap 'rm -rf "$scratch"; exec >&- 2>&-; wait "$tee"' EXIT

# Libraries: the program's, the loader, the driver.
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
add_library_folder() { LD_LIBRARY_PATH=$LD_LIBRARY_PATH${LD_LIBRARY_PATH:+:}$1; }
resin=${RESIN:-}
if [ -z "$resin" ]; then
    [ -f carry/resin.gz ] || { echo "gpu.sh: no carry/resin.gz; run 'make carry' where Swift is, or set RESIN" >&2; exit 66; }
    resin=$scratch/resin
    gzip -dc carry/resin.gz >"$resin" && chmod +x "$resin" || exit 74
fi
if ldd "$resin" | grep -q 'not found'; then add_library_folder "$PWD/carry/spare"; fi
has_library() { ldconfig -p 2>/dev/null | grep -q "$1"; }
has_library 'libOpenCL\.so\.1' || { [ ! -d carry/lib ] || add_library_folder "$PWD/carry/lib"; }
driver=none
if [ -z "${OCL_ICD_VENDORS:-}" ] && ! grep -qs nvidia /etc/OpenCL/vendors/*.icd; then
    driver=$({
        ldconfig -p 2>/dev/null | awk '/libnvidia-opencl\.so/ { print $NF }'
        find /usr/local/nvidia /usr/lib /usr/lib64 /usr/local/lib /run/nvidia /opt /lib64 -name 'libnvidia-opencl.so*' 2>/dev/null
    } | head -1)
    if [ -n "$driver" ]; then
        # The other drivers' files stay in: a machine may have more than one.
        mkdir "$scratch/vendors"
        cp /etc/OpenCL/vendors/*.icd "$scratch/vendors/" 2>/dev/null
        echo "$driver" >"$scratch/vendors/nvidia.icd"
        export OCL_ICD_VENDORS=$scratch/vendors
        add_library_folder "$(dirname "$driver")"
    fi
fi
# Answers and compiled kernels of this run are its own.
export XDG_CACHE_HOME=$scratch/cache CUDA_CACHE_PATH=$scratch/cuda
mkdir -p "$XDG_CACHE_HOME"
# The Python that has PyTorch, if any.
python=${PYTHON:-python3}

failed=0
verdicts=()
left() { echo $((seconds - SECONDS)); }
# piece NAME LIMIT COMMAND…: runs it within LIMIT seconds and what is left of the whole.
piece() {
    local name=$1 limit=$2 code=0 start=$SECONDS
    shift 2
    wants "$name" || return 0
    [ "$(left)" -ge "$limit" ] || limit=$(left)
    echo
    echo "== $name (at most $limit s)"
    if [ "$limit" -lt 5 ]; then
        verdicts+=("$name|left out: no time")
        return 0
    fi
    timeout -k 5 "$limit" "$@" || code=$?
    case $code in
    0) verdicts+=("$name|done in $((SECONDS - start)) s") ;;
    124 | 137) verdicts+=("$name|stopped after $limit s") ;;
    *) verdicts+=("$name|FAILED, exit code $code"); failed=1 ;;
    esac
}

system() {
    date -u +'%F %T UTC'
    uname -srm
    grep -m1 'model name' /proc/cpuinfo | cut -d: -f2
    git log -1 --format='commit %h %s' 2>/dev/null || true
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,power.limit --format=csv 2>&1 | head -9
    echo "OpenCL driver: ${driver:-libnvidia-opencl.so* was not found}; vendors: ${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}"
    echo "libraries: ${LD_LIBRARY_PATH:-those of the system}"
    "$resin" --version
    "$resin" devices
}

limits() {
    if "$resin" help bench | grep -q -- --calibrate; then "$resin" bench --calibrate --device "$device"
    else echo "this program's bench has no --calibrate"; fi
}

profile() {
    local code=0
    for network in nin resnet18 resnet50; do
        echo "-- $network 224², batch ${PROFILE_BATCH:-64}"
        "$resin" bench "$network" --input "${PROFILE_INPUT:-1x224x224}" --batch "${PROFILE_BATCH:-64}" --steps 5 \
            --profile --device "$device" || code=$?
    done
    return $code
}

# What the probes found is written over for the second way, so that the program does without.
copies() {
    local code=0 probes=$XDG_CACHE_HOME/resin/probes
    if ! "$python" Benchmarks/gpu_probe.py "$probes" cp.async; then
        echo "this device has no cp.async, or 'check' was not run"
        return 0
    fi
    cp -r "$probes" "$scratch/probes"
    for precision in float32 mixed; do
        for network in nin resnet18 resnet50; do
            for way in copied registers copied registers; do
                rm -r "$probes" && cp -r "$scratch/probes" "$probes"
                [ "$way" = copied ] || "$python" Benchmarks/gpu_probe.py "$probes" cp.async --hide
                echo "-- $network 224², batch ${PROFILE_BATCH:-64}, $precision, $way"
                "$resin" bench "$network" --input "${PROFILE_INPUT:-1x224x224}" --batch "${PROFILE_BATCH:-64}" \
                    --steps 10 --precision "$precision" --device "$device" || code=$?
            done
        done
    done
    rm -r "$probes" && cp -r "$scratch/probes" "$probes"
    return $code
}
export -f system limits profile copies
export resin device driver scratch python

piece system 30 bash -c system
if ! "$resin" devices --device "$device" >/dev/null 2>"$scratch/error"; then
    cat "$scratch/error"
    exit 69
fi
piece check 120 "$resin" devices --check --verbose --device "$device"
piece operators 220 "$resin" devices --check --operators --device "$device"
piece recipes 120 "$python" Benchmarks/gpu_recipes.py --resin "$resin" --device "$device" --out "$out/recipes.jsonl"
piece limits 30 bash -c limits
piece profile 60 bash -c profile
piece copies 90 bash -c copies
piece timings "$(left)" "$python" Benchmarks/gpu_timings.py --resin "$resin" --device "$device" --out "$out/timings.jsonl" \
    --seconds $(($(left) - 15)) "${work[@]}"

echo
echo "== table ($SECONDS s)"
printf '%s\n' "${verdicts[@]}" | awk -F'|' '{ printf "%-10s %s\n", $1, $2 }'
if wants recipes && [ -s "$out/recipes.jsonl" ]; then "$python" Benchmarks/gpu_recipes.py --table "$out/recipes.jsonl"; fi
if wants timings && [ -s "$out/timings.jsonl" ]; then "$python" Benchmarks/gpu_timings.py --table "$out/timings.jsonl"; fi
[ "$failed" = 0 ] || exit 70
