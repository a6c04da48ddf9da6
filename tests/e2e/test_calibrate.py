#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet calibrate`: a pool of processes is recorded on this device, cut off, taken up again; checks
are drawn from it, and from the pool of an H200 that is kept here."""

import json
import os

import lib
import scene
from lib import eq, has, lacks, ok

POOL = os.path.join(lib.TOP, "tests", "data", "pools", "nvidia-h200.jsonl")
COMMITTED = os.path.join(lib.TOP, "baselines", "nvidia-h200", "calibration.json")
CONF = os.path.join(lib.TOP, "ci", "ratchet.conf")


def lines(path):
    return lib.read(path).splitlines()


def recording():
    """Recorded, cut off, and gone on with"""
    repo = lib.Repo()
    commit = repo.commit(scene.tree(samples=5, configs=(("small", 32), ("longer", 48))), "the kernel")
    host = scene.Host()
    folder = lib.temp_dir()
    pool, out = os.path.join(folder, "pool.jsonl"), os.path.join(folder, "calibration.json")

    def calibrate(*more, pool=pool):
        return host.ratchet("calibrate", "--config", host.config, "--repo", repo.path, "--pool", pool,
                            "--output", out, "--checks", "50", *more)

    few = calibrate("--processes", "7")
    eq(few.code, 64, "fewer processes than the rule looks at")
    has(few.err, "--processes: expected at least 8, the rule's last look", "are refused")
    ok(not os.path.exists(pool), "and nothing is recorded")
    first = calibrate("--processes", "8")
    eq(first.code, 0, "a recording")
    has(first.err, "replicate 8 of 8", "says how far it is")
    head, *processes = [json.loads(line) for line in lines(pool)]
    eq(len(processes), 8, "one line a process")
    eq([head["commit"], head["samples"], [c["name"] for c in head["configs"]]],
       [commit, 5, ["small", "longer"]], "of this kernel")
    arms = head["entries"]
    for process in processes:
        eq([len(one["ns"]) for one in process["configs"]], [len(arms)] * 2, "every arm of every config")
    slowest = [one["ns"][arms.index(["head", 0.1])] / one["ns"][arms.index(["anchor", 0])]
               for process in processes for one in process["configs"]]
    ok(sorted(slowest)[len(slowest) // 2] > 1.03, "the arm slowed by 10% is slower", str(slowest))
    figures = json.loads(lib.read(out))
    eq([figures["schema"], figures["processes"], figures["identical"]["checks"]],
       ["ratchet.calibration/1", 8, 50], "the calibration")
    has(first.out, "| nothing changed | 50 |", "the table")

    whole = lib.read(pool)
    lib.write(pool, whole[:-40])
    again = calibrate("--processes", "9")
    eq(again.code, 0, "cut off within a line")
    has(again.err, "goes on after 7 processes", "the whole lines are kept")
    eq(lines(pool)[:8], whole.splitlines()[:8], "as they were")
    eq(len(lines(pool)), 10, "and there are as many processes as wanted")
    before = lib.read(pool)
    other = calibrate("--processes", "9", "--samples", "6")
    eq(other.code, 64, "another number of samples")
    has(other.err, "pool.jsonl: samples: expected the same as now", "does not go into the same pool")
    broken = os.path.join(folder, "broken.jsonl")
    lib.write(broken, "{}\n")
    eq(calibrate("--processes", "9", pool=broken).code, 64, "what is no pool is not overwritten")
    eq([lib.read(pool), lib.read(broken)], [before, "{}\n"], "nothing was touched")


def kernels():
    """A kernel that is wrong, or does not build, calibrates nothing"""
    for name, text in (("wrong", "wrong result"), ("broken", "build")):
        repo = lib.Repo()
        repo.commit(scene.tree(name), "the kernel")
        host = scene.Host()
        out = os.path.join(lib.temp_dir(), "calibration.json")
        result = host.ratchet("calibrate", "--config", host.config, "--repo", repo.path, "--output", out,
                              "--pool", out + ".pool", "--processes", "8")
        ok(result.code not in (0, 1, 2), "%s: no calibration" % name, str(result))
        has(result.err, text, "and why")
        ok(not os.path.exists(out), "nothing is written")


def drawing():
    """The H200's calibration is what its pool says"""
    out = os.path.join(lib.temp_dir(), "calibration.json")
    result = lib.run([lib.program("RATCHET"), "calibrate", "--from", POOL, "--rules", CONF, "--checks",
                      "100", "--output", out, "--quiet"])
    eq(result.code, 0, "drawn again")
    eq(result.err, "", "--quiet is quiet")
    now, kept = json.loads(lib.read(out)), json.loads(lib.read(COMMITTED))
    for key in ("device", "recorded", "rule", "processes", "kernel", "samples", "replicate_seconds",
                "smallest_change"):
        eq(now[key], kept[key], key)
    eq(kept["identical"]["checks"], 10000, "of as many checks as the README says")
    ok(kept["processes"] >= 200, "of as many processes")

    def read(calibration):
        return [[(r["change"], r["mean"], r["sd"]) for r in c["readings"]] for c in calibration["configs"]]
    eq(read(now), read(kept), "what every config read")
    for check in now["checks"]:
        right = ("regressed" if check["change"] > 0.031 and not check["what"].startswith("main") else
                 "improved" if check["change"] < -0.031 else
                 "unclear" if abs(check["change"]) == 0.03 else "held")
        ok(check["verdicts"][right][0] > 0.9, "%s: %s" % (check["what"], right), str(check["verdicts"]))
    elsewhere = lib.run([lib.program("RATCHET"), "calibrate", "--from", POOL, "--output", "/nowhere/x.json",
                         "--checks", "10"])
    ok(elsewhere.code not in (0, 1, 2), "where it cannot be written")
    has(elsewhere.err, "/nowhere", "the error says so")


def usage():
    """What cannot be asked for"""
    for words, text in ((["--from", "/nowhere"], "/nowhere"), (["--checks", "9"], "--checks"),
                        (["--from", POOL, "--processes", "9"], "`--processes` does nothing with `--from`"),
                        (["--rules", CONF], "`--rules` does nothing without `--from`"),
                        (["--from", COMMITTED], "calibration.json: line 1"), (["--device", "../x"], "not a slug")):
        result = lib.run([lib.program("RATCHET"), "calibrate", *words])
        ok(result.code >= 3, "%s: refused" % " ".join(words), str(result))
        has(result.err, text, "says which")
        lacks(result.err, "\nratchet", "one line")


lib.main(usage, recording, kernels, drawing)
