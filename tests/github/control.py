# SPDX-License-Identifier: Apache-2.0
"""The stand-in's control door (the table at the top of standin.py): how a test sets the scene,
arms faults and reads what was asked. Not part of GitHub."""

import json
import re
import urllib.parse

from faults import Fault
from state import ROLES, SHA, GitError


def answer(server, method, target, data):
    """(status, reply) of one control request."""
    path, _, query = target.partition("?")
    query = dict(urllib.parse.parse_qsl(query))
    try:
        body = json.loads(data) if data else {}
        for wanted, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and wanted == method:
                return 200, handler(server, body, query, *match.groups())
        return 404, {"error": "no such control request: %s %s" % (method, path)}
    except (GitError, KeyError, TypeError, ValueError) as broken:
        return 400, {"error": "%s: %s" % (type(broken).__name__, broken)}


def locked(handler):
    """A handler that reads or writes the world."""
    def run(server, body, query, *rest):
        with server.world.lock:
            return handler(server.world, body, *rest)
    return run


def repo_of(world, full_name):
    repo = world.find(full_name) or world.find_moved(full_name)
    if repo is None:
        raise ValueError("no repository %s" % full_name)
    return repo


def pull_of(world, full_name, number):
    repo = repo_of(world, full_name)
    if int(number) not in repo.pulls:
        raise ValueError("no pull request %s#%s" % (full_name, number))
    return repo, repo.pulls[int(number)]


def show_repo(world, body, full_name):
    world.sync()
    repo = repo_of(world, full_name)
    return {"id": repo.id, "full_name": repo.full_name, "path": repo.path,
            "default_branch": repo.default_branch, "refs": repo.git.refs(),
            "comments": repo.comments, "statuses": repo.statuses,
            "checks": [dict(run, app=run["app"]["slug"]) for run in repo.checks], "events": repo.events,
            "collaborators": repo.collaborators, "protected": repo.protected,
            "pulls": [show_pull(p) for p in repo.pulls.values()]}


def show_pull(pull):
    names = ("number", "state", "draft", "locked", "merged", "title", "body", "user", "labels",
             "head_ref", "head_sha", "base_ref", "base_sha", "merge_commit", "clean")
    return dict({name: getattr(pull, name) for name in names},
                head_repo=pull.head_repo and pull.head_repo.full_name)


def show_all(world, body):
    return {"settings": world.settings, "users": list(world.users.values()),
            "tokens": [{k: v for k, v in t.items()} for t in world.tokens.values()],
            "repos": [show_repo(world, {}, r.full_name) for r in world.repos.values()]}


def settings(world, body):
    for name, value in body.items():
        if name not in world.settings:
            raise ValueError("no such setting: %s" % name)
        world.settings[name] = value
    return world.settings


def drive_clock(world, body):
    return {"now": world.clock.drive(**body)}


def show_limits(world, body):
    return world.limits.view()


def set_limits(world, body):
    for name, value in body.items():
        if name not in world.limits.settings:
            raise ValueError("no such limit: %s" % name)
        world.limits.settings[name] = value
    return world.limits.view()


def use_limits(world, body):
    token = world.tokens[body.pop("token")]
    world.limits.use(world.limits.budget(token), **body)
    return world.limits.view()


def add_token(world, body):
    world.add_token(**body)
    return {}


def drop_token(world, body, token):
    world.tokens.pop(token, None)
    return {}


def add_app(world, body):
    world.add_app(**body)
    return {}


def install_app(world, body, number):
    repo = repo_of(world, body["repository"])
    if not body.get("on", True):
        world.uninstall(number, repo)
    else:
        world.install(number, repo, body.get("suspended", False))
    return {}


def add_user(world, body):
    return world.user(body["login"], kind=body.get("kind"))


def create_repo(world, body):
    repo = world.create_repo(**body)
    return {"id": repo.id, "path": repo.path}


def change_repo(world, body, full_name):
    repo = repo_of(world, full_name)
    if "full_name" in body:
        world.rename_repo(repo, body["full_name"])
    if "merge_refs" in body:
        if body["merge_refs"] not in ("fresh", "stale", "absent"):
            raise ValueError("merge_refs: fresh, stale or absent")
        repo.merge_refs = body["merge_refs"]
        if repo.merge_refs != "stale":
            for pull in repo.pulls.values():
                pull.synced = None
        world.sync(repo)
    return {}


def commit(world, body, full_name):
    repo = repo_of(world, full_name)
    return {"sha": world.commit(repo, body["branch"], body["files"], body["message"],
                                body.get("user"), body.get("parent"))}


def move_ref(world, body, full_name):
    repo = repo_of(world, full_name)
    if body["sha"] is None:
        repo.git.run("update-ref", "-d", body["ref"])
    elif SHA.match(body["sha"]):
        repo.git.set_ref(body["ref"], body["sha"])
    else:
        raise ValueError("sha: 40 hex digits or null")
    world.sync(repo)
    return {}


def protect(world, body, full_name):
    world.protect(repo_of(world, full_name), body["branch"], body.get("kind", "GH006"))
    return {}


def collaborators(world, body, full_name):
    for login, role in body.items():
        if role not in ROLES:
            raise ValueError("no such role: %s" % role)
        repo_of(world, full_name).collaborators[world.user(login)["login"]] = role
    return {}


def open_pull(world, body, full_name):
    repo = repo_of(world, full_name)
    source = repo_of(world, body["head_repo"]) if body.get("head_repo") else None
    pull = world.open_pull(repo, body["head"], body.get("base", repo.default_branch),
                           body.get("title", body["head"]), body.get("user", repo.owner),
                           body.get("body"), body.get("draft", False), source)
    return show_pull(pull)


def change_pull(world, body, full_name, number):
    repo, pull = pull_of(world, full_name, number)
    if "title" in body:
        world.rename_pull(repo, pull, body["title"], body.get("by", pull.user))
    for name in ("body", "draft", "locked", "mergeable_unknown"):
        if name in body:
            setattr(pull, name, body[name])
    if "base" in body:
        pull.base_ref, pull.synced = body["base"], None
    if "head_repo" in body:
        if body["head_repo"] is not None:
            raise ValueError("head_repo can only become null: the fork is gone")
        pull.head_repo = None
    if "state" in body:
        world.close_pull(pull, body["state"])
    world.sync(repo)
    return show_pull(pull)


def merge_pull(world, body, full_name, number):
    repo, pull = pull_of(world, full_name, number)
    return {"sha": world.merge_pull(repo, pull, body.get("user", repo.owner),
                                    body.get("method", "merge"))}


def queue_pull(world, body, full_name, number):
    """The payload of the event that GitHub sends for the group, but for `repository`."""
    repo, pull = pull_of(world, full_name, number)
    ref, head, base = world.queue_pull(repo, pull, body.get("on"))
    return {"action": "checks_requested", "merge_group": {
        "head_sha": head, "head_ref": ref, "base_sha": base, "base_ref": "refs/heads/" + pull.base_ref,
        "head_commit": {"id": head, "message": "Merge pull request #%d" % pull.number}}}


def label_pull(world, body, full_name, number):
    repo, pull = pull_of(world, full_name, number)
    world.label(repo, pull, body["name"], body["by"], body.get("on", True), body.get("via"))
    return show_pull(pull)


def set_run(world, body, full_name):
    """A run of Actions, as it is from now on."""
    repo = repo_of(world, full_name)
    run = {"event": "workflow_dispatch", "actor": repo.owner, "status": "in_progress",
           "attempt": 1, "created_at": world.now(), "head_branch": repo.default_branch,
           "head_sha": repo.git.commit_of("refs/heads/" + repo.default_branch), **body}
    if run.pop("queued", False) and ("refs/heads/" + run["head_branch"], run["head_sha"]) not in repo.groups:
        return {}
    run.setdefault("triggering_actor", run["actor"])
    repo.runs[run["id"]] = run
    return {}


def add_comments(world, body, full_name):
    repo, _ = pull_of(world, full_name, body["issue"])
    return {"ids": [world.add_comment(repo, body["issue"], body["user"],
                                      body["body"].replace("{i}", str(i + 1)), body.get("via"))["id"]
                    for i in range(body.get("count", 1))]}


# ---- what was asked ----

def requests_list(server, body, query):
    path = re.compile(query.get("path", ""))
    with server.changed:
        return [r for r in server.requests if r["id"] > int(query.get("since", 0)) and
                r["method"] == query.get("method", r["method"]) and path.search(r["path"])]


def requests_clear(server, body, query):
    with server.changed:
        server.requests.clear()
    return {}


# ---- faults ----

def fault_add(server, body, query):
    with server.changed:
        server.next_fault += 1
        server.faults.append(Fault(server.next_fault, body))
        return {"id": server.next_fault}


def fault_of(server, number):
    for fault in server.faults:
        if fault.id == int(number):
            return fault
    raise ValueError("no fault %s" % number)


def fault_view(fault):
    return {"id": fault.id, "hits": fault.hits, "waiting": fault.waiting,
            "left": fault.times - fault.hits if fault.times else None}


def fault_get(server, body, query, number):
    with server.changed:
        return fault_view(fault_of(server, number))


def fault_wait(server, body, query, number):
    with server.changed:
        fault = fault_of(server, number)
        held = fault.spec["action"] == "hold"
        met = server.changed.wait_for(
            lambda: fault.hits >= body.get("hits", 1) and (not held or fault.waiting > 0 or
                                                           fault.released.is_set()),
            min(float(body.get("seconds", 30)), 600))
        if not met:
            raise ValueError("fault %s was hit %d times, not %d" % (
                number, fault.hits, body.get("hits", 1)))
        return fault_view(fault)


def fault_step(server, body, query, number):
    count, seconds = body.get("count", 1), min(float(body.get("seconds", 300)), 600)

    def arrive(fault):
        if not server.changed.wait_for(lambda: fault.passes == 0 and fault.waiting >= count, seconds):
            raise ValueError("%d wait at gate %s, not %d" % (fault.waiting, number, count))
    with server.changed:
        fault = fault_of(server, number)
        arrive(fault)
        server.world.clock.drive(advance=body.get("advance", 0))
        fault.passes += count
        server.changed.notify_all()
        if body.get("back", True):
            arrive(fault)
    return {"now": server.world.clock.now(), "hits": fault.hits}


def fault_release(server, body, query, number):
    with server.changed:
        fault_of(server, number).released.set()
        server.changed.notify_all()
    return {}


def fault_forget(server, body, query, number=None):
    with server.changed:
        for fault in list(server.faults):
            if number is None or fault.id == int(number):
                fault.released.set()
                server.faults.remove(fault)
        server.changed.notify_all()
    return {}


# ---- doors ----

def door_add(server, body, query):
    door = server.another_door()
    return {"url": door.url}


def door_change(server, body, query, port):
    door = server.doors[int(port)]
    if body["open"]:
        door.open()
    else:
        door.close()
    return {}


def ping(server, body, query):
    return {"url": server.url}


R = r"repos/([^/]+/[^/]+)"
ROUTES = [
    ("GET", r"ping", ping),
    ("GET", r"state", locked(show_all)),
    ("POST", r"settings", locked(settings)),
    ("POST", r"clock", locked(drive_clock)),
    ("GET", r"limits", locked(show_limits)),
    ("POST", r"limits", locked(set_limits)),
    ("POST", r"limits/used", locked(use_limits)),
    ("POST", r"tokens", locked(add_token)),
    ("DELETE", r"tokens/([^/]+)", locked(drop_token)),
    ("POST", r"apps", locked(add_app)),
    ("POST", r"apps/(\d+)/installed", locked(install_app)),
    ("POST", r"users", locked(add_user)),
    ("POST", r"repos", locked(create_repo)),
    ("GET", R, locked(show_repo)),
    ("POST", R, locked(change_repo)),
    ("POST", R + r"/commit", locked(commit)),
    ("POST", R + r"/ref", locked(move_ref)),
    ("POST", R + r"/protect", locked(protect)),
    ("POST", R + r"/collaborators", locked(collaborators)),
    ("POST", R + r"/pulls", locked(open_pull)),
    ("POST", R + r"/pulls/(\d+)", locked(change_pull)),
    ("POST", R + r"/pulls/(\d+)/merge", locked(merge_pull)),
    ("POST", R + r"/pulls/(\d+)/queue", locked(queue_pull)),
    ("POST", R + r"/pulls/(\d+)/label", locked(label_pull)),
    ("POST", R + r"/runs", locked(set_run)),
    ("POST", R + r"/comments", locked(add_comments)),
    ("GET", r"requests", requests_list),
    ("DELETE", r"requests", requests_clear),
    ("POST", r"faults", fault_add),
    ("GET", r"faults/(\d+)", fault_get),
    ("POST", r"faults/(\d+)/wait", fault_wait),
    ("POST", r"faults/(\d+)/step", fault_step),
    ("POST", r"faults/(\d+)/release", fault_release),
    ("DELETE", r"faults", fault_forget),
    ("POST", r"doors", door_add),
    ("POST", r"doors/(\d+)", door_change),
    ("DELETE", r"faults/(\d+)", fault_forget),
]
