/* SPDX-License-Identifier: Apache-2.0 */
/* A study's folder as files: read within it and never through a link, since anybody may have sent it; listed with
 * their hashes. */
#ifndef RATCHET_LAB_STUDY_FOLDER_H
#define RATCHET_LAB_STUDY_FOLDER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    STUDY_FILES_MAX = 4096,      /* in a folder */
    STUDY_FILE_PATH_BYTES = 256, /* of one, from the folder on */
    STUDY_DEPTH_MAX = 6
};
#define STUDY_FOLDER_BYTES (256ull << 20)

struct study_file {
    char path[STUDY_FILE_PATH_BYTES];
    unsigned long long bytes;
    char sha256[FILE_SHA256_BYTES];
};
struct study_listing {
    struct study_file *files; /* owned; by path */
    size_t count;
};
void study_listing_free(struct study_listing *listing);

/* Append the file `name` ("optimise/01-tiles/samples.json"). One that is not there is ERR_NOT_FOUND; a link on the
 * way, or what is no regular file, ERR_INPUT. */
MUST_CHECK int study_folder_read(const char *path, const char *name, struct buf *out,
                                 struct err *err);

/* All files but locks, which are there while somebody writes in the folder or in a sweep's. A link, what is no
 * regular file, and a name that is not plain ASCII are ERR_INPUT; more than the ceilings ERR_LIMIT. */
MUST_CHECK int study_folder_list(const char *path, struct study_listing *out, struct err *err);

/* Is it made from the others? See lab/study_documents.h; inventory.json is one as well. */
bool study_is_document(const char *name);

/* An empty folder `name` in it, in the place of what was there. */
MUST_CHECK int study_folder_empty(const char *path, const char *name, struct err *err);

#endif
