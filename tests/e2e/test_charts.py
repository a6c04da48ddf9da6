# SPDX-License-Identifier: Apache-2.0
"""The charts of tests/data/charts, which tests/unit/test_chart.c holds to the byte, as XML, as colours that people tell
apart, and as a browser shows them."""

import glob
import itertools
import math
import os
import re
import xml.etree.ElementTree

import browser
import lib
from lib import eq, lacks, ok

PAGE = os.path.join(lib.TOP, "tests", "data", "sweep", "sweep.html")
CHARTS = sorted(glob.glob(os.path.join(lib.TOP, "tests", "data", "charts", "*.svg")))
SVG = "{http://www.w3.org/2000/svg}"


def well_formed():
    """Each chart is XML, with nothing in it that runs or that is fetched"""
    ok(len(CHARTS) >= 6, "charts: %d" % len(CHARTS))
    for path in CHARTS:
        name, text = os.path.basename(path), lib.read(path)
        root = xml.etree.ElementTree.fromstring(text)
        kinds = {e.tag.replace(SVG, "") for e in root.iter()}
        eq(kinds - {"svg", "title", "style", "rect", "path", "text"}, set(), "%s: its elements" % name)
        eq([key for e in root.iter() for key in e.attrib if key.startswith("on") or key.endswith("href")], [],
           "%s: no attribute acts" % name)
        lacks(text, "url(", "%s: nothing is fetched" % name)
        lacks(text, "nan", "%s: no number is none" % name)
        lacks(text, "inf", "%s: or beyond all" % name)
        _, _, width, height = map(float, root.get("viewBox").split())
        for e in root.iter(SVG + "rect"):
            x, y = float(e.get("x", 0)), float(e.get("y", 0))
            ok(x >= 0 and y >= 0 and x + float(e.get("width")) <= width and y + float(e.get("height")) <= height,
               "%s: a rectangle within the picture" % name, e.attrib)


# ---- colours ----

SIMULATED = {  # Machado, Oliveira and Fernandes 2009, severity 1
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def times(matrix, rgb):
    return [min(max(sum(a * b for a, b in zip(row, rgb)), 0), 1) for row in matrix]


def oklab(rgb):
    roots = [v ** (1 / 3) for v in times(((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
                                          (0.0883024619, 0.2817188376, 0.6299787005)), rgb)]
    return [sum(a * b for a, b in zip(row, roots)) for row in (
        (0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660))]


def contrast(a, b):
    light, dark = sorted((sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x))) for x in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def nearest(colours, matrix):
    seen = [oklab(times(matrix, linear(c)) if matrix else linear(c)) for c in colours]
    return min(math.dist(a, b) for a, b in itertools.combinations(seen, 2))


def colours():
    """Nine colours that people tell apart, in light and dark, and text that they can read"""
    style = re.search(r"<style>(.*?)</style>", lib.read(CHARTS[0]), re.S).group(1)
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    for mode, css in (("light", light), ("dark", dark)):
        ground = re.search(r"\.ground\{fill:(#\w+)", css).group(1)
        marks = re.findall(r"\.c\d\{fill:(#\w+)", css)
        eq(len(marks), 9, "%s: colours" % mode)
        ok(min(contrast(c, ground) for c in marks) >= 3, "%s: each stands out" % mode)
        for text in re.findall(r"(?:text|name|title|value)\{[^}]*fill:(#\w+)", css):
            ok(contrast(text, ground) >= 4.5, "%s: text can be read" % mode, text)
        for sight, matrix in [("all colours", None), *SIMULATED.items()]:
            share = 0.75 if sight == "tritanopia" else 1
            ok(nearest(marks[:4], matrix) >= 0.11 * share, "%s, %s: the first four" % (mode, sight), nearest(marks[:4], matrix))
            ok(nearest(marks, matrix) >= 0.08 * share, "%s, %s: all" % (mode, sight), nearest(marks, matrix))


# ---- in a browser ----


def looked_at():
    """No text lies over another, and all of it within the picture"""
    folder = os.environ.get("CHARTS_SHOTS")
    bad = lib.write(os.path.join(lib.temp_dir(), "bad.svg"), "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='40'>"
                    "<text x='5' y='20'>one</text><text x='9' y='22'>two</text><text x='80' y='20'>beyond</text></svg>")
    eq(sorted(re.sub(".*: ", "", p) for p in browser.show([bad], 300).problems),
       ["`beyond` is outside its picture", "`two` lies over `one`"], "what is wrong is seen")
    seen = browser.show(CHARTS, 1200, picture=folder and folder + "/charts.png")
    eq(seen.problems, [], "of all charts")
    ok(sum(page["texts"] for page in seen.pages) > 100, "texts were there")
    if folder:
        browser.show(CHARTS, 1200, dark=True, picture=folder + "/charts-dark.png")


def page():
    """A sweep's page: all of it in one file, no wider than a telephone, in light and dark"""
    lacks(lib.read(PAGE), "<b>", "what is foreign is escaped")
    browser.check_page(PAGE, "page", 80)


lib.main(well_formed, colours, looked_at, page)
