/* SPDX-License-Identifier: Apache-2.0 */
/* baseline.json: what is read can be written, and says the same when it is read again. */
#include "tests/fuzz/fuzz.h"

#include "judge/baseline.h"

enum { TEXT_BYTES = 16 << 20 };

/* Reads, and writes what was read; false where it was refused. */
static bool through(const char *bytes, size_t size, struct buf *out)
{
    __attribute__((cleanup(baseline_free))) struct baseline baseline = {0};
    const struct limits limits = limits_default();
    struct err err = {0};
    buf_init(out, TEXT_BYTES);
    if (baseline_parse(bytes, size, "baseline.json", &limits, &baseline, &err) != 0) {
        fuzz_error(&err);
        HOLDS(baseline.configs == NULL); /* untouched */
        return false;
    }
    HOLDS(baseline_format(&baseline, out, &err) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_again(through, data, size);
    return 0;
}
