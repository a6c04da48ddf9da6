#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build what measures a device's ceilings, for `ratchet sweep --arms FOLDER/ceilings.conf`:
    build.py FOLDER cpu           with cc (CC), for this very processor
    build.py FOLDER cuda ARCH     with nvcc, for sm_80 and later: ARCH as nvcc has it, such as 90a
Prints the words for the command line. A ceiling that does not build is said, and left out."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CEILINGS = ("copy", "matrix")


def command(ceiling, output, device, arch):
    if device == "cpu":
        return [os.environ.get("CC", "cc").split()[-1], "-O3", "-march=native", "-std=gnu17", "-shared", "-fPIC",
                "-fvisibility=hidden", "-pthread", "-DCEILING=" + ceiling, "-I", os.path.dirname(HERE), "-o", output,
                os.path.join(HERE, "ceiling_cpu.c"), "-lm"]
    return ["nvcc", "-O3", "-std=c++17", "-gencode=arch=compute_%s,code=sm_%s" % (arch, arch), "-shared", "-cudart", "static",
            "-Xcompiler", "-fPIC,-fvisibility=hidden,-fno-gnu-unique", "-DCEILING=" + ceiling, "-I", os.path.dirname(HERE),
            *(["-DCEILING_SM90"] if arch.startswith("90") else []),
            "-o", output, os.path.join(HERE, "ceiling_cuda.cu")]


def main():
    if sys.argv[2:] != ["cpu"] and (len(sys.argv) != 4 or sys.argv[2] != "cuda"):
        raise SystemExit(__doc__)
    folder, device, arch = os.path.abspath(sys.argv[1]), sys.argv[2], (sys.argv + [""])[3]
    os.makedirs(folder, exist_ok=True)
    lines = ["[ceiling]\n"]
    for ceiling in CEILINGS:
        output = os.path.join(folder, "ceiling-%s.so" % ceiling)
        if subprocess.run(command(ceiling, output, device, arch), stdout=sys.stderr).returncode == 0:
            lines.append("    %s = \"%s\"\n" % (ceiling, output))
        else:
            print("build.py: the ceiling `%s` did not build" % ceiling, file=sys.stderr)
    path = os.path.join(folder, "ceilings.conf")
    with open(path, "w") as out:
        out.writelines(lines)
    print("--arms " + path)


main()
