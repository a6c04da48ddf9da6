/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log: its text for cases of tests/judge, byte for byte, and that it says the
 * numbers the verdict has. A case takes part when its folder has an explain.txt;
 *     test_explain CASE-FOLDER
 * prints what that file must hold. */
#include "base/buf.h"
#include "base/file.h"
#include "judge/baseline.h"
#include "judge/explain.h"
#include "judge/samples.h"
#include "tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct judged {
    struct samples samples;
    struct baseline baseline;
    struct comparison comparison;
    struct compare_log log;
    struct buf text;
};

static void free_judged(struct judged *judged)
{
    samples_free(&judged->samples);
    baseline_free(&judged->baseline);
    comparison_free(&judged->comparison);
    compare_log_free(&judged->log);
    buf_free(&judged->text);
}

static int read_case(const char *folder, const char *name, struct buf *out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, err, "%s/%s", folder, name) != 0 || file_read(path, out, err) != 0
               ? -1
               : 0;
}

static int judge_case(const char *folder, struct judged *out, struct err *err)
{
    const struct limits limits = limits_default();
    struct rule rule = rule_default();
    bool stored;
    BUF_AUTO text;
    buf_init(&text, 1u << 24);
    buf_init(&out->text, 1u << 24);
    if (read_case(folder, "samples.json", &text, err) != 0 ||
        samples_parse(text.data, text.len, folder, &limits, &out->samples, err) != 0)
        return -1;
    buf_clear(&text);
    struct err missing = {0};
    stored = read_case(folder, "baseline.json", &text, &missing) == 0;
    if (stored &&
        baseline_parse(text.data, text.len, folder, &limits, &out->baseline, err) != 0)
        return -1;
    if (compare_logged(&out->samples, stored ? &out->baseline : NULL, &rule,
                       &out->comparison, &out->log, err) != 0)
        return -1;
    explain_text(&out->samples, &rule, &out->comparison, &out->log, &out->text);
    return 0;
}

/* Where two texts part, or NULL where they do not. */
static const char *first_difference(const char *got, const char *want)
{
    const char *line = got;
    for (; *got == *want; got++, want++) {
        if (*got == '\0')
            return NULL;
        if (*got == '\n')
            line = got + 1;
    }
    return line;
}

/* What the verdict reports stands in the log, in the log's own words. */
static void check_numbers(const struct judged *judged)
{
    for (size_t i = 0; i < judged->comparison.count; i++) {
        const struct config_verdict *verdict = &judged->comparison.configs[i];
        char text[160];
        HAS(judged->text.data, verdict->reason);
        if (!verdict->change.known)
            continue;
        snprintf(text, sizeof text, "which is %+.4f%%\n", 100 * verdict->change.change);
        HAS(judged->text.data, text);
        snprintf(text, sizeof text, "%+.4f%% to %+.4f%%", 100 * verdict->change.ci.low,
                 100 * verdict->change.ci.high);
        HAS(judged->text.data, text);
        snprintf(text, sizeof text, "%+.4f%% to %+.4f%%",
                 100 * verdict->change.ci_decision.low,
                 100 * verdict->change.ci_decision.high);
        HAS(judged->text.data, text);
    }
}

/* The text behind its first line, which holds every key of the rule: a new key must not change
 * every case. check_edges looks at that line. */
static const char *after_rule(const char *text)
{
    return text + strcspn(text, "\n");
}

static bool check_case(const char *cases, const char *name)
{
    char folder[FILE_PATH_BYTES];
    struct err err = {0};
    BUF_AUTO want;
    buf_init(&want, 1u << 24);
    if (file_path(folder, &err, "%s/%s", cases, name) != 0 ||
        read_case(folder, "explain.txt", &want, &err) != 0)
        return false;
    tap_case(name);
    __attribute__((cleanup(free_judged))) struct judged judged = {0};
    if (!OK(judge_case(folder, &judged, &err) == 0)) {
        printf("# %s\n", err.text);
        return true;
    }
    const char *line = first_difference(after_rule(judged.text.data), after_rule(want.data));
    if (!OK(line == NULL))
        printf("# differs from here: %.*s\n", (int)strcspn(line, "\n"), line);
    check_numbers(&judged);
    return true;
}

/* Nothing to explain, and words of a stranger. */
static void check_edges(void)
{
    tap_case("no config at all");
    struct rule rule = rule_default();
    struct err err = {0};
    __attribute__((cleanup(free_judged))) struct judged none = {0};
    buf_init(&none.text, 4096);
    OK(compare_logged(&none.samples, NULL, &rule, &none.comparison, &none.log, &err) == 0);
    explain_text(&none.samples, &rule, &none.comparison, &none.log, &none.text);
    HAS(none.text.data, "the whole is unmeasured: no configs");
    HAS(none.text.data, "rule: threshold 3%, confidence 95%, resamples 10000, seed 42, ");
#define HAS_KEY(type, field, key, ...) HAS(none.text.data, " " key " ");
    RULE_TABLE(HAS_KEY)
#undef HAS_KEY

    tap_case("a failure's words cannot drive the terminal; a small buffer says so");
    __attribute__((cleanup(free_judged))) struct judged hostile = {0};
    buf_init(&hostile.text, 4096);
    struct config_samples *config = samples_add(&hostile.samples);
    if (config == NULL)
        abort();
    snprintf(config->config.name, sizeof config->config.name, "c");
    config->fault = FAULT_PR;
    snprintf(config->failure, sizeof config->failure, "bad \x1b[2J\nclause: held");
    OK(compare_logged(&hostile.samples, NULL, &rule, &hostile.comparison, &hostile.log,
                      &err) == 0);
    explain_text(&hostile.samples, &rule, &hostile.comparison, &hostile.log,
                 &hostile.text);
    HAS(hostile.text.data, "unmeasured: bad ?[2J?clause: held (fault: the PR)");
    OK(strchr(hostile.text.data, '\x1b') == NULL);
    buf_free(&hostile.text);
    buf_init(&hostile.text, 100);
    explain_text(&hostile.samples, &rule, &hostile.comparison, &hostile.log,
                 &hostile.text);
    OK(hostile.text.failed);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        __attribute__((cleanup(free_judged))) struct judged judged = {0};
        struct err err = {0};
        if (judge_case(argv[1], &judged, &err) != 0) {
            fprintf(stderr, "test_explain: %s\n", err.text);
            return 1;
        }
        fputs(judged.text.data, stdout);
        return 0;
    }
    const char *top = getenv("top_srcdir");
    char cases[FILE_PATH_BYTES];
    struct err err = {0};
    size_t seen = 0;
    if (file_path(cases, &err, "%s/tests/judge", top != NULL ? top : ".") != 0)
        return 1;
    DIR *folder = opendir(cases);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            seen += check_case(cases, entry->d_name);
    if (folder != NULL)
        closedir(folder);
    tap_case("cases with an explain.txt were found");
    OK(seen >= 12);
    check_edges();
    return tap_done();
}
