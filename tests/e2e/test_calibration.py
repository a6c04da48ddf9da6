#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a report says of the device's calibration: the base commit's calibration.json, or that
there is none, or why it cannot be used. It decides nothing, so nothing in it fails a check."""

import json
import os
import re

import lib
import scene
from lib import eq, has, lacks

PATH = "baselines/cpu/calibration.json"
NONE = "Calibration: none recorded for this device yet."


def facts(slug="cpu", **more):
    return json.dumps(dict({
        "schema": "ratchet.calibration/1", "device": {"slug": slug}, "protocol": scene.PROTOCOL,
        "recorded": "2026-11-21T01:10:20Z",
        "rule": {"threshold": 0.3, "confidence": 0.95, "budget": 8}, "processes": 200,
        "identical": {"checks": 10000, "wrong": 3, "wrong_upper": 0.000876},
        "smallest_change": 0.01}, **more))


def footer(text, host=None, head="broken", of_head=None):
    """The footer of a report where base has that calibration.json, and head perhaps another"""
    repo = lib.Repo()
    repo.commit(dict(scene.tree(), **({} if text is None else {PATH: text})), "the kernel")
    scene.branch(repo, head, head)
    if of_head is not None:
        scene.branch(repo, "edit", {PATH: of_head, "kernels/attention.c": "no C\n"})
        head = "edit"
    result = (host or scene.Host()).check(repo, head)
    found = re.findall(r"<sub>(.*)</sub>", result.file("report.md"))
    eq(len(found), 1, "one footer")
    return result, found[0]


def quoted():
    """The device's own calibration is quoted, whatever the verdict"""
    result, text = footer(facts(), head="slow")
    eq(result.brief(), (1, "regressed"), "a check that measures")
    has(text, "Calibrated on this device on 2026-11-21: of 10000 checks of identical code, drawn "
        "from 200 processes, 3 (0.030%) read regressed or improved, at most 0.088%", "the rates")
    has(text, "the smallest change seen in 95% of checks is 1.00%.", "what is seen")
    lacks(text, "another rule", "it is this rule's")
    _, text = footer(facts(smallest_change=None))
    has(text, "no change that was tried is seen", "nothing is seen")
    _, text = footer(facts(rule={"threshold": 0.03, "confidence": 0.95, "budget": 16}))
    has(text, "Calibration: not quoted; that of 2026-11-21 was of another rule: ±3.00% at 95%, up to 16 "
        "replicates.", "another rule's")
    lacks(text, "10000 checks", "is not quoted")
    _, text = footer(facts(protocol="1"), head="slow")
    has(text, "Calibration: not quoted; that of 2026-11-21 was of measuring protocol 1", "another protocol's")
    lacks(text, "10000 checks", "is not quoted, either")


def of_the_base_alone():
    """A pull request cannot bring its own"""
    _, text = footer(None)
    has(text, NONE, "none")
    _, text = footer(None, of_head=facts())
    has(text, NONE, "none but the pull request's")
    _, text = footer(facts(), of_head="{")
    has(text, "3 (0.030%)", "base's, where the pull request spoils it")


def malformed():
    """One that cannot be used is named, and the check goes on"""
    for what, text, words in (
            ("cut in half", facts()[:80], "not JSON"),
            ("of another schema", facts(schema="ratchet.calibration/9"), "is not known"),
            ("of another device", facts(slug="nvidia-l4"), "nvidia-l4"),
            ("with markup", facts(processes="<img src=x>"), "processes: expected a whole number"),
            ("deep", "[" * 100000, "calibration"),
            ("empty", "", "calibration"),
            ("bytes", "\0\1\2", "calibration")):
        result, text = footer(text)
        eq(result.brief(), (3, "unmeasured"), what)
        has(json.dumps(result.verdict), "the PR", what + ": it is head that does not build")
        has(text, "Not calibrated: calibration.json is malformed: ", what + ": said")
        has(text, words, what + ": why")
        lacks(text, NONE, what + ": it does not say that there is none")
    _, text = footer(facts(table="x" * 4096), scene.Host(limits={"calibration-bytes": 4096}))
    has(text, "calibration.json is malformed: ", "too long")
    result, text = footer("{", head="slow")
    eq(result.brief(), (1, "regressed"), "the verdict stands")
    repo = lib.Repo()
    repo.commit(dict(scene.tree(), **{PATH: "{"}), "the kernel")
    os.unlink(os.path.join(repo.path, PATH))
    os.symlink("/etc/passwd", os.path.join(repo.path, PATH))
    repo.commit({"README": "a link\n"}, "a link out of the tree")
    scene.branch(repo, "broken", "broken")
    report = scene.Host().check(repo, "broken").file("report.md")
    has(report, "calibration.json is malformed: ", "a link")
    lacks(report, "root:", "nobody follows it")


if __name__ == "__main__":
    lib.main(quoted, of_the_base_alone, malformed)
