/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a verdict and its reason are set. Decides nothing. */
#include "judge/compare_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void add_reason(struct config_verdict *out, const char *format, ...)
{
    size_t used = strlen(out->reason);
    va_list args;
    va_start(args, format);
    vsnprintf(out->reason + used, sizeof out->reason - used, format, args);
    va_end(args);
}

void set_verdict(struct judged *judged, enum clause clause, enum verdict verdict,
                 enum fault fault)
{
    struct config_verdict *out = judged->out;
    out->clause = clause;
    out->verdict = verdict;
    out->fault = fault;
    if (verdict == VERDICT_UNMEASURED) {
        out->change = (struct change){0};
        out->wants_more = false;
    }
}

const struct estimate *deciding(const struct judged *judged)
{
    const struct config_log *log = judged->log;
    enum against against = judged->out->against;
    return against == AGAINST_ANCHOR ? &log->anchor
           : against == AGAINST_BASE ? &log->base
                                     : &log->stored;
}

bool budget_left(const struct judged *judged)
{
    const struct rule *rule = judged->rule;
    return rule->look_count > 0 &&
           config_samples_unmarked_now(judged->samples) < rule->looks[rule->look_count - 1];
}
