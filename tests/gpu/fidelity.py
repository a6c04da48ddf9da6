# SPDX-License-Identifier: Apache-2.0
"""Is a sample the kernel's own time, and a change the kernel's own change? Two builds of one
kernel, timed as a check times them and traced by CUPTI on the same inputs in the same process:
    fidelity.py RATCHET_BENCH ANCHOR.so HEAD.so
Goals: within 5% or 0.4 us of CUPTI; the change between the builds within 0.3 points. Prints a
table, exit 1 where a goal is missed. "same" is the anchor's own copy against it: no change."""

import random
import statistics
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import wire

SHAPES = [(32, 8, 8, s, s, 64, "fp16", 0) for s in (128, 256, 512, 1024, 2048)] + [
    (4, 16, 16, 2048, 2048, 128, "fp16", 1)]
TURNS, TARGET_NS = 60, 1000000


def shuffled(arms):
    return random.sample(arms, len(arms))


def measure(program, libraries, shape):
    """Medians per arm: our samples, and CUPTI's times, in ns a launch."""
    anchor, head = libraries
    harness = wire.Harness(program, "cuda", [anchor, head, anchor])
    harness.config(shape, [1, None, 0, 2])
    arms = ["anchor", "control", "head"]
    for arm in arms:
        harness.ask("prepare " + arm)
    harness.ask("allocate %d %d" % (2 * harness.l2, 8 << 30))
    for arm in arms:
        for question in ("forward %s %d" % (arm, harness.seed()), "rows %s %d 256" % (arm, harness.seed())):
            answer = harness.ask(question)
            if answer.startswith("wrong"):
                raise SystemExit(answer)
    harness.ask("fill %d" % harness.seed())
    launches = int(harness.ask("calibrate anchor %d" % TARGET_NS).split()[2])
    ours, cupti, starved = {arm: [] for arm in arms}, {arm: [] for arm in arms}, 0
    for turn in range(-5, TURNS):
        order = shuffled(arms)
        for arm, (ns, late) in zip(order, harness.turn(launches, order)):
            starved += late
            if turn >= 0:
                ours[arm].append(ns)
    for trace in range(-5, TURNS):
        order = shuffled(arms)
        for arm, (ns, _) in zip(order, harness.trace(launches, order)):
            if trace >= 0:
                cupti[arm].append(ns)
    harness.close()
    return ({arm: statistics.median(ours[arm]) for arm in arms},
            {arm: statistics.median(cupti[arm]) for arm in arms}, launches, starved)


def main():
    program, libraries = sys.argv[1], sys.argv[2:4]
    missed = 0
    print("| problem | launches | ours, us | CUPTI, us | off | same, ours | change, ours |"
          " change, CUPTI | apart |")
    print("|---|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        ours, cupti, launches, starved = measure(program, libraries, shape)
        off = ours["anchor"] - cupti["anchor"]
        change = [times["head"] / times["anchor"] - 1 for times in (ours, cupti)]
        apart = change[0] - change[1]
        good = (abs(off) <= max(0.05 * cupti["anchor"], 400) and abs(apart) <= 0.003
                and starved == 0)
        missed += not good
        print("| B%d H%d S%d D%d%s | %d | %.2f | %.2f | %+.2f us, %+.1f%% | %+.2f%% | %+.2f%% | %+.2f%% |"
              " %+.2f points%s |" % (
                  shape[0], shape[1], shape[3], shape[5], " causal" if shape[7] else "", launches,
                  ours["anchor"] / 1e3, cupti["anchor"] / 1e3, off / 1e3,
                  100 * off / cupti["anchor"], 100 * (ours["control"] / ours["anchor"] - 1),
                  100 * change[0], 100 * change[1], 100 * apart, "" if good else ", missed"),
              flush=True)
    sys.exit(1 if missed else 0)


main()
