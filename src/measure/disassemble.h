/* SPDX-License-Identifier: Apache-2.0 */
/* What a library's machine code is made of: its device's disassembler in the build sandbox (the
 * library may be a stranger's, and so is what reads it then), and its text read. */
#ifndef RATCHET_MEASURE_DISASSEMBLE_H
#define RATCHET_MEASURE_DISASSEMBLE_H

#include "base/err.h"
#include "codefacts.h"

#include <sys/types.h>

struct disassemble_request {
    const char *device;     /* slug */
    const char *capability; /* of the GPU, "9.0"; "" on a processor */
    const char *library;    /* absolute path */
    unsigned wall_ms;       /* then it is stopped */
    uid_t uid;              /* as struct sandbox */
    gid_t gid;
};

/* What runs in its sandbox, and where the library is found there. */
extern const char disassemble_script[];
#define DISASSEMBLE_LIBRARY "/run/library.so"

/* The library's kernels, owned by the caller; none where the device has no disassembler. No tool,
 * one that fails, too much text or too little time are errors of their own class with one line:
 * nothing depends on it. */
MUST_CHECK int disassemble(const struct disassemble_request *request, struct code_listing *out,
                           struct err *err);

#endif
