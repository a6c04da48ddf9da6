# SPDX-License-Identifier: Apache-2.0
"""Record the baseline of a device for this repository, as a push to main would: the repository
is pushed to the stand-in for GitHub, ratchetd promotes main's tip in two runs, and what it
committed is written here.
    record.py REPOSITORY DEVICE OUTPUT        REPOSITORY: a git repository or bundle, its main is taken"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib
import pulls
import scene


def main():
    source, device, output = sys.argv[1:4]
    standin = lib.Standin("ratchet/ratchet")
    repo = standin.repo = lib.Repo()
    repo.git("fetch", "-q", os.path.abspath(source), "+refs/heads/main:refs/heads/source")
    tip = repo.sha("refs/heads/source")
    repo.push(standin.git_url, "refs/heads/source:refs/heads/main")
    host = scene.Host(standin, device=device, settings=())
    host.daemon()
    result, moved = pulls.push(standin, host, 1, seconds=3600)
    print(result.out)
    if not moved:
        raise SystemExit("record: main did not move")
    print(repo.git("log", "-1", "--stat", "refs/remotes/origin/main"))
    lib.write(output, repo.git("show", "refs/remotes/origin/main:baselines/%s/baseline.json" % device)
              + "\n")


main()
