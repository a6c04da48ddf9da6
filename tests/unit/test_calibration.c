/* SPDX-License-Identifier: Apache-2.0 */
/* calibration.json: both ways, broken and hostile input. */
#include "tap.h"

#include "judge/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct limits limits = {.calibration_bytes = 4096};

static const char example[] =
    "{\"schema\": \"ratchet.calibration/1\", \"device\": {\"slug\": \"nvidia-h200\",\n"
    "  \"name\": \"NVIDIA H200\"}, \"recorded\": \"2026-11-21T01:10:20Z\",\n"
    " \"rule\": {\"threshold\": 0.03, \"confidence\": 0.95, \"budget\": 16},\n"
    " \"processes\": 200,\n"
    " \"identical\": {\"checks\": 10000, \"wrong\": 3, \"wrong_upper\": 0.000876},\n"
    " \"smallest_change\": 0.01, \"table\": [{\"config\": \"b\", \"held\": 9997}]}";

static int parse(const char *text, struct calibration *out, struct err *err)
{
    return calibration_parse(text, strlen(text), "calibration.json", &limits, out, err);
}

static void test_both_ways(void)
{
    struct calibration calibration = {0}, read = {0};
    struct err err = {0};
    BUF_AUTO text;
    BUF_AUTO again;
    buf_init(&text, 4096);
    buf_init(&again, 4096);
    tap_case("what a file says, members that are not known among it");
    if (!OK(parse(example, &calibration, &err) == 0))
        printf("# %s\n", err.text);
    EQ_STR(calibration.device.slug, "nvidia-h200");
    EQ_STR(calibration.device.name, "NVIDIA H200");
    EQ_STR(calibration.recorded, "2026-11-21T01:10:20Z");
    NEAR(calibration.threshold, 0.03, 0);
    NEAR(calibration.confidence, 0.95, 0);
    EQ_INT(calibration.budget, 16);
    EQ_INT(calibration.processes, 200);
    EQ_INT((long long)calibration.checks, 10000);
    EQ_INT((long long)calibration.wrong, 3);
    NEAR(calibration.wrong_upper, 0.000876, 0);
    NEAR(calibration.smallest_change, 0.01, 0);

    tap_case("there and back");
    OK(calibration_format(&calibration, "", &text, &err) == 0);
    OK(parse(text.data, &read, &err) == 0);
    OK(calibration_format(&read, "", &again, &err) == 0);
    EQ_STR(again.data, text.data);
    HAS(text.data, "\n  \"rule\": {\"threshold\": 0.03, \"confidence\": 0.95, \"budget\": 16},\n");
    HAS(text.data, "\n  \"smallest_change\": 0.01\n}\n");

    tap_case("no change was seen: null");
    calibration.smallest_change = 0;
    buf_clear(&text);
    OK(calibration_format(&calibration, "", &text, &err) == 0);
    HAS(text.data, "\"smallest_change\": null");
    buf_clear(&text);
    OK(calibration_format(&calibration, ",\n  \"more\": [1, 2]", &text, &err) == 0);
    HAS(text.data, "\"smallest_change\": null,\n  \"more\": [1, 2]\n}\n");
    OK(parse(text.data, &read, &err) == 0);
    OK(calibration_format(&calibration, ", more", &text, &err) == -1);
    read.smallest_change = 7;
    OK(parse(text.data, &read, &err) == 0);
    NEAR(read.smallest_change, 0, 0);
}

static void test_unwritable(void)
{
    struct calibration good = {0};
    struct err err = {0};
    BUF_AUTO out;
    BUF_AUTO few;
    buf_init(&out, 4096);
    buf_init(&few, 64);
    OK(parse(example, &good, &err) == 0);
    struct calibration bad[] = {good, good, good, good, good};
    bad[0].wrong_upper = NAN;
    bad[1].wrong_upper = 0.0001;
    bad[2].wrong = bad[2].checks + 1;
    bad[3].recorded[0] = '\0';
    strcpy(bad[4].device.slug, "../x");
    tap_case("what could not be read is not written");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (struct err){0};
        OK(calibration_format(&bad[i], "", &out, &err) == -1);
        HAS(err.text, "calibration: ");
        EQ_INT((long long)out.len, 0);
    }
    tap_case("no room: refused, and nothing written half");
    OK(calibration_format(&good, "", &few, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    EQ_INT((long long)few.len, 0);
}

static const struct {
    const char *what, *from, *to, *error;
} broken[] = {
    {"another schema", "calibration/1", "calibration/2", "schema: `ratchet.calibration/2`"},
    {"truncated", "9997}]}", "", "not JSON"},
    {"an array", "{\"schema\"", "[{\"schema\"", ""},
    {"no device", "\"device\"", "\"devise\"", "device: missing"},
    {"a slug that is a path", "nvidia-h200", "../../etc", "device.slug: expected letters"},
    {"a time that is none", "2026-11-21T", "someday, at", "recorded: expected a time"},
    {"a time with more behind", "20Z", "20Z<b>", "recorded: expected a time"},
    {"a number for a time", "\"2026-11-21T01:10:20Z\"", "20261121",
     "recorded: expected a string"},
    {"no rule", "\"rule\"", "\"rules\"", "rule: missing"},
    {"a rule that is a list", "{\"threshold\": 0.03, \"confidence\": 0.95, \"budget\": 16}",
     "[]", "rule: expected an object"},
    {"a threshold of 0", "\"threshold\": 0.03", "\"threshold\": 0",
     "rule.threshold: expected a number"},
    {"a confidence in percent", "0.95", "95", "rule.confidence: expected a number"},
    {"a budget of 0", "\"budget\": 16", "\"budget\": 0", "rule.budget: expected a whole"},
    {"no process", "\"processes\": 200", "\"processes\": 0",
     "processes: expected a whole"},
    {"processes beyond an int", "\"processes\": 200", "\"processes\": 99999999999",
     "processes: expected a whole"},
    {"half a process", "\"processes\": 200", "\"processes\": 200.5",
     "processes: expected a whole"},
    {"no checks", "10000", "0", "identical.checks: expected a whole"},
    {"checks below 0", "10000", "-1", "identical.checks: expected a whole"},
    {"more wrong than checked", "\"wrong\": 3", "\"wrong\": 10001",
     "identical.wrong: expected a whole"},
    {"a bound below the share", "0.000876", "0.0002", "identical.wrong_upper: expected"},
    {"a bound above 1", "0.000876", "1.5", "identical.wrong_upper: expected"},
    {"NaN as a string", "0.000876", "\"NaN\"", "identical.wrong_upper: expected a number"},
    {"1e999", "0.000876", "1e999", "not JSON"},
    {"a change below 0", "\"smallest_change\": 0.01", "\"smallest_change\": -0.01",
     "smallest_change: expected a number"},
    {"a change in words", "\"smallest_change\": 0.01", "\"smallest_change\": \"1%\"",
     "smallest_change: expected a number"},
    {"a key twice", "\"recorded\"", "\"schema\"", "duplicate"},
};

static void test_broken(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tap_case(broken[i].what);
        const char *at = strstr(example, broken[i].from);
        char text[2048];
        if (!OK(at != NULL))
            continue;
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - example), example, broken[i].to,
                 at + strlen(broken[i].from));
        struct calibration calibration = {.processes = 77};
        struct err err = {0};
        OK(parse(text, &calibration, &err) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, "calibration.json: ");
        HAS(err.text, broken[i].error);
        EQ_INT(calibration.processes, 77);
    }
}

static void test_bounds(void)
{
    struct calibration calibration = {0};
    struct err err = {0};
    tap_case("cut anywhere: refused");
    size_t accepted = 0;
    for (size_t len = 0; len < sizeof example - 1; len++) {
        char *cut = malloc(len + 1); /* so that a byte too far is seen by the sanitizer */
        if (cut == NULL)
            exit(1);
        memcpy(cut, example, len);
        accepted += calibration_parse(cut, len, "x", &limits, &calibration, &err) == 0;
        free(cut);
    }
    EQ_INT((long long)accepted, 0);
    tap_case("any one byte changed: read, or refused in one line");
    size_t odd = 0;
    for (size_t at = 0; at < sizeof example - 1; at++) {
        static const char bytes[] = {'\0', '"', '{', ']', '9', '-', 'e', '\xff'};
        for (size_t i = 0; i < sizeof bytes; i++) {
            char text[sizeof example];
            memcpy(text, example, sizeof example);
            text[at] = bytes[i];
            err = (struct err){0};
            if (calibration_parse(text, sizeof example - 1, "x", &limits, &calibration,
                                  &err) != 0)
                odd += err.class != ERR_INPUT || strchr(err.text, '\n') != NULL;
        }
    }
    EQ_INT((long long)odd, 0);
    tap_case("too long");
    BUF_AUTO text;
    buf_init(&text, 8192);
    buf_adds(&text, example);
    while (text.len <= limits.calibration_bytes)
        buf_addc(&text, ' ');
    OK(calibration_parse(text.data, text.len, "x", &limits, &calibration, &err) == -1);
    HAS(err.text, "expected at most 4096");
}

int main(void)
{
    test_both_ways();
    test_unwritable();
    test_broken();
    test_bounds();
    return tap_done();
}
