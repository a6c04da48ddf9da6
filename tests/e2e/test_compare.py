# SPDX-License-Identifier: Apache-2.0
"""`ratchet compare` as other people script against it: samples in, verdict and exit code out.
Samples are made here from a fixed seed: replicates scatter by 0.2%, samples by 1%."""

import copy
import json
import os
import random

import lib
from lib import eq, has, ok

PROBLEM = {"batch": 1, "heads": 4, "heads_kv": 4, "seq_q": 256, "seq_k": 256, "head_dim": 64,
           "dtype": "fp32", "causal": False}
EXITS = {"held": 0, "improved": 0, "regressed": 1, "unclear": 2, "unmeasured": 3}
SHA = "0123456789" * 4


def series(rng, median, count=50):
    return [round(median * rng.gauss(1, 0.01)) for _ in range(count)]


def config(name="c", n=8, seed=1, scatter=0.002, marks=None, **arms):
    """One config; each arm is its median relative to 100 µs, None: not there."""
    rng = random.Random(seed)
    medians = {"anchor": 1.0, "control": 1.0, "base": 1.0, "head": 1.0, **arms}
    replicates = []
    for i in range(n):
        day = rng.gauss(1, 0.03)  # what all arms of a process share
        one = {arm: series(rng, 1e5 * day * value * rng.gauss(1, scatter))
               for arm, value in medians.items() if value is not None}
        if marks and i in marks:
            one["marks"] = [marks[i]]
        replicates.append(one)
    return {"name": name, "unit": "ns", "clock_resolution_ns": 1, "problem": dict(PROBLEM),
            "replicates": replicates}


def samples(*configs, slug="cpu"):
    return {"schema": "ratchet.samples/1", "device": {"slug": slug, "name": "a device"},
            "environment": {"os": "x"}, "arms": {"head": {"commit": SHA, "code": "sha256:" + "a" * 64}},
            "configs": list(configs)}


def baseline(level=1.0, slug="cpu", name="c"):
    rng = random.Random(7)
    return {"schema": "ratchet.baseline/1", "device": {"slug": slug, "name": "a device"},
            "configs": [{"name": name, "unit": "ns", "clock_resolution_ns": 1, "problem": PROBLEM,
                         "commit": SHA, "code": "sha256:" + "b" * 64, "environment": {"os": "x"},
                         "recorded": "2026-11-01T00:00:00Z", "why": "new",
                         "replicates": [series(rng, 1e5 * level * rng.gauss(1, 0.002))
                                        for _ in range(12)]}]}


def compare(data, base=None, *args):
    folder = lib.temp_dir()
    path = lib.write(os.path.join(folder, "samples.json"),
                     data if isinstance(data, (str, bytes)) else json.dumps(data))
    argv = [lib.program("RATCHET"), "compare", *args]
    if base is not None:
        argv += ["--baseline", lib.write(os.path.join(folder, "baseline.json"),
                                         base if isinstance(base, str) else json.dumps(base))]
    return lib.run(argv + [path], env=lib.clean_env(home=folder))


def verdict(data, base=None):
    run = compare(data, base, "--json")
    if run.code not in (0, 1, 2, 3):
        raise RuntimeError(str(run))
    return run.code, json.loads(run.out)


def expect(what, data, wanted, base=None):
    code, got = verdict(data, base)
    eq((got["verdict"], code), (wanted, EXITS[wanted]), what)
    return got["configs"][0] if got["configs"] else None


def signs():
    """Slower is positive, in both signs and at each distance from the line"""
    for percent, wanted in ((0, "held"), (1, "held"), (-1, "held"), (2, "held"), (-2, "held"),
                            (4, "regressed"), (-4, "improved"), (10, "regressed"),
                            (-10, "improved"), (50, "regressed")):
        got = expect("%+d%%" % percent, samples(config(head=1 + percent / 100)), wanted)
        ok(abs(got["change"] - percent / 100) < 0.006, "%+d%% reads so" % percent, got["change"])
        ok(got["ci"][0] <= got["change"] <= got["ci"][1], "inside its interval", got)
        ok(got["ci_decision"][0] <= got["ci"][0] and got["ci_decision"][1] >= got["ci"][1],
           "the deciding interval is not narrower", got)
    for percent in (3, -3):
        code, got = verdict(samples(config(head=1 + percent / 100)))
        eq((got["verdict"], code), ("unclear", 2), "%+d%% stands on the line" % percent)


def degenerate():
    """Identical, one sample, empty, all equal"""
    one = config(n=8)
    for replicate in one["replicates"]:
        for arm in replicate:
            replicate[arm] = [100000] * 20
    expect("every sample equal", samples(one), "held")
    single = copy.deepcopy(one)
    single["replicates"] = [{"head": [100000], "anchor": [100000]}]
    got = expect("one replicate of one sample", samples(single), "unmeasured")
    has(got["reason"], "6", "it says how many are needed")
    ok(got["change"] is None or got["replicates"] < 6, "no claim is made", got)
    for replicates in ([], [{"head": [], "anchor": []}] * 8):
        none = copy.deepcopy(one)
        none["replicates"] = replicates
        got = expect("no samples", samples(none), "unmeasured")
        eq((got["change"], got["ci"]), (None, None), "null change and interval")
    expect("no config at all", samples(), "unmeasured")


def own_contribution():
    """What main had lost already is not this pull request's"""
    got = expect("main 5% off its anchor, neutral", samples(config(base=1.05, head=1.05)), "held")
    has(got["reason"], "; already lost: ", "it says so")
    expect("and a PR that adds 4%", samples(config(base=1.05, head=1.092)), "regressed")
    expect("2% + 2% is caught by the third 2%", samples(config(base=1.04, head=1.061)), "regressed")
    expect("no base arm: waived", samples(config(base=None, head=1.05)), "regressed")


def control():
    """A biased control is no measurement"""
    got = expect("control 2% off", samples(config(control=1.02)), "unmeasured")
    has(got["reason"], "control", "it says so")


def marks():
    """Marked replicates are left out, and never a pass"""
    got = expect("two of ten marked", samples(config(n=10, marks={0: "throttled", 5: "shared"})),
                 "held")
    eq(got["replicates"], 8, "eight are judged")
    code, got = verdict(samples(config(n=8, marks={i: "starved" for i in range(8)})))
    ok(got["verdict"] in ("unclear", "unmeasured") and code in (2, 3), "all marked", got)
    wild = config(n=9)
    wild["replicates"][4]["head"] = [3 * v for v in wild["replicates"][4]["head"]]
    code, got = verdict(samples(wild))
    ok(got["verdict"] in ("held", "unclear"), "one outlier process of nine", got["verdict"])


def stored():
    """Without an anchor arm the stored samples decide, of this device only"""
    alone = samples(config(anchor=None, control=None, base=None, head=1.10))
    got = expect("10% over the stored samples", alone, "regressed", baseline())
    eq(got["against"], "stored", "against the stored ones")
    same = samples(config(anchor=None, control=None, base=None))
    code, got = verdict(same, baseline())
    ok(got["verdict"] in ("held", "unclear") and code in (0, 2), "the same again", got["verdict"])
    expect("no baseline, nothing to compare with", same, "unmeasured")
    got = expect("another device's baseline", same, "unmeasured", baseline(slug="nvidia-l4"))
    has(got["reason"], "nvidia-l4", "it names the other device")
    got = expect("a baseline without this config", same, "unmeasured", baseline(name="other"))


def roll_up():
    """The worst config counts"""
    held, slow = config("a"), config("b", seed=2, head=1.1)
    fast, none = config("c", seed=3, head=0.9), config("d", n=0)
    for configs, wanted in (((held, fast), "improved"), ((held, fast, slow), "regressed"),
                            ((held, none), "unmeasured"), ((slow, none), "regressed")):
        code, got = verdict(samples(*configs))
        eq((got["verdict"], code), (wanted, EXITS[wanted]), "+".join(c["name"] for c in configs))
        eq([c["name"] for c in got["configs"]], [c["name"] for c in configs], "all are named")


def broken():
    """Broken files: one line, 64, the key is named, nothing on stdout"""
    good = json.dumps(samples(config()))
    edits = [
        ("truncated", good[:-20], "samples.json"),
        ("duplicate key", good.replace('"device":', '"device": {}, "device":', 1), "duplicate"),
        ("unknown schema", good.replace("samples/1", "samples/9"), "schema"),
        ("wrong type", good.replace('"unit": "ns"', '"unit": 7'), "unit"),
        ("another unit", good.replace('"unit": "ns"', '"unit": "ms"'), "unit"),
        ("NaN", good.replace('"head": [', '"head": [NaN, ', 1), "samples.json"),
        ("NaN in quotes", good.replace('"head": [', '"head": ["NaN", ', 1), "head"),
        ("infinite", good.replace('"head": [', '"head": [1e999, ', 1), "samples.json"),
        ("negative", good.replace('"head": [', '"head": [-5, ', 1), "head"),
        ("zero", good.replace('"head": [', '"head": [0, ', 1), "head"),
        ("null", good.replace('"head": [', '"head": [null, ', 1), "head"),
        ("no head", good.replace('"head":', '"hand":'), "head"),
        ("unknown mark", good.replace('{"anchor"', '{"marks": ["odd"], "anchor"', 1), "marks"),
        ("no device", good.replace('"device":', '"devise":'), "device"),
        ("a dimension of 0", good.replace('"batch": 1', '"batch": 0'), "batch"),
        ("two configs of a name", json.dumps(samples(config(), config())), "c"),
        ("too deep", '{"a":' * 200 + "1" + "}" * 200, "nested"),
        ("an array", "[]", "object"), ("empty", "", "samples.json"),
        ("not UTF-8", b'{"schema": "\xff"}', "samples.json")]
    for what, text, part in edits:
        run = compare(text, None, "--json")
        eq((run.code, run.out, run.err.count("\n")), (64, "", 1), what)
        has(run.err, part, what + ": named")
    for what, text in (("truncated", json.dumps(baseline())[:-9]), ("no schema", "{}"),
                       ("zero", json.dumps(baseline()).replace('"replicates": [[', '"replicates": [[0, '))):
        run = compare(good, text)
        eq((run.code, run.out, run.err.count("\n")), (64, "", 1), "baseline: " + what)
        has(run.err, "baseline.json", "baseline: " + what + ": named")
    run = compare(" " * (65 << 20))
    eq((run.code, run.err.count("\n")), (64, 1), "a huge file")


lib.main(signs, degenerate, own_contribution, control, marks, stored, roll_up, broken)
