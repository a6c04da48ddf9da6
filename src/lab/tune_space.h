/* SPDX-License-Identifier: Apache-2.0 */
/* The candidates of `ratchet autotune`: other values for macros that the kernel's sources define. What
 * is built and measured of a candidate are the sources with these lines changed, which is what the
 * patch does; no flag of a compiler is in play. Bytes and memory only. */
#ifndef RATCHET_LAB_TUNE_SPACE_H
#define RATCHET_LAB_TUNE_SPACE_H

#include "base/buf.h"
#include "base/err.h"
#include "intake/config.h"

#include <stdbool.h>
#include <stddef.h>

enum { TUNE_FILES_MAX = TUNE_PARAMETERS_MAX, TUNE_CANDIDATES_MAX = 4096 };

/* Where the sources define a parameter: `#define NAME 64`, the number from `start` to `end`. */
struct tune_place {
    size_t file; /* of struct tune_sources; SIZE_MAX: not found yet */
    size_t start, end;
    long long today;
};

struct tune_file {
    char path[256]; /* in the tree */
    struct buf text;
};

struct tune_sources {
    struct tune_file files[TUNE_FILES_MAX]; /* those that define a parameter */
    size_t file_count;
    struct tune_place places[TUNE_PARAMETERS_MAX];
};
/* Begin with tune_sources_init; file after file is looked through. One more definition of a parameter,
 * or one that is no whole number, is ERR_INPUT. */
void tune_sources_init(struct tune_sources *sources);
void tune_sources_free(struct tune_sources *sources);
MUST_CHECK int tune_sources_add(struct tune_sources *sources, const struct tune_space *space,
                                const char *path, const char *text, size_t len,
                                struct err *err);
/* Every parameter must have been found. */
MUST_CHECK int tune_sources_check(const struct tune_sources *sources,
                                  const struct tune_space *space, struct err *err);

struct tune_candidate {
    long long values[TUNE_PARAMETERS_MAX];
};
/* All combinations that the constraints allow, but for today's, which may itself lie outside: first
 * those that differ from it in one value, then in two, and so on; at random (by `seed`) among equals,
 * so that a search that is cut off has looked everywhere a little. More than TUNE_CANDIDATES_MAX is
 * ERR_INPUT. The caller frees *out. */
MUST_CHECK int tune_candidates(const struct tune_space *space,
                               const struct tune_sources *sources, unsigned long long seed,
                               struct tune_candidate **out, size_t *count, struct err *err);

/* What the constraints forbid: one for each of them, of which a combination counts for the first alone. The names
 * are of a few: "TILE 64, STAGES 3; …". */
enum { TUNE_FORBIDDEN_SHOWN = 8 };
struct tune_forbidden {
    const char *constraint; /* of the space */
    size_t count;
    struct buf names; /* owned */
};
/* Of constraint_count elements; *total: all combinations there are. The caller frees the names in any case. */
MUST_CHECK int tune_forbidden(const struct tune_space *space,
                              struct tune_forbidden out[TUNE_CONSTRAINTS_MAX], size_t *total,
                              struct err *err);

/* A file as the candidate has it. *changed: it differs from today's. */
MUST_CHECK int tune_edit(const struct tune_sources *sources, const struct tune_space *space,
                         const struct tune_candidate *candidate, size_t file, struct buf *out,
                         bool *changed, struct err *err);

/* "BLOCK_K 64 → 32, STAGES 2 → 3" */
void tune_words(const struct tune_space *space, const struct tune_sources *sources,
                const struct tune_candidate *candidate, struct buf *out);

/* What `git apply` takes from today's sources to the candidate's. */
MUST_CHECK int tune_patch(const struct tune_sources *sources, const struct tune_space *space,
                          const struct tune_candidate *candidate, struct buf *out,
                          struct err *err);

#endif
