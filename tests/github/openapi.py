#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts GitHub's own OpenAPI description to the operations we use, for Prism.

    openapi.py API.GITHUB.COM.JSON OUT.JSON

Three things are changed, each because Prism or the description falls short of the real server:
answers may carry GitHub's own media type (the document lists only application/json, the server
takes both); a file's contents are JSON (Prism cannot answer for the `object` media type); and
each operation has a second address below /repositories/{repository_id}, where GitHub's `Link`
headers and the redirects of a renamed repository really point. Nothing that GitHub demands is loosened."""

import copy
import json
import sys

REPO = "/repos/{owner}/{repo}"
USED = {
    "": ["get"],
    "/issues/{issue_number}/comments": ["get", "post"],
    "/issues/comments": ["get"],
    "/issues/comments/{comment_id}": ["get", "patch", "delete"],
    "/issues/{issue_number}/events": ["get"],
    "/activity": ["get"],
    "/pulls": ["get", "post"],
    "/pulls/{pull_number}": ["get"],
    "/pulls/{pull_number}/files": ["get"],
    "/statuses/{sha}": ["post"],
    "/commits/{ref}": ["get"],
    "/commits/{ref}/status": ["get"],
    "/commits/{ref}/statuses": ["get"],
    "/commits/{commit_sha}/pulls": ["get"],
    "/git/ref/{ref}": ["get"],
    "/git/matching-refs/{ref}": ["get"],
    "/git/refs": ["post"],
    "/git/refs/{ref}": ["patch"],
    "/contents/{path}": ["get"],
    "/actions/runs": ["get"],
    "/actions/runs/{run_id}": ["get"],
    "/collaborators/{username}/permission": ["get"],
    "/installation": ["get"],
    "/check-runs": ["post"],
    "/check-runs/{check_run_id}": ["patch"],
    "/commits/{ref}/check-runs": ["get"],
}
OF_APPS = {
    "/app/installations/{installation_id}/access_tokens": ["post"],
    "/installation/token": ["delete"],
}
MEDIA = "application/vnd.github+json"
DROPPED_KEYS = ("x-github-breaking-changes", "x-octokit", "x-github", "examples", "example",
                "externalDocs")


def bare(node):
    """A copy without what no validator reads."""
    if isinstance(node, dict):
        return {k: bare(v) for k, v in node.items() if k not in DROPPED_KEYS}
    if isinstance(node, list):
        return [bare(v) for v in node]
    return node


def references(node):
    """Every `#/components/<kind>/<name>` below a node."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str):
                yield target
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def components(document, paths):
    kept, waiting = {}, list(references(paths))
    while waiting:
        target = waiting.pop()
        _, _, kind, name = target.split("/", 3)
        if name in kept.setdefault(kind, {}):
            continue
        kept[kind][name] = bare(document["components"][kind][name])
        waiting.extend(references(kept[kind][name]))
    return kept


def answer_media(responses):
    for answer in responses.values():
        content = answer.get("content", {})
        content.pop("application/vnd.github.object", None)
        if "application/json" in content:
            content[MEDIA] = content["application/json"]


def by_number(item):
    """The same operations, with the repository named by its id."""
    item = copy.deepcopy(item)
    for operation in item.values():
        operation["operationId"] += "-by-id"
        operation["parameters"] = [p for p in operation["parameters"] if p.get("$ref", "") not in
                                   ("#/components/parameters/owner",
                                    "#/components/parameters/repo")]
        operation["parameters"].append({"name": "repository_id", "in": "path", "required": True,
                                        "schema": {"type": "integer"}})
    return item


def cut(document):
    paths = {"/rate_limit": bare(document["paths"]["/rate_limit"])}
    for path, methods in OF_APPS.items():
        paths[path] = bare({m: document["paths"][path][m] for m in methods})
    for below, methods in USED.items():
        whole = document["paths"][REPO + below]
        paths[REPO + below] = bare({m: whole[m] for m in methods})
    for path, item in list(paths.items()):
        if path.startswith(REPO):
            again = "/repositories/{repository_id}" + path[len(REPO):]
            paths[again] = by_number(item)
    parts = components(document, paths)
    for item in paths.values():
        for operation in item.values():
            answer_media(operation["responses"])
    answer_media(parts.get("responses", {}))
    return {"openapi": document["openapi"], "info": document["info"],
            "servers": [{"url": "https://api.github.com"}], "paths": paths, "components": parts}


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        document = json.load(source)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(cut(document), out)


if __name__ == "__main__":
    main()
