/* SPDX-License-Identifier: Apache-2.0 */
/* baseline.json (schema ratchet.baseline/1), both ways, and how it moves: bytes only. */
#ifndef RATCHET_JUDGE_BASELINE_H
#define RATCHET_JUDGE_BASELINE_H

#include "base/buf.h"
#include "base/err.h"
#include "limit.h"
#include "model.h"

MUST_CHECK int baseline_parse(const char *bytes, size_t len, const char *name,
                              const struct limits *limits, struct baseline *out,
                              struct err *err);
/* Sorted by config name, one replicate a line, so that a diff shows what moved. */
MUST_CHECK int baseline_format(const struct baseline *baseline, struct buf *out,
                               struct err *err);

/* What a promotion may move: both runs say improved, or the config is new and both runs
 * measured it, or it is named in `accepted` and was measured. A config of the old baseline that
 * is `retired`, and in neither run, leaves the baseline: a move, too. A config of `lost` is one
 * that main lost while it had a row: without that row, or as another problem, it is not new. */
/* A config whose head has the machine code of an anchor that stood before today's. */
struct baseline_earlier {
    char name[MODEL_NAME_BYTES];
    char commit[MODEL_SHA_BYTES]; /* that anchor */
};

struct promotion_request {
    const struct baseline *old;           /* NULL: none yet */
    const struct samples *first, *second; /* the two runs, head = main's tip */
    const struct comparison *first_verdict, *second_verdict;
    const char *const *accepted; /* config names whose loss `who` accepted */
    size_t accepted_count;
    const char *const *lost;
    size_t lost_count;
    const struct baseline_earlier *earlier;
    size_t earlier_count;
    const char *who;
    const char *commit; /* main's tip */
    const char *now;    /* "2026-11-21T01:10:20Z": the judge has no clock */
};
struct promotion_move {
    char name[MODEL_NAME_BYTES];
    char why
        [MODEL_NAME_BYTES]; /* "new", "improved", "accepted", "reverted", "retired", "": stays */
    char reason[MODEL_TEXT_BYTES]; /* one line, for people */
};
/* The new baseline (all configs that stay, and those that move with the second run's
 * replicates, both runs' where unmarked), and one line per config. `moved` counts moves. */
MUST_CHECK int baseline_promote(const struct promotion_request *request, struct baseline *out,
                                struct promotion_move moves[MODEL_CONFIGS_MAX],
                                size_t *move_count, size_t *moved, struct err *err);

#endif
