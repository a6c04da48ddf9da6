/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet study --verify`: is a study what its files say, and does it hold here? */
#ifndef RATCHET_CLI_STUDY_VERIFY_H
#define RATCHET_CLI_STUDY_VERIFY_H

#include "base/err.h"

#include <stdbool.h>

struct study_verifying {
    const char *folder, *repo, *config;
    bool no_measure, quiet;
};

/* Makes every document again from the raw samples and compares byte for byte: what differs is printed, and
 * ERR_INPUT. Then, unless `no_measure`, measures the study's kernels on its kind of device and judges the best one
 * against the study's own samples of it: the exit code is that verdict's. A host without such a device, or a
 * repository without the commit, is unmeasured. */
MUST_CHECK int study_verify(const struct study_verifying *verifying, struct err *err);

#endif
