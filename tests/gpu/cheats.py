# SPDX-License-Identifier: Apache-2.0
"""Kernels that lie about their speed, on a GPU: tests/hostile/kernels/*.cu, each as head of a `ratchet check`
against an honest base with a baseline, and honest kernels beside them. Prints a table; a cheat does a third more work
than base, so what is not fooled says regressed, or unmeasured by the pull request's fault. Needs nvcc; some minutes.
    cheats.py [DEVICE] [NAME…]        DEVICE such as nvidia-h200 (default)
Exit 1 where one gets through, or an honest kernel is accused."""

import glob
import os
import sys
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "e2e"), os.path.join(TESTS, "hostile")]
import lib
import test_kernels as cheating

NAMES = [word for word in sys.argv[1:] if not word.startswith("nvidia-")]
DEVICE = next((word for word in sys.argv[1:] if word not in NAMES), "nvidia-h200")
# The threshold lies between a third more work, and that with a clock that hides 15% of it.
CONF = """\
[kernel]
    path = kernels
[rule]
    threshold = 25%%
    own-floor = 5%%
    look = 6
[build "%(device)s"]
    command = nvcc -O3 -std=c++17 -arch=$RATCHET_ARCH -shared -cudart static -Xcompiler \
-fPIC,-fvisibility=hidden,-fno-gnu-unique -o kernels/attention.so kernels/attention.cu
    output = kernels/attention.so
[bench "%(device)s"]
    samples = 40
    target = 1ms
    warmup = 3
[config "small"]
    device = %(device)s
    batch = 2
    heads = 8
    seq-q = 256
    head-dim = 64
    dtype = fp16
""" % {"device": DEVICE}
HONEST = {"honest_faster": ("honest_plain", "improved"), "honest_plain": ("honest_plain", "held"),
          "honest_workspace": ("honest_workspace", "held")}


def look(places, name):
    """(name, what it read, verdict, whose fault, why, seconds, is it as it must be)"""
    base, want = HONEST.get(name, ("honest_plain", None))
    if base not in places:
        places[base] = cheating.Place(base + ".cu", CONF, device=DEVICE, settings=())
    began = time.monotonic()
    result = places[base].check(name, cheating.source(name + ".cu", "another" if name == base else ""))
    verdict, _, fault, reason = cheating.told(result)
    good = verdict == want if want else cheating.stopped(result)
    return name, cheating.read(result), verdict, fault, reason, time.monotonic() - began, good


def main():
    there = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(cheating.FOLDER, "*.cu")))
    places, bad = {}, 0
    print("| kernel | read | verdict | whose fault | why | seconds | |\n|---|---|---|---|---|---|---|")
    for name in there:
        if NAMES and name not in NAMES:
            continue
        try:
            *row, seconds, good = look(places, name)
        except Exception:
            print(lib.traceback.format_exc())
            row, seconds, good = [name, "", "did not run", "", ""], 0, False
        bad += not good
        row += [seconds, "" if good else "NOT AS IT MUST BE"]
        print("| %s | %s | %s | %s | %.160s | %.1f | %s |" % tuple(row), flush=True)
    print("%d not as they must be" % bad)
    return 1 if bad else 0


sys.exit(main())
