/* SPDX-License-Identifier: Apache-2.0 */
/* The making of a study: each step is a command of ratchet itself, run in the study's folder, so that everything a
 * study measured can be measured again by hand with the command that it names.
 *
 *     environment   ratchet env
 *     benchmark     ratchet bench
 *     backends      ratchet build, ratchet sweep with the arms of files
 *     shapes        ratchet sweep, other shapes
 *     optimise      ratchet autotune, then the patches, in the order of their names: each is built, measured beside the
 *                   best kernel so far in fresh processes, and kept only if it is better (study_judge)
 *     end           ratchet check of the best against the first
 *     report        the documents */
#ifndef RATCHET_LAB_STUDY_RUN_H
#define RATCHET_LAB_STUDY_RUN_H

#include "base/err.h"
#include "intake/host.h"
#include "lab/study.h"

#include <stdbool.h>

enum { STUDY_ARMS_MAX = 4, STUDY_SHAPE_WORDS_MAX = 24 };

/* Paths may be relative to the working directory. */
struct study_options {
    const char *program; /* ratchet, by an absolute path */
    const char *repo, *commit, *device;
    const char *config;               /* ratchetd.conf; NULL: the host's */
    const char *folder;               /* made where it is not there */
    const char *python;               /* that knows of frameworks */
    const char *candidates;           /* folder of *.patch; NULL: none */
    const char *arms[STUDY_ARMS_MAX]; /* files for `ratchet sweep --arms`; NULL: no more */
    /* Options of `ratchet sweep` and their values; NULL: no more. */
    const char *shapes[STUDY_SHAPE_WORDS_MAX];
    double target_speedup; /* 0: none */
    double budget_s;
    bool quiet;
};

/* Make it, or go on with it. A folder that holds another study, a kernel that cannot be measured, a list of patches that
 * cannot be read is ERR_INPUT; what was measured up to then stays. *out is what was done. */
MUST_CHECK int study_run(const struct study_options *options, const struct host *host,
                         struct study *out, struct err *err);

/* Measure a study's kernels again: the best against the first where one was kept, as its end did, or else the first
 * alone. `of` is what was done; of the options program, repo, config and quiet count. `scratch` is an empty folder.
 * What no sample comes of is ERR_INPUT. */
MUST_CHECK int study_again(const struct study_options *options, const struct host *host,
                           const struct study *of, const char *scratch, struct samples *out,
                           struct err *err);

#endif
