# SPDX-License-Identifier: Apache-2.0
"""A first day with a device, from whether its host can measure to a bundle to send. Run by ci/first-day,
which says how. A step whose files are there as it left them is not done again."""

import argparse
import atexit
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

import first_day_bundle as bundle
import first_day_page as page
import first_day_source as source
import first_day_steps as steps
import lib

EXPECTED, DEVIATES, COULD_NOT, USAGE = 0, 1, 3, 64
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """No daemon and no recording outlives a first day, however it ends"""
    import ctypes
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def refuse(text):
    print("first-day: " + text, file=sys.stderr)
    sys.exit(USAGE)


def options():
    parser = argparse.ArgumentParser(prog="ci/first-day", description=__doc__)
    parser.add_argument("device", help="nvidia-l4, another GPU's slug, or cpu")
    parser.add_argument("--quick", action="store_true", help="a rehearsal, a minute: small problems, few processes")
    parser.add_argument("--config", type=os.path.abspath, help="this host's ratchetd.conf: its lanes and limits")
    parser.add_argument("--output", type=os.path.abspath, help="where all of it goes (first-day-DEVICE)")
    parser.exit_on_error = False
    try:
        given = parser.parse_args()
    except (argparse.ArgumentError, SystemExit) as why:
        if isinstance(why, SystemExit) and why.code == 0:
            raise
        sys.exit(USAGE)
    if not re.fullmatch(r"cpu|nvidia-[a-z0-9-]+", given.device):
        refuse("DEVICE: expected cpu or a slug such as nvidia-l4, not `%s`" % given.device)
    given.output = given.output or os.path.abspath("first-day-" + given.device)
    return given


def hold(folder):
    """One at a time in a folder; held until we end"""
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        refuse("another one is at work in " + folder)
    return lock


def hold_to(day):
    """What is in the folder was asked for in the same words, and is of the same commit"""
    words = {"device": day.device, "quick": day.quick, "conf": day.conf.text(),
             "kernel": bundle.digest(os.path.join(lib.TOP, day.kernel))}
    path = os.path.join(day.work, "asked.json")
    if not os.path.exists(path):
        why = source.why_not_ours(day.conf)
        lib.write(path + ".part", json.dumps(
            {"words": words, "why_not_ours": why, "commit": None if why else source.git("rev-parse", "HEAD")}))
        os.replace(path + ".part", path)
    asked = bundle.load(path)
    if asked["words"] != words:
        refuse("%s holds the first day of another kernel, device or ci/ratchet.conf: give another --output" % day.work)
    day.commit, day.why_not_ours = asked["commit"], asked["why_not_ours"]


def own_temporary_folder(output):
    """Below the system's, so that the sandbox's user passes; what a killed one left is taken away"""
    folder = os.path.join(tempfile.gettempdir(), "ratchet-first-day-" + hashlib.sha256(output.encode()).hexdigest()[:12])
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    os.chmod(folder, 0o755)
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def minutes(seconds):
    return "%d s" % seconds if seconds < 100 else "%d min" % (seconds / 60 + 0.5)


class Progress:
    """One line as a step begins, one as it ends"""

    def __init__(self, quick):
        self.began, self.quick = time.monotonic(), quick

    def begin(self, place, name):
        left = sum(one[2] for one in steps.STEPS[place:]) * (1 if self.quick else 60)
        print("%d of %d  %s … (%s so far, about %s left)" % (
            place + 1, len(steps.STEPS), name, minutes(time.monotonic() - self.began), minutes(left)), flush=True)

    @staticmethod
    def end(row, again=False):
        how = "as it was" if again else row["state"]
        print("      %s, %s: %s" % (how, minutes(row["seconds"]), row["outcome"]), flush=True)


def record_of(day, name):
    return os.path.join(day.work, "done-%s.json" % name)


def done_before(day, name):
    """The row of a step that was done and whose files are whole, else None"""
    try:
        kept = bundle.load(record_of(day, name))
    except (OSError, ValueError):
        return None
    return kept["row"] if bundle.digests(day.bundle, kept["files"]) == kept["files"] else None


def do(day, name, work, files):
    """One step; its row for the page. What was done leaves a record, written last"""
    began = time.monotonic()
    try:
        state, outcome = "done", work(day)
    except steps.Skipped as why:
        state, outcome = "skipped", str(why)
    except (Exception, SystemExit) as why:
        lib.write(os.path.join(day.work, name + ".failed"), traceback.format_exc())
        state, outcome = "failed", (str(why).strip() or repr(why)).splitlines()[-1]
    row = {"name": name, "state": state, "outcome": bundle.scrub(outcome), "seconds": round(time.monotonic() - began, 1)}
    found = bundle.digests(day.bundle, files)
    if state == "done" and found is None:
        row.update(state="failed", outcome="it left no file")
    if row["state"] == "done":
        path = record_of(day, name)
        lib.write(path + ".part", json.dumps({"files": found, "row": row}))
        os.replace(path + ".part", path)
    return row


def all_steps(day):
    rows = []
    progress = Progress(day.quick)
    for place, (name, work, _, files) in enumerate(steps.STEPS):
        progress.begin(place, name)
        before = done_before(day, name)
        row = before or do(day, name, work, files)
        progress.end(row, again=before is not None)
        rows.append(row)
    return rows


def finish(day, rows, output):
    """Page, checksums and the one file to send; what deviates"""
    lib.write(day.file("first-day/steps.json"), json.dumps({
        "schema": "ratchet.first-day/1", "device": day.device, "quick": day.quick,
        "commit": day.repo().sha("main"), "not_to_commit": day.why_not_ours, "steps": rows}, indent=2) + "\n")
    readme = day.file("first-day/README.md")
    found = page.deviations(day.bundle)
    lib.write(readme, page.page(day.bundle, found))
    private = bundle.private(day.bundle)
    if private:
        found += ["%s holds %s: take it out before you send it" % one for one in private]
        lib.write(readme, page.page(day.bundle, found))
    archive = os.path.join(output, "first-day-%s.tar.gz" % day.device)
    bundle.seal(day.bundle, archive)
    print("\nPage:       %s\nTo send:    %s\nTo commit:  %s\n" % (
        readme, archive, page.what_to_commit(day.bundle)))
    print("All as expected." if not found else "Not as expected:\n" + "\n".join("  - " + one for one in found))
    return found


def stop(*_):
    raise KeyboardInterrupt


def main():
    given = options()
    lib.before_exec = die_with_parent
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    lock = hold(os.path.join(given.output, "work"))
    own_temporary_folder(given.output)
    day = steps.Day(given.device, given.quick, given.config, given.output)
    hold_to(day)
    try:
        rows = all_steps(day)
        found = finish(day, rows, given.output)
    except KeyboardInterrupt:
        print("first-day: stopped; the same command goes on", file=sys.stderr)
        return COULD_NOT
    lock.close()
    return COULD_NOT if any(row["state"] == "failed" for row in rows) else DEVIATES if found else EXPECTED


sys.exit(main())
