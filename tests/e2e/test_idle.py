#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`idle-command`: runs once when there was nothing to do for long enough, and never while there is: a
job, something owed to GitHub, somebody else who measures. A job that comes while it runs wins."""

import fcntl
import os
import signal

import lib
import scene
from lib import TOKEN, eq, has, lacks, ok


class Idle:
    """A daemon with an idle command, which writes its environment and process into files."""

    def __init__(self, then="true", standin=None, after="1s", **limits):
        folder = lib.temp_dir()
        self.ran = os.path.join(folder, "ran")
        script = lib.write(os.path.join(folder, "sleep-well"), """\
#!/bin/sh
tr '\\0' '\\n' < /proc/$$/environ > %s.environ
ls -l /proc/$$/fd > %s.fds
echo $$ $(id -u) >> %s
%s
""" % (self.ran, self.ran, self.ran, then), 0o755)
        self.host = scene.Host(standin, token=TOKEN if standin else None, limits=limits or None, settings=(
            "threads = 1", "[daemon]", "idle-command = " + script, "idle-after = " + after))
        self.daemon = None

    def start(self):
        self.daemon = self.host.daemon()
        return self

    def log(self):
        return lib.read(self.daemon.log)

    def runs(self):
        """[(process, user)] of its runs"""
        if not os.path.exists(self.ran):
            return []
        return [tuple(map(int, line.split())) for line in lib.read(self.ran).splitlines()]

    def wait(self, runs=1):
        lib.wait_for(lambda: len(self.runs()) >= runs, "run %d of the command" % runs)

    def says(self, text, times=1):
        lib.wait_for(lambda: self.log().count(text) >= times, "the log to say `%s`" % text)


def docs(s, host, run):
    """A pull request that is held without measuring, handed over."""
    number, _ = scene.pull(s, "docs-%d" % run, {"README": "%d\n" % run})
    return host.step("pull_request", scene.pull_event(s, number), run=run, token=None)


def gone(process):
    return not os.path.exists("/proc/%d" % process)


def once_between_jobs():
    """Once for each time of nothing to do; never with something owed to GitHub"""
    s = scene.github()
    idle = Idle(standin=s, **{"retry-ms": 200, "github-timeout-ms": 500}).start()
    idle.says("idle-command ended")
    eq(len(idle.runs()), 1, "it ran")
    eq([line for line in lib.read(idle.ran + ".environ").split() if not line.startswith("PWD=")],  # sh's own
       ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "a clean environment")
    for what in ("socket:", "queue.db", ".lock"):
        lacks(lib.read(idle.ran + ".fds"), what, "nothing of the daemon's is open in it")
    eq(idle.runs()[0][1], os.geteuid(), "as the daemon's user")
    away = s.fault("/(statuses|comments)", "answer", times=0, status=503, body={})
    step = docs(s, idle.host, 1).start()
    s.await_fault(away, hits=12)  # the steps that try again lie 0.2, 0.4, 0.8, 1.6 s… apart: a second is over
    eq(len(idle.runs()), 1, "not while GitHub is owed a verdict, and only once before")
    s.calm()
    eq(step.finish().code, 0, "the verdict")
    idle.wait(2)
    eq(len(idle.runs()), 2, "once more when all is said")


def never_while_measured_on():
    """A device that somebody measures on by hand is waited for, and named once"""
    idle = Idle()
    with open(os.path.join(idle.host.folder, "ratchet-cpu.lock"), "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        idle.start().says("idle-command waits: cpu: ")
        has(idle.log(), "ratchet-cpu.lock", "by its lock")
        eq(idle.runs(), [], "it does not run")
        lacks(idle.log(), "idle-command runs", "nor is it said to")
    idle.wait()
    eq(idle.log().count("idle-command waits: "), 1, "told once")


def a_job_wins():
    """A job that comes while it runs kills it, and is done"""
    s = scene.github()
    idle = Idle("sleep 600", standin=s).start()
    idle.wait()
    process = idle.runs()[0][0]
    ok(not gone(process), "it runs")
    step = docs(s, idle.host, 1).start()
    idle.says("idle-command is killed: a job has come")
    lib.wait_for(lambda: gone(process), "its end")
    result = step.finish()
    eq(result.code, 0, "the job ends well")
    idle.wait(2)
    idle.daemon.kill(signal.SIGTERM)
    lib.wait_for(lambda: gone(idle.runs()[-1][0]), "its end with the daemon's")


def failures_are_told():
    """One that fails, or takes too long, is told and tried again after as long"""
    idle = Idle("exit 3").start()
    idle.says("idle-command: exit code 3; tried again when idle for 1 s", 2)
    ok(len(idle.runs()) >= 2, "tried again")
    slow = Idle("sleep 600", **{"idle-timeout-ms": 200}).start()
    slow.says("idle-command is killed: it takes longer than idle-timeout-ms")
    slow.says("idle-command: signal 9")
    lib.wait_for(lambda: gone(slow.runs()[0][0]), "its end")


lib.main(once_between_jobs, never_while_measured_on, a_job_wins, failures_are_told)
