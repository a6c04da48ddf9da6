/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a sweep claims: medians, ratios, and who is the fastest where that can be told. */
#include "lab/sweep_result.h"

#include "cost.h"
#include "lab/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sweep_result_free(struct sweep_result *result)
{
    free(result->rows);
    result->rows = NULL;
}

static const char *fact_of(const struct samples *samples, const char *front, const char *name)
{
    char key[MODEL_NAME_BYTES + 16];
    snprintf(key, sizeof key, "%s%s", front, name);
    const char *value = environment_get(&samples->environment, key);
    return value == NULL ? "" : value;
}

bool sweep_absent(const struct samples *samples, size_t *i, const char **name,
                  const char **why)
{
    size_t len = strlen(SWEEP_FACT_ABSENT);
    for (; *i < samples->environment.count; ++*i) {
        const struct fact *fact = &samples->environment.facts[*i];
        if (strncmp(fact->name, SWEEP_FACT_ABSENT, len) != 0)
            continue;
        *name = fact->name + len;
        *why = fact->value;
        ++*i;
        return true;
    }
    return false;
}

static void set_arms(const struct samples *samples, struct sweep_result *out)
{
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        const char *name = arm == ARM_HEAD    ? fact_of(samples, SWEEP_FACT_FIRST, "")
                           : arm >= ARM_OTHER ? samples->others[arm - ARM_OTHER]
                                              : "";
        if (name[0] != '\0' || arm == ARM_HEAD)
            out->arms[out->arm_count++] = (struct sweep_arm){
                (enum arm)arm, name[0] == '\0' ? arm_name(ARM_HEAD) : name,
                fact_of(samples, SWEEP_FACT_VERSION, name)};
    }
}

/* ---- ceilings ---- */

static bool is_ceiling(const char *name)
{
    return strcmp(name, SWEEP_COPY) == 0 || strcmp(name, SWEEP_MATRIX) == 0;
}

static struct sweep_ceiling ceiling_of(const struct config_samples *config,
                                       const struct config_verdict *verdict, double amount)
{
    double ns = verdict->median_ns[ARM_HEAD];
    const struct interval *ci = &verdict->median_ci[ARM_HEAD];
    if (config->fault != FAULT_NONE || !(ns > 0))
        return (struct sweep_ceiling){.known = false};
    return (struct sweep_ceiling){true, amount / ns, {amount / ci->high, amount / ci->low}};
}

static void set_ceiling(const struct config_samples *config,
                        const struct config_verdict *verdict, struct sweep_result *out)
{
    const struct problem *problem = &config->config.problem;
    if (strcmp(config->config.name, SWEEP_COPY) == 0) {
        out->copy = ceiling_of(config, verdict, cost_compulsory_bytes(problem));
    } else {
        out->matrix = ceiling_of(config, verdict, cost_operations(problem));
        out->matrix_dtype = dtype_name(problem->dtype);
    }
}

/* ---- one shape ---- */

static const char *why_missing(const struct config_samples *config,
                               const struct config_verdict *verdict, enum arm arm)
{
    const char *left_out = arm == ARM_HEAD ? "" : config->left_out[arm - ARM_OTHER];
    if (config->fault != FAULT_NONE)
        return arm == ARM_HEAD ? config->failure : "nothing to set it against";
    return left_out[0] != '\0'              ? left_out
           : !(verdict->median_ns[arm] > 0) ? "no process without a mark"
                                            : NULL;
}

static void set_cells(const struct sweep_result *result, const struct config_samples *config,
                      const struct config_verdict *verdict, struct sweep_row *row)
{
    row->fastest = result->arm_count;
    for (size_t a = 0; a < result->arm_count; a++) {
        struct sweep_cell *cell = &row->cells[a];
        enum arm arm = result->arms[a].arm;
        cell->missing = why_missing(config, verdict, arm);
        if (cell->missing != NULL)
            continue;
        cell->ns = verdict->median_ns[arm];
        cell->ci = verdict->median_ci[arm];
        row->contested++;
        if (row->fastest == result->arm_count || cell->ns < row->cells[row->fastest].ns)
            row->fastest = a;
    }
}

static int compare_cells(const struct sweep_result *result,
                         const struct config_samples *config, struct sweep_row *row,
                         struct err *err)
{
    row->won = row->fastest < result->arm_count && row->contested > 1;
    for (size_t a = 0; a < result->arm_count; a++) {
        struct sweep_cell *cell = &row->cells[a];
        const struct sweep_pair first = {result->arms[a].arm, ARM_HEAD, 1};
        struct sweep_pair fastest = first;
        if (cell->missing != NULL)
            continue;
        fastest.other = result->arms[row->fastest].arm;
        fastest.comparisons = result->comparisons;
        cell->tied = true;
        if (a > 0 &&
            sweep_compare(config, &first, result->rule, &cell->to_first, NULL, err) != 0)
            return -1;
        if (a == row->fastest)
            continue;
        if (sweep_compare(config, &fastest, result->rule, &cell->to_fastest, &cell->pairs,
                          err) != 0)
            return -1;
        cell->tied = !(cell->to_fastest.known && cell->pairs >= result->rule->min_replicates &&
                       cell->to_fastest.ci_decision.low > result->rule->control_floor);
        row->won = row->won && !cell->tied;
    }
    return 0;
}

static int set_row(const struct sweep_result *result, const struct config_samples *config,
                   const struct config_verdict *verdict, struct sweep_row *row,
                   struct err *err)
{
    row->config = &config->config;
    row->operations = cost_operations(&config->config.problem);
    row->bytes = cost_compulsory_bytes(&config->config.problem);
    row->processes = config_samples_unmarked(config);
    row->marked = config->count - row->processes;
    row->marks = config_samples_marks(config);
    set_cells(result, config, verdict, row);
    return compare_cells(result, config, row, err);
}

int sweep_result_of(const struct samples *samples, const struct comparison *comparison,
                    const struct rule *rule, struct sweep_result *out, struct err *err)
{
    struct sweep_result result = {.samples = samples, .rule = rule, .matrix_dtype = ""};
    set_arms(samples, &result);
    for (size_t i = 0; i < samples->count && i < comparison->count; i++)
        if (is_ceiling(samples->configs[i].config.name))
            set_ceiling(&samples->configs[i], &comparison->configs[i], &result);
        else
            result.row_count++;
    result.rows = calloc(result.row_count + 1, sizeof *result.rows);
    if (result.rows == NULL)
        return err_set(err, ERR_HOST, "out of memory for a sweep's result");
    size_t pairs = result.arm_count * (result.arm_count - 1) / 2;
    result.comparisons = pairs == 0 ? 1 : pairs * result.row_count;
    for (size_t i = 0, row = 0; i < samples->count && i < comparison->count; i++) {
        if (is_ceiling(samples->configs[i].config.name))
            continue;
        if (set_row(&result, &samples->configs[i], &comparison->configs[i],
                    &result.rows[row++], err) != 0) {
            sweep_result_free(&result);
            return -1;
        }
    }
    *out = result;
    return 0;
}

/* ---- what follows from a cell ---- */

double sweep_rate(const struct sweep_cell *cell, double amount, struct interval *ci)
{
    *ci = (struct interval){amount / cell->ci.high, amount / cell->ci.low};
    return amount / cell->ns;
}

double sweep_share(const struct sweep_cell *cell, struct interval *ci)
{
    const struct change *change = &cell->to_fastest;
    *ci = (struct interval){NAN, NAN};
    if (cell->missing != NULL)
        return NAN;
    if (!change->known) /* the fastest itself, or nothing is known */
        return cell->pairs == 0 && cell->tied ? 1 : NAN;
    *ci = (struct interval){1 / (1 + change->ci.high), 1 / (1 + change->ci.low)};
    return 1 / (1 + change->change);
}

static size_t put(char *out, size_t size, size_t used, const char *text)
{
    int len = used < size ? snprintf(out + used, size - used, "%s", text) : 0;
    return used + (len > 0 ? (size_t)len : 0);
}

void sweep_winner_text(const struct sweep_result *result, const struct sweep_row *row,
                       char *out, size_t size)
{
    size_t used = 0, tied = 0;
    if (row->fastest == result->arm_count || row->contested < 2) {
        put(out, size, 0, row->contested == 0 ? "nobody" : "nobody else");
        return;
    }
    if (row->won) {
        put(out, size, 0, result->arms[row->fastest].name);
        return;
    }
    if (row->processes < result->rule->min_replicates) {
        put(out, size, 0, "too few processes to tell");
        return;
    }
    used = put(out, size, used, "a tie: ");
    for (size_t a = 0; a < result->arm_count; a++) {
        if (row->cells[a].missing != NULL || !row->cells[a].tied)
            continue;
        used = put(out, size, used, tied++ == 0 ? "" : ", ");
        used = put(out, size, used, result->arms[a].name);
    }
}
