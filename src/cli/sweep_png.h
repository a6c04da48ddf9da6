/* SPDX-License-Identifier: Apache-2.0 */
/* From SVG to PNG, by a program of the host's. What cannot be done is a line for people and no error: the SVG is
 * there. */
#ifndef RATCHET_CLI_SWEEP_PNG_H
#define RATCHET_CLI_SWEEP_PNG_H

#include "base/file.h"

#include <stddef.h>

enum { PNG_SAID_BYTES = 256 };

struct png_program {
    char path[FILE_PATH_BYTES];
    size_t kind;
};
/* The first that is installed; `said` is "" or says that none is. */
void png_find(struct png_program *out, char said[PNG_SAID_BYTES]);
/* FOLDER/NAME.svg to FOLDER/NAME.png, twice as large. */
void png_convert(const struct png_program *program, const char *folder, const char *name,
                 char said[PNG_SAID_BYTES]);

#endif
