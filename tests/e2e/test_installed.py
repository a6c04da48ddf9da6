#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts there, used from there: the ABI's header by pkg-config, each example, the
completions; and what `make uninstall` leaves."""

import os
import re
import shutil

import lib
import scene
from lib import eq, has, ok

BUILD = os.path.dirname(lib.program("RATCHET"))
PREFIX = re.search(r"^prefix='(.*)'$", lib.read(os.path.join(BUILD, "config.log")), re.M).group(1)
ROOT = lib.temp_dir()


def make(target):
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    made = lib.run(["make", "-s", "-C", BUILD, target, "DESTDIR=" + ROOT], env=env)
    eq(made.code, 0, "make " + target)
    return made


def files():
    return sorted(os.path.relpath(os.path.join(folder, name), ROOT + PREFIX)
                  for folder, _, names in os.walk(ROOT) for name in names)


def installed(path):
    return os.path.join(ROOT + PREFIX, path)


def example(path):
    return installed("share/doc/ratchet/examples/" + path)


def cflags():
    env = {**os.environ, "PKG_CONFIG_PATH": installed("lib/pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": ROOT}
    told = lib.run(["pkg-config", "--cflags", "ratchet-kernel"], env=env)
    eq((told.code, told.err), (0, ""), "pkg-config knows the ABI")
    return told.out.split()


def all_of_it():
    """Everything is put there"""
    make("install")
    found = files()
    for path in ("bin/ratchet", "sbin/ratchetd", "libexec/ratchet/ratchet-bench", "libexec/ratchet/ratchet-checkout", "include/ratchet/attention.h",
                 "lib/pkgconfig/ratchet-kernel.pc", "share/bash-completion/completions/ratchet",
                 "share/doc/ratchet/examples/ratchet.conf", "share/doc/ratchet/examples/ratchetd.conf",
                 "share/doc/ratchet/examples/workflow.yml", "share/doc/ratchet/examples/watched.yml", "share/doc/ratchet/apparmor.d/ratchet", "share/man/man1/ratchet.1", "share/man/man5/ratchet.conf.5", "share/man/man7/ratchet-kernel.7",
                 "share/man/man8/ratchetd.8"):
        ok(path in found, path, "\n".join(found))
    eq([path for path in found if lib.run(["grep", "-q", "@[a-z]*dir@", installed(path)]).code == 0 and
        path.endswith((".pc", ".service"))], [], "no place is left to fill in")
    flags = cflags()
    eq(flags, ["-I" + installed("include/ratchet")], "where the header is")
    both = lib.write(os.path.join(lib.temp_dir(), "a.c"), "#include <attention.h>\nint one(void) { return ATTENTION_ABI; }\n")
    for compiler in ([os.environ.get("CC", "cc").split()[-1], "-std=c11"], ["g++", "-x", "c++"]):
        made = lib.run([*compiler, "-Wall", "-Wextra", "-Werror", *flags, "-fsyntax-only", both])
        eq((made.code, made.err), (0, ""), "it is read by " + compiler[0])


def kernel_in_c():
    """The kernel in C: right, and held where an edit leaves the machine code as it was"""
    path = lib.temp_dir()
    repo = lib.Repo(path)
    shutil.copytree(example("kernel-c"), path, dirs_exist_ok=True)
    shutil.copy(installed("include/ratchet/attention.h"), os.path.join(path, "kernels"))
    repo.commit({}, "the kernel")
    host = scene.Host()
    verify = host.ratchet("verify", "--repo", repo.path, "--config", host.config, "--quiet")
    eq((verify.code, verify.err), (0, ""), "its results are right")
    has(verify.out, "s96_d32_causal", "of each config")
    scene.branch(repo, "words", {"kernels/attention.c": lib.read(example("kernel-c/kernels/attention.c")) +
                                 "/* The end. */\n"})
    check = host.check(repo, "words")
    eq((check.brief(), check.config("s128_d64")["clause"]), ((0, "held"), "identical-code"), "checked")


def kernel_in_cuda():
    """The kernel in CUDA compiles by its recipe, for each architecture, and exports what it has to"""
    if shutil.which("nvcc") is None:
        raise lib.Skip("no nvcc")
    folder = lib.temp_dir()
    shutil.copytree(example("kernel-cuda"), folder, dirs_exist_ok=True)
    shutil.copy(installed("include/ratchet/attention.h"), os.path.join(folder, "kernels"))
    recipe = re.search(r"command = (.*)", lib.read(os.path.join(folder, "ci", "ratchet.conf"))).group(1)
    made = lib.run(["sh", "-c", recipe], cwd=folder, env={**os.environ, "RATCHET_ARCH": "sm_89"}, seconds=600)
    eq((made.code, made.out + made.err), (0, ""), "nvcc has nothing to say")
    symbols = lib.run(["nm", "-D", "--defined-only", os.path.join(folder, "kernels", "attention.so")]).out
    eq([line.split()[-1] for line in symbols.splitlines()], ["attention_kernel"], "its one function")


def configurations():
    """Both configuration files are read, and ratchet.conf's values are the defaults"""
    samples = os.path.join(lib.TOP, "tests", "judge", "change_plus4", "samples.json")

    def judged(*args):
        return lib.run([lib.program("RATCHET"), "compare", "--explain", *args, samples])
    want = judged()
    for conf in ("ratchet.conf", "kernel-c/ci/ratchet.conf"):
        told = judged("--rules", example(conf))
        eq((told.code, told.out, told.err), (want.code, want.out, ""), conf)
    told = lib.run([lib.program("RATCHET"), "compare", "--rules", example("kernel-cuda/ci/ratchet.conf"), samples])
    has(told.err, "cpu", "kernel-cuda's is for another device")
    text = lib.read(example("ratchetd.conf"))
    for what, conf in (("as it is", text), ("with all of it", re.sub(r"^; {3,}(?!allow| )", "    ", text, flags=re.M)
                                            .replace("token = job  ", ";")
                                            .replace("/etc/ratchet/token", "/nowhere/token"))):
        told = judged("--config", lib.write(os.path.join(lib.temp_dir(), "ratchetd.conf"), conf))
        eq((told.code, told.out, told.err), (want.code, want.out, ""), "ratchetd.conf " + what)
    stated = dict(re.findall(r"^    (\S+) = ([^;\n]*?) *(?:;.*)?$", lib.read(example("ratchet.conf")), re.M))
    key = re.compile(r"^    (\S+) {2,}(\S+) {2,}\S", re.M)
    for name, value in key.findall(lib.run([lib.program("RATCHET"), "help", "ratchet.conf"]).out):
        if value != "required" and not value.startswith("("):
            eq(stated.get(name), value, "%s stands there, at its default" % name)


def completions():
    """bash completes commands, options and files of keys"""
    def complete(*words):
        script = ". %s; COMP_WORDS=(%s); COMP_CWORD=%d; _ratchet; echo \"${COMPREPLY[*]}\"" % (
            installed("share/bash-completion/completions/ratchet"),
            " ".join("'%s'" % word for word in (lib.program("RATCHET"), *words)), len(words))
        told = lib.run(["bash", "-c", script])
        eq((told.code, told.err), (0, ""), "ratchet " + " ".join(words))
        return told.out.split()
    eq(complete("ch"), ["check"], "a command")
    ok({"check", "doctor", "help", "--version"} <= set(complete("")), "all of them")
    eq(complete("check", "--no-"), ["--no-baseline"], "an option")
    eq(sorted(complete("doctor", "--")), ["--config", "--help"], "all of them, and help")
    eq(complete("help", "ratchet"), ["ratchet.conf", "ratchetd.conf"], "a file")
    eq(complete("help", "swe"), ["sweep"], "or a command")
    eq(complete("check", "--repo", ""), [], "the name of a file is bash's")


def taken_away_again():
    """Uninstall leaves nothing"""
    make("uninstall")
    eq(files(), [], "no file")
    eq([path for path, _, _ in os.walk(ROOT + PREFIX) if os.path.basename(path) == "ratchet"], [],
       "no folder of ours")


lib.main(all_of_it, kernel_in_c, kernel_in_cuda, configurations, completions, taken_away_again)
