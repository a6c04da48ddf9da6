# SPDX-License-Identifier: Apache-2.0
"""The main job, shown: real pull requests to a sample repository whose kernel is ours, through
ratchetd and `ratchet submit`, against the stand-in for GitHub. Prints each comment as it was
posted, merges the improving pull request, and shows main's new baseline. Run by ci/demo.

Each pull request is a real change to kernels/attention_cpu.c. Exit 0 if every verdict is the
expected one, or `unclear` with its reason on a machine too busy to tell; 1 if one is wrong."""

import os
import sys
import tempfile
import time

import lib
import scene

KERNEL = "kernels/attention_cpu.c"
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

# Edits of the kernel as it is shipped: (title, old text, new text). Main begins with a
# micro-kernel of two rows, so that there is something to improve.
START = ("MICRO = 6,", "MICRO = 2,")
EDITS = {
    "slow": ("Use fewer registers in the micro-kernel", "MICRO = 2,", "MICRO = 1,"),
    "comment": ("Explain the tile size better", "/* keys of a tile;",
                "/* keys of one tile of K and V;"),
    "refactor": ("Count the query blocks without a sum that could overflow",
                 "((size_t)problem->seq_q + BLOCK_Q - 1) / BLOCK_Q;",
                 "(size_t)(problem->seq_q / BLOCK_Q) + (problem->seq_q % BLOCK_Q != 0 ? 1 : 0);"),
    "wrong": ("Save a multiplication in the running sum",
              "_mm256_fmadd_ps(_mm256_load_ps(row_sum + n), keep, added)",
              "_mm256_add_ps(_mm256_load_ps(row_sum + n), added)"),
    "fast": ("Six rows in the micro-kernel", "MICRO = 2,", "MICRO = 6,"),
}
EXPECTED = [("slow", "regressed"), ("comment", "held"), ("refactor", "held"),
            ("wrong", "unmeasured"), ("fast", "improved")]
REASONS = {"comment": "identical machine code", "wrong": "wrong result"}


def say(text=""):
    print(text, flush=True)


def heading(text):
    say("\n" + "=" * 90 + "\n" + text + "\n" + "=" * 90)


def edit(source, old, new):
    if source.count(old) != 1:
        raise SystemExit("demo: `%s` stands %d times in %s" % (old, source.count(old), KERNEL))
    return source.replace(old, new)


def start():
    """A repository on the stand-in with our kernel on main."""
    source = edit(lib.read(os.path.join(lib.TOP, KERNEL)), *START)
    standin = lib.Standin(scene.REPOSITORY)
    standin.repo = lib.Repo()
    standin.repo.commit({
        KERNEL: source, "ci/ratchet.conf": CONF,
        "kernels/attention.h": lib.read(os.path.join(lib.TOP, "kernels", "attention.h"))}, "the kernel")
    standin.repo.push(standin.git_url, "main")
    return standin, source


def push_event(standin, sha):
    return {"ref": "refs/heads/main", "before": "0" * 40, "after": sha, "created": False,
            "deleted": False, "forced": False, "commits": [],
            "head_commit": {"id": sha, "message": "merge"},
            "repository": {"full_name": scene.REPOSITORY, "id": standin.made["id"]}}


def promote(standin, host, run):
    """What a push to main does; shows the commit that came of it."""
    tip = standin.state()["refs"]["refs/heads/main"]
    result = host.step("push", push_event(standin, tip), run=run).run(seconds=600)
    say(result.out.strip())
    repo = standin.repo
    repo.git("-c", "http.extraHeader=Authorization: Bearer " + lib.TOKEN, "fetch", "-q",
             standin.git_url, "+refs/heads/main:refs/remotes/origin/main")
    moved = repo.sha("refs/remotes/origin/main") != tip
    if moved:
        say("\n" + repo.git("log", "-1", "--stat", "refs/remotes/origin/main"))
    return moved


def check(standin, host, name, source, run):
    title, old, new = EDITS[name]
    number, head = scene.pull(standin, name, {KERNEL: edit(source, old, new)})
    heading("Pull request #%d: %s\n  - %s\n  + %s" % (number, title, old, new))
    step = host.step("pull_request", scene.pull_event(standin, number), run=run)
    began = time.monotonic()
    result = step.run(seconds=600)
    say(result.out.strip())
    bodies = scene.ours(standin, number)
    say("\n--- the comment on #%d, as posted ---\n" % number)
    say(bodies[0] if bodies else "(none)")
    say("--- exit code %d, commit status %s, %.0f s ---" % (
        result.code, ", ".join(scene.status(standin, head)), time.monotonic() - began))
    verdict = result.verdict
    wanted = REASONS.get(name, "")
    text = lib.json.dumps(verdict)
    return number, verdict["verdict"] if wanted in text else verdict["verdict"] + " (other reason)"


def study(standin, host, source, first, folder):
    """A small study of main's first kernel: two of the edits as proposals"""
    patches = lib.temp_dir()
    for place, name in enumerate(("slow", "fast"), 1):
        path = os.path.join(standin.repo.path, KERNEL)
        standin.repo.git("checkout", "-q", first)
        lib.write(path, edit(source, *EDITS[name][1:]))
        lib.write(os.path.join(patches, "%d-%s.patch" % (place, name)), standin.repo.git("diff") + "\n")
        standin.repo.git("checkout", "-q", "--", ".")
    run = host.ratchet("study", "--config", host.config, "--repo", standin.repo.path, "--head", first, "--output", folder,
                       "--budget-min", "1", "--candidates", patches, "--seq", "64,128,256", seconds=600)
    say("\n".join(line for line in run.err.splitlines() if line.startswith("ratchet: study: ")))
    say(run.out)
    return run.code


def main():
    standin, source = start()
    first = standin.repo.sha("main")
    shown = tempfile.mkdtemp(prefix="ratchet-demo-")
    host = scene.Host(standin)
    host.daemon()
    heading("Main is pushed for the first time: its kernel becomes the baseline")
    rows = [("push to main", "promoted", "promoted" if promote(standin, host, 1) else "unclear")]
    numbers = {}
    for run, (name, expected) in enumerate(EXPECTED, 2):
        numbers[name], got = check(standin, host, name, source, run)
        rows.append(("#%d %s" % (numbers[name], EDITS[name][0]), expected, got))
    heading("#%d is merged: main's baseline moves" % numbers["fast"])
    standin.on("pulls/%d/merge" % numbers["fast"], user="alice")
    rows.append(("push of the merge", "promoted",
                 "promoted" if promote(standin, host, 9) else "unclear"))
    page = os.path.join(shown, "history.html")
    say("\n" + host.ratchet("history", "--config", host.config, "--repo", standin.repo.path, "--head",
                            "refs/remotes/origin/main", "--html", page).out)
    heading("And by hand: a study of main's first kernel, two of the edits proposed as patches")
    studied = study(standin, host, source, first, os.path.join(shown, "study"))
    heading("What was expected, and what came")
    for what, expected, got in rows:
        say("%-52s %-11s %-11s %s" % (what, expected, got, "as expected" if got == expected
                                      else "not sure" if got == "unclear" else "WRONG"))
    wrong = [row for row in rows if row[2] not in (row[1], "unclear")]
    unsure = [row for row in rows if row[2] == "unclear" != row[1]]
    if unsure:
        say("\n%d not sure: this machine is too busy for a verdict, and the comment says so."
            % len(unsure))
    say("\nTo look at:\n  %s/study/report.html\n  %s" % (shown, page))
    return 1 if wrong or studied != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
