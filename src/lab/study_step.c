/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how one step of a study begins and ends. */
#include "lab/study_internal.h"

#include "base/line.h"
#include "base/scan.h"
#include "judge/samples.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

double study_left(const struct study_making *making)
{
    double left = making->study->asked.budget_s - study_seconds(making->study);
    return left > 0 ? left : 0;
}

int study_settle(struct study_making *making, struct study_step *step, enum study_state state,
                 struct err *err, const char *why, ...)
{
    step->state = state;
    step->why[0] = '\0';
    if (why != NULL) {
        va_list args;
        va_start(args, why);
        vsnprintf(step->why, sizeof step->why, why, args);
        va_end(args);
        scan_line(step->why); /* it may quote a program */
    }
    if (!making->options->quiet && step->why[0] != '\0')
        line_err("ratchet: study: %s: %s: %s", step->name, study_state_name(state), step->why);
    return study_save(making, err);
}

/* "study: 3 of 9: backends; at most 512 s left; 0.0123 USD so far" */
static void tell(const struct study_making *making, const struct study_step *step)
{
    const struct study *study = making->study;
    size_t place = (size_t)(step - study->steps) + 1;
    char cost[64] = "";
    if (making->options->quiet)
        return;
    if (study->price.currency[0] != '\0')
        snprintf(cost, sizeof cost, "; %.4f %s so far", study_cost(study) / 1e6,
                 study->price.currency);
    line_err("ratchet: study: %zu of %zu: %s; at most %.0f s left%s", place, study->step_count,
             step->name, study_left(making), cost);
}

struct study_step *study_next(struct study_making *making, enum study_phase phase)
{
    for (size_t i = 0; i < making->study->step_count; i++) {
        struct study_step *step = &making->study->steps[i];
        if (step->phase != phase || step->state != STUDY_OPEN)
            continue;
        making->step = step;
        step->command[0] = '\0';
        tell(making, step);
        return step;
    }
    return NULL;
}

int study_read_samples(const struct study_making *making, const char *name,
                       struct samples *out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, making->host->limits.samples_bytes);
    return study_path(making, path, err, "%s", name) != 0 || file_read(path, &text, err) != 0
               ? -1
               : samples_parse_all(text.data, text.len, path, &making->host->limits, out, err);
}

int study_stop(const struct study_making *making, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s: %.400s", making->step->name, study_said(making));
}

static void build_words(const struct study_making *making, const char *commit,
                        const char *shown, const char *output, struct study_words *words)
{
    study_add(words, "build");
    study_add_where(words, making);
    study_add(words, "--head");
    study_add_as(words, commit, shown);
    study_add(words, "--output");
    study_add_as(words, output, strrchr(output, '/') + 1);
    study_show(making->step, words);
}

void study_show_build(const struct study_making *making, const char *output)
{
    struct study_words words = {.count = 0};
    build_words(making, "HEAD", "HEAD", output, &words);
}

int study_build(struct study_making *making, const char *commit, const char *shown,
                const char *output, bool *built, struct err *err)
{
    struct study_words words = {.count = 0};
    int code;
    build_words(making, commit, shown, output, &words);
    if (study_child(making, &words, &code, err) != 0)
        return -1;
    /* EXIT_USAGE: the commit itself is at fault, as with a ci/ratchet.conf that cannot be read */
    if (code != EXIT_HELD && code != EXIT_UNMEASURED && code != EXIT_USAGE)
        return study_stop(making, err);
    *built = code == EXIT_HELD;
    return 0;
}
