/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.json: what is read can be written, and says the same when it is read again; and the table
 * for the terminal holds nothing that a terminal would act on. */
#include "tests/fuzz/fuzz.h"

#include "judge/verdict.h"

enum { TEXT_BYTES = 16 << 20 };

/* Reads, and writes what was read; false where it was refused. */
static bool through(const char *bytes, size_t size, struct buf *out, struct buf *table)
{
    __attribute__((cleanup(comparison_free))) struct comparison comparison = {0};
    struct err err = {0};
    buf_init(out, TEXT_BYTES);
    buf_init(table, TEXT_BYTES);
    if (verdict_parse_json(bytes, size, "verdict.json", &comparison, &err) != 0) {
        fuzz_error(&err);
        HOLDS(comparison.configs == NULL); /* untouched */
        return false;
    }
    HOLDS(verdict_format_json(&comparison, out, &err) == 0);
    verdict_format_table(&comparison, table);
    HOLDS(!table->failed);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BUF_AUTO first, second, table, again;
    buf_init(&second, 0);
    buf_init(&again, 0);
    if (!through((const char *)data, size, &first, &table))
        return 0;
    HOLDS(through(first.data, first.len, &second, &again));
    HOLDS(fuzz_same(&first, &second) && fuzz_same(&table, &again));
    for (size_t i = 0; i < table.len; i++)
        HOLDS(table.data[i] == '\n' ||
              ((unsigned char)table.data[i] >= 0x20 && table.data[i] != 0x7f));
    return 0;
}
