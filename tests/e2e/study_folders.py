# SPDX-License-Identifier: Apache-2.0
"""Folders of studies, made of numbers and not of measurements: what `ratchet study` leaves before the documents. All
of it is the same from run to run."""

import hashlib
import json
import os
import random

import lib

FIRST, BEST = "1" * 40, "2" * 40
CODES = {"head": "sha256:" + "a" * 64, "base": "sha256:" + "b" * 64}
SHAPES = (("b8_h16_s512_d64", 8, 512, False, 41000.0), ("b8_h16_s1024_d64", 8, 1024, False, 152000.0),
          ("b8_h16_s2048_d64", 8, 2048, False, 590000.0), ("b8_h16_s2048_d64_causal", 8, 2048, True, 310000.0))
ENVIRONMENT = {
    "os": "Ubuntu 24.04.3 LTS", "cpu": "a processor", "cores": "16 physical, 16 logical", "gpu": "NVIDIA H200",
    "gpu_id": "8c26662aab60f57e", "compute_capability": "9.0", "driver": "580.159.04", "cuda": "13.0",
    "gpu_memory": "140.40 GiB", "ecc": "on", "mig": "off", "power_limit": "700 W", "clock_policy": "locked at 1500 MHz",
    "sample_target": "1 ms", "clock_resolution": "1.6 ns", "sandbox": "bubblewrap",
    "compiler": "gcc 13.3.0; nvcc 13.0, V13.0.88", "seen_power": "87 to 315 W"}
CONF = """[kernel]
    path = kernels/a.cu
[build "nvidia-h200"]
    command = nvcc -o kernels/a.so kernels/a.cu
    output = kernels/a.so
[config "b8_h16_s512_d64"]
    device = nvidia-h200
    batch = 8
    heads = 16
    seq-q = 512
    head-dim = 64
    dtype = fp16
"""


def facts_hash(facts):
    told = "".join("%s=%s\n" % (k, v) for k, v in sorted(facts.items()) if not k.startswith("seen_"))
    return "sha256:" + hashlib.sha256(told.encode()).hexdigest()


def env(facts, name="NVIDIA H200"):
    return {"schema": "ratchet.environment/1", "device": {"slug": "nvidia-h200", "name": name}, "environment": facts,
            "hash": facts_hash(facts)}


def problem(shape):
    return {"batch": shape[1], "heads": 16, "heads_kv": 16, "seq_q": shape[2], "seq_k": shape[2], "head_dim": 64,
            "dtype": "fp16", "causal": shape[3]}


def samples(arms, shapes=SHAPES, processes=8, facts=ENVIRONMENT, seed=1, infos=None, extra=None, name="NVIDIA H200"):
    """`arms`: {name: time over the shape's}; head's first."""
    draw = random.Random(seed)
    configs = []
    for shape in shapes:
        replicates = []
        for _ in range(processes):
            drift = 1 + 0.004 * draw.uniform(-1, 1)
            replicates.append({arm: [round(shape[4] * factor * drift * (1 + 0.001 * draw.uniform(-1, 1)), 1)
                                     for _ in range(9)] for arm, factor in arms.items()})
        config = {"name": shape[0], "unit": "ns", "clock_resolution_ns": 1.6, "problem": problem(shape),
                  "attempts": processes, "peak_bytes": {"head": 4 * 2 * shape[1] * 16 * shape[2] * 64},
                  "replicates": replicates}
        config.update((extra or {}).get(shape[0], {}))
        configs.append(config)
    return {"schema": "ratchet.samples/1", "device": {"slug": "nvidia-h200", "name": name}, "environment": facts,
            "arms": infos or {arm: {} for arm in arms}, "configs": configs}


def step(phase, name=None, state="done", seconds=30.0, why="", command="", **more):
    made = {"phase": phase, "name": name or phase, "state": state, "seconds": seconds}
    if why:
        made["why"] = why
    made["command"] = command or "ratchet %s --device nvidia-h200" % phase
    if phase == "optimise":
        made.update({"proposal": False, "kept": False}, **more)
    return made


def asked(target=1.2, proposals=4):
    return {"device": "nvidia-h200", "commit": FIRST, "target_speedup": target, "budget_s": 900, "proposals": proposals,
            "hash": "c" * 64}


class Folder:
    """`proposals`: (name, time over the best's before, kept, why). Files of `self.files` are written by `write`."""

    def __init__(self, proposals=(("01-autotune", 0.85, True, ""), ("02-tiles", 0.95, True, ""),
                                  ("03-unroll", 1.002, False, "its interval is not wholly below 0")),
                 backends=True, shapes=True, end=True, price=True, target=1.2, facts=ENVIRONMENT):
        kept = [p for p in proposals if p[2]]
        end = end and bool(kept)
        first = {"head": {"commit": FIRST, "code": CODES["base"]}}
        self.steps = [step("environment", seconds=1.5), step("benchmark")]
        self.files = {
            "ratchet.conf": CONF, "env.json": env(facts),
            "benchmark.json": samples({"head": 1}, facts=facts, infos=first)}
        peers = {"head": 1, "flash": 1.06, "cudnn": 0.97}
        told = dict(facts, arm_head="ours", version_flash="FlashAttention 2.8.3", version_cudnn="cuDNN 9.13",
                    absent_xformers="not installed: No module named 'xformers'")
        for phase, there in (("backends", backends), ("shapes", shapes)):
            if there:
                self.files[phase + "/samples.json"] = samples(peers, facts=told, seed=len(phase))
                self.files[phase + "/sweep.md"] = "# All of it\n"
                self.steps.append(step(phase, seconds=60))
            else:
                self.steps.append(step(phase, state="skipped", seconds=0, why="no other implementation was named"))
        for i, (name, factor, was_kept, why) in enumerate(proposals):
            self.files["optimise/%s/samples.json" % name] = samples({"head": 1, "proposal": factor}, facts=facts, seed=20 + i)
            self.files["optimise/%s/change.patch" % name] = "--- a\n+++ b\n"
            self.steps.append(step("optimise", name, seconds=100, why=why, proposal=True, kept=was_kept))
        if not proposals:
            self.steps.append(step("optimise", "00-nothing", state="skipped", seconds=0, why="no proposal fits the budget"))
        if end:
            both = {"head": {"commit": BEST, "code": CODES["head"]}, "anchor": {"commit": FIRST, "code": CODES["base"]},
                    "control": {"commit": FIRST, "code": CODES["base"]}}
            factor = 1.0
            for proposal in kept:
                factor *= proposal[1]
            self.files["samples.json"] = samples({"head": factor, "anchor": 1, "control": 1.0002}, facts=facts, seed=9, infos=both,
                                                 processes=16)
            self.steps.append(step("end", seconds=90))
        else:
            self.steps.append(step("end", state="skipped", seconds=0, why="nothing was kept"))
        self.steps.append(step("report", seconds=0.5))
        self.study = {"schema": "ratchet.study/1", "ratchet": "0.1.0", "started": "2026-11-28T10:00:00Z", "asked": asked(target),
                      "best": BEST if kept else FIRST, "estimate_s": 800}
        if price:
            self.study["price"] = {"per_hour": 3.5, "currency": "USD"}
        self.study["steps"] = self.steps

    def write(self):
        path = os.path.join(lib.temp_dir(), "study")
        for name, text in dict(self.files, **{"study.json": self.study}).items():
            full = os.path.join(path, name)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            lib.write(full, text if isinstance(text, str) else json.dumps(text, indent=1) + "\n")
        return path
