#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a sample on the CPU costs besides its launches, and how samples of one kernel scatter.
    cpu_samples.py HARNESS [HARNESS…]     each ratchet-bench in turn, alone and beside a busy loop on each processor
Prints for each the time per launch of long samples (median, and the ninth decile as a ratio to it), and the time that
a sample takes besides (from samples of few and of many launches)."""

import os
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "tests", "gpu"))
import wire  # noqa: E402

PROBLEM = (1, 1, 1, 64, 64, 32, "fp32", 0)
TARGET_NS, TURNS = 2000000, 80


def build(folder):
    path = os.path.join(folder, "attention.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-pthread", "-I", os.path.join(TOP, "kernels"), "-o", path,
                    os.path.join(TOP, "kernels", "attention_cpu.c"), "-lm"], check=True)
    return path


def measure(program, library):
    """(ns a launch, ninth decile / median, ns a sample takes besides)"""
    harness = wire.Harness(program, "cpu", [library])
    harness.config(PROBLEM, (0, None, None, None))
    harness.ask("prepare head")
    harness.ask("allocate 0 200000000")
    harness.ask("fill 1")
    many = int(harness.ask("calibrate head %d" % TARGET_NS).split()[-1])
    harness.ask("fill 2")
    few = max(1, many // 8)
    times = {few: [], many: []}
    for turn in range(2 * TURNS):
        launches = (few, many)[turn % 2]
        harness.say("stage %d head:%d" % (harness.seed(), launches))
        harness.hear()
        harness.say("turn")
        times[launches].append(int(harness.hear().split()[2]))
        harness.hear()
        harness.ask("compare")
    harness.close()
    short, long = statistics.median(times[few]), statistics.median(times[many])
    launch = (long - short) / (many - few)
    return long / many, sorted(times[many])[len(times[many]) * 9 // 10] / long, short - few * launch


def main():
    with tempfile.TemporaryDirectory(prefix="ratchet-samples-") as folder:
        library = build(folder)
        print("%-40s %12s %14s %14s" % ("harness, machine", "ns a launch", "9th decile", "besides, us"))
        for busy in (0, os.cpu_count()):
            loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
            try:
                for program in sys.argv[1:]:
                    name = "%.30s, %s" % (program[-30:], "busy" if busy else "quiet")
                    launch, decile, besides = measure(os.path.abspath(program), library)
                    print("%-40s %12.0f %13.3fx %14.1f" % (name, launch, decile, besides / 1000))
            finally:
                for loop in loops:
                    loop.kill()
                    loop.wait()


if __name__ == "__main__":
    main()
