/* SPDX-License-Identifier: Apache-2.0 */
/* How what a profiler counted differs: which metrics moved, the line of words, verdict.json both ways, and
 * the report. */
#include "judge/counters.h"
#include "judge/verdict.h"
#include "publish/report.h"
#include "tests/tap.h"

#include <math.h>
#include <string.h>

static struct metric_readings all(double value)
{
    struct metric_readings readings;
    for (int metric = 0; metric < METRICS; metric++)
        readings.values[metric] = value;
    return readings;
}

/* The line where one metric reads `head` and `against`, and no other is known. */
static const char *line_of(enum metric metric, double head, double against)
{
    static struct metric_change change;
    struct metric_readings a = all((double)NAN), b = a;
    a.values[metric] = head;
    b.values[metric] = against;
    counters_compare(&a, &b, "the anchor", &change);
    return change.line;
}

static void test_words(void)
{
    static const char alike[] = "head and the anchor are alike in all that was counted";
    static const struct {
        enum metric metric;
        double head, against;
        const char *line;
    } lines[] = {
        {METRIC_DRAM_BYTES, 1.25e9, 8.1e8, "head 1.25 GB moved to and from device memory, the anchor 810 MB"},
        {METRIC_LOCAL_STORES, 18612224, 0, "head 18.6 M sectors of 32 bytes stored to local memory, the anchor 0"},
        {METRIC_WARPS, 43.1, 86, "head 43.1% achieved occupancy, the anchor 86%"},
        {METRIC_WAIT_MEMORY, 5.12, 2, "head 5.12 cycles an instruction waiting for global or local memory, the "
                                      "anchor 2 cycles an instruction"},
        {METRIC_INSTRUCTIONS, 1e18, 5e17, "head 1 E instructions of warps, the anchor 500 P"},
        {METRIC_INSTRUCTIONS, 104999, 100000, alike},
        {METRIC_INSTRUCTIONS, 105400, 100000, "head 105 k instructions of warps, the anchor 100 k"},
        {METRIC_INSTRUCTIONS, 1900, 1000, alike}, /* too few */
        {METRIC_BANK_CONFLICTS, 12, 0, alike},
        {METRIC_DRAM_BYTES, 100000, 50000, alike},
        {METRIC_WARPS, 3, 1.5, alike},
        {METRIC_WAIT_BARRIER, 0.2, 0, alike},
        {METRIC_TENSOR, 0, 0, alike},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        tap_case(lines[i].line);
        EQ_STR(line_of(lines[i].metric, lines[i].head, lines[i].against), lines[i].line);
    }
    tap_case("what is not known of both is no line");
    EQ_STR(line_of(METRIC_WARPS, 50, (double)NAN), "");
    EQ_STR(line_of(METRIC_WARPS, (double)NAN, (double)NAN), "");
}

static void test_order(void)
{
    struct metric_readings head = all(1e6), against = head;
    struct metric_change change;
    head.values[METRIC_TENSOR] = 2e6;
    head.values[METRIC_L2_HITS] = (double)NAN;
    against.values[METRIC_BANK_CONFLICTS] = 4e6;
    head.values[METRIC_INSTRUCTIONS] = 2e6;
    counters_compare(&head, &against, "base", &change);
    tap_case("what moved most comes first, equals as in the table");
    EQ_INT(change.count, 3);
    EQ_INT(change.moved[0].metric, METRIC_BANK_CONFLICTS);
    EQ_INT(change.moved[1].metric, METRIC_INSTRUCTIONS);
    EQ_INT(change.moved[2].metric, METRIC_TENSOR);
    EQ_INT(change.alike, METRICS - 4);
    EQ_STR(change.line, "head 1 M bank conflicts of shared memory and L1, base 4 M");
}

static void test_table(void)
{
    tap_case("each metric has names of its own");
    for (int a = 0; a < METRICS; a++) {
        char amount[METRIC_AMOUNT_BYTES];
        for (int b = 0; b < a; b++)
            OK(strcmp(metric_key((enum metric)a), metric_key((enum metric)b)) != 0 &&
               strcmp(metric_tool_name((enum metric)a), metric_tool_name((enum metric)b)) != 0);
        OK(strlen(metric_amount(amount, (enum metric)a, METRIC_MAX)) < METRIC_AMOUNT_BYTES - 1);
    }
}

/* ---- files ---- */

static struct config_verdict row_of(void)
{
    struct config_verdict row = {
        .config = {.name = "a"}, .verdict = VERDICT_REGRESSED, .against = AGAINST_ANCHOR};
    struct metric_readings head = all(1e6), against = all(1e6);
    head.values[METRIC_LOCAL_LOADS] = 20971520;
    against.values[METRIC_LOCAL_LOADS] = 0;
    head.values[METRIC_WAIT_MEMORY] = 4.66;
    against.values[METRIC_WAIT_MEMORY] = 2.18;
    counters_compare(&head, &against, "the anchor", &row.metrics);
    return row;
}

static void test_json(void)
{
    struct config_verdict row = row_of();
    struct comparison comparison = {
        .device = {"cpu", "cpu"}, .configs = &row, .count = 1, .verdict = VERDICT_REGRESSED};
    BUF_AUTO text, table;
    struct err err = {0};
    buf_init(&text, 1 << 20);
    buf_init(&table, 1 << 20);
    tap_case("verdict.json has it, and it is read again");
    OK(verdict_format_json(&comparison, &text, &err) == 0);
    HAS(text.data, "{\"name\": \"wait_memory\", \"head\": 4.66, \"against\": 2.18}");
    COMPARISON_AUTO read = {0};
    OK(verdict_parse_json(text.data, text.len, "verdict.json", &read, &err) == 0);
    if (read.count == 1) {
        EQ_STR(read.configs[0].metrics.line, row.metrics.line);
        EQ_INT(read.configs[0].metrics.count, 2);
        EQ_INT(read.configs[0].metrics.alike, METRICS - 2);
        EQ_INT(read.configs[0].metrics.moved[1].metric, METRIC_WAIT_MEMORY);
        NEAR(read.configs[0].metrics.moved[1].head, 4.66, 0);
        NEAR(read.configs[0].metrics.moved[1].against, 2.18, 0);
    }
    tap_case("the table for a terminal has its line");
    verdict_format_table(&comparison, &table);
    HAS(table.data, "\n    head 21 M sectors of 32 bytes loaded from local memory, the anchor 0\n");
    tap_case("where nobody looked, the file says nothing of it");
    row.metrics = (struct metric_change){.line = ""};
    buf_clear(&text);
    OK(verdict_format_json(&comparison, &text, &err) == 0);
    OK(strstr(text.data, "\"metrics\"") == NULL);
}

static void test_read(void)
{
    static const struct {
        const char *what, *metrics, *problem; /* NULL: it is read */
        size_t count;
    } files[] = {
        {"an old file", "", NULL, 0},
        {"a metric of a later table", ", \"metrics\": {\"line\": \"x\", \"alike\": 3, \"moved\": [{\"name\": \"new\", "
                                      "\"head\": 1, \"against\": 2}, {\"name\": \"warps\", \"head\": 1, \"against\": 2}]}",
         NULL, 1},
        {"one twice", ", \"metrics\": {\"line\": \"x\", \"alike\": 3, \"moved\": [{\"name\": \"warps\", \"head\": 1, "
                      "\"against\": 2}, {\"name\": \"warps\", \"head\": 1, \"against\": 2}]}",
         "metrics.moved[1]", 0},
        {"a number that is none", ", \"metrics\": {\"line\": \"x\", \"alike\": 3, \"moved\": [{\"name\": \"warps\", \"head\": -1, "
                                  "\"against\": 2}]}",
         "metrics.moved[0].head", 0},
        {"no object", ", \"metrics\": 7", "metrics", 0},
        {"no moved", ", \"metrics\": {\"line\": \"x\", \"alike\": 3}", "metrics.moved", 0},
    };
    struct config_verdict row = {.config = {.name = "a"}, .verdict = VERDICT_HELD};
    struct comparison comparison = {.device = {"cpu", "cpu"}, .configs = &row, .count = 1};
    BUF_AUTO whole;
    struct err err = {0};
    buf_init(&whole, 1 << 20);
    OK(verdict_format_json(&comparison, &whole, &err) == 0);
    char *end = strstr(whole.data, "\n    }");
    OK(end != NULL);
    for (size_t i = 0; end != NULL && i < sizeof files / sizeof files[0]; i++) {
        BUF_AUTO text;
        COMPARISON_AUTO read = {0};
        tap_case(files[i].what);
        buf_init(&text, 1 << 20);
        buf_addf(&text, "%.*s%s%s", (int)(end - whole.data), whole.data, files[i].metrics, end);
        err = (struct err){0};
        EQ_INT(verdict_parse_json(text.data, text.len, "v", &read, &err) == 0,
               files[i].problem == NULL);
        if (files[i].problem == NULL && read.count == 1)
            EQ_INT(read.configs[0].metrics.count, files[i].count);
        else
            HAS(err.text, files[i].problem == NULL ? "?" : files[i].problem);
    }
}

static void test_report(void)
{
    struct config_verdict rows[2] = {row_of(), row_of()};
    const struct job job = {.kind = JOB_CHECK, .pr = 7};
    struct comparison comparison = {
        .device = {"cpu", "cpu"}, .configs = rows, .count = 1, .verdict = VERDICT_REGRESSED};
    const struct report report = {.job = &job, .comparison = &comparison};
    struct err err = {0};
    BUF_AUTO text;
    buf_init(&text, REPORT_MAX_BYTES);
    tap_case("the report has a folded table, its first line in words");
    OK(report_markdown(&report, &text, &err) == 0);
    HAS(text.data, "\n<details><summary>What the profiler counted: head 21 M sectors of 32 bytes loaded from local "
                   "memory, the anchor 0</summary>\n\n`a`: head 21 M sectors of 32 bytes loaded from local memory, the "
                   "anchor 0. 2 of 17 metrics differ by enough to be told, 5% at least.\n\n|  | head | anchor |\n| --- | --- | --- |\n| sectors of 32 bytes "
                   "loaded from local memory | 21 M | 0 |\n| waiting for global or local memory | 4.66 cycles an "
                   "instruction | 2.18 cycles an instruction |\n");
    tap_case("no two blank lines");
    OK(strstr(text.data, "\n\n\n") == NULL);
    tap_case("a line of somebody else's file is not unfolded, nor its markup");
    snprintf(rows[0].metrics.line, METRIC_LINE_BYTES, "</summary><b>|@everyone");
    buf_clear(&text);
    OK(report_markdown(&report, &text, &err) == 0);
    HAS(text.data, "<summary>What the profiler counted</summary>");
    OK(strstr(text.data, "</summary><b>") == NULL);
    OK(strstr(text.data, "@everyone") == NULL);
}

/* Every metric of as many configs as a file may hold. */
static void test_budget(void)
{
    static struct config_verdict rows[MODEL_CONFIGS_MAX];
    const struct job job = {.kind = JOB_CHECK, .pr = 7};
    struct comparison comparison = {.device = {"cpu", "cpu"},
                                    .configs = rows,
                                    .count = MODEL_CONFIGS_MAX,
                                    .verdict = VERDICT_REGRESSED};
    const struct report report = {.job = &job, .comparison = &comparison};
    struct metric_readings head = all(METRIC_MAX), against = all(0);
    struct err err = {0};
    BUF_AUTO text;
    for (size_t i = 0; i < MODEL_CONFIGS_MAX; i++) {
        rows[i] = (struct config_verdict){.verdict = VERDICT_REGRESSED};
        snprintf(rows[i].config.name, MODEL_NAME_BYTES, "c%zu", i);
        counters_compare(&head, &against, "the anchor", &rows[i].metrics);
    }
    tap_case("whatever a file holds, the report stays within its bytes");
    buf_init(&text, REPORT_MAX_BYTES);
    OK(report_markdown(&report, &text, &err) == 0);
    HAS(text.data, " more are left out here.\n");
}

int main(void)
{
    test_words();
    test_order();
    test_table();
    test_json();
    test_read();
    test_report();
    test_budget();
    return tap_done();
}
