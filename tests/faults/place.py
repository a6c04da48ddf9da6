# SPDX-License-Identifier: Apache-2.0
"""What those that are run by hand share: a daemon, repositories at a stand-in, pull requests that are
pushed to, and a table of what came of it."""

import json
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lib     # noqa: E402
import scene   # noqa: E402


class Pull:
    def __init__(self, s, name, branch):
        self.s, self.name, self.branch = s, name, branch
        self.lock = threading.Lock()
        self.pushes, self.head = 0, None
        self.push()
        self.number = s.post("repos/%s/pulls" % name, head=branch, title=branch,
                             user="alice")["number"]
        self.view = s.api("GET", "/repos/%s/pulls/%d" % (name, self.number)).json

    def push(self, files=None):
        """Another commit of the branch; the payload of its event."""
        with self.lock:
            self.pushes += 1
            more = {} if self.head else {"parent": "main"}
            self.head = self.s.post(
                "repos/%s/commit" % self.name, branch=self.branch, message="push",
                files=files or {"README": "%s %d\n" % (self.branch, self.pushes)}, **more)["sha"]
            if self.pushes == 1:
                return None
            self.view["head"]["sha"] = self.head
            return json.dumps({"action": "synchronize", "number": self.number,
                               "pull_request": self.view, "repository": self.view["base"]["repo"],
                               "sender": self.view["user"]})


class Place:
    """A stand-in with some repositories, and a host that knows them all."""

    def __init__(self, names, limits=None):
        self.s = s = scene.github()
        self.names = [scene.REPOSITORY] + names
        self.ids = {scene.REPOSITORY: s.made["id"]}
        self.tokens = {}
        for name in names:
            self.ids[name] = s.post("repos", full_name=name, source=s.repo.path)["id"]
        self.host = scene.Host(s, limits={"queue-jobs": 5000, **(limits or {})}, token=lib.TOKEN)
        conf = lib.read(self.host.config)
        head, daemon = conf[:conf.index("[repository ")], conf[conf.index("[limits]"):]
        for at, name in enumerate(self.names):
            token = "token-of-" + name
            self.tokens[name] = token if at % 2 else None
            s.post("tokens", token=token, login=lib.BOT, permissions=lib.BOT_MAY,
                   **({"job_of": name} if at % 2 else {}))
            head += '[repository "%s"]\napi = %s\ngit = %s/%s.git\nauthor = %s\n' % (
                name, s.url, s.url, name, lib.BOT)
            if not at % 2:
                path = lib.write(os.path.join(self.host.folder, "token-%d" % at), token + "\n", 0o600)
                head += "token = host\ntoken-file = %s\n" % path
        lib.write(self.host.config, head + daemon)
        self.daemon = self.host.daemon()
        self.runs = 0
        self.lock = threading.Lock()

    def submit(self, pull, files=None):
        """(exit code, output) of one push and its check."""
        payload = pull.push(files)
        with self.lock:
            self.runs += 1
            run = self.runs
        step = self.host.step("pull_request", payload, run=run, token=self.tokens[pull.name],
                              GITHUB_REPOSITORY=pull.name,
                              GITHUB_REPOSITORY_ID=str(self.ids[pull.name]))
        result = step.run(seconds=3600)
        return result.code, result.out

    def query(self, text):
        with sqlite3.connect("file:%s/queue.db?mode=ro" % self.host.state, uri=True) as db:
            return db.execute(text).fetchall()

    def proc(self, name):
        return lib.read("/proc/%d/%s" % (self.daemon.process.pid, name))

    def status_of(self, name):
        """A number of /proc/PID/status."""
        return int(next(l for l in self.proc("status").splitlines() if name in l).split()[1])

    def cpu_ms(self):
        """Processor time of the daemon."""
        return int(self.proc("schedstat").split()[0]) / 1e6

    def steps_cpu_ms(self):
        """… and of all its steps that have ended, with what they started."""
        fields = self.proc("stat").rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.daemon.process.pid))

    def idle_ms(self, seconds=5):
        """Processor time of the daemon in a second while nobody wants anything."""
        before = self.cpu_ms()
        time.sleep(seconds)
        return (self.cpu_ms() - before) / seconds


class Table:
    def __init__(self):
        self.missed = 0

    def row(self, what, got, goal=None, good=True):
        self.missed += not good
        print("%-44s %-22s %s" % (what, got, "" if goal is None else "%s: %s" % (
            goal, "ok" if good else "MISSED")), flush=True)
