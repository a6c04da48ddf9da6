#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a step leaves behind: a process that left its group and lost its parent ends with the step."""

import atexit
import os
import signal
import sys

import lib
import scene
from lib import eq, ok

# Stands before bubblewrap: leaves a process behind whose parent will be gone, and becomes bubblewrap.
LEAVES = """#!%s
import os, sys
if "--help" not in sys.argv and os.fork() == 0:
    os.setsid()
    os.closerange(0, 256)
    fd = os.open("%s/" + str(os.getpid()), os.O_CREAT | os.O_WRONLY)
    os.close(fd)
    os.execv("/bin/sleep", ["sleep", "100000"])
os.execv("%s", ["bwrap"] + sys.argv[1:])
"""


def is_there(pid):
    return os.path.exists("/proc/%d" % pid)


def end(pid):
    if is_there(pid):
        os.kill(pid, signal.SIGKILL)


def left(folder):
    """Processes that were left behind, whether they still are there or not"""
    pids = [int(name) for name in os.listdir(folder)]
    for pid in pids:
        atexit.register(end, pid)
    return pids


def scenery():
    s = scene.github()
    host = scene.Host(s, token=lib.TOKEN)
    folder, tools = os.path.join(host.folder, "left"), os.path.join(host.folder, "tools")
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    lib.write(os.path.join(tools, "bwrap"), LEAVES % (sys.executable, folder, lib.shutil.which("bwrap")), 0o755)
    os.chmod(tools, 0o755)
    daemon = lib.Daemon(host.config, host.socket, env={"PATH": tools + ":" + os.environ["PATH"]})
    return s, host, daemon, folder


def after_a_step():
    """What a step left behind is killed when it ends, and reaped; others of the daemon's go on"""
    s, host, daemon, folder = scenery()
    number, _ = scene.pull(s, "broken", {"kernels/attention.c": "#error not today\n"})
    result = host.step("pull_request", scene.pull_event(s, number)).run()
    eq(result.brief(), (3, "unmeasured"), "the job ends")
    pids = left(folder)
    ok(pids, "%d processes were left behind" % len(pids))
    lib.wait_for(lambda: not any(map(is_there, pids)), "them to be killed and reaped")
    ok(daemon.process.poll() is None, "the daemon goes on")


def with_the_daemon():
    """A daemon that is told to end takes them along"""
    s, host, daemon, folder = scenery()
    number, _ = scene.pull(s, "hang", "hang")
    step = host.step("pull_request", scene.pull_event(s, number)).start()
    lib.wait_for(lambda: left(folder), "something to be left behind")
    eq(daemon.kill(signal.SIGTERM), 0, "it ends")
    eq([pid for pid in left(folder) if is_there(pid)], [], "and nobody is there")
    lib.kill(step.process)


lib.main(after_a_step, with_the_daemon)
