/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a build's command or log, looked up in its commit's tree. For the files of build_hint
 * alone. */
#ifndef RATCHET_MEASURE_BUILD_LOOK_H
#define RATCHET_MEASURE_BUILD_LOOK_H

#include "measure/build_hint.h"

enum { WORD_BYTES = 512, LOOK_FOLDERS_MAX = 8 };

struct look {
    const struct build_request *request;
    struct git_lookup *tree; /* owned */
    char folders[LOOK_FOLDERS_MAX]
                [WORD_BYTES]; /* that the command changes to; "" is the top */
    size_t folder_count;
    bool makes_folders; /* the command may make a folder that it names */
};
#define LOOK_AUTO __attribute__((cleanup(look_free))) struct look
void look_free(struct look *look);

/* The path of a word in the tree: what stands before it is taken away, and `..` and `.` are
 * followed. False: outside the tree, or the top itself. */
bool look_tree_path(const char *folder, const char *word, char out[WORD_BYTES]);

/* Is it there for the build, or a folder on the way to what is, or to the output? */
bool look_is_seen(const struct build_request *request, const char *path);

/* Does a word name something of the tree that the build does not see, and nothing that it
 * does? `out` gets its path, or "". A word may be meant from any folder that the command
 * changes to. `folders`: a folder's name counts too. */
MUST_CHECK int look_outside(const struct look *look, const char *word, bool folders,
                            char out[WORD_BYTES], struct err *err);

/* "`x`: not under [kernel] path" */
void look_not_under(const char *path, char hint[BUILD_HINT_BYTES]);

/* The next word at *at, up to one of `ends`; false at the end. Longer ones are cut. */
bool look_next_word(const char **at, const char *ends, char word[WORD_BYTES]);

/* ---- build_hint.c ---- */

/* From the top of the tree, and from the folders that the command changes to. */
MUST_CHECK int look_from_top(const struct build_request *request, struct look *look,
                             struct err *err);

/* The first word of the command that names what the build does not see. `needed`: only of those
 * that the recipe cannot do without. */
MUST_CHECK int hint_in_command(const struct build_request *request, bool needed,
                               char hint[BUILD_HINT_BYTES], struct err *err);

#endif
