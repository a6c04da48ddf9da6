#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pull requests from forks, through a real ratchetd: whose word lets a head run, everything that is no such
word, and what is told to who waits for one. GitHub is asked each time; what a step says of a comment, a
label or a person counts for nothing."""

import fcntl
import json
import os
import re

import lib
import scene
import test_app
from lib import BOT, TOKEN, eq, has, lacks, ok
from test_daemon import jobs, pull_step

FORK = "mallory/kernels"
OWN = "/repos/octo/kernels"
READ_ONLY = {"contents": "read", "pull_requests": "read", "metadata": "read", "issues": "read"}
PLAIN = {"README": "other words\n"}  # held at once, so that what counted by mistake would be green


def run_line(sha):
    return "/ratchet run " + sha


class Forks:
    """octo/kernels, a fork of it, people, and a host that takes forks."""

    def __init__(self, token=TOKEN, forks="approved", app=False, **more):
        self.s = s = scene.github()
        s.post("repos", full_name=FORK, source=s.made["path"], private=False)
        s.on("collaborators", alice="write", carol="maintain", dave="admin", tim="triage", zoe="read")
        s.on("collaborators", **{"robot[bot]": "write"})
        s.post("apps", number=12, slug="helper", key="", permissions={})
        s.post("tokens", token="alice's", login="alice")
        s.post("tokens", token="read-only", login=BOT, permissions=READ_ONLY, job_of=scene.REPOSITORY)
        if app:
            key, public = test_app.key_pair()
            s.post("apps", number=test_app.APP, slug="ratchet-octo", key=public, permissions=test_app.MAY)
            s.post("apps/%d/installed" % test_app.APP, repository=s.repository)
            more["app"] = (test_app.APP, key)
        self.host = scene.Host(s, token=token, repository=["forks = " + forks] if forks else [], **more)
        self.daemon = self.host.daemon()
        self.runs = 0

    def push(self, branch, files=None, parent=None):
        """To the fork: its head."""
        body = {"branch": branch, "files": files or PLAIN, "message": "a change to " + branch}
        refs = self.s.control("GET", "repos/" + FORK)["refs"]
        if "refs/heads/" + branch not in refs:
            body["parent"] = parent or "main"
        return self.s.control("POST", "repos/%s/commit" % FORK, body)["sha"]

    def pull(self, branch, files=None):
        head = self.push(branch, files)
        opened = self.s.on("pulls", head=branch, head_repo=FORK, title=branch, user="mallory")
        return opened["number"], head

    def say(self, number, who, body, **more):
        return self.s.on("comments", issue=number, user=who, body=body, **more)["ids"][0]

    def label(self, number, who="alice", name="ratchet:run", **more):
        self.s.on("pulls/%d/label" % number, name=name, by=who, **more)

    def step(self, event, payload, **more):
        self.runs += 1
        return self.host.step(event, payload, run=self.runs, **more)

    def submit(self, number, event="pull_request_target", token=None, **more):
        return self.step(event, scene.pull_event(self.s, number, **more), token=token).run()

    def told(self, sha):
        """Description of the last status on a commit"""
        said = [x for x in self.s.statuses(sha) if x["context"] == "ratchet/cpu"]
        return (said[-1]["state"], said[-1]["description"]) if said else (None, "")

    def settle(self, count=None):
        lib.wait_for(lambda: all(state == "done" for state, *_ in jobs(self.host)) and
                     len(jobs(self.host)) == (count or self.runs), "GitHub to know of all")

    def waits(self, result, number, sha, what, why=None):
        """It was not run, and says what to type, who may, and why what was said does not count."""
        eq((result.brief(), result.verdict["clause"]), ((3, "unmeasured"), "not-approved"), what + ": not run")
        lacks(result.out, "build head", what + ": nothing was built")
        self.settle()
        state, text = self.told(sha)
        eq(state, "error", what + ": the status is neither green nor pending")
        has(text, "waits for the comment `%s`" % run_line(sha), what + ": and says what to type")
        has(scene.ours(self.s, number)[-1], "```text\n  %s\n  ```" % run_line(sha), what + ": a line to copy")
        if why is not None:
            has(scene.plain(result.verdict["reason"]), why, what + ": and why not")


def said_by(who, line=run_line, **more):
    return lambda f, number, head: f.say(number, who, line(head), **more)


def labeled_by(who, **more):
    return lambda f, number, head: f.label(number, who, **more)


def edited(f, number, head):
    said = f.say(number, "alice", "No.")
    f.s.api("PATCH", OWN + "/issues/comments/%d" % said, {"body": run_line(head)}, token="alice's")


def deleted(f, number, head):
    f.s.api("DELETE", OWN + "/issues/comments/%d" % f.say(number, "alice", run_line(head)), token="alice's")


def demoted(f, number, head):
    f.s.on("collaborators", eve="write")
    f.say(number, "eve", run_line(head))
    f.s.on("collaborators", eve="read")


def elsewhere(f, number, head):
    other, _ = f.pull("other-of-%d" % number, {"README": "else\n"})
    f.say(other, "alice", run_line(head))


def pushed_since(f, number, head):
    f.say(number, "alice", run_line(head))
    f.push(f.branch, {"README": "evil\n"})


def pushed_in_between(f, number, head):
    """The author pushes while the maintainer, who has read the head before, is typing."""
    f.push(f.branch, {"README": "evil\n"})
    f.say(number, "alice", run_line(head))


def before_it_was_there(f, number, head):
    f.say(number, "alice", "/ratchet run")
    f.push(f.branch, {"README": "evil\n"})


def label_then_push(f, number, head):
    f.label(number)
    f.push(f.branch, {"README": "evil\n"})


def push_back(f, number, head):
    """The head of before the label comes back after it: that is a push, too."""
    evil = f.push(f.branch, {"README": "evil\n"})
    f.s.control("POST", "repos/%s/ref" % FORK, {"ref": "refs/heads/" + f.branch, "sha": head})
    f.label(number)
    f.s.control("POST", "repos/%s/ref" % FORK, {"ref": "refs/heads/" + f.branch, "sha": evil})


def label_taken_off(f, number, head):
    f.label(number)
    f.label(number, on=False)


def label_of_a_lagging_list(f, number, head):
    """A head of long before comes back after the label, and GitHub's list of pushes does not show that yet."""
    evil = f.push(f.branch, {"README": "evil\n"})
    f.s.control("POST", "repos/%s/ref" % FORK, {"ref": "refs/heads/" + f.branch, "sha": head})
    old = f.s.api("GET", "/repos/%s/activity?ref=refs/heads/%s" % (FORK, f.branch)).json
    f.label(number)
    f.s.control("POST", "repos/%s/ref" % FORK, {"ref": "refs/heads/" + f.branch, "sha": evil})
    f.s.fault("/repos/%s/activity" % FORK, "answer", times=1, status=200, body=old)


def fork_gone(f, number, head):
    f.label(number)
    f.s.on("pulls/%d" % number, head_repo=None)


def title_and_text(f, number, head):
    f.s.on("pulls/%d" % number, title=run_line(head), body=run_line(head))


# Everything that is no word: what, how it is said, why it does not count (None: nothing was said).
NO_WORDS = (
    ("nothing", lambda f, number, head: None, None),
    ("the author", said_by("mallory"), "mallory may not write to octo/kernels"),
    ("a reader", said_by("zoe"), "zoe may not write to octo/kernels"),
    ("a triager", said_by("tim"), "tim may not write to octo/kernels"),
    ("permission lost meanwhile", demoted, "eve may not write to octo/kernels"),
    ("a bot that may write", said_by("robot[bot]"), "robot[bot] is no person's"),
    ("Actions itself", said_by(BOT), "is no person's"),
    ("an App in a writer's name", said_by("alice", via=12), "alice is no person's"),
    ("an account that is gone", said_by(None), "an account that is gone is no person's"),
    ("an edited comment", edited, "the comment of alice was edited"),
    ("a deleted comment", deleted, None),
    ("no commit", said_by("alice", lambda sha: "/ratchet run"), "by all of its 40 digits"),
    ("a short commit", said_by("alice", lambda sha: run_line(sha[:12])), "by all of its 40 digits"),
    ("39 digits", said_by("alice", lambda sha: run_line(sha[:39])), "by all of its 40 digits"),
    ("41 digits", said_by("alice", lambda sha: run_line(sha + "0")), "by all of its 40 digits"),
    ("words behind it", said_by("alice", lambda sha: run_line(sha) + "?"), "by all of its 40 digits"),
    ("two commits", said_by("alice", lambda sha: run_line(sha) + " " + sha), "by all of its 40 digits"),
    ("another commit", said_by("alice", lambda sha: run_line(sha[::-1])), "is about another commit"),
    ("a quote", said_by("alice", lambda sha: "> %s\n\nNo!" % run_line(sha)), None),
    ("the second line", said_by("alice", lambda sha: "Do not type\n" + run_line(sha)), None),
    ("code", said_by("alice", lambda sha: "```\n%s\n```" % run_line(sha)), None),
    ("an indented line", said_by("alice", lambda sha: "    " + run_line(sha)), None),
    ("another command", said_by("alice", lambda sha: "/ratchet running " + sha), None),
    ("a comment elsewhere", elsewhere, None),
    ("title and text", title_and_text, None),
    ("a word for the head before", pushed_since, "is about another commit"),
    ("a push while it is typed", pushed_in_between, "is about another commit"),
    ("a word before the push", before_it_was_there, "by all of its 40 digits"),
    ("a reader's label", labeled_by("zoe"), "label ratchet:run: zoe is no person who may write"),
    ("a bot's label", labeled_by("robot[bot]"), "label ratchet:run: robot[bot] is no person who may write"),
    ("an App's label", labeled_by("alice", via=12), "label ratchet:run: alice is no person"),
    ("another label", labeled_by("alice", name="ratchet:run!"), None),
    ("a label before the push", label_then_push, "was not put on after the push"),
    ("a label before a push back", push_back, "was not put on after the push"),
    ("a label that is off again", label_taken_off, None),
    ("a label, and a list that lags", label_of_a_lagging_list, "knows of no push"),
    ("a label, and no fork", fork_gone, "label ratchet:run: the fork is gone"),
)


def no_words():
    """Everything that is no word: nothing of the fork runs, and who waits is told"""
    f = Forks()
    for at, (what, say, why) in enumerate(NO_WORDS):
        f.branch = "branch-%d" % at
        number, head = f.pull(f.branch, {"README": "%d\n" % at})
        say(f, number, head)
        result = f.submit(number)
        now = next(p["head_sha"] for p in f.s.state()["pulls"] if p["number"] == number)
        f.waits(result, number, now, what, why)
        if why is None:
            lacks(result.verdict["reason"], "does not count", what + ": nothing more is said")
        eq(len([c for c in scene.ours(f.s, number) if scene.MARKER in c]), 1, what + ": one comment")
    eq(f.s.requests("GET", "/mallory/kernels.git"), [], "nothing was fetched from the fork itself")


WORDS = (
    ("a writer", said_by("alice"), "alice"),
    ("a maintainer", said_by("carol"), "carol"),
    ("an admin", said_by("dave"), "dave"),
    ("lines of Windows, and more below", said_by("alice", lambda sha: run_line(sha) + " \r\nLooks fine."), "alice"),
    ("a writer's label", labeled_by("alice"), "alice"),
    ("a maintainer's label", labeled_by("carol"), "carol"),
)


def words():
    """Each word that counts, and whose it was"""
    f = Forks()
    for at, (what, say, who) in enumerate(WORDS):
        number, head = f.pull("branch-%d" % at, {"README": "%d\n" % at})
        f.waits(f.submit(number), number, head, what + ", before")
        say(f, number, head)
        result = f.submit(number, action="labeled")
        eq(result.brief(), (0, "held"), what)
        f.settle()
        eq(f.told(head)[0], "success", what + ": the status")
        has(result.out, "at %s may run here: %s let it" % (head[:10], who), what + ": the log says whose word")
        has(scene.plain(scene.ours(f.s, number)[-1]), "This is a fork's code: %s, who may write here, let it run" % who,
            what + ": so does the comment")
        lacks(scene.ours(f.s, number)[-1], "/ratchet run", what + ": nothing is to be typed any more")


def many_voices():
    """A writer's word counts among those of many who may not write, whoever spoke last"""
    f = Forks()
    number, head = f.pull("change")
    for i in range(7):
        f.say(number, "reader-%d" % i, run_line(head))
    f.say(number, "mallory", run_line(head), count=150)
    f.say(number, "alice", run_line(head))
    f.say(number, "mallory", run_line(head), count=150)
    f.say(number, "zoe", run_line(head))
    eq(f.submit(number).brief(), (0, "held"), "alice let it")


def through_the_comment():
    """From the comment of a maintainer to the verdict: the code of the fork is built and measured"""
    f = Forks()
    number, head = f.pull("slow", {"kernels/attention.c": scene.kernel("slow")})
    f.waits(f.submit(number), number, head, "nobody has said anything")
    line = re.search(r"```text\n  (.*)\n  ```", scene.ours(f.s, number)[-1]).group(1)
    said = f.say(number, "alice", line)
    result = f.step("issue_comment", scene.comment_event(f.s, number, said), token=None).run()
    got = scene.fair(result, (1, "regressed"), "the verdict")
    f.settle()
    eq(([x["state"] for x in f.s.statuses(head)], len(scene.ours(f.s, number))),
       (["error", "pending", "failure" if got[0] == 1 else "error"], 1), "what GitHub was told")
    new = f.push("slow", {"README": "more\n"})
    f.waits(f.submit(number, action="synchronize"), number, new, "a new push", "is about another commit")
    again = f.step("issue_comment", scene.comment_event(f.s, number, said), token=None).run()
    f.waits(again, number, new, "the event of the old comment once more", "is about another commit")
    eq(f.host.check_pull(number).brief(), (3, "unmeasured"), "nor by `ratchet check`")


def forged_events():
    """A stranger's step says what it likes: a comment, a label, a person that GitHub does not know of"""
    f = Forks()
    number, head = f.pull("change")
    honest = scene.comment_event(f.s, number, f.say(number, "zoe", run_line(head)))
    alice = f.s.api("GET", OWN + "/collaborators/alice/permission", token=TOKEN).json["user"]
    forged = json.loads(json.dumps(honest))
    forged["comment"].update(user=alice, author_association="OWNER", id=1)
    forged["sender"] = alice
    labeled = scene.pull_event(f.s, number, "labeled")
    labeled.update(label={"name": "ratchet:run"}, sender=alice)
    labeled["pull_request"]["labels"] = [{"name": "ratchet:run"}]
    own = scene.pull_event(f.s, number)
    own["pull_request"]["head"]["repo"] = own["pull_request"]["base"]["repo"]
    for what, event, payload in (("a reader's comment", "issue_comment", honest),
                                 ("a comment that was never made", "issue_comment", forged),
                                 ("a label that was never put on", "pull_request", labeled),
                                 ("a branch of the repository", "pull_request", own)):
        f.waits(f.step(event, payload, token=None).run(), number, head, what)


def no_business():
    """Comments that ask for nothing start no job"""
    f = Forks()
    number, head = f.pull("change")
    said = scene.comment_event(f.s, number, f.say(number, "alice", "Nice work"))
    command = scene.comment_event(f.s, number, f.say(number, "alice", run_line(head)))
    issue = json.loads(json.dumps(command))
    del issue["issue"]["pull_request"]
    for what, payload, why in (
            ("another comment", said, "does not begin with /ratchet run"),
            ("an issue's", issue, "is on no pull request"),
            ("edited", dict(command, action="edited"), "counts as it was written"),
            ("deleted", dict(command, action="deleted"), "counts as it was written")):
        step = f.step("issue_comment", payload)
        eq(step.run().code, 0, what + ": exit code")
        has(step.log(), why, what + ": says why")
    for who in ("zoe", "mallory", "tim", None):
        step = f.step("issue_comment", scene.comment_event(f.s, number, f.say(number, who, run_line(head))))
        eq(step.run().code, 0, "by %s: exit code" % who)
        has(step.log(), "%s may not write to octo/kernels: the comment starts nothing" % (who or ""), "and says why")
    eq(jobs(f.host), [], "no job")
    f.s.fault("/permission", "answer", status=403, body={"message": "Forbidden"})
    ok(f.step("issue_comment", command).run().code not in (0, 1), "a GitHub that does not say is no green")
    eq(jobs(f.host), [], "no job either")
    f.say(number, "alice", run_line(head))
    eq(f.step("issue_comment", command).run().brief(), (0, "held"), "a writer's is one")


def refused():
    """Where forks are refused, nobody's word helps, and nothing is asked about it"""
    f = Forks(forks=None)
    number, head = f.pull("change")
    f.say(number, "alice", run_line(head))
    f.label(number)
    result = f.submit(number)
    eq((result.brief(), result.verdict["clause"]), ((3, "unmeasured"), "not-pinned"), "refused")
    has(result.verdict["reason"], "code of forks is not run on this host", "and says so")
    lacks(scene.ours(f.s, number)[-1], "/ratchet run", "nothing to type")
    eq(f.s.requests("GET", "/permission"), [], "nobody is asked about")
    own, own_head = scene.pull(f.s, "own", PLAIN)
    said = f.say(own, "alice", run_line(own_head))
    eq(f.step("issue_comment", scene.comment_event(f.s, own, said), token=None).run().brief(), (0, "held"),
       "a branch of the repository is checked again by comment")


# ---- while it waits for the device ----

def word_gone(f, number, said, head):
    f.s.on("collaborators", eve="read")
    return "eve may not write to octo/kernels"


def comment_gone(f, number, said, head):
    f.s.api("DELETE", OWN + "/issues/comments/%d" % said, token="alice's")
    return ""


def comment_edited(f, number, said, head):
    f.s.api("PATCH", OWN + "/issues/comments/%d" % said, {"body": run_line(head) + "\n\nplease"}, token="alice's")
    return "the comment of eve was edited"


def told_no_more(f, number, said, head):
    """GitHub does not let the token ask any more."""
    f.s.fault("/issues/%d/comments" % number, "answer", times=1, status=403, body={"message": "Forbidden"})
    return "Forbidden"


def while_it_waits():
    """A word that is gone when the device is free counts no more, also for a daemon that was killed"""
    f = Forks(limits={"ask-again-ms": 3600000})
    for at, change in enumerate((word_gone, comment_gone, comment_edited, told_no_more)):
        what = change.__name__.replace("_", " ")
        f.s.on("collaborators", eve="write")
        number, head = f.pull("slow-%d" % at, scene.distinct("slow", str(at)))
        said = f.say(number, "eve", run_line(head))
        with open(os.path.join(f.host.folder, "ratchet-cpu.lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            first, _ = scene.pull(f.s, "own-%d" % at, scene.distinct("slow", "own-%d" % at))
            ahead = f.step("pull_request", scene.pull_event(f.s, first), token=None).start()
            lib.wait_for(lambda: jobs(f.host) and jobs(f.host)[0][0] == "running", "the job ahead to run")
            step = f.step("pull_request_target", scene.pull_event(f.s, number), token=None).start()
            lib.wait_for(lambda: jobs(f.host)[0][0] == "pinned", "it to wait")
            why = change(f, number, said, head)
            if at == 0:
                f.daemon.kill()
                f.daemon.start()
                lib.wait_for(lambda: [j[0] for j in jobs(f.host)][:2] == ["pinned", "running"], "the job ahead again")
            lib.kill(ahead.process)
        f.waits(step.finish(), number, head, what, why)


def github_away():
    """A GitHub that cannot be asked has not said yes: the job waits for it, and then runs"""
    f = Forks(limits={"retry-ms": 50, "http-timeout-ms": 1000, "github-timeout-ms": 2000})
    number, head = f.pull("slow", {"kernels/attention.c": scene.kernel("slow")})
    f.say(number, "alice", run_line(head))
    # The second look at the comments is the one before it runs.
    away = f.s.fault("/issues/%d/comments" % number, "answer", skip=1, times=3, status=503, body={})
    step = f.step("pull_request_target", scene.pull_event(f.s, number), token=None).start()
    f.s.await_fault(away, hits=2)
    lacks(step.log(), "build head", "nothing is built meanwhile")
    scene.fair(step.finish(), (1, "regressed"), "it is measured once GitHub has answered")


# ---- tokens that may only read ----

def read_only_tokens():
    """A fork's and Dependabot's tokens may only read: exit code and summary carry it, and no error is shown"""
    f = Forks(token=None)
    number, head = f.pull("change", {"kernels/attention.c": scene.kernel("slow")})
    step = f.step("pull_request", scene.pull_event(f.s, number), token="read-only")
    result = step.run()
    eq((result.brief(), result.verdict["clause"]), ((3, "unmeasured"), "not-approved"), "it waits")
    has(step.file("summary"), "```text\n  %s\n  ```" % run_line(head), "the summary has the line to copy")
    quiet(step)
    said = f.say(number, "alice", run_line(head))
    step = f.step("issue_comment", scene.comment_event(f.s, number, said))
    got = scene.fair(step.run(), (1, "regressed"), "the comment's own job, whose token may write, has it measured")
    f.settle()
    eq((f.told(head)[1].split(":")[0], len(scene.ours(f.s, number))), (got[1], 1), "and tells it")
    lacks(scene.ours(f.s, number)[0], "/ratchet run", "the newer word stands")

    bump, bump_head = scene.pull(f.s, "dependabot/pip/x", PLAIN)
    step = f.step("pull_request", scene.pull_event(f.s, bump), token="read-only")
    eq(step.run().brief(), (0, "held"), "Dependabot's branch is checked")
    has(step.file("summary"), "kernel not touched", "its summary says so")
    quiet(step)
    settle = f.step("pull_request", scene.pull_event(f.s, bump))
    eq(settle.run("--settle").code, 0, "a token that may write comes by")
    f.settle(f.runs - 1)
    eq(f.told(bump_head)[0], "success", "and the status is told")


def by_an_app():
    """A GitHub App tells for a fork whose token may only read, and hears comment and label"""
    f = Forks(token=None, app=True)
    for at, say in enumerate((said_by("alice"), labeled_by("carol"))):
        number, head = f.pull("change-%d" % at, {"README": "%d\n" % at})
        waits = f.step("pull_request", scene.pull_event(f.s, number), token="read-only").run()
        eq(waits.brief(), (3, "unmeasured"), "it waits")
        f.settle()
        eq(f.told(head)[0], "error", "the App tells it")
        say(f, number, head)
        step = f.step("pull_request", scene.pull_event(f.s, number, "labeled"), token="read-only")
        eq(step.run().brief(), (0, "held"), "and hears whose word counts")
        f.settle()
        eq((f.told(head)[0], len(f.s.comments(number))), ("success", 2 - at), "and tells that")
        lacks(step.log(), "403", "no error of GitHub's")


def quiet(step):
    """No error of GitHub's in what the author sees."""
    for text in (step.log(), step.file("summary")):
        lacks(text, "403", "no 403")
        lacks(text, "not accessible", "no error of GitHub's")
    eq(step.log().count("this job's token may not tell GitHub"), 1, "it says once why GitHub does not know yet")


if __name__ == "__main__":
    lib.main(no_words, words, many_voices, through_the_comment, forged_events, no_business, refused, while_it_waits,
             github_away, read_only_tokens, by_an_app)
