# SPDX-License-Identifier: Apache-2.0
"""One armed fault: which requests it meets and how often. What it does to them is in
standin.py."""

import re
import threading


ACTIONS = ("answer", "drop", "reset", "hold", "gate", "silence", "truncate", "drip", "raw")


class Fault:
    def __init__(self, number, spec):
        if spec.get("action") not in ACTIONS:
            raise ValueError("no such action: %r" % spec.get("action"))
        self.id, self.spec = number, spec
        self.path = re.compile(spec["path"])
        self.method = spec.get("method")
        self.times, self.skip = spec.get("times", 1), spec.get("skip", 0)
        self.hits = self.waiting = self.passes = 0
        self.released = threading.Event()

    def takes(self, method, target):
        """Counts a hit. The lock of the faults is held."""
        if self.times and self.hits >= self.times:
            return False
        if (self.method and self.method != method) or not self.path.search(target):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True
