#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watch mode for as long as it goes on: an hour of twenty repositories at rest, and hours of thirty pull requests:
RATCHET_WATCH_HOURS=24 for a day. As much happens in few hours as in many."""

import os
import random

import lib
import scene
import test_app
from lib import TOKEN, eq, ok
from test_watch import Watch, missed

HOUR = 120  # looks
HOURS = int(os.environ.get("RATCHET_WATCH_HOURS") or 4)
MANY = ["octo/many-%d" % i for i in range(20)]
QUERY = """query { %s }"""
HEADS = """r%d: repository(owner: "octo", name: "many-%d") {
    ref(qualifiedName: "refs/heads/main") { target { oid } }
    pullRequests(first: 100, states: OPEN, baseRefName: "main") {
        nodes { number headRefOid isDraft isCrossRepository updatedAt %s } } }"""
WORDS = """labels(first: 20) { nodes { name } }
    comments(last: 5) { nodes { databaseId body createdAt } }"""


def many(s, app=None):
    """Twenty watched repositories with three pull requests each, in one configuration; its Watch."""
    for name in MANY:
        s.post("repos", full_name=name, source=s.repo.path)
        for at in range(3):
            s.post("repos/%s/commit" % name, branch="topic-%d" % at, files={"README": name}, message="x", parent="main")
            s.post("repos/%s/pulls" % name, head="topic-%d" % at, user="alice")
        if app:
            s.post("apps/%d/installed" % app[0], repository=name)
    w = Watch(s, token=None if app else TOKEN, app=app, limits={"queue-jobs": 100}, daemon=False)
    conf, _, limits = lib.read(w.host.config).partition("[limits]")
    conf, section, own = conf.partition('[repository "%s"]' % s.repository)
    lib.write(w.host.config, conf + "".join((section + own).replace(s.repository, name) for name in MANY) +
              "[limits]" + limits)
    w.daemon = w.host.daemon()
    return w


def charged(s):
    """(what was counted, what was asked) of the hour."""
    budgets = s.control("GET", "limits")["budgets"]
    asked = sum(b["asked"] - b["refused"] for b in budgets)
    return asked - sum(b["unchanged"] for b in budgets), asked


def hour_of(app):
    s = scene.github()
    if app:
        key, public = test_app.key_pair()
        s.post("apps", number=test_app.APP, slug="ratchet-octo", key=public, permissions=test_app.MAY)
        app = test_app.APP, key
    w = many(s, app)
    w.look(2, count=len(MANY), advance=30)
    w.quiet()
    lib.wait_for(lambda: len(s.control("GET", "state")["tokens"]) <= 1 + len(MANY), "the jobs' tokens to be revoked")
    w.look(2, count=len(MANY), advance=30)
    before = charged(s)
    w.look(HOUR, count=len(MANY), advance=30)
    return [now - then for now, then in zip(charged(s), before)], s


def at_rest():
    """Twenty repositories for an hour at rest: what GitHub counts, of requests with etags and of one query of GraphQL"""
    app, _ = hour_of(test_app.APP)
    host, s = hour_of(None)
    points = {}
    for what, inner in (("heads", ""), ("words", WORDS)):
        query = QUERY % " ".join(HEADS % (i, i, inner) for i in range(len(MANY)))
        spent = lambda: sum(b["points"] for b in s.control("GET", "limits")["budgets"])
        before = spent()
        answer = s.api("POST", "/graphql", {"query": query})
        points[what] = HOUR * (spent() - before)
        ok("errors" not in answer.json and len(answer.json["data"]["r7"]["pullRequests"]["nodes"]) == 3,
           "the query says what is wanted", answer.json)
    lib.note("charged of asked: host %s, App %s; GraphQL's points: %s" % (host, app, points))
    ok(host[0] <= 500, "a host's token: at most 500", host)
    ok(app[0] <= 500, "an App's: at most 500", app)
    page = lib.read(lib.TOP + "/src/README.md")
    for what, figures in (("a host's token", "%d of %d" % tuple(host)), ("a GitHub App", "%d of %d" % tuple(app)),
                          ("heads and tips alone", "%d points" % points["heads"]),
                          ("labels and comments, too", "%d points" % points["words"])):
        ok("| %s |\n" % figures in page, "src/README.md tells of %s: %s" % (what, figures))


def used_up(s, w):
    """Somebody else has used up the hour: what comes is seen when it is over."""
    refused = lambda: s.control("GET", "limits")["budgets"][0]["refused"]
    before = refused()
    s.post("limits", announce=1)
    s.post("limits/used", token=TOKEN, used=5000, reset_in=600)
    s.post("faults/%d/step" % w.gate, back=False)
    lib.wait_for(lambda: refused() > before, "a refusal")
    s.post("clock", advance=600)


def a_day():
    """Thirty open pull requests, a limit of 5000 an hour, for hours: each head is seen within 60 s"""
    s = scene.github()
    w = Watch(s, limits={"queue-jobs": 40})
    s.post("limits", on=True, primary=5000, writes_minute=100000, writes_hour=100000)
    chance = random.Random(20260105)
    heads = [scene.pull(s, "pull-%d" % i, {"README": "%d\n" % i}) for i in range(30)]
    wanted, last = [head for _, head in heads], {}
    most, used, late = 0, 0, []
    w.look(3, advance=30)
    looks = HOURS * HOUR
    for look in range(looks):
        if chance.random() < 58 / looks:
            at = chance.randrange(30)
            last[at] = scene.branch(s.repo, "pull-%d" % at, {"README": "look %d\n" % look}, onto="pull-%d" % at)
            s.repo.push(s.git_url, "+pull-%d" % at)
            wanted.append(last[at])
        if look % (looks // 4) == looks // 5:
            w.restart()
        if look == looks // 3:
            used_up(s, w)
        w.look(advance=30)  # those of half a minute ago have been seen by now
        log = w.log()
        late += [head for head in last.values() if " at %s" % head[:10] not in log]
        now = s.control("GET", "limits")["budgets"][0]["used"] if look % 10 == 0 else used
        most, used = max(most, now), now
    eq(late, [], "each of %d new heads was seen by the look after it" % (len(wanted) - 30))
    ok(len(wanted) > 70, "there were some", len(wanted))
    w.quiet()
    newest = [s.state()["refs"]["refs/pull/%d/head" % number] for number, _ in heads]
    eq(missed(s, newest), [], "each newest head has its verdict")
    told = [x["sha"] for x in s.statuses() if x["state"] != "pending"]
    eq(len(told), len(set(told)), "no head has two")
    lib.note("most used in an hour: %d of 5000" % most)


lib.main(at_rest, a_day)
