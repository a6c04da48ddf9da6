#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetch, push and promote over real smart HTTP: `git http-backend` behind the stand-in. The
driver's answer is its class of error and its words; git itself says what the repository holds.
"""

import os
import shutil
import socket
import threading

import lib
from lib import BOT, TOKEN, eq, has, lacks, ok

READER = "token-that-only-reads"
ZERO = "0" * 40
SPOILT = """[url "http://127.0.0.1:9/"]
	insteadOf = http://127.0.0.1
[http]
	proxy = http://127.0.0.1:9/
	extraHeader = X-Spoilt: yes
[credential]
	helper = "!echo password=stolen"
"""


class Scene:
    """A stand-in with main (two commits) and pull request 1, and a cache of our own."""

    def __init__(self, **repo):
        self.standin = s = lib.Standin("octo/kernels", **repo)
        s.post("tokens", token=READER, login=BOT, permissions={"contents": "read"})
        self.repo = lib.Repo()
        self.first = self.repo.commit({"kernels/a.c": "int a;\n", "b": "b\n"}, "first")
        self.head = self.repo.commit({"kernels/a.c": "int a2;\n"}, "faster", branch="faster",
                                     onto="main")
        self.main = self.repo.commit({"b": "b2\n"}, "second", branch="main")
        self.repo.push(s.git_url, "main", "faster")
        s.on("pulls", head="faster", title="Faster", user="alice")
        self.cache = os.path.join(lib.temp_dir(), "cache.git")
        self.home = lib.temp_dir()
        lib.write(os.path.join(self.home, ".gitconfig"), SPOILT)

    def drive(self, command, *args, url=None, token=TOKEN, timeout=60000, max_bytes=1 << 24,
              retry=0):
        env = lib.clean_env({"TOKEN": token, "TIMEOUT_MS": str(timeout), "MAX_BYTES":
                             str(max_bytes), "RETRY_MS": str(retry)}, home=self.home)
        result = lib.run([lib.driver("git_driver"), command, self.cache,
                          url or self.standin.git_url, *args], env=env)
        if result.code not in (0, 1) or result.err:
            raise RuntimeError(str(result))
        return result.out.rstrip("\n")

    def commit(self, parent, path, text):
        return self.drive("commit", path, text, url=parent)

    def refs(self):
        return self.standin.state()["refs"]

    def show(self, what, *options):
        return self.repo.git("--git-dir", self.standin.made["path"], "show", "-s", *options, what)


def fetches():
    """Branches, pull requests and commits are fetched"""
    s = Scene()
    eq(s.drive("fetch", "refs/heads/main"), s.main, "a branch")
    eq(s.drive("fetch", "refs/pull/1/head"), s.head, "a pull request")
    eq(s.drive("fetch", s.first), s.first, "a commit by its SHA, already here")
    os.rename(s.cache, s.cache + ".old")
    eq(s.drive("fetch", s.first), s.first, "a commit by its SHA, into an empty cache")
    mark = len(s.standin.requests())
    eq(s.drive("fetch", "refs/heads/main"), s.main, "the rest of its branch")
    asked = s.standin.requests()[mark:]
    ok(all("X-Spoilt" not in r["headers"] for r in asked), "the host's git configuration is unread")
    ok(all(not r.get("leaked") for r in s.standin.requests()), "the token is in its header only")
    ok(all(r["login"] == BOT for r in asked if r["status"] == 200), "and it was used")
    out = s.drive("fetch", "refs/heads/none")
    has(out, "not found: ", "a missing ref")
    has(out, "refs/heads/none", "is named")
    has(s.drive("fetch", "1" * 40), "not found: ", "a commit that is nowhere")
    has(s.drive("fetch", "refs/heads/main", url=s.standin.url + "/octo/none.git"), "not found: ",
        "a repository that is nowhere")


def credentials():
    """Wrong credentials are said to be wrong, after one try"""
    s = Scene(private=True)
    mark = len(s.standin.requests())
    out = s.drive("fetch", "refs/heads/main", token="wrong-token")
    has(out, "auth: ", "a wrong token")
    has(out, "refused", "in plain words")
    lacks(out, "wrong-token", "the token is not shown")
    lacks(out, "followRedirects", "nor what libgit2 said about something else")
    ok(len(s.standin.requests()) - mark <= 3, "it is not tried for ever")
    out = s.drive("fetch", "refs/heads/main", token=None)
    has(out, "auth: ", "no token")
    has(out, "none are configured", "in plain words")
    eq(s.drive("fetch", "refs/heads/main", token=READER), s.main, "a token that may read")
    new = s.commit(s.main, "n", "n")
    has(s.drive("push", new, "refs/heads/main", s.main, token=READER), "auth: ",
        "and may not write")
    has(s.drive("push", new, "refs/heads/main", s.main, token="wrong"), "auth: ",
        "a wrong token for a push")
    eq(s.refs()["refs/heads/main"], s.main, "main stays")


def silence():
    """A server that says nothing is given up, and leaves nothing behind"""
    s = Scene()
    for path in ("info/refs", "/git-upload-pack"):
        held = s.standin.fault(path, "hold")
        has(s.drive("fetch", "refs/heads/main", timeout=700), "timeout: ", "held at " + path)
        s.standin.release(held)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        has(s.drive("fetch", "refs/heads/main", timeout=700,
                    url="http://127.0.0.1:%d/o/r.git" % mute.getsockname()[1]), "timeout: ",
            "accepted and never answered")
    eq(s.drive("fetch", "refs/heads/main"), s.main, "then it works")
    new = s.commit(s.main, "n", "n")
    held = s.standin.fault("/git-receive-pack$", "hold")
    has(s.drive("push", new, "refs/heads/main", s.main, timeout=1500), "timeout: ", "a push, too")
    s.standin.calm()


def nonsense():
    """What a server should not do"""
    s = Scene()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for status in (301, 302, 307):
            s.standin.fault("info/refs", "answer", status=status, headers={
                "Location": "http://localhost:%d/x/info/refs?service=git-upload-pack" % other.getsockname()[1]})
            has(s.drive("fetch", "refs/heads/main"), "host: ", "a redirect, %d" % status)
        other.setblocking(False)
        try:
            other.accept()
            ok(False, "is not followed to another host")
        except BlockingIOError:
            ok(True, "is not followed to another host")
    for name, fault in (("500", {"action": "answer", "status": 500}),
                        ("a closed connection", {"action": "drop"}),
                        ("half an answer", {"action": "truncate", "bytes": 100}),
                        ("no HTTP", {"action": "raw", "text": "SSH-2.0-OpenSSH\r\n"}),
                        ("not git", {"action": "answer", "status": 200, "body": "<html>"})):
        s.standin.fault("info/refs", **fault)
        has(s.drive("fetch", "refs/heads/main"), "host: ", name)
    s.standin.fault("/git-upload-pack$", "truncate", bytes=200)
    has(s.drive("fetch", "refs/heads/main"), "host: ", "half a pack")
    for size in (0, 4, 12, 200):
        s.standin.fault("/git-upload-pack$", "truncate", bytes=size)
        has(s.drive("fetch", s.main), "host: ", "%d bytes of a pack that was named by SHA" % size)
    eq(s.drive("fetch", "refs/heads/main"), s.main, "then it works")


PASSING = (("503", {"action": "answer", "status": 503}),
           ("429", {"action": "answer", "status": 429}),
           ("a page of an edge server", {"action": "answer", "status": 200, "body": "<html>"}),
           ("a closed connection", {"action": "drop"}),
           ("half an answer", {"action": "truncate", "bytes": 100}))


def passing_trouble():
    """A server that is in trouble for a moment is asked again; one that says no is not"""
    s = Scene()
    for what, fault in PASSING:
        for path in ("info/refs", "/git-upload-pack$"):
            shutil.rmtree(s.cache, ignore_errors=True)
            met = s.standin.fault(path, **fault)
            eq(s.drive("fetch", "refs/heads/main", retry=60000), s.main, what + " at " + path)
            s.standin.await_fault(met)
            s.standin.calm()
    held = s.standin.fault("info/refs", "hold")
    eq(s.drive("fetch", "refs/heads/main", timeout=700, retry=60000), s.main, "silence")
    s.standin.release(held)
    port = lib.free_port()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", port))
        out = s.drive("fetch", "refs/heads/main", retry=2500, url="http://127.0.0.1:%d/o/r.git" % port)
    has(out, "host: ", "nobody listens, all the time")
    has(out, "refused", "in plain words")
    has(out, "gave up after 2 tries", "and that it was tried again")
    for what, where, words, fault in (
            ("404", "info/refs", "not found: ", {"status": 404}),
            ("403", "info/refs", "auth: ", {"status": 403}),
            ("400", "info/refs", "host: ", {"status": 400}),
            ("a redirect", "info/refs", "host: ", {
                "status": 301, "headers": {"Location": "http://localhost:9/x"}})):
        mark = len(s.standin.requests())
        s.standin.fault(where, "answer", times=0, **fault)
        has(s.drive("fetch", "refs/heads/main", retry=60000), words, what)
        eq(len(s.standin.requests()) - mark, 1, "is not asked again")
        s.standin.calm()
    mark = len(s.standin.requests())
    has(s.drive("fetch", "refs/heads/none", retry=60000), "not found: ", "a ref that is not there")
    s.standin.on("", private=True)
    has(s.drive("fetch", "refs/heads/main", token="wrong", retry=60000), "auth: ", "a wrong token")
    ok(len(s.standin.requests()) - mark <= 5, "nor are these")


def passing_trouble_of_pushes():
    """A push that broke off is made again, and is still one push"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    now = s.main
    for what, fault in (("503", {"action": "answer", "status": 503}), ("a reset", {"action": "drop"}),
                        ("a lost answer", {"action": "drop", "after": True})):
        for path in ("info/refs.*receive", "/git-receive-pack$"):
            new = s.commit(now, "n", what + path)
            met = s.standin.fault(path, **fault)
            eq(s.drive("push", new, "refs/heads/main", now, retry=60000), "", what + " at " + path)
            s.standin.await_fault(met)
            eq(s.refs()["refs/heads/main"], new, "main has it")
            now = new
    other = s.commit(s.main, "o", "o")
    asked = []
    for retry in (0, 60000):
        mark = len(s.standin.requests())
        has(s.drive("push", other, "refs/heads/main", s.main, retry=retry), "conflict: ", "a lost race")
        asked.append(len(s.standin.requests()) - mark)
    eq(asked[1], asked[0], "is not run again")
    s.standin.on("protect", branch="main")
    mark = len(s.standin.requests("POST", "git-receive-pack"))
    has(s.drive("push", s.commit(now, "p", "p"), "refs/heads/main", now, retry=60000), "auth: ",
        "a push that is declined")
    eq(len(s.standin.requests("POST", "git-receive-pack")) - mark, 1, "is not made again")


def ceilings():
    """Received bytes have a ceiling"""
    s = Scene()
    s.repo.commit({"noise": os.urandom(400000)}, "noise", branch="noise", onto="main")
    s.repo.push(s.standin.git_url, "noise")
    out = s.drive("fetch", "refs/heads/noise", max_bytes=100000)
    has(out, "limit: ", "too much")
    has(out, "100000", "says what the limit is")
    eq(s.drive("fetch", "refs/heads/noise"), s.repo.sha("noise"), "below it")


def pushes():
    """A push is a compare-and-swap, and counts when it was seen"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    one = s.commit(s.main, "one", "1")
    eq(s.drive("push", one, "refs/heads/main", s.main), "", "forward")
    eq(s.refs()["refs/heads/main"], one, "main has it")
    eq(s.drive("push", one, "refs/heads/main", s.main), "", "again: it is there")
    two = s.commit(s.main, "two", "2")
    has(s.drive("push", two, "refs/heads/main", s.main), "conflict: ", "main had moved")
    has(s.drive("push", two, "refs/heads/main", one), "conflict: ", "not forward")
    has(s.drive("push", two, "refs/heads/main", ZERO), "conflict: ", "main exists")
    eq(s.refs()["refs/heads/main"], one, "main stays")
    three = s.commit(one, "three", "3")
    has(s.drive("push", three, "refs/heads/main", s.main), "conflict: ",
        "forward, but from another commit than was said")
    eq(s.drive("push", two, "refs/heads/new", ZERO), "", "a new branch")
    eq(s.refs()["refs/heads/new"], two, "is there")
    has(s.drive("push", one, "refs/heads/gone", s.main), "conflict: ", "a branch that is gone")


def races():
    """Main moves between the server's list of refs and our push"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    ours = s.commit(s.main, "ours", "1")
    theirs = s.repo.commit({"theirs": "1"}, "theirs", branch="main")
    s.repo.push(s.standin.git_url, "main:refs/heads/parked")
    held = s.standin.fault("/git-receive-pack$", "hold")
    answer = []
    thread = threading.Thread(target=lambda: answer.append(
        s.drive("push", ours, "refs/heads/main", s.main)))
    thread.start()
    s.standin.await_fault(held)
    s.standin.on("ref", ref="refs/heads/main", sha=theirs)
    s.standin.release(held)
    thread.join()
    has(answer[0], "conflict: ", "it is a lost race")
    has(answer[0], theirs, "that names the winner")
    eq(s.refs()["refs/heads/main"], theirs, "who stays")


def lost_answers():
    """The push arrives and its answer does not"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    new = s.commit(s.main, "n", "n")
    s.standin.fault("/git-receive-pack$", "drop", after=True)
    eq(s.drive("push", new, "refs/heads/main", s.main), "", "it was seen, so it is done")
    eq(s.refs()["refs/heads/main"], new, "main has it")
    more = s.commit(new, "m", "m")
    s.standin.fault("/git-receive-pack$", "drop")
    has(s.drive("push", more, "refs/heads/main", new), "host: ", "neither arrives")
    eq(s.refs()["refs/heads/main"], new, "main stays")


def protection():
    """A protected branch declines in its own words"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    new = s.commit(s.main, "n", "n")
    for kind, words in (("GH006", "Changes must be made through a pull request"),
                        ("GH013", "Cannot update this protected ref")):
        s.standin.on("protect", branch="main", kind=kind)
        out = s.drive("push", new, "refs/heads/main", s.main)
        has(out, "auth: ", "declined")
        has(out, kind, "with its number")
        has(out, words, "and its reason")
        has(out, "pre-receive hook declined", "and the status of the ref")
        eq(s.refs()["refs/heads/main"], s.main, "main stays")


def pins():
    """A pull request's merge is GitHub's if it is the right one"""
    s = Scene()
    merge = s.refs()["refs/pull/1/merge"]
    eq(s.drive("pin", "1", "main", s.head).split(), [s.main, merge], "GitHub's merge")
    s.standin.on("", merge_refs="stale")
    moved = s.repo.commit({"b": "b3\n"}, "third", branch="main")
    s.repo.push(s.standin.git_url, "main")
    base, ours = s.drive("pin", "1", "main", s.head).split()
    eq(base, moved, "the new tip of base")
    ok(ours != merge, "a stale merge is not taken")
    s.standin.on("", merge_refs="absent")
    eq(s.drive("pin", "1", "main", s.head).split(), [moved, ours], "nor is one needed")


def promote(s, text, tip=None, api=True, **more):
    args = ["main", tip or s.main, "baselines/cpu/baseline.json", text]
    if api:
        args += [s.standin.url, "octo/kernels"]
    lines = s.drive("promote", *args, **more).split("\n")
    return lines + [""] * (5 - len(lines))


SUBJECT = "baseline: cpu, 2 configs improved"
BODY = "\n\nb1: -4.0%\n\nRatchet-Promotion: cpu"


def promotions():
    """A promotion goes to main, or says that it lost the race"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    end, sha, branch, pull, declined = promote(s, "{}\n")
    eq((end, branch, pull, declined), ("promoted", "", "", ""), "to main")
    eq(s.refs()["refs/heads/main"], sha, "which has it")
    eq(s.show(sha, "--format=%B").rstrip(), SUBJECT + " [skip ci]" + BODY, "its message")
    eq(s.show(sha, "--format=%(trailers:key=Ratchet-Promotion,valueonly)").strip(), "cpu",
       "as git reads the trailer")
    eq(s.repo.git("--git-dir", s.standin.made["path"], "diff", "--name-status", s.main, sha),
       "A\tbaselines/cpu/baseline.json", "and that file only")
    eq(promote(s, "{2}\n")[0], "race", "from the old tip")
    eq(s.refs()["refs/heads/main"], sha, "main stays")
    has(promote(s, "{2}\n", tip=sha, token="wrong")[0], "auth: ", "wrong credentials")


def promotions_to_a_branch():
    """Main is protected: a branch and a pull request stand in"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    s.standin.on("protect", branch="main")
    name = "ratchet/promote-cpu-" + s.main[:7]
    end, sha, branch, pull, declined = promote(s, "{}\n")
    eq((end, branch), ("branch", name), "its name")
    has(declined, "GH006", "with the server's words")
    eq(s.refs()["refs/heads/" + name], sha, "it is there")
    eq(s.show(sha, "--format=%B").rstrip(), SUBJECT + BODY, "its message lets it be checked")
    pulls = [p for p in s.standin.state()["pulls"] if p["head_ref"] == name]
    eq([(p["base_ref"], p["title"]) for p in pulls], [("main", SUBJECT)], "one pull request")
    has(pull, "/pull/%d" % pulls[0]["number"], "which is linked")
    eq(promote(s, "{}\n")[:4], [end, sha, branch, pull], "the same again is the same")
    end, later, branch, pull, _ = promote(s, "{2}\n")
    eq((end, branch), ("branch", name), "other samples go there too")
    eq(s.show(later, "--format=%P"), sha, "on top")
    eq(len([p for p in s.standin.state()["pulls"] if p["head_ref"] == name]), 1,
       "still one pull request")
    s.standin.on("ref", ref="refs/heads/" + name, sha=s.head)
    has(promote(s, "{3}\n")[0], "conflict: ", "somebody else's branch is left alone")
    eq(s.refs()["refs/heads/" + name], s.head, "as it was")
    for what, files in (("beside it", {"kernels/attention.c": "slow\n"}), ("under its name", {"README": "x\n"})):
        own = s.repo.commit({**files, "baselines/cpu/baseline.json": "{3}\n"}, "a writer's", branch="own", onto=s.main)
        s.repo.push(s.standin.git_url, "+own")
        s.standin.on("ref", ref="refs/heads/" + name, sha=own)
        for samples in ("{3}\n", "{4}\n"):
            has(promote(s, samples)[0], "which changes `%s`" % list(files)[0], "a commit that was pushed there first, " + what)
        eq(s.refs()["refs/heads/" + name], own, "is left alone")
    eq(s.refs()["refs/heads/main"], s.main, "main stays")


def promotions_without_pull_requests():
    """The pull request cannot be opened: the branch still stands"""
    s = Scene()
    s.drive("fetch", "refs/heads/main")
    s.standin.on("protect", branch="main")
    s.standin.post("settings", actions_may_open_pulls=False)
    end, sha, branch, pull, declined = promote(s, "{}\n")
    eq((end, pull), ("branch", ""), "a branch, no pull request")
    has(declined, "GH006", "main's reason")
    has(declined, "no pull request was opened", "and the other")
    s.standin.on("ref", ref="refs/heads/" + branch, sha=None)
    end, _, _, pull, declined = promote(s, "{}\n", api=False)
    eq((end, pull), ("branch", ""), "none asked for")
    lacks(declined, "pull request was opened", "and none missed")


lib.main(fetches, credentials, silence, nonsense, passing_trouble, passing_trouble_of_pushes, ceilings,
         pushes, races, lost_answers, protection, pins, promotions, promotions_to_a_branch, promotions_without_pull_requests)
