/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where parameters stand in the sources, and which combinations of values there are. */
#include "lab/tune_space.h"

#include "intake/expression.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_BYTES = 4 << 20 };

void tune_sources_init(struct tune_sources *sources)
{
    *sources = (struct tune_sources){.file_count = 0};
    for (size_t i = 0; i < TUNE_PARAMETERS_MAX; i++)
        sources->places[i].file = SIZE_MAX;
}

void tune_sources_free(struct tune_sources *sources)
{
    for (size_t i = 0; i < sources->file_count; i++)
        buf_free(&sources->files[i].text);
    sources->file_count = 0;
}

/* ---- finding definitions ---- */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* The word at `at`; NULL where another stands there. */
static const char *skip_word(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(end - at) < len || memcmp(at, word, len) != 0)
        return NULL;
    at += len;
    return at < end && (*at == '_' || (*at >= '0' && *at <= '9') ||
                        (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z'))
               ? NULL
               : at;
}

/* `#define NAME` at the start of a line: what follows it. */
static const char *find_value(const char *line, const char *end, const char *name)
{
    const char *at = skip_blanks(line, end);
    if (at == end || *at != '#')
        return NULL;
    at = skip_word(skip_blanks(at + 1, end), end, "define");
    return at == NULL ? NULL : skip_word(skip_blanks(at, end), end, name);
}

/* A whole number, and nothing after it but a comment. */
static int read_number(const char *at, const char *end, const char *text,
                       struct tune_place *place)
{
    const char *start = at, *digits = at + (at < end && *at == '-');
    long long value = 0;
    for (at = digits; at < end && *at >= '0' && *at <= '9'; at++)
        if (at - digits >= 10 || (digits[0] == '0' && at > digits)) /* octal is not meant */
            return -1;
        else
            value = 10 * value + (*at - '0');
    place->start = (size_t)(start - text);
    place->end = (size_t)(at - text);
    place->today = digits > start ? -value : value;
    const char *rest = skip_blanks(at, end);
    bool comment = end - rest >= 2 && rest[0] == '/' && (rest[1] == '/' || rest[1] == '*');
    return at > digits && (rest == end || comment || *rest == '\r') ? 0 : -1;
}

static int look_at(struct tune_sources *sources, const struct tune_space *space,
                   size_t parameter, const char *path, const char *text, const char *line,
                   const char *end, bool *found, struct err *err)
{
    struct tune_place *place = &sources->places[parameter];
    const char *name = space->parameters[parameter].name;
    const char *value = find_value(line, end, name);
    if (value == NULL)
        return 0;
    if (place->file != SIZE_MAX)
        return err_set(err, ERR_INPUT,
                       "%s: `%s` is defined more than once in the kernel's files", path, name);
    if (read_number(skip_blanks(value, end), end, text, place) != 0)
        return err_set(err, ERR_INPUT, "%s: expected `#define %s` and a whole number", path,
                       name);
    place->file = sources->file_count;
    *found = true;
    return 0;
}

int tune_sources_add(struct tune_sources *sources, const struct tune_space *space,
                     const char *path, const char *text, size_t len, struct err *err)
{
    bool found = false;
    const char *end = text + len;
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop == NULL ? end : stop;
        for (size_t i = 0; i < space->parameter_count; i++)
            if (look_at(sources, space, i, path, text, line, stop, &found, err) != 0)
                return -1;
        line = stop < end ? stop + 1 : end;
    }
    if (!found)
        return 0;
    struct tune_file *file = &sources->files[sources->file_count];
    if (strlen(path) >= sizeof file->path || strpbrk(path, "\"\\\n\t\r") != NULL)
        return err_set(err, ERR_INPUT, "`%.200s`: a patch cannot name such a file", path);
    snprintf(file->path, sizeof file->path, "%s", path);
    buf_init(&file->text, SOURCE_BYTES);
    sources->file_count++;
    buf_add(&file->text, text, len);
    return buf_check(&file->text, path, err);
}

int tune_sources_check(const struct tune_sources *sources, const struct tune_space *space,
                       struct err *err)
{
    for (size_t i = 0; i < space->parameter_count; i++)
        if (sources->places[i].file == SIZE_MAX)
            return err_set(
                err, ERR_INPUT,
                "[tune] parameter `%s`: no file under [kernel] path has `#define %s` "
                "and a number",
                space->parameters[i].name, space->parameters[i].name);
    return 0;
}

/* ---- combinations ---- */

struct drawn {
    struct tune_candidate candidate;
    size_t changes;
    uint64_t lot;
};

static int by_changes(const void *left, const void *right)
{
    const struct drawn *a = left, *b = right;
    if (a->changes != b->changes)
        return a->changes < b->changes ? -1 : 1;
    return a->lot < b->lot ? -1 : a->lot > b->lot;
}

/* *by: the first constraint that forbids it; constraint_count: none does. */
static int find_constraint(const struct tune_space *space,
                           const struct tune_candidate *candidate, size_t *by, struct err *err)
{
    struct expression_value values[TUNE_PARAMETERS_MAX];
    for (size_t i = 0; i < space->parameter_count; i++)
        values[i] = (struct expression_value){space->parameters[i].name, candidate->values[i]};
    *by = space->constraint_count;
    for (size_t i = 0; i < space->constraint_count; i++) {
        long long result;
        if (expression_compute(space->constraints[i], values, space->parameter_count, &result,
                               err) != 0)
            return -1;
        if (result == 0 && *by == space->constraint_count)
            *by = i;
    }
    return 0;
}

/* The combination at a place in the list of all. */
static struct tune_candidate combination(const struct tune_space *space, size_t number)
{
    struct tune_candidate out = {{0}};
    for (size_t i = 0; i < space->parameter_count; i++) {
        const struct tune_parameter *parameter = &space->parameters[i];
        out.values[i] = parameter->values[number % parameter->count];
        number /= parameter->count;
    }
    return out;
}

static int count_combinations(const struct tune_space *space, size_t *total, struct err *err)
{
    *total = 1;
    for (size_t i = 0; i < space->parameter_count; i++) {
        *total *= space->parameters[i].count;
        if (*total > TUNE_CANDIDATES_MAX)
            return err_set(err, ERR_INPUT, "[tune]: more than %d combinations of values",
                           TUNE_CANDIDATES_MAX);
    }
    return 0;
}

static void name_combination(const struct tune_space *space,
                             const struct tune_candidate *candidate, struct buf *out)
{
    for (size_t i = 0; i < space->parameter_count; i++)
        buf_addf(out, "%s%s %lld", i > 0 ? ", " : "", space->parameters[i].name,
                 candidate->values[i]);
}

int tune_forbidden(const struct tune_space *space,
                   struct tune_forbidden out[TUNE_CONSTRAINTS_MAX], size_t *total,
                   struct err *err)
{
    enum { NAMES_BYTES = 16 << 10 };
    for (size_t i = 0; i < space->constraint_count; i++) {
        out[i] = (struct tune_forbidden){.constraint = space->constraints[i]};
        buf_init(&out[i].names, NAMES_BYTES);
    }
    if (count_combinations(space, total, err) != 0)
        return -1;
    for (size_t number = 0; number < *total; number++) {
        const struct tune_candidate one = combination(space, number);
        size_t by;
        if (find_constraint(space, &one, &by, err) != 0)
            return -1;
        if (by == space->constraint_count || out[by].count++ >= TUNE_FORBIDDEN_SHOWN)
            continue;
        buf_adds(&out[by].names, out[by].count > 1 ? "; " : "");
        name_combination(space, &one, &out[by].names);
    }
    return 0;
}

/* SplitMix64 (Steele, Lea, Flood 2014): of a number another that looks drawn at random. */
static uint64_t scramble(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int draw_all(const struct tune_space *space, const struct tune_sources *sources,
                    size_t total, uint64_t seed, struct drawn *drawn, size_t *count,
                    struct err *err)
{
    for (size_t number = 0; number < total; number++) {
        struct drawn one = {.candidate = combination(space, number),
                            .lot = scramble(seed ^ scramble(number))};
        size_t by;
        for (size_t i = 0; i < space->parameter_count; i++)
            one.changes += one.candidate.values[i] != sources->places[i].today;
        if (find_constraint(space, &one.candidate, &by, err) != 0)
            return -1;
        if (by == space->constraint_count && one.changes > 0)
            drawn[(*count)++] = one;
    }
    return 0;
}

int tune_candidates(const struct tune_space *space, const struct tune_sources *sources,
                    unsigned long long seed, struct tune_candidate **out, size_t *count,
                    struct err *err)
{
    size_t total;
    *out = NULL;
    *count = 0;
    if (count_combinations(space, &total, err) != 0)
        return -1;
    struct drawn *drawn = calloc(total, sizeof *drawn);
    *out = calloc(total, sizeof **out);
    int result = drawn == NULL || *out == NULL
                     ? err_set(err, ERR_HOST, "out of memory for %zu candidates", total)
                     : draw_all(space, sources, total, seed, drawn, count, err);
    if (result == 0) {
        qsort(drawn, *count, sizeof *drawn, by_changes);
        for (size_t i = 0; i < *count; i++)
            (*out)[i] = drawn[i].candidate;
    } else {
        free(*out);
        *out = NULL;
    }
    free(drawn);
    return result;
}

/* ---- words and texts ---- */

void tune_words(const struct tune_space *space, const struct tune_sources *sources,
                const struct tune_candidate *candidate, struct buf *out)
{
    const char *join = "";
    for (size_t i = 0; i < space->parameter_count; i++) {
        long long today = sources->places[i].today;
        if (candidate->values[i] == today)
            continue;
        buf_addf(out, "%s%s %lld → %lld", join, space->parameters[i].name, today,
                 candidate->values[i]);
        join = ", ";
    }
}

/* The parameter of this file whose number begins first at or after `from`; SIZE_MAX: none. */
static size_t next_place(const struct tune_sources *sources, const struct tune_space *space,
                         size_t file, size_t from)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < space->parameter_count; i++) {
        const struct tune_place *place = &sources->places[i];
        if (place->file == file && place->start >= from &&
            (best == SIZE_MAX || place->start < sources->places[best].start))
            best = i;
    }
    return best;
}

int tune_edit(const struct tune_sources *sources, const struct tune_space *space,
              const struct tune_candidate *candidate, size_t file, struct buf *out,
              bool *changed, struct err *err)
{
    const struct buf *text = &sources->files[file].text;
    size_t at = 0, next;
    *changed = false;
    while ((next = next_place(sources, space, file, at)) != SIZE_MAX) {
        const struct tune_place *place = &sources->places[next];
        buf_add(out, text->data + at, place->start - at);
        buf_addf(out, "%lld", candidate->values[next]);
        *changed = *changed || candidate->values[next] != place->today;
        at = place->end;
    }
    buf_add(out, text->data + at, text->len - at);
    return buf_check(out, sources->files[file].path, err);
}
