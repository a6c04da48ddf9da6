/* SPDX-License-Identifier: Apache-2.0 */
/* What every file of the bench reads from a request. */
#ifndef RATCHET_MEASURE_BENCH_REQUEST_H
#define RATCHET_MEASURE_BENCH_REQUEST_H

#include "base/proc.h"
#include "measure/bench.h"
#include "measure/device/device.h"

/* What is measured on. Borrows all of it. */
struct device_use bench_use(const struct bench_request *request,
                            const struct machine *machine);

/* What a harness may take. */
struct proc_limits bench_limits(const struct bench_request *request,
                                const struct device_kind *kind);

/* A problem as the words that `config` has for it (wire.h). Returns `out`. */
enum { BENCH_PROBLEM_BYTES = 128 };
const char *bench_problem(const struct problem *problem, char out[BENCH_PROBLEM_BYTES]);

/* The deadline is over: no further config begins. */
bool bench_is_late(const struct bench_request *request);

/* Tell whoever listens, with a line for people. */
void bench_say(const struct bench_request *request, struct bench_event event,
               const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
