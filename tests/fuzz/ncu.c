/* SPDX-License-Identifier: Apache-2.0 */
/* What a profiler prints, between what a stranger's kernel prints: readings are not known or in bounds, an
 * error is one line, and two of them give a line and a part of verdict.json that is read again. */
#include "tests/fuzz/fuzz.h"

#include "judge/counters.h"
#include "judge/verdict.h"
#include "measure/ncu.h"

#include <math.h>

static void look(const struct metric_readings *readings)
{
    for (int metric = 0; metric < METRICS; metric++) {
        double value = readings->values[metric];
        HOLDS(isnan(value) || (value >= 0 && value <= METRIC_MAX));
    }
}

static void compare(const struct metric_readings *head, const struct metric_readings *against)
{
    struct config_verdict row = {.config = {.name = "a"}};
    struct comparison comparison = {.device = {"cpu", "cpu"}, .configs = &row, .count = 1};
    COMPARISON_AUTO read = {0};
    struct err err = {0};
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    counters_compare(head, against, "the anchor", &row.metrics);
    HOLDS(fuzz_is_plain(row.metrics.line));
    HOLDS(row.metrics.count + row.metrics.alike <= METRICS);
    HOLDS((row.metrics.line[0] == '\0') == (row.metrics.count + row.metrics.alike == 0));
    HOLDS(verdict_format_json(&comparison, &text, &err) == 0);
    HOLDS(verdict_parse_json(text.data, text.len, "verdict.json", &read, &err) == 0);
    const struct metric_change *again = &read.configs[0].metrics;
    HOLDS(strcmp(again->line, row.metrics.line) == 0 && again->count == row.metrics.count);
    for (size_t i = 0; i < again->count; i++)
        HOLDS(again->moved[i].metric == row.metrics.moved[i].metric &&
              again->moved[i].head == row.metrics.moved[i].head &&
              again->moved[i].against == row.metrics.moved[i].against);
}

/* All that is said of a text, which is a C string to those that look for words in it. */
static void read_one(const char *bytes, size_t len, struct metric_readings *out)
{
    struct err err = {0};
    bool unknown[METRICS] = {false};
    char line[NCU_LINE_BYTES];
    for (int metric = 0; metric < METRICS; metric++)
        out->values[metric] = (double)NAN;
    if (ncu_parse(bytes, len, out, &err) != 0)
        fuzz_error(&err);
    look(out);
    char *text = fuzz_text((const uint8_t *)bytes, len);
    bool any = ncu_mark_unknown(text, unknown);
    for (int metric = 0; metric < METRICS; metric++)
        HOLDS(!unknown[metric] || any);
    ncu_problem(text, line);
    HOLDS(memchr(line, '\0', sizeof line) != NULL && fuzz_is_plain(line));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metric_readings readings[2];
    for (int i = 0; i < 2; i++) {
        const char *bytes;
        size_t len;
        fuzz_part(&data, &size, &bytes, &len);
        read_one(bytes, len, &readings[i]);
    }
    compare(&readings[0], &readings[1]);
    return 0;
}
