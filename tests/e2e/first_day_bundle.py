# SPDX-License-Identifier: Apache-2.0
"""The bundle of a first day: its files, their checksums, and that nothing private is in them."""

import getpass
import hashlib
import json
import os
import re
import socket
import tarfile
import tempfile

import lib

SUMS = "first-day/SHA256SUMS"
# Names that many machines and users have; as words they tell nobody anything.
ORDINARY = {"root", "localhost", "runner", "ubuntu", "debian", "user", "ratchet", "main", "cpu", "gpu"}
PATTERNS = {
    "an absolute path": r"(?<![\w./<>:~-])/(?:home|root|tmp|Users|mnt|srv|opt|work|data|var|scratch)/[\w.@+/-]+",
    "a GPU's UUID": r"\b(?:GPU|MIG)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]*",
    "a token": r"\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|[Bb]earer [\w.~-]{12,}",
    "an address": r"(?<![\d.])(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d.])",
}


def load(path):
    with open(path) as source:
        return json.load(source)


def names():
    """What must not go along: {what: the word itself}"""
    host = socket.gethostname()
    found = {"the host's name": host, "the host's full name": socket.getfqdn(),
             "the user's name": getpass.getuser(), "a token of the stand-in": lib.TOKEN,
             "the home folder": os.path.expanduser("~"), "the source's folder": lib.TOP,
             "the temporary folder": tempfile.gettempdir()}
    found.update({"the value of " + name: value for name, value in os.environ.items()
                  if re.search("TOKEN|SECRET|PASSWORD|CREDENTIAL", name) and len(value) > 7})
    return {what: word for what, word in found.items() if len(word) > 2 and word not in ORDINARY}


def scrub(text):
    """For what a person reads: what is private, by what it is"""
    for what, pattern in PATTERNS.items():
        text = re.sub(pattern, "<%s>" % what, text)
    for what, word in names().items():
        text = re.sub(r"(?<!\w)%s(?!\w)" % re.escape(word), "<%s>" % what, text)
    return text


def paths(folder):
    """Every file below, relative, sorted"""
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, _, found in os.walk(folder) for name in found)


def private(folder):
    """[(file, what is in it that nobody else should see)]"""
    words = names()
    found = []
    for path in paths(folder):
        text = lib.read(os.path.join(folder, path))
        found += [(path, what) for what, pattern in PATTERNS.items() if re.search(pattern, text)]
        found += [(path, what) for what, word in words.items()
                  if re.search(r"(?<!\w)%s(?!\w)" % re.escape(word), text)]
    return found


def digest(path):
    with open(path, "rb") as source:
        return hashlib.sha256(source.read()).hexdigest()


def digests(folder, wanted):
    """{file: SHA-256} of files and folders; None where one is missing"""
    found = {}
    for name in wanted:
        path = os.path.join(folder, name)
        inside = [name + "/" + one for one in paths(path)] if os.path.isdir(path) else [name]
        if not os.path.exists(path) or not inside:
            return None
        found.update({one: digest(os.path.join(folder, one)) for one in inside})
    return found


def seal(folder, archive):
    """Checksums as sha256sum writes them, and all of it as one file to send"""
    lines = ["%s  %s\n" % (digest(os.path.join(folder, path)), path) for path in paths(folder) if path != SUMS]
    lib.write(os.path.join(folder, SUMS), "".join(lines))

    def nobody(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry
    with tarfile.open(archive, "w:gz") as out:
        out.add(folder, "baselines/" + os.path.basename(folder), filter=nobody)
