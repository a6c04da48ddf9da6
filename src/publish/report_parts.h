/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the report (report*.c) share: the view, and the parts that report.c puts
 * in order. Of these files alone. */
#ifndef RATCHET_PUBLISH_REPORT_PARTS_H
#define RATCHET_PUBLISH_REPORT_PARTS_H

#include "publish/report.h"

enum {
    PARTS_SHORT_SHA = 10,    /* digits */
    PARTS_LISTED = 5,        /* names in a sentence */
    PARTS_REASON_BYTES = 400 /* of foreign text, before escaping */
};

/* A report, and its configs with the worst first. */
struct report_view {
    const struct report *report;
    const struct config_verdict *rows[MODEL_CONFIGS_MAX];
    size_t count;
    size_t of_verdict[VERDICT_REGRESSED + 1]; /* how many configs have each verdict */
    double threshold;                         /* 0 where the rule is not known */
};

void parts_view(struct report_view *view, const struct report *report);
bool parts_is_pull_request(const struct report_view *view);
bool parts_is_promotion(const struct report_view *view);
/* "this pull request", or what else the head is. */
const char *parts_subject(const struct report_view *view);
/* What is merged into: "main", another name in a code span, "base" where it has none here. */
void parts_branch(const struct report_view *view, struct buf *out);
/* Is the verdict one of the whole, not of its worst config? */
bool parts_is_whole(const struct report_view *view);
/* Is there a config, and has every one the machine code it would be compared with? */
bool parts_all_identical(const struct report_view *view);

/* The samples of a row; NULL where there are none. */
const struct config_samples *parts_samples(const struct report_view *view,
                                           const struct config_verdict *row);
/* The baseline's entry that a row can be compared with; NULL where there is none: it is of
 * another device, has no such config, or another problem by that name. */
const struct baseline_config *parts_stored(const struct report_view *view,
                                           const struct config_verdict *row);
/* Has the baseline of this device another problem by a row's name? */
bool parts_other_problem(const struct report_view *view, const struct config_verdict *row);
/* Is a verdict by that clause what an interval decided? */
bool parts_by_interval(enum clause clause);
/* A row's clause; of a file written before clauses were, what can be told of a held one. */
enum clause parts_clause(const struct report_view *view, const struct config_verdict *row);
/* The row whose anchor is farthest from its stored samples, and how many such there are (`count`
 * may be NULL); NULL: no anchor is far from what was recorded. */
const struct config_verdict *parts_drifted(const struct report_view *view, size_t *count);
/* Held by identical machine code, so never measured? */
bool parts_identical(const struct report_view *view, const struct config_verdict *row);
/* Held although it is slower than its anchor: main lost that before. */
bool parts_already_lost(const struct report_view *view, const struct config_verdict *row);

/* Foreign text of at most `max` bytes before escaping, "…" behind a cut. */
void parts_text(struct buf *out, const char *text, size_t max);
/* The same in a code span, "–" for nothing to show. */
void parts_code(struct buf *out, const char *text, size_t max);
/* "head in 10 of 16 rounds, anchor in 1"; false where no sample is missing. */
bool parts_missing(const struct config_verdict *row, struct buf *out);
/* Names of the rows that `wanted` picks, a few of them. Returns how many it picks. */
size_t parts_names(const struct report_view *view, enum clause wanted, struct buf *out);
/* A device or config name in a code span, "?" for one that is empty. */
void parts_name(struct buf *out, const char *name);
/* A commit in short, so that GitHub links it; "?" for what is none. */
void parts_commit(struct buf *out, const char *sha);

/* Opens a folded part, whose first line ends with `line` where that is of the words that the judge is
 * made of: nothing is escaped there. */
void parts_fold(struct buf *out, const char *title, const char *line);

/* report_first.c. Where today's anchor is not what was recorded, that; and the first sentences. */
void report_drift(const struct report_view *view, struct buf *out);
void report_first(const struct report_view *view, struct buf *out);
/* report_chart.c: head, base and anchor of the worst configs; nothing where nothing was judged. */
void report_chart(const struct report_view *view, struct buf *out);
/* report_advice.c */
void report_advice(const struct report_view *view, struct buf *out);
/* report_why.c: the machine code of configs that moved; folded, nothing where nobody looked. */
void report_why(const struct report_view *view, struct buf *out);
/* report_counters.c: what a profiler counted of them, likewise. */
void report_counters(const struct report_view *view, struct buf *out);
/* report_details.c */
void report_lines(const struct report_view *view, struct buf *out);
void report_log(const struct report_view *view, struct buf *out);
void report_folded(const struct report_view *view, struct buf *out);
void report_commits(const struct report_view *view, struct buf *out);
/* report_footer.c */
void report_footer(const struct report_view *view, struct buf *out);

/* report_table.c. Each writes at most `budget` bytes (and a line that says how many rows did
 * not fit). */
void table_verdicts(const struct report_view *view, struct buf *out, size_t budget);
/* Has that table a row? */
bool table_has_evidence(const struct report_view *view);
bool table_has_speed(const struct report_view *view);
/* What the shares of the table are of, one or two sentences; nothing on a device without any. */
void table_peaks(const struct report_view *view, struct buf *out);
void table_evidence(const struct report_view *view, struct buf *out, size_t budget);
void table_speed(const struct report_view *view, struct buf *out, size_t budget);

/* report_environment.c, in a budget likewise. */
void table_environment(const struct report_view *view, struct buf *out, size_t budget);
/* How many facts of the environment differ from those of the baseline? */
size_t table_environment_differs(const struct report_view *view);
/* "compiler `gcc 12` → `gcc 13`; …": a few of those that differ from what was recorded for this
 * row. Returns how many there are. */
size_t table_differences(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out);

#endif
