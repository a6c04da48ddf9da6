#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build other people's attention kernels as libraries of our ABI, for `ratchet sweep --arms FOLDER/peers.conf`:
    build.py FOLDER [PEER...]
Peers: PyTorch's backends flash, efficient, cudnn and math (g++, PyTorch with CUDA); triton, a kernel of our own
compiled by Triton (Triton, cc, a GPU); and flash-attn, xformers and cutlass (CUTLASS_DIR), of which it only says whether
they are here. The file has each peer's library and version, or why it is absent; nothing is left out in silence.
A step that takes longer than PEERS_SECONDS (600) is given up. Prints the words for the command line."""

import concurrent.futures
import os
import sys
import traceback

import packages
import pytorch_peers
import triton_peer
from peer import Absent, Built, reason

KINDS = [pytorch_peers, triton_peer, packages]


def build(kind, names, folder):
    """name: Built, or why not; whatever one kind meets with, the others go on"""
    try:
        return kind.build(names, folder) if names else {}
    except Exception as why:
        if not isinstance(why, (Absent, OSError)):
            traceback.print_exc()
        return dict.fromkeys(names, why)


def quoted(value):
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def section(name, peer):
    if isinstance(peer, Built):
        return "[arm \"%s\"]\n    library = %s\n    version = %s\n" % (name, quoted(peer.library), quoted(reason(peer.version)))
    print("build.py: %s is absent: %s" % (name, reason(peer)), file=sys.stderr)
    return "[arm \"%s\"]\n    absent = %s\n" % (name, quoted(reason(peer)))


def main():
    known = [name for kind in KINDS for name in kind.NAMES]
    names = sys.argv[2:] or known
    if len(sys.argv) < 2 or set(names) - set(known):
        raise SystemExit(__doc__)
    folder = os.path.abspath(sys.argv[1])
    os.makedirs(folder, exist_ok=True)
    peers = {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for built in pool.map(lambda kind: build(kind, [name for name in names if name in kind.NAMES], folder), KINDS):
            peers.update(built)
    folders = {folder for peer in peers.values() if isinstance(peer, Built) for folder in peer.folders}
    path = os.path.join(folder, "peers.conf")
    with open(path, "w") as out:
        out.writelines(section(name, peers[name]) for name in names)
        if folders:
            out.write("[sandbox]\n" + "".join("    expose = %s\n" % quoted(one) for one in sorted(folders)))
    print("--arms " + path)


main()
