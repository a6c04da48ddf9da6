/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of a comparison for a terminal. */
#include "judge/verdict.h"

#include "judge/text.h"

#include <string.h>

/* Who reads this may never have heard of a pull request. */
static void put_fault(enum fault fault, struct buf *out)
{
    if (fault != FAULT_NONE)
        buf_addf(out, " (fault: %s)", fault == FAULT_PR ? "this change" : fault_name(fault));
}

static void table_row(const struct config_verdict *config, int width, struct buf *out)
{
    char change[TEXT_CHANGE_BYTES] = "-";
    if (config->change.known)
        text_change(change, config->change.change, config->change.ci_decision);
    buf_addf(out, "%-*s  %-10s  %-28s  %-7s  %zu", width, config->config.name,
             verdict_name(config->verdict), change, against_name(config->against),
             config->replicates);
    if (config->marked != 0)
        buf_addf(out, " (%zu marked)", config->marked);
    char missing[TEXT_MISSING_BYTES];
    if (text_missing(missing, config)[0] != '\0')
        buf_addf(out, " (%s)", missing);
    if (config->change.known && !config->control.known && config->missing[ARM_CONTROL] == 0)
        buf_adds(out, " (no control)");
    buf_adds(out, "\n    ");
    text_plain(out, config->reason);
    put_fault(config->fault, out);
    if (config->anchor_drifted)
        buf_addf(out, "\n    today's anchor reads %+.2f%% against its stored samples",
                 100 * config->anchor_drift);
    const char *const told[] = {config->code.line, config->metrics.line};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (told[i][0] != '\0') {
            buf_adds(out, "\n    ");
            text_plain(out, told[i]);
        }
    buf_addc(out, '\n');
}

/* The whole's reason is that of its worst row, where that decided it. */
static bool is_said(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->configs[i].verdict == comparison->verdict &&
            comparison->configs[i].clause == comparison->clause)
            return true;
    return false;
}

void verdict_format_table(const struct comparison *comparison, struct buf *out)
{
    size_t width = strlen("config");
    for (size_t i = 0; i < comparison->count; i++)
        if (strlen(comparison->configs[i].config.name) > width)
            width = strlen(comparison->configs[i].config.name);
    if (comparison->count != 0)
        buf_addf(out, "%-*s  %-10s  %-28s  %-7s  %s\n", (int)width, "config", "verdict",
                 "change [deciding interval]", "against", "replicates");
    for (size_t i = 0; i < comparison->count; i++)
        table_row(&comparison->configs[i], (int)width, out);
    buf_addf(out, "%s on ", verdict_name(comparison->verdict));
    text_plain(out, comparison->device.name[0] != '\0' ? comparison->device.name
                                                       : comparison->device.slug);
    if (!is_said(comparison)) {
        buf_adds(out, ": ");
        text_plain(out, comparison->reason);
    }
    put_fault(comparison->fault, out);
    buf_addc(out, '\n');
    if (comparison->spent.device_ms > 0) {
        text_spent(out, comparison);
        buf_addc(out, '\n');
    }
}
