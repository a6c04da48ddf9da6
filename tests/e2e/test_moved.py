#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pull request that is pushed to, closed, merged, reopened or sent to another branch while its job
waits, builds, measures or is owed to GitHub: a table of what happens at each moment. No cell leaves
`pending`, and a comment about a head of before says so."""

import fcntl
import os
import time

import lib
import scene
from lib import TOKEN, eq, has, lacks, ok
from test_daemon import jobs, pull_step


def scenery(slow_build=False, **limits):
    s = scene.github(samples=400)
    if slow_build:
        conf = scene.conf().replace("command = cc", "command = sleep 1 && cc")
        s.repo.commit({"ci/ratchet.conf": conf}, "builds slowly", branch="main")
        s.repo.push(s.git_url, "main")
    s.repo.git("branch", "other", "main")
    s.repo.push(s.git_url, "other")
    host = scene.Host(s, limits=limits, token=TOKEN)
    return s, host, host.daemon()


def pushed(s, name, number):
    new = scene.branch(s.repo, name, {"README": "newer\n"}, onto=name)
    s.repo.push(s.git_url, "+" + name)
    return "superseded by " + new[:10]


def closed(s, name, number):
    s.on("pulls/%d" % number, state="closed")
    return "was closed"


def merged(s, name, number):
    tip = s.repo.sha("main")
    s.on("pulls/%d/merge" % number)
    s.on("ref", ref="refs/heads/main", sha=tip)  # the other rows want main as it was
    return "was merged"


def retargeted(s, name, number):
    s.on("pulls/%d" % number, base="other")
    return "goes to `other` now"


def reopened(s, name, number):
    closed(s, name, number)
    s.on("pulls/%d" % number, state="open")
    return None  # as if nothing had happened


CHANGES = (pushed, closed, merged, retargeted, reopened)


def all_done(host, count):
    lib.wait_for(lambda: [state for state, *_ in jobs(host)] == ["done"] * count, "GitHub to know of all")


def check_final(s, number, head, change, what):
    states = scene.status(s, head)
    ok(states and states[-1] != "pending", what + ": the status is final", states)
    said = scene.ours(s, number)
    eq(len(said), 1, what + ": one comment")
    if change is pushed:
        new = s.repo.sha("row-" + what.split()[0])
        has(said[0], "**Superseded by `%s`.**" % new[:10], what + ": which says what superseded it")
        has(said[0], head[:10], what + ": and which head it is about")
        eq(scene.status(s, new), [], what + ": nothing is said of the new head")
    else:
        lacks(said[0], "Superseded", what + ": which is of this head")


def waiting():
    """Waiting for the device: the job is dropped, unless it is as it was"""
    s, host, _ = scenery(**{"ask-again-ms": 1})
    number, _ = scene.pull(s, "first", "wrong")
    lock = open(os.path.join(host.folder, "ratchet-cpu.lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # whoever has the lane waits for this
    first = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "waiting for the device" in first.log(), "the first to have the lane")
    rows = []
    for run, change in enumerate(CHANGES, 2):
        name = "row-" + change.__name__
        number, head = scene.pull(s, name, "wrong")
        rows.append((change, name, number, head, pull_step(s, host, number, run=run, token=None).start()))
    for row in rows:
        lib.wait_for(lambda: scene.status(s, row[3]) == ["pending"], "the job to wait")
    waits_since = time.time()  # the last of them at the latest; the queue counts whole seconds
    rows = [(*row, row[0](s, *row[1:3])) for row in rows]
    lib.wait_for(lambda: time.time() >= waits_since + 1, "a second of waiting")
    lock.close()
    eq(first.finish().code, 3, "who had the lane is done")
    for change, _, number, head, step, words in rows:
        result = step.finish()
        what = change.__name__ + " while it waits"
        eq(result.verdict["clause"], "cancelled" if words else "wrong-result", what)
        has(result.verdict["reason"], words or "", what + ": the verdict says so")
        eq("build head" in result.out, words is None, what + ": nothing is built in vain")
    all_done(host, 6)
    for change, _, number, head, *_ in rows:
        check_final(s, number, head, change, change.__name__ + " while it waits")


def waiting_behind_a_newer_one():
    """A newer job of the same pull request ends those that wait for an older head or another branch"""
    s, host, _ = scenery(**{"ask-again-ms": 604800000})
    for change in (pushed, retargeted):
        name = "row-" + change.__name__
        number, head = scene.pull(s, name, "wrong")
        lock = lib.start(["flock", os.path.join(host.folder, "ratchet-cpu.lock"), "sleep", "120"],
                         stdin=lib.subprocess.DEVNULL)
        blocker, _ = scene.pull(s, "blocks-" + name, "wrong")
        runs = 10 * number
        block = pull_step(s, host, blocker, run=runs, token=None).start()
        lib.wait_for(lambda: "waiting for the device" in block.log(), "the lane to be taken")
        old = pull_step(s, host, number, run=runs + 1, token=None).start()
        lib.wait_for(lambda: scene.status(s, head) == ["pending"], "the old one to wait")
        words = change(s, name, number)
        new = pull_step(s, host, number, run=runs + 2, token=None).start()
        result = old.finish()
        has(result.verdict["reason"], words, change.__name__ + ": ended while the lane is taken")
        lib.kill(lock)
        for step in (block, new):
            eq(step.finish().verdict["clause"], "wrong-result", "the others are measured")
    all_done(host, 6)


def building():
    """While it builds: what was pinned is told, on its own head"""
    in_the_middle(True, "build head")


def measuring():
    """While it measures: likewise"""
    in_the_middle(False, "replicate ")


def in_the_middle(builds, words):
    s, host, _ = scenery(slow_build=builds)
    for run, change in enumerate((pushed, closed, retargeted), 1):
        name = "row-" + change.__name__
        number, head = scene.pull(s, name, "wrong" if builds else "slow")
        step = pull_step(s, host, number, run=run, token=None).start()
        lib.wait_for(lambda: words in step.log(), "it to be there")
        change(s, name, number)
        if not builds:
            step.interrupt()  # the rest of it takes long, and is the same
        eq(step.finish().code, 3, change.__name__)
        all_done(host, run)
        check_final(s, number, head, change, "%s while it %s" % (change.__name__, "builds" if builds else "measures"))


def owed():
    """While its verdict is owed: the verdict stands, and a comment of before says so"""
    s, host, _ = scenery(**{"github-timeout-ms": 300, "retry-ms": 100})
    for run, change in enumerate(CHANGES, 1):
        name = "row-" + change.__name__
        number, head = scene.pull(s, name, {"README": name})
        s.fault("/comments", "answer", times=0, status=503, body={})
        eq(pull_step(s, host, number, run=run, token=None).run().brief(), (0, "held"), change.__name__)
        change(s, name, number)
        s.calm()
        all_done(host, run)
        eq(scene.status(s, head)[-1:], ["success"], change.__name__ + ": what was earned stands")
        check_final(s, number, head, change, change.__name__ + " while it is owed")


def drafts():
    """A host that skips drafts says so, finally, until they are ready"""
    s, host, daemon = scenery()
    number, head = scene.pull(s, "row-draft", {"README": "draft\n"}, draft=True)
    eq(pull_step(s, host, number, token=None).run().brief(), (0, "held"), "they are measured by default")
    daemon.kill()
    lib.write(host.config, lib.read(host.config).replace("author = ", "drafts = skip\nauthor = "))
    daemon.start()
    result = pull_step(s, host, number, run=2, token=None).run()
    eq(result.brief(), (3, "unmeasured"), "skipped")
    has(result.verdict["reason"], "is a draft", "and it says why")
    all_done(host, 2)
    eq(scene.status(s, head), ["success"], "what the commit earned before stays")
    other, its_head = scene.pull(s, "row-new", {"README": "another\n"}, draft=True)
    pull_step(s, host, other, run=9, token=None).run()
    all_done(host, 3)
    eq(scene.status(s, its_head), ["error"], "and what earned nothing does not hang")
    s.on("pulls/%d" % number, draft=False)
    ready = host.step("pull_request", scene.pull_event(s, number, "ready_for_review"), run=3, token=None)
    eq(ready.run().brief(), (0, "held"), "ready: measured")
    all_done(host, 4)
    eq(scene.status(s, head), ["success", "success"], "and told")


def overwritten():
    """A status that somebody else overwrote is set right, and the log names who it was: by a token of
    the host's alone, as every workflow has the same name"""
    s, host, _ = scenery()
    s.post("tokens", token="mallorys", login="mallory")

    def overwrite(sha):
        s.api("POST", "/repos/%s/statuses/%s" % (scene.REPOSITORY, sha),
              {"state": "success", "context": "ratchet/cpu"}, token="mallorys")

    number, head = scene.pull(s, "row-over", "wrong")
    held = s.fault("/statuses[?]", "hold", method="GET")
    step = pull_step(s, host, number, token=None).start()
    s.await_fault(held)
    overwrite(head)
    s.release(held)
    step.finish()
    all_done(host, 1)
    eq(scene.status(s, head), ["pending", "error", "success", "error"], "at once: set again, once")
    has(step.log(), "mallory had set ratchet/cpu to success", "and it is told")
    overwrite(head)
    step = pull_step(s, host, number, run=2, token=None)
    step.run()
    all_done(host, 2)
    eq(scene.status(s, head)[4:], ["success", "pending", "error"], "at the next event")


if __name__ == "__main__":
    lib.main(drafts, overwritten, waiting, waiting_behind_a_newer_one, building, measuring, owed)
