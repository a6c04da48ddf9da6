/* SPDX-License-Identifier: Apache-2.0 */
/* Single configuration values: what is accepted, what is refused, and in which words. */
#include "intake/values.h"

#include "tests/tap.h"

#include <stdint.h>

static void test_numbers(void)
{
    struct err err = {0};
    long long number = 77;
    tap_case("whole numbers");
    OK(value_int("0", 0, 9, "f: a.b", &number, &err) == 0 && number == 0);
    OK(value_int("-5", -5, 9, "f: a.b", &number, &err) == 0 && number == -5);
    OK(value_int("9223372036854775807", 0, INT64_MAX, "f", &number, &err) == 0);
    number = 77;
    static const char *const bad[] = {"",    " 1",  "1 ",  "+1",   "1.0", "0x1", "1e3", "-",
                                      "--1", "10",  "abc", "nan",  "१",   "9223372036854775808",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(value_int(bad[i], 0, 9, "f: a.b", &number, &err) == -1);
    EQ_INT(number, 77);
    OK(value_int("abc", 1, 9, "f: a.b", &number, &err) == -1);
    EQ_STR(err.text, "f: a.b: expected a whole number from 1 to 9, not `abc`");
    EQ_INT(err.class, ERR_INPUT);

    tap_case("sizes");
    unsigned long long size = 77;
    OK(value_size("12", &size, "f", &err) == 0 && size == 12);
    OK(value_size("3k", &size, "f", &err) == 0 && size == 3072);
    OK(value_size("2M", &size, "f", &err) == 0 && size == 2097152);
    OK(value_size("1g", &size, "f", &err) == 0 && size == 1073741824);
    size = 77;
    static const char *const bad_sizes[] = {"", "k", "-1", "1kb", "1t", "1 k", "1.5g",
                                            "18446744073709551616", "99999999999999g"};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++)
        OK(value_size(bad_sizes[i], &size, "f", &err) == -1);
    EQ_INT(size, 77);
    HAS(err.text, "f: expected a whole number, perhaps with k, m or g, not `99999999999999g`");
}

static void test_ratios(void)
{
    struct err err = {0};
    double ratio = 77;
    tap_case("percentages");
    OK(value_ratio("3%", 0.001, 0.5, "f", &ratio, &err) == 0 && ratio == 0.03);
    OK(value_ratio("0.03", 0.001, 0.5, "f", &ratio, &err) == 0 && ratio == 0.03);
    OK(value_ratio("0.5%", 0, 0.5, "f", &ratio, &err) == 0 && ratio == 0.005);
    OK(value_ratio("99.9%", 0, 0.999, "f", &ratio, &err) == 0 && ratio == 0.999);
    OK(value_ratio("0", 0, 0.5, "f", &ratio, &err) == 0 && ratio == 0);
    ratio = 77;
    static const char *const bad[] = {"",   "%",   "3",     "-3%",  "3%%", "3 %",  ".5", "5.",
                                      "1,5%", "nan", "inf", "0x1p-3", "1e-2", "51%", "0.05%",
                                      "3%x", "0.0300000000000000000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(value_ratio(bad[i], 0.001, 0.5, "f", &ratio, &err) == -1);
    EQ_INT((int)ratio, 77);
    OK(value_ratio("abc", 0.001, 0.5, "ci/ratchet.conf at 1a2b3c4: rule.threshold", &ratio,
                   &err) == -1);
    EQ_STR(err.text, "ci/ratchet.conf at 1a2b3c4: rule.threshold: expected a percentage "
                     "between 0.1% and 50%, not `abc`");
    char text[300];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    OK(value_ratio(text, 0, 1, "f", &ratio, &err) == -1 && strlen(err.text) < 150);
}

static void test_durations(void)
{
    struct err err = {0};
    double ns = 77;
    tap_case("times");
    static const struct {
        const char *text;
        double ns;
    } good[] = {{"1ns", 1}, {"2us", 2000}, {"1.5ms", 1.5e6}, {"10s", 1e10}, {"10m", 6e11},
                {"1h", 3.6e12}, {"0", 0}, {"0s", 0}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        OK(value_duration_ns(good[i].text, 0, 1e14, "f", &ns, &err) == 0);
        NEAR(ns, good[i].ns, 0);
    }
    ns = 77;
    static const char *const bad[] = {"", "5", "ms", "5 ms", "-5ms", "5mS", "5d", "5msx", "1h1m"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        OK(value_duration_ns(bad[i], 0, 1e14, "f", &ns, &err) == -1);
    EQ_INT((int)ns, 77);
    OK(value_duration_ns("11s", 1e3, 10e9, "f", &ns, &err) == -1);
    EQ_STR(err.text, "f: expected a time with its unit (ns, us, ms, s, m, h) between 1us and "
                     "10s, not `11s`");
    OK(value_duration_ns("x", 0, 5400e9, "f", &ns, &err) == -1);
    HAS(err.text, "between 0s and 90m");
}

static void test_booleans(void)
{
    struct err err = {0};
    bool value = false;
    tap_case("true and false");
    OK(value_bool("true", "f", &value, &err) == 0 && value);
    OK(value_bool("off", "f", &value, &err) == 0 && !value);
    OK(value_bool("on", "f", &value, &err) == 0 && value);
    OK(value_bool("maybe", "f", &value, &err) == -1 && value);
    OK(value_bool("", "f", &value, &err) == -1);
    EQ_STR(err.text, "f: expected true or false, not ``");
}

int main(void)
{
    test_numbers();
    test_ratios();
    test_durations();
    test_booleans();
    return tap_done();
}
