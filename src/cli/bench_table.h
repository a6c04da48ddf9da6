/* SPDX-License-Identifier: Apache-2.0 */
/* What `ratchet bench` prints: one aligned row a config. */
#ifndef RATCHET_CLI_BENCH_TABLE_H
#define RATCHET_CLI_BENCH_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/table.h"
#include "model.h"

#include <stdbool.h>

/* Into `out`: medians with intervals, rates and their share of the device's peaks, memory,
 * processes, and the smallest change that they could have seen; with `compared`, the other
 * build's medians and the change as well. */
MUST_CHECK int bench_table(const struct samples *samples, const struct comparison *comparison,
                           const struct rule *rule, bool compared, struct buf *out,
                           struct err *err);

/* Whose fault, where no change is looked at but a kernel. */
const char *bench_fault(enum fault fault);

/* A cell: the interval of a median; what heads such a column, as it is the range of few processes. */
void bench_interval(struct table_row *row, struct interval ci);
const char *bench_interval_name(const struct samples *samples, const struct rule *rule);

/* A cell: how many processes, and how many of them were marked, as what. */
void bench_processes(struct table_row *row, const struct config_samples *config);

/* One line on stdout: a config set against config `name`. */
void bench_print_against(const struct config_verdict *verdict, const char *name);

#endif
