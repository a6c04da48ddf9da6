#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The other commands: each stage of the road alone, on files, and what it says when it cannot."""

import json
import os
import re

import lib
import scene
from lib import BOT, TOKEN, eq, has, lacks, ok


def sample(name="right"):
    repo = lib.Repo()
    repo.commit(scene.tree(name), "the kernel")
    return repo


def stage_by_stage():
    """bench writes samples, compare judges them, report tells, post posts"""
    s = scene.github()
    host = scene.Host(s)
    number, head = scene.pull(s, "slow", "slow")
    folder = lib.temp_dir()
    samples = os.path.join(folder, "samples.json")
    bench = host.ratchet("bench", "--config", host.config, "--repo", s.repo.path, "--head", "slow",
                         "--replicates", "6", "--output", samples)
    eq(bench.code, 0, "bench")
    content = json.loads(lib.read(samples))
    eq(content["schema"], "ratchet.samples/1", "samples.json")
    eq(len(content["configs"][0]["replicates"]), 6, "as many replicates as asked for")
    eq(content["arms"]["head"]["commit"], head, "of that commit")
    alone = host.ratchet("compare", samples)
    eq(alone.code, 3, "samples with nothing to compare with are unmeasured")
    shapes = host.ratchet("bench", "--config", host.config, "--repo", s.repo.path, "--head", "main",
                          "--replicates", "1", "--seq", "16,33", "--causal", "--output", samples)
    eq(shapes.code, 0, "shapes of one's own")
    eq([c["problem"]["seq_q"] for c in json.loads(lib.read(samples))["configs"]], [16, 33],
       "are measured")
    table = host.ratchet("bench", "--config", host.config, "--repo", s.repo.path, "--head", "slow",
                         "--compare", "main", "--seq", "16,33", "--batch", "1,2", "--iterations", "8",
                         "--replicates", "6", "--quiet")
    eq(table.code, 0, "two builds")
    eq(table.err, "", "--quiet is quiet")
    lines = table.out.splitlines()
    has(lines[0], "the other's median", "a head line")
    eq([line.split()[0] for line in lines[1:]], ["b1_h1_s16_d32_fp32", "b1_h1_s33_d32_fp32",
                                                 "b2_h1_s16_d32_fp32", "b2_h1_s33_d32_fp32"],
       "every shape once")
    ok(all(re.search(r"\+\d+\.\d\d% \[\+", line) for line in lines[1:]), "each is slower", table.out)
    pair = host.ratchet("bench", "--config", host.config, "--repo", s.repo.path, "--head", "main",
                        "--seq", "16,64", "--iterations", "8", "--replicates", "6", "--quiet",
                        "--against", "b1_h1_s16_d32_fp32")
    eq(pair.code, 0, "two configs")
    has(pair.out, re.compile(r"^b1_h1_s64_d32_fp32 against b1_h1_s16_d32_fp32: \+\d+\.\d+%? \[.*\], "
                             r"Hedges' g \d", re.M), "are set against each other")
    for wrong, text in ((["--seq", "0"], "--seq: expected"), (["--configs", "no"], "no config `no`"),
                        (["--heads", "3", "--heads-kv", "2"], "does not divide"),
                        (["--iterations", "x"], "--iterations"), (["--compare", "nowhere"], "nowhere")):
        refused = host.ratchet("bench", "--repo", s.repo.path, *wrong)
        ok(refused.code in (64, 3), " ".join(wrong), refused.text)
        has(refused.err, text, "is refused in a line")
    check = host.check(s.repo, "slow")
    code = host.ratchet("compare", "--json", os.path.join(check.folder, "samples.json"), "--rules",
                        os.path.join(s.repo.path, "ci/ratchet.conf"))
    eq((code.code, json.loads(code.out)["verdict"]), check.brief(),
       "compare says of the files what check said")
    report = host.ratchet("report", "--samples", os.path.join(check.folder, "samples.json"),
                          os.path.join(check.folder, "verdict.json"))
    eq(report.code, 0, "report")
    has(report.out, check.verdict["verdict"], "it says the verdict")
    text = lib.write(os.path.join(folder, "report.md"), report.out)
    for _ in range(2):
        post = host.ratchet("post", "--config", host.config, "--repository", scene.REPOSITORY,
                            "--pr", number, "--device", "cpu", text)
        eq(post.code, 0, "post")
    has(post.out, "#issuecomment-", "it prints where")
    eq(len(scene.ours(s, number)), 1, "and twice is one comment")
    refused = host.ratchet("post", "--config", host.config, "--repository", scene.REPOSITORY,
                           "--pr", number, "--device", "cpu", text, token="wrong")
    ok(refused.code not in (0, 1, 2), "a wrong token", refused.text)
    eq(len(refused.err.strip().splitlines()), 1, "in one line")


def verify():
    """verify tells right from wrong"""
    host = scene.Host()
    for name, code, word in (("right", 0, "right"), ("wrong", 3, "wrong result"),
                             ("nan", 3, "wrong result"), ("crash", 3, "signal|SIGSEGV"),
                             ("broken", 3, "undeclared_factor")):
        result = host.ratchet("verify", "--config", host.config, "--repo", sample(name).path)
        eq(result.code, code, name)
        has(result.out + result.err, re.compile(word), name + ": why")


def doctor():
    """doctor tries everything by doing it"""
    s = scene.github()
    host = scene.Host(s, token=TOKEN)
    result = host.ratchet("doctor", "--config", host.config)
    eq(result.code, 0, "a sound host")
    lacks(result.out, "FAIL", "nothing fails")
    lacks(result.text, TOKEN, "no token is printed")
    has(result.out, re.compile("^(ok|note) +build limits +(cgroup v2 [(]memory, pids[)]|per process; .)",
                               re.M), "what bounds a build")
    for what in ("sandbox", "harness", "octo/kernels"):
        has(result.out, re.compile("^ok .*" + what, re.M), what)
    lost = scene.Host(s, token=TOKEN, api="http://127.0.0.1:1", limits={"github-timeout-ms": 300})
    result = lost.ratchet("doctor", "--config", lost.config)
    eq(result.code, 3, "no GitHub")
    has(result.out, re.compile("^FAIL .*octo/kernels", re.M), "is named")
    tools = lib.temp_dir()
    os.symlink("/usr/bin/cc", os.path.join(tools, "cc"))
    result = host.ratchet("doctor", "--config", host.config, env={"PATH": tools})
    eq(result.code, 3, "no bubblewrap")
    has(result.out, re.compile("^FAIL .*sandbox", re.M), "is named")


def status_and_history():
    """status and history, where there is nothing to tell"""
    host, repo = scene.Host(), sample()
    result = host.ratchet("status", "--config", host.config)
    ok(result.code not in (0, 1, 2), "no daemon", result.text)
    eq(len(result.err.strip().splitlines()), 1, "in one line")
    has(result.err, host.socket, "that names the socket")
    result = host.ratchet("history", "--repo", repo.path)
    eq((result.code, result.out), (0, ""), "no baseline has no history")


def usage():
    """Usage: help, version, and one line for what is wrong"""
    host = scene.Host()
    top = host.ratchet("--help")
    eq(top.code, 0, "--help")
    for command in ("check", "submit", "bench", "sweep", "compare", "report", "post", "promote", "doctor",
                    "status", "history", "verify"):
        has(top.out, re.compile("^  %s\\b" % command, re.M), "help names " + command)
        result = host.ratchet(command, "--no-such-option")
        eq(result.code, 64, command + ": unknown option")
        has(result.err, "--no-such-option", command + ": it is named")
        eq(result.out, "", command + ": nothing on stdout")
    eq(host.ratchet("--version").out.split()[0], "ratchet", "--version")
    eq(host.ratchet("frobnicate").code, 64, "no such command")
    eq(host.ratchet().code, 64, "no command")
    with open("/dev/full", "wb") as full:
        run = lib.start([lib.program("RATCHET"), "doctor", "--config", host.config], stdout=full,
                        env=host.env(), stderr=lib.subprocess.PIPE)
    eq((host.ratchet("doctor", "--config", host.config).code, run.wait(lib.DEADLINE)), (0, 3),
       "output that cannot be written is no success")


lib.main(stage_by_stage, verify, doctor, status_and_history, usage)
