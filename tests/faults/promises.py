# SPDX-License-Identifier: Apache-2.0
"""What must hold after a run, whatever happened in it."""

import json
import os
import re

import lib
import scene

FINAL = {0: "success", 1: "failure"}  # by exit code; else error
# Of the daemon's log. Our own mistakes, and those that a compiler watches for.
MISTAKES = re.compile(r"no step to take|without saying why|do not fit|used after a fork|"
                      r"it cannot be|outbox: job .* is of|Sanitizer|runtime error|Assertion")


def state_of(row):
    if row["exit_code"] == 0:
        return "success"
    return "failure" if row["verdict"] == "regressed" else "error"


class World:
    """What GitHub has, and what it was asked."""

    def __init__(self, run):
        self.run = run
        self.github = run.github.state()
        self.asked = run.github.requests()
        self.issue_of = {c["id"]: c["issue"] for c in self.github["comments"]}

    def refused(self, matches):
        """Was the last of these requests refused for good? Then nothing is owed."""
        last = [r for r in self.asked if matches(r)][-1:]
        return bool(last) and last[0]["status"] == 422

    def comment_refused(self, pr):
        def matches(request):
            one = re.search(r"/issues/comments/(\d+)$", request["path"])
            return self.issue_of.get(int(one.group(1))) == pr if one else \
                re.search(r"/issues/%d/comments" % pr, request["path"])
        return self.refused(matches)

    def head_refused(self, pr):
        return self.refused(lambda r: r["path"].endswith("/pulls/%d" % pr))

    def status(self, sha, context):
        said = [s["state"] for s in self.github["statuses"]
                if s["sha"] == sha and s["context"] == context]
        return said[-1] if said else None


def ran(run, row):
    """Is its verdict about the commit?"""
    path = run.file_of(row["id"], "verdict.json")
    return row["id"] in run.old or not os.path.exists(path) or \
        json.loads(lib.read(path))["clause"] not in ("not-pinned", "not-approved", "cancelled")


def report_of(run, row):
    return run.old[row["id"]]["report"] if row["id"] in run.old else lib.read(run.file_of(row["id"], "report.md"))


def comments(run, world, rows):
    """One comment of ours on each pull request, with the words of its newest job; or of the newest that ran, whose
    status stands as well."""
    for pr in sorted({row["pr"] for row in rows if row["pr"]}):
        of_pull = [row for row in rows if row["pr"] == pr]
        newest = of_pull[-1]
        bodies = [c["body"] for c in world.github["comments"]
                  if c["issue"] == pr and c["user"] == lib.BOT]
        if len(bodies) > 1:
            yield "#%d has %d comments" % (pr, len(bodies))
        if world.comment_refused(pr) or (not newest["head"] and world.head_refused(pr)):
            continue
        telling = [newest] + ([] if ran(run, newest) else [row for row in of_pull if ran(run, row)][-1:])
        if not bodies:
            yield "#%d has no comment" % pr
        elif bodies[0] not in [report_of(run, row) for row in telling]:
            yield "#%d has not the words of its newest job, %d (%s), but:\n%s" % (
                pr, newest["id"], newest["verdict"], bodies[0][:300])


def statuses(run, world, rows):
    """A final status on every head, the newest job's."""
    for row in rows:
        context = "ratchet/cpu" + (" (promotion)" if row["kind"] else "")
        later = [r for r in rows if r["id"] > row["id"] and r["kind"] == row["kind"] and
                 r["pr"] == row["pr"] and (not r["head"] or r["head"] == row["head"])]
        pull = [p for p in world.github["pulls"] if p["number"] == row["pr"]]
        sha = row["head"] or (pull[0]["head_sha"] if pull else "")
        if not sha or (not row["head"] and row["pr"] and world.head_refused(row["pr"])):
            continue
        said = world.status(sha, context)
        where = "job %d: %s on %s (#%d) is %s" % (row["id"], context, sha[:10], row["pr"], said)
        if said in (None, "pending"):
            yield where
        elif not later and row["head"] and said != state_of(row):
            yield where + ", its verdict is " + row["verdict"]


def folders(run, rows):
    """Each job has its verdict, and nobody else's folder was touched."""
    there = {row["id"] for row in run.queue()}
    for row in rows:
        if row["id"] in there and not os.path.exists(run.file_of(row["id"], "verdict.json")):
            yield "job %d has no verdict.json" % row["id"]
        if row["id"] not in there and os.path.exists(run.file_of(row["id"], "")):
            yield "job %d was collected, its folder is there" % row["id"]
        if row["id"] <= run.told_before:
            yield "id %d was given again" % row["id"]
    for job, verdict in run.kept.items():
        path = run.file_of(job, "verdict.json")
        collected = run.aged and not os.path.exists(path)
        if verdict is not None and not collected and lib.read(path) != verdict:
            yield "the folder of the lost job %d was written again" % job


def steps(run, rows):
    """Who was told that a job is accepted is not forgotten, and nobody is told two verdicts."""
    ids = {row["id"] for row in rows} | set(run.old)
    exits = {tuple(map(int, row["key"].split("/")[1:3])): row["exit_code"] for row in rows}
    for wanted in run.wanted:
        said = wanted.said()[len(getattr(wanted, "lost", "")):]
        told = {int(n) for n in re.findall(r"^job (\d+) is ", said, re.M)}
        if not told <= ids:
            yield "run %d was told of the jobs %s, that are gone" % (wanted.number, told - ids)
        if len(told - set(run.old)) > 1:
            yield "run %d is %d jobs" % (wanted.number, len(told))
        last = wanted.steps[-1]
        if "title=Ratchet: " in last.log() and \
                last.process.returncode != exits[wanted.number, wanted.attempt]:
            yield "run %d ended with %d" % (wanted.number, last.process.returncode)


def promotions(run, world, rows):
    """A promotion is one commit."""
    log = lib.run(["git", "-c", "safe.directory=*", "--git-dir", run.github.made["path"], "log",
                   "--format=%B", "main"]).out
    most = len({row["id"] for row in [*rows, *run.old.values()] if row["kind"] != 0}) + \
        sum(w.pr == 0 and w.attempt > 1 for w in run.wanted)
    if log.count("Ratchet-Promotion:") > most:
        yield "%d commits of %d promotions:\n%s" % (log.count("Ratchet-Promotion:"), most, log)


def secrets(run, world):
    """No token is kept, or sent where none belongs."""
    for request in world.asked:
        if "leaked" in request:
            yield "a token leaked: %s %s" % (request["method"], request["path"])
    for folder, _, names in os.walk(run.host.state):
        for name in names:
            path = os.path.join(folder, name)  # git tries out links, and may be killed at that
            if os.path.isfile(path) and "standin-token-of" in lib.read(path):
                yield "a token stands in " + path


def broken(run):
    """What does not hold, one text each. The daemon has ended."""
    rows = list(run.rows().values())
    world = World(run)
    for row in rows:
        if row["state"] != "done":
            yield "job %d is %s" % (row["id"], row["state"])
    yield from comments(run, world, rows)
    yield from statuses(run, world, rows)
    yield from folders(run, rows)
    yield from steps(run, rows)
    yield from promotions(run, world, rows)
    yield from secrets(run, world)
    for line in lib.read(run.daemon.log).splitlines():
        if MISTAKES.search(line):
            yield "in the log: " + line
