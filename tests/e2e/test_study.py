#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet study` on the CPU: from the environment to a report; what is kept, and why the rest is not; that it can
be checked. That it goes on after it was killed: tests/faults/labs.py."""

import json
import os
import re
import shutil
import subprocess

import lib
import scene
from lib import eq, has, lacks, ok

TUNE = '[tune "cpu"]\n    parameter = TIMES: 2 3\n'


def kernels(tune="", name="tunable"):
    repo = lib.Repo()
    files = scene.tree(name, configs=(("small", 48), ("other", 32)))
    files["ci/ratchet.conf"] += tune
    repo.commit(files, "a kernel")
    return repo


def patches(repo, **edits):
    """A folder of patches, each what an edit of the kernel makes: NAME={"from": "to"}"""
    folder = lib.temp_dir()
    path = os.path.join(repo.path, "kernels/attention.c")
    before = lib.read(path)
    for name, (old, new) in edits.items():
        ok(old in before, "%s: the kernel has what is edited" % name)
        with open(path, "w") as out:
            out.write(before.replace(old, new, 1))
        made = subprocess.run(["git", "-C", repo.path, "diff", "-U1"], check=True, capture_output=True).stdout
        with open(os.path.join(folder, name + ".patch"), "wb") as out:
            out.write(made)
    repo.git("checkout", "-q", "--", ".")
    return folder


def study(repo, folder, *more, host=None, **how):
    host = host or scene.Host()
    return host.ratchet("study", "--config", host.config, "--repo", repo.path, "--output", folder, "--budget-min",
                        "3", *more, folder=folder, **how)


def steps(folder):
    return {step["name"]: step for step in json.loads(lib.read(os.path.join(folder, "study.json")))["steps"]}


def whole():
    """All phases: the better patch is kept, each of the others is told with its reason"""
    repo, folder = kernels(), lib.temp_dir()
    wanted = patches(repo, a_broken=("define STEP 1", "define STEP 9"), b_wrong=("define STEP 1", "define STEP 7"),
                     c_slower=("TIMES 3", "TIMES 4"), d_faster=("TIMES 3", "TIMES 1"),
                     e_again=("TIMES 3", "TIMES 2"))
    with open(os.path.join(wanted, "f_nothing.patch"), "w") as out:
        out.write("no patch\n")
    with open(os.path.join(wanted, "g_rules.patch"), "w") as out:
        out.write("diff --git a/ci/ratchet.conf b/ci/ratchet.conf\n--- a/ci/ratchet.conf\n+++ b/ci/ratchet.conf\n"
                  "@@ -1,2 +1,2 @@\n-[kernel]\n+[colonel]\n     path = kernels\n")
    result = study(repo, folder, "--candidates", wanted, "--seq", "32,64")
    eq(result.code, 0, "exit code: %s" % result.err[-2000:])
    has(result.out, "1 of 7 proposals kept", "what was kept")
    has(result.err, re.compile(r"^ratchet: study: \d+ of 13: 01-a_broken; at most \d+ s left$", re.M), "progress")
    made = steps(folder)
    eq([name for name, step in made.items() if step.get("kept")], ["04-d_faster"], "the faster one is kept")
    eq(made["03-c_slower"]["state"], "done", "the slower one was measured")
    ok(made["03-c_slower"]["proposal"], "and is a proposal")
    eq(made["05-e_again"]["state"], "failed", "one that fits only the first kernel")
    has(made["05-e_again"]["why"], "on top of what was kept: the patch does not apply", "is told as that")
    has(made["01-a_broken"]["why"], "#error", "what does not build: the compiler's word")
    has(made["02-b_wrong"]["why"], "wrong result", "what is wrong")
    eq(made["06-f_nothing"]["state"], "failed", "what is no patch")
    has(made["07-g_rules"]["why"], "ci/ratchet.conf", "what has no rules that can be read ends no study")
    has(made["04-d_faster"]["command"], "git apply --index STUDY/optimise/04-d_faster/change.patch && git commit -qm ",
        "by hand, files that a patch adds are committed as well")
    eq(made["backends"]["state"], "skipped", "without other implementations")
    has(made["backends"]["why"], "--arms", "it says how to name some")
    eq(made["end"]["state"], "done", "the best was judged against the first")
    verdict = json.loads(lib.read(os.path.join(folder, "end/verdict.json")))
    eq(verdict["verdict"], "improved", "by a check")
    for name in ("env.json", "benchmark.json", "samples.json", "comparison.json", "baseline.json", "ratchet.conf",
                 "shapes/sweep.json", "COMBINED_REPORT.md", "OPTIMIZATION_RESULTS.md", "report.html",
                 "numbers.json", "inventory.json"):
        ok(os.path.exists(os.path.join(folder, name)), "%s is there" % name)
    ok(not os.path.exists(os.path.join(folder, "work")), "what can be made again is not")
    for name, step in made.items():
        lacks(step.get("command", ""), repo.path, "%s: no path of this machine" % name)
        lacks(step.get("command", ""), folder, "%s: nor of the folder" % name)
    before = snapshot(folder)
    again = study(repo, folder, "--candidates", wanted, "--seq", "32,64")
    eq((again.code, again.out), (0, result.out), "once more, it says the same")
    after = snapshot(folder)
    eq(sorted(name for name in {**before, **after} if before.get(name) != after.get(name)), [], "and changes nothing")
    verify(repo, folder)


def read(path):
    with open(path, "rb") as source:
        return source.read()


def snapshot(folder):
    return {os.path.relpath(os.path.join(top, name), folder): read(os.path.join(top, name))
            for top, _, names in os.walk(folder) for name in names}


def check(repo, folder, *more):
    host = scene.Host()
    where = () if "--no-measure" in more else ("--repo", repo.path)
    return host.ratchet("study", "--config", host.config, *where, "--verify", folder, *more)


def verify(repo, folder):
    """The documents are what the raw samples make; measured again, the best is what it was"""
    files = check(repo, folder, "--no-measure")
    eq(files.code, 0, "the files alone: %s" % files.err)
    has(files.out, "each document is what the raw samples make", "it says so")
    measured = check(repo, folder, "--quiet")
    ok(measured.code in (0, 2), "measured again; unclear where the machine is busy: %s" % measured)
    has(measured.out, "best against first, the study and now:", "the claim beside what was seen")
    has(measured.out, "small", "for each config")
    for name, find, put in (("samples.json", b"0", b"1"), ("COMBINED_REPORT.md", b"%", b"*"),
                            ("numbers.json", b"\"", b"'"), ("study.json", b"done", b"skip")):
        copy = lib.temp_dir() + "/study"
        shutil.copytree(folder, copy)
        path = os.path.join(copy, name)
        text = read(path)
        place = text.rindex(find)
        with open(path, "wb") as out:
            out.write(text[:place] + put + text[place + len(find):])
        broken = check(repo, copy, "--no-measure")
        eq(broken.code, 64, "%s with one byte changed" % name)
        has(broken.out + broken.err, name, "is named")
    copy = lib.temp_dir() + "/study"
    shutil.copytree(folder, copy)
    os.remove(copy + "/report.html")
    has(check(repo, copy, "--no-measure").out, "report.html", "a document that is gone is named")
    written = scene.Host().ratchet("study", "--report", copy)
    eq((written.code, snapshot(copy)), (0, snapshot(folder)), "written anew, the documents are the same")
    forged(repo, folder)
    other = check(kernels(name="right"), folder)
    eq(other.code, 3, "a repository without the study's commit measures nothing")
    has(other.err, "not measured again", "and is not green")


def forged(repo, folder):
    """Documents that fit other samples or other rules are no proof"""
    def copy(name, change):
        path = lib.temp_dir() + "/study"
        shutil.copytree(folder, path)
        text = lib.read(os.path.join(path, name))
        lib.write(os.path.join(path, name), change(text))
        eq(scene.Host().ratchet("study", "--report", path).code, 0, "%s: the documents fit" % name)
        return path
    other = check(repo, copy("ratchet.conf", lambda text: text.replace("threshold = 30%", "threshold = 50%")), "--quiet")
    eq(other.code, 64, "judged by rules that are not the commit's")
    has(other.err, "ratchet.conf: is not ci/ratchet.conf of", "says so")

    def slower_first(text):
        samples = json.loads(text)
        for config in samples["configs"]:
            config["without_head"] = [8 * ns for ns in config.get("without_head", [])]
            for replicate in config["replicates"]:
                for arm in {"base", "anchor", "control"} & replicate.keys():
                    replicate[arm] = [8 * ns for ns in replicate[arm]]
        return json.dumps(samples)
    claim = check(repo, copy("samples.json", slower_first), "--quiet")
    ok(claim.code in (1, 2), "a speed-up that is not seen again; unclear where the machine is busy: %s" % claim)
    has(claim.out, "not seen again", "is named")


def tuned():
    """autotune's parameters come first; a study that keeps nothing is a result"""
    repo, folder = kernels(TUNE), lib.temp_dir()
    result = study(repo, folder, "--target-speedup", "1.2", "--seq", "32")
    eq(result.code, 0, "exit code: %s" % result.err[-2000:])
    made = steps(folder)
    ok(made["01-autotune"]["kept"], "the parameters are kept: %s" % made["01-autotune"])
    has(lib.read(os.path.join(folder, "optimise/01-autotune/change.patch")), "+#define TIMES 2", "as a patch")
    repo, folder = kernels(), lib.temp_dir()
    result = study(repo, folder, "--candidates", patches(repo, slow=("TIMES 3", "TIMES 4")), "--seq", "32")
    eq(result.code, 0, "nothing kept: %s" % result.err[-2000:])
    has(result.out, "0 of 1 proposals kept", "is a result")
    eq(steps(folder)["end"]["state"], "skipped", "there is nothing to judge at the end")
    eq(check(repo, folder, "--no-measure").code, 0, "which can be checked")


def refused():
    """Bad input is one clear line, and nothing is written half"""
    repo, folder = kernels(), lib.temp_dir()
    empty = lib.temp_dir()
    for options, words in ((("--budget-min", "0"), "--budget-min"), (("--budget-min", "soon"), "--budget-min"),
                           (("--target-speedup", "0.5"), "--target-speedup"),
                           (("--candidates", "/nowhere"), "--candidates"),
                           (("--candidates", empty), "no *.patch"), (("--arms", "/nowhere"), "--arms"),
                           (("--head", "nowhere"), "nowhere"), (("--device", "nvidia-h200"), "nvidia-h200"),
                           (("--no-measure",), "--verify")):
        result = study(repo, folder, *options)
        eq((result.code, result.err.count("\n")), (64, 1), " ".join(options))
        has(result.err, words, "is named")
    bare = lib.Repo()
    bare.commit({"README": "no kernel\n"}, "nothing")
    result = study(bare, lib.temp_dir())
    eq((result.code, result.err.count("\n")), (64, 1), "a repository without a kernel")
    has(result.err, "ci/ratchet.conf", "says what it lacks")
    wrong, folder, host = kernels(name="wrong"), lib.temp_dir(), scene.Host()
    result = host.ratchet("study", "--config", host.config, "--repo", wrong.path, "--output", lib.temp_dir(),
                          "--budget-min", "10080", "--quiet")
    has(result.err, "wrong result", "a week's budget is one that its commands take")
    result = study(wrong, folder, "--quiet")
    eq(result.code, 64, "a kernel that is wrong")
    has(result.err, "benchmark", "stops at the benchmark")
    ok(os.path.exists(os.path.join(folder, "env.json")), "and keeps what was there")
    lib.write(os.path.join(folder, "ratchet.conf"), "of the study that is there")
    shutil.rmtree(os.path.join(folder, "work"))
    before = snapshot(folder)
    other = study(repo, folder, "--quiet")
    eq(other.code, 64, "another study in the same folder")
    has(other.err, "another study", "is refused")
    eq(sorted(snapshot(folder)), sorted(before), "nothing is added to the one that is there")
    ok(snapshot(folder) == before, "and the one that is there stays as it was")
    mine = lib.temp_dir()
    os.mkdir(os.path.join(mine, "work"))
    lib.write(os.path.join(mine, "work/thesis.tex"), "years")
    result = study(repo, mine, "--quiet")
    eq((result.code, snapshot(mine)), (64, {"work/thesis.tex": b"years"}), "a folder of other files is no study's")
    has(result.err, "holds other files and no study", "and is refused in words")


def full_disk():
    """A full disk is one clear line; what was measured stays, and with room again it goes on"""
    repo, ends = kernels(), []
    for kib in (24, 90):
        folder = os.path.join(lib.temp_dir(), "out")
        full = study(repo, folder, "--quiet", "--seq", "32", wrapper=scene.small_disk(folder, kib))
        ends.append(full.code)
        if full.code == 0:  # a file system that packs more into it
            continue
        eq((full.out, full.err.count("\n")), ("", 1), "one line: %s" % full.err)
        has(full.err, "No space left on device", "which says why")
        kept = snapshot(folder)
        result = study(repo, folder, "--quiet", "--seq", "32")
        eq(result.code, 0, "with room again: %s" % result.err)
        now = snapshot(folder)
        eq([name for name in ("env.json", "benchmark.json", "shapes/samples.json") if name in kept and kept[name] != now[name]],
           [], "what was measured is not measured again")
        eq(check(repo, folder, "--no-measure").code, 0, "and it can be checked")
    ok(any(ends), "a disk was full: %s" % ends)


def half_written():
    """What a kill leaves half is gone or made again; that it may come at any moment: tests/faults/labs.py"""
    repo, folder = kernels(), lib.temp_dir()
    options = ("--candidates", patches(repo, faster=("TIMES 3", "TIMES 1")), "--seq", "32")
    eq(study(repo, folder, *options).code, 0, "one that nobody kills")
    whole = snapshot(folder)
    for name in ("report.html", "inventory.json"):  # killed while the documents were written
        os.remove(os.path.join(folder, name))
    lib.write(os.path.join(folder, "study.json.a1B2c3"), "{")
    eq(study(repo, folder, *options).code, 0, "killed in the last step")
    ok(snapshot(folder) == whole, "it goes on, too")


if __name__ == "__main__":
    lib.main(whole, tuned, refused, full_disk, half_written)
