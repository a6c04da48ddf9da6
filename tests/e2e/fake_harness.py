#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A harness that lies: speaks the protocol of src/wire.h without loading or timing anything.
test_harness.py has it started in place of ratchet-bench, to see what the parent believes.
What it does wrong stands in HOW."""

import sys
import time

HOW = ""  # filled in by the test: the program is started without arguments of ours
SLOW = ("slow", "slow-busy")  # head takes ten times as long
head_is_there = False
staged = []  # (arm, launches) of the turn to come
turns_taken = 0


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def sample_ns(arm, launches):
    """What a sample is said to have taken; honest launches take 1 ms."""
    start = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    busy_ns = launches * (10000000 if HOW in SLOW and arm == "head" else 1000000)
    while time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - start < busy_ns:
        pass
    if HOW in SLOW:
        return busy_ns
    if HOW == "more" and arm == "head":
        return 10**12
    if HOW == "floor" and arm == "head":
        return 10 * launches
    if HOW == "same":
        return 500000
    if HOW == "short" and arm == "head":
        return int(0.85 * busy_ns)
    if HOW == "all-short":
        return int(0.85 * busy_ns)
    return busy_ns


def disturbs(arm):
    """Head every time; the anchor now and then, as on any machine."""
    global turns_taken
    turns_taken += arm == "anchor"
    return arm == "head" or (arm == "anchor" and turns_taken % 8 == 0)


def stage(words):
    staged.clear()
    for entry in words[1:]:
        arm, launches = entry.split("+")[0].split(":")
        staged.append((arm, int(launches)))
        say("staged", arm)


def turn(words):
    for arm, launches in staged:
        disturbed = HOW == "preempted" or (HOW == "provoking" and disturbs(arm))
        if HOW in SLOW and arm == "head":
            disturbed = 9 if HOW == "slow" else 12
        say("sample", arm, sample_ns(arm, launches), int(disturbed))
    if HOW == "many":
        say("sample", staged[0][0], 1000000, 0)
    say("done")


def config(words):
    global head_is_there
    head_is_there = words[8] != "-"
    say("configured")


def forward(words):
    if HOW == "beside" and words[0] == "anchor" and head_is_there:
        say("wrong anchor odd")
    else:
        say("ran", words[0] if HOW != "arm" else "base", 0)


ANSWERS = {
    "open": lambda w: say("opened", 0, 9000 if HOW == "memory" else 0, 0, 0),
    "load": lambda w: say("loaded", w[0] if HOW != "slot" else 63, "fake"),
    "config": config,
    "prepare": lambda w: say("prepared", w[0], 0),
    "allocate": lambda w: say("allocated", 2, 1024),
    "forward": forward,
    "bits": lambda w: say("hashed", w[0], 0, 1),
    "rows": lambda w: say("right", w[0], 256, 1000),
    "fill": lambda w: say("filled"),
    "calibrate": lambda w: say("calibrated", w[0], 1),
    "stage": stage,
    "turn": turn,
    "compare": lambda w: say("compared"),
    "release": lambda w: say("released"),
}

VERBATIM = {  # said in place of the first `forward`'s answer
    "long": "ran " + "a" * 5000,
    "unknown": "hello there",
    "binary": "ran \x01\x02",
    "empty": "",
    "sign": "right head -1 0",
    "endless": "x" * 100000,
}


def main():
    say("ratchet-bench", 1 if HOW == "version" else 4, "cpu")
    for line in sys.stdin:
        word, *words = line.split()
        if word == "quit":
            return
        if word == "forward" and HOW in VERBATIM:
            say(VERBATIM[HOW])
        if word == "forward" and HOW == "silent":
            time.sleep(1000)
        if word == "forward" and HOW == "gone":
            return
        ANSWERS[word](words)


main()
