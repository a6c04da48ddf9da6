/* SPDX-License-Identifier: Apache-2.0 */
/* The chart of a report: which configs it has, in which order, and that names stay text in it. */
#include "publish/report.h"

#include "tests/tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 40 };

struct scene {
    struct comparison comparison;
    struct config_verdict rows[MANY];
    struct rule rule;
};

static void begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->comparison.configs = scene->rows;
    scene->comparison.verdict = VERDICT_UNCLEAR;
    scene->rule = rule_default();
    snprintf(scene->comparison.device.slug, MODEL_NAME_BYTES, "cpu");
}

static struct config_verdict *add(struct scene *scene, const char *name, double change)
{
    struct config_verdict *row = &scene->rows[scene->comparison.count++];
    snprintf(row->config.name, sizeof row->config.name, "%s", name);
    row->verdict = change > 0.03 ? VERDICT_REGRESSED : VERDICT_HELD;
    row->clause = change > 0.03 ? CLAUSE_BEYOND : CLAUSE_WITHIN;
    row->against = AGAINST_ANCHOR;
    row->change = (struct change){true, change, {change - 0.01, change + 0.01},
                                  {change - 0.02, change + 0.02}};
    return row;
}

/* The report; "" where there is none. */
static const char *report_of(const struct scene *scene)
{
    static struct buf text;
    struct err err = {0};
    buf_free(&text);
    buf_init(&text, REPORT_MAX_BYTES);
    const struct report report = {.comparison = &scene->comparison, .rule = &scene->rule};
    OK(report_markdown(&report, &text, &err) == 0);
    return text.data;
}

/* The block of the chart, from its fence on; "" where there is none. */
static const char *chart_of(const struct scene *scene)
{
    static char chart[8192];
    chart[0] = '\0';
    const char *start = strstr(report_of(scene), "text\n");
    const char *end = start == NULL ? NULL : strstr(start, "\n`|-h-|`");
    if (end != NULL)
        snprintf(chart, sizeof chart, "%.*s", (int)(end - start - 5), start + 5);
    return chart;
}

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        found++;
    return found;
}

static void three_rows(struct scene *scene)
{
    begin(scene);
    add(scene, "held", 0.0004);
    struct config_verdict *slow = add(scene, "slow_on_main", 0.05);
    slow->own = (struct change){true, 0.03, {0.028, 0.032}, {0.02, 0.04}};
    add(scene, "far", 4);
    add(scene, "stored", -0.02)->against = AGAINST_STORED;
    EQ_STR(chart_of(scene),
           "                          -3.00%  0 +3.00%\n"
           "far                          :    :    :              >  +400.00%\n"
           "slow_on_main                 :    :  b :|-h-|            +5.00%\n"
           "stored                       |-h| :    :                 -2.00%, 0 is the stored "
           "samples\n"
           "held                         :  |-+h|  :                 +0.04%\n"
           "```\n");
}

static void nothing_to_draw(struct scene *scene)
{
    begin(scene);
    add(scene, "a", 0)->change.known = false;
    EQ_STR(chart_of(scene), "");
    struct config_verdict *biased = add(scene, "b", 0.01);
    biased->verdict = VERDICT_UNMEASURED;
    add(scene, "c", NAN);
    EQ_STR(chart_of(scene), "");
    add(scene, "d", 0.01);
    OK(count(chart_of(scene), "\n") == 3);
}

static void many(struct scene *scene)
{
    begin(scene);
    for (int i = 0; i < MANY; i++) {
        char name[MODEL_NAME_BYTES];
        snprintf(name, sizeof name, "config_with_quite_a_long_name_%d", i);
        add(scene, name, 0.001 * i);
    }
    const char *chart = chart_of(scene);
    OK(count(chart, "\n") == 1 + 16 + 1);
    HAS(chart, "config_with_quite_a_long_na…  ");
    HAS(chart, "+3.90%");
    HAS(report_of(scene), "right is slower. 24 more configs are not drawn.\n");
    for (const char *line = chart; *line != '\0'; line += strcspn(line, "\n") + 1)
        OK(strcspn(line, "\n") <= 84);
}

static void hostile(struct scene *scene)
{
    static const char *const names[] = {
        "```\n<img src=x>", "a\n```\n# big", "~~~", "@everyone #1", "\xe2\x80\xaetxt\x1b[31m",
        "\xff\xfe", "`````````````````````````````````````````````````````````````",
        "| x |", "</details>"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        begin(scene);
        add(scene, names[i], 0.01);
        const char *text = report_of(scene);
        const char *fence = strstr(text, "text\n");
        if (!OK(fence != NULL))
            continue;
        size_t ticks = 0;
        while (fence[-1 - (long)ticks] == '`')
            ticks++;
        const char *end = fence + 5;
        size_t lines = 0;
        for (; strspn(end, "`") < ticks; end += strcspn(end, "\n") + 1)
            lines++;
        EQ_INT((int)lines, 2);
        OK(strncmp(end + strspn(end, "`"), "\n\n`|-h-|` is head", 16) == 0);
        OK(strchr(fence, '\x1b') == NULL && strstr(fence, "\xe2\x80\xae") == NULL);
    }
}

int main(void)
{
    struct scene *scene = malloc(sizeof *scene);
    if (scene == NULL)
        return 1;
    tap_case("head, base and anchor, the worst first");
    three_rows(scene);
    tap_case("what was not judged is not drawn");
    nothing_to_draw(scene);
    tap_case("at most sixteen");
    many(scene);
    tap_case("names that would be more than text");
    hostile(scene);
    free(scene);
    return tap_done();
}
