#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that a person starts in a clone: what they say of edits that no commit has, and what they leave
behind when they are cut off."""

import glob
import os
import re
import signal
import subprocess

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


def against_itself():
    """Whoever checks the branch that he stands on hears of --base; the check is what it was"""
    host, repo = scene.Host(), sample()
    repo.git("checkout", "-q", "main")
    check = ("check", "--config", host.config, "--repo", repo.path)
    words = "nothing to compare: `main` and `HEAD` are one commit; `--base` names another (`--base HEAD~1`: the one before)"
    result = host.ratchet(*check)
    has(result.err, words, "it is said")
    eq((result.code, "kernel not touched" in result.out), (0, True), "held")
    repo.commit({"README": "more words\n"}, "words")
    lacks(host.ratchet(*check, "--base", "HEAD~1").err, words, "not where there is another")


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


ENDLESS = scene.conf().replace("-lm", "-lm && sleep 1000")


def left(host):
    """What a run may have left in the state folder."""
    return [name for kind in ("work", "runs") for name in glob.glob(os.path.join(host.state, kind, "*"))]


def cut_off(host, number, *args, group=False):
    """The exit code and stderr of a command that got a signal as soon as it had something to leave."""
    log = os.path.join(host.folder, "log")
    with open(log, "wb") as err:
        process = lib.start([lib.program("RATCHET"), *map(str, args)], env=host.env(), cwd=host.folder,
                            stdin=subprocess.DEVNULL, stdout=err, stderr=err)
    lib.wait_for(lambda: glob.glob(os.path.join(host.state, "work/run-*/*")) or process.poll() is not None,
                 "something to leave")
    eq(process.poll(), None, "%s: it works still: %s" % (args[0], lib.read(log)))
    os.killpg(process.pid, number) if group else process.send_signal(number)
    code = process.wait(lib.DEADLINE)
    return code, lib.read(log)


def nothing_is_left():
    """Who is cut off says so in one line, ends by that signal, and leaves nothing; or what goes on says how"""
    s = scene.github()
    s.repo.commit({"ci/ratchet.conf": ENDLESS, "kernels/attention.c": scene.kernel("slow")}, "an endless build",
                  branch="main")
    scene.branch(s.repo, "change", "right")
    s.repo.push(s.git_url, "main")
    host = scene.Host(s)
    here = ("--config", host.config, "--repo", s.repo.path)
    there = ("--config", host.config, "--repository", scene.REPOSITORY)
    goes_on, output = "the same command goes on where it was", os.path.join(host.folder, "given")
    for command, args, words in (
            ("check", here, "nothing was judged"), ("check", (*here, "--output", output), "nothing was judged"),
            ("bench", here, "nothing was kept"), ("verify", here, "not all was looked at"),
            ("build", (*here, "--output", output), "no library was written"), ("promote", there, "nothing was judged"),
            ("calibrate", here, goes_on),
            ("study", (*here, "--output", host.output()), goes_on)):
        for number, group in ((signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)):
            code, said = cut_off(host, number, command, *args, group=group)
            what = "%s, %s%s" % (command, signal.Signals(number).name, " to its group" if group else "")
            eq(code, -number, what + ": it ends by it")
            eq(said.count("\nratchet %s: interrupted; %s\n" % (command, words)) +
               said.startswith("ratchet %s: interrupted; %s\n" % (command, words)), 1, what + ": one line: " + said)
            eq(left(host), [], what + ": nothing is left")
            ok(not os.path.exists(output), what + ": nor a folder for results")


def killed():
    """What nobody could clean up after, the next command does; and it leaves the running ones alone"""
    host, repo = scene.Host(), sample()
    repo.commit({"ci/ratchet.conf": ENDLESS}, "an endless build")
    here = ("--config", host.config, "--repo", repo.path)
    code, _ = cut_off(host, signal.SIGKILL, "bench", *here, group=True)
    eq(code, -signal.SIGKILL, "killed")
    ok(left(host), "something is left")
    first = set(left(host))
    process = lib.start([lib.program("RATCHET"), "verify", *here], env=host.env(), cwd=host.folder,
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lib.wait_for(lambda: glob.glob(os.path.join(host.state, "work/run-*/*")) and not first & set(left(host)),
                 "the next command to clean up")
    running = set(left(host))
    host.ratchet("verify", *here, "--head", "main")
    eq(set(left(host)), running, "what runs keeps its own")
    process.send_signal(signal.SIGINT)
    eq(process.wait(lib.DEADLINE), -signal.SIGINT, "and it ends")
    eq(left(host), [], "and nothing is left")


def ended_early():
    """Nor does a command leave anything that could not begin"""
    host, repo = scene.Host(), sample()
    for args in (("--device", "nvidia-l4"), ("--head", "change", "--base", "change"), ("--configs", "x")):
        host.ratchet("check", "--config", host.config, "--repo", repo.path, *args)
        ok(not glob.glob(os.path.join(host.state, "work/*")), " ".join(args))
        ok(all(os.listdir(folder) for folder in glob.glob(os.path.join(host.state, "runs/*"))), "no empty results")
    ignoring = lib.run(["sh", "-c", "trap '' INT; exec \"$0\" \"$@\"", lib.program("RATCHET"), "verify", "--config",
                        host.config, "--repo", repo.path], env=host.env())
    eq(ignoring.code, 0, "a signal that is ignored stays so")


def in_words_of_no_pull_request():
    """A check of two commits speaks of this change, and shows one interval: the one that decides"""
    host, repo = scene.Host(), sample()
    result = host.check(repo, "change")
    if scene.fair(result, (1, "regressed"), "twice the work")[0] == 1:
        low, high = result.config()["ci_decision"]
        shown = "%+.2f%% [%+.2f%%, %+.2f%%]" % tuple(100 * one for one in (result.config()["change"], low, high))
        row, reason = [line for line in result.out.splitlines() if "%]" in line]
        ok(row.split()[2:5] == shown.split() and reason.strip().startswith(shown), "in the row and in its reason", result.out)
        has(result.out, "change [deciding interval]", "which says so")
    scene.branch(repo, "edits", {"ci/ratchet.conf": scene.conf(threshold="40%").replace("-O2", "-O1"), "README": "x\n"})
    wrong = host.check(repo, scene.branch(repo, "wrong", "wrong"))
    for what, text in (("edits", host.check(repo, "edits").out), ("wrong", wrong.out),
                       ("words", host.check(repo, scene.branch(repo, "words", {"README": "words\n"})).out),
                       ("verify", host.ratchet("verify", "--config", host.config, "--repo", repo.path, "--head", "wrong").out)):
        for word in ("pull request", "the PR", "Main's", "merge to main"):
            lacks(text, word, what)
    merged = "Head %s is in base %s already: there is nothing to merge." % ((repo.sha("main")[:10],) * 2)
    has(host.check(repo, "main").out, merged, "a head that base has")
    lacks(host.check(repo, "words").out, "nothing to merge", "another has not")
    for args, words in ((("--base", "trunk"), "--base: no commit `trunk` in "), (("--head", "trunk"), "--head: no commit `trunk` in ")):
        has(host.ratchet("check", "--config", host.config, "--repo", repo.path, *args).err, words, "which option names it")
    empty = lib.Repo()
    has(host.ratchet("verify", "--config", host.config, "--repo", empty.path).err, "nothing is committed there yet", "no commit")


def other_branch():
    """Where the promoted branch is not called main, nothing speaks of main"""
    s = scene.github("broken", default="trunk")
    host = scene.Host(s, repository=("branch = trunk",))
    eq(host.promote().brief(), (3, "unmeasured"), "trunk is looked at")
    number, _ = scene.pull(s, "words", {"README": "words\n"}, onto="trunk", base="trunk")
    result = host.check_pull(number)
    eq(result.brief(), (0, "held"), "a pull request")
    has(result.text, "`trunk`'s own last verdict is unmeasured", "quoted by its name")
    lacks(result.text, "Main", "and by no other")


def what_is_missing():
    """A symbol, a command, an output, a folder or a lock that is not to be had: what to do about it"""
    host, repo = scene.Host(), sample({"README": "words\n"})
    here = ("verify", "--config", host.config, "--repo", repo.path, "--head")
    conf = scene.conf()
    for what, files, words in (
            ("symbol", {"kernels/attention.c": "static int x;\nint *f(void);\nint *f(void) { return &x; }\n"},
             "does not export `attention_kernel`: mark it ATTENTION_EXPORT"),
            ("command", {"ci/ratchet.conf": conf.replace("cc -O2", "cc-of-1999 -O2")},
             "build failed: exit code 127: a command was not found"),
            ("output", {"ci/ratchet.conf": conf.replace("output = kernels/attention.so", "output = kernels/other.so")},
             "build made no `kernels/other.so`, its output by [build]")):
        scene.branch(repo, what, files)
        result = host.ratchet(*here, what)
        eq(result.code, 3, what)
        has(result.err, words, what)
    if os.geteuid() != 0:
        lib.skip("another user's folder and lock want root", True)
    lib.write(os.path.join(host.folder, "ratchet-cpu.lock"), "", 0o600)
    eq(host.ratchet(*here, "main").code, 0, "root measured first")
    other = {"user": 65534, "group": 65534, "extra_groups": []}
    os.chmod(repo.path, 0o755)

    def as_another():
        process = lib.subprocess.run([lib.program("RATCHET"), *here, "main"], env=host.env(), capture_output=True, text=True,
                                     timeout=lib.DEADLINE, **other)
        return process.stderr
    has(as_another(), "Permission denied, the state folder is user 0's: `state` in the [daemon] section", "its folder")
    lib.write(host.config, lib.read(host.config).replace(host.state, os.path.join(lib.temp_dir(), "own")))
    os.chmod(os.path.dirname(re.search("state = (.*)", lib.read(host.config)).group(1)), 0o777)
    has(as_another(), re.compile(r"open lock `.*ratchet-cpu.lock` of user 0 \(`chmod a[+]r` on it lets others take turns\)"),
        "its lock")


lib.main(what_is_missing, in_words_of_no_pull_request, other_branch, nothing_is_left, killed, ended_early, edits_that_are_not_committed, against_itself, not_committed_at_all, in_a_submodule)
