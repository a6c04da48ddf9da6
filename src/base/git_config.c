/* SPDX-License-Identifier: Apache-2.0 */
/* Reads text in git-config syntax through libgit2's parser. Text in memory only: no file
 * of the host is opened, no include followed. What the keys mean is the caller's. */
#include "base/git_internal.h"

#include "base/file.h"
#include "base/leftover.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORD_BYTES = 40 };

struct entry_sink {
    int (*each)(void *, const char *, const char *, const char *, const char *, struct err *);
    void *context;
    const char *name;
};

/* An include makes libgit2 open another file while it parses, so it has to be seen
 * before. Refusing it in comments and values too keeps this test simpler than the
 * syntax. */
static bool has_include(const char *text, size_t len)
{
    static const char word[] = "include";
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '[')
            continue;
        size_t at = i + 1;
        while (at < len && isspace((unsigned char)text[at]))
            at++;
        if (len - at >= sizeof word - 1 && strncasecmp(text + at, word, sizeof word - 1) == 0)
            return true;
    }
    return false;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, bytes, len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return 0;
}

/* The first word of a line: a key, where there is one. */
static int word_of(const char *text, size_t len, unsigned long line, const char **word)
{
    const char *at = text, *end = text + len;
    for (; line > 1 && at != NULL; line--)
        at = memchr(at, '\n', (size_t)(end - at)) == NULL
                 ? NULL
                 : (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    while (at != NULL && at < end && (*at == ' ' || *at == '\t'))
        at++;
    size_t size = 0;
    while (at != NULL && at + size < end && size < WORD_BYTES && at[size] != '=' &&
           !isspace((unsigned char)at[size]))
        size++;
    *word = at;
    return (int)size;
}

/* libgit2 says "failed to parse config file: WHAT (in /proc/self/fd/4:3, column 7)". What
 * the reader needs of that is our name for the text, the line, WHAT, and what stands there. */
static int parse_error(const char *text, size_t len, const char *name, struct err *err)
{
    char what[512];
    const char *word = NULL;
    snprintf(what, sizeof what, "%s", gitlib_words());
    char *place = strstr(what, " (in ");
    char *line = place == NULL ? NULL : strrchr(place, ':');
    if (line == NULL)
        return err_set(err, ERR_INPUT, "%s: %s", name, what);
    *place = '\0';
    static const char preamble[] = "failed to parse config file: ";
    const char *start = what;
    if (strncmp(start, preamble, sizeof preamble - 1) == 0)
        start += sizeof preamble - 1;
    unsigned long number = strtoul(line + 1, NULL, 10);
    int size = word_of(text, len, number, &word);
    return err_set(err, ERR_INPUT, "%s:%lu: %s%s%.*s%s", name, number, start,
                   size > 0 ? " at `" : "", size, size > 0 ? word : "", size > 0 ? "`" : "");
}

static void free_text(char **text)
{
    free(*text);
}

static void free_config(git_config **config)
{
    git_config_free(*config);
}

static void free_iterator(git_config_iterator **iterator)
{
    git_config_iterator_free(*iterator);
}

/* `section.sub.key`: a subsection may hold dots, the other two never do. */
static int pass_entry(const git_config_entry *entry, const struct entry_sink *sink,
                      struct err *err)
{
    if (entry->include_depth > 0)
        return err_set(err, ERR_INPUT, "%s: includes are not allowed", sink->name);
    __attribute__((cleanup(free_text))) char *section = strdup(entry->name);
    if (section == NULL)
        return err_errno(err, ERR_HOST, errno, "%s", sink->name);
    char *key = strrchr(section, '.');
    if (key == NULL)
        return err_set(err, ERR_INPUT, "%s: key `%s` stands in no section", sink->name,
                       entry->name);
    *key++ = '\0';
    char *subsection = strchr(section, '.');
    if (subsection != NULL)
        *subsection++ = '\0';
    return sink->each(sink->context, section, subsection == NULL ? "" : subsection, key,
                      entry->value == NULL ? "true" : entry->value, err);
}

/* libgit2 1.5 reads configuration from files only: the text gets a nameless one. */
static int open_text(const char *text, size_t len, const char *name, int *fd,
                     git_config **config, struct err *err)
{
    *fd = memfd_create("ratchet-config", MFD_CLOEXEC);
    if (*fd < 0 || write_all(*fd, text, len) < 0)
        return err_errno(err, ERR_HOST, errno, "%s: cannot hold it in memory", name);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    /* An empty file stands for a missing one too, so a host without /proc must be
     * told. */
    if (access(path, R_OK) < 0)
        return err_errno(err, ERR_HOST, errno, "%s: cannot read it back from %s", name, path);
    git_error_clear();
    return git_config_open_ondisk(config, path) < 0 ? parse_error(text, len, name, err) : 0;
}

/* Where git left something in a text that could not be read, that is why. -1 always. */
static int explain_leftover(const char *text, size_t len, const char *name, struct err *err)
{
    size_t line;
    const char *leftover = leftover_find(text, len, &line);
    return leftover != NULL && err->class == ERR_INPUT
               ? err_set(err, ERR_INPUT, "%s:%zu: %s", name, line, leftover)
               : -1;
}

int git_read_config(const char *text, size_t len, const char *name,
                    int (*each)(void *context, const char *section, const char *subsection,
                                const char *key, const char *value, struct err *err),
                    void *context, struct err *err)
{
    if (memchr(text, '\0', len) != NULL)
        return err_set(err, ERR_INPUT, "%s: holds a NUL byte", name);
    if (has_include(text, len))
        return err_set(err, ERR_INPUT, "%s: includes are not allowed", name);
    if (gitlib_start(err) != 0)
        return -1;
    FD_AUTO fd = -1;
    __attribute__((cleanup(free_config))) git_config *config = NULL;
    if (open_text(text, len, name, &fd, &config, err) != 0)
        return explain_leftover(text, len, name, err);

    git_error_clear();
    __attribute__((cleanup(free_iterator))) git_config_iterator *iterator = NULL;
    if (git_config_iterator_new(&iterator, config) < 0)
        return parse_error(text, len, name, err);
    struct entry_sink sink = {.each = each, .context = context, .name = name};
    git_config_entry *entry;
    int code;
    while ((code = git_config_next(&entry, iterator)) == 0)
        if (pass_entry(entry, &sink, err) != 0)
            return explain_leftover(text, len, name, err);
    return code == GIT_ITEROVER ? 0 : parse_error(text, len, name, err);
}
