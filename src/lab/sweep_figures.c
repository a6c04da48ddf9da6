/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which figures a sweep has, and what is in each. */
#include "lab/sweep_figures.h"

#include "lab/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SVG_BYTES = 1 << 20, LENGTHS_MAX = MODEL_CONFIGS_MAX };

/* Rows of one panel, by their length. */
struct panel {
    const struct sweep_result *result;
    size_t rows[LENGTHS_MAX];
    size_t count;
    double lengths[LENGTHS_MAX];
    char words[160]; /* "32 × 8 heads, D 64, fp16, causal" */
    char file[128];  /* "b32_h8_d64_fp16_causal" */
    char note[256];  /* under every title */
};

void sweep_figures_free(struct sweep_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++)
        buf_free(&figures->list[i].svg);
    free(figures->list);
    *figures = (struct sweep_figures){.list = NULL};
}

static struct sweep_figure *add(struct sweep_figures *figures, const char *kind,
                                const char *file, const char *title, struct err *err)
{
    struct sweep_figure *list = realloc(figures->list,
                                        (figures->count + 1) * sizeof *figures->list);
    if (list == NULL) {
        err_set(err, ERR_HOST, "out of memory for a figure");
        return NULL;
    }
    figures->list = list;
    struct sweep_figure *figure = &list[figures->count++];
    snprintf(figure->name, sizeof figure->name, "%s_%s", kind, file);
    snprintf(figure->title, sizeof figure->title, "%s", title);
    buf_init(&figure->svg, SVG_BYTES);
    return figure;
}

/* ---- panels ---- */

static const struct problem *problem_at(const struct sweep_result *result, size_t row)
{
    return &result->rows[row].config->problem;
}

/* Keys as long as queries are one kind, whatever the length; else their number has to agree. */
static bool same_panel(const struct problem *a, const struct problem *b)
{
    int keys_a = a->seq_k == a->seq_q ? 0 : a->seq_k,
        keys_b = b->seq_k == b->seq_q ? 0 : b->seq_k;
    return a->batch == b->batch && a->heads == b->heads && a->heads_kv == b->heads_kv &&
           a->head_dim == b->head_dim && a->dtype == b->dtype && a->causal == b->causal &&
           keys_a == keys_b;
}

static void set_words(struct panel *panel)
{
    const struct problem *p = problem_at(panel->result, panel->rows[0]);
    const struct samples *samples = panel->result->samples;
    char keys[32] = "", groups[32] = "", file_keys[32] = "", file_groups[32] = "";
    if (p->seq_k != p->seq_q) {
        snprintf(keys, sizeof keys, ", %d keys", p->seq_k);
        snprintf(file_keys, sizeof file_keys, "_k%d", p->seq_k);
    }
    if (p->heads_kv != p->heads) {
        snprintf(groups, sizeof groups, " on %d", p->heads_kv);
        snprintf(file_groups, sizeof file_groups, "g%d", p->heads_kv);
    }
    snprintf(panel->words, sizeof panel->words, "D %d%s, B %d, H %d%s%s, %s", p->head_dim,
             p->causal ? ", causal" : "", p->batch, p->heads, groups, keys,
             dtype_name(p->dtype));
    snprintf(panel->file, sizeof panel->file, "b%d_h%d%s_d%d%s_%s%s", p->batch, p->heads,
             file_groups, p->head_dim, file_keys, dtype_name(p->dtype),
             p->causal ? "_causal" : "");
    snprintf(panel->note, sizeof panel->note,
             "%.127s. Whiskers: %.3g%% intervals, or the range of fewer than six processes.",
             samples->device.name, 100 * panel->result->rule->confidence);
}

/* All rows of the same panel as `first`, by length. */
static void gather(const struct sweep_result *result, size_t first, struct panel *out)
{
    const struct problem *kind = problem_at(result, first);
    *out = (struct panel){.result = result};
    for (size_t i = first; i < result->row_count && out->count < LENGTHS_MAX; i++) {
        if (!same_panel(kind, problem_at(result, i)))
            continue;
        size_t at = out->count++;
        for (; at > 0 &&
               problem_at(result, out->rows[at - 1])->seq_q > problem_at(result, i)->seq_q;
             at--)
            out->rows[at] = out->rows[at - 1];
        out->rows[at] = i;
    }
    for (size_t i = 0; i < out->count; i++)
        out->lengths[i] = problem_at(result, out->rows[i])->seq_q;
    set_words(out);
}

static bool is_first_of_panel(const struct sweep_result *result, size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (same_panel(problem_at(result, i), problem_at(result, row)))
            return false;
    return true;
}

/* ---- lines against the length ---- */

enum value { VALUE_LATENCY, VALUE_BANDWIDTH, VALUE_SHARE };

static struct chart_point point_of(const struct sweep_row *row, size_t arm, enum value value,
                                   double x)
{
    const struct sweep_cell *cell = &row->cells[arm];
    struct chart_point point = {x, NAN, {NAN, NAN}};
    if (cell->missing != NULL)
        return point;
    if (value == VALUE_SHARE) {
        point.y = sweep_share(cell, &point.range);
    } else if (value == VALUE_BANDWIDTH) {
        point.y = sweep_rate(cell, row->bytes, &point.range);
    } else {
        point.y = cell->ns;
        point.range = cell->ci;
    }
    return point;
}

static int add_lines(struct sweep_figures *figures, const struct panel *panel,
                     enum value value, struct err *err)
{
    static const struct {
        const char *file, *title;
        struct chart_axis y;
    } kinds[] = {
        {"latency",
         "Latency",
         {"device time of a launch", CHART_TIME, true, false, NULL, 0, 0}},
        {"bandwidth",
         "Bandwidth",
         {"GB/s of Q, K, V and O, each moved once", CHART_NUMBER, true, false, NULL, 0, 0}},
        {"share",
         "Share of the fastest",
         {"speed, of the fastest at that length", CHART_PERCENT, false, true, NULL, 0, 1.1}}};
    const struct sweep_result *result = panel->result;
    struct chart_series series[SWEEP_ARMS_MAX];
    char title[256];
    struct chart_point *points = malloc((result->arm_count * panel->count + 1) *
                                        sizeof *points);
    if (points == NULL)
        return err_set(err, ERR_HOST, "out of memory for a figure");
    for (size_t a = 0; a < result->arm_count; a++) {
        struct chart_point *own = points + a * panel->count;
        for (size_t i = 0; i < panel->count; i++)
            own[i] = point_of(&result->rows[panel->rows[i]], a, value, panel->lengths[i]);
        series[a] = (struct chart_series){result->arms[a].name, CHART_LINE, (unsigned)a, own,
                                          panel->count};
    }
    snprintf(title, sizeof title, "%s: %s", kinds[value].title, panel->words);
    const struct chart_lines chart = {
        title,
        panel->note,
        {"sequence length", CHART_NUMBER, true, false, panel->lengths,
         panel->count < CHART_TICKS_MAX ? panel->count : CHART_TICKS_MAX, 0},
        kinds[value].y,
        series,
        result->arm_count};
    struct sweep_figure *figure = add(figures, kinds[value].file, panel->file, title, err);
    int rc = figure == NULL ? -1 : chart_lines(&chart, &figure->svg, err);
    free(points);
    return rc;
}

/* ---- bars ---- */

/* Rates of operations are in TFLOP/s, of a slow device in GFLOP/s. */
static double unit_of(const struct sweep_result *result, const char **name)
{
    double most = 0;
    for (size_t i = 0; i < result->row_count; i++)
        for (size_t a = 0; a < result->arm_count; a++)
            if (result->rows[i].cells[a].missing == NULL)
                most = fmax(most, result->rows[i].operations / result->rows[i].cells[a].ns);
    *name = most >= 1000 ? "TFLOP/s" : "GFLOP/s";
    return most >= 1000 ? 1000 : 1;
}

static struct chart_bar bar_of(const struct sweep_row *row, size_t arm, double unit)
{
    const struct sweep_cell *cell = &row->cells[arm];
    struct chart_bar bar = {NAN, {NAN, NAN}, "none"};
    if (cell->missing != NULL)
        return bar;
    bar.value = sweep_rate(cell, row->operations, &bar.range) / unit;
    bar.range.low /= unit;
    bar.range.high /= unit;
    return bar;
}

static int add_bars(struct sweep_figures *figures, const struct panel *panel, struct err *err)
{
    const struct sweep_result *result = panel->result;
    const char *names[SWEEP_ARMS_MAX], *groups[LENGTHS_MAX], *unit_name;
    unsigned slots[SWEEP_ARMS_MAX];
    char lengths[LENGTHS_MAX][16], title[256];
    double unit = unit_of(result, &unit_name);
    struct chart_bar *bars = malloc((result->arm_count * panel->count + 1) * sizeof *bars);
    if (bars == NULL)
        return err_set(err, ERR_HOST, "out of memory for a figure");
    for (size_t a = 0; a < result->arm_count; a++) {
        names[a] = result->arms[a].name;
        slots[a] = (unsigned)a;
    }
    for (size_t i = 0; i < panel->count; i++) {
        snprintf(lengths[i], sizeof lengths[i], "%.0f", panel->lengths[i]);
        groups[i] = lengths[i];
        for (size_t a = 0; a < result->arm_count; a++)
            bars[i * result->arm_count + a] = bar_of(&result->rows[panel->rows[i]], a, unit);
    }
    snprintf(title, sizeof title, "Forward: %s", panel->words);
    const struct chart_bars chart = {title,
                                     panel->note,
                                     "sequence length",
                                     {unit_name, CHART_NUMBER, false, true, NULL, 0, 0},
                                     groups,
                                     panel->count,
                                     names,
                                     slots,
                                     result->arm_count,
                                     bars};
    struct sweep_figure *figure = add(figures, "flops", panel->file, title, err);
    int rc = figure == NULL ? -1 : chart_bars(&chart, &figure->svg, err);
    free(bars);
    return rc;
}

/* ---- the roofline ---- */

/* Points of all arms at shapes of a dtype, and the roof over them. */
struct roofline {
    const struct sweep_result *result;
    enum dtype dtype;
    double unit;
    struct chart_series series[SWEEP_ARMS_MAX + 1];
    struct chart_point roof[3];
    struct chart_point *points; /* owned: row_count for each arm */
    double low, high;           /* operations a byte */
    char name[128];
};

static void add_points(struct roofline *roofline, size_t arm)
{
    const struct sweep_result *result = roofline->result;
    struct chart_point *own = roofline->points + arm * result->row_count;
    size_t count = 0;
    for (size_t i = 0; i < result->row_count; i++) {
        const struct sweep_row *row = &result->rows[i];
        const struct chart_bar bar = bar_of(row, arm, roofline->unit);
        double x = row->operations / row->bytes;
        if (row->config->problem.dtype != roofline->dtype || !isfinite(bar.value))
            continue;
        own[count++] = (struct chart_point){x, bar.value, bar.range};
        roofline->low = fmin(roofline->low, x);
        roofline->high = fmax(roofline->high, x);
    }
    roofline->series[arm] = (struct chart_series){result->arms[arm].name, CHART_POINTS,
                                                  (unsigned)arm, own, count};
}

/* Bandwidth times intensity up to the matrix rate; whichever of the two was measured. */
static bool set_roof(struct roofline *roofline, const char *unit_name)
{
    const struct sweep_result *result = roofline->result;
    bool matrix = result->matrix.known &&
                  strcmp(result->matrix_dtype, dtype_name(roofline->dtype)) == 0;
    double bandwidth = result->copy.known ? result->copy.rate : INFINITY;
    double flat = matrix ? result->matrix.rate : INFINITY;
    char copy_words[48] = "", matrix_words[48] = "";
    if (!result->copy.known && !matrix)
        return false;
    double knee = flat / bandwidth; /* 0: no bandwidth; infinite: no rate */
    double low = roofline->low / 1.5, high = roofline->high * 1.5;
    double middle = fmin(fmax(knee, low), high);
    const double xs[] = {low, middle, high};
    for (size_t i = 0; i < 3; i++)
        roofline->roof[i] = (struct chart_point){
            xs[i], fmin(bandwidth * xs[i], flat) / roofline->unit, {NAN, NAN}};
    if (result->copy.known)
        snprintf(copy_words, sizeof copy_words, " %.4g GB/s", result->copy.rate);
    if (matrix)
        snprintf(matrix_words, sizeof matrix_words, "%s %.4g %s",
                 copy_words[0] == '\0' ? "" : ",", result->matrix.rate / roofline->unit,
                 unit_name);
    snprintf(roofline->name, sizeof roofline->name, "measured:%s%s", copy_words, matrix_words);
    return true;
}

static int add_roofline(struct sweep_figures *figures, const struct sweep_result *result,
                        enum dtype dtype, struct err *err)
{
    const char *unit_name;
    char title[256], note[256];
    struct roofline roofline = {.result = result,
                                .dtype = dtype,
                                .unit = unit_of(result, &unit_name),
                                .low = INFINITY,
                                .points = malloc((result->arm_count * result->row_count + 1) *
                                                 sizeof *roofline.points)};
    if (roofline.points == NULL)
        return err_set(err, ERR_HOST, "out of memory for a figure");
    for (size_t a = 0; a < result->arm_count; a++)
        add_points(&roofline, a);
    bool any = isfinite(roofline.low);
    bool roofed = any && set_roof(&roofline, unit_name);
    if (roofed)
        roofline.series[result->arm_count] = (struct chart_series){
            roofline.name, CHART_CEILING, 0, roofline.roof, 3};
    snprintf(title, sizeof title, "Roofline: %s", dtype_name(dtype));
    snprintf(note, sizeof note, "%.127s. A point is a shape, its whiskers as elsewhere.%s",
             result->samples->device.name,
             roofed ? "" : " No ceiling was measured: see --ceiling.");
    const struct chart_lines chart = {
        title,
        note,
        {"operations a byte of Q, K, V and O", CHART_NUMBER, true, false, NULL, 0, 0},
        {unit_name, CHART_NUMBER, true, false, NULL, 0, 0},
        roofline.series,
        result->arm_count + roofed};
    struct sweep_figure *figure = any ? add(figures, "roofline", dtype_name(dtype), title, err)
                                      : NULL;
    int rc = !any ? 0 : figure == NULL ? -1 : chart_lines(&chart, &figure->svg, err);
    free(roofline.points);
    return rc;
}

/* ---- all ---- */

static int add_panel(struct sweep_figures *figures, const struct panel *panel, struct err *err)
{
    bool several = panel->count > 1;
    if ((several && (add_lines(figures, panel, VALUE_LATENCY, err) != 0 ||
                     add_lines(figures, panel, VALUE_BANDWIDTH, err) != 0)) ||
        add_bars(figures, panel, err) != 0 ||
        (several && panel->result->arm_count > 1 &&
         add_lines(figures, panel, VALUE_SHARE, err) != 0))
        return -1;
    figures->drawn++;
    return 0;
}

int sweep_figures_of(const struct sweep_result *result, struct sweep_figures *out,
                     struct err *err)
{
    struct sweep_figures figures = {.list = NULL};
    struct panel *panel = malloc(sizeof *panel);
    int rc = panel == NULL ? err_set(err, ERR_HOST, "out of memory for figures") : 0;
    for (size_t i = 0; rc == 0 && i < result->row_count; i++) {
        if (!is_first_of_panel(result, i) || figures.panels++ >= SWEEP_PANELS_MAX)
            continue;
        gather(result, i, panel);
        rc = add_panel(&figures, panel, err);
    }
    for (int dtype = 0; rc == 0 && dtype < DTYPE_COUNT; dtype++)
        rc = add_roofline(&figures, result, (enum dtype)dtype, err);
    free(panel);
    if (rc != 0) {
        sweep_figures_free(&figures);
        return -1;
    }
    *out = figures;
    return 0;
}
