/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a request as words, written and read. */
#include "measure/away_internal.h"

#include "base/words.h"

#include <limits.h>
#include <string.h>

/* ---- written ---- */

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

static void put_list(struct buf *out, const char *const *list)
{
    words_put_number(out, count(list));
    for (size_t i = 0; i < count(list); i++)
        words_put(out, list[i]);
}

int away_put(const struct sandbox *sandbox, struct buf *out, struct err *err)
{
    words_put(out, AWAY_VERSION);
    words_put(out, sandbox->kind == SANDBOX_BENCH ? "bench" : "build");
    words_put(out, sandbox->kind == SANDBOX_BENCH && sandbox->device != NULL
                       ? sandbox->device->prefix
                       : "");
    words_put(out, sandbox->gpu == NULL ? "" : sandbox->gpu->uuid);
    words_put_number(out, sandbox->gpu == NULL ? 0 : sandbox->gpu->minor);
    words_put(out, sandbox->cwd == NULL ? "" : sandbox->cwd);
    words_put_number(out, sandbox->disk_bytes);
    words_put_number(out, sandbox->total_bytes);
    words_put_number(out, sandbox->limits.memory_bytes);
    words_put_number(out, sandbox->limits.file_bytes);
    words_put_number(out, sandbox->limits.processes);
    words_put_number(out, sandbox->limits.open_files);
    words_put_number(out, sandbox->cpu_count);
    for (size_t i = 0; i < sandbox->cpu_count; i++)
        words_put_number(out, sandbox->cpus[i]);
    words_put_number(out, sandbox->bind_count);
    for (size_t i = 0; i < sandbox->bind_count; i++) {
        words_put(out, sandbox->binds[i].from);
        words_put(out, sandbox->binds[i].to);
        if (sandbox->binds[i].writable)
            return err_set(err, ERR_INTERNAL, "ratchet-run makes nothing writable");
    }
    put_list(out, sandbox->env);
    put_list(out, sandbox->argv);
    return buf_check(out, "what is asked of ratchet-run", err);
}

/* ---- read ---- */

static void take_list(struct words *reader, const char **list, size_t most)
{
    size_t n = (size_t)words_take_number(reader, most);
    for (size_t i = 0; i < n; i++)
        list[i] = words_take(reader);
    list[n] = NULL;
}

static const struct device_kind *kind_of(const char *prefix)
{
    for (size_t i = 0; i < DEVICE_KINDS; i++)
        if (strcmp(device_kind_at(i)->prefix, prefix) == 0)
            return device_kind_at(i);
    return NULL;
}

static void take_device(struct words *reader, struct away_request *out)
{
    const char *kind = words_take(reader), *device = words_take(reader),
               *uuid = words_take(reader);
    unsigned minor = (unsigned)words_take_number(reader, UINT_MAX);
    out->sandbox.kind = strcmp(kind, "bench") == 0 ? SANDBOX_BENCH : SANDBOX_BUILD;
    out->sandbox.device = device[0] == '\0' ? NULL : kind_of(device);
    out->sandbox.gpu = uuid[0] == '\0' ? NULL : &out->gpu;
    if ((out->sandbox.kind == SANDBOX_BUILD && strcmp(kind, "build") != 0) ||
        (device[0] != '\0' && out->sandbox.device == NULL) ||
        strlen(uuid) >= sizeof out->gpu.uuid)
        reader->failed = true;
    else
        memcpy(out->gpu.uuid, uuid, strlen(uuid) + 1);
    out->gpu.minor = minor;
}

static void take_limits(struct words *reader, struct sandbox *sandbox)
{
    sandbox->disk_bytes = words_take_number(reader, ULLONG_MAX);
    sandbox->total_bytes = words_take_number(reader, ULLONG_MAX);
    sandbox->limits.memory_bytes = words_take_number(reader, ULLONG_MAX);
    sandbox->limits.file_bytes = words_take_number(reader, ULLONG_MAX);
    sandbox->limits.processes = (unsigned)words_take_number(reader, UINT_MAX / 2);
    sandbox->limits.open_files = (unsigned)words_take_number(reader, UINT_MAX);
}

int away_take(const char *words, size_t len, struct away_request *out, struct err *err)
{
    struct words reader = {.at = words, .end = words + len};
    struct sandbox *sandbox = &out->sandbox;
    *out = (struct away_request){.sandbox = {.uid = (uid_t)-1,
                                             .gid = (gid_t)-1,
                                             .binds = out->binds,
                                             .cpus = out->cpus,
                                             .env = out->env,
                                             .argv = out->argv}};
    if (strcmp(words_take(&reader), AWAY_VERSION) != 0)
        return err_set(err, ERR_INPUT, "what is asked for is malformed, or another version's");
    take_device(&reader, out);
    const char *cwd = words_take(&reader);
    sandbox->cwd = cwd[0] == '\0' ? NULL : cwd;
    take_limits(&reader, sandbox);
    sandbox->cpu_count = (size_t)words_take_number(&reader, AWAY_CPUS_MAX);
    for (size_t i = 0; i < sandbox->cpu_count; i++)
        out->cpus[i] = (unsigned)words_take_number(&reader, UINT_MAX);
    sandbox->bind_count = (size_t)words_take_number(&reader, AWAY_BINDS_MAX);
    for (size_t i = 0; i < sandbox->bind_count; i++) {
        out->binds[i].from = words_take(&reader);
        out->binds[i].to = words_take(&reader);
    }
    take_list(&reader, out->env, AWAY_VARIABLES_MAX);
    take_list(&reader, out->argv, AWAY_WORDS_MAX);
    if (reader.failed || reader.at != reader.end || out->argv[0] == NULL)
        return err_set(err, ERR_INPUT, "what is asked for is malformed");
    return 0;
}
