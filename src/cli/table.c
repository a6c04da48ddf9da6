/* SPDX-License-Identifier: Apache-2.0 */
/* Owns widths and padding. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_free(struct table *table)
{
    free(table->rows);
    *table = (struct table){0};
}

struct table_row *table_row(struct table *table)
{
    struct table_row *rows = realloc(table->rows, (table->count + 1) * sizeof *rows);
    if (rows == NULL) {
        table->failed = true;
        table->lost.count = 0;
        return &table->lost;
    }
    table->rows = rows;
    rows[table->count].count = 0;
    return &rows[table->count++];
}

void table_cell(struct table_row *row, const char *format, ...)
{
    if (row->count == TABLE_CELLS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(row->cells[row->count++], TABLE_CELL_BYTES, format, args);
    va_end(args);
}

/* Columns of a terminal that a UTF-8 text takes: our units have no wide characters. */
static size_t width(const char *text)
{
    size_t columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

void table_shorten(char *name, size_t most)
{
    size_t len = strlen(name), end = (most - 2) / 2, front = most - 2 - end;
    if (len <= most)
        return;
    name[front] = name[front + 1] = '.';
    memmove(name + front + 2, name + len - end, end + 1);
}

enum { GAP = 2, NAME_LEAST = 17 };

static void measure_columns(const struct table *table, size_t widths[TABLE_CELLS_MAX])
{
    for (size_t r = 0; r < table->count; r++)
        for (size_t c = 0; c < table->rows[r].count; c++) {
            const struct table_row *row = &table->rows[r];
            bool remark = c > 0 && c + 1 == row->count && c + 1 < table->rows[0].count;
            if (!remark && width(row->cells[c]) > widths[c])
                widths[c] = width(row->cells[c]);
        }
}

/* The column after the last that fits beside the names; at least one does. */
static size_t fit(const size_t *widths, size_t from, size_t count, size_t columns)
{
    size_t used = widths[0] + GAP + widths[from];
    while (++from < count && (columns == 0 || used + GAP + widths[from] <= columns))
        used += GAP + widths[from];
    return from;
}

/* Names, and columns `from` up to `to`. A row that ends before has nothing to say here. */
static void print_part(const struct table *table, const size_t *widths, size_t from, size_t to,
                       struct buf *out)
{
    for (size_t r = 0; r < table->count; r++) {
        const struct table_row *row = &table->rows[r];
        size_t last = row->count < to ? row->count : to;
        if (from > 1 && row->count <= from)
            continue;
        char name[TABLE_CELL_BYTES];
        memcpy(name, row->cells[0], sizeof name);
        if (widths[0] < width(name))
            table_shorten(name, widths[0]);
        buf_adds(out, name);
        size_t wide = width(name), next = widths[0];
        for (size_t c = from; c < last; c++) {
            buf_addf(out, "%*s%s", (int)(next - wide) + GAP, "", row->cells[c]);
            wide = width(row->cells[c]);
            next = wide > widths[c] ? wide : widths[c];
        }
        buf_addc(out, '\n');
    }
}

void table_print(const struct table *table, size_t columns, struct buf *out)
{
    size_t widths[TABLE_CELLS_MAX] = {0}, whole = 0, from = 1;
    size_t count = table->count == 0 ? 0 : table->rows[0].count;
    measure_columns(table, widths);
    for (size_t c = 0; c < count; c++)
        whole += widths[c] + (c > 0 ? GAP : 0);
    if (columns > 0 && whole > columns && widths[0] > NAME_LEAST)
        widths[0] = NAME_LEAST;
    while (from < count) {
        size_t to = fit(widths, from, count, columns);
        if (from > 1)
            buf_addc(out, '\n');
        print_part(table, widths, from, to, out);
        from = to;
    }
    out->failed |= table->failed;
}
