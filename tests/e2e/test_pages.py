#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man pages: what the programs know better is theirs, and what a page names is there."""

import os
import re
import shutil
import sys

import lib
from lib import eq, has, ok

PAGES = {"ratchet(1)": "src/cli/ratchet.1", "ratchet-bench(1)": "src/harness/ratchet-bench.1",
         "ratchet.conf(5)": "src/intake/ratchet.conf.5", "ratchetd.conf(5)": "src/intake/ratchetd.conf.5",
         "ratchet-kernel(7)": "kernels/ratchet-kernel.7", "ratchetd(8)": "src/daemon/ratchetd.8"}
# Options of other programs, and of our configure, that pages name.
OTHERS = {"create", "now", "sysconfdir", "security-opt", "cflags", "version", "help"}


def page(name):
    return lib.read(os.path.join(lib.TOP, PAGES[name]))


def plain(text):
    """Without what man makes bold, slanted or a minus"""
    text = re.sub(r"\\f[BIR]|\\&", "", text).replace("\\-", "-").replace("\\e", "\\").replace("\\(dq", '"')
    return re.sub(r"^\.(?:B|I|BR|RB|IR|RI) ", "", text, flags=re.M)


def said(*words):
    result = lib.run([lib.program("RATCHET"), *words])
    eq(result.code, 0, " ".join(words))
    return result.out


def commands():
    return re.findall(r"^  (\w+) ", said("help"), re.M)


def parts_are_current():
    """Keys with type, range and default, options and exit codes are those that the programs have"""
    program = [sys.executable, "-B", os.path.join(lib.TOP, "ci/pages")]
    result = lib.run([*program, "check", lib.program("RATCHET")])
    eq((result.code, result.err), (0, ""), "ci/pages check")
    topics = {name: re.findall(r"^\.\\\" begin ratchet help (\S+)$", page(name), re.M) for name in PAGES}
    eq(topics["ratchet(1)"], commands(), "a part for each command")
    eq((topics["ratchet.conf(5)"], topics["ratchetd.conf(5)"]), (["ratchet.conf"], ["ratchetd.conf"]), "and each file")
    for name, least in (("ratchet.conf(5)", 25), ("ratchetd.conf(5)", 60)):
        keys = re.findall(r"^\.TP\n\\fB\S+\\fR = .*; (?:required|default: .+)\n", page(name), re.M)
        ok(len(keys) >= least, "%s: %d keys with type and default" % (name, len(keys)))


def drift_is_seen():
    """Another default, type, range, key or option than a page has is named"""
    liar = lib.write(os.path.join(lib.temp_dir(), "ratchet"), "#!/bin/sh\n'%s' \"$@\" | sed \"$CHANGE\"\n" %
                     lib.program("RATCHET"))
    os.chmod(liar, 0o755)
    for change, topic in (("s/3%   /4%   /", "ratchet.conf"), ("s/80% to/70% to/", "ratchet.conf"),
                          ("s/number, 1 to 64/size, 1 to 64/; s/percentage, 0/ratio, 0/", "ratchet.conf"),
                          ("s/^    drafts /    draft /", "ratchetd.conf"), ("s/--no-baseline/--baseless/", "check"),
                          ("s/^exit: 0 built/exit: 1 built/", "build")):
        result = lib.run([sys.executable, "-B", os.path.join(lib.TOP, "ci/pages"), "check", liar],
                         env=dict(os.environ, CHANGE=change))
        eq(result.code, 1, change)
        has(result.err, "ratchet help " + topic, "is named")


def examples_are_taken():
    """Every command has an example, with options that it takes; every option a page names is one"""
    takes = {command: set(re.findall(r"^  --([a-z-]+)", said("help", command), re.M)) for command in commands()}
    for part in re.split(r"^\.SS ", page("ratchet(1)").split(".SH COMMANDS")[1].split(".SH ")[0], flags=re.M)[1:]:
        command = part.split("\n")[0]
        example = plain(part.split("Example:")[-1]).replace("\\\n", " ")
        lines = re.findall(r"^ratchet (\w+)(.*)$", example, re.M)
        ok(lines and all(name == command for name, _ in lines), command + ": an example")
        for _, options in lines:
            eq(sorted(set(re.findall(r"--([a-z-]+)", options)) - takes[command]), [], command + ": takes its options")
    known = set().union(*takes.values()) | OTHERS
    for name in PAGES:
        named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", plain(page(name))))
        eq(sorted(named - known), [], name + ": its options are there")


def references():
    """Pages name pages that there are, and errors parts that there are"""
    for name in PAGES:
        for other, number in re.findall(r"^\.BR (ratchet\S*) \((\d)\)", page(name), re.M):
            ok(other.replace("\\-", "-") + "(%s)" % number in PAGES, "%s: %s(%s)" % (name, other, number))
    headings = re.findall(r"^\.S[SH] (.+)$", page("ratchet(1)"), re.M)
    for folder, _, names in os.walk(os.path.join(lib.TOP, "src")):
        for name in names:
            if name.endswith(".c"):
                text = re.sub(r'"\s*"', "", lib.read(os.path.join(folder, name)))
                for part in re.findall(r"see ratchet\(1\), ([A-Z][A-Z ]*[A-Z])", text):
                    ok(part in headings, "%s: %s" % (name, part))


def the_abi():
    """ratchet-kernel(7) has every name and number of attention.h, and its example is a kernel"""
    header = lib.read(os.path.join(lib.TOP, "kernels/attention.h"))
    text = plain(page("ratchet-kernel(7)"))
    names = set(re.findall(r"\b(?:ATTENTION|attention)_\w+", header)) - {"ATTENTION_H"}
    enums = {"attention_dtype", "attention_device", "attention_error"}
    eq(sorted(one for one in names - enums if one not in text), [], "names")
    for name, number in re.findall(r"^    (ATTENTION_\w+) = (\d+)", header, re.M):
        has(text, re.compile(r"%s\s+\(%s\b" % (name, number)), name)
    for struct in ("attention_problem", "attention_cpu_stream", "attention_kernel"):
        fields = [re.search(r"struct %s \{\n(.*?)\n\};" % struct, one, re.S).group(1) for one in (header, text)]
        bare = [re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", one, flags=re.S)).strip() for one in fields]
        eq(bare[1], bare[0], struct)
    folder = lib.temp_dir()
    os.symlink(os.path.join(lib.TOP, "kernels"), os.path.join(folder, "ratchet"))
    source = lib.write(os.path.join(folder, "mine.c"), text.split(".SH EXAMPLE")[1].split(".nf\n")[1].split(".fi\n")[0])
    build = text.split("Built with\n")[1].split("\n")[0].split()
    library = os.path.join(folder, "mine.so")
    result = lib.run([*build[:-3], "-Wall", "-Wextra", "-Werror", "-I", folder, "-o", library, source, "-lm"])
    eq((result.code, result.err), (0, ""), "it builds as the page says")
    for shape in (("--seq", "33", "--heads", "4", "--heads-kv", "2"), ("--seq", "8", "--seq-k", "21", "--batch", "2")):
        result = lib.run([lib.program("RATCHET"), "sweep", "--head", "none", "--replicates", "1", "--iterations", "2",
                          "--warmup", "0", *shape, "mine=" + library], env=dict(os.environ, HOME=folder))
        eq(result.code, 0, "and is right")


def words_are_apart():
    """A macro of two fonts sets its arguments side by side: no two words among them without a space"""
    for name in PAGES:
        for line in re.findall(r"^\.(?:BR|RB|BI|IB|RI|IR) .*", page(name), re.M):
            parts = re.findall(r'"[^"]*"|\S+', plain(line))
            fused = [pair for pair in zip(parts, parts[1:]) if re.search(r"\w$", pair[0]) and re.match(r"\w", pair[1])]
            eq(fused, [], "%s: %s" % (name, line)) if fused else None
        ok(True, name)


def lint():
    """No page has anything that mandoc warns of"""
    if shutil.which("mandoc") is None:
        lib.skip("no mandoc here")
    for name, path in PAGES.items():
        result = lib.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(lib.TOP, path)])
        eq(result.out, "", name)


lib.main(parts_are_current, drift_is_seen, examples_are_taken, references, the_abi, words_are_apart, lint)
