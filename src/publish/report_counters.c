/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a report says of a profiler's counts of configs that moved. The lines are the judge's, or a
 * file's that says so. */
#include "publish/report_parts.h"
#include "publish/table.h"

enum { COUNTERS_BUDGET = 4000 };

static void put_rows(const struct metric_change *change, struct table *table)
{
    for (size_t i = 0; i < change->count; i++) {
        char head[METRIC_AMOUNT_BYTES], against[METRIC_AMOUNT_BYTES];
        const struct metric_pair *pair = &change->moved[i];
        BUF_AUTO row;
        buf_init(&row, TABLE_ROW_BYTES);
        buf_addf(&row, "| %s | %s | %s |\n", metric_words(pair->metric),
                 metric_amount(head, pair->metric, pair->head),
                 metric_amount(against, pair->metric, pair->against));
        table_take(table, &row);
    }
}

static void put_config(const struct report_view *view, const struct config_verdict *row,
                       size_t limit, struct buf *out)
{
    const char *const names[] = {"", "head", row->against == AGAINST_BASE ? "base" : "anchor"};
    buf_addc(out, '\n');
    parts_name(out, row->config.name);
    buf_adds(out, ": ");
    parts_text(out, row->metrics.line, METRIC_LINE_BYTES);
    buf_addf(out, ". %zu of %zu metrics differ by enough to be told, 5%% at least.\n",
             row->metrics.count, row->metrics.count + row->metrics.alike);
    if (row->metrics.count == 0 || out->len >= limit)
        return;
    struct table table = table_begin(view, out, limit - out->len);
    table_header(&table, names, sizeof names / sizeof names[0]);
    put_rows(&row->metrics, &table);
    table_end(&table);
}

void report_counters(const struct report_view *view, struct buf *out)
{
    size_t limit = out->len + COUNTERS_BUDGET, more = 0;
    bool begun = false;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_verdict *row = view->rows[i];
        if (row->metrics.line[0] == '\0')
            continue;
        if (!begun)
            parts_fold(out, "What the profiler counted", row->metrics.line);
        begun = true;
        if (out->len < limit)
            put_config(view, row, limit, out);
        else
            more++;
    }
    if (!begun)
        return;
    if (more > 0)
        buf_addf(out, "\n%zu more are left out here.\n", more);
    buf_adds(out,
             "\nCounted in a run of its own, after the verdict: one call of each, so without "
             "an interval, with cold caches. Shares and waits are of the kernel that executes "
             "most instructions. It "
             "says what differs, not what of it costs the time.\n\n</details>\n");
}
