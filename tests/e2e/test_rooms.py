# SPDX-License-Identifier: Apache-2.0
"""The rooms of src are trust boundaries: none includes another's headers, base knows nothing of
the domain, the one user of each library is the only one, no two files need each other, and files
have a size a reader can hold."""

import os
import re

import lib
from lib import eq, ok

SRC = os.path.join(lib.TOP, "src")
SHARED = {"codefacts.h", "command.h", "metrics.h", "model.h", "limit.h", "peaks.h", "cost.h", "wire.h", "result_files.h"}
# Who may include whom, besides himself. The five rooms never include one another; what joins them is
# above: the pipeline, and the programs.
ROOM = {"base", "model"}
JOINED = ROOM | {"intake", "measure", "judge", "publish"}
MAY_INCLUDE = {
    "base": set(), "model": {"base"},
    "intake": ROOM, "measure": ROOM, "harness": ROOM, "init": {"base"}, "run": {"base", "measure"}, "checkout": {"base"}, "clocks": ROOM | {"intake", "measure"}, "judge": ROOM, "publish": ROOM,
    "pipeline": JOINED,
    "lab": ROOM | {"intake", "judge", "measure", "pipeline", "publish"},
    "daemon": JOINED | {"pipeline"},
    "cli": JOINED | {"pipeline", "lab", "daemon"},
    "ratchet": {"base", "cli", "intake"}, "ratchetd": JOINED | {"pipeline", "cli", "daemon"},
}
ONLY = {"git2": "base/git", "curl/": "base/http", "sqlite3": "base/db", "jansson": "base/json",
        "openssl/": ("base/file", "base/jwt")}


def sources():
    for folder, _, names in os.walk(SRC):
        for name in sorted(names):
            if name.endswith((".c", ".h")) and name != "config.h":
                path = os.path.join(folder, name)
                yield os.path.relpath(path, SRC), lib.read(path)


def includes(text):
    return re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', text, re.M)


def room_of(path):
    """The folder, and for files of the top their part: the words of a program are the cli's."""
    folder, _, name = path.rpartition("/")
    if folder:
        return folder.split("/")[0]
    stem = name.rsplit(".", 1)[0]
    return "model" if name in SHARED or name in ("model.c", "command.c", "peaks.c", "cost.c", "codefacts.c", "metrics.c") else stem


def rooms_are_closed():
    """Who includes whom is in the table"""
    seen = {}
    for path, text in sources():
        room = room_of(path)
        if room not in MAY_INCLUDE:
            ok(False, "%s is of no room in the table" % path)
            continue
        seen[room] = seen.get(room, 0) + 1
        allowed = MAY_INCLUDE[room] | {room}
        others = {room_of(name) for name in includes(text)
                  if os.path.exists(os.path.join(SRC, name))} - allowed
        if others:
            ok(False, "%s includes %s" % (path, ", ".join(sorted(others))))
    eq(sorted(set(MAY_INCLUDE) - set(seen)), [], "every room has files")
    ok(sum(seen.values()) > 200, "all %d files were read" % sum(seen.values()))


def labs_hold_no_token():
    """Of publish, which holds the token, a lab has only how numbers and Markdown are written"""
    used = {name for path, text in sources() if room_of(path) == "lab"
            for name in includes(text) if name.startswith("publish/")}
    eq(sorted(used), ["publish/figures.h", "publish/markdown.h"], "what labs include of publish")


def one_user_each():
    """Each foreign library has one user"""
    for library, user in ONLY.items():
        users = {path for path, text in sources()
                 if any(name.startswith(library) for name in includes(text))}
        ok(users, "%s is used" % library)
        eq(sorted(p for p in users if not p.startswith(user)), [], "%s only in %s" % (library, user))


def no_attic():
    """No utils.c, and every file says what it owns"""
    for path, text in sources():
        if re.search(r"util", path):
            ok(False, "%s has a name that says what it does" % path)
        if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n/*"):
            ok(False, "%s opens with its licence and what it owns" % path)
    ok(True, "every file was looked at")


# Strings with this word in them: names of defaults, clauses, schemas and folders, and a lab's own made-up history.
NAMED_MAIN = {'"main"', '"lost-on-main"', '"ratchet.main/1"', '"%s/main"', '"%s/main/%s-%s.json"',
              '"main 5% off its anchor, nothing changed"'}


def no_branch_is_called_main():
    """What we say of the promoted branch is right whatever its name"""
    read = lambda text: [one for one in re.findall(r'"(?:[^"\\\n]|\\.)*"', re.sub(r"(?s)/\*.*?\*/", "", text))
                         if re.search(r"\bmain\b", one, re.I)]
    eq(read('x("a domain"); /* "main" */ y("Main\\"s tip");'), ['"Main\\"s tip"'], "such strings are seen")
    found = {(path, one) for path, text in sources() for one in read(text)}
    eq(sorted(pair for pair in found if pair[1] not in NAMED_MAIN), [], "nobody else says main")
    eq(sorted(NAMED_MAIN - {one for _, one in found}), [], "and they are all used")


PRINTS = re.compile(r"\b(?:v?d?f?printf|puts|fputs|f?putc|putchar|fwrite|perror|psignal|warnx?|errx?)(?:_unlocked)? ?\(")
# Who else does: its own sequences; process 1 of a sandbox, whose words are read as a build's log; lines of our own
# programs, handed on; an error that is safe, to a descriptor; history's notes, yet to be moved.
MAY_PRINT = {"base/line.c", "cli/terminal.c", "init/main.c", "lab/study_child.c", "measure/away_serve.c", "cli/history.c"}


def one_way_out():
    """Words for people go through base/line, which makes them safe for a terminal"""
    for text in ("printf (x)", "fprintf(stderr, x)", "vfprintf(f, x, y)", "puts(x)", "fputc('x', f)", "dprintf(2, x)"):
        ok(PRINTS.search(text), "`%s` is seen" % text)
    for text in ("snprintf(x, y, z)", "vsnprintf(x, y, z, a)", "asprintf(&x, y)", "scan_put(x, y)", "inputs(x)"):
        ok(not PRINTS.search(text), "`%s` is none" % text)
    found = {path for path, text in sources() if PRINTS.search(re.sub(r'(?s)/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', "", text))}
    eq(sorted(found - MAY_PRINT), [], "nobody else prints")
    eq(sorted(MAY_PRINT - found), [], "and they all do")


FILE_LINES, FUNCTION_LINES = 500, 60


def files_have_a_size():
    """No file is longer than 500 lines, but generated ones"""
    lines = {path: text.count("\n") for path, text in sources() if "Made by " not in text[:200]}
    for path, count in sorted(lines.items()):
        if count > FILE_LINES:
            ok(False, "%s: %d lines, at most %d" % (path, count, FILE_LINES))
    ok(len(lines) > 200, "%d files were measured" % len(lines))


def functions_of(text):
    """[(line, lines of the body)] of the functions: our layout has their braces, and no others, alone in the first
    column."""
    found, start = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            found.append((start, number - start - 1))
            start = None
    return found


def functions_have_a_size():
    """No function is longer than 60 lines"""
    eq(functions_of("int f(void)\n{\n    if (a) {\n    }\n}\nstruct s x = {\n};\nint g(void)\n{\n}\n"),
       [(2, 2), (9, 0)], "functions are seen")
    count = 0
    for path, text in sources():
        for line, lines in functions_of(text):
            count += 1
            if lines > FUNCTION_LINES:
                ok(False, "%s:%d: a function of %d lines" % (path, line, lines))
    ok(count > 1500, "%d functions were measured" % count)


ASSIGNED = re.compile(r"\bmeasurement(?:->|\.)[\w.>\[\]-]+ *(?:[-+*/|&]?=(?!=)|\+\+|--)")


def measurements_are_the_pipelines():
    """Nobody outside the pipeline assigns to a measurement: labs and programs call it"""
    for text in ("measurement->has_baseline = false;", "pipeline->measurement.job.head[0] = 0;",
                 "measurement->configs[i].x += 1;", "measurement.builds++;"):
        ok(ASSIGNED.search(text), "`%s` is seen" % text)
    for text in ("if (measurement->builds == 0)", "x = measurement->builds;"):
        ok(not ASSIGNED.search(text), "`%s` is none" % text)
    inside = 0
    for path, text in sources():
        for found in ASSIGNED.finditer(text):
            inside += path.startswith("pipeline/")
            if not path.startswith("pipeline/"):
                ok(False, "%s: `%s`" % (path, found.group()))
    ok(inside > 10, "%d assignments, all within the pipeline" % inside)


PURE = set("""abort bcmp calloc free malloc memchr memcmp memcpy memmove memset qsort realloc snprintf
    vsnprintf strcmp strcspn strlen strncmp strspn strtod strtol strtoll strchr strrchr strstr
    sqrt ldexp frexp floor nextafter strnlen""".split())


def judge_is_pure():
    """The judge calls nothing that could make two machines differ"""
    archive = os.path.join(os.environ.get("top_builddir", "."), "libjudge.a")
    if not os.path.exists(archive):
        raise lib.Skip("no " + archive)
    listing = lib.run(["nm", archive]).out
    ours = set(re.findall(r"^[0-9a-f]+ [A-Za-z] (\S+)$", listing, re.M))
    needed = set(re.findall(r"^ +U (\S+)$", listing, re.M)) - ours
    needed = {re.sub(r"^__(?:isoc\d*_)?|_chk$", "", n) for n in needed
              if not re.match(r"_*(asan|ubsan|lsan|sanitizer|stack_chk)|_GLOBAL_", n)}
    needed = {n for n in needed if not re.match(
        r"(buf|err|json|scan|dtype|arm|mark|fault|verdict|against|clause|model|environment|baseline|samples|"
        r"config_samples|config_verdict|replicate|series|rule|comparison|problem|code_fact|machine_code|metric)_", n)}
    ok(needed, "symbols were read")
    eq(sorted(needed - PURE), [], "nothing else is called")




def needs_of(archive):
    """{object: {objects of the same archive that it needs}}"""
    wanted, home, name = {}, {}, None
    for line in lib.run(["nm", archive]).out.splitlines():
        member = re.match(r"(?:lib\w+_a-)?(\S+)\.o:$", line)
        symbol = re.match(r"[0-9a-f]* +([A-Za-z]) (\S+)$", line)
        if member:
            name = member.group(1)
            wanted[name] = set()
        elif symbol and symbol.group(1) == "U":
            wanted[name].add(symbol.group(2))
        elif symbol and symbol.group(1).isupper():
            home[symbol.group(2)] = name
    return {name: {home[s] for s in symbols if s in home} - {name}
            for name, symbols in wanted.items()}


def circles(needs):
    """Sets of objects each of which needs each, in the end"""
    def reached(start):
        seen, open_ = set(), list(needs[start])
        while open_:
            at = open_.pop()
            if at not in seen:
                seen.add(at)
                open_ += needs[at]
        return seen
    reach = {name: reached(name) for name in needs}
    return sorted({tuple(sorted(other for other in reach[name] if name in reach[other]))
                   for name in needs if name in reach[name]})


def no_cycles():
    """No two files of an archive need each other"""
    eq(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}), [("a", "b", "c")],
       "a circle of three is seen")
    folder = os.environ.get("top_builddir", ".")
    makefile = os.path.join(folder, "Makefile")
    if not os.path.exists(makefile):
        raise lib.Skip("no " + makefile)
    listed = re.search(r"^noinst_LIBRARIES = ((?:.*\\\n)*.*)", lib.read(makefile), re.M).group(1)
    for name in re.findall(r"lib\w+\.a", listed):
        needs = needs_of(os.path.join(folder, name))
        ok(needs, "%s: %d objects" % (name, len(needs)))
        eq(circles(needs), [], "%s: its circles" % name)


def programs_are_hardened():
    """Each program is position-independent, its relocations read-only, its stack not executable"""
    for variable in "RATCHET", "RATCHETD", "RATCHET_BENCH":
        program = os.environ[variable]
        dynamic = lib.run(["readelf", "-Wd", program]).out
        segments = lib.run(["readelf", "-Wl", program]).out
        ok(re.search(r"FLAGS_1.*\bNOW\b.*\bPIE\b", dynamic), "%s: NOW and PIE" % variable)
        ok("GNU_RELRO" in segments, "%s: RELRO" % variable)
        ok(re.search(r"GNU_STACK.* RW +0x", segments), "%s: a stack without code" % variable)


lib.main(judge_is_pure, rooms_are_closed, one_way_out, labs_hold_no_token, no_branch_is_called_main, one_user_each, measurements_are_the_pipelines, no_cycles,
         programs_are_hardened, no_attic, files_have_a_size, functions_have_a_size)
