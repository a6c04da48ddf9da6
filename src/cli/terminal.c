/* SPDX-License-Identifier: Apache-2.0 */
/* Owns escape sequences: no other file has one. */
#include "cli/terminal.h"

#include "base/scan.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "judge/verdict.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    WIDTH = 80,
    WIDTH_LEAST = 20,
    LINE_BYTES = 4096,
    TABLE_BYTES = 64 << 20,
    INDENT = 4,
    ROW_WIDTH = 63, /* of a row of verdicts, without its name */
    NAME_LEAST = 17
};

static const char clear_line[] = "\r\033[K";

bool terminal_is_live(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) == 1 && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

size_t terminal_width(int fd)
{
    struct winsize size = {0};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= WIDTH_LEAST ? size.ws_col
                                                                           : WIDTH;
}

size_t terminal_columns(int fd)
{
    return isatty(fd) == 1 ? terminal_width(fd) : 0;
}

bool terminal_has_colour(int fd)
{
    const char *no = getenv("NO_COLOR");
    return terminal_is_live(fd) && (no == NULL || no[0] == '\0');
}

/* ---- the line that is drawn again ---- */

static void on_interrupt(int number)
{
    ssize_t ignored = write(STDERR_FILENO, clear_line, sizeof clear_line - 1);
    (void)ignored;
    signal(number, SIG_DFL);
    raise(number);
}

/* Bytes of `text` that fit into so many columns; a character is taken for one wide. */
static size_t fitting(const char *text, size_t columns)
{
    size_t at = 0;
    while (text[at] != '\0') {
        bool begins = ((unsigned char)text[at] & 0xc0) != 0x80;
        if (begins && columns-- == 0)
            break;
        at++;
    }
    return at;
}

void terminal_draw(const char *line)
{
    static bool guarded;
    if (!guarded) {
        signal(SIGINT, on_interrupt);
        signal(SIGTERM, on_interrupt);
        guarded = true;
    }
    char plain[LINE_BYTES];
    snprintf(plain, sizeof plain, "%s", line);
    scan_line(plain);
    size_t len = fitting(plain, terminal_width(STDERR_FILENO) - 1);
    fprintf(stderr, "%s%.*s", clear_line, (int)len, plain);
    fflush(stderr);
}

void terminal_clear(void)
{
    fputs(clear_line, stderr);
    fflush(stderr);
}

/* ---- colours ---- */

static const char *colour_of(const char *word, size_t len)
{
    static const char *const colours[] = {
        [VERDICT_HELD] = "32",       [VERDICT_IMPROVED] = "32",  [VERDICT_UNCLEAR] = "33",
        [VERDICT_UNMEASURED] = "33", [VERDICT_REGRESSED] = "31",
    };
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        const char *name = verdict_name((enum verdict)i);
        if (strlen(name) == len && strncmp(name, word, len) == 0)
            return colours[i];
    }
    return NULL;
}

/* Verdicts stand in the second column of a row, and first in the last line. */
static void colour_line(const char *line, size_t len, struct buf *out)
{
    for (size_t at = 0, words = 0; at < len && line[0] != ' ' && words < 2; words++) {
        size_t word = strcspn(line + at, " \n");
        const char *colour = colour_of(line + at, word);
        bool cell = at == 0 || (at > 1 && line[at - 2] == ' ');
        if (colour != NULL && cell) {
            buf_addf(out, "%.*s\033[%sm%.*s\033[0m%.*s", (int)at, line, colour, (int)word,
                     line + at, (int)(len - at - word), line + at + word);
            return;
        }
        at += word;
        at += strspn(line + at, " ");
    }
    buf_add(out, line, len);
}

/* ---- tables ---- */

/* Bytes of a line up to the last space before `columns`; all of it where it fits or has no space. */
static size_t break_at(const char *line, size_t len, size_t columns)
{
    size_t most = fitting(line, columns);
    if (most >= len)
        return len;
    for (size_t at = most; at > 0; at--)
        if (line[at] == ' ')
            return at;
    return most;
}

static void put_line(const char *line, size_t len, bool colours, struct buf *out)
{
    if (colours)
        colour_line(line, len, out);
    else
        buf_add(out, line, len);
    buf_addc(out, '\n');
}

/* What does not fit goes on below, four deep. */
static void put_broken(const char *line, size_t len, size_t columns, bool colours,
                       struct buf *out)
{
    size_t indent = strspn(line, " "), first = indent;
    first += break_at(line + indent, len - indent, columns - indent);
    put_line(line, first, colours, out);
    for (size_t at = first; at < len;) {
        at += strspn(line + at, " ");
        size_t part = break_at(line + at, len - at, columns - INDENT);
        if (part == 0)
            return;
        buf_adds(out, "    ");
        buf_add(out, line + at, part);
        buf_addc(out, '\n');
        at += part;
    }
}

/* A copy of the rows that borrows all but the names; NULL: no memory. */
static struct config_verdict *shorten_names(const struct comparison *comparison,
                                            size_t columns)
{
    struct config_verdict *rows = calloc(comparison->count + 1, sizeof *rows);
    for (size_t i = 0; rows != NULL && i < comparison->count; i++) {
        rows[i] = comparison->configs[i];
        table_shorten(rows[i].config.name,
                      columns > ROW_WIDTH + NAME_LEAST ? columns - ROW_WIDTH : NAME_LEAST);
    }
    return rows;
}

int terminal_print(const struct buf *text, struct err *err)
{
    size_t columns = terminal_columns(STDOUT_FILENO);
    bool colours = terminal_has_colour(STDOUT_FILENO);
    BUF_AUTO plain;
    BUF_AUTO shown;
    buf_init(&plain, TABLE_BYTES);
    buf_init(&shown, TABLE_BYTES);
    if (columns == 0)
        return cli_print(text, err);
    if (buf_check(text, "what is to be printed", err) != 0)
        return -1;
    buf_add(&plain, text->data, text->len);
    size_t left = scan_lines(plain.data, plain.len);
    for (size_t at = 0; at < left;) {
        const char *line = plain.data + at, *end = memchr(line, '\n', left - at);
        size_t len = end == NULL ? left - at : (size_t)(end - line);
        put_broken(line, len, columns, colours, &shown);
        at += len + 1;
    }
    buf_note_loss(&shown, &plain);
    return cli_print_document(&shown, err);
}

int terminal_print_verdicts(const struct comparison *comparison, struct err *err)
{
    size_t columns = terminal_columns(STDOUT_FILENO);
    struct comparison narrow = *comparison; /* borrows all but the rows */
    BUF_AUTO table;
    buf_init(&table, TABLE_BYTES);
    if (columns == 0) {
        verdict_format_table(comparison, &table);
        return cli_print(&table, err);
    }
    narrow.configs = shorten_names(comparison, columns);
    if (narrow.configs == NULL)
        return err_set(err, ERR_HOST, "out of memory for a table");
    verdict_format_table(&narrow, &table);
    free(narrow.configs);
    return terminal_print(&table, err);
}
