/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a report says of the environment: its facts beside those of the baseline, and which
 * of them differ. */
#include "publish/report_parts.h"
#include "publish/table.h"

#include <string.h>

enum { FACTS_MAX = 48 };

/* What a row says of a fact. Where none says how it was measured, it was by the first protocol. */
static const char *recorded(const struct baseline_config *stored, const char *name)
{
    return strcmp(name, "protocol") == 0 ? environment_protocol(&stored->environment)
                                         : environment_get(&stored->environment, name);
}

/* The first baseline config, of those in the report, whose fact differs from `value`. NULL
 * where none does; `known` says whether any has that fact at all. */
static const struct baseline_config *differs(const struct report_view *view, const char *name,
                                             const char *value, bool *known)
{
    const struct baseline_config *found = NULL;
    *known = false;
    for (size_t i = 0; i < view->count; i++) {
        const struct baseline_config *stored = parts_stored(view, view->rows[i]);
        const char *then = stored == NULL ? NULL : recorded(stored, name);
        if (then == NULL)
            continue;
        *known = true;
        if (found == NULL && strcmp(then, value) != 0)
            found = stored;
    }
    return found;
}

size_t table_environment_differs(const struct report_view *view)
{
    if (view->report->samples == NULL)
        return 0;
    const struct environment *now = &view->report->samples->environment;
    size_t count = 0;
    bool known;
    for (size_t i = 0; i < now->count && i < FACTS_MAX; i++)
        count += !environment_is_reading(now->facts[i].name) &&
                 differs(view, now->facts[i].name, now->facts[i].value, &known) != NULL;
    return count;
}

size_t table_differences(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out)
{
    enum { NAME_BYTES = 60, VALUE_BYTES = 80 };
    const struct report *report = view->report;
    const struct baseline_config *stored = parts_stored(view, row);
    size_t count = 0;
    for (size_t i = 0; report->samples != NULL && stored != NULL &&
                       i < report->samples->environment.count && i < FACTS_MAX;
         i++) {
        const struct fact *now = &report->samples->environment.facts[i];
        const char *then = recorded(stored, now->name);
        if (then == NULL || environment_is_reading(now->name) ||
            strcmp(then, now->value) == 0 || count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, count > 1 ? "; " : "");
        parts_text(out, now->name, NAME_BYTES);
        buf_addc(out, ' ');
        parts_code(out, then, VALUE_BYTES);
        buf_adds(out, " → ");
        parts_code(out, now->value, VALUE_BYTES);
    }
    if (count > PARTS_LISTED)
        buf_addf(out, " and %zu more (below)", count - PARTS_LISTED);
    return count;
}

void table_environment(const struct report_view *view, struct buf *out, size_t budget)
{
    static const char *const names[] = {"fact", "now", "when the baseline was recorded"};
    const struct environment *now = &view->report->samples->environment;
    struct table table = table_begin(view, out, budget);
    table_header(&table, names, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < now->count && i < FACTS_MAX; i++) {
        const struct fact *fact = &now->facts[i];
        bool known = false;
        const struct baseline_config *other = differs(view, fact->name, fact->value, &known);
        BUF_AUTO row;
        buf_init(&row, TABLE_ROW_BYTES);
        buf_adds(&row, "| ");
        parts_text(&row, fact->name, 60);
        buf_adds(&row, " | ");
        parts_text(&row, fact->value, 160);
        buf_adds(&row, " | ");
        if (other != NULL) {
            if (!environment_is_reading(fact->name))
                buf_adds(&row, "**differs**: ");
            parts_text(&row, recorded(other, fact->name), 160);
        } else {
            buf_adds(&row, known ? "the same" : "–");
        }
        buf_adds(&row, " |\n");
        table_take(&table, &row);
    }
    table_end(&table);
}
