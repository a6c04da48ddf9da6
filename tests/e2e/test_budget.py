#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A time budget: what does not fit is cut, down to an unclear config that says what stays open; what
fits is measured as ever. Nothing here depends on how fast the machine is: six processes of the long
config never fit into a second, and an hour is enough for the small one."""

import json
import re

import lib
import scene
from lib import eq, has, lacks, ok
from test_calibration import PATH, facts

LONG = ("long", 512)


def repository(budget=None, config=("small", 48)):
    """main with the right kernel, and a calibration of its very rule; `slow` with the slow one"""
    files = dict(scene.tree(configs=(config,)), **{PATH: facts()})
    if budget:
        files["ci/ratchet.conf"] = files["ci/ratchet.conf"].replace(
            "    inputs = warm\n", "    inputs = warm\n    budget = %s\n" % budget)
    repo = lib.Repo()
    repo.commit(files, "the kernel")
    scene.branch(repo, "slow", "slow")
    return repo


def samples_of(result):
    return json.loads(result.file("samples.json"))["configs"][0]


def the_budget_wins():
    """Even six replicates do not fit: unclear, and the report says what stays open"""
    host, repo = scene.Host(), repository("1s", LONG)
    result = host.check(repo, "slow")
    eq(result.brief(), (2, "unclear"), "ci/ratchet.conf's budget holds")
    config, samples = result.config("long"), samples_of(result)
    eq(config["clause"], "budget", "by its clause")
    ok(config["replicates"] < 6, "fewer than six", config["replicates"])
    eq(samples["attempts"], len(samples["replicates"]), "what was not begun is no attempt")
    ok(samples.get("out_of_time"), "samples.json tells")
    for replicate in samples["replicates"]:  # none where a busy machine took a second to begin
        counts = {len(replicate[arm]) for arm in ("head", "anchor", "control")}
        ok(len(counts) == 1 and counts <= {3, 4, 5}, "the least samples, without turns that were marked", counts)
        ok(samples.get("shortened"), "which is said")
    has(config["reason"], re.compile(r"the time budget was spent after \d of at least 6 replicates.*: whether "
                                     r"it changed by more than ±30% is not resolved"), "the reason")
    report = result.file("report.md")
    has(report, re.compile(r"Time budget: 1 s, measuring took [\d.e+]+ s\. .* It was spent before \S+ had "
                           r"enough replicates\."), "what it took")
    has(report, "Calibration: not quoted; that of 2026-11-21 was without the time budget", "another protocol")
    lacks(report, "Run this job again", "another run shows the same")
    has(report, "allow more time", "what helps")
    again = host.ratchet("compare", result.folder + "/samples.json")
    eq(again.code, 2, "the judge alone says the same")
    has(again.out, "the time budget was spent", "for the same reason")


def what_fits_is_as_ever():
    """A budget that is long enough changes nothing, and the option comes before the file"""
    result = scene.Host().check(repository("1s"), "slow", "main", "--budget", "1h")
    scene.fair(result, (1, "regressed"), "with an hour in place of a second")
    samples = samples_of(result)
    eq({len(r["head"]) for r in samples["replicates"] if not r.get("marks")} - {12}, set(), "all samples")
    eq([key for key in ("shortened", "out_of_time") if key in samples], [], "nothing was cut")
    lacks(result.file("report.md"), "Time budget", "nothing to say")
    has(result.file("report.md"), "Calibrated on this device on 2026-11-21", "the calibrated protocol")


def a_look():
    """bench --quick is a look: three processes, no verdict; and it tells what it could have seen"""
    host, repo = scene.Host(), repository()
    bench = ["bench", "--config", host.config, "--repo", repo.path, "--head", "slow", "--quiet"]
    quick = host.ratchet(*bench, "--quick", "--compare", "main")
    eq(quick.code, 3 if "no samples" in quick.out else 0, "a slow kernel fails no look")
    lines = quick.out.splitlines()
    has(lines[0], "A first look, no verdict", "it says what it is")
    has(lines[1], "can tell a change of", "a column")
    row = re.split(r"  +", lines[2])
    if row[1] == "no samples":  # all were marked
        lib.note("too busy to measure: " + quick.out)
    else:
        taken, marked = re.match(r"(\d+)(?:, (\d+) marked)?$", row[6]).groups("0")
        has(lines[1], "95% interval/range", "so few have a range, and no interval of 95%")
        ok(1 <= int(taken) - int(marked) <= 3, "three processes without a mark, at most", row[6])
        has(row[7], re.compile(r"^([\d.]+%|over 1000000%|-)$"), "of which it is")
    cut = host.ratchet(*bench, "--budget", "1s", "--seq", "512")
    ok(cut.code in (0, 3), "bench has a budget, too", str(cut))
    has(cut.out, "Time budget: 1 s, measuring took ", "and says so")
    eq(cut.code == 3, "no samples" in cut.out, "3 where nothing was measured")


def refused():
    """What makes no sense is refused"""
    host, repo = scene.Host(), repository()
    for words, text in ((["bench", "--budget", "10"], "--budget: expected a time with its unit"),
                        (["check", "--budget", "1ms"], "between 1s and 24h"),
                        (["bench", "--budget", "9s", "--quick"], "`--budget` does nothing with `--quick`"),
                        (["verify", "--quick"], "verify times nothing")):
        result = host.ratchet(words[0], "--config", host.config, "--repo", repo.path, *words[1:])
        eq(result.code, 64, " ".join(words))
        has(result.err, text, " ".join(words) + ": says why")


if __name__ == "__main__":
    lib.main(the_budget_wins, what_fits_is_as_ever, a_look, refused)
