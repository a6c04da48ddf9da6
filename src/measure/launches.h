/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels arms launch for a config, and how: asked of a harness process of its own that times
 * nothing. What it says is a stranger's word, and decides nothing. */
#ifndef RATCHET_MEASURE_LAUNCHES_H
#define RATCHET_MEASURE_LAUNCHES_H

#include "measure/bench.h"
#include "measure/lines.h"

/* One line `launched`, as a kernel of which only the launch is known; the same kernel once more is
 * counted. Beyond WIRE_LAUNCHED_MAX, or without memory, nothing is added. */
void launches_add(struct code_listing *launches, const struct line *line);

/* For the wanted configs of a request, the kernels that each of its arms launches: out[i][arm], owned
 * by the caller, who zeroed them. Those of a config that something went wrong with stay empty. Only
 * the host's own trouble is an error. */
MUST_CHECK int launches_look(const struct bench_request *request, const bool *want,
                             struct code_listing (*out)[ARM_COUNT], struct err *err);

#endif
