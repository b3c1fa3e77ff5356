#!/usr/bin/env python3
"""Why OpenCL has no device here: what is installed, and what the linker and the loader say of it.

    python3 gpu_diagnosis.py [LIBRARY …]
"""
import ctypes
import os
import pathlib
import subprocess
import sys


def loading(library):
    """What the linker says of a library."""
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        return f"cannot be loaded: {error}"


def platforms(loader):
    """What the loader finds, a line a platform."""
    count = ctypes.c_uint(0)
    status = loader.clGetPlatformIDs(0, None, ctypes.byref(count))
    yield f"clGetPlatformIDs: status {status}, {count.value} platforms"
    handles = (ctypes.c_void_p * max(count.value, 1))()
    if status or not count.value or loader.clGetPlatformIDs(count.value, handles, None):
        return
    for handle in handles:
        name = ctypes.create_string_buffer(256)
        loader.clGetPlatformInfo(ctypes.c_void_p(handle), 0x0902, 256, name, None)
        devices = ctypes.c_uint(0)
        status = loader.clGetDeviceIDs(ctypes.c_void_p(handle), ctypes.c_ulong(0xFFFFFFFF), 0, None, ctypes.byref(devices))
        yield f"  {name.value.decode(errors='replace')}: status {status}, {devices.value} devices"


def main():
    names = ["libnvidia-opencl.so.1", "libnvidia-nvvm.so.4", "libnvidia-ptxjitcompiler.so.1", "libcuda.so.1"]
    for library in [*sys.argv[1:], *names]:
        said = loading(library)
        print(f"{library}: {said if isinstance(said, str) else 'can be loaded'}")
    loader = loading("libOpenCL.so.1")
    if isinstance(loader, str):
        print(f"libOpenCL.so.1, the loader: {loader}")
    else:
        print(*platforms(loader), sep="\n")
    for folder in dict.fromkeys(["/etc/OpenCL/vendors", os.environ.get("OCL_ICD_VENDORS", "/etc/OpenCL/vendors")]):
        files = sorted(pathlib.Path(folder).glob("*")) if pathlib.Path(folder).is_dir() else []
        print(f"{folder}: {'no files' if not files else ''}")
        for file in files:
            print(f"  {file.name}: {file.read_text(errors='replace').strip() if file.is_file() else 'no file'}")
    print("devices:", *(str(path) for path in pathlib.Path("/dev").glob("nvidia*")), *pathlib.Path("/dev").glob("dri/*"))
    for name in ["LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"]:
        print(f"{name}={os.environ.get(name, '')}")
    known = subprocess.run("ldconfig -p", shell=True, capture_output=True, text=True).stdout
    print("ldconfig -p:")
    words = ["opencl", "nvidia", "cuda"]
    print(*(line for line in known.splitlines() if any(word in line.lower() for word in words)), sep="\n")


if __name__ == "__main__":
    main()
