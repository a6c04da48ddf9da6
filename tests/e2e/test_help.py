#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--help, -h and help of all programs and subcommands, from the table that parses their options; and what
a misspelt option, subcommand or key was meant to be."""

import os
import re

import lib
from lib import eq, has, lacks, ok

OPTION = re.compile(r"^  --([a-z-]+)(\[?[= ]\S+)?  +(\S.*)$", re.M)


def ratchet(*args):
    return lib.run([lib.program("RATCHET"), *args])


def commands():
    return re.findall(r"^  (\w+) ", ratchet("help").out, re.M)


def asked_in_any_way():
    """Help is the same however it is asked for, on stdout, in lines of 80 columns"""
    top = ratchet("help")
    eq((top.code, top.err), (0, ""), "help")
    for word in ("--help", "-h"):
        eq(ratchet(word).out, top.out, word)
    ok(len(commands()) >= 17, "it names the commands", top.out)
    for command in commands():
        told = ratchet("help", command)
        eq((told.code, told.err), (0, ""), "help " + command)
        ok(told.out.startswith("usage: ratchet %s [OPTION]..." % command), "it begins with the usage", told.out)
        has(told.out, re.compile(r"\nexit: 0 .*\n\Z"), "and ends with the exit codes")
        for args in ((command, "--help"), (command, "-h"), (command, "--config", "/nowhere", "-h")):
            result = ratchet(*args)
            eq((result.code, result.out, result.err), (0, told.out, ""), " ".join(args))
        eq([line for line in told.out.splitlines() if len(line) > 80], [], "no line is longer than 80")
    eq([line for line in top.out.splitlines() if len(line) > 80], [], "help: nor there")


def as_it_is_read():
    """Each option of help is one that is taken, with a value or without"""
    for command in commands():
        options = OPTION.findall(ratchet("help", command).out)
        ok(options, command + " has options")
        for name, value, _ in options:
            option = "--" + name
            args, want = (((option,), "option `%s` needs a value" % option) if value.startswith(" ") else
                          ((option + "=1",), "option `%s` takes no value" % option))
            if value.startswith("["):  # with or without
                continue
            result = ratchet(command, *args)
            eq((result.code, result.err), (64, "ratchet %s: %s\n" % (command, want)), command + " " + option)
    told = ratchet("help", "check").out
    has(told, re.compile(r"--base REV .* \[main\]$", re.M), "a default stands beside it")
    has(ratchet("help", "sweep").out, re.compile(r"--arms FILE .*; repeatable$", re.M), "so does more than once")
    lacks(ratchet("help", "verify").out, "--quick", "what a command refuses is not offered")


def other_programs():
    """ratchetd and ratchet-bench"""
    for word in ("--help", "-h"):
        result = lib.run([lib.program("RATCHETD"), word])
        eq((result.code, result.err), (0, ""), "ratchetd " + word)
        has(result.out, "usage: ratchetd [OPTION]...", "its usage")
        eq([name for name, _, _ in OPTION.findall(result.out)], ["config", "version"], "what is for people")
    for word in ("--help", "-h", "help"):
        result = lib.run([lib.program("RATCHET_BENCH"), word])
        eq((result.code, result.err), (0, ""), "ratchet-bench " + word)
        has(result.out, "usage: ratchet-bench DEVICE", "its usage")
    eq(lib.run([lib.program("RATCHET_BENCH")]).code, 64, "without a device it is no help")


def did_you_mean():
    """One line, the exit code as ever, and one suggestion where a name is near"""
    samples = os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")
    folder = lib.temp_dir()

    def keys(text):
        path = lib.write(os.path.join(folder, "conf%d" % len(os.listdir(folder))), text)
        return ("compare", "--rules", path, samples)

    kernel = "[kernel]\n    path = k\n"
    for args, meant in ((("chek",), "check"), (("cehck",), "check"), (("help", "calibate"), "calibrate"),
                        (("help", "ratchetd.cnf"), "ratchetd.conf"), (("check", "--ouput", "x"), "--output"),
                        (("check", "--hed=y"), "--head"), (("submit", "--setle"), "--settle"),
                        (keys(kernel + "[rule]\n    treshold = 3%\n"), "threshold"),
                        (keys(kernel + "[rules]\n    threshold = 3%\n"), "rule")):
        result = ratchet(*args)
        eq((result.code, result.out, result.err.count("\n")), (64, "", 1), " ".join(args) + ": one line")
        has(result.err, "; did you mean `%s`?\n" % meant, "which names it")
    result = lib.run([lib.program("RATCHETD"), "--confg", "x"])
    eq((result.code, result.err), (64, "ratchetd: unknown option `--confg`; did you mean `--config`?\n"), "ratchetd")
    result = lib.run([lib.program("RATCHETD"), "--stp", "1"])
    lacks(result.err, "mean", "what is not for people is not suggested")
    for args in (("frobnicate",), ("check", "--frobnicate"), ("post", "--xx"), ("help", "x"),
                 keys(kernel + "[rule]\n    colour = red\n"), ("check", "--" + 100 * "x")):
        result = ratchet(*args)
        eq((result.code, result.err.count("\n")), (64, 1), " ".join(args)[:60] + ": one line")
        lacks(result.err, "did you mean", "which suggests nothing")


def configs_and_files():
    """--config is a file and --configs are names: who takes one for the other hears which is which. A dash alone is an
    option as well, and the version has all its names"""
    folder = lib.temp_dir()
    for args, words in (
            (("bench", "s129"), "unexpected argument `s129`: `--configs` picks configs"),
            (("history", "s129"), "unexpected argument `s129`: `--config-name` picks configs"),
            (("check", "s129"), "unexpected argument `s129`: `--head` names the commit that is looked at, `--base` what"),
            (("env", "s129"), "unexpected argument `s129`\n"),
            (("history", "--configs", "s129"), "unknown option `--configs`; did you mean `--config-name`?"),
            (("check", "--configs", "s129"), "unknown option `--configs`; a check takes all configs"),
            (("bench", "--config", "s129"), "; a config of ci/ratchet.conf is picked by --configs, or history's --config-name"),
            (("bench", "--config", "/no/s129"), "open `/no/s129`: No such file or directory\n"),
            (("check", "-x"), "unknown option `-x`: options begin with `--`"),
            (("build", "-o", "x"), "unknown option `-o`: options begin with `--`"),
            (("compare", "-"), "`-`")):
        result = lib.run([lib.program("RATCHET"), *args], cwd=folder, env=dict(os.environ, HOME=folder))
        eq((result.code, result.out, result.err.count("\n")), (64, "", 1), " ".join(args) + ": one line")
        has(result.err, words, "which says what was meant")
    version = ratchet("--version")
    for word in ("-v", "-V", "version"):
        eq((ratchet(word).code, ratchet(word).out), (0, version.out), word)


def explained():
    """An error that the manual has a part about names the part"""
    folder = lib.temp_dir()
    result = ratchet("status", "--socket", os.path.join(folder, "none"))
    eq((result.code, result.err.count("\n")), (3, 1), "no daemon")
    has(result.err, "and checks by hand need none; see ratchet(1), PENDING STATUS: connect to ratchetd at ", "which part")


def output_that_is_lost():
    """Help that cannot be written is no success"""
    for program, args in (("RATCHET", ["help"]), ("RATCHET", ["help", "check"]), ("RATCHET", ["help", "ratchet.conf"]),
                          ("RATCHETD", ["--help"]), ("RATCHET_BENCH", ["--help"])):
        with open("/dev/full", "wb") as full:
            run = lib.start([lib.program(program), *args], stdout=full, stderr=lib.subprocess.PIPE)
        eq(run.wait(lib.DEADLINE), 3, " ".join([program, *args]))


def the_configured_folder():
    """--sysconfdir is where every program looks for its configuration"""
    log = lib.read(os.path.join(os.path.dirname(lib.program("RATCHET")), "config.log"))
    value = dict(re.findall(r"^(prefix|sysconfdir)='(.*)'$", log, re.M))
    folder = value["sysconfdir"].replace("${prefix}", value["prefix"])
    for program in ("RATCHET", "RATCHETD"):
        with open(lib.program(program), "rb") as binary:
            found = re.findall(rb"[!-~]*/ratchet/ratchetd\.conf", binary.read())
        eq(set(found), {(folder + "/ratchet/ratchetd.conf").encode()}, program)


lib.main(asked_in_any_way, as_it_is_read, other_programs, did_you_mean, configs_and_files, explained, output_that_is_lost,
         the_configured_folder)
