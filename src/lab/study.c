/* SPDX-License-Identifier: Apache-2.0 */
/* Owns study.json, both ways, and what can be said of its steps alone. */
#include "lab/study.h"

#include "judge/fields.h"
#include "judge/text.h"

#include <string.h>

enum { FILE_BYTES = 4 << 20 };
static const double seconds_max = 1e9, speedup_max = 1e6;

static const char *const phases[STUDY_PHASES] = {
    "environment", "benchmark", "backends", "shapes", "optimise", "end", "report"};
static const char *const states[] = {"open", "done", "skipped", "failed"};

const char *study_phase_name(enum study_phase phase)
{
    return phases[phase];
}

const char *study_state_name(enum study_state state)
{
    return states[state];
}

const struct study_step *study_step_find(const struct study *study, enum study_phase phase,
                                         const char *name)
{
    for (size_t i = 0; i < study->step_count; i++)
        if (study->steps[i].phase == phase &&
            (name[0] == '\0' || strcmp(study->steps[i].name, name) == 0))
            return &study->steps[i];
    return NULL;
}

double study_seconds(const struct study *study)
{
    double sum = 0;
    for (size_t i = 0; i < study->step_count; i++)
        sum += study->steps[i].seconds;
    return sum;
}

double study_cost(const struct study *study)
{
    return price_micro_of(&study->price, study_seconds(study));
}

/* ---- writing ---- */

static void put_text(struct buf *out, const char *before, const char *text)
{
    buf_adds(out, before);
    text_string(out, text);
}

static void put_number(struct buf *out, const char *before, double number)
{
    buf_adds(out, before);
    text_number(out, number);
}

static void put_asked(struct buf *out, const struct study_asked *asked)
{
    put_text(out, "  \"asked\": {\"device\": ", asked->device);
    put_text(out, ", \"commit\": ", asked->commit);
    put_number(out, ", \"target_speedup\": ", asked->target_speedup);
    put_number(out, ", \"budget_s\": ", asked->budget_s);
    put_number(out, ", \"proposals\": ", (double)asked->proposals);
    put_text(out, ", \"hash\": ", asked->hash);
    buf_adds(out, "},\n");
}

static void put_step(struct buf *out, const struct study_step *step)
{
    put_text(out, "    {\"phase\": ", phases[step->phase]);
    put_text(out, ", \"name\": ", step->name);
    put_text(out, ", \"state\": ", states[step->state]);
    put_number(out, ", \"seconds\": ", step->seconds);
    if (step->why[0] != '\0')
        put_text(out, ",\n     \"why\": ", step->why);
    if (step->command[0] != '\0')
        put_text(out, ",\n     \"command\": ", step->command);
    if (step->phase == STUDY_OPTIMISE)
        buf_addf(out, ",\n     \"proposal\": %s, \"kept\": %s",
                 step->proposal ? "true" : "false", step->kept ? "true" : "false");
    buf_addc(out, '}');
}

static void put_study(struct buf *out, const struct study *study)
{
    put_text(out, "{\n  \"schema\": ", STUDY_SCHEMA);
    put_text(out, ",\n  \"ratchet\": ", study->version);
    put_text(out, ",\n  \"started\": ", study->started);
    buf_adds(out, ",\n");
    put_asked(out, &study->asked);
    put_text(out, "  \"best\": ", study->best);
    put_number(out, ",\n  \"estimate_s\": ", study->estimate_s);
    if (study->price.currency[0] != '\0') {
        put_number(out, ",\n  \"price\": {\"per_hour\": ", (double)study->price.micro / 1e6);
        put_text(out, ", \"currency\": ", study->price.currency);
        buf_addc(out, '}');
    }
    buf_adds(out, ",\n  \"steps\": [");
    for (size_t i = 0; i < study->step_count; i++) {
        buf_adds(out, i > 0 ? ",\n" : "\n");
        put_step(out, &study->steps[i]);
    }
    buf_adds(out, "\n  ]\n}\n");
}

/* ---- reading ---- */

/* `names` of `count` words; which one is it? */
static int get_word(const json_t *object, const char *key, const struct json_at *at,
                    const char *const *names, size_t count, size_t *out, struct err *err)
{
    char word[32];
    struct json_at here = {.parent = at, .key = key};
    if (json_get_string(object, key, at, word, sizeof word, err) != 0)
        return -1;
    for (*out = 0; *out < count; ++*out)
        if (strcmp(names[*out], word) == 0)
            return 0;
    return json_error(&here, err, "`%s` is none of those that there are", word);
}

static int get_asked(const json_t *root, const struct json_at *at, struct study_asked *out,
                     struct err *err)
{
    json_t *asked;
    struct json_at here = {.parent = at, .key = "asked"};
    struct json_at device = {.parent = &here, .key = "device"};
    long long proposals;
    if (json_get_object(root, "asked", at, &asked, err) != 0 ||
        json_get_string(asked, "device", &here, out->device, sizeof out->device, err) != 0 ||
        json_get_sha(asked, "commit", &here, out->commit, err) != 0 ||
        json_get_number(asked, "target_speedup", &here, 0, speedup_max, &out->target_speedup,
                        err) != 0 ||
        json_get_number(asked, "budget_s", &here, 0, seconds_max, &out->budget_s, err) != 0 ||
        json_get_int(asked, "proposals", &here, 0, STUDY_STEPS_MAX, &proposals, err) != 0 ||
        json_get_sha256(asked, "hash", &here, out->hash, err) != 0)
        return -1;
    out->proposals = (size_t)proposals;
    return model_name_ok(out->device) ? 0 : json_error(&device, err, "no name of a device");
}

static int get_price(const json_t *root, const struct json_at *at, struct price *out,
                     struct err *err)
{
    json_t *price;
    double per_hour;
    struct json_at here = {.parent = at, .key = "price"};
    if (!json_has(root, "price"))
        return 0;
    if (json_get_object(root, "price", at, &price, err) != 0 ||
        json_get_number(price, "per_hour", &here, 0, (double)PRICE_MICRO_MAX / 1e6, &per_hour,
                        err) != 0 ||
        json_get_string(price, "currency", &here, out->currency, sizeof out->currency, err) !=
            0)
        return -1;
    out->micro = (unsigned long long)(per_hour * 1e6 + 0.5);
    return 0;
}

static int get_step(const json_t *object, const struct json_at *at, struct study_step *out,
                    struct err *err)
{
    size_t phase, state;
    struct json_at name = {.parent = at, .key = "name"};
    if (get_word(object, "phase", at, phases, STUDY_PHASES, &phase, err) != 0 ||
        get_word(object, "state", at, states, sizeof states / sizeof *states, &state, err) !=
            0 ||
        json_get_string(object, "name", at, out->name, sizeof out->name, err) != 0 ||
        fields_get_text(object, "why", at, out->why, sizeof out->why, err) != 0 ||
        fields_get_text(object, "command", at, out->command, sizeof out->command, err) != 0 ||
        json_get_number(object, "seconds", at, 0, seconds_max, &out->seconds, err) != 0)
        return -1;
    out->phase = (enum study_phase)phase;
    out->state = (enum study_state)state;
    if (!model_name_ok(out->name)) /* it becomes a folder's */
        return json_error(&name, err, "expected letters, digits, `_`, `-` and `.`");
    return out->phase != STUDY_OPTIMISE ? 0
           : json_get_bool(object, "proposal", at, &out->proposal, err) != 0 ||
                   json_get_bool(object, "kept", at, &out->kept, err) != 0
               ? -1
               : 0;
}

/* A name counts once in its phase, and what was kept was proposed. */
static int check_step(const struct study *study, const struct study_step *step,
                      const struct json_at *at, struct err *err)
{
    if (study_step_find(study, step->phase, step->name) != NULL)
        return json_error(at, err, "`%s` is there already", step->name);
    if (step->kept && !step->proposal)
        return json_error(at, err, "kept, but it was not measured");
    return 0;
}

static int get_steps(const json_t *root, const struct json_at *at, struct study *out,
                     struct err *err)
{
    json_t *steps;
    struct json_at list = {.parent = at, .key = "steps"};
    if (json_get_array(root, "steps", at, &steps, err) != 0)
        return -1;
    if (json_array_size(steps) > STUDY_STEPS_MAX)
        return json_error(&list, err, "more than %d", STUDY_STEPS_MAX);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        struct json_at here = {.parent = &list, .index = i};
        struct study_step step = {0};
        if (!json_is_object(json_array_get(steps, i)))
            return json_error(&here, err, "expected an object");
        if (get_step(json_array_get(steps, i), &here, &step, err) != 0 ||
            check_step(out, &step, &here, err) != 0)
            return -1;
        out->steps[out->step_count++] = step;
    }
    return 0;
}

int study_parse(const char *bytes, size_t len, const char *name, struct study *out,
                struct err *err)
{
    const struct json_at at = {.key = name};
    JSON_AUTO *root = NULL;
    *out = (struct study){.path = ""};
    if (fields_open(bytes, len, FILE_BYTES, &at, STUDY_SCHEMA, &root, err) != 0 ||
        json_get_string(root, "ratchet", &at, out->version, sizeof out->version, err) != 0 ||
        fields_get_time(root, "started", &at, out->started, err) != 0 ||
        get_asked(root, &at, &out->asked, err) != 0 ||
        json_get_sha(root, "best", &at, out->best, err) != 0 ||
        json_get_number(root, "estimate_s", &at, 0, seconds_max, &out->estimate_s, err) != 0 ||
        get_price(root, &at, &out->price, err) != 0)
        return -1;
    return get_steps(root, &at, out, err);
}

int study_format(const struct study *study, struct buf *out, struct err *err)
{
    BUF_AUTO text;
    struct study read;
    buf_init(&text, FILE_BYTES);
    put_study(&text, study);
    if (buf_check(&text, STUDY_FILE, err) != 0 ||
        study_parse(text.data, text.len, STUDY_FILE, &read, err) != 0)
        return -1;
    buf_add(out, text.data, text.len);
    return buf_check(out, STUDY_FILE, err);
}
