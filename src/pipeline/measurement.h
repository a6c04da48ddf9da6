/* SPDX-License-Identifier: Apache-2.0 */
/* What measures: for checks and promotions, and by itself for what engineers run by hand (`bench`,
 * `verify`, `sweep`, `calibrate`). It has neither token nor network: what it needs of git was
 * fetched before, so that it can run as another user. */
#ifndef RATCHET_PIPELINE_MEASUREMENT_H
#define RATCHET_PIPELINE_MEASUREMENT_H

#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "base/file.h"
#include "base/git.h"
#include "intake/config.h"
#include "intake/host.h"
#include "judge/baseline.h"
#include "judge/calibration.h"
#include "measure/checkout.h"
#include "model.h"
#include "pipeline/budget.h"
#include "pipeline/pace.h"
#include "pipeline/progress.h"

#include <stdbool.h>
#include <stdint.h>

enum { MEASUREMENT_NOTES_MAX = MODEL_CONFIGS_MAX + 16, SHORT_SHA = 10 };
#define CONFIG_PATH "ci/ratchet.conf"

/* A commit that was asked for and is not here, and why. */
struct unfetched {
    char commit[MODEL_SHA_BYTES];
    struct err why;
};

/* Filled in by the functions below and by the stages of the pipeline. Everybody else reads;
 * tests/e2e/test_rooms.py holds that. */
struct measurement {
    /* what is asked for */
    const struct host *host;
    const struct host_device *device;
    const struct host_lane *lane;             /* of it: that this job measures on */
    const struct host_repository *repository; /* NULL: a local one */
    struct job job;
    double budget_ns;             /* for measuring; 0: what its rules say */
    char folder[FILE_PATH_BYTES]; /* for what stays: samples, verdict, report, log */
    char work[FILE_PATH_BYTES];   /* for what goes */
    progress_function *progress;  /* NULL: nobody listens */
    void *context;

    struct db *
        store; /* what earlier checks measured, and promotions pushed; NULL: nothing is remembered. Borrowed */

    /* what was fetched for it */
    struct git_repo *repo;                    /* owned */
    struct checkout_submodules submodules;    /* owned: those that builds may see */
    struct unfetched gone[MODEL_CONFIGS_MAX]; /* anchors */
    size_t gone_count;

    /* what its rules say */
    bool has_config;
    struct ratchet_config config;
    bool no_baseline; /* none is read, whatever was recorded */
    bool has_baseline;
    struct baseline baseline; /* owned */
    bool has_calibration;
    struct calibration calibration;
    char calibration_problem[ERR_TEXT_BYTES]; /* why it cannot be used, or "" */
    enum clause clause_if_input; /* to give if an input of base is malformed at this step */

    /* what came of it */
    struct samples samples;       /* owned */
    struct comparison comparison; /* owned */
    struct buf explanation;       /* owned: the numbers behind the comparison, or empty */
    struct buf build_log;         /* owned: of the build that failed, or empty */
    char notes[MEASUREMENT_NOTES_MAX][MODEL_TEXT_BYTES]; /* for the report */
    size_t note_count;
    struct pace pace;            /* of the replicates up to now */
    struct budget budget;        /* of their time */
    struct progress_figures now; /* how far it is… */
    uint64_t now_ns;             /* …and when the time that is left was told */
    double build_s, bench_s;     /* where the time went */
    uint64_t
        device_ns; /* that the device was held: in this process, and for the first run of a promotion… */
    bool device_untold; /* …that another took, and left no word of it */
    unsigned builds, cached;
};

/* An empty one. `host` has to outlive it. */
void measurement_init(struct measurement *measurement, const struct host *host,
                      progress_function *progress, void *context);
/* The device of the job and of the samples, and a lane of it: "": its first, NULL: one that nobody
 * measures on now, if there is one. What the host does not have is ERR_INPUT. */
MUST_CHECK int measurement_set_device(struct measurement *measurement, const char *device,
                                      const char *lane, struct err *err);
/* The same where nothing is measured: only its name. */
MUST_CHECK int measurement_name_device(struct measurement *measurement, const char *device,
                                       struct err *err);
/* Measure by this in place of what rules_read found: other shapes, looks, samples. Copied. */
void measurement_set_config(struct measurement *measurement,
                            const struct ratchet_config *config);
/* Compare with no anchor, whatever was recorded. */
void measurement_drop_baseline(struct measurement *measurement);
void measurement_free(struct measurement *measurement);

/* Measure `head`, a commit whose objects and rules are here, beside job.base where `with_base`, and
 * beside the anchors of its baseline, until every config is settled or the budget is spent. What cannot be built is in `comparison`, with no samples. */
MUST_CHECK int measurement_take(struct measurement *measurement, const char *head,
                                bool with_base, struct err *err);

/* The same, and whether head gives the same bits again: one for each config, zeroed before, known
 * where it was looked at. */
struct bits;
MUST_CHECK int measurement_verify(struct measurement *measurement, const char *head,
                                  bool with_base, struct bits *bits, struct err *err);

/* Libraries that somebody built before and vouches for: `ratchet sweep`. */
struct bench_config;
struct sandbox_bind;
struct measurement_libraries {
    const struct bench_config *configs;     /* one for each config of `config` */
    const char (*others)[MODEL_NAME_BYTES]; /* names of the arms from ARM_OTHER on */
    const struct sandbox_bind *expose;      /* folders of libraries that these need */
    size_t expose_count;
    /* What an earlier run of the same measured, or NULL: what there is of replicates is taken out of it,
     * and only what is missing is measured. */
    struct samples *before;
    double budget_ns; /* of this call; 0: as long as it takes */
};
/* Hold the device and measure them in the empty folder `work`, until the rule's looks are over.
 * Needs no repository: measurement_init, _set_device and _set_config. */
MUST_CHECK int measurement_sweep(struct measurement *measurement,
                                 const struct measurement_libraries *libraries,
                                 const char *work, struct err *err);

/* What a lab does with the device: `request` has the kernel of one commit as every arm of every
 * config, and measurement->samples the facts of the environment. */
struct bench_request;
struct measurement_lab {
    int (*use)(void *context, const struct bench_request *request, struct err *err);
    void *context;
};
/* Build the kernel of `commit`, hold the device, and lend both to a lab. A kernel that does not
 * build is ERR_INPUT. */
MUST_CHECK int measurement_lend(struct measurement *measurement, const char *commit,
                                const struct measurement_lab *lab, struct err *err);

/* Judge the samples, and keep the explanation of it. */
MUST_CHECK int measurement_compare(struct measurement *measurement, struct err *err);

/* Make an unmeasured verdict of an error; its class says whose fault it is, and `input` and
 * `clause` what a malformed or forbidden input means at this step. */
void measurement_unmeasured(struct measurement *measurement, enum fault input,
                            enum clause clause, const struct err *problem);

/* What is judged, for "this …": a pull request, or a change that somebody looks at by hand. */
const char *measurement_change(const struct measurement *measurement);
/* The branch that promotions move, for a sentence. */
const char *measurement_branch(const struct measurement *measurement);

/* Another stage begins. */
void measurement_stage(struct measurement *measurement, enum progress_stage stage);
/* Seconds that are left, to the next look and to the whole budget; negative: not known. */
void measurement_set_left(struct measurement *measurement, double least_s, double most_s);
/* A line of progress, of a kind, or one that is nothing more. */
void measurement_tell(const struct measurement *measurement, enum progress_kind kind,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));
#define measurement_say(measurement, ...) \
    measurement_tell(measurement, PROGRESS_LINE, __VA_ARGS__)
/* A sentence for the report; one that is there already is not told again. */
void measurement_note(struct measurement *measurement, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
