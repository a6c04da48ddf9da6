# SPDX-License-Identifier: Apache-2.0
"""The judge's room is pure: its objects call nothing outside but memory, strings, formatting into
buffers, and the parser. No descriptor, clock, environment, network, stream or locale."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judgelib
from judgelib import ok

# What the room may need from outside itself, and why.
ALLOWED = re.compile(r"""^(
    calloc|malloc|realloc|free                    # memory
  | mem(cpy|set|cmp|move)|str(len|cmp|chr|spn|ncmp)  # strings
  | snprintf|vsnprintf                            # into buffers alone
  | strtod                                        # that a number reads back as itself
  | qsort | sqrt                                  # sorted by name; exact by IEEE 754
  | __(snprintf|vsnprintf|memcpy|memset|memmove)_chk|__stack_chk_fail  # their hardened forms
  | __isoc23_strtod
  | _GLOBAL_OFFSET_TABLE_
  | json_\w+                                      # jansson, on bytes
  | buf_\w+ | err_\w+ | scan_\w+               # base, in memory
  | (dtype|arm|mark|fault|verdict|against|clause)_name|(dtype|clause)_parse|model_\w+_ok|problem_\w+
  | (environment|samples|series|config_samples|replicate|baseline|comparison|config_verdict)_\w+  # model.c
  | rule_default | code_fact_\w+ | machine_code_none  # codefacts.c
  | metric_\w+                                    # metrics.c
)$""", re.VERBOSE)
# Of jansson, what would open something.
FORBIDDEN = re.compile(r"^json_(load_file|loadf|loadfd|dump_file|dumpf|dumpfd)$")


def names(objects, flag):
    run = subprocess.run(["nm", flag, *objects], capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in run.stdout.splitlines()
            if line.strip() and not line.endswith(":")}


OBJECTS = judgelib.compile_room(judgelib.temp_dir(), judgelib.compiler(), ["-O2"])
OWN = names(OBJECTS, "-gU") if sys.platform == "darwin" else \
    names(OBJECTS, "--defined-only")
NEEDED = names(OBJECTS, "-u") - OWN
FOREIGN = sorted(name for name in NEEDED
                 if not ALLOWED.match(name) or FORBIDDEN.match(name))
ok(len(OBJECTS) >= 10 and "json_parse" in NEEDED and "free" in NEEDED,
   "%d objects were looked at, %d outside names" % (len(OBJECTS), len(NEEDED)), sorted(NEEDED))
ok(not FOREIGN, "none of them is a descriptor, clock, environment, stream or locale", FOREIGN)


def includes():
    for source in sorted(n for n in os.listdir(judgelib.ROOM) if n.endswith((".c", ".h"))):
        with open(os.path.join(judgelib.ROOM, source)) as text:
            for name in re.findall(r'#include [<"]([^>"]+)[>"]', text.read()):
                yield source, name


HEADERS = re.compile(r"^(judge/\w+\.h|base/(buf|err|json|scan)\.h|model\.h|codefacts\.h|metrics\.h|limit\.h|"
                     r"(float|limits|math|stdarg|stdbool|stddef|stdint|stdio|stdlib|string)\.h)$")
STRANGE = ["%s includes %s" % pair for pair in includes() if not HEADERS.match(pair[1])]
ok(not STRANGE, "its sources include their own room, base's buffers and the C language alone",
   STRANGE)


def variables():
    """What could be written to; tables that only the loader touches lie in .data.rel.ro."""
    run = subprocess.run(["nm", "--format=sysv", *OBJECTS], capture_output=True, text=True,
                         check=True)
    for line in run.stdout.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) == 7 and columns[3] == "OBJECT" and \
                re.match(r"\.(bss|data|tbss|tdata)", columns[6]) and \
                not columns[6].startswith(".data.rel.ro"):
            yield columns[0]


ok(not list(variables()), "it keeps no state between calls", list(variables()))
judgelib.done()
