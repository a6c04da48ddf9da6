#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promotion: main's baseline moves only after a push to main, only for what earned it, and never
silently: the first record, an improvement, a refactoring, a loss, an accepted loss, a lost race, a
protected branch."""

import json
import os
import re
import socket

import lib
import scene
from lib import BOT, TOKEN, eq, has, lacks, ok

PATH = "baselines/cpu/baseline.json"
TWO = (("one", 32), ("two", 48))


def baseline(s, ref="main"):
    """(baseline.json of a branch as an object, or None)."""
    reply = s.api("GET", "/repos/%s/contents/%s?ref=%s" % (scene.REPOSITORY, PATH, ref),
                  Accept="application/vnd.github.raw+json")
    return reply.json if reply.status == 200 else None


def recorded(s, ref="main"):
    """{config: (commit, why)}"""
    found = baseline(s, ref)
    return found and {c["name"]: (c["commit"], c["why"]) for c in found["configs"]}


def log(s, ref="main", count=1):
    """Messages of a branch's newest commits."""
    s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "fetch", "-q", s.git_url,
               "+refs/heads/*:refs/remotes/origin/*")
    return s.repo.git("log", "-%d" % count, "--format=%B", "origin/" + ref)


def tip(s, branch="main"):
    return s.state()["refs"]["refs/heads/" + branch]


def merge(s, name, files, method="merge", label=None, by="alice"):
    """Open a pull request and merge it: main's new tip. An accepted loss may be labelled."""
    s.repo.git("checkout", "-q", "main")
    s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "pull", "-q", s.git_url,
               "main")
    number, _ = scene.pull(s, name, files)
    if label:
        s.on("pulls/%d/label" % number, name=label, by=by)
    return s.on("pulls/%d/merge" % number, user="alice", method=method)["sha"]


def push_event(s, before="0" * 40):
    view = s.api("GET", "/repos/" + scene.REPOSITORY).json
    after = tip(s)
    return {"ref": "refs/heads/main", "before": before, "after": after, "created": False,
            "deleted": False, "forced": False, "base_ref": None, "repository": view,
            "head_commit": {"id": after, "message": log(s)}, "commits": [],
            "pusher": {"name": "alice"}, "sender": {"login": "alice"}}


def earned(result, want, what):
    """Promotion in two runs: told apart from a machine too busy to measure."""
    ok(want(), what, result.text)


def told_beside(result, moved, what):
    """What a promotion took, and how the code of what moved differs, as a check says it."""
    verdict = result.verdict
    cost = verdict.get("cost", {})
    ok(cost.get("device_seconds", 0) > 0 and cost.get("currency") == "USD", what + ": what it took", cost)
    ok(abs(cost.get("amount", 0) - cost.get("device_seconds", 0) * 3.6 / 3600) < 1e-5, what + ": at the host's price", cost)
    has(result.file("report.md"), re.compile(r"device-seconds|s of the device|USD"), what + ": the summary says it")
    for config in verdict["configs"]:
        if config["verdict"] == moved:
            ok(config.get("why", {}).get("line"), what + ": how its code differs", config)
            has(result.file("report.md"), "What differs in the machine code", what + ": in the summary, too")
    return cost.get("device_seconds", 0)


def the_road_of_main():
    """First record, improvement, refactoring, docs, loss: only what earned it moves"""
    s = scene.github("slow")
    host = scene.Host(s, settings=("threads = 1", "price-per-hour = 3.6 USD"))
    start = tip(s)
    first = host.promote()
    eq(recorded(s), {"small": (start, "new")}, "the first merge records it")
    promoted = tip(s)
    message = log(s)
    has(message.splitlines()[0], "[skip ci]", "the commit asks for no run of its own")
    has(message, "Ratchet-Promotion: cpu", "and is marked as ours")
    entry = baseline(s)["configs"][0]
    ok(len(entry["replicates"]) >= 6, "raw replicates are kept")
    eq(baseline(s)["schema"], "ratchet.baseline/1", "schema")
    parents = s.repo.git("rev-list", "--parents", "-1", promoted).split()[1:]
    eq(parents, [start], "one commit on top of main")
    changed = s.repo.git("diff", "--name-only", start, promoted)
    eq(changed, PATH, "that changes the baseline and nothing else")
    eq(host.promote().code, 0, "again")
    eq(tip(s), promoted, "nothing moves twice")
    faster = merge(s, "faster", "right")
    result = host.promote()
    earned(result, lambda: recorded(s) == {"small": (faster, "improved")}, "an improvement")
    told_beside(result, "improved", "an improvement")
    anchor = recorded(s)
    for name, files in (("refactored", "refactored"), ("docs", {"README": "words\n"})):
        merged = merge(s, name, files)
        host.promote()
        eq((recorded(s), tip(s)), (anchor, merged), name + ": the anchor stays")
    slower = scene.distinct("slow", "not the first")
    merged = merge(s, "slower", slower)
    result = host.promote()
    eq((recorded(s), tip(s)), (anchor, merged), "a loss: the anchor stays")
    has(result.text, "regressed", "and it says so")
    told_beside(result, "regressed", "a loss")
    s.repo.git("fetch", "-q", s.git_url.replace("http://", "http://x:%s@" % TOKEN), "main")
    number, _ = scene.pull(s, "neutral", {path: text + "/* words */\n" for path, text in slower.items()}, onto="FETCH_HEAD")
    neutral = host.check_pull(number)
    scene.fair(neutral, (0, "held"), "a neutral pull request is not blocked for it")
    log(s)  # fetches
    history = host.ratchet("history", "--repo", s.repo.path, "--head", "origin/main")
    has(history.out, "improved", "history tells")


def only_what_improved():
    """Of two configs only the one that improved moves"""
    s = scene.github("slow", configs=TWO[:1])
    host = scene.Host(s)
    host.promote()
    before = recorded(s)
    eq(list(before), ["one"], "one config at first")
    merge(s, "more", {"ci/ratchet.conf": scene.conf(configs=TWO)})
    host.promote()
    after = recorded(s)
    eq(after["one"], before["one"], "the old one stays")
    eq(after["two"][1], "new", "the new one is recorded")


def retired():
    """A config that main's ci/ratchet.conf lists no more leaves the baseline, by name, in one commit"""
    s = scene.github("right", configs=TWO)
    host = scene.Host(s)
    host.promote()
    before = recorded(s)
    eq(list(before), ["one", "two"], "both at first")
    dropped = merge(s, "drop", {"ci/ratchet.conf": scene.conf(configs=TWO[:1])})
    result = host.promote()
    eq(recorded(s), {"one": before["one"]}, "one stays as it was, the other is gone")
    has(log(s).splitlines()[0], "two retired", "the commit says so")
    has(log(s), "two: retired: ci/ratchet.conf lists it no more", "and why")
    eq({c["name"]: (c["verdict"], c["clause"]) for c in result.verdict["configs"]}["two"],
       ("held", "retired"), "and the verdict")
    eq(verdict_of(s, dropped), ["success"], "which is green")
    at = tip(s)
    host.promote()
    eq(tip(s), at, "nothing moves twice")


def forgotten():
    """Taking away what remembers a loss of main is not accepting it"""
    for what, files in (
            ("the row taken out", {PATH: None}),
            ("the config renamed", {"ci/ratchet.conf": scene.conf(configs=(("other", 48),))}),
            ("the name given to another problem",
             {"ci/ratchet.conf": scene.conf(configs=(("small", 40),))})):
        s = scene.github("right")
        host = scene.Host(s)
        host.promote()
        merge(s, "slower", "slow")
        if scene.fair(host.promote(), (1, "regressed"), what + ": main lost it")[0] != 1:
            continue
        merge(s, "forget", files)
        result = host.promote()
        ok(result.code in (1, 3), what + ": stays red", result.text)
        lacks(str({n: w for n, (_, w) in (recorded(s) or {}).items() if n == "small"}), "improved",
              what + ": nothing is called better")
        has(result.file("report.md"), "stays red until the loss is accepted", what + ": says why")
        ok("small" not in (recorded(s) or {}) or recorded(s)["small"][0] != tip(s),
           what + ": and is not recorded at the slow commit")
        red = host.promote()
        ok(red.code in (1, 3), what + ": also at the next push", red.text)
        result = host.promote("--accept", "small", "--by", "alice")
        scene.fair(result, (0, "held"), what + ": until somebody accepts it")


def a_branch_of_ones_own():
    """`ratchet/<device>` is earned by pull requests into the promoted branch alone"""
    s = scene.github("right")
    host = scene.Host(s)
    number, head = scene.pull(s, "slow", "slow")
    scene.fair(host.check_pull(number), (1, "regressed"), "into main")
    before = scene.status(s, head)
    s.repo.git("branch", "lax", head)
    s.repo.push(s.git_url, "lax")
    lax = s.on("pulls", head="slow", base="lax", title="the same head", user="alice")["number"]
    eq(host.check_pull(lax).brief(), (0, "held"), "the same head into a branch of its author's")
    eq(scene.status(s, head), before, "main's status stays as it was")
    eq(scene.status(s, head, "cpu (lax)")[-1], "success", "that branch has a context of its own")


def reverted():
    """A revert takes the baseline's config back with it; an ordinary loss does not; nor is a promotion taken back"""
    s = scene.github("slow")
    host = scene.Host(s)
    first = tip(s)
    host.promote()
    fast = merge(s, "faster", "right")
    earned(host.promote(), lambda: recorded(s) == {"small": (fast, "improved")}, "the anchor is the faster one")
    s.repo.git("checkout", "-q", "main")
    s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "pull", "-q", s.git_url, "main")
    number, _ = scene.pull(s, "takes-back", "slow")  # what GitHub's button makes: the kernel is as it was
    check = host.check_pull(number)
    eq(check.brief(), (1, "regressed"), "the pull request that takes it back is slower than the anchor")
    has(check.file("report.md"), "its machine code is that of an anchor of before, `%s`" % first[:10], "and says whose code it is")
    lacks(host.check_pull(scene.pull(s, "other", "unsteady")[0]).file("report.md"), "an anchor of before", "other code is not")
    s.on("pulls/%d/merge" % number, user="alice")
    back = tip(s)
    result = host.promote()
    earned(result, lambda: recorded(s) == {"small": (back, "reverted")}, "merged: the config goes back")
    has(result.text + log(s), "goes back to the anchor of %s, whose machine code this is again" % first[:10], "and is told so")
    eq(result.code, 0, "main is not red for it")
    eq(host.promote().code, 0, "nor is the next push")
    s = scene.github("slow")
    host = scene.Host(s)
    host.promote()
    fast = merge(s, "faster", "right")
    earned(host.promote(), lambda: recorded(s) == {"small": (fast, "improved")}, "on another host")
    merge(s, "takes-back", "slow")
    result = scene.Host(s).promote()
    if scene.fair(result, (1, "regressed"), "one that has pushed no baseline knows none of before")[0] == 1:
        has(result.text, "remembers no promotion of its own", "and says so")
    eq(recorded(s), {"small": (fast, "improved")}, "the config stays where it was")
    s = scene.github("slow")
    host = scene.Host(s)
    host.promote()
    fast = merge(s, "faster", "right")
    host.promote()
    s.repo.git("checkout", "-q", "main")
    s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "pull", "-q", s.git_url, "main")
    s.repo.git("revert", "--no-edit", "HEAD")
    s.repo.push(s.git_url, "main")
    eq(recorded(s)["small"][1], "new", "the commit that promoted is taken back")
    result = host.promote()
    earned(result, lambda: recorded(s)["small"][1] == "improved", "and the kernel, which is as fast, is promoted again")


def planted():
    """Rows that somebody wrote into commits of a branch that was rebased onto main are no anchors of before"""
    said = "plant\n\nRatchet-Promotion: cpu\n"
    for what, message, more, commit in (
            ("as its author says", "plant\n", {}, None), ("as a promotion is", said, {}, None),
            ("with a file beside it", said, {"docs.txt": "words\n"}, None),
            ("measured on no commit of main's", said, {}, "f" * 40)):
        s = scene.github("right")
        host = scene.Host(s)
        host.promote()
        number, head = scene.pull(s, "slow", "slow")
        check = host.check_pull(number)
        if scene.fair(check, (1, "regressed"), what + ": the slow kernel")[0] != 1:
            continue
        arm = json.loads(check.file("samples.json"))["arms"]["head"]
        now = baseline(s)
        s.repo.git("checkout", "-q", "main")
        s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "pull", "-q", s.git_url, "main")
        row = dict(now["configs"][0], code=arm["code"], commit=commit or s.repo.sha())
        s.repo.commit({PATH: json.dumps(dict(now, configs=[row])), **more}, message)
        s.repo.commit({PATH: json.dumps(now)}, "as it was")
        s.repo.push(s.git_url, "main")
        lacks(host.check_pull(number).file("report.md"), "an anchor of before", what + ": nor in the pull request")
        s.on("pulls/%d/merge" % number, user="alice")
        result = host.promote()
        ok(result.code in (1, 3), what + ": main stays red", result.text)
        eq(recorded(s)["small"][1], "new", what + ": and the config where it was")


def accepted():
    """A loss that a person accepts by name moves the anchor; one that a stranger accepts does not"""
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    anchor = recorded(s)
    merge(s, "slower", "slow", label="ratchet:accept-loss", by="zoe")
    host.promote()
    eq(recorded(s), anchor, "zoe may not write: her label counts for nothing")
    for on in (False, True):
        s.on("pulls/1/label", name="ratchet:accept-loss", by="alice", on=on)
    result = host.promote()
    entry = baseline(s)["configs"][0]
    earned(result, lambda: entry["why"] == "accepted", "alice may")
    eq(entry.get("who"), "alice", "and is named")
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    anchor = recorded(s)
    number, _ = scene.pull(s, "twice", "slow")
    s.on("pulls/%d/label" % number, name="ratchet:accept-loss", by="alice")
    s.repo.commit({"kernels/attention.c": scene.kernel("slow", "/* and more */\n")}, "after the label", branch="twice")
    s.repo.push(s.git_url, "twice")
    s.on("pulls/%d/merge" % number, user="alice")
    result = host.promote()
    eq(recorded(s), anchor, "pushed after the label: it was given for another head")
    has(result.text, "not after the head that was merged", "and the summary says so")
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    merge(s, "slower", "slow")
    result = host.promote("--accept", "small", "--by", "alice")
    entry = baseline(s)["configs"][0]
    earned(result, lambda: (entry["why"], entry.get("who")) == ("accepted", "alice"),
           "by name on the command line")


def accepted_by_each():
    """A label accepts what its own pull request lost: each that was merged since main had no loss needs one"""
    label, docs = "ratchet:accept-loss", {"README": "more\n"}
    words = {"kernels/attention.c": scene.kernel("slow", "/* words */\n")}
    for what, first, second, on, want in (
            ("the second's, of a loss of the first", "slow", words, (2,), None),
            ("both", "slow", words, (1, 2), "accepted"),
            ("the first's, and a second that touches nothing", "slow", docs, (1,), "accepted"),
            ("that of one that touches nothing", "slow", docs, (2,), None)):
        for method in ("merge", "squash"):
            s = scene.github("right")
            host = scene.Host(s)
            host.promote()
            anchor = recorded(s)
            for number, files in enumerate((first, second), 1):
                merge(s, "pull-%d" % number, files, method, label if number in on else None)
            result = host.promote()
            if scene.fair(result, (0, "held") if want else (1, "regressed"), what + ", by " + method)[1] == "unclear":
                continue
            if want:
                eq(recorded(s)["small"][1], want, what + ": the loss is accepted")
                continue
            eq(recorded(s), anchor, what + ": the anchor stays")
            has(result.text, "is missing, or is not counted, on #1.", what + ": and the summary names whose is missing")
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    anchor = recorded(s)
    s.on("commit", branch="main", files={"kernels/attention.c": scene.kernel("slow")}, message="pushed")
    merge(s, "words", words, label=label)
    result = host.promote()
    eq(recorded(s), anchor, "what was pushed without a pull request has nobody's label")
    if scene.fair(result, (1, "regressed"), "and main stays red")[0] == 1:
        has(result.text, "(of no pull request)", "which is said")


def not_asked():
    """A GitHub that gives no answer about labels is asked once, not for each commit: a promotion waits for no more"""
    for path in ("/commits/[^/]+/pulls", "/issues/[0-9]+/events", "/activity"):
        s = scene.github("right")
        host = scene.Host(s, limits={"github-timeout-ms": 200, "retry-ms": 50})
        host.promote()
        anchor = recorded(s)
        for number in (1, 2, 3):
            merge(s, "pull-%d" % number, {"kernels/attention.c": scene.kernel("slow", "/* %d */\n" % number)},
                  label="ratchet:accept-loss")
        s.fault(path, "drop", times=0)
        result = host.promote()
        eq(recorded(s), anchor, path + ": nothing is accepted")
        if scene.fair(result, (1, "regressed"), path + ": main stays red")[0] == 1:
            has(result.text, "which GitHub was not asked about", path + ": it was asked no more")
            asked = {r["path"] for r in s.requests("GET", path)}
            eq(len(asked), 1, path + ": it was asked once")


def declined():
    """A loss that is accepted only on the branch of a promotion is none: people may decline that"""
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    anchor = recorded(s)
    s.on("protect", branch="main")
    merge(s, "slower", "slow", label="ratchet:accept-loss")
    waits = host.promote()
    eq(recorded(s), anchor, "main's baseline has not moved")
    if scene.fair(waits, (1, "regressed"), "main has lost, until it has")[0] != 1:
        return
    ours, = [p for p in s.state()["pulls"] if p["user"] == lib.BOT]
    s.on("pulls/%d" % ours["number"], state="closed")
    s.on("pulls/1/label", name="ratchet:accept-loss", by="alice", on=False)
    s.on("protect", branch="main", kind=None)
    merge(s, "words", {"kernels/attention.c": scene.kernel("slow", "/* words */\n")}, label="ratchet:accept-loss")
    result = host.promote()
    eq(recorded(s), anchor, "declined, and the label taken off: another's label accepts it not")
    if scene.fair(result, (1, "regressed"), "main is red")[0] == 1:
        has(result.text, "is missing, or is not counted, on #1.", "and whose label is missing is said")


def accepted_by_fork():
    """A label on a fork's pull request is held against the pushes to the fork"""
    for late in (False, True):
        s = scene.github("right")
        s.post("repos", full_name="mallory/kernels", source=s.made["path"], private=False)
        host = scene.Host(s)
        host.promote()
        anchor = recorded(s)
        scene.branch(s.repo, "theirs", "slow")
        there = s.url + "/mallory/kernels.git"
        s.repo.push(there, "theirs")
        number = s.on("pulls", head="theirs", head_repo="mallory/kernels", title="x", user="mallory")["number"]
        s.on("pulls/%d/label" % number, name="ratchet:accept-loss", by="alice")
        if late:
            s.repo.commit({"kernels/attention.c": scene.kernel("slow", "/* and more */\n")}, "more", branch="theirs")
            s.repo.push(there, "theirs")
        s.on("pulls/%d/merge" % number, user="alice")
        result = host.promote()
        if scene.fair(result, (1, "regressed") if late else (0, "held"), "a fork's")[1] == "unclear":
            continue
        if late:
            eq(recorded(s), anchor, "pushed after the label")
            has(result.text, "not after the head that was merged", "which is said")
        else:
            eq(recorded(s)["small"][1], "accepted", "put on after the push")


def accepted_elsewhere():
    """A loss that was accepted on another branch is not on main; a label's name is read as GitHub reads it"""
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    anchor = recorded(s)
    s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "fetch", "-q", s.git_url, "main:refs/heads/dev")
    s.repo.push(s.git_url, "dev")
    scene.branch(s.repo, "feature", "slow", onto="dev")
    s.repo.push(s.git_url, "+feature")
    number = s.on("pulls", head="feature", base="dev", title="x", user="mallory")["number"]
    s.on("pulls/%d/label" % number, name="ratchet:accept-loss", by="alice")
    merged = s.on("pulls/%d/merge" % number, user="alice")["sha"]
    s.on("ref", ref="refs/heads/main", sha=merged)
    result = host.promote()
    eq(recorded(s), anchor, "dev was moved on to main: the loss was accepted on dev")
    has(result.text, "it accepted a loss on dev", "and the summary says so")
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    merge(s, "slower", "slow", label="Ratchet:Accept-Loss", by="alice")
    result = host.promote()
    earned(result, lambda: recorded(s)["small"][1] == "accepted", "a label in capitals is the same label")


def anchor_gone():
    """An anchor that is gone: the stored samples decide. One that no recipe builds: nothing is decided"""
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    stored = baseline(s)
    broken = s.on("commit", branch="elsewhere", parent="main", files={
        "kernels/attention.c": scene.kernel("broken")}, message="broken")["sha"]
    for what, commit, word, want in (
            ("gone", "1" * 40, "not in the repository", (1, "regressed")),
            ("broken", broken, "builds neither by its own recipe", (2, "unclear"))):
        stored["configs"][0]["commit"] = commit
        s.on("commit", branch="main", files={PATH: json.dumps(stored)}, message=what)
        s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "fetch", "-q",
                   s.git_url, "+main:refs/remotes/origin/main")
        number, _ = scene.pull(s, "slow-" + what, "slow", onto="origin/main")
        result = host.check_pull(number)
        scene.fair(result, want, what + ": judged")
        eq(result.config()["against"], "stored", what + ": against the stored samples")
        has(result.file("report.md"), word, what + ": the report says why")
        has(scene.plain(result.file("report.md")), "anchor " + commit[:6], what + ": of which anchor")


def race():
    """Main moves while the baseline is pushed: decided again from the new tip"""
    s = scene.github("slow")
    host = scene.Host(s)
    hold = s.fault("git-receive-pack$", "hold", method="POST")
    run = lib.start([lib.program("RATCHET"), "promote", "--config", host.config, "--repository",
                     scene.REPOSITORY, "--output", host.output()], env=host.env(),
                    cwd=host.folder, stdout=lib.subprocess.DEVNULL,
                    stderr=lib.subprocess.DEVNULL)
    s.await_fault(hold)
    other = s.on("commit", branch="main", files={"README": "moved\n"}, message="others")["sha"]
    s.release(hold)
    eq(run.wait(lib.DEADLINE), 0, "it ends well")
    s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "fetch", "-q", s.git_url,
               "main")
    eq(s.repo.git("rev-parse", "FETCH_HEAD^"), other, "on top of what came between")
    ok(recorded(s), "and recorded")
    lost = [r for r in s.requests("POST", "receive-pack") if r.get("push")]
    ok(len(lost) >= 2, "it pushed again", lost)
    s = scene.github("slow")
    host = scene.Host(s)
    hold = s.fault("git-receive-pack$", "hold", method="POST")
    run = lib.start([lib.program("RATCHET"), "promote", "--config", host.config, "--repository",
                     scene.REPOSITORY, "--output", host.output()], env=host.env(),
                    cwd=host.folder, stdout=lib.subprocess.DEVNULL,
                    stderr=lib.subprocess.DEVNULL)
    s.await_fault(hold)
    other = s.on("commit", branch="main", files={"kernels/attention.c": scene.kernel("right")},
                 message="another kernel")["sha"]
    s.release(hold)
    run.wait(lib.DEADLINE)
    eq((tip(s), recorded(s)), (other, None), "another kernel came between: its own push decides")


def two_merges_at_once():
    """Two pushes to main one right after the other: each is a job, one baseline is recorded, by one commit, of a
    commit of main"""
    s = scene.github("slow")
    host = scene.Host(s)
    host.daemon()
    steps = []
    for run in (1, 2):
        merge(s, "docs-%d" % run, {"README": "%d\n" % run})
        steps.append(host.step("push", push_event(s), run=run))
    merged = tip(s)
    for step in steps:
        step.start()
    for run, step in enumerate(steps, 1):
        earned(step.finish(), lambda: recorded(s), "push %d ends well" % run)
    eq(log(s, count=20).count("Ratchet-Promotion:"), 1, "one commit")
    eq(recorded(s)["small"][0], merged, "of what both had merged")
    eq(s.repo.git("rev-parse", "origin/main^"), merged, "on top of it")


def force_pushed():
    """Main is force-pushed: its anchor is no ancestor any more, and guards as before"""
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    anchor, stored = recorded(s), baseline(s)
    s.repo.git("checkout", "-q", "--orphan", "anew")
    s.repo.commit({**scene.tree("slow"), PATH: json.dumps(stored)}, "another history")
    s.repo.push(s.git_url, "+anew:main")
    result = host.promote()
    scene.fair(result, (1, "regressed"), "what is slower than the anchor is regressed")
    eq(recorded(s), anchor, "and the anchor stays")
    result = host.promote("--accept", "small", "--by", "alice")
    earned(result, lambda: recorded(s)["small"] == (s.repo.sha("anew"), "accepted"), "until somebody accepts it")


def rules_that_changed():
    """The summary says which rule, recipe or path changed since the last promotion, and by which pull request"""
    s = scene.github("slow")
    host = scene.Host(s)
    host.promote()
    lacks(host.promote().text, "Changed since", "nothing changed")
    rules = scene.conf(threshold="35%").replace("cc -O2", "cc -O2 -g")
    sha = merge(s, "laxer", {"ci/ratchet.conf": rules})
    number = s.state()["pulls"][-1]["number"]
    merge(s, "docs", {"README": "words\n"})
    result = host.promote()
    has(scene.plain(result.file("report.md")).replace("\\", ""), "[rule] threshold, [build] command", "which keys")
    has(scene.plain(result.file("report.md")), "; by %s" % sha[:10], "by which commit")
    has(scene.plain(result.file("report.md")), "#%d, by alice" % number, "and pull request")


def protected():
    """A protected main: the same commit on a branch, and a pull request for it"""
    for kind in ("GH006", "GH013"):
        s = scene.github("slow")
        s.on("protect", branch="main", kind=kind)
        host = scene.Host(s)
        start = tip(s)
        result = host.promote()
        eq(tip(s), start, kind + ": main stays")
        has(result.text, kind, "the server's words are passed on")
        opened = [p for p in s.state()["pulls"] if p["user"] == BOT]
        eq(len(opened), 1, "a pull request")
        branch = opened[0]["head_ref"]
        eq(recorded(s, branch), {"small": (start, "new")}, "with the baseline")
        eq(opened[0]["base_ref"], "main", "into main")
        has(result.text, "/pull/%d" % opened[0]["number"], "that is linked")
        host.promote()
        eq(len([p for p in s.state()["pulls"] if p["user"] == BOT]), 1, "and no second one")
    s = scene.github("slow")
    s.on("protect", branch="main")
    s.post("settings", actions_may_open_pulls=False)
    result = scene.Host(s).promote()
    branches = [r for r in s.state()["refs"] if r.startswith("refs/heads/") and
                r != "refs/heads/main"]
    eq(len(branches), 1, "where pull requests may not be opened, the branch stands alone")
    has(result.text, branches[0][len("refs/heads/"):], "and is named")


def no_permission():
    """A token that may not push moves nothing, and says so"""
    s = scene.github("slow")
    s.post("tokens", token="may-only-read", login=BOT, permissions={
        "contents": "read", "pull_requests": "read", "metadata": "read"})
    start = tip(s)
    result = scene.Host(s).promote(token="may-only-read")
    eq((tip(s), recorded(s)), (start, None), "nothing moved")
    has(result.text, "403", "the server's answer is passed on")


def through_the_daemon():
    """A push to main, through ratchetd; a pull request never promotes"""
    s = scene.github("slow", gap="1s")
    host = scene.Host(s)
    daemon = host.daemon()
    number, _ = scene.pull(s, "faster", "right")
    step = host.step("pull_request", scene.pull_event(s, number))
    scene.fair(step.run(), (0, "improved"), "a pull request")
    eq(recorded(s), None, "records nothing")
    start = tip(s)
    step = host.step("push", push_event(s), run=2)
    result = step.run()
    eq(result.code, 0, "a push")
    eq(recorded(s), {"small": (start, "new")}, "promotes")
    has(step.file("summary"), "promoted", "and the summary says so")
    firsts = float(lib.read(os.path.join(host.state, "jobs", "2", "device-ms-1"))) / 1000
    took = json.loads(lib.read(os.path.join(host.state, "jobs", "2", "verdict.json")))["cost"]["device_seconds"]
    ok(took > firsts > 0, "what both runs took is told, though they were processes of their own: %s of %s" % (firsts, took))
    jobs = host.ratchet("status", "--socket", host.socket).out
    has(jobs, re.compile("promote +octo/kernels main on cpu$", re.M), "status names the push by its branch")
    has(jobs, re.compile("check +octo/kernels #%d on cpu$" % number, re.M), "and the other by its number")
    at, event = tip(s), push_event(s)
    eq(host.step("push", event, run=3).run().code, 0, "the push of our own commit, as Actions tells")
    eq(tip(s), at, "moves nothing: no loop")
    event["head_commit"].update(added=[], removed=[], modified=[PATH])
    ours = host.step("push", event, run=4)
    since = s.requests()[-1]["id"]
    eq(ours.run().code, 0, "and as a webhook tells, with the lists of files")
    eq(s.requests(since=since), [], "asks nobody")
    gone = dict(push_event(s), deleted=True, after="0" * 40, head_commit=None)
    eq(host.step("push", gone, run=5).run().code, 0, "a deleted branch is nothing to do")


def another_default_branch():
    """A default branch that is not called main, slash and all: checks and promotions are its own"""
    name = "release/1.x"
    s = scene.github("slow", default=name)
    told, silent = scene.Host(s, repository=("branch = " + name,)), scene.Host(s)
    told.daemon()
    silent.daemon()
    start = tip(s, name)
    event = dict(ref="refs/heads/" + name, before="0" * 40, after=start, created=False, deleted=False, forced=False,
                 base_ref=None, repository=s.api("GET", "/repos/" + scene.REPOSITORY).json, commits=[],
                 head_commit={"id": start, "message": "the kernel"}, pusher={"name": "alice"}, sender={"login": "alice"})
    step = told.step("push", event)
    eq((step.run().code, recorded(s, name)), (0, {"small": (start, "new")}), "its push is promoted")
    has(step.file("summary"), " on %s." % name, "and named")
    lacks(step.file("summary") + log(s, name), "main", "nothing is called main")
    eq(s.state()["refs"].get("refs/heads/main"), None, "and no such branch is made")
    number, head = scene.pull(s, "faster", "right", onto=name)
    step = told.step("pull_request", scene.pull_event(s, number))
    scene.fair(step.run(), (0, "improved"), "a pull request into it")
    eq({x["context"] for x in s.statuses(head)}, {"ratchet/cpu"}, "earns the status")
    step = silent.step("push", event, run=2)
    eq(step.run().code, 0, "a host that is told of no branch")
    has(step.log(), "the push is to `%s`, not to `main`: nothing to do" % name, "promotes main alone, and says so")


def other_branches():
    """A push to any other branch than the promoted one is nothing to do, and says why"""
    s = scene.github("right")
    host = scene.Host(s)
    host.daemon()
    start = tip(s)
    event = push_event(s)
    for run, (ref, said) in enumerate((
            ("refs/heads/topic", "the push is to `topic`, not to `main`: nothing to do"),
            ("refs/heads/x/main", "the push is to `x/main`, not to `main`: nothing to do"),
            ("refs/heads/main/x", "the push is to `main/x`, not to `main`: nothing to do"),
            ("refs/heads/Main", "the push is to `Main`, not to `main`: nothing to do"),
            ("refs/heads/refs/heads/main", "the push is to `refs/heads/main`, not to `main`"),
            ("refs/tags/main", "the push is not to a branch")), 1):
        step = host.step("push", dict(event, ref=ref), run=run)
        since = s.requests()[-1]["id"]
        eq(step.run().code, 0, ref)
        has(step.log(), said, ref + ": it says why")
        eq(len(step.log().splitlines()), 1, ref + ": in one line")
        eq((s.requests(since=since), step.file("summary")), ([], ""), ref + ": GitHub is not asked")
    eq(jobs(host), [], "none of them is a job")
    eq((recorded(s), s.statuses()), (None, []), "nothing is recorded or said")
    renamed = dict(event, repository=dict(event["repository"], full_name="octo/moved"))
    step = host.step("push", renamed, run=20)
    eq(step.run().code, 64, "a repository of another name, since it was renamed")
    has(step.log(), host.config + " has no `[repository \"octo/moved\"]`; if one of those there was renamed to it", "what to change")
    has(step.log(), "`octo/moved` is not allowed on this host", "is refused by name")
    say = {"type": "submit", "version": 1, "kind": "promote", "repository": scene.REPOSITORY, "pr": 0,
           "device": "cpu", "run": "30", "attempt": "1", "job": "check", "repository_id": "1",
           "token": TOKEN}
    for ref, kind in (("refs/tags/v1", "ignored"), ("refs/heads/topic", "ignored"), ("main", "ignored"),
                      (7, "error"), ("x" * 300, "error"), ("refs/heads/main", "accepted"),
                      (None, "accepted")):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(host.socket)
            client.sendall(json.dumps(dict(say, run=str(len(str(ref))), ref=ref)).encode() + b"\n")
            eq(json.loads(client.makefile().readline())["type"], kind,
               "the daemon decides by itself: %.20s" % ref)
    lib.wait_for(lambda: [j[0] for j in jobs(host)] == ["done", "done"], "both jobs to end")
    eq(recorded(s), {"small": (start, "new")}, "a client that says no ref has main's own tip measured")


def jobs(host):
    return [tuple(line.split()[3:5]) for line in host.ratchet("status", "--socket", host.socket).out.splitlines()
            if not line.startswith("nothing yet")]


def verdict_of(s, sha):
    """States of main's own context on a commit, oldest first."""
    return scene.status(s, sha, "cpu (promotion)")


def a_main_that_loses():
    """A push to main that loses is red, in its summary and in a context of its own; what has
    nothing to measure after it quotes it"""
    s = scene.github("right")
    host = scene.Host(s)
    daemon = host.daemon()
    start = tip(s)
    eq(host.step("push", push_event(s)).run().code, 0, "the first record")
    eq((verdict_of(s, start), scene.status(s, start)), (["success"], []), "green, of its own")
    number, _ = scene.pull(s, "before", {"README": "words\n"})
    step = host.step("pull_request", scene.pull_event(s, number), run=2)
    eq(step.run().brief(), (0, "held"), "a pull request beside the kernel")
    lacks(step.file("summary"), "Main", "has nothing to quote")
    lost = merge(s, "slower", "slow")
    step = host.step("push", push_event(s), run=3)
    if scene.fair(step.run(), (1, "regressed"), "a push that loses")[0] != 1:
        return  # too busy to measure
    has(step.file("summary").splitlines()[1], "`main` regressed on `cpu`", "its summary's heading")
    lacks(step.file("summary"), "lost since", "it is the first")
    eq((verdict_of(s, lost), scene.status(s, lost)), (["failure"], []), "its own context is red")
    has(s.statuses(lost)[-1]["description"], "regressed: small +", "and says what")
    words = merge(s, "words", {"README": "more words\n"})
    step = host.step("push", push_event(s), run=4)
    if scene.fair(step.run(), (1, "regressed"), "a push beside the kernel, main as it was")[0] != 1:
        return
    has(scene.plain(step.file("summary")), "small: lost since " + lost[:10], "tells since when")
    eq(verdict_of(s, words), ["failure"], "and stays red until somebody accepts it")
    s.repo.git("fetch", "-q", s.git_url.replace("http://", "http://x:%s@" % TOKEN), "main")
    for run, (name, files) in enumerate((
            ("docs", {"README": "yet more\n"}),
            ("comment", {"kernels/attention.c": scene.kernel("slow", "/* words */\n")})), 5):
        number, head = scene.pull(s, name, files, onto="FETCH_HEAD")
        step = host.step("pull_request", scene.pull_event(s, number), run=run)
        eq(step.run().brief(), (0, "held"), name + ": nothing to measure")
        has(scene.plain(scene.ours(s, number)[0]), re.compile(
            r"`main` already lost \d\.\d times on `small` \(\+\d+\.\d+% against its anchor, "
            "measured at " + words[:10] + r"\): not this pull"), name + ": quotes main")
        eq(scene.status(s, head)[-1], "success", name + ": and is not blocked")
    kept = [os.path.join(host.state, "main", f) for f in os.listdir(os.path.join(host.state, "main"))]
    eq(len(kept), 1, "one file per repository and device")
    whole = lib.read(kept[0])
    lib.write(kept[0], whole[:200])
    number, _ = scene.pull(s, "corrupt", {"README": "the file is cut\n"}, onto="FETCH_HEAD")
    step = host.step("pull_request", scene.pull_event(s, number), run=8)
    eq(step.run().brief(), (0, "held"), "a file that is cut short")
    has(step.log(), "the last verdict on `main` is not known: ", "is said")
    lacks(scene.ours(s, number)[0], "`main` already lost", "and not believed")
    lib.write(kept[0], whole)
    mended = merge(s, "mended", "right")
    s.repo.git("fetch", "-q", s.git_url.replace("http://", "http://x:%s@" % TOKEN), "main")
    number, _ = scene.pull(s, "after", {"README": "main was mended\n"}, onto="FETCH_HEAD")
    step = host.step("pull_request", scene.pull_event(s, number), run=10)
    eq(step.run().brief(), (0, "held"), "a pull request into a main of another kernel")
    lacks(scene.ours(s, number)[0], "`main` already lost", "is told nothing about the one before")
    scene.fair(host.step("push", push_event(s), run=9).run(), (0, "held"), "main as it was")
    eq(verdict_of(s, mended), ["success"], "is green again")


def a_main_that_is_broken():
    """Where main's own kernel could not be measured, the next pull request says whose that is"""
    s = scene.github("right")
    host = scene.Host(s)
    host.promote()
    broken = merge(s, "broken", "wrong")
    result = host.promote()
    eq(result.brief(), (3, "unmeasured"), "a push that breaks main")
    eq(verdict_of(s, broken), ["error"], "its own context says so")
    s.repo.git("fetch", "-q", s.git_url.replace("http://", "http://x:%s@" % TOKEN), "main")
    number, _ = scene.pull(s, "docs", {"README": "words\n"}, onto="FETCH_HEAD")
    result = host.check_pull(number)
    eq(result.brief(), (0, "held"), "a pull request beside the kernel")
    has(scene.plain(result.file("report.md")), "`main`'s own last verdict on `small` is unmeasured (at %s): "
        "wrong result" % broken[:10], "quotes it")


def its_ending_is_owed():
    """GitHub is away when main's verdict is due: the status follows"""
    s = scene.github("right")
    host = scene.Host(s, limits={"github-timeout-ms": 1000}, token=TOKEN)
    daemon = host.daemon()
    start = tip(s)
    s.fault("/statuses/", "answer", times=0, status=503, body={"message": "later"})
    eq(host.step("push", push_event(s), token=None).run().code, 0, "the step has its verdict")
    eq(verdict_of(s, start), [], "no status yet")
    s.calm()
    daemon.kill()
    daemon.start()
    lib.wait_for(lambda: verdict_of(s, start), "the status that follows")
    eq(verdict_of(s, start), ["success"], "once")


def killed_between_the_runs():
    """Killed between the two runs of a promotion, and main moves on: the second still comes, of the same
    commit"""
    s = scene.github("slow", gap="3s")
    host = scene.Host(s)
    daemon = host.daemon()
    start = tip(s)
    step = host.step("push", push_event(s)).start("--wait", "60")
    lib.wait_for(lambda: "second run in" in step.log(), "the first run")
    daemon.kill()
    merge(s, "docs", {"README": "more words\n"})
    daemon.start()
    result = step.finish()
    eq(result.code, 0, "the step ends well")
    eq(recorded(s), {"small": (start, "new")}, "and it is recorded, for the commit that was measured")
    eq(verdict_of(s, start), ["success"], "its status is on that commit")
    eq(log(s, count=9).count("Ratchet-Promotion:"), 1, "by one commit")


def killed_while_pushing():
    """Killed when the push arrived, but its answer never did: one commit"""
    s = scene.github("slow")
    host = scene.Host(s)
    daemon = host.daemon()
    hold = s.fault("git-receive-pack$", "hold", method="POST", after=True, times=0)
    step = host.step("push", push_event(s)).start("--wait", "60")
    s.await_fault(hold)
    daemon.kill()
    s.calm()
    daemon.start()
    eq(step.finish().code, 0, "the step ends well")
    eq(list(recorded(s) or {}), ["small"], "it is recorded")
    eq(log(s, count=9).count("Ratchet-Promotion:"), 1, "once")


if __name__ == "__main__":
    lib.main(the_road_of_main, only_what_improved, retired, forgotten, a_branch_of_ones_own, another_default_branch, reverted, planted, accepted, accepted_by_each, not_asked, declined, accepted_by_fork, accepted_elsewhere, anchor_gone, race, two_merges_at_once, force_pushed, rules_that_changed, protected, no_permission,
             through_the_daemon, other_branches, a_main_that_loses, a_main_that_is_broken, its_ending_is_owed,
             killed_between_the_runs, killed_while_pushing)
