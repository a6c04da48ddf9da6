#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build PyTorch's attention kernels as libraries of our ABI, one for each backend, for `ratchet sweep`:
    build.py FOLDER [BACKEND...]        flash efficient cudnn math; needs g++ and PyTorch with CUDA
Prints the arms of a sweep, and the folder that its sandbox has to see."""

import glob
import os
import subprocess
import sys

import torch
from torch.utils import cpp_extension

HERE = os.path.dirname(os.path.abspath(__file__))
BACKENDS = ["flash", "efficient", "cudnn", "math"]
LIBRARIES = ["torch", "torch_cuda", "torch_cpu", "c10_cuda", "c10"]
EXPORTS = "{ global: attention_kernel; local: *; };\n"  # a checked library exports nothing else


def site_packages():
    return os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__)))


def cuda_library(name):
    """The one that PyTorch itself uses, else the toolkit's"""
    for pattern in (site_packages() + "/nvidia/*/lib/lib%s.so.*" % name,
                    os.path.dirname(torch.__file__) + "/lib/lib%s*.so*" % name,
                    "/usr/local/cuda/lib64/lib%s.so" % name):
        found = sorted(glob.glob(pattern))
        if found:
            return found[0]
    raise SystemExit("build.py: no lib%s beside PyTorch, nor in /usr/local/cuda" % name)


def build(backend, folder, exports):
    output = os.path.join(folder, "peer-%s.so" % backend)
    torch_lib = os.path.join(os.path.dirname(torch.__file__), "lib")
    # cuDNN opens the compiler by name, and that its builtins: Python's torch has loaded both before
    cuda = [cuda_library(name) for name in ("cudart", "nvrtc", "nvrtc-builtins")]
    command = ["g++", "-O2", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique",
               "-DPEER=" + backend, "-D_GLIBCXX_USE_CXX11_ABI=%d" % torch.compiled_with_cxx11_abi(),
               "-I", os.path.dirname(HERE)]
    for include in cpp_extension.include_paths("cuda"):
        command += ["-isystem", include]
    command += ["-o", output, os.path.join(HERE, "peers.cpp"), "-L" + torch_lib, "-Wl,--no-as-needed",
                "-Wl,--version-script=" + exports]
    command += ["-Wl,-rpath," + folder for folder in {torch_lib, *map(os.path.dirname, cuda)}]
    command += ["-l" + name for name in LIBRARIES] + cuda
    return output, subprocess.Popen(command)


def main():
    if len(sys.argv) < 2 or set(sys.argv[2:]) - set(BACKENDS):
        raise SystemExit(__doc__)
    folder = os.path.abspath(sys.argv[1])
    os.makedirs(folder, exist_ok=True)
    exports = os.path.join(folder, "exports")
    with open(exports, "w") as out:
        out.write(EXPORTS)
    running = {name: build(name, folder, exports) for name in sys.argv[2:] or BACKENDS}
    failed = [name for name, (_, process) in running.items() if process.wait() != 0]
    if failed:
        raise SystemExit("build.py: %s did not build" % ", ".join(failed))
    print("--expose %s %s" % (site_packages(), " ".join(
        "%s=%s" % (name, output) for name, (output, _) in running.items())))


main()
