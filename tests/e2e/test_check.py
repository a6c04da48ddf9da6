#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet check` on a local repository: each verdict with its exit code and words, and each way
in which a pull request, its base or the host can make a measurement impossible."""

import fcntl
import json
import os
import re
import threading

import lib
import scene
from lib import eq, has, lacks, ok


def one_line(result, *parts):
    """The error is one line on stderr and names the thing."""
    lines = [l for l in result.err.splitlines() if l.startswith("ratchet check: ")]
    eq(len(lines), 1, "one line of error")
    for part in parts:
        has(lines[0] if lines else "", part, "it names `%s`" % part)


def sample(**more):
    repo = lib.Repo()
    repo.commit(scene.tree(**more), "the kernel")
    return repo


def verdicts():
    """Each verdict, from the code of two commits"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "slow", "slow")
    scene.branch(repo, "comment", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    scene.branch(repo, "refactored", "refactored")
    scene.branch(repo, "docs", {"README": "other words\n"})
    slow = host.check(repo, "slow")
    eq(slow.brief(), (1, "regressed"), "twice the work")
    ok(slow.config()["change"] > 0.3, "a change in the right direction", slow.config())
    low, high = slow.config()["ci"]
    ok(low <= slow.config()["change"] <= high, "inside its interval")
    ok(slow.config()["replicates"] >= 6, "at least six replicates")
    eq(json.loads(slow.file("samples.json"))["schema"], "ratchet.samples/1", "samples are kept")
    kept = json.loads(slow.file("env.json"))
    eq(kept["environment"], json.loads(slow.file("samples.json"))["environment"],
       "the facts of env.json and of the samples are the same")
    there = host.ratchet("env", "--config", host.config, "--repo", repo.path, "--head", "slow", "--against",
                         os.path.join(slow.folder, "env.json"))
    eq(there.code, 0, "and those of `ratchet env`")
    lacks(there.out, "matters", "nothing that matters differs")
    has(slow.file("explain.txt"), "replicates, medians in ns", "and what the verdict rests on")
    has(slow.file("report.md"), scene.MARKER, "and a report")
    why = slow.config().get("why", {"line": "", "kernels": [{"head": {"text": 0}, "against": {}}]})
    ok(why["line"].startswith("head "), "the machine code, in words", why["line"])
    both = why["kernels"][0]
    ok(both["head"]["text"] > 0 and both["head"]["instructions"] != both["against"]["instructions"],
       "and in numbers", both)
    has(slow.file("report.md"), "<summary>What differs in the machine code: " + why["line"], "folded")
    has(slow.out, "\n    " + why["line"], "and in the terminal")
    same = host.check(repo, "comment")
    eq(same.brief(), (0, "held"), "another comment")
    has(json.dumps(same.verdict), "identical machine code", "why")
    lacks(same.err, "replicates:", "nothing ran, and nothing is said of replicates")
    again = host.check(repo, "refactored")
    eq(again.brief(), (0, "held"), "other code, the same speed")
    lacks(again.file("verdict.json"), '"why"', "nobody asks why it did not move")
    ok(again.config()["replicates"] >= 6, "was measured")
    docs = host.check(repo, "docs")
    eq(docs.brief(), (0, "held"), "nothing of the kernel")
    has(json.dumps(docs.verdict), "kernel not touched", "why")
    idle = json.loads(docs.file("env.json"))["environment"]
    eq({name: value for name, value in kept["environment"].items() if name in idle}, idle,
       "env.json is kept where nothing was measured, too")
    ok({"cpu", "kernel", "sandbox"} <= set(idle) and "compiler" not in idle, "without what nobody asked for")
    unknown = "Head has base's kernel: whether that builds, is right and is as fast as its baseline was not looked at"
    has(docs.file("report.md"), unknown, "what stays unknown is said")
    has(docs.out, unknown, "also in the terminal")
    scene.branch(repo, "back", "right", onto="slow")
    back = host.check(repo, "back", "slow")
    eq(back.brief(), (0, "improved"), "and the other way round")
    ok(back.config()["change"] < -0.3, "a negative change", back.config())


def costs():
    """A check tells how long it held its device, and what that cost where the host says a price"""
    host = scene.Host(settings=("threads = 1", "price-per-hour = 3600 USD"))
    repo = sample()
    scene.branch(repo, "slow", "slow")
    scene.branch(repo, "docs", {"README": "other words\n"})
    result = host.check(repo, "slow")
    cost = result.verdict["cost"]
    ok(cost["device_seconds"] > 0.1, "it was held", cost)
    eq((cost["price_per_hour"], cost["currency"], cost["amount"]), (3600, "USD", cost["device_seconds"]),
       "a dollar a second")
    said = "device held for %s s, %s USD at 3600 USD an hour" % (
        2 * (re.search(r'"device_seconds": ([\d.]+)', result.file("verdict.json")).group(1),))
    has(result.out, "\n%s\n" % said, "on the terminal")
    has(scene.plain(result.file("report.md")), "; %s." % said, "in the report")
    again = host.ratchet("report", os.path.join(result.folder, "verdict.json"))
    has(scene.plain(again.out), "Took: %s." % said, "and in one that is made of verdict.json")
    idle = host.check(repo, "docs")
    eq(idle.verdict["cost"], {"device_seconds": 0, "price_per_hour": 3600, "currency": "USD", "amount": 0},
       "where nothing was measured")
    lacks(idle.out, "device held", "nothing is said")
    free = scene.Host()
    result = free.check(repo, "slow")
    eq(list(result.verdict["cost"]), ["device_seconds"], "without a price no money in verdict.json")
    for text in (result.out, result.file("report.md")):
        has(text, re.compile("device held for [\\d.]+ s[.]?$", re.M), "nor elsewhere")


def json_and_text():
    """--json prints the verdict and nothing else; without it a table"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow", "main", "--json")
    printed = json.loads(result.out)
    eq(printed["schema"], "ratchet.verdict/1", "schema")
    eq(printed, result.verdict, "what the file says")
    eq(sorted({"name", "verdict", "reason", "against", "change", "ci", "ci_decision",
               "replicates"} - set(printed["configs"][0])), [], "the keys people script against")
    table = host.check(repo, "slow").out
    has(table, "small", "the table names the config")
    has(table, "regressed", "and its verdict")


def faults_of_the_pull_request():
    """A pull request that cannot be measured says why, and whose fault it is"""
    host, repo = scene.Host(limits={"turn-timeout-ms": 2000}), sample()
    for name, words in (("wrong", "wrong result"), ("nan", "wrong result"),
                        ("crash", re.compile("SIGSEGV|signal 11")),
                        ("hang", re.compile("time|hang|no answer|silent")),
                        ("broken", re.compile("build|compile|exit code"))):
        scene.branch(repo, name, name)
        result = host.check(repo, name)
        eq(result.brief(), (3, "unmeasured"), name)
        text = json.dumps(result.verdict)
        has(text, words, name + ": why")
        has(text, "the PR", name + ": whose fault")
        has(result.out, "(fault: this change)\n", name + ": on the terminal, too")
        lacks(result.err, "replicates: ", name + ": nothing was measured that counts")
        has(result.file("report.md"), scene.MARKER, name + ": a report all the same")
    report = result.file("report.md")
    has(report, "undeclared_factor", "the build log is in the report")
    has(json.loads(result.file("env.json"))["environment"]["compiler"], "gcc", "and with which compilers in env.json")
    fences = re.findall(r"^(`{3,}|~{3,})", report, re.M)
    ok(fences and len(fences[0]) > 3, "in a fence that its text cannot close", fences)
    scene.branch(repo, "other-symbol", {"kernels/attention.c": scene.kernel("right") +
                 '__attribute__((visibility("default"))) int intruder;\n'})
    result = host.check(repo, "other-symbol")
    eq(result.brief(), (3, "unmeasured"), "a library that exports more")
    has(json.dumps(result.verdict), "intruder", "it names the symbol")
    scene.branch(repo, "gone", {"kernels/attention.c": None})
    eq(host.check(repo, "gone").brief(), (3, "unmeasured"), "no kernel at all")


def faults_of_the_base():
    """A base that cannot be measured is not the pull request's fault"""
    host = scene.Host()
    repo = lib.Repo()
    repo.commit(scene.tree("broken"), "a kernel that does not compile")
    scene.branch(repo, "mended", "right")
    result = host.check(repo, "mended")
    eq(result.brief(), (3, "unmeasured"), "base does not build")
    has(json.dumps(result.verdict), "the base", "whose fault")
    alone = "Base cannot be measured on `small`. Head was looked at alone there: it builds, and "
    right = alone + "its results are right; how fast it is was not judged."
    has(result.out, right, "head was looked at all the same")
    has(scene.plain(result.file("report.md")), right, "the report says so")
    s = scene.github("broken")
    number, _ = scene.pull(s, "mended", "right")
    scene.Host(s).check_pull(number)
    comment = scene.plain(scene.ours(s, number)[0])
    has(comment, "has to be merged past this check, by what is said of it below", "the comment says what to do")
    has(comment.split("past this check")[1], right, "and below it what is known of head")
    scene.branch(repo, "wrong", "wrong")
    result = host.check(repo, "wrong")
    eq((result.brief(), result.verdict["fault"]), ((3, "unmeasured"), "the base"), "mended by half")
    has(result.out, alone + "fails on 1 of 1. `small`: wrong result", "head is wrong, and that is said")
    repo.commit(scene.tree("wrong"), "a kernel that is wrong", branch="main")
    scene.branch(repo, "mended", "right")
    result = host.check(repo, "mended")
    eq((result.brief(), result.verdict["fault"]), ((3, "unmeasured"), "the base"), "base is wrong")
    has(result.out, right, "head is not")
    for what, text, words in (
            ("an unknown key", scene.conf() + "[rule]\n    treshold = 3%\n", "treshold"),
            ("an unknown section", scene.conf() + "[rules]\n    threshold = 3%\n", "rules"),
            ("a number that is none", scene.conf(threshold="much"), "threshold"),
            ("an include", scene.conf() + "[include]\n    path = /etc/passwd\n", "include"),
            ("no configuration", None, "ci/ratchet.conf")):
        repo = sample()
        repo.commit({"ci/ratchet.conf": text}, "rules")
        scene.branch(repo, "slow", "slow")
        result = host.check(repo, "slow")
        eq(result.brief(), (3, "unmeasured"), what)
        text = json.dumps(result.verdict)
        has(text, words, what + ": named")
        has(text, "ci/ratchet.conf", what + ": in which file")
        eq(result.verdict["clause"], "bad-config", what + ": its clause")
        lacks(result.out, "As this pull request", what + ": head has it too, and says nothing of it")
        scene.branch(repo, "mended", {"ci/ratchet.conf": scene.conf()})
        has(host.check(repo, "mended").out, "the baseline can be used", what + ": mended, and it is said")
    path = "baselines/cpu/baseline.json"
    for what, text in (("a baseline cut in half", '{"schema": "ratchet.base'),
                       ("a baseline of another schema", '{"schema": "ratchet.baseline/9"}'),
                       ("another device's baseline", json.dumps({
                           "schema": "ratchet.baseline/1", "configs": [],
                           "device": {"slug": "nvidia-l4", "name": "NVIDIA L4"}}))):
        repo = sample()
        repo.commit({path: text}, "baseline")
        scene.branch(repo, "slow", "slow")
        result = host.check(repo, "slow")
        eq(result.brief(), (3, "unmeasured"), what)
        has(json.dumps(result.verdict), path, what + ": named")
        has(json.dumps(result.verdict), "the base", what + ": whose fault")
        eq(result.verdict["clause"], "bad-baseline", what + ": its clause")
        scene.branch(repo, "mended", {path: None})
        has(host.check(repo, "mended").out, "the baseline can be used", what + ": mended, and it is said")
    repo = sample()
    os.unlink(os.path.join(repo.path, "ci/ratchet.conf"))
    os.symlink("/etc/passwd", os.path.join(repo.path, "ci/ratchet.conf"))
    repo.commit({"README": "a link\n"}, "a link out of the tree")
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow")
    eq(result.brief(), (3, "unmeasured"), "rules that are a link")
    lacks(result.text + result.file("report.md"), "root:", "are not followed")


def nothing_to_measure():
    """A pull request beside the kernel is held; of main is said what is known, or that nothing is"""
    unknown = "Head has base's kernel: whether that builds, is right and is as fast as its baseline was not looked at"
    host, repo = scene.Host(), sample(name="broken")
    scene.branch(repo, "words", {"README": "words\n"})
    result = host.check(repo, "words")
    eq((result.brief(), result.verdict["clause"]), ((0, "held"), "not-touched"), "a main that cannot build")
    has(result.text, unknown, "nobody said that it can")
    has(result.file("report.md"), unknown, "in the report as well")
    lacks(result.err, "build head", "and it was not built to find out")
    repo = sample()
    scene.branch(repo, "comment", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    result = host.check(repo, "comment")
    eq(result.config()["clause"], "identical-code", "the same machine code")
    has(result.text, "Head's machine code is that of base: whether it is right and is as fast as its baseline was not looked",
        "both were built: the rest was not looked at either")
    lacks(result.text, "whether that builds", "which is no longer open")
    s = scene.github("broken")
    host = scene.Host(s)
    number, _ = scene.pull(s, "words", {"README": "words\n"})
    result = host.check_pull(number)
    eq(result.brief(), (0, "held"), "a pull request before the first promotion")
    has(scene.ours(s, number)[0], "is not known here", "its comment says so")
    eq(host.promote().brief(), (3, "unmeasured"), "main is looked at")
    known = "`main`'s own last verdict is unmeasured (at %s): %s: build failed" % (
        (s.repo.sha("main")[:10],) * 2)
    result = host.check(s.repo, "words")
    has(result.text, known, "the state knows it: a local check quotes it")
    lacks(result.text, unknown, "and then it is known")
    s.repo.commit({"kernels/attention.c": scene.kernel("right")}, "mended", branch="main")
    scene.branch(s.repo, "more", {"README": "more words\n"})
    has(host.check(s.repo, "more").text, unknown, "of another kernel than the verdict's nothing is known")
    s = scene.github("wrong")
    host = scene.Host(s)
    eq(host.promote().brief(), (3, "unmeasured"), "a main that is wrong, and has no baseline")
    number, _ = scene.pull(s, "words", {"kernels/attention.c": scene.kernel("wrong", "/* more */\n")})
    result = host.check_pull(number)
    eq(result.config()["clause"], "identical-code", "a comment more: its own machine code")
    has(result.text, "`main`'s own last verdict on `small` is unmeasured", "is no better")


def rules_come_from_the_base():
    """A pull request cannot loosen the rule it is judged by"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "sly", {"kernels/attention.c": scene.kernel("slow"),
                               "ci/ratchet.conf": scene.conf(threshold="50%"),
                               **scene.stored(repo.sha(), ns=5e9)})
    result = host.check(repo, "sly")
    eq(result.brief(), (1, "regressed"), "judged by base's rule")
    has(result.file("report.md"), "ratchet.conf", "and the report says that the edit is ignored")


def many_configs():
    """Over configs the worst counts, and each is named"""
    host = scene.Host()
    repo = sample(configs=(("one", 32), ("two", 48)))
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow")
    eq(result.brief(), (1, "regressed"), "both are slow")
    eq(sorted(c["name"] for c in result.verdict["configs"]), ["one", "two"], "both are there")


def usage():
    """A wrong command line is one line and 64"""
    host, repo = scene.Host(), sample()
    for what, args, words in (
            ("unknown option", ["--bse", "main"], "--bse"),
            ("no such revision", ["--repo", repo.path, "--base", "none"], "none"),
            ("no such folder", ["--repo", "/nonexistent"], "/nonexistent"),
            ("device", ["--repo", repo.path, "--device", "../x"], "../x"),
            ("option without a value", ["--repo"], "--repo"),
            ("repository without a number", ["--repository", "o/r"], "--pr"),
            ("host configuration that is not there", ["--config", "/nonexistent.conf"],
             "/nonexistent.conf")):
        result = host.ratchet("check", *args)
        eq(result.code, 64, what)
        one_line(result, words)
        eq(result.out, "", what + ": nothing on stdout")
    for what, line, word in (("unknown key", "[daemon]\nsocet = /x\n", "socet"),
                             ("unknown limit", "[limits]\nbuild-timeout = 3\n", "build-timeout"),
                             ("plain http elsewhere", '[repository "o/r"]\n'
                              "api = http://api.example.org\ngit = /x\n", "https")):
        bad = lib.write(os.path.join(host.folder, "bad.conf"), line)
        result = host.ratchet("check", "--config", bad, "--repo", repo.path)
        eq(result.code, 64, what)
        one_line(result, word, "bad.conf")


def folders():
    """What a check writes lies in the state folder and in --output; who may not write there is told
    which setting that is"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "words", {"README": "words\n"})
    before = set(os.listdir(host.folder))
    eq(host.check(repo, "words").code, 0, "a check")
    eq(set(os.listdir(host.folder)) - before, {"state", "out-1"}, "writes there")
    eq(sorted(os.listdir(host.state)), ["repos", "work"], "what will be of use again, and a place to work")
    eq(host.ratchet("verify", "--config", host.config, "--repo", repo.path).code, 0, "verify")
    eq(os.listdir(os.path.join(host.state, "work")), [], "leaves nothing to work on")
    ok(not os.path.exists(os.path.join(host.state, "runs")), "nor empty results")
    place = lib.write(os.path.join(host.folder, "file"), "")
    result = host.ratchet("check", "--config", host.config, "--repo", repo.path, "--head", "words",
                          "--output", place)
    eq(result.code, 64, "results where a file lies")
    eq(os.listdir(os.path.join(host.state, "work")), [], "leave nothing either")
    lib.write(host.config, lib.read(host.config).replace(host.state, host.config + "/state"))
    one_line(host.check(repo, "words"), host.config + "/state", "`state` in the [daemon] section", "--config")


def conflict():
    """Two commits that do not merge"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "ours", {"kernels/attention.c": "ours\n"})
    scene.branch(repo, "theirs", {"kernels/attention.c": "theirs\n"})
    result = host.check(repo, "theirs", "ours")
    eq(result.brief(), (3, "unmeasured"), "unmeasured")
    text = json.dumps(result.verdict)
    has(text, "kernels/attention.c", "it names the file")
    has(text, "the PR", "whose fault")


def merge_bomb():
    """A branch of which a merge takes more memory than there is for one"""
    if lib.has_sanitizers():
        return
    host, repo = scene.Host(), sample()
    level = repo.git("mktree", data="100644 blob %s\tf\n" % repo.git("rev-parse", "main:kernels/attention.c"))
    for _ in range(5):
        level = repo.git("mktree", data="".join("040000 tree %s\t%d\n" % (level, n) for n in range(10)))
    top = repo.git("mktree", data="%s\n040000 tree %s\tbomb\n" % (repo.git("ls-tree", "main"), level))
    repo.git("update-ref", "refs/heads/bomb", repo.git("commit-tree", "-p", "main", "-m", "bomb", top))
    scene.branch(repo, "ours", {"README": "ours\n"})
    result = host.check(repo, "bomb", "ours", wrapper=("prlimit", "--data=20000000:"))
    eq((result.brief(), result.verdict["clause"], result.verdict["fault"]), ((3, "unmeasured"), "conflict", "the PR"), "whose fault")
    has(result.verdict["reason"], re.compile("^cannot merge .*: Out of memory$"), "why")


def no_sandbox():
    """No sandbox, no run"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "slow", "slow")
    tools = lib.temp_dir()  # a PATH without bwrap
    for name in ("sh", "cc", "git"):
        os.symlink("/usr/bin/" + name, os.path.join(tools, name))
    result = host.check(repo, "slow", env={"PATH": tools})
    eq(result.brief(), (3, "unmeasured"), "unmeasured")
    text = json.dumps(result.verdict)
    has(text, re.compile("bwrap|bubblewrap"), "it names what is missing")
    has(text, "the host", "whose fault")


def limits():
    """Builds and files have ceilings"""
    repo = sample()
    scene.branch(repo, "noisy", {"kernels/attention.c": ("#warning " + "flood " * 99 + "\n") *
                                 1500 + "#error the last line\n"})
    scene.branch(repo, "big", {"kernels/attention.c": scene.kernel("right") +
                               "static const char ballast[40 << 20] = {1};\n"
                               "__attribute__((used)) static const char *keep = ballast;\n"})
    result = scene.Host().check(repo, "noisy")
    eq(result.brief(), (3, "unmeasured"), "a build with a very long log")
    ok(len(result.file("report.md").encode()) <= 65000, "the report stays postable")
    has(result.file("report.md"), "the last line", "and has the end of it")
    result = scene.Host(limits={"kernel-bytes": 1 << 20}).check(repo, "big")
    eq(result.brief(), (3, "unmeasured"), "a library that is too large")
    endless = lib.Repo()
    endless.commit(dict(scene.tree(), **{"ci/ratchet.conf": scene.conf().replace(
        "-lm", "-lm && sleep 1000")}), "a build without end")
    scene.branch(endless, "slow", "slow")
    result = scene.Host(limits={"build-timeout-ms": 3000}).check(endless, "slow")
    eq(result.brief(), (3, "unmeasured"), "a build that takes too long")
    has(json.dumps(result.verdict), re.compile("killed|time"), "it says so")
    result = scene.Host(limits={"tree-bytes": 1000}).check(repo, "big")
    eq(result.brief(), (3, "unmeasured"), "a tree that is too large")
    result = scene.Host(limits={"config-bytes": 100}).check(repo, "big")
    eq(result.brief(), (3, "unmeasured"), "rules that are too long")


def full_disk():
    """A disk that is full is the host's fault, and nothing half-written is left"""
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    # Whoever is no root outside must be none inside, or the sandbox's user would be looked for.
    again = "" if os.geteuid() == 0 else "unshare -U --map-user=1000 --map-group=1000 -- "
    probe = lib.run(unshare + ["sh", "-c", "mount -t tmpfs -o size=64k none /mnt"])
    if probe.code != 0:
        raise lib.Skip("no mounts of our own here: " + probe.err.strip())
    repo = sample()
    scene.branch(repo, "slow", "slow")
    for size in ("32k", "96k", "160k"):  # full at one place and another
        host = scene.Host()
        os.makedirs(host.state)
        folder = host.output()
        run = lib.run(unshare + ["sh", "-c", 'mount -t tmpfs -o size=%s,mode=755 none "$0" && exec '
                                 '%s"$@"' % (size, again), host.state, lib.program("RATCHET"),
                                 "check", "--config", host.config, "--repo", repo.path, "--base",
                                 "main", "--head", "slow", "--output", folder], env=host.env(),
                      cwd=host.folder)
        eq(run.code, 3, size + ": unmeasured")
        has(run.out + run.err, "No space left on device", size + ": why")
        lacks(run.out + run.err, "the PR", size + ": it is not the pull request's fault")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            text = lib.read(os.path.join(folder, name))
            whole = json.loads(text) if name.endswith(".json") else text.endswith("\n")
            ok(whole, size + ": %s is whole" % name, text[-200:])


def nothing_is_left():
    """Nothing of a run is left in the working folders"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "crash", "crash")
    host.check(repo, "crash")
    eq(os.listdir(os.path.join(host.state, "work")), [], "no scratch folder is left")
    eq(repo.git("status", "--porcelain"), "", "the repository is as it was")
    lacks(repo.git("for-each-ref", "--format=%(refname)"), "ratchet", "nor has it new refs")


NCU = os.path.join(lib.HERE, "..", "data", "ncu")


def profiled_host(script, **more):
    """A host whose profiler is a script, with what it prints beside it"""
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    for name in ("plain.txt", "spills.txt"):
        os.chmod(lib.write(os.path.join(folder, name), lib.read(os.path.join(NCU, name))), 0o644)
    path = lib.write(os.path.join(folder, "ncu"), "#!/bin/sh\ncd /bench\n" + script + "\n", 0o755)
    return scene.Host(settings=("threads = 1", "profiler = " + path), **more)


def take_behind(folder, stop):
    """Take the lane as soon as whoever measures lets it go, and keep it"""
    while not stop.is_set():
        for name in os.listdir(folder):
            if not name.endswith(".lock"):
                continue
            with open(os.path.join(folder, name)) as lane:
                try:
                    fcntl.flock(lane, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    fcntl.flock(lane, fcntl.LOCK_EX)
                    stop.wait()
        stop.wait(0.001)


def counters_wait_for_nobody():
    """A verdict that is there does not wait for a lane that somebody took meanwhile"""
    repo = sample()
    scene.branch(repo, "slow", "slow")
    host = profiled_host("cat ${0%/*}/plain.txt", limits={"profile-timeout-ms": 300})
    stop = threading.Event()
    taker = threading.Thread(target=take_behind, args=(host.folder, stop))
    taker.start()
    slow = host.check(repo, "slow")
    stop.set()
    taker.join()
    if scene.fair(slow, (1, "regressed"), "twice the work")[0] == 1:
        has(slow.file("report.md"), "What a profiler counts could not be looked at: waited 0 s for the device", "a note")


def counters():
    """What a profiler counts of the configs that moved most is told, and a profiler that hangs is a note"""
    repo = sample(configs=[("c%d" % i, 16 + 8 * i) for i in range(5)])
    scene.branch(repo, "slow", "slow")
    host = profiled_host("if grep -q slow lib-00.so; then cat ${0%/*}/spills.txt; else cat ${0%/*}/plain.txt; fi")
    slow = host.check(repo, "slow")
    if scene.fair(slow, (1, "regressed"), "twice the work")[0] == 1:
        moved = sorted((c for c in slow.verdict["configs"] if c["verdict"] == "regressed"),
                       key=lambda c: -abs(c["change"]))
        eq(re.findall("(\\S+): profiled head, ", slow.err), [c["name"] for c in moved[:4]], "four at most, those that "
           "moved most first")
        eq([c["name"] for c in moved if "metrics" in c], [c["name"] for c in moved[:4]], "and of those it is told")
        metrics = moved[0]["metrics"]
        eq(metrics["line"], "head 18.6 M sectors of 32 bytes stored to local memory, the anchor 0", "in words")
        eq(metrics["moved"][0], {"name": "local_stores", "head": 18612224, "against": 0}, "in numbers")
        has(slow.file("report.md"), "<summary>What the profiler counted: " + metrics["line"], "folded")
        has(slow.out, "\n    " + metrics["line"], "and in the terminal")
        eq(slow.err.count(": profiled the anchor, "), len(moved[:4]), "the other side, too")
        lacks(slow.file("report.md"), "could not be looked at", "without a note")
    hangs = profiled_host("trap '' TERM INT; while :; do sleep 600; done", limits={"profile-timeout-ms": 900})
    slow = hangs.check(repo, "slow")
    if scene.fair(slow, (1, "regressed"), "the verdict stands")[0] == 1:
        lacks(slow.file("verdict.json"), '"metrics"', "nothing was counted")
        has(slow.file("report.md"), re.compile("What a profiler counts could not be looked at: c.: head: it took longer "
                                               "than 0[.]9 s"), "a note")


lib.main(verdicts, counters, counters_wait_for_nobody, costs, json_and_text, faults_of_the_pull_request, faults_of_the_base,
         nothing_to_measure, rules_come_from_the_base, many_configs, usage, folders, conflict, merge_bomb, no_sandbox, limits,
         full_disk, nothing_is_left)
