#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What src/publish/actions.c writes for a step of GitHub Actions: commands byte for byte as
GitHub's own library writes them, outputs that its runner reads back unchanged, summaries below
its ceiling, and foreign log lines that run nothing."""

import json
import os
import re

import actions
import lib
import oracles
from lib import eq, has, lacks, ok

SUMMARY_MAX = 1 << 20  # beyond it the runner uploads nothing at all
HOSTILE = ["", "plain", "100%", "a,b:c", "two\nlines", "cr\r\nlf", "%0A %25 %", "::error::x",
           "trailing\n", "\n", "é ↓ 😀", "x=y<<z", "a\tb", "##[error]x"]


def drive(*args, data=""):
    result = lib.run([lib.driver("actions_driver"), *args], data=data)
    if result.code != 0:
        raise RuntimeError(str(result))
    return result.out


def reference(asked):
    out = lib.write(os.path.join(lib.temp_dir(), "output"), "")
    result = oracles.node("actions.mjs", data=json.dumps(asked), env={"GITHUB_OUTPUT": out})
    if result.code != 0:
        raise RuntimeError(str(result))
    return json.loads(result.out)


def commands():
    """Commands are, byte for byte, what GitHub's library writes"""
    asked = [{"command": level, "properties": {"title": title} if title else {}, "message": text}
             for level in ("error", "warning", "notice") for title in (None, "T:1,2%", "a\nb")
             for text in HOSTILE if text]
    for want, one in zip(reference(asked), asked):
        got = drive("command", one["command"], one["properties"].get("title", "-"),
                    data=one["message"])
        eq(got.rstrip("\n"), want.rstrip("\n"), "%s %r" % (one["command"], one["message"]))
        ok(got.endswith("\n") and "\n" not in got[:-1], "is one line")
    places = [("a.c", "3", "5", text) for text in HOSTILE if text] + [("k,l:m%0A/a.c", "12", "0", "x")]
    asked = [{"command": "error", "message": text, "properties": {
        "file": path, "startLine": int(line), **({} if column == "0" else {"startColumn": int(column)})}}
        for path, line, column, text in places]
    for want, (*place, text) in zip(reference(asked), places):
        eq(drive("place", *place, data=text).rstrip("\n"), want.rstrip("\n"), "%s %r" % (":".join(place), text))


def outputs():
    """Outputs come back unchanged, whatever they hold"""
    path = os.path.join(lib.temp_dir(), "output")
    names = ["v%d" % i for i in range(len(HOSTILE))]
    for name, value in zip(names, HOSTILE):
        drive("output", path, name, data=value)
    eq(actions.runner_reads(lib.read(path)), dict(zip(names, HOSTILE)), "all of them, from one file")
    delimiters = re.findall(r"^v\d+<<(.*)$", lib.read(path), re.M)
    eq(len(set(delimiters)), len(HOSTILE), "no delimiter is used twice")
    ok(all(len(d) >= 32 for d in delimiters), "nor can one be guessed", delimiters[:1])
    asked = [{"output": n, "value": v} for n, v in zip(names, HOSTILE)]
    for name, value, want in zip(names, HOSTILE, reference(asked)):
        eq(actions.runner_reads(want), {name: value}, "GitHub's library agrees on %r" % value)
    bad = lib.run([lib.driver("actions_driver"), "output", path, "a=b\nc"], data="x")
    ok(bad.code != 0, "a name that would be another output is refused")


def summaries():
    """Summaries are added to, and cut before the runner drops them whole"""
    path = os.path.join(lib.temp_dir(), "summary")
    drive("summary", path, data="one\n")
    drive("summary", path, data="two\n")
    eq([x for x in lib.read(path).split("\n") if x], ["one", "two"], "added to")
    drive("summary", path, data="é line\n" * (SUMMARY_MAX // 6))
    ok(os.path.getsize(path) <= SUMMARY_MAX, "below the ceiling", os.path.getsize(path))
    text = lib.read(path)
    ok(text.startswith("one\n"), "what was there stays")
    ok(text.count("é line\n") > 100000, "most of it is there")
    lacks(text, "\ufffd", "no character is cut in two")
    has(text[:300] + text[-300:], re.compile(r"cut|left out|truncated|too long"), "and it says so")


# How a runner finds commands in a line of the log: it trims every Unicode space.
COMMAND = re.compile(r"^[\s\ufeff\u200b]*::|##\[")


def log_lines():
    """Foreign log lines run no command"""
    for line in ["::error::x", "  ::add-mask::x", "\t::stop-commands::t", "##[error]x",
                 "a ##[group]x", "a##[add-matcher]x", "\x1b[1m::error::x", "\ufeff::error::x",
                 "::::error::x", "####[[error]x", "\x0b::error::x", "\u00a0::error::x",
                 "\u2003::error::x", "#\x00#[error]x", "#\x07#[error]x", "\x85::error::x"]:
        out = drive("log", data=line)
        lacks(out, COMMAND, repr(line))
        eq(out.count("\n"), out.endswith("\n") and 1 or 0, "one line: %r" % line)
    for line in ["cc -O2 -c a.c", "a.c:3:5: error: x", "std::vector", "100%"]:
        eq(drive("log", data=line).rstrip("\n"), line, "left alone: %r" % line)
    lacks(drive("log", data="a\x1b[31mred\x08\x00b"), re.compile(r"[\x00-\x08\x0b-\x1f]"),
          "no control characters")
    eq(drive("log", data="a\nb").count("\n") <= 1, True, "a newline does not make two")


lib.main(commands, outputs, summaries, log_lines)
