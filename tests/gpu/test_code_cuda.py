# SPDX-License-Identifier: Apache-2.0
"""Machine code of libraries that nvcc builds: the same source gives the same hash, wherever and
whenever it is built; what changes device code, its resources, or how it is launched gives another.
Needs nvcc, no GPU."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
from lib import eq, ok

SOURCE = lib.read(os.path.join(lib.HERE, "..", "gpu", "kernels", "odd.cu"))
HEADER = lib.read(os.path.join(lib.TOP, "kernels", "attention.h"))


def build(source=SOURCE, *flags, name="k"):
    folder = lib.temp_dir()
    lib.write(os.path.join(folder, "attention.h"), HEADER)
    lib.write(os.path.join(folder, name + ".cu"), source)
    made = lib.run(["nvcc", "-O3", "-std=c++17", "-arch=sm_90", "-shared", "-cudart", "static", *flags,
                    "-Xcompiler", "-fPIC,-fvisibility=hidden,-fno-gnu-unique", "-o", name + ".so",
                    name + ".cu"], cwd=folder, seconds=600)
    if made.code != 0:
        raise RuntimeError(str(made))
    return os.path.join(folder, name + ".so")


def code(path):
    said = lib.run([lib.driver("code_driver"), path])
    eq(said.code, 0, "a hash " + said.err)
    return said.out


def edit(old, new):
    eq(SOURCE.count(old), 1, "`%s` stands there once" % old)
    return SOURCE.replace(old, new)


def the_same():
    """One source, built twice, in other folders, with a comment more"""
    first = code(build())
    eq(code(build()), first, "built again elsewhere")
    eq(code(build("// one line more\n" + SOURCE)), first, "with a comment more")


def another():
    """What runs differently has another hash"""
    first = code(build())
    table = {
        "an instruction": build(edit("sum = sum * keep + weight;", "sum = sum * keep + 2.0F * weight;")),
        "a constant": build(edit("wrong ? 0.5F * value : value", "row == 7 ? 0.5F * value : value")),
        "registers": build(SOURCE, "-maxrregcount=24"),
        "a launch bound": build(edit("static __global__ void plain(",
                                     "static __global__ void __launch_bounds__(256, 8) plain(")),
        "shared memory": build(edit("    int lane = (int)(threadIdx.x % 32);\n",
                                    "    int lane = (int)(threadIdx.x % 32);\n    __shared__ volatile float "
                                    "unused[64];\n    unused[lane] = 0.0F;\n")),
        "how it is launched": build(edit("(unsigned)((rows + 7) / 8), 256, 0, (cudaStream_t)stream>>>"
                                         "(*p, q, k, v, out, lse);\n#ifdef ODD_SLOW",
                                         "(unsigned)((rows + 3) / 4), 128, 0, (cudaStream_t)stream>>>"
                                         "(*p, q, k, v, out, lse);\n#ifdef ODD_SLOW")),
        "the optimiser": build(SOURCE, "-Xptxas", "-O1"),
        "the architecture": build(SOURCE, "-gencode=arch=compute_80,code=sm_80"),
        "the kernel's name": build(edit('"odd"', '"even"')),
    }
    codes = {what: code(path) for what, path in table.items()}
    for what, got in codes.items():
        ok(got != first, what)
    eq(len(set(codes.values())), len(codes), "and each its own")


if lib.shutil.which("nvcc") is None:
    lib.case("machine code of CUDA libraries")
    lib.skip("there is no nvcc here", allowed=True)
    lib.done()
lib.main(the_same, another)
