#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lanes: a device's jobs go to whichever lane is free, never two on one, and stay where they began.
Here each of two processors is a lane; those of GPUs are in test_gpu_lane.py."""

import fcntl
import os
import signal
import sqlite3

import lib
import scene
from lib import TOKEN, eq, has
from test_promote import push_event

LANES = ("threads = 1", "cpus = 0", "cpus = 1")


def need_two_cores():
    if not lib.has_two_cores():
        raise lib.Skip("processors 0 and 1 are not two physical cores of ours")


class Held:
    """A lock of the host's that another process has."""

    def __init__(self, host, name, shared=False):
        self.file = open(os.path.join(host.folder, name), "w")
        fcntl.flock(self.file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def drop(self):
        self.file.close()


def lanes_of(host):
    """[(state, lane)] of the jobs, oldest first."""
    base = sqlite3.connect("file:%s?mode=ro" % os.path.join(host.state, "queue.db"), uri=True)
    try:
        return base.execute("SELECT state, lane FROM job ORDER BY id").fetchall()
    finally:
        base.close()


def wait_until(host, want, what):
    lib.wait_for(lambda: lanes_of(host) == want, what)


def scenery(**more):
    s = scene.github(**more)
    host = scene.Host(s, token=TOKEN, settings=LANES)
    return s, host, host.daemon()


def check_step(s, host, name, run, files="slow"):
    number, head = scene.pull(s, name, scene.distinct(files, name))
    return host.step("pull_request", scene.pull_event(s, number), run=run, token=None), number, head


def whichever_is_free():
    """A lane that waits holds up no job but its own"""
    need_two_cores()
    s, host, _ = scenery()
    held = Held(host, "ratchet-cpu-0.lock")
    first, one, one_head = check_step(s, host, "one", 1)
    first.start()
    lib.wait_for(lambda: "waiting for the device" in first.log(), "the first lane to wait")
    second, two, two_head = check_step(s, host, "two", 2)
    scene.fair(second.run(), (1, "regressed"), "the second job is measured on the other lane")
    eq(lanes_of(host), [("running", "0"), ("done", "1")], "each on its own")
    has(host.ratchet("status", "--socket", host.socket).out, "on cpu, lane 0: ", "status tells which")
    third, _, _ = check_step(s, host, "three", 3)
    other = Held(host, "ratchet-cpu-1.lock")
    third.start()
    fourth, _, _ = check_step(s, host, "four", 4)
    fourth.start()
    lib.wait_for(lambda: "waiting for the device" in third.log(), "the second lane to wait")
    lib.wait_for(lambda: "place 1 in the queue" in fourth.log(), "the fourth to have its place")
    eq([state for state, _ in lanes_of(host)], ["running", "done", "running", "pinned"],
       "never two on one")
    held.drop()
    other.drop()
    for step in (first, third, fourth):
        scene.fair(step.finish(), (1, "regressed"), "in the end all are measured")


def stays():
    """A job that is taken up again stays on its lane: both runs of a promotion, and after a kill"""
    need_two_cores()
    s, host, daemon = scenery(gap="4s")
    held = Held(host, "ratchet-cpu-0.lock")
    first, _, _ = check_step(s, host, "one", 1)
    first.start()
    lib.wait_for(lambda: "waiting for the device" in first.log(), "the first lane to wait")
    promotion = host.step("push", push_event(s), run=2, token=None).start()
    wait_until(host, [("running", "0"), ("pinned", "1")], "the first run of the promotion")
    held.drop()
    scene.fair(first.finish(), (1, "regressed"), "the first lane is free again")
    promotion.finish()
    eq(lanes_of(host)[1], ("done", "1"), "the second run was taken where the first was")
    held = Held(host, "ratchet-cpu-0.lock")
    blocker, _, _ = check_step(s, host, "two", 3)
    blocker.start()
    lib.wait_for(lambda: "waiting for the device" in blocker.log(), "the first lane to wait")
    other = Held(host, "ratchet-cpu-1.lock")
    killed, _, _ = check_step(s, host, "three", 4)
    killed.start()
    lib.wait_for(lambda: "waiting for the device" in killed.log(), "the second lane to wait")
    daemon.kill()
    held.drop()
    daemon.start()
    other.drop()
    for step in (blocker, killed):
        scene.fair(step.finish(), (1, "regressed"), "killed and started again")
    eq(lanes_of(host)[2:], [("done", "0"), ("done", "1")], "each where it began")


def changed_under_it():
    """Lanes that were changed under a running daemon: jobs wait for its restart"""
    need_two_cores()
    s, host, daemon = scenery()
    text = lib.read(host.config)
    lib.write(host.config, text.replace("cpus = 0\ncpus = 1\n", "cpus = 1\n"))
    step, _, _ = check_step(s, host, "one", 1)
    step.start()
    lib.wait_for(lambda: "restart ratchetd" in step.log(), "the job to say what it waits for")
    eq([state for state, _ in lanes_of(host)], ["pinned"], "it is not given up")
    daemon.kill(signal.SIGTERM)
    daemon.start()
    scene.fair(step.finish(), (1, "regressed"), "and goes on when the daemon has read them, too")


def builds_are_confined():
    """What a lane builds has its processors, and no others"""
    need_two_cores()
    s, host, _ = scenery()
    files = {"ci/ratchet.conf": scene.conf().replace("command = cc", "command = test $(nproc) = 1 && cc"),
             "README": "confined\n"}
    s.repo.commit(files, "a recipe that asks", branch="main")
    s.repo.push(s.git_url, "main")
    step, _, _ = check_step(s, host, "one", 1)
    scene.fair(step.run(), (1, "regressed"), "the recipe finds one processor")


def unpinned():
    """Who measures on all processors takes all lanes"""
    need_two_cores()
    repo = lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    scene.branch(repo, "slow", "slow")
    host = scene.Host(limits={"device-wait-ms": 300})
    held = Held(host, "ratchet-cpu.lock", shared=True)
    result = host.check(repo, "slow")
    eq(result.brief(), (3, "unmeasured"), "while a lane is at work")
    has(result.verdict["reason"], "ratchet-cpu.lock` is held by process", "and it names who has it")
    held.drop()
    pinned = scene.Host(limits={"device-wait-ms": 300}, settings=LANES)
    held = Held(pinned, "ratchet-cpu.lock")
    eq(pinned.check(repo, "slow").brief(), (3, "unmeasured"), "and the other way round")
    held.drop()
    held = Held(pinned, "ratchet-cpu-0.lock")
    scene.fair(pinned.check(repo, "slow"), (1, "regressed"), "by hand, a lane that is free is taken")
    held.drop()


lib.main(whichever_is_free, stays, changed_under_it, builds_are_confined, unpinned)
