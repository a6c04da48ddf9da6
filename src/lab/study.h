/* SPDX-License-Identifier: Apache-2.0 */
/* A study (`ratchet study`): one kernel, from the question where it ran to a report that can be checked. Its folder
 * is all there is of it:
 *
 *     study.json                 what was asked, and each step: done or not, why, seconds, command (schema below)
 *     ratchet.conf               the rules of the first kernel's commit, as they were read
 *     env.json                   `ratchet env`
 *     benchmark.json             samples of the first kernel at its configs, alone
 *     backends/                  a sweep: the first kernel beside other people's, at its configs
 *     shapes/                    a sweep: the same arms over more shapes
 *     optimise/NN-NAME/          a proposal: change.patch on top of the best kernel before it, and samples.json, where
 *                                that kernel is head and the proposal the other arm "proposal"; autotune's own
 *                                files as well, where it made the proposal
 *     end/                       the results of a check of the best kernel (head) against the first (base); none
 *                                where nothing was kept
 *     samples.json, comparison.json   of that check; comparison.json is the judge's word on samples.json and nothing
 *                                more, so that it can be made again, byte for byte
 *     baseline.json              the best kernel's samples, as a promotion would record them
 *     …                          and the documents (lab/study_documents.h), made from these files alone
 *
 * study.json (schema ratchet.study/1) is written whole after each step: a study that was killed goes on where it
 * was. Nothing else says what was done. */
#ifndef RATCHET_LAB_STUDY_H
#define RATCHET_LAB_STUDY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "judge/environment.h"
#include "lab/study_folder.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

#define STUDY_SCHEMA "ratchet.study/1"
#define STUDY_FILE "study.json"
#define STUDY_PROPOSAL "proposal" /* name of an arm */

enum study_phase {
    STUDY_ENVIRONMENT,
    STUDY_BENCHMARK,
    STUDY_BACKENDS,
    STUDY_SHAPES,
    STUDY_OPTIMISE,
    STUDY_END, /* the best kernel against the first, and how their machine code differs */
    STUDY_REPORT,
    STUDY_PHASES
};
const char *study_phase_name(enum study_phase phase); /* "environment", … */

enum study_state {
    STUDY_OPEN, /* not yet */
    STUDY_DONE,
    STUDY_SKIPPED, /* `why` says for want of what */
    STUDY_FAILED   /* `why` says of what; the study went on */
};
const char *study_state_name(enum study_state state); /* "open", "done", "skipped", "failed" */

enum { STUDY_STEPS_MAX = 80, STUDY_COMMAND_BYTES = 4096, STUDY_TEXT_BYTES = 512 };

struct study_step {
    enum study_phase phase;
    char name[MODEL_NAME_BYTES]; /* of its folder for a proposal: "01-autotune", "02-tiles" */
    enum study_state state;
    char why[STUDY_TEXT_BYTES]; /* one line, or "" */
    double seconds;             /* of wall time, all calls together */
    /* That does it again, by hand, in the repository; or "". */
    char command[STUDY_COMMAND_BYTES];
    /* STUDY_OPTIMISE: */
    bool proposal; /* measured beside the best kernel before it: samples.json is there */
    bool kept;     /* it took that kernel's place */
};

struct study_asked {
    char device[MODEL_NAME_BYTES];
    char commit[MODEL_SHA_BYTES]; /* the first kernel's */
    double target_speedup;        /* time of the first kernel ÷ time of the best; 0: none */
    double budget_s;              /* of all steps; what is begun is ended */
    size_t proposals; /* that may be confirmed: what their intervals are corrected for */
    /* Of all of this and of every other option: the same study goes on. */
    char hash[FILE_SHA256_BYTES];
};

struct study {
    char path[FILE_PATH_BYTES];
    struct study_asked asked;
    char version[32]; /* of ratchet */
    char started[32]; /* UTC, "2026-11-21T01:10:20Z"; of the first call */
    /* The best kernel's commit, made of the first and the patches kept. */
    char best[MODEL_SHA_BYTES];
    double estimate_s;  /* of all steps, told before they began */
    struct price price; /* of an hour of the device */
    struct study_step steps[STUDY_STEPS_MAX];
    size_t step_count;
};

/* The step of a phase, by its name ("": the first of it); NULL: there is none. */
const struct study_step *study_step_find(const struct study *study, enum study_phase phase,
                                         const char *name);
/* Wall time of all steps up to now, and what that costs at the price, millionths of its currency; 0 where there is
 * no price. */
double study_seconds(const struct study *study);
double study_cost(const struct study *study);

/* Bytes only; hostile ones are ERR_INPUT. `name` is the file's, for messages. */
MUST_CHECK int study_format(const struct study *study, struct buf *out, struct err *err);
MUST_CHECK int study_parse(const char *bytes, size_t len, const char *name, struct study *out,
                           struct err *err);

/* What a proposal was found to be, by its samples alone: its time over the best kernel's before it. `ci` is plain;
 * `ci_decision` holds for all proposals together (Bonferroni). */
struct study_judged {
    struct change mean;                       /* over all configs */
    struct change configs[MODEL_CONFIGS_MAX]; /* likewise, in the order of the samples */
    size_t config_count;
    size_t replicates; /* the fewest of a config without a mark */
    /* mean.ci_decision wholly below 0, and no config's plain interval wholly above, nor one unknown, in no fewer
     * replicates than rule->min_replicates. */
    bool better;
};

/* All of a folder that documents are made of. What is not there is not known: `*_there`. */
struct study_files {
    struct study study;
    struct rule rule;
    struct environment_file environment; /* owned, as all below */
    struct samples benchmark, end, backends, shapes;
    bool benchmark_there, end_there, backends_there, shapes_there;
    struct comparison first;      /* the judge's word on benchmark… */
    struct comparison comparison; /* …and on end */
    struct comparison check; /* end/verdict.json, which has how the machine code differs */
    bool check_there;
    struct samples proposals[STUDY_STEPS_MAX]; /* of steps with `proposal` */
    struct study_judged *judged;               /* likewise; [STUDY_STEPS_MAX] */
    struct study_listing raw;                  /* all files that are no documents */
};
/* A folder may come from anybody: no link is followed, and errors name the file. What a step says that it made has
 * to be there. */
MUST_CHECK int study_files_read(const char *path, const struct limits *limits,
                                struct study_files *out, struct err *err);
void study_files_free(struct study_files *files);

#endif
