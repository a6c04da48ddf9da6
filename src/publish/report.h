/* SPDX-License-Identifier: Apache-2.0 */
/* The comment, as pure text: same input, same bytes. Everything a PR could have chosen goes
 * through publish/markdown. Never longer than 65000 bytes: tables are cut with a line that
 * says how many rows were left out, logs keep their end. */
#ifndef RATCHET_PUBLISH_REPORT_H
#define RATCHET_PUBLISH_REPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "model.h"

enum { REPORT_MAX_BYTES = 65000 };

struct report {
    const struct job *job;
    const struct comparison *comparison;
    const struct samples *samples;         /* NULL: nothing was measured */
    const struct baseline *baseline;       /* NULL: none */
    const struct rule *rule;               /* NULL: not known (config unreadable) */
    const struct calibration *calibration; /* NULL: none. Looked for where the rule is known */
    const char *calibration_problem;       /* why there is none that can be used; or NULL */
    const char *log;                       /* last lines of a failed build; NULL: none */
    size_t log_len;
    const char *const *notes; /* lines such as "no baseline for cpu yet …" */
    size_t note_count;
    const char *timing; /* "build 3.1 s (cached anchor), bench 12 s"; or NULL */
};

/* First line of our comments: `<!-- ratchet:v1 device=SLUG -->`, `device=part.SLUG` of a part of a check,
 * which has a section of its own. */
void report_marker(const char *device, bool partial, char out[128]);
MUST_CHECK int report_markdown(const struct report *report, struct buf *out, struct err *err);
/* One line for a commit status, at most 140 bytes and less than `size`:
 * "regressed: b1_h4_s256_d64 +4.12% (2 of 3 held)". */
void report_line(const struct comparison *comparison, char *out, size_t size);

#endif
