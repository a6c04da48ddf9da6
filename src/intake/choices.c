/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the form of choices, and which configs they name. */
#include "intake/choices.h"

#include "intake/config.h"
#include "intake/values.h"

#include <stdio.h>
#include <string.h>

static bool says_something(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value != NULL && !json_is_null(value) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

/* ---- reading ---- */

static int add_pattern(const char *pattern, size_t len, const struct json_at *here,
                       struct choices *out, struct err *err)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.*?";
    if (len >= MODEL_NAME_BYTES || strspn(pattern, letters) < len)
        return json_error(here, err,
                          "expected names of configs, `*` and `?` for any letters, not `%.*s`",
                          len < MODEL_NAME_BYTES ? (int)len : MODEL_NAME_BYTES, pattern);
    size_t end = strlen(out->configs); /* no longer than the text that was given */
    snprintf(out->configs + end, sizeof out->configs - end, "%s%.*s", end == 0 ? "" : " ",
             (int)len, pattern);
    return 0;
}

static int read_configs(const json_t *object, const struct json_at *at, struct choices *out,
                        struct err *err)
{
    static const char between[] = ", ";
    char text[CHOICES_TEXT_BYTES];
    const struct json_at here = {.parent = at, .key = "configs"};
    if (json_get_string(object, "configs", at, text, sizeof text, err) != 0)
        return -1;
    for (const char *rest = text + strspn(text, between); *rest != '\0';) {
        size_t len = strcspn(rest, between);
        if (add_pattern(rest, len, &here, out, err) != 0)
            return -1;
        rest += len + strspn(rest + len, between);
    }
    return out->configs[0] != '\0' ? 0 : json_error(&here, err, "expected names of configs");
}

static int read_budget(const json_t *object, const struct json_at *at, struct choices *out,
                       struct err *err)
{
    char text[32];
    double ns;
    struct err ignored;
    const struct json_at here = {.parent = at, .key = "budget"};
    if (json_get_string(object, "budget", at, text, sizeof text, err) != 0)
        return -1;
    if (value_duration_ns(text, BUDGET_LEAST_NS, BUDGET_MOST_NS, "budget", &ns, &ignored) != 0)
        return json_error(&here, err,
                          "expected a time from 1s to 24h, such as `90s` or `10m`, not `%s`",
                          text);
    out->budget_s = (unsigned)(ns / 1e9);
    return 0;
}

/* A box of a form is "true" or "false". */
static int read_profile(const json_t *object, const struct json_at *at, struct choices *out,
                        struct err *err)
{
    const json_t *value = json_object_get(object, "profile");
    const struct json_at here = {.parent = at, .key = "profile"};
    const char *word = json_is_string(value) ? json_string_value(value) : "";
    if (!json_is_boolean(value) && strcmp(word, "true") != 0 && strcmp(word, "false") != 0)
        return json_error(&here, err, "expected true or false");
    out->profile = json_is_true(value) || strcmp(word, "true") == 0;
    return 0;
}

int choices_read(const json_t *object, const struct json_at *at, struct choices *out,
                 struct err *err)
{
    struct choices choices = {0};
    if ((says_something(object, "configs") && read_configs(object, at, &choices, err) != 0) ||
        (says_something(object, "budget") && read_budget(object, at, &choices, err) != 0) ||
        (says_something(object, "profile") && read_profile(object, at, &choices, err) != 0))
        return -1;
    *out = choices;
    return 0;
}

json_t *choices_json(const struct choices *choices)
{
    char budget[16] = "";
    if (choices->budget_s > 0)
        snprintf(budget, sizeof budget, "%us", choices->budget_s);
    return json_pack("{s:s, s:s, s:b}", "configs", choices->configs, "budget", budget,
                     "profile", (int)choices->profile);
}

/* ---- matching ---- */

/* In at most length times length steps, whatever was written. */
static bool matches(const char *pattern, size_t len, const char *name)
{
    const char *const end = pattern + len;
    const char *star = NULL, *from = NULL; /* the last `*`, and where what it took ends */
    while (*name != '\0') {
        if (pattern < end && *pattern == '*') {
            star = pattern++;
            from = name;
        } else if (pattern < end && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool choices_have(const struct choices *choices, const char *config)
{
    bool found = choices->configs[0] == '\0';
    for (const char *at = choices->configs; *at != '\0' && !found;) {
        size_t len = strcspn(at, " ");
        found = matches(at, len, config);
        at += len + (at[len] == ' ');
    }
    return found;
}
