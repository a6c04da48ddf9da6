/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the text of summary.json. */
#include "lab/study_data.h"

#include "judge/text.h"

static const char *target_name(enum study_target target)
{
    static const char *const names[] = {"none", "met", "missed", "not shown"};
    return names[target];
}

static void put_number(struct buf *out, const char *before, double number)
{
    buf_adds(out, before);
    text_number(out, number);
}

static void put_text(struct buf *out, const char *before, const char *text)
{
    buf_adds(out, before);
    text_string(out, text);
}

static void put_interval(struct buf *out, const char *before, struct interval interval,
                         double more)
{
    buf_adds(out, before);
    text_interval(out, (struct interval){interval.low + more, interval.high + more});
}

/* As a factor: 1.2 is a fifth faster. */
static void put_speedup(struct buf *out, const char *before, const struct change *change)
{
    buf_adds(out, before);
    if (!change->known) {
        buf_adds(out, "null");
        return;
    }
    put_number(out, "{\"value\": ", 1 + change->change);
    put_interval(out, ", \"ci\": ", change->ci, 1);
    put_interval(out, ", \"ci_decision\": ", change->ci_decision, 1);
    buf_addc(out, '}');
}

static void put_cost(struct buf *out, const struct study *study)
{
    put_number(out, ",\n  \"seconds\": ", study_seconds(study));
    put_number(out, ", \"estimate_seconds\": ", study->estimate_s);
    if (study->price.currency[0] == '\0') {
        buf_adds(out, ", \"cost\": null");
        return;
    }
    put_number(out, ", \"cost\": {\"amount\": ", study_cost(study) / 1e6);
    put_number(out,
               ", \"estimate\": ", price_micro_of(&study->price, study->estimate_s) / 1e6);
    put_text(out, ", \"currency\": ", study->price.currency);
    buf_addc(out, '}');
}

static void put_proposal(struct buf *out, const struct study_step *step,
                         const struct study_judged *judged)
{
    put_text(out, "{\"name\": ", step->name);
    buf_addf(out, ", \"kept\": %s", step->kept ? "true" : "false");
    put_text(out, ", \"state\": ", study_state_name(step->state));
    if (step->why[0] != '\0')
        put_text(out, ", \"why\": ", step->why);
    if (step->proposal && judged->mean.known) {
        put_number(out, ",\n      \"change\": ", judged->mean.change);
        put_interval(out, ", \"ci\": ", judged->mean.ci, 0);
        put_interval(out, ", \"ci_decision\": ", judged->mean.ci_decision, 0);
        buf_addf(out, ", \"processes\": %zu", judged->replicates);
    }
    buf_addc(out, '}');
}

static void put_proposals(struct buf *out, const struct study_result *result)
{
    const struct study *study = &result->files->study;
    const char *before = "\n    ";
    buf_addf(out,
             ",\n  \"proposals\": {\"listed\": %zu, \"measured\": %zu, \"kept\": %zu,"
             " \"corrected_for\": %zu, \"list\": [",
             result->proposed, result->measured, result->kept, study->asked.proposals);
    for (size_t i = 0; i < study->step_count; i++) {
        if (study->steps[i].phase != STUDY_OPTIMISE)
            continue;
        buf_adds(out, before);
        put_proposal(out, &study->steps[i], &result->files->judged[i]);
        before = ",\n    ";
    }
    buf_adds(out, "]}");
}

static void put_effects(struct buf *out, const struct study_row *row)
{
    if (!row->effects_known) {
        buf_adds(out, ",\n     \"effects\": null");
        return;
    }
    put_number(out, ",\n     \"effects\": {\"hedges_g\": ", row->hedges_g);
    put_number(out, ", \"cliffs_delta\": ", row->cliffs_delta);
    put_number(out, ", \"p\": ", row->p_value);
    buf_addf(out, ", \"ci_overlap\": %s}", row->ci_overlap ? "true" : "false");
}

static void put_row(struct buf *out, const struct study_row *row, bool compared)
{
    put_text(out, "{\"name\": ", row->samples->config.name);
    if (row->missing != NULL) {
        put_text(out, ", \"missing\": ", row->missing);
        buf_addc(out, '}');
        return;
    }
    put_number(out, ", \"median_ns\": ", row->median_ns);
    put_interval(out, ", \"ci\": ", row->median_ci, 0);
    put_number(out, ", \"mean_ns\": ", row->mean_ns);
    put_number(out, ", \"sd_ns\": ", row->sd_ns);
    put_number(out, ",\n     \"p95_ns\": ", row->p95_ns);
    put_number(out, ", \"p99_ns\": ", row->p99_ns);
    buf_addf(out, ", \"samples\": %zu, \"processes\": %zu", row->sample_count, row->processes);
    put_number(out, ",\n     \"sequences_s\": ", row->sequences_s);
    put_number(out, ", \"tflop_s\": ", row->flop_ns / 1000);
    put_number(out, ", \"gb_s\": ", row->byte_ns);
    put_number(out, ", \"memory_bytes\": ", row->memory_bytes);
    put_number(out, ", \"memory_share\": ", row->memory_share);
    if (compared) {
        put_number(out, ",\n     \"first_ns\": ", row->first_ns);
        put_interval(out, ", \"first_ci\": ", row->first_ci, 0);
        put_speedup(out, ", \"speedup\": ", &row->speedup);
        put_effects(out, row);
    }
    buf_addc(out, '}');
}

int study_summary_json(const struct study_result *result, struct buf *out, struct err *err)
{
    const struct study *study = &result->files->study;
    const struct rule *rule = &result->files->rule;
    put_text(out, "{\n  \"schema\": ", STUDY_SUMMARY_SCHEMA);
    put_text(out, ",\n  \"device\": ", study->asked.device);
    put_text(out, ", \"first\": ", study->asked.commit);
    put_text(out, ", \"best\": ", study->best);
    put_number(out, ",\n  \"rule\": {\"confidence\": ", rule->confidence);
    put_number(out, ", \"threshold\": ", rule->threshold);
    buf_addf(out, ", \"looks\": %u},\n  \"compared\": %s", rule->look_count,
             result->compared ? "true" : "false");
    put_speedup(out, ",\n  \"speedup\": ", &result->speedup);
    buf_addf(out, ", \"speedup_configs\": %zu", result->speedup_configs);
    put_number(out, ",\n  \"target\": {\"asked\": ", study->asked.target_speedup);
    put_text(out, ", \"told\": ", target_name(result->target));
    buf_addf(out, "},\n  \"processes\": %zu, \"measured_configs\": %zu", result->processes,
             result->row_measured);
    put_cost(out, study);
    put_proposals(out, result);
    buf_adds(out, ",\n  \"configs\": [");
    for (size_t i = 0; i < result->row_count; i++) {
        buf_adds(out, i > 0 ? ",\n    " : "\n    ");
        put_row(out, &result->rows[i], result->compared);
    }
    buf_adds(out, "\n  ]\n}\n");
    return buf_check(out, "summary.json", err);
}
