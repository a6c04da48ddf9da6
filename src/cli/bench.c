/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet bench` and `ratchet verify`: the kernel of one commit, any shapes, measured as a
 * check measures (sandbox, verification, fresh processes): alone, or with another commit's. */
#include "cli/bench_table.h"
#include "base/line.h"
#include "cli/cli.h"
#include "cli/local.h"
#include "cli/outputs.h"
#include "cli/shapes.h"
#include "cli/verified.h"

#include "judge/compare.h"
#include "measure/bits.h"
#include "pipeline/measurement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLICATES = 6, QUICK_REPLICATES = 3 };
static const double quick_ns = 8e9; /* a config: with what a replicate may take longer, 10 s */

struct bench_options {
    struct local_options local;
    const char *against, *output, *budget;
    bool quick, json;
    struct shapes shapes;
};

static int print_table(const struct measurement *measurement, bool compared, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    if (bench_table(&measurement->samples, &measurement->comparison, &measurement->config.rule,
                    compared, &text, err) != 0)
        return -1;
    return cli_print(&text, err);
}

static int print_verified(const struct measurement *measurement, const struct bits *bits,
                          bool json, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    if (json)
        verified_json(measurement, bits, &text);
    else
        verified_text(&measurement->samples, bits, &text);
    if (buf_check(&text, "what was verified", err) != 0)
        return -1;
    return json ? cli_print_document(&text, err) : cli_print(&text, err);
}

/* Every other config set against one of them: in each process both were measured, so that the
 * judge can take the one for the head and the other for the anchor. */
static int print_against(const struct measurement *measurement, const char *name,
                         struct err *err)
{
    const struct samples *samples = &measurement->samples;
    const struct config_samples *anchor = samples_find(samples, name);
    if (anchor == NULL)
        return err_set(err, ERR_INTERNAL, "--against: `%.64s` was not measured", name);
    for (size_t i = 0; i < samples->count; i++) {
        COMPARISON_AUTO comparison = {0};
        struct replicate pairs[64] = {0}; /* as many as --replicates may be; series borrowed */
        struct config_samples pair = samples->configs[i];
        if (&samples->configs[i] == anchor || pair.count != anchor->count || pair.count > 64)
            continue;
        for (size_t r = 0; r < pair.count; r++) {
            pairs[r].arms[ARM_HEAD] = pair.replicates[r].arms[ARM_HEAD];
            pairs[r].arms[ARM_ANCHOR] = anchor->replicates[r].arms[ARM_HEAD];
            pairs[r].marks = pair.replicates[r].marks | anchor->replicates[r].marks;
        }
        pair.replicates = pairs;
        const struct samples one = {.device = samples->device, .configs = &pair, .count = 1};
        if (compare_samples(&one, NULL, &measurement->config.rule, &comparison, err) != 0)
            return -1;
        bench_print_against(&comparison.configs[0], name);
    }
    return 0;
}

/* What is measured, how often, and in how much time. */
static int configure(const struct bench_options *given, bool verify_only,
                     struct ratchet_config *config, struct err *err)
{
    unsigned replicates = verify_only ? 1 : given->quick ? QUICK_REPLICATES : REPLICATES;
    if (verify_only && (given->quick || given->budget != NULL || given->against != NULL))
        return err_set(err, ERR_USAGE,
                       "--budget, --quick and --against are bench's: verify times nothing");
    if (given->json && !verify_only)
        return err_set(err, ERR_USAGE, "--json is verify's: bench writes samples (--output)");
    if (shapes_apply(&given->shapes, given->local.device, replicates,
                     verify_only ? 1 : config->bench.samples, config, err) != 0)
        return -1;
    if (given->against != NULL &&
        shapes_check_name(config, "--against", given->against, err) != 0)
        return -1;
    if (given->quick)
        config->bench.budget_ns = quick_ns * (double)config->config_count;
    else if (verify_only)
        config->bench.budget_ns = 0;
    return cli_budget(given->budget, &config->bench.budget_ns, err);
}

/* Exit 3 where anything could not be measured, verification included. */
static int exit_code(const struct samples *samples)
{
    int code = EXIT_HELD;
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].fault != FAULT_NONE ||
            (samples->configs[i].out_of_time &&
             config_samples_unmarked(&samples->configs[i]) == 0))
            code = EXIT_UNMEASURED;
    return code;
}

static int walk(struct measurement *measurement, const struct bench_options *given,
                bool verify_only, struct progress *progress, struct err *err)
{
    bool compared = given->local.compare != NULL;
    struct ratchet_config config = measurement->config;
    if (configure(given, verify_only, &config, err) != 0)
        return -1;
    measurement_set_config(measurement, &config);
    measurement_drop_baseline(measurement); /* what is compared with is named, or nobody */
    progress->all = config.config_count * config.rule.looks[0];
    struct bits bits[MODEL_CONFIGS_MAX] = {0};
    int measured = measurement_verify(measurement, measurement->job.head, compared,
                                      verify_only ? bits : NULL, err);
    progress_end(progress);
    if (measured != 0)
        return -1;
    if (measurement->samples.count == 0) {
        line_err("ratchet: %s", measurement->comparison.reason);
        return local_print_notes(measurement, err) == 0 &&
                       local_print_log(measurement, err) == 0
                   ? EXIT_UNMEASURED
                   : -1;
    }
    int code = exit_code(&measurement->samples);
    if (given->quick)
        line_out("A first look, no verdict: few processes, and 8 s a config for all of it.");
    if ((verify_only ? print_verified(measurement, bits, given->json, err)
                     : print_table(measurement, compared, err)) != 0)
        return -1;
    if (!given->json && local_print_notes(measurement, err) != 0)
        return -1;
    if (given->against != NULL && print_against(measurement, given->against, err) != 0)
        return -1;
    if (given->output == NULL && !verify_only && !given->local.quiet)
        line_out("samples not kept: --output FILE does");
    return cli_write_samples(&measurement->samples, given->output, &measurement->host->limits,
                             err) == 0
               ? code
               : -1;
}

static int run(const struct bench_options *given, bool verify_only, struct err *err)
{
    struct local *local __attribute__((cleanup(local_free))) = calloc(1, sizeof *local);
    if (local == NULL)
        return err_set(err, ERR_HOST, "out of memory for a pipeline");
    if (local_open(&given->local, local, err) != 0)
        return -1;
    return walk(&local->pipeline.measurement, given, verify_only, &local->progress, err);
}

static int bench(int argc, char **argv, bool verify_only, struct err *err)
{
    struct bench_options given = {.local = {.repo = ".", .head = "HEAD", .device = "cpu"}};
    const struct cli_option options[] = {
        CLI_REPO(given.local.repo),
        CLI_HEAD(given.local.head),
        {"compare", &given.local.compare, NULL, "REV", "measure this commit beside it"},
        {"against", &given.against, NULL, "NAME",
         verify_only ? NULL : "set each other config against this one"},
        CLI_DEVICE(given.local.device),
        CLI_CONFIG(given.local.config),
        {"output", &given.output, NULL, "FILE", "write the samples there"},
        SHAPES_OPTIONS(given.shapes),
        CLI_QUIET(given.local.quiet),
        {"budget", &given.budget, NULL, "TIME", verify_only ? NULL : CLI_BUDGET_HELP},
        {"json", NULL, &given.json, NULL, verify_only ? "print what was found as JSON" : NULL},
        {"quick", NULL, &given.quick, NULL,
         verify_only ? NULL : "a first look: 3 processes, 8 s a config"},
        CLI_OPTIONS_END};
    static const struct cli_tie ties[] = {{"budget", NULL, "quick"}, CLI_TIES_END};
    if (cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err) != 0)
        return -1;
    return outputs_try("--output", given.output, err) == 0 ? run(&given, verify_only, err)
                                                           : -1;
}

int cli_bench(int argc, char **argv, struct err *err)
{
    return bench(argc, argv, false, err);
}

int cli_verify(int argc, char **argv, struct err *err)
{
    return bench(argc, argv, true, err);
}
