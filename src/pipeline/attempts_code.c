/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what has to be the same, so that two checks are of the same code. */
#include "pipeline/attempts_internal.h"

#include "judge/environment.h"
#include "pipeline/arms.h"

#include <string.h>

enum { ROW_TEXT_BYTES = 2048 };

const char *attempts_arm_code(const struct row *row, enum arm arm)
{
    return row->config->arms[arm].code;
}

static void put_share(struct buf *out, double value)
{
    buf_addf(out, " %.17g", value);
}

static void put_count(struct buf *out, unsigned long long value)
{
    buf_addf(out, " %llu", value);
}

void attempts_rule_key(const struct rule *rule, char out[FILE_KEY_BYTES])
{
    BUF_AUTO text;
    buf_init(&text, ROW_TEXT_BYTES);
#define PUT_NUMBER(type, field, ...)         \
    _Generic((type)0, double                 \
             : put_share, unsigned           \
             : put_count, unsigned long long \
             : put_count)(&text, rule->field);
    RULE_TABLE(PUT_NUMBER)
#undef PUT_NUMBER
    for (unsigned i = 0; i < rule->look_count; i++)
        buf_addf(&text, " look %u", rule->looks[i]);
    file_key(text.data, out);
}

/* Is this fact part of what has to be the same? Where a build's command made the same code it made no
 * difference, and a pull request chooses its own. Cards of one name are alike, whichever lane has
 * which. The clock's resolution is measured anew each time. */
static bool fact_separates(const char *name)
{
    static const char *const others[] = {ARMS_FACT_COMMAND, ARMS_FACT_OUTPUT, "gpu_id",
                                         "clock_resolution"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return environment_matters(name) && !environment_is_reading(name);
}

int attempts_put_environment(const struct environment *all, struct buf *out, struct err *err)
{
    struct environment some __attribute__((cleanup(environment_free))) = {0};
    for (size_t i = 0; i < all->count; i++)
        if (fact_separates(all->facts[i].name) &&
            environment_set(&some, all->facts[i].name, all->facts[i].value) != 0)
            return err_set(err, ERR_HOST, "out of memory for the environment");
    return environment_hashed(&some, out, err);
}

void attempts_code_key(const struct row *row, char out[FILE_KEY_BYTES])
{
    const struct measurement *measurement = row->measurement;
    const struct problem *p = &row->config->config.problem;
    BUF_AUTO text;
    buf_init(&text, ROW_TEXT_BYTES + strlen(row->environment));
    buf_addf(&text, "%s\n%s\n%s\n%s\n", row->repository, measurement->job.base_ref,
             measurement->job.device, row->config->config.name);
    buf_addf(&text, "%d %d %d %d %d %d %s %d\n", p->batch, p->heads, p->heads_kv, p->seq_q,
             p->seq_k, p->head_dim, dtype_name(p->dtype), p->causal);
    buf_addf(&text, "%s\n%s\n%s\n%s\n%s\n", attempts_arm_code(row, ARM_HEAD),
             attempts_arm_code(row, ARM_BASE), attempts_arm_code(row, ARM_ANCHOR), row->rule,
             measurement->samples.device.name);
    buf_adds(&text, row->environment);
    file_key(text.data, out);
}
