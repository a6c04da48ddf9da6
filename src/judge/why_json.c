/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `why` of verdict.json, both ways. */
#include "judge/why.h"

#include "judge/fields.h"
#include "judge/text.h"

static void put_code(struct buf *out, const char *key, const struct machine_code *code)
{
    const char *before = "";
    buf_addf(out, "\"%s\": {", key);
    if (code->name[0] != '\0') {
        buf_adds(out, "\"name\": ");
        text_string(out, code->name);
        before = ", ";
    }
    for (int fact = 0; fact < CODE_FACTS; fact++) {
        if (code->facts[fact] < 0)
            continue;
        buf_addf(out, "%s\"%s\": %lld", before, code_fact_key((enum code_fact)fact),
                 code->facts[fact]);
        before = ", ";
    }
    buf_addc(out, '}');
}

void why_put(struct buf *out, const struct code_change *change)
{
    if (change->line[0] == '\0')
        return;
    buf_adds(out, ",\n      \"why\": {\"line\": ");
    text_string(out, change->line);
    buf_addf(out, ", \"alike\": %zu, \"unpaired\": %zu, \"left_out\": %zu, \"kernels\": [",
             change->alike, change->unpaired, change->left_out);
    for (size_t i = 0; i < change->count; i++) {
        buf_adds(out, i == 0 ? "\n        {" : ",\n        {");
        put_code(out, "head", &change->pairs[i].head);
        buf_adds(out, ",\n         ");
        put_code(out, "against", &change->pairs[i].against);
        buf_addc(out, '}');
    }
    buf_adds(out, "]}");
}

static int get_code(const json_t *pair, const char *key, const struct json_at *at,
                    struct machine_code *out, struct err *err)
{
    json_t *object;
    struct json_at here = {.parent = at, .key = key};
    *out = machine_code_none();
    if (json_get_object(pair, key, at, &object, err) != 0 ||
        fields_get_text(object, "name", &here, out->name, sizeof out->name, err) != 0)
        return -1;
    for (int fact = 0; fact < CODE_FACTS; fact++) {
        const char *name = code_fact_key((enum code_fact)fact);
        if (json_has(object, name) &&
            json_get_int(object, name, &here, 0, CODE_FACT_MAX, &out->facts[fact], err) != 0)
            return -1;
    }
    return 0;
}

static int get_pairs(const json_t *why, const struct json_at *at, struct code_change *out,
                     struct err *err)
{
    json_t *kernels;
    struct json_at here = {.parent = at, .key = "kernels"};
    if (json_get_array(why, "kernels", at, &kernels, err) != 0)
        return -1;
    size_t count = json_array_size(kernels);
    if (count > CODE_PAIRS_MAX)
        return json_error(&here, err, "expected at most %d", CODE_PAIRS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct json_at item = {.parent = &here, .index = i};
        const json_t *pair = json_array_get(kernels, i);
        if (!json_is_object(pair))
            return json_error(&item, err, "expected an object");
        if (get_code(pair, "head", &item, &out->pairs[i].head, err) != 0 ||
            get_code(pair, "against", &item, &out->pairs[i].against, err) != 0)
            return -1;
    }
    out->count = count;
    return 0;
}

int why_get(const json_t *config, const struct json_at *at, struct code_change *out,
            struct err *err)
{
    json_t *why;
    struct code_change change = {.line = ""};
    struct json_at here = {.parent = at, .key = "why"};
    const struct {
        const char *key;
        size_t *to;
    } counts[] = {{"alike", &change.alike},
                  {"unpaired", &change.unpaired},
                  {"left_out", &change.left_out}};
    if (!json_has(config, "why"))
        return 0;
    if (json_get_object(config, "why", at, &why, err) != 0 ||
        json_get_string(why, "line", &here, change.line, sizeof change.line, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        long long count;
        if (json_get_int(why, counts[i].key, &here, 0, 1 << 20, &count, err) != 0)
            return -1;
        *counts[i].to = (size_t)count;
    }
    if (get_pairs(why, &here, &change, err) != 0)
        return -1;
    *out = change;
    return 0;
}
