/* SPDX-License-Identifier: Apache-2.0 */
/* The time that is left: from what was measured, and not told before that; and its words. */
#include "pipeline/pace.h"
#include "pipeline/progress.h"
#include "tests/tap.h"

#include <stdlib.h>

/* A config with so many replicates, of which the last ones are marked. */
static void add(struct samples *samples, const char *name, size_t count, size_t marked)
{
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        abort();
    snprintf(config->config.name, sizeof config->config.name, "%s", name);
    for (size_t i = 0; i < count; i++) {
        struct replicate *replicate = config_samples_add(config);
        if (replicate == NULL)
            abort();
        replicate->marks = i >= count - marked ? 1 : 0;
    }
}

static void test_pace(void)
{
    struct samples samples __attribute__((cleanup(samples_free))) = {0};
    struct pace pace = {.rounds = 0};
    bool open[] = {true, true, true};
    add(&samples, "short", 2, 0);
    add(&samples, "long", 4, 2);
    add(&samples, "none", 0, 0);
    tap_case("nothing is told before anything was measured");
    OK(pace_left(&pace, &samples, open, 6) < 0);
    for (int i = 0; i < 4; i++) {
        if (i < 2)
            pace_add(&pace, 0, 1);
        pace_add(&pace, 1, 10);
        pace_end_round(&pace, i < 2 ? 13 : 12);
    }
    OK(pace_left(&pace, &samples, open, 6) < 0); /* one has no replicate yet */
    tap_case("each config at its own pace, marked replicates and the rounds' own time included");
    open[2] = false;
    NEAR(pace.rest_s, 8, 1e-9);
    /* short: 4 of 1 s; long: 4 of 20 s; four rounds with 2 s of their own */
    NEAR(pace_left(&pace, &samples, open, 6), 4 + 80 + 8, 1e-9);
    open[1] = false;
    NEAR(pace_left(&pace, &samples, open, 6), 4 + 8, 1e-9);
    tap_case("who has what it needs, or is settled, takes no time");
    NEAR(pace_left(&pace, &samples, open, 2), 0, 1e-9);
    open[0] = false;
    NEAR(pace_left(&pace, &samples, open, 16), 0, 1e-9);
}

static void words(struct progress_figures now, const char *whole, const char *left)
{
    char text[PROGRESS_TEXT_BYTES];
    progress_words(&now, text);
    EQ_STR(text, whole);
    progress_left(&now, text);
    EQ_STR(text, left);
}

static void test_words(void)
{
    tap_case("what is not known is left out");
    words((struct progress_figures){.stage = STAGE_BUILD}, "building", "");
    words((struct progress_figures){.stage = STAGE_MEASURE, .least_s = -1, .most_s = -1},
          "measuring", "");
    struct progress_figures now = {.stage = STAGE_MEASURE,
                                   .replicates = 0,
                                   .replicates_max = 16,
                                   .configs = 5,
                                   .least_s = -1,
                                   .most_s = -1};
    words(now, "measuring: replicate 1 of at most 16, 5 configs", "");
    tap_case("time is a range: to the next look, to the whole budget");
    now.replicates = 2;
    now.least_s = 39.2;
    now.most_s = 500;
    words(now, "measuring: replicate 3 of at most 16, 5 configs, 40 s to 9 min left",
          "40 s to 9 min left");
    now.least_s = 0;
    now.configs = 1;
    now.replicates = 16;
    now.most_s = 8000;
    words(now, "measuring: replicate 16 of at most 16, 1 config, up to 2.3 h left",
          "up to 2.3 h left");
    now.least_s = now.most_s = 300;
    words(now, "measuring: replicate 16 of at most 16, 1 config, 5 min left", "5 min left");
    tap_case("an estimate that has run out is not told");
    now.least_s = now.most_s = 0;
    words(now, "measuring: replicate 16 of at most 16, 1 config", "");
}

int main(void)
{
    test_pace();
    test_words();
    return tap_done();
}
