/* SPDX-License-Identifier: Apache-2.0 */
/* A report, written once and rendered twice: as Markdown beside its figures, or as one HTML page that has
 * everything in it, works without a network and without scripts, in light and dark, on a telephone.
 * All text is escaped. Calls come in the order of the page. */
#ifndef RATCHET_LAB_DOCUMENT_H
#define RATCHET_LAB_DOCUMENT_H

#include "base/buf.h"

#include <stddef.h>

enum document_kind { DOCUMENT_MARKDOWN, DOCUMENT_HTML };

struct document {
    enum document_kind kind;
    struct buf *out;
};

void document_begin(const struct document *document, const char *title);
void document_end(const struct document *document);

void document_heading(const struct document *document, const char *text);
void document_text(const struct document *document, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A point of a list: several in a row, between these. */
void document_list(const struct document *document);
void document_point(const struct document *document, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void document_list_end(const struct document *document);

/* Text as it is, in lines of its own: commands. */
void document_code(const struct document *document, const char *text);
/* A point that is a link to `file`, beside the document: one of our own names. */
void document_link(const struct document *document, const char *file, const char *text);

/* A table: names of the columns, then for each row a document_row and its cells. */
void document_table(const struct document *document, const char *const *columns, size_t count);
void document_row(const struct document *document);
void document_cell(const struct document *document, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void document_row_end(const struct document *document);
void document_table_end(const struct document *document);

/* Figures: several in a row, between these. `file` is beside the Markdown; the page has `svg` in it. */
void document_figures(const struct document *document);
void document_figure(const struct document *document, const char *file, const char *title,
                     const struct buf *svg);
void document_figures_end(const struct document *document);

#endif
