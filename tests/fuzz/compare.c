/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet compare` over anybody's samples.json and baseline.json, with a line `====` between them:
 * there is always a verdict, our reader takes it, every number in it is one, and nothing measured
 * is held or improved on fewer replicates than the rule wants. */
#include "tests/fuzz/fuzz.h"

#include "judge/baseline.h"
#include "judge/compare.h"
#include "judge/explain.h"
#include "judge/samples.h"
#include "judge/verdict.h"

enum { TEXT_BYTES = 16 << 20 };

/* A green that rests on samples has enough of them. */
static void look_at(const struct config_verdict *config, const struct samples *samples,
                    const struct rule *rule)
{
    const struct config_samples *measured = samples_find(samples, config->config.name);
    bool green = config->verdict == VERDICT_HELD || config->verdict == VERDICT_IMPROVED;
    bool needs_none = config->clause == CLAUSE_IDENTICAL_CODE ||
                      config->clause == CLAUSE_RETIRED;
    HOLDS(config->clause != CLAUSE_NONE && config->reason[0] != '\0');
    HOLDS(!green || needs_none ||
          (measured != NULL && config_samples_unmarked(measured) >= rule->min_replicates));
}

static void write_down(const struct comparison *comparison)
{
    __attribute__((cleanup(comparison_free))) struct comparison again = {0};
    BUF_AUTO first, second;
    struct err err = {0};
    buf_init(&first, TEXT_BYTES);
    buf_init(&second, TEXT_BYTES);
    HOLDS(verdict_format_json(comparison, &first, &err) == 0);
    HOLDS(verdict_parse_json(first.data, first.len, "verdict.json", &again, &err) == 0);
    HOLDS(verdict_format_json(&again, &second, &err) == 0);
    HOLDS(fuzz_same(&first, &second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    __attribute__((cleanup(samples_free))) struct samples samples = {0};
    __attribute__((cleanup(baseline_free))) struct baseline baseline = {0};
    __attribute__((cleanup(comparison_free))) struct comparison comparison = {0};
    __attribute__((cleanup(compare_log_free))) struct compare_log log = {0};
    const struct limits limits = limits_default();
    struct rule rule = rule_default();
    struct err err = {0};
    const char *bytes;
    size_t len;
    fuzz_part(&data, &size, &bytes, &len);
    if (samples_parse(bytes, len, "samples.json", &limits, &samples, &err) != 0)
        return 0;
    fuzz_part(&data, &size, &bytes, &len);
    bool there = baseline_parse(bytes, len, "baseline.json", &limits, &baseline, &err) == 0;
    rule.resamples = 1000;
    if (compare_logged(&samples, there ? &baseline : NULL, &rule, &comparison, &log, &err) !=
        0) {
        fuzz_error(&err);
        return 0;
    }
    for (size_t i = 0; i < comparison.count; i++)
        look_at(&comparison.configs[i], &samples, &rule);
    write_down(&comparison);
    BUF_AUTO text;
    buf_init(&text, TEXT_BYTES);
    explain_text(&samples, &rule, &comparison, &log, &text);
    HOLDS(!text.failed && text.len > 0);
    return 0;
}
