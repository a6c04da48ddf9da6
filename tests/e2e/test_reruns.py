#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pressing "Re-run" until it is green does not work: a re-run of the same code goes on with the
replicates of the checks before, what is final stays so, and there are three attempts. What was
measured is made unclear here by editing the host's database, so that no test waits for luck."""

import json
import os
import signal
import socket
import sqlite3

import lib
import scene
from actions import runner_reads
from lib import BOT, TOKEN, eq, has, lacks, ok


def attempts(host, sql="SELECT samples FROM attempt ORDER BY id", *values):
    with sqlite3.connect(os.path.join(host.state, "queue.db")) as db:
        return db.execute(sql, values).fetchall()


def straddle(host):
    """The newest attempt's head alternates between the anchor's time and twice that."""
    text, = attempts(host)[-1]
    samples = json.loads(text)
    for at, replicate in enumerate(samples["configs"][0]["replicates"]):
        replicate["head"] = [ns * (1 + at % 2) for ns in replicate["anchor"]]
    attempts(host, "UPDATE attempt SET samples = ? WHERE id = (SELECT max(id) FROM attempt)",
             json.dumps(samples))


def empty_commit(s, name):
    s.repo.commit({}, "nothing", branch=name, onto=name)
    s.repo.push(s.git_url, "+" + name)


def taken(result):
    """Of each run, how many replicates"""
    config = json.loads(result.file("samples.json"))["configs"][0]
    earlier = config.get("earlier", [])
    return earlier + [len(config["replicates"]) - sum(earlier)]


def regressed_is_final():
    """Regressed stays so for the same code, whoever asks again and however"""
    s = scene.github()
    host = scene.Host(s)
    number, _ = scene.pull(s, "slow", "slow")
    first = host.check_pull(number)
    eq(first.brief(), (1, "regressed"), "a regression")
    lacks(first.file("report.md"), "measured before", "nobody measured it before")
    for what in ("a re-run", "an empty commit"):
        again = host.check_pull(number)
        eq(again.brief(), (1, "regressed"), what)
        eq(again.config()["change"], first.config()["change"], what + ": to the bit")
        has(again.file("report.md"), "small: the same code was measured before. What was found is "
            "final, and nothing was measured.", what + ": the report says so")
        lacks(again.err, "replicate 1", what + ": nothing was measured")
        empty_commit(s, "slow")
    other, _ = scene.pull(s, "copy", "slow")
    eq(host.check_pull(other).config()["change"], first.config()["change"], "another pull request of it")
    eq(len(attempts(host)), 1, "one attempt")

    s.repo.commit({"ci/ratchet.conf": scene.conf().replace("-O2", "-O1")}, "built otherwise", branch="main")
    s.repo.push(s.git_url, "main")
    moved = host.check_pull(number)
    has(moved.file("report.md"), "Base moved: ", "main moved: the report says so")
    has(moved.file("report.md"), "code is another than in the check before: measured anew.", "and what that is")
    eq(len(attempts(host)), 2, "and it is measured")


def environment_separates():
    """What matters for time keeps series apart, and is named; what a pull request can choose does not"""
    s = scene.github()
    host = scene.Host(s)
    number, _ = scene.pull(s, "slow", "slow")
    eq(host.check_pull(number).brief(), (1, "regressed"), "a regression")
    s.repo.commit({"ci/ratchet.conf": scene.conf().replace("-lm", "-lm -DNOTHING")}, "built by other words",
                  branch="slow")
    s.repo.push(s.git_url, "slow")
    has(host.check_pull(number).file("report.md"), "What was found is final", "another command, the same code")
    lib.write(host.config, lib.read(host.config).replace("threads = 1", "threads = 2"))
    changed = host.check_pull(number)
    eq(changed.brief(), (1, "regressed"), "another number of threads: measured")
    has(changed.file("report.md"), "The environment is another (threads) than in the check before: measured anew.",
        "the report says what changed")
    eq([len(taken(changed)), len(attempts(host))], [1, 2], "a series of its own")
    lib.write(host.config, lib.read(host.config).replace("threads = 2", "threads = 1"))
    has(host.check_pull(number).file("report.md"), "What was found is final", "as it was: what was found then")


def unclear_pools():
    """What is unclear is measured further, three times at most"""
    s = scene.github()
    host = scene.Host(s)
    number, _ = scene.pull(s, "slow", "slow")
    eq(host.check_pull(number).brief(), (1, "regressed"), "a regression")
    straddle(host)
    for run in (2, 3):
        result = host.check_pull(number)
        runs = taken(result)
        eq(len(runs), run, "attempt %d: all runs" % run)
        ok(runs[-1] >= 6, "… and new replicates", str(runs))
        counts = [r["replicates"] for r in result.config()["runs"]]  # those without a mark
        eq(len(counts), run, "verdict.json tells them")
        ok(all(6 <= c <= r for c, r in zip(counts, runs)), "with their replicates", "%r %r" % (counts, runs))
        has(result.file("report.md"), "small: attempt %d of 3, %s replicates; each attempt by itself: " %
            (run, " + ".join(map(str, counts))), "the report tells them")
        straddle(host)
    standing = [host.check_pull(number) for _ in range(2)]
    for result in standing:
        eq(result.brief(), (2, "unclear"), "a fourth press: the verdict stands")
        eq(taken(result), runs, "nothing was measured")
        has(result.file("report.md"), "small: three attempts of this code were measured. The verdict stands",
            "the report says so")
    eq(len(attempts(host)), 3, "three attempts")


def lost_samples():
    """Samples that are gone give no new dice"""
    s = scene.github()
    host = scene.Host(s)
    number, _ = scene.pull(s, "slow", "slow")
    host.check_pull(number)
    attempts(host, "UPDATE attempt SET samples = '{\"schema'")
    second = host.check_pull(number)
    eq(second.brief(), (1, "regressed"), "measured again")
    eq(taken(second)[0], 0, "as the second attempt")
    has(second.file("report.md"), "the samples of an earlier attempt cannot be read: it counts all the same",
        "the report says so")
    attempts(host, "UPDATE attempt SET samples = '{\"schema'")
    attempts(host, "INSERT INTO attempt (repository, branch, device, pr, config, code, head, base, anchor,"
             " rule, card, who, begun_s, samples) SELECT repository, branch, device, pr, config, code, head, base,"
             " anchor, rule, card, 'killed', begun_s, samples FROM attempt LIMIT 1")
    fourth = host.check_pull(number)
    eq(fourth.brief(), (3, "unmeasured"), "no attempt is left, and nothing to repeat")
    has(fourth.verdict["reason"], "three attempts of this code were measured, and their samples are lost",
        "it says so")


def partial(host):
    """The replicates of checks that came to no look, oldest check first"""
    return [json.loads(text)["configs"][0]["replicates"] for text, in
            attempts(host, "SELECT partial FROM attempt WHERE partial IS NOT NULL ORDER BY id")]


def cancelled():
    """Cancelled or killed before it says anything: no attempt, and no new dice, as the next goes on from there"""
    s = scene.github(samples=1000)
    host = scene.Host(s)
    daemon = host.daemon()
    number, _ = scene.pull(s, "same", scene.distinct("right", "x"))
    thrown = []

    def another(step):
        lib.wait_for(lambda: len((partial(host) or [[]])[-1]) > len(thrown) or step.process.poll() is not None,
                     "a replicate more")

    for run in (1, 2):
        step = host.step("pull_request", scene.pull_event(s, number), run=run).start()
        another(step)
        if run == 2:
            daemon.kill()
            thrown = partial(host)[-1]
            daemon.start()
            another(step)
        step.interrupt()
        eq(step.finish().brief(), (3, "unmeasured"), "run %d is cancelled" % run)
        kept = partial(host)[-1]
        ok(len(kept) > len(thrown) and kept[:len(thrown)] == thrown, "what was measured is kept, behind what was before")
        thrown = kept
    eq(attempts(host, "SELECT count(samples) FROM attempt"), [(0,)], "none of them is an attempt")
    result = host.step("pull_request", scene.pull_event(s, number), run=3).run()
    ok(result.verdict["verdict"] != "unmeasured", "the third is measured", result.text)
    eq(result.config().get("runs", [])[1:], [], "as the first attempt")
    measured = json.loads(result.file("samples.json"))["configs"][0]["replicates"]
    ok(len(measured) > len(thrown) and measured[:len(thrown)] == thrown, "with all that was measured before")
    eq(partial(host), [], "what has come to a look is no part of a check any more")


def twins():
    """Two lanes, and two pull requests of one code: the second waits for the first, and finds what is final"""
    s = scene.github(samples=600)
    host = scene.Host(s, token=TOKEN, settings=("threads = 1", "cpus = 0", "cpus = 1"))
    host.daemon()
    numbers = [scene.pull(s, name, "slow")[0] for name in ("slow", "copy")]
    first = host.step("pull_request", scene.pull_event(s, numbers[0]), run=1, token=None).start()
    lib.wait_for(lambda: "replicate " in first.log(), "the first to measure")
    second = host.step("pull_request", scene.pull_event(s, numbers[1]), run=2, token=None)
    result = second.run()
    eq((first.finish().brief(), result.brief()), ((1, "regressed"), (1, "regressed")), "both are regressed")
    has(second.log(), "waits: the same code is being measured", "the second waited")
    lacks(second.log(), "replicate ", "and measured nothing")
    eq(attempts(host, "SELECT count(samples) FROM attempt"), [(1,)], "one attempt")


def in_the_queue():
    """A merge group of the same code draws no new dice, however often it is queued"""
    s = scene.github()
    host = scene.Host(s, token=TOKEN, repository=["merge-queue = trust"])
    host.daemon()
    number, _ = scene.pull(s, "slow", "slow")
    own = host.step("pull_request", scene.pull_event(s, number), token=None).run()
    if scene.fair(own, (1, "regressed"), "the pull request")[0] != 1:
        return
    for run in (2, 3):
        event = s.on("pulls/%d/queue" % number)
        event["repository"] = s.api("GET", "/repos/" + scene.REPOSITORY).json
        result = host.step("merge_group", event, run=run, token=None).run()
        eq(result.brief(), (1, "regressed"), "queued: what was found is final")
        lacks(result.out, "replicate 1", "and nothing is measured")
        s.on("ref", ref=event["merge_group"]["head_ref"], sha=None)


def by_the_daemon():
    """A re-run of the workflow's, and a daemon that is killed while it measures"""
    s = scene.github(samples=400)
    host = scene.Host(s)
    daemon = host.daemon()
    number, head = scene.pull(s, "slow", "slow")
    event = scene.pull_event(s, number)
    step = host.step("pull_request", event).start()
    lib.wait_for(lambda: "replicate 2" in step.log(), "a replicate")
    daemon.kill()
    eq([row for row in attempts(host)], [(None,)], "it has begun, and nothing is said yet")
    daemon.start()
    eq(step.finish().brief(), (1, "regressed"), "taken up again")
    eq(len(attempts(host)), 1, "as the same attempt")
    again = host.step("pull_request", event, attempt=2)
    eq(again.run().brief(), (1, "regressed"), "a re-run")
    has(again.file("summary"), "What was found is final", "repeats it")
    has(scene.ours(s, number)[-1], "What was found is final", "so does the comment")
    eq(scene.status(s, head)[-1], "failure", "and the status")


def between_looks():
    """What was measured till a look is kept: killed after it, the same check and the next go on with that"""
    s = scene.github("slow", samples=100)
    s.repo.commit({"ci/ratchet.conf": scene.conf(samples=100).replace("look = 8", "look = 16")}, "looks", branch="main")
    s.repo.push(s.git_url, "main")
    host = scene.Host(s, limits={"retry-ms": 100})
    number, _ = scene.pull(s, "moody", "moody")
    log = os.path.join(host.folder, "log")
    with open(log, "w") as out:
        run = lib.start([lib.program("RATCHET"), "check", "--config", host.config, "--repository", scene.REPOSITORY,
                         "--pr", str(number), "--output", host.output()], env=host.env(), cwd=host.folder,
                        stdout=out, stderr=out)
        lib.wait_for(lambda: "after 6 replicates" in lib.read(log) or run.poll() is not None, "the first look")
    if run.poll() is not None:
        lib.note("one mood at the first look, or marks: " + lib.read(log)[-200:])
        return
    lib.kill(run, signal.SIGKILL)
    kept = json.loads(attempts(host)[0][0])["configs"][0]["replicates"]
    ok(len(kept) >= 6, "a look's replicates are kept", kept)
    daemon = host.daemon()
    step = host.step("pull_request", scene.pull_event(s, number)).start()
    lib.wait_for(lambda: "after 6 replicates" in step.log() or step.process.poll() is not None, "a look of the next")
    for pid in lib.read("/proc/%d/task/%d/children" % (daemon.process.pid, daemon.process.pid)).split():
        os.kill(int(pid), signal.SIGKILL)
    result = step.finish()
    rows = attempts(host)
    eq(len(rows), 2, "the next is the second attempt, before and after it was killed")
    measured = json.loads(result.file("samples.json"))["configs"][0]["replicates"]
    eq(measured[:len(kept)], kept, "it has what was measured till the look")
    eq(taken(result)[0], len(kept), "as the first attempt's")
    ok(taken(result)[1] >= 6, "and its own", taken(result))


# ---- started by hand, with choices ----

PART = "<!-- ratchet:v1 device=part.cpu -->"


class ByHand:
    """A host, and runs of `workflow_dispatch` there."""

    def __init__(self, profiler="off"):
        self.s = scene.github(configs=(("small", 48), ("large", 64)))
        self.host = scene.Host(self.s, settings=("threads = 1", "profiler = " + profiler))
        self.daemon = self.host.daemon()
        self.number = 0

    def step(self, pull, token=TOKEN, actor="alice", event="workflow_dispatch", told=True, **inputs):
        self.number += 1
        if told:
            self.s.on("runs", id=self.number, actor=actor, event=event)
        payload = {"inputs": {"pull-request": str(pull), **inputs}, "ref": "refs/heads/main",
                   "repository": {"full_name": scene.REPOSITORY}, "sender": {"login": actor}}
        return self.host.step("workflow_dispatch", payload, run=self.number, token=token)

    def start(self, pull, **more):
        step = self.step(pull, **more)
        result = step.run()
        result.step = step
        return result

    def all_done(self):
        text = self.host.ratchet("status", "--socket", self.host.socket).out
        return all(line.split()[3] == "done" for line in text.splitlines())

    def requests(self, path):
        return len(self.s.requests("GET", path))


def say(host, message):
    """The daemon's first word."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(host.socket)
        client.settimeout(lib.DEADLINE)
        client.sendall(json.dumps(message).encode() + b"\n")
        return json.loads(client.makefile().readline())


def chosen_in_part():
    """A check that was chosen in part leaves status, attempts and the whole check's words alone"""
    by = ByHand()
    number, head = scene.pull(by.s, "slow", "slow")
    event = scene.pull_event(by.s, number)
    whole = by.host.step("pull_request", event, run=90).run()
    eq(whole.brief(), (1, "regressed"), "the whole check")
    lacks(json.dumps(whole.verdict), "partial", "is not called a part")
    before = scene.ours(by.s, number)[0]
    counted = attempts(by.host)
    part = by.start(number, configs="sm*", budget="5m", profile="true")
    eq((part.code, [c["name"] for c in part.verdict["configs"]]), (1, ["small"]), "only what was chosen is measured")
    eq(part.verdict["partial"], "configs sm*, at most 300 s", "verdict.json says what")
    ok("replicate 1" in part.out, "anew: with dice of its own", part.out)
    eq(attempts(by.host), counted, "which are no attempt of the series")
    eq(scene.status(by.s, head), ["pending", "failure"], "the status is the whole check's")
    eq([x["context"] for x in by.s.statuses(head)], ["ratchet/cpu"] * 2, "and there is no other")
    said = scene.ours(by.s, number)
    eq(len(said), 1, "one comment")
    ok(said[0].startswith(before.rstrip()), "what it said of the whole check stands", said[0])
    has(said[0], PART, "with a section of the part")
    has(said[0], "**Only a part was checked**, as whoever started this run chose: configs sm", "which says so")
    has(part.step.file("summary"), "Only a part was checked", "as the summary does")
    eq(runner_reads(part.step.file("output"))["partial"], "true", "and an output")
    has(part.file("report.md"), "A profile was asked for: this host has profiler = off", "no profiler: it is said")
    message = {"type": "submit", "version": 1, "kind": "check", "repository": scene.REPOSITORY, "pr": number,
               "device": "cpu", "run": "1", "attempt": "1", "job": "check", "token": TOKEN,
               "repository_id": part.step.env["GITHUB_REPOSITORY_ID"]}
    for choices, known in ({"configs": "large"}, True), (None, False):
        eq(say(by.host, dict(message, **({"choices": choices} if choices else {})))["known"], known,
           "the part of a run stands in for no whole check: %s" % choices)
    eq(say(by.host, dict(message, choices={"configs": "a;b"}))["type"], "error", "nor is all taken from the socket")
    lib.wait_for(by.all_done, "the whole one to end")
    eq(scene.status(by.s, head), ["pending", "failure"] * 2, "which has the status")
    status = by.host.ratchet("status", "--socket", by.host.socket).out.splitlines()
    eq([line.split()[5] for line in status], ["check", "partial", "check"], "`ratchet status` tells them apart")


def never_green():
    """No choice makes a check green that was not made; without one, or with more said, it is the check"""
    by = ByHand()
    docs = {"README": "x\n"}
    for inputs in ({"configs": "small"}, {"configs": "*"}, {"budget": "10m"}):
        number, head = scene.pull(by.s, "docs-%d" % by.number, docs)
        eq(by.start(number, **inputs).brief(), (2, "held"), "a part: %s" % inputs)
        eq(by.s.statuses(head), [], "and no status, pending or other")
    eq(by.start(number, configs="nothing").brief(), (3, "unmeasured"), "a name that nothing has")
    eq(by.s.statuses(head), [], "no status")
    asked = by.requests("/actions/runs/")
    for inputs in ({"profile": "true"}, {"profile": "false", "configs": "", "budget": ""}):
        number, head = scene.pull(by.s, "docs-%d" % by.number, docs)
        result = by.start(number, **inputs)
        eq((result.brief(), scene.status(by.s, head)), ((0, "held"), ["success"]), "all of it: %s" % inputs)
        eq(runner_reads(result.step.file("output"))["partial"], "false", "no part")
    eq(by.requests("/actions/runs/"), asked + 1, "who chose nothing is not asked about")
    bad = by.start(number, configs="$(reboot)")
    eq(bad.code, 64, "what is no choice is refused")
    has(bad.text, "inputs.configs: expected names of configs", "in one line")
    fork, fork_head = scene.pull(by.s, "fork", docs)
    by.s.on("pulls/%d" % fork, head_repo=None)
    eq(by.start(fork, configs="small").brief(), (3, "unmeasured"), "a part that cannot be pinned")
    eq(by.s.statuses(fork_head), [], "no status, either")
    number, head = scene.pull(by.s, "cancelled", docs)
    held = by.s.fault("/actions/runs/", "hold")
    step = by.step(number, configs="small").start()
    by.s.await_fault(held)
    step.interrupt()
    eq(step.finish().code, 3, "a part that is cancelled before anybody knows whose it is")
    by.s.release(held)
    lib.wait_for(by.all_done, "all to end")
    eq((by.s.statuses(head), scene.ours(by.s, number)), ([], []), "leaves no word, and no pending")


def choices_of_whom():
    """Choices are taken from a person who may write, who started the run by hand; else all is checked"""
    by = ByHand()
    by.s.post("tokens", token="no-actions", login=BOT,
              permissions={k: v for k, v in lib.BOT_MAY.items() if k != "actions"})
    for why, more in (("zoe may not write", {"actor": "zoe"}),
                      ("was not started by hand", {"event": "push"}),
                      ("does not say who started run", {"actor": None}),
                      ("Not Found", {"told": False}),
                      ("not accessible by integration", {"token": "no-actions"})):
        number, head = scene.pull(by.s, "docs-%d" % by.number, {"README": "x\n"})
        result = by.start(number, configs="small", **more)
        eq((result.brief(), scene.status(by.s, head)), ((0, "held"), ["success"]), why + ": all of it, and green")
        lines = [line for line in result.out.splitlines() if "what was chosen is not taken" in line]
        eq(len(lines), 1, why + ": one line")
        has(lines[0], why, "says why")
        has(result.file("report.md"), "What was chosen for this run is not taken, all was checked: ", "so does the report")
    number, head = scene.pull(by.s, "away", {"README": "x\n"})
    by.s.fault("/actions/runs/", "answer", status=503, body={})
    eq(by.start(number, configs="small").brief(), (2, "held"), "GitHub is away for a moment: asked again")


def profiled():
    """A profile is asked for: counted also where nothing moved, and the check is the whole one"""
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    os.chmod(lib.write(os.path.join(folder, "plain.txt"), lib.read(os.path.join(
        lib.HERE, "..", "data", "ncu", "plain.txt"))), 0o644)
    by = ByHand(lib.write(os.path.join(folder, "ncu"), "#!/bin/sh\ncat ${0%/*}/plain.txt\n", 0o755))
    number, head = scene.pull(by.s, "refactored", "refactored")
    result = by.start(number, profile="true")
    if scene.fair(result, (0, "held"), "the whole check")[0] == 0:
        eq(scene.status(by.s, head)[-1], "success", "has its status")
    eq(["metrics" in c for c in result.verdict["configs"]], [True] * 2, "and tells what was counted")


def slowed_others_stay_so():
    """A head that slows the others is no faster for being looked at again: what processes without head say is kept"""
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    harness = os.path.join(folder, "ratchet-bench")
    built = lib.run(["cc", "-O1", "-DREAL=\"" + lib.program("RATCHET_BENCH") + "\"", "-o", harness,
                     os.path.join(lib.HERE, "slowing_harness.c")])
    eq(built.code, 0, built.err)
    s = scene.github(threshold="10%")
    number, _ = scene.pull(s, "refactored", "refactored")
    host = scene.Host(s, harness=harness)
    for what in ("once", "again", "an empty commit"):
        result = host.check_pull(number)
        config = result.config()
        ok(result.code != 0 and (config["clause"] == "disturbs" or "preempted" in json.dumps(result.verdict)), what,
           config["verdict"], config["clause"], config["reason"])
        if what == "again":
            empty_commit(s, "refactored")


if __name__ == "__main__":
    lib.main(slowed_others_stay_so, chosen_in_part, never_green, profiled, choices_of_whom, regressed_is_final, environment_separates,
             unclear_pools, lost_samples, cancelled, twins, in_the_queue, by_the_daemon, between_looks)
