/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the unified diff of sources whose lines keep their number: each change is within a line. */
#include "lab/tune_space.h"

#include <string.h>

enum { CONTEXT = 3 };

/* The lines of two texts, which have as many. */
struct both {
    const struct buf *old, *new;
};

/* The n-th line of a text, newline included; false: there is none. */
static bool line_at(const struct buf *text, size_t number, const char **start, size_t *len)
{
    const char *at = text->data, *end = text->data + text->len;
    for (size_t i = 0; at < end; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop + 1;
        *start = at;
        *len = (size_t)(stop - at);
        if (i == number)
            return true;
        at = stop;
    }
    return false;
}

static bool differs(const struct both *both, size_t number)
{
    const char *a, *b;
    size_t a_len, b_len;
    return line_at(both->old, number, &a, &a_len) && line_at(both->new, number, &b, &b_len) &&
           (a_len != b_len || memcmp(a, b, a_len) != 0);
}

static size_t count_lines(const struct buf *text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text->len; i++)
        lines += text->data[i] == '\n' || i + 1 == text->len;
    return lines;
}

static void add_line(char sign, const struct buf *text, size_t number, struct buf *out)
{
    const char *start;
    size_t len;
    if (!line_at(text, number, &start, &len))
        return;
    buf_addc(out, sign);
    buf_add(out, start, len);
    if (len > 0 && start[len - 1] != '\n')
        buf_adds(out, "\n\\ No newline at end of file\n");
}

/* Lines from..to, those that are changed in a row as a whole. */
static void add_hunk(const struct both *both, size_t from, size_t to, struct buf *out)
{
    buf_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", from + 1, to - from, from + 1, to - from);
    for (size_t i = from; i < to;) {
        size_t end = i;
        while (end < to && differs(both, end))
            end++;
        for (size_t l = i; l < end; l++)
            add_line('-', both->old, l, out);
        for (size_t l = i; l < end; l++)
            add_line('+', both->new, l, out);
        if (end < to)
            add_line(' ', both->old, end, out);
        i = end + (end < to);
    }
}

static void add_file(const char *path, const struct both *both, struct buf *out)
{
    size_t lines = count_lines(both->old), printed = 0;
    buf_addf(out, "diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n", path, path, path, path);
    for (size_t i = 0; i < lines; i++) {
        if (i < printed || !differs(both, i))
            continue;
        size_t last = i;
        for (size_t l = i; l < lines && l <= last + 2 * CONTEXT; l++)
            if (differs(both, l))
                last = l;
        size_t from = i < CONTEXT ? 0 : i - CONTEXT, to = last + 1 + CONTEXT;
        printed = to < lines ? to : lines;
        add_hunk(both, from, printed, out);
    }
}

int tune_patch(const struct tune_sources *sources, const struct tune_space *space,
               const struct tune_candidate *candidate, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < sources->file_count; i++) {
        bool changed;
        BUF_AUTO text;
        buf_init(&text, sources->files[i].text.max);
        if (tune_edit(sources, space, candidate, i, &text, &changed, err) != 0)
            return -1;
        const struct both both = {&sources->files[i].text, &text};
        if (changed)
            add_file(sources->files[i].path, &both, out);
    }
    return buf_check(out, "the patch", err);
}
