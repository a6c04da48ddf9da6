# SPDX-License-Identifier: Apache-2.0
"""The backends of PyTorch's scaled_dot_product_attention: peers.cpp, built with g++ against PyTorch with CUDA"""

import glob
import importlib.util
import json
import os
import sys

from peer import Absent, Built, exports_of, finish, run, start

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["flash", "efficient", "cudnn", "math"]
LIBRARIES = ["torch", "torch_cuda", "torch_cpu", "c10_cuda", "c10"]

# In a process of its own: an import can hang, or end it.
ASK = """
import json, os, torch
from torch.utils import cpp_extension
cuda = torch.version.cuda
print(json.dumps({"version": torch.__version__, "cuda": cuda, "folder": os.path.dirname(os.path.abspath(torch.__file__)),
                  "cxx11_abi": int(torch.compiled_with_cxx11_abi()), "cudnn": cuda and torch.backends.cudnn.version(),
                  "includes": cuda and cpp_extension.include_paths("cuda")}))
"""


def ask():
    if importlib.util.find_spec("torch") is None:
        raise Absent("not installed: No module named 'torch'")
    torch = json.loads(run("PyTorch does not load", [sys.executable, "-c", ASK]).splitlines()[-1])
    if torch["cuda"] is None:
        raise Absent("PyTorch %s is installed without CUDA" % torch["version"])
    return torch


def cuda_library(torch, name):
    """The one that PyTorch itself uses, else the toolkit's"""
    for pattern in (os.path.dirname(torch["folder"]) + "/nvidia/*/lib/lib%s.so.*" % name,
                    torch["folder"] + "/lib/lib%s*.so*" % name, "/usr/local/cuda/lib64/lib%s.so" % name):
        found = sorted(glob.glob(pattern))
        if found:
            return found[0]
    raise Absent("no lib%s beside PyTorch %s, nor in /usr/local/cuda" % (name, torch["version"]))


def command(backend, torch, output, exports):
    torch_lib = os.path.join(torch["folder"], "lib")
    # cuDNN opens the compiler by name, and that its builtins: Python's torch has loaded both before
    cuda = [cuda_library(torch, name) for name in ("cudart", "nvrtc", "nvrtc-builtins")]
    argv = ["g++", "-O2", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique",
            "-DPEER=" + backend, "-D_GLIBCXX_USE_CXX11_ABI=%d" % torch["cxx11_abi"], "-I", os.path.dirname(HERE)]
    for include in torch["includes"]:
        argv += ["-isystem", include]
    argv += ["-o", output, os.path.join(HERE, "peers.cpp"), "-L" + torch_lib, "-Wl,--no-as-needed",
             "-Wl,--version-script=" + exports]
    argv += ["-Wl,-rpath," + folder for folder in {torch_lib, *map(os.path.dirname, cuda)}]
    return argv + ["-l" + name for name in LIBRARIES] + cuda


def build(names, folder):
    torch, exports = ask(), exports_of(folder)
    libraries = {name: os.path.join(folder, "peer-%s.so" % name) for name in names}
    compilers = {name: start(command(name, torch, library, exports)) for name, library in libraries.items()}
    peers = {}
    for name in names:
        version = "PyTorch %s, CUDA %s" % (torch["version"], torch["cuda"])
        if name == "cudnn":
            version += ", cuDNN %s" % torch["cudnn"]
        try:
            finish(version + ": does not build", compilers[name])
            peers[name] = Built(libraries[name], version, (os.path.dirname(torch["folder"]),))
        except Absent as why:
            peers[name] = why
    return peers
