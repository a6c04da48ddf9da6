/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the keys of sweep.json and the columns of sweep.csv. */
#include "lab/sweep_data.h"

#include "judge/fields.h"
#include "judge/text.h"

#include <math.h>
#include <string.h>

enum { WINNER_BYTES = 512 };

/* A number and its interval. */
struct estimate3 {
    double value;
    struct interval ci;
};

static struct estimate3 scaled(double value, struct interval ci, double unit)
{
    return (struct estimate3){value / unit, {ci.low / unit, ci.high / unit}};
}

static struct estimate3 time_of(const struct sweep_cell *cell)
{
    return scaled(cell->ns, cell->ci, 1);
}

static struct estimate3 rate_of(const struct sweep_cell *cell, double amount, double unit)
{
    struct interval ci;
    double rate = sweep_rate(cell, amount, &ci);
    return scaled(rate, ci, unit);
}

static struct estimate3 share_of(const struct sweep_cell *cell)
{
    struct estimate3 out;
    out.value = sweep_share(cell, &out.ci);
    return out;
}

static struct estimate3 ratio_of(const struct sweep_cell *cell, bool is_first)
{
    const struct change *change = &cell->to_first;
    if (!change->known)
        return (struct estimate3){is_first ? 1 : NAN, {NAN, NAN}};
    return (struct estimate3){1 + change->change, {1 + change->ci.low, 1 + change->ci.high}};
}

/* ---- JSON ---- */

static void put_estimate(struct buf *out, const char *key, struct estimate3 estimate)
{
    buf_addf(out, ", \"%s\": [", key);
    text_number(out, estimate.value);
    buf_adds(out, ", ");
    text_number(out, estimate.ci.low);
    buf_adds(out, ", ");
    text_number(out, estimate.ci.high);
    buf_addc(out, ']');
}

static void put_implementations(const struct sweep_result *result, struct buf *out)
{
    const struct samples *samples = result->samples;
    const char *name, *why;
    buf_adds(out, "  \"implementations\": [");
    for (size_t a = 0; a < result->arm_count; a++) {
        const struct sweep_arm *arm = &result->arms[a];
        buf_adds(out, a == 0 ? "\n    {\"name\": " : ",\n    {\"name\": ");
        text_string(out, arm->name);
        buf_adds(out, ", \"code\": ");
        text_string(out, samples->count == 0 ? "" : samples->configs[0].arms[arm->arm].code);
        buf_adds(out, ", \"version\": ");
        text_string(out, arm->version);
        buf_addc(out, '}');
    }
    for (size_t i = 0; sweep_absent(samples, &i, &name, &why);) {
        buf_adds(out, ",\n    {\"name\": ");
        text_string(out, name);
        buf_adds(out, ", \"absent\": ");
        text_string(out, why);
        buf_addc(out, '}');
    }
    buf_adds(out, "\n  ],\n");
}

static void put_ceiling(struct buf *out, const char *key, const struct sweep_ceiling *ceiling,
                        double unit)
{
    if (ceiling->known)
        put_estimate(out, key, scaled(ceiling->rate, ceiling->ci, unit));
    else
        buf_addf(out, ", \"%s\": null", key);
}

static void put_ceilings(const struct sweep_result *result, struct buf *out)
{
    buf_adds(out, "  \"ceilings\": ");
    if (!result->copy.known && !result->matrix.known) {
        buf_adds(out, "null,\n");
        return;
    }
    buf_addf(out, "{\"matrix_dtype\": \"%s\"", result->matrix_dtype);
    put_ceiling(out, "copy_gb_s", &result->copy, 1);
    put_ceiling(out, "matrix_tflop_s", &result->matrix, 1000);
    buf_adds(out, "},\n");
}

static void put_arm(const struct sweep_result *result, const struct sweep_row *row, size_t arm,
                    struct buf *out)
{
    const struct sweep_cell *cell = &row->cells[arm];
    buf_adds(out, "        {\"name\": ");
    text_string(out, result->arms[arm].name);
    if (cell->missing != NULL) {
        buf_adds(out, ", \"missing\": ");
        text_string(out, cell->missing);
        buf_addc(out, '}');
        return;
    }
    put_estimate(out, "median_ns", time_of(cell));
    put_estimate(out, "tflop_s", rate_of(cell, row->operations, 1000));
    put_estimate(out, "gb_s", rate_of(cell, row->bytes, 1));
    put_estimate(out, "time_over_first", ratio_of(cell, arm == 0));
    put_estimate(out, "share_of_fastest", share_of(cell));
    buf_addf(out, ", \"processes\": %zu, \"tied\": %s}",
             arm == row->fastest ? row->processes : cell->pairs,
             cell->tied ? "true" : "false");
}

static void put_config(const struct sweep_result *result, const struct sweep_row *row,
                       struct buf *out)
{
    char told[WINNER_BYTES];
    sweep_winner_text(result, row, told, sizeof told);
    buf_adds(out, "    {\n      \"name\": ");
    text_string(out, row->config->name);
    buf_adds(out, ",\n      ");
    fields_put_problem(out, &row->config->problem);
    buf_addf(out, ",\n      \"processes\": %zu, \"marked\": %zu", row->processes, row->marked);
    fields_put_marks(out, row->marks);
    buf_adds(out, ", \"fastest\": ");
    if (row->won)
        text_string(out, result->arms[row->fastest].name);
    else
        buf_adds(out, "null");
    buf_adds(out, ", \"told\": ");
    text_string(out, told);
    buf_adds(out, ",\n      \"arms\": [\n");
    for (size_t a = 0; a < result->arm_count; a++) {
        put_arm(result, row, a, out);
        buf_adds(out, a + 1 == result->arm_count ? "\n      ]\n    }" : ",\n");
    }
}

int sweep_json(const struct sweep_result *result, struct buf *out, struct err *err)
{
    buf_addf(out, "{\n  \"schema\": \"%s\",\n  ", SWEEP_SCHEMA);
    fields_put_device(out, &result->samples->device);
    buf_addf(out, ",\n  \"confidence\": %.6g, \"comparisons\": %zu, \"tie_margin\": %.6g,\n",
             result->rule->confidence, result->comparisons, result->rule->control_floor);
    put_implementations(result, out);
    put_ceilings(result, out);
    buf_adds(out, "  ");
    fields_put_environment(out, &result->samples->environment, "  ");
    buf_adds(out, ",\n  \"configs\": [\n");
    for (size_t i = 0; i < result->row_count; i++) {
        put_config(result, &result->rows[i], out);
        buf_adds(out, i + 1 == result->row_count ? "\n" : ",\n");
    }
    buf_adds(out, "  ]\n}\n");
    return buf_check(out, "sweep.json", err);
}

/* ---- CSV ---- */

/* Quoted where it has to be; what a spreadsheet would take for a formula has a blank before it. */
static void put_field(struct buf *out, const char *text)
{
    buf_adds(out, strchr("=+-@\t", text[0]) != NULL && text[0] != '\0' ? ",\" " : ",\"");
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buf_addc(out, '"');
        buf_addc(out, (unsigned char)*text < 0x20 ? '?' : *text);
    }
    buf_addc(out, '"');
}

static void put_number(struct buf *out, double number)
{
    buf_addc(out, ',');
    if (isfinite(number))
        text_number(out, number);
}

static void put_numbers(struct buf *out, struct estimate3 estimate)
{
    put_number(out, estimate.value);
    put_number(out, estimate.ci.low);
    put_number(out, estimate.ci.high);
}

static void put_line(const struct sweep_result *result, const struct sweep_row *row,
                     size_t arm, struct buf *out)
{
    static const struct estimate3 none = {NAN, {NAN, NAN}};
    const struct problem *p = &row->config->problem;
    const struct sweep_cell *cell = &row->cells[arm];
    bool is_there = cell->missing == NULL;
    buf_addf(out, "%s,%d,%d,%d,%d,%d,%d,%s,%s", row->config->name, p->batch, p->heads,
             p->heads_kv, p->seq_q, p->seq_k, p->head_dim, dtype_name(p->dtype),
             p->causal ? "true" : "false");
    put_field(out, result->arms[arm].name);
    put_numbers(out, is_there ? time_of(cell) : none);
    put_number(out, is_there ? row->operations / cell->ns / 1000 : NAN);
    put_number(out, is_there ? row->bytes / cell->ns : NAN);
    put_numbers(out, is_there ? ratio_of(cell, arm == 0) : none);
    put_numbers(out, is_there ? share_of(cell) : none);
    buf_addf(out, ",%s,%s,%zu,%zu",
             !is_there    ? ""
             : cell->tied ? "true"
                          : "false",
             row->won ? result->arms[row->fastest].name : "", row->processes, row->marked);
    put_field(out, is_there ? "" : cell->missing);
    buf_addc(out, '\n');
}

int sweep_csv(const struct sweep_result *result, struct buf *out, struct err *err)
{
    buf_adds(out, "config,batch,heads,heads_kv,seq_q,seq_k,head_dim,dtype,causal,arm,"
                  "median_ns,low_ns,high_ns,tflop_s,gb_s,time_over_first,ratio_low,"
                  "ratio_high,share_of_fastest,share_low,share_high,tied,fastest,processes,"
                  "marked,missing\n");
    for (size_t i = 0; i < result->row_count; i++)
        for (size_t a = 0; a < result->arm_count; a++)
            put_line(result, &result->rows[i], a, out);
    return buf_check(out, "sweep.csv", err);
}
