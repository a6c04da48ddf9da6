#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a build sees: the files under [kernel] path and no others. A recipe that needs more, a
submodule that nobody allowed, and files that are not what they seem are named. Nothing is
measured here: each check ends at its build."""

import json

import lib
import scene
from lib import eq, has, lacks, ok

COMMAND = "cc -O2 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -o kernels/attention.so " \
          "kernels/attention.c -lm"


def sample(command=COMMAND, **files):
    """A repository with another recipe, and more files around the kernel."""
    text = scene.conf()
    ok(COMMAND in text, "the recipe is where it was")
    repo = lib.Repo()
    repo.commit({**scene.tree(), "ci/ratchet.conf": text.replace(COMMAND, command), **files},
                "the kernel")
    return repo


def unmeasured(result, what, *parts):
    eq(result.brief(), (3, "unmeasured"), what)
    for part in parts:
        has(result.verdict["reason"], part, what + ": why")
    return result


def recipes_that_need_more():
    """A recipe that names what is not under the paths fails at once"""
    host = scene.Host()
    repo = sample("sh build.sh", **{"build.sh": COMMAND + "\n"})
    scene.branch(repo, "other", "refactored")
    result = unmeasured(host.check(repo, "other"), "a script at the top",
                        "`build.sh`: not under [kernel] path")
    lacks(result.verdict["reason"], "build failed", "before anything runs")
    repo = sample(COMMAND.replace(" -o ", " -Icommon -o "), **{
        "common/util.h": "\n", "kernels/attention.c": '#include "util.h"\n' +
        scene.kernel("right")})
    scene.branch(repo, "other", {"kernels/attention.c": '#include "util.h"\n' +
                                 scene.kernel("refactored")})
    unmeasured(host.check(repo, "other"), "a folder of headers",
               "`util.h` is at `common/util.h`, which is not under [kernel] path")


def a_namesake():
    """A file beside the paths that is called like a word of the recipe changes nothing"""
    host, repo = scene.Host(), sample()
    repo.commit({"cc": "not a compiler\n", "lm": "\n"}, "namesakes")
    scene.branch(repo, "words", {"kernels/attention.c": scene.kernel("right", "/* words */\n")})
    eq(host.check(repo, "words").brief(), (0, "held"), "a harmless change")


def files_that_are_not_seen():
    """What the recipe does not name is missed by the compiler, and named after it"""
    host = scene.Host()
    repo = sample(**{"common/util.h": "\n"})
    scene.branch(repo, "needs", {"kernels/attention.c": '#include "../common/util.h"\n' +
                                 scene.kernel("right")})
    unmeasured(host.check(repo, "needs"), "a header beside the paths", "build failed: exit code",
               "`common/util.h`: not under [kernel] path")


def files_that_are_something_else():
    """Git LFS pointers and conflict markers are named as what they are"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "lfs", {
        "kernels/table.h": "version https://git-lfs.github.com/spec/v1\n"
                           "oid sha256:%s\nsize 123456\n" % ("0" * 64),
        "kernels/attention.c": '#include "table.h"\n' + scene.kernel("right")})
    unmeasured(host.check(repo, "lfs"), "a pointer",
               "`kernels/table.h`, line 1: pointer of Git LFS")
    scene.branch(repo, "markers", {
        "kernels/simple.h": "/* */\n<<<<<<< HEAD\n#define A 1\n=======\n#define A 2\n"
                            ">>>>>>> theirs\n" + repo.git("show", "main:kernels/simple.h")})
    unmeasured(host.check(repo, "markers"), "a merge that was not finished",
               "`kernels/simple.h`, line 2: conflict marker `<<<<<<<`")


def submodules():
    """A submodule under the paths without an address is refused by name; one beside is not"""
    host, repo = scene.Host(), sample()
    for name, path in (("under", "kernels/vendor"), ("beside", "vendor")):
        repo.git("checkout", "-q", "-B", name, "main")
        repo.git("update-index", "--add", "--cacheinfo", "160000,%s,%s" % ("1" * 40, path))
        repo.git("commit", "-q", "-m", name)
    under = unmeasured(host.check(repo, "under"), "a submodule",
                       "submodule `kernels/vendor` under [kernel] path: a check of a local "
                       "repository fetches none")
    lacks(json.dumps(under.verdict), "kernel not touched", "a submodule is part of the kernel")
    eq(host.check(repo, "beside").brief(), (0, "held"), "one beside is nobody's business")


def paths_in_a_submodule():
    """A path that leads into a submodule is looked for in the commit that is pinned"""
    vendor = lib.Repo()
    pinned = vendor.commit({"fast/vendor.h": "#define VENDORED 1\n"}, "one")
    other = vendor.commit({"fast/vendor.h": "#define VENDORED 2\n"}, "two")
    for path, address, want in (("vendor/fast", False, (3, "bad-path")),
                                ("vendor/typo", False, (3, "bad-path")),
                                ("vendor/typo", True, (3, "bad-path")),
                                ("vendor/fast", True, (0, "not-touched"))):
        s = scene.github()
        lib.write(s.repo.path + "/ci/ratchet.conf", scene.conf().replace(
            "path = kernels\n", "path = kernels\n    path = %s\n" % path))
        s.repo.git("add", "ci")
        s.repo.git("update-index", "--add", "--cacheinfo", "160000,%s,vendor" % pinned)
        s.repo.git("commit", "-q", "-m", "a submodule")
        s.repo.push(s.git_url, "main")
        s.repo.git("update-index", "--assume-unchanged", "vendor")
        number, _ = scene.pull(s, "words", {"README": "words\n"})
        host = scene.Host(s)
        if address:
            lib.write(host.config, lib.read(host.config) + "submodule = vendor %s\n" % vendor.path)
        result = host.check_pull(number)
        what = "%s, %s address" % (path, "with" if address else "without")
        eq((result.code, result.verdict["clause"]), want, what)
        if want[0] == 3:
            has(result.verdict["reason"], "vendor", what + ": named")
            eq(result.verdict["fault"], "the base", what + ": whose")
    s.repo.git("checkout", "-q", "-B", "pin", "main")
    s.repo.git("update-index", "--add", "--cacheinfo", "160000,%s,vendor" % other)
    s.repo.git("commit", "-q", "-m", "another pin")
    s.repo.push(s.git_url, "+pin")
    moved = host.check_pull(s.on("pulls", head="pin", title="pin", user="alice")["number"])
    lacks(json.dumps(moved.verdict), "not-touched", "another pin is another kernel")


def submodules_with_an_address():
    """A submodule is fetched at its pinned commit from where the host says, without a token"""
    vendor = lib.Repo()
    first = vendor.commit({"vendor.h": "#define VENDORED 1\n"}, "one")
    second = vendor.commit({"vendor.h": "#error the second\n"}, "two")
    s = scene.github()
    for name, pinned in (("one", first), ("two", second), ("gone", "1" * 40)):
        s.repo.git("checkout", "-q", "-B", name, "main")
        s.repo.git("rm", "-q", "kernels/attention.c")
        lib.write(s.repo.path + "/kernels/attention.c",
                  '#include "vendor/vendor.h"\n' + scene.kernel("right"))
        s.repo.git("add", "kernels/attention.c")
        s.repo.git("update-index", "--add", "--cacheinfo", "160000,%s,kernels/vendor" % pinned)
        s.repo.git("commit", "-q", "-m", name)
        s.repo.push(s.git_url, "+" + name)
    pulls = {name: s.on("pulls", head=name, title=name, user="alice")["number"]
             for name in ("one", "two", "gone")}
    host = scene.Host(s)
    unmeasured(host.check_pull(pulls["one"]), "without an address",
               "submodule `kernels/vendor` under [kernel] path")
    text = lib.read(host.config)
    lib.write(host.config, text + "submodule = kernels/vendor %s\n" % vendor.path)
    eq(host.check_pull(pulls["one"]).brief(), (0, "held"), "its first commit")
    two = unmeasured(host.check_pull(pulls["two"]), "its second commit", "build failed")
    has(two.file("report.md"), "the second", "is what was built")
    unmeasured(host.check_pull(pulls["gone"]), "a commit that is nowhere",
               "submodule `kernels/vendor`: no commit 1111111111")


def cache():
    """A commit that changes only what a build does not see needs no build of its own"""
    host, repo = scene.Host(), sample()
    repo.commit({"README": "other words\n"}, "words", branch="main")
    scene.branch(repo, "first", {"kernels/attention.c": scene.kernel("right", "/* 1 */\n")})
    eq(host.check(repo, "first").brief(), (0, "held"), "main is built")
    repo.commit({"README": "more words\n", "kernels.txt": "x\n"}, "words", branch="main")
    scene.branch(repo, "second", {"kernels/attention.c": scene.kernel("right", "/* 2 */\n")})
    result = host.check(repo, "second")
    eq(result.brief(), (0, "held"), "another main, the same kernel")
    has(result.err, "from the cache", "and the same library")


lib.main(recipes_that_need_more, a_namesake, files_that_are_not_seen, files_that_are_something_else,
         submodules, paths_in_a_submodule, submodules_with_an_address, cache)
