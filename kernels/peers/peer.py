# SPDX-License-Identifier: Apache-2.0
"""What every kind of peer says of itself: built, or absent and why"""

import collections
import os
import re
import subprocess
import sys

SECONDS = int(os.environ.get("PEERS_SECONDS", 600))  # a step of a build that takes longer is given up

Built = collections.namedtuple("Built", "library version folders", defaults=[()])  # folders that it needs at run time


class Absent(Exception):
    """Why a peer is not here: one line"""


def reason(text):
    """What a compiler says first or an import says last, as a value of peers.conf"""
    lines = [line.strip() for line in str(text).splitlines() if line.strip()] or ["no reason was given"]
    line = next((line for line in lines if re.search(r"\berror: ", line)), lines[-1])
    return "".join(c if 32 <= ord(c) < 127 else "?" for c in line)[:200]


def finish(what, process):
    """What it printed; all that it complained of goes to our own stderr"""
    try:
        out, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Absent("%s: not done within %d s" % (what, SECONDS)) from None
    if process.returncode != 0:
        print(errors, file=sys.stderr)
        raise Absent("%s: %s" % (what, reason(errors)))
    return out


def start(argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(what, argv):
    return finish(what, start(argv))


def exports_of(folder):
    """A version script: a library of ours exports nothing else"""
    path = os.path.join(folder, "exports")
    with open(path, "w") as out:
        out.write("{ global: attention_kernel; local: *; };\n")
    return path
