#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet compare` on hostile files: whatever is wrong with samples.json or baseline.json, the
answer is one line that names file and place, exit code 64, and nothing on stdout. What the judge
says of sound files is in test_compare.py."""

import json
import os

import lib
from lib import eq, has, ok

PROBLEM = {"batch": 1, "heads": 1, "heads_kv": 1, "seq_q": 64, "seq_k": 64, "head_dim": 32,
           "dtype": "fp32", "causal": False}
FOLDER = lib.temp_dir()
FIRST = 50123.5  # of the first sample of head: stands in the text once


def samples():
    replicates = [{"head": [50000.0 + 10 * i + j for j in range(9)],
                   "anchor": [50000.0 + 11 * i - j for j in range(9)]} for i in range(8)]
    replicates[0]["head"][0] = FIRST
    return {"schema": "ratchet.samples/1", "device": {"slug": "cpu", "name": "a CPU"},
            "environment": {}, "arms": {"head": {"commit": "1" * 40, "code": "sha256:" + "2" * 64}},
            "configs": [{"name": "small", "unit": "ns", "clock_resolution_ns": 1,
                         "problem": dict(PROBLEM), "replicates": replicates}]}


def baseline():
    return {"schema": "ratchet.baseline/1", "device": {"slug": "cpu", "name": "a CPU"},
            "configs": [{"name": "small", "unit": "ns", "clock_resolution_ns": 1,
                         "problem": dict(PROBLEM), "commit": "1" * 40,
                         "code": "sha256:" + "2" * 64, "environment": {},
                         "recorded": "2026-01-05T09:00:00Z", "why": "new",
                         "replicates": [[50000 + 7 * i + j for j in range(9)]
                                        for i in range(8)]}]}


def compare(content, stored=None):
    def place(name, what):
        return lib.write(os.path.join(FOLDER, name), what if isinstance(what, (str, bytes))
                         else json.dumps(what))
    argv = [lib.program("RATCHET"), "compare", "--json"]
    if stored is not None:
        argv += ["--baseline", place("baseline.json", stored)]
    return lib.run(argv + [place("samples.json", content)])


def refused(what, result, *words):
    eq((result.code, result.err.count("\n"), result.out), (64, 1, ""), what)
    for word in words:
        has(result.err, word, "%s: names %s" % (what, word))


def edited(make, path, value=None, drop=False):
    """The file with one place changed: path is "configs/0/unit"."""
    content = make()
    *way, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    at = content
    for step in way:
        at = at[step]
    if drop:
        del at[last]
    else:
        at[last] = value
    return json.dumps(content)


def sound():
    """The files that are edited below are sound"""
    eq(compare(samples(), baseline()).code, 0, "held")
    eq(compare(samples(), baseline()).out, compare(samples(), baseline()).out,
       "and the same bytes come out twice")


def no_problem():
    """What only throughput needs may be left out of samples.json"""
    def report(content, verdict):
        path = lib.write(os.path.join(FOLDER, "verdict.json"), verdict)
        stored = lib.write(os.path.join(FOLDER, "samples.json"), content)
        return lib.run([lib.program("RATCHET"), "report", "--samples", stored, path])
    eq(compare(edited(samples, "configs/0/problem/heads_kv", drop=True)).out,
       compare(samples()).out, "heads_kv is heads")
    refused("which they have to divide", compare(edited(samples, "configs/0/problem/heads_kv", 2)),
            "heads_kv")
    whole = samples()
    for arm, stored in (("with", None), ("without", baseline())):
        if stored is not None:  # then the stored samples decide
            for replicate in whole["configs"][0]["replicates"]:
                del replicate["anchor"]
        bare = json.loads(json.dumps(whole))
        del bare["configs"][0]["problem"]
        got, want = compare(bare, stored), compare(whole, stored)
        eq(got.code, want.code, "the same exit %s an anchor" % arm)
        mine, theirs = json.loads(got.out)["configs"][0], json.loads(want.out)["configs"][0]
        eq({k: mine[k] for k in ("verdict", "clause", "against", "change", "ci_decision")},
           {k: theirs[k] for k in ("verdict", "clause", "against", "change", "ci_decision")},
           "the same judgement")
        ok("problem" not in mine, "no problem is made up")
        if stored is not None:
            has(mine["reason"], "no `problem` in the file: matched by name", "the reason says so")
        text = report(json.dumps(bare), got.out)
        eq(text.code, 0, "there is a report")
        has(text.out, "No `problem` in the samples of `small`", "which says so")
        ok("FLOP" not in text.out and "nan" not in text.out, "and has no throughput", text.out)
    eq(compare(edited(samples, "configs/0/problem/seq_q", 128), baseline()).code, 0,
       "another problem is another config, and its anchor decides")


def not_json():
    """Text that is no JSON, or more than one"""
    good = json.dumps(samples())
    for what, text in (("nothing", ""), ("spaces", "  \n"), ("half", good[:len(good) // 2]),
                       ("all but the end", good[:-1]), ("a list", "[]"), ("a number", "7"),
                       ("two objects", good + good), ("more behind it", good + "x"),
                       ("bytes", bytes(range(256))), ("a NUL", good.encode() + b"\0"),
                       ("deep lists", "[" * 100000), ("deep objects", '{"a":' * 100000),
                       ("a key twice", good.replace('"schema"', '"schema": "x", "schema"', 1)),
                       ("a key twice, inside", good.replace('"unit"', '"unit": "ns", "unit"', 1)),
                       ("a comment", "/* */" + good), ("single quotes", good.replace('"', "'")),
                       ("a long string", '{"schema": "' + "x" * (1 << 20) + '"}')):
        refused(what, compare(text), "samples.json")


def wrong_places():
    """Every key that is needed, missing or of another type"""
    for path in ("schema", "device", "device/slug", "configs", "configs/0/name",
                 "configs/0/unit", "configs/0/problem", "configs/0/problem/batch",
                 "configs/0/problem/dtype", "configs/0/replicates"):
        word = path.split("/")[-1]
        optional = path == "configs/0/problem"
        if not optional:
            refused(path + " is missing", compare(edited(samples, path, drop=True)), word)
        for value in (None, 7.5, [], {}, True):
            if optional and value is None:
                continue
            if isinstance(value, (list, dict)) and path in ("configs", "configs/0/replicates"):
                continue  # an empty list is sound there: nothing was measured
            refused("%s is %r" % (path, value), compare(edited(samples, path, value)), word)
    for path, value in (("schema", "ratchet.samples/2"), ("device/slug", "../cpu"),
                        ("configs/0/name", ""), ("configs/0/name", "../x"),
                        ("configs/0/name", "x" * 64), ("configs/0/name", "a b"),
                        ("configs/0/unit", "ms"), ("configs/0/problem/dtype", "fp8"),
                        ("configs/0/problem/batch", 0), ("configs/0/problem/batch", -1),
                        ("configs/0/problem/batch", 1 << 40), ("configs/0/problem/batch", 1.5),
                        ("configs/0/replicates/0/marks", ["tired"]),
                        ("configs/0/replicates/0/marks", "throttled")):
        refused("%s is %r" % (path, value), compare(edited(samples, path, value)),
                "marks" if "marks" in path else path.split("/")[-1])
    for clock in (["a", "b", "c"], [1, None, 5], [1, 0.1, 5.5], [1, -1, 5], [1, 0.1], 7, "x", None, {}):
        refused("a clock that is %r" % (clock,), compare(edited(samples, "configs/0/replicates/0/clock", {"head": clock})),
                "clock.head")
    for value in (["x"], [0], {}, "1"):
        refused("without_head that is %r" % (value,), compare(edited(samples, "configs/0/without_head", value)),
                "without_head")
    refused("a config twice", compare(json.dumps(dict(
        samples(), configs=samples()["configs"] * 2))), "small")


def wrong_numbers():
    """Samples that are no times"""
    for value in (-1, 0, -0.0, None, "50", True, [1], {}, 1e300):
        result = compare(edited(samples, "configs/0/replicates/2/head/3", value))
        refused("a sample of %r" % (value,), result, "replicates[2]", "head")
    good = json.dumps(samples())
    for text in ("NaN", "Infinity", "-Infinity", "1e999", "0x10", "nan", "1e", ".5", "5.",
                 "0" * 30 + "1", "1" * 400):
        refused("a sample of %s" % text[:12], compare(good.replace(str(FIRST), text, 1)),
                "samples.json")


def too_much():
    """Files beyond the limits"""
    refused("65 MiB", compare(b" " * (65 << 20) + b"{}"), "samples.json")
    many = samples()
    many["configs"] = [dict(many["configs"][0], name="c%d" % i, replicates=[])
                       for i in range(2000)]
    refused("2000 configs", compare(many), "configs")
    long = samples()
    long["configs"][0]["replicates"] = [{"head": [1]}] * 5000
    refused("5000 replicates", compare(long), "replicates")
    long["configs"][0]["replicates"] = [{"head": [1] * 100000}]
    refused("100000 samples of an arm", compare(long), "head")
    missing = lib.run([lib.program("RATCHET"), "compare", "/nonexistent/samples.json"])
    refused("no such file", missing, "/nonexistent/samples.json")
    refused("a folder", lib.run([lib.program("RATCHET"), "compare", FOLDER]), FOLDER)
    ok(lib.run([lib.program("RATCHET"), "compare"]).code == 64, "no file named")


def broken_baseline():
    """A baseline.json is read as strictly"""
    good = json.dumps(baseline())
    for what, text in (("nothing", ""), ("half", good[:-40]), ("samples", json.dumps(samples())),
                       ("a key twice", good.replace('"device"', '"device": 1, "device"', 1)),
                       ("a list", "[]"), ("NaN", good.replace("[[50000", "[[NaN", 1)),
                       ("too large", b" " * (17 << 20))):
        refused(what, compare(samples(), text), "baseline.json")
    for path in ("schema", "device", "configs", "configs/0/name", "configs/0/commit",
                 "configs/0/problem", "configs/0/replicates", "configs/0/recorded",
                 "configs/0/why"):
        word = path.split("/")[-1]
        refused(path + " is missing", compare(samples(), edited(baseline, path, drop=True)),
                "baseline.json", word)
        refused(path + " is null", compare(samples(), edited(baseline, path, None)), word)
    for path, value in (("schema", "ratchet.baseline/9"), ("configs/0/recorded", "yesterday"),
                        ("configs/0/why", "because"), ("configs/0/replicates/3/2", 0),
                        ("configs/0/replicates/3", []), ("configs/0", 7)):
        refused("%s is %r" % (path, value), compare(samples(), edited(baseline, path, value)),
                "baseline.json")


lib.main(sound, no_problem, not_json, wrong_places, wrong_numbers, too_much, broken_baseline)
