/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where the figures of a section stand in it. */
#include "lab/study_report.h"

void study_put_figures(const struct study_page *page, enum study_phase phase)
{
    bool any = false;
    for (size_t i = 0; i < page->figures->count; i++) {
        const struct study_figure *figure = &page->figures->list[i];
        if (figure->phase != phase)
            continue;
        if (!any)
            document_figures(&page->document);
        any = true;
        document_figure(&page->document, figure->file, figure->title, &figure->svg);
    }
    if (any)
        document_figures_end(&page->document);
}
