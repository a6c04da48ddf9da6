#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents of a study, made of folders that study_folders.py writes: each sentence for each state of a study, each
number traced to its file, hostile bytes, and what `verify` finds. Measures nothing."""

import hashlib
import json
import os
import re
import shutil
import xml.etree.ElementTree

import browser
import lib
import study_folders as folders
from lib import eq, has, lacks, ok


def driver(verb, path):
    return lib.run([lib.driver("study_driver"), verb, path])


def made(folder):
    path = folder.write()
    result = driver("write", path)
    eq((result.code, result.err), (0, ""), "the documents are made")
    return path


def text_of(path, name="COMBINED_REPORT.md"):
    """As a reader sees it."""
    text = lib.read(os.path.join(path, name)).replace("\u200b", "")
    return re.sub(r"\\(.)", r"\1", text)


def bytes_of(path):
    with open(path, "rb") as source:
        return source.read()


def json_of(path, name):
    return json.loads(lib.read(os.path.join(path, name)))


def verified(path):
    return driver("verify", path)


# ---- what is said ----


def kept():
    """Two proposals kept: best against first, each claim with its interval"""
    path = made(folders.Folder())
    text = text_of(path)
    has(text, re.compile(r"The best kernel found is faster than the first: the first takes 1\.2\d\d× \[1\.2\d\d×, 1\.2\d\d×\]"),
        "the speed-up and its interval")
    has(text, "The target of 1.200× is met: the whole interval is above it.", "the target")
    has(text, "judged improved at 4", "the verdicts")
    for name, arm in (("first", "base"), ("best", "head")):
        has(text, re.compile(r"\| %s \| `\d+` \| `%s` \|" % (name, folders.CODES[arm])), "the machine code of the %s" % name)
    has(text, "each the mean of as many launches as take 1 ms together: they are no tail of single launches",
        "p95 and p99 are labelled")
    has(text, "32.00 MiB (0.02%)", "memory as a share of the card's")
    has(text, "Of 3 proposals 3 were measured and 2 kept", "what was tried")
    has(text, "Bonferroni: proposals for 4; the last check for looks and shapes; who is the fastest", "what is corrected")
    has(text, "xformers is not here: not installed", "who is not here")
    has(text, "01-autotune: kept", "what was kept")
    has(text, "03-unroll: not kept: its interval is not wholly below 0", "what was not, and why")
    has(text, "that interval is one of 98.75%", "corrected for all proposals")
    has(text, re.compile(r"Estimated before it began: 13 min 20 s, 0.778 USD.*Spent: \d+ min \d+ s, 0\.\d+ USD"), "money")
    for word in re.findall(r"signific\w+", text):
        ok(False, "no word of significance: %s" % word)
    has(text, "☑ Clocks were locked", "a tick for what was done")
    has(text, "☐ The same bits from run to run: not known", "none for what nobody looked at")
    table = text[text.index("| shape | first | best |"):].split("\n\n")[0].splitlines()[2:-1]
    eq([row for row in table if not re.match(r"\| \S+ (\| [\d.]+ .s \[[\d.]+ .s, [\d.]+ .s\] ){2}\|", row)], [],
       "no time of either kernel without its interval")
    summary = json_of(path, "summary.json")
    eq((summary["target"]["told"], summary["proposals"]["kept"], len(summary["configs"])), ("met", 2, 4), "summary.json")
    row = summary["configs"][0]
    samples = json_of(path, "samples.json")["configs"][0]
    medians = sorted(sorted(r["head"])[4] for r in samples["replicates"])
    eq(row["median_ns"], (medians[7] + medians[8]) / 2, "the median of the medians of processes")
    pooled = sorted(ns for r in samples["replicates"] for ns in r["head"])
    eq((row["p95_ns"], row["p99_ns"]), (pooled[136], pooled[142]), "p95 and p99 by nearest rank, of 144")
    mean = sum(medians) / 16
    ok(abs(row["sd_ns"] - (sum((m - mean) ** 2 for m in medians) / 15) ** 0.5) < 1e-6, "the standard deviation")
    eq(json_of(path, "comparison.json")["verdict"], "improved", "comparison.json is the judge's word")
    eq(verified(path).out, "", "verify finds nothing")


def profiled():
    """What the last check saw in the machine code, and what a profiler counted there, is told in its words"""
    folder = folders.Folder()
    host = lib.temp_dir()
    samples = lib.write(os.path.join(host, "samples.json"), json.dumps(folder.files["samples.json"]))
    judged = lib.run([lib.program("RATCHET"), "compare", "--json", samples])
    verdict = json.loads(judged.out)
    verdict["configs"][0]["why"] = {"line": "head spills 8 bytes a thread, the anchor none", "alike": 0, "unpaired": 0,
                                    "left_out": 0, "kernels": []}
    verdict["configs"][1]["metrics"] = {"line": "head reads 2.00 times as much from memory | <b>", "alike": 3, "moved": []}
    folder.files["end/verdict.json"] = json.dumps(verdict)
    path = made(folder)
    text = text_of(path)
    has(text, "b8_h16_s512_d64: head spills 8 bytes a thread, the anchor none", "the code")
    has(text, re.compile(r"What a profiler counted of the two[^\n]*\n\n?[-*] b8_h16_s1024_d64: head reads 2\.00 times as much"),
        "the counts")
    eq(verified(path).out, "", "verify finds nothing")


def scattered():
    """Where no process was undisturbed at every shape the speed-up is that of the shapes' own, and no narrower"""
    def marked(which):
        folder = folders.Folder()
        for place, config in enumerate(folder.files["samples.json"]["configs"]):
            for number, replicate in enumerate(config["replicates"]):
                if which(place, number):
                    replicate["marks"] = ["preempted"]
        path = made(folder)
        return text_of(path), json_of(path, "summary.json")["speedup"]
    text, apart = marked(lambda place, number: number % 4 == place)
    has(text, "The best kernel found is faster than the first: the first takes", "told")
    has(text, "is met: the whole interval is above it.", "the target as well")
    lacks(text, "not known: at no shape", "as each shape has its processes")
    same = marked(lambda place, number: number % 4 == 0)[1]
    ok(apart["ci_decision"][1] - apart["ci_decision"][0] > same["ci_decision"][1] - same["ci_decision"][0],
       "of as many processes a shape, wider than where they are the same", apart, same)
    text = marked(lambda place, number: number > 2)[0]
    has(text, "Whether the best kernel found is faster than the first is not shown", "of three processes nothing is claimed")
    has(text, "Fewer than 6 undisturbed processes ran at some shape: too few for that.", "which is said")
    has(text, "is met is not shown: too few processes ran.", "of the target as well")
    has(text, re.compile(r"Why it is unclear at \S+: .*at least 6"), "and why the judge tells nothing")
    text = marked(lambda place, number: number > 0)[0]
    has(text, "not known: at no shape did two undisturbed processes time both.", "of one process a shape, none")
    has(text, "is met is not shown: the speed-up is not known.", "nor of the target, though there is a check")


def missed():
    """A target is met or missed only where the whole interval says so"""
    def target(value):
        return text_of(made(folders.Folder(target=value)))
    has(target(1.5), "The target of 1.500× is missed: the whole interval is below it.", "below")
    speedup = json_of(made(folders.Folder()), "summary.json")["speedup"]
    for end in speedup["ci_decision"]:
        has(target((speedup["value"] + end) / 2), "is met is not shown: the interval reaches to both sides of it.",
            "between the estimate and an end of the interval")
    lacks(target(0), "The target", "none asked, none told")


def states():
    """Nothing kept, nothing proposed, no other implementations, no price, no environment, a last check that failed"""
    lost = folders.Folder(proposals=(("01-slow", 1.05, False, ""), ("02-same", 1.0, False, "")), price=False)
    text = text_of(made(lost))
    has(text, "Of 2 proposals measured none was shown to be faster", "nothing kept")
    has(text, "That the target of 1.200× is met is not shown: nothing was kept.", "so no target")
    has(text, "01-slow: not kept: it is slower", "why, by its interval")
    has(text, "02-same: not kept: it is not shown to be faster", "and why not")
    has(text, "Times of the first kernel", "the first kernel's times")
    lacks(text, "Cliff", "nobody stands beside it")
    has(text, "No price of the device is known", "no price")
    lacks(text, "USD", "no money")
    has(text, "Bonferroni: proposals for 4; who is the fastest for all pairs and shapes of a section.", "no last check")
    has(text, "end skipped: nothing was kept", "a step that was skipped")
    bare = folders.Folder(proposals=(), backends=False, shapes=False, target=0)
    del bare.files["env.json"]
    bare.steps[0].update(state="failed", why="no driver")
    path = made(bare)
    text = text_of(path)
    has(text, "No proposal was measured (no proposal fits the budget)", "nothing proposed")
    has(text, "The kernel was not set beside other implementations: no other implementation was named", "no backends")
    has(text, "☐ The environment is recorded: there is no env.json", "no environment")
    has(text, "environment failed: no driver", "a step that failed")
    eq(verified(path).out, "", "it can be verified")
    broken = folders.Folder()
    del broken.files["samples.json"]
    next(s for s in broken.steps if s["phase"] == "end").update(state="failed", why="the device went away")
    text = text_of(made(broken))
    has(text, "2 proposals were kept", "kept")
    has(text, "what was kept gives in all is not known, as the last check is missing: the device went away.", "but not judged")
    lacks(text, "Cliff", "nothing is claimed of it")
    alone = folders.Folder()
    sweep = alone.files["shapes/samples.json"]
    sweep["arms"] = {"head": {}}
    for config in sweep["configs"]:
        config["replicates"] = [{"head": r["head"]} for r in config["replicates"]]
    has(text_of(made(alone)), "Only the first kernel ran: nobody is set against it.", "a sweep of one")


def unfinished():
    """A study that was stopped says so"""
    folder = folders.Folder(proposals=())
    for step in folder.steps:
        if step["phase"] in ("optimise", "end", "report"):
            step.update(state="open", seconds=0)
    text = text_of(made(folder))
    has(text, "What is done of it took 2 min 32 s", "what it took so far")
    has(text, "2 of its 7 steps are not done yet.", "what is left")
    lacks(text, "All of it took", "and not that it is all")


def unbuilt():
    """A config without times, a control that read something, marks, a replicate too few"""
    folder = folders.Folder()
    end = folder.files["samples.json"]
    end["configs"][0].update(fault="the PR", clause="wrong-result", failure="wrong result: out[0] is nan", replicates=[])
    end["configs"][1]["replicates"][3]["marks"] = ["throttled"]
    for replicate in end["configs"][2]["replicates"]:
        replicate["control"] = [ns * 1.05 for ns in replicate["control"]]
    end["configs"][3]["replicates"] = end["configs"][3]["replicates"][:3]
    path = made(folder)
    text = text_of(path)
    has(text, "b8_h16_s512_d64 has no times: wrong result: out[0] is nan", "why there are none")
    has(text, "☐ Results were verified before and after timing: b8_h16_s512_d64: wrong result", "not ticked")
    has(text, re.compile(r"☐ The control shows no bias: b8_h16_s512_d64: no control was measured"), "nor this")
    has(text, "☐ Enough fresh processes: at least 3 at each shape, 6 are needed", "nor this")
    has(text, "At 1 of 4 shapes the speed-up is not known. Whether the best kernel found is faster than the first is not "
        "shown", "the summary says where nothing is known, and claims nothing of three processes")
    has(text, "is met is not shown: the speed-up is not known at every shape.", "and does not speak of an interval")
    has(text, "At the other shapes of the study it is not known.", "and the paragraph for a paper")
    has(json_of(path, "badges/speedup.json")["message"], " at 3 of 4 shapes", "and the badge")
    del folder.files["samples.json"]["configs"][3]
    text = text_of(made(folder))
    has(text, "☐ Enough fresh processes: b8_h16_s512_d64 has no times: wrong result", "six elsewhere are not enough")
    has(text, re.compile(r"☐ No measurement was disturbed: 1 of \d+ measurements"), "nor this")


# ---- numbers ----


def at(value, key):
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", key):
        value = value[int(part[1:-1])] if part.startswith("[") else value[part]
    return value


def traced():
    """Each number of the paragraph for a paper stands in its file, and is its rounding"""
    for folder in (folders.Folder(), folders.Folder(proposals=(("01-slow", 1.05, False, ""),))):
        path = made(folder)
        text = text_of(path)
        paragraph = text.split("## For a paper\n\n")[1].split("\n")[0]
        numbers = json_of(path, "numbers.json")["numbers"]
        ok(len(numbers) >= 5, "numbers: %d" % len(numbers))
        left, untraced = paragraph, ""
        for number in numbers:
            found = at(json_of(path, number["file"]), number["key"])
            eq(found, number["value"], "%s of %s" % (number["key"], number["file"]))
            ok(number["text"] in left, "`%s` is in the paragraph, in its order" % number["text"])
            before, _, left = left.partition(number["text"])
            untraced += before + " "
            if isinstance(found, str):
                eq(number["text"], found, "as it stands there")
                continue
            shown = number["text"]
            value = found * 100 if shown.endswith("%") else found
            digits = len(shown.strip("%").partition(".")[2])
            eq(shown.strip("%"), "%.*f" % (digits, value), "%s is its rounding" % number["key"])
        untraced += left
        for name in [s[0] for s in folders.SHAPES] + ["H200"]:
            untraced = untraced.replace(name, "")
        eq(re.findall(r"\d+", untraced), [], "no other number is there")


def badges():
    """Badges: pictures that need nothing, and shields.io's JSON"""
    path = made(folders.Folder())
    for name, message in (("speedup", r"1\.2\d\dx \[1\.2\d\d, 1\.2\d\d\]"), ("verdict", "improved"), ("reproducible", r"\d+ of \d+")):
        badge = json_of(path, "badges/%s.json" % name)
        eq((sorted(badge), badge["schemaVersion"]), (["color", "label", "message", "schemaVersion"], 1), name)
        has(badge["message"], re.compile("^%s$" % message), "its message")
        svg = lib.read(os.path.join(path, "badges/%s.svg" % name))
        root = xml.etree.ElementTree.fromstring(svg)
        ok(badge["message"] in "".join(root.itertext()), "the picture says the same")
        lacks(svg.replace("http://www.w3.org/2000/svg", ""), "http", "nothing is fetched")
    path = made(folders.Folder(proposals=(("01-slow", 1.05, False, ""),)))
    eq(json_of(path, "badges/speedup.json")["message"], "none shown", "nothing kept")


# ---- hostile bytes ----

EVIL = "<script>alert(1)</script> [x](http://evil) | `a` \u202e @all #1 ![i](http://evil/i.png)"


def injected():
    """Names, reasons, versions and commands from strangers stay text"""
    folder = folders.Folder(facts=dict(folders.ENVIRONMENT, compiler=EVIL, driver="</table><script>"))
    for i, step in enumerate(folder.steps):
        step["why"] = EVIL if i % 2 else "```\n</pre><script>".replace("\n", " ")
        step["command"] = "ratchet ``` </pre><script>alert(1)</script>"
    for phase in ("backends", "shapes"):
        sweep = folder.files[phase + "/samples.json"]
        sweep["environment"].update(version_flash=EVIL, absent_xformers=EVIL)
        sweep["device"]["name"] = "<b>card</b>"
    folder.files["samples.json"]["device"]["name"] = "<b>card</b> | x"
    folder.files["samples.json"]["configs"][0].update(fault="the PR", clause="crashed", failure=EVIL, replicates=[])
    path = made(folder)
    page = lib.read(os.path.join(path, "report.html"))
    lacks(page, "<script", "no script")
    lacks(page, "<b>", "no element")
    lacks(page, "\u202e", "nothing turns the text around")
    eq(re.findall(r"<(?:a|img|link|iframe)\b[^>]*http", page), [], "no address from elsewhere")
    for name in ("COMBINED_REPORT.md", "OPTIMIZATION_RESULTS.md"):
        raw = lib.read(os.path.join(path, name))
        prose = re.sub(r"^(`{3,})text\n.*?^\1$", "", raw, flags=re.S | re.M)
        prose = re.sub(r"(?<![\\`])(`+)(?!`).+?(?<!`)\1(?!`)", "", prose)  # code
        lacks(prose, "<script", "%s: no script" % name)
        lacks(prose, re.compile(r"(?<!\\)\]\(http"), "%s: no link" % name)
        lacks(raw, "\u202e", "%s: nothing turns" % name)
    for top, _, names in os.walk(path):
        for name in names:
            if name.endswith(".svg") and top != path:
                xml.etree.ElementTree.parse(os.path.join(top, name))
    eq(verified(path).out, "", "and it can be verified")


def refused(path, name, words, verb="write"):
    result = driver(verb, path)
    ok(result.code != 0, "%s: refused" % name)
    said = result.out + result.err
    has(said, words, "%s: says why" % name)
    if verb == "write":
        eq(result.err.count("\n"), 1, "%s: in one line" % name)


def changed(mutate):
    path = folders.Folder().write()
    mutate(path)
    return path


def edit(path, name, change):
    value = json_of(path, name)
    change(value)
    lib.write(os.path.join(path, name), json.dumps(value))


def bad_folders():
    """What no study left is one line that names the file"""
    full = lambda path, name: os.path.join(path, name)

    def cut(path):
        text = lib.read(full(path, "samples.json"))
        lib.write(full(path, "samples.json"), text[:len(text) // 2])
    refused(changed(cut), "a cut samples.json", "samples.json")
    refused(changed(lambda p: os.remove(full(p, "benchmark.json"))), "no benchmark", "benchmark.json: missing")
    refused(changed(lambda p: os.remove(full(p, "optimise/02-tiles/samples.json"))), "no samples of a proposal",
            "optimise/02-tiles/samples.json: missing")
    refused(changed(lambda p: os.remove(full(p, "study.json"))), "no study.json", "study.json")

    def link(path):
        os.remove(full(path, "samples.json"))
        os.symlink("/etc/passwd", full(path, "samples.json"))
    refused(changed(link), "a link", "samples.json: a link, which is not followed")

    def folder_link(path):
        shutil.move(full(path, "backends"), path + "-elsewhere")
        os.symlink(path + "-elsewhere", full(path, "backends"))
    refused(changed(folder_link), "a folder that is a link", "backends")
    refused(changed(lambda p: os.mkfifo(full(p, "fifo"))), "a FIFO", "fifo: not a regular file")
    refused(changed(lambda p: lib.write(full(p, "a\nb"), "x")), "a name of two lines", "no name of a study's file")
    refused(changed(lambda p: edit(p, "env.json", lambda v: v["environment"].update(driver="1"))), "another environment",
            "env.json: hash")
    refused(changed(lambda p: edit(p, "backends/samples.json",
                                   lambda v: v["arms"].update({"arm%d" % i: {} for i in range(9)}))), "too many arms",
            "backends/samples.json: arms: more than 8")
    refused(changed(lambda p: edit(p, "samples.json", lambda v: v["device"].update(slug="cpu"))), "another device",
            "samples.json: of device `cpu`")
    refused(changed(lambda p: edit(p, "optimise/02-tiles/samples.json", lambda v: v.update(
        arms={"head": {}, "other": {}}))), "no proposal's arm", "no arm `proposal`")
    for kept, words in ((True, "01-slow: kept, which is not what"), (False, "01-slow: not kept, which is not what")):
        folder = folders.Folder(proposals=(("01-slow", 0.9 if not kept else 1.05, kept, ""),))
        refused(folder.write(), "a proposal that is %s against its samples" % ("kept" if kept else "left"), words)
    path = folders.Folder().write()
    outside = lib.temp_dir()
    os.symlink(outside, full(path, "figures"))
    result = driver("write", path)
    eq((result.code, os.listdir(outside)), (64, []), "nothing is written through a link"
       ": %s" % result.err)


# ---- verify ----


def every_byte():
    """A changed byte in any file is found, as is one that is missing, or more than there were"""
    path = made(folders.Folder())
    names = sorted(os.path.relpath(os.path.join(top, name), path) for top, _, all_ in os.walk(path) for name in all_)
    eq(sorted(f["path"] for f in json_of(path, "inventory.json")["files"]), sorted(set(names) - {"inventory.json"}),
       "the inventory has every other file")
    for name in names:
        full = os.path.join(path, name)
        before = bytes_of(full)
        place = len(before) // 2
        with open(full, "wb") as out:
            out.write(before[:place] + bytes([before[place] ^ 1]) + before[place + 1:])
        result = verified(path)
        ok(result.code != 0 and name in result.out + result.err, "%s: a changed byte" % name, result.out, result.err)
        os.remove(full)
        result = verified(path)
        ok(result.code != 0 and name in result.out + result.err, "%s: missing" % name, result.out, result.err)
        with open(full, "wb") as out:
            out.write(before)
    eq((verified(path).code, verified(path).out), (0, ""), "as it was")
    lib.write(os.path.join(path, "more"), "x")
    has(verified(path).out, "more: not in the inventory", "one more file")


def believed():
    """An inventory that was made to fit helps nobody: the documents are made again of the samples"""
    path = made(folders.Folder())
    text = lib.read(os.path.join(path, "COMBINED_REPORT.md"))
    lib.write(os.path.join(path, "COMBINED_REPORT.md"), text.replace("1.23", "2.23"))
    data = bytes_of(os.path.join(path, "COMBINED_REPORT.md"))
    def fit(value):
        for entry in value["files"]:
            if entry["path"] == "COMBINED_REPORT.md":
                entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    edit(path, "inventory.json", fit)
    has(verified(path).out, "COMBINED_REPORT.md: is not what the samples give", "found")


def derived():
    """Nor are the baseline, or a sweep's files, what the samples do not give"""
    for name in ("baseline.json", "backends/sweep.json", "shapes/sweep.csv", "shapes/sweep.md", "backends/sweep.html",
                 "backends/roofline_fp16.svg"):
        folder = folders.Folder()
        folder.files[name] = "{}\n"
        has(verified(made(folder)).out, "%s: is not what the samples give" % name, name)


def renewed():
    """`study --report` writes what verify makes again, where it is there, and nothing that is not"""
    folder = folders.Folder()
    folder.files["backends/sweep.md"] = "another version's words\n"
    path = made(folder)
    has(verified(path).out, "backends/sweep.md: is not what the samples give", "before")
    run = lib.run([lib.program("RATCHET"), "study", "--report", path])
    eq((run.code, verified(path).out), (0, ""), "after")
    has(text_of(path, "backends/sweep.md"), "In short, ", "its words")
    ok(not os.path.exists(os.path.join(path, "backends/sweep.html")), "a page that was not there is not")


def twice():
    """The same files give the same documents, byte for byte, and figures of before do not stay"""
    path = made(folders.Folder())
    before = {f["path"]: f["sha256"] for f in json_of(path, "inventory.json")["files"]}
    lib.write(os.path.join(path, "figures/old.svg"), "<svg/>")
    eq(driver("write", path).code, 0, "made again")
    eq({f["path"]: f["sha256"] for f in json_of(path, "inventory.json")["files"]}, before, "nothing differs")


# ---- the page ----


def page():
    """One page that needs nothing, no wider than a telephone, in light and dark"""
    browser.check_page(os.path.join(made(folders.Folder()), "report.html"), "study", 100)


def of_this_repository():
    """The study in baselines/ is what its samples give, on this machine as well"""
    folder = os.path.join(lib.TOP, "baselines/nvidia-h200/study")
    result = lib.run([lib.program("RATCHET"), "study", "--verify", folder, "--no-measure"])
    eq(result.code, 0, "verified (after a change of words: `ratchet study --report %s`)" % os.path.relpath(folder, lib.TOP))
    for top, _, names in os.walk(folder):
        for name in names:
            text = lib.read(os.path.join(top, name))
            lacks(text, "/root/", "%s: no path of a machine" % name)
            lacks(text, "/tmp/", "%s: nor of a temporary folder" % name)


lib.main(of_this_repository, kept, profiled, scattered, missed, states, unfinished, unbuilt, traced, badges, injected, bad_folders, every_byte, believed, derived, renewed, twice, page)
