#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`ratchet env`: env.json with its hash, what it says of frameworks, and what differs from another."""

import copy
import hashlib
import json
import os
import sys

import lib
import scene
from lib import eq, has, lacks, ok


def hash_of(facts):
    """As the man page says it."""
    lines = ["%s=%s\n" % fact for fact in sorted(facts.items()) if not fact[0].startswith("seen_")]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def here(host, *args, **more):
    result = host.ratchet("env", "--config", host.config, *args, **more)
    eq(result.code, 0, "env " + " ".join(args))
    return json.loads(result.out), result


def changed(host, told, **facts):
    """A file with other facts, None for gone, and a hash that is right."""
    other = copy.deepcopy(told)
    for name, value in facts.items():
        other["environment"].pop(name, None)
        if value is not None:
            other["environment"][name] = value
    other["hash"] = hash_of(other["environment"])
    return lib.write(os.path.join(host.folder, "env.json"), json.dumps(other))


def prints_env_json():
    """env.json of this host, with a repository's recipe or without"""
    host, repo = scene.Host(), lib.Repo()
    repo.commit(scene.tree(), "the kernel")
    told, result = here(host, "--repo", repo.path)
    eq(result.err, "", "nothing is missing")
    eq((told["schema"], told["device"]["slug"]), ("ratchet.environment/1", "cpu"), "what it is")
    facts = told["environment"]
    for name in ("os", "kernel", "cpu", "cores", "threads", "inputs", "sample_target", "sandbox", "compiler"):
        ok(facts.get(name), "it has " + name, facts)
    has(facts["build"], "cc -O2 -shared -fPIC", "the compiler's flags")
    eq(told["hash"], hash_of(facts), "the hash is that of its facts")
    alone, result = here(host)
    has(result.err, "ratchet env: no recipe of a build: --repo: . is not in a git repository",
        "outside a repository that is said")
    lacks(alone["environment"], "build", "and left out")
    wrong = host.ratchet("env", "--config", host.config, "--repo", host.folder)
    eq((wrong.code, wrong.out), (64, ""), "a repository that was named has to be one")
    wrong = host.ratchet("env", "--config", host.config, "--device", "nvidia-h200")
    eq(wrong.code, 64, "a device that the host does not have")
    has(wrong.err, "`nvidia-h200` is not configured", "is named")


def against():
    """What differs, which differences matter, and the exit code"""
    host = scene.Host()
    told, _ = here(host, "--head", "none")
    for what, facts, code, lines in (
            ("the same", {}, 0, ["the same environment"]),
            ("harmless", {"os": "Plan 9"}, 0, ["harmless  os: Plan 9 -> " + told["environment"]["os"]]),
            ("matters", {"cpu": "Z80", "os": "CP/M"}, 2,
             ["harmless  os: CP/M -> " + told["environment"]["os"],
              "matters   cpu: Z80 -> " + told["environment"]["cpu"]]),
            ("one more", {"gpu": "a card"}, 2, ["matters   gpu: a card -> (not told)"]),
            ("readings", {"seen_power": "700 W"}, 0, ["the same environment"]),
            ("no frameworks", {name: None for name in told["environment"] if name.startswith("peer_")}, 0,
             None)):
        result = host.ratchet("env", "--config", host.config, "--head", "none", "--against",
                              changed(host, told, **facts))
        eq(result.code, code, what + ": exit code")
        if lines is not None:
            eq(result.out.splitlines(), lines, what + ": one line a difference")
        lacks(result.out, "matters   peer_", what + ": frameworks")


def hostile_files():
    """A broken file is one line, with what and where"""
    host = scene.Host()
    told, _ = here(host, "--head", "none")
    good = json.dumps(told)
    path = os.path.join(host.folder, "env.json")
    for what, text, said in (
            ("empty", "", "env.json: "), ("truncated", good[:-9], "env.json: "), ("an array", "[]", "object"),
            ("other schema", good.replace("environment/1", "environment/9"), "schema: "),
            ("no hash", good.replace('"hash"', '"hush"'), "hash: "),
            ("edited", good.replace('"os": "', '"os": "X'), "hash: expected `sha256:"),
            ("a number", good.replace('"os": "', '"os": 7, "so": "'), "environment.os: "),
            ("another device", good.replace('"slug": "cpu"', '"slug": "nvidia-l4"'),
             "device.slug: expected `cpu`, not `nvidia-l4`"),
            ("2 MiB", " " * (2 << 20), "env.json"), ("deep", "[" * 100000, "env.json: ")):
        lib.write(path, text)
        result = host.ratchet("env", "--config", host.config, "--head", "none", "--against", path)
        eq((result.code, result.out), (64, ""), what)
        eq(len(result.err.splitlines()), 1, what + ": one line")
        has(result.err, said, what + ": what and where")
    result = host.ratchet("env", "--config", host.config, "--against", path + ".gone")
    eq(result.code, 64, "no such file")
    has(result.err, "env.json.gone", "is named")


TORCH = """
class version: cuda = "13.0"
class cudnn:
    allow_tf32, deterministic, benchmark = True, False, False
    version = lambda: 91200
class backends:
    cudnn = cudnn
    class cuda:
        class matmul: allow_tf32 = False
get_float32_matmul_precision = lambda: "highest"
are_deterministic_algorithms_enabled = lambda: False
print("a warning of somebody's")
"""


def python_with(torch, version="2.11.0+cu130"):
    """A Python whose one package is a PyTorch with this source."""
    folder = lib.temp_dir()
    lib.write(os.path.join(folder, "site", "torch.py"), torch)
    lib.write(os.path.join(folder, "site", "torch-1.dist-info", "METADATA"),
              "Metadata-Version: 2.1\nName: torch\nVersion: %s\n" % version)
    return lib.write(os.path.join(folder, "python"), "#!/bin/sh\nexport PYTHONPATH=%s\nshift\nexec %s -S \"$@\"\n" % (
        os.path.join(folder, "site"), sys.executable), 0o755)


def frameworks():
    """Frameworks: their versions and settings, or that they are not there, or why they do not load"""
    host = scene.Host()

    def facts(python, **more):
        told = here(host, "--head", "none", "--python", python, **more)[0]["environment"]
        return {name[5:]: value for name, value in told.items() if name.startswith("peer_")}
    missing = {"flash_attn": "not installed", "xformers": "not installed", "triton": "not installed"}
    eq(facts(python_with(TORCH)), {
        "torch": "2.11.0+cu130", "torch_cuda": "13.0", "torch_cudnn": "91200",
        "torch_tf32": "matmul off, cudnn on, precision highest",
        "torch_deterministic": "algorithms off, cudnn off, cudnn benchmark off", **missing}, "a PyTorch")
    eq(facts(python_with("raise ImportError('libcudart.so.13:\\n no such file')")), {
        "torch": "2.11.0+cu130, does not load: libcudart.so.13: no such file", **missing}, "one that is broken")
    eq(facts(python_with("import os; os.abort()")), {
        "torch": "not known: signal 6 (Aborted)", **missing}, "one that dies")
    dead = facts(lib.write(os.path.join(lib.temp_dir(), "python"), "#!/no/such/python\n", 0o755))
    eq({name: value[:11] for name, value in dead.items()}, {name: "not known: " for name in ("torch", *missing)},
       "one that cannot be started")
    gone = host.ratchet("env", "--config", host.config, "--head", "none", "--python", "no-python")
    eq((gone.code, gone.err), (64, "ratchet env: --python: no program `no-python` on PATH\n"), "one that is not there")
    lib.write(os.path.join(host.folder, "importlib.py"), "raise SystemExit(3)")
    python = python_with(TORCH)
    here_ = os.path.relpath(python, host.folder)
    eq(facts(here_)["torch"], "2.11.0+cu130", "by a path of this folder, whose modules are nobody's")


lib.main(prints_env_json, against, hostile_files, frameworks)
