# SPDX-License-Identifier: Apache-2.0
"""`ci/first-day cpu --quick`: it is killed on the way and goes on, what it leaves is whole and tells
nothing private, and its page says what its files say."""

import hashlib
import json
import os
import re
import signal
import statistics
import subprocess
import tarfile

import first_day_page
import lib
from lib import eq, has, lacks, ok

SCRIPT = os.path.join(lib.TOP, "ci", "first-day")
OUTPUT = lib.temp_dir()
BUNDLE = os.path.join(OUTPUT, "baselines", "cpu")
STEPS = ["doctor", "environment", "verify", "calibrate", "baseline", "pulls", "sweep"]
SECRET = "a-secret-of-the-environment"


def environment(**more):
    return {**os.environ, "CI_TOKEN": SECRET, **more}


def first_day(*words, **more):
    return lib.run([SCRIPT, *words], env=environment(**more), seconds=300)


def load(name):
    return json.loads(lib.read(os.path.join(BUNDLE, name)))


def files():
    return sorted(os.path.relpath(os.path.join(at, name), BUNDLE)
                  for at, _, names in os.walk(BUNDLE) for name in names)


def hidden(folder):
    """Processes that were started for this folder and are still there"""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = lib.read("/proc/%s/cmdline" % pid)
        except OSError:
            continue
        if folder in words or temporary() in words:
            found.append(words)
    return found


def temporary():
    return "ratchet-first-day-" + hashlib.sha256(OUTPUT.encode()).hexdigest()[:12]


def as_it_was(out):
    """The steps that were not done again"""
    return [name for name, how in re.findall(r"of 7  (\w+) .*\n(?: +#.*\n)*      ([a-z ]+),", out)
            if how == "as it was"]


def killed_and_whole():
    """Killed while its daemon is at work, it leaves none behind, and goes on after the last whole step"""
    process = lib.start([SCRIPT, "cpu", "--quick", "--output", OUTPUT], env=environment(),
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    lib.wait_for(lambda: any("ratchetd\0" in words for words in hidden(OUTPUT)), "the daemon of the fifth step")
    lib.kill(process, signal.SIGKILL)
    lib.wait_for(lambda: not hidden(OUTPUT), "whatever it had started to end")
    result = first_day("cpu", "--quick", "--output", OUTPUT)
    eq(as_it_was(result.out)[:4], STEPS[:4], "four steps are not done again")
    ok(result.code in (0, 1), "it comes to its end", str(result))
    eq(result.code == 0, "All as expected." in result.out, "0 says that all is as expected")
    before = {name: lib.read(os.path.join(BUNDLE, name)) for name in files()}
    again = first_day("cpu", "--quick", "--output", OUTPUT)
    eq(as_it_was(again.out), STEPS, "nothing is done a third time")
    eq(again.code, result.code, "and it ends alike")
    eq({name: lib.read(os.path.join(BUNDLE, name)) for name in files()}, before, "with the same bundle")
    ok(not os.path.exists(os.path.join(lib.tempfile.gettempdir(), temporary())), "its temporary folder is gone")


def bundle_is_whole():
    """Each file is there, named with its sum, and in the archive"""
    found = files()
    for name in ("baseline.json", "calibration.json", "first-day/README.md", "first-day/doctor.txt",
                 "first-day/env.json", "first-day/pool.jsonl", "first-day/pulls.json", "first-day/pulls/1-slow.md",
                 "first-day/steps.json", "first-day/sweep/sweep.json", "first-day/sweep/sweep.html",
                 "first-day/sweep/samples.json", "first-day/verify.json"):
        ok(name in found, name)
    schemas = {name: load(name)["schema"] for name in found if name.endswith(".json")}
    eq(schemas["baseline.json"], "ratchet.baseline/1", "baseline.json is one")
    eq(schemas["calibration.json"], "ratchet.calibration/1", "calibration.json is one")
    summed = lib.run(["sha256sum", "--strict", "-c", "first-day/SHA256SUMS"], cwd=BUNDLE)
    eq(summed.code, 0, "the sums are right")
    eq(sorted(line.split(": ")[0] for line in summed.out.splitlines()),
       [name for name in found if name != "first-day/SHA256SUMS"], "and are of all files")
    with tarfile.open(os.path.join(OUTPUT, "first-day-cpu.tar.gz")) as archive:
        inside = archive.getmembers()
    eq(sorted(one.name for one in inside if one.isfile()), ["baselines/cpu/" + name for name in found],
       "the archive has the same files")
    eq({(one.uid, one.uname, one.mtime) for one in inside}, {(0, "", 0)}, "and says not whose")
    eq(load("first-day/pulls.json")["pulls"][1]["verdict"], "held", "a comment is held in any weather")
    eq([one["expected"] for one in load("first-day/pulls.json")["pulls"]],
       ["regressed", "held", "held", "unmeasured", "improved"], "five pull requests")


def nothing_private():
    """Neither host, user, paths nor tokens"""
    host = os.uname().nodename
    for name in files():
        text = lib.read(os.path.join(BUNDLE, name))
        bad = [word for word in (SECRET, lib.TOKEN, OUTPUT, lib.TOP + "/", lib.tempfile.gettempdir() + "/", "/root/")
               if word in text]
        bad += [host] if len(host) > 2 and re.search(r"\b%s\b" % re.escape(host), text) else []
        ok(not bad, name, bad)


def cells(page, head):
    """Rows of the table of the page that begins with these words, without its heading"""
    part = page[page.index("| " + head):].split("\n\n", 1)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in part.strip().splitlines()[2:]]


def page_tells_the_files():
    """Each number of the page is one of a file"""
    page = lib.read(os.path.join(BUNDLE, "first-day", "README.md"))
    steps, calibration = load("first-day/steps.json"), load("calibration.json")
    eq(cells(page, "step |"), [[one["name"], one["state"], "%.1f" % one["seconds"], one["outcome"]]
                               for one in steps["steps"]], "the steps")
    sd = {one["name"]: one["readings"][0]["sd"] for one in calibration["configs"]}
    eq([row[:2] + row[3:4] for row in cells(page, "config | µs a launch | H200")],
       [[one["name"], "%.2f" % (statistics.median(map(statistics.median, one["replicates"])) / 1000),
         "%.3f%%" % (100 * sd[one["name"]])] for one in load("baseline.json")["configs"]], "times and scatter")
    rates = {row[0]: row[1:] for row in cells(page, " | here")}
    held = next(one for one in calibration["checks"] if one["change"] == 0)["verdicts"]["held"][0]
    eq([rates["processes"], rates["nothing changed: held"]],
       [["8", "203"], ["%.2f%%" % (100 * held), "100.00%"]], "the calibration, beside an H200's")
    eq([[row[1], row[2], row[4]] for row in cells(page, "pull request")],
       [[one["expected"], one["verdict"], "%.1f" % one["seconds"]] for one in load("first-day/pulls.json")["pulls"]],
       "the pull requests")
    eq([row[2] for row in cells(page, "config | kernel")],
       ["%.2f" % (arm["median_ns"][0] / 1000) for one in load("first-day/sweep/sweep.json")["configs"]
        for arm in one["arms"]], "the sweep")
    has(page, "To be committed: nothing: it is a rehearsal", "what not to do with it")
    for one in load("first-day/pulls.json")["pulls"]:
        eq("pull request `%s`" % one["name"] in page, one["verdict"] != one["expected"], one["name"] + ": told if unlike")


def figures_that_deviate():
    """Each kind of thing that is unlike what is expected is told, from the files alone"""
    folder = lib.temp_dir()

    def put(name, data):
        lib.write(os.path.join(folder, name), data if isinstance(data, str) else json.dumps(data))
    calibration = json.loads(lib.read(os.path.join(first_day_page.H200, "calibration.json")))
    steps = {"device": "nvidia-l4", "quick": False, "commit": "1234", "not_to_commit": None, "steps": []}
    put("first-day/steps.json", steps)
    put("calibration.json", calibration)
    eq(first_day_page.deviations(folder), [], "an H200 as it was calibrated is as expected")
    has(first_day_page.page(folder, []), "To be committed: the folder `baselines/nvidia-l4`; its anchor is 1234", "to commit")
    put("first-day/doctor.txt", "ok    sandbox  fine\nFAIL    lock   /run/x: no\nnote    clocks   no right to\n"
        "note    alone  1 other process\nnote  ratchetd  not there\n")
    put("first-day/pool.jsonl", "{}\n" + "".join(json.dumps({"configs": [{"marks": ["shared"]} if n < 2 else {}]}) + "\n"
                                                 for n in range(10)))
    put("first-day/verify.json", {"configs": [{"name": "p007", "failure": "wrong result"}, {"name": "p008"}]})
    put("first-day/pulls.json", {"pulls": [{"name": name, "expected": "held", "verdict": verdict, "reason": "straddles"}
                                           for name, verdict in (("a", "held"), ("b", "unclear"))]})
    put("first-day/steps.json", {**steps, "steps": [{"name": "sweep", "state": "failed", "outcome": "no disk"}]})
    calibration["configs"][0]["readings"][0]["sd"] = 0.0046
    calibration["identical"]["wrong"], calibration["smallest_change"] = 11, 0.01
    for one in calibration["checks"]:
        one["verdicts"].update({word: [0.98, 0.97, 0.99] for word in ("held", "regressed", "improved")})
    put("calibration.json", calibration)
    found = first_day_page.deviations(folder)
    for text in ("doctor: lock: /run/x: no", "clocks cannot be locked", "others use the card", "sweep could not run: no disk",
                 "problem `p007`: wrong result", "scatters by 0.46% between processes; the rule wants at most 0.45%",
                 "called in 0.11%", "nothing changed: held in 98.00%", "4% slower: regressed in 98.00%",
                 "4% faster: improved in 98.00%", "told from none is 1.00%", "2 of 10 processes are marked (shared)",
                 "pull request `b`: unclear, expected held (straddles)"):
        eq(sum(text in one for one in found), 1, text)
    ok(len(found) == 13, "and nothing else", *found)
    eq(first_day_page.what_to_commit(folder)[:11], "nothing yet", "what has not come to its end is not committed")


def what_deviates():
    """A step whose file is gone is done again; what cannot run is said, and the rest goes on"""
    with open(os.path.join(BUNDLE, "first-day", "doctor.txt"), "a") as out:
        out.write("FAIL  sandbox  bwrap is not installed\n")
    os.unlink(os.path.join(BUNDLE, "first-day", "verify.json"))
    notes = {"path.txt": "see /home/somebody/notes", "card.txt": "GPU-01234567-89ab-cdef-0123-456789abcdef",
             "token.txt": SECRET, "address.txt": "10.1.2.3", "version.txt": "cuDNN 9.10.2.21, 12.8.93"}
    for name, text in notes.items():
        lib.write(os.path.join(BUNDLE, "notes", name), text)
    result = first_day("cpu", "--quick", "--output", OUTPUT, RATCHET="/bin/false")
    eq(result.code, 3, "two steps could not run")
    eq(as_it_was(result.out), ["environment", *STEPS[3:]], "the others stay as they were")
    has(result.out, "verify could not run: `ratchet verify` ended with 1", "the reason")
    private = re.findall(r"notes/(\w+)\.txt holds (.*): take it out", result.out)
    eq(sorted(private), [("address", "an address"), ("card", "a GPU's UUID"), ("path", "an absolute path"),
                         ("token", "the value of CI_TOKEN")], "what is private is found, and only that")
    has(lib.read(os.path.join(BUNDLE, "first-day", "README.md")), "notes/card.txt holds a GPU's UUID", "also on the page")
    other = first_day("cpu", "--output", OUTPUT)
    eq(other.code, 64, "the same folder for something else")
    has(other.err, "give another --output", "is refused")
    for words in ((), ("gpu!",), ("cpu", "--slow")):
        eq(first_day(*words).code, 64, "usage: %s" % " ".join(words))
    lacks(result.out, "Traceback", "no traceback")


lib.main(killed_and_whole, bundle_is_whole, nothing_private, page_tells_the_files,
         figures_that_deviate, what_deviates)
