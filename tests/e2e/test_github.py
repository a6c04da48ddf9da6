#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""src/publish/github and outbox against the stand-in: one comment whatever happens, waiting when
asked to, giving up when there is no point, and nothing lost while GitHub cannot be reached."""

import http.server
import json
import os
import signal
import ssl
import subprocess
import threading

import lib
from lib import BOT, eq, has, lacks, ok

MARKER = "<!-- ratchet:v1 device=cpu -->"
L4 = "<!-- ratchet:v1 device=nvidia-l4 -->"
COMMENTS = r"/issues/1/comments"
WALK = {"GITHUB_MS": "20000"}    # plenty: a test that needs it all has failed
BRIEF = {"GITHUB_MS": "300"}     # for what cannot succeed
SECRET = "secret-that-no-message-may-hold"


def scene(**repo):
    """A repository, one open pull request, a token of ours and one that may only read."""
    s = lib.Standin("octo/kernels", **repo)
    s.post("tokens", token=SECRET, login=BOT, permissions=lib.BOT_MAY)
    s.post("tokens", token="reader", login=BOT, permissions={"contents": "read"})
    s.base = s.on("commit", branch="main", files={"k.c": "int a;\n"}, message="first")["sha"]
    s.head = s.on("commit", branch="faster", parent="main", files={"k.c": "int b;\n"},
                  message="faster")["sha"]
    s.on("pulls", head="faster", title="Make it faster", user="alice")
    s.folder = lib.temp_dir()
    s.box = os.path.join(s.folder, "outbox.db")
    return s


def argv(s, *args, api=None, repository="octo/kernels"):
    return [lib.driver("github_driver"), api or s.url, repository, BOT, *map(str, args)]


def drive(s, *args, token=SECRET, env=None, **where):
    """What the driver prints, as a dictionary. No token ever stands in it."""
    result = lib.run(argv(s, *args, **where),
                     env=lib.clean_env({"RATCHET_TOKEN": token, **WALK, **(env or {})}))
    if result.code != 0 or token in result.out + result.err:
        raise RuntimeError(str(result))
    return json.loads(result.out)


def text(s, body):
    return lib.write(os.path.join(s.folder, "body.md"), body)


def upsert(s, body, marker=MARKER, number=1, **how):
    return drive(s, "upsert", number, marker, text(s, body), **how)


def ours(s):
    return [c for c in s.comments(1) if c["user"] == BOT]


def body(words):
    return MARKER + "\n" + words + "\n"


# ---- the one comment ----

def one_comment_of_ours():
    """Created once, updated after, left alone when it says so already"""
    s = scene()
    made = upsert(s, body("held"))
    eq(made["class"], "none", "created")
    eq([c["body"] for c in ours(s)], [body("held")], "as it was given")
    has(made["url"], "/octo/kernels/pull/1#issuecomment-%d" % ours(s)[0]["id"], "its address")
    sent = s.requests("POST", COMMENTS)[0]["headers"]
    eq(sent["X-GitHub-Api-Version"], "2022-11-28", "the version of the API is named")
    eq(sent["Accept"], "application/vnd.github+json", "and the media type")
    has(sent["User-Agent"], "ratchet/", "and who we are")
    has(sent["Authorization"], "Bearer ", "the token goes in its header")
    eq(upsert(s, body("held")), made, "the same again: the same answer")
    eq(len(s.requests("PATCH")), 0, "and nothing was written")
    eq(upsert(s, body("regressed"))["url"], made["url"], "other words: the same comment")
    eq([c["body"] for c in ours(s)], [body("regressed")], "now says them")
    gpu = L4
    upsert(s, gpu + "\nheld\n", marker=gpu)
    eq([c["body"] for c in ours(s)], [body("regressed") + "\n" + gpu + "\nheld\n"],
       "another device has a section of its own")
    eq(upsert(s, "held, without a marker", number=1)["class"], "none", "a missing marker")
    eq([c["body"] for c in ours(s)], [body("held, without a marker") + "\n" + gpu + "\nheld\n"],
       "is put in front, and the other section stays")
    ok(not any(r.get("leaked") for r in s.requests()), "the token was nowhere else")


def start_upsert(s, words, marker):
    path = lib.write(os.path.join(lib.temp_dir(), "body.md"), marker + "\n" + words + "\n")
    return lib.start(argv(s, "upsert", 1, marker, path), stdout=subprocess.PIPE,
                     env=lib.clean_env({"RATCHET_TOKEN": SECRET, **WALK, "GITHUB_MS": "20000"}))


def ended(process):
    return json.loads(process.communicate(timeout=lib.DEADLINE)[0])


def two_at_once():
    """Two devices' jobs write at the same moment: one comment, and no section is lost"""
    both = [body("cpu"), L4 + "\nl4\n"]
    s = scene()
    # Both have looked, and there is none: both post.
    held = s.fault(COMMENTS, "hold", method="POST")
    first = start_upsert(s, "cpu", MARKER)
    s.await_fault(held)
    eq(upsert(s, L4 + "\nl4\n", marker=L4)["class"], "none", "another posts meanwhile")
    s.release(held)
    got = ended(first)
    eq((got["class"], len(ours(s))), ("none", 1), "one comment stays")
    eq(sorted(ours(s)[0]["body"].split("\n\n")), sorted([both[0], both[1].strip()]), "with both sections")
    eq(len(s.requests("DELETE")), 1, "the later one was taken away again")
    has(got["url"], "#issuecomment-%d" % ours(s)[0]["id"], "its address is the one that stays")
    # Both have read the same text; the one that writes last takes the other's word away.
    for slow, fast in ((MARKER, L4), (L4, MARKER)):
        held = s.fault("/issues/comments/", "hold", method="PATCH")
        late = start_upsert(s, "slow", slow)
        s.await_fault(held)
        quick = start_upsert(s, "quick", fast)
        lib.wait_for(lambda: any("quick" in c["body"] for c in ours(s)), "the quick one's word")
        s.release(held)
        eq([ended(late)["class"], ended(quick)["class"]], ["none", "none"], "both are settled")
        eq(sorted(ours(s)[0]["body"].strip().split("\n\n")), sorted(
            ["%s\nslow" % slow, "%s\nquick" % fast]), "no section is lost")
        for words, marker in (("cpu", MARKER), ("l4", L4)):
            upsert(s, "%s\n%s\n" % (marker, words), marker=marker, env={"GITHUB_MS": "20000"})


def others_are_left():
    """One section's failure leaves the others; a comment that is too long loses what is folded"""
    s = scene()
    upsert(s, L4 + "\n### held\n\n<details>\n" + "x" * 40000 + "\n</details>\n", marker=L4)
    before = ours(s)[0]["body"]
    s.fault("/issues/comments/", "answer", method="PATCH", status=422, body={"message": "no"})
    eq(upsert(s, body("cpu"))["class"], "input", "refused")
    eq(ours(s)[0]["body"], before, "and nothing was touched")
    s.calm()
    own = body("cpu " + "y" * 40000)
    eq(upsert(s, own, env={"GITHUB_MS": "20000"})["class"], "none", "80 kB do not fit")
    has(ours(s)[0]["body"], L4 + "\n### held\n\n\nThe folded parts are left out here", "the other is shortened")
    has(ours(s)[0]["body"], own.strip(), "and ours is whole")


def only_updated():
    """Where none is to be made, one that is there is kept up to date, and only its own section"""
    s = scene()
    path = text(s, body("held"))
    eq(drive(s, "update-only", 1, MARKER, path), {"ok": True, "class": "none", "url": ""}, "none is there")
    upsert(s, L4 + "\nregressed\n", marker=L4)
    eq(drive(s, "update-only", 1, MARKER, path)["url"], "", "another device's is not ours")
    eq([c["body"] for c in ours(s)], [L4 + "\nregressed\n"], "it stays alone")
    upsert(s, body("regressed"))
    has(drive(s, "update-only", 1, MARKER, text(s, body("held")))["url"], "#issuecomment-", "ours is there")
    eq([c["body"] for c in ours(s)], [L4 + "\nregressed\n\n" + body("held")], "and tells no old verdict")


def among_many():
    """Ours is found behind 250 of others, over the pages as GitHub links them"""
    s = scene()
    s.on("comments", issue=1, user="zoe", body="comment {i}", count=250)
    upsert(s, body("first"))
    s.on("comments", issue=1, user="zoe", body="more {i}", count=120)
    mark = s.requests()[-1]["id"]
    eq(upsert(s, body("second"))["class"], "none", "updated")
    eq([c["body"] for c in ours(s)], [body("second")], "one comment of ours")
    asked = [r["path"] for r in s.requests("GET", since=mark)]
    eq(len(asked), 4, "every page was asked for once")
    has(asked[0], "per_page=100", "in pages as long as they can be")
    has(asked[1], "/repositories/", "and along the links given")
    eq(len(s.requests("POST", COMMENTS)), 1, "posted once")


def forged():
    """A marker that somebody else planted is not ours"""
    s = scene()
    s.on("comments", issue=1, user="mallory", body=body("improved!"))
    s.on("comments", issue=1, user=None, body=body("by a deleted account"))
    s.on("comments", issue=1, user=BOT, body="quoting: " + body("not the first line"))
    s.on("comments", issue=1, user=BOT, body=MARKER + "x\nanother marker")
    eq(upsert(s, body("held"))["class"], "none", "posted")
    eq(len(s.requests("PATCH")), 0, "nobody's comment was touched")
    eq([c["body"] for c in s.comments(1)][-1], body("held"), "but a new one made")
    eq(upsert(s, body("again"))["class"], "none", "and found")
    eq([c["body"] for c in s.comments(1)][-1], body("again"), "the next time")


def duplicates():
    """Of several of ours, the oldest is kept up to date"""
    s = scene()
    ids = s.on("comments", issue=1, user=BOT, body=body("old {i}"), count=3)["ids"]
    upsert(s, body("new"))
    eq([c["body"] for c in ours(s)], [body("new"), body("old 2"), body("old 3")], "the oldest")
    eq([r["path"].rsplit("/", 1)[1] for r in s.requests("PATCH")], [str(ids[0])], "alone")


def answer_lost():
    """A POST whose answer is lost is looked for before another is sent"""
    for how in ({"action": "drop"}, {"action": "truncate", "bytes": 10},
                {"action": "answer", "status": 502, "body": "<html>bad gateway"},
                {"action": "answer", "status": 201, "body": "<html>created, I think"},
                {"action": "raw", "text": "garbage\r\n\r\n"}):
        s = scene()
        s.fault(COMMENTS, method="POST", after=True, **how)
        eq(upsert(s, body("held"))["class"], "none", "%s: settled" % how["action"])
        eq([c["body"] for c in ours(s)], [body("held")], "exactly one comment")
        eq(len(s.requests("POST", COMMENTS)), 1, "posted once")
        s.stop()
    s = scene()
    held = s.fault(COMMENTS, "hold", method="POST", after=True)
    eq(upsert(s, body("held"), env={"HTTP_MS": "300"})["class"], "none", "silence: settled")
    eq(len(ours(s)), 1, "exactly one comment")
    s.release(held)
    s = scene()
    s.fault(COMMENTS, "drop", method="POST")
    eq(upsert(s, body("held"))["class"], "none", "lost before it was done: sent again")
    eq(len(ours(s)), 1, "exactly one comment")
    eq(len(s.requests("POST", COMMENTS)), 2, "posted twice")


def deleted_meanwhile():
    """A comment deleted between the look and the PATCH is made anew"""
    s = scene()
    upsert(s, body("one"))
    number = ours(s)[0]["id"]
    held = s.fault(r"/issues/comments/%d" % number, "hold", method="PATCH")
    path = text(s, body("two"))
    process = lib.start(argv(s, "upsert", 1, MARKER, path), stdout=subprocess.PIPE,
                        env=lib.clean_env({"RATCHET_TOKEN": SECRET, **WALK}))
    s.await_fault(held)
    eq(s.api("DELETE", "/repos/octo/kernels/issues/comments/%d" % number).status, 204, "deleted")
    s.release(held)
    eq(json.loads(process.communicate(timeout=lib.DEADLINE)[0])["class"], "none", "settled")
    eq([c["body"] for c in ours(s)], [body("two")], "one comment")
    s.fault("/issues/comments/", "answer", method="PATCH", times=0, status=404,
            body={"message": "Not Found"})
    got = upsert(s, body("three"))
    eq(got["class"], "not-found", "one that is there but may not be changed is no loop")
    eq(got["url"], "untouched", "and there is no address")
    eq(len(ours(s)), 1, "nor a second comment")


def crowded_out():
    """A stranger's huge comments do not silence us"""
    s = scene()
    s.on("comments", issue=1, user="zoe", body="x" * 60000, count=30)
    upsert(s, body("held"), env={"HTTP_BYTES": "1000000"})
    eq(len(ours(s)), 1, "posted")
    upsert(s, body("again"), env={"HTTP_BYTES": "1000000"})
    eq([c["body"] for c in ours(s)], [body("again")], "and found")
    got = upsert(s, body("again"), env={"HTTP_BYTES": "100000"})
    eq(got["class"], "limit", "what is longer even so is refused")
    has(got["error"], "longer than 100000 bytes", "with the limit")


# ---- refusals and waiting ----

def refused():
    """What GitHub declines is said in its words and not asked again"""
    s = scene()
    got = upsert(s, body("x"), token="reader")
    eq(got["class"], "auth", "a token that may not write")
    has(got["error"], "403: Resource not accessible by integration", "GitHub's words")
    got = upsert(s, body("x"), token="nobody's")
    eq(got["class"], "auth", "a token that nobody knows")
    has(got["error"], "401: Bad credentials", "GitHub's words")
    eq(upsert(s, body("x"), number=99)["class"], "not-found", "no such pull request")
    eq(drive(s, "get-pull", 1, repository="octo/none")["class"], "not-found", "no such repository")
    eq(drive(s, "get-pull", 1, repository="octo/../x")["class"], "input", "no repository at all")
    s.fault(COMMENTS, "answer", status=410, body={"message": "Issues are disabled"})
    got = upsert(s, body("x"))
    eq((got["class"], got["error"].split(": ", 1)[1]), ("input", "410: Issues are disabled"), "410")
    s.fault("/pulls/1$", "answer", status=409, body={"message": "Conflict"})
    eq(drive(s, "get-pull", 1)["class"], "conflict", "409")
    s.fault(COMMENTS, "answer", method="POST", status=303, body={"message": "See Other"},
            headers={"Location": s.url + "/repositories/1/elsewhere"})
    eq(upsert(s, body("x"))["class"], "input", "a write does not become a read")
    before = len(s.requests())
    got = upsert(s, body("x" * 70000))
    eq(got["class"], "input", "too long a comment")
    has(got["error"], "422: Validation Failed: Body is too long (maximum is 65536", "an object")
    eq(len(s.requests()) - before, 2, "looked and posted once")
    s.post("settings", errors_as_strings=True)
    has(upsert(s, body("x" * 70000))["error"], "Failed: Body is too long", "a string")
    for shape, said in ((5, ""), ([1, None, {}], ""), ({"a": 1}, ""), ("text", ""),
                        ([{"field": "f", "code": "invalid"}], ": f is invalid"),
                        ([{"message": "one"}, "two"], ": one: two")):
        s.fault(COMMENTS, "answer", method="POST", status=422,
                body={"message": "Validation Failed", "errors": shape})
        got = upsert(s, body("x"))
        eq(got["error"].split("comments: ")[1], "422: Validation Failed" + said, repr(shape))
    s.fault(COMMENTS, "answer", method="POST", status=403, body="<html>\r\n<h1>Forbidden</h1>")
    got = upsert(s, body("x"))
    eq(got["class"], "auth", "a 403 in HTML")
    has(got["error"], "text/html", "says what came")
    lacks(got["error"], "<h1>", "but not the page")
    s.fault(COMMENTS, "answer", method="POST", status=403,
            body={"message": "evil\r\n::error::x \x1b[31m"})
    lacks(upsert(s, body("x"))["error"], "\n", "a message stays on one line")
    eq(len(ours(s)), 0, "nothing was posted")


def rate_limited():
    """Rate limits are waited for as asked, and told from refusals"""
    limits = (
        (403, {"Retry-After": "0"}, {"message": "You have exceeded a secondary rate limit"}),
        (403, {"Retry-After": "1"}, "<html>slow down"),
        (429, {"Retry-After": "0"}, ""),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, {"message": "wait"}),
    )
    for status, headers, answer in limits:
        s = scene()
        for method in ("GET", "POST"):
            s.fault(COMMENTS, "answer", method=method, status=status, headers=headers,
                    body=answer, times=2 if status == 429 else 1)
        eq(upsert(s, body("held"))["class"], "none", "%d %r: waited" % (status, headers))
        eq(len(ours(s)), 1, "one comment")
        s.stop()
    s = scene()
    for headers, answer in (({"Retry-After": "3600"}, {"message": "slow"}),
                            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"},
                             {"message": "API rate limit exceeded"}),
                            ({}, {"message": "You have exceeded a secondary rate limit."})):
        s.fault(COMMENTS, "answer", status=403, headers=headers, body=answer)
        got = upsert(s, body("held"))
        eq(got["class"], "host", "%r: too long a wait" % (headers,))
        has(got["error"], "gave up, the next try would be in ", "is not begun")
        has(got["error"], answer["message"], "and says why")
    s.fault(COMMENTS, "answer", method="POST", status=403, times=0, headers={"Retry-After": "0"})
    eq(upsert(s, body("x"), env={"GITHUB_MS": "1000"})["class"], "host", "for ever is too long")
    many = len(s.requests("POST", COMMENTS))
    ok(2 <= many <= 12, "and a server that always says 0 is not hammered", many)


def troubled():
    """Trouble that passes is sat out, trouble that stays ends with its budget"""
    s = scene()
    s.fault("/pulls/1$", "answer", status=502, body="<html>bad gateway", times=1)
    eq(drive(s, "get-pull", 1)["number"], 1, "502, then fine")
    s.fault("/pulls/1$", "answer", status=503, body={"message": "busy"},
            headers={"Retry-After": "0"}, times=3)
    eq(drive(s, "get-pull", 1)["number"], 1, "503 three times, then fine")
    s.fault("/pulls/1$", "drop")
    eq(drive(s, "get-pull", 1)["number"], 1, "a broken connection, then fine")
    s.fault("/pulls/1$", "answer", status=200, body="<html>welcome to the hotel's network")
    eq(drive(s, "get-pull", 1)["number"], 1, "a page that is not GitHub's, then fine")
    upsert(s, body("one"))
    s.fault("/issues/comments/", "answer", method="PATCH", status=500, body="oops",
            headers={"Retry-After": "0"}, after=True)
    eq(upsert(s, body("two"))["class"], "none", "a PATCH may be sent again")
    eq([c["body"] for c in ours(s)], [body("two")], "one comment")
    s.fault("/pulls/1$", "answer", status=502, body="<html>bad gateway", times=0)
    got = drive(s, "get-pull", 1, env=BRIEF)
    eq(got["class"], "host", "502 for ever")
    has(got["error"], "502: answer without a message (text/html", "says what came")
    s.calm()
    held = s.fault("/pulls/1$", "hold", times=0)
    eq(drive(s, "get-pull", 1, env={**BRIEF, "HTTP_MS": "200"})["class"], "timeout", "silence")
    s.release(held)
    s.calm()
    s.fault("/pulls/1$", "answer", status=200, body_bytes=300000)
    got = drive(s, "get-pull", 1, env={"HTTP_BYTES": "100000"})
    eq(got["class"], "limit", "a huge answer")
    s.calm()
    s.fault(COMMENTS, "answer", status=200, body={"message": "not a list"})
    eq(upsert(s, body("x"))["class"], "input", "an object for a list")
    s.fault(COMMENTS, "answer", status=200, body=[1, None, "x", [], {"user": 5}, {"id": "7"},
            {"user": {"login": BOT}, "body": body("x"), "id": -3},
            {"user": {"login": BOT}, "body": None, "id": 3}])
    eq(upsert(s, body("three"))["class"], "none", "nonsense in a list is passed over")
    s.fault(COMMENTS, "answer", status=200, times=0, body=[],
            headers={"Link": '<%s/repos/octo/kernels/issues/1/comments?x>; rel="next"' % s.url})
    got = upsert(s, body("x"), env={"GITHUB_MS": "60000"})
    eq(got["class"], "limit", "pages without an end")
    got = drive(s, "get-pull", 1, api="http://127.0.0.1:%d" % lib.free_port(), env=BRIEF)
    eq(got["class"], "host", "nobody there")
    has(got["error"], "could not connect", "says so")


class Collector(http.server.BaseHTTPRequestHandler):
    """Another origin: remembers what it was asked, has no comments."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format, *args):
        pass


def collector(context=None):
    server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
    server.asked = []
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.port = server.server_address[1]
    return server


def token_stays():
    """The token goes to the configured API and to nobody else"""
    s = scene()
    other = collector()
    away = "http://127.0.0.1:%d/more" % other.port
    s.fault(COMMENTS, "answer", method="GET", status=200, body=[],
            headers={"Link": '<%s>; rel="next"' % away})
    eq(upsert(s, body("held"))["class"], "none", "a next page elsewhere is read")
    eq(other.asked, [("/more", None)], "without the token")
    for method, location in (("GET", away), ("POST", away), ("POST", away.replace("127.0.0.1", "localhost")),
                             ("POST", s.url.replace("//", "//x@") + "/more"), ("POST", "//[::1]/more"),
                             ("GET", "https" + s.url[4:] + "/more")):
        for status in (301, 302, 307, 308):
            s.fault(COMMENTS, "answer", method=method, status=status, headers={"Location": location})
            got = upsert(s, body("%s %d" % (location, status)), marker="<!-- %s -->" % method)
            eq(got["class"], "auth", "%s: %d to %s is refused" % (method, status, location))
            has(got["error"], "is another server: refused", "in so many words")
    eq(other.asked[1:], [], "and nothing was sent there")
    other.shutdown()


def renamed():
    """A repository that was renamed, or moved to another owner, is ours under its old name"""
    s = scene()
    s.on("commit", branch="ratchet/base", parent="main", files={"b.json": "{}\n"}, message="b")
    sha = s.on("commit", branch="merged", parent="main", files={"m.c": "1\n"}, message="m")["sha"]
    s.on("pulls", head="merged", title="merged", user="alice")
    before = drive(s, "get-pull", 1)
    upsert(s, body("before"))
    for name in ("octo/moved", "other/kernels"):
        s.on("", full_name=name)
        eq(drive(s, "get-pull", 1), before, name + ": a pull request, under the name the host knows")
        eq(upsert(s, body(name))["class"], "none", name + ": its comment changes")
        eq([c["body"] for c in ours(s) if c["body"].startswith(MARKER)], [body(name)], "and stays the only one")
        made = upsert(s, body("x"), marker="<!-- %s -->" % name)
        has(made["url"], "/%s/pull/1#issuecomment-" % name, name + ": a new comment, at its new address")
        eq(drive(s, "set-status", s.head, "ratchet/cpu", "success", name, "")["class"], "none",
           name + ": a status")
        eq(s.statuses(s.head)[-1]["description"], name, "arrives")
        eq(drive(s, "branch-tip", "main")["sha"], s.base, name + ": a branch")
        said = [r for r in s.requests("POST") if r["status"] in (301, 307)]
        eq({r["status"] for r in said}, {307}, "a write is sent on with its method, as GitHub does")
        opened = drive(s, "open-pull", "ratchet/base", "main", "New baseline", "words")
        has(opened["url"], "/pull/3", name + ": a pull request of ours")
    eq(len(s.requests("POST", "/pulls$")), 2, "opened once: asked under the old name, sent on, found again")
    s.on("pulls/2/merge", user="alice")
    eq(drive(s, "pull-of-commit", sha)["number"], 2, "the pull request of a commit")
    s.post("repos", full_name="octo/kernels")
    eq(drive(s, "get-pull", 1)["class"], "not-found", "another repository that took the name is another")
    eq(drive(s, "get-pull", 1, repository="octo/moved")["ok"], True, "while other old names still lead there")
    s.fault("/pulls/1$", "answer", status=200, times=0,
            body=s.api("GET", "/repos/other/kernels/pulls/1", token=SECRET).json)
    eq(drive(s, "get-pull", 1)["base_repository"], "other/kernels",
       "and an answer about another repository is no answer about ours")


def around_and_around():
    """Redirects in a circle end"""
    s = scene()
    s.fault("/pulls/1$", "answer", status=301, times=0, headers={"Location": s.url + "/repos/octo/kernels/pulls/1"})
    got = drive(s, "get-pull", 1, env=BRIEF)
    eq(got["class"], "host", "in trouble")
    has(got["error"], "more than 3 redirects", "and says so")


def certificates():
    """A server whose certificate nobody vouches for is not spoken to"""
    folder = lib.temp_dir()
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    if not any(os.access(os.path.join(p, "openssl"), os.X_OK)
               for p in os.environ["PATH"].split(":")):
        raise lib.Skip("no openssl program")
    made = lib.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1"])
    if made.code != 0:
        raise RuntimeError(str(made))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = collector(context)
    s = scene()
    api = "https://127.0.0.1:%d" % server.port
    got = upsert(s, body("x"), api=api, env=BRIEF)
    eq(got["class"], "host", "refused")
    has(got["error"], "certificate", "because of its certificate")
    eq(server.asked, [], "and it heard nothing")
    upsert(s, body("x"), api=api, env={**BRIEF, "SSL_CERT_FILE": cert})
    eq(server.asked[:1], [("/repos/octo/kernels/issues/1/comments?per_page=100",
                           "Bearer " + SECRET)], "one that this host trusts is")
    got = upsert(s, body("x"), api=api.replace("127.0.0.1", "localhost"),
                 env={**BRIEF, "SSL_CERT_FILE": cert})
    has(got["error"], "certificate", "but only under its own name")
    server.shutdown()


# ---- the other calls ----

def pulls():
    """A pull request is read whole, forks and accounts gone or not"""
    s = scene()
    got = drive(s, "get-pull", 1)
    eq({k: v for k, v in got.items() if k not in ("ok", "class")}, {
        "number": 1, "open": True, "merged": False, "draft": False, "head": s.head,
        "base_ref": "main", "base_repository": "octo/kernels",
        "head_repository": "octo/kernels", "author": "alice", "labels": []}, "everything")
    for i in range(20):
        s.on("pulls/1/label", name="label %d" % i, by="alice")
    s.on("pulls/1", draft=True, head_repo=None)
    got = drive(s, "get-pull", 1)
    eq(got["head_repository"], "", "a fork that is gone")
    eq(got["labels"], ["label %d" % i for i in range(16)], "the first sixteen labels")
    ok(got["draft"], "a draft")
    true = s.api("GET", "/repos/octo/kernels/pulls/1").json
    for what, change in (("another number", {"number": 2}), ("a text", {"number": "1"}),
                         ("a number beyond all", {"number": 1 << 70}),
                         ("no head", {"head": None}), ("a short SHA", {"head": {"sha": "abc"}}),
                         ("a SHA with a tail", {"head": {"sha": s.head + "\n"}}),
                         ("no base", {"base": {"ref": "main", "repo": None}})):
        s.fault("/pulls/1$", "answer", status=200, body={**true, **change})
        got = drive(s, "get-pull", 1, env=BRIEF)
        ok(not got["ok"] and got["class"] in ("input", "host"), what + " is refused", got)
    s.fault("/pulls/1$", "answer", status=200, body={**true, "user": None, "labels": [
        {"name": "x" * 64}, {"name": None}, 7, {"name": "ok"}]})
    got = drive(s, "get-pull", 1)
    eq((got["author"], got["labels"]), ("", ["ok"]), "no account, odd labels")


def found_by_branch_or_head():
    """The one open pull request of a branch or a head; several, closed ones and forks' are refused"""
    s = scene()
    eq(drive(s, "find-pull", "faster", "")["number"], 1, "by its branch")
    eq(drive(s, "find-pull", "refs/heads/faster", "")["number"], 1, "in full")
    eq(drive(s, "find-pull", "", s.head)["number"], 1, "by its head")
    for branch, sha in (("main", ""), ("none", ""), ("", s.base), ("fas", "")):
        got = drive(s, "find-pull", branch, sha)
        eq((got["class"], got["number"]), ("not-found", 77), "no head: %s%s" % (branch, sha))
        has(got["error"], "is the head of no open pull request of octo/kernels", "and it says so")
    newer = s.on("commit", branch="faster", files={"k.c": "int c;\n"}, message="more")["sha"]
    eq(drive(s, "find-pull", "", s.head)["class"], "not-found", "a commit that is a head no more")
    eq(drive(s, "find-pull", "", newer)["number"], 1, "the new one is")
    s.on("ref", ref="refs/heads/v2", sha=s.base)
    s.on("pulls", head="faster", base="v2", user="alice")
    got = drive(s, "find-pull", "faster", "")
    eq(got["class"], "input", "two of one branch")
    has(got["error"], "#1: name the one that is meant" if "#1:" in got["error"] else "#2: name the one", "both are named")
    s.on("pulls/2", state="closed")
    eq(drive(s, "find-pull", "faster", "")["number"], 1, "a closed one does not count")


def branches_and_origins():
    """The tip of a branch, and the pull request a commit came from"""
    s = scene()
    eq(drive(s, "branch-tip", "main")["sha"], s.base, "the tip")
    tip = s.on("commit", branch="a/b#c%d", parent="main", files={"x": "1\n"}, message="x")["sha"]
    eq(drive(s, "branch-tip", "a/b#c%d")["sha"], tip, "of a branch with an awkward name")
    got = drive(s, "branch-tip", "none")
    eq((got["class"], got["sha"]), ("not-found", "untouched"), "no such branch")
    eq(drive(s, "pull-of-commit", s.head)["class"], "not-found", "an open one is not meant")
    eq(drive(s, "pull-of-commit", "0" * 40)["class"], "not-found", "no such commit")
    sha = s.on("pulls/1/merge", user="bob")["sha"]
    got = drive(s, "pull-of-commit", sha)
    eq((got["number"], got["merged"], got["open"]), (1, True, False), "from the merge")
    eq(drive(s, "pull-of-commit", s.head)["number"], 1, "from a commit that it brought")
    eq(drive(s, "pull-of-commit", s.base)["class"], "not-found", "pushed by hand")


def statuses():
    """A status says what was asked, in 140 characters, with a link that is one"""
    s = scene()

    def status(description, url="", state="success", **how):
        got = drive(s, "set-status", s.head, "ratchet/cpu", state, description, url, **how)
        last = s.statuses(s.head)
        return got["class"], last and last[-1]
    said, got = status("held", "https://github.example/runs/1")
    eq((said, got["state"], got["context"], got["description"], got["target_url"]),
       ("none", "success", "ratchet/cpu", "held", "https://github.example/runs/1"), "as asked")
    for url in ("", "javascript:alert(1)", "ftp://x/", "//x"):
        eq(status("held", url)[1]["target_url"], None, "no link from %r" % url)
    eq(status("x" * 140)[1]["description"], "x" * 140, "140 characters fit")
    eq(status("x" * 141)[1]["description"], "x" * 139 + "…", "141 do not")
    eq(status("ä" * 150)[1]["description"], "ä" * 139 + "…", "cut between characters")
    eq(status("😀" * 80)[1]["description"], "😀" * 69 + "…", "however GitHub counts these")
    eq(status(b"cut short \xc3".decode("utf-8", "surrogateescape"))[1]["description"],
       "cut short \ufffd", "half a character")
    eq(status("a\nb\tc")[1]["description"], "a b c", "one line")
    eq(status("held \u202ederger\u2066 \u200e\x1b[31mred")[1]["description"], "held derger red", "nothing that turns it around")
    s.fault("/statuses/", "answer", status=502, after=True, headers={"Retry-After": "0"})
    eq(status("again")[0], "none", "an answer lost: said again")
    eq([x["description"] for x in s.statuses(s.head)][-2:], ["again", "again"], "to no harm")
    for url, seen, last in (("https://github.example/runs/2", False, "pending"), ("", True, "failure")):
        status("no", state="failure")
        status("waits", url, state="pending")
        got = drive(s, "guard-status", s.head, "ratchet/cpu", "failure")
        eq((bool(got["seen"]), s.statuses(s.head)[-1]["state"]), (seen, last),
           "a pending of %s that came behind the verdict" % (url or "no other run"))
    eq(status("x", state="bogus")[0], "input", "a state that GitHub does not know")
    eq(status("x", token="reader")[0], "auth", "a token that may not")


def labels():
    """Who put a label on, and what that person may do"""
    s = scene()
    s.on("collaborators", alice="write", bob="triage", carol="maintain", dave="admin")

    def who(label="accept-loss"):
        got = drive(s, "who-labeled", 1, label)
        return (got["login"], got["may_write"]) if got["ok"] else got["class"]
    eq(who(), "not-found", "nobody")
    for login, may in (("alice", True), ("bob", False), ("carol", True), ("dave", True),
                       ("mallory", False)):
        s.on("pulls/1/label", name="accept-loss", by=login)
        eq(who(), (login, may), login)
        s.on("pulls/1/label", name="accept-loss", by=login, on=False)
        eq(who(), "not-found", "taken off again")
    for i in range(120):
        s.on("pulls/1/label", name="accept-loss", by="alice", on=i % 2 == 0)
    s.on("pulls/1/label", name="accept-loss", by="carol")
    eq(who(), ("carol", True), "the last of many")
    eq(who("accept"), "not-found", "a label with another name")
    s.fault("/issues/1/events", "answer", status=200, body=[
        {"event": "labeled", "label": {"name": "accept-loss"}, "actor": None}])
    eq(who(), "not-found", "an account that is gone")
    s.fault("/issues/1/events", "answer", status=200, body=[
        {"event": "labeled", "label": {"name": "accept-loss"}, "actor": {"login": "a/../b?", "type": "User"}}])
    eq(who(), ("a/../b?", False), "an odd login is asked for as it is")
    has(s.requests("GET", "collaborators")[-1]["path"], "/collaborators/a%2F..%2Fb%3F/", "escaped")
    s.on("collaborators", **{"robot[bot]": "admin"})
    asked = len(s.requests("GET", "collaborators"))
    for actor in ({"login": "robot[bot]", "type": "Bot"}, {"login": "alice"}, {"login": "alice", "type": "Mannequin"},
                  {"login": "alice", "type": 7}):
        s.fault("/issues/1/events", "answer", status=200, body=[
            {"event": "labeled", "label": {"name": "accept-loss"}, "actor": actor}])
        eq(who(), (actor["login"], False), "no person's: %s" % actor)
    s.fault("/issues/1/events", "answer", status=200, body=[
        {"event": "labeled", "label": {"name": "accept-loss"}, "actor": {"login": "alice", "type": "User"},
         "performed_via_github_app": {"id": 1}}])
    eq(who(), ("alice", False), "an App's, in a person's name")
    eq(len(s.requests("GET", "collaborators")), asked, "nobody is asked about")


def runs():
    """Who started a run by hand, whoever started it again, and what both may do"""
    s = scene()
    s.on("collaborators", alice="write", bob="triage", carol="maintain")

    def who(run=7, **fields):
        if fields:
            s.on("runs", id=run, **fields)
        got = drive(s, "who-started", run)
        return (got["login"], got["may_write"]) if got["ok"] else got["class"]
    eq(who(), "not-found", "no such run")
    for login, may in (("alice", True), ("bob", False), ("carol", True), ("mallory", False)):
        eq(who(actor=login), (login, may), login)
    eq(who(actor="bob", triggering_actor="alice"), ("bob", False), "its inputs are the first one's")
    eq(who(actor="alice", triggering_actor="bob"), ("bob", False), "and the other one started it again")
    eq(who(actor="alice", triggering_actor="carol"), ("carol", True), "both may")
    eq(who(actor=None), "input", "an account that is gone")
    eq(who(actor="alice", event="push"), "input", "a run of a push")
    eq(who(actor="alice", status="completed"), "input", "a run that is over")
    for body in ([], {"event": 7, "status": "queued"}, {"event": "workflow_dispatch", "status": "queued",
                                                       "actor": {"login": ".."}, "triggering_actor": {}}):
        s.fault("/actions/runs/7", "answer", status=200, body=body)
        ok(who() in ("input", "host"), "nothing that could be believed", body)
    s.on("runs", id=7, actor="alice")
    s.post("tokens", token="no-actions", login=BOT, permissions={"metadata": "read"})
    eq(drive(s, "who-started", 7, token="no-actions")["class"], "auth", "a token that may not ask")


def pushed_at():
    """When a branch got its head: by the newest push that brought it there, of that branch alone"""
    s = scene()
    first = drive(s, "pushed-at", "faster", s.head)
    ok(first["ok"], "known", first)
    for branch, sha in (("faster", s.base), ("main", s.head), ("fast", s.head)):
        eq(drive(s, "pushed-at", branch, sha)["class"], "not-found", "no such push")
    other = s.on("commit", branch="faster", files={"k.c": "int c;\n"}, message="more")["sha"]
    ok(drive(s, "pushed-at", "faster", other)["when"] > first["when"], "the next one is later")
    s.on("ref", ref="refs/heads/faster", sha=s.head)
    ok(drive(s, "pushed-at", "faster", s.head)["when"] > first["when"], "the old head again: by the last push")
    for odd in ("yesterday", "2026-01-05T09:00:00+01:00", None, 7):
        s.fault("/activity", "answer", status=200, body=[
            {"ref": "refs/heads/faster", "after": s.head, "timestamp": odd}])
        eq(drive(s, "pushed-at", "faster", s.head)["class"], "not-found", "a time that cannot be compared")


def odd_words():
    """Answers about who let a head run that are none, or not yet true: nobody has"""
    s = scene()
    s.on("collaborators", alice="write")
    line = "/ratchet run " + s.head
    user, when = {"login": "alice", "type": "User"}, "2026-01-05T09:00:00Z"
    good = {"body": line, "user": user, "created_at": when, "updated_at": when}

    def who(*comments):
        s.fault("/issues/1/comments", "answer", status=200, body=list(comments))
        got = drive(s, "find-word", 1)
        return got["login"] if got["ok"] else got["class"]
    eq(who(good), "alice", "a comment as it should be")
    for what, odd in (("no text", {"body": None}), ("a number", {"body": 7}), ("no account", {"user": None}),
                      ("an account without a kind", {"user": {"login": "alice"}}),
                      ("a list", {"user": []}), ("dots", {"user": {"login": "..", "type": "User"}}),
                      ("a long name", {"user": {"login": "a" * 64, "type": "User"}}),
                      ("never changed", {"updated_at": None}), ("never made", {"created_at": None}),
                      ("changed", {"updated_at": "2026-01-05T09:00:01Z"}),
                      ("an App", {"performed_via_github_app": {}}),
                      ("a control character", {"body": line + "\b"}),
                      ("another line end", {"body": line + "\u2028"})):
        eq(who(dict(good, **odd)), "", what)
    eq(who(None, 7, [], "x", good), "alice", "what is no comment is passed over")
    eq(who(*[dict(good, user=dict(user, login="zoe%d" % i)) for i in range(20)], good), "alice", "the latest of many")
    asked = len(s.requests("GET", "/permission"))
    eq(who(*[dict(good, user=dict(user, login="zoe%d" % i)) for i in range(20)] * 5), "", "of many strangers")
    eq(len(s.requests("GET", "/permission")) - asked, 8, "a few are asked about")
    long = "x" * 65000
    for many, body, login in ((499, "x", "alice"), (500, "x", ""), (60, long, "alice"), (60, "\U0001f600" * 65000, "alice")):
        number = s.on("pulls", head="faster", user="alice")["number"]
        s.on("comments", issue=number, user="zoe", body=body, count=many)
        s.on("comments", issue=number, user="alice", body=line)
        got = drive(s, "find-word", number)
        eq((got.get("error"), got.get("login")), (None, login), "behind %d comments of %d characters" % (many, len(body)))
        has(got["why_not"], "first 500 comments (use the label ratchet:run)" if not login else "", "and why")
    s.on("pulls/1/label", name="ratchet:run", by="alice")
    labeled = s.state()["events"][-1]["created_at"]
    pushed = {"ref": "refs/heads/faster", "after": s.head, "timestamp": labeled}
    for what, pushes, login in (("in the same second", [pushed], ""),
                                ("a second later", [dict(pushed, timestamp="2026-01-05T09:00:00Z")], "alice"),
                                ("another head since", [dict(pushed, after=s.base), dict(
                                    pushed, timestamp="2026-01-05T09:00:00Z")], ""),
                                ("another branch since", [dict(pushed, ref="refs/heads/else"), dict(
                                    pushed, timestamp="2026-01-05T09:00:00Z")], "alice"),
                                ("no push", [], ""), ("a time that is none", [dict(pushed, timestamp="0")], "")):
        s.fault("/activity", "answer", status=200, body=pushes)
        eq(who(), login, "a label, " + what)
    for status, said in ((503, "host"), (403, "auth"), (401, "auth")):
        s.fault("/issues/1/comments", "answer", status=status, times=0, body={"message": "x"})
        eq(drive(s, "find-word", 1, env=BRIEF)["class"], said, "GitHub says %d: nobody's word" % status)
        s.calm()


def opening():
    """A pull request is opened once"""
    s = scene()
    s.on("commit", branch="ratchet/base", parent="main", files={"b.json": "{}\n"}, message="b")

    def opened(**how):
        return drive(s, "open-pull", "ratchet/base", "main", "New baseline", "words", **how)
    s.fault(r"/pulls$", "drop", method="POST", after=True)
    got = opened()
    eq(got["class"], "none", "opened, though the answer was lost")
    has(got["url"], "/octo/kernels/pull/2", "its address")
    eq(opened(), got, "again: the same")
    eq(len(s.requests("POST", "/pulls$")), 1, "asked once")
    s.fault(r"/pulls\?", "answer", status=200, body=[])
    eq(opened()["url"], got["url"], "a list that is behind: found on a second look")
    s.post("settings", actions_may_open_pulls=False)
    s.on("commit", branch="other", parent="main", files={"c": "1\n"}, message="c")
    refused = drive(s, "open-pull", "other", "main", "t", "b")
    eq(refused["class"], "auth", "where Actions may not")
    has(refused["error"], "not permitted to create", "GitHub's words")
    eq(drive(s, "open-pull", "none", "main", "t", "b", env=BRIEF)["ok"], False, "no such branch")


# ---- the outbox ----

def put(s, job=1, words="held", sha=None, url="", comment=True, status=True):
    if comment:
        ok(drive(s, "put-comment", s.box, job, 1, MARKER, text(s, body(words)))["ok"], "stored")
    if status:
        ok(drive(s, "put-status", s.box, job, sha or s.head, "ratchet/cpu", "success", words,
                 url)["ok"], "stored")


def send(s, job=1, **how):
    got = drive(s, "send", s.box, job, **how)
    return got["sent"], got["refused"], got["waiting"], got


def waiting(s, job=1):
    return drive(s, "waiting", s.box, job)["waiting"]


def outbox_sends():
    """The comment first, then the status that links to it; then nothing"""
    s = scene()
    ok(not waiting(s), "an empty box")
    eq(send(s)[:3], (0, 0, 0), "has nothing to send")
    put(s)
    put(s, words="improved")
    ok(waiting(s), "something waits")
    mark = s.requests()[-1]["id"] if s.requests() else 0
    sent = send(s)
    eq(sent[:3], (2, 0, 0), "both went")
    eq([c["body"] for c in ours(s)], [body("improved")], "the later words")
    eq(sent[3]["comment_url"], s.statuses()[0]["target_url"], "the status links to the comment")
    eq([r["path"].split("/")[4] for r in s.requests("POST", since=mark)], ["issues", "statuses"],
       "in that order")
    ok(not waiting(s), "nothing is left")
    eq(send(s)[:3], (0, 0, 0), "nothing is sent twice")
    put(s, job=2, url="https://github.example/runs/2")
    send(s, 2)
    eq(s.statuses()[-1]["target_url"], "https://github.example/runs/2", "a link given stays")
    put(s, job=3)
    put(s, job=4)
    eq(waiting(s, 3), False, "a later job's word on the same things replaces an earlier one's")
    eq(send(s, 4)[:3], (2, 0, 0), "and is sent")
    put(s, job=6)
    put(s, job=5, status=False)
    ok(waiting(s, 6), "an earlier job's does not replace a later one's")
    got = drive(s, "send", s.box, 6, repository="octo/other")
    eq(got["class"], "internal", "a message goes out under its own repository alone")


def outbox_refused():
    """A status that is refused is owed until it is taken, a comment for some tries"""
    s = scene()
    s.post("tokens", token="status-only", login=BOT,
           permissions={"statuses": "write", "pull_requests": "read"})
    put(s)
    sent = send(s, token="status-only")
    eq(sent[:3], (1, 0, 1), "the comment was refused, the status sent")
    ok(sent[3]["again_s"] > 0, "and the comment is due again", sent[3])
    has(sent[3]["refusal"], "403: Resource not accessible by integration", "in GitHub's words")
    eq((len(ours(s)), s.statuses()[0]["target_url"]), (0, None), "a status without a link")
    tries = 1
    while waiting(s) and tries < 20:
        send(s, token="status-only")
        tries += 1
    eq((tries, waiting(s)), (8, False), "some tries, and no more")
    put(s)
    send(s, token="status-only")
    eq(send(s)[:3], (1, 0, 0), "a permission that comes back")
    s.fault("/issues/comments/", "answer", method="PATCH", status=422, body={"message": "Body is too long"})
    put(s, job=8, words="too long")
    eq(send(s, 8)[:3], (1, 1, 0), "what is too long is dropped")
    s.calm()
    for status in (403, 404, 410, 422):
        put(s, job=10 + status, words=str(status))
        s.fault("/statuses/", "answer", method="POST", status=status, body={"message": "No"})
        again = []
        for _ in range(3):
            s.calm()
            s.fault("/statuses/", "answer", method="POST", status=status, body={"message": "No"})
            again.append(send(s, 10 + status)[3])
        ok(all(one["waiting"] == 1 for one in again), "%d: a status waits" % status, again)
        ok(again[0]["again_s"] < again[2]["again_s"], "%d: longer each time" % status, again)
        s.calm()
        eq((send(s, 10 + status)[:3], s.statuses()[-1]["description"]), ((1, 0, 0), str(status)),
           "%d: until it is taken" % status)
    put(s, job=900)
    eq(send(s, 900, token="expired")[:3], (0, 0, 2), "a token that is no more: another may come")
    ok(waiting(s, 900), "both wait for it")
    put(s, job=901, sha="0" * 40)
    eq(send(s, 901)[:3], (1, 0, 1), "a commit that GitHub has not: perhaps not yet")


def outbox_waits():
    """While GitHub cannot be reached nothing is lost, and later it is sent"""
    s = scene()
    put(s)
    nobody = "http://127.0.0.1:%d" % lib.free_port()
    sent = send(s, api=nobody, env=BRIEF)
    eq(sent[:3], (0, 0, 2), "both wait")
    has(sent[3]["refusal"], "could not connect", "and it says why")
    s.fault("", "answer", status=403, headers={"Retry-After": "3600"}, times=0,
            body={"message": "You have exceeded a secondary rate limit"})
    eq(send(s)[:3], (0, 0, 2), "a rate limit: both wait")
    s.calm()
    for status in 301, 302, 307, 308, 303:
        s.fault("", "answer", status=status, headers={"Location": nobody + "/login"}, times=0)
        eq(send(s)[:3], (0, 0, 2), "%d to another server, as a network's gate says: both wait" % status)
        s.calm()
    s.fault(COMMENTS, "answer", status=502, times=0)
    eq(send(s, env=BRIEF)[:3], (1, 0, 1), "comments in trouble: the status goes alone")
    ok(waiting(s), "the comment waits")
    s.calm()
    eq(send(s)[:3], (1, 0, 0), "and goes later")
    eq((len(ours(s)), len(s.statuses())), (1, 1), "once each")


def outbox_killed():
    """Killed between GitHub's work and our note of it: still exactly one comment"""
    s = scene()
    for round in range(3):
        put(s, job=round + 1, words="round %d" % round)
        for path in (COMMENTS if round == 0 else "/issues/comments/", "/statuses/"):
            held = s.fault(path, "hold", method=None if path == "/statuses/" or round else "POST",
                           after=True)
            process = lib.start(argv(s, "send", s.box, round + 1), stdout=subprocess.DEVNULL,
                                env=lib.clean_env({"RATCHET_TOKEN": SECRET, **WALK}))
            s.await_fault(held)
            lib.kill(process, signal.SIGKILL)
            s.release(held)
            s.calm()
            ok(waiting(s, round + 1), "still in the box")
        eq(send(s, round + 1)[:3], (1, 0, 1), "sent after all; what the killed one sent may yet arrive")
        eq(send(s, round + 1)[:3], (1, 0, 0), "so the status is said once more")
        eq([c["body"] for c in ours(s)], [body("round %d" % round)], "one comment")
        last = s.statuses()[-1]
        eq(last["description"], "round %d" % round, "and the status")
        has(last["target_url"], "#issuecomment-", "with its link, learnt before the kill")


lib.main(one_comment_of_ours, two_at_once, others_are_left, only_updated, among_many, forged, duplicates, answer_lost, deleted_meanwhile,
         crowded_out, refused, rate_limited, troubled, token_stays, renamed, around_and_around,
         certificates, pulls, found_by_branch_or_head,
         branches_and_origins, statuses, labels, runs, pushed_at, odd_words, opening, outbox_sends, outbox_refused,
         outbox_waits, outbox_killed)
