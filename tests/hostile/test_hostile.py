#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile branches through a real ratchetd and a real ratchet-run, one after the other, on one host: of each what stopped it is told, no
canary is left anywhere, nothing outside changed, the daemon lives, and honest pull requests between and behind them
have their right answers. `test_hostile.py TEXT…`: rows whose names have one of the texts. HOSTILE_SHOW=1 prints what
came of each (a number: so much of what was told where a text is missing). HOSTILE_ALONE=1: no ratchet-run, the daemon starts
the sandboxes itself."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402  (finds lib)
import bombs  # noqa: E402
import doors  # noqa: E402
import outputs  # noqa: E402
import steal  # noqa: E402
import trees  # noqa: E402
import words  # noqa: E402
import lib  # noqa: E402
import scene  # noqa: E402

FAMILIES = (steal, bombs, trees, outputs, words, doors)


def main():
    lib.case("hostile branches")
    w = world.World()
    w.honest("before all")
    w.sees()
    counts = {}
    for family in FAMILIES:
        rows = [row for row in family.ROWS if not sys.argv[1:] or any(
            text in family.__name__ + ": " + row.name for text in sys.argv[1:])]
        while rows:
            together = getattr(family, "TOGETHER", 1)
            some, rows = rows[:together], rows[together:]
            for row in some:
                is_branch = isinstance(row, world.Row) or row.is_branch
                counts.setdefault(family.__name__, [0, 0])[not is_branch] += 1
            try:
                w.run(*some) if isinstance(some[0], world.Row) else some[0](w)
            except Exception:
                lib.ok(False, "ran to its end", lib.traceback.format_exc())
        if family.__name__ in counts:
            w.honest("after " + family.__name__)
    if not sys.argv[1:]:
        w.honest("slow", {"kernels/attention.c": scene.kernel("slow")}, (1, "regressed"))
        w.honest("refactored", {"kernels/attention.c": scene.kernel("refactored")})
    for name, (branches, others) in counts.items():
        lib.note("%s: %d branches%s" % (name, branches, ", %d events, messages and steps" % others if others else ""))
    lib.note("%d hostile branches, %d hostile events, messages and steps" % tuple(
        sum(count[which] for count in counts.values()) for which in (0, 1)))
    lib.done()


if __name__ == "__main__":
    main()
