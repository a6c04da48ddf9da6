/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how old and how large what is kept may be. */
#include "daemon/collector.h"

#include "base/file.h"
#include "base/proc.h"
#include "daemon/state.h"
#include "measure/build.h"

#include <stdio.h>
#include <time.h>

enum { COLLECT_EVERY_S = 3600, DAY_S = 86400 };

int collector_empty_scratch(const struct host *host, struct err *err)
{
    char scratch[FILE_PATH_BYTES];
    if (state_scratch(host, scratch, err) != 0 || file_remove_tree(scratch, err) != 0)
        return -1;
    return file_mkdirs(scratch, 0711, err);
}

static int remove_job(void *context, long long job)
{
    const struct collector *collector = context;
    char folder[FILE_PATH_BYTES];
    struct err err;
    if (state_job(collector->host, job, folder, &err) == 0 &&
        file_remove_tree(folder, &err) == 0)
        return 0;
    fprintf(stderr, "ratchetd: %s\n", err.text);
    return -1;
}

void collector_collect(struct collector *collector)
{
    uint64_t now_ns = proc_now_ns();
    if (collector->last_ns != 0 &&
        now_ns - collector->last_ns < COLLECT_EVERY_S * 1000000000ull)
        return;
    collector->last_ns = now_ns;
    const struct host *host = collector->host;
    struct err err;
    char cache[FILE_PATH_BYTES];
    long long before = (long long)time(NULL) - (long long)host->limits.keep_days * DAY_S;
    if (queue_collect(collector->db, before, remove_job, collector, &err) != 0 ||
        file_path(cache, &err, "%s/cache", host->state) != 0 ||
        file_mkdirs(cache, 0700, &err) != 0 ||
        build_cache_collect(cache, host->limits.cache_bytes, &err) != 0)
        fprintf(stderr, "ratchetd: collect: %s\n", err.text);
}
