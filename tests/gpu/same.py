# SPDX-License-Identifier: Apache-2.0
"""How far a kernel is from itself: two copies of one library as arms, in fresh processes. Prints,
for each problem, the change of the median over processes: mean, standard deviation, largest.
    same.py RATCHET_BENCH LIBRARY PROCESSES [burst]      burst: while burst.py uses the GPU"""

import os
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import wire

SHAPES = [(32, 8, 8, s, s, 64, "fp16", 0) for s in (128, 256, 512, 1024)] + [
    (4, 16, 16, 2048, 2048, 128, "fp16", 1)]
TURNS = 60


def change(harness, shape):
    harness.config(shape, [0, None, 1, None])
    for arm in ("head", "anchor"):
        harness.ask("prepare " + arm)
    harness.ask("allocate %d %d" % (2 * harness.l2, 8 << 30))
    harness.ask("fill %d" % harness.seed())
    launches = int(harness.ask("calibrate anchor 1000000").split()[2])
    times = {"head": [], "anchor": []}
    for turn in range(-5, TURNS):
        order = random.sample(["head", "anchor"], 2)
        for arm, (ns, _) in zip(order, harness.turn(launches, order)):
            if turn >= 0:
                times[arm].append(ns)
    harness.ask("release")
    spread = statistics.pstdev(times["anchor"]) / statistics.mean(times["anchor"])
    return statistics.median(times["head"]) / statistics.median(times["anchor"]) - 1, spread


def main():
    program, library, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    other = None
    if sys.argv[4:] == ["burst"]:
        other = subprocess.Popen([sys.executable, os.path.join(HERE, "burst.py"), "600"])
        time.sleep(8)
    rows = {shape: [] for shape in SHAPES}
    for _ in range(processes):
        harness = wire.Harness(program, "cuda", [library, library])
        for shape in random.sample(SHAPES, len(SHAPES)):
            rows[shape].append(change(harness, shape))
        harness.close()
    if other is not None:
        other.kill()
        other.wait()
    print("| problem | processes | mean | sd | largest | scatter of samples |\n|---|---|---|---|---|---|")
    for shape, got in rows.items():
        changes = [100 * one for one, _ in got]
        print("| B%d H%d S%d D%d%s | %d | %+.3f%% | %.3f%% | %+.2f%% | %.1f%% |" % (
            shape[0], shape[1], shape[3], shape[5], " causal" if shape[7] else "", len(changes),
            statistics.mean(changes), statistics.stdev(changes), max(changes, key=abs),
            100 * statistics.median(spread for _, spread in got)))


main()
