# SPDX-License-Identifier: Apache-2.0
"""What happens in a run, drawn from its seed: which jobs, and which faults when. Nothing is done
here. An act is a dictionary: `do`, what it needs, and `when` it is done:

    {"ms": 200}                                  after that long
    {"line": "build head"}                       when the daemon's log has it
    {"verdicts": 2, "ms": 3}                     that long after so many jobs have a verdict.json
    {"path": …, "method"?, "skip", "after"}      when GitHub is asked that: the request gets no answer
                                                 before the act; `after`: it was carried out
Whatever it waits for, an act is done after a second."""

import random
import zlib

JOBS = (("docs", 9), ("broken", 5), ("conflict", 2), ("wrong", 1), ("slow", 0.4), ("promote", 1))
ASKED = (  # (path, method, weight): what the daemon asks of GitHub
    (r"/pulls/\d+$", "GET", 3), (r"/comments", "GET", 1), (r"/comments", "POST", 4),
    (r"/comments", "PATCH", 2), (r"/statuses/", "POST", 7),
    (r"^/repos/", None, 2), (r"/info/refs", "GET", 2), (r"git-upload-pack$", "POST", 2),
    (r"git-receive-pack$", "POST", 0.5), ("", None, 2))
HTML = "<html><h1>Welcome to the network of this hotel</h1></html>"
LATER = {"message": "later"}


def pick(rng, rows):
    """One of rows whose last column is a weight; the others of its columns."""
    row = rng.choices(rows, [row[-1] for row in rows])[0]
    return row[0] if len(row) == 2 else row[:-1]


def kinds(rng, path, method, host_token):
    """(name, fault, weight) of the faults that a request may meet. Of what is told, nobody knows after a
    timeout or reset whether GitHub took it."""
    git = path.startswith("/info") or path.startswith("git-")
    told = 4 if method in ("POST", "PATCH") and not git else 1
    after = rng.random() < 0.5
    rows = [
        ("timeout", {"action": "silence", "after": after}, 2 * told),
        ("reset", {"action": "reset", "after": after}, 2 * told),
        ("truncated", {"action": "truncate", "bytes": rng.choice((0, 1, 20)), "after": True}, 2),
        ("garbage", {"action": "raw", "text": "garbage\r\n\r\n"}, 1),
        ("slow drip", {"action": "drip", "ms": 40, "after": True}, 1),
        ("5xx", {"action": "answer", "status": rng.choice((500, 502, 503, 504)), "after": after,
                 "body": rng.choice((HTML, LATER)),
                 "headers": rng.choice(({}, {"Retry-After": "0"}))}, 3),
        ("429", {"action": "answer", "status": 429, "body": LATER,
                 "headers": {"Retry-After": rng.choice(("0", "1"))}}, 2),
        ("HTML", {"action": "answer", "status": rng.choice((200, 201)), "body": HTML}, 2),
        ("301", {"action": "answer", "status": 301, "body": "",
                 "headers": {"Location": "http://127.0.0.1:1/elsewhere"}}, 1),
        ("307", {"action": "answer", "status": 307, "body": "",
                 "headers": {"Location": "http://127.0.0.1:1/elsewhere"}}, 1)]
    if not git:
        rows.append(("403 limit", {"action": "answer", "status": 403, "limit_s": rng.choice((1, 2)),
                                   "days": rng.choice((0, 0, 40, -40)),
                                   "body": {"message": "API rate limit exceeded"}}, 4))
    if path in (r"/pulls/\d+$", r"/comments", r"/statuses/"):
        rows.append(("422", {"action": "answer", "status": 422,
                             "body": {"message": "Validation Failed"}}, 2))
    if not host_token:
        rows.append(("401", {"action": "answer", "status": 401,
                             "body": {"message": "Bad credentials"}}, 2))
        rows.append(("403", {"action": "answer", "status": rng.choice((403, 404)), "body": {
            "message": "Resource not accessible by integration"}}, 2))
    return rows


def draw_fault(rng, host_token):
    path, method = pick(rng, ASKED)
    name, fault = pick(rng, kinds(rng, path, method, host_token))
    fault = dict(fault, path=path, times=rng.choice((1, 1, 2, 4, 0)), skip=rng.choice((0, 0, 1, 3)))
    if method is not None:
        fault["method"] = method
    return {"do": "fault", "name": name, "fault": fault}


def draw_when(rng):
    if rng.random() < 0.45:
        path, method = pick(rng, ASKED)
        when = {"path": path, "skip": rng.choice((0, 0, 1, 2, 4)), "after": rng.random() < 0.5}
        return dict(when, method=method) if method else when
    if rng.random() < 0.3:
        return {"line": rng.choice(("build base", "build head", "replicate 1", "measuring", "accepted",
                                    "unmeasured", "held"))}
    return {"ms": rng.choice((0, 20, 50, 100, 200, 400))}


def draw_ending(rng):
    """Between a verdict and what is owed for it, there are milliseconds."""
    do = rng.choice(("kill", "kill-step", "kill-step"))
    return {"do": do, "which": rng.randrange(4), "at_once": rng.random() < 0.5,
            "when": {"verdicts": rng.choice((1, 1, 2, 3)), "ms": rng.choice((0, 0, 1, 2, 4, 8))}}


def draw_act(rng, host_token):
    do = pick(rng, (("fault", 14), ("kill", 6), ("terminate", 1), ("lose", 1), ("damage", 1), ("cache", 1.5),
                    ("clock", 3),
                    ("kill-step", 4), ("stop-step", 2), ("kill-submit", 3), ("cancel", 3),
                    ("refuse", 2), ("full", 2), ("push", 2), ("close", 0.5), ("submit", 3),
                    ("calm", 2)))
    if do == "fault":
        return draw_fault(rng, host_token)
    act = {"do": do}
    if do in ("kill", "terminate"):
        act["at_once"] = rng.random() < 0.5
    elif do == "lose":
        act["how"] = rng.choice(("zero", "removed"))
    elif do == "damage":
        act["how"] = rng.choice(("head", "page", "half"))
    elif do == "clock":
        act["of"] = rng.choice(("host", "host", "GitHub"))
        act["days"] = rng.choice((40, 40, -40))
    elif do == "cache":
        act["how"] = rng.choice(("pack", "no-pack", "objects", "refs", "HEAD"))
    elif do in ("kill-step", "stop-step"):
        act["which"] = rng.randrange(4)
    elif do in ("kill-submit", "cancel", "push", "close"):
        act["job"] = rng.randrange(6)
        act["again"] = not host_token or rng.random() < 0.6
    elif do == "refuse":
        act["ms"] = rng.choice((100, 400, 1500))
    elif do == "full":
        act["bytes"] = rng.choice((0, 1000, 5000, 40000, 100000, 400000))
        act["ms"] = rng.choice((100, 500, 1500))
    elif do == "submit":
        act["job"] = draw_job(rng)
    if do == "stop-step":
        act["ms"] = rng.choice((50, 500, 1500))
    return act


def draw_job(rng):
    """`pull`: the pull request of a job before is meant again."""
    kind = pick(rng, JOBS)
    return {"kind": kind, "again": rng.random() < 0.3 and kind != "promote"}


def draw(seed):
    rng = random.Random(zlib.crc32(b"ratchet faults %d" % seed))
    host_token = rng.random() < 0.5
    plan = {"seed": seed, "token": "host" if host_token else "job",
            "lanes": 1 + seed % 2,
            "mortal": rng.random() < 0.6,  # a job's token dies with its step
            "jobs": [draw_job(rng) for _ in range(rng.choice((1, 2, 2, 3)))], "acts": []}
    if rng.random() < 0.5:  # trouble that is there from the beginning
        plan["acts"].append(dict(draw_fault(rng, host_token), when={}))
    plan["early"] = len(plan["acts"])
    for _ in range(rng.choice((2, 3, 3, 4, 5))):
        plan["acts"].append(draw_ending(rng) if rng.random() < 0.2 else
                            dict(draw_act(rng, host_token), when=draw_when(rng)))
    return plan


def tell(plan):
    """The plan for reading, one thing a line."""
    lines = ["seed %d: token = %s%s, %d lanes" % (
        plan["seed"], plan["token"], ", dies with its step" if plan["token"] == "job" and plan["mortal"]
        else "", plan["lanes"])]
    for job in plan["jobs"]:
        lines.append("  job: " + show(job))
    for act in plan["acts"]:
        when = show(act["when"]) or "from the beginning"
        lines.append("  %s: %s" % (when, show({k: v for k, v in act.items() if k != "when"})))
    return lines


def show(thing):
    return ", ".join("%s %s" % (k, "{%s}" % show(v) if isinstance(v, dict) else v)
                     for k, v in thing.items())
