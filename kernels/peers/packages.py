# SPDX-License-Identifier: Apache-2.0
"""Packages with no adapter to our ABI, and why there is none (kernels/README.md says more)"""

import importlib.metadata
import importlib.util
import os
import re

from peer import Absent, reason

WHY = {"flash-attn": ("flash_attn", "its C++ interface changes from release to release"),
       "xformers": ("xformers", "its kernel is the arm `efficient`, and its own interface changes from release to release")}
NAMES = [*WHY, "cutlass"]


def why_no_package(peer):
    module, why = WHY[peer]
    if importlib.util.find_spec(module) is None:
        return "not installed: No module named '%s'" % module
    try:
        version = importlib.metadata.version(peer)
    except importlib.metadata.PackageNotFoundError:
        version = "of no known version"
    return "%s %s is installed, but kernels/peers has no adapter for it: %s" % (peer, reason(version), why)


def why_no_cutlass():
    folder = os.environ.get("CUTLASS_DIR", "")
    if folder == "":
        return "not installed: CUTLASS_DIR names no source tree"
    try:
        with open(os.path.join(folder, "include", "cutlass", "version.h")) as source:
            numbers = re.findall(r"#define CUTLASS_(?:MAJOR|MINOR|PATCH) (\d+)", source.read())
    except (OSError, UnicodeDecodeError) as why:
        return "not installed: " + reason(why)
    return ("CUTLASS %s is in CUTLASS_DIR, but kernels/peers has no adapter for it: its attention is examples, not a"
            " library" % ".".join(numbers))


def build(names, _folder):
    return {name: Absent(why_no_cutlass() if name == "cutlass" else why_no_package(name)) for name in names}
