/* SPDX-License-Identifier: Apache-2.0 */
/* Main's own last verdict, kept in the state folder: one file per repository and device. Where a
 * check has nothing to measure, it is quoted, so that a loss of main does not pass unsaid; and
 * the next promotion says since which commit a loss is there. */
#ifndef RATCHET_PIPELINE_MAIN_H
#define RATCHET_PIPELINE_MAIN_H

#include "pipeline/pipeline.h"

struct main_loss {
    char config[MODEL_NAME_BYTES];
    char since[MODEL_SHA_BYTES]; /* the first commit of main that was seen to have the loss */
};

struct main_verdict {
    char commit[MODEL_SHA_BYTES]; /* of main: what was measured */
    struct comparison comparison; /* owned */
    struct main_loss losses[MODEL_CONFIGS_MAX];
    size_t loss_count;
};
void main_verdict_free(struct main_verdict *verdict);

/* state/main/HASH-DEVICE.json, whole or not at all. `repository` as the host's configuration
 * spells it; the device is the comparison's. */
MUST_CHECK int main_verdict_keep(const struct host *host, const char *repository,
                                 const struct main_verdict *verdict, struct err *err);
/* None yet: *found is false. One that cannot be used, or is of another schema, is ERR_INPUT. */
MUST_CHECK int main_verdict_find(const struct host *host, const char *repository,
                                 const char *device, struct main_verdict *out, bool *found,
                                 struct err *err);

/* The last one kept for the pipeline's repository and device. False where there is none, or none
 * that can be used, which is said. */
bool main_verdict_load(const struct measurement *measurement, struct main_verdict *out);

/* After a promotion: keep what it says of main's tip, and note since when main has a loss. What
 * the host could not measure says nothing about main: the verdict before that stays. Trouble
 * with the file is said, and is no reason to fail. */
void main_verdict_after(struct measurement *measurement);

/* After a check: where nothing was measured because base has the same kernel, note what main's
 * own last verdict says of it. */
void main_verdict_quote(struct measurement *measurement);

#endif
