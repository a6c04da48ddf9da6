/* SPDX-License-Identifier: Apache-2.0 */
/* env.json, schema ratchet.environment/1: the facts about where something is measured, the same as
 * in samples.json, with a hash of them. And what two sets of facts differ in. Bytes only. */
#ifndef RATCHET_JUDGE_ENVIRONMENT_H
#define RATCHET_JUDGE_ENVIRONMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "model.h"

#include <stdbool.h>

enum { ENVIRONMENT_MAX_BYTES = 1 << 20 /* of an env.json */ };

struct environment_file {
    struct device device;
    struct environment environment; /* owned */
    char hash[MODEL_CODE_BYTES];    /* as the file says */
};
void environment_file_free(struct environment_file *file);
#define ENVIRONMENT_FILE_AUTO \
    __attribute__((cleanup(environment_file_free))) struct environment_file

/* What the hash is of: a line `name=value` for each fact in the order of their names, without
 * readings (environment_is_reading), which are never twice the same. */
MUST_CHECK int environment_hashed(const struct environment *environment, struct buf *out,
                                  struct err *err);

/* `hash` stands in it as it is. ERR_LIMIT where it would be longer than may be read. */
MUST_CHECK int environment_format(const struct device *device,
                                  const struct environment *environment, const char *hash,
                                  struct buf *out, struct err *err);
/* `name` is the file's, for messages. Whether the hash is that of the facts is not asked. */
MUST_CHECK int environment_parse(const char *bytes, size_t len, const char *name,
                                 struct environment_file *out, struct err *err);

/* Can a difference in this fact change how long a launch takes? True for what is not known. */
bool environment_matters(const char *name);

struct environment_count {
    size_t differ, matter;
};
/* Append a line for a terminal for each fact that differs, in the order of `now` and then of
 * `then`; readings are left out. */
struct environment_count environment_compare(const struct environment *then,
                                             const struct environment *now, struct buf *out);

#endif
