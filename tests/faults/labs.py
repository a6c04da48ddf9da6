#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet autotune`, `sweep` and `study`, killed with SIGKILL at any moment and begun again, once to three times; then
each comes to its end, and its report is that of a run which nobody killed, but for what was measured.

    labs.py [autotune|sweep|study...] [--runs 2] [--first 1]   TAP, one check a run of each (RATCHET_LAB_RUNS: another 2)
    labs.py autotune --seed N                                  one run again

When a kill comes is the seed's: a share of the time that the run took which nobody killed. A machine that is too busy to
measure may leave out a candidate; then a run is told, and its report is not compared."""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]

import lib  # noqa: E402
import scene  # noqa: E402

BUSY = re.compile(r"fewer than two processes|too few processes|not known|every process was disturbed|"
                  r"today's: of no candidate|Nothing better")
TUNE = ('[tune "cpu"]\n    parameter = TIMES: %s\n    parameter = STEP: 1 7 9\n'
        '    constraint = STEP == 1 || TIMES == 3\n')
KERNEL = "kernels/attention.c"
TRIES = 5  # for a run that measures undisturbed


def repository(values):
    repo = lib.Repo()
    files = scene.tree("tunable", configs=(("small", 16),), samples=6)
    files["ci/ratchet.conf"] = files["ci/ratchet.conf"].replace("    look = 8\n", "") + TUNE % values
    repo.commit(files, "a kernel with parameters")
    return repo


def bare(text):
    """Without what was measured: figures, durations, commits, hashes"""
    text = text.replace("\\", "").replace("\u200b", "")
    text = re.sub(r"wrong result: [^|\n]*", "wrong result", text)  # which row is drawn anew each time
    return re.sub(r"[+-]?\d+(\.\d+)?(e-?\d+)?", "N", re.sub(r"[0-9a-f]{10,64}", "SHA", text))


class Autotune:
    """Two rounds: each candidate differs from the next by a third, one is wrong, one does not build"""
    def __init__(self):
        self.repo = repository("1 2 3 4 6 8 11 15 20 27")
        self.words = ["autotune", "--repo", self.repo.path, "--output"]

    def told(self, folder):
        for line in lib.read(os.path.join(folder, "autotune.jsonl")).splitlines():
            json.loads(line)
        return lib.read(os.path.join(folder, "suggestions.md")) + lib.read(os.path.join(folder, "suggestions.patch"))

    def files(self, folder):
        return sorted(os.listdir(folder))


class Sweep:
    """Two arms at three lengths, with figures"""
    def __init__(self):
        self.library = os.path.join(lib.temp_dir(), "kernel.so")
        subprocess.run([*os.environ.get("CC", "cc").split(), "-O2", "-shared", "-fPIC", "-fvisibility=hidden",
                        "-fno-gnu-unique", "-I" + os.path.join(lib.TOP, "kernels"), "-I" + scene.KERNELS, "-o",
                        self.library, os.path.join(scene.KERNELS, "tunable.c"), "-lm"], check=True)
        self.words = ["sweep", "--head", "none", "--seq", "16,24,32", "--dim", "16", "--heads", "1", "--iterations", "4",
                      "--warmup", "1", "one=" + self.library, "other=" + self.library, "--report"]

    def told(self, folder):
        samples = json.loads(lib.read(os.path.join(folder, "samples.json")))
        whole = [sum(not one.get("marks") for one in config["replicates"]) for config in samples["configs"]]
        return "%s\n%s" % (sorted(os.listdir(folder)), ["six processes" if n >= 6 else "too few processes" for n in whole])

    def files(self, folder):
        return sorted(os.listdir(folder))


class Study:
    """From the environment to the report: parameters, a patch that is faster and one that is slower"""
    def __init__(self):
        self.repo, self.patches = repository("2 3"), lib.temp_dir()
        path = os.path.join(self.repo.path, KERNEL)
        before = lib.read(path)
        for name, old, new in (("a_slower", "return STEP == 7", "volatile float w = 0;\n    for (int i = 0; i < 9 * n; i++)\n"
                                "        w = w + a[i % n];\n    return STEP == 7"), ("b_wrong", "define STEP 1", "define STEP 7")):
            lib.write(path, before.replace(old, new, 1))
            lib.write(os.path.join(self.patches, name + ".patch"), self.repo.git("diff", "-U1") + "\n")
        self.repo.git("checkout", "-q", "--", ".")
        self.words = ["study", "--repo", self.repo.path, "--budget-min", "5", "--candidates", self.patches, "--seq", "16",
                      "--output"]

    def told(self, folder):
        host = scene.Host()
        check = host.ratchet("study", "--config", host.config, "--verify", folder, "--repo", self.repo.path, "--no-measure")
        if check.code != 0:
            return "verify: %s" % check
        return re.sub(r"(?m)^This study timed .*$", "", lib.read(os.path.join(folder, "OPTIMIZATION_RESULTS.md")))

    def files(self, folder):
        return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names
                      if not name.endswith(".svg"))


KINDS = {"autotune": Autotune, "sweep": Sweep, "study": Study}


class Lab:
    """One kind, and what it says where nobody kills it"""
    def __init__(self, name):
        self.name, self.kind, self.host = name, KINDS[name](), scene.Host()  # one: what it built is not built again
        for _ in range(TRIES):
            begin = time.monotonic()
            self.folder, result = self.run()
            self.seconds = time.monotonic() - begin
            if result.code != 0:
                raise RuntimeError("%s, which nobody killed: %s" % (name, result))
            self.want = self.kind.told(self.folder)
            if not BUSY.search(self.want):
                return
        raise RuntimeError("%s, which nobody killed, cannot be measured here: %s" % (name, self.want))

    def command(self, folder):
        return [lib.program("RATCHET"), self.kind.words[0], "--config", self.host.config, "--quiet", *self.kind.words[1:], folder]

    def run(self, folder=None):
        folder = folder or os.path.join(lib.temp_dir(), "out")
        return folder, lib.run(self.command(folder), env=self.host.env(), cwd=self.host.folder)

    def kill(self, folder, seconds, alone):
        """False: it had ended before. `alone`: what it started is not killed with it."""
        process = lib.start(self.command(folder), env=self.host.env(), cwd=self.host.folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            if alone:
                process.kill()
            lib.kill(process)
            return True

    def one(self, seed):
        """Says how it went; raises where it did not hold"""
        draw = random.Random("%s %d" % (self.name, seed))
        folder = os.path.join(lib.temp_dir(), "out")
        kills = [(draw.uniform(0, self.seconds), draw.random() < 0.5) for _ in range(draw.randint(1, 3))]
        hit = [self.kill(folder, *kill) for kill in kills]
        _, result = self.run(folder)
        how = "%d of %d kills, at %s s" % (sum(hit), len(hit), ", ".join("%.2f" % at for at, _ in kills))
        if result.code != 0:
            raise RuntimeError("%s: it does not go on: %s" % (how, result))
        got = self.kind.told(folder)
        if BUSY.search(got):
            return how + "; too busy to compare"
        for what, a, b in (("report", bare(got), bare(self.want)),
                           ("files", self.kind.files(folder), self.kind.files(self.folder))):
            if a != b:
                raise RuntimeError("%s: another %s: %s\n--- and nobody killed:\n%s" % (how, what, a, b))
        return how


def main():
    parser = argparse.ArgumentParser(description="labs that are killed and go on")
    parser.add_argument("kinds", nargs="*", metavar="|".join(KINDS))
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RATCHET_LAB_RUNS", 2)))
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one alone")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.runs)
    if set(given.kinds) - set(KINDS):
        parser.error("expected some of " + ", ".join(KINDS))
    for name in given.kinds or KINDS:
        lab = Lab(name)
        lib.case("%s, killed at any moment, ends as if nobody had (%.1f s)" % (name, lab.seconds))
        for seed in seeds:
            try:
                lib.ok(True, "seed %d: %s" % (seed, lab.one(seed)))
            except RuntimeError as why:
                lib.ok(False, "seed %d" % seed, str(why))
    lib.done()


if __name__ == "__main__":
    main()
