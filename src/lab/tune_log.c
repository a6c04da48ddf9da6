/* SPDX-License-Identifier: Apache-2.0 */
/* Owns autotune.jsonl. It is read anew for each question: it has a few hundred lines. */
#include "lab/tune_log.h"

#include "base/file.h"
#include "base/json.h"
#include "judge/samples.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA "ratchet.tune/1"
enum { LOG_BYTES = 64 << 20, LOG_MOST = 50 /* of a ratio */ };

static int path_of(const struct autotune *tune, const char *name, char out[FILE_PATH_BYTES],
                   struct err *err)
{
    return file_path(out, err, "%s/%s", tune->options->folder, name);
}

/* ---- lines ---- */

static int append(struct autotune *tune, json_t *line, bool failed, struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    int result = failed || line == NULL
                     ? err_set(err, ERR_HOST, "out of memory for " AUTOTUNE_LOG)
                     : json_print(line, 0, &text, err);
    json_decref(line);
    if (result != 0)
        return -1;
    buf_addc(&text, '\n');
    return buf_check(&text, AUTOTUNE_LOG, err) != 0 ||
                   path_of(tune, AUTOTUNE_LOG, path, err) != 0
               ? -1
               : file_append(path, text.data, text.len, err);
}

/* Seconds of the device that no line has yet. */
static double take_held(struct autotune *tune)
{
    double held_s = tune->held_s - tune->told_s;
    tune->told_s = tune->held_s;
    return held_s;
}

static json_t *numbers_of(const size_t *trials, size_t count, bool *failed)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_push(array, json_integer((json_int_t)trials[i]), failed);
    return array;
}

/* Calls `each` for every whole line behind the first. *used: bytes of whole lines. */
static int read_lines(struct autotune *tune, struct buf *text,
                      int (*each)(struct autotune *tune, const json_t *line,
                                  const struct json_at *at, void *context, struct err *err),
                      void *context, json_t **first, size_t *used, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (path_of(tune, AUTOTUNE_LOG, path, err) != 0 || file_read(path, text, err) != 0)
        return -1;
    const char *at = text->data, *end = text->data + text->len;
    for (size_t number = 0; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            break;
        json_t *line = NULL;
        const struct json_at up = {.key = path}, where = {.parent = &up, .index = number};
        int result = json_parse(at, (size_t)(stop - at), path, &line, err);
        if (result == 0 && number == 0 && first != NULL)
            *first = json_incref(line);
        if (result == 0 && number > 0)
            result = each(tune, line, &where, context, err);
        json_decref(line);
        if (result != 0)
            return -1;
        at = stop + 1;
    }
    *used = (size_t)(at - text->data);
    return 0;
}

static int read_trials(const struct autotune *tune, const json_t *line, const char *key,
                       const struct json_at *at, size_t *out, size_t *count, struct err *err)
{
    json_t *array;
    if (json_get_array(line, key, at, &array, err) != 0)
        return -1;
    *count = json_array_size(array);
    if (*count == 0 || *count > AUTOTUNE_GROUP)
        return json_error(at, err, "expected 1 to %d candidates", AUTOTUNE_GROUP);
    for (size_t i = 0; i < *count; i++) {
        const json_t *number = json_array_get(array, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0 ||
            (size_t)json_integer_value(number) >= tune->count)
            return json_error(at, err, "expected numbers of candidates");
        out[i] = (size_t)json_integer_value(number);
    }
    return 0;
}

static bool same_trials(const size_t *a, size_t a_count, const size_t *b, size_t b_count)
{
    return a_count == b_count && memcmp(a, b, a_count * sizeof *a) == 0;
}

/* ---- the first line ---- */

static void space_key(const struct autotune *tune, char out[FILE_SHA256_BYTES])
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    const struct tune_space *space = &tune->config.tune;
    for (size_t i = 0; i < space->parameter_count; i++) {
        buf_addf(&text, "%s:", space->parameters[i].name);
        for (size_t v = 0; v < space->parameters[i].count; v++)
            buf_addf(&text, " %lld", space->parameters[i].values[v]);
        buf_addc(&text, '\n');
    }
    for (size_t i = 0; i < space->constraint_count; i++)
        buf_addf(&text, "%s\n", space->constraints[i]);
    file_sha256(text.data, text.len, out);
}

static json_t *first_line(const struct autotune *tune)
{
    char key[FILE_SHA256_BYTES];
    bool failed = false;
    json_t *configs = json_array();
    for (size_t i = 0; i < tune->config.config_count; i++)
        json_push(configs, json_string(tune->config.configs[i].name), &failed);
    space_key(tune, key);
    return failed ? NULL
                  : json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "schema", SCHEMA, "commit",
                              tune->measurement->job.head, "device",
                              tune->measurement->job.device, "space", key, "samples",
                              (int)tune->config.bench.samples, "configs", configs);
}

static int read_known(struct autotune *tune, const json_t *line, const struct json_at *at,
                      void *context, struct err *err)
{
    (void)context;
    double seconds = 0, held = 0;
    long long trial, round, last = (long long)tune->count - 1;
    char why[MODEL_TEXT_BYTES];
    if (json_has(line, "seconds") &&
        json_get_number(line, "seconds", at, 0, 1e9, &seconds, err) != 0)
        return -1;
    tune->before_s += seconds;
    if (json_has(line, "device_s") &&
        json_get_number(line, "device_s", at, 0, 1e9, &held, err) != 0)
        return -1;
    tune->held_s += held;
    tune->told_s = tune->held_s;
    if (json_has(line, "built"))
        return json_get_int(line, "built", at, 0, last, &trial, err) != 0
                   ? -1
                   : json_get_string(line, "code", at, tune->trials[trial].code,
                                     sizeof tune->trials[trial].code, err);
    if (!json_has(line, "rejected"))
        return 0;
    if (json_get_int(line, "rejected", at, 0, last, &trial, err) != 0 ||
        json_get_int(line, "round", at, 0, AUTOTUNE_ROUNDS_MAX + 1, &round, err) != 0 ||
        json_get_string(line, "why", at, why, sizeof why, err) != 0)
        return -1;
    memcpy(tune->trials[trial].rejected, why, sizeof why);
    tune->trials[trial].rejected_in = (unsigned)round;
    return 0;
}

static int begin(struct autotune *tune, struct err *err)
{
    json_t *line = first_line(tune);
    return append(tune, line, false, err);
}

int tune_log_open(struct autotune *tune, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct err problem = {0};
    JSON_AUTO *found = NULL, *wanted = first_line(tune);
    size_t used = 0;
    BUF_AUTO text;
    buf_init(&text, LOG_BYTES);
    if (wanted == NULL)
        return err_set(err, ERR_HOST, "out of memory for " AUTOTUNE_LOG);
    if (path_of(tune, AUTOTUNE_SAMPLES, path, err) != 0 || file_drop_half(path, err) != 0 ||
        path_of(tune, AUTOTUNE_LOG, path, err) != 0)
        return -1;
    if (read_lines(tune, &text, read_known, NULL, &found, &used, &problem) != 0) {
        if (problem.class == ERR_NOT_FOUND)
            return begin(tune, err);
        *err = problem;
        return -1;
    }
    if (found != NULL && !json_equal(found, wanted))
        return err_set(
            err, ERR_INPUT,
            "%s is of another search (commit, device, parameters, samples or configs "
            "differ): give another --output, or remove it",
            path);
    if (truncate(path, (off_t)used) != 0)
        return err_errno(err, ERR_HOST, errno, "truncate `%s`", path);
    if (found == NULL)
        return begin(tune, err);
    measurement_say(tune->measurement, "%s: goes on after %.0f s", path, tune->before_s);
    return 0;
}

/* ---- candidates that are out ---- */

int tune_log_built(struct autotune *tune, size_t trial, const char *code, struct err *err)
{
    if (strcmp(tune->trials[trial].code, code) == 0)
        return 0; /* an earlier call has written it */
    memcpy(tune->trials[trial].code, code, sizeof tune->trials[trial].code);
    return append(tune, json_pack("{s:I, s:s}", "built", (json_int_t)trial, "code", code),
                  false, err);
}

int tune_log_reject(struct autotune *tune, size_t trial, unsigned round, const char *why,
                    struct err *err)
{
    char *text = tune->trials[trial].rejected;
    tune->trials[trial].rejected_in = round;
    snprintf(text, MODEL_TEXT_BYTES, "%s", why);
    for (char *at = text; *at != '\0';
         at++) /* one line, that JSON can hold: a compiler may say anything */
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = '?';
    return append(tune,
                  json_pack("{s:I, s:i, s:s%}", "rejected", (json_int_t)trial, "round",
                            (int)round, "why", text, strlen(text)),
                  false, err);
}

/* ---- groups ---- */

struct question {
    const char *key; /* of the numbers: "trials", "end" */
    unsigned round;
    const size_t *trials;
    size_t count;
    bool found;
};

static int read_logs(struct autotune *tune, const json_t *line, const struct json_at *at,
                     const struct question *question, struct err *err)
{
    json_t *rows;
    size_t configs = tune->config.config_count;
    if (json_get_array(line, "logs", at, &rows, err) != 0)
        return -1;
    for (size_t i = 0; i < question->count; i++) {
        struct trial *trial = &tune->trials[question->trials[i]];
        const json_t *row = json_array_get(rows, i);
        if (json_array_size(row) != configs)
            return json_error(at, err, "logs: expected %zu numbers for each candidate",
                              configs);
        trial->mean = 0;
        for (size_t c = 0; c < configs; c++) {
            const json_t *number = json_array_get(row, c);
            trial->logs[c] = json_number(number);
            if (!json_is_number(number) || fabs(trial->logs[c]) > LOG_MOST)
                return json_error(at, err, "logs: expected logarithms of ratios");
            trial->mean += trial->logs[c] / (double)configs;
        }
    }
    return 0;
}

static int answer(struct autotune *tune, const json_t *line, const struct json_at *at,
                  void *context, struct err *err)
{
    struct question *question = context;
    size_t trials[AUTOTUNE_GROUP], count;
    long long round = 0;
    bool is_end = question->round ==
                  0; /* the last one has the samples: those before are gone */
    if ((question->found && !is_end) || !json_has(line, question->key))
        return 0;
    question->found = false;
    if (read_trials(tune, line, question->key, at, trials, &count, err) != 0 ||
        (question->round > 0 &&
         json_get_int(line, "round", at, 1, AUTOTUNE_ROUNDS_MAX, &round, err) != 0))
        return -1;
    if (round != question->round ||
        !same_trials(trials, count, question->trials, question->count))
        return 0;
    question->found = true;
    return question->round > 0 ? read_logs(tune, line, at, question, err) : 0;
}

static int ask(struct autotune *tune, struct question *question, struct err *err)
{
    size_t used;
    BUF_AUTO text;
    buf_init(&text, LOG_BYTES);
    return read_lines(tune, &text, answer, question, NULL, &used, err) != 0 ? -1
                                                                            : question->found;
}

int tune_log_find(struct autotune *tune, unsigned round, const size_t *trials, size_t count,
                  struct err *err)
{
    struct question question = {"trials", round, trials, count, false};
    return ask(tune, &question, err);
}

int tune_log_group(struct autotune *tune, unsigned round, const size_t *trials, size_t count,
                   double seconds, struct err *err)
{
    bool failed = false;
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_array();
        for (size_t c = 0; c < tune->config.config_count; c++)
            json_push(row, json_real(tune->trials[trials[i]].logs[c]), &failed);
        json_push(rows, row, &failed);
    }
    return append(tune,
                  json_pack("{s:i, s:o, s:f, s:f, s:o}", "round", (int)round, "trials",
                            numbers_of(trials, count, &failed), "seconds", seconds, "device_s",
                            take_held(tune), "logs", rows),
                  failed, err);
}

/* ---- the end ---- */

void tune_log_arm(size_t trial, char out[MODEL_NAME_BYTES])
{
    snprintf(out, MODEL_NAME_BYTES, "candidate-%zu", trial + 1);
}

int tune_log_find_end(struct autotune *tune, const size_t *trials, size_t count,
                      struct err *err)
{
    struct question question = {"end", 0, trials, count, false};
    return ask(tune, &question, err);
}

int tune_log_end(struct autotune *tune, const struct samples *samples, const size_t *trials,
                 size_t count, double seconds, struct err *err)
{
    char path[FILE_PATH_BYTES];
    bool failed = false;
    BUF_AUTO text;
    buf_init(&text, tune->measurement->host->limits.samples_bytes);
    if (path_of(tune, AUTOTUNE_SAMPLES, path, err) != 0 ||
        samples_format(samples, &text, err) != 0 ||
        file_write(path, text.data, text.len, 0644, err) != 0)
        return -1;
    return append(tune,
                  json_pack("{s:o, s:f, s:f}", "end", numbers_of(trials, count, &failed),
                            "seconds", seconds, "device_s", take_held(tune)),
                  failed, err);
}

int tune_log_samples(const struct autotune *tune, size_t trial, struct samples *out,
                     struct err *err)
{
    const struct limits *limits = &tune->measurement->host->limits;
    char path[FILE_PATH_BYTES], arm[MODEL_NAME_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->samples_bytes);
    tune_log_arm(trial, arm);
    if (path_of(tune, AUTOTUNE_SAMPLES, path, err) != 0 || file_read(path, &text, err) != 0 ||
        samples_parse_against(text.data, text.len, path, arm, limits, out, err) != 0)
        return -1;
    return out->count == tune->config.config_count
               ? 0
               : err_set(err, ERR_INPUT, "%s: expected %zu configs", path,
                         tune->config.config_count);
}
