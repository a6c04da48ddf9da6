# SPDX-License-Identifier: Apache-2.0
"""`make bench`, part 2: the whole judging of a config against scipy.stats.bootstrap on the same
replicates: 10 000 resamples of replicates, the mean of ln(median head / median anchor). SciPy gets
its fast path (vectorised, percentile method) and the medians for nothing; ours takes the medians of
all samples, every line there is, the effects and the verdict.

    speed.py EXPERIMENT-PROGRAM

Both take turns, the medians of their times count. Exit 1 when a goal is missed, 77 without SciPy."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

REPLICATES, SAMPLES, ROUNDS, TURNS = 8, 100, 200, 5
GOAL_RATIO, GOAL_MS = 20, 1
PROBLEM = {"batch": 32, "heads": 8, "heads_kv": 8, "seq_q": 512, "seq_k": 512, "head_dim": 64,
           "dtype": "fp16", "causal": False}


def other_python():
    """Debian's python3 where this one has no SciPy."""
    debian = "/usr/bin/python3"
    if not os.environ.get("BENCH_SECOND_TRY") and os.access(debian, os.X_OK):
        os.environ["BENCH_SECOND_TRY"] = "1"
        os.execv(debian, [debian, "-B", *sys.argv])


try:
    import numpy
    import scipy
    import scipy.stats
except ImportError as problem:
    other_python()
    print("speed: skipped, no SciPy: %s" % problem)
    sys.exit(77)


def make_replicates(random, arms):
    speeds = random.normal(71500, 200, REPLICATES)
    return [{arm: [round(float(v)) for v in random.normal(speed, 300, SAMPLES)] for arm in arms}
            for speed in speeds]


def ours(program, replicates):
    """Nanoseconds of each round."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"schema": "ratchet.samples/1", "device": {"slug": "cpu"},
                   "configs": [{"name": "c", "unit": "ns", "clock_resolution_ns": 1,
                                "problem": PROBLEM, "replicates": replicates}]}, file)
        file.flush()
        run = subprocess.run([program, "--speed", file.name, str(ROUNDS)], check=True,
                             capture_output=True, text=True, timeout=300)
    return [float(line) for line in run.stdout.split()]


def mean_log_ratio(head, anchor, axis=-1):
    return numpy.mean(numpy.log(head / anchor), axis=axis)


def timed(call):
    times = []
    for _ in range(ROUNDS // 10):
        before = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - before)
    return times


def main():
    random = numpy.random.default_rng(20261121)
    two = make_replicates(random, ["head", "anchor"])
    four = make_replicates(random, ["head", "anchor", "base", "control"])
    medians = [numpy.array([numpy.median(r[arm]) for r in two]) for arm in ("head", "anchor")]
    logs = numpy.log(medians[0] / medians[1])
    contenders = {
        "ratchet, head and anchor": lambda: ours(sys.argv[1], two),
        "ratchet, all four arms": lambda: ours(sys.argv[1], four),
        "SciPy on pairs of medians": lambda: timed(lambda: scipy.stats.bootstrap(
            medians, mean_log_ratio, paired=True, vectorized=True, n_resamples=10000,
            method="percentile")),
        "SciPy on log ratios made before": lambda: timed(lambda: scipy.stats.bootstrap(
            (logs,), numpy.mean, n_resamples=10000, method="percentile")),
    }
    times = {name: [] for name in contenders}
    for _ in range(TURNS):
        for name, run in contenders.items():
            times[name] += run()
    ms = {name: statistics.median(values) / 1e6 for name, values in times.items()}
    own, all_arms, pairs, ready = ms.values()
    print("\n## The judge's speed\n\n%d replicates of %d samples, 10 000 resamples, SciPy %s; "
          "medians of %d turns.\n\n| | ms a config | against ratchet, head and anchor |\n"
          "|---|---|---|" % (REPLICATES, SAMPLES, scipy.__version__, TURNS))
    for name, value in ms.items():
        print("| %s | %.3f | %.1f × |" % (name, value, value / own))
    good = pairs / own >= GOAL_RATIO and all_arms < GOAL_MS
    print("\nGoal: at least %d × faster than the same statistic in SciPy (%.1f ×), below %g ms a "
          "config (%.3f ms with four arms): %s." %
          (GOAL_RATIO, pairs / own, GOAL_MS, all_arms, "met" if good else "**missed**"))
    return 0 if good else 1


if len(sys.argv) != 2:
    sys.exit("usage: speed.py EXPERIMENT-PROGRAM")
sys.exit(main())
