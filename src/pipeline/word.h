/* SPDX-License-Identifier: Apache-2.0 */
/* May the code of a fork run here? Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_WORD_H
#define RATCHET_PIPELINE_WORD_H

#include "pipeline/pipeline.h"

/* Of a pull request as GitHub tells it now. 0: somebody who may write let its head run, and job.approved_by
 * is that person. Else ERR_INPUT: not here, or not yet (then `awaits_word`); or GitHub is in trouble, so
 * that asking again may help. */
MUST_CHECK int word_ask(struct pipeline *pipeline, const struct github *github,
                        const struct github_pull *pull, struct err *err);

#endif
