/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whose fault it is where a process gave no replicate. An arm of main is only believed to be
 * broken when it fails alone as well, since the pull request's library runs beside it and could be
 * the cause. */
#include "measure/bench_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KILLS_BORNE = 2,    /* of a config, in one measurement */
    FAILURES_BORNE = 2, /* that only the host can have, with head there */
    PROBES_ALONE = 2    /* processes of main alone that have to go well, to say it was head */
};

void bench_fail(struct config_samples *config, enum fault fault, enum clause clause,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(config->failure, sizeof config->failure, format, args);
    va_end(args);
    config->fault = fault;
    config->clause = clause;
}

enum fault bench_fault_of_head(const struct bench_request *request)
{
    return request->head_is_main ? FAULT_BASE : FAULT_PR;
}

void bench_fail_anchor(struct config_samples *config, const char *text)
{
    config->anchor_failed = true;
    snprintf(config->anchor_failure, sizeof config->anchor_failure, "%.500s", text);
}

static enum clause clause_of(enum trouble_kind kind)
{
    static const enum clause clauses[] = {
        [TROUBLE_NONE] = CLAUSE_INTERNAL,      [TROUBLE_REFUSED] = CLAUSE_REFUSED,
        [TROUBLE_WRONG] = CLAUSE_WRONG_RESULT, [TROUBLE_CRASH] = CLAUSE_CRASHED,
        [TROUBLE_KILLED] = CLAUSE_CRASHED,     [TROUBLE_HANG] = CLAUSE_TIMED_OUT,
        [TROUBLE_GARBLED] = CLAUSE_GARBLED,    [TROUBLE_IMPLAUSIBLE] = CLAUSE_IMPLAUSIBLE,
        [TROUBLE_HOST] = CLAUSE_HOST_FAILED,   [TROUBLE_OURS] = CLAUSE_INTERNAL,
    };
    return clauses[kind];
}

/* Has this config such an arm, whether or not it can run? */
static bool has_arm(const struct round *round, size_t i, enum arm arm)
{
    return round->request->configs[i].library[arm == ARM_CONTROL ? ARM_ANCHOR : arm] != NULL;
}

/* Does this arm take part in the config's next process? */
bool bench_takes_part(const struct round *round, size_t i, enum arm arm)
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
    bench_fail(&round->samples->configs[i],
               trouble->kind == TROUBLE_WRONG ? FAULT_BASE : FAULT_HOST, CLAUSE_EVERY_ARM,
               "every arm alike: %.480s", trouble->text);
}

/* Trouble that no library can have made. True: the config has its fault. */
static bool fail_not_theirs(struct config_samples *config, const struct trouble *trouble,
                            const char *of)
{
    if (trouble->kind != TROUBLE_HOST && trouble->kind != TROUBLE_OURS)
        return false;
    bench_fail(config, trouble->kind == TROUBLE_OURS ? FAULT_US : FAULT_HOST,
               clause_of(trouble->kind), "%s%.480s", of, trouble->text);
    return true;
}

/* One arm of one config in a process of its own, as long as it would be measured. Where the process
 * is killed each time, the arm has that trouble. */
static int probe(struct round *round, size_t i, enum arm arm, struct trouble *out,
                 struct err *err)
{
    struct process_config config;
    enum arm killed;
    bench_say(round->request, (struct bench_event){.config = i}, "%s: looking at %s alone",
              round->request->configs[i].config.name, arm_name(arm));
    for (int tries = 0; tries <= KILLS_BORNE; tries++) {
        config = (struct process_config){.bench = &round->request->configs[i]};
        config.arms[arm] = true;
        if (process_run(round->request, round->machine, &config, 1, NULL, err) != 0)
            return -1;
        if (!trouble_killed(config.trouble, &killed))
            break;
    }
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
        char of[32];
        snprintf(of, sizeof of, "%s: ", arm_name(arm));
        round->pending[i].seen[arm] = alone;
        return fail_not_theirs(&round->samples->configs[i], &alone, of) ? 0 : 1;
    }
    bench_fail(&round->samples->configs[i], bench_fault_of_head(round->request),
               CLAUSE_DISTURBS, "%s runs alone, and beside head: %.440s", arm_name(arm),
               trouble->text);
    return 0;
}

/* A crash or a hang of head goes for every config that runs the same library: each further
 * try would cost a timeout. */
static void fail_head(struct round *round, size_t i, const struct trouble *trouble)
{
    const struct bench_request *request = round->request;
    const char *path = request->configs[i].library[ARM_HEAD];
    enum fault fault = bench_fault_of_head(request);
    bench_fail(&round->samples->configs[i], fault, clause_of(trouble->kind), "%s",
               trouble->text);
    for (size_t j = 0; trouble->whole && j < request->config_count; j++) {
        struct config_samples *other = &round->samples->configs[j];
        if (j == i || !round->pending[j].wanted || other->fault != FAULT_NONE ||
            strcmp(request->configs[j].library[ARM_HEAD], path) != 0)
            continue;
        bench_fail(other, fault, clause_of(trouble->kind), "%.400s, in config %s",
                   trouble->text, request->configs[i].config.name);
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
        bench_fail(&round->samples->configs[i], FAULT_BASE, clause_of(seen[ARM_BASE].kind),
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
        bench_takes_part(round, i, of_base) && seen[of_base].kind == TROUBLE_NONE &&
        probe(round, i, of_base, &seen[of_base], err) != 0)
        return -1;
    char of[32];
    snprintf(of, sizeof of, "%s: ", arm_name(of_base));
    if (fail_not_theirs(config, &seen[of_base], of))
        return 0;
    if (everyone(round, i, head, seen))
        fail_everyone(round, i, head);
    else if (seen[of_base].kind != TROUBLE_NONE && !round->request->head_is_main)
        bench_fail(config, FAULT_BASE, clause_of(seen[of_base].kind), "base as well: %.480s",
                   seen[of_base].text);
    else
        fail_head(round, i, head);
    return 0;
}

/* Another arm has trouble: the config goes on without it, now and later, and what it was
 * before is dropped as well. It blocks no verdict, so it is not run alone to make sure. */
static void leave_out(struct round *round, size_t i, enum arm arm, const char *why)
{
    struct config_samples *config = &round->samples->configs[i];
    snprintf(config->left_out[arm - ARM_OTHER], sizeof config->left_out[0], "%.500s", why);
    for (size_t r = 0; r < config->count; r++) {
        free(config->replicates[r].arms[arm].ns);
        config->replicates[r].arms[arm] = (struct series){0};
        config->replicates[r].provoked[arm] = 0;
        config->replicates[r].clock[arm] = (struct clock_slope){0};
    }
    config->peak_bytes[arm] = 0;
    bench_say(round->request, (struct bench_event){.config = i},
              "%s: going on without %s: %.440s", config->config.name,
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

/* Is main fine by itself, in several processes? -1: an error. */
static int main_is_well(struct round *round, size_t i, enum arm *of_main, struct err *err)
{
    struct trouble alone = {.kind = TROUBLE_NONE};
    *of_main = bench_takes_part(round, i, ARM_BASE) ? ARM_BASE : ARM_ANCHOR;
    if (!bench_takes_part(round, i, *of_main))
        return 0;
    for (int k = 0; k < PROBES_ALONE && alone.kind == TROUBLE_NONE; k++)
        if (probe(round, i, *of_main, &alone, err) != 0)
            return -1;
    return alone.kind == TROUBLE_NONE;
}

/* What comes again and again beside head, and never with main alone, is head's; else the host's. */
static int fail_beside(struct round *round, size_t i, bool head, const char *text,
                       struct err *err)
{
    enum arm of_main;
    struct config_samples *config = &round->samples->configs[i];
    int well = head ? main_is_well(round, i, &of_main, err) : 0;
    if (well > 0)
        bench_fail(config, bench_fault_of_head(round->request), CLAUSE_DISTURBS,
                   "%s runs alone, and beside head: %.440s", arm_name(of_main), text);
    else if (well == 0)
        bench_fail(config, FAULT_HOST, CLAUSE_HOST_FAILED, "%.480s", text);
    return well < 0 ? -1 : 0;
}

/* The process of a config was killed. Whoever did it, the OOM killer or somebody at the host, a
 * process is tried again; what it measured is dropped, so that a library can win little by killing
 * its own where it was slow: judge/doubt.c counts the attempts. Beyond KILLS_BORNE it is the arm
 * that was at work every time, if there is one; else head's, where main alone is never killed; else the
 * host's. 1: there is no more to settle; -1: an error. */
static int settle_kill(struct round *round, size_t i, const struct process_config *ran,
                       struct err *err)
{
    const struct trouble *all = ran->trouble;
    struct config_samples *config = &round->samples->configs[i];
    enum arm arm;
    unsigned kills = 0;
    if (!trouble_killed(all, &arm))
        return 0;
    config->killed[arm]++;
    for (int a = 0; a <= ARM_COUNT; a++)
        kills += config->killed[a];
    const char *at = arm == ARM_COUNT ? "no arm" : arm_name(arm);
    if (kills <= KILLS_BORNE) {
        config->attempts++;
        bench_say(round->request, (struct bench_event){.config = i},
                  "%s: tried again: with %s at work the process %.400s", config->config.name,
                  at, all[arm].text);
        return 1;
    }
    if (arm < ARM_COUNT && config->killed[arm] == kills)
        return 0;
    char text[MODEL_TEXT_BYTES];
    snprintf(text, sizeof text,
             "killed from outside %u times, the last with %s at work: %.400s", kills, at,
             all[arm].text);
    return fail_beside(round, i, ran->arms[ARM_HEAD], text, err) != 0 ? -1 : 1;
}

/* What no arm can have is the host's, or it is said by a library in the host's name: it is tried again
 * before. */
static int settle_failure(struct round *round, size_t i, const struct trouble *trouble,
                          struct err *err)
{
    struct config_samples *config = &round->samples->configs[i];
    if (config->killed[ARM_COUNT]++ >= FAILURES_BORNE) /* of the whole measurement */
        return fail_beside(round, i, true, trouble->text, err);
    config->attempts++;
    bench_say(round->request, (struct bench_event){.config = i}, "%s: tried again: %.440s",
              config->config.name, trouble->text);
    return 0;
}

/* A config that has trouble: go on without another arm, which may have been the cause of the
 * rest, give it a fault, or leave it without its anchor. */
int bench_settle(struct round *round, size_t i, struct process_config *ran, struct err *err)
{
    struct trouble *trouble = ran->trouble;
    struct config_samples *config = &round->samples->configs[i];
    if (trouble[ARM_ANCHOR].kind == TROUBLE_NONE)
        trouble[ARM_ANCHOR] = trouble[ARM_CONTROL];
    int settled = settle_kill(round, i, ran, err);
    if (settled != 0)
        return settled < 0 ? -1 : 0;
    if (trouble[ARM_COUNT].kind == TROUBLE_HOST && ran->arms[ARM_HEAD] &&
        (bench_takes_part(round, i, ARM_BASE) || bench_takes_part(round, i, ARM_ANCHOR)))
        return settle_failure(round, i, &trouble[ARM_COUNT], err);
    if (fail_not_theirs(config, &trouble[ARM_COUNT], ""))
        return 0;
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
    bench_fail_anchor(config, seen[ARM_ANCHOR].text);
    bench_say(round->request, (struct bench_event){.config = i},
              "%s: going on without its anchor: %.440s", config->config.name,
              config->anchor_failure);
    return 0;
}
