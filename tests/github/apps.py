# SPDX-License-Identifier: Apache-2.0
"""GitHub Apps: who signs with which key, where they are installed, the tokens they are given."""

import base64
import json
import os
import re
import subprocess
import tempfile
import time

from answer import Answer, refusal

DOCS = "/apps/apps"
SKEW_S = 60      # that an App's clock may be off
CLAIM_MAX_S = 600


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def signed(key, text, signature):
    with tempfile.NamedTemporaryFile() as out:
        out.write(signature)
        out.flush()
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", out.name],
                              input=text.encode(), capture_output=True)
    return done.returncode == 0


def app_of(world, value):
    """The App whose JWT this is; None where it is no JWT. Else GitHub's 401."""
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token):
        return None
    head, claims, signature = token.split(".")
    try:
        algorithm, claims = json.loads(decode(head))["alg"], json.loads(decode(claims))
        now = time.time()  # of whoever signs: a test that drives our clock does not drive his
        app = world.apps.get(str(claims["iss"]))
        if algorithm != "RS256" or app is None:
            raise refusal(401, "A JSON web token could not be decoded")
        if claims["iat"] > now + SKEW_S:
            raise refusal(401, "'Issued at' claim ('iat') must be an Integer representing the time that the"
                               " assertion was issued")
        if not now < claims["exp"] <= now + CLAIM_MAX_S + SKEW_S:
            raise refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    except (ValueError, KeyError, TypeError):
        raise refusal(401, "A JSON web token could not be decoded")
    if not signed(app["key"], token.rpartition(".")[0], decode(signature)):
        raise refusal(401, "A JSON web token could not be decoded")
    return app


def repository_installation(call):
    """GET /repos/O/R/installation"""
    installed = call.app["installed"].get(call.repo.id)
    if installed is None:
        raise refusal(404, "Not Found", DOCS)
    return Answer(200, call.views.installation(call.app, call.repo, installed))


def access_token(call, number):
    """POST /app/installations/N/access_tokens"""
    docs = DOCS + "#create-an-installation-access-token-for-an-app"
    world = call.world
    found = [(repo_id, i) for repo_id, i in call.app["installed"].items() if i["id"] == int(number)]
    if not found:
        raise refusal(404, "Not Found", docs)
    repo, installed = world.find_id(found[0][0]), found[0][1]
    if installed["suspended_at"]:
        raise refusal(403, "This installation has been suspended", docs)
    body = call.json(docs) if call.data else {}
    for name in body.get("repositories", []):
        if name.lower() != repo.name.lower():
            raise refusal(422, "There is at least one repository that does not exist or is not accessible to"
                               " the parent installation.", docs)
    order = ("none", "read", "write", "admin")
    granted = call.app["permissions"]
    permissions = body.get("permissions", granted)
    for name, level in permissions.items():
        if order.index(level) > order.index(granted.get(name, "none")):
            raise refusal(422, "The permissions requested are not granted to this installation.", docs)
    # Since 2026: ghs_APP_JWT, of about 520 characters.
    token = "ghs_%s_%s" % (call.app["id"], ".".join(base64.urlsafe_b64encode(os.urandom(n)).decode().rstrip("=")
                                                        for n in (30, 94, 256)))
    ends = world.clock.now() + call.app["life"]
    world.add_token(token, call.app["slug"] + "[bot]", permissions, repositories=[repo.full_name],
                    installation=installed["id"], ends=ends)
    return Answer(201, call.views.installation_token(token, ends, permissions, repo, call.version))


# ---- check runs: an App's alone ----

def app_named(call):
    """The App whose token this is."""
    for app in call.world.apps.values():
        if call.token is not None and any(i["id"] == call.token["installation"] for i in
                                          app["installed"].values()):
            return app
    raise refusal(403, "You must authenticate via a GitHub App.", "/checks/runs")


def check_create(call):
    docs = "/checks/runs#create-a-check-run"
    call.need("checks=write")
    app, body = app_named(call), call.json(docs)
    name, sha = (call.text(body, key, docs) for key in ("name", "head_sha"))
    if call.repo.git.commit_of(sha) is None:
        raise refusal(422, "No commit found for SHA: %s" % sha, docs)
    run = {"id": call.world.number(), "name": name, "head_sha": sha, "app": app, "details_url": None,
           "status": "queued", "conclusion": None, "output": None, "started_at": call.world.now(),
           "completed_at": None}
    call.repo.checks.append(run)
    change_run(call, run, body)
    return Answer(201, call.views.check_run(call.repo, run))


def change_run(call, run, body):
    for key in ("status", "conclusion", "details_url", "output"):
        run[key] = body.get(key, run[key])
    if body.get("conclusion"):
        run["status"] = "completed"
    if run["status"] == "completed":
        run["completed_at"] = call.world.now()


def check_update(call, number):
    call.need("checks=write")
    app = app_named(call)
    for run in call.repo.checks:
        if run["id"] == int(number):
            if run["app"] is not app:
                raise refusal(403, "Invalid app_id `%d` - check run can only be modified by the GitHub App"
                                   " that created it." % app["id"], "/checks/runs#update-a-check-run")
            change_run(call, run, call.json("/checks/runs#update-a-check-run"))
            return Answer(200, call.views.check_run(call.repo, run))
    raise refusal(404, "Not Found", "/checks/runs#update-a-check-run")


def checks_list(call, sha):
    call.need("checks=read")
    rows = [r for r in reversed(call.repo.checks) if r["head_sha"] == sha and
            call.query.get("check_name") in (None, r["name"])]
    if call.query.get("filter", "latest") == "latest":
        seen = set()
        rows = [r for r in rows if not ((r["name"], r["app"]["id"]) in seen or
                                        seen.add((r["name"], r["app"]["id"])))]
    return Answer(200, {"total_count": len(rows),
                        "check_runs": [call.views.check_run(call.repo, r) for r in rows]})


def drop_token(call):
    """DELETE /installation/token"""
    if call.token is None or call.token["installation"] is None:
        raise refusal(403, "Resource not accessible by integration", DOCS)
    call.world.tokens = {text: t for text, t in call.world.tokens.items() if t is not call.token}
    return Answer(204)
