#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GitHub's limits: waiting for them is no failure of a check. It is measured on, published when
GitHub allows, and nobody asks meanwhile. The stand-in's clock stands still until a test moves it,
so a limit lasts until then, however busy the machine is; and it is 40 days off from the host's, of
whose clock nothing may depend."""

import os
import re
import time

import lib
import scene
from lib import BOT, TOKEN, eq, has, ok

DAYS = 40 * 24 * 3600
OTHERS = ["octo/a", "octo/b", "octo/c", "octo/d"]


def limited(s, off=DAYS, token=TOKEN, **used):
    """Limits are on, the clock stands, and the token has used up what is said."""
    now = s.post("clock")["now"]
    s.post("clock", now=int(now) + off, stopped=True)
    s.post("limits", on=True)
    return s.post("limits/used", token=token, **used)


def over(s):
    """Every limit has passed, and none comes."""
    s.post("clock", advance=7200, stopped=False)
    s.post("limits", on=False)


def total(s, what):
    return sum(b[what] for b in s.control("GET", "limits")["budgets"])


def states(host):
    """{job: state} as `ratchet status` tells."""
    result = host.ratchet("status", "--socket", host.socket)
    return {line.split()[0]: line.split()[3] for line in result.out.splitlines()}


def wait_done(host):
    lib.wait_for(lambda: set(states(host).values()) == {"done"}, "all jobs to be done")


def told_once(s, number, head, final, what):
    eq(len(scene.ours(s, number)), 1, what + ": one comment")
    eq(scene.status(s, head)[-1:], [final], what + ": a final status")


def wake_ups(daemon):
    """How often it went to sleep."""
    status = lib.read("/proc/%d/status" % daemon.process.pid)
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M).group(1))


def sleeps(daemon, what):
    """A daemon that looked every second would wake up four times."""
    before = wake_ups(daemon)
    time.sleep(4)
    ok(wake_ups(daemon) - before <= 1, what + ": it sleeps", wake_ups(daemon) - before)


def one_host(token=None):
    """One repository with a daemon, and how a step asks for a check of a pull request."""
    s = scene.github()
    host = scene.Host(s, token=token)
    daemon = host.daemon()
    runs = iter(range(1, 100))

    def step(number):
        """Asks the stand-in for the event: to be made before a limit is."""
        return host.step("pull_request", scene.pull_event(s, number), run=next(runs))
    return s, host, daemon, step


def crowd():
    """A stand-in with five repositories, each with a token of the host's and a pull request."""
    s = scene.github()
    pulls = {scene.REPOSITORY: scene.pull(s, "docs", {"README": "x\n"})}
    for name in OTHERS:
        s.post("repos", full_name=name, source=s.repo.path)
        s.post("repos/%s/collaborators" % name, alice="write")
        opened = s.post("repos/%s/pulls" % name, head="docs", title="docs", user="alice")
        pulls[name] = opened["number"], opened["head_sha"]
    host = scene.Host(s, token=TOKEN)
    conf = ""
    for at, name in enumerate(OTHERS):
        token = "token-%d" % at
        s.post("tokens", token=token, login=BOT, permissions=lib.BOT_MAY)
        path = lib.write(os.path.join(host.folder, token), token + "\n", 0o600)
        conf += '[repository "%s"]\napi = %s\ngit = %s/%s.git\nauthor = %s\ntoken = host\n' \
            "token-file = %s\n" % (name, s.url, s.url, name, BOT, path)
    lib.write(host.config, lib.read(host.config) + conf)
    return s, host, pulls


def step_of(s, host, name, number, run):
    view = s.api("GET", "/repos/%s/pulls/%d" % (name, number)).json
    made = s.control("GET", "repos/" + name)["id"]
    return host.step("pull_request", {
        "action": "opened", "number": number, "pull_request": view,
        "repository": view["base"]["repo"], "sender": view["user"]}, run=run, token=None,
        GITHUB_REPOSITORY=name, GITHUB_REPOSITORY_ID=str(made))


def others_go_on():
    """Four repositories at the primary limit: no job ends, nobody asks again, a fifth goes on"""
    s, host, pulls = crowd()
    daemon = host.daemon()
    steps = {name: step_of(s, host, name, pulls[name][0], 1 + at)
             for at, name in enumerate(OTHERS + [scene.REPOSITORY])}
    for at, name in enumerate(OTHERS):
        limited(s, off=DAYS if at == 0 else 0, token="token-%d" % at, used=5000, reset_in=200)
    for name in OTHERS:
        steps[name].start("--wait", "120")
    lib.wait_for(lambda: total(s, "refused") >= 4, "four refusals")
    eq(steps[scene.REPOSITORY].run().brief(), (0, "held"), "the fifth has its verdict")
    wanted = {"accepted": 4, "done": 1}
    now = list(states(host).values())
    eq({state: now.count(state) for state in now}, wanted, "the others wait")
    eq((total(s, "refused"), total(s, "polled")), (4, 0), "and were refused once each")
    eq([s.control("GET", "repos/" + name)["statuses"] for name in OTHERS], [[]] * 4,
       "nothing was said of them")
    over(s)
    daemon.kill()  # what waits is on disk, and a start tries at once
    daemon.start()
    for name in OTHERS:
        eq(steps[name].finish().brief(), (0, "held"), name + ": measured after all")
        there = s.control("GET", "repos/" + name)
        eq(([c["user"] for c in there["comments"]], [x["state"] for x in there["statuses"]]),
           ([BOT], ["success"]), name + ": one comment, a final status")


def while_it_is_sent():
    """A short limit between check and comment: the step waits, for its token dies with it"""
    s, host, _, step_for = one_host()
    for what, off, used in (
            ("the primary one", DAYS, {"used": 4999, "reset_in": 2}),
            ("the primary one of a server that is behind", -2 * DAYS, {"used": 4999, "reset_in": 2}),
            ("80 writes a minute", 0, {"used": 0, "writes": 80}),
            ("500 writes an hour", 0, {"used": 0, "writes": 500})):
        number, head = scene.pull(s, what.replace(" ", "-"), {"README": what})
        step = step_for(number)
        s.post("limits", announce=2)
        limited(s, off, **used)
        polled, refused = total(s, "polled"), total(s, "refused")
        step.start()
        lib.wait_for(lambda: total(s, "refused") >= refused + 2, "another try")
        eq(list(states(host).values()).count("judged"), 1, what + ": the job is judged")
        eq(step.process.poll(), None, what + ": and its step waits")
        over(s)
        eq(step.finish().brief(), (0, "held"), what + ": the step has its verdict")
        told_once(s, number, head, "success", what)
        eq(total(s, "polled") - polled, 0, what + ": nobody asked before it was time")


def measured_on():
    """What is pinned is measured while GitHub takes nothing, and no step waits for a long limit"""
    s, host, daemon, step_for = one_host(token=TOKEN)
    number, head = scene.pull(s, "wrong", "wrong")
    step = step_for(number)
    limited(s, used=4999, reset_in=400)
    eq(step.run().brief(), (3, "unmeasured"), "the kernel was run, and found wrong")
    eq((scene.ours(s, number), scene.status(s, head)), ([], []), "GitHub knows nothing yet")
    eq((total(s, "refused"), total(s, "polled")), (1, 0), "`pending` was refused, and nobody asks again")
    over(s)
    daemon.kill()
    daemon.start()
    wait_done(host)
    told_once(s, number, head, "error", "afterwards")


def charges():
    """What a check costs of the limit, where our comment is there already: it is read, as it has others' sections"""
    s, host, _, step_for = one_host()
    number, head = scene.pull(s, "topic", {"README": "x\n"})
    eq(step_for(number).run().brief(), (0, "held"), "the first check")
    for what, files, verdict, most in (("a docs-only one", {"README": "y\n"}, (0, "held"), 4),
                                       ("one that is run", "wrong", (3, "unmeasured"), 5)):
        head = scene.branch(s.repo, "topic", files, onto="topic")
        s.repo.push(s.git_url, "+topic")
        step = step_for(number)
        asked = total(s, "asked")
        eq(step.run().brief(), verdict, what)
        wait_done(host)
        cost = total(s, "asked") - asked
        ok(cost <= most, "%s: at most %d requests" % (what, most), cost)
        eq(len(scene.ours(s, number)), 1, what + ": one comment")
        has(scene.ours(s, number)[0], head[:7], what + ": about the newest head")


def nothing_to_do():
    """While nothing is due a daemon sleeps: where nothing is owed, and where GitHub wants to be left alone"""
    s, host, daemon, step = one_host(TOKEN)
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    first, second = step(number), step(number)
    eq(first.run().code, 0, "a check")
    wait_done(host)
    sleeps(daemon, "nothing is owed")
    fault = s.fault("/(comments|statuses)", "answer", times=0, status=403,
                    headers={"Retry-After": "900"}, body={"message": "a secondary rate limit"})
    eq(second.run().code, 0, "another, that GitHub hears nothing of")
    sleeps(daemon, "something is owed")
    s.control("DELETE", "faults/%d" % fault)
    daemon.kill()
    daemon.start()
    wait_done(host)
    told_once(s, number, head, "success", "and then")


lib.main(others_go_on, while_it_is_sent, measured_on, charges, nothing_to_do)
