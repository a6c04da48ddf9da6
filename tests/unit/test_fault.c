/* SPDX-License-Identifier: Apache-2.0 */
/* Whose fault it is that a harness process ended. What a process does is played here, in place of
 * measure/process.c: nothing is started. */
#include "measure/bench.h"
#include "measure/process.h"
#include "measure/trouble.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>

/* ---- a session that is lost ---- */

static enum loss lost;

enum loss session_loss(const struct session *session)
{
    (void)session;
    return lost;
}

const char *session_text(const struct session *session)
{
    (void)session;
    return "is over";
}

static void test_losses(void)
{
    static const struct {
        enum loss loss;
        enum arm at, told; /* who was at work, and of whom it tells */
        enum trouble_kind kind;
    } table[] = {
        {LOSS_CRASH, ARM_HEAD, ARM_HEAD, TROUBLE_CRASH},
        {LOSS_CRASH, ARM_COUNT, ARM_COUNT, TROUBLE_HOST},
        {LOSS_HANG, ARM_BASE, ARM_BASE, TROUBLE_HANG},
        {LOSS_HANG, ARM_COUNT, ARM_COUNT, TROUBLE_HOST},
        {LOSS_GARBLED, ARM_BASE, ARM_BASE, TROUBLE_GARBLED},
        {LOSS_GARBLED, ARM_COUNT, ARM_HEAD, TROUBLE_GARBLED},
        {LOSS_KILLED, ARM_HEAD, ARM_HEAD, TROUBLE_KILLED},
        {LOSS_KILLED, ARM_COUNT, ARM_COUNT, TROUBLE_KILLED},
        {LOSS_OURS, ARM_HEAD, ARM_COUNT, TROUBLE_OURS},
        {LOSS_OURS, ARM_COUNT, ARM_COUNT, TROUBLE_OURS},
    };
    const bool arms[ARM_COUNT] = {[ARM_HEAD] = true, [ARM_BASE] = true};
    const struct line line = {0};
    tap_case("what a lost session tells, and of whom");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct trouble all[TROUBLE_COUNT] = {0};
        lost = table[i].loss;
        trouble_note(all, arms, NULL, REPLY_LOST, table[i].at, LINE_RAN, &line, "");
        for (int arm = 0; arm < TROUBLE_COUNT; arm++)
            EQ_INT(all[arm].kind, arm == (int)table[i].told ? table[i].kind : TROUBLE_NONE);
    }
}

/* ---- processes, played ---- */

enum { FINE = -1, EVERY_ARM = -2, PLAYED_MAX = 16 };

/* What happens to one process after the other. A process without the arm in question ends well. */
static struct {
    int killed[PLAYED_MAX]; /* the arm at work; ARM_COUNT: none; FINE; EVERY_ARM: whoever is there */
    enum trouble_kind kind;
    size_t at, count;
} play;

static struct err err;

int process_run(const struct bench_request *request, const struct machine *machine,
                struct process_config *configs, size_t count,
                const struct experiment *experiment, struct err *why)
{
    (void)request, (void)machine, (void)experiment, (void)why;
    int killed = play.at < play.count ? play.killed[play.at] : FINE;
    play.at++;
    for (size_t i = 0; i < count; i++) {
        int arm = killed;
        for (int a = 0; killed == EVERY_ARM && a < ARM_COUNT; a++)
            if (configs[i].arms[a])
                arm = a;
        configs[i].started = true;
        if (arm == ARM_COUNT || (arm >= 0 && configs[i].arms[arm]))
            trouble_set(&configs[i].trouble[arm], play.kind, arm == ARM_HEAD, "", "signal 9");
        else
            configs[i].done = true;
    }
    return 0;
}

/* Replicates of one config with head, base and anchor until it fails, at most `rounds`. */
static struct config_samples *measure(struct samples *samples, unsigned rounds)
{
    static const bool want[] = {true};
    const struct limits limits = limits_default();
    const struct bench_config bench = {.config = {.name = "one"},
                                       .library = {[ARM_HEAD] = "/head.so",
                                                   [ARM_BASE] = "/base.so",
                                                   [ARM_ANCHOR] = "/anchor.so"}};
    const struct bench_request request = {.device = "cpu", .threads = 1, .samples = 1,
                                          .target_ns = 1000, .configs = &bench,
                                          .config_count = 1, .limits = &limits};
    samples_free(samples);
    struct config_samples *config = samples_add(samples);
    config->config = bench.config;
    play.at = 0;
    for (unsigned i = 0; i < rounds && config->fault == FAULT_NONE; i++)
        EQ_INT(bench_replicate(&request, want, samples, &err), 0);
    return config;
}

#define PLAY(...)                                                                                \
    do {                                                                                         \
        static const int script[] = {__VA_ARGS__};                                               \
        memcpy(play.killed, script, sizeof script);                                              \
        play.count = sizeof script / sizeof script[0];                                           \
    } while (0)

static void test_kills(void)
{
    struct samples samples = {0};
    play.kind = TROUBLE_KILLED;
    tap_case("killed from outside: tried again, and nobody's fault");
    PLAY(ARM_HEAD, FINE, ARM_BASE);
    struct config_samples *config = measure(&samples, 3);
    EQ_INT(config->fault, FAULT_NONE);
    EQ_INT(config->count, 3);
    EQ_INT(config->attempts, 5); /* the judge may know how many were thrown away */
    OK(!config->anchor_failed);

    tap_case("killed from outside again and again, and main alone as well: the host's");
    PLAY(ARM_HEAD, ARM_HEAD, FINE, ARM_BASE, FINE, EVERY_ARM, EVERY_ARM, EVERY_ARM);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_HOST);
    EQ_INT(config->clause, CLAUSE_HOST_FAILED);
    HAS(config->failure, "killed from outside 3 times, the last with base at work");
    EQ_INT(config->count, 1);

    tap_case("again and again beside head, whoever is at work, and never main alone: the PR's");
    PLAY(ARM_HEAD, ARM_HEAD, FINE, ARM_BASE);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_PR);
    EQ_INT(config->clause, CLAUSE_DISTURBS);
    HAS(config->failure, "base runs alone, and beside head: killed from outside 3 times");

    tap_case("while no arm is at work, and main alone as well: the host's");
    PLAY(ARM_COUNT, ARM_COUNT, ARM_COUNT, ARM_COUNT, ARM_COUNT, ARM_COUNT);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_HOST);
    EQ_INT(config->count, 0);

    tap_case("whenever head is at work, and only then: the PR's");
    PLAY(ARM_HEAD, ARM_HEAD, ARM_HEAD);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_PR);
    EQ_INT(config->clause, CLAUSE_CRASHED);
    EQ_STR(config->failure, "signal 9");
    EQ_INT((int)play.at, 4); /* base was looked at alone, and is fine */

    tap_case("now and then while head is at work: no way to choose its replicates");
    PLAY(ARM_HEAD, FINE, ARM_HEAD, FINE, FINE, ARM_HEAD);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_PR);
    EQ_INT(config->count, 3);

    tap_case("whenever the anchor is at work beside head, which runs alone: the PR's");
    PLAY(ARM_ANCHOR, ARM_ANCHOR, ARM_ANCHOR);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_PR);
    EQ_INT(config->clause, CLAUSE_DISTURBS);

    tap_case("whoever is at work: never the PR's");
    PLAY(EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM,
         EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM, EVERY_ARM);
    config = measure(&samples, 9);
    OK(config->fault == FAULT_NONE || config->fault == FAULT_HOST ||
       config->fault == FAULT_BASE);
    samples_free(&samples);
}

static void test_ours(void)
{
    struct samples samples = {0};
    tap_case("a command of ours that is too long is ours");
    play.kind = TROUBLE_OURS;
    PLAY(ARM_COUNT);
    const struct config_samples *config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_US);
    EQ_INT(config->clause, CLAUSE_INTERNAL);

    play.kind = TROUBLE_HOST;
    tap_case("what only a host can have, once: tried again");
    PLAY(ARM_COUNT, FINE);
    config = measure(&samples, 2);
    EQ_INT(config->fault, FAULT_NONE);
    EQ_INT(config->count, 2);
    EQ_INT(config->attempts, 3);

    tap_case("each time beside head, and main alone is well: the PR's");
    PLAY(ARM_COUNT, ARM_COUNT, ARM_COUNT, FINE, FINE);
    config = measure(&samples, 2);
    EQ_INT(config->fault, FAULT_PR);
    EQ_INT(config->clause, CLAUSE_DISTURBS);
    HAS(config->failure, "base runs alone, and beside head: signal 9");
    EQ_INT((int)play.at, 5);

    tap_case("and with main alone as well: the host's");
    PLAY(ARM_COUNT, ARM_COUNT, ARM_COUNT, FINE, ARM_COUNT);
    config = measure(&samples, 2);
    EQ_INT(config->fault, FAULT_HOST);
    EQ_INT(config->clause, CLAUSE_HOST_FAILED);

    tap_case("a crash is no kill: it is settled at once");
    play.kind = TROUBLE_CRASH;
    PLAY(ARM_HEAD);
    config = measure(&samples, 9);
    EQ_INT(config->fault, FAULT_PR);
    EQ_INT(config->attempts, 1);
    samples_free(&samples);
}

int main(void)
{
    test_losses();
    test_kills();
    test_ours();
    return tap_done();
}
