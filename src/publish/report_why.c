/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a report says of the machine code of configs that moved. Names of kernels are foreign
 * text; the lines are the judge's, or a file's that says so. */
#include "publish/report_parts.h"
#include "publish/table.h"

#include <string.h>

enum { WHY_BUDGET = 5000, WHY_NAME_BYTES = 120 };

static bool has_why(const struct config_verdict *row)
{
    return row->code.line[0] != '\0';
}

static bool same_code(const struct machine_code *a, const struct machine_code *b)
{
    return strcmp(a->name, b->name) == 0 && memcmp(a->facts, b->facts, sizeof a->facts) == 0;
}

/* Configs of one library pair differ alike: told once. */
static bool same_why(const struct config_verdict *a, const struct config_verdict *b)
{
    if (strcmp(a->code.line, b->code.line) != 0 || a->code.count != b->code.count)
        return false;
    for (size_t i = 0; i < a->code.count; i++)
        if (!same_code(&a->code.pairs[i].head, &b->code.pairs[i].head) ||
            !same_code(&a->code.pairs[i].against, &b->code.pairs[i].against))
            return false;
    return true;
}

static bool told_before(const struct report_view *view, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (has_why(view->rows[i]) && same_why(view->rows[i], view->rows[index]))
            return true;
    return false;
}

/* "`a`, `b` and 3 more: " */
static void put_configs(const struct report_view *view, size_t index, struct buf *out)
{
    size_t count = 0;
    for (size_t i = index; i < view->count; i++) {
        if (!has_why(view->rows[i]) || !same_why(view->rows[i], view->rows[index]) ||
            count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, count > 1 ? ", " : "");
        parts_name(out, view->rows[i]->config.name);
    }
    if (count > PARTS_LISTED)
        buf_addf(out, " and %zu more", count - PARTS_LISTED);
    buf_adds(out, ": ");
}

static void put_fact(struct buf *out, long long fact)
{
    if (fact < 0)
        buf_adds(out, " | –");
    else
        buf_addf(out, " | %lld", fact);
}

static void put_pair(const struct report_view *view, const struct code_pair *pair,
                     const char *other, struct buf *out, size_t budget)
{
    const char *const names[] = {"", "head", other};
    if (pair->head.name[0] != '\0') {
        buf_addc(out, '\n');
        parts_code(out, pair->head.name, WHY_NAME_BYTES);
        buf_addc(out, '\n');
    }
    struct table table = table_begin(view, out, budget);
    table_header(&table, names, sizeof names / sizeof names[0]);
    for (int i = 0; i < CODE_FACTS; i++) {
        long long head = pair->head.facts[i], against = pair->against.facts[i];
        if (head == against && (i != CODE_INSTRUCTIONS || head < 0))
            continue;
        BUF_AUTO row;
        buf_init(&row, TABLE_ROW_BYTES);
        buf_addf(&row, "| %s", code_fact_words((enum code_fact)i));
        put_fact(&row, head);
        put_fact(&row, against);
        buf_adds(&row, " |\n");
        table_take(&table, &row);
    }
    table_end(&table);
}

static void put_why(const struct report_view *view, size_t index, size_t limit,
                    struct buf *out)
{
    const struct config_verdict *row = view->rows[index];
    buf_addc(out, '\n');
    put_configs(view, index, out);
    parts_text(out, row->code.line, CODE_LINE_BYTES);
    buf_adds(out, ".\n");
    for (size_t i = 0; i < row->code.count && out->len < limit; i++)
        put_pair(view, &row->code.pairs[i], row->against == AGAINST_BASE ? "base" : "anchor",
                 out, limit - out->len);
    if (row->code.left_out > 0)
        buf_addf(out, "\n%zu more kernels differ less; %zu are alike.\n", row->code.left_out,
                 row->code.alike);
}

void report_why(const struct report_view *view, struct buf *out)
{
    size_t limit = out->len + WHY_BUDGET, more = 0;
    bool begun = false;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_verdict *row = view->rows[i];
        if (!has_why(row) || told_before(view, i))
            continue;
        if (!begun)
            parts_fold(out, "What differs in the machine code", row->code.line);
        begun = true;
        if (out->len < limit)
            put_why(view, i, limit, out);
        else
            more++;
    }
    if (!begun)
        return;
    if (more > 0)
        buf_addf(out, "\n%zu more are left out here.\n", more);
    buf_adds(out, "\nCounted in the libraries that were measured, after the verdict: where "
                  "instructions stand, not how often they run. It says what differs, not "
                  "what of it costs the time.\n\n</details>\n");
}
