/* SPDX-License-Identifier: Apache-2.0 */
/* The implementations of a sweep, from the command line and from files: libraries with their names, those that
 * are not there and why, ceilings of the device, and folders that libraries need. A file is git-config:
 *
 *     [arm "flash"]
 *         library = /tmp/peers/peer-flash.so
 *         version = PyTorch 2.8.0, CUDA 12.8
 *     [arm "xformers"]
 *         absent = not installed: No module named 'xformers'
 *     [ceiling]
 *         copy = /tmp/ceilings/copy.so
 *         matrix = /tmp/ceilings/matrix.so
 *     [sandbox]
 *         expose = /opt/venv/lib/python3.11/site-packages */
#ifndef RATCHET_CLI_SWEEP_ARMS_H
#define RATCHET_CLI_SWEEP_ARMS_H

#include "base/err.h"
#include "base/file.h"
#include "lab/sweep_result.h"
#include "limit.h"
#include "measure/sandbox.h"
#include "model.h"

#include <limits.h>
#include <stddef.h>

enum { ARMS_ABSENT_MAX = 16, ARMS_TEXT_BYTES = 256 };

struct arm_library {
    char name[MODEL_NAME_BYTES]; /* "": none */
    char library[PATH_MAX];
    char version[ARMS_TEXT_BYTES]; /* "" where nobody said */
    struct arm_info info;
};

struct arm_absent {
    char name[MODEL_NAME_BYTES];
    char why[ARMS_TEXT_BYTES];
};

struct sweep_arms {
    struct arm_library list[SWEEP_ARMS_MAX]; /* the first is head, the rest follow ARM_OTHER */
    size_t count;
    char others[ARM_OTHERS_MAX][MODEL_NAME_BYTES];
    struct arm_absent absent[ARMS_ABSENT_MAX];
    size_t absent_count;
    struct arm_library copy, matrix;
    struct sandbox_bind expose[SANDBOX_EXPOSED_MAX];
    char expose_as[SANDBOX_EXPOSED_MAX][FILE_PATH_BYTES]; /* as they were named… */
    char exposed[SANDBOX_EXPOSED_MAX][FILE_PATH_BYTES];   /* …and what they lead to */
    size_t expose_count;
};

/* "NAME=LIBRARY". What a library exports is read from its file, nothing is loaded. */
MUST_CHECK int sweep_arms_add(struct sweep_arms *arms, const char *text,
                              const struct limits *limits, struct err *err);
/* "copy=LIBRARY" or "matrix=LIBRARY". */
MUST_CHECK int sweep_arms_add_ceiling(struct sweep_arms *arms, const char *text,
                                      const struct limits *limits, struct err *err);
/* A folder; not one that holds `state`. */
MUST_CHECK int sweep_arms_expose(struct sweep_arms *arms, const char *folder,
                                 const char *state, struct err *err);
/* All that a file names. */
MUST_CHECK int sweep_arms_read(struct sweep_arms *arms, const char *path, const char *state,
                               const struct limits *limits, struct err *err);

/* Facts on the arms, for the samples. */
MUST_CHECK int sweep_arms_facts(const struct sweep_arms *arms, struct environment *environment,
                                struct err *err);

#endif
