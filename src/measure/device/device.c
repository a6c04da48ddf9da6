/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of kinds of device, and looks up rows. What a row holds is its own file's. */
#include "measure/device/device.h"

#include <string.h>

static const struct device_kind *const kinds[DEVICE_KINDS] = {&device_kind_cpu,
                                                              &device_kind_nvidia};

const struct device_kind *device_kind_at(size_t i)
{
    return kinds[i];
}

static bool is_of(const struct device_kind *kind, const char *slug)
{
    size_t len = strlen(kind->prefix);
    return kind->prefix[len - 1] == '-' ? strncmp(slug, kind->prefix, len) == 0
                                        : strcmp(slug, kind->prefix) == 0;
}

const struct device_kind *device_kind_of(const char *slug)
{
    for (size_t i = 0; i < DEVICE_KINDS; i++)
        if (is_of(kinds[i], slug))
            return kinds[i];
    return NULL;
}

int device_kind_get(const char *slug, const struct gpu *gpu, const struct device_kind **out,
                    struct err *err)
{
    const struct device_kind *kind = device_kind_of(slug);
    if (kind == NULL)
        return err_set(err, ERR_HOST, "no harness for device `%s` is built in", slug);
    if (kind->find != NULL && gpu == NULL)
        return err_set(err, ERR_HOST, "device `%s`: no GPU was given to measure on", slug);
    *out = kind;
    return 0;
}

const char *device_arch(const char *slug)
{
    const struct device_kind *kind = device_kind_of(slug);
    for (const struct device_arch *row = kind == NULL ? NULL : kind->archs;
         row != NULL && row->slug != NULL; row++) {
        size_t len = strlen(row->slug);
        if (strncmp(slug, row->slug, len) == 0 && (slug[len] == '\0' || slug[len] == '-'))
            return row->arch;
    }
    return NULL;
}

int device_find_gpu(const char *slug, const char *choice, struct gpu *out, struct err *err)
{
    const struct device_kind *kind = device_kind_of(slug);
    if (kind == NULL || kind->find == NULL)
        return err_set(err, ERR_INTERNAL, "device `%s` is no GPU", slug);
    return kind->find(slug, choice[0] == '\0' ? NULL : choice, out, err);
}

int device_lock_path(const char *folder, const char *slug, const struct gpu *gpu,
                     char out[FILE_PATH_BYTES], struct err *err)
{
    return gpu == NULL ? file_path(out, err, "%s/ratchet-%s.lock", folder, slug)
                       : file_path(out, err, "%s/ratchet-gpu-%s.lock", folder, gpu->id);
}
