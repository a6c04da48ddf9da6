/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of levels. */
#include "judge/levels.h"

/* α divided by a run's share; 1/0.8, and 1/0.1 for each that may follow. */
static const double parts[RUNS_MAX] = {1.25, 10, 10};

double levels_divisor(const struct rule *rule, unsigned run)
{
    double looks = rule->look_count > 0 ? rule->look_count : 1;
    return looks * parts[run < RUNS_MAX ? run : RUNS_MAX - 1];
}
