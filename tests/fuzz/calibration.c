/* SPDX-License-Identifier: Apache-2.0 */
/* calibration.json: what is read can be written, and says the same when it is read again. */
#include "tests/fuzz/fuzz.h"

#include "judge/calibration.h"

/* Reads, and writes what was read; false where it was refused. */
static bool through(const char *bytes, size_t size, struct buf *out)
{
    struct calibration calibration = {0};
    const struct limits limits = limits_default();
    struct err err = {0};
    buf_init(out, 1 << 20);
    if (calibration_parse(bytes, size, "calibration.json", &limits, &calibration, &err) != 0) {
        fuzz_error(&err);
        HOLDS(calibration.checks == 0); /* untouched */
        return false;
    }
    HOLDS(calibration.wrong <= calibration.checks && calibration.wrong_upper <= 1);
    HOLDS(calibration_format(&calibration, "", out, &err) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_again(through, data, size);
    return 0;
}
