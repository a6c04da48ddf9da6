#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages, walked as a stranger would: what they name is there, what they show to be typed is run, and what
they say in figures is what was recorded."""

import glob
import json
import math
import os
import pwd
import re

import lib
from lib import eq, ok

PAGES = sorted(os.path.relpath(page, lib.TOP)
               for pattern in ("README.md", "*/README.md", "baselines/*/README.md", ".github/*.md")
               for page in glob.glob(os.path.join(lib.TOP, pattern)))
LINES, COLUMNS, PICTURE_BYTES = 160, 120, 150000
HOUSE_WORDS = ("road", "noun", "nouns", "told the truth", "tells the truth", "than the plan")
# Files that a page makes, or tells to make.
MADE = re.compile(r"\.so$|^kernels/mine\.c$|/NAME|/x\b|_x\b|/X\.c|_X\.c|<slug>")
FIELD = re.compile(r"^(src|tests|ci|kernels|baselines|\.github)/[\w.*<>/-]+$")
NOT_OF_COMMANDS = {"--help", "--enable-werror", "--enable-sanitizers", "--sysconfdir"}  # the last three: configure's
NOT_KEYS = {"out"}  # of a formula


def text(page):
    return lib.read(os.path.join(lib.TOP, page))


def fences(page, kind=r"\w*"):
    return re.findall(r"^ *```%s\n(.*?)^ *```$" % kind, text(page), re.M | re.S)


def spans(page):
    """What a page shows as code: inline, and each line of its blocks"""
    body = re.sub(r"^ *```\w*\n.*?^ *```$", "", text(page), flags=re.M | re.S)
    indented = re.findall(r"^    (\S.*)$", body, re.M)
    inline = [" ".join(s.split()) for s in re.findall(r"`([^`]+)`", body)]
    return inline + indented + [line.strip() for block in fences(page) for line in block.splitlines()]


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page):
    return {slug(h) for h in re.findall(r"^#+ (.*)$", text(page), re.M)}


def subcommands():
    result = lib.run([lib.program("RATCHET"), "--help"])
    return re.findall(r"^  ([a-z]+) ", result.out, re.M) + ["help"]


def takes(command, flag, known={}):
    """Does this subcommand know that option? Asked so that it never runs: an option that nobody knows comes last."""
    if (command, flag) not in known:
        result = lib.run([lib.program("RATCHET"), command, flag, "x", "--no-such-option"])
        known[command, flag] = result.code == 64 and not re.search(r"unknown option `?%s\b(?!-)" % flag, result.err)
    return known[command, flag]


def first_screen():
    """README.md is short, in plain words, with a picture"""
    lines = text("README.md").splitlines()
    ok(len(lines) <= LINES, "at most %d lines" % LINES, len(lines))
    eq([line for line in lines if len(line) > COLUMNS], [], "of at most %d columns" % COLUMNS)
    words = " ".join(text("README.md").split()).lower()
    eq([w for w in HOUSE_WORDS if re.search(r"\b%s\b" % w, words)], [], "no words of this house")
    for word in ("anchor", "replicate", "control"):
        ok("**%s**" % word in words, "says what it calls " + word)
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', text("README.md"))
    eq(len(pictures), 2, "a picture for each theme")
    for picture in pictures:
        size = os.path.getsize(os.path.join(lib.TOP, picture))
        ok(0 < size < PICTURE_BYTES, "%s is small" % picture, size)


def links():
    """Each relative link leads to a file, and to a heading of it"""
    for page in PAGES:
        wrong = []
        for target in re.findall(r"\]\(([^)\s]+)\)", text(page)):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(os.path.join(lib.TOP, path)) or anchor and anchor not in anchors(path):
                wrong.append(target)
        eq(wrong, [], page)


def paths():
    """Each path that a page names is there"""
    for page in PAGES:
        wrong = set()
        for span in spans(page):
            for word in re.split(r"[\s,;:=\"'()]+", span):
                if FIELD.match(word) and not MADE.search(word):
                    pattern = os.path.join(lib.TOP, re.sub(r"<[^>]*>", "*", word.rstrip(".")))
                    if not glob.glob(pattern) and not glob.glob(pattern + ".*"):
                        wrong.add(word)
        eq(sorted(wrong), [], page)


def commands():
    """Each subcommand and option that a page shows exists"""
    names = subcommands()
    ok(len(names) > 15, "ratchet --help names its subcommands", names)
    for page in PAGES:
        wrong = []
        for span in spans(page):
            for command, rest in re.findall(r"(?:^|\s)ratchet ([a-z]+)((?: [^|&;]*)?)", span):
                flags = re.findall(r"(?:^|\s)(--[a-z][a-z-]*)", rest)
                if command not in names or not all(takes(command, f) for f in flags):
                    wrong.append(span)
            if span.startswith("--"):
                flag = re.match(r"--[a-z-]+", span).group()
                if flag not in NOT_OF_COMMANDS and not any(takes(c, flag) for c in names if c != "help"):
                    wrong.append(span)
        eq(wrong, [], page)


def manuals():
    """Each manual page that a page names is there"""
    files = {os.path.basename(p) for folder in ("src", "kernels")
             for p in glob.glob(os.path.join(lib.TOP, folder, "**", "*.[1-8]"), recursive=True)}
    for page in PAGES:
        named = {"%s.%s" % m for m in re.findall(r"\b(ratchet[a-z.-]*)\((\d)\)", text(page))}
        eq(sorted(named - files), [], page)


def keys():
    """Each key of a configuration file that a page shows exists, and what can be pasted is accepted"""
    known = set()
    for name in ("ratchet.conf", "ratchetd.conf"):
        known |= set(re.findall(r"^    ([a-z-]+) {2,}", lib.run([lib.program("RATCHET"), "help", name]).out, re.M))
    for page in PAGES:
        shown = {m.group(1) for m in (re.match(r"([a-z-]+) = ", s) for s in spans(page)) if m}
        eq(sorted(shown - known - NOT_KEYS), [], page)
    host = fences("README.md", "ini")[1] + '[device "cpu"]\n'
    host = host.replace("= runner", "= " + pwd.getpwuid(os.getuid()).pw_name)
    path = lib.write(os.path.join(lib.temp_dir(), "ratchetd.conf"), host)
    asked = [lib.program("RATCHET"), "env", "--config", path, "--device", "cpu", "--head", "none"]
    eq(lib.run(asked).code, 0, "ratchetd.conf as the README has it")
    lib.write(path, host + "    colour = blue\n")
    eq(lib.run(asked).code, 64, "and it would be refused with another key")


def shell(folder, line):
    """As somebody whose git does not know who he is, and may not guess."""
    env = lib.clean_env({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.useConfigOnly", "GIT_CONFIG_VALUE_0": "true",
                         "GIT_CONFIG_NOSYSTEM": "1"}, home=folder)
    env["PATH"] = os.path.join(folder, "bin") + ":" + env.get("PATH", os.environ["PATH"])
    mine = os.path.join(folder, "mine")
    return lib.run(["sh", "-c", line], env=env, cwd=mine if os.path.isdir(mine) else lib.TOP, seconds=600)


def your_kernel():
    """`Your kernel in ten minutes`, as it can be pasted"""
    folder = lib.temp_dir()
    os.chmod(folder, 0o755)
    config = lib.write(os.path.join(folder, "ratchetd.conf"), "\n".join((
        "[daemon]", "state = %s/state" % folder, "lock-dir = " + folder, "harness = " + lib.program("RATCHET_BENCH"),
        '[device "cpu"]', "threads = 1\n")))
    lib.write(os.path.join(folder, "bin", "ratchet"), '#!/bin/sh\nexec "%s" "$@" --config %s\n' % (
        lib.program("RATCHET"), config), 0o755)
    _, begin, walk = (block.strip().splitlines() for block in fences("README.md", "sh"))
    kernel, conf = fences("README.md", "c")[0], fences("README.md", "ini")[0]
    ok(len(kernel.splitlines()) <= 40, "a kernel of forty lines", len(kernel.splitlines()))
    eq(shell(folder, begin[-1]).code, 0, begin[-1])
    lib.write(os.path.join(folder, "mine", "kernels", "mine.c"), kernel)
    lib.write(os.path.join(folder, "mine", "ci", "ratchet.conf"), conf)
    verify, words, slow, check = (shell(folder, line) for line in walk)
    eq((verify.code, "right" in verify.out), (0, True), "the kernel is right")
    eq((words.code, "held" in words.out, "identical machine code" in words.out), (0, True, True), "words: held")
    eq(slow.code, 0, "the edit applies: " + slow.err)
    if check.code == 2 and "preempted" in check.out + check.err:
        lib.note("too busy to measure")
    else:
        eq((check.code, "regressed" in check.out), (1, True), "slower: regressed\n" + str(check))
    wrong = shell(folder, "git switch -qc wrong main && sed -i 's/int j = 0; j < keys; j++/int j = 1; j < keys; j++/' "
                          "kernels/mine.c && git commit -qam Wrong && ratchet check")
    eq((wrong.code, "wrong result" in wrong.out), (3, True), "wrong: unmeasured\n" + str(wrong))


def grouped(number):
    return "{:,}".format(number).replace(",", " ")


def figures():
    """The figures in the README are those that were recorded"""
    kept = json.loads(text("baselines/nvidia-h200/calibration.json"))
    page = " ".join(text("README.md").split())
    same = kept["identical"]
    slower = next(c for c in kept["checks"] if c["what"] == "4% slower")
    seconds = slower["replicates"] * kept["replicate_seconds"]
    for said in ("[%d of %s](" % (same["wrong"], grouped(same["checks"])),
                 "(≤ %.2f%%)" % (math.ceil(10000 * same["wrong_upper"]) / 100),
                 "[all of %s](" % grouped(slower["checks"]),
                 "[%.0f s](" % seconds, "for %s configs" % {5: "five"}[len(kept["configs"])],
                 "%.0f cent at 3 USD an hour" % (seconds / 3600 * 300),
                 "threshold is %.0f%%" % (100 * kept["rule"]["threshold"])):
        ok(said in page, "README.md says: " + said)
    eq(slower["verdicts"]["regressed"][0], 1, "all of them were regressed")
    rule = lib.run([lib.program("RATCHET"), "help", "ratchet.conf"]).out
    ok(re.search(r"min-replicates +6 ", rule) and "a verdict needs six" in page, "six replicates")
    ok("(6, 8, 16)" in rule and "6, 8 or 16" in page, "looks at 6, 8 and 16")
    device = text("baselines/nvidia-h200/README.md")
    for said in ("recorded %d fresh processes" % kept["processes"], "| nothing changed | %d |" % same["checks"],
                 "%d checks that share none" % kept["disjoint"]["checks"]):
        ok(said in device, "baselines/nvidia-h200/README.md says: " + said)


def requests():
    """Each request to GitHub is in the table of what it needs"""
    told = {re.sub(r"\b[A-Z]+\b", "*", row.split("?")[0].removeprefix("/repos/OWNER/NAME"))
            for row in re.findall(r"`[A-Z]+ (/[^`]+)`", text(".github/SECURITY.md"))}
    code = set()
    for path in glob.glob(os.path.join(lib.TOP, "src", "publish", "github_*.c")):
        for url in re.findall(r'github_url\([^"]*"(/[^"]*)"', lib.read(path)):
            code.add(re.sub(r"%[.\d]*[a-z]+", "*", url.split("?")[0].replace("%%2F", "/")))
    ok(len(code) > 10, "requests are found in the source", sorted(code))
    eq([c for c in sorted(code) if not any(row == c or c.endswith("/") and row.startswith(c) for row in told)], [],
       "all of them are told")


lib.main(first_screen, links, paths, commands, manuals, keys, your_kernel, figures, requests)
