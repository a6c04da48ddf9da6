/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the choice of a study's figures: of its sweeps a few, whose folders have all of them. */
#include "lab/study_figures.h"

#include "lab/chart.h"
#include "lab/study_words.h"

#include <math.h>
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

/* ---- our own ---- */

/* Rows of a forest, and the words at their right. */
struct forest {
    struct chart_forest_row rows[CHART_ROWS_MAX];
    char told[CHART_ROWS_MAX][STUDY_WORDS_BYTES];
    size_t count;
};

/* The row's value is the change plus `more`. */
static void add_row(struct forest *forest, const char *name, const struct change *change,
                    const struct interval *interval, double more, unsigned slot)
{
    struct chart_forest_row *row = &forest->rows[forest->count];
    double none = (double)NAN;
    char *told = forest->told[forest->count++];
    *row = (struct chart_forest_row){name, told, none, {none, none}, slot};
    if (more > 0)
        study_speedup_text(told, change, *interval);
    else
        study_change_text(told, change, *interval);
    if (!change->known)
        return;
    row->value = change->change + more;
    row->range = (struct interval){interval->low + more, interval->high + more};
}

static int add_forest(struct study_figures *figures, const struct study_result *result,
                      enum study_phase phase, const char *file,
                      const struct chart_forest *chart, const struct forest *forest,
                      struct err *err)
{
    char note[256];
    struct chart_forest drawn = *chart;
    const char *device = study_result_samples(result) == NULL
                             ? result->files->study.asked.device
                             : study_result_samples(result)->device.name;
    snprintf(note, sizeof note, "%.127s. %.4g%% intervals%s", device,
             100 * result->files->rule.confidence, chart->subtitle);
    drawn.subtitle = note;
    drawn.rows = forest->rows;
    drawn.count = forest->count;
    struct study_figure *figure = add(figures, phase, file, chart->title, err);
    return figure == NULL ? -1 : chart_forest(&drawn, &figure->svg, err);
}

static int add_speedups(struct study_figures *figures, const struct study_result *result,
                        struct forest *forest, struct err *err)
{
    const struct chart_forest chart = {
        .title = "Speed-up of the best kernel over the first",
        .subtitle = ": of each shape alone; of the mean, corrected for looks.",
        .x = {"time of the first over time of the best", CHART_NUMBER, false, false, NULL, 0,
              0},
        .line = 1};
    forest->count = 0;
    if (!result->compared)
        return 0;
    add_row(forest, "geometric mean", &result->speedup, &result->speedup.ci_decision, 1, 1);
    for (size_t i = 0; i < result->row_count && forest->count < CHART_ROWS_MAX; i++)
        if (result->rows[i].missing == NULL)
            add_row(forest, result->rows[i].samples->config.name, &result->rows[i].speedup,
                    &result->rows[i].speedup.ci, 1, 0);
    return add_forest(figures, result, STUDY_END, "speedup", &chart, forest, err);
}

static int add_proposals(struct study_figures *figures, const struct study_result *result,
                         struct forest *forest, struct err *err)
{
    static const char *const legend[] = {"kept", "not kept"};
    const struct study_files *files = result->files;
    const struct chart_forest chart = {
        .title = "Proposals, in the order in which they were tried",
        .subtitle = ", corrected for all proposals; each beside the best kernel before it.",
        .x = {"change in time, mean over shapes", CHART_PERCENT, false, false, NULL, 0, 0},
        .legend = legend,
        .legend_count = 2};
    forest->count = 0;
    for (size_t i = 0; i < files->study.step_count && forest->count < CHART_ROWS_MAX; i++)
        if (files->study.steps[i].proposal)
            add_row(forest, files->study.steps[i].name, &files->judged[i].mean,
                    &files->judged[i].mean.ci_decision, 0, !files->study.steps[i].kept);
    return forest->count == 0
               ? 0
               : add_forest(figures, result, STUDY_OPTIMISE, "proposals", &chart, forest, err);
}

static int add_forests(struct study_figures *figures, const struct study_result *result,
                       struct err *err)
{
    struct forest *forest = malloc(sizeof *forest);
    int rc = forest == NULL ? err_set(err, ERR_HOST, "out of memory for a figure")
             : add_speedups(figures, result, forest, err) != 0
                 ? -1
                 : add_proposals(figures, result, forest, err);
    free(forest);
    return rc;
}

int study_figures_of(const struct study_result *result, struct study_figures *out,
                     struct err *err)
{
    struct study_figures figures = {.list = NULL};
    if (add_forests(&figures, result, err) != 0 ||
        add_sweep(&figures, STUDY_BACKENDS, &result->backends, err) != 0 ||
        add_sweep(&figures, STUDY_SHAPES, &result->shapes, err) != 0) {
        study_figures_free(&figures);
        return -1;
    }
    *out = figures;
    return 0;
}
