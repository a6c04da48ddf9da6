/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "intake/expression.h"
#include "lab/autotune_internal.h"
#include "lab/tune_space.h"
#include "pipeline/spills.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct err err;

/* ---- expressions ---- */

static const struct expression_value values[] = {{"A", 6}, {"B_2", -3}, {"ABC", 1}};

static long long value_of(const char *text)
{
    long long out = 0;
    if (expression_compute(text, values, 3, &out, &err) != 0) {
        printf("# %s\n", err.text);
        return -999999;
    }
    return out;
}

static void refused(const char *text, const char *problem)
{
    long long out;
    err = (struct err){0};
    OK(expression_compute(text, values, 3, &out, &err) == -1 && err.class == ERR_INPUT);
    HAS(err.text, problem);
}

static void expressions(void)
{
    tap_case("expressions mean what they mean in C");
    EQ_INT(value_of("1 + 2 * 3"), 7);
    EQ_INT(value_of("(1 + 2) * 3"), 9);
    EQ_INT(value_of("10 - 3 - 2"), 5);
    EQ_INT(value_of("100 / 7 % 5"), 4);
    EQ_INT(value_of("A*A+ABC"), 37);
    EQ_INT(value_of("-A + - B_2"), -3);
    EQ_INT(value_of("1 < 2 == 1"), 1);
    EQ_INT(value_of("1 || 0 && 0"), 1);
    EQ_INT(value_of("!(A >= 6) || A != 6"), 0);
    EQ_INT(value_of("A <= 6 && B_2 > -4 && A % 2 == 0"), 1);
    EQ_INT(value_of("-7 / 2"), -3);
    EQ_INT(value_of("9223372036854775807"), 9223372036854775807);
    tap_case("what is no expression is refused");
    refused("", "expected a number, a parameter or `(` at byte 1");
    refused("1 +", "at byte 4");
    refused("1 2", "expected an operator at byte 3");
    refused("(1", "expected `)`");
    refused("D + 1", "`D` is no parameter");
    refused("AB", "`AB` is no parameter");
    refused("1 / (A - 6)", "division by zero");
    refused("5 % 0", "division by zero");
    refused("9223372036854775808", "more than 64 bits");
    refused("9223372036854775807 + 1", "more than 64 bits");
    refused("(-9223372036854775807 - 1) / -1", "more than 64 bits");
    refused("3x", "expected a number");
    refused("A = 6", "expected an operator");
    char deep[512];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    refused(deep, "nested too deep");
}

/* ---- candidates ---- */

static const char first[] = "// 1\n// 2\n// 3\n#define TILE 64 // keys\n\n  # define\tSTAGES\t2\n"
                            "// 7\n// 8\n// 9\n// 10\n// 11\n// 12\n// 13\nint x = TILE;\n"
                            "#define TILES 5\n#define DEPTH -1";
static struct tune_space space;
static struct tune_sources sources;

static void parameter(const char *name, size_t count, const long long *list)
{
    struct tune_parameter *out = &space.parameters[space.parameter_count++];
    *out = (struct tune_parameter){.count = count};
    snprintf(out->name, sizeof out->name, "%s", name);
    memcpy(out->values, list, count * sizeof *list);
}

static int add(const char *path, const char *text)
{
    err = (struct err){0};
    return tune_sources_add(&sources, &space, path, text, strlen(text), &err);
}

static void places(void)
{
    tap_case("parameters are found where the sources define them");
    parameter("TILE", 3, (const long long[]){32, 64, 128});
    parameter("STAGES", 2, (const long long[]){2, 3});
    parameter("DEPTH", 2, (const long long[]){-1, 5});
    tune_sources_init(&sources);
    OK(tune_sources_check(&sources, &space, &err) == -1);
    HAS(err.text, "[tune] parameter `TILE`: no file under [kernel] path has `#define TILE`");
    OK(add("kernels/other.h", "int y;\n") == 0 && sources.file_count == 0);
    OK(add("kernels/k.cu", first) == 0 && sources.file_count == 1);
    OK(tune_sources_check(&sources, &space, &err) == 0);
    EQ_INT(sources.places[0].today, 64);
    EQ_INT(sources.places[1].today, 2);
    EQ_INT(sources.places[2].today, -1);
    OK(add("kernels/k2.cu", "#define TILE 64\n") == -1 && err.class == ERR_INPUT);
    HAS(err.text, "kernels/k2.cu: `TILE` is defined more than once");
    static const char *const bad[] = {"#define TILE\n",       "#define TILE x\n",
                                      "#define TILE (64)\n",  "#define TILE 64 + 1\n",
                                      "#define TILE 0x40\n",  "#define TILE 64u\n",
                                      "#define TILE(x) 64\n", "#define TILE 12345678901\n",
                                      "#define TILE 064\n",   "#define TILE - 1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tune_sources others;
        tune_sources_init(&others);
        OK(tune_sources_add(&others, &space, "a", bad[i], strlen(bad[i]), &err) == -1);
        HAS(err.text, "a: expected `#define TILE` and a whole number");
        tune_sources_free(&others);
    }
}

static void combinations(void)
{
    struct tune_candidate *list, *again;
    size_t count, count_again;
    tap_case("candidates: near ones first, today's is none, constraints hold");
    OK(tune_candidates(&space, &sources, 42, &list, &count, &err) == 0);
    EQ_INT(count, 11);
    size_t changes = 0, sorted = 1;
    for (size_t i = 0; i < count; i++) {
        size_t now = 0;
        for (size_t p = 0; p < 3; p++)
            now += list[i].values[p] != sources.places[p].today;
        sorted = sorted && now >= changes && now > 0;
        changes = now;
    }
    OK(sorted);
    OK(tune_candidates(&space, &sources, 42, &again, &count_again, &err) == 0);
    OK(count == count_again && memcmp(list, again, count * sizeof *list) == 0);
    free(list);
    free(again);
    snprintf(space.constraints[space.constraint_count++], TUNE_CONSTRAINT_BYTES,
             "TILE * STAGES <= 192");
    snprintf(space.constraints[space.constraint_count++], TUNE_CONSTRAINT_BYTES, "DEPTH < 0");
    OK(tune_candidates(&space, &sources, 42, &list, &count, &err) == 0);
    EQ_INT(count, 3); /* 32 2, 32 3, 64 3 */
    free(list);
    space.constraint_count = 0;
    struct tune_space large = space;
    for (size_t i = 0; i < 3; i++) {
        large.parameters[i].count = TUNE_VALUES_MAX;
        large.parameters[3 + i] = large.parameters[i];
    }
    large.parameter_count = 6;
    OK(tune_candidates(&large, &sources, 42, &list, &count, &err) == -1);
    HAS(err.text, "more than 4096 combinations");
}

static void forbidden(void)
{
    struct tune_forbidden out[TUNE_CONSTRAINTS_MAX] = {{.constraint = NULL}};
    size_t total;
    tap_case("what constraints forbid is counted once, and named up to a few");
    snprintf(space.constraints[space.constraint_count++], TUNE_CONSTRAINT_BYTES, "TILE < 128");
    snprintf(space.constraints[space.constraint_count++], TUNE_CONSTRAINT_BYTES,
             "TILE < 128 && DEPTH < 9");
    snprintf(space.constraints[space.constraint_count++], TUNE_CONSTRAINT_BYTES, "TILE > 128");
    OK(tune_forbidden(&space, out, &total, &err) == 0);
    EQ_INT(total, 12);
    EQ_INT(out[0].count, 4);
    EQ_STR(out[0].constraint, "TILE < 128");
    EQ_STR(out[0].names.data,
           "TILE 128, STAGES 2, DEPTH -1; TILE 128, STAGES 3, DEPTH -1; "
           "TILE 128, STAGES 2, DEPTH 5; TILE 128, STAGES 3, DEPTH 5");
    EQ_INT(out[1].count, 0);
    OK(out[1].names.len == 0);
    EQ_INT(out[2].count, 8);
    for (size_t i = 0; i < space.constraint_count; i++)
        buf_free(&out[i].names);
    snprintf(space.constraints[2], TUNE_CONSTRAINT_BYTES, "1 / (TILE - 64)");
    OK(tune_forbidden(&space, out, &total, &err) == -1 && err.class == ERR_INPUT);
    HAS(err.text, "division by zero");
    for (size_t i = 0; i < space.constraint_count; i++)
        buf_free(&out[i].names);
    space.constraint_count = 0;
}

static void texts(void)
{
    const struct tune_candidate candidate = {{128, 3, 5}}, one = {{32, 2, -1}};
    bool changed;
    BUF_AUTO text;
    buf_init(&text, 1 << 16);
    tap_case("the sources of a candidate, its words and its patch");
    OK(tune_edit(&sources, &space, &candidate, 0, &text, &changed, &err) == 0 && changed);
    HAS(text.data, "#define TILE 128 // keys\n");
    HAS(text.data, "  # define\tSTAGES\t3\n");
    HAS(text.data, "#define TILES 5\n#define DEPTH 5");
    OK(text.len == strlen(first)); /* 64 to 128: one more; -1 to 5: one less */
    buf_clear(&text);
    tune_words(&space, &sources, &candidate, &text);
    EQ_STR(text.data, "TILE 64 → 128, STAGES 2 → 3, DEPTH -1 → 5");
    buf_clear(&text);
    OK(tune_patch(&sources, &space, &candidate, &text, &err) == 0);
    EQ_STR(text.data,
           "diff --git a/kernels/k.cu b/kernels/k.cu\n--- a/kernels/k.cu\n+++ b/kernels/k.cu\n"
           "@@ -1,9 +1,9 @@\n // 1\n // 2\n // 3\n-#define TILE 64 // keys\n"
           "+#define TILE 128 // keys\n \n-  # define\tSTAGES\t2\n+  # define\tSTAGES\t3\n"
           " // 7\n // 8\n // 9\n"
           "@@ -13,4 +13,4 @@\n // 13\n int x = TILE;\n #define TILES 5\n-#define DEPTH -1\n"
           "\\ No newline at end of file\n+#define DEPTH 5\n\\ No newline at end of file\n");
    buf_clear(&text);
    OK(tune_patch(&sources, &space, &one, &text, &err) == 0);
    HAS(text.data, "@@ -1,7 +1,7 @@\n");
    tune_sources_free(&sources);
}

static void test_spills(void)
{
    char why[MODEL_TEXT_BYTES];
    tap_case("what spills more than today's kernel is told");
    OK(trials_spills_more(0, 24, why));
    EQ_STR(why, "it spills 24 bytes a thread, today's kernel none");
    OK(trials_spills_more(8, 16, why));
    EQ_STR(why, "it spills 16 bytes a thread, today's kernel 8");
    tap_case("what does not, or where nothing is known, is not");
    OK(!trials_spills_more(16, 16, why));
    OK(!trials_spills_more(0, 0, why));
    OK(!trials_spills_more(0, -1, why));
    OK(!trials_spills_more(-1, 100, why));
    tap_case("a library spills what its worst kernel does");
    struct machine_code kernels[2] = {machine_code_none(), machine_code_none()};
    const struct code_listing none = {NULL, 0}, both = {kernels, 2};
    EQ_INT(spills_worst(&none), -1);
    EQ_INT(spills_worst(&both), -1);
    kernels[1].facts[CODE_SPILL_STORES] = 4;
    EQ_INT(spills_worst(&both), 4);
}

int main(void)
{
    expressions();
    places();
    combinations();
    forbidden();
    texts();
    test_spills();
    return tap_done();
}
