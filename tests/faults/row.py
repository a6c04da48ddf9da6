#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""As many checks in a row of one repository, by hand, and what grows with them: 20 minutes for 3 000.

    make; export RATCHET=… RATCHETD=… RATCHET_BENCH=…   (absolute paths of the programs)
    row.py [--checks 3000] [--measured 25] [--part 100]

Each is a push to a pull request and a `ratchet submit` of it, to one daemon. Of 25 one changes the
kernel: it is built and measured on the CPU, with a library of its own; the others change words. After each
part main moves, and the next part has pull requests of its own. No limits of GitHub's.

Time goes faster: a tenth of a day passes with each part, by moving the ends of jobs in the database, and
the collector comes every few seconds. `keep-days` is one day, so that ten parts are kept, and `cache-bytes`
so small that most libraries go. What grows with what is kept has grown by then: in the last third of the
row nothing may be larger than in the third before, but for what the tolerances below allow.

Prints a row a part and a table; exit 1 where a goal is missed."""

import argparse
import os
import re
import shutil
import sqlite3
import statistics
import sys
import time

sys.dont_write_bytecode = True

from place import Place, Pull, Table, lib
import scene

LIMITS = {"keep-days": 1, "cache-bytes": 1 << 20, "collect-ms": 5000, "replicates": 8}
PARTS_A_DAY = 10
FOLDERS = "jobs", "repos", "cache", "work"
COLUMNS = tuple(f + w for f in FOLDERS for w in (" KiB", " files")) + (
    "other KiB", "packs", "refs", "rows", "fds", "RSS KiB", "cpu ms", "ms", "ms measured")
# How much more than in the middle third is no growth: a share, and what a moment makes. "ms" are the medians
# of a part's checks as their clients waited, so that others on the machine count; "cpu ms" is the processor
# time of daemon and steps for a check.
TOLERANCES = {"cpu ms": (1.15, 5), "ms": (1.5, 5), "ms measured": (1.5, 50), "RSS KiB": (1.02, 256), "fds": (1, 0),
              "refs": (1, 16), "packs": (1, 2), "rows": (1, 0)}
OTHERS = 1.05, 64


def size_of(folder):
    """(KiB, files) of a folder."""
    kib = files = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                kib += os.lstat(os.path.join(path, name)).st_blocks / 2
                files += 1
            except FileNotFoundError:
                pass
    return round(kib), files


def cache_of(place):
    """(packs, refs) of the repository's bare cache, all its generations."""
    packs = refs = 0
    for path, _, names in os.walk(os.path.join(place.host.state, "repos")):
        packs += sum(name.endswith(".pack") for name in names)
        refs += len(names) if path.endswith("refs/ratchet") else 0
    return packs, refs


def kernel(number):
    """The same kernel, but other bytes."""
    return {"kernels/attention.c": scene.kernel("right") + (
        '\n__attribute__((used)) static const char revision[] = "%d";\n' % number)}


class Row:
    def __init__(self, args):
        self.args = args
        self.place = Place([], LIMITS)
        self.done, self.codes = 0, {}

    def check(self, pulls):
        """(measured, seconds)"""
        measured = self.done % self.args.measured == 0
        begun = time.monotonic()
        code, out = self.place.submit(pulls[measured], kernel(self.done) if measured else None)
        took = time.monotonic() - begun
        self.codes[measured, code] = self.codes.get((measured, code), 0) + 1
        if code not in ((0, 2) if measured else (0,)):
            print(out[-1000:], flush=True)
        shutil.rmtree(os.path.join(self.place.host.folder, "step-pull_request-%d-1" % self.place.runs))
        self.done += 1
        return measured, took

    def pass_time(self):
        """A tenth of a day, and the collector has seen it."""
        path = os.path.join(self.place.host.state, "queue.db")
        db = sqlite3.connect(path, timeout=30)
        with db:
            db.execute("UPDATE job SET finished_s = finished_s - ? WHERE finished_s > 0",
                       (86400 // PARTS_A_DAY,))
        db.close()
        old = "SELECT count(*) FROM job WHERE finished_s < %d" % (time.time() - 86400)
        lib.wait_for(lambda: self.place.query(old) == [(0,)], "the collector")

    def part(self, number):
        """Its figures, by COLUMNS."""
        place, name = self.place, scene.REPOSITORY
        place.s.post("repos/%s/commit" % name, branch="main", message="words",
                     files={"NEWS": "%d\n" % number})
        pulls = {m: Pull(place.s, name, "%s-%d" % ("kernel" if m else "words", number)) for m in (0, 1)}
        times, cpu = {False: [], True: []}, place.steps_cpu_ms()
        for _ in range(self.args.part):
            measured, took = self.check(pulls)
            times[measured].append(took * 1000)
        found = {"cpu ms": (place.steps_cpu_ms() - cpu) / self.args.part}
        self.pass_time()
        for folder in FOLDERS:
            found[folder + " KiB"], found[folder + " files"] = size_of(
                os.path.join(place.host.state, folder))
        found["other KiB"] = size_of(place.host.state)[0] - sum(found[f + " KiB"] for f in FOLDERS)
        found["packs"], found["refs"] = cache_of(place)
        found["rows"] = place.query("SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM message)")[0][0]
        found["fds"], found["RSS KiB"] = place.descriptors(), place.status_of("VmRSS")
        found["ms"], found["ms measured"] = (statistics.median(times[m] or [0]) for m in (False, True))
        # GitHub's side is no part of this: its commits are packed, as theirs are.
        lib.run(["git", "--git-dir", place.s.made["path"], "gc", "-q", "--prune=now"], seconds=600)
        return found


def judge(row, parts, table):
    measured = sum(n for (m, _), n in row.codes.items() if m)
    table.row("checks, measured ones", "%d, %d" % (row.done, measured))
    wrong = sum(n for (m, code), n in row.codes.items() if code not in ((0, 2) if m else (0,)))
    table.row("… that came to no verdict", wrong, "0", wrong == 0)
    unclear = row.codes.get((True, 2), 0)
    table.row("… unclear", unclear)
    third = len(parts) // 3
    for column in COLUMNS if third else ():
        middle, last = parts[third:2 * third], parts[2 * third:]
        of = statistics.median if "ms" in column else max
        before, now = (of([part[column] for part in some]) for some in (middle, last))
        share, more = TOLERANCES.get(column, OTHERS)
        table.row(column + ": %s of middle, last third" % of.__name__, "%d, %d" % (before, now),
                  "at most %.0f" % (before * share + more), now <= before * share + more)
    days = PARTS_A_DAY * row.args.part
    table.row("kept of a check", "%.1f KiB" % (parts[-1]["jobs KiB"] / min(days, row.done)))
    log = lib.read(row.place.daemon.log)
    said = re.findall(r"^ratchetd: (?!job \d+:|sandbox limits|.*, listening on ).*$", log, re.M)
    table.row("other lines of the daemon's log", len(said), "0", not said)
    print("\n".join(said[:10]))


def main():
    parser = argparse.ArgumentParser(description="what grows with a row of checks")
    parser.add_argument("--checks", type=int, default=3000)
    parser.add_argument("--measured", type=int, default=25, help="one of so many")
    parser.add_argument("--part", type=int, default=100)
    args = parser.parse_args()
    row, parts, begun = Row(args), [], time.monotonic()
    widths = [max(len(c), 6) for c in COLUMNS]
    print("checks  " + "  ".join(c.rjust(w) for c, w in zip(COLUMNS, widths)), flush=True)
    for number in range(args.checks // args.part):
        parts.append(row.part(number))
        print("%6d  " % row.done + "  ".join(("%d" % parts[-1][c]).rjust(w)
                                             for c, w in zip(COLUMNS, widths)), flush=True)
    table = Table()
    table.row("took", "%.0f s" % (time.monotonic() - begun))
    judge(row, parts, table)
    sys.exit(1 if table.missed else 0)


main()
