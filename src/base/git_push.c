/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes one commit to one ref as a compare-and-swap, and believes only what the other
 * side shows afterwards: libgit2 returns 0 for a push that was declined, and an answer
 * can get lost on its way. */
#include "base/git_internal.h"

#include <stdio.h>
#include <string.h>

struct push {
    const char *path;
    const struct git_remote_spec *spec;
    const char *sha, *ref, *expected;
};

/* What went on while pushing; the callbacks' payload starts with the session's. */
struct attempt {
    struct gitlib_session session; /* first: gitlib's callbacks take its address */
    const struct push *push;
    bool moved;       /* the ref was not at `expected` */
    char status[256]; /* the server's word on the ref, "" where it took it */
};

static void free_attempt(struct attempt *attempt)
{
    gitlib_session_free(&attempt->session);
}

static int lost_race(const struct push *push, const char *now, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "`%s` at %s is at %s, not at %s any more", push->ref,
                   push->spec->url, now, push->expected);
}

/* ---- to a folder of this host ---- */

static int swap_local(const struct push *push, git_repository *to, const git_oid *oid,
                      const git_oid *expected, struct err *err)
{
    LIB_AUTO(reference) *ref = NULL;
    git_error_clear();
    int code = git_oid_is_zero(expected)
                   ? git_reference_create(&ref, to, push->ref, oid, 0, "ratchet")
                   : git_reference_create_matching(&ref, to, push->ref, oid, 1, expected,
                                                   "ratchet");
    if (code == 0)
        return 0;
    git_oid now;
    char text[GIT_SHA_BYTES] = GIT_ZERO_SHA;
    bool there = git_reference_name_to_id(&now, to, push->ref) == 0;
    if (there && git_oid_equal(&now, oid))
        return 0;
    if (code != GIT_EMODIFIED && code != GIT_EEXISTS && code != GIT_ENOTFOUND &&
        code != GIT_ELOCKED)
        return gitlib_error(err, code, "cannot write `%s` at %s", push->ref, push->spec->url);
    if (there)
        git_oid_tostr(text, sizeof text, &now);
    return lost_race(push, text, err);
}

static int push_local(const struct push *push, struct err *err)
{
    LIB_AUTO(repository) *from = NULL;
    LIB_AUTO(repository) *to = NULL;
    git_oid oid, expected;
    if (gitlib_open(push->path, &from, err) != 0 ||
        gitlib_open(gitlib_local_path(push->spec->url), &to, err) != 0 ||
        gitlib_oid(push->sha, &oid, err) != 0 ||
        gitlib_oid(push->expected, &expected, err) != 0)
        return -1;
    if (!git_repository_is_bare(to))
        return err_set(err, ERR_INPUT, "%s has a working tree, which a push would not update",
                       push->spec->url);
    if (gitlib_copy(from, to, &oid, 1, ~0ull, err) != 0)
        return -1;
    return swap_local(push, to, &oid, &expected, err);
}

/* ---- to the network ---- */

/* What libgit2 will name as the old value, and the server holds us to: it has to be
 * ours. */
static int check_expected(const git_push_update **updates, size_t count, void *payload)
{
    struct attempt *attempt = payload;
    for (size_t i = 0; i < count; i++) {
        char now[GIT_SHA_BYTES];
        git_oid_tostr(now, sizeof now, &updates[i]->src);
        if (strcmp(now, attempt->push->expected) != 0) {
            attempt->moved = true;
            return GIT_EUSER;
        }
    }
    return 0;
}

static int note_status(const char *ref, const char *status, void *payload)
{
    struct attempt *attempt = payload;
    (void)ref;
    if (status != NULL)
        snprintf(attempt->status, sizeof attempt->status, "%s",
                 *status == '\0' ? "declined" : status);
    return 0;
}

static int upload(struct attempt *attempt, git_remote *remote)
{
    char refspec[512];
    snprintf(refspec, sizeof refspec, "refs/ratchet/%s:%s", attempt->push->sha,
             attempt->push->ref);
    char *refspecs[] = {refspec};
    git_strarray list = {.strings = refspecs, .count = 1};
    git_push_options options = {
        .version = GIT_PUSH_OPTIONS_VERSION,
        .pb_parallelism = 1,
        .callbacks = gitlib_callbacks(&attempt->session),
        .proxy_opts = {.version = GIT_PROXY_OPTIONS_VERSION, .type = GIT_PROXY_NONE},
        .follow_redirects = GIT_REMOTE_REDIRECT_NONE,
    };
    options.callbacks.push_negotiation = check_expected;
    options.callbacks.push_update_reference = note_status;
    attempt->session.asked = false;
    git_error_clear();
    return git_remote_upload(remote, &list, &options);
}

/* The server's own words: its status for the ref, and the lines that its hooks
 * printed. */
static void server_words(const struct attempt *attempt, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", attempt->status);
    const char *separator = " (";
    for (const char *line = attempt->session.sideband.data; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");
        size_t skip = strspn(line, " \t");
        if (strncmp(line + skip, "error:", 6) == 0)
            skip += 6 + strspn(line + skip + 6, " \t");
        if (skip < len && used + len + 4 < size) {
            used += (size_t)snprintf(out + used, size - used, "%s%.*s", separator,
                                     (int)(len - skip), line + skip);
            separator = "; ";
        }
        line += len + strspn(line + len, "\r\n");
    }
    if (*separator == ';')
        snprintf(out + used, size - used, ")");
}

/* A fresh conversation: where is the ref now? */
static int look_again(git_repository *lib, const struct push *push, char now[GIT_SHA_BYTES],
                      struct err *err)
{
    SESSION_AUTO session;
    gitlib_session_init(&session, push->spec);
    LIB_AUTO(remote) *remote = NULL;
    git_oid oid;
    bool found;
    if (gitlib_connect(lib, &session, GIT_DIRECTION_FETCH, &remote, err) != 0 ||
        gitlib_advertised(remote, push->ref, &found, &oid, err) != 0)
        return -1;
    if (found)
        git_oid_tostr(now, GIT_SHA_BYTES, &oid);
    else
        memcpy(now, GIT_ZERO_SHA, GIT_SHA_BYTES);
    return 0;
}

/* Two pushes at the same instant: the loser finds the ref locked, perhaps still
 * unmoved. */
static bool says_locked(const char *status)
{
    static const char *const words[] = {"failed to update ref", "cannot lock ref",
                                        "failed to lock",       "fetch first",
                                        "non-fast-forward",     "stale info"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(status, words[i]) != NULL)
            return true;
    return false;
}

static int judge(const struct attempt *attempt, int code, const char *now, struct err *err)
{
    const struct push *push = attempt->push;
    if (strcmp(now, push->sha) == 0)
        return 0;
    if (attempt->moved || code == GIT_ENONFASTFORWARD || strcmp(now, push->expected) != 0 ||
        says_locked(attempt->status))
        return lost_race(push, now, err);
    if (attempt->status[0] != '\0') {
        char words[ERR_TEXT_BYTES];
        server_words(attempt, words, sizeof words);
        return err_set(err, ERR_AUTH, "%s declined `%s`: %s", push->spec->url, push->ref,
                       words);
    }
    return err_set(err, ERR_HOST, "%s took the push, but `%s` is not there", push->spec->url,
                   push->ref);
}

static int push_remote(const struct push *push, struct err *err)
{
    __attribute__((cleanup(free_attempt))) struct attempt attempt = {.push = push};
    gitlib_session_init(&attempt.session, push->spec);
    LIB_AUTO(repository) *lib = NULL;
    LIB_AUTO(remote) *remote = NULL;
    if (gitlib_open(push->path, &lib, err) != 0 ||
        gitlib_connect(lib, &attempt.session, GIT_DIRECTION_PUSH, &remote, err) != 0)
        return -1;
    int code = upload(&attempt, remote);
    bool explained = code == 0 || attempt.moved || code == GIT_ENONFASTFORWARD;
    struct err why = {0};
    if (!explained)
        gitlib_remote_error(&attempt.session, code, "push to", &why);
    git_remote_disconnect(remote);
    char now[GIT_SHA_BYTES] = "";
    if (look_again(lib, push, now, err) < 0 && explained)
        return err_wrap(err, "after the push");
    if (explained || strcmp(now, push->sha) == 0)
        return judge(&attempt, code, now, err);
    if (err != NULL)
        *err = why;
    return -1;
}

static int push_in_child(void *context, struct err *err)
{
    const struct push *push = context;
    return gitlib_local_path(push->spec->url) != NULL ? push_local(push, err)
                                                      : push_remote(push, err);
}

/* ---- the parent ---- */

static int check_push(struct git_repo *repo, const struct push *push, struct err *err)
{
    int valid = 0;
    LIB_AUTO(commit) *commit = NULL;
    if (gitlib_check_remote(push->spec, err) != 0)
        return -1;
    if (strlen(push->ref) > 400 || git_reference_name_is_valid(&valid, push->ref) < 0 ||
        !valid || strncmp(push->ref, "refs/", 5) != 0)
        return err_set(err, ERR_INPUT, "`%.100s` is not a ref to push to", push->ref);
    if (gitlib_commit(repo, push->sha, &commit, err) != 0 ||
        gitlib_keep(repo->lib, git_commit_id(commit), err) != 0)
        return -1;
    if (strcmp(push->expected, GIT_ZERO_SHA) == 0)
        return 0;
    bool forward = false;
    if (git_is_ancestor(repo, push->expected, push->sha, &forward, err) != 0)
        return -1;
    return forward ? 0
                   : err_set(err, ERR_CONFLICT, "%s does not stand on %s", push->sha,
                             push->expected);
}

int git_push_commit(struct git_repo *repo, const struct git_remote_spec *remote,
                    const char *sha, const char *ref, const char *expected, struct err *err)
{
    struct push push = {
        .path = repo->path, .spec = remote, .sha = sha, .ref = ref, .expected = expected};
    if (check_push(repo, &push, err) != 0 ||
        gitlib_call_remote(repo, push_in_child, &push, remote, err) != 0)
        return err_wrap(err, "push %.10s to `%s`", sha, ref);
    return 0;
}
