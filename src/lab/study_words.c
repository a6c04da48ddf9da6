/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the writing of a study's numbers. */
#include "lab/study_words.h"

#include "publish/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *study_times_text(char out[STUDY_WORDS_BYTES], double speedup)
{
    if (!isfinite(speedup))
        snprintf(out, STUDY_WORDS_BYTES, "not known");
    else
        snprintf(out, STUDY_WORDS_BYTES, speedup < 100 ? "%.3f×" : "%.4g×", speedup);
    return out;
}

const char *study_speedup_text(char out[STUDY_WORDS_BYTES], const struct change *change,
                               struct interval interval)
{
    char value[STUDY_WORDS_BYTES], low[STUDY_WORDS_BYTES], high[STUDY_WORDS_BYTES];
    if (!change->known)
        snprintf(out, STUDY_WORDS_BYTES, "not known");
    else
        snprintf(out, STUDY_WORDS_BYTES, "%.40s [%.40s, %.40s]",
                 study_times_text(value, 1 + change->change),
                 study_times_text(low, 1 + interval.low),
                 study_times_text(high, 1 + interval.high));
    return out;
}

const char *study_duration_text(char out[STUDY_WORDS_BYTES], double seconds)
{
    if (seconds < 9.95)
        snprintf(out, STUDY_WORDS_BYTES, "%.1f s", seconds);
    else if (seconds < 99.5)
        snprintf(out, STUDY_WORDS_BYTES, "%.0f s", seconds);
    else if (seconds < 5999.5)
        snprintf(out, STUDY_WORDS_BYTES, "%.0f min %.0f s", floor(round(seconds) / 60),
                 fmod(round(seconds), 60));
    else
        snprintf(out, STUDY_WORDS_BYTES, "%.0f h %.0f min", floor(round(seconds / 60) / 60),
                 fmod(round(seconds / 60), 60));
    return out;
}

const char *study_spent_text(char out[STUDY_WORDS_BYTES], const struct study *study,
                             double seconds)
{
    char time[STUDY_WORDS_BYTES];
    double per_hour = (double)study->price.micro / 1e6;
    study_duration_text(time, seconds);
    if (study->price.currency[0] == '\0')
        snprintf(out, STUDY_WORDS_BYTES, "%.60s", time);
    else
        snprintf(out, STUDY_WORDS_BYTES, "%.60s, %.3g %s at %.6g %s an hour", time,
                 price_micro_of(&study->price, seconds) / 1e6, study->price.currency, per_hour,
                 study->price.currency);
    return out;
}

const char *study_change_text(char out[STUDY_WORDS_BYTES], const struct change *change,
                              struct interval interval)
{
    struct change shown = *change;
    char text[FIGURE_BYTES];
    shown.ci = interval;
    snprintf(out, STUDY_WORDS_BYTES, "%s", figure_change(text, &shown));
    return out;
}

const char *study_confidence_text(char out[STUDY_WORDS_BYTES], double confidence)
{
    snprintf(out, STUDY_WORDS_BYTES, "%.4g%%", 100 * confidence);
    return out;
}

const char *study_count_text(char out[STUDY_WORDS_BYTES], size_t count, const char *what)
{
    snprintf(out, STUDY_WORDS_BYTES, "%zu %s%s", count, what, count == 1 ? "" : "s");
    return out;
}

const char *study_step_text(char out[STUDY_WORDS_BYTES], const struct study_step *step)
{
    const char *phase = study_phase_name(step->phase);
    bool same = strcmp(phase, step->name) == 0;
    snprintf(out, STUDY_WORDS_BYTES, "%s%s%s", phase, same ? "" : ": ",
             same ? "" : step->name);
    return out;
}

/* By which part of study_judge's rule a proposal was left. */
static const char *why_left(const struct study_judged *judged, const struct rule *rule)
{
    return !judged->mean.known || judged->replicates < rule->min_replicates
               ? "too few processes ran it"
           : judged->mean.ci_decision.low > 0 ? "it is slower"
           : judged->mean.ci_decision.high >= 0
               ? "it is not shown to be faster"
               : "it is slower at a shape, or not known there";
}

const char *study_fate_text(char out[STUDY_FATE_BYTES], const struct study_files *files,
                            const struct study_step *step)
{
    const char *why = step->why;
    if (why[0] == '\0' && step->proposal && !step->kept)
        why = why_left(&files->judged[step - files->study.steps], &files->rule);
    const char *fate = step->kept                     ? "kept"
                       : step->state == STUDY_FAILED  ? "failed"
                       : step->state == STUDY_SKIPPED ? "not tried"
                       : step->state == STUDY_OPEN    ? "not done yet"
                                                      : "not kept";
    snprintf(out, STUDY_FATE_BYTES, "%s%s%s", fate, why[0] == '\0' ? "" : ": ", why);
    return out;
}

const char *study_sample_text(char out[STUDY_WORDS_BYTES], const struct samples *samples)
{
    const char *target = environment_get(&samples->environment, "sample_target");
    if (target == NULL)
        snprintf(out, STUDY_WORDS_BYTES, "each the mean of many launches");
    else
        snprintf(out, STUDY_WORDS_BYTES,
                 "each the mean of as many launches as take %.32s together", target);
    return out;
}
