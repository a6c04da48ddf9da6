# SPDX-License-Identifier: Apache-2.0
"""Triton: triton_attention.py, compiled for the GPU that is here, inside triton_peer.c"""

import importlib.util
import os
import sys

from peer import Absent, Built, exports_of, run

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["triton"]


def capability():
    try:
        said = run("nvidia-smi", ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"])
    except OSError:
        raise Absent("no GPU to compile for: nvidia-smi is not installed") from None
    return said.splitlines()[0].strip().replace(".", "")


def build(_names, folder):
    if importlib.util.find_spec("triton") is None:
        raise Absent("not installed: No module named 'triton'")
    library = os.path.join(folder, "peer-triton.so")
    said = run("Triton", [sys.executable, os.path.join(HERE, "triton_attention.py"), folder, capability()])
    run("triton_peer.c does not build",
        ["cc", "-O2", "-std=gnu17", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-I", os.path.dirname(HERE), "-I",
         folder, "-o", library, os.path.join(HERE, "triton_peer.c"), "-Wl,--version-script=" + exports_of(folder), "-lm",
         "-ldl"])
    return {"triton": Built(library, said.splitlines()[-1])}
