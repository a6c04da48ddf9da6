/* SPDX-License-Identifier: Apache-2.0 */
/* Where this host's profiler lies: the program to start, and the folder that it needs beside it. */
#ifndef RATCHET_MEASURE_PROFILER_H
#define RATCHET_MEASURE_PROFILER_H

#include "base/err.h"
#include "base/file.h"
#include "measure/device/device.h"

#include <stdbool.h>

struct profiler {
    char program[FILE_PATH_BYTES]; /* without links */
    char root[FILE_PATH_BYTES];    /* its installation */
    bool script;                   /* the program is one: it needs a shell and its tools */
};

/* `path` as the host names it; "": the one that comes with the compiler of this kind of device, else the
 * one on PATH. ERR_NOT_FOUND: there is none. */
MUST_CHECK int profiler_find(const char *path, const struct device_kind *kind,
                             struct profiler *out, struct err *err);

#endif
