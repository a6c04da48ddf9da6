#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many jobs under GitHub's limits, by hand: minutes.

    make; export RATCHET=… RATCHETD=… RATCHET_BENCH=…   (absolute paths of the programs)
    load.py [--jobs 1000] [--clients 50] [--repositories 2]

Clients that push to pull requests, two to each, and submit each push; nothing under
[kernel] path changes, so nothing is measured. The stand-in enforces GitHub's limits: 5 000 requests
an hour of a token, 1 000 an hour of a repository for the tokens of its jobs (every second
repository), 80 writes a minute and 500 an hour; four fifths of the first two are used up. It announces waits of 2 s at most, and its clock is
moved on past each. Checked: no job lost, none unmeasured, published in order, one comment about the
newest push and a final status on it, nobody asked before it was time, memory and idle CPU.

Prints a table; exit 1 where a goal is missed."""

import argparse
import sys
import threading
import time

sys.dont_write_bytecode = True

from place import Place, Pull, Table, lib

ANNOUNCED_S = 2
GOAL_KB = 20 * 1024


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
    table.row("daemon's memory, at most", "%d KiB" % place.status_of("VmHWM"), "20 MiB",
              place.status_of("VmHWM") <= GOAL_KB)
    table.row("daemon's processor time for a job", "%.1f ms" % (place.cpu_ms() / jobs))
    idle = place.idle_ms()
    table.row("daemon's processor time in an idle second", "%.2f ms" % idle, "0.0 %", idle < 0.5)
    for one in failed[:5]:
        print(one)
    return table.missed


def main():
    parser = argparse.ArgumentParser(description="many jobs under GitHub's limits")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--repositories", type=int, default=2)
    args = parser.parse_args()
    sys.exit(1 if load(args.jobs, args.clients, args.repositories) else 0)


main()
