# SPDX-License-Identifier: Apache-2.0
"""One run: the plan is carried out, then GitHub is calm and everybody is healthy again, and what was
accepted must come to its end. What must hold then is in promises.py."""

import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import threading
import time

import lib
import scene
import scenery

ACT_S = 1.0     # the longest that an act waits for its moment
ENDING_S = 90   # … and a healthy daemon may take for all that is left


class Wanted:
    """A job that somebody wants: what a workflow run submits, and perhaps submits again."""

    def __init__(self, number, kind, event, payload, pr):
        self.number, self.kind, self.event, self.payload = number, kind, event, payload
        self.pr = pr          # 0: a promotion
        self.steps = []       # every `ratchet submit` for it
        self.attempt = 1

    def running(self):
        return [s for s in self.steps if s.process.poll() is None]

    def said(self):
        return "".join(step.log() for step in self.steps)


class Run:
    def __init__(self, plan, template):
        self.plan = plan
        self.host_token = plan["token"] == "host"
        self.github = scenery.GitHub(template)
        self.host = scene.Host(self.github, limits=scenery.LIMITS,
                               token=lib.TOKEN if self.host_token else None,
                               settings=scenery.device_settings(plan))
        self.daemon = scenery.Daemon(self.host.config, self.host.socket)
        self.random = random.Random(plan["seed"])
        self.wanted, self.stopped, self.timers = [], [], []
        self.used = {}        # branches of each kind
        self.pulls = []       # (number, kind, copy)
        self.tokens = {}      # of steps that may still end
        self.serial = 0
        self.kept = {}        # folders of jobs that a lost database knew: {id: verdict.json}
        self.told_before = 0  # ids up to this one were given by a database that is lost
        self.old = {}         # rows of jobs that ended so long ago that they may be collected: {id: row}
        self.aged = False     # … and folders of a lost database
        self.problems = []

    # ---- jobs ----

    def event_of(self, pr):
        """As Actions tells it, as far as it is read."""
        pull = next(p for p in self.github.state()["pulls"] if p["number"] == pr)
        repository = {"full_name": scene.REPOSITORY, "id": self.github.made["id"]}
        return {"action": "synchronize", "number": pr, "repository": repository, "pull_request": {
            "number": pr, "state": "open", "head": {"sha": pull["head_sha"], "repo": repository},
            "base": {"ref": pull["base_ref"], "repo": repository}}}

    def open_pull(self, kind):
        copy = self.used.get(kind, 0)
        self.used[kind] = copy + 1
        pull = self.github.on("pulls", head="%s-%d" % (kind, copy), user="alice")
        self.pulls.append((pull["number"], kind, copy))
        return pull["number"]

    def want(self, job):
        kind = job["kind"]
        if kind == "promote":
            tip = self.github.state()["refs"]["refs/heads/main"]
            payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": tip, "deleted": False,
                       "repository": {"full_name": scene.REPOSITORY},
                       "head_commit": {"id": tip, "message": "words"}}
            self.submit_new(kind, "push", payload, 0)
            return
        if job["again"] and self.pulls:
            pr = self.random.choice(self.pulls)[0]
        else:
            pr = self.open_pull(kind)
        self.submit_new(kind, "pull_request", self.event_of(pr), pr)

    def submit_new(self, kind, event, payload, pr):
        wanted = Wanted(len(self.wanted) + 1, kind, event, payload, pr)
        self.wanted.append(wanted)
        self.submit(wanted)

    def submit(self, wanted):
        self.serial += 1
        token = None
        if not self.host_token:
            token = "standin-token-of-step-%d" % self.serial + lib.LONG
            self.github.post("tokens", token=token, login=lib.BOT, permissions=lib.BOT_MAY)
        step = self.host.step(wanted.event, wanted.payload, run=self.serial, token=token,
                              GITHUB_RUN_ID=str(wanted.number),
                              GITHUB_RUN_ATTEMPT=str(wanted.attempt))
        step.token = token
        wanted.steps.append(step.start("--wait", "60"))

    def bury_tokens(self):
        """The token of a step that is over is worth nothing."""
        for wanted in self.wanted:
            for step in wanted.steps:
                if step.token and self.plan["mortal"] and step.process.poll() is not None:
                    self.github.control("DELETE", "tokens/" + step.token)
                    step.token = None

    # ---- acts ----

    def carry_out(self):
        acts, early = self.plan["acts"], self.plan["early"]
        for act in acts[:early]:
            getattr(self, "do_" + act["do"])(act)
        for job in self.plan["jobs"]:
            self.want(job)
        for act in acts[early:]:
            self.at_its_moment(act)
            self.bury_tokens()

    def at_its_moment(self, act):
        when = act["when"]
        do = getattr(self, "do_" + act["do"].replace("-", "_"))
        if "path" not in when:
            if "verdicts" in when:
                scenery.wait_until(lambda: self.verdicts() >= when["verdicts"], ACT_S, 0.0005)
            if "ms" in when:
                time.sleep(when["ms"] / 1000)
            elif "line" in when:
                scenery.wait_until(lambda: when["line"] in lib.read(self.daemon.log), ACT_S)
            return do(act)
        more = {"method": when["method"]} if "method" in when else {}
        fault = self.github.fault(when["path"], "silence", skip=when["skip"], after=when["after"],
                                  **more)
        try:
            self.github.await_fault(fault, seconds=ACT_S)
        except RuntimeError:
            pass  # nobody asked
        do(act)
        self.github.control("DELETE", "faults/%d" % fault)

    def verdicts(self):
        jobs = os.path.join(self.host.state, "jobs")
        return sum(os.path.exists(os.path.join(jobs, name, "verdict.json"))
                   for name in (os.listdir(jobs) if os.path.isdir(jobs) else []))

    def do_fault(self, act):
        spec = dict(act["fault"])
        limit_s, days = spec.pop("limit_s", None), spec.pop("days", 0)
        if limit_s is not None:
            there = time.time() + days * 86400
            spec["headers"] = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "%d" % (
                there + limit_s), "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT",
                                                        time.gmtime(there))}
        self.github.post("faults", **spec)

    def do_calm(self, act):
        self.github.calm()

    def do_submit(self, act):
        self.want(act["job"])

    def do_kill(self, act):
        self.daemon.kill()
        self.start_again(act["at_once"])

    def do_terminate(self, act):
        self.daemon.kill(signal.SIGTERM)
        self.start_again(act["at_once"])

    def start_again(self, at_once):
        if not at_once:
            self.alone()
        self.daemon.start()

    def daemons_children(self):
        known = {self.github.process.pid, *(s.process.pid for w in self.wanted for s in w.steps),
                 self.daemon.process.pid}
        return {**scenery.below(os.getpid(), known), **scenery.below(self.daemon.process.pid)}

    def alone(self):
        """The dead daemon's processes are dead as well."""
        if not scenery.wait_until(lambda: not self.daemons_children(), 20):
            self.problems.append("a dead daemon's processes live on: %r" % self.daemons_children())

    def database(self):
        return os.path.join(self.host.state, "queue.db")

    def do_lose(self, act):
        """The one case where jobs are lost. They are wanted again, as a new attempt."""
        self.daemon.kill()
        self.alone()
        jobs = os.path.join(self.host.state, "jobs")
        for name in os.listdir(jobs) if os.path.isdir(jobs) else []:
            self.told_before = max(self.told_before, int(name))
            verdict = os.path.join(jobs, name, "verdict.json")
            self.kept[int(name)] = lib.read(verdict) if os.path.exists(verdict) else None
        if act["how"] == "zero":
            os.truncate(self.database(), 0)
        else:
            for ending in "", "-wal", "-shm":
                if os.path.exists(self.database() + ending):
                    os.unlink(self.database() + ending)
        self.old.clear()
        for wanted in self.wanted:
            for step in wanted.running():
                lib.kill(step.process)
            wanted.attempt += 1
            wanted.lost = wanted.said()
        self.daemon.start()

    def do_damage(self, act):
        """A damaged database is refused, and nothing is lost once the good one is back."""
        self.daemon.kill()
        self.alone()
        path = self.database()
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        whole = open(path, "rb").read()
        if act["how"] == "head":
            broken = bytes(self.random.randrange(256) for _ in range(100)) + whole[100:]
        elif act["how"] == "page":
            broken = whole[:4096] + b"\xff" * 4096 + whole[8192:]
        else:
            broken = whole[:len(whole) // 2]
        lib.write(path, broken)
        result = lib.run([lib.program("RATCHETD"), "--config", self.host.config], seconds=30)
        lines = [l for l in result.err.splitlines() if "sandbox limits" not in l and
                 "listening on" not in l]
        if result.code == 0 or len(lines) != 1 or "queue.db" not in lines[0]:
            self.problems.append("a damaged database (%s): exit %d, %r" % (
                act["how"], result.code, result.err))
        for ending in "-wal", "-shm":
            if os.path.exists(path + ending):
                os.unlink(path + ending)
        lib.write(path, whole)
        self.daemon.start()

    def do_cache(self, act):
        """The repository's cache is damaged while the daemon is away: it is fetched again."""
        self.daemon.kill()
        self.alone()
        for folder, folders, names in os.walk(os.path.join(self.host.state, "repos")):
            for name in names:
                self.damage_file(act["how"], os.path.join(folder, name))
            if act["how"] == "objects" and "objects" in folders:
                shutil.rmtree(os.path.join(folder, "objects"))
        self.daemon.start()

    def damage_file(self, how, path):
        if how == "pack" and path.endswith(".pack"):
            os.chmod(path, 0o600)
            os.truncate(path, os.path.getsize(path) // 2)
        elif how == "no-pack" and path.endswith(".pack"):
            os.unlink(path)
        elif (how == "refs" and "/refs/" in path) or (how == "HEAD" and path.endswith("/HEAD")):
            lib.write(path, bytes(self.random.randrange(256) for _ in range(41)))

    def do_clock(self, act):
        """A clock jumps. The host's while the daemon is away: whatever it wrote down is as much older then,
        or of the future. What has ended may be collected for that, nothing else."""
        seconds = act["days"] * 86400
        if act["of"] == "GitHub":
            self.github.post("clock", advance=seconds)
            return
        self.daemon.kill()
        self.alone()
        db = sqlite3.connect(self.database(), timeout=30)
        with db:
            db.execute("UPDATE job SET accepted_s = accepted_s - ?,"
                       " finished_s = iif(finished_s = 0, 0, finished_s - ?)", (seconds, seconds))
        db.close()
        for folder, folders, names in os.walk(self.host.state):
            for path in [folder] + [os.path.join(folder, name) for name in names]:
                if "queue.db" not in path:
                    at = os.lstat(path).st_mtime - seconds
                    os.utime(path, (at, at), follow_symlinks=False)
        self.aged = self.aged or seconds > 0
        for row in self.queue():
            old = 0 < row["finished_s"] < time.time() - scenery.KEEP_DAYS * 86400
            if old and row["id"] not in self.old:
                row["report"] = lib.read(self.file_of(row["id"], "report.md"))
                self.old[row["id"]] = row
        self.daemon.start()

    def file_of(self, job, name):
        return os.path.join(self.host.state, "jobs", str(job), name)

    def a_step(self, act):
        steps = sorted(scenery.below(self.daemon.process.pid))
        return steps[act["which"] % len(steps)] if steps else None

    def do_kill_step(self, act):
        pid = self.a_step(act)
        if pid is not None:
            scenery.stop_all([pid], signal.SIGKILL)

    def do_stop_step(self, act):
        pid = self.a_step(act)
        if pid is not None:
            scenery.stop_all([pid], signal.SIGSTOP)
            self.later(act["ms"], lambda: scenery.stop_all([pid], signal.SIGCONT))

    def later(self, ms, what):
        timer = threading.Timer(ms / 1000, what)
        timer.start()
        self.timers.append((timer, what))

    def chosen(self, act):
        return self.wanted[act["job"] % len(self.wanted)] if self.wanted else None

    def do_kill_submit(self, act):
        wanted = self.chosen(act)
        for step in wanted.running() if wanted else []:
            lib.kill(step.process)
        self.bury_tokens()
        if wanted and act["again"]:
            self.submit(wanted)

    def do_cancel(self, act):
        wanted = self.chosen(act)
        for step in wanted.running() if wanted else []:
            step.interrupt()

    def do_refuse(self, act):
        self.github.shut()
        self.later(act["ms"], lambda: self.github.shut(False))

    def do_full(self, act):
        """No room: in files that are longer than that, nothing can be written any more."""
        self.room(act["bytes"])
        self.later(act["ms"], lambda: self.room(resource.RLIM_INFINITY))

    def room(self, size):
        for pid in [self.daemon.process.pid, *scenery.below(self.daemon.process.pid)]:
            try:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            except (ProcessLookupError, PermissionError):
                pass

    def do_push(self, act):
        """A new head, and its own job."""
        if not self.pulls:
            return
        number, kind, copy = self.pulls[act["job"] % len(self.pulls)]
        name = "%s-%d" % (kind, copy)
        refs = self.github.state()["refs"]
        self.github.on("ref", ref="refs/heads/" + name, sha=refs["refs/heads/%s-next" % name])
        self.submit_new(kind, "pull_request", self.event_of(number), number)

    def do_close(self, act):
        if self.pulls:
            self.github.on("pulls/%d" % self.pulls[act["job"] % len(self.pulls)][0], state="closed")

    # ---- the end ----

    def heal(self):
        """Everything works again. A start of the daemon makes everything due at once."""
        for timer, what in self.timers:
            timer.join()
        self.github.calm()
        self.github.shut(False)
        self.daemon.kill(signal.SIGTERM)
        self.alone()
        self.daemon.start()

    def queue(self):
        """All rows of the queue, oldest first."""
        db = sqlite3.connect(self.database(), timeout=30)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute("SELECT * FROM job ORDER BY id")]
        finally:
            db.close()

    def rows(self):
        """{(run, attempt): row} of all jobs, those that may be collected too."""
        rows = {**self.old, **{row["id"]: row for row in self.queue()}}
        return {tuple(map(int, rows[job]["key"].split("/")[1:3])): rows[job] for job in sorted(rows)}

    def finish(self):
        """Until every wanted job is accepted and done, and every step has gone home."""
        self.heal()
        end = time.monotonic() + ENDING_S
        while True:
            self.bury_tokens()
            rows, left = self.rows(), []
            for wanted in self.wanted:
                row = rows.get((wanted.number, wanted.attempt))
                state = row["state"] if row else "not accepted"
                if state == "done" and not wanted.running():
                    continue
                left.append("job of run %d is %s" % (wanted.number, state))
                if not wanted.running() and (row is None or not self.host_token):
                    self.submit(wanted)
            if not left:
                return
            if time.monotonic() > end:
                self.problems.append("still to be done after %d s: %s" % (ENDING_S, "; ".join(left)))
                return
            time.sleep(0.05)

    def close(self):
        """The daemon is asked for its jobs and stopped, and must be alone in that."""
        told = self.host.ratchet("status", "--socket", self.host.socket)
        undone = [l for l in told.out.splitlines() if l.split()[3] != "done"]
        if told.code != 0 or undone or len(told.out.splitlines()) < len(self.queue()):
            self.problems.append("status says: " + told.text)
        left = os.listdir(os.path.join(self.host.state, "work"))
        if left:
            self.problems.append("left in work/: %s" % left)
        code = self.daemon.kill(signal.SIGTERM)
        if code != 0:
            self.problems.append("the daemon ended with %d" % code)
        for wanted in self.wanted:
            for step in wanted.running():
                lib.kill(step.process)
        self.alone()

    def remove(self):
        self.github.stop()
        for folder in self.github.root, self.host.folder:
            shutil.rmtree(folder, ignore_errors=True)
