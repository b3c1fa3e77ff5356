#!/usr/bin/env python3
"""Whether OpenCL on an NVIDIA GPU can multiply with Hopper's wgmma, which the driver's compiler does not emit, for it
compiles for sm_90 and wgmma is sm_90a's.

    python3 gpu_wgmma.py [--out FOLDER]
    python3 gpu_wgmma.py --source | --edit FILE.ptx      # the kernel; its PTX with the instructions, as it would be loaded

The kernel holds the instructions as comments of PTX. It is compiled, its PTX fetched as the program's binary, comments made
instructions and the target sm_90a, and the text loaded again as a binary. A product of 64 × 16 by 16 × 8 small integers in
bfloat16 must come out exactly. Any answer is an answer: it exits 1 only where the question could not be asked.
"""
import argparse
import ctypes
import pathlib
import re
import struct
import sys

M, N, K = 64, 8, 16
# A and B lie in local memory as wgmma's "core matrices" of 8 rows by 16 bytes, K along a row, 128 bytes each; neighbours
# along K are 128 bytes apart, along rows 256 (PTX ISA, "Asynchronous warpgroup level matrix instructions", no swizzle).
SOURCE = r"""
#ifdef __NV_CL_C_VERSION
#define PTX asm volatile
#else
#define PTX __asm__ volatile
#endif
#define CORE(row, k) ((((row) / 8 * 2 + (k) / 8) * 8 + (row) % 8) * 8 + (k) % 8)

ulong descriptor(uint address) {
    return (ulong)((address & 0x3FFFF) >> 4) | (ulong)(128 >> 4) << 16 | (ulong)(256 >> 4) << 32;
}

__kernel __attribute__((reqd_work_group_size(128, 1, 1)))
void multiply(__global const ushort *a, __global const ushort *b, __global float *d) {
    __local ushort tile_a[64 * 16] __attribute__((aligned(128)));
    __local ushort tile_b[8 * 16] __attribute__((aligned(128)));
    const int id = get_local_id(0);
    for (int i = id; i < 64 * 16; i += 128) tile_a[CORE(i / 16, i % 16)] = a[i];
    for (int i = id; i < 8 * 16; i += 128) tile_b[CORE(i / 16, i % 16)] = b[i];
    PTX("//@ fence.proxy.async;" : : : "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    float d0 = 1.0f, d1 = 2.0f, d2 = 3.0f, d3 = 4.0f;
    const ulong first = descriptor((uint)(size_t)tile_a), second = descriptor((uint)(size_t)tile_b);
    PTX("//@ {\n\t//@ .reg .pred adds;\n\t//@ setp.ne.b32 adds, 1, 0;\n\t"
        "//@ wgmma.fence.sync.aligned;\n\t"
        "//@ wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, %4, %5, adds, 1, 1, 0, 0;\n\t"
        "//@ wgmma.commit_group.sync.aligned;\n\t"
        "//@ wgmma.wait_group.sync.aligned 0;\n\t//@ }"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "l"(first), "l"(second) : "memory");
    const int row = id / 32 * 16 + id % 32 / 4, column = id % 4 * 2;
    d[row * 8 + column] = d0;
    d[row * 8 + column + 1] = d1;
    d[(row + 8) * 8 + column] = d2;
    d[(row + 8) * 8 + column + 1] = d3;
}
"""


def edited(ptx):
    """With the instructions, for sm_90a; a text without them is refused."""
    text, count = re.subn(r"//@ ?", "", ptx)
    if "wgmma" not in text or count < SOURCE.count("//@"):
        raise RuntimeError("the driver's PTX does not keep comments of inline assembly")
    return re.sub(r"^(\.target\s+)sm_\w+", r"\1sm_90a", text, flags=re.MULTILINE)


class OpenCL:
    """As much of it as is needed, on the first device of NVIDIA's platform."""

    def __init__(self):
        self.library = ctypes.CDLL("libOpenCL.so.1")
        for name in ["clCreateContext", "clCreateCommandQueue", "clCreateBuffer", "clCreateKernel",
                     "clCreateProgramWithSource", "clCreateProgramWithBinary"]:
            getattr(self.library, name).restype = ctypes.c_void_p
        platforms = (ctypes.c_void_p * 16)()
        count = ctypes.c_uint()
        self.check(self.library.clGetPlatformIDs(16, platforms, ctypes.byref(count)), "clGetPlatformIDs")
        self.device = None
        for platform in platforms[:count.value]:
            name = ctypes.create_string_buffer(256)
            self.library.clGetPlatformInfo(ctypes.c_void_p(platform), 0x0902, 256, name, None)
            if b"NVIDIA" in name.value and self.device is None:
                device = ctypes.c_void_p()
                self.check(self.library.clGetDeviceIDs(ctypes.c_void_p(platform), ctypes.c_ulong(4), 1,
                                                       ctypes.byref(device), None), "clGetDeviceIDs")
                self.device = device
        if self.device is None:
            return
        self.context = self.make("clCreateContext", None, 1, ctypes.byref(self.device), None, None)
        self.queue = self.make("clCreateCommandQueue", self.context, self.device, ctypes.c_ulong(0))

    @staticmethod
    def check(status, call):
        if status:
            raise RuntimeError(f"{call}: status {status}")

    def make(self, call, *arguments):
        status = ctypes.c_int()
        result = getattr(self.library, call)(*arguments, ctypes.byref(status))
        self.check(status.value, call)
        return ctypes.c_void_p(result)

    def info(self, what):
        text = ctypes.create_string_buffer(1024)
        self.check(self.library.clGetDeviceInfo(self.device, what, 1024, text, None), "clGetDeviceInfo")
        return text.value.decode()

    def build(self, program):
        status = self.library.clBuildProgram(program, 1, ctypes.byref(self.device), b"", None, None)
        log = ctypes.create_string_buffer(1 << 16)
        self.library.clGetProgramBuildInfo(program, self.device, 0x1183, len(log), log, None)
        if status:
            raise RuntimeError(f"clBuildProgram: status {status}: {log.value.decode(errors='replace').strip() or 'no log'}")
        return program

    def from_source(self, source):
        text = ctypes.c_char_p(source.encode())
        return self.build(self.make("clCreateProgramWithSource", self.context, 1, ctypes.byref(text), None))

    def from_binary(self, binary):
        data = ctypes.c_char_p(binary)
        size, status = ctypes.c_size_t(len(binary)), ctypes.c_int()
        return self.build(self.make("clCreateProgramWithBinary", self.context, 1, ctypes.byref(self.device),
                                    ctypes.byref(size), ctypes.byref(data), ctypes.byref(status)))

    def binary(self, program):
        size = ctypes.c_size_t()
        ask = self.library.clGetProgramInfo
        self.check(ask(program, 0x1165, ctypes.c_size_t(8), ctypes.byref(size), None), "clGetProgramInfo")
        data = ctypes.create_string_buffer(size.value)
        pointer = ctypes.cast(data, ctypes.c_char_p)
        self.check(ask(program, 0x1166, ctypes.c_size_t(8), ctypes.byref(pointer), None), "clGetProgramInfo")
        return data.raw.rstrip(b"\0")

    def buffer(self, data):
        return self.make("clCreateBuffer", self.context, ctypes.c_ulong(1 | 32), ctypes.c_size_t(len(data)), data)

    def product(self, program, a, b):
        kernel = self.make("clCreateKernel", program, b"multiply")
        result = struct.pack(f"<{M * N}f", *[-1.0] * (M * N))
        buffers = [self.buffer(data) for data in (a, b, result)]
        for index, buffer in enumerate(buffers):
            status = self.library.clSetKernelArg(kernel, index, ctypes.c_size_t(8), ctypes.byref(buffer))
            self.check(status, "clSetKernelArg")
        items = ctypes.c_size_t(128)
        self.check(self.library.clEnqueueNDRangeKernel(self.queue, kernel, 1, None, ctypes.byref(items), ctypes.byref(items),
                                                       0, None, None), "clEnqueueNDRangeKernel")
        out = ctypes.create_string_buffer(len(result))
        self.check(self.library.clEnqueueReadBuffer(self.queue, buffers[2], 1, ctypes.c_size_t(0),
                                                    ctypes.c_size_t(len(result)), out, 0, None, None), "clEnqueueReadBuffer")
        return list(struct.unpack(f"<{M * N}f", out.raw))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--source", action="store_true")
    parser.add_argument("--edit", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.source:
        return print(SOURCE)
    if arguments.edit:
        return print(edited(arguments.edit.read_text()))

    a = [[(3 * m + 5 * k) % 7 - 3 for k in range(K)] for m in range(M)]
    b = [[(2 * n + 3 * k) % 5 - 2 for k in range(K)] for n in range(N)]
    start = [1.0, 2.0, 3.0, 4.0]
    before = [start[m % 16 // 8 * 2 + n % 2] for m in range(M) for n in range(N)]
    exact = [before[m * N + n] + sum(x * y for x, y in zip(a[m], b[n])) for m in range(M) for n in range(N)]

    def bfloat16(rows):
        return b"".join(struct.pack("<f", value)[2:] for row in rows for value in row)

    opencl = OpenCL()
    if opencl.device is None:
        return print("no device of NVIDIA's: wgmma is not asked for")
    print(f"{opencl.info(0x102B)}, driver {opencl.info(0x102D)}")

    def ask(what, body):
        try:
            result = body()
            print(f"{what}: yes")
            return result
        except Exception as error:
            print(f"{what}: no: {str(error)[:1500]}")
            return None

    def same(program, expected):
        found = opencl.product(program, bfloat16(a), bfloat16(b))
        wrong = [index for index in range(M * N) if found[index] != expected[index]]
        if wrong:
            raise RuntimeError(f"{len(wrong)} of {M * N} numbers are wrong: number {wrong[0]} is {found[wrong[0]]} instead "
                               f"of {expected[wrong[0]]}; they begin with {found[:8]} instead of {expected[:8]}")

    program = opencl.from_source(SOURCE)
    ask("the kernel without wgmma runs", lambda: same(program, before))
    ptx = opencl.binary(program).decode(errors="replace")
    if arguments.out:
        (arguments.out / "wgmma.ptx").write_text(ptx)
    print("its target:", (re.search(r"^\.target.*", ptx, re.MULTILINE) or ["none"])[0])
    if loaded := ask("its PTX is loaded as a binary", lambda: opencl.from_binary(ptx.encode())):
        ask("and runs", lambda: same(loaded, before))
    text = ask("its comments become instructions", lambda: edited(ptx))
    if text and (loaded := ask("PTX with wgmma for sm_90a is loaded", lambda: opencl.from_binary(text.encode()))):
        ask("wgmma multiplies exactly", lambda: same(loaded, exact))


if __name__ == "__main__":
    main()
