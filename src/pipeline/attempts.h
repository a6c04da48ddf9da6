/* SPDX-License-Identifier: Apache-2.0 */
/* Re-runs of a check throw no new dice: what earlier checks measured of the same code is taken up, and
 * what is final is not measured again (judge/levels.h). Of pull requests and merge groups;
 * a promotion measures main twice anyway. A check that was chosen in part gives no verdict that counts, so it takes nothing
 * from the series and adds nothing to it. Private to src/pipeline.
 *
 * The same code: rule, protocol, card, problem, what of the environment matters for time (driver,
 * compilers, clocks), and the machine code of head, base and anchor are alike, in one repository,
 * branch and device, whichever pull request and commit they are of. All of it is kept in a table of
 * the state folder's database, a row for each config of each check. A check counts from its first look: cancelled
 * after that, killed for good, or with samples that cannot be read, it was one of the RUNS_MAX all the same, and
 * the next goes on with what was measured until its last look. One that ended before its first look, or was unmeasured
 * till its end and not by the pull request's fault, does not count; but the next goes on with its replicates, as
 * if it were the same check. So nobody draws new dice by ending one in time. Where the control differed, nothing can be
 * gone on with, and head may have seen to that: after SPOILED_MAX of these the code is measured no more. On a host with
 * several lanes the second check of a code waits until the first has ended. */
#ifndef RATCHET_PIPELINE_ATTEMPTS_H
#define RATCHET_PIPELINE_ATTEMPTS_H

#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "pipeline/measurement.h"

/* Steps of the schema, for db_open. */
extern const char attempts_schema[], attempts_schema_2[], attempts_schema_3[],
    attempts_schema_4[];

struct attempts {
    char who[64];                                  /* the job, or this process */
    char codes[MODEL_CONFIGS_MAX][FILE_KEY_BYTES]; /* of each config; "": not remembered */
    bool open[MODEL_CONFIGS_MAX];                  /* it is to be measured */
    size_t
        kept[MODEL_CONFIGS_MAX]; /* replicates started when it was last kept; 0: it was not */
    bool settled;           /* there are some that are remembered, and none of these is open */
    struct buf environment; /* owned: what of it matters, a line for each fact */
    int lock;               /* owned: while it is open, no other check of this code is at it */
};
void attempts_free(struct attempts *attempts);
#define ATTEMPTS_AUTO __attribute__((cleanup(attempts_free))) struct attempts

/* Right before anything is measured, with the device held, so that its clocks are what they will be,
 * and the code of all arms known: earlier replicates are put into
 * measurement->samples, and what is open counts as begun. Notes say what was found. */
MUST_CHECK int attempts_take_up(struct measurement *measurement, struct attempts *out,
                                struct err *err);
/* After each round of replicates before a first look; `measured`: the configs that had one. */
MUST_CHECK int attempts_save_round(struct measurement *measurement,
                                   const struct attempts *attempts, const bool *measured,
                                   struct err *err);
/* After each look, before it is told. */
MUST_CHECK int attempts_save(struct measurement *measurement, struct attempts *attempts,
                             struct err *err);
/* Afterwards: what was measured is kept, if there is a verdict (`judged`). */
MUST_CHECK int attempts_keep(struct measurement *measurement, struct attempts *attempts,
                             bool judged, struct err *err);

/* Those from before that time. */
MUST_CHECK int attempts_collect(struct db *db, long long before_s, struct err *err);

#endif
