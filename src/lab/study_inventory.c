/* SPDX-License-Identifier: Apache-2.0 */
/* Owns inventory.json, both ways. */
#include "lab/study_inventory.h"

#include "base/json.h"
#include "judge/fields.h"
#include "judge/text.h"

#include <stdlib.h>
#include <string.h>

int study_inventory_of(const char *path, struct buf *out, struct err *err)
{
    struct study_listing listing
        __attribute__((cleanup(study_listing_free))) = {.files = NULL};
    const char *before = "\n";
    if (study_folder_list(path, &listing, err) != 0)
        return -1;
    buf_adds(out, "{\n  \"schema\": \"" STUDY_INVENTORY_SCHEMA "\",\n  \"files\": [");
    for (size_t i = 0; i < listing.count; i++) {
        const struct study_file *file = &listing.files[i];
        if (strcmp(file->path, STUDY_INVENTORY) == 0)
            continue;
        buf_addf(out, "%s    {\"path\": ", before);
        text_string(out, file->path);
        buf_addf(out, ", \"bytes\": %llu, \"sha256\": \"%s\"}", file->bytes, file->sha256);
        before = ",\n";
    }
    buf_adds(out, "\n  ]\n}\n");
    return buf_check(out, STUDY_INVENTORY, err);
}

/* ---- reading ---- */

static int get_file(const json_t *object, const struct json_at *at, struct study_file *out,
                    struct err *err)
{
    long long bytes;
    if (!json_is_object(object))
        return json_error(at, err, "expected an object");
    if (json_get_string(object, "path", at, out->path, sizeof out->path, err) != 0 ||
        json_get_int(object, "bytes", at, 0, (long long)STUDY_FOLDER_BYTES, &bytes, err) !=
            0 ||
        json_get_sha256(object, "sha256", at, out->sha256, err) != 0)
        return -1;
    out->bytes = (unsigned long long)bytes;
    return 0;
}

static int read_inventory(const char *path, struct study_listing *out, struct err *err)
{
    const struct json_at at = {.key = STUDY_INVENTORY};
    const struct json_at list_at = {.parent = &at, .key = "files"};
    json_t *list;
    JSON_AUTO *root = NULL;
    BUF_AUTO text;
    buf_init(&text, STUDY_INVENTORY_BYTES);
    if (study_folder_read(path, STUDY_INVENTORY, &text, err) != 0 ||
        fields_open(text.data, text.len, STUDY_INVENTORY_BYTES, &at, STUDY_INVENTORY_SCHEMA,
                    &root, err) != 0 ||
        json_get_array(root, "files", &at, &list, err) != 0)
        return -1;
    size_t count = json_array_size(list);
    if (count > STUDY_FILES_MAX)
        return json_error(&list_at, err, "more than %d files", STUDY_FILES_MAX);
    out->files = calloc(count + 1, sizeof *out->files);
    if (out->files == NULL)
        return err_set(err, ERR_HOST, "out of memory for an inventory");
    for (; out->count < count; out->count++) {
        const struct json_at item = {.parent = &list_at, .index = out->count};
        if (get_file(json_array_get(list, out->count), &item, &out->files[out->count], err) !=
            0)
            return -1;
    }
    return 0;
}

static void compare(const struct study_listing *listed, const struct study_listing *there,
                    struct buf *out, size_t *differ)
{
    for (size_t i = 0; i < listed->count; i++) {
        const struct study_file *want = &listed->files[i];
        const struct study_file *got = study_listing_find(there, want->path);
        if (got != NULL && got->bytes == want->bytes && strcmp(got->sha256, want->sha256) == 0)
            continue;
        text_plain(out, want->path);
        buf_adds(out, got == NULL ? ": missing\n" : ": not the file of the inventory\n");
        ++*differ;
    }
    for (size_t i = 0; i < there->count; i++) {
        const char *path = there->files[i].path;
        if (strcmp(path, STUDY_INVENTORY) == 0 || study_listing_find(listed, path) != NULL)
            continue;
        text_plain(out, path);
        buf_adds(out, ": not in the inventory\n");
        ++*differ;
    }
}

int study_inventory_verify(const char *path, struct buf *out, size_t *differ, struct err *err)
{
    struct study_listing listed __attribute__((cleanup(study_listing_free))) = {.files = NULL};
    struct study_listing there __attribute__((cleanup(study_listing_free))) = {.files = NULL};
    if (read_inventory(path, &listed, err) != 0 || study_folder_list(path, &there, err) != 0)
        return -1;
    compare(&listed, &there, out, differ);
    return 0;
}
