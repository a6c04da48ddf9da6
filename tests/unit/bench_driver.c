/* SPDX-License-Identifier: Apache-2.0 */
/* Not a test by itself: measure/bench.h as a program, for tests/e2e/test_harness.py. Takes
 * NAME=VALUE words, runs some replicates and prints what became of them as JSON. */
#include "base/err.h"
#include "measure/bench.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIGS_MAX = 8 };

struct driver {
    struct bench_request request;
    struct bench_config configs[CONFIGS_MAX];
    const char *library[ARM_COUNT];
    struct limits limits;
    unsigned cpus[16];
    unsigned replicates;
};

static void say(void *context, const struct bench_event *event)
{
    (void)context;
    if (event->kind == BENCH_BUSY)
        fprintf(stderr, "# busy with config %zu\n", event->config);
    else
        fprintf(stderr, "# %s\n", event->line);
}

/* B,H,HKV,SQ,SK,D,CAUSAL; libraries given before it are this config's. */
static int add_config(struct driver *driver, const char *text)
{
    size_t i = driver->request.config_count;
    struct bench_config *bench = &driver->configs[i];
    struct problem *p = &bench->config.problem;
    int causal;
    if (i == CONFIGS_MAX ||
        sscanf(text, "%d,%d,%d,%d,%d,%d,%d", &p->batch, &p->heads, &p->heads_kv, &p->seq_q,
               &p->seq_k, &p->head_dim, &causal) != 7)
        return -1;
    p->dtype = DTYPE_FP32;
    p->causal = causal != 0;
    snprintf(bench->config.name, sizeof bench->config.name, "c%zu", i);
    memcpy(bench->library, driver->library, sizeof bench->library);
    driver->request.config_count++;
    return 0;
}

static int set_word(struct driver *driver, char *word)
{
    struct bench_request *request = &driver->request;
    char *value = strchr(word, '=');
    if (value == NULL)
        return -1;
    *value++ = '\0';
    unsigned long long number = strtoull(value, NULL, 10);
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (strcmp(word, arm_name((enum arm)arm)) == 0)
            driver->library[arm] = *value == '\0' ? NULL : value;
    if (strcmp(word, "harness") == 0)
        request->harness = value;
    else if (strcmp(word, "work") == 0)
        request->work = value;
    else if (strcmp(word, "threads") == 0)
        request->threads = (unsigned)number;
    else if (strcmp(word, "cpu") == 0 && request->cpu_count < 16)
        driver->cpus[request->cpu_count++] = (unsigned)number;
    else if (strcmp(word, "samples") == 0)
        request->samples = (unsigned)number;
    else if (strcmp(word, "warmup") == 0)
        request->warmup = (unsigned)number;
    else if (strcmp(word, "target_ns") == 0)
        request->target_ns = (double)number;
    else if (strcmp(word, "warm") == 0)
        request->warm_inputs = number != 0;
    else if (strcmp(word, "sandboxed") == 0)
        request->sandboxed = number != 0;
    else if (strcmp(word, "uid") == 0)
        request->uid = (uid_t)number, request->gid = (gid_t)number;
    else if (strcmp(word, "turn_ms") == 0)
        driver->limits.turn_ms = number;
    else if (strcmp(word, "busy_ms") == 0)
        request->busy_ms = (unsigned)number;
    else if (strcmp(word, "replicates") == 0)
        driver->replicates = (unsigned)number;
    else if (strcmp(word, "config") == 0)
        return add_config(driver, value);
    return 0;
}

static json_t *show_marks(unsigned of)
{
    json_t *marks = json_array();
    for (unsigned bit = 0; bit < MARK_BITS; bit++)
        if (of & (1u << bit))
            json_array_append_new(marks, json_string(mark_name(bit)));
    return marks;
}

static json_t *show_replicate(const struct replicate *replicate)
{
    json_t *json = json_object();
    json_t *provoked = json_object();
    json_object_set_new(json, "marks", show_marks(replicate->marks));
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (replicate->provoked[arm] != 0)
            json_object_set_new(provoked, arm_name((enum arm)arm),
                                show_marks(replicate->provoked[arm]));
    json_object_set_new(json, "provoked", provoked);
    json_t *clock = json_object();
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (replicate->clock[arm].freedom > 0)
            json_object_set_new(clock, arm_name((enum arm)arm),
                                json_pack("[ff]", replicate->clock[arm].slope,
                                          replicate->clock[arm].error));
    json_object_set_new(json, "clock", clock);
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        json_t *series = json_array();
        for (size_t i = 0; i < replicate->arms[arm].count; i++)
            json_array_append_new(series, json_real(replicate->arms[arm].ns[i]));
        json_object_set_new(json, arm_name((enum arm)arm), series);
    }
    return json;
}

static json_t *show(const struct samples *samples)
{
    json_t *root = json_object();
    json_t *environment = json_object();
    json_t *configs = json_array();
    for (size_t i = 0; i < samples->environment.count; i++)
        json_object_set_new(environment, samples->environment.facts[i].name,
                            json_string(samples->environment.facts[i].value));
    for (size_t i = 0; i < samples->count; i++) {
        const struct config_samples *config = &samples->configs[i];
        json_t *replicates = json_array();
        for (size_t r = 0; r < config->count; r++)
            json_array_append_new(replicates, show_replicate(&config->replicates[r]));
        json_array_append_new(
            configs, json_pack("{s:s, s:I, s:s, s:s, s:b, s:s, s:I, s:o}", "name",
                               config->config.name, "attempts", (json_int_t)config->attempts,
                               "fault", fault_name(config->fault), "failure", config->failure,
                               "anchor_failed", (int)config->anchor_failed, "anchor_failure",
                               config->anchor_failure, "peak_bytes",
                               (json_int_t)config->peak_bytes[ARM_HEAD], "replicates",
                               replicates));
    }
    json_object_set_new(root, "device", json_string(samples->device.slug));
    json_object_set_new(root, "device_name", json_string(samples->device.name));
    json_object_set_new(root, "environment", environment);
    json_object_set_new(root, "configs", configs);
    return root;
}

int main(int argc, char **argv)
{
    struct driver driver = {.limits = limits_default(), .replicates = 1};
    driver.request = (struct bench_request){.device = "cpu",
                                            .threads = 1,
                                            .cpus = driver.cpus,
                                            .samples = 10,
                                            .warmup = 2,
                                            .target_ns = 1e6,
                                            .configs = driver.configs,
                                            .uid = (uid_t)-1,
                                            .gid = (gid_t)-1,
                                            .limits = &driver.limits,
                                            .progress = say};
    for (int i = 1; i < argc; i++) {
        if (set_word(&driver, argv[i]) != 0) {
            fprintf(stderr, "bench_driver: `%s` is not understood\n", argv[i]);
            return EXIT_USAGE;
        }
    }
    bool want[CONFIGS_MAX];
    memset(want, 1, sizeof want);
    struct err err = {0};
    struct samples samples = {0};
    int rc = bench_begin(&driver.request, &samples, &err);
    for (unsigned i = 0; rc == 0 && i < driver.replicates; i++)
        rc = bench_replicate(&driver.request, want, &samples, &err);
    if (rc != 0)
        fprintf(stderr, "bench_driver: %s\n", err.text);
    json_t *json = show(&samples);
    json_dumpf(json, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(json);
    samples_free(&samples);
    return rc == 0 ? 0 : (int)err_exit_code(err.class);
}
