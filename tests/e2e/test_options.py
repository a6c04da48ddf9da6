#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Options as a family: none is ignored without a word. Each option of each command stands below, alone or with what it needs
or has no part beside; what is wrong on a command line, or in a file that it names, is 64, and is told in one line."""

import os
import re

import lib
import scene
from lib import eq, has, ok

OPTION = re.compile(r"^  --([a-z-]+)(\[?[= ]\S+)?  +(\S.*)$", re.M)
SHAPES = "configs batch heads heads-kv seq dim dtype seq-k causal replicates iterations warmup"
STUDY = "head device output candidates python target-speedup budget-min batch heads heads-kv seq dim dtype causal arms"

# COMMAND: (options that have a part alone, {name: what it needs}, {name: beside which it has none})
TABLE = {
    "check": ("device config output budget json quiet", {"pr": "repository", "repository": "pr"},
              {"repo": "repository", "base": "repository", "head": "repository", "no-baseline": "repository"}),
    "submit": ("config socket wait settle", {}, {"device": "settle", "artifacts": "settle"}),
    "build": ("repo head device config output", {}, {}),
    "bench": ("repo head compare against device config output quiet quick " + SHAPES, {}, {"budget": "quick"}),
    "verify": ("repo head compare device config output json quiet " + SHAPES, {}, {}),
    "sweep": ("head device config output report quiet budget expose arms ceiling " + SHAPES, {"png": "report"},
              {"repo": "head=none"}),
    "autotune": ("repo head device config configs time-budget jobs output quiet", {}, {}),
    "study": ("config verify quiet", {"no-measure": "verify"},
              {"report": "verify", "repo": "report", **{name: "report" for name in STUDY.split()}}),
    "compare": ("baseline against rules config json", {}, {"explain": "json"}),
    "report": ("samples baseline rules config", {}, {}),
    "post": ("config repository pr device", {}, {}),
    "promote": ("config repository device output", {"accept": "by", "by": "accept"}, {}),
    "calibrate": ("repo config checks from output quiet", {"rules": "from"},
                  {name: "from" for name in "pool processes samples head device".split()}),
    "history": ("repo device head config config-name repository html json", {}, {}),
    "env": ("head device config python against", {}, {"output": "against", "repo": "head=none"}),
    "status": ("config socket", {}, {}),
    "doctor": ("config", {}, {}),
}
# The rest of `study`: what is made has no part beside --verify either.
MORE = [("study", name, "verify") for name in STUDY.split()] + [("study", "repo", "no-measure")]


def ratchet(*args, **more):
    return lib.run([lib.program("RATCHET"), *args], **more)


def options_of(command):
    return {name: value for name, value, _ in OPTION.findall(ratchet("help", command).out)}


def word(command, name):
    """The option as it is given, with some value where it takes one; `name=value` with that one."""
    name, _, value = name.partition("=")
    return ["--%s=%s" % (name, value or "1")] if options_of(command)[name] and not options_of(command)[name].startswith("[") \
        else ["--" + name]


def all_have_a_part():
    """Whoever adds an option says here what it goes with"""
    eq(sorted(re.findall(r"^  (\w+) ", ratchet("help").out, re.M)), sorted(TABLE), "every command is in the table")
    for command, (alone, needs, bars) in TABLE.items():
        eq(sorted(options_of(command)), sorted([*alone.split(), *needs, *bars]), command + ": every option is")


def none_in_vain():
    """An option that would do nothing is refused, and the other one named"""
    needs = [(command, name, other) for command, row in TABLE.items() for name, other in row[1].items()]
    bars = [(command, name, other) for command, row in TABLE.items() for name, other in row[2].items()] + MORE
    ok(len(needs) > 6 and len(bars) > 40, "there are some")
    for command, name, other in needs:
        result = ratchet(command, *word(command, name))
        eq((result.code, result.out, result.err), (64, "", "ratchet %s: `--%s` does nothing without `--%s`\n" %
                                                   (command, name, other)), "%s --%s alone" % (command, name))
    for command, name, other in bars:
        needed = TABLE[command][1].get(other)  # by that one
        first = word(command, needed) if needed else []
        for args in ([*word(command, name), *word(command, other)], [*word(command, other), *word(command, name)]):
            result = ratchet(command, *first, *args)
            eq((result.code, result.out, result.err), (64, "", "ratchet %s: `--%s` does nothing with `--%s`\n" %
                                                       (command, name, other)), " ".join([command, *args]))


def wrong(argument, host, path):
    """Values that no option with such an argument takes."""
    if argument == "SLUG":
        return ["nvidia-L4", "nvidia-l4", "x", ""]
    if argument == "REV":
        return ["nowhere", "", "-x"]
    if argument in ("N", "SECONDS", "MINUTES", "RATIO"):
        return ["x", "-1", "", "99999999999999999999"]
    if argument == "TIME":
        return ["x", "", "-1s", "9"]
    if argument == "LIST":
        return ["x", "", "1,", "1,1", "999999999"]
    if argument in ("FILE", "POOL", "DIR", "PROGRAM", "BASELINE"):
        return [path + "/x", path if argument == "DIR" else host.folder, ""]
    return ["x y", ""]


def wrong_values():
    """Whatever is wrong on a command line is 64: it was not the host, and nothing was unmeasured"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    scene.branch(repo, "change", {"kernels/attention.c": scene.kernel("right", "/* another */\n")})
    path, library = lib.write(host.folder + "/file", "x"), host.folder + "/kernel.so"
    samples = os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")
    verdict = lib.write(host.folder + "/verdict.json", host.ratchet("compare", "--json", samples).out)
    here, new = ["--config", host.config, "--repo", repo.path], host.folder + "/new"
    given = {"check": [*here, "--head", "change"], "build": [*here, "--output", library], "bench": here, "verify": here,
             "sweep": [*here, "k=" + library], "autotune": here, "study": [*here, "--output", new], "compare": [samples],
             "report": [verdict], "post": ["--config", host.config, "--repository", "o/r", "--pr", "1", verdict],
             "promote": ["--config", host.config, "--repository", "o/r"],
             "calibrate": [*here, "--pool", new, "--output", new + ".json"], "env": ["--config", host.config],
             "submit": ["--config", host.config, "--wait", "0"], "doctor": []}
    eq(host.ratchet("build", *given["build"]).code, 0, "a library")
    count = 0
    for command, args in given.items():
        for name, value in options_of(command).items():
            argument = value.strip(" =[]")
            for bad in wrong(argument, host, path) if argument else []:
                words = list(args)
                if "--" + name in words:
                    at = words.index("--" + name)
                    del words[at:at + 2]
                if (command, name) == ("submit", "socket") or (name == "expose" and bad == host.folder):
                    continue  # a daemon that is away, a folder to be shown
                result = host.ratchet(command, *words, "--%s=%s" % (name, bad))
                what = "%s --%s=%s" % (command, name, bad.replace(host.folder, ""))
                eq(result.code, 64, what)
                ok(result.code != 64 or result.err.strip().count("\n") == 0, what + ": one line", result.err)
                count += 1
    ok(count > 300, "%d were tried" % count)


def files_that_are_named():
    """What a command line names and is not there, or is something else, is 64 as well"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    text = lib.write(host.folder + "/text", "no JSON")
    here = ("--config", host.config, "--repo", repo.path)
    for none in (host.folder + "/none", host.folder, text, text + "/x"):
        for args in (("compare", none), ("report", none), ("calibrate", "--from", none), ("study", "--verify", none),
                     ("study", "--report", none), ("env", "--config", host.config, "--head", "none", "--against", none),
                     ("sweep", *here, "k=" + none), ("sweep", *here, "--arms", none),
                     ("compare", "--baseline", none, os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")),
                     ("check", "--config", none), ("doctor", "--config", none), ("status", "--config", none),
                     ("history", "--config", host.config, "--repo", none)):
            result = host.ratchet(*args)
            eq((result.code, result.out, result.err.strip().count("\n")), (64, "", 0),
               " ".join(args[:2])[:40] + " " + none.replace(host.folder, ""))
    s = scene.github()
    host = scene.Host(s)
    for none in (host.folder + "/none", host.folder):
        result = host.ratchet("post", "--config", host.config, "--repository", scene.REPOSITORY, "--pr", "1", none)
        eq(result.code, 64, "post " + none.replace(host.folder, ""))


lib.main(all_have_a_part, none_in_vain, wrong_values, files_that_are_named)
