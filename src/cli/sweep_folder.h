/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that a sweep is reported in: samples.json while it is measured, so that a sweep that was cut off goes
 * on where it was, and then what is made of it: sweep.json, sweep.csv, sweep.md, sweep.html and the figures.
 * Files are written whole or not at all. */
#ifndef RATCHET_CLI_SWEEP_FOLDER_H
#define RATCHET_CLI_SWEEP_FOLDER_H

#include "base/err.h"
#include "base/file.h"
#include "intake/config.h"
#include "lab/sweep_result.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>

/* The fact that names what was asked for: the same question goes on, another is refused. */
enum { SWEEP_ASKED_BYTES = FILE_SHA256_BYTES };

/* Device, arms with their machine code, shapes, samples and replicates, as one hash. */
MUST_CHECK int sweep_asked(const char *device, const struct ratchet_config *config,
                           const struct arm_info *codes, const char *const *names,
                           size_t count, char out[SWEEP_ASKED_BYTES], struct err *err);

struct sweep_folder {
    char path[FILE_PATH_BYTES]; /* "": none */
    int lock;
    bool found;            /* an earlier run of the same was here… */
    struct samples before; /* …with this; owned */
};
/* Make it, or go on in it. Another sweep's, or one that somebody is writing, is ERR_INPUT or ERR_CONFLICT. */
MUST_CHECK int sweep_folder_open(const char *path, const char *asked,
                                 const char (*others)[MODEL_NAME_BYTES],
                                 const struct limits *limits, struct sweep_folder *out,
                                 struct err *err);
void sweep_folder_close(struct sweep_folder *folder);

/* What there is up to now. */
MUST_CHECK int sweep_folder_keep(const struct sweep_folder *folder,
                                 const struct samples *samples, const struct limits *limits,
                                 struct err *err);
/* `png`: figures as PNG as well, by what is installed; `said` is a line where nothing is, or "". */
enum { SWEEP_SAID_BYTES = 256 };
MUST_CHECK int sweep_folder_write(const struct sweep_folder *folder,
                                  const struct sweep_result *result, bool png,
                                  char said[SWEEP_SAID_BYTES], struct err *err);

#endif
