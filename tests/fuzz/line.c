/* SPDX-License-Identifier: Apache-2.0 */
/* A line of the harness: there is one way to write each, so what was read gives the same bytes. */
#include "tests/fuzz/fuzz.h"

#include "measure/lines.h"

/* Is the line that of `line` with its first `numbers` numbers? */
static bool is_written(const struct line *line, size_t numbers, const char *bytes, size_t size)
{
    BUF_AUTO text;
    buf_init(&text, WIRE_LINE_BYTES);
    buf_adds(&text, line_kind_name(line->kind));
    if (line->arm != ARM_COUNT)
        buf_addf(&text, " %s", arm_name(line->arm));
    for (size_t i = 0; i < numbers; i++)
        buf_addf(&text, " %llu", line->numbers[i]);
    if (line->name[0] != '\0')
        buf_addf(&text, " %s", line->name);
    if (line->text[0] != '\0')
        buf_addf(&text, " %s", line->text);
    return !text.failed && text.len == size && memcmp(text.data, bytes, size) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct line line = {.kind = LINE_KINDS};
    struct err err = {0};
    if (line_parse(bytes, size, &line, &err) != 0) {
        fuzz_error(&err);
        HOLDS(line.kind == LINE_KINDS); /* untouched */
        return 0;
    }
    HOLDS(fuzz_is_plain(line.text) && (line.name[0] == '\0' || model_name_ok(line.name)));
    bool written = false;
    for (size_t numbers = 0; numbers <= LINE_NUMBERS; numbers++)
        written = written || is_written(&line, numbers, bytes, size);
    HOLDS(written);
    return 0;
}
