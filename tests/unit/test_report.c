/* SPDX-License-Identifier: Apache-2.0 */
/* The comment, byte for byte against tests/data/report, and what it must survive: many configs,
 * long logs, hostile text. `RATCHET_GOLDEN=1` writes the expected files anew: read them then. */
#include "publish/report.h"

#include "base/file.h"
#include "publish/figures.h"
#include "tests/tap.h"
#include "tests/unit/render.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum { MANY = MODEL_CONFIGS_MAX, LOG_BYTES = 1 << 20 };

#define HEAD "1111111111111111111111111111111111111111"
#define BASE "2222222222222222222222222222222222222222"
#define MERGE "3333333333333333333333333333333333333333"
#define ANCHOR "4444444444444444444444444444444444444444"

/* Everything a report is made of. Nothing in it is owned. */
struct scene {
    struct job job;
    struct comparison comparison;
    struct config_verdict verdicts[MANY];
    struct samples samples;
    struct config_samples measured[MANY];
    struct fact facts[3];
    struct fact stored_facts[3];
    struct baseline_config stored;
    struct baseline baseline;
    struct rule rule;
    struct calibration calibration;
    struct report report;
};

static void put(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

static void scene_begin(struct scene *scene, enum verdict verdict)
{
    memset(scene, 0, sizeof *scene);
    scene->job.pr = 7;
    put(scene->job.repository, sizeof scene->job.repository, "octo/attention");
    put(scene->job.base_ref, sizeof scene->job.base_ref, "main");
    put(scene->job.head, sizeof scene->job.head, HEAD);
    put(scene->job.base, sizeof scene->job.base, BASE);
    put(scene->job.merge, sizeof scene->job.merge, MERGE);
    put(scene->job.run_url, sizeof scene->job.run_url,
        "https://github.example/octo/attention/actions/runs/99");
    put(scene->comparison.device.slug, MODEL_NAME_BYTES, "cpu");
    scene->comparison.configs = scene->verdicts;
    scene->comparison.verdict = verdict;
    static char facts[][2][32] = {
        {"cpu", "Loopback 3000 | 2 cores"}, {"kernel", "6.1.0"}, {"compiler", "gcc 12.2.0"}};
    for (int i = 0; i < 3; i++)
        scene->facts[i] = (struct fact){facts[i][0], facts[i][1]};
    scene->samples.environment.facts = scene->facts;
    scene->samples.environment.count = 3;
    scene->samples.configs = scene->measured;
    scene->rule = rule_default();
    scene->report = (struct report){
        .job = &scene->job,
        .comparison = &scene->comparison,
        .samples = &scene->samples,
        .rule = &scene->rule,
        .timing = "build 3.1 s (2 of 4 from the cache), bench 12.0 s",
    };
}

static struct config_verdict *scene_add(struct scene *scene, const char *name,
                                        enum verdict verdict, const char *reason)
{
    size_t at = scene->comparison.count++;
    struct config_verdict *row = &scene->verdicts[at];
    struct config_samples *measured = &scene->measured[at];
    scene->samples.count = scene->comparison.count;
    put(row->config.name, MODEL_NAME_BYTES, name);
    row->config.problem = (struct problem){1, 4, 4, 256, 256, 64, DTYPE_FP32, at % 2 == 1};
    row->verdict = verdict;
    row->clause = verdict == VERDICT_HELD ? CLAUSE_IDENTICAL_CODE : CLAUSE_NO_SAMPLES;
    put(row->reason, sizeof row->reason, reason);
    measured->config = row->config;
    measured->arms[ARM_HEAD].present = true;
    put(measured->arms[ARM_HEAD].commit, MODEL_SHA_BYTES, MERGE);
    measured->arms[ARM_ANCHOR].present = true;
    put(measured->arms[ARM_ANCHOR].commit, MODEL_SHA_BYTES, ANCHOR);
    return row;
}

static struct change around(double value)
{
    return (struct change){true, value, {value - 0.002, value + 0.002},
                           {value - 0.004, value + 0.004}};
}

/* A config that was measured against its anchor, and `own` against base. */
static struct config_verdict *scene_measured(struct scene *scene, const char *name,
                                             enum verdict verdict, double change, double own,
                                             const char *reason)
{
    struct config_verdict *row = scene_add(scene, name, verdict, reason);
    struct config_samples *measured = &scene->measured[scene->comparison.count - 1];
    static const enum clause clauses[] = {[VERDICT_HELD] = CLAUSE_WITHIN,
                                          [VERDICT_IMPROVED] = CLAUSE_BEYOND,
                                          [VERDICT_UNCLEAR] = CLAUSE_STRADDLES,
                                          [VERDICT_UNMEASURED] = CLAUSE_CONTROL_BIASED,
                                          [VERDICT_REGRESSED] = CLAUSE_BEYOND};
    row->clause = verdict == VERDICT_HELD && change > 0.03 ? CLAUSE_LOST_ON_MAIN
                                                           : clauses[verdict];
    measured->arms[ARM_BASE].present = true;
    measured->peak_bytes[ARM_HEAD] = 3 << 20;
    row->against = AGAINST_ANCHOR;
    row->change = around(change);
    row->own = around(own);
    row->control = around(0.0003);
    row->median_ns[ARM_ANCHOR] = 712300;
    row->median_ns[ARM_BASE] = 712300 * (1 + change) / (1 + own);
    row->median_ns[ARM_HEAD] = 712300 * (1 + change);
    row->effects_known = true;
    row->hedges_g = change * 100;
    row->cliffs_delta = change > 0 ? 1 : -1;
    row->p_value = 0.00094;
    row->replicates = 8;
    row->attempts = 9;
    row->marked = 1;
    row->marks = MARK_PREEMPTED;
    return row;
}

/* ---- golden files ---- */

static void golden(const struct scene *scene, const char *name)
{
    char path[PATH_MAX];
    const char *top = getenv("top_srcdir");
    struct err err = {0};
    BUF_AUTO got;
    BUF_AUTO want;
    buf_init(&got, REPORT_MAX_BYTES);
    buf_init(&want, REPORT_MAX_BYTES);
    tap_case(name);
    snprintf(path, sizeof path, "%s/tests/data/report/%s.md", top == NULL ? "." : top, name);
    if (!OK(report_markdown(&scene->report, &got, &err) == 0))
        return;
    if (getenv("RATCHET_GOLDEN") != NULL)
        OK(file_write(path, got.data, got.len, 0644, &err) == 0);
    if (OK(file_read(path, &want, &err) == 0))
        EQ_STR(got.data, want.data);
    OK(strstr(got.data, "\n\n\n") == NULL);
    char line[256];
    report_line(&scene->comparison, line, sizeof line);
    OK(strlen(line) <= 140 && strchr(line, '\n') == NULL);
    OK(strncmp(line, verdict_name(scene->comparison.verdict),
               strlen(verdict_name(scene->comparison.verdict))) == 0);
    printf("# %s\n", line);
}

/* As many as a thorough repository has: two are news, one could not be told, the rest held. */
static void golden_sixty(struct scene *scene)
{
    static const int seqs[] = {128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096};
    scene_begin(scene, VERDICT_REGRESSED);
    for (int i = 0; i < 60; i++) {
        char name[MODEL_NAME_BYTES];
        snprintf(name, sizeof name, "b%d_h16_s%d_d%d%s", i % 20 < 10 ? 1 : 8, seqs[i % 10],
                 i / 20 == 1 ? 64 : 128, i >= 40 ? "_causal" : "");
        enum verdict verdict = i == 7 || i == 41 ? VERDICT_REGRESSED
                               : i == 22         ? VERDICT_UNCLEAR
                                                 : VERDICT_HELD;
        double change = verdict == VERDICT_REGRESSED ? 0.0412 + i * 0.0001
                        : verdict == VERDICT_UNCLEAR ? 0.029
                                                     : (i % 9 - 4) * 0.0007;
        scene_measured(scene, name, verdict, change, change, "as the deciding interval says");
    }
    golden(scene, "sixty");
}

/* Nothing to compare with yet: recorded by the merge. */
static void golden_first_baseline(struct scene *scene)
{
    scene_begin(scene, VERDICT_HELD);
    for (int i = 0; i < 2; i++) {
        struct config_verdict *row = scene_add(scene, i == 0 ? "b1_h4_s256_d64" : "b8_h32_s1024_d128",
                                               VERDICT_HELD, "nothing to compare with yet");
        row->clause = CLAUSE_RECORDED;
        row->median_ns[ARM_HEAD] = 712300;
        scene->measured[i].count = 8;
    }
    scene->job.kind = JOB_PROMOTE;
    scene->job.pr = 0;
    golden(scene, "first_baseline");
}

static void golden_held(struct scene *scene)
{
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_HELD, 0.0041, 0.0038,
                   "+0.41% [+0.01, +0.81] against the anchor is wholly inside ±3%");
    scene_measured(scene, "b1_h4_s256_d64_causal", VERDICT_HELD, -0.0012, -0.0012,
                   "-0.12% [-0.52, +0.28] against the anchor is wholly inside ±3%");
    golden(scene, "held");

    scene_begin(scene, VERDICT_HELD);
    scene_add(scene, "b1_h4_s256_d64", VERDICT_HELD, "identical machine code");
    scene_add(scene, "b1_h4_s256_d64_causal", VERDICT_HELD, "identical machine code");
    scene->verdicts[0].against = scene->verdicts[1].against = AGAINST_ANCHOR;
    scene->measured[0].identical = scene->measured[1].identical = true;
    golden(scene, "held_identical");

    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_HELD, 0.0520, 0.0004,
                   "+5.20% [+4.80%, +5.60%] against the anchor is wholly above +3%; already "
                   "lost: +0.04% [-0.36%, +0.44%] against base is not wholly above "
                   "+0.5%");
    golden(scene, "held_already_lost");

    scene_begin(scene, VERDICT_HELD);
    put(scene->comparison.reason, MODEL_TEXT_BYTES, "kernel not touched");
    scene->report.samples = NULL;
    scene->report.timing = NULL;
    golden(scene, "held_not_touched");
}

static void golden_moved(struct scene *scene)
{
    scene_begin(scene, VERDICT_IMPROVED);
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_IMPROVED, -0.0812, -0.0790,
                   "-8.12% [-8.52, -7.72] against the anchor is wholly below -3%");
    golden(scene, "improved");

    /* base runs the anchor's own machine code, so it is no arm */
    scene_begin(scene, VERDICT_REGRESSED);
    struct config_verdict *row =
        scene_measured(scene, "b1_h4_s256_d64", VERDICT_REGRESSED, 0.0412, 0,
                       "+4.12% [+3.72, +4.52] against the anchor is wholly above +3%");
    row->own = (struct change){0};
    row->stored = around(0.0050);
    row->anchor_drift = -0.0340;
    row->anchor_drift_known = true;
    scene->measured[0].arms[ARM_BASE].present = false;
    /* the baseline was recorded with another compiler, and reads the other side of the line */
    memcpy(scene->stored_facts, scene->facts, sizeof scene->facts);
    scene->stored_facts[2].value = (char[]){"gcc 11.4.0"};
    scene->stored.config = row->config;
    scene->stored.environment = (struct environment){scene->stored_facts, 3};
    scene->baseline = (struct baseline){
        .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
    scene->report.baseline = &scene->baseline;
    golden(scene, "regressed");

    scene_begin(scene, VERDICT_REGRESSED);
    scene_measured(scene, "b1_h4_s256_d64_causal", VERDICT_HELD, 0.0520, 0.0004,
                   "+5.20% [+4.80, +5.60] against the anchor is wholly above +3%; already lost: "
                   "+0.04% [-0.36, +0.44] against base is not wholly above +0.5%");
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_REGRESSED, 0.0412, 0.0390,
                   "+4.12% [+3.72, +4.52] against the anchor is wholly above +3%, and +3.90% "
                   "[+3.50, +4.30] against base");
    golden(scene, "regressed_already_lost");

    scene_begin(scene, VERDICT_UNCLEAR);
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_UNCLEAR, 0.0290, 0.0280,
                   "+2.90% [+2.50, +3.30] against the anchor straddles +3%; the budget of "
                   "replicates is used up");
    golden(scene, "unclear");
}

/* Held for every reason there is: what is said of each is true of it alone. */
static void set_fact(struct code_pair *pair, enum code_fact fact, long long head,
                     long long against)
{
    pair->head.facts[fact] = head;
    pair->against.facts[fact] = against;
}

/* Two configs of one kernel that spills, whose name is a stranger's, and a third of another. */
static void golden_why(struct scene *scene)
{
    static const char *const names[] = {"b1_h4_s256_d64", "b1_h4_s512_d64", "b1_h4_s128_d64"};
    scene_begin(scene, VERDICT_REGRESSED);
    for (int i = 0; i < 3; i++) {
        struct config_verdict *row = scene_measured(
            scene, names[i], VERDICT_REGRESSED, 0.09 - 0.01 * i, 0.08,
            "+9.00% [+8.60%, +9.40%] against the anchor is wholly above +3%");
        struct code_pair *pair = &row->code.pairs[0];
        row->code.count = 1;
        put(row->code.line, CODE_LINE_BYTES,
            i < 2 ? "head spills 284 bytes a thread, the anchor none"
                  : "head has 1497 instructions, the anchor 1233 (fused multiply-add: 484, the "
                    "anchor 228)");
        pair->head = pair->against = machine_code_none();
        put(pair->head.name, CODE_NAME_BYTES, "_Z3why`|</details>@everyone#12");
        set_fact(pair, CODE_REGISTERS, i < 2 ? 32 : 72, 72);
        set_fact(pair, CODE_SPILL_STORES, i < 2 ? 284 : 0, 0);
        set_fact(pair, CODE_SPILL_LOADS, i < 2 ? -1 : 0, 0);
        set_fact(pair, CODE_INSTRUCTIONS, i < 2 ? 1375 : 1497, 1233);
        set_fact(pair, CODE_FMA, i < 2 ? 228 : 484, 228);
    }
    scene->verdicts[2].code.left_out = 2;
    scene->verdicts[2].code.alike = 5;
    golden(scene, "regressed_why");
}

static void golden_mixed(struct scene *scene)
{
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "measured", VERDICT_HELD, 0.0041, 0.0038,
                   "+0.41% [+0.01%, +0.81%] against the anchor is wholly inside ±3%");
    scene_add(scene, "same", VERDICT_HELD, "identical machine code");
    scene->measured[1].identical = true;
    scene_add(scene, "gone", VERDICT_HELD, "main's ci/ratchet.conf lists it no more")->clause =
        CLAUSE_RETIRED;
    golden(scene, "held_mixed");
}

static void golden_drifted(struct scene *scene)
{
    scene_begin(scene, VERDICT_HELD);
    struct config_verdict *row =
        scene_measured(scene, "b1_h4_s256_d64", VERDICT_HELD, 0.0041, 0.0038,
                       "+0.41% [+0.01%, +0.81%] against the anchor is wholly inside ±3%");
    row->stored = around(28.25);
    row->anchor_drift = 28.13;
    row->anchor_drift_known = row->anchor_drifted = true;
    memcpy(scene->stored_facts, scene->facts, sizeof scene->facts);
    scene->stored_facts[2].value = (char[]){"gcc 11.4.0"};
    scene->stored.config = row->config;
    scene->stored.environment = (struct environment){scene->stored_facts, 3};
    put(scene->stored.code, sizeof scene->stored.code, "sha256:1");
    put(scene->measured[0].arms[ARM_ANCHOR].code, MODEL_CODE_BYTES, "sha256:2");
    scene->baseline = (struct baseline){
        .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
    scene->report.baseline = &scene->baseline;
    golden(scene, "held_drifted");
}

/* Head has no samples in 10 of 16 rounds, and was at work in each round that was marked. */
static void golden_gaps(struct scene *scene)
{
    static struct replicate replicates[7];
    scene_begin(scene, VERDICT_UNCLEAR);
    struct config_verdict *row = scene_measured(
        scene, "b1_h4_s256_d64", VERDICT_UNCLEAR, 0.0041, 0.0038,
        "10 of 16 replicates have no samples of head: what is missing could change the verdict");
    row->clause = CLAUSE_GAPS;
    row->replicates = 6;
    row->rounds = 16;
    row->missing[ARM_HEAD] = 10;
    row->missing[ARM_ANCHOR] = 1;
    row->marked = 7;
    row->attempts = 23;
    for (size_t i = 0; i < 7; i++)
        replicates[i] = (struct replicate){
            .marks = MARK_PREEMPTED,
            .provoked = {[ARM_HEAD] = MARK_PREEMPTED,
                         [ARM_BASE] = i == 3 ? MARK_PREEMPTED : 0}};
    scene->measured[0].replicates = replicates;
    scene->measured[0].count = 7;
    golden(scene, "unclear_gaps");
}

static void says(struct scene *scene, const char *part, bool wanted)
{
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, REPORT_MAX_BYTES);
    if (OK(report_markdown(&scene->report, &out, &err) == 0) &&
        !OK((strstr(out.data, part) != NULL) == wanted))
        printf("# %s `%s`\n", wanted ? "not said:" : "said:", part);
}

/* A GPU: shares of its peaks, what came from a cache, memory that grew, and readings that differ
 * every time and so from no baseline. */
static void golden_gpu(struct scene *scene)
{
    static char names[][32] = {"compute_capability", "driver", "seen_sm_clock"};
    static char now[][32] = {"9.0", "580.1", "1965 to 1980 MHz"};
    static char then[][32] = {"9.0", "575.9", "1980 MHz"};
    struct fact facts[3], stored[3];
    for (int i = 0; i < 3; i++) {
        facts[i] = (struct fact){names[i], now[i]};
        stored[i] = (struct fact){names[i], then[i]};
    }
    scene_begin(scene, VERDICT_HELD);
    put(scene->comparison.device.slug, MODEL_NAME_BYTES, "nvidia-h200");
    put(scene->samples.device.name, sizeof scene->samples.device.name, "NVIDIA H200");
    for (int i = 0; i < 2; i++) {
        struct config_verdict *row =
            scene_measured(scene, i == 0 ? "b32_h8_s512_d64" : "b32_h8_s128_d64", VERDICT_HELD,
                           0.0041, 0.0038,
                           "+0.41% [+0.01, +0.81] against the anchor is wholly inside ±3%");
        row->config.problem =
            (struct problem){32, 8, 8, 512, 512, 64, DTYPE_FP16, false};
        if (i == 1)
            row->config.problem.seq_q = row->config.problem.seq_k = 128;
        row->median_ns[ARM_ANCHOR] = i == 0 ? 63200 : 3200;
        row->median_ns[ARM_HEAD] = i == 0 ? 63459 : 3213;
        scene->measured[i].config = row->config;
        scene->measured[i].peak_bytes[ARM_ANCHOR] = i == 0 ? 64 << 20 : 3 << 20;
        scene->measured[i].peak_bytes[ARM_HEAD] = i == 0 ? 66 << 20 : 3 << 20;
    }
    scene->samples.environment = (struct environment){facts, 3};
    scene->stored.config = scene->verdicts[0].config;
    scene->stored.environment = (struct environment){stored, 3};
    scene->baseline = (struct baseline){
        .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
    scene->report.baseline = &scene->baseline;
    golden(scene, "held_gpu");
    put(scene->samples.device.name, sizeof scene->samples.device.name, "NVIDIA Unknown");
    golden(scene, "held_gpu_unknown");

    tap_case("shares: nothing from cache, fp32, faster than the peak");
    put(scene->samples.device.name, sizeof scene->samples.device.name, "NVIDIA H200");
    says(scene, "(from cache)", true);
    scene->verdicts[1].median_ns[ARM_HEAD] = 4000;
    says(scene, "4.194 TB/s (87%)", true);
    says(scene, "from cache", false);
    scene->verdicts[1].config.problem.dtype = DTYPE_FP32;
    says(scene, "| 268.4 TFLOP/s | 8.389 TB/s (from cache) |", true);
    scene->verdicts[0].median_ns[ARM_HEAD] = 10000;
    says(scene, "1.718 PFLOP/s (above the peak)", true);
    facts[0].value = (char[]){"8.9"};
    says(scene, "not in our table: no shares", true);
    scene->samples.environment = (struct environment){facts + 1, 2};
    says(scene, "shares", false);
}

/* ---- what is said of each clause ---- */

/* What to do fits whose fault it is, whatever the clause: nobody is told to fix what is not his. */
static void advice(struct scene *scene)
{
    static const struct {
        enum clause clause;
        const char *hint;
    } hints[] = {{CLAUSE_BAD_PATH, "letter for letter"}, {CLAUSE_BAD_RECIPE, "the very commit"},
                 {CLAUSE_BAD_CONFIG, "from the base commit"},
                 {CLAUSE_NOT_MEASURED, "- `a`: The baseline has it"},
                 {CLAUSE_BELOW_CLOCK, "- `a`: One launch is shorter"},
                 {CLAUSE_GAPS, "- `a`: A process that ended early"}};
    for (int fault = FAULT_NONE; fault <= FAULT_US; fault++) {
        for (int clause = 0; clause < CLAUSE_COUNT; clause++) {
            char name[64];
            snprintf(name, sizeof name, "%s, %s", clause_name((enum clause)clause),
                     fault_name((enum fault)fault));
            tap_case(name);
            scene_begin(scene, VERDICT_UNMEASURED);
            struct config_verdict *row = scene_add(scene, "a", VERDICT_UNMEASURED, "why");
            row->clause = scene->comparison.clause = (enum clause)clause;
            row->fault = scene->comparison.fault = (enum fault)fault;
            says(scene, "in this pull request and push", fault == FAULT_PR);
            says(scene, "Nothing to fix in this pull request",
                 fault == FAULT_HOST || fault == FAULT_US);
            says(scene, "base branch has to be fixed first", fault == FAULT_BASE);
            bool lasting = clause == CLAUSE_NOT_MEASURED || clause == CLAUSE_BELOW_CLOCK;
            says(scene, "Run this job again",
                 !lasting && (fault == FAULT_HOST || fault == FAULT_NONE));
            says(scene, "a defect of Ratchet", !lasting && fault == FAULT_US);
            scene->job.kind = JOB_PROMOTE;
            scene->job.pr = 0;
            says(scene, "pull request", false); /* there is none */
            for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
                if (hints[i].clause >= CLAUSE_CONFLICT) {
                    /* What the head leaves as ci/ratchet.conf is mended in the head. */
                    bool own = clause == CLAUSE_BAD_CONFIG && fault == FAULT_PR;
                    scene->comparison.count = 0;
                    says(scene, hints[i].hint, hints[i].clause == (enum clause)clause && !own);
                    scene->comparison.count = 1;
                } else {
                    says(scene, hints[i].hint, hints[i].clause == (enum clause)clause);
                }
        }
    }
}

/* The verdict of the whole is told where it is none of its configs'. */
static void whole(struct scene *scene)
{
    char line[256];
    tap_case("every config is retired");
    scene_begin(scene, VERDICT_UNMEASURED);
    scene_add(scene, "a", VERDICT_HELD, "gone")->clause = CLAUSE_RETIRED;
    put(scene->comparison.reason, MODEL_TEXT_BYTES, "no configs: nothing was measured");
    scene->comparison.clause = CLAUSE_NO_SAMPLES;
    scene->comparison.fault = FAULT_US;
    says(scene, "**no configs: nothing was measured.** Nothing was measured; the fault is Ratchet's "
                "own. Retired, as `ci/ratchet.conf` lists it no more: `a`.", true);
    says(scene, "a defect of Ratchet", true);
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "unmeasured: no configs: nothing was measured (us)");
    tap_case("a fork's head that waits for a word");
    scene_begin(scene, VERDICT_UNMEASURED);
    put(scene->comparison.reason, MODEL_TEXT_BYTES, "waits");
    scene->comparison.clause = CLAUSE_NOT_APPROVED;
    scene->comparison.fault = FAULT_NONE;
    char copied[128];
    snprintf(copied, sizeof copied, "\n\n  ```text\n  /ratchet run %s\n  ```\n", scene->job.head);
    says(scene, copied, true);
    says(scene, "a new push needs a new word", true);
    says(scene, "the label `ratchet:run`", true);
    says(scene, "Run this job again", false);
    tap_case("whose fault can be mended comes first");
    scene_begin(scene, VERDICT_UNMEASURED);
    static const enum fault faults[] = {FAULT_NONE, FAULT_US, FAULT_HOST, FAULT_PR, FAULT_BASE};
    for (int i = 0; i < 5; i++) {
        char name[] = {(char)('a' + i), 0};
        scene_add(scene, name, VERDICT_UNMEASURED, "why")->fault = faults[i];
    }
    says(scene, "**`d` could not be measured: why.** The fault is the pull request's.", true);
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "unmeasured: d: why (the PR) (0 of 5 held)");
    tap_case("what the clock cannot see has no throughput");
    scene_begin(scene, VERDICT_UNMEASURED);
    struct config_verdict *row = scene_measured(scene, "a", VERDICT_UNMEASURED, 0, 0, "too short");
    says(scene, "FLOP/s", true);
    row->clause = CLAUSE_BELOW_CLOCK;
    says(scene, "FLOP/s", false);
    tap_case("a config that nobody measured");
    row->clause = CLAUSE_NOT_MEASURED;
    says(scene, "**The baseline has `a`, and nobody measured it.** The fault is", true);
}

/* "No config moved" is said where that was measured, and nowhere else. */
static void held_for(struct scene *scene, enum clause clause, const char *said)
{
    static const char moved[] = "onfig moved by more than 3.00%";
    tap_case(clause_name(clause));
    scene_begin(scene, VERDICT_HELD);
    scene_add(scene, "a", VERDICT_HELD, "why")->clause = clause;
    scene->measured[0].identical = clause == CLAUSE_IDENTICAL_CODE;
    says(scene, said, true);
    says(scene, moved, false);
    scene_measured(scene, "b", VERDICT_HELD, 0.0041, 0.0038, "");
    says(scene, moved, false);
    says(scene, "**The one config that was measured did not move by more than 3.00%.** It is `b`",
         true);
    scene_measured(scene, "c", VERDICT_HELD, -0.0052, 0.0038, "");
    says(scene, "**None of the 2 configs that were measured moved by more than 3.00%.** The "
                "largest change is `c`, -0.52%", true);
}

static void held(struct scene *scene)
{
    held_for(scene, CLAUSE_IDENTICAL_CODE, "**Identical machine code**");
    held_for(scene, CLAUSE_NOT_TOUCHED, "**Nothing was measured.** Not touched, so not measured: `a`");
    held_for(scene, CLAUSE_RETIRED, "**Nothing was measured.** Retired, as `ci/ratchet.conf` lists "
                                    "it no more: `a`.");
    held_for(scene, CLAUSE_RECORDED, "**There was no anchor to compare with.** Recorded in the "
                                     "baseline: `a`.");
    tap_case("an accepted loss is no config that did not move");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.2, 0.2, "accepted by octo")->clause = CLAUSE_RECORDED;
    scene_measured(scene, "b", VERDICT_HELD, 0.0041, 0.0038, "");
    says(scene, "**The one config that was measured did not move by more than 3.00%.** It is `b`, "
                "+0.41%", true);
    says(scene, "Recorded in the baseline: `a`.", true);
    says(scene, "| held ✓ recorded |", true);
    tap_case("without a rule, no figure is made up");
    scene->report.rule = NULL;
    scene->comparison.configs = scene->verdicts + 1;
    scene->comparison.count = 1;
    says(scene, "**No config moved by more than the rule allows.** The largest change is `b`", true);
    tap_case("what decides by an interval stands under How sure, whatever is in the reason");
    scene_begin(scene, VERDICT_UNCLEAR);
    struct config_verdict *row =
        scene_measured(scene, "a", VERDICT_UNCLEAR, 0.029, 0.028, "straddles without a bracket");
    says(scene, "8 replicates: too close to the line of ±3.00% to tell.\n", true);
    says(scene, "Why:", false);
    says(scene, "\n- `a`: straddles without a bracket.\n", true);
    row->clause = CLAUSE_MARKED;
    put(row->reason, sizeof row->reason, "[all] were marked");
    says(scene, "Why: \\[all\\] were marked", true);
    says(scene, "close to the line", false);
    says(scene, "Run this job again for a second look", true);
    row->fault = FAULT_PR;
    says(scene, "Run this job again", false);
    says(scene, "own code that disturbs the measuring host", true);
    tap_case("a file from before clauses");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.0520, 0.0004, "")->clause = CLAUSE_NONE;
    scene_measured(scene, "b", VERDICT_HELD, 0.0041, 0.0004, "")->clause = CLAUSE_NONE;
    says(scene, "**already lost on main**", true);
    put(scene->job.base_ref, sizeof scene->job.base_ref, "trunk");
    says(scene, "**already lost on `trunk`**", true);
    says(scene, "Nobody is blocked for what `trunk` has already lost", true);
    scene->job.base_ref[0] = '\0';
    says(scene, "**already lost on base**", true);
    scene->verdicts[0].change = around(0.001);
    says(scene, "**No config moved by more than 3.00%.** The largest change is `b`", true);
}

/* ---- gaps and marks ---- */

static void gaps(struct scene *scene)
{
    static struct replicate replicates[8];
    tap_case("an arm is named that was at work clearly more often than the others");
    for (int other = 0; other < 5; other++) {
        for (int own = 2; own < 9; own++) {
            scene_begin(scene, VERDICT_HELD);
            scene_measured(scene, "a", VERDICT_HELD, 0.001, 0.001, "")->marked = 8;
            for (int i = 0; i < 8; i++)
                replicates[i] = (struct replicate){
                    .marks = MARK_PREEMPTED,
                    .provoked = {[ARM_HEAD] = i < own ? MARK_PREEMPTED : 0,
                                 [ARM_CONTROL] = i < other ? MARK_PREEMPTED : 0}};
            scene->measured[0].replicates = replicates;
            scene->measured[0].count = 8;
            char part[80];
            snprintf(part, sizeof part, "**Of 8 marked rounds, head was at work in %d**", own);
            says(scene, part, own >= 4 && own >= 3 * other);
        }
    }
    tap_case("what is missing, by arm, of how many");
    scene_begin(scene, VERDICT_HELD);
    for (int i = 0; i < 8; i++) {
        char name[2] = {(char)('a' + i), 0};
        struct config_verdict *row = scene_measured(scene, name, VERDICT_HELD, 0.001, 0, "");
        row->rounds = 20;
        row->missing[ARM_BASE] = i != 1;
        row->missing[ARM_CONTROL] = i == 0 ? 2 : 0;
    }
    says(scene, "- Samples are missing: `a` base in 1 of 20 rounds, control in 2; `c` base in 1 of "
                "20 rounds; `d` base in 1 of 20 rounds; `e` base in 1 of 20 rounds; `f` base in 1 "
                "of 20 rounds; and in 2 more configs. What is missing never counts", true);
    tap_case("samples that say nothing of the problem");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.001, 0, "")->config.problem = (struct problem){0};
    scene->measured[0].config.problem = (struct problem){0};
    says(scene, "- No `problem` in the samples of `a`: a baseline is matched by name", true);
    says(scene, "FLOP/s", false);
    says(scene, "nan", false);
    scene_measured(scene, "b", VERDICT_HELD, 0.001, 0, "");
    says(scene, "| `b` | B1 H4 S256", true);
    says(scene, "| `a` | B", false);
}

/* ---- what was not looked at ---- */

static void not_checked(struct scene *scene)
{
    static const char none[] = "- No control arm: on `a`, `b` nobody checked what the machine";
    tap_case("no control is no control that reads nothing");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.001, 0.001, "");
    scene_measured(scene, "b", VERDICT_HELD, 0.001, 0.001, "");
    scene_measured(scene, "c", VERDICT_HELD, 0.001, 0.001, "");
    says(scene, "- No control arm", false);
    scene->verdicts[0].control = scene->verdicts[1].control = (struct change){0};
    says(scene, none, true);
    says(scene, "- Control arm, the anchor against its own copy: at most +0.03%", true);
    scene->verdicts[2].control = (struct change){0};
    scene->verdicts[2].missing[ARM_CONTROL] = 7;
    says(scene, none, true);
    scene_begin(scene, VERDICT_HELD);
    scene_add(scene, "same", VERDICT_HELD, "identical machine code");
    scene->measured[0].identical = true;
    says(scene, "- No control arm", false);

    tap_case("whose commit the anchor is: the baseline's where that names it, and else nobody's");
    scene_begin(scene, VERDICT_REGRESSED);
    scene_measured(scene, "a", VERDICT_REGRESSED, 0.05, 0.05, "");
    says(scene, "than its anchor, commit 4444444444**", true);
    scene->stored.config = scene->verdicts[0].config;
    scene->baseline = (struct baseline){
        .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
    scene->report.baseline = &scene->baseline;
    put(scene->stored.commit, MODEL_SHA_BYTES, "5555555555555555555555555555555555555555");
    says(scene, "than its anchor, commit 4444444444**", true);
    put(scene->stored.commit, MODEL_SHA_BYTES, scene->measured[0].arms[ARM_ANCHOR].commit);
    says(scene, "than its anchor, the baseline's commit 4444444444**", true);

    tap_case("a baseline's entry that is another problem, beside an anchor");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.001, 0.001, "");
    scene_measured(scene, "b", VERDICT_HELD, 0.001, 0.001, "");
    scene->stored.config = scene->verdicts[1].config;
    scene->stored.environment = (struct environment){scene->stored_facts, 3};
    memcpy(scene->stored_facts, scene->facts, sizeof scene->facts);
    scene->stored_facts[2].value = (char[]){"gcc 11.4.0"};
    scene->baseline = (struct baseline){
        .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
    scene->report.baseline = &scene->baseline;
    says(scene, "another problem", false);
    says(scene, "**differs**: gcc", true);
    scene->stored.config.problem.seq_k = 512;
    says(scene, "- By this name the baseline has another problem: `b`. Its stored samples are "
                "not compared.", true);
    says(scene, "**differs**", false); /* it was recorded of something else */
    put(scene->baseline.device.slug, MODEL_NAME_BYTES, "nvidia-l4");
    says(scene, "another problem", false);
    tap_case("… and where all code is identical");
    scene->baseline.device = scene->comparison.device;
    for (int i = 0; i < 2; i++) {
        scene->verdicts[i].clause = CLAUSE_IDENTICAL_CODE;
        scene->verdicts[i].change = scene->verdicts[i].control = (struct change){0};
        scene->verdicts[i].marked = 0;
        scene->measured[i].identical = true;
    }
    says(scene, "**Identical machine code**: there was nothing to measure.\n\n- By this name the "
                "baseline has another problem: `b`.", true);
}

/* What follows from an anchor that cannot run is said once, and as the verdict has it. */
static void failed_anchor(struct scene *scene)
{
    static const struct {
        enum verdict verdict;
        enum clause clause;
        enum against against;
        const char *said;
    } cases[] = {
        {VERDICT_HELD, CLAUSE_WITHIN, AGAINST_STORED, ", so its stored samples decide: gone."},
        {VERDICT_UNCLEAR, CLAUSE_ANCHOR_UNBUILT, AGAINST_STORED, ", so nothing is decided: gone."},
        {VERDICT_UNMEASURED, CLAUSE_NOTHING_AGAINST, AGAINST_NONE, ": gone."},
        {VERDICT_UNMEASURED, CLAUSE_WRONG_RESULT, AGAINST_NONE, ": gone."},
        {VERDICT_UNMEASURED, CLAUSE_FEW_REPLICATES, AGAINST_STORED, ": gone."},
        {VERDICT_HELD, CLAUSE_IDENTICAL_CODE, AGAINST_BASE, ": gone."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[128];
        tap_case(clause_name(cases[i].clause));
        scene_begin(scene, cases[i].verdict);
        struct config_verdict *row = scene_add(scene, "a", cases[i].verdict, "why");
        row->clause = cases[i].clause;
        row->against = cases[i].against;
        if (cases[i].verdict != VERDICT_UNMEASURED && cases[i].clause != CLAUSE_IDENTICAL_CODE)
            row->change = around(0.001);
        scene->measured[0].identical = cases[i].clause == CLAUSE_IDENTICAL_CODE;
        scene->measured[0].anchor_failed = true;
        put(scene->measured[0].anchor_failure, MODEL_TEXT_BYTES, "gone");
        snprintf(line, sizeof line, "- The anchor of `a` cannot run%s\n", cases[i].said);
        says(scene, line, true);
        says(scene, "stored samples decide", i == 0);
    }
}

/* ---- today's anchor ---- */

static void drift(struct scene *scene)
{
    static const struct {
        double drift;
        const char *text;
    } cases[] = {
        {28.13, "on `a` it takes 29.1 times as long (+2813%) as its stored samples. "},
        {1.0, "on `a` it takes 2.0 times as long (+100.00%) as its stored samples. "},
        {0.071, "on `a` it takes 7.10% more time than its stored samples. "},
        {-0.5, "on `a` it takes 50.00% less time than its stored samples. "},
        {1e9, "on `a` it takes over 10000 times as long as its stored samples. "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tap_case(cases[i].text);
        scene_begin(scene, VERDICT_HELD);
        struct config_verdict *row = scene_measured(scene, "a", VERDICT_HELD, 0, 0, "");
        row->anchor_drift = cases[i].drift;
        row->anchor_drift_known = true;
        says(scene, "not what was recorded", false);
        row->anchor_drifted = true;
        says(scene, cases[i].text, true);
        says(scene, "\n> **Today's anchor is not what was recorded**: on `a` it takes", true);
    }
    tap_case("nothing differs; several configs");
    says(scene, "samples. No fact of the environment that was recorded differs. Verdicts below", true);
    for (int i = 0; i < 2; i++) {
        struct config_verdict *row = scene_measured(scene, "b", VERDICT_HELD, 0, 0, "");
        row->anchor_drift = 0.5;
        row->anchor_drifted = true;
        says(scene, i == 0 ? "its stored samples, and 1 more config's is far from theirs. No"
                           : "its stored samples, and 2 more configs' are far from theirs. No", true);
    }
}

/* ---- figures ---- */

static void eq_change(double change, double low, double high, const char *text)
{
    char out[FIGURE_BYTES];
    const struct change given = {true, change, {low, high}, {0, 0}};
    EQ_STR(figure_change(out, &given), text);
}

static void figures(void)
{
    static const double values[] = {0,   4e-5, -4e-5, 0.0377, 9.99994, 9.99996, 28.13, 1e4,
                                    1e5, 1e308, INFINITY, NAN, -0.9999, -1, -500, -1e308,
                                    -INFINITY, 1.0 / 3, 5e-324};
    char out[FIGURE_BYTES], other[FIGURE_BYTES];
    tap_case("changes");
    eq_change(0.0412, 0.0392, 0.0432, "+4.12% [+3.92, +4.32]");
    eq_change(0, -4e-5, 4e-5, "0.00% [0.00, 0.00]");
    eq_change(0.0483, -499.9358, 11612449.86, "+4.83% [under -100, over +1000000]");
    eq_change(28.13, 27.5, 1e4, "+2813% [+2750, +1000000]");
    eq_change(0.0483, NAN, 0.1, "+4.83% [n/a]");
    eq_change(0.0483, -INFINITY, INFINITY, "+4.83% [n/a]");
    eq_change(NAN, 0, 0, "n/a");
    eq_change(1e308, -1e308, 1e308, "over +1000000% [under -100, over +1000000]");
    eq_change(-1, -1, -0.99999, "-100.00% [-100.00, -100.00]");
    EQ_STR(figure_share(out, 0.03), "3.00%");
    EQ_STR(figure_share(out, 0), "0.00%");
    EQ_STR(figure_share(out, 28.13), "2813%");
    EQ_STR(figure_share(out, 1e7), "over 1000000%");
    EQ_STR(figure_share(out, NAN), "n/a");
    EQ_INT(figure_sign(4e-5), 0);
    EQ_INT(figure_sign(-0.01), -1);
    EQ_INT(figure_sign(NAN), 0);
    tap_case("whole, whatever the value");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            const struct change change = {true, values[i], {values[j], values[i]}, {0, 0}};
            figure_change(out, &change);
            size_t len = strlen(out);
            OK(len < 48 && (strcmp(out, "n/a") == 0 || out[len - 1] == ']'));
            OK(strstr(out, "nan") == NULL && strstr(out, "inf") == NULL &&
               strstr(out, "e+") == NULL);
        }
        OK(strlen(figure_percent(other, values[i])) < 16);
        OK(strlen(figure_time(other, values[i])) < 24);
        OK(strlen(figure_bytes(other, values[i])) < 24);
    }
    tap_case("times below any clock");
    EQ_STR(figure_time(out, 1e-6), "1e-06 ns");
    EQ_STR(figure_time(out, 0.25), "0.250 ns");
    EQ_STR(figure_time(out, 1e15), "1000000 s");
}

/* ---- memory ---- */

/* Growth is said when it is more than 1% and 1 MiB; it moves no verdict. */
static void memory(struct scene *scene)
{
    static const struct {
        unsigned long long before, now;
        const char *cell;
        bool grew;
    } cases[] = {
        {64ull << 20, 66ull << 20, "| 66.00 MiB (+2.000 MiB) |", true},
        {1ull << 30, (1ull << 30) + (5ull << 20), "| 1.005 GiB (+5.000 MiB) |", false},
        {4096, 8192, "| 8.000 KiB (+4.000 KiB) |", false},
        {66ull << 20, 64ull << 20, "| 64.00 MiB (-2.000 MiB) |", false},
        {64ull << 20, 64ull << 20, "| 64.00 MiB |", false},
        {0, 64ull << 20, "| 64.00 MiB |", false},
        {64ull << 20, 0, "B/s | – |", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tap_case(cases[i].cell);
        scene_begin(scene, VERDICT_HELD);
        scene_measured(scene, "a", VERDICT_HELD, 0.001, 0.001, "");
        scene->measured[0].peak_bytes[ARM_ANCHOR] = cases[i].before;
        scene->measured[0].peak_bytes[ARM_HEAD] = cases[i].now;
        says(scene, cases[i].cell, true);
        says(scene, "Peak memory grew", cases[i].grew);
        says(scene, "### Ratchet: held", true);
    }
    tap_case("where base is what head is judged against, memory is too");
    scene->verdicts[0].against = AGAINST_BASE;
    scene->measured[0].peak_bytes[ARM_BASE] = 10ull << 20;
    scene->measured[0].peak_bytes[ARM_HEAD] = 12ull << 20;
    says(scene, "Peak memory grew: `a` 10.00 MiB → 12.00 MiB (+20.00%).", true);
}

/* ---- calibration, the device's own or none ---- */

static void calibrate(struct scene *scene)
{
    scene->calibration = (struct calibration){.recorded = "2026-11-21T01:10:20Z",
                                              .threshold = 0.03,
                                              .confidence = 0.95,
                                              .budget = 16,
                                              .processes = 200,
                                              .checks = 10000,
                                              .wrong = 3,
                                              .wrong_upper = 0.000876490,
                                              .smallest_change = 0.01};
    scene->report.calibration = &scene->calibration;
}

static void golden_calibrated(struct scene *scene)
{
    scene_begin(scene, VERDICT_REGRESSED);
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_REGRESSED, 0.0412, 0.0390,
                   "+4.12% [+3.72, +4.52] against the anchor is wholly above +3%, and +3.90% "
                   "[+3.50, +4.30] against base");
    calibrate(scene);
    golden(scene, "regressed_calibrated");
}

static void footer_has(struct scene *scene, const char *part)
{
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, REPORT_MAX_BYTES);
    if (!OK(report_markdown(&scene->report, &out, &err) == 0))
        return;
    const char *footer = strstr(out.data, "<sub>");
    if (OK(footer != NULL))
        HAS(footer, part);
}

static void footers(struct scene *scene)
{
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.001, 0.001, "");
    tap_case("no calibration: said where it was looked for");
    footer_has(scene, "Positive is slower. Calibration: none recorded for this device yet.<");
    scene->report.rule = NULL;
    footer_has(scene, "<sub>Positive is slower.</sub>");
    scene->report.rule = &scene->rule;

    tap_case("calibration: rates, a bound that is rounded up, and nothing seen");
    calibrate(scene);
    footer_has(scene, "of 10000 checks of identical code, drawn from 200 processes, 3 (0.030%) "
                      "read regressed or improved, at most 0.088% by");
    scene->calibration.wrong = 0;
    scene->calibration.wrong_upper = 0.0003001;
    footer_has(scene, "processes, 0 (0%) read regressed or improved, at most 0.031% by");
    scene->calibration.wrong = 2500;
    scene->calibration.wrong_upper = 1;
    footer_has(scene, "2500 (25%) read regressed or improved, at most 100% by");
    scene->calibration.checks = 999999999;
    scene->calibration.wrong = 1;
    scene->calibration.wrong_upper = 0.000001;
    footer_has(scene, "1 (0.00000010%) read regressed or improved, at most 0.00010% by");
    scene->calibration.smallest_change = 0;
    footer_has(scene, "; no change that was tried is seen in 95% of checks.</sub>");

    tap_case("a calibration is quoted only where the protocol was the calibrated one");
    scene->measured[0].shortened = true;
    footer_has(scene, "slower. Calibration: not quoted; that of 2026-11-21 was without the time "
                      "budget, which cut this measurement short.</sub>");
    scene->measured[0].shortened = false;
    scene->measured[0].out_of_time = true;
    footer_has(scene, "which cut this measurement short.</sub>");
    scene->measured[0].out_of_time = false;
    scene->calibration.budget = 8;
    footer_has(scene, "slower. Calibration: not quoted; that of 2026-11-21 was of another rule: "
                      "±3.00% at 95%, up to 8 replicates.</sub>");
    scene->calibration.budget = 16;
    scene->calibration.threshold = 0.05;
    footer_has(scene, "another rule: ±5.00% at 95%, up to 16 replicates.</sub>");

    tap_case("a calibration that cannot be used");
    scene->report.calibration = NULL;
    scene->report.calibration_problem = "calibration.json is malformed: <b>processes</b> @x";
    footer_has(scene, "Not calibrated: calibration.json is malformed: &lt;b&gt;processes");
}

static void golden_unmeasured(struct scene *scene)
{
    scene_begin(scene, VERDICT_UNMEASURED);
    struct config_verdict *row =
        scene_add(scene, "b1_h4_s256_d64", VERDICT_UNMEASURED,
                  "head: wrong result at [0, 2, 17, 5]: 0.25, expected 0.125 ± 1e-05");
    row->clause = CLAUSE_WRONG_RESULT;
    row->fault = scene->comparison.fault = FAULT_PR;
    row->attempts = 1;
    golden(scene, "unmeasured_wrong_result");

    static const char log[] = "kernels/attention_cpu.c:12:5: error: expected `;`\n"
                              "```\n# not a heading\n@octocat look: <img src=x>\n````\n"
                              "make: *** [all] Error 1\n";
    scene_begin(scene, VERDICT_UNMEASURED);
    put(scene->comparison.reason, MODEL_TEXT_BYTES, "head does not build: the build exited 2");
    scene->comparison.fault = FAULT_PR;
    scene->comparison.clause = CLAUSE_BUILD_FAILED;
    scene->report.samples = NULL;
    scene->report.log = log;
    scene->report.log_len = sizeof log - 1;
    golden(scene, "unmeasured_build");
}

static void golden_promotion(struct scene *scene)
{
    static const char *const notes[] = {
        "b1_h4_s256_d64 improved: improved -8.1% in the first run, improved -8.0% in the second",
        "b1_h4_s256_d64_causal stays: held +0.1% in the first run, held +0.2% in the second",
        "Baseline promoted: commit 5555555555555555555555555555555555555555 on main.",
    };
    scene_begin(scene, VERDICT_IMPROVED);
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_IMPROVED, -0.0812, 0,
                   "-8.12% [-8.52, -7.72] against the anchor is wholly below -3%");
    scene_measured(scene, "b1_h4_s256_d64_causal", VERDICT_HELD, 0.0012, 0,
                   "+0.12% [-0.28, +0.52] against the anchor is wholly inside ±3%");
    scene->verdicts[0].own = scene->verdicts[1].own = (struct change){0};
    scene->job.kind = JOB_PROMOTE;
    scene->job.pr = 0;
    scene->job.base[0] = scene->job.merge[0] = '\0';
    scene->report.notes = notes;
    scene->report.note_count = sizeof notes / sizeof notes[0];
    golden(scene, "promotion");
}

/* ---- size ---- */

static void stays_small(struct scene *scene)
{
    struct err err = {0};
    char *log = malloc(LOG_BYTES);
    const char *notes[64];
    BUF_AUTO out;
    buf_init(&out, 1 << 20);
    tap_case("256 configs and a log of 1 MiB");
    if (!OK(log != NULL))
        return;
    for (size_t i = 0; i < LOG_BYTES; i++)
        log[i] = i % 80 == 79 ? '\n' : i % 3 == 0 ? '`' : '|';
    for (size_t i = 0; i < 64; i++)
        notes[i] = "|||||||||||||||||||||||| a long note with [much](https://e.example) to say";
    scene_begin(scene, VERDICT_REGRESSED);
    for (int i = 0; i < MANY; i++) {
        char name[MODEL_NAME_BYTES], reason[MODEL_TEXT_BYTES];
        snprintf(name, sizeof name, "a_name_about_as_long_as_names_may_be_in_a_config_%04d",
                 i);
        memset(reason, '|', sizeof reason);
        reason[sizeof reason - 1] = '\0';
        struct config_verdict *row = scene_measured(
            scene, name, (enum verdict)(i % (VERDICT_REGRESSED + 1)), 0.04, 0.04, reason);
        row->stored = around(0.04);
        row->marks = (1u << MARK_BITS) - 1;
        scene->measured[i].anchor_failed = i % 2 == 0;
        memset(scene->measured[i].anchor_failure, '*', 300);
        memset(row->code.line, '|', CODE_LINE_BYTES - 1);
        row->code.count = CODE_PAIRS_MAX;
        for (int k = 0; k < CODE_PAIRS_MAX; k++) {
            struct code_pair *pair = &row->code.pairs[k];
            memset(pair->head.name, '`', CODE_NAME_BYTES - 1);
            for (int fact = 0; fact < CODE_FACTS; fact++)
                set_fact(pair, (enum code_fact)fact, CODE_FACT_MAX, i);
        }
    }
    scene->report.log = log;
    scene->report.log_len = LOG_BYTES;
    scene->report.notes = notes;
    scene->report.note_count = 64;
    OK(report_markdown(&scene->report, &out, &err) == 0);
    OK(out.len <= REPORT_MAX_BYTES);
    OK(out.len > 20000);
    HAS(out.data, " more rows are left out here.");
    HAS(out.data, " more notes are left out here.");
    HAS(out.data, "is head with its 95% interval");
    printf("# %zu bytes\n", out.len);

    tap_case("what is too much for a comment costs the chart first");
    static char fact[] = "|||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||||";
    static struct fact many[64];
    for (size_t i = 0; i < 64; i++)
        many[i] = (struct fact){.name = fact, .value = fact};
    scene->samples.environment = (struct environment){many, 64};
    buf_clear(&out);
    OK(report_markdown(&scene->report, &out, &err) == 0);
    OK(out.len > 60000 && out.len <= REPORT_MAX_BYTES);
    OK(strstr(out.data, "is head with its 95% interval") == NULL);
    HAS(out.data, "<sub>Rule: regressed or improved");
    printf("# %zu bytes\n", out.len);
    free(log);
}

/* ---- hostile text ---- */

static const char *const hostile[] = {
    "a|b|c", "`|`", "</td></tr></table>", "<img src=x onerror=alert(1)>", "<!-- x", "-->",
    "[x](https://evil.example)", "![x](https://evil.example/x.png)", "www.evil.example",
    "https://evil.example", "a@b.example", "x\n\n# heading\n| a | b |\n", "\\|", "``` |",
    "</details>", "~~~\n<b>", "&lt;b&gt;", "\xff\xfe|", "",
};

static void renders_safely(struct scene *scene, const char *text)
{
    struct err err = {0};
    BUF_AUTO out;
    BUF_AUTO html;
    buf_init(&out, REPORT_MAX_BYTES);
    buf_init(&html, 1 << 20);
    scene_begin(scene, VERDICT_REGRESSED);
    scene_measured(scene, text, VERDICT_REGRESSED, 0.04, 0.04, text);
    scene_add(scene, text, VERDICT_UNMEASURED, text);
    put(scene->samples.configs[0].anchor_failure, MODEL_TEXT_BYTES, text);
    scene->measured[0].anchor_failed = true;
    scene->samples.environment.count = 0;
    put(scene->job.run_url, sizeof scene->job.run_url, text[0] == 'h' ? "" : text);
    put(scene->job.base_ref, sizeof scene->job.base_ref, text);
    put(scene->comparison.device.slug, MODEL_NAME_BYTES, text);
    scene->report.notes = &text;
    scene->report.note_count = 1;
    scene->report.timing = text;
    scene->report.calibration_problem = text;
    scene->report.log = text;
    scene->report.log_len = strlen(text);
    if (!OK(report_markdown(&scene->report, &out, &err) == 0) ||
        !OK(render(out.data, out.len, &html)))
        return;
    EQ_INT(render_count(html.data, "<a "), 0);
    EQ_INT(render_count(html.data, "<img"), 0);
    EQ_INT(render_count(html.data, "<b>"), 0);
    EQ_INT(render_count(html.data, "<h1"), 0);
    EQ_INT(render_count(html.data, "<h3>"), 1);
    EQ_INT(render_count(html.data, "<!--"), 1);
    /* verdicts, evidence, speed: 2 + 1 + 1 rows of 6, 10 and 6 cells */
    EQ_INT(render_count(html.data, "<table>"), 3);
    EQ_INT(render_count(html.data, "<td>"), 2 * 6 + 10 + 6);
    EQ_INT(render_count(html.data, "<details>"), render_count(html.data, "</details>"));
    EQ_INT(render_count(html.data, "<details>"), text[0] == '\0' ? 2 : 3);
}

/* Facts and values of an environment come from a build's and a host's programs. */
static void drifts_safely(struct scene *scene, const char *text)
{
    struct err err = {0};
    BUF_AUTO out;
    BUF_AUTO html;
    buf_init(&out, REPORT_MAX_BYTES);
    buf_init(&html, 1 << 20);
    scene_begin(scene, VERDICT_HELD);
    struct config_verdict *row = scene_measured(scene, "a", VERDICT_HELD, 0, 0, "");
    row->anchor_drift = 1;
    row->anchor_drifted = true;
    char names[2][8] = {"one", "two"}, now[400], then[] = "";
    snprintf(now, sizeof now, "%s%300s", text, "long");
    struct fact facts[2] = {{names[0], now}, {(char[]){"<b>|`x`"}, now}};
    struct fact stored[2] = {{names[0], then}, {facts[1].name, (char[]){"then"}}};
    scene->samples.environment = (struct environment){facts, 2};
    scene->stored.config = row->config;
    scene->stored.environment = (struct environment){stored, 2};
    scene->baseline = (struct baseline){
        .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
    scene->report.baseline = &scene->baseline;
    if (!OK(report_markdown(&scene->report, &out, &err) == 0) ||
        !OK(render(out.data, out.len, &html)))
        return;
    EQ_INT(render_count(html.data, "<blockquote>"), 1);
    EQ_INT(render_count(html.data, "<a "), 1); /* the run */
    EQ_INT(render_count(html.data, "<img"), 0);
    EQ_INT(render_count(html.data, "<b>"), 0);
    EQ_INT(render_count(html.data, "<h3>"), 1);
    const char *banner = strstr(out.data, "> **Today's");
    if (OK(banner != NULL))
        OK(strcspn(banner, "\n") < 1500);
}

/* Whatever fact one side has and the other not: also the one that an older version never wrote down. */
static void facts_of_one_side(struct scene *scene)
{
    static const struct {
        const char *now, *then;
    } pairs[] = {{"protocol", "compiler"}, {"compiler", "protocol"}, {"protocol", "protocol"},
                 {"cpu", "compiler"}};
    tap_case("facts that one side does not have");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        scene_begin(scene, VERDICT_HELD);
        struct config_verdict *row = scene_measured(scene, "a", VERDICT_HELD, 0.001, 0, "");
        char names[2][16], values[2][16] = {"2", "some"};
        snprintf(names[0], sizeof names[0], "%s", pairs[i].now);
        snprintf(names[1], sizeof names[1], "%s", pairs[i].then);
        struct fact now = {names[0], values[0]}, then = {names[1], values[1]};
        scene->samples.environment = (struct environment){&now, 1};
        scene->stored.config = row->config;
        scene->stored.environment = (struct environment){&then, 1};
        scene->baseline = (struct baseline){
            .device = scene->comparison.device, .configs = &scene->stored, .count = 1};
        scene->report.baseline = &scene->baseline;
        says(scene, "| protocol | 2 | **differs**: 1 |", i == 0);
        says(scene, "| protocol | 2 | **differs**: some |", i == 2);
        says(scene, "| cpu | 2 | – |", i == 3);
    }
}

static void lines_say_drift(struct scene *scene)
{
    char line[256], name[MODEL_NAME_BYTES];
    tap_case("one line, with an anchor that is not what was recorded");
    scene_begin(scene, VERDICT_HELD);
    struct config_verdict *row = scene_measured(scene, "a", VERDICT_HELD, 0.001, 0, "");
    row->anchor_drift = 28.13;
    row->anchor_drifted = true;
    scene_measured(scene, "b", VERDICT_HELD, 0, 0, "")->anchor_drifted = true;
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "held: a +0.10% (2 of 2 held); anchor reads +2813% against its stored samples");
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    put(row->config.name, MODEL_NAME_BYTES, name);
    row->verdict = scene->comparison.verdict = VERDICT_UNMEASURED;
    memset(row->reason, 'r', 400);
    report_line(&scene->comparison, line, sizeof line);
    EQ_INT(strlen(line), 140);
    OK(strncmp(line, "unmeasured: nnn", 15) == 0);
    HAS(line, "rrr…; anchor reads +2813% against its stored samples");
    report_line(&scene->comparison, line, 24);
    EQ_STR(line, "unmeasured: nnnnnnnn…");
}

static void part_says_so(struct scene *scene)
{
    char line[256], marker[128];
    tap_case("a part of a check says so, in a section of its own, and is never green");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.001, 0, "");
    EQ_INT(comparison_exit(&scene->comparison), EXIT_HELD);
    put(scene->comparison.partial, MODEL_TEXT_BYTES, "configs a*, at most 60 s");
    EQ_INT(comparison_exit(&scene->comparison), EXIT_UNCLEAR);
    scene->comparison.verdict = VERDICT_UNCLEAR;
    scene->comparison.unclear_passes = true;
    EQ_INT(comparison_exit(&scene->comparison), EXIT_UNCLEAR);
    scene->comparison.verdict = VERDICT_REGRESSED;
    EQ_INT(comparison_exit(&scene->comparison), EXIT_REGRESSED);
    scene->comparison.verdict = VERDICT_HELD;
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "partial, held: a +0.10%");
    report_marker("cpu", true, marker);
    EQ_STR(marker, "<!-- ratchet:v1 device=part.cpu -->");
    struct err err;
    BUF_AUTO out;
    buf_init(&out, REPORT_MAX_BYTES);
    OK(report_markdown(&scene->report, &out, &err) == 0);
    OK(strncmp(out.data, marker, strlen(marker)) == 0);
    HAS(out.data, "Only a part was checked");
    HAS(out.data, "that one stays as it is");
}

/* One change and one interval above the fold: that which decides would be taken for a contradiction. */
static void one_interval(struct scene *scene)
{
    struct err err;
    tap_case("the interval that decides stands under How sure alone");
    static const enum verdict verdicts[] = {VERDICT_HELD, VERDICT_IMPROVED, VERDICT_UNCLEAR,
                                            VERDICT_REGRESSED};
    static const char *const folded[] = {"+3.70, +4.50", "- Control arm, ", "- Left out: "};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        BUF_AUTO out;
        buf_init(&out, REPORT_MAX_BYTES);
        scene_begin(scene, verdicts[i]);
        scene_measured(scene, "a", verdicts[i], 0.041, 0.041, "+4.10% [+3.70, +4.50] is it");
        OK(report_markdown(&scene->report, &out, &err) == 0);
        const char *fold = strstr(out.data, "<details><summary>How sure");
        if (!OK(fold != NULL))
            continue;
        HAS(out.data, "| +4.10% [+3.90, +4.30] |");
        for (size_t k = 0; k < sizeof folded / sizeof folded[0]; k++) {
            const char *at = strstr(out.data, folded[k]);
            OK(at != NULL && at > fold);
        }
    }
    tap_case("the same number is not said twice, another one is");
    says(scene, "; against base", false);
    scene_begin(scene, VERDICT_REGRESSED);
    scene_measured(scene, "a", VERDICT_REGRESSED, 0.041, 0.02, "");
    says(scene, "; against base, this pull request adds +2.00% [+1.80, +2.20].", true);
    says(scene, "| added by this pull request |", true);
    scene->verdicts[0].own = (struct change){0};
    says(scene, "added by this pull request", false);

    tap_case("too close: by the interval that is shown, or by the wider one");
    scene_begin(scene, VERDICT_UNCLEAR);
    scene_measured(scene, "a", VERDICT_UNCLEAR, 0.029, 0.029, "");
    says(scene, ": too close to the line of ±3.00% to tell.", true);
    scene->verdicts[0].change = around(0.0275);
    says(scene, "to tell, as the interval that decides is wider (see How sure).", true);
}

static void lines_are_short(struct scene *scene)
{
    char line[256], few[16];
    tap_case("one line");
    scene_begin(scene, VERDICT_REGRESSED);
    scene_measured(scene, "a", VERDICT_HELD, 0, 0, "");
    scene_measured(scene, "b1_h4_s256_d64", VERDICT_REGRESSED, 0.0412, 0.04, "");
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "regressed: b1_h4_s256_d64 +4.12% (1 of 2 held)");
    scene_begin(scene, VERDICT_HELD);
    scene_measured(scene, "a", VERDICT_HELD, 0.052, 0, "x");
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "held: a +5.20%, already lost on base");
    scene->comparison.configs[0].clause = CLAUSE_RECORDED;
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "held: a +5.20%, recorded in the baseline");
    scene->comparison.configs[0].clause = CLAUSE_GAPS;
    report_line(&scene->comparison, line, sizeof line);
    EQ_STR(line, "held: a +5.20%, but samples are missing");
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        scene_begin(scene, VERDICT_UNMEASURED);
        struct config_verdict *row =
            scene_add(scene, hostile[i], VERDICT_UNMEASURED, hostile[i]);
        memset(row->reason + strlen(row->reason), 'x', 300);
        report_line(&scene->comparison, line, sizeof line);
        OK(strlen(line) <= 140 && strpbrk(line, "\r\n\t\x1b") == NULL);
        HAS(line, "…");
        report_line(&scene->comparison, few, sizeof few);
        OK(strlen(few) < sizeof few);
    }
}

int main(void)
{
    struct scene *scene = malloc(sizeof *scene);
    if (scene == NULL)
        return 1;
    golden_held(scene);
    golden_sixty(scene);
    golden_first_baseline(scene);
    one_interval(scene);
    golden_why(scene);
    golden_mixed(scene);
    golden_drifted(scene);
    golden_gaps(scene);
    golden_moved(scene);
    advice(scene);
    whole(scene);
    held(scene);
    gaps(scene);
    not_checked(scene);
    failed_anchor(scene);
    drift(scene);
    figures();
    golden_gpu(scene);
    golden_calibrated(scene);
    footers(scene);
    memory(scene);
    golden_unmeasured(scene);
    golden_promotion(scene);
    stays_small(scene);
    part_says_so(scene);
    lines_are_short(scene);
    facts_of_one_side(scene);
    lines_say_drift(scene);
    tap_case("hostile text, rendered");
    if (!render_available())
        tap_skip("cmark-gfm is not installed: hostile text was not rendered");
    for (size_t i = 0; render_available() && i < sizeof hostile / sizeof hostile[0]; i++)
        renders_safely(scene, hostile[i]), drifts_safely(scene, hostile[i]);
    free(scene);
    return tap_done();
}
