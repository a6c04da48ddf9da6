/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the JSON of a history, schema ratchet.history/1:
 *
 *     device, head           what was asked for
 *     moves[]                newest first: commit, time, inherited, config, why, who, recorded, kernel;
 *                            median: ns, ci, replicates; protocol; step: change, ci (of a first
 *                            recording: none); protocol_before: another, so that there is no step
 *     checks[]               oldest first: result, time, verdict, reason, head, protocol ("": not told),
 *                            again (earlier checks of that head), cost; of a daemon's job also kind, repository, pr, starts;
 *                            configs[]: name, verdict, median, change
 *     months[]               month, checks, again, verdicts, device_seconds, costs[]: amount, currency;
 *                            unpriced, unpriced_seconds; untold (checks that tell no time)
 *     notes[], notes_left_out
 * Times are UTC, ns of device time a launch, intervals 95%, changes relative. */
#include "lab/history.h"

#include "judge/text.h"

static void put_word(struct buf *out, const char *key, const char *value)
{
    buf_addf(out, "\"%s\": ", key);
    text_string(out, value);
}

static void put_median(struct buf *out, double ns, struct interval ci)
{
    buf_adds(out, ", \"median\": {\"ns\": ");
    text_number(out, ns);
    buf_adds(out, ", \"ci\": ");
    text_interval(out, ci);
    buf_addc(out, '}');
}

static void put_change(struct buf *out, const char *key, const struct change *change)
{
    if (!change->known)
        return;
    buf_addf(out, ", \"%s\": {\"change\": ", key);
    text_number(out, change->change);
    buf_adds(out, ", \"ci\": ");
    text_interval(out, change->ci);
    buf_addc(out, '}');
}

static void put_move(const struct history_move *move, struct buf *out)
{
    char stamp[UTC_BYTES];
    buf_adds(out, "    {");
    put_word(out, "commit", move->commit);
    buf_adds(out, ", ");
    put_word(out, "time", utc_text(stamp, move->time));
    buf_addf(out, ", \"inherited\": %s, ", move->inherited ? "true" : "false");
    put_word(out, "config", move->config);
    buf_adds(out, ", ");
    put_word(out, "why", move->why);
    buf_adds(out, ", ");
    put_word(out, "who", move->who);
    buf_adds(out, ", ");
    put_word(out, "recorded", move->recorded);
    buf_adds(out, ", ");
    put_word(out, "kernel", move->kernel);
    if (move->ns > 0) {
        put_median(out, move->ns, move->ci);
        buf_addf(out, ", \"replicates\": %zu, ", move->replicates);
        put_word(out, "protocol", move->protocol);
    }
    if (move->before[0] != '\0') {
        buf_adds(out, ", ");
        put_word(out, "protocol_before", move->before);
    }
    put_change(out, "step", &move->step);
    buf_addc(out, '}');
}

static void put_cost(const struct history_check *check, struct buf *out)
{
    const struct spent *spent = &check->spent;
    if (!spent->known)
        return;
    buf_adds(out, ", \"cost\": {\"device_seconds\": ");
    text_number(out, (double)spent->device_ms / 1e3);
    if (spent->price.currency[0] != '\0') {
        buf_adds(out, ", \"amount\": ");
        text_number(out, (double)check->cost_micro / 1e6);
        buf_adds(out, ", ");
        put_word(out, "currency", spent->price.currency);
    }
    buf_addc(out, '}');
}

static void put_reading(const struct history_reading *reading, struct buf *out)
{
    buf_adds(out, "      {");
    put_word(out, "name", reading->config);
    buf_adds(out, ", ");
    put_word(out, "verdict", verdict_name(reading->verdict));
    if (reading->ns > 0)
        put_median(out, reading->ns, reading->ci);
    put_change(out, "change", &reading->change);
    buf_addc(out, '}');
}

static void put_check(const struct history_check *check, struct buf *out)
{
    char stamp[UTC_BYTES];
    buf_adds(out, "    {");
    put_word(out, "result", check->result);
    buf_adds(out, ", ");
    put_word(out, "time", utc_text(stamp, check->time));
    buf_adds(out, ", ");
    put_word(out, "verdict", verdict_name(check->verdict));
    buf_adds(out, ", ");
    put_word(out, "reason", check->reason);
    buf_adds(out, ", ");
    put_word(out, "head", check->head);
    buf_adds(out, ", ");
    put_word(out, "protocol", check->protocol);
    buf_addf(out, ", \"again\": %zu", check->again);
    put_cost(check, out);
    if (check->queued) {
        buf_addf(out, ", \"kind\": \"%s\", \"pr\": %d, \"starts\": %u, ",
                 check->kind == JOB_PROMOTE ? "promote" : "check", check->pr, check->starts);
        put_word(out, "repository", check->repository);
    }
    buf_adds(out, ", \"configs\": [");
    for (size_t i = 0; i < check->count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_reading(&check->readings[i], out);
    }
    buf_adds(out, "]}");
}

static void put_month(const struct history_month *month, struct buf *out)
{
    buf_addf(out,
             "    {\"month\": \"%04d-%02d\", \"checks\": %zu, \"again\": %zu, \"verdicts\": {",
             month->year, month->month, month->checks, month->again);
    for (int verdict = 0; verdict <= VERDICT_REGRESSED; verdict++)
        buf_addf(out, "%s\"%s\": %zu", verdict == 0 ? "" : ", ",
                 verdict_name((enum verdict)verdict), month->of_verdict[verdict]);
    buf_adds(out, "}, \"device_seconds\": ");
    text_number(out, (double)month->device_ms / 1e3);
    buf_adds(out, ", \"costs\": [");
    for (size_t i = 0; i < month->cost_count; i++) {
        buf_adds(out, i == 0 ? "{\"amount\": " : ", {\"amount\": ");
        text_number(out, (double)month->costs[i].micro / 1e6);
        buf_adds(out, ", ");
        put_word(out, "currency", month->costs[i].currency);
        buf_addc(out, '}');
    }
    buf_addf(out, "], \"unpriced\": %zu, \"unpriced_seconds\": ", month->unpriced);
    text_number(out, (double)month->unpriced_ms / 1e3);
    buf_addf(out, ", \"untold\": %zu}", month->untold);
}

int history_json(const struct history *history, struct buf *out, struct err *err)
{
    buf_addf(out, "{\n  \"schema\": \"%s\",\n  ", HISTORY_SCHEMA);
    put_word(out, "device", history->device);
    buf_adds(out, ", ");
    put_word(out, "head", history->head);
    buf_adds(out, ",\n  \"moves\": [");
    for (size_t i = 0; i < history->move_count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_move(&history->moves[i], out);
    }
    buf_adds(out, "],\n  \"checks\": [");
    for (size_t i = 0; i < history->check_count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_check(&history->checks[i], out);
    }
    buf_adds(out, "],\n  \"months\": [");
    for (size_t i = 0; i < history->month_count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_month(&history->months[i], out);
    }
    buf_adds(out, "],\n  \"notes\": [");
    for (size_t i = 0; i < history->note_count; i++) {
        buf_adds(out, i == 0 ? "\n    " : ",\n    ");
        text_string(out, history->notes[i]);
    }
    buf_addf(out, "], \"notes_left_out\": %zu\n}\n", history->notes_left_out);
    return buf_check(out, "a history", err);
}
