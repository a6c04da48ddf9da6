/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `metrics` of verdict.json, both ways. */
#include "judge/counters.h"

#include "judge/text.h"

#include <string.h>

enum { KEY_BYTES = 32 };

void counters_put(struct buf *out, const struct metric_change *change)
{
    if (change->line[0] == '\0')
        return;
    buf_adds(out, ",\n      \"metrics\": {\"line\": ");
    text_string(out, change->line);
    buf_addf(out, ", \"alike\": %zu, \"moved\": [", change->alike);
    for (size_t i = 0; i < change->count; i++) {
        const struct metric_pair *pair = &change->moved[i];
        buf_addf(out, "%s\n        {\"name\": \"%s\", \"head\": ", i == 0 ? "" : ",",
                 metric_key(pair->metric));
        text_number(out, pair->head);
        buf_adds(out, ", \"against\": ");
        text_number(out, pair->against);
        buf_addc(out, '}');
    }
    buf_adds(out, "]}");
}

/* METRICS: not in the table. */
static enum metric find(const char *key)
{
    int metric = 0;
    while (metric < METRICS && strcmp(metric_key((enum metric)metric), key) != 0)
        metric++;
    return (enum metric)metric;
}

static int get_pair(const json_t *item, const struct json_at *at, struct metric_change *out,
                    struct err *err)
{
    char key[KEY_BYTES];
    struct metric_pair pair;
    if (!json_is_object(item))
        return json_error(at, err, "expected an object");
    if (json_get_string(item, "name", at, key, sizeof key, err) != 0 ||
        json_get_number(item, "head", at, 0, METRIC_MAX, &pair.head, err) != 0 ||
        json_get_number(item, "against", at, 0, METRIC_MAX, &pair.against, err) != 0)
        return -1;
    pair.metric = find(key);
    for (size_t i = 0; i < out->count; i++)
        if (out->moved[i].metric == pair.metric)
            return json_error(at, err, "`%s` stands twice", key);
    if (pair.metric < METRICS)
        out->moved[out->count++] = pair;
    return 0;
}

int counters_get(const json_t *config, const struct json_at *at, struct metric_change *out,
                 struct err *err)
{
    enum { ITEMS_MAX = 64 };
    json_t *metrics, *moved;
    long long alike;
    struct metric_change change = {.line = ""};
    struct json_at here = {.parent = at, .key = "metrics"};
    struct json_at list = {.parent = &here, .key = "moved"};
    if (!json_has(config, "metrics"))
        return 0;
    if (json_get_object(config, "metrics", at, &metrics, err) != 0 ||
        json_get_string(metrics, "line", &here, change.line, sizeof change.line, err) != 0 ||
        json_get_int(metrics, "alike", &here, 0, 1 << 20, &alike, err) != 0 ||
        json_get_array(metrics, "moved", &here, &moved, err) != 0)
        return -1;
    if (json_array_size(moved) > ITEMS_MAX)
        return json_error(&list, err, "expected at most %d", ITEMS_MAX);
    change.alike = (size_t)alike;
    for (size_t i = 0; i < json_array_size(moved); i++) {
        struct json_at item = {.parent = &list, .index = i};
        if (get_pair(json_array_get(moved, i), &item, &change, err) != 0)
            return -1;
    }
    *out = change;
    return 0;
}
