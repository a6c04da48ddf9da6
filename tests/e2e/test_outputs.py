#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever a command is to write is tried before anything is built or measured. The kernel here does not build: who tried
later would say so, and end with 3."""

import json
import os

import lib
import scene
from lib import eq, has, ok

RESULTS = ("report.md", "verdict.json", "samples.json", "env.json", "explain.txt")
SWEEP = ("samples.json", "sweep.json", "sweep.csv", "sweep.md", "sweep.html")
TUNE = ("suggestions.md", "suggestions.patch", "autotune.jsonl")


class Place:
    """A host, a repository whose kernel does not build, and a folder of traps."""

    def __init__(self):
        self.host, self.repo = scene.Host(), lib.Repo()
        self.repo.commit(scene.tree("broken"), "the kernel")
        scene.branch(self.repo, "change", {"kernels/attention.c": scene.kernel("broken", "/* another */\n")})
        self.folder = lib.temp_dir()
        self.file = lib.write(self.folder + "/file", "x")
        os.mkfifo(self.folder + "/fifo")
        self.kernel = self.folder + "/none.so"
        lib.write(self.kernel, "no library")

    def run(self, command, *args):
        more = {"check": ("--head", "change"), "sweep": ("k=" + self.kernel,), "calibrate": ("--processes", "16")}
        return self.host.ratchet(command, "--config", self.host.config, "--repo", self.repo.path, *more.get(command, ()), *args)


FILES = (("build", "--output"), ("bench", "--output"), ("verify", "--output"), ("sweep", "--output"),
         ("calibrate", "--output"), ("calibrate", "--pool"), ("env", "--output"))
FOLDERS = (("check", "--output", RESULTS), ("autotune", "--output", TUNE), ("study", "--output", ()))


def refused(place, command, option, path, part):
    result = place.run(command, option, path)
    what = "%s %s %s" % (command, option, path.replace(place.folder, "") or "''")
    eq((result.code, result.out, result.err.count("\n")), (64, "", 1), what + ": at once")
    has(result.err, "ratchet %s: %s: " % (command, option), "by the option's name")
    has(result.err, part, "and what is wrong")


def files():
    """A file that could not be written"""
    place = Place()
    for command, option in FILES:
        if command == "sweep":  # its kernel has to be one; see below
            continue
        for path, part in ((place.folder, "a folder"), (place.file + "/x", "Not a directory"),
                           (place.folder + "/no/x", "No such file or directory"), ("", "expected the name of a file"),
                           (place.folder + "/fifo", "not a regular file")):
            refused(place, command, option, path, part)
    eq(sorted(os.listdir(place.folder)), ["fifo", "file", "none.so"], "nothing is left of trying")


def folders():
    """A folder that could not be made, and one where a file could not be"""
    place = Place()
    for command, option, names in FOLDERS:
        refused(place, command, option, place.file, "")
        refused(place, command, option, place.file + "/x", "Not a directory")
        for name in names:
            folder = "%s/%s-%s" % (place.folder, command, name)
            os.makedirs(os.path.join(folder, name))
            refused(place, command, option, folder, "`%s/%s` is a folder" % (folder, name))
    result = place.run("check", "--output", place.folder + "/made/deep")
    eq(result.code, 3, "a folder that can be made is made")
    ok(os.path.exists(place.folder + "/made/deep/report.md"), "and has the report")


def sweeps():
    """The files of a sweep, alone and in its folder"""
    place = Place()
    place.repo.commit(scene.tree(), "one that builds")
    eq(place.run("build", "--output", place.kernel).code, 0, "a library")
    refused(place, "sweep", "--output", place.folder, "a folder")
    refused(place, "sweep", "--output", place.file + "/x", "Not a directory")
    refused(place, "sweep", "--report", place.file, "is not a folder")
    for name in SWEEP:
        folder = "%s/report-%s" % (place.folder, name)
        os.makedirs(os.path.join(folder, name))
        refused(place, "sweep", "--report", folder, "`%s/%s` is a folder" % (folder, name))


def promotions_and_steps():
    """What a promotion and a step of Actions write, before GitHub or ratchetd is asked"""
    s = scene.github()
    host = scene.Host(s)
    bad = host.folder + "/results"
    for name in RESULTS:
        os.makedirs(bad + "/" + name)
    asked = len(s.requests())
    result = host.ratchet("promote", "--config", host.config, "--repository", scene.REPOSITORY, "--output", bad)
    eq((result.code, result.err), (64, "ratchet promote: --output: `%s/report.md` is a folder\n" % bad), "promote")
    eq(len(s.requests()), asked, "GitHub was not asked")
    event = lib.write(host.folder + "/event.json", json.dumps(scene.pull_event(s, scene.pull(s, "more", "slow")[0])))
    result = host.ratchet("submit", "--socket", host.socket, "--wait", "0", "--artifacts", bad,
                          env={"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event})
    eq((result.code, result.err), (64, "ratchet submit: --artifacts: `%s/report.md` is a folder\n" % bad), "submit")


lib.main(files, folders, sweeps, promotions_and_steps)
