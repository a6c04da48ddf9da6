# SPDX-License-Identifier: Apache-2.0
"""Git's smart HTTP on the stand-in's repositories: who may, then `git http-backend` (CGI). The
request's body lies in a file (packs can be large), the answer is passed on as it comes."""

import re
import subprocess

from rest import find_token
from state import git_environment

SERVICES = ("git-upload-pack", "git-receive-pack")
PATH = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)\Z")


class Refused(Exception):
    def __init__(self, status, text, headers=None):
        super().__init__(status)
        self.status, self.text, self.headers = status, text, headers or {}


def parse(target):
    """(repository, what, service) of a git request, or None where it is not one."""
    path, _, query = target.partition("?")
    found = PATH.match(path)
    if found is None:
        return None
    full_name, what = found.groups()
    service = what
    if what == "info/refs":
        wanted = re.search(r"(?:\A|&)service=([a-z-]+)", query)
        service = wanted.group(1) if wanted else ""
    return full_name, what, service


def authorize(world, full_name, service, authorization):
    """The repository, or Refused in the words GitHub uses. World.lock is held."""
    ask = {"WWW-Authenticate": 'Basic realm="GitHub"'}
    token = None
    if authorization is not None:
        token = find_token(world, authorization)
        if token is None:
            raise Refused(401, "Invalid username or token. Password authentication is not "
                               "supported for Git operations.", ask)
    repo = world.find(full_name) or world.find_moved(full_name)
    seen = repo is not None and (not repo.private or (token is not None and (
        token["repositories"] is None or
        repo.full_name.lower() in [n.lower() for n in token["repositories"]])))
    if not seen:
        if token is None:
            raise Refused(401, "Repository not found.", ask)
        raise Refused(404, "Repository not found.")
    if world.find(full_name) is None:
        raise Refused(301, "Moved.", {"Location": repo.full_name})
    if service not in SERVICES:
        raise Refused(403, "Please upgrade your git client.")
    held = {"contents": "read"} if token is None else token["permissions"]
    level = None if held is None else held.get("contents")
    if service == "git-receive-pack":
        if token is None:
            raise Refused(401, "Repository not found.", ask)
        if held is not None and level != "write":
            raise Refused(403, "Permission to %s.git denied to %s." % (repo.full_name,
                                                                      token["login"]))
    elif held is not None and level not in ("read", "write"):
        raise Refused(403, "Write access to repository not granted.")
    return repo


def pushed(path):
    """The commands of a receive-pack body: [old, new, ref]."""
    commands = []
    with open(path, "rb") as body:
        for _ in range(100):
            size = body.read(4)
            if len(size) < 4 or size == b"0000":
                break
            try:
                line = body.read(max(0, int(size, 16) - 4))
            except ValueError:
                break  # compressed, or no packet line
            words = line.split(b"\0")[0].decode(errors="replace").split(" ", 2)
            if len(words) == 3:
                commands.append([words[0], words[1], words[2].strip()])
    return commands


def backend(world, repo, what, method, query, headers, body_path, body_size, login):
    """Start `git http-backend`; returns (process, status, header list). The caller reads the
    rest of process.stdout and waits."""
    env = git_environment(world.root)
    env.update({
        "GIT_PROJECT_ROOT": world.root, "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": "/%s.git/%s" % (repo.full_name, what), "QUERY_STRING": query,
        "REQUEST_METHOD": method, "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(body_size), "REMOTE_USER": login or "", "REMOTE_ADDR": "127.0.0.1",
        "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", "")})
    if not login:
        del env["REMOTE_USER"]
    with open(body_path, "rb") as body:
        process = subprocess.Popen(["git", "http-backend"], env=env, stdin=body,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    status, fields = 200, []
    while True:
        line = process.stdout.readline().rstrip(b"\r\n")
        if not line:
            break
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            fields.append((name, value.strip()))
    return process, status, fields
