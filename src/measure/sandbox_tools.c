/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the host's programs that a sandbox is made with, and what its bubblewrap can do. */
#include "measure/sandbox_internal.h"

#include "base/buf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct features {
    bool asked;
    bool disable_userns;
    bool size;
};

static int read_features(const char *bwrap, struct features *features, struct err *err)
{
    BUF_AUTO help;
    buf_init(&help, 64 << 10);
    const char *const argv[] = {bwrap, "--help", NULL};
    struct proc_spec spec = {.argv = argv,
                             .stdin_fd = -1,
                             .uid = (uid_t)-1,
                             .gid = (gid_t)-1,
                             .limits = {.wall_ms = 20000}};
    struct proc_result result;
    if (proc_run(&spec, &help, &result, err) != 0)
        return -1;
    if (strstr(help.data, "--unshare-all") == NULL)
        return err_set(err, ERR_HOST, "`%s` is not bubblewrap: it has no `--unshare-all`",
                       bwrap);
    features->disable_userns = strstr(help.data, "--disable-userns") != NULL;
    features->size = strstr(help.data, "--size") != NULL;
    features->asked = true;
    return 0;
}

static int bwrap_features(const char *bwrap, struct features *out, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct features known;
    pthread_mutex_lock(&lock);
    int rc = known.asked ? 0 : read_features(bwrap, &known, err);
    if (rc == 0)
        *out = known;
    pthread_mutex_unlock(&lock);
    return rc;
}

bool sandbox_bounds_disk(void)
{
    char bwrap[FILE_PATH_BYTES];
    struct features features = {0};
    return proc_find("bwrap", bwrap, NULL) == 0 &&
           bwrap_features(bwrap, &features, NULL) == 0 && features.size;
}

int sandbox_find_tools(struct sandbox_tools *out, struct err *err)
{
    struct features features = {0};
    if (proc_find("bwrap", out->bwrap, NULL) != 0)
        return err_set(err, ERR_HOST,
                       "no sandbox: `bwrap` is not on PATH; install bubblewrap");
    if (bwrap_features(out->bwrap, &features, err) != 0)
        return -1;
    out->disable_userns = features.disable_userns;
    out->size = features.size;
    return 0;
}
