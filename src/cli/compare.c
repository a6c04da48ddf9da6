/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet compare` and `ratchet report`: the judge and the report alone, on files. */
#include "cli/cli.h"
#include "cli/terminal.h"

#include "judge/compare.h"
#include "judge/explain.h"
#include "judge/text.h"
#include "judge/verdict.h"
#include "publish/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 64 << 20 };

/* The table; before it, where asked for, what it rests on. On a terminal as it is after a check. */
static int compare_print(const struct samples *samples, const struct baseline *baseline,
                         const struct rule *rule, bool json, bool explain,
                         struct comparison *comparison, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, OUTPUT_MAX);
    struct compare_log log __attribute__((cleanup(compare_log_free))) = {0};
    if (compare_logged(samples, baseline, rule, comparison, explain ? &log : NULL, err) != 0)
        return -1;
    if (json)
        return verdict_format_json(comparison, &text, err) == 0
                   ? cli_print_document(&text, err)
                   : -1;
    if (explain) {
        explain_text(samples, rule, comparison, &log, &text);
        buf_addc(&text, '\n');
    }
    return terminal_print(&text, err) == 0 ? terminal_print_verdicts(comparison, err) : -1;
}

int cli_compare(int argc, char **argv, struct err *err)
{
    const char *baseline_path = NULL, *rules = NULL, *path = NULL, *against = NULL,
               *config = NULL;
    bool json = false, explain = false;
    size_t count;
    const struct cli_option options[] = {
        {"baseline", &baseline_path, NULL, "FILE", "baseline.json to judge against, too"},
        {"against", &against, NULL, "ARM", "take this arm for the anchor"},
        {"explain", NULL, &explain, NULL, "each number on the way to the verdict"},
        {"rules", &rules, NULL, "FILE", "a whole ci/ratchet.conf (else the rule's defaults)"},
        CLI_CONFIG(config),
        {"json", NULL, &json, NULL, "print verdict.json"},
        CLI_OPTIONS_END};
    static const struct cli_tie ties[] = {{"explain", NULL, "json"}, CLI_TIES_END};
    if (cli_options_tied(argc, argv, options, ties, &path, 1, &count, err) != 0)
        return -1;
    if (count != 1)
        return err_set(err, ERR_USAGE, "expected one samples.json");
    struct limits limits;
    SAMPLES_AUTO samples = {0};
    BASELINE_AUTO baseline = {0};
    COMPARISON_AUTO comparison = {0};
    struct rule rule;
    if (cli_limits(config, &limits, err) != 0 ||
        cli_read_samples_against(path, against, &limits, &samples, err) != 0 ||
        (baseline_path != NULL &&
         cli_read_baseline(baseline_path, &limits, &baseline, err) != 0) ||
        cli_read_rule(rules, samples.device.slug, &limits, &rule, err) != 0 ||
        compare_print(&samples, baseline_path == NULL ? NULL : &baseline, &rule, json, explain,
                      &comparison, err) != 0)
        return -1;
    return comparison_exit(&comparison);
}

int cli_report(int argc, char **argv, struct err *err)
{
    const char *samples_path = NULL, *baseline_path = NULL, *path = NULL, *config = NULL,
               *rules = NULL;
    size_t count;
    const struct cli_option options[] = {
        {"samples", &samples_path, NULL, "FILE", "its samples.json: absolute times"},
        {"baseline", &baseline_path, NULL, "FILE", "its baseline.json"},
        {"rules", &rules, NULL, "FILE", "its ci/ratchet.conf: the chart, the rule's words"},
        CLI_CONFIG(config),
        CLI_OPTIONS_END};
    if (cli_options(argc, argv, options, &path, 1, &count, err) != 0)
        return -1;
    if (count != 1)
        return err_set(err, ERR_USAGE, "expected one verdict.json");
    struct limits limits;
    SAMPLES_AUTO samples = {0};
    BASELINE_AUTO baseline = {0};
    COMPARISON_AUTO comparison = {0};
    struct rule rule;
    if (cli_limits(config, &limits, err) != 0)
        return -1;
    BUF_AUTO text;
    BUF_AUTO markdown;
    buf_init(&text, limits.samples_bytes);
    buf_init(&markdown, REPORT_MAX_BYTES);
    if (cli_read(path, &text, err) != 0 ||
        verdict_parse_json(text.data, text.len, path, &comparison, err) != 0 ||
        (samples_path != NULL &&
         cli_read_samples(samples_path, &limits, &samples, err) != 0) ||
        (baseline_path != NULL &&
         cli_read_baseline(baseline_path, &limits, &baseline, err) != 0) ||
        cli_read_rule(rules, comparison.device.slug, &limits, &rule, err) != 0)
        return -1;
    BUF_AUTO spent;
    buf_init(&spent, 512);
    text_spent(&spent, &comparison);
    struct job job = {0};
    memcpy(job.device, comparison.device.slug, sizeof job.device);
    struct report report = {.job = &job,
                            .comparison = &comparison,
                            .timing = comparison.spent.device_ms > 0 ? spent.data : NULL,
                            .samples = samples_path == NULL ? NULL : &samples,
                            .baseline = baseline_path == NULL ? NULL : &baseline,
                            .rule = rules == NULL ? NULL : &rule};
    if (report_markdown(&report, &markdown, err) != 0)
        return -1;
    return cli_print_document(&markdown, err);
}
