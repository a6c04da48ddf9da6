/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the paragraph for a paper: its words, and the way from each number to the samples. */
#include "lab/study_paper.h"

#include "judge/text.h"
#include "lab/study_words.h"

#include <stdio.h>
#include <string.h>

enum { NUMBERS_BYTES = 1 << 16, KEY_BYTES = 128, FACT_BYTES = 64 };

#define SUMMARY "summary.json"

void study_paper_free(struct study_paper *paper)
{
    buf_free(&paper->text);
    buf_free(&paper->numbers);
}

/* `value` is JSON. */
static void trace(struct study_paper *paper, const char *text, const char *file,
                  const char *key, const char *value)
{
    struct buf *out = &paper->numbers;
    buf_addf(out, "%s    {\"text\": ", out->len == 0 ? "" : ",\n");
    text_string(out, text);
    buf_addf(out, ", \"file\": \"%s\", \"key\": \"%s\", \"value\": %s}", file, key, value);
}

static void put(struct study_paper *paper, const char *text, const char *file, const char *key,
                double number)
{
    BUF_AUTO value;
    buf_init(&value, 64);
    text_number(&value, number);
    buf_adds(&paper->text, text);
    trace(paper, text, file, key, value.data);
}

static void put_count(struct study_paper *paper, const char *key, size_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", count);
    put(paper, text, SUMMARY, key, (double)count);
}

static void put_percent(struct study_paper *paper, const char *key, double share)
{
    char text[32];
    snprintf(text, sizeof text, "%.4g%%", 100 * share);
    put(paper, text, SUMMARY, key, share);
}

/* "1.234 (95% interval 1.220 to 1.250)", `key` the speed-up's own. */
static void put_speedup(struct study_paper *paper, const char *key,
                        const struct change *change, const struct interval *interval,
                        const char *which)
{
    const double numbers[] = {change->change, interval->low, interval->high};
    const char *const before[] = {"", " (", " to "};
    for (size_t i = 0; i < 3; i++) {
        char text[32], full[KEY_BYTES];
        if (i == 0)
            snprintf(full, sizeof full, "%s.value", key);
        else
            snprintf(full, sizeof full, "%s.%s[%zu]", key, which, i - 1);
        snprintf(text, sizeof text, "%.3f", 1 + numbers[i]);
        buf_adds(&paper->text, before[i]);
        put(paper, text, SUMMARY, full, 1 + numbers[i]);
    }
    buf_addc(&paper->text, ')');
}

static void put_fact(struct study_paper *paper, const struct study_result *result,
                     const char *before, const char *name)
{
    BUF_AUTO value;
    char key[KEY_BYTES];
    const char *text = environment_get(&result->files->environment.environment, name);
    buf_init(&value, 4096);
    if (text == NULL || strlen(text) > FACT_BYTES)
        return;
    snprintf(key, sizeof key, "environment.%s", name);
    text_string(&value, text);
    buf_addf(&paper->text, "%s%s", before, text);
    trace(paper, text, "env.json", key, value.data);
}

/* ---- the sentences ---- */

static void tell_how(struct study_paper *paper, const struct study_result *result)
{
    struct buf *text = &paper->text;
    buf_addf(text, "We timed the forward pass of an attention kernel on %.127s",
             study_result_samples(result)->device.name);
    put_fact(paper, result, ", driver ", "driver");
    put_fact(paper, result, ", CUDA ", "cuda");
    buf_adds(text, ", at ");
    put_count(paper, "measured_configs", result->row_measured);
    buf_adds(text,
             result->row_measured == 1 ? " shape in at least " : " shapes, each in at least ");
    put_count(paper, "processes", result->processes);
    buf_adds(text, " fresh processes. A time is device time of one launch, and the median of a"
                   " process counts once.");
}

/* The config with the least speed-up or the greatest; row_count: none is known. */
static size_t extreme(const struct study_result *result, bool greatest)
{
    size_t found = result->row_count;
    for (size_t i = 0; i < result->row_count; i++) {
        const struct change *change = &result->rows[i].speedup;
        if (change->known &&
            (found == result->row_count ||
             (greatest ? change->change > result->rows[found].speedup.change
                       : change->change < result->rows[found].speedup.change)))
            found = i;
    }
    return found;
}

static void tell_extreme(struct study_paper *paper, const struct study_result *result,
                         size_t i)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "configs[%zu].speedup", i);
    put_speedup(paper, key, &result->rows[i].speedup, &result->rows[i].speedup.ci, "ci");
    buf_addf(&paper->text, " at %s", result->rows[i].samples->config.name);
}

static void tell_speedup(struct study_paper *paper, const struct study_result *result)
{
    struct buf *text = &paper->text;
    size_t least = extreme(result, false), most = extreme(result, true);
    if (!result->speedup.known)
        return;
    buf_adds(text, " Both kernels ran in the same processes, in turns of random order; over ");
    put_count(paper, "speedup_configs", result->speedup_configs);
    buf_addf(text,
             " shape%s, the time of the first kernel over that of the best is, as geometric"
             " mean, ",
             result->speedup_configs == 1 ? "" : "s");
    put_speedup(paper, "speedup", &result->speedup, &result->speedup.ci_decision,
                "ci_decision");
    buf_adds(text, ", in brackets the ");
    put_percent(paper, "rule.confidence", result->files->rule.confidence);
    buf_adds(text,
             " interval over processes, each end the farther of a bootstrap's and of Student's"
             " t, corrected for ");
    put_count(paper, "rule.looks", result->files->rule.look_count);
    buf_addf(text, " look%s at which measuring could have stopped.",
             result->files->rule.look_count == 1 ? "" : "s");
    if (result->speedup_configs < result->row_count)
        buf_adds(text, " At the other shapes of the study it is not known.");
    if (least == most)
        return;
    buf_adds(text, " Of single shapes it lies between ");
    tell_extreme(paper, result, least);
    buf_adds(text, " and ");
    tell_extreme(paper, result, most);
    buf_adds(text, ", each with its own uncorrected interval.");
}

static void tell_proposals(struct study_paper *paper, const struct study_result *result)
{
    struct buf *text = &paper->text;
    size_t corrected = result->files->study.asked.proposals;
    if (result->measured == 0)
        return;
    buf_adds(text, " Of ");
    put_count(paper, "proposals.listed", result->proposed);
    buf_addf(text, " proposal%s ", result->proposed == 1 ? "" : "s");
    put_count(paper, "proposals.measured", result->measured);
    buf_addf(text, " %s measured and ", result->measured == 1 ? "was" : "were");
    put_count(paper, "proposals.kept", result->kept);
    buf_adds(
        text,
        " kept: one is kept where the interval of its mean change in time, corrected for ");
    put_count(paper, "proposals.corrected_for", corrected);
    buf_addf(text, " proposal%s, lies wholly below zero and no shape is slower.",
             corrected == 1 ? "" : "s");
}

int study_paper_of(const struct study_result *result, struct study_paper *out, struct err *err)
{
    struct study_paper paper;
    BUF_AUTO list;
    buf_init(&paper.text, STUDY_PAPER_BYTES);
    buf_init(&paper.numbers, NUMBERS_BYTES);
    buf_init(&list, NUMBERS_BYTES + 256);
    if (result->row_measured > 0) {
        tell_how(&paper, result);
        tell_speedup(&paper, result);
        tell_proposals(&paper, result);
    }
    buf_addf(&list,
             "{\n  \"schema\": \"" STUDY_NUMBERS_SCHEMA "\",\n  \"numbers\": [%s%s%s]\n}\n",
             paper.numbers.len == 0 ? "" : "\n", paper.numbers.data,
             paper.numbers.len == 0 ? "" : "\n  ");
    if (buf_check(&paper.text, "a paragraph", err) != 0 ||
        buf_check(&paper.numbers, "numbers.json", err) != 0 ||
        buf_check(&list, "numbers.json", err) != 0) {
        study_paper_free(&paper);
        return -1;
    }
    buf_free(&paper.numbers);
    paper.numbers = list;
    list = (struct buf){0};
    *out = paper;
    return 0;
}
