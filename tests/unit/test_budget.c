/* SPDX-License-Identifier: Apache-2.0 */
/* A time budget: what still fits, and how its time is shared out. */
#include "base/proc.h"
#include "measure/bench.h"
#include "pipeline/budget.h"
#include "judge.h"
#include "tap.h"

#include <math.h>

enum { CONFIGS = 3 };

/* Three configs whose replicates have taken 1, 2 and 10 s; a round takes 3 s besides. */
struct scene {
    struct samples samples;
    struct pace pace;
    struct budget budget;
    bool want[MODEL_CONFIGS_MAX];
};

static void begin(struct scene *scene, double total_s, double gone_s, size_t rounds)
{
    static const double seconds[CONFIGS] = {1, 2, 10};
    samples_free(&scene->samples);
    *scene = (struct scene){
        .budget = {.begin_ns = proc_now_ns() - (uint64_t)(gone_s * 1e9), .total_s = total_s}};
    for (size_t i = 0; i < CONFIGS; i++) {
        struct config_samples *config = add_config(&scene->samples, "c");
        scene->want[i] = true;
        for (size_t r = 0; r < rounds; r++) {
            if (config_samples_add(config) == NULL)
                abort();
            pace_add(&scene->pace, i, seconds[i]);
        }
    }
    for (size_t r = 0; r < rounds; r++)
        pace_end_round(&scene->pace, 16);
}

static bool fit(struct scene *scene)
{
    return budget_fit(&scene->budget, &scene->pace, &scene->samples, scene->want);
}

/* Those that are still wanted, and those that are out of time, a digit each. */
static int wanted(const struct scene *scene)
{
    int digits = 0;
    for (size_t i = 0; i < CONFIGS; i++)
        digits = 10 * digits + (scene->want[i] ? 1 : scene->samples.configs[i].out_of_time ? 2 : 0);
    return digits;
}

static void test_fit(struct scene *scene)
{
    tap_case("no budget: all fits, always");
    begin(scene, 0, 1e6, 2);
    OK(fit(scene));
    EQ_INT(wanted(scene), 111);
    OK(isinf(budget_left_s(&scene->budget)));
    tap_case("nothing is known before the first round: it begins");
    begin(scene, 5, 0, 0);
    OK(fit(scene));
    EQ_INT(wanted(scene), 111);
    tap_case("a round that fits");
    begin(scene, 100, 80, 2); /* 20 s are left, a round takes 16 */
    OK(fit(scene));
    EQ_INT(wanted(scene), 111);
    NEAR(budget_left_s(&scene->budget), 20, 1);
    tap_case("what takes longest goes first, and is out of time");
    begin(scene, 100, 90, 2); /* 10 s: 3 + 1 + 2 fit */
    OK(fit(scene));
    EQ_INT(wanted(scene), 112);
    begin(scene, 100, 95, 2); /* 5 s: 3 + 1 fit */
    OK(fit(scene));
    EQ_INT(wanted(scene), 122);
    begin(scene, 100, 98, 2);
    OK(!fit(scene));
    EQ_INT(wanted(scene), 222);
    begin(scene, 100, 200, 2);
    OK(!fit(scene));
    EQ_INT(wanted(scene), 222);
    OK(budget_left_s(&scene->budget) <= 0);
    tap_case("what was settled before is not out of time");
    begin(scene, 100, 200, 2);
    scene->want[1] = false;
    OK(!fit(scene));
    EQ_INT(wanted(scene), 202);
}

static double share(struct scene *scene, struct bench_request *request)
{
    budget_share(&scene->budget, &scene->pace, &scene->samples, scene->want, 6, request);
    return request->replicate_ns / 1e9;
}

static void test_share(struct scene *scene)
{
    struct bench_request request = {0};
    tap_case("no budget: as long as it takes");
    begin(scene, 0, 0, 2);
    NEAR(share(scene, &request), 0, 0);
    EQ_INT(request.deadline_ns, 0);
    tap_case("at first all have the same share of what the first look may take");
    begin(scene, 180, 0, 0);
    NEAR(share(scene, &request), 10, 0.5);
    OK(request.deadline_ns == scene->budget.begin_ns + 180000000000u);
    tap_case("then those that take less leave it to the others");
    begin(scene, 180, 32, 2); /* 148 s for 4 rounds of 37 s: 3 besides, 1 and 2 are known */
    NEAR(share(scene, &request), 37 - 3 - 1 - 2, 0.5);
    tap_case("… but who was cut before may want more than it took");
    scene->samples.configs[0].shortened = scene->samples.configs[1].shortened = true;
    NEAR(share(scene, &request), (37 - 3 - 10) / 2.0, 0.5);
    scene->samples.configs[1].shortened = false;
    NEAR(share(scene, &request), 37 - 3 - 2 - 10, 0.5);
    tap_case("past the first look the share stays");
    begin(scene, 180, 100, 6);
    const double before = request.replicate_ns;
    share(scene, &request);
    OK(request.replicate_ns >= before && request.replicate_ns <= before);
    tap_case("where nothing is left it is hardly anything, and not 0, which would be no limit");
    begin(scene, 10, 50, 2);
    NEAR(share(scene, &request), 0.001, 1e-9);
}

int main(void)
{
    struct scene scene = {.pace = {.rounds = 0}};
    test_fit(&scene);
    test_share(&scene);
    samples_free(&scene.samples);
    return tap_done();
}
