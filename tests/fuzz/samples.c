/* SPDX-License-Identifier: Apache-2.0 */
/* samples.json: what is read can be written, and says the same when it is read again. */
#include "tests/fuzz/fuzz.h"

#include "judge/samples.h"

enum { TEXT_BYTES = 16 << 20 };

static const struct limits *limits(void)
{
    static struct limits ours;
    ours = limits_default();
    return &ours;
}

/* Reads, and writes what was read; false where it was refused. */
static bool through(const char *bytes, size_t size, struct buf *out)
{
    __attribute__((cleanup(samples_free))) struct samples samples = {0};
    struct err err = {0};
    buf_init(out, TEXT_BYTES);
    if (samples_parse(bytes, size, "samples.json", limits(), &samples, &err) != 0) {
        fuzz_error(&err);
        HOLDS(samples.configs == NULL); /* untouched */
        return false;
    }
    HOLDS(samples_format(&samples, out, &err) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    fuzz_again(through, bytes, size);
    __attribute__((cleanup(samples_free))) struct samples against = {0};
    struct err err = {0};
    if (samples_parse_against(bytes, size, "samples.json", "fast", limits(), &against, &err) !=
        0)
        fuzz_error(&err);
    return 0;
}
