/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words of suggestions.md. Every figure is of samples.json or of autotune.jsonl, and no word
 * claims more than an interval holds. */
#include "lab/autotune.h"

#include "judge/medians.h"
#include "judge/num.h"
#include "judge/stats.h"

#include <stdlib.h>

static void add_percent(struct buf *out, const struct change *change)
{
    if (!change->known)
        buf_adds(out, "not known");
    else
        buf_addf(out, "%+.2f%% [%+.2f%%, %+.2f%%]", 100 * change->change,
                 100 * change->ci_decision.low, 100 * change->ci_decision.high);
}

/* Values of a candidate that differ from today's, as code. */
static void add_words(struct buf *out, const struct autotune *tune, size_t trial)
{
    BUF_AUTO words;
    buf_init(&words, 4096);
    tune_words(&tune->config.tune, &tune->sources, &tune->trials[trial].candidate, &words);
    buf_addf(out, "`%s`", words.data);
}

/* ---- what was found ---- */

const struct finalist *autotune_best(const struct autotune *tune)
{
    const struct finalist *best = NULL;
    for (size_t i = 0; i < tune->finalist_count; i++)
        if (tune->finalists[i].better &&
            (best == NULL || tune->finalists[i].mean.change < best->mean.change))
            best = &tune->finalists[i];
    return best;
}

static const struct finalist *best_for(const struct autotune *tune, size_t config)
{
    const struct finalist *best = NULL;
    for (size_t i = 0; i < tune->finalist_count; i++)
        if (tune->finalists[i].configs[config].known &&
            tune->finalists[i].configs[config].ci_decision.high < 0 &&
            (best == NULL ||
             tune->finalists[i].configs[config].change < best->configs[config].change))
            best = &tune->finalists[i];
    return best;
}

/* The median over fresh processes of their medians, ns; 0: none. */
static int todays_median(const struct config_samples *config, double *out, struct interval *ci,
                         struct err *err)
{
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    *out = 0;
    *ci = (struct interval){0, 0};
    if (medians_of(config, &medians, err) != 0)
        return -1;
    double *column = calloc(medians.count + 1, sizeof *column);
    if (column == NULL)
        return err_set(err, ERR_HOST, "out of memory for a median");
    size_t count = medians_column(&medians, ARM_HEAD, ARM_HEAD, column);
    if (count > 0) {
        *out = stats_median(column, count);
        *ci = stats_median_interval(column, count, rule_default().confidence);
    }
    free(column);
    return 0;
}

static int add_config(const struct autotune *tune, size_t c, struct buf *out, struct err *err)
{
    const struct finalist *best = best_for(tune, c);
    double today;
    struct interval ci;
    if (todays_median(&tune->samples.configs[c], &today, &ci, err) != 0)
        return -1;
    buf_addf(out, "| %s | ", tune->config.configs[c].name);
    if (today > 0)
        buf_addf(out, "%.2f [%.2f, %.2f] | ", today / 1000, ci.low / 1000, ci.high / 1000);
    else
        buf_adds(out, "not known | ");
    if (best == NULL)
        buf_adds(out, "none is shown to be faster here | |");
    else {
        add_percent(out, &best->configs[c]);
        buf_addf(out, " | %zu: ", best->trial + 1);
        add_words(out, tune, best->trial);
        buf_adds(out, " |");
    }
    const struct config_samples *samples = &tune->samples.configs[c];
    size_t unmarked = config_samples_unmarked(samples);
    buf_addf(out, " %zu", unmarked);
    if (samples->count > unmarked)
        buf_addf(out, " (%zu left out)", samples->count - unmarked);
    buf_adds(out, " |\n");
    return 0;
}

static int add_configs(const struct autotune *tune, struct buf *out, struct err *err)
{
    buf_adds(
        out,
        "\n## Each config\n\nToday's is the median over these processes of their medians, "
        "with its 95% interval; of fewer than six, their range.\n\n| config | today, µs | the "
        "best against it | candidate | processes |\n"
        "|---|---|---|---|---|\n");
    for (size_t c = 0; c < tune->samples.count; c++)
        if (add_config(tune, c, out, err) != 0)
            return -1;
    return 0;
}

static void add_verdict(const struct autotune *tune, struct buf *out)
{
    const struct finalist *best = autotune_best(tune);
    if (best == NULL) {
        buf_adds(out, "**Nothing better than today's values was found.**");
        buf_adds(out, tune->finalist_count == 0
                          ? tune->count == 0
                                ? " There is no other combination of values that the"
                                  " constraints allow.\n"
                                : " No candidate could be measured beside today's kernel.\n"
                          : " A candidate is better where its interval over all configs lies "
                            "wholly below 0"
                            " and that of no config wholly above: none is.\n");
        return;
    }
    buf_addf(out, "**Candidate %zu is faster than today's kernel: ", best->trial + 1);
    add_percent(out, &best->mean);
    buf_addf(out, "**, geometric mean over %zu config%s.\n\n", tune->config.config_count,
             tune->config.config_count == 1 ? "" : "s");
    add_words(out, tune, best->trial);
    buf_adds(out, "\n\n");
    for (size_t c = 0; c < tune->samples.count; c++) {
        buf_addf(out, "- %s: ", tune->config.configs[c].name);
        add_percent(out, &best->configs[c]);
        buf_addc(out, '\n');
    }
    buf_adds(
        out,
        "\n`suggestions.patch` makes this change, at the top of the repository: `git apply "
        "FOLDER/suggestions.patch`.\n");
}

static void add_finalists(const struct autotune *tune, struct buf *out)
{
    buf_addf(
        out,
        "\n## The last comparison\n\n%zu candidate%s and today's kernel ran in the same fresh "
        "processes (`%s`). All %zu intervals of candidates, here and above, are to hold "
        "together at %.4g%%: each is one of %.4g%% over processes. Over all configs it is of "
        "the processes that were undisturbed at every one; where those are fewer than %u, it "
        "is made of the configs' own.\n\n| candidate | over all configs | values |\n"
        "|---|---|---|\n",
        tune->finalist_count, tune->finalist_count == 1 ? "" : "s", AUTOTUNE_SAMPLES,
        tune->comparisons, 100 * tune->config.rule.confidence,
        100 * (1 - (1 - tune->config.rule.confidence) / (double)tune->comparisons),
        tune->config.rule.min_replicates);
    for (size_t i = 0; i < tune->finalist_count; i++) {
        const struct finalist *finalist = &tune->finalists[i];
        buf_addf(out, "| %zu | ", finalist->trial + 1);
        add_percent(out, &finalist->mean);
        buf_adds(out, " | ");
        add_words(out, tune, finalist->trial);
        buf_adds(out, " |\n");
    }
}

void autotune_spent(const struct autotune *tune, struct buf *out)
{
    const struct price *price = &tune->measurement->device->price;
    buf_addf(out, "%.0f s of the device", tune->held_s);
    if (price->currency[0] != '\0')
        buf_addf(out, ", %.4f %s", price_micro_of(price, tune->held_s) / 1e6, price->currency);
}

/* ---- what was tried ---- */

static void add_tried(const struct autotune *tune, struct buf *out)
{
    buf_adds(out,
             "\n## What was tried\n\nEstimates by which candidates were left out, from few "
             "processes, disturbed ones too where there were no others: they decide nothing "
             "else.\n\n| candidate | rounds | estimate, all "
             "configs | values |\n|---|---|---|---|\n");
    for (size_t i = 0; i < tune->count; i++) {
        const struct trial *trial = &tune->trials[i];
        if (trial->rounds == 0 || trial->rejected[0] != '\0')
            continue;
        buf_addf(out, "| %zu | %u | %+.2f%% | ", i + 1, trial->rounds,
                 100 * (num_exp(trial->mean) - 1));
        add_words(out, tune, i);
        buf_adds(out, " |\n");
    }
}

static size_t count_rejected(const struct autotune *tune)
{
    size_t count = 0;
    for (size_t i = 0; i < tune->count; i++)
        count += tune->trials[i].rejected[0] != '\0';
    return count;
}

static void add_rejected(const struct autotune *tune, struct buf *out)
{
    if (count_rejected(tune) == 0)
        return;
    buf_adds(out, "\n## Rejected\n\n| candidate | values | why |\n|---|---|---|\n");
    for (size_t i = 0; i < tune->count; i++) {
        if (tune->trials[i].rejected[0] == '\0')
            continue;
        buf_addf(out, "| %zu | ", i + 1);
        add_words(out, tune, i);
        buf_adds(out, " | ");
        for (const char *at = tune->trials[i].rejected; *at != '\0'; at++)
            if (*at == '|' || *at == '`' || *at == '<' || *at == '*' || *at == '_')
                buf_addf(out, "\\%c", *at);
            else
                buf_addc(out, *at);
        buf_adds(out, " |\n");
    }
}

static void put_forbidden(const struct tune_forbidden *forbidden, size_t total,
                          struct buf *out)
{
    buf_addf(out, "- `%s` forbids %zu of %zu combinations", forbidden->constraint,
             forbidden->count, total);
    if (forbidden->count > 0)
        buf_addf(out, ": %s%s", forbidden->names.data,
                 forbidden->count > TUNE_FORBIDDEN_SHOWN ? "; …" : "");
    buf_addc(out, '\n');
    buf_note_loss(out, &forbidden->names);
}

static int add_forbidden(const struct autotune *tune, struct buf *out, struct err *err)
{
    struct tune_forbidden forbidden[TUNE_CONSTRAINTS_MAX] = {{.constraint = NULL}};
    const struct tune_space *space = &tune->config.tune;
    size_t total;
    int result = tune_forbidden(space, forbidden, &total, err);
    if (result == 0 && space->constraint_count > 0)
        buf_adds(out, "\n## What the constraints forbid\n\nA combination counts for the first"
                      " constraint that forbids it.\n\n");
    for (size_t i = 0; i < space->constraint_count; i++) {
        if (result == 0)
            put_forbidden(&forbidden[i], total, out);
        buf_free(&forbidden[i].names);
    }
    return result;
}

int autotune_report(const struct autotune *tune, struct buf *out, struct err *err)
{
    const struct job *job = &tune->measurement->job;
    buf_addf(out, "# Suggestions for %s at %.10s\n\n", job->device, job->head);
    add_verdict(tune, out);
    if (tune->finalist_count > 0) {
        if (add_configs(tune, out, err) != 0)
            return -1;
        add_finalists(tune, out);
    }
    add_tried(tune, out);
    add_rejected(tune, out);
    if (add_forbidden(tune, out, err) != 0)
        return -1;
    buf_addf(out, "\n%zu combination%s of values besides today's: %zu rejected", tune->count,
             tune->count == 1 ? "" : "s", count_rejected(tune));
    if (tune->untried > 0)
        buf_addf(out, ", %zu not tried for want of time", tune->untried);
    if (tune->cut_off > 0)
        buf_addf(out, ", %zu of the better ones not measured once more for the same reason",
                 tune->cut_off);
    buf_adds(out, ". It took ");
    autotune_spent(tune, out);
    buf_adds(out, ". Percentages are changes of time: below 0 is faster.\n");
    return buf_check(out, "suggestions.md", err);
}
