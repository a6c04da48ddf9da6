/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the forms in which compilers name a place. */
#include "publish/annotations.h"

#include "base/scan.h"

#include <stdio.h>
#include <string.h>

/* Where a build finds the tree (measure/build_run.c), and `.`. */
static const char *const roots[] = {"/build/src/", "/src/", "./"};

static bool take(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

/* 1 to 999 999 999. */
static bool take_number(const char **at, unsigned *out)
{
    unsigned value = 0;
    size_t digits = strspn(*at, "0123456789");
    for (size_t i = 0; i < digits && digits < 10; i++)
        value = 10 * value + (unsigned)((*at)[i] - '0');
    *at += digits;
    *out = value;
    return value > 0;
}

/* ":3:5: ", ":3: " or "(12): " */
static bool take_place(const char **at, struct annotation *out)
{
    out->column = 0;
    if (take(at, "("))
        return take_number(at, &out->line) && take(at, "): ");
    if (!take(at, ":") || !take_number(at, &out->line) || !take(at, ":"))
        return false;
    return take(at, " ") || (take_number(at, &out->column) && take(at, ": "));
}

/* "error: ", "fatal error: " or, of nvcc, "error #20: " */
static bool take_severity(const char **at)
{
    if (!take(at, "fatal error") && !take(at, "error"))
        return false;
    if (take(at, " #"))
        *at += strcspn(*at, ": ");
    return take(at, ": ");
}

/* A path as git has them; the rest of the line is not looked at. */
static bool set_path(const char *path, size_t len, char out[ANNOTATION_PATH_BYTES])
{
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        size_t root = strlen(roots[i]);
        if (len > root && strncmp(path, roots[i], root) == 0) {
            path += root;
            len -= root;
        }
    }
    if (len == 0 || len >= ANNOTATION_PATH_BYTES)
        return false;
    memcpy(out, path, len);
    out[len] = '\0';
    for (const char *part = out;; part++) {
        size_t size = strcspn(part, "/");
        if (size == 0 || (size == 1 && part[0] == '.') ||
            (size == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += size;
        if (*part == '\0')
            return true;
    }
}

/* A path may have colons and brackets: the first place that an error follows counts. */
static bool parse(const char *line, struct annotation *out)
{
    for (const char *end = line; *end != '\0'; end++) {
        const char *at = end;
        if (end == line || !take_place(&at, out) || !take_severity(&at) || *at == '\0')
            continue;
        snprintf(out->text, sizeof out->text, "%s", at);
        return set_path(line, (size_t)(end - line), out->path);
    }
    return false;
}

/* As much of it as is looked at: whole characters, none that steers a terminal. */
static void clean_line(const char *line, size_t len, struct buf *out)
{
    const char *end = line + len;
    for (uint32_t c;
         out->len < ANNOTATION_TEXT_BYTES - 5 && (c = scan_next(&line, end)) != SCAN_END;)
        if (c != '\n')
            scan_put(out, c);
}

bool annotation_next(const char **at, struct annotation *out)
{
    while (**at != '\0') {
        BUF_AUTO clean;
        buf_init(&clean, ANNOTATION_TEXT_BYTES);
        size_t len = strcspn(*at, "\n");
        clean_line(*at, len, &clean);
        *at += len + ((*at)[len] == '\n');
        if (clean.len > 0 && !clean.failed && parse(clean.data, out))
            return true;
    }
    return false;
}

void annotation_put(struct buf *out, const struct annotation *annotation)
{
    buf_addf(out, "%s:%u:", annotation->path, annotation->line);
    if (annotation->column > 0)
        buf_addf(out, "%u:", annotation->column);
    buf_addf(out, " error: %s\n", annotation->text);
}
