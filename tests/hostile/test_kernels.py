#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kernels that lie about their speed (kernels/*.c), each as head of a `ratchet check` against an honest base with a
baseline. Each cheat does a third more work than base does: what is not fooled says regressed, or unmeasured by the
pull request's fault. Honest kernels beside them are improved or held.
    test_kernels.py [NAME…]     cheats with these names only
CHEATS_SHOW=1 prints what each read. CHEATS_INPUTS=cold: with as many inputs as do not fit into the cache."""

import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib  # noqa: E402
import scene  # noqa: E402

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels")
THRESHOLD = "25%"  # a third more work is beyond it; with a clock that hides 15% of it, it is not
TRIES = 2

# Those that are wrong only while timed. Each guesses when that is, so that now and then it is caught before or after.
ONLY_TIMED = ("every_third", "first_part", "fewer_rows", "lower_precision", "previous_answer", "rows_in_turn")

# Of each cheat what stops it, as the reason of its verdict says it: BEYOND, where it is of no use and what its work
# takes is seen, or words of what was seen.
BEYOND, WRONG, CRASHED = "is wholly above +", "wrong result", "crashed: "
CHEATS = {
    # what is told from the data
    "by_all_content": BEYOND, "by_content": BEYOND, "by_pointer": BEYOND, "every_third": WRONG, "first_part": WRONG,
    "fewer_keys": WRONG, "fewer_rows": WRONG, "lower_precision": WRONG, "poisoned_rows": BEYOND,
    "previous_answer": WRONG, "reads_seed": BEYOND, "rows_in_turn": WRONG, "works_out_row": WRONG,
    # clocks and counts
    "clock_code": BEYOND, "clock_outside_audits": BEYOND, "clock_slow": BEYOND, "counts_down": BEYOND,
    # others' time, and time besides
    "answers_first": BEYOND, "borrows_library": BEYOND, "goes_on": BEYOND, "lazy_thread": WRONG, "more_threads": BEYOND,
    "signals_by_tkill": BEYOND, "slows_by_child": BEYOND, "slows_by_core": BEYOND, "slows_by_memory": BEYOND,
    "slows_by_signal": BEYOND, "slows_by_table": BEYOND, "slows_by_timers": BEYOND, "work_in_constructor": BEYOND,
    "work_in_supports": BEYOND,
    # what the parent is told
    "crashes_later": "crashed: signal 11", "forges_died": CRASHED, "forges_failed": CRASHED, "forges_wrong": CRASHED,
    "rewrites_lines": BEYOND, "takes_over": CRASHED,
    # memory
    "behind_workspace": "the workspace was written behind its end",
}

# (head, base, what it must read)
HONEST = (("honest_constructor", "honest_plain", "held"), ("honest_faster", "honest_plain", "improved"),
          ("honest_threads", "honest_threads", "held"), ("honest_workspace", "honest_plain", "held"))


def conf():
    text = scene.conf(configs=(("small", 32),), threshold=THRESHOLD).replace("    look = 8\n", "")
    for old, new in (("head-dim = 32", "head-dim = 16"), ("target = 200us", "target = 400us"), ("-lm", "-lm -pthread"),
                     ("inputs = warm", "inputs = " + os.environ.get("CHEATS_INPUTS", "warm"))):
        assert old in text, old
        text = text.replace(old, new)
    return text


def source(name, words=""):
    """... in machine code of its own, where there are words"""
    return lib.read(os.path.join(FOLDER, name)) + (
        "__attribute__((used)) static const char words[] = \"%s\";\n" % words if words else "")


class Place:
    """A repository with an honest base, its baseline, and a host. `base` is a file of FOLDER."""

    def __init__(self, base, rules, **host):
        headers = glob.glob(os.path.join(FOLDER, "*.h")) + [os.path.join(lib.TOP, "kernels", "attention.h")]
        self.kernel = "kernels/attention" + os.path.splitext(base)[1]
        self.repo, self.host = lib.Repo(), scene.Host(**host)
        self.repo.commit({"ci/ratchet.conf": rules, self.kernel: source(base),
                          **{"kernels/" + os.path.basename(path): lib.read(path) for path in headers}}, "the kernel")
        measured = self.check("first", source(base, "first"))
        if not os.path.exists(os.path.join(measured.folder, "samples.json")):
            raise RuntimeError(measured.text)
        self.repo.commit(self.baseline(json.loads(measured.file("samples.json"))), "the baseline", branch="main")

    def baseline(self, kept):
        """What a promotion would have written of the anchor's samples"""
        rows = [{**{key: one[key] for key in ("name", "unit", "clock_resolution_ns", "problem")},
                 "commit": kept["arms"]["anchor"]["commit"], "code": kept["arms"]["anchor"]["code"],
                 "environment": kept["environment"], "recorded": "2026-01-05T09:00:00Z", "why": "new",
                 "replicates": [replicate["anchor"] for replicate in one["replicates"]]} for one in kept["configs"]]
        return {"baselines/%s/baseline.json" % self.host.device: json.dumps(
            {"schema": "ratchet.baseline/1", "device": kept["device"], "configs": rows})}

    def check(self, name, text):
        scene.branch(self.repo, name, {self.kernel: text})
        return self.host.check(self.repo, name)


def told(result):
    """(verdict, clause, whose fault, reason) of the one config"""
    one = result.config()
    return one["verdict"], one["clause"], one.get("fault") or "", one["reason"]


def stopped(result):
    """Its real time was seen, or that it lies; and it does not pass"""
    verdict, _, fault, _ = told(result)
    return result.code != 0 and (verdict == "regressed" or (verdict in ("unmeasured", "unclear") and fault == "the PR"))


def read(result):
    """The change that it read, in percent"""
    change = result.config().get("change")
    return "" if change is None else "%+.1f%%" % (100 * change)


def look(place, name, text):
    """The check of a kernel, again where the machine was too busy to tell"""
    for number in range(TRIES):
        result = place.check("%s-%d" % (name, number), text)
        verdict, clause, fault, reason = told(result)
        if os.environ.get("CHEATS_SHOW"):
            lib.note("%-22s %7s %d %-10s %-13s %-8s %.110s" % (name, read(result), result.code, verdict, clause, fault,
                                                               reason))
        if verdict != "unclear" or fault == "the PR":
            break
    return result


def cheat(place, name):
    result, words = look(place, name, source(name + ".c")), CHEATS[name]
    verdict, _, fault, reason = told(result)
    busy = verdict == "unclear" and fault != "the PR"
    if busy:
        lib.note("too busy to tell: %s: %s" % (name, reason))
    killed = verdict == "unmeasured" and "killed from outside" in reason  # by whom, nobody can tell
    lib.ok(stopped(result) or busy or killed, name + ": stopped", verdict, fault, reason)
    if words and words != BEYOND and verdict == "unmeasured" and not killed:
        lib.has(reason, words, name + ": by this")
    return "while timed" in reason


def honest(place, name, base, want):
    result = look(place, name, source(name + ".c", "another" if name == base else ""))
    verdict, _, _, reason = told(result)
    if verdict == "unclear":
        lib.note("too busy to tell: %s: %s" % (name, reason))
    lib.ok(verdict in (want, "unclear"), "%s: %s" % (name, want), verdict, reason)


def main():
    only = sys.argv[1:]
    there = {os.path.basename(path)[:-2] for path in glob.glob(os.path.join(FOLDER, "*.c"))}
    lib.case("kernels that lie")
    lib.eq(sorted(name for name in there if not name.startswith("honest_")), sorted(CHEATS), "a row for each, no other")
    places, timed = {}, {}
    for name, base, want in HONEST + tuple((name, "honest_plain", None) for name in CHEATS):
        if only and name not in only:
            continue
        try:
            if base not in places:
                places[base] = Place(base + ".c", conf())
            if want:
                honest(places[base], name, base, want)
            else:
                timed[name] = cheat(places[base], name)
        except Exception:
            lib.ok(False, name + ": ran to its end", lib.traceback.format_exc())
    if not only:
        lib.ok(any(timed.get(name) for name in ONLY_TIMED), "samples themselves are looked at, not only what is around")
    lib.done()


if __name__ == "__main__":
    main()
