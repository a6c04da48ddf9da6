#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watch mode: nobody hands anything to the daemon, it asks GitHub for what is new. Each look waits at a gate of
the stand-in until the test lets it through, so that nothing here depends on how fast the machine is."""

import os
import re
import signal

import lib
import scene
import test_app
from lib import BOT, TOKEN, eq, has, lacks, ok

FIRST_PAGE = r"/pulls\?state=open&sort=created&direction=asc&per_page=25&page=1&"


class Watch:
    """A watched repository, its daemon, and the gate at which its looks wait."""

    def __init__(self, s=None, token=TOKEN, repository=(), limits=None, gate=True, daemon=True, **more):
        self.s = s or scene.github()
        self.host = scene.Host(self.s, token=token, repository=("watch = true", *repository),
                               limits={"watch-ms": 1, "http-timeout-ms": 600000, **(limits or {})}, **more)
        self.gate = gate and self.s.fault(FIRST_PAGE, "gate", times=0)
        self.daemon = daemon and self.host.daemon()

    def look(self, times=1, **more):
        """So many whole looks: what is new was queued when this returns."""
        for _ in range(times):
            self.s.post("faults/%d/step" % self.gate, **more)

    def open(self):
        """Looks are not held any more."""
        self.s.control("DELETE", "faults/%d" % self.gate)
        self.gate = None

    def jobs(self):
        """[(state, about)] of all jobs, oldest first."""
        out = self.host.ratchet("status", "--socket", self.host.socket).out
        return [(line.split()[3], " ".join(line.split()[5:])) for line in reversed(out.splitlines())
                if re.match(r" *\d+ ", line)]

    def done(self, count):
        try:
            lib.wait_for(lambda: [state for state, _ in self.jobs()] == ["done"] * count, "")
        except RuntimeError:
            raise RuntimeError("%d jobs are not done: %s\n%s" % (count, self.jobs(), self.log()[-3000:]))

    def log(self):
        return lib.read(self.daemon.log)

    def quiet(self):
        """The newest jobs are done."""
        lib.wait_for(lambda: {state for state, _ in self.jobs()} == {"done"}, "all jobs to be done")

    def restart(self):
        self.daemon.kill()
        if self.gate:
            lib.wait_for(lambda: not self.s.control("GET", "faults/%d" % self.gate)["waiting"], "the look to be gone")
        self.daemon.start()


def pull_requests():
    """Each new head of an open pull request is checked, once, whatever else is looked at"""
    w = Watch()
    s = w.s
    w.look()
    eq(w.jobs(), [], "nothing is there, nothing is done")
    first, head = scene.pull(s, "docs", {"README": "x\n"})
    w.look()
    w.done(1)
    eq((len(scene.ours(s, first)), scene.status(s, head)[-1:]), (1, ["success"]), "the first head has its verdict")
    w.look(5)
    eq(len(w.jobs()), 1, "nothing changes: nothing is done")
    second = scene.branch(s.repo, "docs", "wrong", onto="docs")
    s.repo.push(s.git_url, "+docs")
    w.look()
    w.done(2)
    eq(scene.status(s, second)[-1:], ["error"], "another head is another check")
    s.on("pulls/%d" % first, title="another title")
    s.on("comments", issue=first, user="alice", body="nice")
    w.look(2)
    eq(len(w.jobs()), 2, "words are no new head")
    other, _ = scene.pull(s, "topic", {"README": "y\n"}, base="docs")
    w.look()
    eq(len(w.jobs()), 2, "a pull request into another branch is none of ours")
    s.on("pulls/%d" % other, base="main")
    w.look()
    w.done(3)
    ok(True, "until it goes to the promoted one")
    s.on("pulls/%d" % other, state="closed")
    w.look()
    s.on("pulls/%d" % other, state="open")
    w.look()
    w.done(4)
    ok(True, "one that is opened again is checked again")


def pages():
    """More pull requests than a page has: who moves to another page is not closed, nor checked again"""
    w = Watch()
    s = w.s
    s.repo.git("checkout", "-q", "main")
    pulls = [scene.pull(s, "pull-%d" % i, {"README": "%d\n" % i}) for i in range(27)]
    w.look(2)
    w.done(27)
    w.look(2)  # our comments have changed every page
    s.on("pulls/1", state="closed")
    s.on("pulls/2", state="closed")
    w.look(3)
    s.on("pulls/1", state="open")
    s.on("pulls/2", state="open")
    w.look(3)
    w.done(29)
    head = scene.branch(s.repo, "pull-26", {"README": "again\n"}, onto="pull-26")
    s.repo.push(s.git_url, "+pull-26")
    w.look(2)
    w.done(30)
    eq((missed(s, [head]), missed(s, [head for _, head in pulls])), ([], []), "each head has its verdict")


def pushes():
    """A push to the promoted branch is a promotion; one that was ours is none, and the first tip is no push"""
    w = Watch()
    s = w.s
    w.look(2)
    eq(w.jobs(), [], "the tip that is there is no push")
    s.on("commit", branch="other", files={"README": "z\n"}, message="elsewhere")
    w.look(2)
    eq(w.jobs(), [], "nor is a push to another branch")
    pushed = s.on("commit", branch="main", files={"README": "z\n"}, message="a word")
    w.look(2)
    w.done(1)
    tip = s.state()["refs"]["refs/heads/main"]
    has(s.api("GET", "/repos/octo/kernels/commits/" + tip).json["commit"]["message"], "Ratchet-Promotion: cpu",
        "the first push records the baseline")
    w.look(3)
    eq(len(w.jobs()), 1, "and our own push is no news")
    lie = s.on("commit", branch="main", files={"README": "y\n", "baselines/x": "x\n"},
               message="words\n\nRatchet-Promotion: cpu\n")
    w.look(2)
    w.done(2)
    ok(pushed != lie, "who only says so is promoted like anybody")


def words():
    """A comment or a label asks for another check, where its author may write; what is old, edited, or a program's does
    not count"""
    w = Watch()
    s = w.s
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    s.on("comments", issue=number, user="alice", body="/ratchet run")
    w.look()
    w.done(1)
    s.post("users", login="renovate", kind="Bot")
    s.post("tokens", token="alices", login="alice")
    say = lambda who, body: s.on("comments", issue=number, user=who, body=body)
    w.look()
    eq(len(w.jobs()), 1, "a comment from before counts for nothing")
    for who, body, why in (("zoe", "/ratchet run", "may only read"), ("mallory", "/ratchet run", "is nobody here"),
                           ("alice", "please /ratchet run", "says it in the middle"),
                           ("alice", "/ratchet running", "says another word"),
                           ("alice", "/ratchet run " + "0" * 40, "names another head"),
                           (None, "/ratchet run", "is deleted"), ("renovate", "/ratchet run", "is a program")):
        say(who, body)
        w.look(2)
        eq(len(w.jobs()), 1, "nobody who %s" % why)
    edited = say("alice", "nice")["ids"][0]
    s.api("PATCH", "/repos/octo/kernels/issues/comments/%d" % edited, {"body": "/ratchet run"}, token="alices")
    w.look(2)
    eq(len(w.jobs()), 1, "nor a comment that was edited")
    say("alice", "/ratchet run\r\nplease")
    w.look(2)
    w.done(2)
    eq(len(scene.ours(s, number)), 1, "who may write gets another check, in the same comment")
    say("alice", "/ratchet run  " + head[:10] + " ")
    say("alice", "/ratchet run")
    w.look(2)
    w.done(4)
    ok(True, "two words are two checks, by the head that one names")
    s.on("pulls/%d/label" % number, name="ratchet:run", by="zoe")
    w.look(2)
    eq(len(w.jobs()), 4, "a reader's label does not count")
    s.on("pulls/%d/label" % number, name="ratchet:run", by="alice", on=False)
    s.on("pulls/%d/label" % number, name="ratchet:run", by="alice")
    w.look(2)
    w.done(5)
    say("alice", "well")
    w.look(3)
    eq(len(w.jobs()), 5, "a label counts once")
    w.restart()
    w.look(3)
    eq(len(w.jobs()), 5, "also after a restart")
    lacks(w.log(), "goes on", "nothing went wrong")


def runs():
    """A run of Actions whose name says so asks for another check, and each time that it is run again, where whoever
    started it may write; what is older, of another name, event or person does not count"""
    w = Watch(limits={"queue-jobs": 100})
    s = w.s
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    wants = "/ratchet run %d" % number
    begin = lambda run, **more: s.on("runs", **{"id": run, "actor": "alice", "title": wants, **more})
    begin(3, status="completed")
    w.look()
    w.done(1)
    s.post("users", login="renovate", kind="Bot")
    begin(3, attempt=1, status="queued")
    w.look(2)
    eq(len(w.jobs()), 1, "a run from before counts for nothing")
    for at, (why, more) in enumerate({
            "is by a reader": {"actor": "zoe"}, "is by nobody here": {"actor": "mallory"}, "is by a program": {"actor": "renovate"},
            "is by an account that is gone": {"actor": None}, "is a reader's, run again by another": {"actor": "zoe", "triggering_actor": "alice"},
            "is run again by a reader": {"triggering_actor": "zoe", "attempt": 2}, "is a push's": {"event": "push"},
            "has another name": {"title": "ratchet"}, "names no number": {"title": "/ratchet run"},
            "names no pull request": {"title": "/ratchet run 4711"}, "names more": {"title": wants + " --all"},
            "names a part of the head": {"title": "%s %s" % (wants, head[:10])}, "says it in the middle": {"title": "please " + wants},
            "names another head": {"title": wants + " " + "0" * 40}, "has a long name": {"title": wants + " " * 500}}.items()):
        begin(10 + at, **more)
        w.look(2)
        eq(len(w.jobs()), 1, "a run that " + why)
    begin(40, status="queued")
    w.look(2)
    w.done(2)
    eq(len(scene.ours(s, number)), 1, "a run by who may write is another check, in the same comment")
    begin(40, status="completed")
    w.look(2)
    eq(len(w.jobs()), 2, "its end is no other")
    begin(40, status="queued", attempt=2)
    w.look(2)
    w.done(3)
    ok(True, "run again, it is one")
    begin(3, attempt=2)
    w.look(2)
    w.done(4)
    ok(True, "also where it is from before")
    begin(41, title="%s %s" % (wants.replace("run ", "run #"), head))
    w.look(2)
    w.done(5)
    ok(True, "it may name the head")
    for run in range(50, 90):
        begin(run, title="nightly" if run % 10 else wants)
    w.look(2)
    w.done(9)
    ok(True, "more than a page of them are read to the end")
    w.restart()
    w.look(3)
    eq(len(w.jobs()), 9, "none twice, also after a restart")
    s.on("pulls/%d" % number, state="closed")
    begin(100)
    w.look(2)
    eq(len(w.jobs()), 9, "what is closed is not checked")
    lacks(w.log(), "goes on", "nothing went wrong")


def runs_that_may_not_be_read():
    """A token without actions: read loses nothing else, and is not refused again and again"""
    s = scene.github()
    s.post("tokens", token="watchers", login="watcher", permissions={"contents": "read", "pull_requests": "write",
                                                                     "statuses": "write", "metadata": "read"})
    w = Watch(s, token="watchers")
    s.on("runs", id=3, actor="alice", title="/ratchet run 1")
    w.look(3)
    scene.pull(s, "docs", {"README": "x\n"})
    w.look(3)
    eq(len(w.jobs()), 1, "a head is seen")
    eq(len([r for r in s.requests("GET", "/actions/runs")]), 1, "it is asked once")
    eq(w.log().count("takes actions: read"), 1, "and said once")


def forks():
    """A fork's pull request is refused as by a step; nobody's word has it run"""
    w = Watch()
    s = w.s
    s.post("repos", full_name="mallory/kernels", source=s.repo.path)
    s.post("repos/mallory/kernels/commit", branch="slow", files={"kernels/attention.c": scene.kernel("slow")},
           message="slow", parent="main")
    pull = s.on("pulls", head="slow", title="mine", user="mallory", head_repo="mallory/kernels")
    w.look()
    w.done(1)
    has(scene.plain(scene.ours(s, pull["number"])[0]), "comes from the fork", "it is told why")
    s.on("comments", issue=pull["number"], user="alice", body="/ratchet run")
    s.on("pulls/%d/label" % pull["number"], name="ratchet:run", by="alice")
    w.look(2)
    eq(len(w.jobs()), 1, "no word starts another")


def missed(s, heads):
    """Those that have no final status of ours."""
    return [head for head in heads if not {"success", "failure", "error"} & set(scene.status(s, head))]


def away():
    """Killed at any moment, and with GitHub away: no head is missed, none is checked twice"""
    s = scene.github()
    door = s.post("doors")["url"]
    w = Watch(s, api=door, gate=False, limits={"github-timeout-ms": 2000, "watch-ms": 20})
    port = int(door.rpartition(":")[2])
    heads = {}
    for at in range(3):
        number, heads[at] = scene.pull(s, "pull-%d" % at, {"README": "%d\n" % at})
    lib.wait_for(lambda: not missed(s, heads.values()), "the first heads to have their verdicts")
    w.done(3)
    s.post("doors/%d" % port, open=False)
    told = lambda: len(re.findall("^ratchetd: watch octo/kernels: (?!goes on)", w.log(), re.M))
    before = told()
    lib.wait_for(lambda: told() > before, "the daemon to notice")
    for at in (0, 2):
        heads[at] = scene.branch(s.repo, "pull-%d" % at, {"README": "again %d\n" % at}, onto="pull-%d" % at)
        s.repo.push(s.git_url, "+pull-%d" % at)
    number, heads[3] = scene.pull(s, "pull-3", {"README": "new\n"})
    s.post("clock", advance=24 * 3600)
    w.restart()
    before = told()
    lib.wait_for(lambda: told() > before, "the next one to notice, too")
    ok(told() <= before + 2, "that is not said with each look", w.log()[-2000:])
    s.post("doors/%d" % port, open=True)
    lib.wait_for(lambda: not missed(s, heads.values()), "each head to have its verdict")
    w.done(6)
    has(w.log(), "goes on", "the log says that it goes on")
    for turn in range(8):  # killed where a look is at each of its requests
        fault = s.fault(("/pulls[?]state", "/git/ref", "/issues/comments[?]", "/pulls/1$")[turn % 4], "hold")
        heads[0] = scene.branch(s.repo, "pull-0", {"README": "turn %d\n" % turn}, onto="pull-0")
        s.repo.push(s.git_url, "+pull-0")
        s.await_fault(fault)
        w.daemon.kill()
        s.release(fault)
        w.daemon.start()
    lib.wait_for(lambda: not missed(s, heads.values()), "the last head to have its verdict")
    w.quiet()
    verdicts = [x["sha"] for x in s.statuses() if x["state"] != "pending"]
    eq(len(verdicts), len(set(verdicts)), "no head has two")


def limits():
    """GitHub's limit is waited for, and not asked about; what came meanwhile is seen after it"""
    w = Watch()
    s = w.s
    w.look()
    now = s.post("clock", stopped=True)["now"]
    s.post("limits", on=True)
    s.post("limits/used", token=TOKEN, used=5000, reset_in=900)
    w.open()
    budget = lambda: s.control("GET", "limits")["budgets"][0]
    lib.wait_for(lambda: budget()["refused"] > 0, "a refusal")
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    lib.wait_for(lambda: "rate limit" in w.log(), "it to be told")
    eq((budget()["refused"], budget()["polled"]), (1, 0), "nobody asks before it is over")
    s.post("clock", now=now + 901)
    s.post("limits", on=False)
    w.restart()
    lib.wait_for(lambda: not missed(s, [head]), "the head's verdict")
    w.done(1)


def app():
    """An App's token is renewed by GitHub's clock before it ends; suspended, watching waits and goes on"""
    s = scene.github()
    key, public = test_app.key_pair()
    s.post("apps", number=test_app.APP, slug="ratchet-octo", key=public, permissions=test_app.MAY)
    s.post("apps/%d/installed" % test_app.APP, repository=s.repository)
    w = Watch(s, token=None, app=(test_app.APP, key))
    made = lambda: len(s.requests("POST", "/access_tokens"))
    w.look(100, advance=30)
    eq(made(), 1, "fifty minutes are one token")
    w.look(1, advance=30)
    w.look(20, advance=30)
    eq((made(), [r for r in s.requests() if r["status"] == 401]), (2, []), "then there is another, before it ends")
    eq(len(test_app.tokens(s)), 1, "and the first is revoked")
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    w.look()
    w.done(1)
    eq([c["user"] for c in s.comments(number)], [test_app.BOT], "the App tells the verdict")
    w.open()
    s.post("apps/%d/installed" % test_app.APP, repository=s.repository, suspended=True)
    lib.wait_for(lambda: "is suspended" in w.log(), "the suspension to be told")
    head = scene.branch(s.repo, "docs", {"README": "y\n"}, onto="docs")
    s.repo.push(s.git_url, "+docs")
    s.post("apps/%d/installed" % test_app.APP, repository=s.repository, suspended=False)
    lib.wait_for(lambda: not missed(s, [head]), "the head of meanwhile to have its verdict")
    ok(not [r for r in s.requests() if "leaked" in r], "no token stood anywhere else")
    lacks(w.log(), "ghs_", "nor in the log")
    lib.wait_for(lambda: len(test_app.tokens(s)) == 1, "the jobs' tokens to be revoked")
    os.kill(w.daemon.process.pid, signal.SIGTERM)
    w.daemon.process.wait(60)
    eq(test_app.tokens(s), [], "a daemon that is stopped leaves none")


def doctor():
    """What a watched repository needs is tried by doctor, and said where the token may not"""
    s = scene.github()
    w = Watch(s, daemon=False, token="watchers")
    told = lambda: next((line for line in w.host.ratchet("doctor", "--config", w.host.config).out.splitlines()
                         if "  watch " in line), "")
    w.open()
    for may, words in (({"contents": "read", "pull_requests": "read", "metadata": "read"}, "ok  .*can be read"),
                       ({"contents": "read", "issues": "read"}, "FAIL .*takes pull-requests: read: .*403")):
        s.post("tokens", token="watchers", login="watcher", permissions=may)
        has(told(), re.compile(words), "with %s" % may)


if __name__ == "__main__":
    lib.main(pull_requests, pages, pushes, words, runs, runs_that_may_not_be_read, forks, away, limits, app, doctor)
