/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about where a job is measured, and env.json, which keeps them. Those of samples and
 * those of env.json are the same. */
#ifndef RATCHET_PIPELINE_ENVIRONMENT_H
#define RATCHET_PIPELINE_ENVIRONMENT_H

#include "judge/environment.h"
#include "pipeline/measurement.h"

/* The device and the facts that a measurement of this job would begin with, in place of
 * measurement->samples. Nothing is run and no device held: clocks that the host's configuration
 * wants locked are told as locked. */
MUST_CHECK int environment_look(struct measurement *measurement, struct err *err);

/* Add how libraries are made here: the compilers, and the recipe of `source` unless NULL. */
MUST_CHECK int environment_add_build(struct measurement *measurement,
                                     const struct kernel_source *source, struct err *err);

/* Where a job that is over has no facts, because nothing was measured, ask for them now, as far as they
 * can be had: of a device that does not answer, `device_problem` says why. */
void environment_complete(struct measurement *measurement);

/* env.json of these facts, its hash made. */
MUST_CHECK int environment_write(const struct device *device,
                                 const struct environment *environment, struct buf *out,
                                 struct err *err);
/* The same read. A hash that is not that of its facts is ERR_INPUT. */
MUST_CHECK int environment_read(const char *bytes, size_t len, const char *name,
                                struct environment_file *out, struct err *err);

#endif
