/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command of a build as a person would, word by word. Runs nothing and decides nothing but
 * the hint. */
#include "measure/build_look.h"

#include <stdio.h>
#include <string.h>

/* A tree may be as wide and a recipe as long as its author likes, and this runs in our
 * own process. */
#define FOLDER_BYTES_MAX (64ull << 20)

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
    if (look->folder_count == LOOK_FOLDERS_MAX || !look_tree_path("", word, path))
        return;
    memcpy(look->folders[look->folder_count++], path, sizeof path);
}

int look_from_top(const struct build_request *request, struct look *look, struct err *err)
{
    *look = (struct look){.request = request, .folder_count = 1};
    char previous[WORD_BYTES] = "", word[WORD_BYTES];
    for (const char *at = request->command; look_next_word(&at, command_ends, word);) {
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
    return look_outside(look, value, folder && !look->makes_folders, out, err);
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

int hint_in_command(const struct build_request *request, bool needed,
                    char hint[BUILD_HINT_BYTES], struct err *err)
{
    LOOK_AUTO look = {0};
    char previous[WORD_BYTES] = "", word[WORD_BYTES], found[WORD_BYTES];
    hint[0] = '\0';
    if (look_from_top(request, &look, err) != 0)
        return -1;
    for (const char *at = request->command; look_next_word(&at, command_ends, word);) {
        bool asked = !needed || is_needed(request->command, at, previous, word);
        found[0] = '\0';
        if (asked && check_word(&look, previous, word, found, err) != 0)
            return -1;
        if (found[0] != '\0') {
            look_not_under(found, hint);
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
    while (look_next_word(&command, command_ends, word))
        if (IN(word, words))
            return true;
    return false;
}

int build_hint_command(const struct build_request *request, char hint[BUILD_HINT_BYTES],
                       struct err *err)
{
    hint[0] = '\0';
    return chooses(request->command) ? 0 : hint_in_command(request, true, hint, err);
}
