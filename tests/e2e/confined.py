#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program with what its systemd unit leaves it: `confined.py UNIT USER PROGRAM…`, as root, without
systemd. What is taken from the unit: PrivateNetwork, CapabilityBoundingSet=, NoNewPrivileges,
RestrictNamespaces=true, RestrictAddressFamilies, SystemCallFilter."""

import ctypes
import os
import re
import struct
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 24, 38, 22
CLONE_NEWNET = 0x40000000
NAMESPACES = 0x7e020000
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
ALLOW, EPERM, EAFNOSUPPORT = 0x7fff0000, 0x00050001, 0x00050000 | 97
X86_64, ARM64 = 0xc000003e, 0xc00000b7


def settings(unit):
    """[(name, value)] of its [Service]"""
    with open(unit, encoding="utf-8") as lines:
        text = lines.read().split("[Service]", 1)[1].split("\n[", 1)[0]
    return re.findall(r"^(\w+)=(.*)$", text, re.M)


def calls_of(word):
    """The system calls of a group, as systemd itself lists them"""
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", word], check=True, stdout=subprocess.PIPE)
    names = re.findall(r"^ {4}(@?[\w-]+)$", listed.stdout.decode(), re.M)
    return set().union(*map(calls_of, names)) if names else set()


def allowed(unit):
    names = calls_of("@default")
    for name, value in unit:
        if name == "SystemCallFilter":
            listed = set().union(*map(calls_of, value.lstrip("~").split()))
            names = names - listed if value.startswith("~") else names | listed
    return names


def numbers():
    made = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", made, re.M)}


def op(code, value, true=0, false=0):
    return struct.pack("HBBI", code, true, false, value & 0xffffffff)


def bpf(unit):
    """An allow list, in the order that the kernel reads it; arguments are looked at first."""
    known, load, equal, any_bit, give = numbers(), 0x20, 0x15, 0x45, 0x06
    arch = X86_64 if os.uname().machine == "x86_64" else ARM64
    out = [op(load, 4), op(equal, arch, 1, 0), op(give, EPERM), op(load, 0)]
    families = [FAMILIES[f] for name, value in unit if name == "RestrictAddressFamilies" for f in value.split()]
    out += [op(equal, known["socket"], 0, len(families) * 2 + 3), op(load, 16)]
    for family in families:
        out += [op(equal, family, 0, 1), op(give, ALLOW)]
    out += [op(give, EAFNOSUPPORT), op(give, EAFNOSUPPORT)]
    if ("RestrictNamespaces", "true") in unit:
        for call in "unshare", "clone":
            out += [op(equal, known[call], 0, 4), op(load, 16), op(any_bit, NAMESPACES, 0, 1), op(give, EPERM),
                    op(load, 0)]
        out += [op(equal, known["clone3"], 0, 1), op(give, 0x00050000 | 38)]  # ENOSYS, as systemd does
    for name in sorted(allowed(unit)):
        if name in known:
            out += [op(equal, known[name], 0, 1), op(give, ALLOW)]
    return b"".join([*out, op(give, EPERM)])


def main():
    unit, user, argv = settings(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    program = bpf(unit)
    if ("PrivateNetwork", "true") in unit and LIBC.unshare(CLONE_NEWNET) != 0:
        sys.exit("no network namespace")
    assert ("CapabilityBoundingSet", "") in unit and ("NoNewPrivileges", "true") in unit
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    lines = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(lines)))
    if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or LIBC.prctl(PR_SET_SECCOMP, 2, filters) != 0:
        sys.exit("no filter: errno %d" % ctypes.get_errno())
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
