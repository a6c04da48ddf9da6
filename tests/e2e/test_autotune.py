#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet autotune` on the CPU: it finds what is better, says why the rest is not, and its patch gives what it promised.
That it goes on after it was killed: tests/faults/labs.py."""

import json
import os
import re
import subprocess

import lib
import scene
from lib import eq, has, lacks, ok

TUNE = """\
[tune "cpu"]
    parameter = TIMES: 1 2 3 4
    parameter = STEP: 1 2 7 9
    constraint = TIMES + STEP != 5
"""


def kernels(tune=TUNE):
    repo = lib.Repo()
    files = scene.tree("tunable", configs=(("small", 48), ("other", 32)))
    files["ci/ratchet.conf"] += tune
    repo.commit(files, "a kernel with parameters")
    return repo


def autotune(repo, folder, *more, **how):
    host = scene.Host()
    return host.ratchet("autotune", "--config", host.config, "--repo", repo.path, "--output", folder,
                        *more, folder=folder, **how)


def finds():
    """From a spoilt start it finds what is better, and rejects what is wrong with its reason"""
    repo, folder = kernels(), lib.temp_dir()
    result = autotune(repo, folder)
    eq(result.code, 0, "exit code")
    has(result.out, re.compile(r"^\*\*Candidate \d+ is faster than today's kernel: -\d", re.M), "what is better")
    has(result.out, "`TIMES 3 → 1`", "and how it is made")
    eq(result.file("suggestions.md"), result.out, "the report is a file, too")
    rows = result.out[result.out.index("## Rejected"):].splitlines()
    why = {row.split("|")[2].strip(): row.split("|")[3].strip() for row in rows if row.startswith("| ") and "`" in row}
    has(why["`STEP 1 → 9`"], "#error", "what does not build: the compiler's word")
    has(why["`STEP 1 → 7`"], "wrong result", "what is wrong")
    has(why["`TIMES 3 → 1, STEP 1 → 2`"], "the machine code is that of candidate", "what is nothing new")
    lacks(result.out, "`TIMES 3 → 4, STEP 1 → 1`", "what a constraint forbids is none")
    table = result.out[result.out.index("| config | today"):].split("\n\n")[0].splitlines()[2:]
    end = json.loads(lib.read(os.path.join(folder, "samples.json")))
    for row, config in zip(table, end["configs"]):
        out = sum("marks" in replicate for replicate in config["replicates"])
        has(row, "| %d%s |" % (len(config["replicates"]) - out, " (%d left out)" % out if out else ""),
            "%s: as many processes as counted" % config["name"])
    log = [json.loads(line) for line in result.file("autotune.jsonl").splitlines()]
    eq(log[0]["schema"], "ratchet.tune/1", "the log")
    again = autotune(repo, folder)
    eq(again.out, result.out, "once more, it measures nothing and says the same")
    lacks(again.err, "replicate", "nothing at all")
    subprocess.run(["git", "-C", repo.path, "apply", os.path.join(folder, "suggestions.patch")], check=True)
    has(lib.read(os.path.join(repo.path, "kernels/attention.c")), "#define TIMES 1 /* today's */", "the patch")
    repo.git("commit", "-qam", "tuned")
    nothing = autotune(repo, lib.temp_dir())
    has(nothing.out, "**Nothing better than today's values was found.**", "from the best there is nothing better")
    eq(nothing.code, 0, "which is a result")
    ok(not os.path.exists(os.path.join(nothing.folder, "suggestions.patch")), "without a patch")
    other = autotune(repo, folder)
    eq(other.code, 64, "another commit's search in the same folder")
    has(other.err, "is of another search", "is refused")


ROUNDS = """\
[tune "cpu"]
    parameter = TIMES: 1 2 3 5 8 12 18 27 40 60
    parameter = STEP: 1 9
    constraint = STEP == 1 || TIMES == 3
"""


def lines(folder):
    return lib.read(os.path.join(folder, "autotune.jsonl")).splitlines(keepends=True)


def out_of_time():
    """With its time over it measures nothing more, forgets nothing that it has, and tells what was left out"""
    repo, whole = kernels(ROUNDS), lib.temp_dir()
    result = autotune(repo, whole)
    eq(result.code, 0, "with all its time")
    has(result.out, "`STEP == 1 || TIMES == 3` forbids 9 of 20 combinations: TIMES 1, STEP 9; ", "what is forbidden is named")
    log = lines(whole)
    ok(any('"round":2' in line.replace(" ", "") for line in log), "better ones are measured again")
    again = autotune(repo, whole, "--time-budget", "1s")
    eq(again.out, result.out, "a search that is over is over, whatever it took")
    first = lib.temp_dir()
    lib.write(os.path.join(first, "autotune.jsonl"), "".join(
        line for line in log if not re.search('"round": ?[2-9]|"end"', line)))
    again = autotune(repo, first, "--time-budget", "1s")
    eq(again.code, 0, "cut off before the second round")
    has(again.out, re.compile(r", [56] of the better ones not measured once more for the same reason"), "is told")
    eq(sum('"round"' in line and '"trials"' in line for line in lines(first)),
       sum(bool(re.search('"round": ?1', line)) and '"trials"' in line for line in log), "no group was measured again")
    eq(autotune(repo, first, "--time-budget", "1s").out, again.out, "and it stays so")
    short = autotune(repo, lib.temp_dir(), "--time-budget", "1s")
    has(short.out, re.compile(r", \d+ not tried for want of time"), "what was never tried, too")


def nothing_allowed():
    """Constraints that leave nothing are named with what they forbid"""
    result = autotune(kernels('[tune "cpu"]\nparameter = TIMES: 1 2\nparameter = STEP: 1 2\n'
                              "constraint = TIMES > 4\nconstraint = STEP > 1\n"), lib.temp_dir())
    eq(result.code, 0, "a result")
    has(result.out, "There is no other combination of values that the constraints allow.", "it says so")
    has(result.out, "- `TIMES > 4` forbids 4 of 4 combinations: TIMES 1, STEP 1; TIMES 2, STEP 1; TIMES 1, STEP 2; "
        "TIMES 2, STEP 2\n- `STEP > 1` forbids 0 of 4 combinations\n", "by which one, and what")


def halves():
    """Where one of report and patch cannot be written, both of before stay"""
    repo, folder = kernels(), lib.temp_dir()
    whole = autotune(repo, folder)
    for name in ("suggestions.md", "suggestions.patch"):
        lib.write(os.path.join(folder, name), "of before\n")
    os.mkdir(os.path.join(folder, "suggestions.patch.new"))
    result = autotune(repo, folder, "--quiet")
    eq((result.code, result.out, result.err.count("\n")), (3, "", 1), "a patch that cannot be written: one line")
    has(result.err, "suggestions.patch", "which names it")
    eq(sorted(os.listdir(folder)), ["autotune.jsonl", "samples.json", "suggestions.md", "suggestions.patch",
                                    "suggestions.patch.new"], "nothing else is left")
    eq([lib.read(os.path.join(folder, name)) for name in ("suggestions.md", "suggestions.patch")], 2 * ["of before\n"],
       "both of before stay")
    os.rmdir(os.path.join(folder, "suggestions.patch.new"))
    eq(autotune(repo, folder).out, whole.out, "then it goes on")
    has(lib.read(os.path.join(folder, "suggestions.patch")), "+#define TIMES 1", "with its patch")


def full_disk():
    """A full disk is one clear line, and loses nothing that was measured"""
    files = scene.tree("tunable", samples=300)
    files["ci/ratchet.conf"] += '[tune "cpu"]\nparameter = TIMES: 1 3\n'
    repo, folder = lib.Repo(), os.path.join(lib.temp_dir(), "out")
    repo.commit(files, "many samples")
    full = autotune(repo, folder, "--quiet", wrapper=scene.small_disk(folder, 16))
    eq((full.code, full.out, full.err.count("\n")), (3, "", 1), "one line")
    has(full.err, "samples.json`: No space left on device", "what was not written")
    kept = lines(folder)
    ok(any('"trials"' in line for line in kept), "what was measured is there: %s" % kept)
    eq([name for name in os.listdir(folder) if name.startswith("s")], [], "and nothing half")
    result = autotune(repo, folder, "--quiet")
    eq((result.code, lines(folder)[:len(kept)]), (0, kept), "it is not measured again")


def refused():
    """What cannot be searched is one clear line"""
    folder = lib.temp_dir()
    for tune, words in (
            ("", "there is no [tune \"cpu\"] with a parameter"),
            ('[tune "cpu"]\nparameter = NOWHERE: 1 2\n', "no file under [kernel] path has `#define NOWHERE`"),
            ('[tune "cpu"]\nparameter = SIMPLE_NAME: 1 2\n', "expected `#define SIMPLE_NAME` and a whole number"),
            ('[tune "cpu"]\nparameter = TIMES 1 2\n', "expected a macro and its values"),
            ('[tune "cpu"]\nparameter = TIMES: 1 2\nconstraint = TIMS > 1\n', "`TIMS` is no parameter"),
            ('[tune "nvidia-l4"]\nparameter = TIMES: 1\n', "there is no [build \"nvidia-l4\"]")):
        result = autotune(kernels(tune), folder)
        eq((result.code, result.err.count("\n")), (64, 1), words)
        has(result.err, words, "it says what")
    repo = kernels()
    for options, words in ((("--time-budget", "0s"), "--time-budget"), (("--time-budget", "soon"), "--time-budget"),
                           (("--jobs", "0"), "--jobs"), (("--device", "nvidia-h200"), "nvidia-h200"),
                           (("--head", "nowhere"), "nowhere"), (("--configs", "none"), "none")):
        result = autotune(repo, folder, *options)
        eq((result.code, result.err.count("\n")), (64, 1), " ".join(options))
        has(result.err, words, "is named")


if __name__ == "__main__":
    lib.main(finds, out_of_time, nothing_allowed, halves, full_disk, refused)
