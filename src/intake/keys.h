/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files as tables: which sections there are, which keys they take, who reads a
 * value and where it goes. Shared by ci/ratchet.conf and ratchetd.conf. Refuses unknown
 * sections and keys with the list of those allowed, and a second value of a single key. */
#ifndef RATCHET_INTAKE_KEYS_H
#define RATCHET_INTAKE_KEYS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys_section {
    const char *name;
    const char *of; /* what a subsection names, such as "device"; NULL: it takes none */
};

struct key {
    unsigned section; /* index of its section */
    const char *name;
    /* Reads `value` into `target`; `where` is "file: section.key". */
    int (*read)(void *target, const struct key *key, const char *value, const char *where,
                struct err *err);
    size_t offset, size; /* in the target, for the readers below */
    double min, max;     /* likewise */
    bool repeat;         /* may stand more than once */
    bool required;       /* see keys_require */
};

struct keys_table {
    const struct keys_section *sections;
    size_t section_count;
    const struct key *keys;
    size_t key_count; /* at most 64 */
};

/* Where the values of a section go. `seen` has one bit per key of the table. */
struct keys_target {
    void *target;
    uint64_t *seen;
};

/* Read `text`. `open` is called for every section met, empty ones too, perhaps several times
 * for one; it finds or makes the target. */
MUST_CHECK int keys_read(const struct keys_table *table, const char *text, size_t len,
                         const char *name,
                         int (*open)(void *context, unsigned section, const char *subsection,
                                     struct keys_target *out, struct err *err),
                         void *context, struct err *err);

/* Read one value into an open section, `file` for messages: what keys_read does with each. */
MUST_CHECK int keys_read_one(const struct keys_table *table, unsigned section,
                             const char *subsection, const char *name, const char *value,
                             struct keys_target *target, const char *file, struct err *err);

/* Are the required keys of a section there? */
MUST_CHECK int keys_require(const struct keys_table *table, unsigned section,
                            const char *subsection, uint64_t seen, const char *name,
                            struct err *err);

/* Readers: text (1 to size - 1 bytes, no control characters), unsigned, ratio (double),
 * duration in ns (double), duration in whole seconds (unsigned). */
int key_text(void *target, const struct key *key, const char *value, const char *where,
             struct err *err);
int key_unsigned(void *target, const struct key *key, const char *value, const char *where,
                 struct err *err);
int key_ratio(void *target, const struct key *key, const char *value, const char *where,
              struct err *err);
int key_duration(void *target, const struct key *key, const char *value, const char *where,
                 struct err *err);
int key_seconds(void *target, const struct key *key, const char *value, const char *where,
                struct err *err);

#endif
