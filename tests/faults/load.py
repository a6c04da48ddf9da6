#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many jobs under GitHub's limits, by hand: minutes.

    make; export RATCHET=… RATCHETD=… RATCHET_BENCH=…   (absolute paths of the programs)
    load.py [--jobs 1000] [--clients 50] [--repositories 2]
    load.py --row 3000

The first: clients that push to pull requests, two to each, and submit each push; nothing under
[kernel] path changes, so nothing is measured. The stand-in enforces GitHub's limits: 5 000 requests
an hour of a token, 1 000 an hour of a repository for the tokens of its jobs (every second
repository), 80 writes a minute and 500 an hour; four fifths of the first two are used up. It announces waits of 2 s at most, and its clock is
moved on past each. Checked: no job lost, none unmeasured, published in order, one comment about the
newest push and a final status on it, nobody asked before it was time, memory and idle CPU.

The second: as many checks in a row of one repository, no limits; what grows with them.

Prints a table; exit 1 where a goal is missed."""

import argparse
import json
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lib     # noqa: E402
import scene   # noqa: E402

ANNOUNCED_S = 2
GOAL_KB = 20 * 1024


class Pull:
    def __init__(self, s, name, branch):
        self.s, self.name, self.branch = s, name, branch
        self.lock = threading.Lock()
        self.pushes, self.head = 0, None
        self.push()
        self.number = s.post("repos/%s/pulls" % name, head=branch, title=branch,
                             user="alice")["number"]
        self.view = s.api("GET", "/repos/%s/pulls/%d" % (name, self.number)).json

    def push(self):
        """Another commit of the branch; the payload of its event."""
        with self.lock:
            self.pushes += 1
            more = {} if self.head else {"parent": "main"}
            self.head = self.s.post(
                "repos/%s/commit" % self.name, branch=self.branch, message="push",
                files={"README": "%s %d\n" % (self.branch, self.pushes)}, **more)["sha"]
            if self.pushes == 1:
                return None
            self.view["head"]["sha"] = self.head
            return json.dumps({"action": "synchronize", "number": self.number,
                               "pull_request": self.view, "repository": self.view["base"]["repo"],
                               "sender": self.view["user"]})


class Place:
    """A stand-in with some repositories, and a host that knows them all."""

    def __init__(self, names):
        self.s = s = scene.github()
        self.names = [scene.REPOSITORY] + names
        self.ids = {scene.REPOSITORY: s.made["id"]}
        self.tokens = {}
        for name in names:
            self.ids[name] = s.post("repos", full_name=name, source=s.repo.path)["id"]
        self.host = scene.Host(s, limits={"queue-jobs": 5000}, token=lib.TOKEN)
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

    def submit(self, pull):
        """(exit code, output) of one push and its check."""
        payload = pull.push()
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

    def peak_kb(self):
        return int(next(l for l in self.proc("status").splitlines() if "VmHWM" in l).split()[1])

    def cpu_ms(self):
        return int(self.proc("schedstat").split()[0]) / 1e6

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.daemon.process.pid))

    def idle_ms(self, seconds=5):
        """Processor time of the daemon in a second while nobody wants anything."""
        before = self.cpu_ms()
        time.sleep(seconds)
        return (self.cpu_ms() - before) / seconds


def move_clock(place, stop, moved):
    """Move the stand-in's clock past each limit that somebody has met."""
    seen = {}
    while not stop.wait(0.2):
        for at, budget in enumerate(place.s.control("GET", "limits")["budgets"]):
            if budget["refused"] > seen.get(at, 0):
                seen[at] = budget["refused"]
                moved.append(budget["allowed_in"])
                place.s.post("clock", advance=budget["allowed_in"])


def client(place, pull, count, failed):
    for _ in range(count):
        code, out = place.submit(pull)
        if code != 0:
            failed.append((pull.name, pull.number, code, out[-500:]))


class Table:
    def __init__(self):
        self.missed = 0

    def row(self, what, got, goal=None, good=True):
        self.missed += not good
        print("%-44s %-22s %s" % (what, got, "" if goal is None else "%s: %s" % (
            goal, "ok" if good else "MISSED")), flush=True)


def out_of_order(place, there):
    """How many final statuses of a repository name an older job than the one before."""
    jobs = {url: number for number, url in place.query("SELECT id, run_url FROM job")}
    order = [jobs[x["target_url"]] for x in there["statuses"]]
    return sum(b < a for a, b in zip(order, order[1:]))


def judge_pulls(place, pulls, table):
    """What GitHub has to show at the end."""
    there = {name: place.s.control("GET", "repos/" + name) for name in place.names}
    comments = newest = final = 0
    for pull in pulls:
        ours = [c["body"] for c in there[pull.name]["comments"] if c["issue"] == pull.number]
        comments += len(ours) == 1
        newest += any(pull.head[:7] in body for body in ours)
        final += [x["state"] for x in there[pull.name]["statuses"]
                  if x["sha"] == pull.head][-1:] == ["success"]
    last = {(n, x["sha"]): x["state"] for n in there for x in there[n]["statuses"]}
    wrong = sum(out_of_order(place, one) for one in there.values())
    table.row("one comment on each pull request", "%d of %d" % (comments, len(pulls)), "all",
              comments == len(pulls))
    table.row("… about the newest push", newest, "all", newest == len(pulls))
    table.row("final status on the newest push", final, "all", final == len(pulls))
    table.row("heads left pending", list(last.values()).count("pending"), "0",
              "pending" not in last.values())
    table.row("published before an older job", wrong, "0", wrong == 0)


def load(jobs, clients, repositories):
    place = Place(["octo/r%d" % i for i in range(1, repositories)])
    pulls = [Pull(place.s, place.names[i % repositories], "topic-%d" % i)
             for i in range((clients + 1) // 2)]
    place.s.post("limits", on=True, announce=ANNOUNCED_S)
    for at, name in enumerate(place.names):
        place.s.post("limits/used", token="token-of-" + name, used=800 if at % 2 else 4000)
    stop, moved, failed = threading.Event(), [], []
    clock = threading.Thread(target=move_clock, args=(place, stop, moved))
    clock.start()
    begun = time.monotonic()
    workers = [threading.Thread(target=client, args=(
        place, pulls[i // 2], jobs // clients + (i < jobs % clients), failed))
        for i in range(clients)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lib.wait_for(lambda: place.query("SELECT count(*) FROM job WHERE state <> 'done'") == [(0,)],
                 "all jobs to be done", 3600)
    took = time.monotonic() - begun
    stop.set()
    clock.join()
    table = Table()
    counts = dict(place.query("SELECT verdict, count(*) FROM job GROUP BY verdict"))
    budgets = place.s.control("GET", "limits")["budgets"]
    table.row("jobs, clients, repositories", "%d, %d, %d" % (jobs, clients, repositories))
    table.row("took", "%.0f s, %.0f h of GitHub's" % (took, (took + sum(moved)) / 3600))
    table.row("jobs done", sum(counts.values()), jobs, sum(counts.values()) == jobs)
    table.row("… not held", sum(counts.values()) - counts.get("held", 0), "0",
              counts == {"held": jobs})
    table.row("steps that ended with another code", len(failed), "0", not failed)
    owed = place.query("SELECT count(*) FROM message")[0][0]
    table.row("messages still owed", owed, "0", owed == 0)
    judge_pulls(place, pulls, table)
    for what in "asked", "refused":
        table.row("requests %s" % what, sum(b[what] for b in budgets))
    polled = sum(b["polled"] for b in budgets)
    table.row("… before it was time", polled, "0", polled == 0)
    table.row("daemon's memory, at most", "%d KiB" % place.peak_kb(), "20 MiB",
              place.peak_kb() <= GOAL_KB)
    idle = place.idle_ms()
    table.row("daemon's processor time in an idle second", "%.2f ms" % idle, "0.0 %", idle < 0.5)
    for one in failed[:5]:
        print(one)
    return table.missed


def size_of(folder):
    """(KiB, files) of a folder."""
    names = [os.path.join(d, f) for d, _, files in os.walk(folder) for f in files]
    return sum(os.lstat(n).st_blocks for n in names) // 2, len(names)


def row(count):
    place = Place([])
    pull = Pull(place.s, scene.REPOSITORY, "topic")
    missed = 0
    print("%8s %10s %12s %12s %12s %6s %10s" % ("checks", "s/check", "repos KiB", "repos files",
                                                "jobs KiB", "fds", "VmHWM KiB"))
    for part in range(10):
        begun = time.monotonic()
        some = (part + 1) * count // 10 - part * count // 10
        for _ in range(some):
            code, out = place.submit(pull)
            missed += code != 0
            if code != 0:
                print(out[-500:])
        took = time.monotonic() - begun
        repos, files = size_of(place.host.state + "/repos")
        print("%8d %10.3f %12d %12d %12d %6d %10d" % (
            (part + 1) * count // 10, took / max(some, 1), repos, files,
            size_of(place.host.state + "/jobs")[0], place.descriptors(), place.peak_kb()), flush=True)
    print("checks that did not hold: %d" % missed)
    return missed


def main():
    parser = argparse.ArgumentParser(description="many jobs under GitHub's limits")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--repositories", type=int, default=2)
    parser.add_argument("--row", type=int)
    args = parser.parse_args()
    sys.exit(1 if (row(args.row) if args.row else
                   load(args.jobs, args.clients, args.repositories)) else 0)


main()
