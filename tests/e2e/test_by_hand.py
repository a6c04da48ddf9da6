#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that a person starts in a clone: what they say of edits that no commit has."""

import os
import re

import lib
import scene
from lib import eq, has, lacks, ok

NOT_SEEN = "not committed, and so not looked at: "


def sample(files="slow"):
    repo = lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    scene.branch(repo, "change", files)
    return repo


def with_head():
    """The commands that take HEAD where nobody names a commit, as their help says."""
    top = lib.run([lib.program("RATCHET"), "help"]).out
    for command in re.findall(r"^  (\w+) ", top, re.M):
        if re.search(r"^  --head .*\[HEAD\]$", lib.run([lib.program("RATCHET"), "help", command]).out, re.M):
            yield command


def arguments(command, host, repo):
    """What makes each as short as it can be; --configs with none of that name ends it before it measures."""
    more = {"build": ("--output", host.output()), "study": ("--output", "/dev/null/x"),
            "sweep": ("--configs", "none", "x=" + os.path.join(host.folder, "kernel.so")), "autotune": ("--configs", "none"),
            "bench": ("--configs", "none"), "verify": ("--configs", "none"), "calibrate": ("--samples", "0")}
    return (command, "--config", host.config, "--repo", repo.path, *more.get(command, ()))


def edits_that_are_not_committed():
    """Whatever takes HEAD says in one line what a build would have read, had it been committed"""
    host, repo = scene.Host(), sample({"README": "other words\n"})
    clean = host.ratchet("build", "--config", host.config, "--repo", repo.path, "--output",
                         os.path.join(host.folder, "kernel.so"))
    eq((clean.code, clean.err), (0, ""), "a clean work tree: nothing is said")
    lib.write(os.path.join(repo.path, "kernels/attention.c"), scene.kernel("wrong"))
    told = [command for command in with_head() if command != "history"]  # which builds nothing
    eq(told, ["check", "build", "bench", "verify", "sweep", "autotune", "study", "calibrate", "env"],
       "who takes HEAD: a new one is to be told of here")
    for command in told:
        result = host.ratchet(*arguments(command, host, repo))
        eq(result.err.count(NOT_SEEN + "`kernels/attention.c` (HEAD is taken)\n"), 1, command + ": one line")
    lacks(host.ratchet("history", "--config", host.config, "--repo", repo.path).err, NOT_SEEN, "history: none")
    env = ("env", "--config", host.config, "--repo", repo.path)
    lacks(host.ratchet(*env, "--head", "main").err, NOT_SEEN, "a commit that was named is what was meant")
    lacks(host.ratchet(*env, "--head", repo.sha()).err, NOT_SEEN, "also by its hash")
    for what, change, want in (
            ("staged", ("add", "kernels"), "`kernels/attention.c` ("),
            ("clean", ("reset", "-q", "--hard"), None),
            ("gone", ("rm", "-q", "kernels/simple.h"), "`kernels/simple.h` ("),
            ("clean again", ("reset", "-q", "--hard"), None)):
        repo.git(*change)
        err = host.ratchet(*env).err
        has(err, NOT_SEEN + want, what) if want else lacks(err, NOT_SEEN, what)
    for what, files, want in (
            ("new", {"kernels/new.h": "\n"}, "`kernels/new.h` ("),
            ("two", {"kernels/sub/more.h": "\n"}, "`kernels/new.h` and 1 more ("),
            ("ignored", {".gitignore": "new.h\nmore.h\n*.so\n", "kernels/x.so": "\n"}, None),
            ("beside the kernel", {"elsewhere.c": "\n", "README": "\n"}, None),
            ("the rules", {"ci/ratchet.conf": scene.conf() + "\n"}, "`ci/ratchet.conf` ("),
            ("a hostile name", {"kernels/\x1b]0;x\x07": "\n"}, "`ci/ratchet.conf` and 1 more (")):
        for path, text in files.items():
            lib.write(os.path.join(repo.path, path), text)
        err = host.ratchet(*env).err
        has(err, NOT_SEEN + want, what) if want else lacks(err, NOT_SEEN, what)
    repo.git("checkout", "-q", "ci/ratchet.conf")
    lacks(host.ratchet(*env).err, "\x07", "which draws nothing")
    bare = os.path.join(host.folder, "bare.git")
    repo.git("clone", "-q", "--bare", repo.path, bare)
    lacks(host.ratchet("env", "--config", host.config, "--repo", bare).err, "committed", "a bare repository has no edits")
    tree = os.path.join(host.folder, "tree")
    repo.git("worktree", "add", "-q", tree, "main")
    lib.write(os.path.join(tree, "kernels/attention.c"), "\n")
    has(host.ratchet("env", "--config", host.config, "--repo", tree).err, NOT_SEEN, "another work tree")
    before = lib.run(["sha256sum", os.path.join(repo.path, ".git/index")]).out
    host.ratchet(*env)
    eq(lib.run(["sha256sum", os.path.join(repo.path, ".git/index")]).out, before, "git's index is as it was")


def not_committed_at_all():
    """A ci/ratchet.conf that was never committed is named beside the error that it is missing"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit({"README": "words\n"}, "nothing yet")
    for path, text in scene.tree().items():
        lib.write(os.path.join(repo.path, path), text)
    result = host.ratchet("verify", "--config", host.config, "--repo", repo.path)
    has(result.err, NOT_SEEN + "`ci/ratchet.conf`", "it is there, but not committed")
    eq(result.code, 64, "and the error stays what it was")


def in_a_submodule():
    """An edit in a submodule that a build enters"""
    inner, host, repo = lib.Repo(), scene.Host(), sample({"README": "words\n"})
    inner.commit({"fast.h": "\n"}, "inner")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", inner.path, "kernels/fast")
    repo.commit({}, "a submodule")
    env = ("env", "--config", host.config, "--repo", repo.path)
    lacks(host.ratchet(*env).err, NOT_SEEN, "as it is pinned")
    lib.write(os.path.join(repo.path, "kernels/fast/fast.h"), "int x;\n")
    has(host.ratchet(*env).err, NOT_SEEN + "`kernels/fast`", "edited")


lib.main(edits_that_are_not_committed, not_committed_at_all, in_a_submodule)
