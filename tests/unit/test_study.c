/* SPDX-License-Identifier: Apache-2.0 */
/* study.json, both ways; what hostile bytes in it get. */
#include "lab/study.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char whole[] =
    "{\"schema\": \"ratchet.study/1\", \"ratchet\": \"0.1\", \"started\": \"2026-11-29T01:02:03Z\","
    "\"asked\": {\"device\": \"cpu\", \"commit\": \"0123456789012345678901234567890123456789\","
    "\"target_speedup\": 1.1, \"budget_s\": 600, \"proposals\": 3, \"hash\": "
    "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"},"
    "\"best\": \"0123456789012345678901234567890123456789\", \"estimate_s\": 120,"
    "\"price\": {\"per_hour\": 0.72, \"currency\": \"USD\"},"
    "\"steps\": [{\"phase\": \"environment\", \"name\": \"environment\", \"state\": \"done\","
    "\"seconds\": 10, \"command\": \"ratchet env\"},"
    "{\"phase\": \"optimise\", \"name\": \"01-tiles\", \"state\": \"failed\", \"seconds\": 5,"
    "\"why\": \"does not build\", \"proposal\": false, \"kept\": false}]}";

static struct study *parse(const char *text, struct err *err)
{
    struct study *study = calloc(1, sizeof *study);
    if (study != NULL && study_parse(text, strlen(text), "study.json", study, err) == 0)
        return study;
    free(study);
    return NULL;
}

/* The whole with one piece put in place of another. */
static void replace(const char *from, const char *to, char *out, size_t size)
{
    const char *at = strstr(whole, from);
    OK(at != NULL);
    if (at != NULL)
        snprintf(out, size, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
}

static void test_round_trip(void)
{
    struct err err = {0};
    BUF_AUTO first;
    BUF_AUTO second;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    struct study *study = parse(whole, &err);
    EQ_STR(err.text, "");
    OK(study != NULL);
    if (study == NULL)
        return;
    OK(study->step_count == 2 && study->asked.proposals == 3);
    NEAR(study_seconds(study), 15, 1e-9);
    NEAR(study_cost(study), 3000, 1e-6); /* millionths of a dollar */
    OK(study_step_find(study, STUDY_OPTIMISE, "01-tiles") == &study->steps[1]);
    OK(study_step_find(study, STUDY_ENVIRONMENT, "") == &study->steps[0]);
    OK(study_step_find(study, STUDY_END, "") == NULL);
    OK(study_format(study, &first, &err) == 0);
    EQ_STR(err.text, "");
    struct study *again = parse(first.data, &err);
    OK(again != NULL && study_format(again, &second, &err) == 0);
    EQ_STR(first.data, second.data);
    study->price.currency[0] = '\0';
    OK(!(study_cost(study) > 0));
    free(study);
    free(again);
}

static void test_hostile(void)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"ratchet.study/1", "ratchet.study/2", "schema"},
        {"\"name\": \"01-tiles\"", "\"name\": \"../../etc\"", "steps[1].name"},
        {"\"name\": \"01-tiles\"", "\"name\": \"\"", "steps[1].name"},
        {"\"device\": \"cpu\"", "\"device\": \"../cpu\"", "asked.device"},
        {"\"proposals\": 3", "\"proposals\": 1e300", "asked.proposals"},
        {"\"seconds\": 10", "\"seconds\": -1", "steps[0].seconds"},
        {"\"state\": \"done\"", "\"state\": \"won\"", "steps[0].state"},
        {"\"phase\": \"environment\"", "\"phase\": \"optimise\"", "steps[0].proposal"},
        {"\"proposal\": false, \"kept\": false", "\"proposal\": false, \"kept\": true", "kept"},
        {"\"phase\": \"optimise\", \"name\": \"01-tiles\"",
         "\"phase\": \"environment\", \"name\": \"environment\"", "there already"},
        {"\"best\": \"0", "\"best\": \"g", "best"},
        {"0123456789abcdef0123", "XYZ3456789abcdef0123", "asked.hash"},
        {"\"per_hour\": 0.72", "\"per_hour\": 1e30", "price.per_hour"},
        {"\"steps\": [", "\"steps\": [7, ", "steps[0]"},
    };
    char text[4096];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        replace(cases[i].from, cases[i].to, text, sizeof text);
        struct study *study = parse(text, &err);
        OK(study == NULL && err.class == ERR_INPUT);
        HAS(err.text, cases[i].says);
        free(study);
    }
}

static void test_too_many(void)
{
    BUF_AUTO text;
    struct err err = {0};
    const char *end = strstr(whole, "\"steps\": [");
    buf_init(&text, 1 << 20);
    buf_add(&text, whole, (size_t)(end - whole));
    buf_adds(&text, "\"steps\": [");
    for (int i = 0; i <= STUDY_STEPS_MAX; i++)
        buf_addf(&text,
                 "%s{\"phase\": \"shapes\", \"name\": \"s%d\", \"state\": \"open\", "
                 "\"seconds\": 0}",
                 i > 0 ? ", " : "", i);
    buf_adds(&text, "]}");
    OK(parse(text.data, &err) == NULL);
    HAS(err.text, "more than");
}

int main(void)
{
    test_round_trip();
    test_hostile();
    test_too_many();
    return tap_done();
}
