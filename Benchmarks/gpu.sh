#!/usr/bin/env bash
# What there is to learn from a GPU, in two calls of a few minutes, on a machine with neither Swift nor a network:
#
#     make carry                    # on a machine with Swift; fills carry/
#     Benchmarks/gpu.sh first       # at most 230 s: what the driver can do, whether every operator is right, how fast
#     Benchmarks/gpu.sh second      # at most 480 s: what failed again, recipes, the book's NiN, timings beside PyTorch
#     Benchmarks/gpu.sh PIECE …     # at most 570 s: these
#
#     --device SPEC, --seconds N, --quick (the smallest network, two families of operators, two recipes), --work NAME,…
#
# PIECES, each with a time limit of its own; what does not fit the whole is left out:
#   system     the card, the driver, the loader, and what of them was found
#   check      resin devices --check: what the driver can do
#   warm       every network's programs built, in parallel; PTX and logs go to programs.tar.gz
#   operators  each family of operators against the reference, in parallel; the second time those that were wrong
#   bench      a few steps of each network and precision: milliseconds beside those predicted, launches a second
#   limits     the device's measured peaks
#   profile    time by layer of large networks, to files
#   wgmma      whether the driver takes PTX for sm_90a, and multiplies with it
#   recipes    the first steps of ten recipes against the reference
#   nin        NiN at 224² by the book's recipe, ten epochs
#   copies     large networks with operands copied by cp.async and through registers, alternating
#   timings    images a second beside PyTorch, alternating: float32, TF32, bf16 AMP, channels_last, CUDA graphs, compiled
#
# Everything printed is also in $OUT (runs/gpu where it is not set), a piece a file; the last things printed are tables,
# then what failed. The program is $RESIN, or carry/resin.gz unpacked. What drivers compile and answer is kept in
# $GPU_CACHE (runs/gpu-cache) between calls; $GPU_CARRY is another carry/, $GPU_ROOTS other folders to find the driver in.
# Exits 69 where there is no such device, 70 where a piece failed.
set -uo pipefail
cd "$(dirname "$0")/.."

device=gpu
seconds=570
work=()
quick=()
pieces=()
is_second=
while [ $# -gt 0 ]; do
    case $1 in
    --device | --seconds | --work)
        [ $# -gt 1 ] || { echo "gpu.sh: $1 wants a value" >&2; exit 64; }
        case $1 in --device) device=$2 ;; --seconds) limit=$2 ;; --work) work=(--work "$2") ;; esac
        shift
        ;;
    --quick) quick=(--quick) ;;
    first) pieces+=(system check warm operators bench limits profile wgmma) seconds=230 ;;
    second) pieces+=(system check again recipes nin copies timings) seconds=480 is_second=1 ;;
    system | check | warm | operators | bench | limits | profile | wgmma | recipes | nin | copies | timings) pieces+=("$1") ;;
    *) echo "gpu.sh: '$1' is no piece; see the head of $0" >&2; exit 64 ;;
    esac
    shift
done
seconds=${limit:-$seconds}
[[ $seconds =~ ^[0-9]+$ ]] || { echo "gpu.sh: --seconds wants a number" >&2; exit 64; }
recipes=()
if [ ${#quick[@]} -gt 0 ]; then
    recipes=(--count 2)
    [ ${#work[@]} -gt 0 ] || work=(--work lenet-28)
fi
[ ${#pieces[@]} -gt 0 ] || { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 64; }

out=${OUT:-runs/gpu}
cache=${GPU_CACHE:-runs/gpu-cache}
carry=${GPU_CARRY:-$PWD/carry}
mkdir -p "$out" "$cache/cuda" || exit 74
out=$(cd "$out" && pwd)
cache=$(cd "$cache" && pwd)
scratch=$(mktemp -d)
rm -rf "$out/operators" "$out/bench.jsonl" "$out/recipes.jsonl" "$out/timings.jsonl" "$out"/nin-*
exec > >(tee "$out/report.txt") 2>&1
tee=$!
# The report is whole before this ends.
trap 'rm -rf "$scratch"; exec >&- 2>&-; wait "$tee"' EXIT
# The Python that has PyTorch, if any.
python=${PYTHON:-python3}

# What drivers compile and answer outlives this call. PoCL's kernels stay where they always are.
export POCL_CACHE_DIR=${POCL_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pocl/kcache}
export XDG_CACHE_HOME=$cache CUDA_CACHE_PATH=$cache/cuda CUDA_CACHE_MAXSIZE=4294967296

# Libraries. The loader is the one that was carried. Of the driver's libraries the 64-bit ones are looked for wherever a
# machine or a container may have them: its OpenCL loads a compiler of another file, and fails without a word where the
# linker does not find that.
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
add_library_folder() {
    [[ ":$LD_LIBRARY_PATH:" == *":$1:"* ]] || LD_LIBRARY_PATH=$LD_LIBRARY_PATH${LD_LIBRARY_PATH:+:}$1
}
[ ! -d "$carry/lib" ] || LD_LIBRARY_PATH=$carry/lib${LD_LIBRARY_PATH:+:}$LD_LIBRARY_PATH
roots="/usr/local/nvidia /usr/lib /usr/lib64 /lib /lib64 /usr/local/lib /usr/local/cuda /run/nvidia /run/opengl-driver /opt"
roots=${GPU_ROOTS:-$roots}
is_64_bit() { [ "$(head -c 5 "$1" 2>/dev/null | od -An -tx1 | tr -d ' \n')" = 7f454c4602 ]; }
libraries=()
while IFS= read -r path; do
    if is_64_bit "$path"; then libraries+=("$path"); fi
done < <({
    ldconfig -p 2>/dev/null | awk '/libnvidia-(opencl|nvvm|ptxjitcompiler)\.so/ { print $NF }'
    # shellcheck disable=SC2086
    timeout 20 find $roots -name 'libnvidia-opencl.so*' -o -name 'libnvidia-nvvm.so*' -o \
        -name 'libnvidia-ptxjitcompiler.so*' 2>/dev/null
} | sort -u)
# Under the names by which they are asked for, which a container may lack.
mkdir "$scratch/driver" "$scratch/vendors"
driver=
for name in libnvidia-opencl.so.1 libnvidia-nvvm.so.4 libnvidia-ptxjitcompiler.so.1; do
    found=$(printf '%s\n' "${libraries[@]}" | grep -F "/$name" | awk -F/ -v name="$name" '$NF == name' | head -1)
    if [ -z "$found" ]; then
        found=$(printf '%s\n' "${libraries[@]}" | grep -F "/${name%.*}" | tail -1)
        if [ -n "$found" ]; then ln -s "$found" "$scratch/driver/$name"; add_library_folder "$scratch/driver"; fi
    fi
    [ -z "$found" ] || add_library_folder "$(dirname "$found")"
    [ "$name" != libnvidia-opencl.so.1 ] || driver=$found
done
# The other drivers' files stay in: a machine may have more than one. NVIDIA's often names no folder.
vendors=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
if [ -n "$driver" ] && [ ! -f "$vendors" ]; then
    for file in "$vendors"/*.icd; do
        if [ -f "$file" ] && ! grep -qi nvidia "$file"; then cp "$file" "$scratch/vendors/"; fi
    done
    echo "$driver" >"$scratch/vendors/nvidia.icd"
    export OCL_ICD_VENDORS=$scratch/vendors
fi

resin=${RESIN:-}
if [ -z "$resin" ]; then
    [ -f "$carry/resin.gz" ] || { echo "gpu.sh: no carry/resin.gz; run 'make carry' where Swift is, or set RESIN" >&2; exit 66; }
    resin=$scratch/resin
    gzip -dc "$carry/resin.gz" >"$resin" && chmod +x "$resin" || exit 74
fi
if ldd "$resin" | grep -q 'not found'; then add_library_folder "$carry/spare"; fi

left() { echo $((seconds - SECONDS - 5)); }
verdicts=()
failed=()
# run NAME LIMIT COMMAND…: runs a piece within LIMIT seconds and what is left of the whole.
run() {
    local name=$1 limit=$2 code=0 start=$SECONDS
    shift 2
    [ "$(left)" -ge "$limit" ] || limit=$(left)
    echo
    echo "== $name (at most $limit s)"
    if [ "$limit" -lt 5 ]; then
        echo "left out: no time"
        verdicts+=("$name|left out: no time")
        return 0
    fi
    timeout -k 5 "$limit" "$@" 2>&1 | tee "$out/$name.txt"
    code=${PIPESTATUS[0]}
    case $code in
    0) verdicts+=("$name|done in $((SECONDS - start)) s") ;;
    124 | 137) verdicts+=("$name|STOPPED after $limit s") failed+=("$name") ;;
    *) verdicts+=("$name|FAILED, exit code $code, after $((SECONDS - start)) s") failed+=("$name") ;;
    esac
}

system() {
    date -u +'%F %T UTC'
    uname -srm
    grep -m1 'model name' /proc/cpuinfo | cut -d: -f2
    echo "$(nproc) cores"
    git log -1 --format='commit %h %s' 2>/dev/null || true
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,power.limit --format=csv 2>&1 | head -9
    echo "libraries of NVIDIA's driver: ${libraries:-none was found}"
    echo "OpenCL driver: ${driver:-libnvidia-opencl.so* was not found}; vendors: $vendors"
    echo "libraries: ${LD_LIBRARY_PATH:-those of the system}"
    "$resin" --version
    "$resin" devices
}

warm() {
    "$python" Benchmarks/gpu_bench.py --builds "${work[@]}" | xargs -P "$(nproc)" -I{} \
        sh -c '"$0" kernels $1 --device "$2" --build "$3"' "$resin" {} "$device" "$scratch/programs"
}

limits() { "$resin" bench --calibrate --device "$device"; }

profile() {
    local code=0
    while read -r name options; do
        # shellcheck disable=SC2086
        "$resin" bench $options --steps 5 --device "$device" --profile --trace "$out/trace-$name.json" \
            >"$out/profile-$name.txt" 2>&1 || code=$?
        echo "$name: $(tail -2 "$out/profile-$name.txt" | tr '\n' ' ')"
    done < <("$python" Benchmarks/gpu_bench.py --profiles "${work[@]}")
    return $code
}

nin() {
    local data=(--data glyphs --mean 0.5 --std 0.5) size=() code=0
    if [ -d "$carry/data/fashion-mnist" ]; then data=(--data fashion-mnist --data-dir "$carry/data")
    else echo "$carry/data has no Fashion-MNIST: the built-in images are trained on"; fi
    [ ${#quick[@]} = 0 ] || size=(--limit 256 --limit-test 128 --epochs 1 --resize 96)
    "$resin" train --config Examples/recipes/nin-224.json "${data[@]}" "${size[@]}" --device "$device" --progress plain \
        --out "$scratch/nin" --overwrite || code=$?
    for file in metrics.jsonl log.txt report.html; do cp "$scratch/nin/$file" "$out/nin-$file" 2>/dev/null; done
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
    while read -r name options; do
        for way in copied registers copied registers; do
            rm -r "$probes" && cp -r "$scratch/probes" "$probes"
            [ "$way" = copied ] || "$python" Benchmarks/gpu_probe.py "$probes" cp.async --hide
            echo "-- $name, $way"
            # shellcheck disable=SC2086
            "$resin" bench $options --steps 10 --device "$device" || code=$?
        done
    done < <("$python" Benchmarks/gpu_bench.py --profiles "${work[@]}")
    rm -r "$probes" && cp -r "$scratch/probes" "$probes"
    return $code
}

# start PIECE: with its limit.
start() {
    local tools=(--resin "$resin" --device "$device")
    case $1 in
    check) run check 60 "$resin" devices --check --verbose --device "$device" ;;
    warm)
        run warm 70 bash -c "$functions warm"
        if [ -d "$scratch/programs" ]; then tar -C "$scratch" -czf "$out/programs.tar.gz" programs; fi
        ;;
    operators)
        run operators 90 "$python" Benchmarks/gpu_families.py "${tools[@]}" --out "$out/operators" \
            --kept "$cache/operators.json" ${is_second:+--again} "${quick[@]}"
        ;;
    bench) run bench 80 "$python" Benchmarks/gpu_bench.py "${tools[@]}" --out "$out/bench.jsonl" "${work[@]}" ;;
    limits) run limits 15 bash -c "$functions limits" ;;
    profile) run profile 30 bash -c "$functions profile" ;;
    wgmma) run wgmma 20 "$python" Benchmarks/gpu_wgmma.py --out "$out" ;;
    recipes)
        run recipes 90 "$python" Benchmarks/gpu_recipes.py "${tools[@]}" --out "$out/recipes.jsonl" "${recipes[@]}"
        ;;
    nin) run nin 120 bash -c "$functions nin" ;;
    copies) run copies 40 bash -c "$functions copies" ;;
    timings)
        run timings "$(left)" "$python" Benchmarks/gpu_timings.py "${tools[@]}" --out "$out/timings.jsonl" \
            --seconds $(($(left) - 10)) --rounds 2 "${work[@]}"
        ;;
    again)
        for piece in $(grep -vxE 'system|check' "$cache/failed" 2>/dev/null); do
            if [[ " ${pieces[*]} " != *" $piece "* ]]; then start "$piece"; fi
        done
        ;;
    esac
}
# Pieces that are functions run in a shell of their own, which `timeout` can end.
functions=$(
    declare -p resin carry device driver scratch out python vendors quick work libraries
    declare -f system warm limits profile nin copies
)
functions+=$'\n'

# How the devices are found comes first, whatever is asked for.
run system 40 bash -c "$functions system"
if ! "$resin" devices --device "$device" >/dev/null 2>"$scratch/error"; then
    echo
    echo "== diagnosis"
    "$python" Benchmarks/gpu_diagnosis.py "${libraries[@]}"
    cat "$scratch/error"
    exit 69
fi
for piece in "${pieces[@]}"; do
    [ "$piece" = system ] || start "$piece"
done
printf '%s\n' "${failed[@]}" >"$cache/failed"

echo
echo "== tables ($SECONDS s)"
[ ! -s "$out/operators/summary.txt" ] || cat "$out/operators/summary.txt"
[ ! -s "$out/bench.jsonl" ] || "$python" Benchmarks/gpu_bench.py --table "$out/bench.jsonl"
[ ! -s "$out/recipes.jsonl" ] || "$python" Benchmarks/gpu_recipes.py --table "$out/recipes.jsonl"
[ ! -s "$out/nin-metrics.jsonl" ] || { echo "the book's NiN, its last epoch:"; tail -1 "$out/nin-metrics.jsonl"; }
[ ! -s "$out/timings.jsonl" ] || "$python" Benchmarks/gpu_timings.py --table "$out/timings.jsonl"
echo
printf '%s\n' "${verdicts[@]}" | awk -F'|' '{ printf "%-10s %s\n", $1, $2 }'
if [ ${#failed[@]} -gt 0 ]; then
    echo
    printf '== what failed'
    for piece in "${failed[@]}"; do
        printf '\n-- %s (%s)\n' "$piece" "$out/$piece.txt"
        { grep -E 'FAILED|failed|CL_|[Ee]rror|^resin: ' "$out/$piece.txt" || tail -3 "$out/$piece.txt"; } |
            awk -v most=$((6000 / ${#failed[@]})) '!seen[$0]++ { sum += length + 1; if (sum <= most || !n++) print }'
    done
    exit 70
fi
