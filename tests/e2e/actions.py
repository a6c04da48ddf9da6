# SPDX-License-Identifier: Apache-2.0
"""A step of GitHub Actions as its runner sees it."""


def runner_reads(text):
    """The outputs a runner finds in a GITHUB_OUTPUT file; ValueError where its step fails."""
    values, lines, at = {}, text.split("\n"), 0
    if lines.pop() != "":
        raise ValueError("no newline at the end")
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        equals, arrows = line.find("="), line.find("<<")
        if equals >= 0 and (arrows < 0 or equals < arrows):
            values[line[:equals]] = line[equals + 1:]
            continue
        if arrows < 0:
            raise ValueError("no delimiter in %r" % line)
        name, delimiter = line[:arrows], line[arrows + 2:]
        if not name or not delimiter:
            raise ValueError("empty name or delimiter")
        value = []
        while True:
            if at == len(lines):
                raise ValueError("%r is never closed" % delimiter)
            at += 1
            if lines[at - 1] == delimiter:
                break
            value.append(lines[at - 1])
        values[name] = "\n".join(value)
    return values
