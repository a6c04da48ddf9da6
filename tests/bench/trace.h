/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded traces, and replicates drawn from them. A trace is one config of a samples.json:
 * each of its replicates is one process, all of its arms the same binary. What is changed
 * about the draw (a slower arm, a disturbance) is said in struct draw; nothing is judged. */
#ifndef RATCHET_TESTS_BENCH_TRACE_H
#define RATCHET_TESTS_BENCH_TRACE_H

#include "base/err.h"
#include "judge/random.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

struct trace {
    const struct device *device;
    const struct config_samples *config;
    size_t arms;              /* series recorded in each process, 1 to ARM_COUNT */
    size_t shortest;          /* samples of the shortest series */
    double replicate_seconds; /* GPU time of one replicate */
};

enum { TRACES_MAX = 32 };
struct traces {
    struct samples *files; /* owned */
    size_t file_count;
    struct trace items[TRACES_MAX]; /* in the order of the files' names */
    size_t count;
};
/* Every *.json of the folder. Marked processes are thrown away: what the harness would
 * not have judged is no noise of the device. The environment may say how many
 * `replicate_seconds` of GPU time one replicate takes. */
MUST_CHECK int traces_load(const char *folder, struct traces *out, struct err *err);
void traces_free(struct traces *traces);

/* What happens to the machine while nothing changes in the kernel. */
enum disturbance {
    CALM,
    BURSTS,       /* in half of the processes another one bursts: stretches of samples of
                   * all arms take 1.2 to 1.5 times as long */
    STARVED,      /* in half of the processes the host cannot fill the queue: each sample
                   * may take 27 µs more, whoever's it is */
    DRIFT,        /* the clock moves by 2% in the middle of a check, in the middle of one
                   * process, for all arms; up or down */
    OUTLIER,      /* in one process of the check one arm alone is 10% slower or faster */
    DISTURBANCES
};
extern const char *const disturbance_words[DISTURBANCES];

struct draw {
    size_t samples;          /* of each arm */
    double head, base;       /* true change of these arms against the anchor */
    bool with_base;
    enum disturbance disturbance;
    size_t middle;           /* the replicate that DRIFT and OUTLIER fall on */
    double sign;             /* which way they go: +1 or −1 */
};

/* Append one replicate to `out`: a process at random, its arms dealt to head, anchor, base
 * and control at random, a stretch of consecutive samples from a random place.
 *
 * Two recorded arms are head and anchor; base, where it is wanted, is every other sample
 * of the anchor's arm, which then gives as many from twice the stretch. No control is
 * made up: only the third or fourth recorded arm is one. */
MUST_CHECK int trace_draw(const struct trace *trace, const struct draw *draw,
                          struct random *random, struct config_samples *out);

/* `count` consecutive samples, at most trace->shortest, of one arm of one process: what a
 * tool sees that starts a process per side. */
void trace_single(const struct trace *trace, size_t process, size_t arm, size_t count,
                  double factor, struct random *random, double *out);

/* Uniform in [0, bound), in [0, 1). */
size_t draw_below(struct random *random, size_t bound);
double draw_unit(struct random *random);

#endif
