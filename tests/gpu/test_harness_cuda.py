# SPDX-License-Identifier: Apache-2.0
"""ratchet-bench on a real GPU: what is timed, what is refused and in what words, whether one
sample is the kernel's own time. Without a GPU the library is compiled, and the rest skipped."""

import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
import wire
from lib import case, eq, has, ok

WORK = lib.temp_dir()
SMALL = (1, 2, 1, 48, 64, 64, "fp16", 0)
MASKED = (2, 2, 2, 40, 24, 128, "bf16", 1)  # some rows see no key
SHORT = (8, 4, 4, 128, 128, 64, "fp16", 0)


def kernel(*flags, arch=None):
    path = os.path.join(WORK, "-".join(["odd", *flags]).replace("=", "_") + ".so")
    if not os.path.exists(path):
        arch = arch or os.environ.get("RATCHET_ARCH", "native")
        built = lib.run(["nvcc", "-O3", "-std=c++17", "-arch=" + arch, "-shared", "-cudart", "static",
                         "-Xcompiler", "-fPIC,-fvisibility=hidden,-fno-gnu-unique",
                         "-I", os.path.join(lib.TOP, "kernels"), *["-D" + f for f in flags], "-o", path,
                         os.path.join(lib.HERE, "..", "gpu", "kernels", "odd.cu")])
        if built.code != 0:
            raise RuntimeError(str(built))
    return path


def harness(*libraries, **more):
    return wire.Harness(lib.program("RATCHET_BENCH"), "cuda", libraries, **more)


def need_gpu():
    if not lib.has_gpu():
        lib.skip("there is no GPU here", allowed=True)
        return False
    return True


def it_compiles():
    """The test's kernel compiles for every architecture that is supported"""
    for arch in ("sm_80", "sm_89", "sm_90"):
        ok(kernel("ODD_ERROR=%s" % arch[3:], arch=arch), arch)


def helpers_are_up_to_date():
    """The PTX that is carried is what its source makes"""
    made = lib.run([os.path.join(lib.TOP, "src", "harness", "cuda_helpers.sh")])
    eq(made.code, 0, made.err)
    with open(os.path.join(lib.TOP, "src", "harness", "cuda_helpers_ptx.h")) as committed:
        ok(made.out == committed.read(), "cuda_helpers_ptx.h is from cuda_helpers.cu")


def prepared(problem=SMALL, *flags, slots=None, **more):
    good = kernel()
    h = harness(kernel(*flags), good, good, **more)
    h.config(problem, slots or [0, 1, 2, None])
    for arm in ("head", "base", "anchor"):
        if (slots or [0, 1, 2])[("head", "base", "anchor").index(arm)] is not None:
            h.ask("prepare " + arm)
    h.ask("allocate %d %d" % (2 * h.l2, 8 << 30))
    return h


def right_kernels():
    """A right kernel is right, and everything about the device is known"""
    if not need_gpu():
        return
    for problem in (SMALL, MASKED, SHORT):
        h = prepared(problem)
        ok(h.l2 > 1 << 20 and h.total > 1 << 30 and h.free <= h.total, "cache and memory")
        for arm in ("head", "base", "anchor"):
            has(h.ask("forward %s %d" % (arm, h.seed())), "ran " + arm, arm)
            has(h.ask("rows %s %d 256" % (arm, h.seed())), "right " + arm, arm + " is right")
        h.ask("fill %d" % h.seed())
        launches = int(h.ask("calibrate anchor 1000000").split()[2])
        ok(launches >= 5, "enough launches a sample", launches)
        for _ in range(5):
            times = h.turn(launches, ["head", "anchor", "base"])
            ok(all(ns > 100 and late == 0 for ns, late in times), "timed, and never starved", times)
        h.close()
        eq(h.process.returncode, 0, "ends by itself")


def wrong_kernels():
    """What is wrong is said"""
    if not need_gpu():
        return
    table = [("ODD_WRONG", "wrong head out at "), ("ODD_NAN", "row 3 column 0 is nan"),
             ("ODD_UNWRITTEN", "row 1 column 0 was not written"),
             ("ODD_BEHIND", "out was written behind its end"),
             ("ODD_ERROR=3", "wrong head forward returned 3"),
             ("ODD_SYNC", "wrong head forward")]
    for flag, text in table:
        case(flag)
        h = prepared(SMALL, flag)
        answer = h.ask("forward head %d" % h.seed())
        if answer.startswith("ran"):
            answer = h.ask("rows head %d 256" % h.seed())
        has(answer, text, "said")
        has(h.ask("forward anchor %d" % h.seed()), "ran anchor", "the process goes on")
        h.close()
    case("ODD_LATE")
    h = prepared(SMALL, "ODD_LATE=40")
    h.ask("fill %d" % h.seed())
    try:
        for _ in range(10):
            h.turn(20, ["anchor", "head"])
        ok(False, "a kernel that is wrong only later is found")
    except RuntimeError as answer:
        has(str(answer), "wrong head while timed, out at ", "found while timed")
    h.close()


def crashes_and_hangs():
    """An illegal address and a hang end the process, and the next one is fine"""
    if not need_gpu():
        return
    for flag, text in (("ODD_ADDRESS", "crashed CUDA_ERROR_ILLEGAL_ADDRESS"), ("ODD_HANG", "died 14")):
        case(flag)
        h = prepared(SMALL, flag, watchdog_ms=3000)
        try:
            ok(False, "it ends", h.ask("forward head %d" % h.seed()))
        except wire.Ended as words:
            has(str(words), text, "last words")
        right = prepared(SMALL)
        has(right.ask("forward head %d" % right.seed()), "ran head", "the next process is fine")
        right.close()


def one_sample_is_the_kernels_time():
    """Delays within a sample read as such; twice the work reads as twice the time; CUPTI agrees"""
    if not need_gpu():
        return
    good, slow = kernel(), kernel("ODD_SLOW")
    h = harness(slow, good, good)
    h.config(SHORT, [0, None, 1, 2])
    for arm in ("head", "anchor", "control"):
        h.ask("prepare " + arm)
    h.ask("allocate %d %d" % (2 * h.l2, 8 << 30))
    h.ask("fill 7")
    launches = int(h.ask("calibrate anchor 2000000").split()[2])
    ratios, delays, same = [], [], []
    for _ in range(25):
        head, anchor, control = (ns for ns, _ in h.turn(launches, ["head", "anchor", "control"]))
        ratios.append(head / anchor)
        same.append(control / anchor)
        plain, delayed = (ns for ns, _ in h.turn(launches, ["anchor+0", "anchor+100000"]))
        delays.append((delayed - plain) * launches)
    ok(1.9 < statistics.median(ratios) < 2.1, "twice the work", statistics.median(ratios))
    ok(0.99 < statistics.median(same) < 1.01, "the same", statistics.median(same))
    ok(95e3 < statistics.median(delays) < 110e3, "100 us of delay", statistics.median(delays))
    ours = statistics.median(ns for ns, _ in h.turn(launches, ["anchor"] * 40))
    h.trace(launches, ["anchor"] * 64)  # CUPTI takes its time to start: the clocks come back
    cupti = statistics.median(ns for ns, _ in h.trace(launches, ["anchor"] * 40))
    ok(abs(ours - cupti) < max(0.05 * cupti, 400), "CUPTI and we", "%g ns, CUPTI %g ns" % (ours, cupti))
    lib.note("a launch: %.0f ns, CUPTI %.0f ns" % (ours, cupti))
    h.close()


def out_of_memory():
    """Too large a config is refused, and the process goes on"""
    if not need_gpu():
        return
    h = harness(kernel())
    h.config((1024, 64, 64, 16384, 16384, 128, "fp16", 0), [0, None, None, None])
    h.ask("prepare head")
    try:
        ok(False, "refused", h.ask("allocate 0 0"))
    except RuntimeError as answer:
        has(str(answer), "out of device memory", "said")
    h.ask("release")
    h.config(SMALL, [0, None, None, None])
    h.ask("prepare head")
    h.ask("allocate 0 0")
    has(h.ask("forward head 1"), "ran head", "goes on")
    h.close()


lib.main(it_compiles, helpers_are_up_to_date, right_kernels, wrong_kernels, crashes_and_hangs,
         one_sample_is_the_kernels_time, out_of_memory)
