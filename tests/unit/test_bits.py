# SPDX-License-Identifier: Apache-2.0
"""The judge gives the same bits whatever compiler, optimisation level and instruction set it was
built with, as long as -ffp-contract=off is among the flags, as in Makefile.am: several builds
answer the same questions, and judge the same files, and every byte of their answers must agree.
Without the flag, on a machine with fused multiply-add, they do not: so the test can see it."""

import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judgelib
from judgelib import ok, skip

RNG = random.Random(7)
FOLDER = judgelib.temp_dir()
OFF = "-ffp-contract=off"


def questions():
    lines = []
    for _ in range(2000):
        lines.append("log %r" % (2 ** RNG.uniform(-40, 40)))
        lines.append("exp %r" % RNG.uniform(-30, 30))
        lines.append("phi %r" % RNG.uniform(-9, 9))
    for _ in range(300):
        lines.append("tail %r %d" % (RNG.uniform(0, 12), RNG.randrange(1, 70)))
        lines.append("quantile %r %d" % (10 ** RNG.uniform(-5, -0.4), RNG.randrange(1, 70)))

    def group(count):
        values = [RNG.gauss(0.01, 0.003) for _ in range(count)]
        return "%d %s" % (count, " ".join(map(repr, values)))

    for _ in range(40):
        pair = "%s %s" % (group(RNG.randrange(2, 20)), group(RNG.randrange(2, 20)))
        lines += ["g " + pair, "delta " + pair, "p " + pair, "boot 42 2000 0.95 15 0.002 0 0 " + pair,
                  "boot 42 2000 0.95 3 0 4 0.3 %s 0" % group(8), "median " + group(33),
                  "interval 0.95 " + group(40)]
    return lines


def samples_file():
    """Noisy samples of three configs, four arms, times with decimals."""
    problem = {"batch": 1, "heads": 4, "heads_kv": 4, "seq_q": 256, "seq_k": 256, "head_dim": 64,
               "dtype": "fp32", "causal": False}
    configs = []
    for i in range(3):
        replicates = []
        for _ in range(8):
            base = RNG.uniform(9e4, 11e4)
            replicates.append({arm: [base * RNG.uniform(0.99, 1.05) for _ in range(21)]
                               for arm in ("head", "base", "anchor", "control")})
        configs.append({"name": "c%d" % i, "unit": "ns", "problem": problem,
                        "replicates": replicates})
    path = os.path.join(FOLDER, "samples.json")
    with open(path, "w") as out:
        json.dump({"schema": "ratchet.samples/1", "device": {"slug": "cpu"}, "configs": configs},
                  out)
    return path


def judgements():
    lines = ["judge %s -" % samples_file()]
    for samples in sorted(glob.glob(os.path.join(judgelib.TOP, "tests", "judge", "*",
                                                 "samples.json"))):
        with open(os.path.join(os.path.dirname(samples), "expect.json")) as source:
            if json.load(source)["exit"] < 64:
                baseline = os.path.join(os.path.dirname(samples), "baseline.json")
                lines.append("judge %s %s" % (samples,
                                              baseline if os.path.exists(baseline) else "-"))
    return lines


def has_fma():
    try:
        with open("/proc/cpuinfo") as source:
            return " fma " in source.read()
    except OSError:
        return False


def builds():
    for name in ("gcc", "clang"):
        if shutil.which(name) is None:
            skip("%s builds" % name, "no %s" % name)
            continue
        for flags in ["-O0"], ["-O1"], ["-O3"], ["-O3", "-march=native"]:
            yield [name], [*flags, OFF]
    if not has_fma():
        print("# this machine has no fused multiply-add: the last build of each could not use one")


LINES = questions() + judgements()
reference = None
for words, flags in builds():
    title = " ".join(words + flags)
    try:
        driver = judgelib.build_driver(os.path.join(FOLDER, title.replace(" ", "")), words, flags)
    except subprocess.CalledProcessError as problem:
        ok(False, title + " builds", problem)
        continue
    text = judgelib.ask(driver, LINES)
    if reference is None:
        reference, first = text, title
        ok(len(text.splitlines()) >= len(LINES) and '"verdict"' in text, title + " answers")
        continue
    differing = [(a, b) for a, b in zip(reference.splitlines(), text.splitlines()) if a != b]
    ok(text == reference, "%s answers %d questions with the bits of %s" %
       (title, len(LINES), first), "%d lines differ, the first: %s" %
       (len(differing), differing[:1]))


def fused():
    """What the flag is for."""
    if not has_fma() or shutil.which("gcc") is None:
        return
    driver = judgelib.build_driver(os.path.join(FOLDER, "fused"), ["gcc"],
                                   ["-O3", "-march=native", "-ffp-contract=fast"])
    ok(judgelib.ask(driver, LINES) != reference, "a build that fuses answers differently")


def flag_is_set():
    """The tree's own build has the flag, and nothing after it takes it back."""
    makefile = os.path.join(os.environ.get("top_builddir", "."), "Makefile")
    if not os.path.exists(makefile):
        skip("the build's flags", "no " + makefile)
        return
    with open(makefile) as source:
        flags = dict(re.findall(r"^(\w+) = (.*)$", source.read(), re.M))
    ok(OFF in flags["libjudge_a_CFLAGS"].split() and "-ffp-contract" not in flags["CFLAGS"],
       "libjudge.a is built with " + OFF, flags["CFLAGS"])


fused()
flag_is_set()
judgelib.done()
