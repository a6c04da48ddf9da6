# SPDX-License-Identifier: Apache-2.0
"""`make bench`, part 3: how long a step that is told to end (SIGINT, as Actions' cancel sends it) leaves its
job on the device, and its status open: seconds from the signal to the last process gone, and to the final
status at GitHub (the stand-in), while it builds, measures and promotes.

    cancel.py [TIMES]

RATCHET, RATCHETD and RATCHET_BENCH name the programs. Exit 1 when the device was not free within 2 s once."""

import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lib
import scene
import test_promote
from test_cancel import HANGS, at_its_build, final
from test_daemon import LONG, children, jobs, pull_step, scenery

GOAL_S, GIVE_UP_S = 2, 60


def one(s, host, daemon, step, sha, context):
    """Seconds until the device is free, and until the status is final. The clock stops at the end of a look, so
    that each is at most some milliseconds too long."""
    free = None
    begin = time.monotonic()
    step.interrupt()
    while time.monotonic() - begin < GIVE_UP_S:
        if free is None and not children(host, daemon):
            free = time.monotonic() - begin
        if free is not None and final(s, sha, context):
            told = time.monotonic() - begin
            step.finish()
            lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be done")
            return free, told
        time.sleep(0.001)
    raise RuntimeError("neither free nor told after %d s" % GIVE_UP_S)


def building(times):
    s, host, daemon = scenery()
    s.repo.commit({"ci/ratchet.conf": HANGS}, "a build that hangs", branch="main")
    s.repo.push(s.git_url, "main")
    for run in range(1, times + 1):
        number, head = scene.pull(s, "slow-%d" % run, "slow")
        step = pull_step(s, host, number, run=run).start()
        at_its_build(host, daemon)
        yield one(s, host, daemon, step, head, "ratchet/cpu")


def measuring(times):
    s, host, daemon = scenery(**LONG)
    for run in range(1, times + 1):
        number, head = scene.pull(s, "slow-%d" % run, scene.distinct("slow", run))
        step = pull_step(s, host, number, run=run).start()
        lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
        yield one(s, host, daemon, step, head, "ratchet/cpu")


def promoting(times):
    for _ in range(times):
        s, host, daemon = scenery(**LONG)
        tip = test_promote.tip(s)
        step = host.step("push", test_promote.push_event(s)).start()
        lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
        yield one(s, host, daemon, step, tip, "ratchet/cpu (promotion)")
        daemon.kill()
        s.stop()


def line(name, seconds):
    seconds = sorted(seconds)
    return "  %-22s median %.2f s, 90%% below %.2f s, most %.2f s" % (
        name, statistics.median(seconds), seconds[int(0.9 * (len(seconds) - 1))], seconds[-1])


def main():
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    most = 0
    for stage in building, measuring, promoting:
        free, told = zip(*stage(times))
        print("cancelled %d times while %s" % (times, stage.__name__))
        print(line("device free after", free))
        print(line("status final after", told), flush=True)
        most = max(most, *free)
    print("goal: the device free within %d s: %s" % (GOAL_S, "met" if most <= GOAL_S else "MISSED"))
    return most > GOAL_S


if __name__ == "__main__":
    sys.exit(main())
