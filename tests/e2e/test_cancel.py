#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A step that is told to end (SIGINT and SIGTERM, as Actions' cancel sends) takes its job with it, wherever
that is: nothing of it is left on the device, and its status is final. One that is killed leaves a job that
goes on to its end. No verdict is looked at: a busy machine changes nothing here."""

import fcntl
import os
import signal

import lib
import scene
import test_promote
from lib import TOKEN, eq, has, ok
from test_daemon import LONG, children, jobs, pull_step, scenery
from test_reruns import attempts

# Nothing that failed is tried again while the test waits for it: being cancelled is no failure.
PATIENT = {"retry-ms": 3600000}

HANGS = scene.conf().replace("command = cc", "command = sleep 3600 && cc")


def final(s, sha, context="ratchet/cpu"):
    states = [x["state"] for x in s.statuses(sha) if x["context"] == context]
    return states[-1] if states and states[-1] != "pending" else None


def at_its_build(host, daemon):
    lib.wait_for(lambda: any(b"sleep 3600" in b" ".join(words) for words in children(host, daemon)), "the build")


def is_pending(process):
    """Was it sent a signal that it has not taken yet?"""
    text = lib.read("/proc/%d/status" % process.pid)
    return any(int(line.split()[1], 16) for line in text.splitlines() if line.startswith(("SigPnd:", "ShdPnd:")))


def signal_one_by_one(daemon, step, signals):
    """Each is taken by itself: the daemon stands still, so that none comes after its answer."""
    daemon.process.send_signal(signal.SIGSTOP)
    for number in signals:
        step.process.send_signal(number)
        lib.wait_for(lambda: not is_pending(step.process), "the step to take %s" % number)
    daemon.process.send_signal(signal.SIGCONT)


def cancelled(s, host, daemon, step, sha, signals, what, context="ratchet/cpu"):
    """Signal the step; the device is free when its processes are gone, and GitHub knows how it ended."""
    ok(what == "between two runs" or children(host, daemon), what + ": it is at work")
    signal_one_by_one(daemon, step, signals)
    lib.wait_for(lambda: not children(host, daemon), what + ": the device to be free")
    result = step.finish(30)
    eq(result.brief(), (3, "unmeasured"), what + ": the step says so")
    has(step.log(), "cancelled by its workflow run", what + ": and why")
    eq(lib.wait_for(lambda: final(s, sha, context), what + ": a final status"), "error", what + ": the status is final")
    lib.wait_for(lambda: jobs(host)[0][0] == "done", what + ": the job to be done")


def while_it_builds():
    """Cancelled while it builds, with a second signal while the first is answered, as Actions sends them"""
    s, host, daemon = scenery()
    s.repo.commit({"ci/ratchet.conf": HANGS}, "a build that hangs", branch="main")
    s.repo.push(s.git_url, "main")
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number).start()
    at_its_build(host, daemon)
    cancelled(s, host, daemon, step, head, (signal.SIGINT, signal.SIGTERM), "building")


def while_it_waits_and_measures():
    """Cancelled while it waits for the device: no attempt of its code; while it measures: one"""
    s, host, daemon = scenery(limits=PATIENT, **LONG)
    lock = open(os.path.join(host.folder, "ratchet-cpu.lock"), "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    number, head = scene.pull(s, "slow", "slow")
    for run, what, reached in ((1, "waiting", "waiting for the device"), (2, "measuring", "replicate ")):
        step = pull_step(s, host, number, run=run).start()
        lib.wait_for(lambda: reached in step.log(), what)
        cancelled(s, host, daemon, step, head, (signal.SIGTERM,), what)
        eq(attempts(host), [(None,)] * (run - 1), what + ": attempts")
        lock.close()


def while_it_promotes():
    """Cancelled in the first run of a promotion, and between the two: nothing is promoted"""
    context = "ratchet/cpu (promotion)"
    for what, reached in (("promoting", "replicate "), ("between two runs", "second run in")):
        s, host, daemon = scenery(gap="10m", **LONG)
        start = test_promote.tip(s)
        step = host.step("push", test_promote.push_event(s)).start()
        lib.wait_for(lambda: reached in step.log(), what)
        cancelled(s, host, daemon, step, start, (signal.SIGINT,), what, context)
        eq((test_promote.tip(s), test_promote.recorded(s)), (start, None), what + ": main is as it was")


def while_ratchetd_is_away():
    """Cancelled while ratchetd is started anew: it hears of it when it is back"""
    s, host, daemon = scenery(token=TOKEN, **LONG)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number, token=None).start("--wait", "60")
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    daemon.kill()
    step.interrupt()
    daemon.start()
    eq(step.finish(30).brief(), (3, "unmeasured"), "the step says so")
    eq(lib.wait_for(lambda: final(s, head), "a final status"), "error", "the status is final")
    has(s.statuses(head)[-1]["description"], "cancelled", "and says why")


def killed():
    """A step that is killed says nothing more: its job goes on, and ends with a final status"""
    s, host, daemon = scenery(token=TOKEN)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    lib.kill(step.process)
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be done")
    ok(final(s, head), "a final status")
    eq(len(scene.ours(s, number)), 1, "one comment")
    lib.wait_for(lambda: not children(host, daemon), "the device to be free")


if __name__ == "__main__":
    lib.main(while_it_builds, while_it_waits_and_measures, while_it_promotes, while_ratchetd_is_away, killed)
