/* SPDX-License-Identifier: Apache-2.0 */
/* What disassemblers print of a stranger's library: kernels have printable names and facts in
 * bounds, what is not known apart; and two listings give a line and a part of verdict.json that is
 * read again. The first byte says which text it is. */
#include "tests/fuzz/fuzz.h"

#include "judge/verdict.h"
#include "judge/why.h"
#include "measure/objdump.h"
#include "measure/sass.h"

static void look(const struct code_listing *listing)
{
    HOLDS(listing->count <= SASS_KERNELS_MAX);
    for (size_t i = 0; i < listing->count; i++) {
        const struct machine_code *code = &listing->kernels[i];
        long long sum = 0;
        HOLDS(memchr(code->name, '\0', sizeof code->name) != NULL && fuzz_is_plain(code->name));
        for (int fact = 0; fact < CODE_FACTS; fact++)
            HOLDS(code->facts[fact] >= -1 && code->facts[fact] <= CODE_FACT_MAX);
        for (int fact = CODE_TENSOR; fact <= CODE_OTHER; fact++)
            sum += code->facts[fact] > 0 ? code->facts[fact] : 0;
        HOLDS(sum == code->facts[CODE_INSTRUCTIONS] && sum > 0);
    }
}

/* As of a config, through verdict.json. */
static void compare(const struct code_listing *head, const struct code_listing *against)
{
    struct config_verdict row = {.config = {.name = "a"}};
    struct comparison comparison = {.device = {"cpu", "cpu"}, .configs = &row, .count = 1};
    COMPARISON_AUTO read = {0};
    struct err err = {0};
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    why_compare(head, against, "the anchor", &row.code);
    HOLDS(row.code.line[0] != '\0' && fuzz_is_plain(row.code.line));
    HOLDS(row.code.count <= CODE_PAIRS_MAX);
    HOLDS(verdict_format_json(&comparison, &text, &err) == 0);
    HOLDS(verdict_parse_json(text.data, text.len, "verdict.json", &read, &err) == 0);
    HOLDS(strcmp(read.configs[0].code.line, row.code.line) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int (*const parsers[])(const char *, size_t, const char *, struct code_listing *,
                           struct err *) = {sass_parse, objdump_parse};
    static const char *const capabilities[] = {"9.0", ""};
    if (size == 0)
        return 0;
    struct code_listing listings[2] = {{0}, {0}};
    int kind = data[0] == 'o';
    data++;
    size--;
    for (int i = 0; i < 2; i++) {
        const char *bytes;
        size_t len;
        struct err err = {0};
        fuzz_part(&data, &size, &bytes, &len);
        if (parsers[kind](bytes, len, capabilities[i], &listings[i], &err) != 0) {
            fuzz_error(&err);
            HOLDS(listings[i].kernels == NULL); /* untouched */
        }
        look(&listings[i]);
    }
    compare(&listings[0], &listings[1]);
    code_listing_free(&listings[0]);
    code_listing_free(&listings[1]);
    return 0;
}
