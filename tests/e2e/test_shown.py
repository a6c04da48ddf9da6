#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a stranger chose is shown, and does nothing to a terminal: no control character, no sequence, nothing that turns a
line round or that nobody sees. And a program whose output is lost says so."""

import json
import os
import re
import resource
import signal
import subprocess
import unicodedata

import lib
import scene
from lib import eq, has, ok

# Drawn, though Unicode calls them format characters: signs before a number or a word.
DRAWN = set(map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]))
# What is drawn as nothing, and is no format character (Default_Ignorable_Code_Point, but selectors of an emoji's colours).
NOTHING = set(map(chr, [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2065, 0x3164, 0xFFA0,
                        *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)]))


def acted_on(text):
    """What no text for a person may hold."""
    return {c for c in text if (unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") and c not in DRAWN) or
            c in NOTHING}


BAD = "a\x1b[2Jb\x9b2Jc\x85d\u202ee\u2066f\u200eg\u061ch\ufeffi\u200bj\u2028k\U000e0041l"
BYTES = [b"\x80", b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98",
         b"\xe2\x80\xae"[:2] + b"x"]


def every_character():
    """Of all characters and of bytes that are none: what is shown is what another opinion, Python's, allows; the rest stays as
    it was"""
    every = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and c != 10]
    given = "".join("<%s>\n" % c for c in every).encode() + b"".join(b"<" + one + b">\n" for one in BYTES)
    for way in ("out", "text", "err", "plain", "json", "print", "command"):
        done = lib.start([lib.driver("line_driver"), way], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        lines = done.communicate(given, lib.DEADLINE)[0].decode("utf-8").split("\n")[:-1]
        eq(len(lines), len(every) + len(BYTES), way + ": one line each")
        eq(sorted(map(hex, map(ord, acted_on("".join(lines).replace("\t", " "))))), [], way + ": nothing acts, and all is UTF-8")
        if way in ("json", "print"):
            lost = [c for c, line in zip(every, lines) if line not in ('""', "") and ord(c) > 0x7F and
                    json.loads(line) not in ("<%s>" % c, ["<%s>" % c])]
        else:
            lost = [c for c, line in zip(every, lines) if not acted_on(c) and unicodedata.category(c) != "Cn" and c not in "\t%:,"
                    and "<%s>" % c not in line]
        eq(lost[:9], [], way + ": what may be shown is")


def shows(result, what, part=""):
    eq(sorted(map(hex, map(ord, acted_on((result.out + result.err).replace("\n", ""))))), [], what)
    has(result.out + result.err, part, what + ": it was said")
    lib.ok("\ufffd" not in result.out + result.err, what + ": in UTF-8")


def by_hand():
    """Names and words of a commit, of files and of a command line, through the commands"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    scene.branch(repo, "words", {"kernels/attention.c": "#error mark %s\n" % BAD, "kernels/mark %s.h" % BAD: "x"})
    scene.branch(repo, "paths", {"ci/ratchet.conf": scene.conf().replace("path = kernels", "path = mark%s" % BAD)})
    here = ("--config", host.config, "--repo", repo.path)
    for branch in ("words", "paths"):
        for command in ("verify", "bench"):
            shows(host.ratchet(command, *here, "--head", branch), command + " " + branch, "mark")
        shows(host.ratchet("check", *here, "--head", branch, "--output", host.output()), "check " + branch, "mark")
        shows(host.ratchet("check", *here, "--head", branch, "--output", host.output(), "--json"), "check --json " + branch,
              "mark")
    dirty = os.path.join(repo.path, "kernels", "mark%s.c" % BAD)
    lib.write(dirty, "x")
    shows(host.ratchet("verify", *here), "what is not committed", "mark")
    samples = lib.read(os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json"))
    loaded = json.loads(samples)
    loaded["device"]["name"] = "mark \x9b\u202e\u2066\ufeff"
    path = lib.write(os.path.join(host.folder, "mark%s.json" % BAD), json.dumps(loaded))
    for args in ((), ("--json",), ("--explain",)):
        shows(host.ratchet("compare", path, *args), "compare " + " ".join(args), "mark")
    for args in (("compare", "mark" + BAD), ("mark" + BAD,), ("check", "--mark" + BAD), ("help", "mark" + BAD),
                 ("check", "--config", "mark" + BAD), ("check", "--repo", "mark" + BAD), ("bench", *here, "--head", "mark" + BAD),
                 ("bench", *here, "--configs", "mark" + BAD), ("build", *here, "--output", "/mark%s/x" % BAD),
                 ("status", "--socket", "/mark" + BAD), ("sweep", *here, "mark%s=/x" % BAD), ("study", "--verify", "/mark" + BAD)):
        shows(host.ratchet(*args), args[0][:9] + " " + args[-1][:9], "mark")
    for args in ([b"\xffmark"], [b"check", b"--repo", b"\x9bmark"]):
        shows(lib.run([lib.program("RATCHET").encode(), *args], env=host.env()), "bytes that are no UTF-8", "mark")


# ---- stdout ----

FOLDER = os.path.dirname(lib.program("RATCHET"))
PROGRAMS = ["ratchet", "ratchetd", "ratchet-bench", "ratchet-run", "ratchet-clocks", "src/init/ratchet-init"]


def program(name):
    return os.path.join(FOLDER, name)


def every_program():
    """Each program tells its usage and its version"""
    for name in PROGRAMS:
        base = os.path.basename(name)
        for word in ("--help", "-h"):
            result = lib.run([program(name), word])
            eq((result.code, result.err), (0, ""), "%s %s" % (base, word))
            has(result.out, re.compile(r"\Ausage: %s " % base), "its usage")
        for word in ("--version", "-V") if name != "ratchetd" else ("--version",):
            result = lib.run([program(name), word])
            eq((result.code, result.err), (0, ""), "%s %s" % (base, word))
            has(result.out, re.compile(r"\A%s \d+\.\d+\.\d+\n\Z" % base), "its version")
        wrong = lib.run([program(name), "--frobnicate"])
        eq((wrong.code, wrong.out), (64, ""), base + ": what it does not know is no success")


def begun(first, argv, **more):
    """Exit code and stderr of a program that begins with a call of `first`."""
    lib.before_exec = first
    run = lib.start(argv, stderr=subprocess.PIPE, **more)
    lib.before_exec = None
    err = run.communicate(timeout=lib.DEADLINE)[1].decode()
    return run.returncode, err


def lost(program, args, how, env=None):
    """Exit code and stderr of a program whose stdout cannot be written."""
    with open("/dev/full", "wb") as full:
        return begun(lambda: how == "closed" and os.close(1), [program, *args], env=env, stdout=full)


def output_that_is_lost():
    """Whatever is asked of whichever program: what cannot be written is told of in a line, and is no success"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    samples = os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")
    asked = [(name, [word]) for name in PROGRAMS for word in ("--help", "--version")]
    asked += [("ratchet", args) for args in (
        ["help"], ["help", "check"], ["help", "ratchet.conf"], ["check", "--help"], ["compare", samples],
        ["compare", samples, "--json"], ["compare", samples, "--explain"], ["env", "--config", host.config, "--head", "none"],
        ["doctor", "--config", host.config], ["verify", "--config", host.config, "--repo", repo.path])]
    for name, args in asked:
        for how in ("full", "closed"):
            code, err = lost(program(name), args, how, host.env())
            what = "%s %s, %s" % (os.path.basename(name), " ".join(args[:2])[:40], how)
            eq(code, 3, what)
            lines = [line for line in err.split("\n") if "standard output" in line]
            ok(len(lines) == 1 or "init" in name, what + ": one line says so", err)


def too_long():
    """A limit on the size of files ends no program without a word: the write fails, and a line says which"""
    host, folder = scene.Host(), lib.temp_dir()
    samples = os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

    for args, said in ((["env", "--config", host.config, "--head", "none", "--output", folder + "/env.json"],
                        "write `%s/env.json`: File too large" % folder),
                       (["compare", samples, "--explain"], "standard output")):
        with open(folder + "/out", "wb") as out:
            code, err = begun(small, [lib.program("RATCHET"), *args], env=host.env(), stdout=out)
        eq(code, 3, args[0] + ": its own end")
        has(err.strip().split("\n")[-1], said, "with a line that says what")
    ours, theirs = os.pipe()
    os.close(ours)
    end = begun(lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
                [lib.program("RATCHET"), "compare", samples, "--explain"], stdout=theirs)
    os.close(theirs)
    eq(end, (3, "ratchet: standard output: not all could be written: Broken pipe\n"), "nobody reads")


lib.main(every_character, by_hand, every_program, output_that_is_lost, too_long)
