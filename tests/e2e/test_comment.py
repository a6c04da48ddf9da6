#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comment as people see it: on a wide page and on a telephone, light and dark, with sixty configs and with three
devices. The texts are those that tests/unit/test_report.c holds to the byte.

COMMENT_SHOTS: a folder for the pictures. RATCHET_GOLDEN: the pictures to compare with are written anew."""

import os

import lib
import markdown_page
from lib import eq, ok

DATA = os.path.join(lib.TOP, "tests", "data")
SINGLE = ("regressed", "held", "improved", "unclear", "unmeasured_wrong_result", "unmeasured_build", "promotion",
          "held_identical", "first_baseline", "regressed_why", "sixty")
FAR = 10  # mean difference of blocks, of 255: another version of a font is nearer, a lost table is not


def text_of(name):
    if name != "three_devices":
        return lib.read(os.path.join(DATA, "report", name + ".md"))
    return "\n".join(text_of(one) for one in ("regressed", "held_gpu", "unmeasured_build"))


def difference(one, other):
    """Mean over the blocks of the taller; where one has none, it is white on black."""
    height = max(len(one), len(other))
    total = 0
    for y in range(height):
        if y >= len(one) or y >= len(other):
            total += 255 * len(one[0])
        else:
            total += sum(abs(a - b) for a, b in zip(one[y], other[y]))
    return total / (height * len(one[0]))


def fits():
    """No wider than its window, on a page and on a telephone: tables and charts scroll in themselves"""
    folder, shots = lib.temp_dir(), os.environ.get("COMMENT_SHOTS")
    for width, dark, unfold in ((390, False, True), (390, True, False), (900, False, False)):
        pages = [markdown_page.make(os.path.join(folder, "%s-%d.html" % (name, width)), text_of(name), dark, unfold)
                 for name in SINGLE + ("three_devices",)]
        look = "%d%s%s" % (width, " dark" if dark else "", " unfolded" if unfold else "")
        eq(markdown_page.browser.show(pages, width).problems, [], look)
        for page in pages if shots else ():
            markdown_page.picture(page, width, os.path.join(shots, os.path.basename(page)[:-5] + (
                "-dark" if dark else "") + ".png"))


def as_before():
    """As it looked when somebody looked at it"""
    folder = lib.temp_dir()
    for name, width, dark in (("regressed", 390, False), ("regressed", 900, True), ("sixty", 900, False)):
        page = markdown_page.make(os.path.join(folder, name + ".html"), text_of(name), dark)
        shot = os.path.join(folder, "shot.png")
        markdown_page.picture(page, width, shot)
        seen = markdown_page.coarse(shot)
        path = os.path.join(DATA, "comment", "%s-%d.pgm" % (name, width))
        if os.environ.get("RATCHET_GOLDEN"):
            markdown_page.write_pgm(path, seen)
        far = difference(seen, markdown_page.read_pgm(path))
        ok(far < FAR, "%s, %d wide" % (name, width), far)
        half = [row for row in seen[:len(seen) // 2]]
        ok(difference(half, markdown_page.read_pgm(path)) > FAR, "%s: half of it is seen to be missing" % name)


def first_screen():
    """What stands above the fold of each: the verdict, then one sentence with its number"""
    for name in SINGLE:
        lines = [line for line in text_of(name).split("\n") if line]
        ok(lines[1].startswith("### Ratchet: "), name + ": the verdict is the heading", lines[1])
        if name not in ("promotion", "first_baseline"):
            ok(lines[2].startswith(("**", "> **")), name + ": the first words say it", lines[2])
        eq([line for line in lines if "\u200b" in line], [], name + ": all can be copied")


if __name__ == "__main__":
    lib.main(first_screen, fits, as_before)
