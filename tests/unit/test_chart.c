/* SPDX-License-Identifier: Apache-2.0 */
/* Charts, byte for byte against tests/data/charts, which tests/e2e/test_charts.py looks at; and what must
 * be drawn of odd data. `RATCHET_GOLDEN=1` writes the expected files anew: look at them then. */
#include "tap.h"

#include "base/file.h"
#include "lab/chart.h"
#include "lab/chart_scale.h"
#include "lab/chart_text.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum { CHART_BYTES = 1 << 20 };

static const struct interval none = {NAN, NAN};

static void golden(const struct buf *got, const char *name)
{
    char path[PATH_MAX];
    const char *top = getenv("top_srcdir");
    struct err err = {0};
    BUF_AUTO want;
    buf_init(&want, CHART_BYTES);
    tap_case(name);
    snprintf(path, sizeof path, "%s/tests/data/charts/%s.svg", top == NULL ? "." : top, name);
    if (getenv("RATCHET_GOLDEN") != NULL)
        OK(file_write(path, got->data, got->len, 0644, &err) == 0);
    if (OK(file_read(path, &want, &err) == 0))
        EQ_STR(got->data, want.data);
}

static void golden_lines(const struct chart_lines *chart, const char *name)
{
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, CHART_BYTES);
    OK(chart_lines(chart, &out, &err) == 0);
    golden(&out, name);
}

static void golden_bars(const struct chart_bars *chart, const char *name)
{
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, CHART_BYTES);
    OK(chart_bars(chart, &out, &err) == 0);
    golden(&out, name);
}

/* ---- lines ---- */

static const double lengths[] = {128, 256, 512, 1024, 2048, 4096, 8192, 16384};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Times that grow with the square of the length, each known to a tenth. */
static void quadratic(struct chart_point points[LENGTHS], double ns)
{
    for (size_t i = 0; i < LENGTHS; i++) {
        double y = ns * (1 + lengths[i] * lengths[i] / 65536);
        points[i] = (struct chart_point){lengths[i], y, {0.9 * y, 1.1 * y}};
    }
}

static void test_latency(void)
{
    struct chart_point ours[LENGTHS], flash[LENGTHS], math[LENGTHS];
    quadratic(ours, 5e3);
    quadratic(flash, 7e3);
    quadratic(math, 40e3);
    math[2].y = NAN; /* a gap in its line */
    const struct chart_series series[] = {{"sm90", CHART_LINE, 0, ours, LENGTHS},
                                          {"flash", CHART_LINE, 1, flash, LENGTHS},
                                          {"math", CHART_LINE, 2, math, LENGTHS}};
    const struct chart_lines chart = {
        "Latency of a launch",
        "D 64, 32 × 8 heads, fp16, no mask. NVIDIA H200. Whiskers: 95% interval over 6 processes.",
        {"sequence length", CHART_NUMBER, true, false, lengths, LENGTHS, 0},
        {"device time of a launch", CHART_TIME, true, false, NULL, 0, 0},
        series,
        3};
    golden_lines(&chart, "latency");
}

static void test_roofline(void)
{
    static const struct chart_point roof[] = {
        {10, 39, {0, 0}}, {171.8, 670, {0, 0}}, {3000, 670, {0, 0}}};
    static const struct chart_point ours[] = {
        {32, 100, {99, 101}}, {256, 390, {380, 400}}, {2048, 640, {630, 650}}};
    static const struct chart_point theirs[] = {{32, 80, {79, 81}}, {256, 300, {290, 310}}};
    const struct chart_series series[] = {
        {"measured: copy 3.90 TB/s, matrix 670 TFLOP/s", CHART_CEILING, 0, roof, 3},
        {"sm90", CHART_POINTS, 0, ours, 3},
        {"flash", CHART_POINTS, 1, theirs, 2}};
    const struct chart_lines chart = {"Roofline",
                                      NULL,
                                      {"operations a byte", CHART_NUMBER, true, false, NULL, 0, 0},
                                      {"TFLOP/s", CHART_NUMBER, true, false, NULL, 0, 0},
                                      series,
                                      3};
    golden_lines(&chart, "roofline");
}

static void test_history(void)
{
    static const struct chart_point points[] = {{1763683200, 0.98, {0.97, 0.99}},
                                                {1764115200, 0.64, {0.5, 0.7}},
                                                {1764633600, 1, {1, 1}}};
    const struct chart_series series[] = {{"b1_h4_s256_d64", CHART_LINE, 4, points, 3}};
    const struct chart_lines chart = {"Share of the fastest",
                                      "",
                                      {"", CHART_DATE, false, false, NULL, 0, 0},
                                      {"share", CHART_PERCENT, false, true, NULL, 0, 0},
                                      series,
                                      1};
    golden_lines(&chart, "history");
}

/* Names that are markup, that never end, that are no text at all. */
static void test_hostile(void)
{
    static char endless[3000];
    memset(endless, 'W', sizeof endless - 1);
    static const struct chart_point points[] = {{1, 1, {1, 1}}, {2, INFINITY, {0, 0}}, {3, -1, {0, 0}}};
    static const char *const names[CHART_SERIES_MAX] = {
        "</text><script>alert(1)</script>", "\"'&<>]]>", "a\x01" "b\xff" "c\xe2\x80\xae" "dnuora",
        "漢字かな交じり", endless, "x", "", "ü\xc3", "\xf0\x9f\x98\x80 face", "j", "k", "l"};
    struct chart_series series[CHART_SERIES_MAX];
    for (unsigned i = 0; i < CHART_SERIES_MAX; i++)
        series[i] = (struct chart_series){names[i], i % 3, i, points, 3};
    struct chart_lines chart = {"<b>Title</b> & so on, which is longer than two lines of this chart can be"
                                " and so is cut where the second one ends, before this",
                                endless,
                                {endless, CHART_NUMBER, false, false, NULL, 0, 0},
                                {"<y>", CHART_NUMBER, false, false, NULL, 0, 0},
                                series,
                                CHART_SERIES_MAX};
    golden_lines(&chart, "hostile");
    tap_case("more series than there are");
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, CHART_BYTES);
    chart.count++;
    OK(chart_lines(&chart, &out, &err) != 0);
    EQ_INT(err.class, ERR_INTERNAL);
    tap_case("a chart that does not fit is an error");
    struct buf small;
    chart.count--;
    buf_init(&small, 1000);
    OK(chart_lines(&chart, &small, &err) != 0);
    EQ_INT(err.class, ERR_LIMIT);
    buf_free(&small);
    golden_lines(&(const struct chart_lines){"Nothing", NULL, {"x", CHART_NUMBER, true, false, NULL, 0, 0}, {"y", CHART_TIME, true, false, NULL, 0, 0}, NULL, 0}, "empty");
}

/* ---- bars ---- */

static void test_bars(void)
{
    static const char *const groups[] = {"512", "1024"};
    static const char *const names[] = {"sm90", "flash", "xformers"};
    static const unsigned slots[] = {0, 1, 2};
    const struct chart_bar bars[] = {
        {0.93, {0.91, 0.94}, NULL}, {0.71, none, NULL}, {NAN, none, "left out"},
        {1.2, {1.19, 1.21}, NULL},  {0.8, {0.79, 0.81}, NULL}, {0, none, NULL}};
    const struct chart_bars chart = {
        "Forward, D 128, causal", "NVIDIA H200", "sequence length",
        {"TFLOP/s", CHART_NUMBER, false, true, NULL, 0, 0}, groups, 2, names, slots, 3, bars};
    golden_bars(&chart, "bars");
}

static void test_many_bars(void)
{
    enum { GROUPS = 5, SERIES = 9 };
    static const char *const groups[GROUPS] = {"512", "1024", "2048", "4096", "16384"};
    static const char *const names[SERIES] = {"sm80", "sm90", "flash", "cudnn", "efficient",
                                              "math", "flash-attn", "xformers", "triton"};
    static const unsigned slots[SERIES] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    struct chart_bar bars[GROUPS * SERIES];
    for (size_t i = 0; i < GROUPS * SERIES; i++) {
        double value = 80 + 100 * (double)(i / SERIES) + 20 * (double)(i % SERIES);
        bars[i] = (struct chart_bar){value, {0.98 * value, 1.02 * value}, NULL};
    }
    bars[20] = (struct chart_bar){NAN, none, "wrong"};
    const struct chart_bars chart = {
        "Forward, D 64", NULL, "sequence length",
        {"TFLOP/s", CHART_NUMBER, false, true, NULL, 0, 0}, groups, GROUPS, names, slots, SERIES, bars};
    golden_bars(&chart, "bars_many");
}

/* ---- parts ---- */

/* A range that is not known, a value that is not, a long name, and the line at the edge of the data. */
static void test_forest(void)
{
    static const char *const legend[] = {"kept", "not kept"};
    const struct chart_forest_row rows[] = {
        {"01-autotune", "-15.00% [-15.10, -14.90]", -0.15, {-0.151, -0.149}, 0},
        {"02-a-patch-whose-name-is-much-too-long-for-its-row <b>", "-2.00% [-4.00, +0.10]", -0.02, {-0.04, 0.001}, 1},
        {"03-wide", "+3.00%", 0.03, none, 1},
        {"04-none", "n/a", NAN, none, 1}};
    const struct chart_forest chart = {
        "Proposals", "NVIDIA H200", {"change in time", CHART_PERCENT, false, false, NULL, 0, 0}, 0, rows, 4, legend, 2};
    struct err err;
    BUF_AUTO out;
    buf_init(&out, 1 << 20);
    OK(chart_forest(&chart, &out, &err) == 0);
    golden(&out, "forest");
}

static void test_text(void)
{
    struct chart_line lines[CHART_LINES_MAX];
    char text[CHART_VALUE_BYTES];
    tap_case("lines break at blanks, and the last is cut");
    const char *words = "one two three four";
    double width = chart_text_width("one two", 7, 10);
    EQ_INT(chart_text_wrap(words, 10, width, 2, lines), 2);
    EQ_INT(lines[0].len, 7);
    OK(!lines[0].cut && lines[1].cut && strncmp(lines[1].text, "three", 5) == 0);
    EQ_INT(chart_text_wrap(words, 10, 1e4, 2, lines), 1);
    EQ_INT(chart_text_wrap("", 10, 1e4, 2, lines), 0);
    EQ_INT(chart_text_wrap(NULL, 10, 1e4, 2, lines), 0);
    tap_case("a word that fits nowhere is broken, and none is lost in a circle");
    EQ_INT(chart_text_wrap("WWWWWWWW", 10, 25, 4, lines), 4);
    EQ_INT(lines[0].len, 2);
    EQ_INT(chart_text_wrap("WW", 10, 1, 4, lines), 2);
    tap_case("characters are not cut in two");
    EQ_INT(chart_text_fit("漢字", 6, 10, 11), 3);
    tap_case("values with their units");
    EQ_STR(chart_value(text, 1500, CHART_TIME), "1.5 µs");
    EQ_STR(chart_value(text, 2e10, CHART_TIME), "20 s");
    EQ_STR(chart_value(text, 0.125, CHART_PERCENT), "12.5%");
    EQ_STR(chart_value(text, 16384, CHART_NUMBER), "16384");
    EQ_STR(chart_value(text, 1764633600, CHART_DATE), "2025-12-02");
    EQ_STR(chart_value(text, INFINITY, CHART_DATE), "1970-01-01");
}

static size_t ticks_of(double low, double high, bool is_log, struct scale *scale)
{
    const struct chart_axis axis = {"", CHART_NUMBER, is_log, false, NULL, 0, 0};
    struct extent extent = {0};
    extent_add(&extent, &axis, low);
    extent_add(&extent, &axis, high);
    scale_set(scale, &axis, &extent, 5);
    return scale->tick_count;
}

static void test_ticks(void)
{
    struct scale scale;
    tap_case("two to ten ticks, whatever is shown");
    for (double low = 1e-6; low < 1e6; low *= 7)
        for (double ratio = 1.0; ratio < 1e9; ratio = ratio * 1.7 + 1e-3) {
            size_t found = ticks_of(low, low * ratio, true, &scale);
            if (found < 2 || found > 10)
                EQ_INT(found, 5);
            found = ticks_of(low, low * ratio, false, &scale);
            if (found < 2 || found > 10)
                EQ_INT(found, 5);
        }
    tap_case("what is shown is on the axis");
    ticks_of(3, 700, true, &scale);
    scale.from = 10;
    scale.to = 110;
    OK(scale_at(&scale, 3) > 10 && scale_at(&scale, 700) < 110);
    NEAR(scale_at(&scale, sqrt(2100)), 60, 1e-9);
}

int main(void)
{
    test_latency();
    test_roofline();
    test_history();
    test_hostile();
    test_bars();
    test_many_bars();
    test_forest();
    test_text();
    test_ticks();
    return tap_done();
}
