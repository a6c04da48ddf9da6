/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files as tables: which sections there are, which keys they take, who reads a
 * value and where it goes. Shared by ci/ratchet.conf and ratchetd.conf. Refuses unknown
 * sections and keys with the list of those allowed, and a second value of a single key. */
#ifndef RATCHET_INTAKE_KEYS_H
#define RATCHET_INTAKE_KEYS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys_section {
    const char *name;
    const char *of; /* what a subsection names, such as "device"; NULL: it takes none */
};

struct key;
/* How values of one kind are written and read. */
struct key_type {
    const char *name;
    /* Reads `value` into `target`; `where` is "file: section.key". */
    int (*read)(void *target, const struct key *key, const char *value, const char *where,
                struct err *err);
    /* Which values are taken, for people; NULL: the name says it. */
    void (*range)(const struct key *key, struct buf *out);
    /* key->number as a file has it; NULL: no number. */
    void (*show)(const struct key *key, struct buf *out);
};

/* All that there is to say of a key, in one row. One that is left out has `initial`, or else
 * means `otherwise`, or else is `number`. */
struct key {
    unsigned section; /* index of its section */
    const char *name;
    const struct key_type *type;
    size_t offset, size;      /* of the field in the target, for the types below */
    double min, max;          /* likewise; in ns for times */
    const char *const *words; /* key_choice: those for 0, 1 …, then NULL */
    const char *initial;   /* as a file has it; of a repeated key "6, 8": see keys_initial */
    const char *otherwise; /* in words */
    double number;         /* what the target holds before anything is read */
    const char *help;      /* one line, for people */
    bool repeat;           /* may stand more than once */
    bool required;         /* see keys_require */
};

struct keys_table {
    const struct keys_section *sections;
    size_t section_count;
    const struct key *keys;
    size_t key_count; /* at most KEYS_MAX */
};

/* One bit per key of a table. */
typedef unsigned __int128 keys_seen;
enum { KEYS_MAX = 128 };

/* Where the values of a section go. */
struct keys_target {
    void *target;
    keys_seen *seen;
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
                            const char *subsection, keys_seen seen, const char *name,
                            struct err *err);

/* Give each key of a section that is not in `seen` its `initial`. */
MUST_CHECK int keys_initial(const struct keys_table *table, unsigned section, void *target,
                            keys_seen seen, struct err *err);

/* The table for people: two lines a key, with name, default, type and range, and its help. */
void keys_help(const struct keys_table *table, struct buf *out);

/* What a field holds decides what a key's type can be: the comment names it. */
extern const struct key_type key_text;  /* char[size]: one line without control characters */
extern const struct key_type key_shell; /* char[size]: likewise, for /bin/sh -c; see cut.h */
extern const struct key_type key_unsigned; /* unsigned */
extern const struct key_type key_int;      /* int */
extern const struct key_type key_natural;  /* unsigned long long, any up to 2^63 - 1 */
extern const struct key_type key_ratio;    /* double: 3% or 0.03 */
extern const struct key_type key_duration; /* double, in ns */
extern const struct key_type key_seconds;  /* unsigned, in whole seconds */
extern const struct key_type key_size;     /* unsigned long long, from 1; 64k, 2g */
extern const struct key_type key_choice;   /* bool or enum: one of some words */
extern const struct key_type key_bool;     /* bool, as git has it */

#endif
