# SPDX-License-Identifier: Apache-2.0
"""The JSON that GitHub would send for what state.py knows, complete enough for GitHub's own
OpenAPI schemas. Pure: no HTTP, no change of state."""

import base64
import datetime


# What GitHub's repository object calls each address, and where it lies below the repository.
REPO_URLS = {
    "archive": "/{archive_format}{/ref}", "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}", "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}", "comments": "/comments{/number}",
    "commits": "/commits{/sha}", "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}", "contributors": "/contributors",
    "deployments": "/deployments", "downloads": "/downloads", "events": "/events",
    "forks": "/forks", "git_commits": "/git/commits{/sha}", "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}", "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}", "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}", "keys": "/keys{/key_id}", "labels": "/labels{/name}",
    "languages": "/languages", "merges": "/merges", "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}", "pulls": "/pulls{/number}",
    "releases": "/releases{/id}", "stargazers": "/stargazers", "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers", "subscription": "/subscription", "tags": "/tags",
    "teams": "/teams", "trees": "/git/trees{/sha}"}


class Views:
    """`api` and `web` are the two public base addresses, without a trailing slash."""

    def __init__(self, world, api, web):
        self.world, self.api, self.web = world, api, web
        self.repos = {}  # of this answer: a list of pull requests has each repository many times

    @staticmethod
    def node(kind, number):
        return base64.b64encode(("%03d:%s%d" % (len(kind), kind, number)).encode()).decode()

    def user(self, login):
        if login is None:
            return None
        user = self.world.user(login)
        name = user["login"].replace("[", "%5B").replace("]", "%5D")
        api = "%s/users/%s" % (self.api, name)
        return {
            "login": user["login"], "id": user["id"], "node_id": self.node("User", user["id"]),
            "avatar_url": "%s/avatars/u/%d" % (self.web, user["id"]), "gravatar_id": "",
            "url": api, "html_url": "%s/%s" % (self.web, name),
            "followers_url": api + "/followers",
            "following_url": api + "/following{/other_user}",
            "gists_url": api + "/gists{/gist_id}", "starred_url": api + "/starred{/owner}{/repo}",
            "subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs",
            "repos_url": api + "/repos", "events_url": api + "/events{/privacy}",
            "received_events_url": api + "/received_events", "type": user["type"],
            "site_admin": False}

    def repo(self, repo):
        if repo is None:
            return None
        if repo.id not in self.repos:
            self.repos[repo.id] = self.make_repo(repo)
        return self.repos[repo.id]

    def make_repo(self, repo):
        api = "%s/repos/%s" % (self.api, repo.full_name)
        web = "%s/%s" % (self.web, repo.full_name)
        view = {name + "_url": api + below for name, below in REPO_URLS.items()}
        opened = sum(p.state == "open" for p in repo.pulls.values())
        view.update({
            "id": repo.id, "node_id": self.node("Repository", repo.id), "name": repo.name,
            "full_name": repo.full_name, "owner": self.user(repo.owner), "private": repo.private,
            "html_url": web, "description": None, "fork": False, "url": api,
            "git_url": "git:" + web.partition(":")[2] + ".git", "ssh_url":
            "git@github.example:%s.git" % repo.full_name, "clone_url": web + ".git",
            "svn_url": web, "mirror_url": None, "homepage": None, "language": "C",
            "forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0,
            "watchers": 0, "size": 1, "default_branch": repo.default_branch,
            "open_issues_count": opened, "open_issues": opened, "has_issues": True,
            "has_projects": False, "has_wiki": False, "has_pages": False, "has_downloads": True,
            "has_discussions": False, "archived": False, "disabled": False,
            "visibility": "private" if repo.private else "public", "license": None,
            "pushed_at": repo.created_at, "created_at": repo.created_at,
            "updated_at": repo.created_at})
        return view

    def full_repo(self, repo):
        return dict(self.repo(repo), network_count=0, subscribers_count=0)

    def comment(self, repo, comment):
        api = "%s/repos/%s" % (self.api, repo.full_name)
        association = "NONE"
        if comment["user"] is not None:
            role = repo.collaborators.get(comment["user"], "none")
            association = {"admin": "OWNER", "none": "NONE"}.get(role, "COLLABORATOR")
        return {
            "id": comment["id"], "node_id": self.node("IssueComment", comment["id"]),
            "url": "%s/issues/comments/%d" % (api, comment["id"]),
            "html_url": "%s/%s/pull/%d#issuecomment-%d" % (
                self.web, repo.full_name, comment["issue"], comment["id"]),
            "issue_url": "%s/issues/%d" % (api, comment["issue"]),
            "user": self.user(comment["user"]), "body": comment["body"],
            "created_at": comment["created_at"], "updated_at": comment["updated_at"],
            "author_association": association,
            "performed_via_github_app": self.app(repo, comment.get("via"))}

    def label(self, repo, name):
        return {"id": repo.labels[name], "node_id": self.node("Label", repo.labels[name]),
                "url": "%s/repos/%s/labels/%s" % (self.api, repo.full_name, name),
                "name": name, "description": "", "color": "ededed", "default": False}

    def event(self, repo, event):
        view = {
            "id": event["id"], "node_id": self.node("LabeledEvent", event["id"]),
            "url": "%s/repos/%s/issues/events/%d" % (self.api, repo.full_name, event["id"]),
            "actor": self.user(event["actor"]), "event": event["event"], "commit_id": None,
            "commit_url": None, "created_at": event["created_at"],
            "performed_via_github_app": self.app(repo, event.get("via"))}
        if event["event"] == "renamed":
            view["rename"] = {"from": event["from"], "to": event["to"]}
        else:
            view["label"] = {"name": event["label"], "color": "ededed"}
        return view

    def status(self, repo, status):
        return {
            "url": "%s/repos/%s/statuses/%s" % (self.api, repo.full_name, status["sha"]),
            "avatar_url": "%s/avatars/in/15368" % self.web, "id": status["id"],
            "node_id": self.node("StatusContext", status["id"]), "state": status["state"],
            "description": status["description"], "target_url": status["target_url"],
            "context": status["context"], "created_at": status["created_at"],
            "updated_at": status["updated_at"], "creator": self.user(status["creator"])}

    def combined(self, repo, sha):
        latest = {}
        for status in repo.statuses:
            if status["sha"] == sha:
                latest[status["context"].lower()] = status  # as GitHub compares them
        states = {s["state"] for s in latest.values()}
        state = "pending"
        if states & {"failure", "error"}:
            state = "failure"
        elif states == {"success"}:
            state = "success"
        api = "%s/repos/%s" % (self.api, repo.full_name)
        statuses = []
        for status in latest.values():
            view = self.status(repo, status)
            del view["creator"]
            statuses.append(view)
        return {"state": state, "statuses": statuses, "sha": sha,
                "total_count": len(statuses), "repository": self.repo(repo),
                "commit_url": "%s/commits/%s" % (api, sha),
                "url": "%s/commits/%s/status" % (api, sha)}

    def pull_simple(self, repo, pull, version):
        api = "%s/repos/%s" % (self.api, repo.full_name)
        here, issue = "%s/pulls/%d" % (api, pull.number), "%s/issues/%d" % (api, pull.number)
        web = "%s/%s/pull/%d" % (self.web, repo.full_name, pull.number)
        statuses = "%s/statuses/%s" % (api, pull.head_sha)
        view = {
            "url": here, "id": pull.id, "node_id": self.node("PullRequest", pull.id),
            "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch",
            "issue_url": issue, "commits_url": here + "/commits",
            "review_comments_url": here + "/comments",
            "review_comment_url": api + "/pulls/comments{/number}",
            "comments_url": issue + "/comments", "statuses_url": statuses,
            "number": pull.number, "state": pull.state, "locked": pull.locked,
            "title": pull.title, "user": self.user(pull.user), "body": pull.body,
            "labels": [self.label(repo, name) for name in pull.labels], "milestone": None,
            "active_lock_reason": None, "created_at": pull.created_at,
            "updated_at": pull.updated_at, "closed_at": pull.closed_at,
            "merged_at": pull.merged_at, "merge_commit_sha": pull.merge_commit,
            "assignee": None, "assignees": [], "requested_reviewers": [],
            "requested_teams": [], "draft": pull.draft, "auto_merge": None,
            "author_association": "COLLABORATOR",
            "head": self.side(pull.head_owner, pull.head_ref, pull.head_sha, pull.head_repo),
            "base": self.side(repo.owner, pull.base_ref, pull.base_sha, repo),
            "_links": {name: {"href": href} for name, href in (
                ("self", here), ("html", web), ("issue", issue),
                ("comments", issue + "/comments"), ("review_comments", here + "/comments"),
                ("review_comment", api + "/pulls/comments{/number}"),
                ("commits", here + "/commits"), ("statuses", statuses))}}
        if version >= "2026-03-10":
            del view["merge_commit_sha"], view["assignee"]
        return view

    def side(self, owner, ref, sha, repo):
        return {"label": "%s:%s" % (owner, ref), "ref": ref, "sha": sha,
                "user": self.user(owner), "repo": self.repo(repo)}

    def pull(self, repo, pull, version):
        view = self.pull_simple(repo, pull, version)
        mergeable = pull.clean if pull.state == "open" else None
        if pull.mergeable_unknown > 0:
            mergeable = None
        files = self.file_rows(repo, pull)
        commits = repo.git.run("rev-list", "--count", "%s..%s" % (pull.base_sha, pull.head_sha))
        view.update({
            "merged": pull.merged, "mergeable": mergeable, "rebaseable": mergeable,
            "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
            "merged_by": self.user(pull.merged_by),
            "comments": sum(c["issue"] == pull.number for c in repo.comments),
            "review_comments": 0, "maintainer_can_modify": False, "commits": int(commits),
            "additions": sum(row[2] for row in files), "deletions": sum(row[3] for row in files),
            "changed_files": len(files)})
        return view

    def file_rows(self, repo, pull):
        """(status letter, path, added, deleted, blob) of each file, against the merge base."""
        span = "%s...%s" % (pull.base_sha, pull.head_sha)
        raw = repo.git.run("diff", "--raw", "--no-renames", "--abbrev=40", "-z", span)
        counts = repo.git.run("diff", "--numstat", "--no-renames", "-z", span)
        numbers = {}
        for row in counts.split("\0"):
            if row:
                added, deleted, path = row.split("\t", 2)
                numbers[path] = [0 if n == "-" else int(n) for n in (added, deleted)]
        parts = raw.split("\0")
        rows = []
        for meta, path in zip(parts[0::2], parts[1::2]):
            _, _, old, new, letter = meta[1:].split(" ")
            rows.append((letter[0], path, *numbers.get(path, (0, 0)),
                         old if letter[0] == "D" else new))
        return rows

    def files(self, repo, pull):
        names = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
        web = "%s/%s" % (self.web, repo.full_name)
        return [{
            "sha": blob, "filename": path, "status": names.get(letter, "changed"),
            "additions": added, "deletions": deleted, "changes": added + deleted,
            "blob_url": "%s/blob/%s/%s" % (web, pull.head_sha, path),
            "raw_url": "%s/raw/%s/%s" % (web, pull.head_sha, path),
            "contents_url": "%s/repos/%s/contents/%s?ref=%s" % (
                self.api, repo.full_name, path, pull.head_sha)}
            for letter, path, added, deleted, blob in self.file_rows(repo, pull)]

    def ref(self, repo, ref, sha):
        api = "%s/repos/%s" % (self.api, repo.full_name)
        kind = repo.git.kind(sha)
        return {"ref": ref, "node_id": self.node("Ref" + ref, repo.id),
                "url": "%s/git/%s" % (api, ref),
                "object": {"sha": sha, "type": kind, "url": "%s/git/%ss/%s" % (api, kind, sha)}}

    def commit(self, repo, sha):
        """With the first 300 files; against its first parent."""
        tree, parents, who, mail, when, message = repo.git.run(
            "show", "-s", "--format=%T%n%P%n%an%n%ae%n%cI%n%B", sha).split("\n", 5)
        api, web = "%s/repos/%s" % (self.api, repo.full_name), "%s/%s" % (self.web, repo.full_name)
        person = {"name": who, "email": mail, "date": when}
        rows = repo.git.run("diff-tree", "-r", "--root", "-m", "--first-parent", "--no-commit-id", "--no-renames",
                            "--raw", "--abbrev=40", sha)
        names = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
        files = []
        for row in rows.splitlines()[:300]:
            meta, _, path = row.partition("\t")
            old, new, letter = meta[1:].split(" ")[2:]
            files.append({"sha": old if letter == "D" else new, "filename": path,
                          "status": names.get(letter[0], "changed"), "additions": 0, "deletions": 0, "changes": 0,
                          "blob_url": "%s/blob/%s/%s" % (web, sha, path), "raw_url": "%s/raw/%s/%s" % (web, sha, path),
                          "contents_url": "%s/contents/%s?ref=%s" % (api, path, sha)})
        here = "%s/commits/%s" % (api, sha)
        return {"sha": sha, "node_id": self.node("Commit" + sha, repo.id), "url": here,
                "html_url": "%s/commit/%s" % (web, sha), "comments_url": here + "/comments",
                "commit": {"url": "%s/git/commits/%s" % (api, sha), "author": person, "committer": person,
                           "message": message, "comment_count": 0,
                           "tree": {"sha": tree, "url": "%s/git/trees/%s" % (api, tree)}},
                "author": None, "committer": None,
                "parents": [{"sha": one, "url": "%s/commits/%s" % (api, one)} for one in parents.split()],
                "files": files}

    def content(self, repo, commit, ref, path, entry):
        """`entry`: (mode, type, blob, size) of one file or folder."""
        mode, kind, blob, size = entry
        name = path.rpartition("/")[2]
        links = {"self": "%s/repos/%s/contents/%s?ref=%s" % (self.api, repo.full_name, path, ref),
                 "git": "%s/repos/%s/git/%ss/%s" % (self.api, repo.full_name, kind, blob),
                 "html": "%s/%s/blob/%s/%s" % (self.web, repo.full_name, commit, path)}
        return {"type": {"tree": "dir"}.get(kind, "symlink" if mode == "120000" else "file"),
                "size": size, "name": name, "path": path, "sha": blob, "url": links["self"],
                "git_url": links["git"], "html_url": links["html"],
                "download_url": None if kind == "tree" else "%s/%s/raw/%s/%s" % (
                    self.web, repo.full_name, commit, path), "_links": links}

    def check_run(self, repo, run):
        url = "%s/repos/%s/check-runs/%d" % (self.api, repo.full_name, run["id"])
        said = run["output"] or {}
        app = run["app"]
        output = {key: said.get(key) for key in ("title", "summary", "text")}
        output.update(annotations_count=len(said.get("annotations", [])), annotations_url=url + "/annotations")
        return {"id": run["id"], "node_id": self.node("CheckRun", run["id"]), "head_sha": run["head_sha"],
                "name": run["name"], "url": url, "html_url": "%s/%s/runs/%d" % (self.web, repo.full_name, run["id"]),
                "details_url": run["details_url"], "external_id": "", "status": run["status"],
                "conclusion": run["conclusion"], "started_at": run["started_at"],
                "completed_at": run["completed_at"], "check_suite": {"id": 1}, "output": output, "app": self.app(repo, app),
                "pull_requests": []}

    def app(self, repo, app):
        return None if app is None else {
            "id": app["id"], "slug": app["slug"], "node_id": self.node("App", app["id"]),
            "owner": self.user(repo.owner), "name": app["slug"], "description": None,
            "external_url": self.web, "html_url": "%s/apps/%s" % (self.web, app["slug"]),
            "created_at": repo.created_at, "updated_at": repo.created_at,
            "permissions": app["permissions"], "events": []}

    def installation(self, app, repo, installed):
        here = "%s/app/installations/%d" % (self.api, installed["id"])
        return {"id": installed["id"], "account": self.user(repo.owner), "app_id": app["id"],
                "app_slug": app["slug"], "access_tokens_url": here + "/access_tokens",
                "repositories_url": self.api + "/installation/repositories",
                "html_url": "%s/settings/installations/%d" % (self.web, installed["id"]),
                "target_id": 1, "target_type": "User", "permissions": app["permissions"],
                "events": [], "single_file_name": None, "repository_selection": "selected",
                "created_at": installed["since"], "updated_at": installed["since"],
                "suspended_by": None, "suspended_at": installed["suspended_at"]}

    def installation_token(self, token, ends, permissions, repo, version):
        when = datetime.datetime.fromtimestamp(ends, datetime.timezone.utc)
        return {"token": token, "expires_at": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "permissions": permissions, "repository_selection": "selected",
                "repositories": [self.full_repo(repo)]}

    def permission(self, login, role, permission):
        user = dict(self.user(login), role_name=role, permissions={
            "pull": permission != "none", "triage": role in ("triage", "write", "maintain", "admin"),
            "push": permission in ("write", "admin"), "maintain": role in ("maintain", "admin"),
            "admin": permission == "admin"})
        return {"permission": permission, "user": user, "role_name": role}

    def run(self, repo, run):
        api = "%s/repos/%s" % (self.api, repo.full_name)
        here = "%s/actions/runs/%d" % (api, run["id"])
        tree, when, message = repo.git.run("show", "-s", "--format=%T%n%cI%n%B",
                                           run["head_sha"]).split("\n", 2)
        who = {"name": repo.owner, "email": repo.owner + "@example.com"}
        view = {name + "_url": here + "/" + name for name in (
            "jobs", "logs", "artifacts", "cancel", "rerun")}
        view.update({
            "id": run["id"], "name": "ratchet", "node_id": self.node("WorkflowRun", run["id"]),
            "head_branch": run["head_branch"], "head_sha": run["head_sha"],
            "path": ".github/workflows/ratchet.yml", "display_title": run.get("title", "ratchet"),
            "run_number": 1, "run_attempt": run["attempt"], "event": run["event"],
            "status": run["status"],
            "conclusion": "success" if run["status"] == "completed" else None, "workflow_id": 7,
            "check_suite_id": run["id"], "check_suite_url": "%s/check-suites/%d" % (api, run["id"]),
            "url": here, "html_url": "%s/%s/actions/runs/%d" % (self.web, repo.full_name, run["id"]),
            "workflow_url": api + "/actions/workflows/7", "previous_attempt_url": None,
            "pull_requests": [], "referenced_workflows": [], "created_at": run["created_at"],
            "updated_at": run["created_at"], "run_started_at": run["created_at"],
            "head_commit": {"id": run["head_sha"], "tree_id": tree, "message": message,
                            "timestamp": when, "author": who, "committer": who},
            "repository": self.repo(repo), "head_repository": self.repo(repo)})
        for name in ("actor", "triggering_actor"):  # left out once the account is gone
            if run[name] is not None:
                view[name] = self.user(run[name])
        return view
