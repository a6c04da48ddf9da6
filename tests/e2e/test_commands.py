#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The other commands: each stage of a check alone, on files, and what it says when it cannot."""

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
    has(pair.out, re.compile(r"^b1_h1_s64_d32_fp32 against b1_h1_s16_d32_fp32: \+\d+(\.\d+)?% \[.*\], "
                             r"Hedges' g \d", re.M), "are set against each other")
    for wrong, text in ((["--seq", "0"], "--seq: expected"), (["--configs", "no"], "no config `no`; there is small"),
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
    drawn = host.ratchet("report", "--samples", os.path.join(check.folder, "samples.json"), "--rules",
                         os.path.join(s.repo.path, "ci/ratchet.conf"), os.path.join(check.folder, "verdict.json")).out
    posted = lib.read(os.path.join(check.folder, "report.md"))
    for part, what in ((re.compile(r"(?s)```text\n.*?\n```\n"), "the chart"), (re.compile(r"<sub>Rule: .*"), "the rule")):
        eq([one.replace("\n", " ") for one in part.findall(drawn)[:1]], [one.replace("\n", " ") for one in part.findall(posted)[:1]],
           what + " is that of the comment")
        ok(part.search(drawn), "and is there")
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
    asked = len(s.requests())
    refused = host.ratchet("post", "--config", host.config, "--repository", scene.REPOSITORY,
                           "--pr", number, "--device", "cpu", text, token="ghs_" + "x" * 3000)
    has(refused.err, "GITHUB_TOKEN: 3004 bytes, a token has 2047 at most", "one that is too long is not cut")
    eq((refused.code not in (0, 1, 2), len(s.requests())), (True, asked), "nor shown to anybody")


def base_without_recipe():
    """bench --compare with a commit that has no rules: by which recipe it was built is said"""
    host, repo = scene.Host(), lib.Repo()
    files = scene.tree()
    files.pop("ci/ratchet.conf")
    old = repo.commit(files, "the kernel")
    repo.commit(scene.tree("refactored"), "rules")
    result = host.ratchet("bench", "--config", host.config, "--repo", repo.path, "--compare", old,
                          "--iterations", "2", "--replicates", "1", "--quiet")
    eq(result.code, 0, "it is measured")
    has(result.out, "Base %.10s was built by head's recipe" % old, "and the note is printed")
    lacks(result.out, "No baseline", "nobody asked for one")


def verify():
    """verify tells right from wrong"""
    host = scene.Host()
    for name, code, word in (("right", 0, "right"), ("wrong", 3, "wrong result"),
                             ("nan", 3, "wrong result"), ("crash", 3, "signal|SIGSEGV"),
                             ("broken", 3, "undeclared_factor")):
        result = host.ratchet("verify", "--config", host.config, "--repo", sample(name).path)
        eq(result.code, code, name)
        has(result.out + result.err, re.compile(word), name + ": why")


def as_json(host, repo):
    """(exit code, what `verify --json` says of the first config)"""
    result = host.ratchet("verify", "--config", host.config, "--repo", repo.path, "--json", "--quiet")
    found = json.loads(result.out)
    eq((found["schema"], found["commit"], found["device"]["slug"]), ("ratchet.verified/1", repo.sha(), "cpu"), "what was verified")
    return result.code, found["configs"][0]


def the_same_bits():
    """verify says whether a kernel's bits are the same again, and with what they vary"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree("right"), "steady")
    said = "small +right, before and after timing; "
    result = host.ratchet("verify", "--config", host.config, "--repo", repo.path)
    eq(result.code, 0, "a kernel that repeats itself")
    has(result.out, re.compile("^" + said + "the same bits in 4 launches, 2 processes, with 1 and 2 threads$", re.M),
        "is said to")
    code, told = as_json(host, repo)
    eq((code, told["name"], told["problem"]["seq_q"], told["right"]), (0, "small", 48, True), "and in JSON")
    eq(told["bits"], {"same": True, "launches": 4, "processes": 2, "varies": [], "threads": [1, 2]}, "with what was tried")
    early = lib.run([lib.program("RATCHET_BENCH"), "cpu"], data="open 1 9000\nconfig 1 1 1 4 4 8 fp32 0 - - - -\n"
                    "bits head\nquit\n")
    has(early.out, "failed bits: malformed, or out of place", "there are none of an output that is not there")
    for what, words in (("LAUNCH", "its bits vary from launch to launch"),
                        ("PROCESS", "its bits vary from process to process, not from launch to launch"),
                        ("THREADS", "its bits vary with the threads [(]1 or 2[)], not from process to process")):
        repo.commit({"kernels/attention.c": "#define VARIES_WITH_%s\n" % what + scene.kernel("unsteady")}, what)
        result = host.ratchet("verify", "--config", host.config, "--repo", repo.path)
        eq(result.code, 0, what + ": it is right all the same")
        has(result.out, re.compile("^" + said + words + "$", re.M), what + ": with what")
        bits = as_json(host, repo)[1]["bits"]
        eq((bits["same"], bits["varies"]), (False, [what.lower()]), what + ": in JSON")
        ok("processes" in bits or what == "LAUNCH", "no more is claimed than was looked at: %s" % bits)
    repo.commit({"kernels/attention.c": scene.kernel("odd").replace("    (void)stream;\n", "    if (((const struct "
                 "attention_cpu_stream *)stream)->threads == 2)\n        abort();\n")}, "dies with two threads")
    result = host.ratchet("verify", "--config", host.config, "--repo", repo.path)
    eq(result.code, 0, "a kernel that dies with other threads")
    has(result.out, re.compile("^" + said + "whether its bits are the same again is not known: .*SIGABRT|signal 6",
                               re.M), "is said to")
    bits = as_json(host, repo)[1]["bits"]
    eq(bits["same"], None, "nothing is claimed in JSON")
    ok(bits["why"], "but why")
    repo.commit({"kernels/attention.c": scene.kernel("wrong")}, "wrong")
    code, told = as_json(host, repo)
    eq((code, told["right"], "bits" in told, told["fault"]), (3, False, False, "the kernel"), "a wrong one has no bits")
    has(told["why"], "wrong result", "and says why")
    for words in (("bench", "--json"), ("verify", "--json", "--against", "small")):
        refused = host.ratchet(*words, "--config", host.config, "--repo", repo.path)
        eq((refused.code, refused.out, refused.err.count("\n")), (64, "", 1), " ".join(words))


def doctor():
    """doctor tries everything by doing it"""
    s = scene.github()
    host = scene.Host(s, token=TOKEN)
    result = host.ratchet("doctor", "--config", host.config)
    eq(result.code, 0, "a sound host")
    lacks(result.out, "FAIL", "nothing fails")
    lacks(result.text, TOKEN, "no token is printed")
    has(result.out, re.compile("^(ok|note) +sandbox limits +(cgroup v2 [(]memory, pids[)]|per process; .)",
                               re.M), "what bounds a build")
    for what in ("sandbox", "harness", "octo/kernels"):
        has(result.out, re.compile("^ok .*" + what, re.M), what)
    for token in TOKEN, None: # whoever brings the token, an API that cannot be reached is no good
        lost = scene.Host(s, token=token, api="http://127.0.0.1:1", limits={"github-timeout-ms": 300})
        result = lost.ratchet("doctor", "--config", lost.config)
        eq(result.code, 3, "no GitHub")
        has(result.out, re.compile("^FAIL .*octo/kernels", re.M), "is named")
    for path, line in (("/usr/bin/true", "ok +profiler +/usr/bin/true"),
                       ("/nowhere/ncu", "note +profiler +no profiler: `/nowhere/ncu` is no program")):
        counts = scene.Host(settings=("profiler = " + path,))
        result = counts.ratchet("doctor", "--config", counts.config)
        eq(result.code, 0, "a profiler is never needed")
        has(result.out, re.compile("^(%s)$" % line, re.M), "but told of")
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
    result = host.ratchet("history", "--config", host.config, "--repo", repo.path)
    eq((result.code, result.out), (0, ""), "no baseline has no history")
    eq(result.err, "ratchet history: nothing recorded yet for cpu\n", "and that is said")


def recorded(repo):
    """A history of three baselines: two configs recorded, one of them again, the other dropped."""
    whole = json.loads(lib.read(os.path.join(lib.TOP, "baselines", "nvidia-h200", "baseline.json")))
    whole["device"] = {"slug": "cpu", "name": "CPU"}
    one, two = whole["configs"][:2]
    again = dict(one, recorded="2026-11-28T00:00:00Z", why="improved")
    for configs in ((one, two), (again, two), (again,)):
        repo.commit({"baselines/cpu/baseline.json": json.dumps(dict(whole, configs=configs))}, "moved")
        repo.commit({"README": "%d\n" % len(configs)}, "words")
    return one["name"], two["name"]


def which(out):
    """[(config, why)] of a history's lines."""
    return [tuple(line.split()[2:4]) for line in out.split("\n\n")[0].splitlines()]


def history_anywhere():
    """history reads what is there, from any folder, bare or shallow, and makes nothing"""
    host, repo = scene.Host(), sample()
    one, two = recorded(repo)
    moves = [(two, "gone"), (one, "improved"), (one, "new"), (two, "new")]
    for what, folder in (("its top", repo.path), ("a folder in it", os.path.join(repo.path, "kernels")),
                         (".git", os.path.join(repo.path, ".git"))):
        result = host.ratchet("history", "--config", host.config, "--repo", folder)
        eq((result.code, which(result.out), result.err), (0, moves, ""), what)
    bare = os.path.join(lib.temp_dir(), "bare.git")
    repo.git("clone", "-q", "--bare", repo.path, bare)
    result = host.ratchet("history", "--config", host.config, "--repo", bare)
    eq((result.code, which(result.out), result.err), (0, moves, ""), "a bare repository")
    for depth, seen, inherited in ((1, [], [(one, "improved")]),
                                   (3, moves[:1], [(one, "improved"), (two, "new")]),
                                   (5, moves[:2], [(one, "new"), (two, "new")])):
        shallow = os.path.join(lib.temp_dir(), "shallow")
        repo.git("clone", "-q", "--depth", str(depth), "file://" + repo.path, shallow)
        last = repo.sha("HEAD~%d" % (depth - 1))
        result = host.ratchet("history", "--config", host.config, "--repo", shallow)
        eq((result.code, which(result.out)), (0, seen + inherited), "a clone %d deep tells what there is" % depth)
        eq(result.err, "ratchet history: the history ends at %s: a shallow clone\n" % last[:10],
           "and where it ends")
        eq([line.startswith("^" + last[:9]) for line in result.out.split("\n\n")[0].splitlines()],
           [False] * len(seen) + [True] * len(inherited), "what was there before is marked, as git does")
    squashed = lib.Repo()
    recorded(squashed)
    squashed.git("checkout", "-q", "--orphan", "new")
    squashed.git("commit", "-q", "-m", "all at once")
    result = host.ratchet("history", "--config", host.config, "--repo", squashed.path)
    eq((result.code, which(result.out)), (0, [(one, "improved")]), "a baseline in the first commit of all")
    empty = lib.temp_dir()
    for folder in (empty, os.path.join(empty, "none")):
        result = host.ratchet("history", "--config", host.config, "--repo", folder)
        eq((result.code, result.out), (64, ""), "where there is no repository")
        has(result.err, folder, "it is named")
    eq(os.listdir(empty), [], "and none is made")
    eq(os.listdir(host.folder), ["ratchetd.conf"], "nor anything else")


def history_of_baseline_json_alone():
    """Whatever else lies in baselines/, large, broken or hostile, changes nothing in a history"""
    host = scene.Host()
    plain, littered = sample(), sample()
    recorded(plain)
    want = which(host.ratchet("history", "--config", host.config, "--repo", plain.path).out)
    litter = {"baselines/cpu/calibration.json": "[" * 100000, "baselines/cpu/README.md": "\x1b[31m\n",
              "baselines/cpu/baseline.json.orig": "{", "baselines/cpu/study/baseline.json": '{"schema": 7}',
              "baselines/cpu/study/" + 40 * "deep/" + "samples.json": "x" * (3 << 20),
              "baselines/baseline.json": "not JSON", "baselines/nvidia-l4/baseline.json": "\x00",
              "baselines/cpu2/baseline.json": "{}"}
    littered.commit(litter, "litter")
    os.symlink("/etc/passwd", os.path.join(littered.path, "baselines", "cpu", "study", "link"))
    os.symlink("baseline.json", os.path.join(littered.path, "baselines", "cpu", "other.json"))
    littered.git("add", "-A")
    littered.git("commit", "-q", "-m", "links")
    recorded(littered)
    littered.commit({name: None for name in litter}, "tidied")
    small = scene.Host(limits={"baseline-bytes": 1 << 20})
    for what, one in (("with the usual limits", host), ("where only a baseline would fit", small)):
        result = one.ratchet("history", "--config", one.config, "--repo", littered.path)
        eq((result.code, which(result.out), result.err), (0, want, ""), what)
    ok(len(want) == 4, "there was something to tell", want)


def from_anywhere():
    """--repo finds its repository as git does: from a folder in it, whoever owns it"""
    host, repo = scene.Host(), sample()
    repo.commit({"README": "words\n"}, "words", branch="topic", onto="main")
    below = os.path.join(repo.path, "kernels")
    result = host.ratchet("check", "--config", host.config, "--head", "topic", "--repo", below)
    eq(result.code, 0, "check from a folder below")
    has(result.out, "kernel not touched", "judges the repository")
    run = lib.run([lib.program("RATCHET"), "check", "--config", host.config, "--head", "topic"],
                  env=host.env(), cwd=below)
    eq((run.code, run.out.splitlines()[0]), (0, "held on cpu: kernel not touched"), "and without --repo")
    eq(host.ratchet("verify", "--config", host.config, "--repo", below).code, 0, "verify, too")
    shallow = os.path.join(lib.temp_dir(), "shallow")
    repo.commit({"NEWS": "more words\n"}, "more", branch="main", onto="main")
    repo.git("clone", "-q", "--depth", "1", "-b", "main", "file://" + repo.path, shallow)
    other = scene.Host()
    for words in (("verify",), ("check", "--head", "main")):
        result = other.ratchet(*words, "--config", other.config, "--repo", shallow)
        ok(result.code != 0, "a shallow clone: " + words[0])
        has(result.err, "is a shallow clone, and its history is needed: `git fetch --unshallow`",
            words[0] + " says so")
    eq(os.listdir(os.path.join(host.state, "repos")).__len__(), 1, "one cache for the one repository")
    result = host.ratchet("check", "--config", host.config, "--repo", lib.temp_dir())
    eq(result.code, 64, "where there is none")
    has(result.err, "is not in a git repository", "it says so")
    if os.geteuid() != 0:
        raise lib.Skip("needs root to give a repository to somebody else")
    for folder, folders, files in os.walk(repo.path):
        for name in [folder] + [os.path.join(folder, f) for f in folders + files]:
            os.lchown(name, 65534, 65534)
    for words in (("check", "--head", "topic"), ("verify",), ("history",)):
        result = host.ratchet(*words, "--config", host.config, "--repo", repo.path)
        eq(result.code, 0, "somebody else's: " + words[0])


def usage():
    """Usage: help, version, and one line for what is wrong"""
    host = scene.Host()
    top = host.ratchet("--help")
    eq(top.code, 0, "--help")
    commands = re.findall(r"^  (\w+) ", top.out, re.M)
    ok(len(commands) >= 13, "help names the commands", commands)
    for command in commands:
        result = host.ratchet(command, "--no-such-option")
        eq(result.code, 64, command + ": unknown option")
        has(result.err, "--no-such-option", command + ": it is named")
        eq(result.out, "", command + ": nothing on stdout")
    long = host.ratchet("promote", "--accept", "small", "--by", 128 * "x")
    eq(long.code, 64, "a name that the baseline has no room for")
    has(long.err, "--by: expected 1 to 127 bytes", "is refused, not cut")
    eq(host.ratchet("--version").out.split()[0], "ratchet", "--version")
    eq(host.ratchet("frobnicate").code, 64, "no such command")
    eq(host.ratchet().code, 64, "no command")
    with open("/dev/full", "wb") as full:
        run = lib.start([lib.program("RATCHET"), "doctor", "--config", host.config], stdout=full,
                        env=host.env(), stderr=lib.subprocess.PIPE)
    eq((host.ratchet("doctor", "--config", host.config).code, run.wait(lib.DEADLINE)), (0, 3),
       "output that cannot be written is no success")


def build():
    """`build` gives the library that a check would measure, and the reason where there is none"""
    repo, host, output = lib.Repo(), scene.Host(), lib.temp_dir() + "/kernel.so"
    repo.commit(scene.tree("right"), "a kernel")
    repo.commit(scene.tree("broken"), "one that does not build")
    made = host.ratchet("build", "--config", host.config, "--repo", repo.path, "--head", "HEAD~", "--output", output)
    eq(made.code, 0, "exit code")
    code = made.out.split()[0]
    has(code, re.compile(r"^sha256:[0-9a-f]{64}$"), "the machine code's hash")
    ok(os.access(output, os.X_OK), "the library is there")
    again = host.ratchet("build", "--config", host.config, "--repo", repo.path, "--head", "HEAD~", "--output", output)
    eq((again.code, again.out), (0, made.out), "once more, over it")
    sweep = host.ratchet("sweep", "--config", host.config, "--repo", repo.path, "--replicates", "1", "--iterations",
                         "3", "--budget", "5s", "--output", output + ".json", "k=" + output)
    eq(sweep.code, 0, "a sweep takes it, within a budget")
    eq(json.loads(lib.read(output + ".json"))["arms"]["head"]["code"], code, "the same code")
    broken = host.ratchet("build", "--config", host.config, "--repo", repo.path, "--output", output + ".no")
    eq(broken.code, 3, "what does not build")
    has(broken.err, "build failed", "has a reason")
    has(broken.out, re.compile("^    .*error: ", re.M), "and what its recipe printed")
    ok(not os.path.exists(output + ".no"), "and no library")
    for options, words in (((), "--output"), (("--output", "/nowhere/k.so"), "/nowhere/k.so")):
        result = host.ratchet("build", "--config", host.config, "--repo", repo.path, "--head", "HEAD~", *options)
        ok(result.code in (3, 64), "no place for it: %d" % result.code)
        has(result.err, words, "is named")


def against_base_alone():
    """`check --no-baseline` judges two commits against base, whatever was recorded; never a pull request"""
    repo, host = lib.Repo(), scene.Host()
    repo.commit({**scene.tree("right"), "baselines/cpu/baseline.json": "not JSON\n"}, "main")
    repo.commit({"kernels/attention.c": scene.kernel("right", "/* another */")}, "head")
    held = host.check(repo, "HEAD", "HEAD~", "--no-baseline")
    eq(held.brief(), (0, "held"), "a baseline that cannot be read is not looked at")
    eq(host.check(repo, "HEAD", "HEAD~").code, 3, "without the option it is")
    refused = host.ratchet("check", "--config", host.config, "--repository", "o/r", "--pr", "1", "--no-baseline")
    eq(refused.code, 64, "a pull request is judged by what main recorded")
    has(refused.err, "--no-baseline", "which is said")


def environment_as_a_file():
    """`env --output` writes what it would print"""
    host, path = scene.Host(), lib.temp_dir() + "/env.json"
    printed = host.ratchet("env", "--config", host.config, "--head", "none")
    written = host.ratchet("env", "--config", host.config, "--head", "none", "--output", path)
    eq((written.code, written.out), (0, ""), "nothing on stdout")
    eq(json.loads(lib.read(path))["hash"], json.loads(printed.out)["hash"], "the same facts")


lib.main(stage_by_stage, build, against_base_alone, environment_as_a_file, base_without_recipe, verify, the_same_bits, doctor, status_and_history, history_anywhere, history_of_baseline_json_alone, from_anywhere, usage)
