/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches one ref or one commit. The child only adds objects; the ref that keeps them is
 * written by the parent, so a killed child leaves no lock behind. */
#include "base/git_internal.h"

#include "base/name.h"
#include <stdio.h>
#include <string.h>

struct fetch {
    const char *path;
    const struct git_remote_spec *spec;
    const char *what;
    char *sha; /* in memory shared with the child: what `what` is over there */
};

static int no_such_ref(const struct fetch *fetch, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "no `%s` at %s", fetch->what, fetch->spec->url);
}

/* ---- from a folder of this host ---- */

static int find_local(const struct fetch *fetch, git_repository *from, git_oid *oid,
                      struct err *err)
{
    LIB_AUTO(reference) *ref = NULL;
    LIB_AUTO(object) *object = NULL;
    LIB_AUTO(object) *commit = NULL;
    git_error_clear();
    int code;
    if (name_is_sha(fetch->what)) {
        code = git_oid_fromstr(oid, fetch->what);
        if (code == 0)
            code = git_object_lookup(&object, from, oid, GIT_OBJECT_ANY);
        if (code == 0)
            code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    } else {
        code = git_reference_lookup(&ref, from, fetch->what);
        if (code == 0)
            code = git_reference_peel(&commit, ref, GIT_OBJECT_COMMIT);
    }
    if (code == GIT_ENOTFOUND)
        return no_such_ref(fetch, err);
    if (code < 0)
        return gitlib_error(err, code, "cannot read `%s` at %s", fetch->what,
                            fetch->spec->url);
    *oid = *git_object_id(commit);
    return 0;
}

/* A copy of a shallow clone's history ends where the clone's does: libgit2 1.5 misses an object then,
 * 1.7 copies what there is, and the cache would lack the rest for ever. */
static int refuse_shallow(git_repository *from, struct err *err)
{
    if (git_repository_is_shallow(from) != 1)
        return 0;
    return err_set(err, ERR_HOST,
                   "%s is a shallow clone, and its history is needed: `git fetch --unshallow`",
                   git_repository_path(from));
}

static int fetch_local(const struct fetch *fetch, struct err *err)
{
    LIB_AUTO(repository) *from = NULL;
    LIB_AUTO(repository) *to = NULL;
    git_oid oid;
    if (gitlib_open(gitlib_local_path(fetch->spec->url), &from, err) != 0 ||
        refuse_shallow(from, err) != 0 || gitlib_open(fetch->path, &to, err) != 0 ||
        find_local(fetch, from, &oid, err) != 0 ||
        gitlib_copy(from, to, &oid, 1, fetch->spec->max_bytes, err) != 0)
        return -1;
    git_oid_tostr(fetch->sha, GIT_SHA_BYTES, &oid);
    return 0;
}

/* ---- from the network ---- */

static int download(const struct fetch *fetch, struct gitlib_session *session,
                    git_remote *remote, struct err *err)
{
    char refspec[512];
    snprintf(refspec, sizeof refspec, "+%s:refs/ratchet/incoming", fetch->what);
    char *refspecs[] = {refspec};
    git_strarray list = {.strings = refspecs, .count = 1};
    git_fetch_options options = {
        .version = GIT_FETCH_OPTIONS_VERSION,
        .callbacks = gitlib_callbacks(session),
        .download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE,
        .proxy_opts = {.version = GIT_PROXY_OPTIONS_VERSION, .type = GIT_PROXY_NONE},
        .follow_redirects = GIT_REMOTE_REDIRECT_NONE,
    };
    session->asked = false;
    git_error_clear();
    int code = git_remote_download(remote, &list, &options);
    /* A server answers `not our ref` to a SHA that it does not serve. libgit2 1.5 skips
     * that line and meets the end of an answer that is whole as HTTP; a broken connection
     * has other codes. */
    if (code == GIT_EEOF && name_is_sha(fetch->what))
        return no_such_ref(fetch, err);
    return code < 0 ? gitlib_remote_error(session, code, "fetch from", err) : 0;
}

static int fetch_remote(const struct fetch *fetch, struct err *err)
{
    SESSION_AUTO session;
    gitlib_session_init(&session, fetch->spec);
    LIB_AUTO(repository) *lib = NULL;
    LIB_AUTO(remote) *remote = NULL;
    if (gitlib_open(fetch->path, &lib, err) != 0 ||
        gitlib_connect(lib, &session, GIT_DIRECTION_FETCH, &remote, err) != 0)
        return -1;
    if (name_is_sha(fetch->what)) {
        memcpy(fetch->sha, fetch->what, GIT_SHA_BYTES);
    } else {
        git_oid oid;
        bool found;
        if (gitlib_advertised(remote, fetch->what, &found, &oid, err) != 0)
            return -1;
        if (!found)
            return no_such_ref(fetch, err);
        git_oid_tostr(fetch->sha, GIT_SHA_BYTES, &oid);
    }
    return download(fetch, &session, remote, err);
}

static int fetch_in_child(void *context, struct err *err)
{
    const struct fetch *fetch = context;
    return gitlib_local_path(fetch->spec->url) != NULL ? fetch_local(fetch, err)
                                                       : fetch_remote(fetch, err);
}

/* ---- the parent ---- */

int git_fetch(struct git_repo *repo, const struct git_remote_spec *remote, const char *what,
              char sha[GIT_SHA_BYTES], struct err *err)
{
    int valid = 0;
    if (gitlib_check_remote(remote, err) != 0)
        return -1;
    if (!name_is_sha(what) &&
        (strlen(what) > 400 || git_reference_name_is_valid(&valid, what) || !valid))
        return err_set(err, ERR_INPUT, "`%.100s` is neither a ref nor a commit", what);
    SHARED_AUTO *page = gitlib_share(err);
    if (page == NULL)
        return -1;
    struct fetch fetch = {.path = repo->path, .spec = remote, .what = what, .sha = page};
    if (gitlib_call_remote(repo, fetch_in_child, &fetch, remote, err) != 0)
        return err_wrap(err, "fetch `%s`", what);

    LIB_AUTO(object) *object = NULL;
    LIB_AUTO(object) *commit = NULL;
    git_repository *lib;
    git_oid oid;
    if (gitlib_oid(page, &oid, err) != 0 || gitlib_repo(repo, &lib, err) != 0)
        return -1;
    git_error_clear();
    int code = git_object_lookup(&object, lib, &oid, GIT_OBJECT_ANY);
    if (code == GIT_ENOTFOUND)
        return err_set(err, ERR_NOT_FOUND, "fetch `%s`: %s did not send it", what,
                       remote->url);
    if (code == 0)
        code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    if (code < 0)
        return gitlib_error(err, code, "fetch `%s`: it is no commit", what);
    if (gitlib_keep(lib, git_object_id(commit), err) != 0)
        return -1;
    git_oid_tostr(sha, GIT_SHA_BYTES, git_object_id(commit));
    return 0;
}
