# SPDX-License-Identifier: Apache-2.0
"""The page of a first day, from the files of the bundle alone: what came, beside what an H200 read, and
what deviates from what is expected."""

import os
import re
import statistics

import first_day_bundle as bundle
import lib

H200 = os.path.join(lib.TOP, "baselines", "nvidia-h200")
SCATTER = 0.0045  # sd of a process's log ratio; there +4% is called in 98.65% of checks (README), 99% is the goal
CALLED, ERRS, SEEN = 0.99, 0.001, 0.005  # goals: shares of checks; the smallest change told from none
MARKED = 0.1  # share of processes
FACTS = ["gpu", "cpu", "cores", "compute_capability", "driver", "cuda", "gpu_memory", "mig", "ecc", "persistence",
         "power_limit", "max_sm_clock", "clock_policy", "clock_resolution", "sandbox", "os"]


def have(folder, name):
    path = os.path.join(folder, name)
    return bundle.load(path) if os.path.exists(path) else None


def percent(value, digits=2):
    return "–" if value is None else "%.*f%%" % (digits, 100 * value)


def signed(value):
    return "–" if value is None else "%+.2f%%" % (100 * value)


def table(heads, rows):
    return "\n".join("| %s |" % " | ".join(str(cell).replace("|", "\\|") for cell in row)
                     for row in [heads, ["---"] * len(heads), *rows]) + "\n"


# ---- figures ----

def launches(baseline):
    """{config: us of a launch}: the median over processes of each one's median"""
    return {one["name"]: statistics.median(map(statistics.median, one["replicates"])) / 1e3
            for one in baseline["configs"]} if baseline else {}


def scatter(calibration):
    """{config: sd over processes of what two copies of one binary read}"""
    return {one["name"]: next(read["sd"] for read in one["readings"] if read["change"] == 0)
            for one in calibration["configs"]} if calibration else {}


def share(calibration, what, verdict):
    """Of the checks of which this is true, how many said that"""
    for one in calibration["checks"] if calibration else ():
        if one["what"] == what:
            return one["verdicts"][verdict][0]
    return None


def marks(folder):
    """(processes of the pool with a mark, processes, which marks)"""
    path = os.path.join(folder, "first-day", "pool.jsonl")
    if not os.path.exists(path):
        return None
    lines = [bundle.json.loads(line) for line in lib.read(path).splitlines()[1:]]
    found = [{mark for config in line["configs"] for mark in config.get("marks", ())} for line in lines]
    return sum(map(bool, found)), len(found), ", ".join(sorted(set().union(*found)))


def doctor_lines(folder):
    path = os.path.join(folder, "first-day", "doctor.txt")
    return lib.read(path).splitlines() if os.path.exists(path) else []


# ---- what deviates ----

def of_host(folder):
    found = []
    for line in doctor_lines(folder):
        word, _, rest = line.partition(" ")
        rest = re.sub(" {2,}", ": ", rest.strip(), count=1)
        if word == "FAIL":
            found.append("doctor: %s" % rest)
        elif word == "note" and rest.startswith("clocks"):
            found.append("the clocks cannot be locked (%s): leave `clock-lock` out, or give ratchetd the right" % rest)
        elif word == "note" and rest.startswith("alone"):
            found.append("others use the card (%s)" % rest)
    return found


def of_calibration(calibration):
    """Goals are those of a threshold of 3%; for a rehearsal's they are as much wider as it is"""
    wider = calibration["rule"]["threshold"] / 0.03
    found = ["`%s` scatters by %s between processes; the rule wants at most %s" % (
        name, percent(sd), percent(wider * SCATTER)) for name, sd in scatter(calibration).items() if sd > wider * SCATTER]
    wrong = calibration["identical"]["wrong"] / calibration["identical"]["checks"]
    if wrong > ERRS:
        found.append("checks of one binary against itself were called in %s" % percent(wrong))
    truths = [("nothing changed", "held"), ("4% slower", "regressed"), ("4% faster", "improved")]
    for what, verdict in truths if wider == 1 else truths[:1]:
        rate = share(calibration, what, verdict)
        if rate is not None and rate < CALLED:
            found.append("%s: %s in %s of checks, %s expected" % (what, verdict, percent(rate), percent(CALLED, 0)))
    smallest = calibration["smallest_change"]
    if smallest is None or smallest > wider * SEEN:
        found.append("the smallest change that is told from none is %s; at most %s expected" % (
            percent(smallest), percent(wider * SEEN)))
    return found


def deviations(folder):
    """Lines for people; none where all is as expected"""
    found = of_host(folder)
    for row in have(folder, "first-day/steps.json")["steps"]:
        if row["state"] == "failed":
            found.append("%s could not run: %s" % (row["name"], row["outcome"]))
    verified = have(folder, "first-day/verify.json")
    for one in verified["configs"] if verified else ():
        if "failure" in one:
            found.append("verify: problem `%s`: %s" % (one["name"], one["failure"]))
    calibration, marked = have(folder, "calibration.json"), marks(folder)
    if calibration is not None:
        found += of_calibration(calibration)
    if marked is not None and marked[0] > MARKED * marked[1]:
        found.append("%d of %d processes are marked (%s)" % marked)
    told = have(folder, "first-day/pulls.json")
    for one in told["pulls"] if told else ():
        if one["verdict"] != one["expected"]:
            found.append("pull request `%s`: %s, expected %s (%s)" % (
                one["name"], one["verdict"], one["expected"], one["reason"]))
    return found


# ---- the page ----

def steps_part(steps):
    return "## What ran\n\n" + table(["step", "", "seconds", "what came"], [
        [row["name"], row["state"], "%.1f" % row["seconds"], row["outcome"]] for row in steps["steps"]])


def host_part(folder):
    env, theirs = have(folder, "first-day/env.json"), have(H200, "baseline.json")
    if env is None:
        return ""
    mine, other = env["environment"], theirs["configs"][0]["environment"] if theirs else {}
    return "\n## Where\n\n" + table(["fact", "here", "H200"], [
        [name, mine.get(name, "–"), other.get(name, "–")] for name in FACTS if name in mine])


def times_part(folder):
    mine, other = launches(have(folder, "baseline.json")), launches(have(H200, "baseline.json"))
    sd, their_sd = scatter(have(folder, "calibration.json")), scatter(have(H200, "calibration.json"))
    rows = [[name, "%.2f" % mine[name] if name in mine else "–", "%.2f" % other[name] if name in other else "–",
             percent(sd.get(name), 3), percent(their_sd.get(name), 3)] for name in mine or sd]
    return "\n## Times, and how far a kernel is from itself\n\n" + table(
        ["config", "µs a launch", "H200", "scatter between processes", "H200"], rows) + (
        "\nScatter: standard deviation over processes of the ratio of two copies of one binary.\n")


RATES = [("nothing changed", "held"), ("1% slower", "held"), ("4% slower", "regressed"), ("4% faster", "improved")]
RATE_NAMES = ["processes", *("%s: %s" % one for one in RATES), "same binary, called", "smallest change seen",
              "seconds of a process, three arms"]


def rates(calibration):
    """A value for each of RATE_NAMES"""
    if calibration is None:
        return ["–"] * len(RATE_NAMES)
    called = calibration["identical"]["wrong"] / calibration["identical"]["checks"]
    return [calibration["processes"], *(percent(share(calibration, *one)) for one in RATES), percent(called),
            percent(calibration["smallest_change"]), calibration["replicate_seconds"]]


def calibration_part(folder):
    mine, marked = have(folder, "calibration.json"), marks(folder)
    if mine is None:
        return ""
    rows = zip(RATE_NAMES, rates(mine), rates(have(H200, "calibration.json")))
    which = " (%s)" % marked[2] if marked and marked[2] else ""
    return "\n## How often the rule is right\n\n" + table(["", "here", "H200"], rows) + (
        "\n%d of %d processes are marked%s.\n" % (*marked[:2], which) if marked else "")


def pulls_part(folder):
    told = have(folder, "first-day/pulls.json")
    if told is None:
        return ""
    rows = []
    for one in told["pulls"]:
        changes = [config["change"] for config in one["configs"] if config["change"] is not None]
        rows.append([one["title"], one["expected"], one["verdict"],
                     signed(max(changes, key=abs) if changes else None), "%.1f" % one["seconds"]])
    return "\n## Five pull requests\n\n" + table(
        ["pull request", "expected", "came", "largest change", "seconds"], rows) + (
        "\nTheir comments, as posted, are in `pulls/`.\n")


def sweep_part(folder):
    swept = have(folder, "first-day/sweep/sweep.json")
    if swept is None:
        return ""
    rows = []
    for config in swept["configs"]:
        for arm in config["arms"]:
            rows.append([config["name"], arm["name"], "%.2f" % (arm["median_ns"][0] / 1e3) if arm["median_ns"] else "–",
                         "%.3f" % arm["time_over_first"][0] if arm["time_over_first"][0] else "–"])
    absent = ["%s is not here: %s.\n" % (one["name"], one["absent"])
              for one in swept["implementations"] if one.get("absent")]
    return "\n## Beside PyTorch\n\n" + table(["config", "kernel", "µs a launch", "time over ours"], rows) + (
        "\n" + "".join(absent) if absent else "") + "\nMore in `sweep/sweep.md`.\n"


def what_to_commit(folder):
    steps = have(folder, "first-day/steps.json")
    if steps["not_to_commit"] is not None:
        return "nothing: %s, and `baseline.json` names a commit that nobody else has" % steps["not_to_commit"]
    if any(row["state"] == "failed" for row in steps["steps"]):
        return "nothing yet: a step could not run; the same command does it again"
    return "the folder `baselines/%s`; its anchor is %s" % (steps["device"], steps["commit"])


def send_part(folder):
    commit = "To be committed: %s.\n" % what_to_commit(folder)
    return ("\n## What to send\n\n" + commit + "\nThe archive beside `baselines` has the same files. From here, "
            "`cd .. && sha256sum -c first-day/SHA256SUMS` says whether they are whole. In them are the names of the "
            "card, the processor, the system and the compilers; of the card's UUID a hash (`gpu_id`), which tells one "
            "card from another. Names of host and user, paths, tokens and UUIDs were looked for.\n\n"
            "A step is done again by the same command, once a file that it left is gone.\n")


def page(folder, found):
    steps = have(folder, "first-day/steps.json")
    title = "# A first day with `%s`%s\n\n" % (steps["device"], ", a rehearsal" if steps["quick"] else "")
    text = "All is as expected.\n\n" if not found else "**Not as expected:**\n\n%s\n\n" % "\n".join(
        "- " + one for one in found)
    quick = ("Few processes of small problems: read the shape of it, not the figures.\n\n" if steps["quick"] else "")
    return (title + text + quick + steps_part(steps) + host_part(folder) + times_part(folder) + calibration_part(folder)
            + pulls_part(folder) + sweep_part(folder) + send_part(folder))
