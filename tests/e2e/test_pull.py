#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet check --repository` against the stand-in: the pull request is found, measured and told
the truth in one comment and one status, whatever GitHub does meanwhile."""

import json
import os
import re

import lib
import oracles
import scene
from lib import BOT, TOKEN, eq, has, lacks, ok


def words():
    """Comment and status say the verdict"""
    s = scene.github()
    host = scene.Host(s)
    for name, files, code, verdict, state in (
            ("slow", "slow", 1, "regressed", "failure"),
            ("docs", {"README": "other words\n"}, 0, "held", "success"),
            ("wrong", "wrong", 3, "unmeasured", "error")):
        number, head = scene.pull(s, name, files)
        result = host.check_pull(number)
        eq(result.brief(), (code, verdict), name)
        comments = scene.ours(s, number)
        eq(len(comments), 1, name + ": one comment")
        eq(comments[0].splitlines()[0], scene.MARKER, name + ": its first line marks it as ours")
        has(comments[0], verdict, name + ": it says the verdict")
        has(comments[0], head[:7], name + ": and of which commit")
        eq(scene.status(s, head), ["pending", state], name + ": pending, then " + state)
        final = s.statuses(head)[-1]
        has(final["description"], verdict, name + ": the status says it too")
        eq(comments[0].strip(), result.file("report.md").strip(), name + ": the report is posted")
    leaks = [r["path"] for r in s.requests() if "leaked" in r]
    eq(leaks, [], "the token was in no wrong place")
    asked = {r["login"] for r in s.requests()}
    eq(asked - {BOT, None}, set(), "and no request was somebody else's")
    lacks(json.dumps(s.requests()), '"login": null, "headers": {"Authorization"',
          "no token that is not known")


def same_comment():
    """A second push updates the same comment, among 250 others"""
    s = scene.github()
    host = scene.Host(s)
    number, _ = scene.pull(s, "topic", {"README": "one\n"})
    s.on("comments", issue=number, user="zoe", body=scene.MARKER + "\nplanted {i}", count=120)
    host.check_pull(number)
    s.on("comments", issue=number, user="zoe", body="word {i}", count=130)
    first = [c for c in s.comments(number) if c["user"] == BOT]
    eq(len(first), 1, "one comment, after 120 that carry a planted marker")
    head = scene.branch(s.repo, "topic", "slow")
    s.repo.push(s.git_url, "+topic")
    eq(host.check_pull(number).brief(), (1, "regressed"), "the second push")
    second = [c for c in s.comments(number) if c["user"] == BOT]
    eq([c["id"] for c in second], [c["id"] for c in first], "the same comment")
    has(second[0]["body"], "regressed", "says the new verdict")
    has(second[0]["body"], head[:7], "of the new head")
    lacks(second[0]["body"], "planted", "nobody else's words")
    ok(len(s.requests("GET", r"page=3")) > 0, "found on the third page")
    eq(len(s.comments(number)), 251, "nothing else was touched")


def what_is_measured():
    """What is measured is the merge into the base of now, whatever GitHub's test merge says"""
    for mode in ("fresh", "stale", "absent"):
        s = scene.github()
        host = scene.Host(s)
        number, head = scene.pull(s, "slow", "slow")
        s.on("", merge_refs=mode)
        s.on("commit", branch="main", files={"elsewhere": "x"}, message="main moves on")
        result = host.check_pull(number)
        eq(result.brief(), (1, "regressed"), mode + ": measured")
        main = s.state()["refs"]["refs/heads/main"]
        has(result.file("report.md"), main[:7], mode + ": against the tip of main")


def refused():
    """What may not run here does not run, and says so"""
    s = scene.github()
    host = scene.Host(s)
    ran = "kernels/attention.c"
    s.post("repos", full_name="mallory/kernels", source=s.made["path"])
    s.control("POST", "repos/mallory/kernels/commit", {
        "branch": "evil", "parent": "main", "files": {ran: scene.kernel("slow")}, "message": "x"})
    number = s.on("pulls", head="evil", head_repo="mallory/kernels", user="mallory")["number"]
    result = host.check_pull(number)
    eq(result.brief(), (3, "unmeasured"), "from a fork")
    has(json.dumps(result.verdict), "fork", "it says so")
    s.on("pulls/%d" % number, head_repo=None)
    eq(host.check_pull(number).brief(), (3, "unmeasured"), "from a fork that is gone")
    closed, _ = scene.pull(s, "closed", "slow")
    s.on("pulls/%d" % closed, state="closed")
    eq(host.check_pull(closed).brief(), (3, "unmeasured"), "closed")
    conflict, _ = scene.pull(s, "conflict", {ran: "theirs\n"})
    s.on("commit", branch="main", files={ran: scene.kernel("refactored")}, message="ours")
    result = host.check_pull(conflict)
    eq(result.brief(), (3, "unmeasured"), "a conflict")
    has(json.dumps(result.verdict), ran, "it names the file")
    has(scene.ours(s, conflict)[0], "attention.c", "in the comment too")
    result = host.ratchet("check", "--config", host.config, "--repository", "octo/other", "--pr", 1)
    ok(result.code in (3, 64), "a repository that is not allowed", result.text)
    has(result.err, "octo/other", "it names it")
    result = host.check_pull(99)
    ok(result.code in (3, 64), "a pull request that is not there", result.text)
    has(result.err, "99", "it names it")
    lacks(json.dumps([r["path"] for r in s.requests()]), "mallory", "the fork was never asked")


def no_permission():
    """Without the permission to post, exit code and files still carry the verdict"""
    s = scene.github()
    s.post("tokens", token="may-only-read", login=BOT,
           permissions={"contents": "read", "pull_requests": "read", "metadata": "read"})
    host = scene.Host(s)
    number, head = scene.pull(s, "slow", "slow")
    result = host.check_pull(number, token="may-only-read")
    eq(result.brief(), (1, "regressed"), "the verdict")
    has(result.err, "not accessible", "stderr says what GitHub said")
    eq((scene.ours(s, number), scene.status(s, head)), ([], []), "nothing was posted")
    lacks(result.text, "may-only-read", "and the token is in no message")
    result = host.check_pull(number, token="wrong")
    eq(result.code, 3, "a token that GitHub does not know: unmeasured")
    has(result.err, re.compile("401|Bad credentials"), "it says why")


def trouble_with_github():
    """Lost answers and errors of GitHub's are outlived, with one comment in the end"""
    for what, fault in (
            ("lost answer", {"action": "drop", "after": True}),
            ("lost request", {"action": "drop"}),
            ("502 after doing it", {"action": "answer", "status": 502, "body": "<html>",
                                    "after": True}),
            ("503", {"action": "answer", "status": 503, "body": "{}"}),
            ("truncated", {"action": "truncate", "bytes": 20}),
            ("rate limit", {"action": "answer", "status": 403, "headers": {"Retry-After": "1"},
                            "body": {"message": "You have exceeded a secondary rate limit."}})):
        s = scene.github()
        host = scene.Host(s)
        number, head = scene.pull(s, "docs", {"README": "x\n"})
        s.fault("/comments$", method="POST", **fault)
        result = host.check_pull(number)
        eq(result.brief(), (0, "held"), what)
        eq(len(scene.ours(s, number)), 1, what + ": exactly one comment")
        eq(scene.status(s, head)[-1], "success", what + ": and the status")
    host = scene.Host(scene.github(), api="http://127.0.0.1:1", limits={"github-timeout-ms": 500})
    result = host.check_pull(1)
    eq(result.code, 3, "GitHub that is not there: unmeasured")
    has(result.err, "127.0.0.1:1", "it names the address")


def trouble_with_git():
    """A passing trouble of git when a job is pinned does not end it; a lasting one says what it was"""
    s = scene.github()
    number, head = scene.pull(s, "docs", {"README": "x\n"})
    for what, fault in (("503", {"action": "answer", "status": 503}), ("reset", {"action": "drop"})):
        met = s.fault("info/refs", **fault)
        eq(scene.Host(s).check_pull(number).brief(), (0, "held"), what)
        s.await_fault(met)
    s.fault("info/refs", "answer", status=503, times=0)
    result = scene.Host(s, limits={"github-timeout-ms": 1500}).check_pull(number)
    eq(result.code, 3, "always 503: unmeasured")
    has(result.err, "503", "in git's words")
    has(result.err, "gave up after 2 tries", "and that it was asked again")


def damaged_cache():
    """A cache of git that is damaged between two jobs costs the next one a fetch and no more"""
    s = scene.github()
    host = scene.Host(s)
    study = "baselines/cpu/study/samples.json"
    number, head = scene.pull(s, "docs", {"README": "x\n", study: "[]\n"})
    eq(host.check_pull(number).brief(), (0, "held"), "a whole one")
    repos = os.path.join(host.state, "repos")

    def shell(script):
        caches = [name for name in os.listdir(repos) if not name.endswith(".lock")]
        eq(len(caches), 1, "one cache")
        run = lib.run(["sh", "-ec", script], cwd=os.path.join(repos, caches[0]))
        ok(run.code == 0, "is damaged", run)

    loose = ("mv objects/pack .; mkdir objects/pack; for p in pack/*.pack; do git unpack-objects -q < $p; "
             "done; chmod -R u+w objects; lose() { o=$(git rev-parse $1 | sed 's,^..,objects/&/,'); $2 $o; }; ")
    for what, script in (
            ("a truncated pack", "for p in objects/pack/*.pack; do chmod u+w $p; truncate -s -40 $p; done"),
            ("garbage in packed-refs", "head -c 200 /dev/urandom > packed-refs"),
            ("a kernel that is lost", loose + "lose %s:kernels/attention.c rm" % head),
            ("a folder that is lost", loose + "lose %s:kernels rm" % head),
            ("a kernel that was cut short", loose + "lose %s:kernels/attention.c 'truncate -s 9'" % head),
            ("rules that are lost", loose + "lose %s:ci/ratchet.conf rm" % head),
            ("a commit that is lost", loose + "lose %s^ rm" % head)):
        shell(script)
        result = host.check_pull(number)
        eq(result.brief(), (0, "held"), what)
        lacks(result.out + result.err, "unmeasured", "nobody is at fault")
    shell(loose + "lose %s:%s rm" % (head, study))
    result = host.check_pull(number)
    eq(result.brief(), (0, "held"), "a study's file that is lost")
    lacks(result.out + result.err, "damaged", "is not missed: of baselines/ only the ratchet's own is read")
    eq(len(scene.ours(s, number)), 1, "one comment")


def moved_on():
    """A head that moves while it is measured: the comment says first that it is superseded"""
    s = scene.github()
    host = scene.Host(s)
    number, old = scene.pull(s, "slow", "slow")
    hold = s.fault("git-upload-pack", "hold", method="POST")
    folder = host.output()
    run = lib.start([lib.program("RATCHET"), "check", "--config", host.config, "--repository",
                     scene.REPOSITORY, "--pr", str(number), "--output", folder], env=host.env(),
                    cwd=host.folder, stdout=lib.subprocess.DEVNULL,
                    stderr=lib.subprocess.DEVNULL)
    s.await_fault(hold)
    scene.branch(s.repo, "slow", {"README": "never mind\n"}, onto="main")
    s.repo.push(s.git_url, "+slow")
    s.release(hold)
    eq(run.wait(lib.DEADLINE), 1, "the old head is judged")
    comments = scene.ours(s, number)
    eq(len(comments), 1, "one comment")
    has(comments[0], "**Superseded by `%s`.**" % s.repo.sha("slow")[:10], "which says by what")
    has(comments[0], "What follows is about `%s`" % old[:10], "and about what it is")
    eq(scene.status(s, old)[-1:], ["failure"], "its status stands on its own commit")


def nothing_is_fetched_meanwhile():
    """All that measuring needs is here before it begins: then neither git nor API is asked"""
    s = scene.github()
    anchor = scene.branch(s.repo, "kept", {"kernels/attention.c": scene.kernel("right", "/* old */\n")})
    s.repo.commit(scene.stored(anchor), "an anchor that main does not reach", branch="main", onto="main")
    s.repo.push(s.git_url, "+main", "+kept")
    number, head = scene.pull(s, "topic", "refactored")
    result = scene.Host(s).check_pull(number)
    scene.fair(result, (0, "held"), "judged against its anchor")
    eq(result.config()["against"], "anchor", "by its kernel, not by stored samples")
    asked = [(r["method"], r["path"]) for r in s.requests()]
    begun = next(i for i, (_, path) in enumerate(asked) if "/statuses/" in path)
    ok(any("git-upload-pack" in path for _, path in asked[:begun]), "git was asked before")
    later = [path for _, path in asked[begun + 1:]]
    eq([path for path in later if path.endswith("git-upload-pack") and "info/refs" not in path], [],
       "and sends nothing after the status says that it is measured")
    ok(all(re.search("info/refs|/issues/|/statuses/|/user", path) for path in later),
       "then git is asked where the head is now, and the verdict is told", later)
    lost = scene.github()
    lost.repo.commit(scene.stored("1" * 40), "an anchor that nobody has", branch="main", onto="main")
    lost.repo.push(lost.git_url, "+main")
    number, head = scene.pull(lost, "topic", "refactored")
    result = scene.Host(lost).check_pull(number)
    eq(result.config()["against"], "stored", "an anchor that is gone: its stored samples decide")
    has(result.file("report.md"), "is not in the repository any more", "and the report says so")


def a_server_that_says_not_found():
    """Of an anchor that it has, once: then it is asked again, and stored samples do not decide"""
    answer = {"Content-Type": "application/x-git-upload-pack-result"}
    for what, fault in (("404", {"status": 404, "body": "x"}),
                        ("an empty answer", {"status": 200, "body": "", "headers": answer}),
                        ("another error", {"status": 200, "body": "0018ERR server overload", "headers": answer})):
        s = scene.github()
        anchor = scene.branch(s.repo, "kept", {"kernels/attention.c": scene.kernel("right", "/* old */\n")})
        s.repo.commit(scene.stored(anchor, ns=500000.0), "slow stored samples", branch="main", onto="main")
        s.repo.push(s.git_url, "+main", "+kept")
        number, head = scene.pull(s, "topic", "slow")
        met = s.fault("git-upload-pack$", "answer", method="POST", skip=3, times=1, **fault)
        result = scene.Host(s).check_pull(number)
        s.await_fault(met, seconds=5)
        eq(result.brief(), (1, "regressed"), what + ": the slow head is no better for it")
        eq(result.config()["against"], "anchor", what + ": by the anchor's own kernel")


def through_prism():
    """Whole runs with GitHub's own description between: no violation from either side"""
    oracles.folder()
    s = scene.github()
    prism = oracles.Prism(s.url)
    s.post("settings", api_url=prism.url)
    host = scene.Host(s, api=prism.url)
    number, head = scene.pull(s, "slow", "slow")
    other, _ = scene.pull(s, "docs", {"README": "x\n"})
    s.on("comments", issue=number, user="zoe", body="word {i}", count=130)
    mark = prism.mark()
    eq(host.check_pull(number).brief(), (1, "regressed"), "a check")
    eq(host.check_pull(number).brief(), (1, "regressed"), "and again")
    eq(host.check_pull(other).brief(), (0, "held"), "another")
    ok(prism.passed(mark) > 10, "went through the proxy")
    eq(prism.violations(mark), [], "without a violation")
    eq(len(scene.ours(s, number)), 1, "one comment")


lib.main(words, same_comment, what_is_measured, refused, no_permission, trouble_with_github, trouble_with_git, damaged_cache,
         moved_on, nothing_is_fetched_meanwhile, a_server_that_says_not_found, through_prism)
