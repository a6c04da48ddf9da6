#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lane of a GPU on a host that has none: NVML is played back from a record, so that finding
the card, its lock and its clocks are what they would be; where CUDA is asked for, there is none."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess

import lib
import scene
from lib import eq, has, lacks, ok
from nvml import DATA, Fake, need_no_gpu

CONF = re.sub(r'"cpu"|= cpu', lambda found: found[0].replace("cpu", "nvidia-h200"), scene.conf()) \
    .replace("fp32", "fp16")


def host_of(*settings):
    return scene.Host(device="nvidia-h200", settings=settings)


def no_driver():
    """Without a driver, doctor and check say so"""
    need_no_gpu()
    host = host_of()
    result = host.ratchet("doctor", "--config", host.config)
    eq(result.code, 3, "doctor's exit code")
    has(result.out, re.compile("^FAIL +NVML +no NVIDIA driver: ", re.M), "one line of doctor's")
    repo = lib.Repo()
    repo.commit({**scene.tree(), "ci/ratchet.conf": CONF}, "for a GPU")
    scene.branch(repo, "slow", "slow")
    check = host.check(repo, "slow")
    eq(check.brief(), (3, "unmeasured"), "a check")
    facts = json.loads(check.file("env.json"))["environment"]
    has(facts["device_problem"], "no NVIDIA driver: ", "keeps what it knows, and why it knows no more")
    ok(facts["kernel"], "that of the host")


def environment():
    """env.json has the card, its modes, clocks and limits"""
    need_no_gpu()
    fake = Fake()
    for settings, policy in (((), "as found"), (("clock-lock = 1410MHz",), "locked at 1410 MHz")):
        host = host_of(*settings)
        result = host.ratchet("env", "--config", host.config, "--device", "nvidia-h200", "--head", "none",
                              env=fake.env)
        eq(result.code, 0, "env")
        told = json.loads(result.out)
        eq(told["device"], {"slug": "nvidia-h200", "name": "NVIDIA H200"}, "the device")
        want = {"driver": "580.159.04", "cuda": "13.0", "gpu": "NVIDIA H200", "persistence": "on", "ecc": "on",
                "mig": "off", "power_limit": "700 W", "default_power_limit": "700 W",
                "max_sm_clock": "1980 MHz", "max_memory_clock": "3201 MHz",
                "application_sm_clock": "1980 MHz", "clock_policy": policy}
        eq({name: told["environment"].get(name) for name in want}, want, "what the driver tells")
    eq(fake.told(), "", "no clock was touched")
    lacks(result.out, "GPU-6a3c", "no UUID is shown")


def doctor():
    """doctor finds the card, and what is wrong with the host"""
    need_no_gpu()
    host = host_of("gpu = 0")
    fake = Fake("compute 0 1\npersistence 0 0\n")
    result = host.ratchet("doctor", "--config", host.config, env=fake.env)
    eq(result.code, 3, "the exit code")
    has(result.out, re.compile("^ok +NVML +NVIDIA H200, driver 580.159.04, CUDA 13.0, 140.4 GiB", re.M),
        "the card")
    has(result.out, re.compile("^FAIL +device nodes +no `/dev/nvidia", re.M), "no device nodes")
    has(result.out, re.compile("^FAIL +CUDA, sandboxed +.", re.M), "no context")
    has(result.out, re.compile("^note +persistence +off: ", re.M), "persistence")
    has(result.out, re.compile("^note +alone +1 other process is on the GPU", re.M), "not alone")
    has(result.out, re.compile("^ok +clocks +left as they are", re.M), "clocks")
    has(result.out, re.compile("^ok +lock ", re.M), "the lock")
    locks = [name for name in os.listdir(host.folder) if name.endswith(".lock")]
    ok(len(locks) == 1 and re.fullmatch(r"ratchet-gpu-[0-9a-f]{16}\.lock", locks[0]),
       "is named by a hash", locks)
    lacks(result.text, "GPU-6a3c", "no UUID is shown")
    wrong = host_of("gpu = 1")
    result = wrong.ratchet("doctor", "--config", wrong.config, env=fake.env)
    has(result.out, re.compile("^FAIL +NVML +GPU 1 is an `Tesla T4`, which is no nvidia-h200", re.M),
        "another card than the slug says")


def idle():
    """The idle command waits for whoever else is on the GPU, a check or not"""
    need_no_gpu()
    ran = os.path.join(lib.temp_dir(), "ran")
    host = host_of("gpu = 0", "[daemon]", "idle-command = touch " + ran, "idle-after = 1s")
    fake = Fake("compute 0 1\n")
    daemon = lib.Daemon(host.config, host.socket, env=fake.env)
    lib.wait_for(lambda: "idle-command waits: nvidia-h200: 1 other process is on the GPU" in
                 lib.read(daemon.log), "somebody else to be seen")
    ok(not os.path.exists(ran), "it does not run")
    alone = lib.write(fake.record + ".alone", lib.read(os.path.join(DATA, "h200.txt")))
    os.replace(alone, fake.record)
    lib.wait_for(lambda: os.path.exists(ran), "it to run once nobody is")


def need_compiler():
    need_no_gpu()
    if not shutil.which("nvcc", path=os.environ.get("PATH", "") + ":/usr/local/cuda/bin"):
        raise lib.Skip("no nvcc: a lane of a GPU needs one to build anything")


def kernels_at_github():
    need_compiler()
    standin = scene.github()
    standin.repo.commit({"ci/ratchet.conf": CONF}, "for a GPU", branch="main")
    standin.repo.push(standin.git_url, "main")
    return standin


def kernels():
    """A repository whose kernels a lane of a GPU can build"""
    need_compiler()
    repo = lib.Repo()
    repo.commit({**scene.tree(), "ci/ratchet.conf": CONF}, "the kernel")
    scene.branch(repo, "slow", "slow")
    return repo


def not_alone():
    """Who else is on the GPU is seen before any harness is, a check's or a lab's"""
    repo, fake, host = kernels(), Fake("compute 0 1\n"), host_of()
    seen = "shared: 1 other process is on the GPU"
    has(host.check(repo, "slow", env=fake.env).text, seen, "by a check")
    pool = os.path.join(lib.temp_dir(), "pool.jsonl")
    result = host.ratchet("calibrate", "--config", host.config, "--repo", repo.path, "--device",
                          "nvidia-h200", "--pool", pool, "--output", pool + ".out", env=fake.env)
    has(result.err, seen, "by calibrate")
    ok(result.code not in (0, 1, 2), "which records nothing without CUDA", str(result))
    eq(len(lib.read(pool).splitlines()), 1, "but what the pool is of")


def clocks_around_a_check():
    """clock-lock holds while a check measures, and no longer"""
    repo = kernels()
    for settings, more, told in ((("clock-lock = 1410MHz",), "", "lock 1410 1410\nunlock 0 0\n"),
                                 (("clock-lock = 1410MHz",), "lock 0 1\n", ""),
                                 ((), "", "")):
        fake, host = Fake(more), host_of(*settings)
        result = host.check(repo, "slow", env=fake.env)
        eq(result.brief(), (3, "unmeasured"), "there is no CUDA")
        eq(fake.told(), told, "clocks, with %s" % (settings or "nothing said",))
        lacks("\n".join(os.listdir(host.folder)), ".clocks", "nothing is left behind")
        has(host.ratchet("doctor", "--config", host.config, env=fake.env).out,
            re.compile("^ok +lock ", re.M), "nor is the lock")


SECOND = """\
gpus 0 3
name 2 NVIDIA H200
uuid 2 GPU-8b5d2a10-0000-1111-2222-333344445555
minor 2 5
capability 2 90
total 2 150754820096
used 2 0
sm 2 1980
memory-clock 2 3201
celsius 2 51
milliwatts 2 690298
reasons 2 0x0
"""


def lanes():
    """Equal GPUs are lanes of one device: each has a job of its own"""
    fake = Fake(SECOND)
    standin = kernels_at_github()
    host = scene.Host(standin, token=lib.TOKEN, device="nvidia-h200",
                      settings=("gpu = 0", "gpu = GPU-8b5d2a10-0000-1111-2222-333344445555"))
    doctor_says = host.ratchet("doctor", "--config", host.config, env=fake.env).out
    has(doctor_says, re.compile("^ok +lane +0$.*^ok +lane +GPU-8b5d2a10", re.M | re.S), "doctor tells of both")
    locks = [name for name in os.listdir(host.folder) if name.endswith(".lock")]
    eq(len(locks), 2, "a lock each")
    daemon = lib.Daemon(host.config, host.socket, env=fake.env)
    steps = {}
    held = open(os.path.join(host.folder, lock_of(host, fake, "gpu = 0")), "w")
    fcntl.flock(held, fcntl.LOCK_EX)
    for run, name in enumerate(("one", "two"), 1):
        number, _ = scene.pull(standin, name, "slow")
        steps[name] = host.step("pull_request", scene.pull_event(standin, number), run=run, token=None).start()
        if name == "one":
            lib.wait_for(lambda: "waiting for the device" in steps["one"].log(), "the first GPU to be waited for")
    eq(steps["two"].finish().brief(), (3, "unmeasured"), "the second job ends on the second: there is no CUDA")
    lacks(steps["two"].log(), "waiting for the device", "and waited for nobody")
    ok(steps["one"].process.poll() is None, "while the first waits for the first")
    held.close()
    eq(steps["one"].finish().brief(), (3, "unmeasured"), "then it ends, too")
    daemon.kill()


def lock_of(host, fake, setting):
    """What the lock of a lane is called: doctor makes it."""
    other = host_of(setting)
    other.ratchet("doctor", "--config", other.config, env=fake.env)
    return next(name for name in os.listdir(other.folder) if name.endswith(".lock"))


def one_gpu_twice():
    """Two lanes are two GPUs, whatever they are called"""
    need_no_gpu()
    fake, host = Fake(), host_of("gpu = 0", "gpu = GPU-6a3c1f0e-0000-1111-2222-333344445555")
    says = "device.nvidia-h200.gpu: `0` and `GPU-6a3c1f0e-0000-1111-2222-333344445555` are the same GPU"
    result = lib.run([lib.program("RATCHETD"), "--config", host.config], env=lib.clean_env(fake.env))
    eq((result.code, result.err), (64, "ratchetd: " + says + "\n"), "no daemon starts")
    has(host.ratchet("doctor", "--config", host.config, env=fake.env).out,
        re.compile("^FAIL +lanes +" + re.escape(says), re.M), "and doctor says so")


LOCKED, UNLOCKED = "lock 1410 1410\n", "lock 1410 1410\nunlock 0 0\n"


def guardians(daemon):
    """How many of a daemon's children guard clocks, dead or alive"""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = lib.read("/proc/%s/stat" % pid)
        except OSError:
            continue
        found += "(ratchet-clocks)" in words and words.rsplit(")", 1)[1].split()[1] == str(daemon.process.pid)
    return found


def killed_while_locked():
    """Clocks are unlocked when who locked them is killed: a check, a daemon's step, a daemon"""
    repo = kernels()
    s = lib.Standin(scene.REPOSITORY)
    s.repo = repo
    s.on("collaborators", alice="write")
    repo.push(s.git_url, "main", "slow")
    number = s.on("pulls", head="slow", title="slow", user="alice")["number"]

    def begin(who):
        fake = Fake("hold-lock 0 1\n")
        host = scene.Host(s, device="nvidia-h200", settings=("clock-lock = 1410MHz",))
        return fake, host, lambda: lib.wait_for(lambda: fake.told() == LOCKED, who + " locked them")

    def unlocked(fake, host, who):
        lib.wait_for(lambda: fake.told() == UNLOCKED, "they are unlocked after the end of " + who)
        lib.wait_for(lambda: not [n for n in os.listdir(host.folder) if n.endswith(".clocks")],
                     "nothing is left behind by " + who)
        ok(True, "the clocks are unlocked after the end of " + who)

    fake, host, locked = begin("a check")
    check = lib.start([lib.program("RATCHET"), "check", "--config", host.config, "--repo", repo.path, "--base",
                       "main", "--head", "slow", "--device", host.device, "--output", host.output()],
                      env=host.env(fake.env), cwd=host.folder, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
    locked()
    os.killpg(check.pid, signal.SIGKILL)
    check.wait()
    unlocked(fake, host, "a check")

    fake, host, locked = begin("a step")
    lib.write(fake.record, "hold-unlock 0 1\n" + lib.read(fake.record))
    daemon = lib.Daemon(host.config, host.socket, env=fake.env)
    step = host.step("pull_request", scene.pull_event(s, number), run=1).start()
    locked()
    step.interrupt()
    eq(step.finish().code, 3, "the job ends")
    eq(guardians(daemon), 1, "the daemon, which kills what a step leaves behind, leaves the guardian alone")
    eq(fake.told(), LOCKED, "which is at work")
    lib.write(fake.record, lib.read(fake.record).replace("hold-unlock 0 1\n", ""))
    unlocked(fake, host, "a step")
    lib.wait_for(lambda: not guardians(daemon), "the daemon to reap it")

    lib.write(fake.record + ".log", "")
    step = host.step("pull_request", scene.pull_event(s, number), run=2).start()
    locked()
    daemon.kill()
    unlocked(fake, host, "a daemon")
    lib.kill(step.process)


def left_locked():
    """What a killed run left locked is unlocked when the daemon starts"""
    need_no_gpu()
    host, fake = host_of(), Fake()
    host.ratchet("doctor", "--config", host.config, env=fake.env)
    lock = next(name for name in os.listdir(host.folder) if name.endswith(".lock"))
    left = lib.write(os.path.join(host.folder, lock[:-len("lock")] + "clocks"), "left\n")
    daemon = lib.Daemon(host.config, host.socket, env=fake.env)
    eq(fake.told(), "unlock 0 0\n", "it was unlocked")
    ok(not os.path.exists(left), "the file is gone")
    daemon.kill()
    lib.write(left, "left\n")
    lib.write(fake.record, "unlock 0 1\n" + lib.read(fake.record))
    daemon.start()
    has(lib.read(daemon.log), "Insufficient Permissions", "who may not says so, and serves all the same")
    ok(os.path.exists(left), "the file stays for who may")
    daemon.kill()


lib.main(no_driver, environment, doctor, idle, not_alone, clocks_around_a_check, killed_while_locked, lanes, one_gpu_twice,
         left_locked)
