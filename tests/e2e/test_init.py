#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Process 1 of a sandbox is ours, and nobody's to take hold of: neither a recipe's nor a kernel's, which
could keep a build or a measurement from its end."""

import lib
import scene
from lib import eq, lacks, ok

REACH = """\
#include "reach.h"
#include <stdlib.h>
int main(int argc, char **argv)
{
    int pid = argc > 1 ? atoi(argv[1]) : getpid();
    int ways = reaches(pid);
    printf("took hold of process %d in %d ways: %#x\\n", pid, __builtin_popcount(ways), ways);
    return ways != 0;
}
"""
BEGINS = "cc -O2 -o reach kernels/reach_main.c"


def files(name, command=None):
    more = {"kernels/attention.c": scene.kernel(name), "kernels/reach_main.c": REACH,
            "kernels/reach.h": lib.read(scene.os.path.join(scene.KERNELS, "reach.h"))}
    if command is not None:
        more["ci/ratchet.conf"] = scene.conf().replace("command = ", "command = " + command + " && ")
    return more


def sample():
    repo = lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    return repo


def from_a_recipe():
    """A build that tries every way to take hold of process 1 has none"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "reach", files("right", BEGINS + " && ./reach 1"))
    result = host.check(repo, "reach")
    lacks(result.file("report.md"), "took hold of process 1", "no way worked")
    eq((result.code, result.config()["clause"]), (0, "identical-code"), "it is built to its end")


def the_ways_work():
    """Those ways do work, on another process of that user"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "reach", files("right", BEGINS + " && (sleep 60 & ./reach $!)"))
    result = host.check(repo, "reach")
    said = scene.plain(result.file("report.md"))
    eq((result.code, result.verdict["clause"]), (3, "build-failed"), "they end that build")
    ok(" 0x" in said, "they are told", said)
    ways = int(said.split("took hold of process", 1)[1].split(": ", 1)[1].split()[0], 16)
    eq(ways & 0x3d3, 0x3d3, "most of them")


def from_a_kernel():
    """A kernel that tries them while it is measured has none"""
    host, repo = scene.Host(), sample()
    scene.branch(repo, "reach", files("reach"))
    result = host.check(repo, "reach")
    scene.fair(result, (0, "held"), "it is measured")


lib.main(from_a_recipe, the_ways_work, from_a_kernel)
