# SPDX-License-Identifier: Apache-2.0
"""A comment as GitHub shows it: Markdown by GitHub's own cmark-gfm, in a page with the widths, colours and wrapping of
a comment there (written for these tests; measured by eye). And a picture of it, coarse enough to compare."""

import os
import struct
import zlib

import browser
import lib

CSS = """
body{margin:0;padding:12px;box-sizing:border-box;background:%(ground)s;color:%(ink)s;overflow-wrap:break-word;
font:14px/1.5 "DejaVu Sans",sans-serif}
h3{font-size:1.25em;margin:0 0 16px} p,ul,table,pre,details,blockquote{margin:0 0 16px} ul{padding-left:2em}
a{color:%(link)s} code,pre{font:85%% "DejaVu Sans Mono",monospace;background:%(code)s;border-radius:6px}
code{padding:.2em .4em} pre{padding:16px;overflow:auto;line-height:1.45} pre code{padding:0;font-size:100%%}
blockquote{padding:0 1em;color:%(quiet)s;border-left:.25em solid %(line)s}
table{display:block;width:max-content;max-width:100%%;overflow:auto;border-collapse:collapse}
th,td{padding:6px 13px;border:1px solid %(line)s} tr:nth-child(2n){background:%(row)s}
"""
COLOURS = {
    False: dict(ground="#fff", ink="#1f2328", link="#0969da", code="#eff1f3", quiet="#59636e", line="#d1d9e0", row="#f6f8fa"),
    True: dict(ground="#0d1117", ink="#f0f6fc", link="#4493f8", code="#23292f", quiet="#9198a1", line="#3d444d", row="#151b23"),
}


def make(path, markdown, dark=False, unfold=False):
    """The page of a comment at `path`; `unfold`: with its sections open."""
    done = lib.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tagfilter"],
                   data=markdown.encode())
    if done.code != 0:
        raise RuntimeError(str(done))
    body = done.out.replace("<details>", "<details open>") if unfold else done.out
    return lib.write(path, "<!doctype html><html><head><meta charset=utf-8><style>%s</style></head><body>%s</body></html>" % (
        CSS % COLOURS[dark], body))


# ---- pictures ----


def pixels(path):
    """(width, height, rows of luminance 0 to 255) of a PNG of 8 bits, RGB or RGBA, not interlaced."""
    with open(path, "rb") as source:
        data = source.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        elif kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    step = {2: 3, 6: 4}[colour]
    if depth != 8:
        raise RuntimeError("%s: %d bits" % (path, depth))
    raw, stride, rows = zlib.decompress(packed), width * step, []
    before = bytearray(stride)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up = line[i - step] if i >= step else 0, before[i]
            corner = before[i - step] if i >= step else 0
            if kind == 1:
                line[i] = line[i] + left & 255
            elif kind == 2:
                line[i] = line[i] + up & 255
            elif kind == 3:
                line[i] = line[i] + (left + up) // 2 & 255
            elif kind == 4:
                near = min((abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner))
                line[i] = line[i] + near[2] & 255
        rows.append([(line[x] * 299 + line[x + 1] * 587 + line[x + 2] * 114) // 1000 for x in range(0, stride, step)])
        before = line
    return width, height, rows


def coarse(path, block=8):
    """The picture in blocks: rows of their mean luminance."""
    width, height, rows = pixels(path)
    return [[sum(sum(row[x:x + block]) for row in rows[y:y + block]) // block ** 2
             for x in range(0, width - block + 1, block)] for y in range(0, height - block + 1, block)]


def write_pgm(path, grid):
    with open(path, "wb") as out:
        out.write(b"P5 %d %d 255\n" % (len(grid[0]), len(grid)) + b"".join(bytes(row) for row in grid))


def read_pgm(path):
    with open(path, "rb") as source:
        head, _, data = source.read().partition(b"\n")
    width = int(head.split()[1])
    return [list(data[i:i + width]) for i in range(0, len(data), width)]


def picture(page, width, out):
    """A PNG of a page in that width; what browser.show says of it."""
    return browser.show([page], width, picture=out)
