/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what becomes of a harness process: replicates, and whose fault it is where there are
 * none. An arm of main is only believed to be broken when it fails alone as well, since the
 * pull request's library runs beside it and could be the cause. */
#include "measure/bench.h"

#include "measure/code.h"
#include "measure/device/device.h"
#include "measure/machine.h"
#include "measure/process.h"
#include "wire.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One config of a round. */
struct pending {
    bool wanted;                    /* still to be measured */
    struct trouble seen[ARM_COUNT]; /* of arms that fail alone, too */
};

/* One call of bench_replicate. */
struct round {
    const struct bench_request *request;
    const struct machine *machine;
    struct samples *samples;
    struct pending *pending; /* owned, one per config */
};

static void say(const struct bench_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct bench_request *request, const char *format, ...)
{
    char line[MODEL_TEXT_BYTES + MODEL_NAME_BYTES];
    if (request->progress == NULL)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    request->progress(request->context, line);
}

/* ---- begin ---- */

static int check_request(const struct bench_request *request, const struct device_kind **kind,
                         struct err *err)
{
    if (request->samples == 0 || request->samples > request->limits->samples)
        return err_set(err, ERR_INPUT, "%u samples an arm, expected 1 to %llu",
                       request->samples, request->limits->samples);
    if (!(request->target_ns >= 1.0 && request->target_ns <= 1e12))
        return err_set(err, ERR_INPUT, "a sample of %g ns, expected 1 to 1e12",
                       request->target_ns);
    if (request->config_count == 0 || request->config_count > MODEL_CONFIGS_MAX)
        return err_set(err, ERR_INPUT, "%zu configs, expected 1 to %d", request->config_count,
                       MODEL_CONFIGS_MAX);
    if (device_kind_get(request->device, request->gpu, kind, err) != 0)
        return -1;
    for (size_t i = 0; i < request->config_count; i++)
        if (request->configs[i].library[ARM_HEAD] == NULL)
            return err_set(err, ERR_INTERNAL, "config `%s` has no head library",
                           request->configs[i].config.name);
    return 0;
}

static struct device_use use_of(const struct bench_request *request,
                                const struct machine *machine)
{
    return (struct device_use){.machine = machine,
                               .gpu = request->gpu,
                               .threads = machine_threads(machine, request->threads),
                               .pinned = request->cpus != NULL && request->cpu_count > 0,
                               .warm_inputs = request->warm_inputs};
}

static int add_facts(const struct bench_request *request, const struct device_kind *kind,
                     const struct device_use *use, struct environment *environment,
                     struct err *err)
{
    char text[64];
    if (machine_facts(use->machine, environment, err) != 0 ||
        kind->facts(use, environment, err) != 0)
        return -1;
    snprintf(text, sizeof text, "%.3g ms", request->target_ns / 1e6);
    int failed = environment_set(environment, "sample_target", text);
    snprintf(text, sizeof text, "%.3g ns", kind->tick_ns(use));
    failed |= environment_set(environment, "clock_resolution", text);
    failed |= environment_set(environment, "sandbox",
                              request->sandboxed ? "bubblewrap" : "none");
    return failed == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}

static void fail(struct config_samples *config, enum fault fault, enum clause clause,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
static void fail(struct config_samples *config, enum fault fault, enum clause clause,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(config->failure, sizeof config->failure, format, args);
    va_end(args);
    config->fault = fault;
    config->clause = clause;
}

static enum fault fault_of_head(const struct bench_request *request)
{
    return request->head_is_main ? FAULT_BASE : FAULT_PR;
}

static void fail_anchor(struct config_samples *config, const char *text)
{
    config->anchor_failed = true;
    snprintf(config->anchor_failure, sizeof config->anchor_failure, "%.500s", text);
}

/* What a library exports is read from its file before anything of it runs. */
static int check_exports(const struct bench_request *request, const struct bench_config *bench,
                         struct config_samples *config, struct err *err)
{
    for (int arm = 0; arm < ARM_CONTROL; arm++) {
        struct err why = {0};
        if (bench->library[arm] == NULL ||
            code_check_exports(bench->library[arm], WIRE_KERNEL_SYMBOL, &why) == 0)
            continue;
        if (why.class != ERR_INPUT) {
            if (err != NULL)
                *err = why;
            return -1;
        }
        /* Where the file lies on this host is nobody's business in a comment. */
        const char *path = bench->library[arm];
        size_t skip = strncmp(why.text, path, strlen(path)) == 0 ? strlen(path) : 0;
        char text[MODEL_TEXT_BYTES];
        snprintf(text, sizeof text, "%s%.460s", skip > 0 ? "the library" : "",
                 why.text + skip);
        if (arm == ARM_ANCHOR)
            fail_anchor(config, text);
        else if (config->fault == FAULT_NONE)
            fail(config, arm == ARM_BASE ? FAULT_BASE : fault_of_head(request), CLAUSE_REFUSED,
                 "%s%.480s", arm == ARM_BASE ? "base: " : "", text);
    }
    return 0;
}

static int add_config(const struct bench_request *request, double tick_ns, size_t index,
                      struct samples *samples, struct err *err)
{
    const struct bench_config *bench = &request->configs[index];
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        return err_set(err, ERR_HOST, "out of memory for samples");
    config->config = bench->config;
    config->clock_resolution_ns = tick_ns;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        config->arms[arm] = bench->info[arm];
        config->arms[arm].present = bench->library[arm] != NULL;
    }
    config->arms[ARM_CONTROL] = config->arms[ARM_ANCHOR];
    return check_exports(request, bench, config, err);
}

int bench_begin(const struct bench_request *request, struct samples *out, struct err *err)
{
    struct machine machine;
    struct samples samples = {0};
    const struct device_kind *kind;
    if (check_request(request, &kind, err) != 0)
        return -1;
    machine_read(&machine);
    const struct device_use use = use_of(request, &machine);
    snprintf(samples.device.slug, sizeof samples.device.slug, "%s", request->device);
    snprintf(samples.device.name, sizeof samples.device.name, "%s", kind->name(&use));
    if (request->others != NULL)
        memcpy(samples.others, request->others, sizeof samples.others);
    int rc = add_facts(request, kind, &use, &samples.environment, err);
    for (size_t i = 0; rc == 0 && i < request->config_count; i++)
        rc = add_config(request, kind->tick_ns(&use), i, &samples, err);
    if (rc != 0) {
        samples_free(&samples);
        return -1;
    }
    *out = samples;
    return 0;
}

/* ---- whose fault ---- */

static enum clause clause_of(enum trouble_kind kind)
{
    static const enum clause clauses[] = {
        [TROUBLE_NONE] = CLAUSE_INTERNAL,      [TROUBLE_REFUSED] = CLAUSE_REFUSED,
        [TROUBLE_WRONG] = CLAUSE_WRONG_RESULT, [TROUBLE_CRASH] = CLAUSE_CRASHED,
        [TROUBLE_HANG] = CLAUSE_TIMED_OUT,     [TROUBLE_GARBLED] = CLAUSE_GARBLED,
        [TROUBLE_LIE] = CLAUSE_IMPLAUSIBLE,    [TROUBLE_HOST] = CLAUSE_HOST_FAILED,
    };
    return clauses[kind];
}

/* Has this config such an arm, whether or not it can run? */
static bool has_arm(const struct round *round, size_t i, enum arm arm)
{
    return round->request->configs[i].library[arm == ARM_CONTROL ? ARM_ANCHOR : arm] != NULL;
}

/* Does this arm take part in the config's next process? */
static bool takes_part(const struct round *round, size_t i, enum arm arm)
{
    const struct config_samples *config = &round->samples->configs[i];
    if (arm >= ARM_OTHER && config->left_out[arm - ARM_OTHER][0] != '\0')
        return false;
    return has_arm(round, i, arm) &&
           !(config->anchor_failed && (arm == ARM_ANCHOR || arm == ARM_CONTROL));
}

static bool same_trouble(const struct trouble *a, const struct trouble *b)
{
    if (a->kind == TROUBLE_NONE || a->kind != b->kind)
        return false;
    /* Wrong numbers differ from run to run; the signal of a crash does not. */
    return a->kind == TROUBLE_WRONG || a->kind == TROUBLE_REFUSED ||
           strcmp(a->text, b->text) == 0;
}

/* Does every other arm of the config show what head shows? Then it is none of theirs. */
static bool everyone(const struct round *round, size_t i, const struct trouble *head,
                     const struct trouble *arms)
{
    bool base = has_arm(round, i, ARM_BASE);
    bool anchor = has_arm(round, i, ARM_ANCHOR);
    return (base || anchor) && (!base || same_trouble(head, &arms[ARM_BASE])) &&
           (!anchor || same_trouble(head, &arms[ARM_ANCHOR]));
}

static void fail_everyone(struct round *round, size_t i, const struct trouble *trouble)
{
    /* Kernels that are all wrong, or do not know this problem, are what main has. */
    fail(&round->samples->configs[i], trouble->kind == TROUBLE_WRONG ? FAULT_BASE : FAULT_HOST,
         CLAUSE_EVERY_ARM, "every arm alike: %.480s", trouble->text);
}

/* One arm of one config in a process of its own, as long as it would be measured. */
static int probe(struct round *round, size_t i, enum arm arm, struct trouble *out,
                 struct err *err)
{
    struct process_config config = {.bench = &round->request->configs[i]};
    config.arms[arm] = true;
    say(round->request, "%s: looking at %s alone", config.bench->config.name, arm_name(arm));
    if (process_run(round->request, round->machine, &config, 1, NULL, err) != 0)
        return -1;
    *out = config.trouble[arm].kind != TROUBLE_NONE ? config.trouble[arm]
                                                    : config.trouble[ARM_COUNT];
    if (!config.done && out->kind == TROUBLE_NONE)
        *out = (struct trouble){.kind = TROUBLE_HOST, .text = "could not be looked at alone"};
    replicate_free(&config.replicate);
    return 0;
}

/* Trouble of base or anchor, seen in one process with head: 1 if it fails alone as well, 0 if
 * the config is settled without that, -1 on an error. */
static int confirm(struct round *round, size_t i, enum arm arm, const struct trouble *trouble,
                   struct err *err)
{
    struct trouble alone;
    if (probe(round, i, arm, &alone, err) != 0)
        return -1;
    if (alone.kind != TROUBLE_NONE) {
        round->pending[i].seen[arm] = alone;
        if (alone.kind != TROUBLE_HOST)
            return 1;
        fail(&round->samples->configs[i], FAULT_HOST, CLAUSE_HOST_FAILED, "%s: %.480s",
             arm_name(arm), alone.text);
        return 0;
    }
    fail(&round->samples->configs[i], fault_of_head(round->request), CLAUSE_DISTURBS,
         "%s runs alone, and beside head: %.440s", arm_name(arm), trouble->text);
    return 0;
}

/* A crash or a hang of head goes for every config that runs the same library: each further
 * try would cost a timeout. */
static void fail_head(struct round *round, size_t i, const struct trouble *trouble)
{
    const struct bench_request *request = round->request;
    const char *path = request->configs[i].library[ARM_HEAD];
    enum fault fault = fault_of_head(request);
    fail(&round->samples->configs[i], fault, clause_of(trouble->kind), "%s", trouble->text);
    for (size_t j = 0; trouble->whole && j < request->config_count; j++) {
        struct config_samples *other = &round->samples->configs[j];
        if (j == i || !round->pending[j].wanted || other->fault != FAULT_NONE ||
            strcmp(request->configs[j].library[ARM_HEAD], path) != 0)
            continue;
        fail(other, fault, clause_of(trouble->kind), "%.400s, in config %s", trouble->text,
             request->configs[i].config.name);
        round->pending[j].wanted = false;
    }
}

/* Base fails alone. Head may fail the same way: then base is where it came from, unless the
 * anchor does so too. */
static int settle_base(struct round *round, size_t i, struct err *err)
{
    const struct trouble *seen = round->pending[i].seen;
    struct trouble head;
    if (probe(round, i, ARM_HEAD, &head, err) != 0)
        return -1;
    if (everyone(round, i, &head, seen))
        fail_everyone(round, i, &head);
    else
        fail(&round->samples->configs[i], FAULT_BASE, clause_of(seen[ARM_BASE].kind),
             "base: %.480s", seen[ARM_BASE].text);
    return 0;
}

/* Head has trouble, and base none that was seen. A process that head ended may have ended before
 * base was looked at: what main cannot do either is no fault of a pull request. Where there is no
 * base arm, the anchor runs base's own code. */
static int settle_head(struct round *round, size_t i, const struct trouble *head,
                       struct err *err)
{
    enum arm of_base = has_arm(round, i, ARM_BASE) ? ARM_BASE : ARM_ANCHOR;
    struct config_samples *config = &round->samples->configs[i];
    struct trouble *seen = round->pending[i].seen;
    if (head->kind != TROUBLE_WRONG && !round->request->head_is_main &&
        takes_part(round, i, of_base) && seen[of_base].kind == TROUBLE_NONE &&
        probe(round, i, of_base, &seen[of_base], err) != 0)
        return -1;
    if (seen[of_base].kind == TROUBLE_HOST)
        fail(config, FAULT_HOST, CLAUSE_HOST_FAILED, "%s: %.480s", arm_name(of_base),
             seen[of_base].text);
    else if (everyone(round, i, head, seen))
        fail_everyone(round, i, head);
    else if (seen[of_base].kind != TROUBLE_NONE && !round->request->head_is_main)
        fail(config, FAULT_BASE, clause_of(seen[of_base].kind), "base as well: %.480s",
             seen[of_base].text);
    else
        fail_head(round, i, head);
    return 0;
}

/* Another arm has trouble: the config goes on without it, now and later, and what it was
 * before is not believed either. It stands in nobody's way, so nobody looks at it alone. */
static void leave_out(struct round *round, size_t i, enum arm arm, const char *why)
{
    struct config_samples *config = &round->samples->configs[i];
    snprintf(config->left_out[arm - ARM_OTHER], sizeof config->left_out[0], "%.500s", why);
    for (size_t r = 0; r < config->count; r++) {
        free(config->replicates[r].arms[arm].ns);
        config->replicates[r].arms[arm] = (struct series){0};
        config->replicates[r].provoked[arm] = 0;
    }
    config->peak_bytes[arm] = 0;
    say(round->request, "%s: going on without %s: %.440s", config->config.name,
        round->samples->others[arm - ARM_OTHER], why);
}

static bool leave_out_others(struct round *round, size_t i, const struct trouble *trouble)
{
    bool any = false;
    for (int arm = ARM_OTHER; arm < ARM_COUNT; arm++) {
        if (trouble[arm].kind == TROUBLE_NONE)
            continue;
        leave_out(round, i, (enum arm)arm, trouble[arm].text);
        any = true;
    }
    return any;
}

/* A config that has trouble: go on without another arm, which may have been the cause of the
 * rest, give it a fault, or leave it without its anchor. */
static int settle(struct round *round, size_t i, struct process_config *ran, struct err *err)
{
    struct trouble *trouble = ran->trouble;
    struct config_samples *config = &round->samples->configs[i];
    if (trouble[ARM_ANCHOR].kind == TROUBLE_NONE)
        trouble[ARM_ANCHOR] = trouble[ARM_CONTROL];
    if (trouble[ARM_COUNT].kind != TROUBLE_NONE) {
        fail(config, FAULT_HOST, CLAUSE_HOST_FAILED, "%s", trouble[ARM_COUNT].text);
        return 0;
    }
    if (leave_out_others(round, i, trouble))
        return 0;
    static const enum arm of_main[] = {ARM_ANCHOR, ARM_BASE};
    for (size_t a = 0; a < 2; a++) {
        if (trouble[of_main[a]].kind == TROUBLE_NONE)
            continue;
        int confirmed = confirm(round, i, of_main[a], &trouble[of_main[a]], err);
        if (confirmed <= 0)
            return confirmed;
    }
    const struct trouble *seen = round->pending[i].seen;
    if (seen[ARM_BASE].kind != TROUBLE_NONE)
        return settle_base(round, i, err);
    if (trouble[ARM_HEAD].kind != TROUBLE_NONE)
        return settle_head(round, i, &trouble[ARM_HEAD], err);
    fail_anchor(config, seen[ARM_ANCHOR].text);
    say(round->request, "%s: going on without its anchor: %.440s", config->config.name,
        config->anchor_failure);
    return 0;
}

/* ---- replicates ---- */

static int keep_replicate(struct round *round, size_t i, struct process_config *ran,
                          struct err *err)
{
    struct config_samples *config = &round->samples->configs[i];
    struct replicate *replicate = config_samples_add(config);
    if (replicate == NULL)
        return err_set(err, ERR_HOST, "out of memory for replicates");
    *replicate = ran->replicate;
    ran->replicate = (struct replicate){0};
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (ran->peak_bytes[arm] > config->peak_bytes[arm])
            config->peak_bytes[arm] = ran->peak_bytes[arm];
    say(round->request, "%s: replicate %zu, %zu samples an arm%s", config->config.name,
        config->count, replicate->arms[ARM_HEAD].count,
        replicate->marks != 0 ? ", marked" : "");
    return 0;
}

/* What a process made of one config. True in *moved when the config came any further. */
static int digest(struct round *round, size_t i, struct process_config *ran, bool *moved,
                  struct err *err)
{
    struct config_samples *config = &round->samples->configs[i];
    if (config->fault != FAULT_NONE) { /* another config's crash settled this one */
        round->pending[i].wanted = false;
        *moved = true;
        return 0;
    }
    bool troubled = trouble_any(ran->trouble);
    if (!ran->started || (!ran->done && !troubled))
        return 0;
    *moved = true;
    int rc = ran->done && !troubled ? keep_replicate(round, i, ran, err)
                                    : settle(round, i, ran, err);
    bool again = !ran->done && config->fault == FAULT_NONE;
    round->pending[i].wanted = again;
    if (config->fault != FAULT_NONE)
        say(round->request, "%s: unmeasured, %s: %.440s", config->config.name,
            fault_name(config->fault), config->failure);
    return rc;
}

/* One process for as many of the pending configs as it has room for. */
static int run_process(struct round *round, struct process_config *configs, size_t *index,
                       bool *moved, struct err *err)
{
    const struct bench_request *request = round->request;
    size_t count = 0;
    for (size_t i = 0; i < request->config_count; i++) {
        if (!round->pending[i].wanted)
            continue;
        configs[count] = (struct process_config){.bench = &request->configs[i]};
        for (int arm = 0; arm < ARM_COUNT; arm++)
            configs[count].arms[arm] = takes_part(round, i, (enum arm)arm);
        index[count++] = i;
    }
    int rc = process_run(request, round->machine, configs, count, NULL, err);
    for (size_t c = 0; rc == 0 && c < count; c++)
        rc = digest(round, index[c], &configs[c], moved, err);
    for (size_t c = 0; c < count; c++)
        replicate_free(&configs[c].replicate);
    return rc;
}

static bool any_pending(const struct round *round)
{
    for (size_t i = 0; i < round->request->config_count; i++)
        if (round->pending[i].wanted)
            return true;
    return false;
}

static int run_round(struct round *round, struct err *err)
{
    size_t count = round->request->config_count;
    struct process_config *configs = calloc(count, sizeof *configs);
    size_t *index = calloc(count, sizeof *index);
    int rc = configs == NULL || index == NULL
                 ? err_set(err, ERR_HOST, "out of memory for a replicate")
                 : 0;
    while (rc == 0 && any_pending(round)) {
        bool moved = false;
        rc = run_process(round, configs, index, &moved, err);
        if (rc == 0 && !moved)
            rc = err_set(err, ERR_INTERNAL, "a harness process brought no config any further");
    }
    free(configs);
    free(index);
    return rc;
}

int bench_replicate(const struct bench_request *request, const bool *want,
                    struct samples *samples, struct err *err)
{
    struct machine machine;
    const struct device_kind *kind;
    if (check_request(request, &kind, err) != 0)
        return -1;
    if (samples->count != request->config_count)
        return err_set(err, ERR_INTERNAL, "%zu configs in the samples, %zu in the request",
                       samples->count, request->config_count);
    machine_read(&machine);
    struct round round = {
        .request = request,
        .machine = &machine,
        .samples = samples,
        .pending = calloc(request->config_count, sizeof(struct pending)),
    };
    if (round.pending == NULL)
        return err_set(err, ERR_HOST, "out of memory for a replicate");
    for (size_t i = 0; i < samples->count; i++) {
        round.pending[i].wanted = want[i] && samples->configs[i].fault == FAULT_NONE;
        samples->configs[i].attempts += round.pending[i].wanted;
    }
    int rc = run_round(&round, err);
    free(round.pending);
    return rc;
}
