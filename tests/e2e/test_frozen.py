#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Yesterday's samples get yesterday's judgement, bit for bit, and yesterday's files are read.

A folder of tests/judge has a verdict.json, and each file of tests/data/traces one of its name in
tests/data/verdicts: what `compare --json` said at commit 1db4a63, before clause codes; but for
`ci_decision` and the interval in `reason`, which were written anew when α came to be shared with
the re-runs that could come (no verdict changed). Whoever changes the rule on purpose names the
case in CHANGED, with the reason."""

import json
import os

import lib
from lib import eq, ok

CASES = os.path.join(lib.TOP, "tests", "judge")
TRACES = os.path.join(lib.TOP, "tests", "data", "traces")
VERDICTS = os.path.join(lib.TOP, "tests", "data", "verdicts")
NEW = {"clause", "rounds", "missing", "anchor_drifted"}  # keys that yesterday's files do not have
# What is no more as it was: of which case, which keys of the whole and which new configs, and why.
CHANGED = {"not_in_baseline": (["reason"], ["other"],
                               "a config that the baseline has and nobody measured is named")}


def frozen():
    """Name, samples, baseline or None, yesterday's verdict"""
    for name in sorted(os.listdir(CASES)):
        folder = os.path.join(CASES, name)
        stored = os.path.join(folder, "baseline.json")
        if os.path.exists(os.path.join(folder, "verdict.json")):
            yield (name, os.path.join(folder, "samples.json"),
                   stored if os.path.exists(stored) else None, os.path.join(folder, "verdict.json"))
    for name in sorted(os.listdir(VERDICTS)):
        yield name, os.path.join(TRACES, name), None, os.path.join(VERDICTS, name)


def differences(was, now, path=""):
    """Where two values part. Numbers are compared as they are written: every bit counts."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in was:
            yield from differences(was[key], now.get(key, "missing"), "%s/%s" % (path, key))
        for key in now:
            if key not in was and key not in NEW:
                yield "%s/%s is new" % (path, key)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for at, pair in enumerate(zip(was, now)):
            yield from differences(*pair, "%s[%d]" % (path, at))
    elif was != now:
        yield "%s: was %.200s, is %.200s" % (path, was, now)


def read(text):
    """`already lost on main`, as yesterday said, is "already lost": the branch may have another name."""
    return json.loads(text.replace("already lost on main", "already lost"), parse_float=str, parse_int=str)


def as_yesterday():
    """The same numbers, verdicts, reasons and exit codes"""
    seen = 0
    for name, samples, stored, verdict in frozen():
        argv = ["--baseline", stored] if stored else []
        run = lib.run([lib.program("RATCHET"), "compare", "--json", *argv, samples])
        with open(verdict) as file:
            was = read(file.read())
        now = read(run.out)
        keys, configs, _ = CHANGED.get(name, ([], [], ""))
        for key in keys:
            ok(was.pop(key) != now.pop(key), "%s: %s is another" % (name, key))
        added = [c for c in now["configs"] if c["name"] in configs]
        eq(len(added), len(configs), name + ": new configs")
        now["configs"] = [c for c in now["configs"] if c not in added]
        found = list(differences(was, now))
        ok(not found, name, "\n".join(found[:8]))
        if "exit" in was:
            eq(run.code, int(was["exit"]), name + ": exit code")
        seen += 1
    ok(seen >= 56, "%d files" % seen)


def still_read():
    """Yesterday's verdict.json is read: `ratchet report` makes a report of it"""
    for name, samples, stored, verdict in frozen():
        argv = ["--baseline", stored] if stored else []
        run = lib.run([lib.program("RATCHET"), "report", "--samples", samples, *argv, verdict])
        ok(run.code == 0 and run.out, name, run.err)


lib.main(as_yesterday, still_read)
