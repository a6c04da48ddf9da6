/* SPDX-License-Identifier: Apache-2.0 */
/* Whole checks on drawn replicates, through the shipped rule, look by look as the pipeline
 * takes them. */
#ifndef RATCHET_TESTS_BENCH_CHECK_H
#define RATCHET_TESTS_BENCH_CHECK_H

#include "base/err.h"
#include "bench/trace.h"
#include "model.h"

enum { CHECK_CONFIGS = 5, CHECK_SAMPLES = 100 };

/* What is true in a check. Every config draws from the same trace, each on its own. */
struct truth {
    size_t configs;
    double first, rest; /* change of head against the anchor: of config 0, of the others */
    double base;        /* change of base against the anchor, where there is one */
    bool with_base;
    enum disturbance disturbance;
};

struct outcome {
    enum verdict whole;
    enum verdict configs[CHECK_CONFIGS];
    struct change change; /* of config 0 */
    size_t replicates;    /* of config 0 */
};

/* Looks of `rule` beyond `most` replicates are not taken; α is split as if they were. */
MUST_CHECK int check_run(const struct trace *trace, const struct truth *truth,
                         const struct rule *rule, size_t most, struct random *random,
                         struct outcome *out, struct err *err);

#endif
