#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The keys of both configuration files: one table for the parser and `ratchet help` (the manual's: test_pages.py)."""

import os
import re

import lib
from lib import eq, ok

KEY = re.compile(r"^    (\S+) {2,}(\S.*?) {2,}(\S.*)\n {8}(\S.*)$", re.M)


def help_of(name):
    result = lib.run([lib.program("RATCHET"), "help", name])
    eq(result.code, 0, "help " + name)
    return result.out


def every_key_is_told():
    """Each key has a type, a default and a line of help"""
    for name, least in (("ratchet.conf", 25), ("ratchetd.conf", 50)):
        text = help_of(name)
        keys = KEY.findall(text)
        ok(len(keys) >= least, "%s: %d keys" % (name, len(keys)))
        eq(2 * len(keys) + len(re.findall(r"^\[", text, re.M)), text.count("\n"), "and nothing else")
        eq([line for line in text.splitlines() if len(line) > 100], [], "in lines of 100 columns")


def defaults_are_values():
    """A default that is a value can be written down, and changes nothing"""
    rules = {}
    section = None
    for line in help_of("ratchet.conf").splitlines():
        if line.startswith("["):
            section = line[1:].split()[0].rstrip("]")
        key = KEY.match(line + "\n        x")
        if key and key.group(2) != "required" and not key.group(2).startswith("("):
            rules.setdefault(section, []).append("    %s = %s\n" % key.group(1, 2))
    eq(sorted(rules), ["bench", "config", "promotion", "report", "rule"], "sections with defaults")
    kernel = ("[kernel]\n    path = k\n[build \"cpu\"]\n    command = make\n    output = k/a.so\n"
              "[config \"c\"]\n    device = cpu\n    batch = 1\n    heads = 1\n    seq-q = 8\n    head-dim = 8\n"
              "    dtype = fp32\n")
    written = (kernel + "".join(rules["config"]) + "[bench \"cpu\"]\n" + "".join(rules["bench"]) +
               "[rule]\n" + "".join(rules["rule"]) + "[promotion]\n" + "".join(rules["promotion"]) +
               "[report]\n" + "".join(rules["report"]))
    folder = lib.temp_dir()
    samples = os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")
    told = [lib.run([lib.program("RATCHET"), "compare", "--explain", "--rules",
                     lib.write(os.path.join(folder, name), text), samples])
            for name, text in (("without", kernel), ("with", written))]
    eq(told[0].err, "", "both are read")
    eq((told[1].code, told[1].out, told[1].err), (told[0].code, told[0].out, ""), "and judge alike")


lib.main(every_key_is_told, defaults_are_values)
