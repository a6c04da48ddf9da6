# SPDX-License-Identifier: Apache-2.0
"""Branches whose trees no working copy could hold: made of git's own objects, byte by byte."""

import scene
from world import Row

NOT_HERE = "1" * 40
FILE, RUN, LINK, FOLDER, SUBMODULE = b"100644", b"100755", b"120000", b"40000", b"160000"
IDENTICAL = (0, "identical-code", "")
UNBUILT = (3, "build-failed", "the PR")
SAME = "/* harmless */\n"  # what makes a branch touch the kernel, where the row itself does not


def blob(w, data):
    return w.repo.git("hash-object", "-w", "--stdin", data=data)


def raw_tree(w, entries):
    """A tree object of (mode, name, sha), in git's order"""
    text = b""
    for mode, name, sha in sorted(entries, key=lambda e: e[1] + (b"/" if e[0] == FOLDER else b"")):
        text += mode + b" " + name + b"\0" + bytes.fromhex(sha)
    return w.repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=text)


def entries_of(w, which):
    lines = w.repo.git("ls-tree", which).splitlines()
    return [(mode.lstrip("0").encode(), name.encode(), sha) for mode, _, sha, name in (
        line.replace("\t", " ", 1).split(" ") for line in lines)]


def with_kernels(w, *more, without=(b"attention.c",), source=SAME):
    """main's tree with other entries below kernels"""
    kernels = [e for e in entries_of(w, "main:kernels") if e[1] not in without]
    if b"attention.c" in without and source is not None:
        kernels.append((FILE, b"attention.c", blob(w, scene.kernel("right", source))))
    kernels += more
    root = [e for e in entries_of(w, "main") if e[1] != b"kernels"]
    return raw_tree(w, root + [(FOLDER, b"kernels", raw_tree(w, kernels))])


def named(what, name, want, *stopped, mode=FILE, data="x\n", **more):
    """A file, or a folder with one, of a name"""
    def tree(w):
        sha = blob(w, w.fill(data))
        if mode == FOLDER:
            sha = raw_tree(w, [(FILE, b"config", sha), (RUN, b"x", sha)])
        return with_kernels(w, (mode, w.fill(name.decode("latin-1")).encode("latin-1"), sha))
    return Row(what, None, want, *stopped, tree=tree, **more)


def linked(what, name, target, want, *stopped, source=SAME, **more):
    def tree(w):
        without = (b"attention.c", name)
        return with_kernels(w, (LINK, name, blob(w, w.fill(target))), without=without,
                            source=None if name == b"attention.c" else source)
    return Row(what, None, want, *stopped, tree=tree, **more)


def link_at_root(what, path, target, want, *stopped):
    """A link in place of a file that the daemon itself reads"""
    def tree(w):
        folder, name = path
        root = [e for e in entries_of(w, "main") if e[1] != folder]
        link = (LINK, name, blob(w, w.fill(target)))
        return raw_tree(w, root + [(FOLDER, folder, raw_tree(w, [link]))])
    return Row(what, None, want, *stopped, tree=tree)


def deep(levels):
    def tree(w):
        at = raw_tree(w, [(FILE, b"x", blob(w, "x\n"))])
        for _ in range(levels):
            at = raw_tree(w, [(FOLDER, b"a", at)])
        return with_kernels(w, (FOLDER, b"a", at))
    return tree


def wide_and_deep(w):
    """Ten times the same folder, in each of which … : a few objects, and ten thousand files"""
    at = raw_tree(w, [(FILE, b"%d" % n, blob(w, "x\n")) for n in range(10)])
    for _ in range(3):
        at = raw_tree(w, [(FOLDER, b"%d" % n, at) for n in range(10)])
    return with_kernels(w, (FOLDER, b"bomb", at))


def large_folders(w):
    """A folder of one file, whose mode begins with half a million zeros, under many names"""
    at = raw_tree(w, [(b"0" * 550000 + FILE, b"x", blob(w, "x\n"))])
    return with_kernels(w, *[(FOLDER, b"%03d" % n, at) for n in range(200)])


def many(w):
    sha = blob(w, "x\n")
    return with_kernels(w, *[(FILE, b"f%d" % n, sha) for n in range(3000)])


def heavy(w):
    return with_kernels(w, (FILE, b"big", blob(w, "x" * (5 << 20))))


def twice(w):
    return with_kernels(w, (FILE, b"attention.c", blob(w, "GOT\n")))


def submodule(w):
    return with_kernels(w, (SUBMODULE, b"vendor", NOT_HERE))


def modules(w):
    """.gitmodules that would have git run a program, at the top and below"""
    text = '[submodule "x"]\n\tpath = vendor\n\turl = ext::sh -c "touch /tmp/%s"\n\tupdate = !touch /tmp/%s\n' % (
        w.mark, w.mark)
    tree = with_kernels(w, (FILE, b".gitmodules", blob(w, text)))
    return raw_tree(w, entries_of(w, tree) + [(FILE, b".gitmodules", blob(w, text)), (SUBMODULE, b"vendor", NOT_HERE)])


def attributes(w):
    """Filters, encodings and drivers of attributes: the file is built as its bytes are"""
    text = "* filter=lfs text eol=crlf working-tree-encoding=UTF-16 ident merge=evil diff=evil\n"
    tree = with_kernels(w, (FILE, b".gitattributes", blob(w, text)), source="/* $Id$ */\n")
    return raw_tree(w, entries_of(w, tree) + [(FILE, b".gitattributes", blob(w, text))])


def folder_is_link(w):
    root = [e for e in entries_of(w, "main") if e[1] != b"kernels"]
    return raw_tree(w, root + [(LINK, b"kernels", blob(w, "elsewhere")),
                               (FOLDER, b"elsewhere", dict((e[1], e[2]) for e in entries_of(w, "main"))[b"kernels"])])


def kernels_is_submodule(w):
    root = [e for e in entries_of(w, "main") if e[1] != b"kernels"]
    return raw_tree(w, root + [(SUBMODULE, b"kernels", NOT_HERE)])


def fails(what, name, mode=FILE, **more):
    return named(what, name, UNBUILT, "forbidden name", mode=mode, **more)


TOGETHER = 4  # these wait for nothing: so many are submitted at once
ROWS = [
    fails("a folder called ..", b"..", mode=FOLDER),
    fails("a folder called .git", b".git", mode=FOLDER, data="[core]\n\tfsmonitor = touch /tmp/@MARK@\n"),
    fails("a folder called .GIT", b".GIT", mode=FOLDER),
    fails("a folder called git~1", b"git~1", mode=FOLDER),
    fails("a folder called .git and a dot", b".git. .", mode=FOLDER),
    fails("a name with a slash", b"../../@MARK@"),
    fails("a backslash", b"..\\..\\x"),
    fails("control characters", b"\x1b]0;owned\x07\r\n::error::x"),
    fails("a name of 4 KB", b"n" * 4096),
    named("a name that is no UTF-8", b"\xff\xfe\xc0\xaf.h", IDENTICAL),
    named("a name that turns its letters round", "\u202ecod.exe\u200b.h".encode(), IDENTICAL),
    named("a name like an option", b"--help", IDENTICAL),
    Row("a name that stands twice", None, UNBUILT, "twice", tree=twice),
    named("a device node", b"dev", IDENTICAL, mode=b"60000"),
    named("a FIFO", b"fifo", IDENTICAL, mode=b"10644"),
    named("a set-user-id file", b"suid", IDENTICAL, mode=b"104755"),
    linked("a source that is a link", b"attention.c", "/etc/passwd", UNBUILT),
    linked("a header that is a link outside", b"canary.h", "@CANARY@", UNBUILT,
           "`kernels/canary.h` is a link, which a build does not follow", source='#include "canary.h"\n'),
    linked("a link to /proc", b"canary.h", "/proc/1/environ", UNBUILT,
           "`kernels/canary.h` is a link, which a build does not follow", source='#include "canary.h"\n'),
    linked("a link up and out", b"up", "../../../../../../../../../tmp", IDENTICAL),
    linked("an output that is a link already", b"attention.so", "@CANARY@", IDENTICAL),
    Row("[kernel] path is a link", None, (3, "bad-path", "the PR"), "link", tree=folder_is_link),
    link_at_root("ci/ratchet.conf is a link outside", (b"ci", b"ratchet.conf"), "@CANARY@", (3, "bad-recipe", "the PR"),
                 "not a regular file"),
    Row("a baseline that is a link outside", None, (3, "bad-baseline", "the PR"), tree=lambda w: raw_tree(w, entries_of(
        w, "main") + [(FOLDER, b"baselines", raw_tree(w, [(FOLDER, b"cpu", raw_tree(w, [(
            LINK, b"baseline.json", blob(w, w.canary))]))]))])),
    Row("a submodule under the path", None, UNBUILT, "submodule `kernels/vendor`", tree=submodule),
    Row("[kernel] path is a submodule", None, UNBUILT, "submodule `kernels`", tree=kernels_is_submodule),
    Row("submodules that run programs", None, IDENTICAL, tree=modules),
    Row("filters and encodings", None, IDENTICAL, tree=attributes),
    Row("folders in folders", None, UNBUILT, "more than 16 folders deep", tree=deep(40)),
    Row("a bomb of folders", None, UNBUILT, "more than 2000 entries", tree=wide_and_deep),
    Row("large folders, named very often", None, UNBUILT, "its folders have more than 67708864 bytes", tree=large_folders),
    Row("very many files", None, UNBUILT, "more than 2000 entries", tree=many),
    Row("a very large file", None, UNBUILT, "more than 4194304 bytes", tree=heavy),
]
