#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The workflows in .github/workflows and the action in .github/actions: GitHub's own parser finds nothing
wrong with them, and they keep the rules that it does not know: actions pinned by commit, least
permissions, no expression inside a script, and scripts that do nothing but call `ratchet` or ci/."""

import glob
import json
import os
import re
import shutil
import subprocess

import lib
import oracles
import scene
import test_app
from lib import eq, has, lacks, ok

FOLDER = os.path.join(lib.TOP, ".github", "workflows")
ACTION = os.path.join(lib.TOP, ".github", "actions", "gate", "action.yml")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}\Z")
CALLS = re.compile(r"(exec |sudo )?(ratchet|(\./)?ci/[\w.-]+)( [\w./=:\"$ {}@+-]*)?\Z")
# The one that runs where nothing of ours is: it may call its cloud, about the one instance.
CLOUD = re.compile(r"(until )?aws ec2 (start-instances|wait instance-status-ok) --instance-ids \"\$INSTANCE\""
                   r"(; do sleep \d+; done)?\Z")
CALLS_IN = {"wake.yml": CLOUD}
# The most that any job of a file may hold.
MAY = {
    "ci.yml": {"contents": "read"},
    "gate.yml": {"contents": "write", "pull-requests": "write", "statuses": "write"},
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
        found += step_faults(name, where, step)
    if {"pull_request_target", "issue_comment"} & set(workflow.get("on") or {}):
        found += brought_in(workflow)
    return found


def brought_in(workflow):
    """What no job may do that strangers start with a token that may write: run anything that they bring."""
    found = ["%s: calls %s" % (job, content["uses"]) for job, content in workflow["jobs"].items()
             if content.get("uses", "./.github/workflows/gate.yml") != "./.github/workflows/gate.yml"]
    for where, step in steps(workflow):
        if step.get("uses") and not step["uses"].startswith("actions/upload-artifact@"):
            found.append("%s: brings in %s" % (where, step["uses"]))
        if step.get("run") and not re.match("exec ratchet submit .*$", step["run"].strip()):
            found.append("%s: runs %s" % (where, step["run"]))
    return found


def step_faults(name, where, step):
    found = []
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
    eq([os.path.basename(f) for f in files], ["ci.yml", "gate.yml", "ratchet.yml", "wake.yml"], "the workflows")
    for one in parsed(ACTION, *files):
        eq(one["diagnostics"], [], os.path.basename(one["file"]))


def our_rules():
    """Our own rules hold"""
    for one in parsed(*sorted(glob.glob(os.path.join(FOLDER, "*.yml")))):
        name = os.path.basename(one["file"])
        eq(faults(name, one["workflow"]), [], name)
        ok([job for job in one["workflow"]["jobs"].values() if "uses" in job or
            any(step.get("run") for step in job["steps"])], name + " runs something")
    for number, step in enumerate(parsed(ACTION)[0]["workflow"]["runs"]["steps"]):
        eq(step_faults("action.yml", "action.yml, step %d" % (number + 1), step), [], step["name"])


def the_example():
    """The workflow that is installed as an example is one that GitHub and our rules take"""
    file = os.path.join(lib.TOP, "examples", "workflow.yml")
    folder = os.path.join(lib.temp_dir(), ".github", "workflows")
    one = parsed(lib.write(os.path.join(folder, "ratchet.yml"), lib.read(file)))[0]
    eq(one["diagnostics"], [], "GitHub's own parser has nothing to say")
    eq(faults("ratchet.yml", one["workflow"]), [], "our rules neither")
    called_when_it_should_be(one["workflow"]["on"], "the example")
    commands = [step["run"] for _, step in steps(one["workflow"])]
    eq(len(commands), 2, "it submits, and settles")
    for command in commands:
        taken = lib.run([lib.program("RATCHET"), *command.split()[2:], "--help"])
        told = lib.run([lib.program("RATCHET"), "help", "submit"])
        eq(taken.out, told.out, command)
        for option in re.findall(r"--[a-z-]+", command):
            has(told.out, "  " + option, "which knows " + option)


GH = """#!/usr/bin/env python3
# `gh api PATH --jq EXPRESSION`, as GitHub's own machines have it.
import os, subprocess, sys, urllib.request
ask = urllib.request.Request(os.environ["API"] + "/" + sys.argv[2], headers={
    "Authorization": "Bearer " + os.environ["GH_TOKEN"], "User-Agent": "gh"})
sys.exit(subprocess.run(["jq", "-r", sys.argv[4]], input=urllib.request.urlopen(ask).read()).returncode)
"""


def check_of_an_app(s, head, conclusion):
    key, public = test_app.key_pair()
    s.post("apps", number=test_app.APP, slug="ratchet-octo", key=public, permissions={"checks": "write", "metadata": "read"})
    s.post("apps/%d/installed" % test_app.APP, repository=s.repository)
    own = test_app.own_token(key)
    number = s.api("GET", "/repos/octo/kernels/installation", token=own).json["id"]
    token = s.api("POST", "/app/installations/%d/access_tokens" % number, token=own).json["token"]
    made = s.api("POST", "/repos/octo/kernels/check-runs", {"name": "ratchet/nvidia-l4", "head_sha": head, "status": "completed",
                                                           "conclusion": conclusion}, token=token)
    eq(made.status, 201, "a check run")


def the_example_that_waits():
    """The workflow of a watched repository asks by its name, as watch mode reads it, and ends as the check does"""
    file = os.path.join(lib.TOP, "examples", "watched.yml")
    one = parsed(lib.write(os.path.join(lib.temp_dir(), ".github", "workflows", "ratchet.yml"), lib.read(file)))[0]
    eq(one["diagnostics"], [], "GitHub's own parser has nothing to say")
    workflow = one["workflow"]
    eq(workflow["run-name"], "/ratchet run ${{ inputs.pull-request }}", "its name is the request")
    eq(list(workflow["on"]), ["workflow_dispatch"], "a person starts it")
    job, = workflow["jobs"].values()
    eq(job["runs-on"], "ubuntu-latest", "on GitHub's own machines")
    eq(set(job["permissions"].values()) | {str(workflow["permissions"])}, {"read", "{}"}, "with a token that only reads")
    step, = job["steps"]
    lacks(step["run"], "${{", "no expression inside the script")
    if not shutil.which("jq"):
        raise lib.Skip("NOT TESTED: THAT THE EXAMPLE WAITS: no jq, which is gh's own")
    s = scene.github()
    s.post("tokens", token="the-jobs", login=lib.BOT, permissions={
        name.replace("-", "_"): level for name, level in job["permissions"].items()})
    for number, (said, code, way) in enumerate((("success", 0, "statuses"), ("failure", 1, "statuses"),
                                                ("success", 0, "check-runs")), 1):
        pull, head = scene.pull(s, "pull-%d" % number, {"README": "%d\n" % number})
        old = {"state": "success", "context": "ratchet/nvidia-l4"}
        s.api("POST", "/repos/octo/kernels/statuses/" + head, old)
        s.on("runs", id=number, actor="alice")
        folder = lib.temp_dir()
        lib.write(os.path.join(folder, "gh"), GH, 0o755)
        env = lib.clean_env({**{k: v for k, v in step["env"].items() if "${{" not in v}, "GH_TOKEN": "the-jobs", "PULL": str(pull),
                             "GITHUB_REPOSITORY": "octo/kernels", "GITHUB_RUN_ID": str(number), "API": s.url, "PAUSE": "0.1",
                             "PATH": folder + ":" + os.environ["PATH"]})
        waits = lib.start(["bash", "-e", "-c", step["run"]], env=env, stdout=subprocess.PIPE)
        asked = lambda: len(s.requests("GET", "/commits/%s/statuses" % head))
        lib.wait_for(lambda: asked() >= 2, "it to wait")
        s.api("POST", "/repos/octo/kernels/statuses/" + head, {**old, "state": "pending"})
        s.api("POST", "/repos/octo/kernels/statuses/" + head, {**old, "context": "ratchet/cpu"})
        before = asked()
        lib.wait_for(lambda: asked() >= before + 2, "it to wait on")
        eq(waits.poll(), None, "what was said before, of another device, or that it is pending, is no answer")
        if way == "statuses":
            s.api("POST", "/repos/octo/kernels/statuses/" + head, {**old, "state": said})
        else:
            check_of_an_app(s, head, said)
        eq((waits.wait(60), waits.stdout.read()), (code, b"ratchet/nvidia-l4: %s\n" % said.encode()), "it ends so: " + said)


def called_when_it_should_be(on, file, forks=False):
    """What holds for any workflow that calls the gate; forks: for one that takes them."""
    pull = "pull_request_target" if forks else "pull_request"
    eq(sorted(set(on) - {"merge_group"}), sorted([pull, "push", "workflow_dispatch"] + ["issue_comment"] * forks),
       file + ": its events")
    types = set(on[pull]["types"])
    ok({"opened", "synchronize", "reopened", "edited", "labeled"} <= types, "types", types)
    ok(not {"paths", "paths-ignore"} & set(on[pull]), "no path filter: a required check would wait for ever")
    eq(on["push"]["branches"], ["main"], "pushes to main")
    ok("pull-request" in on["workflow_dispatch"]["inputs"], "a dispatch takes a pull request number")
    if forks:
        eq(on["issue_comment"], {"types": ["created"]}, "a comment as it was written")


def may(permissions):
    """What of a caller's permissions the jobs of gate.yml ask for and do not get: none."""
    order = ("none", "read", "write")
    lacking = []
    for job in parsed(os.path.join(FOLDER, "gate.yml"))[0]["workflow"]["jobs"].values():
        lacking += [(scope, level) for scope, level in job["permissions"].items()
                    if order.index(permissions.get(scope, "none")) < order.index(level)]
    return lacking


def ratchet_yml():
    """ratchet.yml calls the gate when it should, for the CPU, and for an L4 where one is named"""
    file = os.path.join(FOLDER, "ratchet.yml")
    workflow = parsed(file)[0]["workflow"]
    called_when_it_should_be(workflow["on"], "ratchet.yml", forks=True)
    jobs = workflow["jobs"]
    eq(workflow["on"]["merge_group"], {"types": ["checks_requested"]}, "a merge queue's groups, too")
    eq({name: one["type"] for name, one in workflow["on"]["workflow_dispatch"]["inputs"].items()},
       {"pull-request": "number", "branch": "string", "sha": "string", "configs": "string", "budget": "string",
        "profile": "boolean"}, "three ways to name one, and what may be chosen")
    eq([job["uses"] for job in jobs.values()], ["./.github/workflows/gate.yml"] * 2, "the one gate")
    eq([may(job["permissions"]) for job in jobs.values()], [[], []], "whose permissions they list")
    eq(jobs["nvidia-l4"]["if"], "vars.RATCHET_L4 != ''", "no runner, no job that waits for ever")
    eq(json.loads(jobs["nvidia-l4"]["with"]["devices"]), ["nvidia-l4"], "the L4")
    has(jobs["nvidia-l4"]["with"]["runner"], "vars.RATCHET_L4", "on the runner that is named")


def gate_yml():
    """gate.yml: a job for each device, each with its own group; no device is named twice"""
    file = os.path.join(FOLDER, "gate.yml")
    workflow = parsed(file)[0]["workflow"]
    eq(list(workflow["on"]), ["workflow_call"], "called alone")
    inputs = workflow["on"]["workflow_call"]["inputs"]
    eq({name: one["default"] for name, one in inputs.items()},
       {"devices": '["cpu"]', "runner": '["self-hosted", "ratchet"]', "artifacts": True}, "its inputs")
    for name, job in workflow["jobs"].items():
        eq(job["strategy"], {"fail-fast": False, "matrix": {"device": "${{ fromJSON(inputs.devices) }}"}},
           name + ": one failure leaves the others")
        eq(job["runs-on"], "${{ fromJSON(inputs.runner) }}", name + ": where the caller says")
        eq(json.dumps(job["steps"]).count("--device \\\"$DEVICE\\\""), 1, name + ": its device, once")
    has(workflow["jobs"]["check"]["concurrency"]["group"], "matrix.device", "a check of one cancels no other's")
    has(workflow["jobs"]["check"]["concurrency"]["group"],
        "${{ (github.event.inputs.configs || github.event.inputs.budget) && '-part' || '' }}",
        "a part cancels no whole check")
    eq(brought_in(workflow), [], "nothing of a pull request is brought in: pull_request_target may start it")
    group = workflow["jobs"]["check"]["concurrency"]["group"]
    has(group, "github.event.comment.id && format('comment-{0}', github.event.comment.id)", "a comment cancels nothing")
    has(workflow["jobs"]["check"]["if"], "startsWith(github.event.comment.body, '/ratchet run')",
        "other comments start no job")
    eq(workflow["jobs"]["check"]["permissions"]["actions"], "read", "who started a run may be asked")
    eq(workflow["jobs"]["check"]["permissions"]["contents"], "read", "a check writes no contents")
    ok("concurrency" not in workflow["jobs"]["promote"], "no push is dropped")
    has(lib.read(file), "retention-days: 30", "artifacts are kept 30 days")


def ten_lines():
    """A repository's own workflow is ten lines, and an L4 host edits one word"""
    text = lib.read(os.path.join(FOLDER, "gate.yml"))
    own = "".join(line[5:] + "\n" for line in re.findall(r"^#(     .*)$", text, re.M))
    folder = os.path.join(lib.temp_dir(), ".github", "workflows")
    lib.write(os.path.join(folder, "gate.yml"), text)
    for device in ("cpu", "nvidia-l4"):
        one = parsed(lib.write(os.path.join(folder, "own.yml"), own.replace("cpu", device)))[0]
        eq(one["diagnostics"], [], "GitHub's parser takes it, " + device)
        called_when_it_should_be(one["workflow"]["on"], "own.yml")
        eq(may(one["workflow"]["jobs"]["gate"]["permissions"]), [], "it lists what the gate needs")
    eq((len(own.splitlines()), own.count("cpu")), (10, 1), "ten lines, one word")
    two = "".join("  %s\n" % line for line in re.findall(r"^#   (\w+: \{.*)$", text, re.M))
    eq(len(two.splitlines()), 2, "two lines take forks")
    taking = re.sub(r"^ *pull_request: .*\n", two, own, flags=re.M)
    one = parsed(lib.write(os.path.join(folder, "own.yml"), taking))[0]
    eq(one["diagnostics"], [], "GitHub's parser takes them")
    called_when_it_should_be(one["workflow"]["on"], "own.yml", forks=True)
    for wrong, said in (("devices:", "divices:"), ("contents: write", "contents: read")):
        bad = parsed(lib.write(os.path.join(folder, "own.yml"), own.replace(wrong, said)))[0]
        ok(bad["diagnostics"] or may(bad["workflow"]["jobs"]["gate"]["permissions"]), "not with " + said)


def one_step_in_two_places():
    """The action's steps are those of gate.yml, and artifacts are the whole folder that `ratchet submit`
    writes, env.json beside the samples"""
    def same(step, device, token):
        step = json.loads(json.dumps(step).replace(device, "DEVICE").replace(token, "TOKEN")
                          .replace("inputs.artifacts == 'true'", "inputs.artifacts")
                          .replace("${{ github.event_name == 'push' && 'promote-' || '' }}", ""))
        step.pop("shell", None)
        return step
    jobs = parsed(os.path.join(FOLDER, "gate.yml"))[0]["workflow"]["jobs"]
    action = [same(step, "inputs.device", "inputs.token") for step in
              parsed(ACTION)[0]["workflow"]["runs"]["steps"]]
    for name, job in jobs.items():
        ours = [same(step, "matrix.device", "github.token") for step in job["steps"]]
        if name == "promote":
            ours[0].update(name=action[0]["name"], id=action[0]["id"])
            ours[2]["with"]["name"] = ours[2]["with"]["name"].replace("promote-", "")
        eq(ours, action, name)
        folder = re.search(r'--artifacts "\$RUNNER_TEMP/([\w-]+)"', job["steps"][0]["run"]).group(1)
        eq(job["steps"][2]["with"]["path"], "${{ runner.temp }}/" + folder, name + ": the folder of --artifacts")
    names = lib.read(os.path.join(lib.TOP, "src", "result_files.h"))
    has(names, '"env.json"', "env.json is one of the files that ratchetd sends")


def wake_yml():
    """wake.yml is called as it says, borrows its rights, and keeps no key"""
    text = lib.read(os.path.join(FOLDER, "wake.yml"))
    workflow = parsed(os.path.join(FOLDER, "wake.yml"))[0]["workflow"]
    eq(list(workflow["on"]), ["workflow_call"], "by a job of another workflow alone")
    lacks(text, "secrets.", "no secret is read")
    lacks(text, "access-key", "no key")
    # The job as its comment has it, in ratchet.yml, before the one that needs it.
    job = "".join(line[3:] + "\n" for line in re.findall(r"^#(     .*)$", text, re.M))
    whole = lib.read(os.path.join(FOLDER, "ratchet.yml")).replace("jobs:\n", "jobs:\n" + job + "\n")
    whole = whole.replace("\n  nvidia-l4:\n", "\n  nvidia-l4:\n    needs: wake\n")
    folder = os.path.join(lib.temp_dir(), ".github", "workflows")
    lib.write(os.path.join(folder, "gate.yml"), lib.read(os.path.join(FOLDER, "gate.yml")))
    lib.write(os.path.join(folder, "wake.yml"), text)
    one = parsed(lib.write(os.path.join(folder, "ratchet.yml"), whole))[0]
    eq(one["diagnostics"], [], "GitHub's parser takes it")
    jobs = one["workflow"]["jobs"]
    eq([jobs[name].get("needs") for name in ("wake", "cpu", "nvidia-l4")], [None, None, "wake"], "it comes first")
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
    lacks(found, "brings in", "what a pull request's own workflow brings in is its own")
    for event in ("pull_request_target", "issue_comment"):
        text = lib.read(bad).replace("pull_request:", event + ":")
        found = "\n".join(faults("bad.yml", parsed(lib.write(bad + "2.yml", text))[0]["workflow"]))
        for part in ("brings in actions/checkout@v4", "runs make"):
            has(found, part, "our rules find `%s` on %s" % (part, event))


lib.main(github_has_nothing_to_say, our_rules, the_example, the_example_that_waits, ratchet_yml, gate_yml, ten_lines, one_step_in_two_places, wake_yml,
         the_checks_can_fail)
