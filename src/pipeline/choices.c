/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whose choices are taken, and what they leave of a check. */
#include "pipeline/choices.h"

#include "intake/choices.h"

#include <stdio.h>
#include <string.h>

/* ---- whose ---- */

bool choices_run(const struct job *job, char run[CHOICES_RUN_BYTES])
{
    const char *at = strchr(job->key, '/');
    size_t len = at == NULL ? 0 : strspn(at + 1, "0123456789");
    if (len == 0 || len >= CHOICES_RUN_BYTES || at[1 + len] != '/')
        return false;
    memcpy(run, at + 1, len);
    run[len] = '\0';
    return true;
}

static void refuse(struct measurement *measurement, const char *why)
{
    struct choices *choices = &measurement->job.choices;
    *choices = (struct choices){0};
    snprintf(choices->refused, sizeof choices->refused, "%.*s",
             (int)sizeof choices->refused - 1, why);
    measurement_say(measurement, "what was chosen is not taken, all is checked: %s",
                    choices->refused);
}

int choices_settle(struct pipeline *pipeline, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    struct github_trouble *trouble = &pipeline->origin.trouble;
    struct err problem = {0};
    char run[CHOICES_RUN_BYTES], login[GITHUB_LOGIN_BYTES];
    bool may_write = false;
    if (!choices_any(&measurement->job.choices))
        return 0;
    if (!choices_run(&measurement->job, run)) {
        refuse(measurement, "the job names no run of Actions");
        return 0;
    }
    if (github_who_started(&pipeline->origin.github, run, login, &may_write, &problem) != 0) {
        if (github_may_pass(trouble, problem.class)) {
            *err = problem;
            return -1;
        }
        *trouble = (struct github_trouble){0};
        refuse(measurement, problem.text);
    } else if (!may_write) {
        err_set(&problem, ERR_INPUT, "%s may not write to %s", login,
                measurement->job.repository);
        refuse(measurement, problem.text);
    }
    return 0;
}

/* ---- what is left ---- */

static void leave_out_configs(struct measurement *measurement, const struct choices *choices)
{
    struct ratchet_config *config = &measurement->config;
    struct baseline *baseline = &measurement->baseline;
    size_t kept = 0;
    for (size_t i = 0; i < config->config_count; i++)
        if (choices_have(choices, config->configs[i].name))
            config->configs[kept++] = config->configs[i];
    config->config_count = kept;
    kept = 0;
    for (size_t i = 0; i < baseline->count; i++) {
        if (choices_have(choices, baseline->configs[i].config.name))
            baseline->configs[kept++] = baseline->configs[i];
        else
            baseline_config_free(&baseline->configs[i]);
    }
    baseline->count = kept;
}

int choices_apply(struct measurement *measurement, struct err *err)
{
    const struct choices *choices = &measurement->job.choices;
    double *budget_ns = &measurement->config.bench.budget_ns, ns = choices->budget_s * 1e9;
    if (choices->refused[0] != '\0')
        measurement_note(measurement,
                         "What was chosen for this run is not taken, all was checked: %s.",
                         choices->refused);
    if (ns > 0 && (*budget_ns <= 0 || ns < *budget_ns))
        *budget_ns = ns;
    leave_out_configs(measurement, choices);
    return measurement->config.config_count > 0
               ? 0
               : err_set(err, ERR_INPUT,
                         "no config of base's " CONFIG_PATH " is called `%s`: they were "
                         "chosen by whoever started this run",
                         choices->configs);
}

void choices_words(const struct choices *choices, char out[MODEL_TEXT_BYTES])
{
    char time[40] = "";
    bool configs = choices->configs[0] != '\0';
    if (choices->budget_s > 0)
        snprintf(time, sizeof time, "at most %u s", choices->budget_s);
    snprintf(out, MODEL_TEXT_BYTES, "%s%s%s%s", configs ? "configs " : "", choices->configs,
             configs && time[0] != '\0' ? ", " : "", time);
}
