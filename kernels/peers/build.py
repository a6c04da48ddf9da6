#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build other people's attention kernels as libraries of our ABI, for `ratchet sweep --arms FOLDER/peers.conf`:
    build.py FOLDER [PEER...]
Peers: PyTorch's backends flash, efficient, cudnn and math, for which it needs g++ and PyTorch with CUDA; and
flash-attn, xformers, triton and cutlass, of which it only says whether they are here. The file has each peer's
library and version, or why it is absent; nothing is left out in silence. Prints the words for the command line."""

import glob
import importlib.metadata
import importlib.util
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BACKENDS = ["flash", "efficient", "cudnn", "math"]
PACKAGES = {"flash-attn": "flash_attn", "xformers": "xformers", "triton": "triton", "cutlass": "cutlass"}
LIBRARIES = ["torch", "torch_cuda", "torch_cpu", "c10_cuda", "c10"]
EXPORTS = "{ global: attention_kernel; local: *; };\n"  # a checked library exports nothing else


class Absent(Exception):
    """Why a peer is not here: one line"""


def reason(text):
    """The last line of what a program or an import said, as a value of peers.conf"""
    lines = [line.strip() for line in str(text).splitlines() if line.strip()] or ["no reason was given"]
    return "".join(c if 32 <= ord(c) < 127 else "?" for c in lines[-1])[:200]


def import_torch():
    try:
        import torch
        from torch.utils import cpp_extension
    except Exception as why:
        raise Absent("PyTorch is not installed: " + reason(why))
    if torch.version.cuda is None:
        raise Absent("PyTorch %s is installed without CUDA" % torch.__version__)
    return torch, cpp_extension


def site_packages(torch):
    return os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__)))


def cuda_library(torch, name):
    """The one that PyTorch itself uses, else the toolkit's"""
    for pattern in (site_packages(torch) + "/nvidia/*/lib/lib%s.so.*" % name,
                    os.path.dirname(torch.__file__) + "/lib/lib%s*.so*" % name,
                    "/usr/local/cuda/lib64/lib%s.so" % name):
        found = sorted(glob.glob(pattern))
        if found:
            return found[0]
    raise Absent("no lib%s beside PyTorch %s, nor in /usr/local/cuda" % (name, torch.__version__))


def start_build(backend, folder):
    """(library, version, a running compiler)"""
    torch, cpp_extension = import_torch()
    output = os.path.join(folder, "peer-%s.so" % backend)
    torch_lib = os.path.join(os.path.dirname(torch.__file__), "lib")
    # cuDNN opens the compiler by name, and that its builtins: Python's torch has loaded both before
    cuda = [cuda_library(torch, name) for name in ("cudart", "nvrtc", "nvrtc-builtins")]
    exports = os.path.join(folder, "exports")
    with open(exports, "w") as out:
        out.write(EXPORTS)
    command = ["g++", "-O2", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique",
               "-DPEER=" + backend, "-D_GLIBCXX_USE_CXX11_ABI=%d" % torch.compiled_with_cxx11_abi(),
               "-I", os.path.dirname(HERE)]
    for include in cpp_extension.include_paths("cuda"):
        command += ["-isystem", include]
    command += ["-o", output, os.path.join(HERE, "peers.cpp"), "-L" + torch_lib, "-Wl,--no-as-needed",
                "-Wl,--version-script=" + exports]
    command += ["-Wl,-rpath," + folder for folder in {torch_lib, *map(os.path.dirname, cuda)}]
    command += ["-l" + name for name in LIBRARIES] + cuda
    version = "PyTorch %s, CUDA %s" % (torch.__version__, torch.version.cuda)
    if backend == "cudnn":
        version += ", cuDNN %s" % torch.backends.cudnn.version()
    return output, version, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def why_no_package(peer):
    """Packages: an adapter to our ABI is not written yet, so they are absent either way"""
    module = PACKAGES[peer]
    if importlib.util.find_spec(module) is None:
        return "not installed: No module named '%s'" % module
    try:
        version = importlib.metadata.version(peer)
    except importlib.metadata.PackageNotFoundError:
        version = "of no known version"
    return "%s %s is installed, but kernels/peers has no adapter for it" % (peer, reason(version))


def quoted(value):
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def main():
    peers = sys.argv[2:] or [*BACKENDS, *PACKAGES]
    if len(sys.argv) < 2 or set(peers) - set(BACKENDS) - set(PACKAGES):
        raise SystemExit(__doc__)
    folder = os.path.abspath(sys.argv[1])
    os.makedirs(folder, exist_ok=True)
    running, absent = {}, {}
    for peer in peers:
        try:
            if peer in PACKAGES:
                raise Absent(why_no_package(peer))
            running[peer] = start_build(peer, folder)
        except (Absent, OSError) as why:
            absent[peer] = reason(why)
    lines = []
    for peer, (library, version, compiler) in running.items():
        errors = compiler.communicate()[1]
        if compiler.returncode == 0:
            lines.append("[arm \"%s\"]\n    library = %s\n    version = %s\n" % (peer, quoted(library), quoted(version)))
        else:
            absent[peer] = "%s: does not build: %s" % (version, reason(errors))
            print(errors, file=sys.stderr)
    if lines:
        lines.append("[sandbox]\n    expose = %s\n" % quoted(site_packages(import_torch()[0])))
    for peer in peers:
        if peer in absent:
            lines.append("[arm \"%s\"]\n    absent = %s\n" % (peer, quoted(absent[peer])))
            print("build.py: %s is absent: %s" % (peer, absent[peer]), file=sys.stderr)
    path = os.path.join(folder, "peers.conf")
    with open(path, "w") as out:
        out.writelines(lines)
    print("--arms " + path)


main()
