# SPDX-License-Identifier: Apache-2.0
"""The parent's side of the protocol in src/wire.h, for tests that talk to ratchet-bench alone."""

import os
import random
import shutil
import subprocess
import tempfile


class Ended(Exception):
    """The harness ended; its last words, if it had any."""


class Harness:
    """One process with libraries loaded into slots. `wrap`: words before the program, such as
    those of compute-sanitizer."""

    def __init__(self, program, device, libraries, wrap=(), watchdog_ms=20000):
        self.folder = tempfile.mkdtemp(prefix="ratchet-wire-")
        self.random = random.Random(os.urandom(8))
        for slot, path in enumerate(libraries):
            shutil.copy(path, os.path.join(self.folder, "lib-%02d.so" % slot))
        self.process = subprocess.Popen([*wrap, program, device], cwd=self.folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.hear()
        opened = self.ask("open 1 %d" % watchdog_ms)
        self.l2, self.free, self.total = (int(word) for word in opened.split()[1:4])
        self.names = [self.ask("load %d lib-%02d.so" % (slot, slot)).split()[-1]
                      for slot in range(len(libraries))]

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        line = "="
        while line.startswith("="):  # compute-sanitizer speaks first
            line = self.process.stdout.readline().decode().rstrip("\n")
        if line == "" or line.split()[0] in ("died", "crashed"):
            self.close()
            raise Ended(line)
        return line

    def ask(self, line):
        self.say(line)
        answer = self.hear()
        if answer.split()[0] in ("failed", "refused"):
            raise RuntimeError("%s: %s" % (line, answer))
        return answer

    def seed(self):
        return self.random.getrandbits(63)

    def config(self, problem, slots):
        """`problem`: batch heads heads_kv seq_q seq_k head_dim dtype causal; `slots`: of head,
        base, anchor, control, None where there is no such arm."""
        return self.ask("config %s %s" % (" ".join(str(word) for word in problem), " ".join(
            "-" if slot is None else str(slot) for slot in slots)))

    def stage(self, launches, arms, seed=None):
        """`arms`: names, or NAME+DELAY_NS; `launches`: of each, or a list with one for each."""
        counts = launches if isinstance(launches, list) else [launches] * len(arms)
        entries = ["+".join(["%s:%d" % (arm.split("+")[0], count)] + arm.split("+")[1:])
                   for arm, count in zip(arms, counts)]
        self.say("stage %d %s" % (self.seed() if seed is None else seed, " ".join(entries)))
        for _ in arms:
            answer = self.hear()
            if not answer.startswith("staged "):
                raise RuntimeError(answer)
        return counts

    def draw(self, launches, arms):
        """As the parent draws them: half as many to half as many more."""
        return [self.random.randint(launches - launches // 2, launches + (launches + 1) // 2)
                for _ in arms]

    def samples(self, word, counts):
        """The numbers of each line of kind `word`, until `done`."""
        lines = []
        while True:
            words = self.hear().split()
            if words[0] == word:
                lines.append([int(number) for number in words[2:]])
            elif words[0] == "done":
                return list(zip(lines, counts))
            else:
                raise RuntimeError(" ".join(words))

    def turn(self, launches, arms, seed=None):
        """Samples in ns a launch, one for each arm, or the answer that came instead."""
        counts = self.stage(launches, arms, seed)
        self.say("turn")
        times = [(ns / count, late) for (ns, late), count in self.samples("sample", counts)]
        answer = self.ask("compare")
        if answer != "compared":
            raise RuntimeError(answer)
        return times

    def trace(self, launches, arms):
        """(CUPTI's ns a launch, ours) for each arm."""
        self.say("trace %d %s" % (self.seed(), " ".join("%s:%d" % (arm, launches) for arm in arms)))
        return [(kernel / count, ns / count)
                for (kernel, ns), count in self.samples("traced", [launches] * len(arms))]

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
