#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a kernel is built is part of the kernel: a changed recipe is measured, each arm is built by
its own commit's, and a build sees nothing but what its commit lists. `ratchet check` on local
repositories; what the daemon makes of it is in test_daemon.py and test_promote.py."""

import json
import os
import re

import lib
import scene
from lib import eq, has, lacks, ok

SLOW = "-O0"  # of the sample kernel: several times as long as -O2


def conf(**edits):
    """The sample's ci/ratchet.conf; O="-O0" compiles so, command="…" replaces the command, more="…"
    is added at the end."""
    text = scene.conf().replace("-O2", edits.get("O", "-O2"))
    if "command" in edits:
        text = re.sub(r"command = .*", "command = " + edits["command"].replace("\\", "\\\\"), text)
    return text + edits.get("more", "")


def recipe(**edits):
    return {"ci/ratchet.conf": conf(**edits)}


def sample(files=None):
    repo = lib.Repo()
    files = {**scene.tree(), **(files or {})}
    repo.commit({path: text for path, text in files.items() if text is not None}, "the kernel")
    return repo


def a_changed_recipe():
    """A pull request that changes nothing but the recipe is measured"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "lazy", recipe(O=SLOW))
    result = host.check(repo, "lazy")
    if scene.fair(result, (1, "regressed"), "-O0 is regressed")[0] == 1:
        eq(result.config()["clause"], "beyond", "and the clause says by what")
    has(result.file("report.md"), "built by its own recipe", "the report tells how head is built")
    same = conf().replace('[build "cpu"]', '; another comment\n[build "cpu"]').replace(
        "    output = kernels/attention.so\n", "").replace(
        "    command =", "    output = \"kernels/attention.so\"\n    command   =")
    scene.branch(repo, "words", {"ci/ratchet.conf": same})
    result = host.check(repo, "words")
    eq(result.brief(), (0, "held"), "other bytes of the same recipe")
    eq(result.verdict["clause"], "not-touched", "are not a change of the kernel")
    scene.branch(repo, "path", {"ci/ratchet.conf": conf().replace(
        "path = kernels", "path = kernels\n    path = README")})
    eq(host.check(repo, "path").config()["clause"], "identical-code",
       "another list of paths is built, and found to be the same code")


def the_anchor_keeps_its_recipe():
    """Main that lost by its recipe stays lost: the anchor is not rebuilt by the new one"""
    host, repo = scene.Host(), sample()
    anchor = repo.sha()
    repo.commit({**recipe(O=SLOW), **scene.stored(anchor)}, "lazy main")
    scene.branch(repo, "comment", {"kernels/attention.c": scene.kernel("right", "/* more */\n")})
    result = host.check(repo, "comment")
    eq(result.brief(), (0, "held"), "another comment")
    eq((result.config()["clause"], result.config()["against"]), ("identical-code", "base"),
       "is base's code, not the anchor's")
    scene.branch(repo, "refactored", "refactored")
    result = host.check(repo, "refactored")
    if scene.fair(result, (0, "held"), "a neutral change")[0] == 0:
        eq(result.config()["clause"], "lost-on-main", "main lost it before")
        ok(result.config()["change"] > 0.3, "against the anchor as it was", result.config())


def stored_samples_of_another_protocol():
    """Numbers that were measured otherwise are not compared, and it is said"""
    host, repo = scene.Host(), sample()
    repo.commit(scene.stored(repo.sha(), {"protocol": "1"}, ns=10.0), "a baseline of before")
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow")
    if scene.fair(result, (1, "regressed"), "against the anchor as it runs today")[0] != 1:
        return
    has(result.config()["reason"], "stored samples not compared: those of the baseline were measured by another "
        "protocol than " + scene.PROTOCOL, "it is said")
    ok(not result.config().get("anchor_drifted"), "nor is today's anchor set against them", result.config())


def an_anchor_that_moved():
    """Where today's anchor is far from its stored samples, comment, summary and status say so first"""
    s = scene.github("right")
    anchor = s.state()["refs"]["refs/heads/main"]
    s.on("commit", branch="main", message="baseline", files=scene.stored(
        anchor, {"compiler": "gcc 1.0"}, ns=10.0))
    s.repo.git("fetch", "-q", s.git_url.replace("http://", "http://x:%s@" % lib.TOKEN),
               "+main:refs/remotes/origin/main")
    number, head = scene.pull(s, "slow", "slow", onto="origin/main")
    result = scene.Host(s).check_pull(number)
    if scene.fair(result, (1, "regressed"), "against the anchor as it runs today")[0] != 1:
        return
    first = scene.ours(s, number)[0].splitlines()[3]
    for words in ("not what was recorded", "small", "stored samples", "gcc 1.0"):
        has(first, words, "the comment's first words")
    has(s.statuses(head)[-1]["description"], "against its stored samples", "and the status")


def anchors_without_a_recipe():
    """An anchor whose commit says nothing is built as its baseline records, else as base is; the
    report tells"""
    command = re.search(r"command = (.*)", conf()).group(1)
    for what, before, facts, words in (
            ("recorded", None, {"build": command, "build_output": "kernels/attention.so"},
             "as its baseline records"),
            ("recorded, from before outputs were", None, {"build": command},
             "as its baseline records"),
            ("an output outside", None, {"build": command, "build_output": "../attention.so"},
             "as its baseline records"),
            ("nothing recorded", None, {}, "by base's recipe"),
            ("a section that is broken", conf().replace("output =", "outputs ="), {},
             "by base's recipe"),
            ("an old file with other words", conf(more="[ancient]\n    key = 1\n"), {}, None)):
        repo = sample({"ci/ratchet.conf": before})
        anchor = repo.sha()
        repo.commit({**recipe(O=SLOW), **scene.stored(anchor, facts)}, "main")
        scene.branch(repo, "refactored", "refactored")
        result = scene.Host().check(repo, "refactored")
        ok(result.code in (0, 2), what + ": judged", result.text)
        report = result.file("report.md")
        if words is None:
            lacks(report, "is built", what + ": by its own")
        else:
            has(report, words, what + ": said")
        if result.code == 0:
            eq(result.config()["clause"], "within" if words == "by base's recipe"
               else "lost-on-main", what + ": as it was built")


def a_recipe_that_builds_no_more():
    """An old recipe that no longer builds: base's is tried and said; if neither does, unclear"""
    repo = sample(recipe(command="cc-of-1999 -O2 -o kernels/attention.so kernels/attention.c"))
    anchor = repo.sha()
    repo.commit({**recipe(), **scene.stored(anchor)}, "today's compiler")
    scene.branch(repo, "refactored", "refactored")
    host = scene.Host()
    result = host.check(repo, "refactored")
    scene.fair(result, (0, "held"), "built by base's recipe")
    has(result.file("report.md"), "no longer builds by its own recipe", "and the report says so")
    repo = sample({"kernels/attention.c": scene.kernel("broken")})
    anchor = repo.sha()
    repo.commit({**scene.tree(), **scene.stored(anchor)}, "mended")
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow")
    eq(result.brief(), (2, "unclear"), "nothing is decided against an anchor that cannot run")
    eq((result.config()["clause"], result.config()["fault"]), ("anchor-unbuilt", "the host"),
       "why, and whose")


def a_broken_recipe():
    """A section that is broken in the merge is the pull request's; the rest of its file is not read"""
    host, repo = scene.Host(), sample()
    for name, text, words in (
            ("unknown", conf().replace("output =", "outputs ="), "outputs"),
            ("missing", conf().replace("    output = kernels/attention.so\n", ""), "output"),
            ("outside", conf().replace("= kernels/attention.so", "= ../attention.so"), "output"),
            ("section", conf().replace('[build "cpu"]', '[build "nvidia-l4"]').replace(
                '[bench "cpu"]', '[bench "nvidia-l4"]'), "[build"),
            ("pathless", conf().replace("    path = kernels\n", ""), "kernel.path"),
            ("syntax", conf() + "[build\n", "ratchet.conf"),
            ("include", conf() + "[include]\n    path = /etc/passwd\n", "include"),
            ("gone", None, "ratchet.conf")):
        scene.branch(repo, name, {"ci/ratchet.conf": text})
        result = host.check(repo, name)
        eq((result.code, result.verdict["clause"], result.verdict["fault"]),
           (3, "bad-recipe", "the PR"), name)
        has(result.verdict["reason"], words, name + ": named")


def two_paths(**edits):
    return conf(**edits).replace("path = kernels\n", "path = kernels\n    path = more\n")


def table():
    """What a pull request can leave behind so that the next check could judge nothing: its name, the files, the
    clause, words of the reason"""
    stored = "baselines/cpu/baseline.json"
    other = json.loads(scene.stored("0" * 40)[stored])
    other["device"]["slug"] = "nvidia-l4"
    rows = [(name, {"ci/ratchet.conf": text}, "bad-config", words) for name, text, words in (
        ("a key of a config", two_paths().replace("seq-q", "seqq"), "seqq"),
        ("a key of the rule", two_paths(more="[rule]\n    treshold = 90%\n"), "treshold"),
        ("a section", two_paths(more="[strange]\n    key = 1\n"), "strange"),
        ("a bad value", two_paths().replace("dtype = fp32", "dtype = fp23"), "fp23"),
        ("a type that the device has not", two_paths().replace("dtype = fp32", "dtype = fp16"),
         "config.small.dtype: fp16 is not a type of cpu, which has fp32"),
        ("a missing key", two_paths().replace("    head-dim = 32\n", ""), "head-dim"),
        ("looks beyond the host", two_paths().replace("look = 8", "look = 4096"), "4096"),
        ("no config", two_paths().split("[config")[0], "no [config"),
        ("none for this device", two_paths(more='[build "nvidia-l4"]\n    command = x\n    output = kernels/x\n').replace(
            "    device = cpu", "    device = nvidia-l4").replace("fp32", "fp16"), "no [config"),
        ("too many configs", two_paths(more="".join(scene.SMALL % ("c%d" % i, 16) for i in range(600))), "more than"))]
    rows += [("a baseline cut in half", {stored: '{"schema"'}, "bad-baseline", stored),
             ("another device's", {stored: json.dumps(other)}, "bad-baseline", "nvidia-l4"),
             ("a baseline too long", {stored: " " * 100000}, "bad-baseline", "longer than"),
             ("a path goes", {"more/x.h": None}, "bad-path", "`more`"),
             ("a path that is nothing", {"ci/ratchet.conf": two_paths().replace("= kernels\n", "= nowhere\n")}, "bad-path",
              "`nowhere`"),
             ("a file too long", {"ci/ratchet.conf": two_paths(more="#" * 100000)}, "bad-recipe", "longer than"),
             ("no file", {"ci/ratchet.conf": None}, "bad-recipe", "ci/ratchet.conf"),
             ("a folder in its place", {"ci/ratchet.conf": None, "ci/ratchet.conf/x": "x\n"}, "bad-recipe",
              "not a regular file")]
    return rows


def what_the_next_check_would_go_by():
    """A pull request after whose merge nothing could be judged is unmeasured, its own fault, whatever it does to the
    kernel; and so it is for a base that is so already, which is then at fault"""
    host = scene.Host(limits={"config-bytes": 90000, "baseline-bytes": 90000})
    repo = sample({"ci/ratchet.conf": two_paths(), "more/x.h": "/* */\n"})
    rows = table() + [("a link", "link", "bad-recipe", "not a regular file"),
                      ("a submodule", "submodule", "bad-recipe", "not a regular file")]
    for name, files, clause, words in rows:
        branch = name.replace(" ", "-").replace("'", "")
        repo.git("checkout", "-q", "-b", branch, "main")
        if isinstance(files, str):
            repo.git("rm", "-q", "ci/ratchet.conf")
            repo.git("update-index", "--add", "--cacheinfo", "160000,%s,ci/ratchet.conf" % repo.sha()) \
                if files == "submodule" else (os.makedirs(os.path.join(repo.path, "ci"), exist_ok=True),
                                              linked(repo, "ci/ratchet.conf", "../README"),
                                              repo.git("add", "ci/ratchet.conf"))
            repo.git("commit", "-q", "-m", name)
            repo.git("reset", "-q", "--hard")
        else:
            repo.commit(files, name, branch=branch)
        result = host.check(repo, branch)
        eq((result.code, result.verdict["clause"], result.verdict["fault"]), (3, clause, "the PR"), name)
        has(result.verdict["reason"], words, name + ": named")
        lacks(result.file("report.md"), "base commit: mend it there", name + ": it is to be mended here")
        repo.git("checkout", "-q", "-b", branch + "-words", branch)
        repo.commit({"words": "words\n"}, "words", branch=branch + "-words", onto=branch)
        result = host.check(repo, branch + "-words", branch)
        eq((result.code, result.verdict["fault"]), (3, "the base"), name + ": once it is main's")


def a_gate_that_is_taken_away():
    """The same through GitHub: no status of success, and the comment says what is wrong"""
    s = scene.github()
    host = scene.Host(s)
    number, head = scene.pull(s, "typo", recipe(more="[rule]\n    treshold = 90%\n"))
    host.daemon()
    result = host.step("pull_request", scene.pull_event(s, number)).run()
    eq(result.code, 3, "the step fails")
    eq(scene.status(s, head)[-1:], ["error"], "and the status is none of success")
    has(scene.plain(scene.ours(s, number)[0]), "once this is merged, nothing could be judged: ci/ratchet.conf",
        "the comment says why")


def whose_fault():
    """When head fails, base is looked at before anybody is blamed"""
    host = scene.Host()
    repo = sample({"kernels/attention.c": scene.kernel("broken")})
    scene.branch(repo, "broken", {"kernels/attention.c": scene.kernel("broken", "/* more */\n")})
    result = host.check(repo, "broken")
    eq((result.code, result.verdict["clause"], result.verdict["fault"]),
       (3, "build-failed", "the base"), "main does not build")
    has(result.file("report.md"), "undeclared_factor", "its log is shown")
    repo = sample({"kernels/attention.c": scene.kernel("wrong")})
    scene.branch(repo, "wrong", {"kernels/attention.c": scene.kernel("wrong", "int more(void);\n"
                                 "int more(void) { return 3; }\nint (*used)(void) = more;\n")})
    result = host.check(repo, "wrong")
    eq((result.code, result.config()["fault"]), (3, "the base"), "main is wrong")
    repo = sample({"kernels/attention.c": scene.kernel("wrong")})
    scene.branch(repo, "crash", "crash")
    result = host.check(repo, "crash")
    eq((result.code, result.config()["fault"]), (3, "the base"), "wrong main, crashing head")


def linked(repo, path, target):
    os.symlink(target, os.path.join(repo.path, path))


def paths_that_name_nothing():
    """A [kernel] path that is no file or folder of base or of the merge guards nothing: it is refused"""
    host = scene.Host()
    for path, words in (("kernels/*.c", "kernels/*.c"), ("kernel", "kernel"),
                        ("Kernels", "kernels"), ("kernels/attention.c/x", "attention.c/x")):
        repo = sample({"ci/ratchet.conf": conf().replace(
            "path = kernels", "path = kernels/attention.h\n    path = " + path)})
        scene.branch(repo, "docs", {"README": "other words\n"})
        result = host.check(repo, "docs")
        eq((result.code, result.verdict["clause"], result.verdict["fault"]),
           (3, "bad-path", "the base"), path)
        has(result.verdict["reason"], words, path + ": named")
        scene.branch(repo, "slow", "slow")
        eq(host.check(repo, "slow").verdict["clause"], "bad-path", path + ": whatever it changes")
    repo = sample()
    repo.commit({"elsewhere/attention.c": scene.kernel("right")}, "more")
    for path in ("kernels", "README", "ci/ratchet.conf"):
        scene.branch(repo, "same", {"README": path})
        eq(host.check(repo, "same").code, 0, "a path that is there")
    scene.branch(repo, "moved", {"ci/ratchet.conf": conf().replace("path = kernels",
                                                                   "path = nowhere")})
    result = host.check(repo, "moved")
    eq((result.code, result.verdict["clause"], result.verdict["fault"]), (3, "bad-path", "the PR"),
       "a pull request that points at nothing")
    scene.branch(repo, "new", {"ci/ratchet.conf": conf().replace(
        "path = kernels", "path = kernels\n    path = kernels2"), "kernels2/x.h": "/* */\n"})
    eq(host.check(repo, "new").code, 0, "one that points at what it brings")


def paths_behind_links():
    """A path that is a link, or lies behind one, is refused by name"""
    host = scene.Host()
    for link, target, path in (("linked", "kernels", "linked"), ("linked", ".", "linked/kernels"),
                               ("linked", "kernels/attention.c", "linked")):
        repo = sample({"ci/ratchet.conf": conf().replace("path = kernels", "path = " + path)})
        linked(repo, link, target)
        repo.commit({}, "a link")
        scene.branch(repo, "slow", "slow")
        result = host.check(repo, "slow")
        eq((result.code, result.verdict["clause"], result.verdict["fault"]),
           (3, "bad-path", "the base"), path)
        has(result.verdict["reason"], "`%s`" % path, path + ": named")
        has(result.verdict["reason"], "link", path + ": why")
    repo = sample({"elsewhere/attention.c": scene.kernel("slow")})
    repo.git("checkout", "-q", "-b", "swap")
    repo.git("rm", "-rq", "kernels")
    linked(repo, "kernels", "elsewhere")
    repo.commit({}, "the folder becomes a link")
    result = host.check(repo, "swap")
    eq((result.code, result.verdict["clause"], result.verdict["fault"]), (3, "bad-path", "the PR"),
       "a pull request that puts a link in its place")


def a_build_sees_its_paths_alone():
    """What lies outside [kernel] path cannot change a build, for it is not there"""
    host = scene.Host()
    script = "cc -O2 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -o kernels/attention.so " \
             "kernels/attention.c -lm\n"
    repo = sample({"build.sh": script, **recipe(command="sh build.sh")})
    scene.branch(repo, "sly", {"build.sh": script.replace("-O2", SLOW)})
    result = host.check(repo, "sly")
    eq((result.code, result.verdict["verdict"]), (0, "held"), "nothing that a build sees was changed")
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow")
    eq((result.code, result.verdict["clause"], result.verdict["fault"]),
       (3, "build-failed", "the base"), "but such a main cannot be built")
    has(result.verdict["reason"], "`build.sh`: not under [kernel] path", "and says why")
    repo = sample({"common/fast.h": "#define TIMES 1\n",
                   "kernels/attention.c": '#include "../common/fast.h"\n' + scene.kernel("right")})
    scene.branch(repo, "slow", "slow")
    result = host.check(repo, "slow")
    eq((result.code, result.verdict["fault"]), (3, "the base"), "a header elsewhere")
    has(result.verdict["reason"], "common/fast.h", "is named")
    repo = sample({"common/fast.h": "#define TIMES 1\n",
                   "kernels/attention.c": '#include "../common/fast.h"\n' + scene.kernel("right"),
                   "ci/ratchet.conf": conf().replace("path = kernels",
                                                     "path = kernels\n    path = common")})
    scene.branch(repo, "header", {"common/fast.h": "#define TIMES 2\n"})
    eq(host.check(repo, "header").config()["clause"], "identical-code", "listed, it is seen")


lib.main(stored_samples_of_another_protocol, an_anchor_that_moved, a_build_sees_its_paths_alone, paths_that_name_nothing, paths_behind_links,
         a_changed_recipe, the_anchor_keeps_its_recipe, anchors_without_a_recipe,
         a_recipe_that_builds_no_more, a_broken_recipe, whose_fault, what_the_next_check_would_go_by,
         a_gate_that_is_taken_away)
