# SPDX-License-Identifier: Apache-2.0
"""The main job, shown: real pull requests to a sample repository whose kernel is ours, through
ratchetd and `ratchet submit`, against the stand-in for GitHub. Prints each comment as it was
posted, merges the improving pull request, and shows main's new baseline. Run by ci/demo.

Each pull request is a real change to kernels/attention_cpu.c. Exit 0 if every verdict is the
expected one, or `unclear` with its reason on a machine too busy to tell; 1 if one is wrong."""

import os
import re
import sys
import tempfile

import lib
import pulls
import scene

KERNEL = pulls.CPU
EDITS = pulls.EDITS[KERNEL]

CONF = """\
# What is guarded, how it is built, what is measured. Read from the base commit only.
[kernel]
    path = kernels
[rule]
    threshold = 3%
    look = 6
    look = 8
    look = 14
[promotion]
    gap = 0s            ; ten minutes where it matters; none in a demonstration
[build "cpu"]
    command = cc -O3 -std=gnu17 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -pthread \
-o kernels/attention_cpu.so kernels/attention_cpu.c -lm
    output = kernels/attention_cpu.so
[bench "cpu"]
    samples = 120
    target = 700us
    warmup = 3
[config "b1_h2_s256_d64"]
    device = cpu
    batch = 1
    heads = 2
    seq-q = 256
    head-dim = 64
    dtype = fp32
[config "b1_h2_s256_d64_causal"]
    device = cpu
    batch = 1
    heads = 2
    seq-q = 256
    head-dim = 64
    dtype = fp32
    causal = true
"""


def say(text=""):
    print(text, flush=True)


def heading(text):
    say("\n" + "=" * 90 + "\n" + text + "\n" + "=" * 90)


def quiet(log):
    """What a step said, without its phases, its replicates, and what it told the workflow"""
    return "\n".join(line for line in log.strip().splitlines() if not re.search(
        ": replicate [0-9]+|^::|^(at work|building|measuring|telling GitHub)$", line))


def promote(standin, host, run):
    """What a push to main does; shows the commit that came of it."""
    result, moved = pulls.push(standin, host, run)
    say(quiet(result.out))
    if moved:
        say("\n" + standin.repo.git("log", "-1", "--stat", "refs/remotes/origin/main"))
    return moved


def check(standin, host, name, source, run, folder):
    """A pull request, and the visible part of its comment; all of that goes into a file"""
    title, old, new = EDITS[name]
    heading("Pull request #%d: %s\n  - %s\n  + %s" % (run - 1, title, old, new))
    pull = pulls.Pull(standin, host, name, {KERNEL: pulls.once(source, old, new)}, run)
    say(quiet(pull.result.out))
    lib.write(os.path.join(folder, "comment-%d.md" % pull.number), pull.comment)
    say("\n--- the comment on #%d, as posted; what unfolds in it is in comment-%d.md ---\n" % (
        pull.number, pull.number))
    say(re.sub(r"<details><summary>(.*?)</summary>.*?</details>\n", r"> \1\n", pull.comment, flags=re.DOTALL))
    say("--- exit code %d, commit status %s, %.0f s ---" % (
        pull.result.code, " then ".join(pull.states), pull.seconds))
    return pull.number, pull.verdict(pulls.EXPECTED[name][1])


def study(standin, host, source, first, folder):
    """A small study of main's first kernel: two of the edits as proposals"""
    patches = lib.temp_dir()
    for place, name in enumerate(("slow", "fast"), 1):
        path = os.path.join(standin.repo.path, KERNEL)
        standin.repo.git("checkout", "-q", first)
        lib.write(path, pulls.once(source, *EDITS[name][1:]))
        lib.write(os.path.join(patches, "%d-%s.patch" % (place, name)), standin.repo.git("diff") + "\n")
        standin.repo.git("checkout", "-q", "--", ".")
    run = host.ratchet("study", "--config", host.config, "--repo", standin.repo.path, "--head", first, "--output", folder,
                       "--budget-min", "1", "--candidates", patches, "--seq", "64,128,256", seconds=600)
    say("\n".join(line for line in run.err.splitlines() if line.startswith("ratchet: study: ")))
    say(run.out)
    return run.code


def show(standin, host, source, shown):
    """Everything; (what, expected, what came) for each push and pull request"""
    heading("Main is pushed for the first time: its kernel becomes the baseline")
    rows = [("push to main", "promoted", "promoted" if promote(standin, host, 1) else "unclear")]
    number = 0
    for run, (name, (expected, _)) in enumerate(pulls.EXPECTED.items(), 2):
        number, got = check(standin, host, name, source, run, shown)
        rows.append(("#%d %s" % (number, EDITS[name][0]), expected, got))
    heading("#%d is merged: main's baseline moves" % number)
    standin.on("pulls/%d/merge" % number, user="alice")
    rows.append(("push of that merge", "promoted",
                 "promoted" if promote(standin, host, 9) else "unclear"))
    say("\n" + host.ratchet("history", "--config", host.config, "--repo", standin.repo.path, "--head",
                            "refs/remotes/origin/main", "--html", os.path.join(shown, "history.html")).out)
    return rows


def summary(rows, shown):
    """Twelve lines: what came, and where to go on"""
    say("\nWhat was shown, on this machine, without GitHub:")
    for what, expected, got in rows:
        say("  %-60s %-10s %s" % (what, got, "as expected" if got == expected else
                                  "this machine is too busy to tell" if got == "unclear" else
                                  "WRONG, expected " + expected))
    say("To look at:  %s/ has comment-N.md, study/report.html and history.html\n"
        "Next:        ci/build /tmp/ratchet && /tmp/ratchet/ratchet doctor\n"
        "             /tmp/ratchet/ratchet check --repo YOURS --base main --head HEAD   (one with a ci/ratchet.conf)\n"
        "To read:     README.md; man -l src/cli/ratchet.1; man -l src/daemon/ratchetd.8" % shown)


def main():
    source = pulls.first_source(KERNEL)
    standin = pulls.start(pulls.files(KERNEL, source, CONF))
    first = standin.repo.sha("main")
    shown = tempfile.mkdtemp(prefix="ratchet-demo-")
    host = scene.Host(standin)
    host.daemon()
    rows = show(standin, host, source, shown)
    heading("And by hand: a study of main's first kernel, two of the edits proposed as patches")
    studied = study(standin, host, source, first, os.path.join(shown, "study"))
    summary(rows, shown)
    return 1 if studied != 0 or any(got not in (expected, "unclear") for _, expected, got in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
