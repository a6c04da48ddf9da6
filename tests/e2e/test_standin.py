#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stand-in for GitHub, checked before anything is checked against it: by GitHub's own
description of its API (through Prism), by the git program, and by hand for what neither knows.
"""

import base64
import gzip
import json
import os
import threading

import lib
import oracles
from lib import BOT, TOKEN, eq, has, lacks, ok

ALICE = "token-of-alice"
READER = "token-that-only-reads"


def scene():
    """A stand-in with a repository of three files, one open pull request, and people."""
    standin = lib.Standin("octo/kernels")
    standin.post("tokens", token=ALICE, login="alice")
    standin.post("tokens", token=READER, login=BOT, permissions={"contents": "read"})
    standin.on("collaborators", alice="maintain", bob="triage")
    repo = lib.Repo()
    standin.base = repo.commit({"kernels/a.c": "int a;\n", "ci/ratchet.conf": "[kernel]\n",
                                "README": "r\n"}, "first")
    standin.head = repo.commit({"kernels/a.c": "int a;\nint b;\n", "kernels/new.c": "int n;\n",
                                "README": None}, "faster", branch="faster", onto="main")
    repo.push(standin.git_url, "main", "faster")
    standin.on("pulls", head="faster", title="Make it faster", user="alice", body="words")
    standin.repo = repo
    return standin


R = "/repos/octo/kernels"


def every_answer_is_what_github_describes():
    """GitHub's own description finds no fault in any answer"""
    s = scene()
    prism = oracles.Prism(s.url)
    s.post("settings", api_url=prism.url)
    s.on("pulls/1/label", name="accept-loss", by="alice")
    s.on("pulls/1/label", name="accept-loss", by="bob", on=False)
    s.on("pulls/1", title="Make it much faster")
    s.on("comments", issue=1, user="zoe", body="comment {i}", count=130)
    s.on("comments", issue=1, user=None, body="from a deleted account")
    mark = prism.mark()
    made = s.api("POST", prism.url + R + "/issues/1/comments", {"body": "found it"})
    comment = made.json["id"]
    asked = [
        ("GET", R, None, 200), ("GET", "/rate_limit", None, 200),
        ("GET", R + "/issues/1/comments?per_page=100", None, 200),
        ("GET", R + "/issues/comments/%d" % comment, None, 200),
        ("PATCH", R + "/issues/comments/%d" % comment, {"body": "found more"}, 200),
        ("DELETE", R + "/issues/comments/%d" % comment, None, 204),
        ("GET", R + "/issues/1/events", None, 200),
        ("GET", R + "/pulls?state=open&head=octo:faster&base=main", None, 200),
        ("GET", R + "/pulls/1", None, 200), ("GET", R + "/pulls/1/files", None, 200),
        ("POST", R + "/statuses/" + s.head, {"state": "pending", "context": "ratchet/cpu",
                                             "description": "waiting", "target_url":
                                             "https://github.example/runs/1"}, 201),
        ("POST", R + "/statuses/" + s.head, {"state": "success"}, 201),
        ("GET", R + "/commits/%s/status" % s.head, None, 200),
        ("GET", R + "/commits/%s/pulls" % s.head, None, 200),
        ("GET", R + "/git/ref/heads%2Fmain", None, 200),
        ("POST", R + "/git/refs", {"ref": "refs/heads/x/y", "sha": s.base}, 201),
        ("PATCH", R + "/git/refs/heads%2Fx%2Fy", {"sha": s.head}, 200),
        ("GET", R + "/contents/kernels%2Fa.c?ref=main", None, 200),
        ("GET", R + "/contents/kernels", None, 200),
        ("GET", R + "/collaborators/alice/permission", None, 200),
        ("POST", R + "/pulls", {"title": "again", "head": "x/y", "base": "main"}, 201),
        # refusals whose shape the description fixes
        ("GET", R + "/pulls/99", None, 404), ("GET", R + "/git/ref/heads%2Fnone", None, 404),
        ("GET", R + "/contents/none", None, 404),
        ("POST", R + "/issues/1/comments", {"body": "x" * 65537}, 422),
        ("POST", R + "/issues/99/comments", {"body": "x"}, 404),
        ("POST", R + "/git/refs", {"ref": "refs/heads/main", "sha": s.base}, 422),
        ("PATCH", R + "/git/refs/heads%2Fmain", {"sha": "0" * 40}, 422),
        ("POST", R + "/pulls", {"title": "again", "head": "x/y", "base": "main"}, 422),
        ("GET", R + "/collaborators/nobody/permission", None, 404),
    ]
    eq(made.status, 201, "a comment is made")
    for method, path, body, status in asked:
        reply = s.api(method, prism.url + path, body)
        eq(reply.status, status, "%s %s" % (method, path[:70]))
    eq(prism.passed(mark), len(asked) + 1, "all of them went through the proxy")
    eq(prism.violations(mark), [], "no violation")
    mark, count, page = prism.mark(), 0, prism.url + R + "/issues/1/comments"
    while page:
        reply = s.api("GET", page)
        count, page = count + len(reply.json), reply.link("next")
    eq(count, 131, "every page, through the proxy")
    eq(prism.violations(mark), [], "no violation on later pages")
    s.post("limits", on=True)
    for used, writes, status in ((5000, 0, 403), (0, 80, 403), (0, 500, 429)):
        s.post("limits", status=status)
        s.post("limits/used", token=TOKEN, used=used, writes=writes)
        reply = s.api("POST", prism.url + R + "/issues/1/comments", {"body": "x"})
        eq((reply.status, reply.json["status"]), (status, str(status)), "a limit: %d, %d" % (used, writes))
        ok(reply.headers["Retry-After"] or reply.headers["X-RateLimit-Remaining"] == "0",
           "it says when")
    eq(prism.violations(mark), [], "no violation in a refusal by a limit")
    s.post("limits", on=False)
    bad = s.api("POST", prism.url + R + "/issues/1/comments", {"bdy": "x"})
    eq(bad.status, 422, "the proxy refuses a wrong body")
    ok(prism.violations(mark), "and says so")
    mark = prism.mark()
    s.fault("/pulls/1$", "answer", status=200, body={"number": "1"})
    eq(s.api("GET", prism.url + R + "/pulls/1").status, 500, "and a wrong answer")
    ok(prism.violations(mark), "and says so")
    mark = prism.mark()
    s.api("GET", prism.url + R + "/pullz/1")
    ok(prism.violations(mark), "and a path nobody knows")


def paging():
    """Lists come in pages, linked by addresses that cannot be guessed"""
    s = scene()
    ids = s.on("comments", issue=1, user="zoe", body="comment {i}", count=250)["ids"]
    seen, url, pages = [], R + "/issues/1/comments?per_page=100", 0
    while url:
        reply = s.api("GET", url)
        seen += [c["id"] for c in reply.json]
        url, pages = reply.link("next"), pages + 1
        if url:
            has(url, "/repositories/%d/" % s.made["id"], "the next page is named by number")
    eq(pages, 3, "three pages of 100")
    eq(seen, ids, "each once, ids ascending")
    eq(seen, sorted(seen), "sorted")
    eq(reply.link("last"), None, "the last page has no `last`")
    ok(reply.link("first"), "but a `first`")
    reply = s.api("GET", R + "/issues/1/comments")
    eq(len(reply.json), 30, "30 where no size is given")
    reply = s.api("GET", R + "/issues/1/comments?per_page=1000")
    eq(len(reply.json), 100, "never more than 100")
    eq(s.api("GET", R + "/issues/1/comments?page=99").json, [], "an empty page beyond the end")
    s.post("settings", api_url="https://api.example/v3/")
    reply = s.api("GET", R + "/issues/1/comments")
    has(reply.headers["Link"], "<https://api.example/v3/repositories/", "public address in Link")
    has(reply.json[0]["url"], "https://api.example/v3/repos/octo", "public address in objects")


def refusals():
    """Errors have GitHub's status, words and headers"""
    s = scene()
    comments = R + "/issues/1/comments"

    def refused(reply, status, message, what):
        eq(reply.status, status, what)
        has(reply.json["message"], message, what + ": message")
        eq(reply.json["status"], str(status), what + ": status in the body")
        return reply
    refused(s.api("GET", R, token=None), 404, "Not Found", "private, without a token")
    refused(s.api("GET", R, token="wrong"), 401, "Bad credentials", "wrong token")
    denied = refused(s.api("POST", comments, {"body": "x"}, token=READER), 403,
                     "Resource not accessible by integration", "token without the permission")
    eq(denied.headers["X-Accepted-GitHub-Permissions"], "issues=write; pull_requests=write",
       "which it would have needed")
    refused(s.api("POST", R + "/statuses/" + s.head, {"state": "success"}, token=READER), 403,
            "not accessible", "nor statuses")
    refused(s.api("POST", comments, '{"body":'), 400, "Problems parsing JSON", "half a body")
    refused(s.api("POST", comments, '{"body": NaN}'), 400, "Problems parsing JSON", "NaN")
    refused(s.api("POST", comments, b'{"body": "\xff"}'), 400, "Problems parsing JSON",
            "bytes that are no UTF-8")
    refused(s.api("POST", comments, '["x"]'), 400, "should be a JSON object", "an array")
    refused(s.api("POST", comments, {}), 422, "wasn't supplied", "no body")
    refused(s.api("POST", comments, {"body": 7}), 422, "not a string", "a number")
    long = refused(s.api("POST", comments, {"body": "x" * 65537}), 422, "Validation Failed",
                   "too long")
    eq(long.json["errors"], [{"resource": "IssueComment", "code": "unprocessable", "field": "data",
                              "message": "Body is too long (maximum is 65536 characters)"}],
       "too long: the errors are objects")
    eq(s.api("POST", comments, {"body": "é" * 65536}).status, 201, "65536 characters are not")
    s.post("settings", errors_as_strings=True)
    eq(s.api("POST", comments, {"body": "x" * 65537}).json["errors"],
       ["Body is too long (maximum is 65536 characters)"], "too long: the errors are strings")
    refused(s.api("POST", R + "/statuses/" + "1" * 40, {"state": "success"}), 422,
            "No commit found for SHA", "status on a commit that is not there")
    refused(s.api("POST", R + "/statuses/" + s.head, {"state": "ok"}), 422, "Validation Failed",
            "a state that is none")
    refused(s.api("POST", R + "/statuses/" + s.head, {"state": "error", "description": "x" * 141}),
            422, "Validation Failed", "a long description")
    refused(s.api("PATCH", R + "/issues/comments/1", {"body": "x"}), 404, "Not Found",
            "a comment that is not there")
    refused(s.api("GET", "/repos/octo/other"), 404, "Not Found", "a repository that is not there")
    refused(s.api("GET", R + "/", ), 404, "Not Found", "a trailing slash")
    refused(s.api("GET", R, X_GitHub_Api_Version="2020-01-01"), 400, "Unsupported", "old version")
    agent = s.api("GET", R, User_Agent="")
    eq(agent.status, 403, "no User-Agent")
    has(agent.text, "User-Agent header", "in plain words, not JSON")
    theirs = s.on("comments", issue=1, user="zoe", body="mine")["ids"][0]
    refused(s.api("PATCH", R + "/issues/comments/%d" % theirs, {"body": "x"}), 403,
            "not accessible", "somebody else's comment")
    s.on("pulls/1", locked=True)
    refused(s.api("POST", comments, {"body": "x"}), 403, "locked", "a locked conversation")
    s.post("settings", actions_may_open_pulls=False)
    refused(s.api("POST", R + "/pulls", {"title": "t", "head": "faster", "base": "main"}), 403,
            "not permitted to create", "Actions may not open pull requests")


def limits():
    """Requests are counted and announced; limits are off until they are turned on"""
    s = scene()
    first, second = (s.api("GET", R).headers for _ in range(2))
    eq(int(first["X-RateLimit-Remaining"]) - int(second["X-RateLimit-Remaining"]), 1,
       "each request counts one")
    ok("github.v3" in first["X-GitHub-Media-Type"], "media type header")
    s.post("limits/used", token=TOKEN, used=5000, writes=500)
    eq(s.api("GET", R).status, 200, "nothing is refused")
    eq(s.api("POST", R + "/issues/1/comments", {"body": "x"}).status, 201, "nor a write")
    s.post("settings", statuses_per_context=1)
    path = R + "/statuses/" + s.head
    eq(s.api("POST", path, {"state": "pending", "context": "c"}).status, 201, "one status")
    eq(s.api("POST", path, {"state": "success", "context": "c"}).status, 422, "not a second")


def budget(s, of):
    return next(b for b in s.control("GET", "limits")["budgets"] if b["of"] == of)


def primary_limit():
    """At the primary limit nothing is answered until the time that every answer names"""
    s = scene()
    now = s.post("clock", now=1800000000, stopped=True)["now"]
    s.post("limits", on=True)
    s.post("limits/used", token=TOKEN, used=4998, reset_in=600)
    last = [s.api("GET", R) for _ in range(3)]
    eq([r.status for r in last], [200, 200, 403], "5 000, and no more")
    eq([r.headers["X-RateLimit-Remaining"] for r in last], ["1", "0", "0"], "what remains is told")
    eq({r.headers["X-RateLimit-Reset"] for r in last}, {str(now + 600)}, "and until when")
    eq(last[2].headers["Date"], "Fri, 15 Jan 2027 08:00:00 GMT", "by the stand-in's own clock")
    has(last[2].json["message"], "API rate limit exceeded", "message")
    eq(last[2].headers["Retry-After"], None, "no other word about when")
    eq(s.api("GET", "/rate_limit").json["resources"]["core"]["remaining"], 0, "rate_limit agrees")
    eq(s.api("GET", R, token=ALICE).status, 200, "another token has its own")
    eq((budget(s, BOT)["refused"], budget(s, BOT)["polled"]), (1, 0), "one refusal")
    s.api("GET", R)
    eq((budget(s, BOT)["refused"], budget(s, BOT)["polled"]), (2, 1), "and one that came too early")
    s.post("limits", status=429)
    eq(s.api("GET", R).status, 429, "or 429")
    s.post("clock", advance=600)
    eq(s.api("GET", R).headers["X-RateLimit-Remaining"], "4999", "then it begins anew")


def secondary_limits():
    """80 writes a minute and 500 an hour: then no write until the time that is named"""
    s = scene()
    s.post("clock", now=1800000000, stopped=True)
    s.post("limits", on=True)
    write = ("POST", R + "/statuses/" + s.head, {"state": "success"})
    statuses, minutes = [], 0
    while minutes < 7:
        reply = s.api(*write)
        statuses.append(reply.status)
        if reply.status != 201:
            minutes += 1
            s.post("clock", advance=int(reply.headers["Retry-After"]))
            waited = int(reply.headers["Retry-After"])
            if waited > 60:
                break
            eq(waited, 60, "minute %d" % minutes)
    has(reply.json["message"], "secondary rate limit", "message")
    ok(int(reply.headers["X-RateLimit-Remaining"]) > 4000, "it is not the primary one")
    eq([len(part) for part in "".join("1" if x == 201 else " " for x in statuses).split()],
       [80] * 6 + [20], "80 in each minute, 500 in the hour")
    eq(waited, 3600 - 6 * 60, "and the hour is waited for")
    eq(s.api(*write).status, 201, "then again")
    s.post("limits/used", token=TOKEN, writes=500)
    eq((s.api("GET", R).status, s.api(*write).status), (200, 403), "reads go on meanwhile")
    s.post("limits", announce=2)
    eq(s.api(*write).headers["Retry-After"], "2", "a test may have less announced")


def limits_of_a_job():
    """The tokens of a repository's jobs share 1 000 requests an hour"""
    s = scene()
    s.post("limits", on=True)
    s.post("repos", full_name="octo/other")
    for token, name in (("job-1", "octo/kernels"), ("job-2", "octo/kernels"), ("job-3", "octo/other")):
        s.post("tokens", token=token, login=BOT, permissions=lib.BOT_MAY, job_of=name)
    eq(s.api("GET", R, token="job-3").status, 404, "another repository's is no use here")
    s.post("limits/used", token="job-1", used=999)
    replies = [s.api("GET", R, token=token) for token in ("job-2", "job-1")]
    eq([r.status for r in replies], [200, 403], "used up by both")
    eq(replies[0].headers["X-RateLimit-Limit"], "1000", "and told")
    eq(s.api("GET", "/repos/octo/other", token="job-3").status, 200, "another repository's go on")
    eq(s.api("GET", R).status, 200, "and a token that is no job's")


def pulls():
    """Pull requests follow their branches"""
    s = scene()
    pull = s.api("GET", R + "/pulls/1").json
    eq((pull["head"]["sha"], pull["base"]["sha"]), (s.head, s.base), "head and base")
    eq((pull["mergeable"], pull["changed_files"], pull["additions"], pull["deletions"]),
       (True, 3, 2, 1), "mergeable, files, lines")
    files = {f["filename"]: f["status"] for f in s.api("GET", R + "/pulls/1/files").json}
    eq(files, {"README": "removed", "kernels/a.c": "modified", "kernels/new.c": "added"}, "files")
    head = s.on("commit", branch="faster", files={"z": "z"}, message="more")["sha"]
    eq(s.api("GET", R + "/pulls/1").json["head"]["sha"], head, "a push moves the head")
    eq(s.state()["refs"]["refs/pull/1/head"], head, "and its ref")
    merge = s.state()["refs"]["refs/pull/1/merge"]
    s.on("commit", branch="main", files={"other": "o"}, message="main moves")
    ok(s.state()["refs"]["refs/pull/1/merge"] != merge, "the test merge follows main")
    s.on("", merge_refs="stale")
    merge = s.state()["refs"]["refs/pull/1/merge"]
    s.on("commit", branch="main", files={"other": "p"}, message="main moves")
    eq(s.state()["refs"]["refs/pull/1/merge"], merge, "unless it is told to lag")
    s.on("", merge_refs="fresh")
    s.on("commit", branch="main", files={"kernels/a.c": "conflict\n"}, message="conflict")
    pull = s.api("GET", R + "/pulls/1").json
    eq((pull["mergeable"], pull["mergeable_state"]), (False, "dirty"), "a conflict")
    lacks(json.dumps(s.state()["refs"]), "refs/pull/1/merge", "has no test merge")
    s.on("commit", branch="main", files={"kernels/a.c": "int a;\n"}, message="back")
    s.on("pulls/1", mergeable_unknown=1)
    eq([s.api("GET", R + "/pulls/1").json["mergeable"] for _ in range(2)], [None, True],
       "`mergeable` may take a while")
    s.on("pulls/1/label", name="ok", by="bob")
    eq([x["name"] for x in s.api("GET", R + "/pulls/1").json["labels"]], ["ok"], "labels")
    eq([(e["event"], e["actor"]["login"]) for e in s.api("GET", R + "/issues/1/events").json],
       [("labeled", "bob")], "who labelled")
    for method, parents in (("merge", 2), ("squash", 1)):
        branch = "by-" + method
        s.on("commit", branch=branch, parent="main", files={method: "x"}, message="x")
        number = s.on("pulls", head=branch, user="alice")["number"]
        sha = s.on("pulls/%d/merge" % number, user="bob", method=method)["sha"]
        eq(s.state()["refs"]["refs/heads/main"], sha, method + " moves main")
        pull = s.api("GET", R + "/pulls/%d" % number).json
        eq((pull["state"], pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"]),
           ("closed", True, "bob", sha), method + ": merged")
        s.repo.git("-c", "http.extraHeader=Authorization: Bearer " + TOKEN, "fetch", "-q",
                   s.git_url, "main")
        eq(len(s.repo.git("rev-list", "--parents", "-1", sha).split()) - 1, parents,
           method + ": parents")
        eq([p["number"] for p in s.api("GET", R + "/commits/%s/pulls" % sha).json], [number],
           method + ": found from its commit")
    new = s.api("GET", R + "/pulls/1", X_GitHub_Api_Version="2026-03-10").json
    ok("merge_commit_sha" not in new, "the newer version leaves merge_commit_sha out")


def forks():
    """A pull request from a fork, and what is left when the fork is deleted"""
    s = scene()
    s.post("repos", full_name="mallory/kernels", source=s.made["path"])
    head = s.control("POST", "repos/mallory/kernels/commit", {
        "branch": "evil", "parent": "main", "files": {"x": "x"}, "message": "x"})["sha"]
    number = s.on("pulls", head="evil", head_repo="mallory/kernels", user="mallory")["number"]
    pull = s.api("GET", R + "/pulls/%d" % number).json
    eq((pull["head"]["repo"]["full_name"], pull["head"]["sha"]), ("mallory/kernels", head), "head")
    eq(s.state()["refs"]["refs/pull/%d/head" % number], head, "its commit can be fetched here")
    s.on("pulls/%d" % number, head_repo=None)
    eq(s.api("GET", R + "/pulls/%d" % number).json["head"]["repo"], None, "null when it is gone")


def others_repositories():
    """A token for one repository reads what is public elsewhere, and no more"""
    s = scene()
    s.post("tokens", token="a-job's", login=lib.BOT, permissions=lib.BOT_MAY, job_of=s.repository)
    for name, private, read in (("mallory/kernels", False, 200), ("mallory/hidden", True, 404)):
        s.post("repos", full_name=name, source=s.made["path"], private=private)
        for path in ("", "/activity?ref=refs/heads/main", "/git/ref/heads/main"):
            eq(s.api("GET", "/repos/" + name + path, token="a-job's").status, read, "GET %s%s" % (name, path))
        sha = s.control("GET", "repos/" + name)["refs"]["refs/heads/main"]
        eq(s.api("POST", "/repos/%s/statuses/%s" % (name, sha), {"state": "success"}, token="a-job's").status,
           403 if read == 200 else 404, "no status on " + name)
    eq(s.api("GET", R + "/activity", token="a-job's").status, 200, "its own")


def whose_comment():
    """A comment and a label tell whether a person, a bot or an App made them, and whether it was changed"""
    s = scene()
    s.post("apps", number=12, slug="helper", key="", permissions={})
    s.post("tokens", token="alice's", login="alice")
    s.on("pulls", head="faster", user="alice")

    def made(number):
        view = s.api("GET", R + "/issues/comments/%d" % number).json
        return (view["user"] and view["user"]["type"], (view["performed_via_github_app"] or {}).get("slug"),
                view["created_at"] == view["updated_at"])
    for who, via, kind in (("alice", None, "User"), ("alice", 12, "User"), ("helper[bot]", None, "Bot"),
                           ("robot[bot]", None, "Bot"), (None, None, None)):
        number = s.on("comments", issue=1, user=who, body="x", via=via)["ids"][0]
        eq(made(number), (kind, "helper" if via else None, True), "%s by %s" % (who, via))
    number = s.on("comments", issue=1, user="alice", body="x")["ids"][0]
    s.api("PATCH", R + "/issues/comments/%d" % number, {"body": "y"}, token="alice's")
    eq(made(number), ("User", None, False), "changed")
    for via in (None, 12):
        s.on("pulls/1/label", name="one-%s" % via, by="alice", via=via)
        event = s.api("GET", R + "/issues/1/events").json[-1]
        eq((event["actor"]["type"], (event["performed_via_github_app"] or {}).get("slug")),
           ("User", "helper" if via else None), "a label by %s" % via)


def permissions():
    """Who may write"""
    s = scene()
    got = {who: s.api("GET", R + "/collaborators/%s/permission" % who).json.get("permission")
           for who in ("octo", "alice", "bob")}
    eq(got, {"octo": "admin", "alice": "write", "bob": "read"}, "roles and permissions differ")
    eq(s.api("GET", R + "/collaborators/alice/permission").json["role_name"], "maintain", "role")
    s.post("users", login="zoe")
    eq(s.api("GET", R + "/collaborators/zoe/permission").json["permission"], "none", "a stranger")
    eq(s.api("GET", R + "/collaborators/ghost/permission").status, 404, "nobody")


def git_over_http():
    """The git program clones, fetches by SHA and pushes; strangers do not"""
    s = scene()
    repo = lib.Repo()
    basic = base64.b64encode(b"x-access-token:" + TOKEN.encode()).decode()

    def fetch(what, header):
        return repo.git("-c", "http.extraHeader=Authorization: " + header, "fetch", "-q",
                        s.git_url, what, check=False)
    eq(fetch("main", "Basic " + basic).code, 0, "Basic")
    eq(fetch("main", "Bearer " + TOKEN).code, 0, "Bearer")
    eq(fetch(s.head, "Bearer " + READER).code, 0, "any commit by its SHA, with read permission")
    eq(fetch("refs/pull/1/merge", "Bearer " + TOKEN).code, 0, "the test merge")
    ok(fetch("main", "Bearer wrong").code != 0, "a wrong token")
    ok(fetch("main", "Basic " + base64.b64encode(b"a:b").decode()).code != 0, "a wrong password")
    none = lib.http("GET", s.git_url + "/info/refs?service=git-upload-pack")
    eq((none.status, none.headers["WWW-Authenticate"]), (401, 'Basic realm="GitHub"'), "no token")
    other = lib.http("GET", s.url + "/octo/none.git/info/refs?service=git-upload-pack",
                     headers={"Authorization": "Bearer " + TOKEN})
    eq(other.status, 404, "no such repository")
    push = s.repo.push(s.git_url, "main:refs/heads/copy", token=READER, check=False)
    has(push.err, "403", "no push without write permission")
    s.repo.push(s.git_url, "main:refs/heads/copy")
    eq(s.state()["refs"].get("refs/heads/copy"), s.base, "a push with it")
    asked = [r for r in s.requests("POST", "receive-pack") if "push" in r][-1]
    eq(asked["push"], [["0" * 40, s.base, "refs/heads/copy"]], "and it is on record")
    hidden = s.repo.push(s.git_url, "main:refs/pull/9/head", check=False)
    has(hidden.err, "hidden ref", "nobody pushes to refs/pull")
    for kind in ("GH006", "GH013"):
        s.on("protect", branch="main", kind=kind)
        s.repo.git("checkout", "-q", "main")
        s.repo.commit({"x": kind}, "x")
        declined = s.repo.push(s.git_url, "main", check=False)
        has(declined.err, kind, "a protected branch declines with %s" % kind)
        has(declined.err, "pre-receive hook declined", "by its hook")
        eq(s.state()["refs"]["refs/heads/main"], s.base, "and stays")
    s.on("protect", branch="main", kind=None)
    s.repo.push(s.git_url, "main")
    eq(s.state()["refs"]["refs/heads/main"], s.repo.sha("main"), "switched off again")


def git_bodies():
    """Git requests may be compressed or chunked"""
    s = scene()
    large = {"blob%d" % i: base64.b64encode(os.urandom(60000)) for i in range(40)}
    s.repo.commit(large, "two megabytes", branch="large", onto="main")
    push = s.repo.git("-c", "http.postBuffer=65536", "-c", "http.extraHeader=Authorization: "
                      "Bearer " + TOKEN, "push", "-q", s.git_url, "large", check=False)
    eq(push.code, 0, "a push larger than the buffer")
    ok([r for r in s.requests("POST", "receive-pack") if
        r["headers"].get("Transfer-Encoding") == "chunked"], "went in chunks")
    line = b"0032want %s\n00000009done\n" % s.base.encode()
    reply = lib.http("POST", s.git_url + "/git-upload-pack", gzip.compress(line), {
        "Authorization": "Bearer " + TOKEN, "Content-Encoding": "gzip",
        "Content-Type": "application/x-git-upload-pack-request"})
    eq(reply.status, 200, "a compressed want")
    ok(b"PACK" in reply.data, "is answered with a pack")


def records():
    """Every request is on record, without tokens"""
    s = scene()
    s.control("DELETE", "requests")
    s.api("POST", R + "/issues/1/comments", {"body": "hello"})
    s.api("GET", R + "/pulls?token=" + TOKEN)
    both = s.requests()
    eq([(r["method"], r["path"], r["status"], r["login"]) for r in both],
       [("POST", R + "/issues/1/comments", 201, BOT),
        ("GET", R + "/pulls?token=<%s>" % BOT, 200, BOT)], "method, path, status, who")
    eq(both[0]["json"], {"body": "hello"}, "body")
    eq(both[0]["headers"]["Authorization"], "Bearer <%s>" % BOT, "the token is not kept")
    eq([r.get("leaked", False) for r in both], [False, True], "a token in the wrong place is seen")
    lines = [json.loads(line) for line in lib.read(s.log).splitlines()]
    eq(lines[-2:], both, "the file says the same")
    lacks(lib.read(s.log), TOKEN, "no token in the file")
    eq(s.requests("GET", since=both[0]["id"]), both[1:], "requests since")


def faults():
    """Faults happen when armed, as often as armed"""
    s = scene()
    path = R + "/issues/1/comments"

    def post(body="x"):
        try:
            return s.api("POST", path, {"body": body}).status
        except OSError as lost:
            return type(lost).__name__
        except Exception as broken:  # http.client's own
            return type(broken).__name__
    s.fault("comments", "answer", method="POST", status=503, times=2, skip=1,
            headers={"Retry-After": "0"}, body={"message": "later"})
    eq([post(str(i)) for i in range(4)], [201, 503, 503, 201], "one passes, two do not")
    s.fault("comments", "drop", method="POST")
    ok(post("dropped") not in (201, 503), "a dropped connection")
    s.fault("comments", "drop", method="POST", after=True)
    ok(post("lost answer") not in (201, 503), "a lost answer")
    s.fault("comments", "answer", method="POST", after=True, status=502, body="<html>bad</html>")
    eq(post("done, then 502"), 502, "done, but it says 502")
    eq([c["body"] for c in s.comments()], ["0", "3", "lost answer", "done, then 502"],
       "what was done was done")
    s.fault("comments", "truncate", bytes=10)
    ok(post("cut") == "IncompleteRead", "a truncated answer")
    s.fault("comments", "raw", text="garbage\r\n\r\n")
    ok(post() not in (201, 503), "an answer that is no HTTP")
    s.fault("comments", "answer", status=200, body="", body_bytes=1 << 20)
    eq(len(s.api("GET", path).data), 1 << 20, "a large answer")
    number = s.fault("comments", "hold", method="POST")
    done = []
    thread = threading.Thread(target=lambda: done.append(post("held")))
    thread.start()
    s.await_fault(number)
    eq((done, len(s.comments())), ([], 5), "a held request has done nothing")
    eq(s.api("GET", path).status, 200, "and holds up nobody else")
    s.release(number)
    thread.join(30)
    eq((done, s.comments()[-1]["body"]), ([201], "held"), "released, it goes on")
    number = s.fault("receive-pack$", "hold", method="POST")
    s.repo.git("checkout", "-q", "main")
    s.repo.commit({"x": "race"}, "x")
    thread = threading.Thread(target=lambda: done.append(
        s.repo.push(s.git_url, "main", check=False)))
    thread.start()
    s.await_fault(number)
    won = s.on("commit", branch="main", files={"y": "y"}, message="somebody was faster")["sha"]
    s.release(number)
    thread.join(30)
    ok(done[-1].code != 0, "a push that lost its race is refused")
    eq(s.state()["refs"]["refs/heads/main"], won, "and the winner stays")


def networks():
    """Faults of a network: reset, silence, a drip, a shut door, a token that dies"""
    s = lib.Standin("octo/kernels")
    url = s.post("doors")["url"]
    door = "doors/" + url.rsplit(":", 1)[1]

    def ask():
        try:
            return s.api("GET", url + "/repos/octo/kernels").status
        except OSError as problem:
            return type(getattr(problem, "reason", problem)).__name__
    eq(ask(), 200, "another door leads here")
    for _ in range(2):
        s.post(door, open=False)
        eq(ask(), "ConnectionRefusedError", "a shut one refuses")
        s.post(door, open=True)
        eq(ask(), 200, "and opens again")
    for after in False, True:
        s.fault("kernels$", "reset", after=after)
        eq(ask(), "ConnectionResetError", "a reset")
    s.fault("kernels$", "drip", ms=0)
    eq(ask(), 200, "a drip is whole in the end")
    silent = s.fault("kernels$", "silence")
    held = []
    thread = threading.Thread(target=lambda: held.append(ask()))
    thread.start()
    s.await_fault(silent)
    s.release(silent)
    thread.join()
    eq(held, ["RemoteDisconnected"], "silence ends without an answer")
    s.control("DELETE", "tokens/" + lib.TOKEN)
    eq(ask(), 401, "a dead token is worth nothing")


lib.main(every_answer_is_what_github_describes, paging, refusals, limits, primary_limit,
         secondary_limits, limits_of_a_job, pulls, forks, others_repositories, whose_comment,
         permissions, git_over_http, git_bodies, records, faults, networks)
