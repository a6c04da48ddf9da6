# SPDX-License-Identifier: Apache-2.0
"""The sample repository of all runs, and what a run has of it: a stand-in for GitHub with a door that
can be shut, a host, a daemon whose processes can be counted."""

import ctypes
import os
import signal
import time

import lib
import scene

# A busy machine marks replicates, and what is marked is measured again: not here.
LIMITS = {"http-timeout-ms": 300, "github-timeout-ms": 500, "fetch-timeout-ms": 1500, "retry-ms": 300,
          "replicates": 8}
KEEP_DAYS = 30  # the default
COPIES = 6  # branches of each kind
PR_SET_CHILD_SUBREAPER = 36


def device_settings(plan):
    """The lines of the section of the device, with as many lanes as the plan wants; where processors 0 and 1
    are not two physical cores of ours, with one."""
    two = plan["lanes"] == 2 and lib.has_two_cores()
    return ("threads = 1", "cpus = 0", "cpus = 1") if two else ("threads = 1",)


def make_template(path):
    """A repository with the branches that jobs are about, once for all runs."""
    repo = lib.Repo(path)
    repo.commit(dict(scene.tree("right", samples=4), README="before\n"), "the kernel")
    first = repo.sha()
    repo.commit({"README": "a sample\n"}, "words")
    for kind in "docs", "broken", "wrong", "slow", "conflict":
        for at in range(COPIES):
            for head in "", "-next":
                words = "%s %d%s\n" % (kind, at, head)
                files = {"docs": {"README": words}, "conflict": {"README": words}}.get(kind) or \
                    {"kernels/attention.c": scene.kernel(kind, "/* %s */\n" % words.strip())}
                name = "%s-%d%s" % (kind, at, head)
                repo.commit(files, name, branch=name, onto=("%s-%d" % (kind, at) if head else
                                                            first if kind == "conflict" else "main"))
    repo.git("checkout", "-q", "main")


class GitHub(lib.Standin):
    """A stand-in that the daemon knows by a door."""

    def __init__(self, template):
        super().__init__(scene.REPOSITORY, source=template)
        self.control_url = self.url
        self.url = self.post("doors")["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.post("settings", api_url=self.url, web_url="https://github.example")
        self.on("collaborators", alice="write")

    def control(self, method, path, body=None):
        url, self.url = self.url, getattr(self, "control_url", self.url)
        try:
            return super().control(method, path, body)
        finally:
            self.url = url

    def shut(self, shut=True):
        self.post("doors/%d" % self.port, open=not shut)


class Daemon(lib.Daemon):
    """With SIGXFSZ ignored, as a limit on the size of files is what stands for a full disk: a write
    fails, and nobody dies of it."""

    def start(self):
        with open(self.log, "ab") as log:
            self.process = lib.start([lib.program("RATCHETD"), "--config", self.config], env=self.env,
                                     stdin=lib.subprocess.DEVNULL, stdout=log, stderr=log,
                                     restore_signals=False)
        lib.wait_for(self.listens, "ratchetd to listen")


def adopt():
    """Who loses its parent in this run becomes our child: so nobody is lost sight of."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)


def processes():
    """{pid: (parent, state, command)} of all processes."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = lib.read("/proc/%s/stat" % pid)
        except OSError:
            continue
        name, _, rest = stat.partition(" (")[2].rpartition(") ")
        words = rest.split()
        found[int(pid)] = (int(words[1]), words[0], name)
    return found


def below(root, known=()):
    """Living processes below `root`, without those below `known`."""
    everybody, found, left = processes(), {}, [root]
    while left:
        parent = left.pop()
        for pid, (above, state, name) in everybody.items():
            if above == parent and pid not in known:
                left.append(pid)
                if state != "Z":
                    found[pid] = name
    return found


def stop_all(pids, sig=signal.SIGCONT):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


def wait_until(condition, seconds, pause=0.02):
    """True where it came to be so in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
