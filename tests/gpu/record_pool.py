# SPDX-License-Identifier: Apache-2.0
"""Record what error rates are computed from: fresh processes, in each of which the anchor, its
control, head and base (all the same binary) and arms that are slowed down on the device by known
shares take turns. Medians of every arm and process go to POOL, and every sample of the first
processes, for some of the problems, to TRACES/<name>.json in the form of samples.json.
    record_pool.py RATCHET_BENCH LIBRARY SECONDS POOL TRACES       no process is begun after SECONDS"""

import json
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

CONFIGS = {"b32_h8_s%d_d64" % s: (32, 8, 8, s, s, 64, "fp16", 0) for s in (128, 256, 512, 1024)}
CONFIGS["b4_h16_s2048_d128_causal"] = (4, 16, 16, 2048, 2048, 128, "fp16", 1)
SHARES = [0.01, 0.02, 0.03, 0.04, 0.05, 0.10]
SAME = ["anchor", "control", "head", "base"]
WARMUP, SAMPLES, TARGET_NS = 5, 60, 1000000
TRACED, TRACED_PROCESSES = ("b32_h8_s128_d64", "b32_h8_s512_d64"), 60


def verified(harness):
    for arm in SAME:
        for question in ("forward %s %d", "rows %s %d 256"):
            answer = harness.ask(question % (arm, harness.seed()))
            if answer.split()[0] not in ("ran", "right"):
                raise SystemExit(answer)


def record(harness, shape):
    """Series of each arm, in ns a launch; the slowed ones under their share."""
    harness.config(shape, [0, 1, 2, 3])
    for arm in SAME:
        harness.ask("prepare " + arm)
    harness.ask("allocate %d" % (2 * harness.l2))
    verified(harness)
    harness.ask("fill %d" % harness.seed())
    launches = int(harness.ask("calibrate anchor %d" % TARGET_NS).split()[2])
    plain = [arm + "+0" for arm in SAME]
    for _ in range(WARMUP):
        harness.turn(launches, plain)
    sample = statistics.median(ns * launches for turn in range(5)
                               for ns, _ in harness.turn(launches, plain))
    words = {arm: word for arm, word in zip(SAME, plain)}
    words.update((share, "head+%d" % round(share * sample)) for share in SHARES)
    series = {arm: [] for arm in words}
    while len(series["anchor"]) < SAMPLES:
        order = random.sample(list(words), len(words))
        times = harness.turn(launches, [words[arm] for arm in order])
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
    program, library, limit, pool_path, traces = sys.argv[1:6]
    pool = {name: [] for name in CONFIGS}
    raw = {name: [] for name in TRACED}
    seconds = []
    started = time.monotonic()
    while time.monotonic() - started < float(limit):
        process = len(seconds)
        began = time.monotonic()
        harness = wire.Harness(program, "cuda", [library] * 4)
        for name in random.sample(list(CONFIGS), len(CONFIGS)):
            series = record(harness, CONFIGS[name])
            pool[name].append({arm: round(statistics.median(values), 2)
                               for arm, values in series.items()})
            if name in raw and process < TRACED_PROCESSES:
                raw[name].append(series)
        harness.close()
        seconds.append(round(time.monotonic() - began, 2))
    arms = SAME + SHARES
    with open(pool_path, "w") as out:
        out.write('{"schema": "ratchet.pool/1", "device": "nvidia-h200", "samples": %d, "arms": %s,\n'
                  ' "seconds": %s,\n "configs": {\n' % (SAMPLES, json.dumps(arms), json.dumps(seconds)))
        out.write(",\n".join('  "%s": [\n%s]' % (name, ",\n".join(
            "   %s" % json.dumps([one[arm] for arm in arms]) for one in processes))
            for name, processes in pool.items()))
        out.write("}}\n")
    for name, processes in raw.items():
        with open(os.path.join(traces, "h200_%s.json" % name), "w") as out:
            json.dump(trace_file(name, CONFIGS[name], processes), out, separators=(",", ":"))
    for name, processes in pool.items():
        for arm in arms[1:]:
            changes = [100 * (one[arm] / one["anchor"] - 1) for one in processes]
            print("%-26s %-8s %+.3f%% sd %.3f%%" % (name, arm, statistics.mean(changes),
                                                   statistics.stdev(changes)))
    print("%d processes, %.2f s each" % (len(seconds), statistics.mean(seconds)))


main()
