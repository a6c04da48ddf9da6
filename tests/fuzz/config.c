/* SPDX-License-Identifier: Apache-2.0 */
/* ci/ratchet.conf. The first line is the device that it is read for. */
#include "tests/fuzz/fuzz.h"

#include "intake/config.h"

static void look_at(const struct ratchet_config *config)
{
    const struct rule *rule = &config->rule;
    HOLDS(config->source.path_count > 0 && config->source.path_count <= MODEL_PATHS_MAX);
    HOLDS(config->source.recipe.command[0] != '\0' && config->source.recipe.output[0] != '\0');
    HOLDS(config->config_count > 0 && config->config_count <= MODEL_CONFIGS_MAX);
    for (size_t i = 0; i < config->config_count; i++)
        HOLDS(model_name_ok(config->configs[i].name) &&
              problem_known(&config->configs[i].problem));
    HOLDS(rule->look_count > 0 && rule->look_count <= RULE_LOOKS_MAX);
    HOLDS(rule->looks[0] >= rule->min_replicates && rule->own_floor <= rule->threshold);
    for (unsigned i = 1; i < rule->look_count; i++)
        HOLDS(rule->looks[i] > rule->looks[i - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ratchet_config config;
    static struct kernel_source source;
    char slug[MODEL_NAME_BYTES];
    fuzz_first_line(&data, &size, slug, sizeof slug);
    const struct limits limits = limits_default();
    const char *text = (const char *)data;
    struct err err = {0};
    int whole = config_parse(text, size, "ratchet.conf", slug, &limits, &config, &err);
    if (whole != 0)
        fuzz_error(&err);
    else
        look_at(&config);
    int part = config_parse_source(text, size, "ratchet.conf", slug, &limits, &source, &err);
    if (part != 0)
        fuzz_error(&err);
    /* What is good as a whole is good in part, and says the same. */
    HOLDS(whole != 0 || (part == 0 && kernel_source_equal(&config.source, &source)));
    return 0;
}
