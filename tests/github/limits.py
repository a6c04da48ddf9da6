# SPDX-License-Identifier: Apache-2.0
"""GitHub's limits and the clock that they count by. Everything is counted always; nothing is refused
until a test turns the limits on. No HTTP here.

    primary     requests an hour of a token; a job's token shares its repository's, an App's its installation's
    secondary   writes a minute and an hour

`polled` counts what was asked too early: after a refusal, before the time that it named has passed
on the host's own monotonic clock, whatever a test did to the stand-in's."""

import collections
import math
import time

MINUTE, HOUR = 60, 3600


class Clock:
    """The host's, until a test sets it, moves it on or stops it."""

    def __init__(self):
        self.offset, self.stopped = 0.0, None

    def now(self):
        return time.time() + self.offset if self.stopped is None else self.stopped

    def drive(self, now=None, advance=0, stopped=None):
        to = (self.now() if now is None else now) + advance
        stop = self.stopped is not None if stopped is None else stopped
        self.offset, self.stopped = to - time.time(), to if stop else None
        return self.now()


class Budget:
    def __init__(self, name, job):
        self.name, self.job = name, job
        self.used, self.reset = 0, 0
        self.writes = collections.deque()  # when, within the last hour
        self.asked = self.refused = self.polled = self.unchanged = 0  # ever
        self.points = 0                     # of GraphQL, which has a limit of its own; likewise
        self.quiet = {"primary": 0.0, "secondary": 0.0}  # on the monotonic clock


class Limits:
    def __init__(self, clock):
        self.clock, self.budgets = clock, {}
        self.settings = {
            "on": False,
            "primary": 5000, "job": 1000,             # requests an hour
            "writes_minute": 80, "writes_hour": 500,
            "status": 403,                            # or 429: GitHub says either
            "announce": None,                         # never name more seconds than that
        }

    def budget(self, token):
        """The one that a token draws on; None: nobody's."""
        job = None if token is None else token["job_of"]
        key = token and (job.lower() if job else (token["installation"],) if token["installation"]
                         else token["serial"])
        if key not in self.budgets:
            self.budgets[key] = Budget(job or (token and token["login"]), bool(job))
        budget = self.budgets[key]
        now = self.clock.now()
        if now >= budget.reset:
            budget.used, budget.reset = 0, int(now) + HOUR
        while budget.writes and budget.writes[0] <= now - HOUR:
            budget.writes.popleft()
        return budget

    def limit(self, budget):
        return self.settings["job" if budget.job else "primary"]

    def named(self, seconds):
        """What is announced of a wait."""
        most = self.settings["announce"]
        whole = max(1, math.ceil(seconds))
        return whole if most is None else min(whole, most)

    def reset_named(self, budget):
        """Epoch seconds; shortened only while nothing else can be asked."""
        if self.settings["announce"] is None or budget.used < self.limit(budget):
            return budget.reset
        return int(self.clock.now()) + self.named(budget.reset - self.clock.now())

    def rate(self, budget):
        limit = self.limit(budget)
        used = min(budget.used, limit)
        return {"limit": limit, "used": used, "remaining": limit - used,
                "reset": self.reset_named(budget), "resource": "core"}

    def allowed_in(self, budget):
        """Seconds until a write would be taken."""
        now = self.clock.now()
        wait = budget.reset - now if budget.used >= self.limit(budget) else 0
        for most, window in self.windows():
            if len(budget.writes) >= most:
                wait = max(wait, budget.writes[-most] + window - now)
        return max(0, math.ceil(wait))

    def windows(self):
        return (self.settings["writes_hour"], HOUR), (self.settings["writes_minute"], MINUTE)

    def charge(self, budget, write):
        """None: go on. Else which limit refuses, and the seconds to wait where they are told."""
        budget.asked += 1
        early = time.monotonic() < budget.quiet["primary"] or \
            (write and time.monotonic() < budget.quiet["secondary"])
        budget.polled += early
        if budget.used >= self.limit(budget) and self.settings["on"]:
            return self.refuse(budget, "primary", self.reset_named(budget) - self.clock.now())
        budget.used += 1
        if not write:
            return None
        now = self.clock.now()
        for most, window in self.windows():
            if len(budget.writes) < most or budget.writes[-most] <= now - window:
                continue
            if self.settings["on"]:
                wait = self.named(budget.writes[-most] + window - now)
                return self.refuse(budget, "secondary", wait)
        budget.writes.append(now)
        return None

    def free(self, budget):
        """What was charged was a conditional request, and nothing has changed."""
        budget.used -= 1
        budget.unchanged += 1

    def refuse(self, budget, which, wait):
        budget.refused += 1
        budget.quiet[which] = max(budget.quiet[which], time.monotonic() + wait)
        return which, wait

    def use(self, budget, used=None, reset_in=None, writes=None):
        """As if so much had been asked already."""
        now = self.clock.now()
        if used is not None:
            budget.used = used
        if reset_in is not None:
            budget.reset = int(now) + reset_in
        if writes is not None:
            budget.writes = collections.deque([now] * writes)

    def view(self):
        now = self.clock.now()
        return {"now": now, "settings": self.settings, "budgets": [
            {"of": b.name, "limit": self.limit(b), "used": b.used, "reset_in": b.reset - now,
             "writes": len(b.writes), "asked": b.asked, "refused": b.refused, "polled": b.polled, "unchanged": b.unchanged, "points": b.points,
             "allowed_in": self.allowed_in(b)}
            for b in self.budgets.values()]}
