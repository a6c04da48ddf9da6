# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels compile for every architecture they are for, export one function, and use the
registers and the stack that kernels/resources.txt says; none spills. Needs nvcc, no GPU.
`test_resources.py --write` writes the table anew."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
from lib import eq, ok

KERNELS = os.path.join(lib.TOP, "kernels")
TABLE = os.path.join(KERNELS, "resources.txt")
BUILDS = [("attention_sm80.cu", "-arch=sm_80"), ("attention_sm80.cu", "-arch=sm_89"),
          ("attention_sm80.cu", "-arch=sm_90"),
          ("attention_sm90.cu", "-gencode=arch=compute_90a,code=sm_90a")]
BUILDS = [one for one in BUILDS if os.path.exists(os.path.join(KERNELS, one[0]))]
WORK = lib.temp_dir()
HEAD = """\
# What ptxas says of every variant of the CUDA kernels, made by tests/gpu/test_resources.py --write
# and compared by every run of the tests. Dynamic shared memory is set at launch and not in here.
# %s
# source architecture registers stack spill-stores spill-loads variant
"""


def nvcc_version():
    said = lib.run(["nvcc", "--version"]).out
    return "nvcc " + re.search(r"release ([\d.]+)", said).group(1)


def build(source, arch):
    """The library, and what ptxas said of each kernel in it."""
    path = os.path.join(WORK, source + re.sub(r"\W", "", arch) + ".so")
    made = lib.run(["nvcc", "-O3", "-std=c++17", arch, "-Xptxas", "-v", "-shared", "-cudart", "static",
                    "-Xcompiler", "-fPIC,-fvisibility=hidden,-fno-gnu-unique", "-o", path,
                    os.path.join(KERNELS, source)], seconds=1200)
    if made.code != 0:
        raise RuntimeError(str(made))
    return path, made.err + made.out


def rows(source, arch, said):
    parts = re.findall(r"Compiling entry function '(\S+)' for '(\w+)'.*?(\d+) bytes stack frame, "
                       r"(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers", said, re.S)
    names = subprocess.run(["c++filt"], input="\n".join(part[0] for part in parts), text=True,
                           stdout=subprocess.PIPE, check=True).stdout.split("\n")
    lines = []
    for name, (_, target, stack, stores, loads, registers) in zip(names, parts):
        short = re.sub(r"\(anonymous namespace\)::|\((?:int|bool|unsigned)\)|^void ", "", name)
        lines.append(" ".join([source, target, registers, stack, stores, loads,
                               short.split("(")[0].replace(" ", "")]))
    return sorted(lines)


def made():
    table, exports = [], {}
    for source, arch in BUILDS:
        path, said = build(source, arch)
        table += rows(source, arch, said)
        exports[source + " " + arch] = lib.run(["nm", "-D", "--defined-only", path]).out.split()[2::3]
    return table, exports


def resources():
    """Registers, stack and spills are those of the committed table"""
    table, exports = made()
    for name, symbols in exports.items():
        eq(symbols, ["attention_kernel"], name + " exports one function")
    ok(len(table) > len(BUILDS), "variants were read", table)
    spilled = [line for line in table if line.split()[4:6] != ["0", "0"]]
    eq(spilled, [], "nothing spills")
    committed = lib.read(TABLE)
    if nvcc_version() not in committed:
        lib.skip("the table is of another compiler than " + nvcc_version(), allowed=True)
        return
    eq("\n".join(table) + "\n", committed.split("variant\n", 1)[1], "the committed table is today's")


if sys.argv[1:] == ["--write"]:
    lib.write(TABLE, HEAD % nvcc_version() + "\n".join(made()[0]) + "\n")
elif lib.shutil.which("nvcc") is None:
    lib.case("resources of the CUDA kernels")
    lib.skip("there is no nvcc here", allowed=True)
    lib.done()
else:
    lib.main(resources)
