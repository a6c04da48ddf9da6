/* SPDX-License-Identifier: Apache-2.0 */
/* How often the rule errs on a device: whole checks are drawn from a pool of recorded processes
 * and put through the shipped rule, look by look as the pipeline takes them. The processes of
 * one check are all different; different checks share them. Pure, and the same for the same
 * seed. */
#ifndef RATCHET_LAB_SIMULATE_H
#define RATCHET_LAB_SIMULATE_H

#include "base/err.h"
#include "lab/pool.h"
#include "model.h"

enum { SIMULATE_VERDICTS = VERDICT_REGRESSED + 1 };

/* What is true in a check, of every config alike. */
struct scenario {
    const char *what;
    double change;    /* of head against the anchor */
    int head, anchor; /* entries of the pool; a slowed one as the anchor makes head faster */
    int base;         /* entry, or -1: base runs the anchor's code */
};
enum { SCENARIOS = 16 };
extern const struct scenario scenarios[SCENARIOS]; /* [0]: nothing changed */

struct tally {
    size_t checks;
    size_t whole[SIMULATE_VERDICTS];   /* of checks */
    size_t configs[SIMULATE_VERDICTS]; /* of configs of checks */
    size_t replicates;                 /* processes that all checks took */
};

/* Checks that are run again until they are green. */
struct presses {
    size_t green[RUNS_MAX]; /* within so many runs */
    size_t called;          /* regressed or improved in any of them */
    size_t replicates;      /* processes that all took */
};
/* True changes of one config, the others unchanged; [0]: none. */
enum { PRESS_CHANGES = 3 };
extern const double press_changes[PRESS_CHANGES];

/* One config, one scenario. */
struct reading {
    double mean, sd; /* of the changes that single processes of the pool read */
    /* Of the checks with as many replicates as each look: whose 95% interval holds that mean. */
    size_t covered[RULE_LOOKS_MAX];
    size_t seen; /* checks with as many as the last look whose 95% interval leaves zero out */
};

struct figures {
    size_t processes;
    struct tally tallies[SCENARIOS];
    struct tally disjoint;           /* nothing changed, and no process in two checks */
    unsigned counts[RULE_LOOKS_MAX]; /* the rule's looks */
    unsigned count_count;
    size_t press_checks;
    struct presses anew[PRESS_CHANGES];    /* were every run new dice */
    struct presses pooled[PRESS_CHANGES];  /* as they are judged */
    size_t readings_checks;                /* behind each share of a reading */
    struct reading (*readings)[SCENARIOS]; /* owned; by config */
    /* Of a check's process that has three arms in a turn: from what the pool's took. */
    double replicate_seconds;
};
void figures_free(struct figures *figures);

/* `checks` of the first scenario, a fifth as many of the others. A pool that has fewer
 * processes than the rule's last look is ERR_INPUT. */
MUST_CHECK int simulate(const struct pool *pool, const struct rule *rule, size_t checks,
                        unsigned long long seed, struct figures *out, struct err *err);

/* The smallest positive true change that at least 95% of the checks at the last look saw, at
 * the config where fewest did, with all larger ones seen as well; 0: none. */
double figures_smallest(const struct figures *figures, size_t configs);

#endif
