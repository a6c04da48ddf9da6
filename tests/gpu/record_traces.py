# SPDX-License-Identifier: Apache-2.0
"""Record traces that error rates can be counted from again: fresh processes, in each of which the
anchor, its control, head and base, all the same binary, take turns. Every sample goes to
FOLDER/h200_<name>.json in the form of samples.json. (A device's own error rates: ratchet calibrate.)
    record_traces.py RATCHET_BENCH LIBRARY SECONDS FOLDER       no process is begun after SECONDS"""

import json
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

CONFIGS = {"b32_h8_s%d_d64" % s: (32, 8, 8, s, s, 64, "fp16", 0) for s in (128, 512)}
SAME = ["anchor", "control", "head", "base"]
WARMUP, SAMPLES, TARGET_NS = 5, 60, 1000000
DEVICE = "cuda"
PROCESSES = 60


def verified(harness):
    for arm in SAME:
        for question in ("forward %s %d", "rows %s %d 256"):
            answer = harness.ask(question % (arm, harness.seed()))
            if answer.split()[0] not in ("ran", "right"):
                raise SystemExit(answer)


def record(harness, shape):
    """Series of each arm, in ns a launch."""
    harness.config(shape, [0, 1, 2, 3])
    for arm in SAME:
        harness.ask("prepare " + arm)
    harness.ask("allocate %d %d" % (2 * harness.l2, 8 << 30))
    verified(harness)
    harness.ask("fill %d" % harness.seed())
    launches = int(harness.ask("calibrate anchor %d" % TARGET_NS).split()[2])
    for _ in range(WARMUP):
        harness.turn(launches, SAME)
    series = {arm: [] for arm in SAME}
    while len(series["anchor"]) < SAMPLES:
        order = random.sample(SAME, len(SAME))
        times = harness.turn(launches, order)
        if not any(late for _, late in times):
            for arm, (ns, _) in zip(order, times):
                series[arm].append(round(ns, 1))
    verified(harness)
    harness.ask("release")
    return series


def trace_file(name, shape, processes):
    keys = ("batch", "heads", "heads_kv", "seq_q", "seq_k", "head_dim", "dtype", "causal")
    problem = dict(zip(keys, shape), causal=bool(shape[7]))
    return {"schema": "ratchet.samples/1", "device": {"slug": "nvidia-h200", "name": "NVIDIA H200"},
            "environment": {"kernel": "attention_sm80", "inputs": "rotating over twice the L2"},
            "configs": [{"name": name, "unit": "ns", "clock_resolution_ns": 1.6, "problem": problem,
                         "replicates": [{arm: one[arm] for arm in SAME} for one in processes]}]}


def main():
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    program, library, limit, folder = sys.argv[1:]
    raw = {name: [] for name in CONFIGS}
    started = time.monotonic()
    while time.monotonic() - started < float(limit) and len(raw["b32_h8_s128_d64"]) < PROCESSES:
        harness = wire.Harness(program, DEVICE, [library] * 4)
        for name in random.sample(list(CONFIGS), len(CONFIGS)):
            raw[name].append(record(harness, CONFIGS[name]))
        harness.close()
    for name, processes in raw.items():
        with open(os.path.join(folder, "h200_%s.json" % name), "w") as out:
            json.dump(trace_file(name, CONFIGS[name], processes), out, separators=(",", ":"))
        for arm in SAME[1:]:
            changes = [100 * (statistics.median(one[arm]) / statistics.median(one["anchor"]) - 1)
                       for one in processes]
            print("%-26s %-8s %+.3f%% sd %.3f%%" % (name, arm, statistics.mean(changes),
                                                   statistics.pstdev(changes)))


main()
