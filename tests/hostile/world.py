# SPDX-License-Identifier: Apache-2.0
"""One stand-in, one host and one daemon for all hostile branches: what a row is, what is hidden from it, and what
must hold when it has been judged, whatever it was."""

import base64
import glob
import hashlib
import json
import os
import re
import secrets
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib  # noqa: E402
import scene  # noqa: E402
from lib import eq, ok  # noqa: E402
from test_daemon import jobs  # noqa: E402

FORK = "mallory/kernels"
LIMITS = {"build-timeout-ms": 2500, "build-disk": 64 << 20, "build-file": 24 << 20, "build-memory": 1 << 30,
          "build-processes": 96, "kernel-bytes": 4 << 20, "log-bytes": 64 << 10, "bench-memory": 1 << 30,
          "turn-timeout-ms": 2000, "tree-bytes": 4 << 20, "tree-entries": 2000, "tree-depth": 16,
          "event-bytes": 1 << 20, "message-bytes": 64 << 10, "retry-ms": 200}
RECIPE = "cc -O2 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -o kernels/attention.so kernels/attention.c -lm"
PLACES = ("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock", "/etc", "/usr", "/usr/lib", "/root", "/home",
          "/dev", "/dev/mqueue", "/var/lib", "/opt")
# How a runner finds commands in a line of the log, and those that are ours to give.
COMMAND = re.compile(r"^[\s\ufeff\u200b]*::|##\[", re.M)
OURS = re.compile(r"::(error|warning|notice)( (title=Ratchet|file=kernels/[^:]*,line=))|::(end)?group::")
# GitHub makes a mention, a link or a picture of these.
MARKDOWN = re.compile(r"(?<![\w`\\])@octocat|\]\(https?://evil|<(img|script|a|/?details>\s*evil)\b", re.I)


class Row:
    """A hostile branch. `files`: a dictionary, or a function of the world that makes one; `tree`: a function of the
    world that writes a tree by git's plumbing. `want`: exit code, clause, whose fault; `stopped`: texts that name what
    stopped it, somewhere in what the author is told. `then`: what else must hold."""

    def __init__(self, name, files=None, want=None, *stopped, tree=None, then=None, before=None, title=None, branch=None,
                 body=""):
        self.name, self.files, self.want, self.stopped, self.tree = name, files, want, stopped, tree
        self.then, self.before, self.title, self.branch, self.body = then, before, title, branch, body


def built(script, recipe=RECIPE, **files):
    """Files of a branch whose recipe runs a script before it builds"""
    def make(w):
        command = "sh kernels/do.sh" + (" && " + recipe if recipe else "")
        fill = w.fill
        return {"ci/ratchet.conf": scene.conf().replace(RECIPE, command), "kernels/do.sh": fill(script) + "\n",
                "kernels/probe.c": w.probe, **{"kernels/" + name.replace("__", "."): fill(text)
                                               for name, text in files.items()}}
    return make


def tried(*probes):
    """... which tries things, each in words of probe.c, and then fails, so that its log is shown"""
    return built("cc -O1 -o /tmp/probe kernels/probe.c || exit 5\n" +
                 "".join("/tmp/probe %s\n" % probe for probe in probes) + "exit 7")


def kernel(body, more="", name="right"):
    """A kernel that does something when it is launched"""
    def make(w):
        text = "#define PROBE_IN_A_KERNEL\n#include \"probe.c\"\n%s\n%s" % (w.fill(more), scene.kernel(name).replace(
            '#include "simple.h"', "#define LAUNCH_BEGINS(stream) do { %s } while (0)\n#include \"simple.h\"" %
            w.fill(body).replace("\n", " ")))
        return {"kernels/probe.c": w.probe, "kernels/attention.c": text}
    return make


class World:
    def __init__(self):
        self.mark = "hostile" + secrets.token_hex(6)
        self.secret = "canary" + secrets.token_hex(12)
        self.job_token = "job-token-" + secrets.token_hex(12)
        self.probe = lib.read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.c"))
        self.s = s = scene.github()
        s.post("tokens", token=self.job_token, login=lib.BOT, permissions=lib.BOT_MAY)
        s.post("repos", full_name=FORK, source=s.made["path"], private=False)
        s.on("collaborators", alice="write", zoe="read", tim="triage")
        alone = bool(os.environ.get("HOSTILE_ALONE"))
        self.host = scene.Host(s, limits=LIMITS, token=lib.TOKEN, repository=["forks = approved"],
                               daemon=() if alone else ("run-socket = @/run/sock",))
        self.runner = None if alone else scene.Runner(self.host)
        self.canary = lib.write(os.path.join(self.host.folder, "canary"), self.secret + "\n", 0o644)
        self.bait = socket.socket(socket.AF_UNIX)
        self.bait.bind("\0" + self.mark)
        self.bait.listen(8)
        self.bait.setblocking(False)
        self.daemon = lib.Daemon(self.host.config, self.host.socket, env={"CANARY": self.secret})
        self.runs = self.rows = 0
        self.forged = {}  # comments of strangers, by pull request
        self.repo = s.repo
        self.port = int(s.url.rsplit(":", 1)[1])
        self.since = 0
        self.refs = None
        self.outside = self.look_outside()

    def fill(self, text):
        for name, value in (("MARK", self.mark), ("CANARY", self.canary), ("SOCKET", self.host.socket),
                            ("PORT", str(self.port)), ("STATE", self.host.state), ("CONFIG", self.host.config),
                            ("TOKEN", os.path.join(self.host.folder, "token"))):
            text = text.replace("@%s@" % name, value)
        return text

    # ---- branches and jobs ----

    def commit_tree(self, tree, branch, parent="main"):
        """A branch whose commit has this tree object"""
        sha = self.repo.git("commit-tree", tree, "-p", parent, "-m", "change: " + branch)
        self.repo.git("update-ref", "refs/heads/" + branch, sha)
        return sha

    def push(self, row):
        self.rows += not row.branch
        branch = row.branch or "row-%d" % self.rows
        if row.tree:
            head = self.commit_tree(row.tree(self), branch)
        else:
            files = row.files(self) if callable(row.files) else row.files
            head = self.repo.commit(files, row.title or "change: " + branch, branch=branch, onto="main")
        self.repo.push(self.s.git_url, "+refs/heads/" + branch)
        opened = self.s.on("pulls", head=branch, title=row.title or row.name, user="alice", body=row.body)
        return opened["number"], head

    def step(self, event, payload, **more):
        self.runs += 1
        return self.host.step(event, payload, run=self.runs, token=more.pop("token", self.job_token), **more)

    def check(self, number, **more):
        step = self.step("pull_request", scene.pull_event(self.s, number), **more)
        result = step.run()
        result.step = step
        return result

    def settle(self, count=1):
        def done():
            return all(state == "done" for state, *_ in jobs(self.host)[:count])
        lib.wait_for(done, "GitHub to know of it")
        lib.wait_for(lambda: not self.children(), "its processes to end")

    def told(self, number, result):
        """All that an author gets to see of a run"""
        parts = ["\n".join(scene.ours(self.s, number)), result.out, result.step.file("summary")]
        for folder, _, names in os.walk(result.step.artifacts):
            parts += [lib.read(os.path.join(folder, name)) for name in names]
        return "\n".join(parts)

    def run(self, *rows):
        """Rows from their pushes to their ends, whose jobs wait in one queue"""
        begun = []
        for row in rows:
            lib.case(row.name)
            number, head = self.push(row)
            if row.before:
                row.before(self, number, head)
            begun.append((row, number, head, self.step("pull_request", scene.pull_event(self.s, number)).start()))
        ended = []
        for row, number, head, step in begun:
            result = step.finish()
            result.step = step
            ended.append((row, number, head, result))
        self.settle(len(rows))
        for one in ended:
            self.look(*one)
        lib.case(" / ".join(row.name for row in rows))
        self.check_world(*[step for *_, step in begun])

    def look(self, row, number, head, result):
        """What came of a row"""
        lib.case(row.name)
        verdict = result.verdict
        got = (result.code, verdict["clause"] if verdict["clause"] else result.config()["clause"], verdict["fault"] or "")
        told = self.told(number, result)
        words = scene.plain(told)
        if os.environ.get("HOSTILE_SHOW"):
            lib.note("%s: %r %s" % (row.name, got, verdict["reason"]))
            for line in dict.fromkeys(re.findall(r".*(?:GOT|stopped:).*", words)):
                lib.note("    " + line[:200])
        eq(got, row.want, "what came of it")
        missing = [text for text in row.stopped if text not in told and text not in words]
        ok(not missing, "what stopped it is told", missing, verdict["reason"],
           words[-int(os.environ.get("HOSTILE_SHOW") or 3000):])
        ok("GOT " not in words, "nothing was got", [line for line in words.splitlines() if "GOT " in line])
        if row.then:
            row.then(self, result, number, head)
        self.check_told(number, head, result, told)

    # ---- what must hold ----

    def check_told(self, number, head, result, told):
        said = scene.ours(self.s, number)
        ok(len(said) == 1 and said[0].startswith(scene.MARKER + "\n### Ratchet: "),
           "one comment of ours, which begins with our marker", said)
        state = {0: "success", 1: "failure"}.get(result.code, "error")
        eq(scene.status(self.s, head)[-1:], [state], "the status on its head")
        log = result.step.log()
        foreign = [line for line in log.splitlines() if COMMAND.search(line) and not OURS.match(line)]
        eq(foreign, [], "no workflow command but ours")
        ok(not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b\u202e]", log + "".join(said)), "no control characters", log)
        outside = re.sub(r"(?ms)^(`{3,}|~{3,})[^\n]*\n.*?^\1", "", "".join(said) + result.step.file("summary"))
        ok("<!-- ratchet" not in outside.replace(scene.MARKER, ""), "no marker that is not ours", outside)
        ok(not MARKDOWN.search(outside), "nobody is mentioned, nothing is linked", MARKDOWN.findall(outside), outside)

    def leaks(self, *steps):
        """Places where a token or the hidden text is that it should not be"""
        hidden = [self.secret, lib.TOKEN, self.job_token, base64.b64encode(self.secret.encode()).decode()[:20]]
        asked = self.s.requests(since=self.since)
        self.since = asked[-1]["id"] if asked else self.since
        texts = {"what GitHub holds": json.dumps(self.s.state()), "what GitHub was asked": json.dumps(asked),
                 self.daemon.log: lib.read(self.daemon.log)}
        if self.runner:
            texts[self.runner.log] = lib.read(self.runner.log)
        for top in [self.host.state] + [step.folder for step in steps if step]:
            for folder, _, names in os.walk(top):
                for path in (os.path.join(folder, name) for name in names):
                    if os.path.isfile(path) and not os.path.islink(path):
                        texts[path] = lib.read(path)
        return [where for where, text in texts.items() if any(one in text for one in hidden)] + [
            one["path"] for one in asked if "leaked" in one]

    def check_world(self, *steps):
        found = self.leaks(*steps)
        ok(not found, "no canary anywhere", found)
        changed = self.look_outside()
        ok(changed == self.outside, "nothing changed outside", {key: (self.outside.get(key), changed.get(key))
                                                                for key in {*changed, *self.outside}
                                                                if self.outside.get(key) != changed.get(key)})
        ok(self.daemon.listens() and not self.children(), "the daemon is alive, and alone", self.children())
        if self.runner:
            eq([self.runner.listens(), *(line for line in lib.read(self.runner.log).splitlines() if "sandbox limits" not in line)],
               [True], "ratchet-run is, too, and had no trouble")

    def sees(self):
        """What is planted is found"""
        lib.case("a canary that is planted")
        for path in (os.path.join(self.host.state, "planted"), self.daemon.log):
            before = lib.read(path) if os.path.exists(path) else None
            lib.write(path, (before or "") + "x" + self.secret)
            eq(self.leaks(), [path], "is found in " + os.path.basename(path))
            lib.write(path, before) if before is not None else os.unlink(path)
        path = lib.write(os.path.join("/tmp", "x-" + self.mark), "")
        ok(self.look_outside() != self.outside, "a file outside is found")
        os.unlink(path)
        eq((self.look_outside(), self.leaks()), (self.outside, []), "and nothing else")

    def look_outside(self):
        """All that nobody here may change"""
        seen = {path: hashlib.sha256(lib.read(path).encode()).hexdigest() for path in (
            self.host.config, self.canary, os.path.join(self.host.folder, "token"))}
        seen["modes"] = [(n, os.stat(os.path.join(self.host.folder, n)).st_mode) for n in sorted(os.listdir(
            self.host.folder)) if not n.startswith(("step-", "state", "out-")) and not n.endswith((".log", ".lock"))]
        seen["marks"] = [hit for place in PLACES for hit in glob.glob(os.path.join(place, "*%s*" % self.mark))]
        seen["marks of its own"] = [d for d, ds, fs in os.walk(self.host.state) if any(
            self.mark in name for name in ds + fs)]
        work = os.path.join(self.host.state, "work")
        seen["work"] = os.listdir(work) if os.path.isdir(work) else []
        state = self.s.state()
        seen["main"] = state["refs"]["refs/heads/main"]
        seen["tags and odd refs"] = [ref for ref in state["refs"] if not ref.startswith(("refs/heads/", "refs/pull/"))]
        try:
            self.bait.accept()
            seen["bait"] = "taken"
        except BlockingIOError:
            seen["bait"] = "not taken"
        return seen

    def children(self):
        """Processes below the daemon, and below ratchet-run"""
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid, "rb") as source:
                    parents[int(pid)] = int(source.read().rsplit(b")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
        found, more = set(), {process.pid for process in (self.daemon.process, self.runner and self.runner.process) if process}
        while more:
            more = {pid for pid, parent in parents.items() if parent in more}
            found |= more
        return sorted(found)

    def honest(self, what="words", files=None, want=(0, "held")):
        """An honest pull request, and its right answer"""
        lib.case("an honest pull request")
        number, head = self.push(Row("Honest work", files or {
            "kernels/attention.c": scene.kernel("right", "/* %s */\n" % what)}, branch="honest-" + what.replace(" ", "-")))
        result = self.check(number)
        scene.fair(result, want, what)
        self.settle()
        state = {0: "success", 1: "failure"}.get(result.code, "error")
        eq((scene.status(self.s, head)[-1:], len(scene.ours(self.s, number))), ([state], 1), what + ": is told")
