/* SPDX-License-Identifier: Apache-2.0 */
/* A table of a report, of at most so many bytes. Of the report*.c files alone. */
#ifndef RATCHET_PUBLISH_TABLE_H
#define RATCHET_PUBLISH_TABLE_H

#include "publish/report_parts.h"

enum { TABLE_ROW_BYTES = 16 << 10 /* the longest row */ };

/* A table that is being written. */
struct table {
    const struct report_view *view;
    struct buf *out;
    size_t limit;    /* of out->len, the last line included */
    size_t left_out; /* rows */
};

/* `budget`: bytes, the last line included. */
struct table table_begin(const struct report_view *view, struct buf *out, size_t budget);
void table_header(struct table *table, const char *const *names, size_t count);
/* A whole row, from its first bar to its newline. */
void table_take(struct table *table, const struct buf *row);
/* Says how many rows were left out. */
void table_end(struct table *table);

#endif
