#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The workflows in .github/workflows: GitHub's own parser finds nothing wrong with them, and they
keep the rules that it does not know: actions pinned by commit, least permissions, no expression
inside a script, and scripts that do nothing but call `ratchet` or ci/."""

import glob
import json
import os
import re

import lib
import oracles
from lib import eq, has, lacks, ok

FOLDER = os.path.join(lib.TOP, ".github", "workflows")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}\Z")
CALLS = re.compile(r"(exec |sudo )?(ratchet|(\./)?ci/[\w.-]+)( [\w./=:\"$ {}@+-]*)?\Z")
# The one that runs where nothing of ours is: it may call its cloud, about the one instance.
CLOUD = re.compile(r"(until )?aws ec2 (start-instances|wait instance-status-ok) --instance-ids \"\$INSTANCE\""
                   r"(; do sleep \d+; done)?\Z")
CALLS_IN = {"wake.yml": CLOUD}
# The most that any job of a file may hold.
MAY = {
    "ci.yml": {"contents": "read"},
    "ratchet.yml": {"contents": "write", "pull-requests": "write", "statuses": "write"},
    "wake.yml": {"id-token": "write"},
}


def parsed(*files):
    result = oracles.node("workflows.mjs", *files)
    if result.code != 0:
        raise RuntimeError(str(result))
    return json.loads(result.out)


def steps(workflow):
    for name, job in workflow.get("jobs", {}).items():
        for number, step in enumerate(job.get("steps", [])):
            yield "%s, step %d" % (name, number + 1), step


def faults(name, workflow):
    """What our own rules find wrong, as a list of sentences."""
    found = []
    if "permissions" not in workflow:
        found.append("no permissions at the top")
    for where, permissions in [("top", workflow.get("permissions"))] + [
            (job, content.get("permissions")) for job, content in workflow["jobs"].items()]:
        if isinstance(permissions, str):
            found.append("%s: permissions: %s" % (where, permissions))
            continue
        for scope, level in (permissions or {}).items():
            most = MAY.get(name, {}).get(scope, "none")
            if level != most and level not in ("read", "none"):
                found.append("%s: %s: %s" % (where, scope, level))
    top = workflow.get("permissions")
    if isinstance(top, dict) and "write" in top.values():
        found.append("a write permission for all jobs")
    for job, content in workflow["jobs"].items():
        submits = any("ratchet submit" in (step.get("run") or "") for step in
                      content.get("steps", []))
        if submits and (content.get("permissions") or {}).get("statuses") != "write":
            found.append("%s: its verdict is a status, which it may not set" % job)
        if "timeout-minutes" not in content and "uses" not in content:
            found.append("%s: no timeout-minutes" % job)
    for where, step in steps(workflow):
        uses = step.get("uses")
        if uses is not None and not uses.startswith("./") and not PINNED.match(uses):
            found.append("%s: %s is not pinned by commit" % (where, uses))
        if uses and uses.startswith("actions/checkout@") and \
                (step.get("with") or {}).get("persist-credentials") is not False:
            found.append("%s: checkout leaves the token behind" % where)
        for line in (step.get("run") or "").splitlines():
            if "${{" in line:
                found.append("%s: an expression inside a script: %s" % (where, line))
            elif line.strip() and not CALLS_IN.get(name, CALLS).match(line.strip()):
                found.append("%s: more than a call of ratchet or ci/: %s" % (where, line))
    return found


def github_has_nothing_to_say():
    """GitHub's own parser has nothing to say"""
    files = sorted(glob.glob(os.path.join(FOLDER, "*.yml")))
    eq([os.path.basename(f) for f in files], ["ci.yml", "ratchet.yml", "wake.yml"], "the three workflows")
    for one in parsed(*files) if files else []:
        eq(one["diagnostics"], [], os.path.basename(one["file"]))


def our_rules():
    """Our own rules hold"""
    files = sorted(glob.glob(os.path.join(FOLDER, "*.yml")))
    for one in parsed(*files) if files else []:
        name = os.path.basename(one["file"])
        eq(faults(name, one["workflow"]), [], name)
        ok([s for _, s in steps(one["workflow"]) if s.get("run")], name + " runs something")


def ratchet_yml():
    """ratchet.yml is called when it should be"""
    file = os.path.join(FOLDER, "ratchet.yml")
    ok(os.path.exists(file), "ratchet.yml is there")
    if not os.path.exists(file):
        return
    workflow = parsed(file)[0]["workflow"]
    on = workflow["on"]
    eq(sorted(on), ["merge_group", "pull_request", "push", "workflow_dispatch"], "its events")
    types = set(on["pull_request"]["types"])
    ok({"opened", "synchronize", "reopened", "edited", "labeled"} <= types, "types", types)
    ok(not {"paths", "paths-ignore"} & set(on["pull_request"]),
       "no path filter: a required check would wait for ever")
    eq(on["push"]["branches"], ["main"], "pushes to main")
    inputs = on["workflow_dispatch"]["inputs"]
    ok("pull-request" in inputs, "a dispatch takes a pull request number")
    text = lib.read(file)
    lacks(text, "pull_request_target", "not the dangerous trigger")
    has(text, "retention-days: 30", "artifacts are kept 30 days")
    ok("concurrency" in workflow or any("concurrency" in j for j in workflow["jobs"].values()),
       "one run per pull request")


def artifacts_are_the_whole_folder():
    """What `ratchet submit` writes is what is kept: all of it, env.json beside the samples"""
    workflow = parsed(os.path.join(FOLDER, "ratchet.yml"))[0]["workflow"]
    for name, job in workflow["jobs"].items():
        runs = " ".join(step.get("run") or "" for step in job["steps"])
        folder = re.search(r'--artifacts "\$RUNNER_TEMP/([\w-]+)"', runs).group(1)
        kept = [step["with"]["path"] for step in job["steps"]
                if (step.get("uses") or "").startswith("actions/upload-artifact@")]
        eq(kept, ["${{ runner.temp }}/" + folder], name + ": the folder of --artifacts")
    names = lib.read(os.path.join(lib.TOP, "src", "result_files.h"))
    has(names, '"env.json"', "env.json is one of the files that ratchetd sends")


def wake_yml():
    """wake.yml is called as it says, borrows its rights, and keeps no key"""
    text = lib.read(os.path.join(FOLDER, "wake.yml"))
    workflow = parsed(os.path.join(FOLDER, "wake.yml"))[0]["workflow"]
    eq(list(workflow["on"]), ["workflow_call"], "by a job of another workflow alone")
    lacks(text, "secrets.", "no secret is read")
    lacks(text, "access-key", "no key")
    # The job as its comment has it, in ratchet.yml, before those that need it.
    job = "".join(line[3:] + "\n" for line in re.findall(r"^#(     .*)$", text, re.M))
    whole = lib.read(os.path.join(FOLDER, "ratchet.yml")).replace("jobs:\n", "jobs:\n" + job + "\n")
    for name in ("check", "promote"):
        whole = whole.replace("\n  %s:\n" % name, "\n  %s:\n    needs: wake\n" % name)
    folder = os.path.join(lib.temp_dir(), ".github", "workflows")
    lib.write(os.path.join(folder, "wake.yml"), text)
    one = parsed(lib.write(os.path.join(folder, "ratchet.yml"), whole))[0]
    eq(one["diagnostics"], [], "GitHub's parser takes it")
    jobs = one["workflow"]["jobs"]
    eq([jobs[name].get("needs") for name in ("wake", "check", "promote")], [None, "wake", "wake"], "it comes first")
    eq(jobs["wake"]["permissions"], {"id-token": "write"}, "with what it needs")
    inputs = workflow["on"]["workflow_call"]["inputs"]
    eq(sorted(jobs["wake"]["with"]), sorted(inputs), "every input is given")
    ok(all(one["required"] for one in inputs.values()), "none may be forgotten")


def the_checks_can_fail():
    """A bad workflow is found out"""
    bad = lib.write(os.path.join(lib.temp_dir(), "bad.yml"), """\
on:
  pull_request:
    types: [opened]
permissions: write-all
concurency: x
jobs:
  build:
    runs-on: ubuntu-latest
    permissions: {contents: write}
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}"
      - run: |
          make
      - run: ${{ github.event.pull_request.head.shaa }}
""")
    one = parsed(bad)[0]
    said = json.dumps(one["diagnostics"])
    has(said, "concurency", "GitHub's parser knows the keys")
    has(said, "shaa", "and its contexts")
    found = "\n".join(faults("bad.yml", one["workflow"]))
    for part in ("write-all", "contents: write", "not pinned", "leaves the token", "timeout",
                 "expression inside", ": make"):
        has(found, part, "our rules find `%s`" % part)


lib.main(github_has_nothing_to_say, our_rules, ratchet_yml, artifacts_are_the_whole_folder, wake_yml,
         the_checks_can_fail)
