# SPDX-License-Identifier: Apache-2.0
"""What the stand-in knows: repositories (bare git folders), pull requests, comments, statuses,
labels, people, tokens. No HTTP here. Every public method expects World.lock to be held, except
where it says otherwise; git is the only truth about commits, nothing about them is cached but
refs/pull/*, which World.sync brings up to date.

Times are counted, not read: each write moves the clock by one second, so that two runs of a
test give the same bytes."""

import datetime
import itertools
import os
import re
import subprocess
import tempfile
import threading

from limits import Clock, Limits

ZERO = "0" * 40
SHA = re.compile(r"[0-9a-f]{40}\Z")
EPOCH = datetime.datetime(2026, 1, 5, 9, 0, 0, tzinfo=datetime.timezone.utc)
# role -> what `permission` says of it
ROLES = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read",
         "read": "read", "none": "none"}


class GitError(Exception):
    pass


def git_environment(home):
    """An environment in which git reads no configuration but the repository's."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": home,
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0"}


class Git:
    """The git program on one bare repository."""

    def __init__(self, path):
        self.path = path
        self.kinds = {}  # object -> its type

    def run(self, *args, data=None, env=None, check=True, binary=False):
        full = git_environment(self.path)
        full.update(env or {})
        done = subprocess.run(["git", "--git-dir", self.path, *args], env=full,
                              input=data if data is None or isinstance(data, bytes)
                              else data.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=os.path.dirname(self.path))
        if check and done.returncode != 0:
            raise GitError("git %s: %s" % (args[0], done.stderr.decode(errors="replace").strip()))
        if not check and done.returncode != 0:
            return None
        return done.stdout if binary else done.stdout.decode(errors="replace").rstrip("\n")

    def refs(self):
        """As `git for-each-ref` has them, read from their files: they are asked for with almost every request."""
        found = {}
        packed = os.path.join(self.path, "packed-refs")
        if os.path.exists(packed):
            with open(packed, encoding="utf-8") as lines:
                found = {name: sha for sha, _, name in (line.strip().partition(" ") for line in lines)
                         if SHA.match(sha)}
        for folder, _, names in os.walk(os.path.join(self.path, "refs")):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    with open(path, encoding="ascii") as source:
                        sha = source.read().strip()
                except FileNotFoundError:
                    continue  # removed meanwhile
                if SHA.match(sha):
                    found[os.path.relpath(path, self.path)] = sha
        return dict(sorted(found.items()))

    def kind(self, sha):
        """"commit", "tag"…: an object never becomes another."""
        if sha not in self.kinds:
            self.kinds[sha] = self.run("cat-file", "-t", sha)
        return self.kinds[sha]

    def commit_of(self, name):
        """40 hex digits of a commit, or None."""
        if name.startswith("-"):
            return None
        return self.run("rev-parse", "--verify", "--quiet", name + "^{commit}", check=False)

    def set_ref(self, ref, sha, old=None):
        self.run("update-ref", ref, sha, *([] if old is None else [old]))

    def is_ancestor(self, old, new):
        return self.run("merge-base", "--is-ancestor", old, new, check=False) is not None

    def merge_tree(self, ours, theirs):
        """Tree of the merge, or None where it conflicts."""
        return self.run("merge-tree", "--write-tree", ours, theirs, check=False)

    def commit_tree(self, tree, parents, message, name, email, date):
        who = {}
        for role in ("AUTHOR", "COMMITTER"):
            who.update({"GIT_%s_NAME" % role: name, "GIT_%s_EMAIL" % role: email,
                        "GIT_%s_DATE" % role: date})
        args = [x for p in parents for x in ("-p", p)]
        return self.run("commit-tree", tree, *args, "-F", "-", data=message, env=who)

    def tree_with(self, base, files):
        """The tree of commit `base` (None: empty) with {path: text or None} applied."""
        with tempfile.TemporaryDirectory() as scratch:
            env = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}
            self.run("read-tree", *(["--empty"] if base is None else [base]), env=env)
            for path, text in files.items():
                if text is None:
                    self.run("update-index", "--force-remove", "--", path, env=env)
                    continue
                data = text if isinstance(text, bytes) else text.encode()
                blob = self.run("hash-object", "-w", "--stdin", data=data)
                self.run("update-index", "--add", "--cacheinfo", "100644,%s,%s" % (blob, path),
                         env=env)
            return self.run("write-tree", env=env)


HOOK = """#!/bin/sh
# Branch protection: lines `REF KIND` in the file `protected` beside the hooks folder.
status=0
while read -r old new ref; do
    kind=$(sed -n "s|^$ref ||p" "$GIT_DIR/protected" 2>/dev/null | head -n 1)
    case $kind in
    GH006)
        echo "error: GH006: Protected branch update failed for $ref." >&2
        echo "error: " >&2
        echo "error: - Changes must be made through a pull request." >&2
        status=1 ;;
    GH013)
        echo "error: GH013: Repository rule violations found for $ref." >&2
        echo "error: " >&2
        echo "error: - Cannot update this protected ref." >&2
        status=1 ;;
    esac
done
exit $status
"""


class Repo:
    def __init__(self, world, number, full_name, default_branch, private):
        self.id = number
        self.owner, self.name = full_name.split("/")
        self.default_branch = default_branch
        self.private = private
        self.path = os.path.join(world.root, self.owner, self.name + ".git")
        self.git = Git(self.path)
        self.pulls = {}        # number -> Pull
        self.comments = []     # ids ascending
        self.statuses = []     # oldest first
        self.checks = []       # check runs, likewise
        self.events = []       # oldest first
        self.activity = []     # pushes to branches, oldest first
        self.seen = {}         # ref -> the commit that `activity` knows
        self.labels = {}       # name -> id
        self.collaborators = {}  # login -> role
        self.runs = {}         # number -> a run of Actions
        self.groups = set()    # (ref, head) of each merge group that the queue has made
        self.protected = {}    # ref -> GH006 or GH013
        self.merge_refs = "fresh"  # or "stale" (kept as they are) or "absent"
        self.next_number = 1
        self.created_at = world.now()

    @property
    def full_name(self):
        return self.owner + "/" + self.name


class Pull:
    def __init__(self, **fields):
        self.number = self.id = None
        self.state, self.draft, self.locked, self.merged = "open", False, False, False
        self.labels = []
        self.head_repo = None   # Repo; None once the fork is gone
        self.head_sha = self.base_sha = None  # kept when a branch is deleted
        self.mergeable_unknown = 0  # that many reads still say `mergeable: null`
        self.closed_at = self.merged_at = self.merged_by = self.merge_commit = None
        self.synced = None      # (head, base) of which refs/pull/N/merge was made
        self.clean = None       # did it merge without conflict?
        self.__dict__.update(fields)


class World:
    def __init__(self, root):
        self.root = os.path.abspath(root)
        os.makedirs(self.root, exist_ok=True)
        self.lock = threading.RLock()
        self.ticks = 0
        self.repos, self.tokens, self.users = {}, {}, {}
        self.moved = {}  # a repository's name of before -> its id
        self.apps = {}   # its id -> {slug, key, permissions, installed: {repository id: …}}
        self.next_id = 1000
        self.settings = {
            "api_url": None, "web_url": None,  # None: our own address
            "errors_as_strings": False,        # shape of `errors` in a 422
            "actions_may_open_pulls": True,
            "statuses_per_context": 1000,
            "comment_max": 65536,
        }
        self.clock = Clock()
        self.limits = Limits(self.clock)
        self.serials = itertools.count()  # of tokens
        self.user("github-actions[bot]", 41898282, "Bot")

    # ---- time, numbers, people ----

    def now(self, advance=True):
        if advance:
            self.ticks += 1
        return (EPOCH + datetime.timedelta(seconds=self.ticks)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def number(self):
        self.next_id += 1
        return self.next_id

    def user(self, login, number=None, kind=None):
        kind = kind or ("Bot" if login.endswith("[bot]") else "User")
        known = self.users.get(login.lower())
        if known is None:
            known = {"login": login, "id": number or self.number(), "type": kind}
            self.users[login.lower()] = known
        return known

    def add_token(self, token, login, permissions=None, kind=None, repositories=None,
                  job_of=None, installation=None, ends=2 ** 62):
        """permissions: {"contents": "write", "pull_requests": "read"…}; None: all of them.
        job_of: the repository whose job's token it is; it is for that one alone."""
        user = self.user(login, kind=kind)
        if job_of is not None:
            repositories = [job_of]
        self.tokens[token] = {"login": user["login"], "permissions": permissions,
                              "repositories": repositories, "job_of": job_of,
                              "installation": installation, "ends": ends, "serial": next(self.serials)}

    # ---- GitHub Apps ----

    def add_app(self, number, slug, key, permissions, life=3600):
        """key: its public key in PEM. life: of an installation's token, seconds"""
        path = os.path.join(self.root, "app-%s.pem" % slug)
        with open(path, "w", encoding="utf-8") as out:
            out.write(key)
        self.user(slug + "[bot]", kind="Bot")
        self.apps[str(number)] = {"id": int(number), "slug": slug, "key": path,
                                  "permissions": permissions, "life": life, "installed": {}}

    def install(self, app, repo, suspended=False):
        installation = self.apps[str(app)]["installed"].setdefault(
            repo.id, {"id": self.number(), "since": self.now()})
        installation["suspended_at"] = self.now() if suspended else None
        if suspended:
            self.revoke(installation["id"])

    def uninstall(self, app, repo):
        self.revoke(self.apps[str(app)]["installed"].pop(repo.id)["id"])

    def revoke(self, installation):
        self.tokens = {text: t for text, t in self.tokens.items()
                       if t["installation"] != installation}

    # ---- repositories ----

    def find(self, full_name):
        return self.repos.get(full_name.lower())

    def find_moved(self, full_name):
        """The repository that had this name once, if nobody has it now."""
        return self.find_id(self.moved.get(full_name.lower()))

    def rename_repo(self, repo, full_name):
        """Rename, or move to another owner; the old name leads to the new one from now on."""
        if self.find(full_name) is not None:
            raise ValueError("%s is there already" % full_name)
        old, path = repo.full_name, repo.path
        repo.owner, repo.name = full_name.split("/")
        repo.path = repo.git.path = os.path.join(self.root, repo.owner, repo.name + ".git")
        self.user(repo.owner)
        os.makedirs(os.path.dirname(repo.path), exist_ok=True)
        os.rename(path, repo.path)
        self.repos[full_name.lower()] = self.repos.pop(old.lower())
        self.moved.pop(full_name.lower(), None)
        self.moved[old.lower()] = repo.id
        for token in self.tokens.values():  # they are for repositories, not for names
            if token["repositories"] is not None:
                token["repositories"] = [full_name if n.lower() == old.lower() else n
                                         for n in token["repositories"]]
        for pull in repo.pulls.values():
            if pull.head_repo is repo:
                pull.head_owner = repo.owner

    def find_id(self, number):
        return next((r for r in self.repos.values() if r.id == number), None)

    def create_repo(self, full_name, default_branch="main", private=True, source=None):
        """`source`: a local repository whose branches and tags are copied."""
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_-][A-Za-z0-9_.-]*",
                            full_name):
            raise ValueError("not a repository name: %r" % full_name)
        if self.find(full_name) is not None:
            raise ValueError("%s is there already" % full_name)
        repo = Repo(self, self.number(), full_name, default_branch, private)
        self.user(repo.owner)
        repo.collaborators[repo.owner] = "admin"
        os.makedirs(os.path.dirname(repo.path), exist_ok=True)
        subprocess.run(["git", "init", "-q", "--bare", "-b", default_branch, repo.path],
                       check=True, env=git_environment(self.root))
        for key, value in (("http.receivepack", "true"), ("gc.auto", "0"),
                           ("uploadpack.allowAnySHA1InWant", "true"),
                           ("receive.hideRefs", "refs/pull")):
            repo.git.run("config", key, value)
        hook = os.path.join(repo.path, "hooks", "pre-receive")
        os.makedirs(os.path.dirname(hook), exist_ok=True)
        with open(hook, "w", encoding="ascii") as out:
            out.write(HOOK)
        os.chmod(hook, 0o755)
        if source is not None:
            repo.git.run("fetch", "-q", os.path.abspath(source), "+refs/heads/*:refs/heads/*",
                         "+refs/tags/*:refs/tags/*",
                         env={"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                              "GIT_CONFIG_VALUE_0": "*"})
        self.repos[full_name.lower()] = repo
        self.moved.pop(full_name.lower(), None)
        return repo

    def protect(self, repo, branch, kind="GH006"):
        """kind None: no longer protected."""
        ref = "refs/heads/" + branch
        repo.protected.pop(ref, None)
        if kind is not None:
            repo.protected[ref] = kind
        with open(os.path.join(repo.path, "protected"), "w", encoding="utf-8") as out:
            out.writelines("%s %s\n" % pair for pair in repo.protected.items())

    def commit(self, repo, branch, files, message, login=None, parent=None):
        """A commit on a branch (made if it is not there) as if somebody had pushed it."""
        ref = "refs/heads/" + branch
        tip = repo.git.refs().get(ref)
        if parent is not None:
            tip_of = repo.git.commit_of(parent)
        else:
            tip_of = tip
        tree = repo.git.tree_with(tip_of, files)
        sha = self.make_commit(repo, tree, [tip_of] if tip_of else [], message,
                               login or repo.owner)
        repo.git.set_ref(ref, sha)
        self.sync(repo)
        return sha

    def make_commit(self, repo, tree, parents, message, login):
        user = self.user(login)
        email = "%d+%s@users.noreply.github.example" % (user["id"], user["login"])
        return repo.git.commit_tree(tree, parents, message, user["login"], email, self.now())

    # ---- pull requests ----

    def sync(self, repo=None):
        """Bring refs/pull/N/head and /merge up to date with the branches; cheap if they are."""
        for one in list(self.repos.values()) if repo is None else [repo]:
            refs = one.git.refs()
            self.note_activity(one, refs)
            for pull in one.pulls.values():
                if pull.state == "open":
                    self.sync_pull(one, pull, refs)

    def note_activity(self, repo, refs):
        """What was pushed since the last look, as the list of a repository's activities tells."""
        none = "0" * 40
        for ref in sorted(set(refs) | set(repo.seen)):
            before, after = repo.seen.get(ref, none), refs.get(ref, none)
            if not ref.startswith("refs/heads/") or before == after:
                continue
            kind = "branch_creation" if before == none else "branch_deletion" if after == none else \
                "push" if repo.git.is_ancestor(before, after) else "force_push"
            repo.activity.append({"id": self.number(), "ref": ref, "before": before, "after": after,
                                  "type": kind, "timestamp": self.now()})
        repo.seen = {ref: sha for ref, sha in refs.items() if ref.startswith("refs/heads/")}

    def sync_pull(self, repo, pull, refs):
        source = pull.head_repo
        if source is not None:
            tips = refs if source is repo else source.git.refs()
            tip = tips.get("refs/heads/" + pull.head_ref, pull.head_sha)
            if tip != pull.head_sha:
                pull.head_sha, pull.updated_at = tip, self.now(False)
        pull.base_sha = refs.get("refs/heads/" + pull.base_ref, pull.base_sha)
        head_ref = "refs/pull/%d/head" % pull.number
        if refs.get(head_ref) != pull.head_sha:
            if source is not None and source is not repo:
                repo.git.run("fetch", "-q", source.path, "+%s:%s" % (pull.head_sha, head_ref))
            else:
                repo.git.set_ref(head_ref, pull.head_sha)
        if pull.synced != (pull.head_sha, pull.base_sha):
            self.sync_merge(repo, pull, refs)

    def sync_merge(self, repo, pull, refs):
        tree = repo.git.merge_tree(pull.base_sha, pull.head_sha)
        pull.clean = tree is not None
        merge_ref = "refs/pull/%d/merge" % pull.number
        if repo.merge_refs == "stale" and merge_ref in refs:
            return
        pull.synced = (pull.head_sha, pull.base_sha)
        if tree is None or repo.merge_refs == "absent":
            if merge_ref in refs:
                repo.git.run("update-ref", "-d", merge_ref)
            pull.merge_commit = None
            return
        text = "Merge %s into %s" % (pull.head_sha, pull.base_sha)
        pull.merge_commit = self.make_commit(repo, tree, [pull.base_sha, pull.head_sha], text,
                                             pull.user)
        repo.git.set_ref(merge_ref, pull.merge_commit)

    def open_pull(self, repo, head, base, title, user, body=None, draft=False, head_repo=None):
        """head: a branch of head_repo (default: of the repository itself)."""
        source = head_repo or repo
        pull = Pull(number=repo.next_number, id=self.number(), title=title, body=body,
                    user=self.user(user)["login"], draft=draft, head_ref=head, base_ref=base,
                    head_repo=source, head_owner=source.owner, base_repo=repo,
                    created_at=self.now(), updated_at=self.now(False))
        pull.head_sha = source.git.commit_of("refs/heads/" + head)
        pull.base_sha = repo.git.commit_of("refs/heads/" + base)
        if pull.head_sha is None or pull.base_sha is None:
            raise ValueError("no such branch: %s" % (head if pull.head_sha is None else base))
        repo.next_number += 1
        repo.pulls[pull.number] = pull
        self.sync(repo)
        return pull

    def close_pull(self, pull, state="closed"):
        pull.state = state
        pull.updated_at = self.now()
        pull.closed_at = pull.updated_at if state == "closed" else None
        self.sync(pull.base_repo)

    def merge_pull(self, repo, pull, user, method="merge"):
        self.sync(repo)
        if pull.state != "open":
            raise ValueError("pull request %d is not open" % pull.number)
        tree = repo.git.merge_tree(pull.base_sha, pull.head_sha)
        if tree is None:
            raise ValueError("pull request %d conflicts with %s" % (pull.number, pull.base_ref))
        parents = [pull.base_sha]
        message = "%s (#%d)" % (pull.title, pull.number)
        if method == "merge":
            parents.append(pull.head_sha)
            message = "Merge pull request #%d from %s/%s\n\n%s" % (
                pull.number, pull.head_owner, pull.head_ref, pull.title)
        sha = self.make_commit(repo, tree, parents, message, user)
        repo.git.set_ref("refs/heads/" + pull.base_ref, sha, pull.base_sha)
        pull.state, pull.merged, pull.merge_commit = "closed", True, sha
        pull.merged_by = self.user(user)["login"]
        pull.merged_at = pull.closed_at = pull.updated_at = self.now()
        self.sync(repo)
        return sha

    def queue_pull(self, repo, pull, on=None):
        """Put a pull request into the merge queue, behind the group at `on`: (ref, head, base)."""
        self.sync(repo)
        base = on or pull.base_sha
        tree = repo.git.merge_tree(base, pull.head_sha)
        if tree is None:
            raise ValueError("pull request %d conflicts with %s" % (pull.number, base))
        head = self.make_commit(repo, tree, [base, pull.head_sha], "Merge pull request #%d from %s/%s"
                                % (pull.number, pull.head_owner, pull.head_ref), pull.user)
        ref = "refs/heads/gh-readonly-queue/%s/pr-%d-%s" % (pull.base_ref, pull.number, base)
        repo.git.set_ref(ref, head)
        repo.groups.add((ref, head))
        return ref, head, base

    def label(self, repo, pull, name, by, on=True, via=None):
        """via: the id of an App that does it in that person's name."""
        if (name in pull.labels) == on:
            return
        self.sync(repo)
        repo.labels.setdefault(name, self.number())
        (pull.labels.append if on else pull.labels.remove)(name)
        pull.updated_at = self.now()
        repo.events.append({"id": self.number(), "issue": pull.number,
                            "event": "labeled" if on else "unlabeled", "label": name,
                            "actor": self.user(by)["login"], "created_at": pull.updated_at,
                            "via": self.apps[str(via)] if via else None})

    def rename_pull(self, repo, pull, title, by):
        pull.updated_at = self.now()
        repo.events.append({"id": self.number(), "issue": pull.number, "event": "renamed",
                            "from": pull.title, "to": title, "actor": self.user(by)["login"],
                            "created_at": pull.updated_at})
        pull.title = title

    # ---- comments and statuses ----

    def add_comment(self, repo, number, login, body, via=None):
        when = self.now()
        comment = {"id": self.number(), "issue": number, "user": login and self.user(login)["login"],
                   "body": body, "created_at": when, "updated_at": when,
                   "via": self.apps[str(via)] if via else None}
        repo.comments.append(comment)
        repo.pulls[number].updated_at = when
        return comment

    def add_status(self, repo, sha, login, state, context, description, target_url):
        when = self.now()
        status = {"id": self.number(), "sha": sha, "state": state, "context": context,
                  "description": description, "target_url": target_url,
                  "creator": self.user(login)["login"], "created_at": when, "updated_at": when}
        repo.statuses.append(status)
        return status
