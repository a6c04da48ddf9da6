/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command and the log of a build as a person would, word by word, and looks the
 * words up in the commit's tree. Runs nothing and decides nothing but the hint. */
#include "measure/build_hint.h"

#include "base/file.h"
#include "measure/checkout.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 512, FOLDERS_MAX = 8, LOG_WORDS_MAX = 500 };

/* A tree may be as wide and a recipe as long as its author likes, and this runs in our
 * own process. */
#define FOLDER_BYTES_MAX (64ull << 20)

/* ---- paths ---- */

struct look {
    const struct build_request *request;
    struct git_lookup *tree;               /* owned */
    char folders[FOLDERS_MAX][WORD_BYTES]; /* that the command changes to; "" is the top */
    size_t folder_count;
    bool makes_folders; /* the command may make a folder that it names */
};

static void look_free(struct look *look)
{
    git_lookup_close(&look->tree);
}
#define LOOK_AUTO __attribute__((cleanup(look_free))) struct look

/* The path of a word in the tree: what stands before it is taken away, and `..` and `.` are
 * followed. False: outside the tree, or the top itself. */
static bool tree_path(const char *folder, const char *word, char out[WORD_BYTES])
{
    /* Where a build's worktree is, and where that really is: see sandbox.c. */
    static const char *const tops[] = {"/src/", "/build/src/"};
    char joined[2 * WORD_BYTES];
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        if (strncmp(word, tops[i], strlen(tops[i])) == 0) {
            folder = "";
            word += strlen(tops[i]);
            break;
        }
    }
    if (word[0] == '/' || strlen(word) >= WORD_BYTES)
        return false;
    snprintf(joined, sizeof joined, "%s/%s", folder, word);
    size_t used = 0;
    for (const char *at = joined; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len == 2 && at[0] == '.' && at[1] == '.') {
            while (used > 0 && out[--used] != '/')
                ;
        } else if (len > 0 && !(len == 1 && at[0] == '.')) {
            if (used + len + 2 > WORD_BYTES)
                return false;
            if (used > 0)
                out[used++] = '/';
            memcpy(out + used, at, len);
            used += len;
        }
        at += len + (at[len] == '/');
    }
    out[used] = '\0';
    return used > 0;
}

/* Is it there for the build, or a folder on the way to what is, or to the output? */
static bool seen(const struct build_request *request, const char *path)
{
    for (size_t i = 0; i < request->path_count; i++)
        if (file_is_at_or_below(path, request->paths[i]) ||
            file_is_at_or_below(request->paths[i], path))
            return true;
    return file_is_at_or_below(request->output, path);
}

/* Does a word name something of the tree that the build does not see, and nothing that it
 * does? `out` gets its path, or "". A word may be meant from any folder that the command
 * changes to. `folders`: a folder's name counts too. */
static int outside(const struct look *look, const char *word, bool folders,
                   char out[WORD_BYTES], struct err *err)
{
    out[0] = '\0';
    for (size_t i = 0; i < look->folder_count; i++) {
        char path[WORD_BYTES];
        enum git_path_kind kind;
        if (!tree_path(look->folders[i], word, path))
            continue;
        if (git_lookup_path(look->tree, path, &kind, err) != 0)
            return -1;
        if (kind == GIT_PATH_ABSENT)
            continue;
        if (seen(look->request, path)) {
            out[0] = '\0';
            return 0;
        }
        if ((kind != GIT_PATH_FOLDER || folders) && out[0] == '\0')
            memcpy(out, path, sizeof path);
    }
    return 0;
}

static void not_under(const char *path, char hint[BUILD_HINT_BYTES])
{
    snprintf(hint, BUILD_HINT_BYTES, "`%.250s`: not under [kernel] path", path);
}

/* ---- words ---- */

/* The next word at *at, up to one of `ends`; false at the end. Longer ones are cut. */
static bool next_word(const char **at, const char *ends, char word[WORD_BYTES])
{
    *at += strspn(*at, ends);
    size_t len = strcspn(*at, ends);
    snprintf(word, WORD_BYTES, "%.*s", (int)(len < WORD_BYTES ? len : WORD_BYTES - 1), *at);
    *at += len;
    return len > 0;
}

static const char command_ends[] = " \t\r\n;|&<>()\"'`";

/* Options whose value is a folder that files are looked for in, attached or the next word… */
static const char *const folder_options[] = {"-I",      "-L",         "-isystem",
                                             "-iquote", "-idirafter", "-S"};
/* …and those after which words are meant from another folder. */
static const char *const cd_options[] = {"cd", "pushd", "-C", "--directory"};
/* Options whose value is a file. */
static const char *const file_options[] = {"-include", "-imacros", "-T", "-f", "@"};

#define IN(word, list) in(word, list, sizeof(list) / sizeof *(list))
static bool in(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

/* What is attached to an option of a list, or NULL. */
#define ATTACHED(word, list) attached(word, list, sizeof(list) / sizeof *(list))
static const char *attached(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(list[i]);
        if (strncmp(word, list[i], len) == 0 && word[len] != '\0' &&
            (word[0] == '-' || word[0] == '@'))
            return word + len + (word[len] == '=');
    }
    return NULL;
}

static void add_folder(struct look *look, const char *word)
{
    char path[WORD_BYTES];
    if (look->folder_count == FOLDERS_MAX || !tree_path("", word, path))
        return;
    memcpy(look->folders[look->folder_count++], path, sizeof path);
}

static int look_from_top(const struct build_request *request, struct look *look,
                         struct err *err)
{
    *look = (struct look){.request = request, .folder_count = 1};
    char previous[WORD_BYTES] = "", word[WORD_BYTES];
    for (const char *at = request->command; next_word(&at, command_ends, word);) {
        const char *value = ATTACHED(word, cd_options);
        if (value != NULL || IN(previous, cd_options))
            add_folder(look, value != NULL ? value : word);
        look->makes_folders |= strcmp(word, "mkdir") == 0 || strcmp(word, "install") == 0;
        memcpy(previous, word, sizeof word);
    }
    return git_lookup_open(request->repo, request->commit, FOLDER_BYTES_MAX, &look->tree, err);
}

/* One word of the command, and what stands before it. A folder's name alone needs nothing of
 * it: a target of make (`make cpu`), or where output goes (`mkdir -p out`). It has to be said
 * that something is looked for in it. */
static int check_word(const struct look *look, const char *previous, const char *word,
                      char out[WORD_BYTES], struct err *err)
{
    char value[WORD_BYTES];
    bool folder = IN(previous, folder_options) || IN(previous, cd_options);
    const char *inner = ATTACHED(word, folder_options);
    if (inner == NULL)
        inner = ATTACHED(word, cd_options);
    folder = folder || inner != NULL;
    if (inner == NULL)
        inner = ATTACHED(word, file_options);
    out[0] = '\0';
    if (inner == NULL && strpbrk(word, "=,") != NULL) { /* VAR=path, -Wl,-T,path */
        inner = word + strcspn(word, "=,") + 1;
        if (word[strcspn(word, "=,")] == '=' && strchr(inner, '/') == NULL)
            return 0; /* a value like any other: -DLICENSE=LICENSE */
    }
    if (inner != NULL && strcspn(inner, "=,") < strlen(inner) &&
        check_word(look, "", inner, out, err) != 0)
        return -1;
    if (out[0] != '\0')
        return 0;
    snprintf(value, sizeof value, "%.*s", WORD_BYTES - 1, inner != NULL ? inner : word);
    return outside(look, value, folder && !look->makes_folders, out, err);
}

/* Does a command begin at `at`? A quote may open what another shell runs. */
static bool begins_command(const char *command, const char *at)
{
    while (at > command && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    return at == command || strchr("\n;|&()'\"`", at[-1]) != NULL;
}

/* Is it sure that the recipe reads this word's file? A script that is run, or a file that a
 * compiler is told to take. Of any other word the recipe may do without: a file of that name
 * beside the paths must not change what a build does. */
static bool is_needed(const char *command, const char *end, const char *previous,
                      const char *word)
{
    static const char *const readers[] = {"sh",   "bash",     "dash",    "zsh",
                                          ".",    "source",   "python",  "python3",
                                          "perl", "-include", "-imacros"};
    const char *begin = end - strlen(word);
    return IN(previous, readers) || word[0] == '@' ||
           (strncmp(word, "-include", 8) == 0 && word[8] != '\0') ||
           (strncmp(word, "./", 2) == 0 && begins_command(command, begin));
}

/* The first word that names what the build does not see. `needed`: only of those that the
 * recipe cannot do without. */
static int find_in_command(const struct build_request *request, bool needed,
                           char hint[BUILD_HINT_BYTES], struct err *err)
{
    LOOK_AUTO look = {0};
    char previous[WORD_BYTES] = "", word[WORD_BYTES], found[WORD_BYTES];
    hint[0] = '\0';
    if (look_from_top(request, &look, err) != 0)
        return -1;
    for (const char *at = request->command; next_word(&at, command_ends, word);) {
        bool asked = !needed || is_needed(request->command, at, previous, word);
        found[0] = '\0';
        if (asked && check_word(&look, previous, word, found, err) != 0)
            return -1;
        if (found[0] != '\0') {
            not_under(found, hint);
            return 0;
        }
        memcpy(previous, word, sizeof word);
    }
    return 0;
}

/* Does the command choose its way while it runs? Then it may well do without. */
static bool chooses(const char *command)
{
    static const char *const words[] = {"if",  "test",  "[",     "[[",   "case",
                                        "for", "while", "until", "trap", "command"};
    char word[WORD_BYTES];
    if (strstr(command, "||") != NULL)
        return true;
    while (next_word(&command, command_ends, word))
        if (IN(word, words))
            return true;
    return false;
}

int build_hint_command(const struct build_request *request, char hint[BUILD_HINT_BYTES],
                       struct err *err)
{
    hint[0] = '\0';
    return chooses(request->command) ? 0 : find_in_command(request, true, hint, err);
}

/* ---- after a failure ---- */

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
    if (look->folder_count == FOLDERS_MAX)
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
    next_word(&line, log_ends, word);
    for (size_t i = 0; i < look->folder_count; i++) {
        enum git_path_kind kind = GIT_PATH_ABSENT;
        if (tree_path(look->folders[i], word, path) &&
            git_lookup_path(look->tree, path, &kind, NULL) == 0 && kind == GIT_PATH_FILE &&
            seen(look->request, path)) {
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
        if (!tree_path("", look->request->paths[i], path))
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

/* One word of a line that misses a file. */
static int look_for_missed(const struct look *look, const char *line, const char *word,
                           char out[WORD_BYTES])
{
    struct look from;
    size_t up = 0;
    while (strncmp(word + up, "../", 3) == 0)
        up += 3;
    if (look_from_includer(look, line, &from)) {
        if (outside(&from, word, true, out, NULL) < 0)
            return -1;
        if (out[0] != '\0' || up > 0)
            return 0;
    } else if (up > 0) {
        look_from_paths(look, &from);
        return outside(&from, word + up, true, out, NULL);
    }
    return outside(look, word, true, out, NULL);
}

/* What a line of the log misses, and the tree has where the build did not see it. */
static void hint_of_line(const struct look *look, const char *line, unsigned *words,
                         char hint[BUILD_HINT_BYTES])
{
    char word[WORD_BYTES], found[WORD_BYTES];
    for (const char *at = line; next_word(&at, log_ends, word);) {
        size_t len = strlen(word);
        if (word[len - 1] == '.')
            word[len - 1] = '\0'; /* the end of a sentence */
        cut_pattern(word);
        if (word[strspn(word, "./")] == '\0' || strpbrk(word, "./") == NULL)
            continue;
        if (++*words > LOG_WORDS_MAX || look_for_missed(look, line, word, found) < 0)
            return;
        if (found[0] != '\0') {
            not_under(found, hint);
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
        if (look->folder_count == 1 && outside(look, files[i], false, found, NULL) == 0 &&
            found[0] != '\0')
            not_under(found, hint);
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

enum { MISSED_MAX = 16 };

/* Names that the log misses, and where else in the tree there are files of such a name. */
struct missed {
    const struct build_request *request;
    char names[MISSED_MAX][WORD_BYTES];
    char where[MISSED_MAX][WORD_BYTES]; /* the first one that the build did not see, or "" */
    bool here[MISSED_MAX];              /* the build saw one: it is not listed wrongly */
    size_t count;
};

static void add_missed(struct missed *missed, const char *line)
{
    char word[WORD_BYTES];
    for (const char *at = line; next_word(&at, log_ends, word);) {
        size_t i = 0;
        while (i < missed->count && strcmp(missed->names[i], word) != 0)
            i++;
        if (i == missed->count && i < MISSED_MAX && strchr(word, '.') != NULL &&
            word[0] != '/' && word[strspn(word, "./")] != '\0')
            memcpy(missed->names[missed->count++], word, sizeof word);
    }
}

static int look_for_name(void *context, const struct git_file *file, struct err *err)
{
    struct missed *missed = context;
    (void)err;
    for (size_t i = 0; i < missed->count; i++) {
        size_t len = strlen(missed->names[i]), whole = strlen(file->path);
        if (whole <= len || file->path[whole - len - 1] != '/' ||
            strcmp(file->path + whole - len, missed->names[i]) != 0)
            continue;
        if (seen(missed->request, file->path))
            missed->here[i] = true;
        else if (missed->where[i][0] == '\0' && whole < WORD_BYTES)
            memcpy(missed->where[i], file->path, whole + 1);
    }
    return 0;
}

/* An include path is no part of a message: `attention.h` may be any file of that name. */
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
        if (missed.where[i][0] != '\0' && !missed.here[i])
            not_under(missed.where[i], hint);
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
    if (hint[0] == '\0' && find_in_command(request, false, hint, NULL) < 0)
        hint[0] = '\0';
}
