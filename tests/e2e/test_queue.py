#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Merge groups: measured on their own commit, against the group before where GitHub's queue has it,
a status and no comment; and nothing that a step says of one is believed. Nothing here is measured to its
end: a wrong kernel tells whether a base has it, too."""

import copy
import fcntl
import os

import lib
import scene
from lib import BOT, TOKEN, eq, has, lacks
from test_daemon import children, jobs


def queue_scenery(policy="trust", limits=None, **more):
    s = scene.github(**more)
    host = scene.Host(s, limits=limits, token=TOKEN)
    if policy:
        lib.write(host.config, lib.read(host.config).replace(
            "author = " + BOT, "author = %s\nmerge-queue = %s" % (BOT, policy)))
    return s, host, host.daemon()


def queued(s, number, **more):
    """A pull request's group, as the event tells of it."""
    event = s.on("pulls/%d/queue" % number, **more)
    event["repository"] = s.api("GET", "/repos/" + scene.REPOSITORY, token=TOKEN).json
    return event, event["merge_group"]["head_sha"]


class Runs:
    def __init__(self, host):
        self.host, self.number = host, 0

    def step(self, event):
        self.number += 1
        return self.host.step("merge_group", event, run=self.number, token=None)

    def __call__(self, event, want, what):
        step = self.step(event)
        eq(step.run().brief(), want, what)
        lib.wait_for(lambda: [state for state, *_ in jobs(self.host)] == ["done"] * self.number,
                     "GitHub to know of it")
        return step


def groups():
    """A group's own commit has the status; its base is the group before, if GitHub's queue has it"""
    s, host, _ = queue_scenery()
    run = Runs(host)
    wrong, wrong_head = scene.pull(s, "wrong", "wrong")
    docs, docs_head = scene.pull(s, "docs", {"README": "x\n"})
    event, first = queued(s, docs)
    run(event, (0, "held"), "docs alone")
    eq((scene.status(s, first), scene.status(s, docs_head)), (["success"], []), "its own commit")
    more, _ = scene.pull(s, "more", {"more": "z\n"})
    before, second = queued(s, more, on=first)
    step = run(before, (0, "held"), "more docs behind them")
    has(step.log(), "on %s" % first[:10], "measured against the group before")
    eq(scene.status(s, second), ["success"], "which was green")
    broken, third = queued(s, wrong)
    run(broken, (3, "unmeasured"), "a wrong kernel")
    eq(scene.status(s, third), ["pending", "error"], "is not merged")
    behind, fourth = queued(s, docs, on=third)
    step = run(behind, (3, "unmeasured"), "docs behind the wrong kernel have it in them")
    has(step.log(), "no green verdict of this host: measured against `main`", "and are held against main")
    eq(scene.status(s, fourth)[-1], "error", "their green would be the wrong kernel's")
    s.on("ref", ref=before["merge_group"]["head_ref"], sha=None)
    s.on("ref", ref=event["merge_group"]["head_ref"], sha=None)
    late, fifth = queued(s, more, on=first)
    step = run(late, (0, "held"), "the group before has left the queue")
    has(step.log(), "on %s" % event["merge_group"]["base_sha"][:10], "against the branch's tip, then")
    eq([len(scene.ours(s, number)) for number in (docs, wrong, more)], [0, 0, 0], "no comments")


def forged():
    """What a step says of a group sets no status that GitHub's queue does not bear out"""
    s, host, _ = queue_scenery()
    run = Runs(host)
    number, head = scene.pull(s, "wrong", "wrong")
    event, group = queued(s, number)

    def but(**fields):
        other = copy.deepcopy(event)
        other["merge_group"].update(fields)
        return other

    before = len(s.statuses())
    run(but(head_sha=head), (3, "unmeasured"), "a commit that is not the group's")
    run(but(head_ref=event["merge_group"]["head_ref"] + "0"), (3, "unmeasured"), "a group that is not there")
    s.on("ref", ref="refs/heads/gh-readonly-queue/other/pr-1-x", sha=group)
    eq(len(s.statuses()), before, "no status")
    for what, base in (("itself", group), ("the pull request's head", head)):
        step = run(but(base_sha=base), (3, "unmeasured"), "a base that is %s" % what)
        has(step.log(), "build head", "is judged against the branch's tip")
    s.repo.commit({"README": "on\n"}, "main goes on", branch="main")
    s.repo.push(s.git_url, "main")
    step = run(event, (3, "unmeasured"), "a group of yesterday's main")
    has(step.log(), "as it is now", "says so")
    eq(scene.status(s, group)[-1], "error", "and is not merged")
    s.on("ref", ref=event["merge_group"]["head_ref"], sha=None)
    told = len(s.statuses())
    run(event, (3, "unmeasured"), "a group that was destroyed")
    eq(len(s.statuses()), told, "is told nothing")
    event["action"] = "destroyed"
    step = host.step("merge_group", event, run=90, token=None)
    eq(step.start().process.wait(60), 0, "the event of that")
    eq(len(jobs(host)), run.number, "is no job")


def pushed():
    """A writer's own branches below gh-readonly-queue/: no group, whatever step tells of them, and no base of one"""
    s, host, _ = queue_scenery()
    run = Runs(host)
    number, head = scene.pull(s, "wrong", "wrong")
    event, _ = queued(s, number)

    def group(base):
        ref = "refs/heads/gh-readonly-queue/main/pr-%d-%s" % (number + 2, base)
        return {**event, "merge_group": {**event["merge_group"], "head_ref": ref, "base_sha": base, "head_sha": head}}

    base = event["merge_group"]["base_sha"]
    wrong = s.repo.commit({"README": "another\n"}, "a base as wrong as its head", branch="base", onto="wrong")
    s.repo.push(s.git_url, "base")
    s.on("ref", ref="refs/heads/gh-readonly-queue/main/pr-%d-%s" % (number + 1, base), sha=wrong)
    for what, name in (("on main", base), ("on a group of the writer's", wrong)):
        forged = group(name)
        s.on("ref", ref=forged["merge_group"]["head_ref"], sha=head)
        step = run(forged, (3, "unmeasured"), what)
        has(step.log(), "nothing says that merge group", what + ": the queue did not make it")
        lacks(step.log(), "build head", what + ": nothing is built")
        eq(set(scene.status(s, head)), {"error"}, what + ": never green")
    step = run({**event, "merge_group": {**event["merge_group"], "base_sha": wrong}}, (3, "unmeasured"), "a real group")
    has(step.log(), "build head", "is not set against what only its step names")
    for what, fields in (("by a push", {"event": "push"}), ("of another branch", {"head_branch": "main"}),
                         ("of another commit", {"head_sha": base})):
        step = run.step(event)
        s.on("runs", id=run.number, **{"event": "merge_group", "head_sha": event["merge_group"]["head_sha"],
                                       "head_branch": "gh-readonly-queue/main/x", **fields})
        eq(step.run().brief(), (3, "unmeasured"), "a run " + what)
        has(step.log(), "nothing says that merge group", "a run %s says nothing" % what)


def destroyed():
    """A group that leaves the queue while it waits or runs: dropped, its status final, the device free"""
    s, host, daemon = queue_scenery(limits={"ask-again-ms": 1}, samples=400)
    run = Runs(host)
    number, _ = scene.pull(s, "slow", "slow")
    for what, reached in (("waits", "waiting for the device"), ("measures", "replicate ")):
        event, group = queued(s, number)
        with open(os.path.join(host.folder, "ratchet-cpu.lock"), "a") as lock:
            if what == "waits":
                fcntl.flock(lock, fcntl.LOCK_EX)
            step = run.step(event).start()
            lib.wait_for(lambda: reached in step.log(), "the group to be there")
            s.on("ref", ref=event["merge_group"]["head_ref"], sha=None)
        result = step.finish()
        eq(result.verdict["clause"], "cancelled", "while it %s: dropped" % what)
        has(result.verdict["reason"], "there is no merge group", "and why")
        lib.wait_for(lambda: jobs(host)[0][0] == "done", "GitHub to know of it")
        eq(scene.status(s, group), ["pending", "error"], "its status is final")
        lib.wait_for(lambda: not children(host, daemon), "the device to be free")


def refused():
    """A host that does not trust the queue says so on the group, at once, and runs nothing"""
    for policy in (None, "refuse"):
        s, host, _ = queue_scenery(policy)
        number, _ = scene.pull(s, "docs", {"README": "x\n"})
        event, group = queued(s, number)
        step = Runs(host)(event, (3, "unmeasured"), "refused")
        has(step.log(), "merge-queue = trust", "and it is said what to change")
        eq(scene.status(s, group), ["error"], "never green, and it does not hang")
        eq(os.listdir(os.path.join(host.state, "cache")), [], "nothing was built")


lib.main(groups, forged, pushed, destroyed, refused)
