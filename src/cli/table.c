/* SPDX-License-Identifier: Apache-2.0 */
/* Owns widths and padding. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
static int width(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

void table_print(const struct table *table, struct buf *out)
{
    int widths[TABLE_CELLS_MAX] = {0};
    for (size_t r = 0; r < table->count; r++)
        for (size_t c = 0; c + 1 < table->rows[r].count; c++)
            if (width(table->rows[r].cells[c]) > widths[c])
                widths[c] = width(table->rows[r].cells[c]);
    for (size_t r = 0; r < table->count; r++) {
        const struct table_row *row = &table->rows[r];
        for (size_t c = 0; c < row->count; c++) {
            int pad = c + 1 < row->count ? widths[c] - width(row->cells[c]) + 2 : 0;
            buf_addf(out, "%s%*s", row->cells[c], pad, "");
        }
        buf_addc(out, '\n');
    }
    out->failed |= table->failed;
}
