#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever ends a job ends it visibly: a final status on its head and a comment, unless a newer head
exists. Here are the ends that are no verdict: what cannot be pinned, what is cancelled, what keeps
failing, tokens that die, and what a daemon finds at its start. Nothing is measured but where a job
has to be met in the middle."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3

import lib
import scene
from lib import BOT, TOKEN, eq, has, lacks, ok
from test_daemon import LONG, jobs, pull_step, scenery


def settled(s, host, count=1):
    """All of that many jobs are over and told."""
    lib.wait_for(lambda: [state for state, *_ in jobs(host)] == ["done"] * count, "GitHub to know of all")


def check_told(s, number, head, words, what, comments=1):
    eq(scene.status(s, head)[-1:], ["error"], what + ": a final status on its head")
    said = scene.ours(s, number)
    eq(len(said), comments, what + ": and a comment")
    if said:
        has(said[0], words, what + ": which says why")


def dispatch(s, number):
    view = s.api("GET", "/repos/" + scene.REPOSITORY, token=TOKEN).json
    return {"inputs": {"pull-request": str(number)}, "ref": "refs/heads/main", "repository": view,
            "sender": {"login": "alice"}, "workflow": ".github/workflows/ratchet.yml"}


# ---- what cannot be pinned ----

def not_pinned():
    """A pull request that cannot be pinned is told so at GitHub, on its own head"""
    s, host, _ = scenery(token=TOKEN)
    docs = {"README": "x\n"}
    conflict, conflict_head = scene.pull(s, "conflict", {"README": "theirs\n"})
    s.repo.commit({"README": "ours\n"}, "main goes on", branch="main")
    s.repo.push(s.git_url, "main")
    fork, fork_head = scene.pull(s, "fork", docs)
    s.on("pulls/%d" % fork, head_repo=None)
    closed, closed_head = scene.pull(s, "closed", docs)
    s.on("pulls/%d" % closed, state="closed")
    for run, (what, number, head, words) in enumerate((
            ("a conflict", conflict, conflict_head, "conflict"),
            ("a fork", fork, fork_head, "fork"),
            ("closed", closed, closed_head, "not open")), 1):
        result = host.step("workflow_dispatch", dispatch(s, number), run=run, token=None).run()
        eq(result.brief(), (3, "unmeasured"), what)
        settled(s, host, run)
        lacks(result.out, "moved on", what + ": nothing has moved on")
        check_told(s, number, head, words, what)


def head_not_told():
    """Where GitHub does not tell the head, the event's is taken, once GitHub knows it as the pull
    request's"""
    s, host, _ = scenery(token=TOKEN)
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    event = scene.pull_event(s, number)
    s.fault(r"/pulls/%d$" % number, "answer", times=0, status=410, body={"message": "Gone"})
    eq(host.step("pull_request", event, token=None).run().code, 3, "no verdict")
    settled(s, host)
    check_told(s, number, head, "410", "the head of the event")
    lie = json.loads(json.dumps(event))
    lie["pull_request"]["head"]["sha"] = s.repo.sha("main")
    before = len(s.statuses())
    eq(host.step("pull_request", lie, run=2, token=None).run().code, 3, "an event that names main's tip")
    settled(s, host, 2)
    eq(len(s.statuses()), before, "sets no status there")


def one_bad_answer():
    """One refused or broken answer of the API or of git is no end"""
    s, host, _ = scenery(token=TOKEN)
    for run, (path, action, more) in enumerate((
            (r"/pulls/\d+$", "drop", {}), (r"/pulls/\d+$", "answer", {"status": 503, "body": {}}),
            ("/comments", "drop", {}), ("/statuses/", "answer", {"status": 502, "body": "<html>"})), 1):
        number, head = scene.pull(s, "docs-%d" % run, {"README": "%d\n" % run})
        step = host.step("pull_request", scene.pull_event(s, number), run=run, token=None)
        s.fault(path, action, **more)
        eq(step.run().brief(), (0, "held"), "%s: %s" % (path, action))
        settled(s, host, run)
        eq((scene.status(s, head)[-1:], len(scene.ours(s, number))), (["success"], 1), "and all is told")


def refused_once():
    """A final status that is refused is owed until GitHub takes it, and `ratchet status` says what it answered"""
    s, host, daemon = scenery(token=TOKEN, limits={"retry-ms": 100})
    for run, status in enumerate((403, 404, 410, 422), 1):
        number, head = scene.pull(s, "wrong-%d" % run, scene.distinct("wrong", str(run)))
        s.fault("/statuses/", "answer", method="POST", skip=1, times=0, status=status, body={"message": "No, %d" % run})
        step = pull_step(s, host, number, run=run, token=None)
        eq(step.run().brief(), (3, "unmeasured"), "%d: the step has its verdict" % status)
        lib.wait_for(lambda: "GitHub did not take it: POST" in host.ratchet("status", "--config", host.config).out,
                     "`ratchet status` to say so")
        has(host.ratchet("status", "--config", host.config).out, "%d: No, %d" % (status, run), "in GitHub's words")
        eq(scene.status(s, head), ["pending"], "%d: it waits" % status)
        s.calm()
        settled(s, host, run)
        eq(scene.status(s, head), ["pending", "error"], "%d: and comes to its end" % status)
        lacks(host.ratchet("status", "--config", host.config).out, "No, %d" % run, "%d: which is no trouble" % status)


def comes_late(killed):
    """A first `pending` that GitHub carries out after the final status"""
    s, host, daemon = scenery(token=TOKEN, limits={"http-timeout-ms": 3000})
    number, head = scene.pull(s, "wrong", "wrong")
    late = s.fault("/statuses/", "hold", method="POST")
    again = s.fault("/statuses/", "hold", method="POST", skip=1 if killed else 2)
    step = pull_step(s, host, number, token=None).start()
    if killed:
        s.await_fault(late)
        daemon.kill()
        daemon.start()
    s.await_fault(again)
    eq(scene.status(s, head), ["error"] if killed else ["pending", "error"], "the final status is there")
    s.release(late)
    lib.wait_for(lambda: scene.status(s, head)[-1] == "pending", "the first to be carried out")
    s.release(again)
    eq(step.finish().brief(), (3, "unmeasured"), "the step's verdict")
    settled(s, host)
    eq(scene.status(s, head)[-1], "error", "is the last word")


def come_late():
    """A `pending` that nobody answered, and that GitHub carries out after the final status, does not stay"""
    comes_late(killed=False)


def come_late_after_a_kill():
    """Nor does one that was on its way when the daemon was killed"""
    comes_late(killed=True)


def older_comes_late():
    """A final status without an answer, carried out after that of a newer job on the same commit, does not stay"""
    s, host, _ = scenery(token=TOKEN, limits={"http-timeout-ms": 8000})
    number, head = scene.pull(s, "wrong", "wrong")
    late = s.fault("/statuses/", "hold", method="POST", skip=1)
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: scene.status(s, head) == ["pending", "error"], "the final status, tried again")
    step.finish()
    s.repo.commit({"kernels/attention.c": scene.kernel("wrong")}, "main is as wrong", branch="main")
    s.repo.push(s.git_url, "main")
    again = s.fault("/statuses/", "hold", method="POST", skip=1)
    newer = pull_step(s, host, number, run=2, token=None).start()
    s.await_fault(again)
    eq(scene.status(s, head), ["pending", "error", "success"], "the newer job's is there")
    s.release(late)
    lib.wait_for(lambda: scene.status(s, head)[-1] == "error", "the older one to be carried out")
    s.release(again)
    eq(newer.finish().brief(), (0, "held"), "the newer verdict")
    settled(s, host, 2)
    eq(scene.status(s, head)[-1], "success", "is the last word")


def quiet():
    """[report] comment: `never` and `change` make none for held; `change` makes one for another verdict, and
    whatever is there is kept up to date. Base's word counts, and the status is told in any case"""
    s, host, _ = scenery(token=TOKEN)
    run = 0
    for word, held, other in (("change", 0, 1), ("never", 0, 0), ("always", 1, 1)):
        rules = scene.conf() + "[report]\n    comment = %s\n" % word
        s.repo.commit({"ci/ratchet.conf": rules}, word, branch="main")
        s.repo.push(s.git_url, "main")
        number, head = scene.pull(s, "own-" + word, {"README": "a\n"})
        for path, verdict, count in (("kernels", "held", held), ("nothing", "unmeasured", other),
                                     ("kernels", "held", other)):
            head = s.repo.commit({"ci/ratchet.conf": rules.replace("path = kernels", "path = " + path)}, path,
                                 branch="own-" + word)
            s.repo.push(s.git_url, "own-" + word)
            run += 1
            eq(host.step("pull_request", scene.pull_event(s, number), run=run, token=None).run().brief()[1],
               verdict, "%s: %s" % (word, verdict))
            lib.wait_for(lambda: jobs(host)[0][0] == "done", "GitHub to know")
            said = scene.ours(s, number)
            eq(len(said), count, "%s: comments after %s" % (word, verdict))
            ok(all("Ratchet: " + verdict in one for one in said), "no old verdict is told", said)
            eq(scene.status(s, head)[-1], "success" if verdict == "held" else "error", "the status")


# ---- steps that fail ----

def steps_keep_failing():
    """A job whose steps keep failing ends with a verdict that says so"""
    s, host, daemon = scenery(token=TOKEN, limits={"retry-ms": 100})
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    lib.write(os.path.join(host.state, "repos"), "a file where the caches should be\n")
    step = pull_step(s, host, number, token=None)
    eq(step.run().brief(), (3, "unmeasured"), "no verdict")
    settled(s, host)
    check_told(s, number, head, "kept failing", "given up")
    has(scene.ours(s, number)[0], "repos", "and at what")


def disk_is_back():
    """A step whose end could not be written down is taken again once it can"""
    s, host, daemon = scenery(token=TOKEN, limits={"retry-ms": 100})
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    jobs_folder = os.path.join(host.state, "jobs")
    shutil.rmtree(jobs_folder, ignore_errors=True)
    lib.write(jobs_folder, "no room for jobs\n")
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "kept failing" in str(ending(host)), "the daemon to give it up")
    eq(scene.status(s, head), [], "it cannot be said yet")
    os.unlink(jobs_folder)
    result = step.finish()
    eq(result.code, 3, "told as soon as there is room")
    settled(s, host)
    check_told(s, number, head, "kept failing", "given up")


def ending(host):
    base = sqlite3.connect("file:%s?mode=ro" % os.path.join(host.state, "queue.db"), uri=True)
    try:
        return base.execute("SELECT state, why FROM job").fetchall()
    finally:
        base.close()


# ---- cancelled ----

def cancelled_and_restarted():
    """A cancelled job is told to GitHub, whatever dies meanwhile"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 500, "retry-ms": 100}, token=TOKEN, **LONG)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    s.fault("/(statuses|comments)", "answer", times=0, status=503, body={})
    step.interrupt()
    eq(step.finish(30).code, 3, "cancelled")
    eq(scene.status(s, head), ["pending"], "GitHub has not heard of it")
    daemon.kill()
    s.calm()
    daemon.start()
    settled(s, host)
    check_told(s, number, head, "cancelled", "after a restart")


def strangers_cannot_cancel():
    """Who only knows a job's run neither cancels it nor takes its token away"""
    s, host, daemon = scenery(**LONG)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number).start()
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    message = {"type": "submit", "version": 1, "kind": "check", "repository": scene.REPOSITORY,
               "pr": number, "device": "cpu", "run": "1", "attempt": "1", "job": "check",
               "repository_id": step.env["GITHUB_REPOSITORY_ID"], "token": "a bad one"}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(host.socket)
        client.settimeout(60)
        client.sendall(json.dumps(message).encode() + b"\n" + b'{"type":"cancel"}\n')
        client.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            piece = client.recv(65536)
            got += piece
            if not piece:
                break
    words = [json.loads(line) for line in got.decode().splitlines()]
    eq(words[0]["known"], True, "an old client finds the job")
    eq(words[0]["secret"], "", "it is told no secret")
    has(words[-1].get("text", ""), "another client", "and cannot cancel")
    scene.fair(step.finish(), (1, "regressed"), "the job goes on")
    settled(s, host)
    eq(scene.status(s, head)[-1], "failure", "and is told with its own token")
    if os.geteuid() != 0:
        return
    other = [lib.program("RATCHET"), "submit"]
    binary = os.path.join(step.folder, "ratchet")
    shutil.copy(other[0], binary)
    for folder, _, files in os.walk(step.folder):
        os.chmod(folder, 0o777)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o777)
    os.chmod(os.path.dirname(host.folder), 0o1777)
    daemon.kill()
    lib.write(host.config, lib.read(host.config).replace(
        "[daemon]", "[daemon]\nallow-user = nobody"))
    daemon.start()
    run = lib.run(["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups", binary,
                   *step.argv[1:]], env=step.env, cwd=step.folder)
    has(run.out, "job 2 is accepted", "another user's is a job of its own, and hears nothing of this one")


def cancelled_before_its_head():
    """Cancelled before it knew its head, killed between its status and its comment: both arrive"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 500}, token=TOKEN)
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    step = pull_step(s, host, number, token=None)
    held = s.fault(r"/pulls/1$", "hold", method="GET")
    s.fault("/comments", "answer", times=0, status=503, body={})
    step.start("--wait", "60")
    s.await_fault(held)
    step.interrupt()
    lib.wait_for(lambda: scene.status(s, head), "the status")
    lib.wait_for(lambda: s.requests("GET", "/comments"), "the comment to be tried")
    step.finish()
    daemon.kill()
    s.calm()
    daemon.start()
    settled(s, host)
    check_told(s, number, head, "cancelled", "after a restart")


def overtaken():
    """A job that comes to its measurement after a newer one of the same head is told leaves no pending"""
    s, host, daemon = scenery(token=TOKEN, limits={"retry-ms": 3600000})
    number, head = scene.pull(s, "broken", "broken")
    first, again = (pull_step(s, host, number, run=run, token=None) for run in (1, 2))
    held = s.fault(r"/pulls/1$", "hold", method="GET")
    first.start("--wait", "60")
    s.await_fault(held)
    asking = lib.read("/proc/%d/task/%d/children" % (daemon.process.pid, daemon.process.pid)).split()
    os.kill(int(asking[0]), signal.SIGKILL)  # the first job is tried again in an hour
    s.release(held)
    eq(again.run().brief(), (3, "unmeasured"), "the newer one has its verdict")
    lib.wait_for(lambda: [state for state, *_ in jobs(host)] == ["done", "accepted"], "the first to be alone")
    daemon.kill()
    daemon.start()
    settled(s, host, 2)
    eq(scene.status(s, head), ["pending", "error"], "the newer one's status stands")
    eq(len(scene.ours(s, number)), 1, "one comment")


# ---- tokens that die ----

def token_of(s, name, **permissions):
    s.post("tokens", token=name, login=BOT, **({"permissions": permissions} if permissions else {}))
    return name


def token_dies():
    """The token of a job dies with it: another job's delivers what is owed, and so does --settle"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 500})
    for run, way in ((1, "another job"), (2, "--settle")):
        number, head = scene.pull(s, "topic-%d" % run, {"README": "%d\n" % run})
        step = pull_step(s, host, number, run=run, token=token_of(s, "dies-%d" % run))
        held = s.fault("/comments", "hold")
        step.start()
        s.await_fault(held)
        s.control("DELETE", "tokens/dies-%d" % run)
        s.release(held)
        eq(step.finish().brief(), (0, "held"), "the step has its verdict")
        s.calm()
        eq(scene.ours(s, number), [], "GitHub refused the token")
        eq(jobs(host)[0][0], "judged", "what is owed waits")
        fresh = token_of(s, "fresh-%d" % run)
        if way == "--settle":
            settle = pull_step(s, host, number, run=90 + run, token=fresh)
            eq(settle.start("--settle").process.wait(60), 0, way)
            has(settle.log(), "owed nothing", "it says so")
        else:
            other, _ = scene.pull(s, "later", {"README": "later\n"})
            eq(pull_step(s, host, other, run=91, token=fresh).run().code, 0, way)
        lib.wait_for(lambda: all(state == "done" for state, *_ in jobs(host)), "all to be told")
        eq((scene.status(s, head)[-1:], len(scene.ours(s, number))), (["success"], 1),
           way + " delivers")


def settle_alone():
    """--settle where nothing is owed, and where its token is no better"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 500})
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    settle = pull_step(s, host, number, run=9)
    eq(settle.start("--settle").process.wait(60), 0, "nothing is owed")
    reads = token_of(s, "reads", contents="read", pull_requests="read", metadata="read")
    eq(pull_step(s, host, number, token=reads).run().brief(), (0, "held"), "a token that may not post")
    again = pull_step(s, host, number, run=10, token=reads)
    eq(again.start("--settle", "--wait", "2").process.wait(60), 0, "one that may not, either")
    has(again.log(), "still owed", "says that something is left")
    eq(scene.ours(s, number), [], "nothing was posted")


def one_jobs_trouble():
    """What GitHub refuses to one job is no other's trouble, and nobody acts with another's token"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 500, "retry-ms": 100, "token-wait-ms": 3000})
    nobody = host.step("workflow_dispatch", dispatch(s, 999), token=token_of(s, "reads-all"))
    eq(nobody.run().code, 3, "a pull request that is not there")
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    bad = pull_step(s, host, number, run=3, token="garbage")
    good = pull_step(s, host, number, run=2, token=token_of(s, "good"))
    held = s.fault(r"/pulls/%d$" % number, "hold")
    good.start()
    s.await_fault(held)
    bad.start()
    lib.wait_for(lambda: "job 3 is" in bad.log(), "the bad one to be accepted")
    s.release(held)
    eq(bad.finish().code, 3, "a token that GitHub does not know")
    has(bad.log(), "401", "ends with GitHub's word")
    eq(good.finish().brief(), (0, "held"), "the good one has its verdict meanwhile")
    lib.wait_for(lambda: scene.status(s, head), "its status")
    eq((scene.status(s, head), len(scene.ours(s, number))), (["success"], 1), "and is told")
    later, later_head = scene.pull(s, "more", {"README": "y\n"})
    eq(pull_step(s, host, later, run=4, token=token_of(s, "later")).run().brief(), (0, "held"),
       "so is the next")
    eq(scene.status(s, head), ["success"], "nothing was told of the garbage with another's token")
    ok("Unmeasured" not in scene.ours(s, number)[0] and "401" not in scene.ours(s, number)[0],
       "and the comment is the good one's", scene.ours(s, number)[0])
    eq([state for state, *_ in jobs(host)].count("judged"), 2, "what nobody may tell is seen in status")


def github_is_away():
    """GitHub that is away while a job is pinned, and a host's token that is just renewed, are waited
    for"""
    s, host, daemon = scenery(limits={"github-timeout-ms": 300, "retry-ms": 100}, token="renewed")
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "401" in step.log(), "GitHub's word")
    token_of(s, "renewed")
    eq(step.finish().brief(), (0, "held"), "a token that comes later")
    step = pull_step(s, host, number, run=2, token=None)
    s.fault(r"/pulls/", "answer", times=0, status=503, body={})
    step.start()
    lib.wait_for(lambda: step.log().count("503") > 1, "it to be asked again")
    s.calm()
    eq(step.finish().brief(), (0, "held"), "a server that comes back")
    os.unlink(os.path.join(host.folder, "token"))
    third = pull_step(s, host, number, run=3, token=None)
    eq(third.run().code, 3, "no token file: nothing can be asked")
    eq(jobs(host)[0][0], "judged", "and GitHub cannot be told")
    lib.write(os.path.join(host.folder, "token"), "renewed\n", 0o600)
    settled(s, host, 3)
    eq(scene.status(s, head)[-1], "error", "until there is one again")


def cancelled_in_the_queue():
    """A job that is cancelled before it was pinned is told on the commit it was made for"""
    s, host, daemon = scenery(token=TOKEN)
    number, old = scene.pull(s, "docs", {"README": "x\n"})
    step = pull_step(s, host, number, token=None)
    held = s.fault(r"/pulls/%d$" % number, "hold")
    step.start()
    s.await_fault(held)
    new = scene.branch(s.repo, "docs", {"README": "y\n"}, onto="docs")
    s.repo.push(s.git_url, "+docs")
    step.interrupt()
    eq(step.finish(30).code, 3, "cancelled")
    s.release(held)
    settled(s, host)
    eq((scene.status(s, old), scene.status(s, new)), (["error"], []), "the status is on its own commit")
    eq(scene.ours(s, number), [], "and no comment where there is a newer head")


def cancelled_after_a_verdict():
    """Where the status of a verdict stands, so does its comment: a run that was cancelled, or refused, in the queue takes
    neither away"""
    s, host, daemon = scenery(token=TOKEN)
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    eq(pull_step(s, host, number, run=1, token=None).run().brief(), (0, "held"), "the verdict")
    step = pull_step(s, host, number, run=2, token=None)
    held = s.fault(r"/pulls/%d$" % number, "hold")
    step.start()
    s.await_fault(held)
    step.interrupt()
    eq(step.finish(30).code, 3, "cancelled")
    s.release(held)
    settled(s, host, 2)
    s.on("pulls/%d" % number, state="closed")
    eq(host.step("workflow_dispatch", dispatch(s, number), run=3, token=None).run().code, 3, "a closed one")
    settled(s, host, 3)
    eq(scene.status(s, head)[-1], "success", "the status stands")
    said = scene.ours(s, number)
    ok(len(said) == 1 and "Ratchet: held" in said[0], "and the comment says the same", said)


# ---- one dead server among two ----

def dead_server():
    """A server that does not answer holds up its own repository's jobs, not another's"""
    s, host, daemon = scenery(token=TOKEN)
    other = lib.Standin("octo/other")
    other.repo = s.repo
    s.repo.push(other.git_url, "main")
    daemon.kill()
    lib.write(host.config, lib.read(host.config).replace(
        "[limits]", "") + '[repository "octo/other"]\napi = %s\ngit = %s\nauthor = %s\n'
        "token = host\ntoken-file = %s\n" % (other.url, other.git_url, BOT,
                                             os.path.join(host.folder, "token")))
    daemon.start()
    dead, _ = scene.pull(s, "docs", {"README": "x\n"})
    held = s.fault(r"/pulls/%d$" % dead, "hold", times=0)
    event = {"inputs": {"pull-request": str(dead)}, "repository": {"full_name": scene.REPOSITORY}}
    waits = host.step("workflow_dispatch", event, token=None).start()
    s.await_fault(held)
    number, head = scene.pull(other, "docs", {"README": "y\n"})
    event = {"inputs": {"pull-request": str(number)}, "repository": {"full_name": "octo/other"}}
    alive = host.step("workflow_dispatch", event, run=2, token=None, GITHUB_API_URL=other.url,
                      GITHUB_REPOSITORY="octo/other")
    eq(alive.run().brief(), (0, "held"), "the other repository has its verdict")
    eq((scene.status(other, head), len(scene.ours(other, number))), (["success"], 1), "and it is told")
    s.release(held)
    eq(waits.finish().brief(), (0, "held"), "so has the first, once its server answers")


# ---- what a daemon finds at its start ----

def database():
    """A database that is lost, damaged or newer: no folder twice, and one line at the start"""
    s, host, daemon = scenery(token=TOKEN)
    path = os.path.join(host.state, "queue.db")
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    eq(pull_step(s, host, number, token=None).run().code, 0, "a job")
    for what, content in (("cut to nothing", b""), ("gone", None)):
        daemon.kill(signal.SIGTERM)
        for ending_ in ("", "-wal", "-shm"):
            if os.path.exists(path + ending_):
                os.unlink(path + ending_)
        if content is not None:
            open(path, "wb").write(content)
        daemon.start()
        step = pull_step(s, host, number, run=len(what), token=None)
        eq(step.run().brief(), (0, "held"), what + ": goes on")
        has(step.log(), re.compile(r"job [23] is accepted"), what + ": with a new id")
    daemon.kill(signal.SIGTERM)
    for what, change in (("damaged", lambda: open(path, "r+b").write(b"x" * 8192)),
                         ("newer", lambda: newer(path))):
        change()
        result = lib.run([lib.program("RATCHETD"), "--config", host.config], env=lib.clean_env(),
                         seconds=60)
        eq(result.code, 64, what + ": refused at the start")
        has(result.err.strip().splitlines()[-1], path, what + ": by name")
        for ending_ in ("", "-wal", "-shm"):
            if os.path.exists(path + ending_):
                os.unlink(path + ending_)


def newer(path):
    base = sqlite3.connect(path)
    base.execute("PRAGMA user_version = 99")
    base.execute("CREATE TABLE job (id INTEGER)")
    base.commit()
    base.close()


def orphans():
    """Jobs of a device or repository that is configured no more end at the start"""
    s, host, daemon = scenery(token=TOKEN, **LONG)
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "replicate " in step.log(), "a replicate")
    daemon.kill()
    text = lib.read(host.config)
    lib.write(host.config, text.replace('[device "cpu"]', '[device "nvidia-l4"]').replace(
        "threads = 1\n", ""))
    daemon.start()
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "GitHub to know of it")
    check_told(s, number, head, "not configured on this host any more", "the device is gone")
    lib.kill(step.process)
    daemon.kill()
    lib.write(host.config, text)
    daemon.start()
    second = pull_step(s, host, number, run=2, token=None).start()
    lib.wait_for(lambda: "replicate " in second.log(), "a replicate")
    daemon.kill()
    lib.write(host.config, text.replace('[repository "octo/kernels"]', '[repository "octo/others"]'))
    daemon.start()
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be dropped")
    ok(True, "the repository is gone: the job is over")
    lib.kill(second.process)


def device_is_held():
    """Who waits for the device waits as long as the host says, and is told for whom"""
    s, host, _ = scenery(daemon=False, limits={"device-wait-ms": 300})
    number, head = scene.pull(s, "slow", "slow")
    holder = lib.start(["flock", os.path.join(host.folder, "ratchet-cpu.lock"), "sleep", "120"],
                       stdin=lib.subprocess.DEVNULL)
    lib.wait_for(lambda: subprocess_holds(host), "the lock to be taken")
    result = host.check_pull(number)
    lib.kill(holder)
    eq((result.brief(), result.verdict["fault"]), ((3, "unmeasured"), "the host"), "no verdict")
    has(result.verdict["reason"], re.compile(r"waited 0 s for the device: .*held by process \d+ \("),
        "and it names who has it")


def subprocess_holds(host):
    return lib.run(["flock", "-n", os.path.join(host.folder, "ratchet-cpu.lock"), "true"]).code != 0


def two_spellings():
    """A repository is one, however ratchetd.conf spells it"""
    s, host, daemon = scenery(token=TOKEN)
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    step = pull_step(s, host, number, token=None)
    eq(step.run().code, 0, "a job")
    daemon.kill()
    lib.write(host.config, lib.read(host.config).replace('"octo/kernels"', '"Octo/Kernels"'))
    daemon.start()
    again = pull_step(s, host, number, token=None)
    eq(again.run().brief(), (0, "held"), "the same key")
    has(again.log(), "job 1 is", "finds the same job")
    eq(pull_step(s, host, number, run=2, token=None).run().brief(), (0, "held"), "a new job")
    eq(len(scene.ours(s, number)), 1, "has the same comment")
    eq(len([n for n in os.listdir(os.path.join(host.state, "repos")) if n.endswith(".git")]), 1,
       "and the same cache")


if __name__ == "__main__":
    lib.main(not_pinned, head_not_told, one_bad_answer, refused_once, come_late, come_late_after_a_kill, older_comes_late, quiet, steps_keep_failing, disk_is_back,
             cancelled_and_restarted, cancelled_before_its_head, overtaken, strangers_cannot_cancel, token_dies, settle_alone, one_jobs_trouble, github_is_away, cancelled_in_the_queue, cancelled_after_a_verdict, dead_server,
             database, orphans,
             device_is_held, two_spellings)
