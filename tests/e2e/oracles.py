# SPDX-License-Identifier: Apache-2.0
"""The programs that nobody here wrote (ci/oracles installs them), for the tests that ask them:
Prism as a validating proxy on GitHub's own OpenAPI description, and node."""

import os
import re
import subprocess
import sys

import lib

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What Prism logs of a request or an answer that the description does not allow.
VIOLATION = re.compile(r"violation|terminated with error|✖|⚠", re.I)
SETTLE = "/repos/settled/"
# The description lists few of the errors that the real server answers with; Prism says so of
# each, and it is no fault of either side.
UNDOCUMENTED = re.compile(r"Unable to match the returned status code with those defined")


def folder():
    """Where the packages are; the test is skipped where they are not."""
    cache = os.environ.get("RATCHET_ORACLES") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/"), ".cache"),
        "ratchet-oracles")
    if not os.path.exists(os.path.join(cache, "stamp")):
        raise lib.Skip("no oracles in %s: run ci/oracles" % cache)
    return cache


def node(script, *args, data=None, env=None):
    """Run an ES module of tests/oracles on the packages; lib.Result."""
    cache = folder()
    # Modules are found from where a script lies, so a copy is put beside the packages.
    scripts = lib.temp_dir()
    os.symlink(os.path.join(cache, "node_modules"), os.path.join(scripts, "node_modules"))
    source = os.path.join(lib.TOP, "tests", "oracles")
    for name in os.listdir(source):
        if name.endswith(".mjs"):
            with open(os.path.join(source, name), "rb") as text:
                lib.write(os.path.join(scripts, name), text.read())
    return lib.run(["node", "--import", os.path.join(scripts, "register.mjs"),
                    os.path.join(scripts, script), *args], env=lib.clean_env(env), data=data)


class Prism:
    """A proxy before `upstream` that refuses what GitHub's description does not allow, in
    requests and in answers. `url` is what clients use."""

    def __init__(self, upstream):
        cache = folder()
        work = lib.temp_dir()
        cut = os.path.join(work, "github.json")
        made = lib.run([sys.executable, os.path.join(lib.TOP, "tests", "github", "openapi.py"),
                        os.path.join(cache, "node_modules", "@octokit", "openapi", "generated",
                                     "api.github.com.json"), cut])
        if made.code != 0:
            raise RuntimeError(str(made))
        self.log = os.path.join(work, "prism.log")
        port = lib.free_port()
        self.url = "http://127.0.0.1:%d" % port
        with open(self.log, "wb") as out:
            self.process = lib.start(
                ["node", os.path.join(cache, "node_modules", "@stoplight", "prism-cli", "dist",
                                      "index.js"), "proxy", "--errors", "-h", "127.0.0.1", "-p",
                 str(port), "-v", "info", cut, upstream], env=lib.clean_env(),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        lib.wait_for(lambda: "is listening" in lib.read(self.log) or self.process.poll() is not
                     None, "prism", 120)
        if self.process.poll() is not None:
            raise RuntimeError(lib.read(self.log)[-4000:])
        self.marks = 0

    def lines(self):
        return COLOUR.sub("", lib.read(self.log)).splitlines()

    def settled(self):
        """The log of everything asked so far: a request of our own marks the place."""
        self.marks += 1
        mark = "/repos/settled/%d" % self.marks
        lib.http("GET", self.url + mark, headers={"User-Agent": "settle"})
        lib.wait_for(lambda: any(mark + " has returned" in line for line in self.lines()),
                     "prism's log", 30)
        lines = self.lines()
        return lines[:next(i for i, line in enumerate(lines) if mark in line)]

    def mark(self):
        """A place in the log, for the two below."""
        return len(self.settled())

    def violations(self, since=0):
        """What GitHub's description does not allow, since a mark."""
        lines = self.settled()[since:]
        bad = [line for line in lines if VIOLATION.search(line) and not
               UNDOCUMENTED.search(line) and SETTLE not in line]
        # A path or method that the description does not know leaves no other trace.
        asked = [line for line in lines if "Request received" in line and SETTLE not in line]
        unknown = len(asked) - self.count(lines, "> Forwarding") - \
            sum("terminated with error" in line and "VIOLATIONS" not in line for line in bad)
        if unknown:
            bad.append("%d requests to paths that are not in the description, among:" % unknown)
            bad.extend(asked)
        return bad

    def passed(self, since=0):
        """How many requests reached the upstream since a mark."""
        return self.count(self.settled()[since:], "> Forwarding")

    @staticmethod
    def count(lines, text):
        return sum(text in line and SETTLE not in line for line in lines)

    def stop(self):
        lib.kill(self.process)
