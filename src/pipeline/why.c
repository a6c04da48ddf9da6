/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which libraries are looked at, and for how long. Judges nothing. */
#include "pipeline/why.h"

#include "base/proc.h"
#include "judge/why.h"
#include "measure/bench.h"
#include "measure/device/device.h"
#include "measure/disassemble.h"
#include "measure/launches.h"
#include "pipeline/bench_setup.h"
#include "pipeline/hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Libraries of one check, head's among them; the time for reading all of them, and for asking what
 * they launch. */
enum { LIBRARIES_MAX = 4, READ_MS = 20000, ANSWER_MS = 10000, ASK_MS = 30000 };

struct looked {
    const struct library *library;
    bool known;
    struct code_listing listing; /* owned */
};

struct looks {
    struct measurement *measurement;
    const struct arms *arms;
    const struct library *against[MODEL_CONFIGS_MAX]; /* of configs that moved; else NULL */
    char capability[8];                               /* of the GPU; "" on a processor */
    uint64_t begin_ns;
    struct looked all[LIBRARIES_MAX];
    size_t count;
    struct code_listing (*launches)[ARM_COUNT]; /* owned, of each config; NULL: not asked */
};

/* ---- which ---- */

const struct library *why_against(const struct arms *arms, const struct config_verdict *row,
                                  size_t config)
{
    return row->verdict == VERDICT_REGRESSED || row->verdict == VERDICT_IMPROVED
               ? why_judged_against(arms, row, config)
               : NULL;
}

const struct library *why_judged_against(const struct arms *arms,
                                         const struct config_verdict *row, size_t config)
{
    return row->against == AGAINST_ANCHOR ? arms_anchor(arms, config)
           : row->against == AGAINST_BASE ? arms->base
                                          : NULL;
}

static bool find_moved(struct looks *looks)
{
    bool any = false;
    for (size_t i = 0; i < looks->measurement->config.config_count; i++) {
        looks->against[i] = why_against(looks->arms,
                                        &looks->measurement->comparison.configs[i], i);
        any = any || looks->against[i] != NULL;
    }
    return any;
}

/* ---- code ---- */

static int read_code(struct looks *looks, const struct library *library,
                     struct code_listing *out, struct err *err)
{
    const struct measurement *measurement = looks->measurement;
    uint64_t gone_ms = (proc_now_ns() - looks->begin_ns) / 1000000;
    if (gone_ms >= READ_MS)
        return err_set(err, ERR_TIMEOUT, "no time was left");
    const struct disassemble_request request = {.device = measurement->job.device,
                                                .capability = looks->capability,
                                                .library = library->result.library,
                                                .wall_ms = READ_MS - (unsigned)gone_ms,
                                                .uid = measurement->host->sandbox_uid,
                                                .gid = measurement->host->sandbox_gid};
    return disassemble(&request, out, err);
}

/* The kernels of a library; NULL where they are not known, which is a note. */
static const struct code_listing *code_of(struct looks *looks, const struct library *library)
{
    for (size_t i = 0; i < looks->count; i++)
        if (looks->all[i].library == library)
            return looks->all[i].known ? &looks->all[i].listing : NULL;
    if (looks->count == LIBRARIES_MAX)
        return NULL;
    struct looked *looked = &looks->all[looks->count++];
    struct err problem = {0};
    looked->library = library;
    if (read_code(looks, library, &looked->listing, &problem) != 0)
        measurement_note(looks->measurement,
                         "How the machine code differs could not be looked at: %.300s",
                         problem.text);
    looked->known = looked->listing.count > 0;
    return looked->known ? &looked->listing : NULL;
}

/* ---- launches ---- */

/* Head, and as the anchor what it was judged against, in a process of their own. */
static int ask(struct looks *looks, struct limits *limits, struct err *err)
{
    struct measurement *measurement = looks->measurement;
    struct bench_config benches[MODEL_CONFIGS_MAX] = {0};
    bool want[MODEL_CONFIGS_MAX] = {false};
    struct bench_request request;
    struct environment ignored = {0};
    struct gpu gpu;
    size_t count = 0;
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        benches[i].config = measurement->config.configs[i];
        want[i] = looks->against[i] != NULL;
        count += want[i];
        request_set_arm(&benches[i], ARM_HEAD, looks->arms->head);
        request_set_arm(&benches[i], ARM_ANCHOR, looks->against[i]);
    }
    if (request_fill(measurement, benches, NULL, &gpu, NULL, &request, err) != 0)
        return -1;
    *limits = *request.limits;
    limits->turn_ms = limits->turn_ms < ANSWER_MS ? limits->turn_ms : ANSWER_MS;
    unsigned long long each_ms = ASK_MS / (count > 0 ? count : 1);
    limits->bench_ms = each_ms < limits->bench_ms ? each_ms : limits->bench_ms;
    request.limits = limits;
    /* The verdict is there: it does not wait for somebody who took the lane meanwhile. */
    HOLD_AUTO hold = {measurement, .lock = LANE_LOCK_NONE, .wait_ms = ASK_MS};
    int rc = hold_device(measurement, request.gpu, &ignored, &hold, err);
    environment_free(&ignored);
    return rc == 0 ? launches_look(&request, want, looks->launches, err) : -1;
}

static void ask_launches(struct looks *looks)
{
    struct measurement *measurement = looks->measurement;
    struct limits limits;
    struct err problem = {0};
    struct gpu gpu;
    if (!device_is_gpu(measurement->job.device) ||
        device_find_gpu(measurement->job.device, measurement->lane->gpu, &gpu, NULL) != 0)
        return;
    memcpy(looks->capability, gpu.capability, sizeof looks->capability);
    looks->launches = calloc(measurement->config.config_count, sizeof *looks->launches);
    if (looks->launches != NULL && ask(looks, &limits, &problem) != 0)
        measurement_note(measurement, "Which kernels run is not known: %.300s", problem.text);
}

/* ---- both ---- */

static int take_launched(const struct code_listing *code, const struct code_listing *launched,
                         struct code_listing *out)
{
    return launched->count > 0 ? code_listing_launched(code, launched, out) : -1;
}

/* Where it is known which kernels run, those alone; else all of both libraries. */
static void compare(const struct looks *looks, size_t config, const struct code_listing *head,
                    const struct code_listing *other, struct config_verdict *row)
{
    const char *who = row->against == AGAINST_BASE ? "base" : "the anchor";
    CODE_LISTING_AUTO ran = {0};
    CODE_LISTING_AUTO other_ran = {0};
    if (looks->launches != NULL &&
        take_launched(head, &looks->launches[config][ARM_HEAD], &ran) == 0 &&
        take_launched(other, &looks->launches[config][ARM_ANCHOR], &other_ran) == 0)
        why_compare(&ran, &other_ran, who, &row->code);
    else
        why_compare(head, other, who, &row->code);
}

static void looks_free(struct looks *looks)
{
    for (size_t i = 0; i < looks->count; i++)
        code_listing_free(&looks->all[i].listing);
    for (size_t i = 0; looks->launches != NULL && i < looks->measurement->config.config_count;
         i++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            code_listing_free(&looks->launches[i][arm]);
    free(looks->launches);
}

void why_look(struct measurement *measurement, const struct arms *arms)
{
    struct looks looks = {.measurement = measurement, .arms = arms};
    if (!find_moved(&looks))
        return;
    ask_launches(&looks);
    looks.begin_ns = proc_now_ns();
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        const struct code_listing *head = looks.against[i] == NULL
                                              ? NULL
                                              : code_of(&looks, arms->head);
        const struct code_listing *other = head == NULL ? NULL
                                                        : code_of(&looks, looks.against[i]);
        if (other != NULL)
            compare(&looks, i, head, other, &measurement->comparison.configs[i]);
    }
    looks_free(&looks);
}
