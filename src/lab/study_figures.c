/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the choice of a study's figures: of its sweeps a few, whose folders have all of them. */
#include "lab/study_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SVG_BYTES = 1 << 20, OF_A_KIND = 2 };

void study_figures_free(struct study_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++)
        buf_free(&figures->list[i].svg);
    free(figures->list);
    *figures = (struct study_figures){.list = NULL};
}

static struct study_figure *add(struct study_figures *figures, enum study_phase phase,
                                const char *name, const char *title, struct err *err)
{
    struct study_figure *list = realloc(figures->list,
                                        (figures->count + 1) * sizeof *figures->list);
    if (list == NULL) {
        err_set(err, ERR_HOST, "out of memory for a figure");
        return NULL;
    }
    figures->list = list;
    struct study_figure *figure = &list[figures->count++];
    *figure = (struct study_figure){.phase = phase};
    snprintf(figure->file, sizeof figure->file, "figures/%.80s.svg", name);
    snprintf(figure->title, sizeof figure->title, "%s", title);
    buf_init(&figure->svg, SVG_BYTES);
    return figure;
}

/* ---- of the sweeps ---- */

static const char *const kinds[] = {"latency_", "flops_", "roofline_"};

static int add_sweep(struct study_figures *figures, enum study_phase phase,
                     const struct study_sweep *sweep, struct err *err)
{
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t i = 0, found = 0; i < sweep->figures.count && found < OF_A_KIND; i++) {
            const struct sweep_figure *from = &sweep->figures.list[i];
            char name[MODEL_NAME_BYTES + 16];
            if (strncmp(from->name, kinds[kind], strlen(kinds[kind])) != 0)
                continue;
            found++;
            snprintf(name, sizeof name, "%s-%s", study_phase_name(phase), from->name);
            struct study_figure *figure = add(figures, phase, name, from->title, err);
            if (figure == NULL)
                return -1;
            buf_add(&figure->svg, from->svg.data, from->svg.len);
            if (buf_check(&figure->svg, "a figure", err) != 0)
                return -1;
        }
    return 0;
}

int study_figures_of(const struct study_result *result, struct study_figures *out,
                     struct err *err)
{
    struct study_figures figures = {.list = NULL};
    if (add_sweep(&figures, STUDY_BACKENDS, &result->backends, err) != 0 ||
        add_sweep(&figures, STUDY_SHAPES, &result->shapes, err) != 0) {
        study_figures_free(&figures);
        return -1;
    }
    *out = figures;
    return 0;
}
