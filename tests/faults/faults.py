#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real ratchetd, real `ratchet submit`, git over HTTP, and everything goes wrong: processes are
killed, GitHub is away, limited or silent, the disk is full, database and cache are damaged. Then all
is calm, and whatever was accepted must have come to its end.

    faults.py [--runs 60] [--first 1] [--jobs 3]     TAP, one check a run (RATCHET_FAULT_RUNS: another 60)
    faults.py --seed N                               one run again, with all that it did
    faults.py --show N                               only what it would do

A run is drawn from its seed (plan.py), carried out (run.py) and looked at (promises.py). It takes two
or three seconds. What a plan says is the same each time; when exactly a signal hits is the machine's.
Verdicts are not looked at but for being the same everywhere, so runs may go on at the same time."""

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]

import lib  # noqa: E402
import plan  # noqa: E402

RUN_S = 240  # the bound on one run


def one(seed, template):
    """One run in this process; 0 where everything holds."""
    import promises
    import run as runs
    import scenery
    scenery.adopt()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    if template is None:
        template = lib.temp_dir()
        scenery.make_template(template)
    what = plan.draw(seed)
    print("\n".join(plan.tell(what)), flush=True)
    run, begin = None, time.monotonic()
    try:
        run = runs.Run(what, template)
        run.carry_out()
        run.finish()
        run.close()
        run.problems += promises.broken(run)
        problems = run.problems
    except Exception:
        problems = [traceback.format_exc()]
    print("%.1f s" % (time.monotonic() - begin))
    for problem in problems:
        print("VIOLATION: " + problem)
    if problems and run is not None:
        print("the daemon's log:\n" + lib.read(run.daemon.log)[-12000:])
        for wanted in run.wanted:
            print("run %d, %s #%d, said:\n%s" % (wanted.number, wanted.kind, wanted.pr,
                                                wanted.said()[-2000:]))
        print("GitHub was asked:")
        for r in run.github.requests():
            print("  %s %s: %s%s" % (r["method"], r["path"], r["status"],
                                     " (fault)" if "fault" in r else ""))
    if run is not None and not os.environ.get("RATCHET_KEEP"):
        run.remove()
    return 1 if problems else 0


def apart(seed, template):
    """One run in a process of its own: (seed, good, what it said)."""
    process = lib.start([sys.executable, "-B", os.path.abspath(__file__), "--seed", str(seed),
                         "--template", template], env=dict(os.environ), stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT)
    try:
        said, _ = process.communicate(timeout=RUN_S)
    except subprocess.TimeoutExpired:
        lib.kill(process, signal.SIGTERM)
        said = b"no end after %d s\n%d.0 s\n" % (RUN_S, RUN_S) + process.communicate()[0]
    return seed, process.returncode == 0, said.decode(errors="replace")


def main():
    parser = argparse.ArgumentParser(description="random faults, and what must hold after them")
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RATCHET_FAULT_RUNS", 60)))
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=3, help="runs at the same time")
    parser.add_argument("--seed", type=int, help="this run alone")
    parser.add_argument("--show", type=int, help="only say what a seed stands for")
    parser.add_argument("--template", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.show is not None:
        print("\n".join(plan.tell(plan.draw(args.show))))
        return
    if args.seed is not None:
        sys.exit(one(args.seed, args.template))
    import scenery
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    for name in "RATCHET", "RATCHETD", "RATCHET_BENCH":
        lib.program(name)
    template = lib.temp_dir()
    scenery.make_template(template)
    seeds = range(args.first, args.first + args.runs)
    begin, seconds = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for seed, good, said in pool.map(lambda seed: apart(seed, template), seeds):
            lib.case("seed %d" % seed)
            seconds.append((float(re.search(r"^([0-9.]+) s$", said, re.M).group(1)), seed))
            lib.ok(good, "what was accepted has come to its end",
                   "again: faults.py --seed %d" % seed, said[-20000:])
    lib.note("%d runs in %d s, the longest: %s" % (
        len(seeds), time.monotonic() - begin, ", ".join("seed %d, %.0f s" % (seed, one)
                                                        for one, seed in sorted(seconds)[:-6:-1])))
    lib.done()


main()
