/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the format of env.json, and which facts matter for time. Takes no fact itself. */
#include "judge/environment.h"

#include "judge/fields.h"
#include "judge/text.h"

#include <stdlib.h>
#include <string.h>

static const char schema[] = "ratchet.environment/1";

void environment_file_free(struct environment_file *file)
{
    environment_free(&file->environment);
}

/* ---- the file ---- */

static int by_name(const void *left, const void *right)
{
    const struct fact *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

int environment_hashed(const struct environment *environment, struct buf *out, struct err *err)
{
    const struct fact **sorted = calloc(environment->count + 1, sizeof *sorted);
    size_t count = 0;
    if (sorted == NULL)
        return err_set(err, ERR_HOST, "out of memory for the environment");
    for (size_t i = 0; i < environment->count; i++)
        if (!environment_is_reading(environment->facts[i].name))
            sorted[count++] = &environment->facts[i];
    if (count > 0)
        qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s=%s\n", sorted[i]->name, sorted[i]->value);
    free(sorted);
    return buf_check(out, "the environment's facts", err);
}

int environment_format(const struct device *device, const struct environment *environment,
                       const char *hash, struct buf *out, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, ENVIRONMENT_MAX_BYTES);
    buf_addf(&text, "{\n  \"schema\": \"%s\",\n  ", schema);
    fields_put_device(&text, device);
    buf_adds(&text, ",\n  ");
    fields_put_environment(&text, environment, "  ");
    buf_adds(&text, ",\n  \"hash\": ");
    text_string(&text, hash);
    buf_adds(&text, "\n}\n");
    if (buf_check(&text, "env.json", err) != 0)
        return -1;
    buf_add(out, text.data, text.len);
    return buf_check(out, "env.json", err);
}

static int parse(const char *bytes, size_t len, const struct json_at *at,
                 struct environment_file *out, struct err *err)
{
    JSON_AUTO *root = NULL;
    if (fields_open(bytes, len, ENVIRONMENT_MAX_BYTES, at, schema, &root, err) != 0 ||
        fields_get_device(root, at, &out->device, err) != 0 ||
        json_get_string(root, "hash", at, out->hash, sizeof out->hash, err) != 0)
        return -1;
    if (!json_has(root, "environment"))
        return json_error(&(struct json_at){.parent = at, .key = "environment"}, err,
                          "is missing");
    return fields_get_environment(root, at, &out->environment, err);
}

int environment_parse(const char *bytes, size_t len, const char *name,
                      struct environment_file *out, struct err *err)
{
    const struct json_at at = {.key = name};
    struct environment_file read = {.hash = ""};
    if (parse(bytes, len, &at, &read, err) != 0) {
        environment_file_free(&read);
        return -1;
    }
    *out = read;
    return 0;
}

/* ---- differences ---- */

bool environment_matters(const char *name)
{
    /* Where nothing of a launch hangs on them: names for people and of files; how long a process
     * takes to start; memory that no launch uses. */
    static const char *const harmless[] = {"os", "build_output", "persistence", "gpu_memory",
                                           "arm_head"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(name, harmless[i]) == 0)
            return false;
    return true;
}

/* Frameworks are looked for by `ratchet env` alone: where one side has nothing of them, nobody
 * asked. */
static bool is_of_peers(const char *name)
{
    return strncmp(name, "peer_", 5) == 0;
}

/* `then` or `now` NULL: not told. */
static void add_difference(const char *name, const char *then, const char *now,
                           struct environment_count *count, struct buf *out)
{
    bool matters = environment_matters(name) &&
                   !(is_of_peers(name) && (then == NULL || now == NULL));
    count->differ++;
    count->matter += matters;
    buf_adds(out, matters ? "matters   " : "harmless  ");
    text_plain(out, name);
    buf_adds(out, ": ");
    text_plain(out, then == NULL ? "(not told)" : then);
    buf_adds(out, " -> ");
    text_plain(out, now == NULL ? "(not told)" : now);
    buf_addc(out, '\n');
}

struct environment_count environment_compare(const struct environment *then,
                                             const struct environment *now, struct buf *out)
{
    struct environment_count count = {0};
    for (size_t i = 0; i < now->count; i++) {
        const struct fact *fact = &now->facts[i];
        const char *other = environment_get(then, fact->name);
        if (!environment_is_reading(fact->name) &&
            (other == NULL || strcmp(other, fact->value) != 0))
            add_difference(fact->name, other, fact->value, &count, out);
    }
    for (size_t i = 0; i < then->count; i++) {
        const struct fact *fact = &then->facts[i];
        if (!environment_is_reading(fact->name) && environment_get(now, fact->name) == NULL)
            add_difference(fact->name, fact->value, NULL, &count, out);
    }
    return count;
}
