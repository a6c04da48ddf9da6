# SPDX-License-Identifier: Apache-2.0
"""Clauses are for scripts: each word of src/model.c stands in ratchet(1), in the same order, with a
line that says with which verdicts it comes; and with those the code gives it."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import lib
from lib import eq, ok

SRC = os.path.join(lib.TOP, "src")
VERDICTS = {"held", "improved", "unclear", "unmeasured", "regressed"}


def code_words():
    """{"CLAUSE_WITHIN": "within", …}, in the order of the table"""
    table = lib.read(os.path.join(SRC, "model.c")).split("clause_names[CLAUSE_COUNT] = {")[1]
    words = re.findall(r"\[(CLAUSE_\w+)\] = \"([^\"]*)\"", table.split("};")[0])
    return {name: word for name, word in words if word}


def man_words():
    """{"within": (the verdicts, the meaning), …}, in the order of the page"""
    page = lib.read(os.path.join(SRC, "cli/ratchet.1")).split(".SH CLAUSES\n")[1].split(".SH ")[0]
    found = {}
    for entry in page.split(".TP\n")[1:]:
        head, text = entry.split("\n", 1)
        text = " ".join(re.sub(r"^\.(B|I|IR|BR) ", "", line) for line in
                        text.split(".SS")[0].splitlines())
        verdicts, _, meaning = text.partition(":")
        found[head.replace(".B ", "").replace("\\-", "-")] = (verdicts.split(" or "), meaning.strip())
    return found


def given():
    """{("CLAUSE_X", "held"), …}: what calls in the code name beside one another"""
    pairs = set()
    for folder, _, names in os.walk(SRC):
        for name in names:
            if not name.endswith(".c"):
                continue
            text = lib.read(os.path.join(folder, name))
            for call in re.findall(r"\b(?:set_verdict|verdict_whole)\(([^;{]*?)\);", text):
                clauses, verdicts = re.findall(r"CLAUSE_\w+", call), re.findall(r"VERDICT_\w+", call)
                pairs |= {(c, v[len("VERDICT_"):].lower()) for c in clauses for v in verdicts}
            if re.search(r"\b(bench_fail|measurement_unmeasured)\(", text):
                pairs |= {(c, "unmeasured") for call in
                          re.findall(r"\b(?:bench_fail|measurement_unmeasured)\(([^;{]*?)\);", text)
                          for c in re.findall(r"CLAUSE_\w+", call)}
    return pairs


def every_word_is_explained():
    """The man page has every clause, and none that is no more"""
    code, man = code_words(), man_words()
    ok(len(code) > 30, "%d clauses were read" % len(code))
    eq(list(man), list(code.values()), "the same words, in the same order")
    for word, (verdicts, meaning) in man.items():
        ok(set(verdicts) <= VERDICTS, "%s: with which verdict it comes" % word, verdicts)
        ok(len(meaning) > 10 and meaning.endswith("."), "%s: what it means" % word, meaning)


def with_its_verdicts():
    """… with every verdict that the code gives by it"""
    code, man = code_words(), man_words()
    pairs = given()
    ok(len(pairs) > 15, "%d pairs were read" % len(pairs))
    eq(sorted((code[c], v) for c, v in pairs if v not in man.get(code[c], ([],))[0]), [],
       "no clause comes with a verdict that the page does not name")


def every_clause_is_given():
    """Some line of the code gives each clause; what only reads one is not such a line"""
    given_by, reads = set(), re.compile(r"(case|[=!]=) CLAUSE_\w+|\{CLAUSE_\w+, \"")
    for folder, _, names in os.walk(SRC):
        for name in names:
            if name.endswith(".c") and name != "model.c":
                text = reads.sub("", lib.read(os.path.join(folder, name)))
                given_by |= set(re.findall(r"CLAUSE_\w+", text))
    eq(sorted(set(code_words()) - given_by), [], "no clause is only talked of")


READS = re.compile(r"\b(strstr|strchr|strrchr|strcmp|strncmp|strspn|strcspn|strpbrk|sscanf|memmem)\("
                   r"[^;{]*(->|\.)(reason|failure|anchor_failure)\b")
# Whether all configs have one reason, which then is the whole's.
EQUAL = "strcmp(config->reason, worst->reason) == 0"


def no_prose_is_read():
    """A reason is for people: no part of us looks for words in one"""
    seen = 0
    for folder, _, names in os.walk(SRC):
        for name in names:
            if not name.endswith(".c"):
                continue
            text = lib.read(os.path.join(folder, name)).replace(EQUAL, "")
            seen += len(re.findall(r"(?:->|\.)reason\b", text))
            found = READS.search(text)
            if found:
                ok(False, "%s reads a reason" % name, found.group(0))
    ok(seen > 20, "%d mentions of a reason were looked at" % seen)


lib.main(no_prose_is_read, every_clause_is_given, every_word_is_explained, with_its_verdicts)
