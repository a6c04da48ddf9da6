/* SPDX-License-Identifier: Apache-2.0 */
/* What a run that was started by hand has chosen of its check (intake/choices.h). Private to
 * src/pipeline. */
#ifndef RATCHET_PIPELINE_CHOICES_H
#define RATCHET_PIPELINE_CHOICES_H

#include "pipeline/pipeline.h"

/* The run of Actions that a job came from, as its key says, which is the step's word: the second part, in
 * digits. False: there is none. */
enum { CHOICES_RUN_BYTES = 24 };
bool choices_run(const struct job *job, char run[CHOICES_RUN_BYTES]);

/* Any writer's workflow can send any choices: they are taken only if GitHub says that the job's run was
 * started by hand, by a person who may write. Else the job has none, `refused` says why, and all of
 * it is checked. -1 only where GitHub is in trouble, so that asking again may help. */
MUST_CHECK int choices_settle(struct pipeline *pipeline, struct err *err);

/* Of base's rules, which were read: leave out configs, shorten the time. ERR_INPUT where no config is
 * left. */
MUST_CHECK int choices_apply(struct measurement *measurement, struct err *err);

/* What was chosen of the check, in words; "": all of it. */
void choices_words(const struct choices *choices, char out[MODEL_TEXT_BYTES]);

#endif
