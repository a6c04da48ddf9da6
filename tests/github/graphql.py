# SPDX-License-Identifier: Apache-2.0
"""POST /graphql, as far as open pull requests, branches, labels and comments of many repositories in one query go, and what
GitHub counts for it: points of a budget of its own, by its published rule. Each connection with `first` or `last` takes
one request for each node of the one that it stands in; a query is their sum, divided by 100, rounded, and one at least."""

import json
import re

from answer import Answer, refusal

TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+|[{}():\[\]]')


class Parser:
    def __init__(self, text):
        self.tokens, self.at = TOKENS.findall(text), 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, wanted=None):
        token = self.peek()
        if token is None or wanted not in (None, token):
            raise refusal(400, "Problems parsing GraphQL: %r" % token)
        self.at += 1
        return token

    def value(self):
        token = self.take()
        return json.loads(token) if token[0] == '"' or token.lstrip("-").isdigit() else token

    def selection(self):
        """[(alias, name, arguments, selection)]"""
        fields = []
        self.take("{")
        while self.peek() != "}":
            alias = name = self.take()
            if self.peek() == ":":
                self.take(":")
                name = self.take()
            arguments = {}
            if self.peek() == "(":
                self.take("(")
                while self.peek() != ")":
                    key = self.take()
                    self.take(":")
                    arguments[key] = self.value()
                self.take(")")
            fields.append((alias, name, arguments, self.selection() if self.peek() == "{" else []))
        self.take("}")
        return fields


def requests_for(fields, nodes=1):
    total = 0
    for _, _, arguments, inner in fields:
        size = arguments.get("first", arguments.get("last"))
        total += (nodes if size is not None else 0) + requests_for(inner, nodes if size is None else nodes * size)
    return total


def points(fields):
    return max(1, round(requests_for(fields) / 100))


# What each kind of thing has: name -> (call, thing, arguments) -> a value, a thing of a kind, or a list of things.
def repository(call, _, arguments):
    repo = call.world.find("%s/%s" % (arguments["owner"], arguments["name"]))
    if repo is None or not call.sees(repo):
        return None
    call.world.sync(repo)
    return "repository", repo


def pulls(call, repo, arguments):
    rows = [p for p in repo.pulls.values() if p.state == "open" and
            p.base_ref == arguments.get("baseRefName", p.base_ref)]
    return "list", [("pull", p) for p in rows[:arguments["first"]]]


def comments(call, pull, arguments):
    rows = [c for c in pull.base_repo.comments if c["issue"] == pull.number]
    return "list", [("comment", c) for c in rows[-arguments["last"]:]]


KINDS = {
    "query": {"repository": repository},
    "repository": {"pullRequests": pulls, "ref": lambda call, repo, arguments: (
        "ref", repo.git.refs().get(arguments["qualifiedName"]))},
    "ref": {"target": lambda call, sha, _: ("commit", sha)},
    "commit": {"oid": lambda call, sha, _: sha},
    "list": {"nodes": lambda call, rows, _: rows},
    "pull": {"number": lambda call, p, _: p.number, "headRefOid": lambda call, p, _: p.head_sha,
             "isDraft": lambda call, p, _: p.draft, "updatedAt": lambda call, p, _: p.updated_at,
             "isCrossRepository": lambda call, p, _: p.head_repo is not p.base_repo,
             "labels": lambda call, p, arguments: ("list", [("label", n) for n in p.labels[:arguments["first"]]]),
             "comments": comments},
    "label": {"name": lambda call, name, _: name},
    "comment": {"databaseId": lambda call, c, _: c["id"], "body": lambda call, c, _: c["body"],
                "createdAt": lambda call, c, _: c["created_at"]},
}


def show(call, value, fields):
    if isinstance(value, list):
        return [show(call, one, fields) for one in value]
    if not isinstance(value, tuple):
        return value
    kind, thing = value
    out = {}
    for alias, name, arguments, inner in fields:
        if name not in KINDS[kind]:
            raise refusal(400, "Field '%s' doesn't exist on type '%s'" % (name, kind))
        out[alias] = show(call, KINDS[kind][name](call, thing, arguments), inner)
    return out


def answer(call):
    if call.token is None:
        raise refusal(401, "Bad credentials")
    fields = Parser(call.json("")["query"].removeprefix("query")).selection()
    call.world.limits.budget(call.token).points += points(fields)
    return Answer(200, {"data": show(call, ("query", None), fields)})
