#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet compare` over the folders of tests/judge: one folder a case, no code. A folder has

    samples.json     what is judged
    baseline.json    given as --baseline, where it is there
    expect.json      "why": the case in words; "exit"; and either
                     "stderr": part of the one line of an error, or
                     "verdict", perhaps a part of "reason", and of each config in "configs" what its verdict must say:
                       "reason": a part of it; a pair of numbers: a range; else the value itself
                     "args": more arguments, where there are any

A new case is a new folder. `test_compare_cases.py NAME…` runs only the cases so named."""

import json
import os
import subprocess
import sys

import lib
from lib import eq, has, ok

CASES = os.path.join(lib.TOP, "tests", "judge")


def compare(folder, expect, *more):
    baseline = os.path.join(folder, "baseline.json")
    arguments = ["--baseline", baseline] if os.path.exists(baseline) else []
    return subprocess.run([lib.program("RATCHET"), "compare", *arguments, *expect.get("args", []),
                           *more, os.path.join(folder, "samples.json")], capture_output=True,
                          text=True, timeout=lib.DEADLINE, stdin=subprocess.DEVNULL)


def is_range(wanted):
    return isinstance(wanted, list) and len(wanted) == 2


def check_config(config, wanted):
    for key, value in wanted.items():
        what = "%s: %s" % (config["name"], key)
        if key == "reason":
            has(config["reason"], value, what)
        elif is_range(value):
            got = config[key]
            ok(got is not None and value[0] <= got <= value[1], what, "got %r, expected %r to %r" %
               (got, *value))
        else:
            eq(config[key], value, what)


def sound(config):
    """What holds of every verdict, whatever the case."""
    ci, decision, change = config["ci"], config["ci_decision"], config["change"]
    if config["verdict"] == "unmeasured":
        return ci is None and decision is None and change is None and config["reason"] != ""
    if change is None:
        return ci is None and decision is None
    return decision[0] <= ci[0] <= change <= ci[1] <= decision[1] and ci[0] < ci[1]


def check_verdict(folder, expect):
    run = compare(folder, expect, "--json")
    eq(run.returncode, expect["exit"], "exit code")
    eq(run.stderr, "", "nothing on stderr")
    said = json.loads(run.stdout)
    eq(said["schema"], "ratchet.verdict/1", "schema")
    eq(said["verdict"], expect["verdict"], "verdict")
    eq(said["exit"], expect["exit"], "exit code in the JSON")
    has(said["reason"], expect.get("reason", ""), "the summary")
    ok(all(sound(config) for config in said["configs"]), "intervals and nulls are consistent",
       run.stdout)
    for name, wanted in expect.get("configs", {}).items():
        found = [config for config in said["configs"] if config["name"] == name]
        if ok(len(found) == 1, "%s is there once" % name, run.stdout):
            check_config(found[0], wanted)
    text = compare(folder, expect)
    eq(text.returncode, expect["exit"], "exit code of the table")
    has(text.stdout.splitlines()[-1], expect["verdict"] + " on ", "last line of the table")


def check_error(folder, expect):
    run = compare(folder, expect, "--json")
    eq(run.returncode, expect["exit"], "exit code")
    eq(run.stdout, "", "nothing on stdout")
    eq(len(run.stderr.splitlines()), 1, "one line on stderr")
    has(run.stderr, expect["stderr"], "it names file and place")


def run_case(name):
    folder = os.path.join(CASES, name)
    with open(os.path.join(folder, "expect.json")) as source:
        expect = json.load(source)
    lib.case("%s (%s)" % (name, expect["why"]))
    if "stderr" in expect:
        check_error(folder, expect)
    else:
        check_verdict(folder, expect)


def main():
    names = sorted(os.listdir(CASES)) if os.path.isdir(CASES) else []
    lib.case("cases")
    ok(len(names) >= 60, "%d folders are there" % len(names))
    for name in names:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        try:
            run_case(name)
        except lib.Skip as reason:
            lib.skip(str(reason))
        except Exception as problem:
            ok(False, "%s ran to its end" % name, repr(problem))
    lib.done()


main()
