# SPDX-License-Identifier: Apache-2.0
"""Five pull requests that everybody can tell apart, and the road that they take: what the
demonstration, ci/first-day and tests/gpu/road.py share. A kernel of ours is on the stand-in's main;
pushes and pull requests go through a host's daemon as the steps of a workflow would hand them over."""

import json
import os
import time

import lib
import scene

CPU, CUDA = "kernels/attention_cpu.c", "kernels/attention_sm80.cu"
# Main begins with the second text, so that there is something to improve: a micro-kernel of two rows;
# so many blocks a multiprocessor that the registers of short problems spill.
START = {CPU: ("MICRO = 6,", "MICRO = 2,"),
         CUDA: ("#define D64_SHORT_BLOCKS 4", "#define D64_SHORT_BLOCKS 10")}
# Edits of such a main, by kernel and name: (title, old text, new text).
EDITS = {
    CPU: {
        "slow": ("Use fewer registers in the micro-kernel", "MICRO = 2,", "MICRO = 1,"),
        "comment": ("Explain the tile size better", "/* keys of a tile;",
                    "/* keys of one tile of K and V;"),
        "refactor": ("Count the query blocks without a sum that could overflow",
                     "((size_t)problem->seq_q + BLOCK_Q - 1) / BLOCK_Q;",
                     "(size_t)(problem->seq_q / BLOCK_Q) + (problem->seq_q % BLOCK_Q != 0 ? 1 : 0);"),
        "wrong": ("Save a multiplication in the running sum",
                  "_mm256_fmadd_ps(_mm256_load_ps(row_sum + n), keep, added)",
                  "_mm256_add_ps(_mm256_load_ps(row_sum + n), added)"),
        "fast": ("Six rows in the micro-kernel", "MICRO = 2,", "MICRO = 6,")},
    CUDA: {
        "slow": ("More blocks for long problems", "#define D64_BLOCKS 2", "#define D64_BLOCKS 8"),
        "comment": ("Explain the tile shapes better", "// Numbers that", "// The numbers that"),
        "refactor": ("The exact logarithm in the log-sum-exp", "__logf(sum)", "logf(sum)"),
        "wrong": ("Save a multiplication in the running sum",
                  "state.row_sum[t][half] * rescale + sum", "state.row_sum[t][half] + sum"),
        "fast": ("Leave short problems their registers", "#define D64_SHORT_BLOCKS 10",
                 "#define D64_SHORT_BLOCKS 4")}}
# In this order: the verdict, and what its reason must hold.
EXPECTED = {"slow": ("regressed", ""), "comment": ("held", "identical machine code"),
            "refactor": ("held", ""), "wrong": ("unmeasured", "wrong result"),
            "fast": ("improved", "")}


def once(source, old, new):
    if source.count(old) != 1:
        raise SystemExit("`%s` stands %d times in the kernel" % (old, source.count(old)))
    return source.replace(old, new)


def first_source(kernel):
    """The kernel as main begins with it"""
    return once(lib.read(os.path.join(lib.TOP, kernel)), *START[kernel])


def files(kernel, source, conf):
    return {kernel: source, "ci/ratchet.conf": conf,
            "kernels/attention.h": lib.read(os.path.join(lib.TOP, "kernels", "attention.h"))}


def start(tree):
    """A stand-in whose repository has these files on main"""
    standin = lib.Standin(scene.REPOSITORY)
    standin.repo = lib.Repo()
    standin.repo.commit(tree, "the kernel")
    standin.repo.push(standin.git_url, "main")
    return standin


def tip(standin):
    return standin.state()["refs"]["refs/heads/main"]


def push(standin, host, run, seconds=600):
    """What a push to main does: (the step's result, whether main moved). Ours is then origin/main."""
    sha = tip(standin)
    result = host.step("push", {
        "ref": "refs/heads/main", "before": "0" * 40, "after": sha, "created": False,
        "deleted": False, "forced": False, "commits": [],
        "head_commit": {"id": sha, "message": "merge"},
        "repository": {"full_name": standin.repository, "id": standin.made["id"]}}, run=run).run(seconds=seconds)
    standin.repo.git("-c", "http.extraHeader=Authorization: Bearer " + lib.TOKEN, "fetch", "-q",
                     standin.git_url, "+refs/heads/main:refs/remotes/origin/main")
    return result, standin.repo.sha("refs/remotes/origin/main") != sha


class Pull:
    """A pull request that was opened and checked: number, result, comment, states, seconds"""

    def __init__(self, standin, host, name, tree, run, seconds=600):
        self.number, head = scene.pull(standin, name, tree)
        step = host.step("pull_request", scene.pull_event(standin, self.number), run=run)
        began = time.monotonic()
        self.result = step.run(seconds=seconds)
        self.seconds = time.monotonic() - began
        self.comment = (scene.ours(standin, self.number) or ["(none)\n"])[0]
        self.states = scene.status(standin, head, host.device)

    def verdict(self, reason=""):
        """Its word; with its reason, where that does not hold what it must"""
        verdict = self.result.verdict
        if reason in json.dumps(verdict):
            return verdict["verdict"]
        return verdict["verdict"] + ", another reason: " + verdict["reason"]
