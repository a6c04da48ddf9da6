/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question who runs a sandbox, and whether that user can reach the files that are bound
 * into it: bubblewrap would only say that it cannot find them. */
#include "measure/sandbox_internal.h"

#include "measure/away.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

bool sandbox_changes_user(const struct sandbox *sandbox)
{
    return away_socket()[0] == '\0' && sandbox->uid != (uid_t)-1 && sandbox->uid != geteuid();
}

/* May this user, with no other groups, pass through the folder? Where an access list says
 * more than the mode bits do, bubblewrap finds out. */
static bool may_search(const char *folder, uid_t uid, gid_t gid)
{
    struct stat st;
    if (stat(folder, &st) < 0)
        return false;
    mode_t bit = st.st_uid == uid ? S_IXUSR : st.st_gid == gid ? S_IXGRP : S_IXOTH;
    return (st.st_mode & bit) != 0 || getxattr(folder, "system.posix_acl_access", NULL, 0) > 0;
}

static int refuse_unreachable(const char *path, uid_t uid, struct err *err)
{
    char name[64];
    char bytes[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, bytes, sizeof bytes, &found) != 0 || found == NULL)
        snprintf(name, sizeof name, "%lu", (unsigned long)uid);
    else
        snprintf(name, sizeof name, "%s", found->pw_name);
    return err_set(err, ERR_HOST, "user %s cannot reach `%s`; put [daemon] state elsewhere",
                   name, path);
}

static int check_reach(const char *from, uid_t uid, gid_t gid, struct err *err)
{
    char real[FILE_PATH_BYTES];
    if (realpath(from, real) == NULL)
        return err_errno(err, ERR_HOST, errno, "sandbox: `%s`", from);
    struct stat st;
    if (stat(real, &st) < 0)
        return err_errno(err, ERR_HOST, errno, "sandbox: `%s`", from);
    size_t len = strlen(real);
    for (size_t i = 1; i <= len; i++) {
        if (real[i] != '/' && !(i == len && S_ISDIR(st.st_mode)))
            continue;
        char kept = real[i];
        real[i] = '\0';
        if (!may_search(real, uid, gid))
            return refuse_unreachable(real, uid, err);
        real[i] = kept;
    }
    return 0;
}

int sandbox_check_user(const struct sandbox *sandbox, struct err *err)
{
    if (!sandbox_changes_user(sandbox))
        return 0;
    if (geteuid() != 0)
        return err_set(err, ERR_HOST,
                       "only root can start a sandbox as user %lu; we are user %lu",
                       (unsigned long)sandbox->uid, (unsigned long)geteuid());
    for (size_t i = 0; i < sandbox->bind_count && sandbox->uid != 0; i++)
        if (check_reach(sandbox->binds[i].from, sandbox->uid, sandbox->gid, err) != 0)
            return -1;
    return 0;
}
