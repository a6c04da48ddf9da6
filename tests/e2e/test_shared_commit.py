#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One commit, several pull requests: whoever opens another one with it, a stranger's fork included, takes no
verdict of it away; contexts that GitHub takes for one are one for us, and each branch has its own."""

import lib
import scene
import test_app
from lib import TOKEN, eq, ok
from test_daemon import pull_step
from test_moved import all_done

FORK = "mallory/kernels"
QUEUE = "merge-queue = trust"


def forked(s):
    s.post("repos", full_name=FORK, source=s.made["path"], private=False)
    return s


def steal(s, branch, number):
    """A stranger's pull request whose head is that of a branch of ours"""
    s.repo.push(s.url + "/" + FORK + ".git", "%s:steal-%d" % (branch, number))
    return s.on("pulls", head="steal-%d" % number, head_repo=FORK, title="mine", user="mallory")["number"]


def by_a_fork():
    """A stranger's fork of the same commit, or of a merge group's, refused or not let run"""
    for setting in ((), ("forks = approved",)):
        s = forked(scene.github())
        host = scene.Host(s, token=TOKEN, repository=[QUEUE, *setting])
        host.daemon()
        number, head = scene.pull(s, "docs", {"README": "x\n"})
        pull_step(s, host, number, token=None).run()
        event = s.on("pulls/%d/queue" % number)
        event["repository"] = s.api("GET", "/repos/" + s.repository).json
        group = event["merge_group"]["head_sha"]
        host.step("merge_group", event, run=2, token=None).run()
        s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "fetch", "-q", s.git_url,
                   event["merge_group"]["head_ref"] + ":refs/heads/group")
        for run, (branch, sha) in enumerate((("docs", head), ("group", group)), 3):
            other = steal(s, branch, run)
            result = host.step("pull_request", scene.pull_event(s, other), run=run, token=None).run()
            eq(result.code, 3, "%s %s: the stranger's is not run" % (branch, setting))
            all_done(host, run)
            eq(scene.status(s, sha)[-1], "success", "%s %s: the verdict stays" % (branch, setting))


def before_the_verdict():
    """The stranger's comes while the honest one is measured"""
    s = forked(scene.github(samples=200))
    host = scene.Host(s, token=TOKEN)
    host.daemon()
    number, head = scene.pull(s, "same", scene.distinct("right", "x"))
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "replicate " in step.log(), "the first replicate")
    host.step("pull_request", scene.pull_event(s, steal(s, "same", 2)), run=2, token=None).run()
    eq(scene.status(s, head), ["pending"], "what waits for a verdict goes on waiting")
    step.finish()
    all_done(host, 2)
    ok(scene.status(s, head)[0] == "pending" and len(scene.status(s, head)) == 2, "and then there is one",
       scene.status(s, head))


def by_an_app():
    """The same with check runs"""
    s, host = test_app.scenery(may=dict(test_app.MAY, checks="write"))
    forked(s)
    host.daemon()
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    pull_step(s, host, number, token=None).run()
    host.step("pull_request", scene.pull_event(s, steal(s, "docs", 2)), run=2, token=None).run()
    all_done(host, 2)
    eq([r["conclusion"] for r in s.state()["checks"] if r["head_sha"] == head], ["success"], "one, that stays")


def by_twins():
    """A draft, a closed one and a run by hand of a closed one"""
    s = scene.github()
    host = scene.Host(s, token=TOKEN, repository=["drafts = skip"])
    host.daemon()
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    pull_step(s, host, number, token=None).run()
    s.repo.git("branch", "twin", head)
    s.repo.push(s.git_url, "twin")
    twin = s.on("pulls", head="twin", title="x", user="alice", draft=True)["number"]
    pull_step(s, host, twin, run=2, token=None).run()
    event = scene.pull_event(s, twin)
    s.on("pulls/%d" % twin, draft=False)
    s.on("pulls/%d" % twin, state="closed")
    host.step("pull_request", event, run=3, token=None).run()
    all_done(host, 3)
    eq(scene.status(s, head), ["success"], "the verdict stays")


def cancelled_beside():
    """Of two runs of one head the newer is cancelled: the older one's verdict is told"""
    s = scene.github(samples=200)
    host = scene.Host(s, token=TOKEN)
    host.daemon()
    number, head = scene.pull(s, "same", scene.distinct("right", "x"))
    first = pull_step(s, host, number, token=None, run=1).start()
    lib.wait_for(lambda: "replicate " in first.log(), "the first replicate")
    second = pull_step(s, host, number, token=None, run=2).start()
    lib.wait_for(lambda: len(scene.status(s, head)) > 1, "the second's place")
    second.interrupt()
    second.finish()
    result = first.finish()
    all_done(host, 2)
    want = {0: "success", 1: "failure"}.get(result.code, "error")
    eq(scene.status(s, head)[-1], want, "the last word is the verdict's")
    said = scene.ours(s, number)
    ok(len(said) == 1 and "Ratchet: " + result.brief()[1] in said[0], "in the comment, too", said)


def after_the_verdict():
    """A twin that waits for the device and is cancelled: the verdict whose place it took is said again"""
    s = scene.github(samples=200)
    host = scene.Host(s, token=TOKEN)
    host.daemon()
    number, head = scene.pull(s, "same", scene.distinct("right", "x"))
    result = pull_step(s, host, number, token=None, run=1).run()
    want = {0: "success", 1: "failure"}.get(result.code, "error")
    eq(scene.status(s, head)[-1], want, "a verdict")
    other, _ = scene.pull(s, "other", scene.distinct("right", "y"))
    busy = pull_step(s, host, other, token=None, run=2).start()
    lib.wait_for(lambda: "replicate " in busy.log(), "the device is taken")
    s.repo.git("branch", "twin", head)
    s.repo.push(s.git_url, "twin")
    twin = s.on("pulls", head="twin", title="x", user="alice")["number"]
    step = pull_step(s, host, twin, token=None, run=3).start()
    lib.wait_for(lambda: scene.status(s, head)[-1] == "pending", "the twin's place")
    step.interrupt()
    step.finish()
    busy.finish()
    all_done(host, 3)
    last = s.statuses(head)[-1]
    eq(last["state"], want, "the verdict stands again")
    eq(last["description"], [x for x in s.statuses(head) if x["state"] == want][0]["description"], "in its own words")


def contexts():
    """Branches that differ by case, by what lies far behind, or in letters that are cut: a context each"""
    s = scene.github()
    host = scene.Host(s, token=TOKEN)
    host.daemon()
    names = ["release", "Release", "RELEASE", "Promotion", "promotion", "x" + "é" * 100, "r" * 200, "r" * 199 + "s"]
    head = scene.branch(s.repo, "docs", {"README": "x\n"})
    s.repo.push(s.git_url, "docs")
    for run, name in enumerate(names, 1):
        s.on("ref", ref="refs/heads/" + name, sha=s.repo.sha("main"))
        number = s.on("pulls", head="docs", base=name, title="x", user="alice")["number"]
        pull_step(s, host, number, run=run, token=None).run()
    all_done(host, len(names))
    found = [x["context"] for x in s.statuses(head) if x["state"] == "success"]
    eq((len(found), len({one.lower() for one in found})), (len(names), len(names)), "as GitHub reads them")
    ok(all(len(one.encode()) <= 255 for one in found), "none is longer than GitHub keeps", found)
    ok("ratchet/cpu (release)" in found, "a plain name is told as it is", found)


def overwritten_in_capitals():
    """A status that somebody sets by the same name in capitals is overwriting, too"""
    s = scene.github()
    host = scene.Host(s, token=TOKEN)
    host.daemon()
    s.post("tokens", token="mallorys", login="mallory")
    number, head = scene.pull(s, "wrong", "wrong")
    held = s.fault("/statuses[?]", "hold", method="GET")
    step = pull_step(s, host, number, token=None).start()
    s.await_fault(held)
    s.api("POST", "/repos/%s/statuses/%s" % (s.repository, head), {"state": "success", "context": "Ratchet/CPU"},
          token="mallorys")
    s.release(held)
    step.finish()
    all_done(host, 1)
    eq(s.statuses(head)[-1]["state"], "error", "ours is set again")


if __name__ == "__main__":
    lib.main(by_a_fork, before_the_verdict, by_an_app, by_twins, cancelled_beside, after_the_verdict,
             contexts, overwritten_in_capitals)
