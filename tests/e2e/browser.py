# SPDX-License-Identifier: Apache-2.0
"""Pages and pictures as a browser shows them: headless Chromium, nothing from the network. A page is shown in a
frame of a given width, and a script beside it says what is wrong: text over text, text outside its picture, a
page wider than its window."""

import html
import json
import os
import re
import shutil

import lib

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

LOOK = """
const problems = [];
function boxes(root) {
    return [...root.querySelectorAll("text")].map(e => ({what: e.textContent, box: e.getBoundingClientRect()}))
        .filter(e => e.box.width > 0);
}
function look(name, doc) {
    let count = 0;
    for (const svg of doc.querySelectorAll("svg")) {
        const frame = svg.getBoundingClientRect(), texts = boxes(svg);
        count += texts.length;
        for (const t of texts)
            if (t.box.left < frame.left - 0.5 || t.box.right > frame.right + 0.5 ||
                t.box.top < frame.top - 0.5 || t.box.bottom > frame.bottom + 0.5)
                problems.push(name + ": `" + t.what + "` is outside its picture");
        for (let i = 0; i < texts.length; i++)
            for (let j = 0; j < i; j++) {
                const a = texts[i].box, b = texts[j].box;
                if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
                    problems.push(name + ": `" + texts[i].what + "` lies over `" + texts[j].what + "`");
            }
    }
    const page = doc.scrollingElement;
    if (page && page.scrollWidth > doc.defaultView.innerWidth)
        problems.push(name + ": " + page.scrollWidth + " wide in a window of " + doc.defaultView.innerWidth);
    return {name, texts: count, height: page ? page.scrollHeight : 0,
            scripts: doc.querySelectorAll("script").length};
}
addEventListener("load", () => {
    const seen = [...document.querySelectorAll("iframe")].map(f => {
        const one = look(f.title, f.contentDocument);
        f.style.height = one.height + "px";
        return one;
    });
    document.getElementById("found").textContent = JSON.stringify({problems, seen});
});
"""


def program():
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise lib.Skip("no chromium")


class Seen:
    def __init__(self, found):
        self.problems, self.pages = found["problems"], found["seen"]
        self.height = sum(page["height"] for page in self.pages)


def _run(page, width, height, dark, *more):
    argv = [program(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--allow-file-access-from-files", "--virtual-time-budget=10000", "--disable-dev-shm-usage",
            "--user-data-dir=" + os.path.join(lib.temp_dir(), "profile"), "--window-size=%d,%d" % (width, height)]
    run = lib.run(argv + (["--force-dark-mode"] if dark else []) + [*more, "file://" + page])
    if run.code != 0:
        raise RuntimeError(str(run))
    return run.out


def show(paths, width, dark=False, picture=None):
    """A Seen of these files in frames of that width, one below the other. SVG files are put into a page as they
    are. `picture`: a PNG of all of it."""
    folder = lib.temp_dir()
    frames = ""
    for path in paths:
        if path.endswith(".svg"):
            shown = os.path.join(folder, os.path.basename(path) + ".html")
            lib.write(shown, "<!doctype html><meta charset=utf-8><body style='margin:0'>" + lib.read(path))
            path = shown
        frames += "<iframe title='%s' src='file://%s' style='border:0;display:block;width:%dpx;height:10px'></iframe>" % (
            html.escape(os.path.basename(path)), html.escape(path), width)
    page = lib.write(os.path.join(folder, "look.html"), "<!doctype html><meta charset=utf-8>"
                     "<body style='margin:0'>%s<pre id=found hidden></pre><script>%s</script>" % (frames, LOOK))
    text = _run(page, max(width, 500), 900, dark, "--dump-dom")
    found = re.search(r"<pre id=\"found\"[^>]*>(.*?)</pre>", text, re.S)
    seen = Seen(json.loads(html.unescape(found.group(1))))
    if picture:
        _run(page, max(width, 500), min(seen.height + 20, 16000), dark, "--screenshot=" + picture)
    return seen


def check_page(path, name, texts, looks=((390, False), (1200, True))):
    """A page that needs nothing from elsewhere, with more than so many texts in its pictures, and nothing wrong at each
    (width, dark). CHARTS_SHOTS: a folder for what it looks like."""
    page, shots = lib.read(path), os.environ.get("CHARTS_SHOTS")
    for word in ("<script", "http:", "https:", "url(", "@import", " src=", "<link"):
        lib.eq([line for line in page.split("\n") if word in line.replace("http://www.w3.org/2000/svg", "")], [],
               "nothing is fetched: " + word)
    for width, dark in looks:
        look = "%s-%d%s" % (name, width, "-dark" if dark else "")
        seen = show([path], width, dark=dark, picture=shots and "%s/%s.png" % (shots, look))
        lib.eq(seen.problems, [], look)
        lib.ok(seen.pages[0]["texts"] > texts, "%s: its figures are there" % look, seen.pages)
