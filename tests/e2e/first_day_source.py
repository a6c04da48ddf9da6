# SPDX-License-Identifier: Apache-2.0
"""What a first day measures: a repository with our kernel on main, and ci/ratchet.conf for a device.
It is this very commit where that can be, so that the baseline's anchor is in everybody's history;
else a commit of its own, with the reason."""

import os
import random

import lib
import pulls

CONF = os.path.join(lib.TOP, "ci", "ratchet.conf")
SMALL = {"samples": "10", "target": "200us", "warmup": "2"}  # [bench] of --quick
RULE = [("threshold", "20%"), ("own-floor", "5%"), ("control-floor", "15%"), ("resamples", "1000"),
        ("look", "6"), ("look", "8")]


def entries(path):
    """(section, subsection, key, value) of a file in git-config syntax, in order"""
    text = lib.run(["git", "config", "-f", path, "--list", "-z"])
    if text.code != 0:
        raise SystemExit("first-day: %s: %s" % (path, text.err.strip()))
    found = []
    for entry in text.out.split("\0")[:-1]:
        name, _, value = entry.partition("\n")
        section, _, rest = name.partition(".")
        sub, _, key = rest.rpartition(".")
        found.append((section, sub, key, value))
    return found


def quoted(value):
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def section(name, sub, pairs):
    head = "[%s%s]\n" % (name, " " + quoted(sub) if sub else "")
    return head + "".join("    %s = %s\n" % (key, quoted(value)) for key, value in pairs)


def kernel_of(device):
    return pulls.CUDA if device.startswith("nvidia-") else pulls.CPU


class Conf:
    """ci/ratchet.conf for one device, of the sections that ours has for it, or for a relative of it"""

    def __init__(self, device, quick):
        found = entries(CONF)
        self.device, self.quick = device, quick
        self.known = any(one[:2] == ("build", device) for one in found)
        donor = device if self.known else "nvidia-l4" if kernel_of(device) == pulls.CUDA else "cpu"
        self.build = [one[2:] for one in found if one[:2] == ("build", donor)]
        self.bench = [one[2:] for one in found if one[:2] == ("bench", donor)]
        mine = [one[1] for one in found if one[0] == "config" and one[2:] == ("device", donor)]
        self.configs = {name: [one[2:] for one in found if one[:2] == ("config", name) and one[2] != "device"]
                        for name in mine}
        if quick:
            self.bench = list(SMALL.items())
            # On a GPU the second, too: pulls.py's slow edit is one for longer problems.
            self.configs = dict(list(self.configs.items())[:1 if kernel_of(device) == pulls.CPU else 2])
        if quick and kernel_of(device) == pulls.CPU:
            self.configs = {name: [(key, "1" if key == "heads" else value) for key, value in pairs]
                            for name, pairs in self.configs.items()}

    def text(self, configs=None, bench=None):
        """With a gap of nothing between the runs of a promotion: the pull requests are an exhibition"""
        return (section("kernel", "", [("path", kernel_of(self.device)), ("path", "kernels/attention.h")])
                + section("rule", "", RULE if self.quick else [])
                + section("promotion", "", [("gap", "0s")])
                + section("build", self.device, self.build) + section("bench", self.device, bench or self.bench)
                + "".join(section("config", name, [("device", self.device), *pairs])
                          for name, pairs in (configs or self.configs).items()))

    def random_problems(self, count):
        """Odd lengths, one row, other numbers of queries than of keys, groups of heads, both types"""
        rng, gpu = random.Random(1), kernel_of(self.device) == pulls.CUDA

        def length():
            return rng.choice([1, 2, rng.randrange(1, 17), rng.randrange(1, 130), rng.randrange(1, 300),
                               64, 127, 128, 129, 256, 257])
        problems = {}
        for place in range(count):
            heads_kv = rng.choice([1, 1, 2, 3])
            seq_q = length()
            problems["p%03d" % place] = [(key, str(value)) for key, value in (
                ("batch", rng.randrange(1, 4)), ("heads", heads_kv * rng.choice([1, 1, 2, 4])),
                ("heads-kv", heads_kv), ("seq-q", seq_q),
                ("seq-k", seq_q if rng.random() < 0.4 else length()),
                ("head-dim", rng.choice([64, 128] if gpu else [16, 64, 80, 128])),
                ("dtype", rng.choice(["fp16", "bf16"]) if gpu else "fp32"),
                ("causal", rng.choice(["true", "false"])))]
        return self.text(problems, list(SMALL.items()))


def git(*words):
    result = lib.run(["git", "-C", lib.TOP, *words])
    return result.out.strip() if result.code == 0 else None


def why_not_ours(conf):
    """Why the baseline cannot be of this repository's own commit, if so"""
    if conf.quick:
        return "it is a rehearsal (--quick)"
    if not conf.known:
        return "ci/ratchet.conf has no [build \"%s\"]: a relative's sections were taken" % conf.device
    if git("rev-parse", "--show-prefix") != "":
        return "this is no git checkout"
    if git("rev-parse", "--is-shallow-repository") != "false":
        return "this clone is shallow"
    if git("status", "--porcelain", "--", "kernels", "ci/ratchet.conf") != "":
        return "kernels or ci/ratchet.conf have changes that are not committed"
    if git("cat-file", "-e", "HEAD:baselines/%s/baseline.json" % conf.device) is not None:
        return "main has a baseline of this device already"
    return None


def repository(conf, commit):
    """Made anew, the same each time: its main is `commit` of ours, or else (None) our files in a commit of its own"""
    repo = lib.Repo()
    if commit is None:
        kernel = kernel_of(conf.device)
        repo.commit(pulls.files(kernel, lib.read(os.path.join(lib.TOP, kernel)), conf.text()), "the kernel")
    else:
        repo.git("fetch", "-q", lib.TOP, "HEAD")
        repo.git("checkout", "-q", "-B", "main", commit)
    return repo
