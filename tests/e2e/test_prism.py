#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every request our client makes, and every answer the stand-in gives it, judged by GitHub's own
description of its API: Prism stands between the two and refuses what it does not allow. First
each call of publish/github.h alone, then whole runs of `ratchet check`."""

import json
import os

import lib
import oracles
import scene as scene_of_checks
import test_app
from lib import BOT, TOKEN, eq, has, ok

REPOSITORY = "octo/kernels"
MARKER = "<!-- ratchet:v1 device=cpu -->"


def scene():
    standin = lib.Standin(REPOSITORY)
    standin.on("collaborators", alice="write")
    repo = lib.Repo()
    standin.base = repo.commit({"kernels/a.c": "int a;\n"}, "first")
    standin.head = repo.commit({"kernels/a.c": "int b;\n"}, "second", branch="topic/x",
                               onto="main")
    repo.commit({"c": "c\n"}, "third", branch="ratchet/cpu", onto="main")
    repo.push(standin.git_url, "main", "topic/x", "ratchet/cpu")
    standin.on("pulls", head="topic/x", user="alice")
    prism = oracles.Prism(standin.url)
    standin.post("settings", api_url=prism.url)
    return standin, prism


def call(prism, *args, token=TOKEN):
    """One verb of tests/unit/github_driver through the proxy."""
    result = lib.run([lib.driver("github_driver"), prism.url, REPOSITORY, BOT, *args],
                     env=lib.clean_env({"RATCHET_TOKEN": token, "GITHUB_MS": "5000"}))
    if result.code != 0:
        raise RuntimeError(str(result))
    return json.loads(result.out)


def checked(standin, prism, what, *args, good=True):
    mark, since = prism.mark(), standin.requests()[-1]["id"]
    said = call(prism, *args)
    eq((said["ok"], said.get("error")) if good else said["ok"], (True, None) if good else False,
       what)
    ok(prism.passed(mark) > 0, what + ": reached the stand-in")
    eq(prism.violations(mark), [], what + ": no violation from either side")
    for request in standin.requests(since=since):
        if "settled" in request["path"]:
            continue
        headers = request["headers"]
        eq((headers.get("X-GitHub-Api-Version"), headers.get("Authorization")),
           ("2022-11-28", "Bearer <%s>" % BOT), what + ": version and token")
        ok(headers.get("User-Agent", "").startswith("ratchet"), what + ": says who it is",
           headers.get("User-Agent"))
        has(headers.get("Accept", ""), "application/vnd.github+json", what + ": media type")
        ok("leaked" not in request, what + ": the token is nowhere else")
    return said


def two_posts_at_once(s, prism, body, l4):
    """Of two devices' comments the later one is taken away: one is held until the other is there."""
    held = s.fault("/issues/1/comments", "hold", method="POST")
    mark = prism.mark()
    first = lib.start([lib.driver("github_driver"), prism.url, REPOSITORY, BOT, "upsert", "1", MARKER,
                       lib.write(body + "2", MARKER + "\n**held**\n")], stdout=lib.subprocess.PIPE,
                      env=lib.clean_env({"RATCHET_TOKEN": TOKEN, "GITHUB_MS": "20000"}))
    s.await_fault(held)
    s.api("POST", "/repos/%s/issues/1/comments" % REPOSITORY, {"body": l4 + "\n**held**\n"})
    s.release(held)
    ok(json.loads(first.communicate(timeout=lib.DEADLINE)[0])["ok"], "two at once")
    eq(prism.violations(mark), [], "two at once: no violation from either side")
    eq((len(s.requests("DELETE")) > 1, len([c for c in s.comments() if c["user"] == BOT])), (True, 1), "one stays")


def each_call():
    """Each call of the client"""
    lib.driver("github_driver")
    s, prism = scene()
    body = lib.write(os.path.join(lib.temp_dir(), "body"), MARKER + "\n**held** ↓ é\n")
    said = checked(s, prism, "get a pull request", "get-pull", "1")
    eq((said["head"], said["open"], said["author"]), (s.head, True, "alice"), "its head")
    checked(s, prism, "a pull request that is not there", "get-pull", "99", good=False)
    eq(checked(s, prism, "tip of a branch", "branch-tip", "main")["sha"], s.base, "main")
    eq(checked(s, prism, "tip of a branch with a slash", "branch-tip", "topic/x")["sha"], s.head,
       "topic/x")
    checked(s, prism, "a branch that is not there", "branch-tip", "none", good=False)
    for verb, args, want in (("list-pulls", ["main"], {"head": s.head, "count": 1}),
                             ("watch-tip", ["topic/x"], {"sha": s.head}), ("list-remarks", [], {"count": 0}),
                             ("list-runs", [], {"count": 0})):
        said = checked(s, prism, verb, verb, *args)
        eq({key: said[key] for key in want}, want, "what it says")
        eq((said["changed"], said["changed_again"]), (True, False), "asked with its etag, nothing has changed")
    said = checked(s, prism, "a commit", "get-commit", s.head, "kernels/")
    eq((said["message"], said["parent"], said["inside"]), ("second", s.base, True), "its words, its parent, its files")
    first = s.on("pulls/1/queue")["merge_group"]
    behind = s.on("pulls/1/queue", on=first["head_sha"])["merge_group"]
    for group, base_queued in ((first, False), (behind, True)):
        args = ("find-group", "main", group["head_ref"][len("refs/heads/"):], group["head_sha"],
                group["base_sha"])
        eq(checked(s, prism, "a merge group", *args)["base_queued"], base_queued, "and its base")
    checked(s, prism, "a merge group that is not there", *args[:3], s.head, s.base, good=False)
    eq(checked(s, prism, "the pull request of a branch", "find-pull", "topic/x", "")["number"], 1, "found")
    eq(checked(s, prism, "the pull request of a head", "find-pull", "", s.head)["number"], 1, "found")
    for state, url in (("pending", ""), ("failure", "https://github.example/runs/1")):
        checked(s, prism, "status " + state, "set-status", s.head, "ratchet/cpu", state,
                "d" * 200, url)
    eq([x["state"] for x in s.statuses(s.head)], ["pending", "failure"], "both are there")
    args = ("guard-status", s.head, "ratchet/cpu", "failure")
    eq(checked(s, prism, "a status that stands", *args)["seen"], "", "is nobody else's")
    s.post("tokens", token="zoes", login="zoe")
    s.api("POST", "/repos/%s/statuses/%s" % (REPOSITORY, s.head),
          {"state": "success", "context": "ratchet/cpu"}, token="zoes")
    eq(checked(s, prism, "one that zoe has overwritten", *args)["seen"],
       "zoe had set ratchet/cpu to success: it is set again", "is seen")
    eq([x["state"] for x in s.statuses(s.head)][2:], ["success", "failure"], "and set right, once")
    s.on("comments", issue=1, user="zoe", body="comment {i}", count=250)
    said = checked(s, prism, "comments of all", "list-remarks")
    eq((said["count"], said["more"], said["login"], said["line"], said["pr"]), (25, True, "zoe", "comment 250", 1),
       "the newest first")
    for run in range(30):
        s.on("runs", id=run + 1001, actor="alice", triggering_actor="zoe", attempt=2, title="/ratchet run 1")
    said = checked(s, prism, "runs by hand", "list-runs")
    eq([said[key] for key in ("count", "more", "attempt", "name", "actor", "again")],
       [25, True, 2, "/ratchet run 1", "alice", "zoe"], "their names, and who started them")
    checked(s, prism, "a new comment after 250 others", "upsert", "1", MARKER, body)
    lib.write(body, MARKER + "\n**regressed**\n")
    checked(s, prism, "the same comment again", "upsert", "1", MARKER, body)
    eq([c["body"] for c in s.comments() if c["user"] == BOT], [MARKER + "\n**regressed**\n"],
       "one comment, updated")
    l4 = MARKER.replace("cpu", "nvidia-l4")
    lib.write(body, l4 + "\n**held**\n")
    checked(s, prism, "another device's section", "upsert", "1", l4, body)
    for number in [c["id"] for c in s.comments() if c["user"] == BOT]:
        s.api("DELETE", "/repos/%s/issues/comments/%d" % (REPOSITORY, number))
    two_posts_at_once(s, prism, body, l4)
    s.on("pulls/1/label", name="ratchet:accept-loss", by="alice")
    s.on("runs", id=7, actor="alice")
    said = checked(s, prism, "who started a run", "who-started", "7")
    eq((said["login"], said["may_write"]), ("alice", True), "who may write")
    checked(s, prism, "a run that is not there", "who-started", "8", good=False)
    said = checked(s, prism, "who labelled", "who-labeled", "1", "ratchet:accept-loss")
    eq((said["login"], said["may_write"]), ("alice", True), "alice, who may write")
    ok(said["when"] > checked(s, prism, "when it was pushed", "pushed-at", "topic/x", s.head)["when"],
       "after the push")
    s.post("apps", number=12, slug="helper", key="", permissions={"issues": "write"})
    for who, via, login in (("zoe", None, ""), ("alice", 12, ""), ("alice", None, "alice")):
        s.on("comments", issue=1, user=who, body="/ratchet run " + s.head, via=via)
        eq(checked(s, prism, "who let it run", "find-word", "1")["login"], login, "by comment of %s" % who)
    s.post("repos", full_name="mallory/kernels", source=s.made["path"], private=False)
    head = s.control("POST", "repos/mallory/kernels/commit", {
        "branch": "fork", "parent": "main", "files": {"x": "x"}, "message": "x"})["sha"]
    fork = s.on("pulls", head="fork", head_repo="mallory/kernels", user="mallory")["number"]
    for via, login in ((12, ""), (None, "alice")):
        s.on("pulls/%d/label" % fork, name="ratchet:run", by="alice", via=via)
        said = checked(s, prism, "who let a fork run by label", "find-word", str(fork))
        eq(said["login"], login, "by label, of %s" % head)
        s.on("pulls/%d/label" % fork, name="ratchet:run", by="alice", on=False)
    said = checked(s, prism, "open a pull request", "open-pull", "ratchet/cpu", "main", "title",
                   "words")
    again = checked(s, prism, "the same again", "open-pull", "ratchet/cpu", "main", "title",
                    "words")
    eq(again["url"], said["url"], "is the same one")
    sha = s.on("pulls/1/merge", user="alice")["sha"]
    said = checked(s, prism, "the pull request of a commit", "pull-of-commit", sha)
    eq((said["number"], said["merged"]), (1, True), "found")


def as_an_app():
    """A GitHub App's calls"""
    s, prism = scene()
    key, public = test_app.key_pair()
    s.post("apps", number=test_app.APP, slug="ratchet-octo", key=public, permissions=test_app.MAY)
    s.post("apps/%d/installed" % test_app.APP, repository=REPOSITORY)
    mark = prism.mark()
    said = call(prism, "app-token", token=test_app.own_token(key))
    eq({k: said.get(k) for k in ("ok", "author", "checks", "revoked")},
       {"ok": True, "author": test_app.BOT, "checks": False, "revoked": True}, "a token, used and revoked")
    s.post("apps", number=test_app.APP, slug="ratchet-octo", key=public,
           permissions=dict(test_app.MAY, checks="write"))
    s.post("apps/%d/installed" % test_app.APP, repository=REPOSITORY)
    for state in ("pending", "success", "failure", "failure"):
        said = call(prism, "as-app", s.head, "ratchet/cpu", state, "words", token=test_app.own_token(key))
        eq(said["ok"], True, "check run: " + state)
    eq([(r["status"], r["conclusion"]) for r in s.state()["checks"]], [("completed", "success"), ("completed", "failure")],
       "one that was in progress came to its end; then another, once")
    ok(prism.passed(mark) > 15, "through Prism")
    eq(prism.violations(mark), [], "no violation from either side")


def renamed():
    """Each kind of call of a repository that was renamed: sent on by 301 and 307"""
    lib.driver("github_driver")
    s, prism = scene()
    s.on("", full_name="octo/moved")
    body = lib.write(os.path.join(lib.temp_dir(), "body"), MARKER + "\n**held**\n")
    said = checked(s, prism, "get a pull request", "get-pull", "1")
    eq((said["head"], said["base_repository"]), (s.head, REPOSITORY), "its head")
    checked(s, prism, "a status", "set-status", s.head, "ratchet/cpu", "success", "held", "")
    for words in ("held", "regressed"):
        lib.write(body, MARKER + "\n**%s**\n" % words)
        checked(s, prism, "a comment, " + words, "upsert", "1", MARKER, body)
    eq([c["body"] for c in s.comments() if c["user"] == BOT], [MARKER + "\n**regressed**\n"],
       "one comment, updated")
    eq([x["state"] for x in s.statuses(s.head)], ["success"], "one status")
    eq({r["status"] for r in s.requests("POST", "^/repos/") + s.requests("PATCH", "^/repos/")}, {307},
       "each write was sent on")
    checked(s, prism, "open a pull request", "open-pull", "ratchet/cpu", "main", "title", "words")


def watching():
    """A watched repository: a new head, a word, a push"""
    s = scene_of_checks.github()
    prism = oracles.Prism(s.url)
    s.post("settings", api_url=prism.url)
    host = scene_of_checks.Host(s, api=prism.url, token=TOKEN, repository=("watch = true",), limits={"watch-ms": 100})
    host.daemon()
    mark = prism.mark()
    number, head = scene_of_checks.pull(s, "docs", {"README": "x\n"})
    lib.wait_for(lambda: scene_of_checks.status(s, head)[-1:] == ["success"], "the check")
    s.on("comments", issue=number, user="alice", body="/ratchet run")
    s.on("pulls/%d/label" % number, name="ratchet:run", by="alice")
    s.on("commit", branch="main", files={"notes": "z\n"}, message="a push")
    lib.wait_for(lambda: "baselines" in s.api("GET", "/repos/octo/kernels/contents/").text, "the promotion")
    lib.wait_for(lambda: scene_of_checks.status(s, head).count("success") == 3, "word and label")
    s.await_fault(s.fault("/git/ref/", "hold"))  # one that is broken off would look like a violation
    ok(prism.passed(mark) > 30 and [r for r in s.requests() if r["status"] == 304], "through Prism, with etags")
    eq(prism.violations(mark), [], "no violation from either side")


lib.main(each_call, as_an_app, renamed, watching)
