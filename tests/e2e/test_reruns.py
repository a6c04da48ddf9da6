#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pressing "Re-run" until it is green does not work: a re-run of the same code goes on with the
replicates of the checks before, what is final stays so, and there are three attempts. What was
measured is made unclear here by editing the host's database, so that no test waits for luck."""

import json
import os
import sqlite3

import lib
import scene
from lib import eq, has, lacks, ok


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
    has(moved.file("report.md"), "Main moved: ", "main moved: the report says so")
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
    attempts(host, "UPDATE attempt SET samples = NULL")
    attempts(host, "INSERT INTO attempt (repository, branch, device, pr, config, code, head, base, anchor,"
             " rule, card, who, begun_s) SELECT repository, branch, device, pr, config, code, head, base,"
             " anchor, rule, card, 'killed', begun_s FROM attempt LIMIT 1")
    fourth = host.check_pull(number)
    eq(fourth.brief(), (3, "unmeasured"), "no attempt is left, and nothing to repeat")
    has(fourth.verdict["reason"], "three attempts of this code were measured, and their samples are lost",
        "it says so")


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
    eq([row for row in attempts(host)], [(None,)], "it counts from when it begins")
    daemon.start()
    eq(step.finish().brief(), (1, "regressed"), "taken up again")
    eq(len(attempts(host)), 1, "as the same attempt")
    again = host.step("pull_request", event, attempt=2)
    eq(again.run().brief(), (1, "regressed"), "a re-run")
    has(again.file("summary"), "What was found is final", "repeats it")
    has(scene.ours(s, number)[-1], "What was found is final", "so does the comment")
    eq(scene.status(s, head)[-1], "failure", "and the status")


if __name__ == "__main__":
    lib.main(regressed_is_final, environment_separates, unclear_pools, lost_samples, by_the_daemon)
