/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words and the JSON of what was verified. */
#include "cli/verified.h"

#include "cli/bench_table.h"
#include "judge/fields.h"
#include "judge/text.h"

/* "the same bits in 4 launches, 2 processes, with 1 and 2 threads" */
static void put_bits(const struct bits *bits, struct buf *out)
{
    const unsigned *threads = bits->threads;
    if (!bits->known)
        buf_addf(out, "whether its bits are the same again is not known: %s",
                 bits->why[0] == '\0' ? "it was not looked at" : bits->why);
    else if ((bits->varies & BITS_BY_LAUNCH) != 0)
        buf_adds(out, "its bits vary from launch to launch");
    else if ((bits->varies & BITS_BY_PROCESS) != 0)
        buf_adds(out, "its bits vary from process to process, not from launch to launch");
    else if ((bits->varies & BITS_BY_THREADS) != 0)
        buf_addf(out, "its bits vary with the threads (%u or %u), not from process to process",
                 threads[0], threads[1]);
    else
        buf_addf(out, "the same bits in %d launches, 2 processes", BITS_LAUNCHES);
    if (bits->known && bits->varies == 0 && threads[0] != 0)
        buf_addf(out, ", with %u and %u threads", threads[0], threads[1]);
    buf_addc(out, '\n');
}

void verified_text(const struct samples *samples, const struct bits *bits, struct buf *out)
{
    for (size_t i = 0; i < samples->count; i++) {
        const struct config_samples *config = &samples->configs[i];
        buf_addf(out, "%-28s ", config->config.name);
        if (config->fault == FAULT_NONE) {
            buf_adds(out, "right, before and after timing; ");
            put_bits(&bits[i], out);
        } else {
            buf_addf(out, "%s: %s\n", bench_fault(config->fault), config->failure);
        }
    }
}

static void put_text(struct buf *out, const char *before, const char *text)
{
    buf_adds(out, before);
    text_string(out, text);
}

static void put_varies(unsigned varies, struct buf *out)
{
    static const char *const names[] = {"launch", "process", "threads"};
    const char *before = "";
    buf_adds(out, ", \"varies\": [");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if ((varies & 1u << i) == 0)
            continue;
        buf_addf(out, "%s\"%s\"", before, names[i]);
        before = ", ";
    }
    buf_addc(out, ']');
}

static void put_bits_json(const struct bits *bits, struct buf *out)
{
    if (!bits->known) {
        put_text(out, ",\n     \"bits\": {\"same\": null, \"why\": ",
                 bits->why[0] == '\0' ? "it was not looked at" : bits->why);
        buf_addc(out, '}');
        return;
    }
    /* Bits that vary between launches were seen to in one process or two; no more is claimed. */
    buf_addf(out, ",\n     \"bits\": {\"same\": %s, \"launches\": %d",
             bits->varies == 0 ? "true" : "false", BITS_LAUNCHES);
    if ((bits->varies & BITS_BY_LAUNCH) == 0)
        buf_adds(out, ", \"processes\": 2");
    put_varies(bits->varies, out);
    if (bits->threads[0] != 0)
        buf_addf(out, ", \"threads\": [%u, %u]", bits->threads[0], bits->threads[1]);
    buf_addc(out, '}');
}

static void put_config(const struct config_samples *config, const struct bits *bits,
                       struct buf *out)
{
    bool right = config->fault == FAULT_NONE;
    put_text(out, "    {\"name\": ", config->config.name);
    buf_adds(out, ", ");
    fields_put_problem(out, &config->config.problem);
    buf_addf(out, ",\n     \"right\": %s", right ? "true" : "false");
    if (right) {
        put_bits_json(bits, out);
    } else {
        put_text(out, ", \"fault\": ", bench_fault(config->fault));
        put_text(out, ", \"why\": ", config->failure);
    }
    buf_addc(out, '}');
}

void verified_json(const struct measurement *measurement, const struct bits *bits,
                   struct buf *out)
{
    const struct samples *samples = &measurement->samples;
    buf_adds(out, "{\n  \"schema\": \"ratchet.verified/1\",\n  ");
    fields_put_device(out, &samples->device);
    put_text(out, ",\n  \"commit\": ", measurement->job.head);
    buf_adds(out, ",\n  \"configs\": [");
    for (size_t i = 0; i < samples->count; i++) {
        buf_adds(out, i == 0 ? "\n" : ",\n");
        put_config(&samples->configs[i], &bits[i], out);
    }
    buf_adds(out, "\n  ]\n}\n");
}
