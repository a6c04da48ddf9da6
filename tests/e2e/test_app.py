#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A GitHub App as the host's credential, its whole life through a real ratchetd: installed, a token for
each step, that ends or is revoked, suspended, uninstalled, another key."""

import base64
import json
import os
import re
import subprocess
import time

import lib
import scene
import test_promote
from lib import eq, has, lacks, ok
from test_daemon import jobs, pull_step

APP = 4711
BOT = "ratchet-octo[bot]"
MAY = {"metadata": "read", "contents": "write", "pull_requests": "write", "statuses": "write", "issues": "write",
       "members": "read"}
ASKED = {"metadata": "read", "contents": "read", "pull_requests": "write", "statuses": "write", "issues": "read"}


def key_pair():
    folder = lib.temp_dir()
    key = os.path.join(folder, "app.pem")
    lib.run(["openssl", "genrsa", "-out", key, "2048"])
    os.chmod(key, 0o600)
    return key, lib.run(["openssl", "rsa", "-in", key, "-pubout"]).out


def own_token(key):
    """What the App signs, made with the openssl program."""
    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    now = int(time.time())
    text = ".".join(encoded(json.dumps(part).encode()) for part in (
        {"alg": "RS256", "typ": "JWT"}, {"iat": now - 60, "exp": now + 500, "iss": str(APP)}))
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), stdout=subprocess.PIPE,
                          check=True)
    return text + "." + encoded(made.stdout)


def scenery(installed=True, limits=None, key=None, may=None, life=3600, **more):
    s = scene.github(**more)
    own, public = key_pair()
    s.post("apps", number=APP, slug="ratchet-octo", key=public, permissions=may or MAY, life=life)
    install(s, on=installed)
    host = scene.Host(s, limits=limits, app=(APP, key or own))
    return s, host


def install(s, **how):
    if how != {"on": False} or s.__dict__.get("installed"):
        s.post("apps/%d/installed" % APP, repository=s.repository, **how)
    s.installed = how.get("on", True)


def tokens(s):
    return [t for t in s.control("GET", "state")["tokens"] if t["installation"]]


def a_run():
    """A run from event to comment: the App speaks, with what it needs, and keeps no token"""
    s, host = scenery()
    host.daemon()
    number, head = scene.pull(s, "slow", "slow")
    result = pull_step(s, host, number, token=None).run()
    eq(result.brief(), (1, "regressed"), "exit code and verdict")
    eq([(x["state"], x["creator"]) for x in s.statuses(head)], [("pending", BOT), ("failure", BOT)], "the statuses are the App's")
    eq([c["user"] for c in s.comments(number)], [BOT], "and the comment")
    made = s.requests("POST", "/access_tokens")
    ok(made, "tokens were made")
    eq([r["json"] for r in made], [{"repositories": ["kernels"], "permissions": ASKED}] * len(made),
       "for this repository, with no more than is needed")
    lib.wait_for(lambda: not tokens(s), "every token to be revoked")
    ok(not [r for r in s.requests() if "leaked" in r], "no token stood anywhere else")
    for folder, _, names in os.walk(host.folder):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                lacks(lib.read(path), "ghs_", "no token in " + name)


def a_second_one():
    """A token that ends in the middle of a step: what is owed is sent with another"""
    s, host = scenery()
    daemon = host.daemon()
    number, head = scene.pull(s, "comment", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    s.fault("/statuses/", "answer", method="POST", skip=1, times=1, status=401, body={"message": "Bad credentials"})
    eq(pull_step(s, host, number, token=None).run().brief(), (0, "held"), "the verdict")
    lib.wait_for(lambda: s.statuses(head)[-1]["state"] == "success", "the status")
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be done")
    eq([c["user"] for c in s.comments(number)], [BOT], "one comment")
    has(lib.read(daemon.log), "Bad credentials", "the log says why it took another try")


def checks():
    """An App that may make check runs makes them in place of statuses: one for each check, brought to its end"""
    s, host = scenery(may=dict(MAY, checks="write"))
    host.daemon()
    for name, kernel, code, conclusion in (("slow", "slow", 1, "failure"), ("wrong", "wrong", 3, "failure"),
                                           ("same", "right", 0, "success")):
        number, head = scene.pull(s, name, {"kernels/attention.c": scene.kernel(kernel, "/* more */\n")})
        s.fault("/check-runs$", "drop", method="POST", after=True)
        eq(pull_step(s, host, number, token=None, run=number).run().code, code, name + ": exit code")
        s.calm()
        runs = [r for r in s.state()["checks"] if r["head_sha"] == head]
        eq([(r["name"], r["app"], r["status"], r["conclusion"]) for r in runs],
           [("ratchet/cpu", "ratchet-octo", "completed", conclusion)], name + ": one check run")
        ok(runs[0]["output"]["title"] and runs[0]["details_url"], name + ": says why, and where more is", runs[0])
        eq(s.statuses(head), [], name + ": no status beside it")
    attempt = pull_step(s, host, number, token=None, run=number, attempt=2).run()
    runs = [r for r in s.state()["checks"] if r["head_sha"] == head]
    eq((attempt.code, [r["conclusion"] for r in runs]), (0, ["success", "success"]), "a re-run makes another")


def refused_once():
    """A check run that may not be looked up, made or ended for a moment comes to its end all the same"""
    s, host = scenery(may=dict(MAY, checks="write"), limits={"retry-ms": 100})
    host.daemon()
    run = 0
    for method, path, skip in (("GET", "/check-runs[?]", 1), ("PATCH", "/check-runs/", 0), ("POST", "/check-runs$", 0)):
        for status in (403, 404, 422):
            run += 1
            what = "%s: %d" % (method, status)
            number, head = scene.pull(s, "wrong-%d" % run, scene.distinct("wrong", str(run)))
            # Where the open one could not be made either, the last one is.
            s.fault(path, "answer", method=method, skip=skip, times=2, status=status, body={"message": "No"})
            eq(pull_step(s, host, number, token=None, run=run).run().code, 3, what + ": the step has its verdict")
            lib.wait_for(lambda: [state for state, *_ in jobs(host)] == ["done"] * run, what + ": the job to be told")
            eq([(r["status"], r["conclusion"]) for r in s.state()["checks"] if r["head_sha"] == head],
               [("completed", "failure")], what + ": one check run, at its end")


def comes_late():
    """A check run that nobody answered for, and that GitHub opens after the last word, is ended, too"""
    s, host = scenery(may=dict(MAY, checks="write"), limits={"http-timeout-ms": 3000})
    host.daemon()
    number, head = scene.pull(s, "wrong", "wrong")
    def runs():
        return [r["status"] for r in s.state()["checks"] if r["head_sha"] == head]
    # GitHub looked at the token when the request came.
    s.fault("/installation/token", "answer", method="DELETE", times=0, status=204)
    late = s.fault("/check-runs$", "hold", method="POST")
    again = s.fault("/check-runs[?]", "hold", method="GET", skip=2)
    step = pull_step(s, host, number, token=None).start()
    s.await_fault(again)
    eq(runs(), ["completed"], "the verdict is there")
    s.release(late)
    lib.wait_for(lambda: len(runs()) == 2, "the first to be carried out")
    s.release(again)
    eq(step.finish().code, 3, "the step's verdict")
    lib.wait_for(lambda: jobs(host)[0][0] == "done", "the job to be told")
    eq(runs(), ["completed", "completed"], "nothing stays open")


def from_statuses_to_checks():
    """What was set under the name before there were check runs, by us or others, does not hold the merge up"""
    s, host = scenery(may=dict(MAY, checks="write"))
    host.daemon()
    for run, (before, kernel, after) in enumerate((("pending", "right", "success"), ("failure", "right", "success"),
                                                   ("success", "slow", "failure"), ("success", "right", None)), 1):
        what = "%s before a kernel that is %s" % (before, kernel)
        number, head = scene.pull(s, "row-%d" % run, {"kernels/attention.c": scene.kernel(kernel, "/* row %d */" % run)})
        for context in ("ratchet/cpu", "ratchet/other"):
            s.api("POST", "/repos/octo/kernels/statuses/" + head, {"state": before, "context": context})
        pull_step(s, host, number, token=None, run=run).run()
        lib.wait_for(lambda: jobs(host)[0][0] == "done", what)
        found = [(x["context"], x["state"]) for x in s.statuses(head)]
        eq(found, [("ratchet/cpu", before), ("ratchet/other", before)] + ([("ratchet/cpu", after)] if after else []),
           what + ": is set right, once, and another's context left alone")


def away():
    """GitHub that is away when a job gets its turn: all that it needs is here, so it is measured"""
    s, host = scenery(limits={"github-timeout-ms": 500, "http-timeout-ms": 500})
    conf = scene.conf().replace("command = cc", "command = sleep 2 && cc")
    s.repo.commit({"ci/ratchet.conf": conf}, "builds slowly", branch="main")
    s.repo.push(s.git_url, "main")
    host.daemon()
    steps, heads = [], []
    for run, kernel in enumerate(("slow", "right"), 1):
        number, head = scene.pull(s, kernel, {"kernels/attention.c": scene.kernel(kernel, "/* %d */" % run)})
        steps.append(pull_step(s, host, number, token=None, run=run).start())
        heads.append(head)
        lib.wait_for(lambda: s.statuses(head), "the status of " + kernel)
        if run == 1:
            lib.wait_for(lambda: "build head" in steps[0].log(), "the first build")
    s.fault("", "drop", times=0)
    results = [step.finish() for step in steps]
    eq([r.brief() for r in results], [(1, "regressed"), (0, "held")], "both are measured")
    eq([s.statuses(head)[-1]["state"] for head in heads], ["pending", "pending"], "GitHub knows nothing yet")
    s.calm()
    lib.wait_for(lambda: [s.statuses(head)[-1]["state"] for head in heads] == ["failure", "success"], "the statuses")


def outlived():
    """A promotion that takes longer than a token lasts has another when it asks who accepted the loss"""
    s, host = scenery(life=60)
    host.daemon()
    def push(run):
        event = test_promote.push_event(s)
        return host.step("push", event, run=run, token=None)
    push(1).run()
    eq(test_promote.recorded(s)["small"][1], "new", "main's kernel is recorded")
    test_promote.merge(s, "slower", "slow", label="ratchet:accept-loss", by="alice")
    step = push(2).start()
    lib.wait_for(lambda: "building" in step.log(), "the promotion to measure")
    s.post("clock", advance=120)
    step.finish()
    lib.wait_for(lambda: test_promote.recorded(s)["small"][1] == "accepted", "the loss to be accepted")
    asked = [r["json"]["permissions"]["contents"] for r in s.requests("POST", "/access_tokens")]
    eq(set(asked), {"write"}, "a promotion's tokens may push")


def moved():
    """A repository under another name: what is owed waits, and the log says which section to rename"""
    s, host = scenery(limits={"github-timeout-ms": 500})
    daemon = host.daemon()
    number, head = scene.pull(s, "wrong", "wrong")
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "build head" in step.log(), "the build")
    s.on("", full_name="octo/moved")
    eq(step.finish().brief(), (3, "unmeasured"), "the step has its verdict")
    lib.wait_for(lambda: "if that was renamed, rename its section" in lib.read(daemon.log), "the log to say what to do")


def suspended():
    """Suspended while it measures: the verdict waits, and comes when the App may speak again"""
    s, host = scenery(limits={"github-timeout-ms": 500})
    daemon = host.daemon()
    number, head = scene.pull(s, "slow", "slow")
    step = pull_step(s, host, number, token=None).start()
    lib.wait_for(lambda: "build head" in step.log(), "the build")
    install(s, suspended=True)
    result = step.finish()
    eq(result.brief(), (1, "regressed"), "the step has its verdict")
    has(lib.read(daemon.log), "installation on `octo/kernels` is suspended", "the log says why GitHub has not")
    eq(s.statuses(head)[-1]["state"], "pending", "GitHub knows nothing yet")
    install(s, suspended=False)
    lib.wait_for(lambda: s.statuses(head)[-1]["state"] == "failure", "the status")
    eq(jobs(host)[0][0], "done", "the job is done")


def not_there():
    """Not installed, uninstalled, another's key, a key that is none: said by doctor, with what to do"""
    s, host = scenery(installed=False)
    def doctor():
        return next(line for line in host.ratchet("doctor", "--config", host.config).out.splitlines()
                    if "octo/kernels" in line)
    has(doctor(), "the App is not installed on `octo/kernels`", "not installed")
    install(s)
    has(doctor(), "the API answers, the branch is there", "installed")
    eq(tokens(s), [], "and the token that it was tried with is revoked")
    install(s, on=False)
    has(doctor(), "not installed", "uninstalled")
    install(s)
    s.post("apps", number=APP, slug="ratchet-octo", key=key_pair()[1], permissions=MAY)
    install(s)
    has(doctor(), "GitHub does not know this App: is `app` its id", "another's key")
    key = re.search("app-key = (.*)", lib.read(host.config)).group(1)
    os.chmod(key, 0o644)
    has(doctor(), "is open to everyone: chmod o= it", "a key that everyone may read")
    lib.write(key, "no key\n", 0o600)
    has(doctor(), "`%s` holds no private key" % key, "no key")
    lib.write(key, "", 0o600)
    has(doctor(), "`%s` holds no key" % key, "an empty one")


if __name__ == "__main__":
    lib.main(a_run, a_second_one, checks, refused_once, comes_late, from_statuses_to_checks, away, outlived, moved, suspended, not_there)
