# SPDX-License-Identifier: Apache-2.0
"""The REST API: routes, permissions, validation, paging, error bodies. A handler takes a Call
and returns an Answer; World.lock is held around it."""

import base64
import hashlib
import json
import re
import urllib.parse

import apps
import graphql
from answer import Answer, refusal
from state import ROLES, SHA, GitError
from views import Views

VERSIONS = ("2022-11-28", "2026-03-10")


class Call:
    """One request, and what its token may do."""

    def __init__(self, world, method, target, headers, data, own_url):
        self.world, self.method, self.headers, self.data = world, method, headers, data
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.query_text = query
        self.version = headers.get("X-GitHub-Api-Version") or VERSIONS[0]
        api = world.settings["api_url"] or own_url
        self.views = Views(world, api.rstrip("/"),
                           (world.settings["web_url"] or own_url).rstrip("/"))
        self.token = None
        self.app = None  # whose JWT was sent
        self.repo = None
        self.template = ""

    # ---- who asks ----

    def authenticate(self):
        value = self.headers.get("Authorization")
        if value is None:
            return
        self.token = find_token(self.world, value)
        if self.token is None:
            self.app = apps.app_of(self.world, value)
        if self.token is None and self.app is None:
            raise refusal(401, "Bad credentials")

    @property
    def login(self):
        return self.token["login"]

    def need(self, *grants):
        """At least one of grants ("issues=write") must be held, else GitHub's 403."""
        if self.token is None or not self.is_for(self.repo):
            if not self.repo.private and all(g.endswith("=read") for g in grants):
                return
            raise refusal(401, "Requires authentication") if self.token is None else \
                refusal(403, "Resource not accessible by integration", self.template)
        held = self.token["permissions"]
        for grant in grants:
            name, _, level = grant.partition("=")
            if held is None or held.get(name) == "write" or held.get(name) == level:
                return
        raise refusal(403, "Resource not accessible by integration", self.template, {
            "X-Accepted-GitHub-Permissions": "; ".join(grants)})

    def sees(self, repo):
        if self.app is not None:
            return repo.id in self.app["installed"]
        if self.token is None:
            return not repo.private
        return not repo.private or self.is_for(repo)

    def is_for(self, repo):
        only = self.token["repositories"]
        return only is None or repo.full_name.lower() in [name.lower() for name in only]

    # ---- what is asked ----

    def json(self, docs):
        try:
            body = json.loads(self.data.decode("utf-8"), parse_constant=lambda _: 1 / 0)
        except (ValueError, ZeroDivisionError):
            raise refusal(400, "Problems parsing JSON", docs)
        if not isinstance(body, dict):
            raise refusal(400, "Body should be a JSON object", docs)
        return body

    def text(self, body, name, docs, required=True):
        value = body.get(name)
        if value is None and (not required or name in body):
            if required:
                raise refusal(422, "Invalid request.\n\nFor 'properties/%s', nil is not a string."
                              % name, docs)
            return None
        if value is None:
            raise refusal(422, 'Invalid request.\n\n"%s" wasn\'t supplied.' % name, docs)
        if not isinstance(value, str):
            raise refusal(422, "Invalid request.\n\nFor 'properties/%s', %s is not a string."
                          % (name, json.dumps(value)), docs)
        return value

    def invalid(self, resource, field, code, message=None, docs=""):
        """GitHub's 422, in either of its two shapes."""
        if self.world.settings["errors_as_strings"]:
            return refusal(422, "Validation Failed", docs,
                           errors=[message or "%s is %s" % (field, code)])
        error = {"resource": resource, "code": code, "field": field}
        if message is not None:
            error["message"] = message
        return refusal(422, "Validation Failed", docs, errors=[error])

    def page(self, rows, where):
        """One page of rows; `where` is the path below /repositories/<id>."""
        def number(name, default):
            try:
                return max(1, int(self.query.get(name, default)))
            except ValueError:
                return default
        size, page = min(number("per_page", 30), 100), number("page", 1)
        last = max(1, -(-len(rows) // size))
        links = []
        others = [(k, v) for k, v in urllib.parse.parse_qsl(self.query_text) if k != "page"]
        for rel, there, on in (("prev", page - 1, page > 1), ("next", page + 1, page < last),
                               ("last", last, page < last), ("first", 1, page > 1)):
            if on:
                query = urllib.parse.urlencode(others + [("page", there)])
                links.append('<%s/repositories/%d%s?%s>; rel="%s"' % (
                    self.views.api, self.repo.id, where, query, rel))
        return Answer(200, rows[(page - 1) * size:page * size],
                      {"Link": ", ".join(links)} if links else {})

    def pull(self, number):
        pull = self.repo.pulls.get(int(number))
        if pull is None:
            raise refusal(404, "Not Found", self.template)
        return pull


def find_token(world, value):
    """The token of an Authorization header: Bearer, token or Basic. One that has ended is none."""
    scheme, _, rest = value.partition(" ")
    text = rest.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(rest).decode().partition(":")[2]
        except ValueError:
            return None
    elif scheme.lower() not in ("bearer", "token"):
        return None
    token = world.tokens.get(text)
    return None if token is None or token["ends"] <= world.clock.now() else token


# ---- handlers ----

def repo_get(call):
    call.need("metadata=read", "contents=read", "pull_requests=read")
    return Answer(200, call.views.full_repo(call.repo))


def comments_list(call, number):
    call.need("issues=read", "pull_requests=read")
    call.pull(number)
    rows = [c for c in call.repo.comments if c["issue"] == int(number)]
    answer = call.page(rows, "/issues/%s/comments" % number)
    answer.body = [call.views.comment(call.repo, c) for c in answer.body]
    return answer


def comments_of_all(call):
    """Of all issues and pull requests. `direction` counts where `sort` is given."""
    call.need("issues=read", "pull_requests=read")
    key = "updated_at" if call.query.get("sort") == "updated" else "created_at"
    rows = sorted(call.repo.comments, key=lambda c: (c[key], c["id"]),
                  reverse="sort" in call.query and call.query.get("direction", "desc") == "desc")
    since = call.query.get("since")
    answer = call.page([c for c in rows if since is None or c["updated_at"] >= since], "/issues/comments")
    answer.body = [call.views.comment(call.repo, c) for c in answer.body]
    return answer


def comment_body(call, docs):
    body = call.text(call.json(docs), "body", docs)
    if not body.strip():
        raise call.invalid("IssueComment", "body", "missing_field", docs=docs)
    most = call.world.settings["comment_max"]
    if len(body) > most:
        raise call.invalid("IssueComment", "data", "unprocessable",
                           "Body is too long (maximum is %d characters)" % most, docs)
    return body


def comments_create(call, number):
    docs = "/issues/comments#create-an-issue-comment"
    call.need("issues=write", "pull_requests=write")
    pull = call.pull(number)
    body = comment_body(call, docs)
    if pull.locked:
        raise refusal(403, "Unable to create comment because issue is locked.", docs)
    view = call.views.comment(call.repo, call.world.add_comment(call.repo, int(number),
                                                                call.login, body))
    return Answer(201, view, {"Location": view["url"]})


def comment_find(call, number):
    for comment in call.repo.comments:
        if comment["id"] == int(number):
            return comment
    raise refusal(404, "Not Found", "/issues/comments")


def comment_get(call, number):
    call.need("issues=read", "pull_requests=read")
    return Answer(200, call.views.comment(call.repo, comment_find(call, number)))


def comment_own(call, number):
    """A token may change its own comments, and others' only if its owner could."""
    call.need("issues=write", "pull_requests=write")
    comment = comment_find(call, number)
    role = call.repo.collaborators.get(call.login, "none")
    if comment["user"] != call.login and ROLES[role] not in ("admin", "write"):
        raise refusal(403, "Resource not accessible by integration", "/issues/comments", {
            "X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write"})
    return comment


def comment_update(call, number):
    comment = comment_own(call, number)
    comment["body"] = comment_body(call, "/issues/comments#update-an-issue-comment")
    comment["updated_at"] = call.world.now()
    return Answer(200, call.views.comment(call.repo, comment))


def comment_delete(call, number):
    call.repo.comments.remove(comment_own(call, number))
    return Answer(204)


def pulls_list(call):
    call.need("pull_requests=read")
    call.world.sync(call.repo)
    state, base, head = (call.query.get(k) for k in ("state", "base", "head"))
    rows = []
    for pull in call.repo.pulls.values():
        if state != "all" and pull.state != (state or "open"):
            continue
        if base and pull.base_ref != base:
            continue
        if head and ":" in head and "%s:%s" % (pull.head_owner, pull.head_ref) != head:
            continue  # a head without an owner filters nothing, as there
        rows.append(pull)
    rows.sort(key=lambda p: p.number, reverse=call.query.get("direction", "desc") != "asc")
    answer = call.page(rows, "/pulls")
    answer.body = [call.views.pull_simple(call.repo, p, call.version) for p in answer.body]
    return answer


def pull_get(call, number):
    call.need("pull_requests=read")
    call.world.sync(call.repo)
    pull = call.pull(number)
    answer = Answer(200, call.views.pull(call.repo, pull, call.version))
    pull.mergeable_unknown = max(0, pull.mergeable_unknown - 1)
    return answer


def pull_files(call, number):
    call.need("pull_requests=read")
    call.world.sync(call.repo)
    pull = call.pull(number)
    return call.page(call.views.files(call.repo, pull)[:3000], "/pulls/%s/files" % number)


def pull_create(call):
    docs = "/pulls/pulls#create-a-pull-request"
    call.need("pull_requests=write")
    if call.login == "github-actions[bot]" and not call.world.settings["actions_may_open_pulls"]:
        raise refusal(403, "GitHub Actions is not permitted to create or approve pull requests.",
                      docs)
    body = call.json(docs)
    title, head, base = (call.text(body, name, docs) for name in ("title", "head", "base"))
    text = call.text(body, "body", docs, required=False)
    branch = head.partition(":")[2] if ":" in head else head
    git = call.repo.git
    for field, name in (("head", branch), ("base", base)):
        if git.commit_of("refs/heads/" + name) is None:
            raise call.invalid("PullRequest", field, "invalid", docs=docs)
    for pull in call.repo.pulls.values():
        if pull.state == "open" and (pull.head_ref, pull.base_ref) == (branch, base) and \
                pull.head_repo is call.repo:
            raise call.invalid("PullRequest", "head", "custom",
                               "A pull request already exists for %s:%s." % (
                                   call.repo.owner, branch), docs)
    if git.is_ancestor("refs/heads/" + branch, "refs/heads/" + base):
        raise call.invalid("PullRequest", "base", "custom",
                           "No commits between %s and %s" % (base, branch), docs)
    pull = call.world.open_pull(call.repo, branch, base, title, call.login, text,
                                bool(body.get("draft", False)))
    view = call.views.pull(call.repo, pull, call.version)
    return Answer(201, view, {"Location": view["url"]})


def status_create(call, sha):
    docs = "/commits/statuses#create-a-commit-status"
    call.need("statuses=write")
    body = call.json(docs)
    state = call.text(body, "state", docs)
    context = call.text(body, "context", docs, required=False) or "default"
    description = call.text(body, "description", docs, required=False)
    target = call.text(body, "target_url", docs, required=False)
    full = call.repo.git.commit_of(sha) if SHA.match(sha) else None
    if full is None:
        raise refusal(422, "No commit found for SHA: %s" % sha, docs)
    if state not in ("error", "failure", "pending", "success"):
        raise call.invalid("Status", "state", "custom", "state is not included in the list", docs)
    if description is not None and len(description) > 140:
        raise call.invalid("Status", "description", "custom",
                           "description is too long (maximum is 140 characters)", docs)
    if len(context) > 255:
        raise call.invalid("Status", "context", "custom",
                           "context is too long (maximum is 255 characters)", docs)
    if target and not re.match(r"https?://", target):
        raise call.invalid("Status", "target_url", "custom",
                           "target_url must use http(s) scheme", docs)
    same = sum((s["sha"], s["context"]) == (full, context) for s in call.repo.statuses)
    if same >= call.world.settings["statuses_per_context"]:
        raise refusal(422, "Validation Failed", docs, errors=[{
            "resource": "Status", "code": "custom",
            "message": "This SHA and context has reached the maximum number of statuses."}])
    status = call.world.add_status(call.repo, full, call.login, state, context, description,
                                   target)
    view = call.views.status(call.repo, status)
    return Answer(201, view, {"Location": view["url"]})


def commit_named(call, name):
    name = urllib.parse.unquote(name)
    sha = call.repo.git.commit_of(name if SHA.match(name) else "refs/heads/" + name)
    if sha is None:
        raise refusal(422, "No commit found for SHA: %s" % name, "/commits/commits")
    return sha


def commit_get(call, name):
    call.need("contents=read")
    return Answer(200, call.views.commit(call.repo, commit_named(call, name)))


def status_combined(call, ref):
    call.need("statuses=read")
    return Answer(200, call.views.combined(call.repo, commit_named(call, ref)))


def statuses_list(call, ref):
    """Newest first."""
    call.need("statuses=read")
    sha = commit_named(call, ref)
    rows = [s for s in reversed(call.repo.statuses) if s["sha"] == sha]
    answer = call.page(rows, "/commits/%s/statuses" % sha)
    answer.body = [call.views.status(call.repo, s) for s in answer.body]
    return answer


def commit_pulls(call, sha):
    """Open pull requests with the commit on them, or the merged ones that brought it."""
    call.need("pull_requests=read", "contents=read")
    call.world.sync(call.repo)
    full = commit_named(call, sha)
    git = call.repo.git
    on_default = git.is_ancestor(full, "refs/heads/" + call.repo.default_branch)
    rows = []
    for pull in call.repo.pulls.values():
        brought = full == pull.merge_commit and pull.merged
        inside = git.is_ancestor(full, pull.head_sha) and not git.is_ancestor(full, pull.base_sha)
        if brought or (inside and pull.merged == on_default):
            rows.append(pull)
    answer = call.page(rows, "/commits/%s/pulls" % full)
    answer.body = [call.views.pull_simple(call.repo, p, call.version) for p in answer.body]
    return answer


def issue_events(call, number):
    call.need("issues=read", "pull_requests=read")
    call.pull(number)
    rows = [e for e in call.repo.events if e["issue"] == int(number)]
    answer = call.page(rows, "/issues/%s/events" % number)
    answer.body = [call.views.event(call.repo, e) for e in answer.body]
    return answer


def activity_list(call):
    call.need("contents=read")
    call.world.sync(call.repo)
    ref = call.query.get("ref")
    rows = [a for a in reversed(call.repo.activity)
            if ref is None or a["ref"] in (ref, "refs/heads/" + ref)]
    answer = call.page(rows, "/activity")
    answer.body = [{"id": a["id"], "node_id": call.views.node("Activity", a["id"]), "ref": a["ref"],
                    "before": a["before"], "after": a["after"], "timestamp": a["timestamp"],
                    "activity_type": a["type"], "actor": call.views.user(call.repo.owner)} for a in answer.body]
    return answer


def ref_get(call, ref):
    call.need("contents=read")
    call.world.sync(call.repo)
    ref = "refs/" + urllib.parse.unquote(ref)
    sha = call.repo.git.refs().get(ref)
    if sha is None:
        raise refusal(404, "Not Found", "/git/refs#get-a-reference")
    return Answer(200, call.views.ref(call.repo, ref, sha))


def refs_matching(call, prefix):
    """All refs whose names begin so; none is an empty list, not a 404."""
    call.need("contents=read")
    call.world.sync(call.repo)
    prefix = "refs/" + urllib.parse.unquote(prefix)
    return Answer(200, [call.views.ref(call.repo, ref, sha)
                        for ref, sha in sorted(call.repo.git.refs().items()) if ref.startswith(prefix)])


def ref_object(call, body, docs):
    sha = call.text(body, "sha", docs)
    if not SHA.match(sha) or call.repo.git.commit_of(sha) is None:
        raise refusal(422, "Object does not exist", docs)
    return sha


def ref_create(call):
    docs = "/git/refs#create-a-reference"
    call.need("contents=write")
    body = call.json(docs)
    ref = call.text(body, "ref", docs)
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise refusal(422, "Reference name must start with 'refs/' and have two slashes", docs)
    sha = ref_object(call, body, docs)
    if ref in call.repo.git.refs():
        raise refusal(422, "Reference already exists", docs)
    call.repo.git.set_ref(ref, sha)
    view = call.views.ref(call.repo, ref, sha)
    return Answer(201, view, {"Location": view["url"]})


def ref_update(call, ref):
    docs = "/git/refs#update-a-reference"
    call.need("contents=write")
    body = call.json(docs)
    ref = "refs/" + urllib.parse.unquote(ref)
    sha = ref_object(call, body, docs)
    old = call.repo.git.refs().get(ref)
    if old is None:
        raise refusal(422, "Reference does not exist", docs)
    if ref in call.repo.protected:
        raise refusal(422, "Changes must be made through a pull request.", docs)
    if body.get("force") is not True and not call.repo.git.is_ancestor(old, sha):
        raise refusal(422, "Update is not a fast forward", docs)
    call.repo.git.set_ref(ref, sha, old)
    call.world.sync(call.repo)
    return Answer(200, call.views.ref(call.repo, ref, sha))


def contents_get(call, path):
    docs = "/repos/contents#get-repository-content"
    call.need("contents=read")
    path = urllib.parse.unquote(path).strip("/")
    ref = call.query.get("ref") or call.repo.default_branch
    commit = call.repo.git.commit_of(ref) or call.repo.git.commit_of("refs/heads/" + ref)
    if commit is None:
        raise refusal(404, "No commit found for the ref %s" % ref, docs)
    listed = call.repo.git.run("ls-tree", "-l", "-z", "--full-tree", commit, "--", path) \
        if path else ""
    rows = [tree_row(line) for line in listed.split("\0") if line]
    entry = next((row for row in rows if row[0] == path), None)
    if entry is None and path:
        raise refusal(404, "Not Found", docs)
    if not path or entry[1][1] == "tree":
        inside = call.repo.git.run("ls-tree", "-l", "-z", "--full-tree", commit,
                                   *([path + "/"] if path else []))
        return Answer(200, [call.views.content(call.repo, commit, ref, *tree_row(line))
                            for line in inside.split("\0") if line])
    data = call.repo.git.run("cat-file", "blob", entry[1][2], binary=True)
    if "raw" in (call.headers.get("Accept") or ""):
        return Answer(200, None, {"Content-Type": "application/vnd.github.raw+json"}, raw=data)
    view = call.views.content(call.repo, commit, ref, *entry)
    text = base64.b64encode(data).decode()
    small = len(data) <= 1 << 20
    view.update(encoding="base64" if small else "none", content="".join(
        text[i:i + 60] + "\n" for i in range(0, len(text), 60)) if small else "")
    return Answer(200, view)


def tree_row(line):
    meta, _, path = line.partition("\t")
    mode, kind, blob, size = meta.split()
    return path, (mode, kind, blob, 0 if size == "-" else int(size))


def permission_get(call, login):
    call.need("metadata=read", "contents=read", "pull_requests=read")
    login = urllib.parse.unquote(login)
    user = call.world.users.get(login.lower())
    if user is None:
        raise refusal(404, "%s is not a user" % login, "/collaborators/collaborators"
                      "#get-repository-permissions-for-a-user")
    role = call.repo.collaborators.get(user["login"], "none" if call.repo.private else "read")
    return Answer(200, call.views.permission(user["login"], role, ROLES[role]))


def run_get(call, number):
    call.need("actions=read")
    run = call.repo.runs.get(int(number))
    if run is None:
        raise refusal(404, "Not Found", "/actions/workflow-runs#get-a-workflow-run")
    return Answer(200, call.views.run(call.repo, run))


def runs_list(call):
    """Newest first."""
    call.need("actions=read")
    event = call.query.get("event")
    rows = sorted((run for run in call.repo.runs.values() if event in (None, run["event"])), key=lambda run: -run["id"])
    answer = call.page(rows, "/actions/runs")
    answer.body = {"total_count": len(rows), "workflow_runs": [call.views.run(call.repo, run) for run in answer.body]}
    return answer


REPO = [
    ("GET", r"", repo_get),
    ("GET", r"/installation", apps.repository_installation),
    ("GET", r"/issues/(\d+)/comments", comments_list),
    ("GET", r"/issues/comments", comments_of_all),
    ("POST", r"/issues/(\d+)/comments", comments_create),
    ("GET", r"/issues/comments/(\d+)", comment_get),
    ("PATCH", r"/issues/comments/(\d+)", comment_update),
    ("DELETE", r"/issues/comments/(\d+)", comment_delete),
    ("GET", r"/issues/(\d+)/events", issue_events),
    ("GET", r"/activity", activity_list),
    ("GET", r"/pulls", pulls_list),
    ("POST", r"/pulls", pull_create),
    ("GET", r"/pulls/(\d+)", pull_get),
    ("GET", r"/pulls/(\d+)/files", pull_files),
    ("POST", r"/statuses/([^/]+)", status_create),
    ("GET", r"/commits/([^/]+)", commit_get),
    ("GET", r"/commits/(.+)/status", status_combined),
    ("GET", r"/commits/([^/]+)/statuses", statuses_list),
    ("GET", r"/commits/([^/]+)/pulls", commit_pulls),
    ("POST", r"/check-runs", apps.check_create),
    ("PATCH", r"/check-runs/(\d+)", apps.check_update),
    ("GET", r"/commits/([^/]+)/check-runs", apps.checks_list),
    ("GET", r"/git/ref/(.+)", ref_get),
    ("GET", r"/git/matching-refs/(.+)", refs_matching),
    ("POST", r"/git/refs", ref_create),
    ("PATCH", r"/git/refs/(.+)", ref_update),
    ("GET", r"/contents/?(.*)", contents_get),
    ("GET", r"/actions/runs", runs_list),
    ("GET", r"/actions/runs/(\d+)", run_get),
    ("GET", r"/collaborators/([^/]+)/permission", permission_get),
]


def rate_headers(world, token):
    rate = world.limits.rate(world.limits.budget(token))
    return {"X-RateLimit-" + k.capitalize(): str(v) for k, v in rate.items()}


def rate_get(call):
    core = call.world.limits.rate(call.world.limits.budget(call.token))
    del core["resource"]
    idle = {"limit": 30, "used": 0, "remaining": 30, "reset": core["reset"]}
    body = {"resources": {"core": core, "search": idle, "graphql": core}, "rate": core}
    if call.version >= VERSIONS[1]:
        del body["rate"]
    return Answer(200, body)


def count_request(call):
    limits = call.world.limits
    refused = limits.charge(limits.budget(call.token), call.method not in ("GET", "HEAD"))
    if refused is None:
        return
    which, wait = refused
    docs = "/using-the-rest-api/rate-limits-for-the-rest-api"
    if which == "primary":
        raise refusal(limits.settings["status"], "API rate limit exceeded for installation.", docs)
    raise refusal(limits.settings["status"], "You have exceeded a secondary rate limit. Please wait a"
                  " few minutes before you try again.", docs, {"Retry-After": str(wait)})


def moved(call, repo, rest):
    """GitHub's answer under a name of before: reads are sent on with 301, writes with 307."""
    status, message = (301, "Moved Permanently") if call.method in ("GET", "HEAD") else \
        (307, "Temporary Redirect")
    url = "%s/repositories/%d%s" % (call.views.api, repo.id, rest)
    url += "?" + call.query_text if call.query_text else ""
    return refusal(status, message, "/guides/best-practices-for-using-the-rest-api#follow-redirects",
                   {"Location": url}, url=url)


def route(call):
    if not call.headers.get("User-Agent"):
        raise Answer(403, None, {"Content-Type": "text/html; charset=utf-8"}, raw=(
            b"\r\nRequest forbidden by administrative rules. Please make sure your request has a"
            b" User-Agent header.\r\n"))
    if call.version not in VERSIONS:
        raise refusal(400, "Unsupported 'X-GitHub-Api-Version' header: %s" % call.version)
    call.authenticate()
    if call.path == "/rate_limit" and call.method == "GET":
        return rate_get(call)
    if call.path == "/graphql" and call.method == "POST":
        return graphql.answer(call)
    count_request(call)
    token_of = re.fullmatch(r"/app/installations/(\d+)/access_tokens", call.path)
    if token_of and call.method == "POST" and call.app is not None:
        return apps.access_token(call, token_of.group(1))
    if call.path == "/installation/token" and call.method == "DELETE":
        return apps.drop_token(call)
    found = re.match(r"/repos/([^/]+/[^/]+)(/.*)?\Z", call.path)
    by_id = re.match(r"/repositories/(\d+)(/.*)?\Z", call.path)
    if found:
        call.repo = call.world.find(urllib.parse.unquote(found.group(1)))
    elif by_id:
        call.repo = call.world.find_id(int(by_id.group(1)))
    if found and call.repo is None:
        once = call.world.find_moved(urllib.parse.unquote(found.group(1)))
        if once is not None and call.sees(once):
            raise moved(call, once, found.group(2) or "")
    if call.repo is None or not call.sees(call.repo):
        raise refusal(404, "Not Found")
    rest = (found or by_id).group(2) or ""
    if (call.app is not None) != (rest == "/installation"):
        raise refusal(401, "A JSON web token could not be decoded" if call.app is None else
                      "This endpoint is for installations")
    for method, pattern, handler in REPO:
        match = re.fullmatch(pattern, rest)
        if match and method == call.method:
            return handler(call, *match.groups())
    raise refusal(404, "Not Found")


def conditional(call, out):
    """An etag for what may be asked again; it is its token's alone. Who has it already is told that nothing has changed,
    and it is not counted."""
    if call.method != "GET" or out.status != 200 or out.raw is None or call.path == "/rate_limit":
        return out
    own = json.dumps([call.token and call.token["serial"], call.path, call.query_text, out.headers.get("Link")])
    etag = 'W/"%s"' % hashlib.sha256(own.encode() + out.raw).hexdigest()
    if call.headers.get("If-None-Match") != etag:
        out.headers["ETag"] = etag
        return out
    if call.token is not None:  # GitHub: "while correctly authorized"
        call.world.limits.free(call.world.limits.budget(call.token))
    return Answer(304, None, {"ETag": etag})


def answer(call):
    """The Answer to a Call, whatever happens, with the headers that GitHub always sends."""
    try:
        out = route(call)
    except Answer as refused:
        out = refused
    except (GitError, ValueError) as broken:
        out = refusal(500, "Server Error: %s" % broken)
    if out.raw is None and out.body is not None:
        out.raw = json.dumps(out.body).encode()
        out.headers.setdefault("Content-Type", "application/json; charset=utf-8")
    out = conditional(call, out)
    headers = {"X-GitHub-Media-Type": "github.v3; format=json",
               "X-GitHub-Api-Version-Selected": call.version,
               "X-GitHub-Request-Id": "%04X:%04X" % (
                   sum(b.asked for b in call.world.limits.budgets.values()), len(call.path)),
               "X-Content-Type-Options": "nosniff", **rate_headers(call.world, call.token)}
    out.headers = {**headers, **out.headers}
    return out
