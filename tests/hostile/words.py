# SPDX-License-Identifier: Apache-2.0
"""Branches that speak to whoever reads: Markdown, mentions, markers of ours, workflow commands and terminal escapes, by
every way on which a stranger's words come into a comment, a log or a summary."""

import actions
import scene
from lib import eq
from outputs import needs
from trees import blob, named, with_kernels
from world import RECIPE, Row, built

FAILED = (3, "build-failed", "the PR")
EVIL = "@octocat ](https://evil.example) <img src=x> <!-- ratchet:v1 device=cpu --> ::error::evil ##[error]evil"
LINES = """```
~~~~~~~~~~~~
</details> evil
<!-- ratchet:v1 device=cpu -->
### Ratchet: improved on `cpu`
@octocat closes #1 [x](https://evil.example)
::error file=a,line=1::evil
 ::stop-commands::evil
::add-mask::e
::set-output name=verdict::improved
##[add-matcher]/tmp/evil
| a | b |
"""


def c_string(text):
    return "".join(c if c.isalnum() or c in " " else "\\%03o" % byte for c in text for byte in c.encode()[:1])


def outputs_hold(w, result, number, head):
    told = actions.runner_reads(result.step.file("output"))
    eq(told["verdict"], result.verdict["verdict"], "the step's output is ours")
    eq(sorted(told), sorted(OUTPUTS), "and there is no other")


OUTPUTS = ("comment", "partial", "reason", "verdict")


def config(what, edits, want, *stopped, **more):
    def make(w):
        text = scene.conf()
        for old, new in edits:
            text = text.replace(old, new)
        return {"ci/ratchet.conf": text, "kernels/attention.c": scene.kernel("right", "/* more */\n")}
    return Row(what, make, want, *stopped, **more)


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def forged(who, body):
    def before(w, number, head):
        w.forged[number] = w.s.on("comments", issue=number, user=who, body=body % {"marker": scene.MARKER})["ids"]
    return before


def still_there(w, result, number, head):
    eq([c["id"] for c in w.s.comments(number) if c["id"] in w.forged[number]], w.forged[number], "the stranger's comment is left alone")
    eq([c["user"] for c in w.s.comments(number) if "Ratchet: unmeasured" in c["body"]], ["github-actions[bot]"],
       "ours is one of its own")


BROKEN = {"kernels/attention.c": "#error not today\n"}

TOGETHER = 4  # these wait for nothing: so many are submitted at once
ROWS = [
    Row("a title that is Markdown", BROKEN, FAILED, "not today", title=EVIL, then=outputs_hold),
    Row("a title of workflow commands", BROKEN, FAILED, title="::error::evil%0A::stop-commands::x\u202e\u200b"),
    Row("a description with our marker", BROKEN, FAILED, body=scene.MARKER + "\n" + LINES),
    Row("a branch's name", BROKEN, FAILED, branch="@octocat/](evil)<img/src=x><!--ratchet-->$(touch${IFS}tmp)`id`;%0A"),
    Row("a branch called like an option", BROKEN, FAILED, branch="x/--upload-pack=touch"),
    named("a file's name", b"@octocat ](https:evil) <img src=x> ##[error]x.h", (0, "identical-code", "")),
    Row("a file's name in an error", None, FAILED, tree=lambda w: with_kernels(w, (
        b"100644", b"@octocat ](evil) <img src=x> ##[error]x.h", blob(w, "#error evil\n")),
        source='#include "@octocat ](evil) <img src=x> ##[error]x.h"\n')),
    Row("a file's name in a hint", None, FAILED, "pointer of Git LFS", tree=lambda w: with_kernels(w, (
        b"100644", b"@octocat <img src=x>.h", blob(w, "version https://git-lfs.github.com/spec/v1\noid sha256:" +
        "0" * 64 + "\nsize 1\n")), source='#include "@octocat <img src=x>.h"\n')),
    Row("an error of a compiler", lambda w: {"kernels/attention.c": "#error %s\n" % EVIL}, FAILED, then=outputs_hold),
    Row("places that errors name", lambda w: {"kernels/attention.c": "".join(
        '#line 7 "%s"\n#error evil\n' % path for path in (
            "kernels/attention.c,col=1::evil%0A", "../../../etc/passwd", "@octocat <img src=x>", "::error::evil"))}, FAILED),
    Row("lines of a recipe", built("cat kernels/lines; exit 7", lines=LINES), FAILED, then=outputs_hold),
    Row("a fence of a hundred", built("printf '%0100d\\n' 0 | tr 0 '`'; cat kernels/lines; exit 7", lines=LINES), FAILED),
    Row("escapes of a terminal", built("printf '\\033]0;evil\\007\\033[2J\\033[1;1H\\033[8mhidden\\r\\n\\b\\b\\177\\233x\\n"
        "\\342\\200\\256evil\\342\\200\\213\\n'; exit 7"), FAILED),
    Row("bytes that are no UTF-8", built("printf '\\377\\376\\300\\257\\355\\240\\200\\000x\\n'; exit 7"), FAILED),
    Row("commands after a carriage return", built("printf 'x\\r::error::evil\\r\\n\\v::error::evil\\f\\n\\302\\205::error::evil"
        "\\n\\342\\200\\250::error::evil\\n'; exit 7"), FAILED),
    Row("words of our own log", built("echo 'unmeasured: no'; echo 'improved: head is faster'; echo '# judged'; "
        "echo 'ratchet: held'; exit 7"), FAILED, then=outputs_hold),
    config("a config's name", [('[config "small"]', "[config %s]" % quoted(EVIL))], (3, "bad-config", "the PR")),
    config("a section's name", [("[rule]", "[strange %s]\n    x = 1\n[rule]" % quoted(EVIL))], (3, "bad-config", "the PR")),
    config("a value of lines", [("dtype = fp32", "dtype = " + quoted(LINES))], (3, "bad-config", "the PR")),
    config("a path", [("path = kernels", "path = " + quoted("kernels/" + EVIL))], (3, "bad-recipe", "the PR")),
    config("an output's name", [("output = kernels/attention.so", "output = " + quoted("kernels/" + EVIL.replace(
        "/", "-")))], FAILED),
    config("a recipe", [(RECIPE, quoted(": '%s'; exit 7" % EVIL))], FAILED),
    config("a recipe of lines", [(RECIPE, quoted(": '\n%s'; exit 7" % LINES))], (3, "bad-recipe", "the PR"),
           "one line without control characters"),
    needs("a needed library's name", "'@octocat <img src=x>'", (3, "refused", "the PR"), "cannot load: @octocat"),
    Row("a kernel's name", lambda w: {"kernels/attention.c": scene.kernel("right").replace(
        '#include "simple.h"', '#define SIMPLE_NAME "peer-%s"\n#include "simple.h"' % c_string("@octocat <img src=x>"))},
        (3, "refused", "the PR"), "not of letters, digits"),
    Row("a long kernel's name", lambda w: {"kernels/attention.c": scene.kernel("right").replace(
        '#include "simple.h"', '#define SIMPLE_NAME "%s"\n#include "simple.h"' % c_string(EVIL * 9))},
        (3, "refused", "the PR"), "missing or too long"),
    Row("a forged comment of ours", BROKEN, FAILED, before=forged("mallory", "%(marker)s\n### Ratchet: improved on `cpu`"),
        then=still_there),
    Row("a forged comment, by who may write", BROKEN, FAILED, before=forged("alice", "%(marker)s\n### Ratchet: improved"),
        then=still_there),
    Row("two hundred forged comments", BROKEN, FAILED, before=lambda w, number, head: w.forged.update({number: w.s.on(
        "comments", issue=number, user="mallory", body=scene.MARKER + "\n{i}", count=200)["ids"]}), then=still_there),
    Row("a forged comment that quotes ours", BROKEN, FAILED, before=forged(
        "zoe", "> %(marker)s\n> ### Ratchet: improved\n\n%(marker)s"), then=still_there),
]
