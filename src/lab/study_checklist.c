/* SPDX-License-Identifier: Apache-2.0 */
/* Owns when an item of the checklist is ticked: only where the files show it. */
#include "lab/study_checklist.h"

#include "judge/text.h"
#include "lab/study_rows.h"
#include "lab/study_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 3, 4)))
set(struct study_item *item, bool done, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    item->done = done;
    vsnprintf(item->why, sizeof item->why, format, args);
    va_end(args);
}

static const char *fact(const struct study_result *result, const char *name)
{
    const struct samples *samples = study_result_samples(result);
    const char *value = environment_get(&result->files->environment.environment, name);
    return value != NULL || samples == NULL ? value
                                            : environment_get(&samples->environment, name);
}

static void environment(const struct study_result *result, struct study_item *item)
{
    const struct environment_file *file = &result->files->environment;
    if (file->environment.count > 0)
        set(item, true, "%zu facts in env.json, with their hash", file->environment.count);
    else
        set(item, false, "there is no env.json");
}

static void versions(const struct study_result *result, struct study_item *item)
{
    const char *driver = fact(result, "driver"), *compiler = fact(result, "compiler");
    bool gpu = device_is_gpu(result->files->study.asked.device);
    if (compiler == NULL || (gpu && driver == NULL))
        set(item, false, "%s not recorded",
            compiler == NULL ? "the compiler is" : "the driver is");
    else
        set(item, true, "%s%s%s%.200s", gpu ? "driver " : "", gpu ? driver : "",
            gpu ? "; " : "", compiler);
}

/* The arm that is the first kernel in the samples of the rows. */
static const char *first_commit(const struct study_result *result, size_t i)
{
    const struct config_samples *config = result->rows[i].samples;
    return config->arms[result->compared ? study_first_arm(config) : ARM_HEAD].commit;
}

static void commit(const struct study_result *result, struct study_item *item)
{
    const char *asked = result->files->study.asked.commit;
    for (size_t i = 0; i < result->row_count; i++)
        if (strcmp(first_commit(result, i), asked) != 0) {
            set(item, false, "the samples of %s do not name commit %.10s",
                result->rows[i].samples->config.name, asked);
            return;
        }
    if (result->row_count == 0)
        set(item, false, "nothing was measured");
    else
        set(item, true, "all samples of the first kernel name the commit");
}

/* The first shape without times; NULL: none. */
static const struct study_row *lacking(const struct study_result *result)
{
    for (size_t i = 0; i < result->row_count; i++)
        if (result->rows[i].missing != NULL)
            return &result->rows[i];
    return NULL;
}

static void told_lacking(const struct study_result *result, struct study_item *item)
{
    const struct study_row *row = lacking(result);
    set(item, false, "%s has no times: %.300s", row->samples->config.name, row->missing);
}

static void correct(const struct study_result *result, struct study_item *item)
{
    for (size_t i = 0; i < result->row_count; i++)
        if (result->rows[i].samples->fault != FAULT_NONE) {
            set(item, false, "%s: %.300s", result->rows[i].samples->config.name,
                result->rows[i].samples->failure);
            return;
        }
    if (result->row_count == 0)
        set(item, false, "nothing was measured");
    else if (lacking(result) != NULL)
        told_lacking(result, item);
    else
        set(item, true,
            "each process compares all outputs with fp64 before timing and after it,"
            " and gives no samples of a kernel that is wrong; there are samples of"
            " every shape");
}

static void control(const struct study_result *result, struct study_item *item)
{
    double floor = result->files->rule.control_floor;
    if (!result->compared) {
        set(item, false, "no check was made");
        return;
    }
    for (size_t i = 0; i < result->row_count; i++) {
        const struct study_row *row = &result->rows[i];
        const struct change *change = &row->verdict->control;
        char text[STUDY_WORDS_BYTES];
        if (change->known && change->ci.low <= floor && change->ci.high >= -floor)
            continue;
        set(item, false, "%s: %s", row->samples->config.name,
            change->known ? study_change_text(text, change, change->ci)
                          : "no control was measured");
        return;
    }
    set(item, true,
        "a second copy of the first kernel ran as if it were another; at no shape is the"
        " interval of its change wholly beyond ±%.2g%%",
        100 * floor);
}

static void processes(const struct study_result *result, struct study_item *item)
{
    unsigned needed = result->files->rule.min_replicates;
    if (result->row_measured == 0)
        set(item, false, "nothing was measured");
    else if (result->processes >= needed && lacking(result) != NULL)
        told_lacking(result, item);
    else
        set(item, result->processes >= needed, "at least %zu at each shape, %u are needed",
            result->processes, needed);
}

static void undisturbed(const struct study_result *result, struct study_item *item)
{
    size_t all = 0, marked = 0;
    unsigned marks = 0;
    char text[TEXT_MARKS_BYTES];
    for (size_t i = 0; i < result->row_count; i++) {
        marks |= config_samples_marks(result->rows[i].samples);
        all += result->rows[i].samples->count;
        marked += result->rows[i].samples->count -
                  config_samples_unmarked(result->rows[i].samples);
    }
    if (all == 0)
        set(item, false, "nothing was measured");
    else
        set(item, marked == 0, "%zu of %zu measurements were marked%s%s, and left out", marked,
            all, marked > 0 ? " as " : "", text_marks(text, marks));
}

static void clocks(const struct study_result *result, struct study_item *item)
{
    const char *policy = fact(result, "clock_policy");
    if (policy == NULL)
        set(item, false, "not recorded");
    else
        set(item, strncmp(policy, "locked", 6) == 0, "the clocks were %.200s", policy);
}

static void backends(const struct study_result *result, struct study_item *item)
{
    const struct study_step *step = study_step_find(&result->files->study, STUDY_BACKENDS, "");
    if (!result->backends.there)
        set(item, false, "%s", step == NULL || step->why[0] == '\0' ? "not done" : step->why);
    else
        set(item, result->backends.result.arm_count > 1, "%zu beside the first kernel",
            result->backends.result.arm_count - 1);
}

static void raw(const struct study_result *result, struct study_item *item)
{
    size_t count = 0;
    for (size_t i = 0; i < result->files->raw.count; i++) {
        const char *path = result->files->raw.files[i].path;
        const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
        count += strcmp(name, "samples.json") == 0 || strcmp(name, "benchmark.json") == 0;
    }
    set(item, count > 0, "%zu file%s with every sample, listed below with %s", count,
        count == 1 ? "" : "s", count == 1 ? "its hash" : "their hashes");
}

static void corrected(const struct study_result *result, struct study_item *item)
{
    bool fastest = (result->backends.there && result->backends.result.arm_count > 1) ||
                   (result->shapes.there && result->shapes.result.arm_count > 1);
    char proposals[STUDY_WORDS_BYTES] = "";
    if (result->measured > 0)
        snprintf(proposals, sizeof proposals, "proposals for %zu",
                 result->files->study.asked.proposals);
    const char *const parts[] = {
        proposals, result->compared ? "the last check for looks and shapes" : "",
        fastest ? "who is the fastest for all pairs and shapes of a section" : "",
        result->compared ? "p-values are not" : ""};
    char text[2 * STUDY_WORDS_BYTES] = "";
    for (size_t i = 0, len = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i][0] != '\0')
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? "; " : "",
                                    parts[i]);
    if (text[0] == '\0')
        set(item, false, "nothing was compared");
    else
        set(item, true, "Bonferroni: %s", text);
}

static void bits(const struct study_result *result, struct study_item *item)
{
    (void)result;
    set(item, false, "not known: a study does not record it, ratchet verify tells");
}

static void again(const struct study_result *result, struct study_item *item)
{
    (void)result;
    set(item, false,
        "not known: a study is of one device; ratchet study --verify measures"
        " again on another of its kind");
}

static void steps(const struct study_result *result, struct study_item *item)
{
    const struct study *study = &result->files->study;
    char text[STUDY_WORDS_BYTES];
    for (size_t i = 0; i < study->step_count; i++) {
        const struct study_step *step = &study->steps[i];
        if (step->state == STUDY_DONE || step->phase == STUDY_REPORT)
            continue;
        set(item, false, "%s is %s", study_step_text(text, step),
            study_state_name(step->state));
        return;
    }
    set(item, study->step_count > 0, "all %zu", study->step_count);
}

size_t study_checklist(const struct study_result *result, struct study_item items[STUDY_ITEMS])
{
    static const struct {
        const char *what;
        void (*look)(const struct study_result *, struct study_item *);
    } all[STUDY_ITEMS] = {{"The environment is recorded", environment},
                          {"Driver and compiler are recorded", versions},
                          {"The kernel is a commit, not a working tree", commit},
                          {"Results were verified before and after timing", correct},
                          {"The control shows no bias", control},
                          {"Enough fresh processes", processes},
                          {"No measurement was disturbed", undisturbed},
                          {"Clocks were locked", clocks},
                          {"Other implementations were measured beside it", backends},
                          {"Raw samples are kept", raw},
                          {"Corrected for multiple comparisons", corrected},
                          {"Every step was done", steps},
                          {"The same bits from run to run", bits},
                          {"Measured again on another device", again}};
    size_t done = 0;
    for (size_t i = 0; i < STUDY_ITEMS; i++) {
        items[i].what = all[i].what;
        all[i].look(result, &items[i]);
        done += items[i].done;
    }
    return done;
}
