# SPDX-License-Identifier: Apache-2.0
"""What kernels/ceilings find on this GPU, through the harness alone, and that they are right where they are
asked for a result. Half a minute.
    ceilings.py RATCHET_BENCH COPY.so MATRIX.so"""

import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

COPY = (256, 32, 32, 128, 128, 128, "fp16", 0)
MATRIX = (8, 32, 32, 4096, 4096, 128, "fp16", 0)


def time_of(program, library, shape):
    harness = wire.Harness(program, "cuda", [library])
    harness.config(shape, [0, None, None, None])
    harness.ask("prepare head")
    print(harness.ask("forward head %d" % harness.seed()))
    print(harness.ask("rows head %d 200" % harness.seed()))
    harness.ask("allocate %d %d" % (2 * harness.l2, 8 << 30))
    harness.ask("fill %d" % harness.seed())
    launches = int(harness.ask("calibrate head 1000000").split()[2])
    times = [harness.turn(launches, ["head"])[0][0] for _ in range(20)]
    harness.close()
    return statistics.median(times[5:])


def main():
    program, copy, matrix = sys.argv[1:]
    batch, heads, _, rows, keys, dim = COPY[:6]
    ns = time_of(program, copy, COPY)
    print("copy: %.1f us, %.1f GB/s" % (ns / 1e3, 4.0 * batch * heads * rows * dim * 2 / ns))
    batch, heads, _, rows, keys, dim = MATRIX[:6]
    ns = time_of(program, matrix, MATRIX)
    print("matrix: %.1f us, %.1f TFLOP/s" % (ns / 1e3, 4.0 * batch * heads * rows * keys * dim / ns / 1e3))


main()
