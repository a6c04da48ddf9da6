/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a table is written into a report: a row is written aside and only taken when it fits,
 * so a table never ends in half a row. */
#include "publish/table.h"

enum { LEFT_OUT_BYTES = 64 };

struct table table_begin(const struct report_view *view, struct buf *out, size_t budget)
{
    return (struct table){.view = view, .out = out, .limit = out->len + budget};
}

void table_header(struct table *table, const char *const *names, size_t count)
{
    buf_adds(table->out, "\n|");
    for (size_t i = 0; i < count; i++)
        buf_addf(table->out, " %s |", names[i]);
    buf_adds(table->out, "\n|");
    for (size_t i = 0; i < count; i++)
        buf_adds(table->out, " --- |");
    buf_addc(table->out, '\n');
}

void table_take(struct table *table, const struct buf *row)
{
    buf_note_loss(table->out, row);
    bool fits = !row->failed && table->out->len + row->len + LEFT_OUT_BYTES <= table->limit;
    if (fits && table->left_out == 0)
        buf_add(table->out, row->data, row->len);
    else
        table->left_out++; /* and all behind it: the worst stand first */
}

void table_end(struct table *table)
{
    if (table->left_out > 0)
        buf_addf(table->out, "\n%zu more rows are left out here.\n", table->left_out);
}
