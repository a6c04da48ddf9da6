/* SPDX-License-Identifier: Apache-2.0 */
/* What bench*.c share: one call of bench_replicate, and faults written down. */
#ifndef RATCHET_MEASURE_BENCH_INTERNAL_H
#define RATCHET_MEASURE_BENCH_INTERNAL_H

#include "measure/bench_request.h"
#include "measure/process.h"

/* One config of a round. */
struct pending {
    bool wanted;                    /* still to be measured */
    bool begun;                     /* in a process; else the deadline came before */
    struct trouble seen[ARM_COUNT]; /* of arms that fail alone, too */
};

/* One call of bench_replicate. */
struct round {
    const struct bench_request *request;
    const struct machine *machine;
    struct samples *samples;
    struct pending *pending; /* owned, one per config */
};

/* Is this request one that can be measured? *kind is the row of its device. */
MUST_CHECK int bench_check(const struct bench_request *request,
                           const struct device_kind **kind, struct err *err);

/* The config cannot be measured. */
void bench_fail(struct config_samples *config, enum fault fault, enum clause clause,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Its anchor cannot run: the stored samples decide. */
void bench_fail_anchor(struct config_samples *config, const char *text);
/* Whose fault it is when head cannot do something: in a promotion head is main. */
enum fault bench_fault_of_head(const struct bench_request *request);

/* Does this arm take part in the config's next process? */
bool bench_takes_part(const struct round *round, size_t i, enum arm arm);

/* A config that had trouble in a process: it goes on without another arm, which may have been the
 * cause of the rest, or without its anchor, or gets a fault. Arms may be run alone to find out. */
MUST_CHECK int bench_settle(struct round *round, size_t i, struct process_config *ran,
                            struct err *err);

#endif
