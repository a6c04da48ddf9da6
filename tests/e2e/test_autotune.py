#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet autotune` on the CPU: it finds what is better, says why the rest is not, goes on after it was
killed, and its patch gives what it promised. AUTOTUNE_KILLS=N: that many kills, by hand."""

import json
import os
import random
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


def autotune(repo, folder, *more, host=None, seconds=lib.DEADLINE):
    host = host or scene.Host()
    return host.ratchet("autotune", "--config", host.config, "--repo", repo.path, "--output", folder,
                        *more, folder=folder, seconds=seconds)


def masked(text):
    """A report without what was measured."""
    text = re.sub(r"wrong result: [^|]*", "wrong result ", text) # which row is drawn anew each time
    text = re.sub(r"It took \d+ s of the device", "It took", text)
    return re.sub(r"[+-]?\d+\.\d+", "N", text)


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


def killed():
    """Killed at any moment, it goes on where it was, and ends with the same report"""
    repo = kernels()
    whole = masked(autotune(repo, lib.temp_dir()).out)
    seed = int(os.environ.get("AUTOTUNE_SEED", "7"))
    for run in range(int(os.environ.get("AUTOTUNE_KILLS", "2"))):
        rng, folder, host = random.Random("%d/%d" % (seed, run)), lib.temp_dir(), scene.Host()
        log = os.path.join(folder, "autotune.jsonl")
        argv = [lib.program("RATCHET"), "autotune", "--config", host.config, "--repo", repo.path,
                "--output", folder, "--quiet"]
        for lines in sorted(rng.sample(range(1, 22), 2)):
            process = lib.start(argv, env=host.env(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            lib.wait_for(lambda: process.poll() is not None or
                         (os.path.exists(log) and lib.read(log).count("\n") >= lines), "%d lines" % lines)
            lib.kill(process)
        if rng.random() < 0.5 and os.path.exists(log):
            with open(log, "a") as cut:
                cut.write('{"round":1,"tri')
        result = autotune(repo, folder, "--quiet", host=host)
        eq((result.code, masked(result.out)), (0, whole), "kill %d of seed %d" % (run, seed))


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
    lib.main(finds, killed, refused)
