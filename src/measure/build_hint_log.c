/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the log of a build that failed as a person would: what does it miss, and where is that? */
#include "measure/build_look.h"

#include "measure/checkout.h"

#include <stdio.h>
#include <string.h>

enum { LOG_WORDS_MAX = 500 };

static const char log_ends[] = " \t\r:,;|&<>()[]\"'`=";

/* What programs say of a file that they miss. */
static bool misses_a_file(const char *line)
{
    static const char *const words[] = {"No such file",
                                        "not found",
                                        "No rule to make target",
                                        "cannot open",
                                        "can't open",
                                        "cannot find",
                                        "cannot stat",
                                        "does not appear to contain"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(line, words[i]) != NULL)
            return true;
    return false;
}

static void add_parent(struct look *look, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (look->folder_count == LOOK_FOLDERS_MAX)
        return;
    snprintf(look->folders[look->folder_count++], WORD_BYTES, "%.*s",
             slash == NULL ? 0 : (int)(slash - path), path);
}

/* Compilers begin a line with the file that they were in: what it misses is meant from there
 * first. False: the line begins with something else. */
static bool look_from_includer(const struct look *look, const char *line, struct look *out)
{
    char word[WORD_BYTES], path[WORD_BYTES];
    *out = (struct look){.request = look->request, .tree = look->tree};
    look_next_word(&line, log_ends, word);
    for (size_t i = 0; i < look->folder_count; i++) {
        enum git_path_kind kind = GIT_PATH_ABSENT;
        if (look_tree_path(look->folders[i], word, path) &&
            git_lookup_path(look->tree, path, &kind, NULL) == 0 && kind == GIT_PATH_FILE &&
            look_is_seen(look->request, path)) {
            add_parent(out, path);
            return true;
        }
    }
    return false;
}

/* Nobody says where a word with `../` is meant from: any folder of the paths, or above. */
static void look_from_paths(const struct look *look, struct look *out)
{
    *out = *look;
    for (size_t i = 0; i < look->request->path_count; i++) {
        char path[WORD_BYTES], *slash;
        if (!look_tree_path("", look->request->paths[i], path))
            continue;
        while ((slash = strrchr(path, '/')) != NULL) {
            add_parent(out, path);
            *slash = '\0';
        }
    }
}

/* A pattern that matched nothing stands for what lies in its folder. */
static void cut_pattern(char *word)
{
    char *pattern = strpbrk(word, "*?");
    if (pattern == NULL)
        return;
    *pattern = '\0';
    char *slash = strrchr(word, '/');
    word[slash == NULL ? 0 : slash - word + 1] = '\0';
}

/* A word without the end of its sentence, and without a pattern. */
static void trim(char *word)
{
    size_t len = strlen(word);
    if (word[len - 1] == '.')
        word[len - 1] = '\0';
    cut_pattern(word);
}

/* One word of a line that misses a file. */
static int look_for_missed(const struct look *look, const char *line, const char *word,
                           char out[WORD_BYTES])
{
    struct look from;
    size_t up = 0;
    while (strncmp(word + up, "../", 3) == 0)
        up += 3;
    if (look_from_includer(look, line, &from)) {
        if (look_outside(&from, word, true, out, NULL) < 0)
            return -1;
        if (out[0] != '\0' || up > 0)
            return 0;
    } else if (up > 0) {
        look_from_paths(look, &from);
        return look_outside(&from, word + up, true, out, NULL);
    }
    return look_outside(look, word, true, out, NULL);
}

/* What a line of the log misses, and the tree has where the build did not see it. */
static void hint_of_line(const struct look *look, const char *line, unsigned *words,
                         char hint[BUILD_HINT_BYTES])
{
    char word[WORD_BYTES], found[WORD_BYTES];
    for (const char *at = line; look_next_word(&at, log_ends, word);) {
        trim(word);
        if (word[strspn(word, "./")] == '\0' || strpbrk(word, "./") == NULL)
            continue;
        if (++*words > LOG_WORDS_MAX || look_for_missed(look, line, word, found) < 0)
            return;
        if (found[0] != '\0') {
            look_not_under(found, hint);
            return;
        }
    }
}

/* make looks for these at the top, and does not say so. */
static void hint_of_make(const struct look *look, char hint[BUILD_HINT_BYTES])
{
    static const char *const files[] = {"GNUmakefile", "makefile", "Makefile"};
    char found[WORD_BYTES];
    for (size_t i = 0; i < sizeof files / sizeof *files && hint[0] == '\0'; i++)
        if (look->folder_count == 1 && look_outside(look, files[i], false, found, NULL) == 0 &&
            found[0] != '\0')
            look_not_under(found, hint);
}

/* A line of the log, cut where it is longer; returns where the next one begins. */
static const char *log_line(const char *at, char *line, size_t size)
{
    size_t len = strcspn(at, "\n");
    snprintf(line, size, "%.*s", (int)(len < size ? len : size - 1), at);
    return at + len + (at[len] == '\n');
}

static void hint_of_log(const struct build_request *request, const char *log,
                        char hint[BUILD_HINT_BYTES])
{
    LOOK_AUTO look = {0};
    unsigned words = 0;
    if (look_from_top(request, &look, NULL) < 0)
        return;
    for (const char *at = log; *at != '\0' && hint[0] == '\0';) {
        char line[4096];
        at = log_line(at, line, sizeof line);
        if (strncmp(line, "$ ", 2) == 0)
            continue; /* the command itself */
        if (misses_a_file(line))
            hint_of_line(&look, line, &words, hint);
        if (hint[0] == '\0' && (strstr(line, "No rule to make target") != NULL ||
                                strstr(line, "no makefile found") != NULL))
            hint_of_make(&look, hint);
    }
}

/* ---- a file that is missed by its name alone ---- */

enum { MISSED_MAX = 16, FEW = 3 };

/* Names that the log misses, and where else in the tree a file or folder has such a name. */
struct missed {
    const struct build_request *request;
    struct missed_name {
        char name[WORD_BYTES];
        char where[FEW][WORD_BYTES]; /* that the build did not see */
        size_t count;                /* of them; more than FEW tell nothing */
        bool here;                   /* the build saw one: it is not listed wrongly */
    } names[MISSED_MAX];
    size_t count;
};

static void add_missed(struct missed *missed, const char *line)
{
    char word[WORD_BYTES], name[WORD_BYTES];
    for (const char *at = line; look_next_word(&at, log_ends, word);) {
        size_t i = 0;
        trim(word);
        if (missed->count == MISSED_MAX || strpbrk(word, "./") == NULL ||
            strstr(word, "..") != NULL || !look_tree_path("", word, name))
            continue;
        while (i < missed->count && strcmp(missed->names[i].name, name) != 0)
            i++;
        if (i == missed->count)
            memcpy(missed->names[missed->count++].name, name, sizeof name);
    }
}

/* A path that ends in a name that is missed, if the build saw none such yet. */
static void add_place(const struct missed *missed, struct missed_name *name, const char *path)
{
    for (size_t k = 0; k < name->count && k < FEW; k++)
        if (strcmp(name->where[k], path) == 0)
            return; /* another file of the same folder */
    if (look_is_seen(missed->request, path))
        name->here = true;
    else if (name->count++ < FEW)
        memcpy(name->where[name->count - 1], path, strlen(path) + 1);
}

static int look_for_name(void *context, const struct git_file *file, struct err *err)
{
    struct missed *missed = context;
    char path[WORD_BYTES + 1];
    (void)err;
    if (strlen(file->path) >= WORD_BYTES)
        return 0;
    snprintf(path, sizeof path, "/%s", file->path);
    for (size_t i = 0; i < missed->count; i++) {
        const char *name = missed->names[i].name;
        size_t len = strlen(name);
        for (char *at = path; (at = strstr(at + 1, name)) != NULL;) {
            char end = at[len];
            if (at[-1] != '/' || (end != '\0' && end != '/'))
                continue;
            at[len] = '\0';
            add_place(missed, &missed->names[i], path + 1);
            at[len] = end;
        }
    }
    return 0;
}

/* "`a.h` is at `x/a.h` and `y/a.h`, which are not under [kernel] path" */
static void put_places(const struct missed_name *name, char hint[BUILD_HINT_BYTES])
{
    enum { NAME_MAX_BYTES = 60, PATHS_MAX_BYTES = 220 };
    size_t used = (size_t)snprintf(hint, BUILD_HINT_BYTES, "`%.*s` is at ", NAME_MAX_BYTES,
                                   name->name);
    for (size_t k = 0; k < name->count; k++)
        used += (size_t)snprintf(hint + used, BUILD_HINT_BYTES - used, "%s`%.*s`",
                                 k == 0                 ? ""
                                 : k + 1 == name->count ? " and "
                                                        : ", ",
                                 (int)(PATHS_MAX_BYTES / name->count), name->where[k]);
    snprintf(hint + used, BUILD_HINT_BYTES - used, ", which %s not under [kernel] path",
             name->count == 1 ? "is" : "are");
}

/* Where it was looked for is no part of a message: `attention.h` may be any file of that name. */
static void hint_of_names(const struct build_request *request, const char *log,
                          char hint[BUILD_HINT_BYTES])
{
    static const char *const top[] = {""};
    const struct git_part whole = {.paths = top, .path_count = 1};
    struct git_tree_limits limits = checkout_limits(request->limits);
    struct missed missed = {.request = request};
    for (const char *at = log; *at != '\0';) {
        char line[4096];
        at = log_line(at, line, sizeof line);
        if (strncmp(line, "$ ", 2) != 0 && misses_a_file(line))
            add_missed(&missed, line);
    }
    if (missed.count == 0 || git_each_file(request->repo, request->commit, &whole, &limits, 0,
                                           look_for_name, &missed, NULL) != 0)
        return;
    for (size_t i = 0; i < missed.count && hint[0] == '\0'; i++)
        if (missed.names[i].count > 0 && missed.names[i].count <= FEW && !missed.names[i].here)
            put_places(&missed.names[i], hint);
}

void build_hint_failure(const struct build_request *request, const char *log,
                        char hint[BUILD_HINT_BYTES])
{
    hint[0] = '\0';
    hint_of_log(request, log, hint);
    if (hint[0] == '\0')
        hint_of_names(request, log, hint);
    if (hint[0] == '\0')
        build_hint_files(request, log, hint);
    if (hint[0] == '\0' && hint_in_command(request, false, hint, NULL) < 0)
        hint[0] = '\0';
}
