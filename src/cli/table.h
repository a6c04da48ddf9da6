/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned columns of text for a terminal. Knows nothing of what stands in them. */
#ifndef RATCHET_CLI_TABLE_H
#define RATCHET_CLI_TABLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stddef.h>

enum { TABLE_CELLS_MAX = 11, TABLE_CELL_BYTES = 96 };

struct table_row {
    char cells[TABLE_CELLS_MAX][TABLE_CELL_BYTES];
    size_t count;
};

struct table {              /* zeroed: empty */
    struct table_row *rows; /* owned */
    size_t count;
    struct table_row lost; /* takes what there was no memory for */
    bool failed;
};
void table_free(struct table *table);

/* A row to fill, until the next is asked for. */
struct table_row *table_row(struct table *table);
/* The row's next cell; what is too long is cut, and cells beyond the last are dropped. */
void table_cell(struct table_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Every column as wide as its widest cell, but the last cell of a row, which may be a remark. Where that
 * is wider than `columns`, names in the first column are shortened in the middle, and columns that do
 * not fit stand below, as a table of their own beside the same names; 0: as wide as it is. */
void table_print(const struct table *table, size_t columns, struct buf *out);

/* Shorten a name to so many bytes, at least 5, in the middle: "b32_h8..causal". */
void table_shorten(char *name, size_t most);

#endif
