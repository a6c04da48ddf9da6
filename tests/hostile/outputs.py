# SPDX-License-Identifier: Apache-2.0
"""Branches whose builds leave something else than a library, and libraries that do more than a kernel may."""

import scene
from world import RECIPE, Row, built

OUT = "kernels/attention.so"
FAILED = (3, "build-failed", "the PR")
WRONG = (3, "wrong-result", "the PR")  # it is judged as any other: here, what it computes is wrong
IDENTICAL = (0, "identical-code", "")


def left(what, script, want=FAILED, *stopped):
    return Row(what, built("rm -f %s\n" % OUT + script, recipe=""), want, *stopped)


def library(what, want, *stopped, flags="", code="", then="", name="right"):
    """A library of other flags, with more code, or bent when it is there"""
    def make(w):
        recipe = RECIPE.replace(" -lm", " %s -lm" % flags) + (" && " + then if then else "")
        return {"ci/ratchet.conf": scene.conf().replace(RECIPE, w.fill(recipe)), "kernels/probe.c": w.probe,
                "kernels/attention.c": scene.kernel(name) + w.fill(code)}
    return Row(what, make, want, *stopped)


def needs(what, soname, want, *stopped):
    """A library that has another one loaded, by a name or a path"""
    def make(w):
        first = "cc -shared -fPIC -Wl,-soname,%s -o kernels/other.so kernels/other.c && " % soname
        recipe = first + RECIPE.replace(" -lm", " -Wl,--no-as-needed,-rpath,/build/src/kernels kernels/other.so -lm")
        return {"ci/ratchet.conf": scene.conf().replace(RECIPE, w.fill(recipe)), "kernels/other.c": "int other;\n"}
    return Row(what, make, want, *stopped)


PROBE = "\n#define PROBE_IN_A_KERNEL\n#include \"probe.c\"\n"


def config(what, want, *stopped, **edits):
    def make(w):
        text = scene.conf()
        for old, new in edits["edit"]:
            text = text.replace(old, w.fill(new))
        return {"ci/ratchet.conf": text}
    return Row(what, make, want, *stopped)


def byte(at, value):
    return "printf '\\\\%03o' | dd of=%s bs=1 seek=%d conv=notrunc status=none" % (value, OUT, at)


TOGETHER = 4  # these wait for nothing: so many are submitted at once
ROWS = [
    left("an output that is a link outside", "ln -s @CANARY@ " + OUT, FAILED, "is not a regular file"),
    left("an output that is a link to a system's library", "ln -s $(ls /usr/lib/*/libm.so.6 | head -1) " + OUT, FAILED,
         "is not a regular file"),
    left("an output that is a folder", "mkdir " + OUT, FAILED, "is not a regular file"),
    left("an output that is a FIFO", "mkfifo " + OUT, FAILED, "is not a regular file"),
    left("an output whose folder is a link", "mv kernels other; ln -s other kernels; : > other/attention.so", FAILED,
         "is not a regular file"),
    left("an output that is another's file", "ln /etc/alternatives/cc %s; ln /usr/bin/su %s; exit 7" % (OUT, OUT), FAILED,
         "exit code 7"),
    left("no output", "true", FAILED, "build made no `kernels/attention.so`"),
    left("an output that nobody may read", "echo x > %s; chmod 0 %s" % (OUT, OUT), FAILED, "permission denied"),
    left("an output behind a folder that nobody may enter", "echo x > %s; chmod 0 kernels" % OUT, FAILED,
         "permission denied"),
    left("a sparse output of a terabyte", "truncate -s 1T %s; exit 7" % OUT, FAILED),
    left("a sparse output, larger than a library may be", "truncate -s 20M " + OUT, FAILED, "is larger than 4194304 bytes"),
    left("an output that is still written", "(while :; do echo x; done >> %s) & sleep 0.1" % OUT, FAILED,
         "not a sound shared object"),
    left("an empty output", ": > " + OUT, FAILED, "not a sound shared object"),
    left("an output that is a text", "echo '<script>GOT it</script>' > " + OUT, FAILED, "not a sound shared object"),
    left("words on the descriptor that is ours", "for fd in 3 4 5 6 7 8 9; do eval \"echo output >&$fd\"; done 2>/dev/null; "
         "for fd in /proc/*/fd/3; do echo output > $fd; done; exit 7", FAILED, "exit code 7"),
    Row("an output that is set-user-id", built("true", recipe=RECIPE + " && chmod 6777 " + OUT), IDENTICAL),
    config("an output outside", (3, "bad-recipe", "the PR"), "output", edit=[("output = kernels/attention.so",
                                                                             "output = ../../@MARK@.so")]),
    config("an output in .git", (3, "bad-recipe", "the PR"), "output", edit=[("output = kernels/attention.so",
                                                                             "output = kernels/.git/config")]),
    # ---- libraries ----
    library("a constructor that ends", (3, "crashed", "the PR"), "while it was loaded", code="\n#include <stdlib.h>\n"
            "__attribute__((constructor)) static void begin(void) { abort(); }\n"),
    library("a constructor that reads a file outside", (3, "crashed", "the PR"), "exit code 2", code=PROBE +
            "__attribute__((constructor)) static void begin(void) { ends_with(\"read\", \"@CANARY@\", 0); }\n"),
    library("a constructor that asks for the network", (3, "crashed", "the PR"), "exit code 1 while", code=PROBE +
            "__attribute__((constructor)) static void begin(void) { ends_with(\"tcp\", \"127.0.0.1\", @PORT@); }\n"),
    needs("a needed library of its own", "libevil.so.1", (3, "refused", "the PR"), "libevil.so.1"),
    needs("a needed library by a path outside", "@CANARY@", (3, "refused", "the PR"), "canary"),
    needs("a needed library that is nowhere", "libnowhere.so.9", (3, "refused", "the PR"), "libnowhere.so.9"),
    library("a unique symbol", FAILED, "unique symbol", code="""
__asm__(".globl shared\\n.type shared, @gnu_unique_object\\n.data\\nshared: .long 1\\n.size shared, 4\\n.text\\n");
"""),
    library("an interposed malloc", FAILED, "exports `malloc`", code="\n__attribute__((visibility(\"default\"))) void "
            "*malloc(size_t n) { (void)n; return 0; }\n"),
    library("an interposed clock", FAILED, "exports `clock_gettime`", code="\n#include <time.h>\n"
            "__attribute__((visibility(\"default\"))) int clock_gettime(clockid_t id, struct timespec *at) "
            "{ (void)id; at->tv_sec = at->tv_nsec = 0; return 0; }\n"),
    library("an executable stack", WRONG, "wrong result", flags="-z execstack", name="wrong"),
    library("relocations in code", IDENTICAL, flags="-Wl,-z,notext"),
    library("a library that stays", WRONG, "wrong result", flags="-Wl,-z,nodelete -Wl,-z,initfirst", name="wrong"),
    library("a filter of another library", (3, "refused", "the PR"), "libevil.so.1", flags="-Wl,-F,libevil.so.1"),
    library("an auditor", WRONG, "wrong result", flags="-Wl,--audit,/tmp/libevil.so", name="wrong"),
    library("another machine", FAILED, "another architecture", then=byte(18, 183)),
    library("32 bits", FAILED, "not 64-bit", then=byte(4, 1)),
    library("a program", FAILED, "ELF type 2", then=byte(16, 2)),
    library("no program headers", FAILED, "program headers", then=byte(56, 0)),
    library("program headers elsewhere", FAILED, "program headers", then=byte(36, 127)),
    library("half a library", FAILED, "not a sound shared object", then="truncate -s 3000 " + OUT),
    Row("an export that is no function", lambda w: {"kernels/attention.c": "__attribute__((visibility(\"default\"))) int "
        "attention_kernel = 1;\n"}, FAILED, "not as a function"),
    Row("a function that is chosen when it is loaded", lambda w: {"kernels/attention.c": """
#include "attention.h"
static const struct attention_kernel *one(void) { return 0; }
static void *choose(void) { for (;;) ; return (void *)one; }
__attribute__((ifunc("choose"))) ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void);
"""}, FAILED, "not as a function"),
    Row("no export", lambda w: {"kernels/attention.c": "int none;\n"}, FAILED, "does not export `attention_kernel`"),
    Row("a table that is nowhere", lambda w: {"kernels/attention.c": """
#include "attention.h"
ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void) { return (void *)8; }
"""}, (3, "crashed", "the PR"), "SIGSEGV"),
]
